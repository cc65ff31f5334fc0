"""Words that a model does not know gave everybody the same list, without a word about it."""

import json

import pytest

import framefind
import terminal
from framefind.errors import QueryError
from framefind.models import registry
from framefind.models.vocabulary import find_foreign_words, is_cut, split_words
from framefind.output.json import build_document

MINI = registry.load("mini")
ORDINARY = [
    *("a dog", "skateboarder", "frisbee", "a kayak", "xylophone", "igloo", "khaki", "corgi"),
    *("don't stop", "café", "naïve", "two women talking.", "TWO WOMEN", "iphone", "42", "a-b-c"),
    *("trampoline", "unicycle", "a man's hat", "Hockenheimring", "R2-D2 robot"),
]
UNKNOWN = ["asdfgh", "sdfsdf jkjkjk", "zxcvbn!", "猫", "дом и кот", "🎬", "قطة", "개", "मछली"]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_are_known(text: str) -> None:
    assert split_words(MINI, text).unknown == []
    assert split_words(MINI, text).known


@pytest.mark.parametrize("text", UNKNOWN)
def test_a_text_of_unknown_words_only_is_an_error(
    shared_library: framefind.Library, text: str
) -> None:
    for query in ({"text": text}, {"text": "red", "plus": [text]}, {"text": "red", "then": text}):
        with pytest.raises(QueryError, match="knows none of these words.*`framefind models`") as it:
            shared_library.search(**query)
        assert text in str(it.value)


@pytest.mark.parametrize("text", ["!!!", "...", "- ?"])
def test_a_text_without_a_word_is_an_error(shared_library: framefind.Library, text: str) -> None:
    with pytest.raises(QueryError, match="holds no word"):
        shared_library.search(text)


def test_a_word_that_is_skipped_is_noted(shared_library: framefind.Library) -> None:
    assert shared_library.search("a dog").notes == []
    page = shared_library.search("a 🐕 beside asdfgh", minus=["猫 snow"])
    assert page.moments
    assert page.notes == [f"{MINI.name} does not know: 🐕, asdfgh, 猫"]
    assert build_document(page, {})["notes"] == page.notes
    assert "notes" not in build_document(shared_library.search("a dog"), {})


def test_the_command_line_says_so_beside_the_answers(shared_library: framefind.Library) -> None:
    def run(*more: str) -> terminal.Done:
        return terminal.run("search", "-l", shared_library.uri, *more)

    partly = run("a dog 猫", "--json")
    assert partly.returncode == 0
    assert "does not know: 猫" in partly.stderr
    assert "does not know: 猫" in json.loads(partly.stdout)["notes"][0]
    nothing = run("猫")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert "'猫'" in nothing.stderr
    assert "Traceback" not in nothing.stderr


class Scattered:
    """A model that makes another vector of every text, as encoders of byte pairs do."""

    fingerprint = {"model": "scattered"}  # noqa: RUF012

    def tokenize(self, word: str) -> list[str]:
        """Return the letters."""
        return list(word)

    def embed_texts(self, texts: list[str]):
        """Return the vectors of mini's for what is no nonsense to it."""
        return MINI.embed_texts([f"{text[0]} {text[-1]} and {len(text)} dogs" for text in texts])


def test_where_random_letters_differ_their_look_tells() -> None:
    words = "asdfgh okapi dachshund schnauzer eggplant Szczecin rhythm blorptang sdfsdf"
    assert split_words(Scattered(), words).unknown == ["asdfgh", "sdfsdf"]
    assert split_words(MINI, words).unknown == ["asdfgh", "sdfsdf"]


FOREIGN = [
    *("ein Hund im Schnee", "un chien dans la neige", "un perro en la nieve", "cane nella neve"),
    *("um cachorro na neve", "ett barn på en gunga", "een hond in de sneeuw"),
]


@pytest.mark.parametrize("text", FOREIGN)
def test_another_language_in_latin_script_is_noted(
    shared_library: framefind.Library, text: str
) -> None:
    (note,) = shared_library.search(text).notes
    assert f"{MINI.name} knows only English, which has no " in note
    assert "`framefind models`" in note


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_words_are_english(text: str) -> None:
    assert find_foreign_words(MINI, text) == []


def test_the_end_of_a_long_text_that_is_not_read_is_noted(
    shared_library: framefind.Library,
) -> None:
    fits = next(n for n in range(1, 500) if is_cut(MINI, "dog " * (n + 1)))
    shorter, whole, cut = MINI.embed_texts(["dog " * n for n in (fits - 1, fits, fits + 1)])
    assert (shorter != whole).any()
    assert (whole == cut).all()
    (note,) = shared_library.search("dog " * 100).notes
    assert note == f"{MINI.name} reads only the beginning of a text this long"
