import re

from hypothesis import given
from hypothesis import strategies as st

from framefind.output.subtitles import write_srt, write_vtt
from framefind.types import Cue


def test_cues_become_blocks():
    cues = [Cue(1.5, 3.25, "Hello\n\nthere", "speech"), Cue(3661, 3662.0005, "Bye", "speech")]
    assert write_vtt(cues).splitlines() == [
        "WEBVTT", "",
        "00:00:01.500 --> 00:00:03.250", "Hello", "there", "",
        "01:01:01.000 --> 01:01:02.000", "Bye",
    ]  # fmt: skip


def test_an_empty_line_ends_no_block_of_subrip():
    cues = [Cue(1.5, 3.25, "Hello\n\nthere", "speech")]
    assert write_srt(cues) == "1\n00:00:01,500 --> 00:00:03,250\nHello\nthere\n"


def test_time_zero_is_the_offset():
    cues = [Cue(t, t + 2, f"at {t}", "speech") for t in (1.0, 9.0, 12.0)]
    times = [line for line in write_vtt(cues, 10.0).splitlines() if "-->" in line]
    assert times == ["00:00:00.000 --> 00:00:01.000", "00:00:02.000 --> 00:00:04.000"]


@given(st.lists(st.text(max_size=40), max_size=5), st.floats(0, 1e5), st.floats(0, 1e3))
def test_no_text_is_markup_or_a_block_of_its_own(texts, start, length):
    cues = [Cue(start, start + length, text, "subtitles") for text in texts]
    lines = write_vtt(cues).split("\n")
    assert not any("<" in line or "\n" in line or "\r" in line for line in lines)
    blocks = "\n".join(lines[2:]).split("\n\n")
    timed = [block for block in blocks if re.match(r"\d+:\d\d:\d\d\.\d{3} --> ", block)]
    assert len(timed) == sum(bool(text.strip()) for text in texts)
    assert sum("-->" in line for line in lines) == len(timed)
