"""What is not decoded must not be missed: the same frames, times and pixels as decoding all."""

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import media
from framefind.video.decode import Video
from framefind.video.frame import Frame
from framefind.video.packets import Stream, reset_test, select_packets
from framefind.video.samplers import Sampler, parse_sampler
from framefind.video.samplers.base import Selection
from framefind.video.samplers.count import Count, spread_times
from framefind.video.samplers.every import Every, FirstOfEachInterval, interval_number
from framefind.video.samplers.keyframes import KeyframePackets

SIZE = (64, 48)
CODECS = [
    ("libx264", "", {}),
    ("libx264", "", {"bf": "0"}),
    ("libx264", "", {"bf": "3", "x264-params": "open-gop=1:b-pyramid=normal"}),
    ("libx265", "log-level=error", {}),
    ("libx265", "log-level=error:open-gop=0:bframes=4", {}),
    ("libvpx-vp9", "", {"auto-alt-ref": "0", "lag-in-frames": "0"}),  # else muxing may fail
    ("mjpeg", "", {}),
]


def noisy(count: int) -> list[media.Picture]:
    """Pictures that share little, so that a wrong one is told from the right one."""
    rng = np.random.default_rng(count)
    coarse = rng.integers(0, 256, (count, 6, 8, 3), np.uint8)
    return list(coarse.repeat(8, axis=1).repeat(8, axis=2))


def seen(frames: Iterator[Frame]) -> list[tuple[float, int]]:
    return [(frame.t, zlib.crc32(frame.scale(*SIZE).tobytes())) for frame in frames]


def plainly(path: Path, sampler: Sampler) -> list[tuple[float, int]]:
    """What sampling gives when all is decoded."""
    with Video(path, threads=1) as video:
        every = list(video.read_from(0.0, 1))
        if isinstance(sampler, Every):
            return seen(one for one in every if one.t in of_each_interval(every, sampler, video))
        if isinstance(sampler, Count):
            times = spread_times([one.t for one in every], sampler.count, sampler.seed)
            return seen(one for one in every if one.t in times)
        return seen(one for one in every if one._picture.key_frame)


def of_each_interval(frames: list[Frame], sampler: Every, video: Video) -> set[float]:
    """The first frame that begins in each interval, or the one that stands there."""
    slots = {interval_number(frame.t, sampler.interval): frame.t for frame in reversed(frames)}
    last = {interval_number(frame.t, sampler.interval): frame.t for frame in frames}
    stand = {t for slot, t in last.items() if slot + 1 not in last and slot < max(last)}
    lasts = video.end(frames[-1]) - frames[-1].t > sampler.interval
    return {*slots.values(), *stand, *([frames[-1].t] if lasts else [])}


def in_parts(path: Path, sampler: Sampler, cuts: list[float]) -> list[tuple[float, int]]:
    borders = [0.0, *sorted(cuts), math.inf]
    with Video(path, threads=1) as video:
        return [
            one
            for i in range(len(borders) - 1)
            for one in seen(video.frames(sampler, borders[i], borders[i + 1]))
        ]


@pytest.mark.parametrize("end", [30.45, 30.5, 31.0, 35.0])
def test_what_is_shown_before_the_keyframe_at_an_end_keeps_what_it_refers_to(
    tmp_path: Path, end: float
) -> None:
    gaps = [3000] * 12 + [900_000] * 3 + [3000, 3000, 900_000, 3000, 3000]
    path = media.film(
        tmp_path / "film.mp4",
        times=[sum(gaps[:i]) / 90000 for i in range(len(gaps))],
        pictures=noisy(len(gaps)),
        size=SIZE,
        codec="libx264",
        options={"bf": "3", "g": "2", "x264-params": "open-gop=1:b-pyramid=normal"},
    )
    sampler = parse_sampler("every=0.05")
    assert in_parts(path, sampler, [end]) == plainly(path, sampler)


@settings(max_examples=40)
@given(data=st.data())
def test_the_frames_are_those_of_decoding_everything(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    codec, parameters, options = data.draw(st.sampled_from(CODECS))
    gaps = data.draw(st.lists(st.sampled_from([3000, 3000, 3750, 9000, 45000, 900000]), min_size=2,
                              max_size=40))  # fmt: skip
    options = {**options, "g": str(data.draw(st.integers(1, 20)))}
    if parameters:
        keys = f"keyint={options['g']}:min-keyint=1"
        options["x265-params"] = f"{parameters}:{keys}"
    suffix = data.draw(st.sampled_from(["mp4", "mkv"]))
    interval = data.draw(st.sampled_from([0.05, 0.1, 0.3, 1.0, 7.0]))
    sampler = parse_sampler(data.draw(st.sampled_from([f"every={interval}", "keyframes"])))
    threads = data.draw(st.integers(1, 2))
    count = data.draw(st.integers(1, 5))
    cuts = data.draw(st.lists(st.floats(0.01, sum(gaps) / 90000), max_size=3, unique=True))
    try:
        path = media.film(
            tmp_path_factory.mktemp("film") / f"film.{suffix}",
            times=[sum(gaps[:i]) / 90000 for i in range(len(gaps))],
            pictures=noisy(len(gaps)),
            size=SIZE,
            codec=codec,
            pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p",
            options=options,
        )
    except av.FFmpegError:
        reject()  # now and then, x265 and VP9 give packets that no muxer takes
    wanted = plainly(path, sampler)
    with Video(path, threads=threads) as video:
        assert seen(video.frames(sampler)) == wanted
        assert seen(video.frames(sampler)) == wanted
        keys = video.cuts(0.5)
    assert in_parts(path, sampler, keys) == wanted
    assert in_parts(path, sampler, cuts) == wanted
    some = parse_sampler(f"count={count},random=1")
    with Video(path) as video:
        assert seen(video.frames(some)) == plainly(path, some)


def test_cuts_lie_at_keyframes(tmp_path: Path) -> None:
    path = media.film(tmp_path / "film.mp4", seconds=20, options={"g": "15", "bf": "0"})
    with Video(path) as video:
        cuts = video.cuts(4.0)
        keys = [frame.t for frame in video.frames(parse_sampler("keyframes"))]
    assert set(cuts) <= set(keys)
    assert len(cuts) == 4
    assert all(abs(cut - 4 * (i + 1)) < 2 for i, cut in enumerate(cuts))
    with Video(media.film(tmp_path / "film.ts", seconds=20)) as video:
        assert video.cuts(4.0) == []  # nobody trusts its middle


# -- the choice alone


@dataclass(frozen=True)
class Packet:
    pts: int | None
    is_keyframe: bool = False
    is_discard: bool = False


def choice(
    packets: list[Packet], selection: Selection | None, closed: bool = True
) -> dict[int, bool]:
    stream = Stream(float, True, lambda packet: closed)
    return {
        one.pts or 0: whole for one, whole in select_packets(packets, stream, lambda: selection)
    }


def group(start: int, length: int) -> list[Packet]:
    return [Packet(start + i, i == 0) for i in range(length)]


TWO = group(0, 10) + group(10, 10)


def every(start: float = -math.inf, end: float = math.inf, interval: float = 6) -> Selection:
    return FirstOfEachInterval(start, end, interval=interval)


def test_what_follows_the_last_sampled_frame_of_a_group_is_not_decoded() -> None:
    assert choice(TWO, every()) == {
        **dict.fromkeys((0, 6, 12, 18), True),
        **dict.fromkeys((1, 2, 3, 4, 5, 10, 11, 13, 14, 15, 16, 17), False),
    }


def test_all_is_decoded_as_long_as_nothing_is_selected() -> None:
    assert choice(TWO, None) == dict.fromkeys(range(20), True)


def test_a_group_that_does_not_stand_alone_needs_the_one_before() -> None:
    assert len(choice(TWO, every(), closed=False)) == 19
    shown_before = [*group(0, 10), Packet(12, True), Packet(11), Packet(10), Packet(13)]
    assert choice(shown_before, every()).keys() >= set(range(10))


def test_of_what_lies_before_the_start_and_behind_the_end_one_keyframe_is_decoded() -> None:
    """It shows whether the video is cut there."""
    packets = TWO + group(20, 10) + group(30, 10) + group(40, 1000)
    selection = every(12, 24)
    assert choice(packets, selection) == {
        **dict.fromkeys((10, 11, *range(13, 18)), False),
        **dict.fromkeys((12, 18, 30), True),
    }
    assert (selection.before, selection.led) == (11, True)
    assert not choice(packets, KeyframePackets(41, 50))


def test_the_frame_that_stands_before_a_gap_is_decoded_and_nothing_more() -> None:
    packets = [*group(0, 10), *group(10, 10), *group(60, 10)]
    whole = [t for t, whole in choice(packets, every()).items() if whole]
    assert whole == [0, 6, 12, 18, 19, 60, 66]
    reordered = [Packet(0, True), Packet(20), Packet(7), Packet(3), Packet(13), Packet(40)]
    whole = [t for t, whole in choice(reordered, every()).items() if whole]
    assert whole == [0, 20, 7, 13, 40]  # 3 is shown before 7, which begins in the next interval
    selection = every(0, 20)
    assert [t for t, whole in choice(packets, selection).items() if whole] == [
        *[0, 6, 12, 18, 19],
        60,  # the next keyframe, which tells whether a shot ends at the end of the span
    ]
    assert selection.after == 60


def test_a_group_without_end_is_not_held_for_ever() -> None:
    assert len(choice(group(0, 5000), every(interval=99999999))) > 4000


def test_h264_reset_test_at_idr_only() -> None:
    mp4 = bytes([1, 100, 0, 40, 0xFF, 0xE1])
    resets = reset_test("h264", mp4)
    sei, idr, plain = ((bytes([0, 0, 0, 2, kind, 0])) for kind in (6, 0x65, 0x61))
    assert resets(sei + idr)
    assert not resets(sei + plain)
    assert not reset_test("h264", None)(sei + idr)  # start codes: not told
    assert reset_test("vp9", None)(b"")
    hevc = reset_test("hevc", bytes([1, *[0] * 20, 3, 0]))
    assert hevc(bytes([0, 0, 0, 3, 19 << 1, 1, 0]))
    assert not hevc(bytes([0, 0, 0, 3, 21 << 1, 1, 0]))  # one that can be sought, no more
