"""Encode a file that browsers cannot play as H.264 and AAC: while it plays, or a clip of it.

Generators do the work in small steps, each when it is asked for.
"""

import math
from collections import deque
from collections.abc import Generator, Iterator
from fractions import Fraction
from functools import partial
from itertools import chain

import av
from av.container import OutputContainer
from av.video.stream import VideoStream

from framefind.output.clips.encoder import add_screen_stream, convert_for_screen, even_size
from framefind.server.playback.audio import Packet, SoundTrack
from framefind.server.playback.sink import Sink
from framefind.video import clock
from framefind.video.decode import Video
from framefind.video.frame import Frame
from framefind.video.open import open_container

_FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_FILE = {"movflags": "faststart"}
_TICKS_PER_SECOND = 90_000  # of the pictures' timestamps
_MAX_LONG_SIDE = 1280  # pixels
_MAX_SHORT_SIDE = 720
_MIN_FRAME_SECONDS = 1 / 61  # frames that follow sooner are dropped
_MIN_LAST_FRAME_SECONDS = 1 / 30
_REPEAT_SECONDS = 1.0  # a frame that is shown for longer is sent again
_SOUND_AHEAD_SECONDS = 0.5  # of the pictures
_GOP_FRAMES = 48
_X264_OPTIONS = {"preset": "veryfast", "crf": "23", "bf": "0", "rc-lookahead": "10"}


def transcode_stream(
    path: str, size: int, start: float, duration: float | None = None
) -> Generator[bytes, None, None]:
    """Yield an MP4 in fragments from the picture shown at `start` on, which becomes time 0.

    The pictures are upright, in square pixels, 720 lines at most, in the colours of BT.709. If
    their shape changes, bars keep them in that of the first one. `duration`: the video's in
    seconds, if known.
    """
    sink = Sink()
    for _ in _encode(path, size, start, None, sink, _FRAGMENTED, duration):
        yield from sink.take()
    yield from sink.take()


def write_clip(
    path: str, size: int, start: float, end: float, target: str, duration: float | None = None
) -> Generator[None, None, None]:
    """Write what is shown from `start` to `end` as the MP4 file `target`, a frame at a step.

    `duration`: the video's in seconds, if known.
    """
    yield from _encode(path, size, start, end, target, _FILE, duration)


def _encode(
    path: str,
    size: int,
    start: float,
    end: float | None,
    target: Sink | str,
    container_options: dict[str, str],
    duration: float | None,
) -> Generator[None, None, None]:
    with (
        Video(path, length=duration) as source,
        open_container(path, size) as sound_source,
        av.open(target, "w", format="mp4", container_options=container_options) as output,
    ):
        spans = _frame_spans(source, start, end)
        first = next(spans, None)
        if first is None:
            return
        encoder = _PictureEncoder(output, first[0])
        shifts = clock.find_shifts(path, partial(open_container, path, size), duration)
        sound = SoundTrack(output, sound_source, start, end, shifts)
        for frame, shown_from, shown_until in chain([first], spans):
            output.mux(encoder.encode(frame, shown_from, shown_until))
            output.mux(sound.encode_until(shown_until + _SOUND_AHEAD_SECONDS))
            yield
        output.mux(encoder.flush())
        output.mux(sound.flush())


def _frame_spans(
    source: Video, start: float, end: float | None
) -> Iterator[tuple[Frame, float, float]]:
    """Yield the frames from `start` to `end`, and when each begins and ends in seconds after start.

    A frame that is shown for long is repeated, so that a player never waits for a picture.
    """
    limit = math.inf if end is None else end - start
    frames = source.play(start)
    frame = next(frames, None)
    t = max(0.0, frame.t - start) if frame else 0.0
    while frame is not None and t < limit:
        later = (frame for frame in frames if frame.t - start - t >= _MIN_FRAME_SECONDS)
        following = next(later, None)
        if following is None:
            until = max(source.end(frame) - start, t + _MIN_LAST_FRAME_SECONDS)
        else:
            until = following.t - start
        until = min(until, limit)
        while t < until:
            repeat = t + _REPEAT_SECONDS if until - t >= 2 * _REPEAT_SECONDS else until
            yield frame, t, repeat
            t = repeat
        frame = following


class _PictureEncoder:
    """The pictures of a stream, encoded as H.264."""

    def __init__(self, output: OutputContainer, first: Frame) -> None:
        self._stream = _add_video_stream(output, first)
        self._last: tuple[Frame, av.VideoFrame] | None = None
        self._durations: deque[int] = deque()  # of the pictures that the encoder holds

    def encode(self, frame: Frame, start: float, end: float) -> list[Packet]:
        """Return the packets that are ready after a frame that is shown from `start` to `end`."""
        if self._last is None or self._last[0] is not frame:
            pixels = frame.fit(self._stream.width, self._stream.height)
            self._last = frame, convert_for_screen(pixels)
        picture = self._last[1]
        picture.pts = round(start * _TICKS_PER_SECOND)
        picture.time_base = Fraction(1, _TICKS_PER_SECOND)
        self._durations.append(round(end * _TICKS_PER_SECOND) - picture.pts)
        return self._set_durations(self._stream.encode(picture))

    def flush(self) -> list[Packet]:
        """Return the packets that the encoder still holds."""
        return self._set_durations(self._stream.encode(None))

    def _set_durations(self, packets: list[Packet]) -> list[Packet]:
        for packet in packets:  # without B-frames they come in the order of the pictures
            packet.duration = self._durations.popleft()
        return packets


def _add_video_stream(output: OutputContainer, first: Frame) -> VideoStream:
    scale = min(
        1.0,
        _MAX_LONG_SIDE / max(first.width, first.height),
        _MAX_SHORT_SIDE / min(first.width, first.height),
    )
    size = even_size(first.width * scale, first.height * scale)
    stream = add_screen_stream(
        output, size, Fraction(30), Fraction(1, _TICKS_PER_SECOND), _X264_OPTIONS
    )
    stream.codec_context.gop_size = _GOP_FRAMES
    return stream
