"""Frames as editors count them, in files that the tests make."""

import random
from fractions import Fraction

import numpy as np
import pytest

from framefind.video.frame_grid import FrameGrid
from framefind.video.read_grid import read_frame_grid
from framefind.video.timecode import STANDARD_RATES
from media import coded, film, talkie

NTSC = {24: Fraction(24000, 1001), 30: Fraction(30000, 1001), 60: Fraction(60000, 1001)}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
@pytest.mark.parametrize(
    "rate", [NTSC[24], Fraction(24), Fraction(25), NTSC[30], Fraction(30), NTSC[60], Fraction(10)]
)
def test_even_rates_are_exact(tmp_path, rate, suffix):
    grid = read_frame_grid(str(coded(tmp_path / f"a{suffix}", rate)))
    assert (grid.rate, grid.is_even, grid.frames, grid.first) == (rate, True, 12, 0)
    assert (grid.width, grid.height, grid.channels) == (320, 240, 0)


@pytest.mark.parametrize(
    ("name", "rate", "text", "frame", "drop"),
    [
        ("a.mov", NTSC[30], "01:00:00;02", 107_894, True),
        ("a.mov", NTSC[30], "01:00:00:02", 108_002, False),
        ("a.mov", Fraction(60), "01:00:00:10", 216_010, False),
        ("a.mp4", NTSC[24], "00:59:00:00", 84_960, False),
        ("a.mxf", Fraction(25), "09:59:50:00", 899_750, False),
        ("a.mkv", Fraction(25), "10:00:00:00", 900_000, False),
    ],
)
def test_the_timecode_of_the_file_counts(tmp_path, name, rate, text, frame, drop):
    codec = "mpeg2video" if name.endswith("mxf") else "mpeg4"
    grid = read_frame_grid(str(coded(tmp_path / name, rate, text, codec)))
    assert (grid.timecode, grid.drop) == (frame, drop)


def test_a_timecode_track_has_a_rate_of_its_own(tmp_path):
    path = coded(tmp_path / "a.mov", Fraction(60), "01:00:00:10")
    data = bytearray(path.read_bytes())
    at = data.rindex(b"tmcd\0\0\0\0\0\0")  # its sample entry: flags, scale, duration, frames
    assert data[at + 28] == 60
    duration = int.from_bytes(data[at + 24 : at + 28], "big")
    data[at + 24 : at + 28] = (2 * duration).to_bytes(4, "big")
    data[at + 28] = 30
    number = data.index((216_010).to_bytes(4, "big"))
    data[number : number + 4] = (108_010).to_bytes(4, "big")
    path.write_bytes(data)
    assert read_frame_grid(str(path)).timecode == 216_020


def test_frames_that_come_unevenly_lie_on_a_grid(tmp_path):
    times = [0.0, 0.1, 0.35, 0.4, 0.9, 1.0, 1.05, 1.9]
    grid = read_frame_grid(str(film(tmp_path / "a.mp4", times=times)))
    assert not grid.is_even
    assert grid.rate == NTSC[24]  # the nearest of editors to 8 in 1.9 seconds
    begin, after = grid.span(0.35, 1.0)
    assert float(begin / grid.rate) <= 0.35 < float((begin + 1) / grid.rate)
    assert float((after - 1) / grid.rate) < 1.0 <= float(after / grid.rate)


@pytest.mark.parametrize(("fps", "rate", "is_even"), [(12.5, 25, True), (29.5, NTSC[30], False)])
def test_rates_that_no_editor_can_declare_lie_on_a_grid(tmp_path, fps, rate, is_even):
    grid = read_frame_grid(str(film(tmp_path / "a.mp4", fps=fps)))
    assert (grid.rate, grid.is_even) == (rate, is_even)
    assert grid.span(10 / fps, 20 / fps) == (int(10 / fps * rate), -int(-20 / fps * rate // 1))


def test_sound_that_begins_first_does_not_move_the_frames(tmp_path):
    path = talkie(tmp_path / "a.mkv", [np.zeros(32_000, np.float32)], origin=36_000.0)
    grid = read_frame_grid(str(path))
    assert (grid.rate, grid.channels, grid.sample_rate) == (10, 1, 16_000)
    assert grid.span(0.5, 1.0) == (5, 10)


def test_a_span_has_a_frame_and_ends_with_the_video():
    grid = FrameGrid(Fraction(25), frames=100)
    assert grid.span(1.0, 1.0) == (25, 26)
    assert grid.span(3.98, 99.0) == (99, 100)
    assert grid.span(50.0, 60.0) == (99, 100)
    assert grid.span(-5.0, 0.5) == (0, 13)


@pytest.mark.parametrize("rate", STANDARD_RATES)
@pytest.mark.parametrize("ticks", [1000, 90_000, 0])
def test_frames_of_random_moments(rate, ticks):
    """Their times are rounded as containers round them (milliseconds, 90 kHz, or not at all)."""
    dice = random.Random(f"{rate} {ticks}")
    if ticks and ticks / rate < 8:
        pytest.skip("such a container cannot hold that many frames a second")
    base = Fraction(1, ticks) if ticks else Fraction(1) / rate
    fits = (1 / (rate * base)).denominator == 1
    rounding = Fraction(1, 1000) + (0 if fits else min(base * rate, Fraction(1, 4)))
    for _ in range(200):
        first = Fraction(dice.choice((0, 0, dice.randrange(5000))), 1000)
        grid = FrameGrid(rate, first, rounding=rounding)
        begin = dice.randrange(3_000_000)
        after = begin + dice.randrange(1, 5000)
        start, end = (float(round((n / rate + first) / base) * base) for n in (begin, after))
        if not ticks:
            start, end = (float(n / rate + first) for n in (begin, after))
        assert grid.span(start, end) == (begin, after)
