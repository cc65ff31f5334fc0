"""When frames are shown: how the timestamps of a stream become seconds from the file's start."""

from collections.abc import Callable
from contextlib import suppress
from fractions import Fraction

import av
from av.container import InputContainer
from av.format import Flags
from av.video.stream import VideoStream

_COUNTED = {"h264", "hevc", "vvc"}  # raw streams of which FFmpeg does not work out the times
_LATE_START = Fraction(1, 2)  # seconds from which on a Matroska file is asked where it ends


class Timing:
    """How a video stream tells when its frames are shown.

    `base` is what a timestamp counts, `origin` the container's start and `rate` the frames of a
    second (0 when unknown), as exact fractions. `timed`: packets tell when their frames are shown.
    `counted`: there are no timestamps at all, and a frame is shown when its number tells.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self.base = stream.time_base or Fraction(1, av.time_base)
        self.origin = start_time(container, stream)
        self.timed = has_times(container, stream)
        self.rate = frame_rate(container, stream)
        self.counted = is_counted(container)
        self._frames = 0

    def seconds(self, timestamp: int) -> float:
        """A timestamp as seconds from the container's start."""
        return float(timestamp * self.base - self.origin)

    def timestamp(self, t: float) -> int:
        """Seconds from the container's start as a timestamp."""
        return int((Fraction(t) + self.origin) / self.base)

    def time(self, packet: "av.Packet[VideoStream]", number: int) -> float | None:
        """When the frame of packet `number` is shown, as far as that is known before decoding."""
        if self.counted:
            return self._counted(number)
        return None if packet.pts is None else self.seconds(packet.pts)

    def shown(self, picture: av.VideoFrame) -> float:
        """When the next decoded picture is shown."""
        timestamp = picture.pts if picture.pts is not None else picture.dts
        if timestamp is None:
            self._frames += 1
            return self._counted(self._frames - 1)
        return self.seconds(timestamp)

    def _counted(self, number: int) -> float:
        return float(number / (self.rate or 25))

    def until(self, t: float, duration: int | None, length: float | None) -> float:
        """When the last frame ends, which is shown at `t`.

        `duration` is its own, as a timestamp, and `length` that of the video in seconds, as far as
        they are known.
        """
        own = (duration or 0) * self.base or (1 / self.rate if self.rate else 0)
        return max(t + float(own), length or 0.0)


def is_counted(container: InputContainer) -> bool:
    """Whether nothing tells when frames are shown but their order and their rate."""
    return container.format.name in _COUNTED


def has_times(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the file says when a frame is shown, and not only when it is decoded."""
    if container.format.name == "avi" or is_counted(container):
        return False
    return stream.codec_context.codec.name != "svq3"


def frame_rate(container: InputContainer, stream: VideoStream) -> Fraction:
    """Return the frames of a second, on average; 0 when unknown.

    Of a raw stream FFmpeg takes 25, whatever its headers declare; the decoder has read them.
    """
    raw = Flags.no_timestamps in Flags(container.format.flags)
    declared = stream.codec_context.framerate if raw else None
    return declared or stream.average_rate or stream.guessed_rate or Fraction(0)


def start_time(container: InputContainer, stream: VideoStream) -> Fraction:
    """The container's start in seconds, exactly; the stream's, or 0, where it has none.

    FFmpeg rounds it to a microsecond; the stream that it is the start of knows it better.
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


def length(
    container: InputContainer, stream: VideoStream, again: Callable[[], InputContainer]
) -> float | None:
    """Return the seconds from the container's start to its end, as it declares them.

    None when it does not. `again` opens the file once more.
    """
    timing = Timing(container, stream)
    if stream.duration:
        end = (stream.start_time or 0) + stream.duration
        return _positive(timing.seconds(end))
    if not container.duration:
        return None
    if "matroska" in container.format.name and timing.origin > _LATE_START:
        # Some writers count the duration from the start, others from zero.
        found = _last_end(again, stream.index)
        if found is not None:
            return _positive(float(found - timing.origin))
    return _positive(container.duration / av.time_base)


def _positive(seconds: float) -> float | None:
    return seconds if seconds > 0 else None


def _last_end(again: Callable[[], InputContainer], index: int) -> Fraction | None:
    """When the last frame ends, in seconds as the file counts them."""
    end: Fraction | None = None
    with suppress(av.FFmpegError), again() as container:
        stream = container.streams[index]
        container.seek(2**62, stream=stream)
        for packet in container.demux(stream):
            if packet.pts is not None and packet.time_base:
                own = (packet.pts + (packet.duration or 0)) * packet.time_base
                end = own if end is None else max(end, own)
    return end
