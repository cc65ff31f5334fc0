from hypothesis import given
from hypothesis import strategies as st

from framefind.words.phrases import Word, cut_phrases


def speak(text: str, pauses: dict[int, float] | None = None) -> list[Word]:
    """Words of 0.3 s each; `pauses` are seconds before a word, by its number."""
    words = []
    t = 0.0
    for number, word in enumerate(text.split()):
        t += (pauses or {}).get(number, 0.0)
        words.append(Word(t, t + 0.3, f" {word}"))
        t += 0.3
    return words


def texts(words: list[Word]) -> list[str]:
    return ["".join(word.text for word in phrase).strip() for phrase in cut_phrases(words)]


def test_sentences_are_phrases():
    assert texts(speak("Come to us. We have it! Do you? Yes")) == [
        "Come to us.",
        "We have it!",
        "Do you?",
        "Yes",
    ]


def test_the_point_of_an_abbreviation_ends_nothing():
    assert texts(speak("Ask Mr. Brown of the U.S. now.")) == ["Ask Mr. Brown of the U.S. now."]


def test_a_pause_ends_a_phrase_within_a_sentence():
    assert texts(speak("this is the new one", {3: 1.0})) == ["this is the", "new one"]


def test_a_long_sentence_is_cut_at_a_comma_and_else_anywhere():
    words = "word " * 21 + "then, " + "word " * 40
    cut = texts(speak(words))
    assert cut[0].endswith("then,")
    assert all(len(text.split()) <= 35 for text in cut)


@given(
    st.lists(
        st.tuples(
            st.floats(0, 3),
            st.floats(0, 2),
            st.text(st.sampled_from("ab.?,。 "), max_size=5),
        )
    )
)
def test_no_word_is_lost_and_none_comes_twice(steps):
    words = []
    t = 0.0
    for pause, length, text in steps:
        words.append(Word(t + pause, t + pause + length, text))
        t += pause + length
    assert [word for phrase in cut_phrases(words) for word in phrase] == words
