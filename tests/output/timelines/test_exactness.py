"""Frames of ten thousand random moments, written and read back by other people's parsers.

OTIO is read by OpenTimelineIO itself, the EDL and FCP 7 XML by its adapters. Its adapter of FCPXML
is wrong at NTSC rates, so that one, and the formats that have no library, are read here.
"""

import json
import random
import re
from collections.abc import Callable, Iterator
from fractions import Fraction

import opentimelineio as otio
import pytest
from lxml import etree

from framefind.output.timelines import edl, fcp7, fcpxml, markers, resolve_edl
from framefind.output.timelines import otio as otio_format
from framefind.output.timelines.timeline import Timeline, build_timeline
from framefind.types import Moment
from framefind.video.frame_grid import FrameGrid
from framefind.video.timecode import can_drop

RATES = [Fraction(24000, 1001), Fraction(24), Fraction(25), Fraction(30000, 1001), Fraction(30)]
RATES += [Fraction(50), Fraction(60000, 1001), Fraction(60)]
COUNTINGS = [(rate, False) for rate in RATES] + [(rate, True) for rate in RATES if can_drop(rate)]
CLIPS = 50
TIMELINES = 5  # of each counting and format: 10,000 moments that are cut, 7,500 that are marked
Span = tuple[int, int, int, int]
"""First frame in the video, the one after the last; the same on the timeline. From 0 on."""


def draw(rate: Fraction, drop: bool, seed: int) -> tuple[Timeline, list[tuple[int, int]]]:
    """Return a timeline of random moments, and the frames that they were made of."""
    dice = random.Random(f"{rate} {drop} {seed}")
    grids = {
        f"/v/{name}.mov": FrameGrid(
            rate,
            Fraction(dice.choice((0, dice.randrange(10_000))), 90_000),
            frames=int(3600 * rate),
            timecode=dice.choice((0, int(rate * 36_000))),
            drop=drop,
            channels=dice.choice((0, 2)),
            sample_rate=48_000,
        )
        for name in "abc"
    }
    moments = []
    frames = []
    for _ in range(CLIPS):
        path = dice.choice([*grids])
        start = dice.randrange(int(3500 * rate))
        end = start + dice.randrange(1, int(20 * rate))
        times = [float(n / rate + grids[path].first) for n in (start, end)]
        moments.append(Moment(path, "0a", *times, times[0], 50.0, 0.5, (0.0, 0.0, 1.0, 1.0)))
        frames.append((start, end))
    return build_timeline("a dog", moments, grids), frames


def text(lines: Iterator[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def spans_of_otio(timeline: otio.schema.Timeline, shifts: list[int]) -> list[Span]:
    """Return the spans of the clips of the first track; `shifts` are the videos' timecodes."""
    (track, *_) = timeline.video_tracks()
    spans = []
    for clip, shift in zip(track.find_clips(), shifts, strict=True):
        source = clip.source_range
        record = clip.range_in_parent()
        times = source.start_time, source.end_time_exclusive()
        times += record.start_time, record.end_time_exclusive()
        values = [time.value for time in times]
        assert all(value == int(value) for value in values)
        begin, after, at, until = map(int, values)
        spans.append((begin - shift, after - shift, at, until))
    return spans


def read_otio(timeline: Timeline) -> list[Span]:
    document = text(otio_format.write(timeline))
    shifts = [clip.grid.timecode for clip in timeline.clips]
    return spans_of_otio(otio.adapters.read_from_string(document, "otio_json"), shifts)


def read_edl(timeline: Timeline) -> list[Span]:
    parsed = otio.adapters.read_from_string(
        text(edl.write(timeline)), "cmx_3600", rate=float(timeline.rate)
    )
    return spans_of_otio(parsed, [clip.grid.timecode for clip in timeline.clips])


def read_fcp7(timeline: Timeline) -> list[Span]:
    parsed = otio.adapters.read_from_string(text(fcp7.write(timeline)), "fcp_xml")
    return spans_of_otio(parsed, [clip.grid.timecode for clip in timeline.clips])


def read_fcpxml(timeline: Timeline) -> list[Span]:
    root = etree.fromstring(text(fcpxml.write(timeline)).encode())
    durations = {one.get("id"): seconds(one.get("frameDuration")) for one in root.iter("format")}
    (sequence,) = root.iter("sequence")
    frame = durations[sequence.get("format")]
    assert frame == 1 / timeline.rate
    assets = {one.get("id"): one for one in root.iter("asset")}
    begin = seconds(sequence.get("tcStart"))
    spans = []
    for clip in root.iter("asset-clip"):
        asset = assets[clip.get("ref")]
        own = durations[asset.get("format")]
        start = (seconds(clip.get("start")) - seconds(asset.get("start"))) / own
        at = (seconds(clip.get("offset")) - begin) / frame
        length = seconds(clip.get("duration")) / frame
        assert {start.denominator, at.denominator, length.denominator} == {1}
        spans.append((int(start), int(start + length), int(at), int(at + length)))
    return spans


def seconds(time: str) -> Fraction:
    assert time.endswith("s")
    return Fraction(time[:-1])


def count(timecode: str, rate: Fraction) -> int:
    """Return the frame of a timecode, by OpenTimelineIO."""
    return int(otio.opentime.from_timecode(timecode, float(rate)).value)


def read_resolve_edl(timeline: Timeline) -> list[tuple[int, int]]:
    spans = []
    frame = 0
    hour = count("01:00:00;00" if timeline.drop else "01:00:00:00", timeline.rate)
    for line in resolve_edl.write(timeline):
        if re.match(r"\d{3} ", line):
            frame = count(line.split()[-2], timeline.rate) - hour
        elif match := re.fullmatch(r" \|C:ResolveColor\w+ \|M:[^|]* \|D:(\d+)", line):
            spans.append((frame, frame + int(match[1])))
    return spans


def read_resolve_csv(timeline: Timeline) -> list[tuple[int, int]]:
    hour = count("01:00:00;00" if timeline.drop else "01:00:00:00", timeline.rate)
    rows = [line.split(",") for line in markers.write_resolve(timeline)][1:]
    return [tuple(count(row[at], timeline.rate) - hour for at in (1, 2)) for row in rows]


def read_premiere_csv(timeline: Timeline) -> list[tuple[int, int]]:
    rows = [line.split("\t") for line in markers.write_premiere(timeline)][1:]
    return [
        tuple(count(row[at], timeline.rate) - clip.grid.timecode for at in (2, 3))
        for row, clip in zip(rows, timeline.clips, strict=True)
    ]


@pytest.mark.parametrize("read", [read_otio, read_edl, read_fcp7, read_fcpxml])
@pytest.mark.parametrize(("rate", "drop"), COUNTINGS)
def test_cuts_are_exact_to_the_frame(rate: Fraction, drop: bool, read: Callable) -> None:
    for seed in range(TIMELINES):
        timeline, frames = draw(rate, drop, seed)
        at = 0
        expected = []
        for start, end in frames:
            expected.append((start, end, at, at + end - start))
            at += end - start
        assert read(timeline) == expected


@pytest.mark.parametrize("read", [read_resolve_edl, read_resolve_csv, read_premiere_csv])
@pytest.mark.parametrize(("rate", "drop"), COUNTINGS)
def test_marks_are_exact_to_the_frame(rate: Fraction, drop: bool, read: Callable) -> None:
    for seed in range(TIMELINES):
        timeline, frames = draw(rate, drop, seed)
        assert read(timeline) == frames


def test_json_is_plain() -> None:
    timeline, _ = draw(Fraction(25), False, 0)
    assert json.loads(text(otio_format.write(timeline)))["OTIO_SCHEMA"] == "Timeline.1"
