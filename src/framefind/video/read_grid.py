"""Read from a video file how editors count its frames: rate, first frame, timecode."""

from contextlib import suppress
from fractions import Fraction

from av.container import InputContainer
from av.video.stream import VideoStream

from framefind.errors import UsageError
from framefind.files.objects import is_remote
from framefind.video import clock
from framefind.video.colour import find_hdr
from framefind.video.frame_grid import FLOAT_ROUNDING, FrameGrid
from framefind.video.keyframes import list_packets
from framefind.video.open import choose_stream, file_size, open_container, open_remote
from framefind.video.timecode import (
    can_drop,
    choose_edit_rate,
    is_countable,
    read_timecode,
    snap_rate,
)

_MAX_CHECKED_PACKETS = 5_000  # of those that a container lists
_MAX_ROUNDING = Fraction(1, 4)  # of a frame, by which its timestamp may be rounded
_DEFAULT_RATE = Fraction(25)
_TRACK_RATES = (Fraction(1, 2), Fraction(2), Fraction(1, 4), Fraction(4))
"""Rates of a timecode track as multiples of its video's, after the same rate."""


def read_frame_grid(path: str) -> FrameGrid:
    """Read how editors count the frames of a video file.

    Raises VideoError, or StoreError for one that its store does not give.
    """
    remote = open_remote(path) if is_remote(path) else None
    size = remote.size if remote else file_size(path)
    with open_container(path, size, file=remote) as container:
        stream = choose_stream(path, container)
        timing = clock.Timing(container, stream)
        rate = snap_rate(stream.guessed_rate or timing.rate or _DEFAULT_RATE)
        average = snap_rate(timing.rate or rate)
        is_even = rate == average or timing.counted
        rate = rate if is_even else average
        first = (stream.start_time or 0) * timing.base - timing.origin
        step = 1 / (rate * timing.base)
        is_even = is_even and _lists_even(container, stream, step, _rounding(timing.base, rate))
        if not (is_even and is_countable(rate)):
            edit_rate = choose_edit_rate(rate)
            is_even = is_even and (edit_rate / rate).denominator == 1
            rate = edit_rate
        length = clock.find_length(container, stream, lambda: open_container(path, size))
        frames = None if length is None else round((Fraction(length) - first) * rate)
        timecode, drop = _read_start(container, stream, rate)
        sound = next(iter(container.streams.audio), None)
        return FrameGrid(
            rate=rate,
            first=first,
            frames=frames and max(1, frames),
            is_even=is_even,
            timecode=timecode,
            drop=drop,
            rounding=_rounding(timing.base, rate),
            width=stream.width,
            height=stream.height,
            channels=sound.channels if sound and sound.codec_context else 0,
            sample_rate=sound.rate if sound and sound.codec_context else 0,
            hdr=find_hdr(stream.codec_context.color_trc, stream.codec_context.color_primaries),
        )


def _rounding(base: Fraction, rate: Fraction) -> Fraction:
    """Return by which part of a frame its timestamp may lie beside its place."""
    if (1 / (rate * base)).denominator == 1:
        return FLOAT_ROUNDING
    return min(base * rate, _MAX_ROUNDING) + FLOAT_ROUNDING


def _lists_even(
    container: InputContainer, stream: VideoStream, step: Fraction, rounding: Fraction
) -> bool:
    """Return whether the packets that a container lists stand `step` apart, in its time base."""
    listed = list_packets(container, stream)
    stride = max(1, len(listed) // _MAX_CHECKED_PACKETS)
    stamps = [listed[at].timestamp for at in range(0, len(listed), stride)]
    places = [(stamp - stamps[0]) / step for stamp in stamps]
    return all(abs(place - round(place)) <= rounding for place in places)


def _read_start(container: InputContainer, stream: VideoStream, rate: Fraction) -> tuple[int, bool]:
    """Return the number of frame 0 as the file's timecode declares it, and its drop flag."""
    for track in container.streams:
        if track.type == "data" and track.metadata.get("timecode"):
            numbers = [bytes(packet) for packet in container.demux(track) if packet.size == 4]
            number = int.from_bytes(numbers[0], "big") if numbers else None
            return _read_track(track.metadata["timecode"], number, rate)
    texts = [
        text
        for source in (stream, container)
        for key, text in source.metadata.items()
        if key.lower() == "timecode"
    ]
    return _read_track(texts[0], None, rate) if texts else (0, False)


def _read_track(text: str, number: int | None, rate: Fraction) -> tuple[int, bool]:
    """Return the frame of the video that a timecode names, and its drop flag.

    A timecode track counts at a rate of its own, such as 30 for a video of 60 frames a second;
    `number` is its first frame, which tells by which rate the text was made.
    """
    for track_rate in (rate, *(rate * times for times in _TRACK_RATES)):
        with suppress(UsageError):
            frame, drop = read_timecode(text, track_rate)
            if number in (None, frame):
                return round(frame * rate / track_rate), drop and can_drop(rate)
    return 0, False
