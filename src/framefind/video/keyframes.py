"""Keyframes as a container lists them, to seek and to cut at."""

import math
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction

import av
from av.container import InputContainer
from av.index import IndexEntries
from av.video.stream import VideoStream


def read_listed_keyframes(
    container: InputContainer, stream: VideoStream, start: float
) -> "Iterator[av.Packet[VideoStream]]":
    """Yield the packets of the keyframes that a Matroska file lists, from the one before `start`.

    `start` is in the file's seconds. Nothing between two keyframes is read. All packets of a file
    that lists none. Closes the container.
    """
    base = stream.time_base or Fraction(1, av.time_base)
    with container:
        listed = list_packets(container, stream)
        stamps = sorted({entry.timestamp for entry in listed if entry.is_keyframe})
        first = bisect_left(stamps, start / base) - 1 if start > -math.inf else 0
        for stamp in stamps[max(0, first) :]:
            container.seek(stamp, stream=stream)
            yield next(container.demux(stream))
        if len(stamps) < 2:
            container.seek(0)
            yield from container.demux(stream)


def list_packets(container: InputContainer, stream: VideoStream) -> IndexEntries:
    """Return the packets that the container lists; Matroska's list is only read by a seek."""
    if len(stream.index_entries) < 2 and "matroska" in container.format.name:
        with suppress(av.FFmpegError):
            container.seek(0, stream=stream)
    return stream.index_entries


def space_keyframes(listed: IndexEntries, start: float, step: float, count: int) -> list[int]:
    """Return the timestamps of listed keyframes that are about `step` apart, all in time base.

    They are the last ones at or before `start` plus 1, 2, ... up to less than `count` steps; none
    comes within half a step of the one before it. Steps between two keyframes that the file claims
    to be far apart are skipped in one go.
    """
    chosen: list[int] = []
    number = 1
    while number < count:
        stamp = int(start + number * step)
        if not -(2**63) <= stamp < 2**63 - 1:
            break
        at = listed.search_timestamp(stamp, backward=True)
        key = listed[at].timestamp if at >= 0 else start
        if key > (chosen[-1] if chosen else start) + step / 2:
            chosen.append(int(key))
        after = listed.search_timestamp(stamp + 1, backward=False)
        if after < 0:
            break
        number = max(number + 1, math.floor((listed[after].timestamp - start) / step))
    return chosen
