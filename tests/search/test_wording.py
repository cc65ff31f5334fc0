"""What a text asks of words: which of its own words have to be said, or written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framefind.search.wording import Wording, read_wording, unquote


def asked(text: str, source: str) -> Wording:
    (wording,) = (one for one in read_wording(text) if source in one.sources)
    return wording


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a sign that says laundromat", "laundromat"),
        ("a sign saying Bank of America", "bank of america"),
        ("text reading EXIT", "exit"),
        ("a shirt which reads NO ENTRY IN HERE", "no entry in here"),
        ("a laundromat sign", "laundromat"),
        ("the sign of a laundromat", "laundromat"),
        ("a door marked staff only", "staff only"),
        ("a book titled War and Peace", "war and peace"),
        ("the word OPEN on a shop window", "open"),
        ("a cat with the words please wait", "please wait"),
        ("EXIT written above a door", "exit"),
        ("a wall with no parking painted on it", "no parking"),
        ("the caption: chapter three", "chapter three"),
        ("a poster that says keep calm and a dog", "keep calm"),
    ],
)
def test_of_what_is_written_only_the_words_themselves_must_occur(text, words):
    assert asked(text, "screen").words == words.split()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a man who says good morning", "good morning"),
        ("two women in a park, talking about insomnia", "insomnia"),
        ("somebody mentions the budget, at a desk", "the budget"),
        ("a teacher saying the word photosynthesis", "photosynthesis"),
    ],
)
def test_of_what_is_said_only_what_is_introduced_must_occur(text, words):
    assert asked(text, "speech").words == words.split()
    assert asked(text, "subtitles").words == words.split()


@pytest.mark.parametrize(
    "text",
    [
        "a red car",
        "a woman reading a newspaper on a bench",
        "people talking",
        "the phrase of the day",
        "a sign",
        "the text on the screen",
        "it says",
        "",
        "!",
    ],
)
def test_all_words_must_occur_where_none_are_introduced(text):
    (wording,) = read_wording(text)
    assert wording.words == list(dict.fromkeys(text.strip("!").split()))
    assert wording.is_all
    assert not wording.more


def test_a_sign_asks_nothing_else_of_speech_and_a_subtitle_is_written():
    text = "a sign that says laundromat"
    assert asked(text, "speech").words == text.split()
    assert asked(text, "subtitles").words == text.split()
    assert asked("a subtitle that says good morning", "subtitles").words == ["good", "morning"]


def test_what_comes_behind_may_be_of_the_words_and_is_no_more_than_that():
    wording = asked("a sign that says no smoking in this area", "screen")
    assert (wording.words, wording.more) == (["no", "smoking"], ["in", "this", "area"])
    assert not wording.is_all
    assert asked("a sign that says no smoking", "screen").is_all
    assert not asked("a wall and a sign that says no smoking", "screen").is_all


def test_quotes_must_occur_and_hide_what_is_in_them():
    wording = asked('a sign that says "no parking"', "screen")
    assert (wording.quotes, wording.words, wording.is_all) == (["no parking"], [], True)
    (wording,) = read_wording('"it says hello", "It says hello" dog')
    assert (wording.quotes, wording.words) == (["it says hello"], ["dog"])


@pytest.mark.parametrize(
    "text",
    [
        "“don’t panic” dog",
        "„don’t panic“ dog",
        "« don’t panic » dog",
        "”don’t panic” dog",
        "「don’t panic」 dog",
        "『don’t panic』 dog",
    ],
)
def test_typographic_marks_quote_as_plain_ones_do(text):
    (wording,) = read_wording(text)
    assert ([quote.strip() for quote in wording.quotes], wording.words) == (
        ["don't panic"],
        ["dog"],
    )
    assert " ".join(unquote(text).split()) == "don’t panic dog"


def test_typographic_marks_within_plain_ones_are_of_the_quote():
    (wording,) = read_wording('"he said “hello” to him" dog')
    assert (wording.quotes, wording.words) == (["he said  hello  to him"], ["dog"])


def test_a_word_that_is_spelled_in_two_ways_is_asked_for_once():
    assert asked("STRASSE Straße", "speech").words == ["strasse"]


PARTS = ["a", '"the', "sign", "that", "says", "word", 'OPEN"', "on", ",", '"', "渋谷", "_", "!"]


@given(st.lists(st.sampled_from(PARTS)))
def test_every_source_is_asked_once_and_no_word_is_invented(parts):
    text = " ".join(parts)
    wordings = read_wording(text)
    sources = [source for wording in wordings for source in wording.sources]
    assert sorted(sources) == ["screen", "speech", "subtitles"]
    for wording in wordings:
        assert len({*wording.terms}) == len(wording.terms)
        assert all(term in text.lower() for term in wording.terms)
        assert wording.quotes == wordings[0].quotes
        if any(letter.isalnum() for letter in text):
            assert wording.terms
