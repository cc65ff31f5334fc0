"""Join moments to one film, in H.264 and AAC.

All of it has the size, the frame rate and the layout of sound of the first moment; others are
scaled, with bars where shapes differ. Pictures are upright, in square pixels and the colours of
BT.709; HDR, where all moments have the same, stays as it is, in HEVC. Each moment has a whole
number of the film's frames, and as much sound as those take: where its video has none, silence.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import av
import numpy as np

from framefind.errors import VideoError
from framefind.output.clips.encoder import (
    HDR_WHITES,
    add_hdr_stream,
    add_screen_stream,
    convert_for_screen,
    convert_hdr,
    even_size,
    mend_stamps,
)
from framefind.output.clips.title import draw_title, lay_over
from framefind.times import clock
from framefind.video.decode import Video
from framefind.video.frame import Frame
from framefind.video.frame_grid import FrameGrid
from framefind.video.sound import Channels, Sound

if TYPE_CHECKING:
    from av.container.core import Chapter
    from PIL.Image import Image as Picture

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
"""Of files that a reel can be written to."""

_MIN_RATE = 10  # frames a second
_MAX_RATE = 120
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
_SAMPLE_RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)  # of AAC, in Hz
_OPTIONS = {"preset": "fast", "crf": "18"}
_TITLE_SECONDS = 3
_PIECE_SECONDS = 2  # of sound that are decoded ahead


@dataclass(frozen=True)
class Part:
    """A moment of the video at `path`, from `start` to `end` seconds.

    `grid` tells how its frames are counted, and `duration` is the video's in seconds, if known.
    `title` names its chapter, and `lines` are written into the pictures of its first seconds.
    """

    path: str
    start: float
    end: float
    grid: FrameGrid
    duration: float | None
    title: str
    lines: Sequence[str] = ()


class Reel:
    """A film that parts are added to. A context manager, whose end completes the file.

    `frames` counts those that are written.
    """

    def __init__(self, target: Path, grids: Sequence[FrameGrid], is_plain: bool = False) -> None:
        """`grids` are those of all parts: the first gives the rate, the first with sound that.

        `is_plain` turns HDR to the range of a plain screen also where all have the same.
        """
        kinds = {grid.hdr for grid in grids}
        self._hdr = 0 if is_plain or len(kinds) > 1 else kinds.pop()
        self._step = 1 / film_rate(grids[0].rate)
        self._output = av.open(target, "w", container_options={"movflags": "faststart"})
        self._pictures: _Pictures | None = None
        self._sound = next((_SoundTrack(self._output, g) for g in grids if g.channels), None)
        self.frames = 0
        self._chapters: list[tuple[int, str]] = []  # first frame, title

    def __enter__(self) -> "Reel":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: object, trace: TracebackType | None
    ) -> None:
        with self._output:
            if kind is None and self._pictures:
                self._pictures.finish()
                if self._sound:
                    self._sound.finish()
                self._output.set_chapters(self._list_chapters())

    def add(self, part: Part) -> str | None:
        """Add a part; return why some of it could not be decoded, or None.

        Raises VideoError or StoreError; what was decoded until then stays.
        """
        begin, end = find_span(part)
        with ExitStack() as opened:
            video = opened.enter_context(Video(part.path, length=part.duration))
            sound = None
            if self._sound and part.grid.channels:
                sound = opened.enter_context(self._sound.open(part))
            samples = _Samples(sound, begin)
            for place, frame in enumerate(
                fill_slots(video, begin, end, self._step, 1 / part.grid.rate)
            ):
                if place == 0:
                    self._begin(part, frame)
                self._add_frame(frame, place * self._step < _TITLE_SECONDS, samples)
            return video.damage or (sound.damage if sound else None)

    def _begin(self, part: Part, first: Frame) -> None:
        self._chapters.append((self.frames, part.title))
        if self._pictures is None:
            self._pictures = _Pictures(self._output, first, self._step, self._hdr)
        self._pictures.begin(part.lines)

    def _add_frame(self, frame: Frame, is_titled: bool, samples: "_Samples") -> None:
        assert self._pictures
        self._pictures.encode(frame, self.frames, is_titled)
        self.frames += 1
        if self._sound:
            self._sound.encode_until(self.frames * self._step, samples)

    def _list_chapters(self) -> "list[Chapter]":
        ends = [first for first, _ in self._chapters[1:]] + [self.frames]
        return [
            {
                "id": number,
                "start": first * self._step.numerator,
                "end": end * self._step.numerator,
                "time_base": Fraction(1, self._step.denominator),
                "metadata": {"title": title},
            }
            for number, ((first, title), end) in enumerate(zip(self._chapters, ends, strict=True))
        ]


def film_rate(rate: Fraction) -> Fraction:
    """Return the frame rate of a film whose first video has `rate`: that, or a multiple or part."""
    return rate * ceil(_MIN_RATE / rate) / ceil(rate / _MAX_RATE)


def find_span(part: Part) -> tuple[Fraction, Fraction]:
    """Return when the first frame of a part begins and its last one ends, in seconds.

    Of a video whose frames come unevenly or stand for long, such as slides, it is the part as it
    was asked for.
    """
    if not part.grid.is_even or part.grid.rate < _MIN_RATE:
        return Fraction(part.start), Fraction(max(part.end, part.start))
    grid = replace(part.grid, frames=None)  # the video's end shows when it comes
    first, after = grid.span(part.start, part.end)
    return grid.first + first / grid.rate, grid.first + after / grid.rate


def fill_slots(
    video: Video, begin: Fraction, end: Fraction, step: Fraction, own_step: Fraction
) -> Iterator[Frame]:
    """Yield the frame that is shown in each slot of `step` seconds from `begin` to `end`.

    It is looked for half a frame after the slot's beginning, of the film's frames or the video's
    `own_step`, so that rounded timestamps do not matter. Ends where the video does.
    """
    lead = min(step, own_step) / 2
    frames = video.play(float(begin + lead))
    current = next(frames, None)
    following = next(frames, None)
    for slot in range(max(1, round((end - begin) / step))):
        t = float(begin + slot * step + lead)
        while following and following.t <= t:
            current = following
            following = next(frames, None)
        if current is None or (following is None and t > video.end(current)):
            if slot == 0:
                raise VideoError(f"{video.path}: nothing is shown at {clock(float(begin))}")
            return
        yield current


class _Pictures:
    """The pictures of a film."""

    def __init__(
        self, output: av.container.OutputContainer, first: Frame, step: Fraction, hdr: int
    ) -> None:
        self._output = output
        self._step = step
        self._size = even_size(first.width, first.height)
        self._hdr = hdr
        if hdr:
            self._stream = add_hdr_stream(output, self._size, 1 / step, step, hdr)
        else:
            self._stream = add_screen_stream(output, self._size, 1 / step, step, _OPTIONS)
        self._title: Picture | None = None
        self._last: tuple[Frame, bool, av.VideoFrame] | None = None

    def begin(self, lines: Sequence[str]) -> None:
        """Begin a part with these lines as its title."""
        self._title = draw_title(lines, self._size) if lines else None
        self._last = None

    def encode(self, frame: Frame, number: int, is_titled: bool) -> None:
        """Write a frame as that one of the film."""
        if self._last is None or self._last[0] is not frame or self._last[1] != is_titled:
            self._last = frame, is_titled, self._draw(frame, self._title if is_titled else None)
        picture = self._last[2]
        picture.pts = number
        picture.time_base = self._step
        self._output.mux(mend_stamps(self._stream.encode(picture)))

    def _draw(self, frame: Frame, title: "Picture | None") -> av.VideoFrame:
        if self._hdr:
            deep = frame.fit_deep(*self._size)
            return convert_hdr(lay_over(deep, title, HDR_WHITES[self._hdr]) if title else deep)
        pixels = frame.fit(*self._size)
        return convert_for_screen(lay_over(pixels, title, 1.0) if title else pixels)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._output.mux(mend_stamps(self._stream.encode(None)))


class _SoundTrack:
    """The sound of a film, sample by sample."""

    def __init__(self, output: av.container.OutputContainer, first: FrameGrid) -> None:
        self._output = output
        self._rate = min(_SAMPLE_RATES, key=lambda rate: abs(rate - first.sample_rate))
        self._layout = _LAYOUTS.get(first.channels, "stereo")
        self._stream = output.add_stream("aac", rate=self._rate, layout=self._layout)
        self._samples = 0

    def open(self, part: Part) -> Sound:
        """Open the sound of a part's video, in the film's layout."""
        return Sound(part.path, part.duration, rate=self._rate, layout=self._layout)

    def encode_until(self, t: Fraction, source: "_Samples") -> None:
        """Write the samples up to `t` seconds of the film."""
        count = round(t * self._rate) - self._samples
        channels = self._stream.codec_context.layout.nb_channels
        frame = av.AudioFrame.from_ndarray(source.take(channels, count), "fltp", self._layout)
        frame.sample_rate = self._rate
        frame.time_base = Fraction(1, self._rate)
        frame.pts = self._samples
        self._samples += count
        self._output.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._output.mux(self._stream.encode(None))


class _Samples:
    """The samples of a video's sound from a time on; silence where there are none."""

    def __init__(self, sound: Sound | None, start: Fraction) -> None:
        self._pieces: Iterator[Channels] = iter(())
        if sound:
            self._pieces = sound.pieces(float(start), _PIECE_SECONDS)
        self._held = np.zeros((0, 0), np.float32)

    def take(self, channels: int, count: int) -> Channels:
        """Return the next `count` samples: float32 (channels, count)."""
        samples = np.zeros((channels, count), np.float32)
        filled = 0
        while filled < count:
            if not self._held.shape[1]:
                self._held = next(self._pieces, self._held)
            part = self._held[:, : count - filled]
            if not part.shape[1]:
                break
            samples[:, filled : filled + part.shape[1]] = part
            self._held = self._held[:, part.shape[1] :]
            filled += part.shape[1]
        return samples
