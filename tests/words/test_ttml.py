"""Times, parts and languages of TTML files."""

import pytest

from framefind.types import Cue
from framefind.words.ttml import read_ttml

PARAMETER = "http://www.w3.org/ns/ttml#parameter"


def read(body: str, attributes: str = "") -> list[tuple[float, float, str]]:
    """The cues of a file: start, end, text."""
    return [(cue.start, cue.end, cue.text) for cue in read_ttml(write(body, attributes))]


def write(body: str, attributes: str = "") -> str:
    begin = f'<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="{PARAMETER}" {attributes}>'
    return f"{begin}<head><metadata/></head><body><div>{body}</div></body></tt>"


@pytest.mark.parametrize(
    ("attributes", "times", "start", "end"),
    [
        ("", 'begin="00:00:01.5" end="00:01:02"', 1.5, 62),
        ("", 'begin="1500ms" end="0.1m"', 1.5, 6),
        ("", 'begin="0.001h" dur="2s"', 3.6, 5.6),
        ("", 'begin="3f" end="00:00:01:15"', 0.1, 1.5),
        ('ttp:frameRate="25"', 'begin="50f" end="00:00:03:05"', 2, 3.2),
        (
            'ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001"',
            'begin="30f" end="2s"',
            1.001,
            2,
        ),
        ('ttp:tickRate="10000000"', 'begin="10000000t" end="25000000t"', 1, 2.5),
        ('ttp:frameRate="25" ttp:subFrameRate="2"', 'begin="50t" end="100t"', 1, 2),
        ("", 'begin="2t" end="3t"', 2, 3),
        ("", 'begin="7s"', 7, 7),
    ],
)
def test_times(attributes: str, times: str, start: float, end: float) -> None:
    assert read(f"<p {times}>now</p>", attributes) == [pytest.approx((start, end, "now"))]


def test_times_count_from_the_start_of_the_parent_and_end_with_it() -> None:
    body = '<div begin="10s" end="14s"><p begin="1s" end="2s">one</p><p begin="3s">two</p></div>'
    assert read(body) == [(11, 12, "one"), (13, 14, "two")]


def test_a_part_with_times_of_its_own_is_a_cue() -> None:
    body = '<p begin="1s" end="9s">all <span begin="2s" end="3s">late</span></p>'
    assert read(body) == [(1, 9, "all"), (3, 4, "late")]
    assert read('<p><span begin="1s" dur="1s">a</span><span begin="2s" dur="1s">b</span></p>') == [
        (1, 2, "a"),
        (2, 3, "b"),
    ]


def test_a_part_within_a_part_is_one_cue() -> None:
    inner = '<span begin="1s" dur="1s">inner</span>'
    body = f'<p begin="1s" end="9s"><span><span begin="2s" end="8s">outer {inner}</span></span></p>'
    assert read(body) == [(3, 9, "outer"), (4, 5, "inner")]


def test_lines_and_spaces() -> None:
    body = """<p begin="1s" end="2s">
        <span>Where</span> <!-- nowhere -->is
        <span>the<br/>laundromat</span>? &lt;b&gt;
    </p>"""
    assert read(body) == [(1, 2, "Where is the\nlaundromat?")]


def test_languages() -> None:
    body = '<p begin="1s" end="2s">ja</p><p xml:lang="pt-br" begin="1s" end="2s">sim</p>'
    text = write(body, 'xml:lang="de"')
    assert [cue.language for cue in read_ttml(text)] == ["de", "pt-BR"]
    assert {cue.language for cue in read_ttml(text, "en")} == {"en"}


def test_a_file_that_would_grow_without_end_is_refused() -> None:
    entities = "".join(
        f'<!ENTITY {name} "{10 * f"&{of};"}">'
        for of, name in zip("abcdefgh", "bcdefghi", strict=True)
    )
    text = f'<!DOCTYPE tt [<!ENTITY a "{10 * "x"}">{entities}]>' + write("<p>&i;</p>")
    with pytest.raises(SyntaxError, match="amplification"):
        list(read_ttml(text))


def test_cues_are_of_subtitles() -> None:
    assert list(read_ttml(write('<p begin="1s" end="2s">a</p>'))) == [Cue(1, 2, "a", "subtitles")]
