"""The sound of a stream: read beside the pictures, encoded as AAC."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Any, TypeAlias

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet as AnyPacket

from framefind.server.playback.probe import sound
from framefind.video.clock import start_time

Packet: TypeAlias = "AnyPacket[Any]"

_RATE = 48_000  # samples of a second
_SAMPLES = 1024  # of an AAC frame
_GAP = 4800  # samples: what is less is a container's rounding
_EARLY = 1  # seconds before the start from which sound is decoded
_WARM = 2.0  # seconds before the start that the resampler is given


class AacEncoder:
    """Sound that is encoded as AAC, without a gap from time 0 on."""

    def __init__(self, made: OutputContainer) -> None:
        self._stream = made.add_stream("aac", rate=_RATE, layout="stereo")
        self._stream.codec_context.bit_rate = 128_000
        self._resampler = av.AudioResampler("fltp", "stereo", _RATE, _SAMPLES)
        self._begun = False
        self._end = 0  # of what is encoded, in samples

    def encode(self, frames: Iterator[av.AudioFrame], first: Fraction) -> list[Packet]:
        """The packets of decoded sound, of which what is heard at `first` is time 0."""
        packets: list[Packet] = []
        for frame in frames:
            if frame.pts is None or not frame.time_base:
                continue
            frame.pts -= round(first / frame.time_base)
            if not self._begun and frame.pts * frame.time_base < -_WARM:
                continue
            for part in self._resampler.resample(frame):
                at = round((part.pts or 0) * (part.time_base or 0) * _RATE)
                if self._begun or at >= 0:
                    packets += self._part(part, at)
        return [packet for packet in packets if (packet.pts or 0) >= 0]  # before 0: priming

    def _part(self, part: av.AudioFrame, at: int) -> Iterator[Packet]:
        """Encode samples that are heard `at` so many samples after the start."""
        if not self._begun:
            self._begun = True
            for _ in range(at // _SAMPLES):
                yield from self._stream.encode(_silence(self._end))
                self._end += _SAMPLES
        part.pts = at if at - self._end >= _GAP else self._end
        part.time_base = Fraction(1, _RATE)
        self._end = part.pts + part.samples
        yield from self._stream.encode(part)

    def rest(self) -> list[Packet]:
        """What is held back."""
        if not self._begun:
            return []
        return [packet for packet in self._stream.encode(None) if (packet.pts or 0) >= 0]


class SoundTrack:
    """The sound of a file from `start` to `end`, decoded as far as it is wanted."""

    def __init__(
        self,
        made: OutputContainer,
        source: InputContainer,
        start: float,
        end: float | None,
        shifts: Sequence[tuple[int, Fraction]],
    ) -> None:
        """`shifts` tell what is added to times from which byte of the file on, in seconds."""
        audio = sound(source)
        self._voice = AacEncoder(made) if audio else None
        self._frames: Iterator[av.AudioFrame] = iter(())
        if audio:
            self._first = Fraction(start) + start_time(source, source.streams.video[0])
            last = None if end is None else self._first + Fraction(end - start)
            self._frames = _frames(source, audio, self._first, last, shifts)
        self._next = next(self._frames, None)

    def until(self, t: float) -> list[Packet]:
        """The packets up to about t seconds after the start."""
        wanted = []
        while self._next is not None and _time(self._next) < self._first + Fraction(t):
            wanted.append(self._next)
            self._next = next(self._frames, None)
        return self._voice.encode(iter(wanted), self._first) if self._voice else []

    def rest(self) -> list[Packet]:
        """All that is left."""
        return self.until(1e9) + self._voice.rest() if self._voice else []


def _time(frame: av.AudioFrame) -> Fraction:
    return Fraction(frame.pts or 0) * (frame.time_base or 0)


def _frames(
    source: InputContainer,
    audio: AudioStream,
    first: Fraction,
    last: Fraction | None,
    shifts: Sequence[tuple[int, Fraction]],
) -> Iterator[av.AudioFrame]:
    """Decode sound from about `first` until before `last`."""
    with suppress(av.FFmpegError):  # a container that cannot seek is read from its beginning
        if first > 0 and audio.time_base and not shifts:
            source.seek(round(first / audio.time_base), stream=audio)
    position = 0
    with suppress(av.FFmpegError):  # the pictures go on without
        for packet in source.demux(audio):
            position = packet.pos or position  # of several frames that lie together, the first's
            if shifts and _carried(packet, position, shifts) < first - _EARLY:
                continue
            for frame in decoded(packet):
                if last is not None and _time(frame) >= last:
                    return
                yield frame


def _carried(packet: Packet, position: int, shifts: Sequence[tuple[int, Fraction]]) -> Fraction:
    """Carry the time of a packet on that lies there in the file, and return it in seconds."""
    if packet.pts is None:
        return Fraction(0)
    at = bisect_right(shifts, position, key=lambda shift: shift[0])
    if at:
        packet.pts += round(shifts[at - 1][1] / packet.time_base)
        packet.dts = packet.pts
    return packet.pts * packet.time_base


def decoded(packet: Packet) -> Iterator[av.AudioFrame]:
    """The frames of a packet of sound; none if it cannot be decoded."""
    try:
        for frame in packet.decode():
            assert isinstance(frame, av.AudioFrame)
            yield frame
    except av.FFmpegError:
        return  # a moment of silence


def _silence(pts: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.zeros((2, _SAMPLES), np.float32), "fltp", "stereo")
    frame.sample_rate, frame.pts, frame.time_base = _RATE, pts, Fraction(1, _RATE)
    return frame
