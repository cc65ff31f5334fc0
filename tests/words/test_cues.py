"""Tidy cues: times that make sense, repeats joined, a limit; plain text."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from framefind.errors import WordsError
from framefind.types import Cue
from framefind.words import cues as module
from framefind.words.cues import tidy_cues
from framefind.words.languages import find_language
from framefind.words.markup import strip_markup

TIMES = some.floats(width=32)


def cue(start: float, end: float, text: str = "text", language: str = "") -> Cue:
    return Cue(start, end, text, "subtitles", language)


def test_times_that_make_no_sense() -> None:
    cues = [cue(-2, -1, "before"), cue(-1, 1, "across"), cue(5, 3, "backwards"), cue(6, 7, "")]
    cues += [cue(math.nan, 8, "never"), cue(9, math.inf, "for ever"), cue(10, 10, "a moment")]
    assert [(one.start, one.end, one.text) for one in tidy_cues(cues)] == [
        (0, 1, "across"),
        (5, 5, "backwards"),
        (10, 10, "a moment"),
    ]


def test_repeats_are_joined_in_their_language() -> None:
    cues = [cue(0, 1), cue(0, 1, "Text", "de"), cue(1.05, 2), cue(1.5, 1.8), cue(3, 4)]
    joined = sorted(tidy_cues(cues), key=lambda one: (one.language, one.start))
    assert joined == [cue(0, 2), cue(3, 4), cue(0, 1, "Text", "de")]


@given(some.lists(some.tuples(TIMES, TIMES, some.sampled_from(["a", "b", ""]))))
def test_tidy_cues_always_make_sense_and_stay_as_they_are(
    rows: list[tuple[float, float, str]],
) -> None:
    tidy = list(tidy_cues(cue(*row) for row in rows))
    assert all(0 <= one.start <= one.end < math.inf and one.text for one in tidy)
    assert {one.text for one in tidy} <= {text for _, _, text in rows}
    assert list(tidy_cues(tidy)) == tidy


def test_too_much_text_is_cut_off_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHARACTERS", 20)
    cues = tidy_cues(cue(i, i + 0.5, f"text {i:04}") for i in range(9))
    assert [next(cues).text for _ in range(2)] == ["text 0000", "text 0001"]
    with pytest.raises(WordsError, match="or 20 characters; the rest is left out"):
        next(cues)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("<b>a</b> < b > c <3", "a < b > c <3"),
        ("<script>alert(1)</script>", "alert(1)"),
        ("&lt;i&gt; &amp;amp; &#39;", "<i> &amp; '"),
        ("one<br/>two\\Nthree\\h four", "one\ntwo\nthree four"),
        ("\u202bשלום\u202c\x07\x1b[31m", "שלום [31m"),
        ("e\u0301  \t x\n\n \n y", "é x\ny"),
        ("{\\an8}up {in} the air", "up {in} the air"),
        ("be{\\an5\\p1}m 0 0 l 9 9{\\p0}hind{\\pbo4} \\p1", "behind \\p1"),
        ("{\\k20}Ka{\\kf30}ra{\\ko9}oke{\\p4}m 0 0", "Karaoke"),
    ],
)
def test_plain_text(raw: str, text: str) -> None:
    assert strip_markup(raw) == text


@given(some.text())
def test_no_control_character_and_no_blank_line_is_left(raw: str) -> None:
    for line in strip_markup(raw).split("\n"):
        assert line == line.strip()
        assert not any(ord(character) < 32 for character in line)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("eng", "en"),
        ("de", "de"),
        ("ZH-hant", "zh-Hant"),
        ("und", None),
        ("part2", None),
        ("", None),
        ("xx", None),
    ],
)
def test_codes_of_languages(name: str, code: str | None) -> None:
    assert find_language(name) == code
