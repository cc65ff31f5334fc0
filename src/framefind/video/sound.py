"""Decode the sound of a video, on the clock that frames are on.

Samples are placed by their timestamps: sound that begins after the pictures, gaps, edit lists and
clocks that break are silence where nothing is heard, and nothing moves.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from functools import partial
from typing import Any

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition
from numpy.typing import NDArray

from framefind.files.objects import canonical_uri, is_remote
from framefind.times import clock as write_time
from framefind.video import clock
from framefind.video.open import (
    choose_stream,
    explain_error,
    file_size,
    is_seekable,
    open_container,
    open_remote,
    read_packets,
)

Samples = NDArray[np.float32]
"""One channel of sound: SAMPLE_RATE samples a second, from -1 to 1."""

Channels = NDArray[np.float32]
"""Sound: (channels, samples), from -1 to 1."""

SAMPLE_RATE = 16_000
"""Samples a second: what recognisers of speech take."""

PIECE_SECONDS = 60
"""How long the pieces are in which sound is read, in seconds."""

_RUN_SECONDS = 2.0  # of frames that are resampled together, which is faster than one by one
_MAX_DRIFT_SECONDS = 0.05  # between a timestamp and the samples counted; beyond is a gap
_MAX_GAP_SECONDS = 86_400.0  # a longer one comes from damaged timestamps
_DECODE_EARLIER_SECONDS = 1.0  # than the start: decoders of sound need a moment to settle


class Sound:
    """The sound of a file. Iterate `pieces`, then look at `damage`; close it, or use it in `with`.

    It becomes `rate` samples a second, in the channels of `layout`, as FFmpeg names it. `length` is
    the video's in seconds, where it is known: if the file declares another one, its clock breaks.
    `alive` is called for every packet. Raises NotAVideoError, VideoError or StoreError.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        length: float | None = None,
        alive: Callable[[], None] | None = None,
        rate: int = SAMPLE_RATE,
        layout: str = "mono",
    ) -> None:
        self.rate = rate
        self.layout = av.AudioLayout(layout)
        self.path = canonical_uri(os.fspath(path))
        self.damage: str | None = None
        """Why some of the sound could not be decoded, or None."""
        remote = open_remote(self.path) if is_remote(self.path) else None
        size = remote.size if remote else file_size(self.path)
        open_again = partial(open_container, self.path, size)
        self._alive = alive or (lambda: None)
        self._container = open_container(self.path, size, file=remote)
        try:
            self._video = video = choose_stream(self.path, self._container)
            self._origin = clock.find_start(self._container, video)
            self._seekable = is_seekable(self.path, self._container, video)
            self._shifts = clock.find_shifts(self.path, open_again, length)
            self.stream = choose_sound(self._container)
            if self.stream is None and self._container.streams.audio:
                self.damage = "FFmpeg has no decoder for its sound"
            for stream in self._container.streams:
                if self.stream is None or stream.index != self.stream.index:
                    stream.discard = Discard.all
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> "Sound":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, and free the decoder."""
        self._container.close()
        self.stream = None

    def pieces(self, start: float = 0.0, seconds: float = PIECE_SECONDS) -> Iterator[Channels]:
        """Yield the sound from `start` seconds on to its end, in pieces of `seconds`.

        The last piece is shorter; there is none where the file has no sound from there on.
        """
        shape = self.layout.nb_channels, round(seconds * self.rate)
        begin = round(start * self.rate)  # of the piece, in samples from time 0
        filled = 0
        piece = np.zeros(shape, np.float32)
        for place, samples in self._runs(start):
            end = place + samples.shape[1]
            while end > begin + shape[1]:
                _put(piece, samples, place - begin)
                yield piece
                piece = np.zeros(shape, np.float32)
                begin += shape[1]
                filled = 0
            _put(piece, samples, place - begin)
            filled = max(filled, end - begin)
        if filled > 0:
            yield piece[:, :filled]

    def _runs(self, start: float) -> Iterator[tuple[int, Channels]]:
        """Yield resampled sound, and its place in samples from time 0 of the container's clock."""
        run: _Run | None = None
        for t, frame in self._frames(start):
            if run and not run.continues(t, frame):
                yield from run.flush()
                if t - run.end > _MAX_GAP_SECONDS:
                    return self.fail(f"its clock jumps at {write_time(round(run.end))}")
                run = None
            run = run or _Run(t, frame, self)
            yield from run.add(frame)
        if run:
            yield from run.flush()
        return None

    def _frames(self, start: float) -> Iterator[tuple[float, av.AudioFrame]]:
        """Yield decoded frames from about `start` on, each with its time in seconds."""
        earliest = start - _DECODE_EARLIER_SECONDS
        base = float(self.stream.time_base or 0) if self.stream else 0.0
        origin = float(self._origin)
        position = 0
        t = 0.0
        for packet in self._packets(earliest):
            position = packet.pos or position  # only the first of several packets has its own
            zero = origin - self._shift(position)
            if packet.pts is not None:
                t = packet.pts * base - zero
                if t < earliest:
                    continue
            for frame in decode_packet(packet, partial(self._fail_at, t)):
                if frame.pts is not None:
                    t = frame.pts * base - zero
                yield t, frame
                t += frame.samples / frame.sample_rate

    def _packets(self, earliest: float) -> "Iterator[Packet[Any]]":
        stream = self.stream
        if stream is None:
            return
        if earliest > 0 and self._seekable:
            base = self._video.time_base or Fraction(1, av.time_base)
            with suppress(av.FFmpegError):  # it is read from its beginning
                place = round((Fraction(earliest) + self._origin) / base)
                self._container.seek(place, stream=self._video)
        demux = partial(self._container.demux, stream)
        for packet in read_packets(demux, self.fail, lambda: None):
            self._alive()
            if packet.has_sidedata("encryption_info"):
                self.fail("its sound is encrypted")
            else:
                yield packet

    def _shift(self, position: int) -> float:
        """Return what is added to times at that byte of the file, in seconds."""
        index = bisect_right(self._shifts, position, key=lambda shift: shift[0])
        return float(self._shifts[index - 1][1]) if index else 0.0

    def _fail_at(self, t: float, error: Exception) -> None:
        self.fail(f"damaged sound at {write_time(round(max(0.0, t)))} ({explain_error(error)})")

    def fail(self, error: Exception | str) -> None:
        """Note why some of the sound cannot be decoded; the first reason stays."""
        words = error if isinstance(error, str) else explain_error(error)
        self.damage = self.damage or words


class _Run:
    """Frames that follow each other without a gap, resampled a few seconds at a time.

    `end` is when the last one ends, in seconds.
    """

    def __init__(self, t: float, first: av.AudioFrame, sound: Sound) -> None:
        """Begin at `t` seconds, with nothing yet of `first`."""
        self.end = self._start = t
        self._kind = _kind(first)
        self._place = round(t * sound.rate)
        self._count = 0  # of samples, before they are resampled
        self._fail = sound.fail
        self._held = av.AudioFifo()
        self._resampler = av.AudioResampler("fltp", sound.layout, sound.rate)

    def continues(self, t: float, frame: av.AudioFrame) -> bool:
        """Return whether a frame that begins at `t` follows what is held, in the same format."""
        return abs(t - self.end) < _MAX_DRIFT_SECONDS and self._kind == _kind(frame)

    def add(self, frame: av.AudioFrame) -> Iterator[tuple[int, Channels]]:
        """Hold a frame; yield what is held, resampled, once it is long enough."""
        self._count += frame.samples
        self.end = self._start + self._count / frame.sample_rate
        frame.pts = None  # the samples are counted
        self._held.write(frame)
        if self._held.samples >= _RUN_SECONDS * frame.sample_rate:
            yield from self._resample(self._held.read())

    def flush(self) -> Iterator[tuple[int, Channels]]:
        """Yield all that is left."""
        if self._held.samples:
            yield from self._resample(self._held.read())
        yield from self._resample(None)

    def _resample(self, frame: av.AudioFrame | None) -> Iterator[tuple[int, Channels]]:
        try:
            resampled = self._resampler.resample(frame)
        except (av.FFmpegError, ValueError) as error:  # channels that it cannot mix
            return self._fail(error)
        for each in resampled:
            samples = np.asarray(each.to_ndarray(), np.float32)
            yield self._place, samples
            self._place += samples.shape[1]
        return None


def choose_sound(container: InputContainer) -> AudioStream | None:
    """Return the sound of a file that plays by default, else the first that can be decoded."""
    streams = [stream for stream in container.streams.audio if stream.codec_context is not None]
    chosen = (stream for stream in streams if stream.disposition & Disposition.default)
    return next(chosen, streams[0] if streams else None)


def decode_packet(
    packet: "Packet[Any]", fail: Callable[[Exception], None] | None = None
) -> Iterator[av.AudioFrame]:
    """Yield the frames of a packet of sound; none if it is damaged, of which `fail` is told."""
    try:
        for frame in packet.decode():
            assert isinstance(frame, av.AudioFrame)
            yield frame
    except (av.FFmpegError, ValueError) as error:
        if fail and not isinstance(error, av.EOFError):
            fail(error)


def _kind(frame: av.AudioFrame) -> tuple[str, str, int]:
    """Return all in which frames have to agree to be resampled together."""
    return frame.format.name, frame.layout.name, frame.sample_rate


def _put(piece: Channels, samples: Channels, at: int) -> None:
    """Copy what fits of some samples into a piece, `at` samples after its beginning."""
    first = max(0, -at)
    last = min(samples.shape[1], piece.shape[1] - at)
    if first < last:
        piece[:, at + first : at + last] = samples[:, first:last]
