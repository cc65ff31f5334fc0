"""When frames are shown: from the timestamps of a stream to seconds from the file's start.

Times rise from the first frame to the last. MP4 and Matroska declare when each frame is shown, and
are trusted. Other files record a clock, which may restart or jump inside of them: two recordings
that were joined, a DVD's cells, a camera whose clock was set. Such times are carried on: what comes
after the break follows what came before it. A break shows in the packets, in decoding order:

- A keyframe that would be shown before what came before it, or another frame that would be shown
  before what came ahead of the last keyframe: neither can happen in one stream.
- A gap of half an hour in all streams; in a broadcast format, of ten seconds in which sound stops
  with the pictures. A still page may be shown for long, but then sound goes on.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from functools import cache
from typing import Any

import av
from av.container import InputContainer
from av.format import Flags
from av.video.stream import VideoStream

from framefind.video.ahead import MAX_REORDERED, Ahead
from framefind.video.extent import declares_length
from framefind.video.open import choose_stream, is_seekable

_LENGTH_TOLERANCE = 1.0  # seconds by which a declared length may be wrong
_MAX_LATE_SECONDS = 1.0  # by which packets may be late in decoding order
_MIN_RESTART_SECONDS = 0.25  # by which the clock runs back if it restarts
_MIN_SILENT_JUMP_SECONDS = 10.0  # of a gap in which sound stops, too
_MIN_JUMP_SECONDS = 1800.0  # of any other gap
_BROADCAST_FORMATS = {"mpegts", "mpeg", "flv"}
_RAW_FORMATS = {"h264", "hevc", "vvc"}  # of which FFmpeg does not work out the times
_LAST_SECONDS = 3.0  # of a file, among whose packets the last frame is looked for
_MAX_EARLY_START = Fraction(1, 2)  # seconds; of a later start, Matroska's duration is not trusted


class Timing:
    """The time base of a video stream, and what it counts from.

    `base` is the unit of a timestamp in seconds, `origin` the container's start in seconds and
    `rate` the frames per second (0 when unknown), as exact fractions. `timed`: packets tell when
    their frames are shown. `counted`: there are no timestamps at all, and frame number and rate
    make up the time. `reordered`: frames may be shown in another order than they are decoded in.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.base = stream.time_base or Fraction(1, av.time_base)
        self.origin = find_start(container, stream)
        self.timed = has_times(container, stream)
        self.rate = find_frame_rate(container, stream)
        self.counted = is_counted(container)
        self.reordered = bool(stream.codec_context.has_b_frames)
        self._last = Fraction(0)  # when the last frame that has a timestamp is shown
        self._untimed = 0  # how many frames have been decoded since, that one included

    def seconds(self, timestamp: int) -> float:
        """Return the seconds from the container's start of a timestamp."""
        return float(timestamp * self.base - self.origin)

    def timestamp(self, t: float) -> int:
        """Return the timestamp of seconds from the container's start."""
        return int((Fraction(t) + self.origin) / self.base)

    def time(self, packet: "av.Packet[VideoStream]", number: int) -> float | None:
        """Return when the frame of packet `number` is shown, if that is known before decoding."""
        if self.counted:
            return self._counted(number)
        return None if packet.pts is None else self.seconds(packet.pts)

    def shown(self, picture: av.VideoFrame) -> float:
        """Return when the next decoded picture is shown, in seconds.

        One without a timestamp follows the picture before it at the rate of the video.
        """
        timestamp = picture.pts if self.timed or picture.pts is not None else picture.dts
        own = None if timestamp is None else timestamp * self.base - self.origin
        estimate = self._last + self._untimed / (self.rate or 25)
        if own is None or (self._untimed > 1 and own < estimate):  # the estimates have overtaken it
            self._untimed += 1
            return float(estimate)
        self._last = own
        self._untimed = 1
        return float(own)

    def _counted(self, number: int) -> float:
        return float(number / (self.rate or 25))

    def reached(self, clock: "Clock") -> float:
        """Return when the last frame that a clock has followed ends, in seconds."""
        return self._counted(clock.packets) if self.counted else self.seconds(clock.end)

    def until(self, t: float, duration: int | None, length: float | None) -> float:
        """Return when the last frame, shown at `t`, ends, in seconds.

        `duration` is its own in the time base, and `length` the video's in seconds, if known.
        """
        own = (duration or 0) * self.base or (1 / self.rate if self.rate else 0)
        return max(t + float(own), length or 0.0)


def is_counted(container: InputContainer) -> bool:
    """Return whether the format has no timestamps, only an order and a rate of frames."""
    return container.format.name in _RAW_FORMATS


def has_times(container: InputContainer, stream: VideoStream) -> bool:
    """Return whether the file says when a frame is shown, and not only when it is decoded."""
    if container.format.name == "avi" or is_counted(container):
        return False
    return stream.codec_context.codec.name != "svq3"


def find_frame_rate(container: InputContainer, stream: VideoStream) -> Fraction:
    """Return the average number of frames per second; 0 when unknown.

    FFmpeg assumes 25 for a raw stream, whatever its headers declare; the decoder has read them.
    """
    raw = Flags.no_timestamps in Flags(container.format.flags)
    declared = stream.codec_context.framerate if raw else None
    average = stream.average_rate
    if average and stream.time_base and average * stream.time_base == 1:
        average = None  # one frame a tick: for lack of anything better, as for raw DV
    return declared or average or stream.guessed_rate or stream.average_rate or Fraction(0)


def find_start(container: InputContainer, stream: VideoStream) -> Fraction:
    """Return the exact start of the container in seconds; the stream's, or 0, where it has none.

    FFmpeg rounds it to a microsecond; the stream that starts then has the exact one.
    """
    starts = [
        s.start_time * s.time_base
        for s in container.streams
        if s.start_time is not None and s.time_base
    ]
    if container.start_time is None:
        own = stream.start_time
        return own * stream.time_base if own is not None and stream.time_base else Fraction(0)
    start = Fraction(container.start_time, av.time_base)
    nearest = min(starts, key=lambda other: abs(other - start), default=start)
    return nearest if abs(nearest - start) <= Fraction(1, av.time_base) else start


def find_length(
    container: InputContainer, stream: VideoStream, again: Callable[[], InputContainer]
) -> float | None:
    """Return the seconds from the container's start to its end, as it declares them, or None.

    `again` opens the file once more.
    """
    timing = Timing(container, stream)
    max_start = {"matroska,webm": _MAX_EARLY_START, "flv": Fraction(0)}.get(container.format.name)
    if container.duration and max_start is not None and timing.origin > max_start:
        # Some writers count the duration from the start, others from zero or the first dts.
        last_end = _last_end(again, stream.index, timing)
        if last_end is not None:
            return _positive(float(last_end - timing.origin))
    if not declares_length(stream):
        return None
    if stream.duration:
        end = (stream.start_time or 0) + stream.duration
        return _positive(timing.seconds(end))
    return _positive(container.duration / av.time_base) if container.duration else None


def _positive(seconds: float) -> float | None:
    """Return a length that makes sense, or None."""
    return seconds if seconds > 0 else None


def _last_end(again: Callable[[], InputContainer], index: int, timing: Timing) -> Fraction | None:
    """Return when the last frame ends, in seconds as the file counts them."""
    end: Fraction | None = None
    with suppress(av.FFmpegError), again() as container:
        stream = container.streams[index]
        near_end = max(0.0, (container.duration or 0) / av.time_base - _LAST_SECONDS)
        # A seek past the end leads to the last listed keyframe in Matroska, and nowhere in FLV.
        at = timing.timestamp(near_end) if container.format.name == "flv" else 2**62
        container.seek(at, stream=stream)
        for packet in container.demux(stream):
            if packet.pts is not None and packet.time_base:
                packet_end = (packet.pts + (packet.duration or 0)) * packet.time_base
                end = packet_end if end is None else max(end, packet_end)
    return end


class Clock:
    """Follows the times of a video stream, and carries them on where its clock breaks.

    `shifts` are where in the file it breaks, in bytes, and the seconds that are added from there
    on. `end` is when the last frame so far ends, as a timestamp that is carried on, and `packets`
    the number of packets so far; `is_shown_as_decoded` is whether each has one time for both.
    """

    def __init__(
        self,
        container: InputContainer,
        timing: Timing,
        again: Callable[[], InputContainer] | None,
    ) -> None:
        """`again` opens the file once more; None for a file whose times are trusted."""
        names = set(container.format.name.split(","))
        audio = [stream.index for stream in container.streams.audio]
        self.shifts: list[tuple[int, Fraction]] = []
        self.end = self.packets = 0
        self.is_shown_as_decoded = True
        self._latest = -(2**63)  # the latest timestamp so far, carried on
        self._base = timing.base
        self._rate = timing.rate
        self._fills = timing.timed and not timing.reordered
        self._carries = again is not None and timing.timed
        self._sound = cache(lambda: find_sound(again, audio) if again and audio else [])
        is_broadcast = bool(audio and names & _BROADCAST_FORMATS)
        self._min_jump = _MIN_SILENT_JUMP_SECONDS if is_broadcast else _MIN_JUMP_SECONDS
        self._ordered = "matroska" not in names  # there, FFmpeg guesses the dts
        self._shift = 0
        self._begin()

    @property
    def carried(self) -> bool:
        """Return whether times have been carried on."""
        return bool(self.shifts)

    def rising(self, packets: "Iterable[av.Packet[Any]]") -> "Iterator[av.Packet[Any]]":
        """Yield the packets of the video stream, with times that go on rising."""
        ahead = Ahead(packets)
        for packet in ahead:
            self.packets += 1
            if packet.pts is None and packet.dts is None and self._fills and self.packets > 1:
                # In program streams only the first packet of a group may have a timestamp.
                packet.pts = packet.dts = self.end - self._shift
            if packet.pts is not None:
                self.is_shown_as_decoded &= packet.pts == packet.dts
                if self._carries and self._is_break(packet, ahead):
                    self._shift = self.end - _earliest(packet, ahead)
                    self.shifts.append((packet.pos or 0, self._shift * self._base))
                    self._begin()
                self._note(packet)
                packet.pts += self._shift
                packet.dts = None if packet.dts is None else packet.dts + self._shift
                duration = packet.duration or int(1 / (self._rate or 25) / self._base)
                if packet.pts >= self._latest and (not packet.is_discard or self.carried):
                    # Durations of packets that come out of order may reach beyond the true end.
                    self._latest = packet.pts
                    self.end = packet.pts + duration
            # After a break of an MP4's clock, FFmpeg discards packets until that has caught up.
            if self.carried and packet.is_discard:
                shown = renew(packet, bytes(packet))
                shown.stream = packet.stream
                yield shown
            else:
                yield packet

    def _begin(self) -> None:
        """Forget the times before a break."""
        self._top: int | None = None  # the latest time so far
        self._floor: int | None = None  # the latest time ahead of the last keyframe
        self._decoded: int | None = None  # the last dts

    def _note(self, packet: "av.Packet[Any]") -> None:
        if packet.is_keyframe:
            self._floor = self._top
        self._top = packet.pts if self._top is None else max(self._top, packet.pts or 0)
        self._decoded = packet.dts

    def _is_break(self, packet: "av.Packet[Any]", ahead: "Ahead[av.Packet[Any]]") -> bool:
        """Return whether the clock breaks at a packet, as the docstring of the module explains."""
        if self._top is None or packet.pts is None:
            return False
        floor = self._top if packet.is_keyframe else self._floor
        if floor is not None and packet.pts < floor - _MIN_RESTART_SECONDS / self._base:
            return True
        if self._ordered and packet.dts is not None and self._decoded is not None:
            backwards = packet.dts < self._decoded - _MAX_LATE_SECONDS / self._base
            if backwards and packet.pts < self._top - _MAX_LATE_SECONDS / self._base:
                return True
        if packet.pts - self._top <= self._min_jump / self._base:
            return False
        first = _earliest(packet, ahead)
        return first - self._top > self._min_jump / self._base and not self._sounds(
            self._top, first
        )

    def _sounds(self, after: int, before: int) -> bool:
        """Return whether there is sound between two timestamps, far from either."""
        margin = min(2.0, float((before - after) * self._base) / 4)
        times = self._sound()
        at = bisect_right(times, float(after * self._base) + margin)
        return at < len(times) and times[at] < float(before * self._base) - margin


def renew(packet: "av.Packet[Any]", data: bytes) -> "av.Packet[Any]":
    """Return a packet with other data and the same times, which is not to be discarded.

    FFmpeg owns its data: a decoder's thread that frees a Python object waits for the interpreter's
    lock, whose holder may be waiting for that thread to end.
    """
    fresh: av.Packet[Any] = av.Packet(len(data))
    fresh.update(data)
    fresh.time_base = packet.time_base
    fresh.pts = packet.pts
    fresh.dts = packet.dts
    fresh.duration = packet.duration
    fresh.is_keyframe = packet.is_keyframe
    return fresh


def _earliest(packet: "av.Packet[Any]", ahead: "Ahead[av.Packet[Any]]") -> int:
    """Return the earliest timestamp of a packet and those that follow it out of order."""
    first: int = packet.pts or 0
    for later in ahead.following(MAX_REORDERED):
        if later.is_keyframe:
            break
        first = first if later.pts is None else min(first, later.pts)
    return first


def find_shifts(
    path: str, again: Callable[[], InputContainer], length: float | None
) -> list[tuple[int, Fraction]]:
    """Return where the clock of a file breaks, in bytes, and the seconds added from there on.

    `again` opens the file, and `length` is the video's in seconds, if it is known.
    """
    with again() as container:
        stream = choose_stream(path, container)
        if not has_broken_clock(path, container, stream, again, length):
            return []
        clock = Clock(container, Timing(container, stream), again)
        for _ in clock.rising(packet for packet in container.demux(stream) if packet.size):
            pass
        return clock.shifts


def has_broken_clock(
    path: str,
    container: InputContainer,
    stream: VideoStream,
    again: Callable[[], InputContainer],
    length: float | None,
) -> bool:
    """Return whether timestamps restart or jump, as far as that shows without reading the file."""
    if {"mov", "matroska"} & set(container.format.name.split(",")):
        return not is_seekable(path, container, stream)
    return is_broken(find_length(container, stream, again), length)


def is_broken(declared: float | None, length: float | None) -> bool:
    """Return whether a video is longer or shorter than its file declares: then its clock breaks."""
    return (
        None not in (declared, length) and abs((declared or 0) - (length or 0)) > _LENGTH_TOLERANCE
    )


def resolve_length(
    declared: float | None, reached: float | None, short: float | None
) -> float | None:
    """Return the seconds that a video lasts, by what it declares and what was read of it.

    `reached` is where the last frame ends as read, which may fall short where that frame stands;
    `short` is where all streams end, if that is far before the declared end.
    """
    if declared is None or (reached is not None and reached > declared + _LENGTH_TOLERANCE):
        return reached
    return declared if short is None else short


def find_sound(again: Callable[[], InputContainer], audio: list[int]) -> list[float]:
    """Return when there is sound: the ascending times of its packets, in the file's seconds."""
    times: list[float] = []
    with suppress(av.FFmpegError), again() as container:
        packets = container.demux([container.streams[at] for at in audio])
        times.extend(float(p.pts * p.time_base) for p in packets if p.pts is not None)
    return sorted(times)
