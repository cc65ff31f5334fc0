"""The sound of a stream: decoded beside the pictures, encoded as AAC."""

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

from framefind.video.clock import find_start
from framefind.video.sound import choose_sound, decode_packet

Packet: TypeAlias = "AnyPacket[Any]"

_SAMPLE_RATE = 48_000
_BIT_RATE = 128_000
_FRAME_SAMPLES = 1024  # of an AAC frame
_MIN_GAP_SAMPLES = 4800  # smaller ones come from rounded timestamps, and are closed
_DECODE_EARLIER_SECONDS = 1  # than the start
_RESAMPLE_EARLIER_SECONDS = 2.0  # than the start
_NEVER = 1e9  # seconds


class AacEncoder:
    """Encodes sound as AAC, without gaps from time 0 on."""

    def __init__(self, output: OutputContainer) -> None:
        self._stream = output.add_stream("aac", rate=_SAMPLE_RATE, layout="stereo")
        self._stream.codec_context.bit_rate = _BIT_RATE
        self._resampler = av.AudioResampler("fltp", "stereo", _SAMPLE_RATE, _FRAME_SAMPLES)
        self._has_begun = False
        self._end = 0  # of what is encoded, in samples

    def encode(self, frames: Iterator[av.AudioFrame], zero: Fraction) -> list[Packet]:
        """Return the packets that are ready after these frames; `zero` s becomes time 0."""
        packets: list[Packet] = []
        for frame in frames:
            if frame.pts is None or not frame.time_base:
                continue
            frame.pts -= round(zero / frame.time_base)
            is_needed = frame.pts * frame.time_base >= -_RESAMPLE_EARLIER_SECONDS
            if not self._has_begun and not is_needed:
                continue
            for resampled in self._resampler.resample(frame):
                seconds = (resampled.pts or 0) * (resampled.time_base or 0)
                start = round(seconds * _SAMPLE_RATE)
                if self._has_begun or start >= 0:
                    packets += self._encode_at(resampled, start)
        return _without_priming(packets)

    def _encode_at(self, frame: av.AudioFrame, start: int) -> Iterator[Packet]:
        """Encode a frame that begins `start` samples after time 0."""
        if not self._has_begun:
            self._has_begun = True
            for _ in range(start // _FRAME_SAMPLES):
                yield from self._stream.encode(_silence(self._end))
                self._end += _FRAME_SAMPLES
        frame.pts = start if start - self._end >= _MIN_GAP_SAMPLES else self._end
        frame.time_base = Fraction(1, _SAMPLE_RATE)
        self._end = frame.pts + frame.samples
        yield from self._stream.encode(frame)

    def flush(self) -> list[Packet]:
        """Return the packets that the encoder still holds."""
        if not self._has_begun:
            return []
        return _without_priming(self._stream.encode(None))


def _without_priming(packets: list[Packet]) -> list[Packet]:
    """Drop what an AAC encoder puts before time 0."""
    return [packet for packet in packets if (packet.pts or 0) >= 0]


class SoundTrack:
    """The sound of a file from `start` to `end` (seconds), decoded and encoded as it is needed."""

    def __init__(
        self,
        output: OutputContainer,
        source: InputContainer,
        start: float,
        end: float | None,
        shifts: Sequence[tuple[int, Fraction]],
    ) -> None:
        """`shifts` hold what is added to times (seconds) from which byte of the file on."""
        stream = choose_sound(source)
        self._encoder = AacEncoder(output) if stream else None
        self._frames: Iterator[av.AudioFrame] = iter(())
        if stream:
            self._zero = Fraction(start) + find_start(source, source.streams.video[0])
            last = None if end is None else self._zero + Fraction(end - start)
            self._frames = _decode(source, stream, self._zero, last, shifts)
        self._next = next(self._frames, None)

    def encode_until(self, t: float) -> list[Packet]:
        """Return the packets up to about t seconds after the start."""
        frames = []
        while self._next is not None and _time(self._next) < self._zero + Fraction(t):
            frames.append(self._next)
            self._next = next(self._frames, None)
        return self._encoder.encode(iter(frames), self._zero) if self._encoder else []

    def flush(self) -> list[Packet]:
        """Return all packets that are left."""
        if not self._encoder:
            return []
        return self.encode_until(_NEVER) + self._encoder.flush()


def _time(frame: av.AudioFrame) -> Fraction:
    return Fraction(frame.pts or 0) * (frame.time_base or 0)


def _decode(
    source: InputContainer,
    stream: AudioStream,
    first: Fraction,
    last: Fraction | None,
    shifts: Sequence[tuple[int, Fraction]],
) -> Iterator[av.AudioFrame]:
    """Yield the frames of sound from about `first` until before `last`."""
    with suppress(av.FFmpegError):  # a container that cannot seek is read from its beginning
        if first > 0 and stream.time_base and not shifts:
            source.seek(round(first / stream.time_base), stream=stream)
    position = 0
    with suppress(av.FFmpegError):  # the pictures go on without sound
        for packet in source.demux(stream):
            position = packet.pos or position  # only the first of several packets has its own
            is_early = bool(shifts) and (
                _shift(packet, position, shifts) < first - _DECODE_EARLIER_SECONDS
            )
            if is_early:
                continue
            for frame in decode_packet(packet):
                if last is not None and _time(frame) >= last:
                    return
                yield frame


def _shift(packet: Packet, position: int, shifts: Sequence[tuple[int, Fraction]]) -> Fraction:
    """Correct the time of a packet at that byte of the file; return it in seconds."""
    if packet.pts is None:
        return Fraction(0)
    index = bisect_right(shifts, position, key=lambda shift: shift[0])
    if index:
        packet.pts += round(shifts[index - 1][1] / packet.time_base)
        packet.dts = packet.pts
    return packet.pts * packet.time_base


def _silence(pts: int) -> av.AudioFrame:
    samples = np.zeros((2, _FRAME_SAMPLES), np.float32)
    frame = av.AudioFrame.from_ndarray(samples, "fltp", "stereo")
    frame.sample_rate = _SAMPLE_RATE
    frame.pts = pts
    frame.time_base = Fraction(1, _SAMPLE_RATE)
    return frame
