"""Timecode, against counting frame by frame and the values that are printed in handbooks."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framefind.errors import UsageError
from framefind.video.timecode import (
    STANDARD_RATES,
    can_drop,
    choose_edit_rate,
    count_per_second,
    read_timecode,
    snap_rate,
    write_timecode,
)

NTSC_30 = Fraction(30000, 1001)
NTSC_60 = Fraction(60000, 1001)


@pytest.mark.parametrize(
    ("frame", "rate", "drop", "text"),
    [
        (0, Fraction(25), False, "00:00:00:00"),
        (90_000, Fraction(25), False, "01:00:00:00"),
        (86_400, Fraction(24000, 1001), False, "01:00:00:00"),
        (1799, NTSC_30, True, "00:00:59;29"),
        (1800, NTSC_30, True, "00:01:00;02"),
        (17_981, NTSC_30, True, "00:09:59;29"),
        (17_982, NTSC_30, True, "00:10:00;00"),
        (107_892, NTSC_30, True, "01:00:00;00"),
        (107_892, NTSC_30, False, "00:59:56:12"),
        (3600, NTSC_60, True, "00:01:00;04"),
        (35_964, NTSC_60, True, "00:10:00;00"),
        (24 * 3600 * 25, Fraction(25), False, "00:00:00:00"),
        (-1, Fraction(25), False, "23:59:59:24"),
        (1800, Fraction(30), True, "00:01:00:00"),  # at 30 nothing falls behind
    ],
)
def test_frames_have_their_timecode(frame, rate, drop, text):
    assert write_timecode(frame, rate, drop) == text


@pytest.mark.parametrize("rate", [NTSC_30, NTSC_60])
def test_drop_frame_leaves_out_exactly_its_numbers(rate):
    """Eleven minutes, counted by a loop."""
    count = count_per_second(rate)
    frame = 0
    for minute in range(11):
        for second in range(60):
            for number in range(count):
                if minute % 10 and second == 0 and number < count // 15:
                    with pytest.raises(UsageError, match="no such"):
                        read_timecode(f"00:{minute:02}:00;{number:02}", rate)
                    continue
                assert write_timecode(frame, rate, True) == (
                    f"00:{minute:02}:{second:02};{number:02}"
                )
                frame += 1


@given(st.integers(0, 24 * 3600 * 23), st.sampled_from(STANDARD_RATES), st.booleans())
def test_timecode_reads_back(frame, rate, drop):
    text = write_timecode(frame, rate, drop)
    assert read_timecode(text, rate) == (frame, drop and can_drop(rate))


@given(st.sampled_from([NTSC_30, NTSC_60]), st.integers(0, 24 * 3600 * 29))
def test_drop_frame_keeps_up_with_the_clock(rate, frame):
    hours, minutes, rest = write_timecode(frame, rate, True).split(":")
    seconds, frames = rest.split(";")
    shown = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + int(frames) / float(rate)
    time = float(frame / rate)
    # Two frames are left out at once, or four of 60; and a millionth is lost: 0.1 s in a day.
    assert abs(shown - time) < 0.07 + 1.1e-6 * time


@pytest.mark.parametrize("text", ["", "1:00", "00:00:60:00", "00:60:00:00", "00:00:00:25", "a"])
def test_what_is_no_timecode_is_refused(text):
    with pytest.raises(UsageError, match="timecode"):
        read_timecode(text, Fraction(25))


@pytest.mark.parametrize(
    ("measured", "rate"),
    [
        (Fraction("23.976"), Fraction(24000, 1001)),
        (Fraction("29.97"), NTSC_30),
        (Fraction("29.9997"), Fraction(30)),
        (Fraction("59.94"), NTSC_60),
        (Fraction(2997, 125), Fraction(24000, 1001)),
        (Fraction(10), Fraction(10)),
        (Fraction("12.5"), Fraction("12.5")),
    ],
)
def test_measured_rates_snap_to_standard_ones(measured, rate):
    assert snap_rate(measured) == rate


@pytest.mark.parametrize(
    ("rate", "edit_rate"),
    [
        (NTSC_30, NTSC_30),
        (Fraction(25, 2), Fraction(25)),
        (Fraction(15), Fraction(30)),
        (Fraction(15000, 1001), NTSC_30),
        (Fraction(16), Fraction(48)),
        (Fraction(240), Fraction(60)),
        (Fraction(120_000, 1001), NTSC_60),
        (Fraction(145, 8), Fraction(24000, 1001)),
        (Fraction(2987, 100), NTSC_30),
        (Fraction(90_000), Fraction(60)),
    ],
)
def test_timelines_have_rates_of_editors(rate, edit_rate):
    assert choose_edit_rate(rate) == edit_rate
