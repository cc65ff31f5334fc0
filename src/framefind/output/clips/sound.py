"""One track of sound of a clip: copied, or where its file cannot hold that, as plain samples."""

from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer

from framefind.output.clips.source import Packet
from framefind.video.clock import renew

_PLAIN = "pcm_s16le"
_NEVER_COPIED = {"sipr", "amrnb", "amrwb"}  # containers claim to hold them, and then refuse


class SoundTrack:
    """Takes the packets of a track, and writes what begins from `start` until `end` seconds.

    These are seconds of the stream's own clock. `note` says that it is not copied, if so.
    """

    def __init__(
        self, output: OutputContainer, source: AudioStream, start: Fraction, end: Fraction
    ) -> None:
        self._output = output
        self._start = start
        self._end = end
        self._last = -1
        self.note: str | None = None
        name = source.codec_context.codec.name
        self._resampler: av.AudioResampler | None = None
        self._track: AudioStream
        if name in output.supported_codecs and name not in _NEVER_COPIED:
            self._track = output.add_stream_from_template(source, opaque=True)
            return
        layout = source.codec_context.layout.name
        self._resampler = av.AudioResampler("s16", layout, source.rate)
        track = output.add_stream(_PLAIN, rate=source.rate, layout=layout)
        assert isinstance(track, AudioStream)
        self._track = track
        self.note = f"its sound, {name}, became plain samples (PCM)"

    def add(self, packet: Packet) -> bool:
        """Write a packet if it is part of the clip; return whether the clip goes on after it."""
        if packet.pts is None or not packet.time_base:
            return True
        t = packet.pts * packet.time_base
        if self._resampler:
            self._decode(packet)
        elif self._start <= t < self._end:
            copy = renew(packet, bytes(packet))
            copy.stream = self._track
            # Two packets at one time, as damaged files have them, are no error.
            copy.pts = max(round((t - self._start) / packet.time_base), self._last + 1)
            copy.dts = self._last = copy.pts
            self._output.mux(copy)
        return t < self._end

    def _decode(self, packet: Packet) -> None:
        assert self._resampler
        try:
            frames = packet.decode()
        except av.InvalidDataError:
            return
        for frame in frames:
            assert isinstance(frame, av.AudioFrame)
            for piece in self._resampler.resample(frame):
                self._write(piece)

    def _write(self, piece: av.AudioFrame) -> None:
        """Write the samples of a piece that are part of the clip."""
        if piece.pts is None or not piece.time_base:
            return
        rate = piece.sample_rate
        at = round((piece.pts * piece.time_base - self._start) * rate)
        first = max(0, -at, self._last + 1 - at)
        after = min(piece.samples, round((self._end - self._start) * rate) - at)
        if first >= after:
            return
        width = len(piece.layout.channels)
        samples = piece.to_ndarray()[:, first * width : after * width]
        part = av.AudioFrame.from_ndarray(samples, "s16", piece.layout.name)
        part.sample_rate = rate
        part.pts = at + first
        part.time_base = Fraction(1, rate)
        self._last = at + after - 1
        self._output.mux(self._track.encode(part))
