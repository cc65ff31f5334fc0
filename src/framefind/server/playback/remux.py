"""Videos that a browser cannot play, made playable while they play: MP4 in fragments.

Each is a generator: what has not been asked for yet is not made.
"""

import math
from collections import deque
from collections.abc import Generator, Iterator
from fractions import Fraction
from itertools import chain

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import ColorRange, Colorspace
from av.video.stream import VideoStream

from framefind.server.playback.audio import AacEncoder, Packet, SoundTrack, decoded
from framefind.server.playback.probe import is_broken, seek, sound
from framefind.video import clock
from framefind.video.clock import start_time
from framefind.video.decode import Video
from framefind.video.frame import Frame
from framefind.video.open import best_stream, open_container

# The header comes with the first fragment: only then does it know when each stream begins.
_COPIED = {"movflags": "frag_keyframe+delay_moov+default_base_moof"}
_ENCODED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
_FILE = {"movflags": "faststart"}
_TICKS = 90_000  # a second's, of the pictures that are encoded
_LONG, _SHORT = 1280, 720  # the largest picture
_FASTEST = 1 / 61  # seconds between pictures, at least
_SLOWEST = 1 / 30  # seconds that the last picture is shown, at least
_STILL = 1.0  # seconds after which a picture that stands is given again
_AHEAD = 0.5  # seconds by which the sound is read before the pictures
_X264 = {"preset": "veryfast", "crf": "23", "bf": "0", "rc-lookahead": "10"}


class _Sink:
    """A file that is taken away as it is written."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        """Keep the bytes until they are taken."""
        self._written.append(bytes(data))
        return len(data)

    def take(self) -> Iterator[bytes]:
        """What has been written since the last time, if anything."""
        if self._written:
            written, self._written = self._written, []
            yield b"".join(written)


def remux(path: str, size: int, start: float, copies_audio: bool) -> Generator[bytes, None, None]:
    """Copy the pictures from the keyframe at `start` on (`keyframe_before`); its time becomes 0.

    The sound is copied too, or else encoded as AAC.
    """
    sink = _Sink()
    for _ in _copy(path, size, start, copies_audio, sink):
        yield from sink.take()
    yield from sink.take()


def transcode(
    path: str, size: int, start: float, length: float | None = None
) -> Generator[bytes, None, None]:
    """Encode again from the picture shown at `start` on, which becomes time 0: H.264 and AAC.

    The pictures are upright, in square pixels, 720 lines at most, in the colours of BT.709. Where
    their shape changes, bars keep them in that of the first one. `length` is the video's in
    seconds, where it is known.
    """
    sink = _Sink()
    for _ in _encode(path, size, start, None, sink, _ENCODED, length):
        yield from sink.take()
    yield from sink.take()


def clip(
    path: str, size: int, start: float, end: float, target: str, length: float | None = None
) -> Generator[None, None, None]:
    """Write what is shown from `start` to `end` as an MP4 file, encoded again; in small steps.

    `length` is the video's in seconds, where it is known.
    """
    yield from _encode(path, size, start, end, target, _FILE, length)


def _copy(
    path: str, size: int, start: float, copies_audio: bool, sink: _Sink
) -> Generator[None, None, None]:
    with (
        open_container(path, size) as source,
        av.open(sink, "w", format="mp4", container_options=_COPIED) as made,
    ):
        video, audio = best_stream(path, source), sound(source)
        pictures = made.add_stream_from_template(video, opaque=True)
        copied = (
            made.add_stream_from_template(audio, opaque=True) if audio and copies_audio else None
        )
        voice = AacEncoder(made) if audio and not copies_audio else None
        seek(path, source, video, start)
        begin = Fraction(start) + start_time(source, video) - Fraction(1, 1000)
        first: Fraction | None = None
        packets = source.demux([video, audio] if audio else [video])
        for packet in _rising(_dated(packets, video)):
            assert packet.pts is not None
            t = packet.pts * packet.time_base
            if packet.stream.index == video.index:
                if first is None and packet.is_keyframe and t >= begin:
                    first = t
                if first is not None and t >= first:  # others cannot be decoded
                    made.mux(_moved(packet, first, pictures))
            elif copied and first is not None and t >= first:
                made.mux(_moved(packet, first, copied))
            elif voice and first is not None:
                made.mux(voice.encode(decoded(packet), first))
            yield
        if voice:
            made.mux(voice.rest())


def _dated(packets: Iterator[Packet], video: VideoStream) -> Iterator[Packet]:
    """The packets with a time to decode each: some containers leave out those of the first ones."""
    held: list[Packet] = []
    for packet in packets:
        if packet.pts is None:
            continue
        if packet.stream.index != video.index:
            packet.dts = packet.pts if packet.dts is None else packet.dts
            yield packet
        elif packet.dts is not None:
            step = max(1, packet.duration or 1)
            for at, early in enumerate(held):
                early.dts = packet.dts - step * (len(held) - at)
            yield from (*held, packet)
            held = []
        else:
            held.append(packet)
    for at, late in enumerate(held):
        late.dts = at - len(held) + min(p.pts or 0 for p in held)
        yield late


def _rising(packets: Iterator[Packet]) -> Iterator[Packet]:
    """The packets, decoded one after the other: where files were joined, they may overlap."""
    reached: dict[int, int] = {}
    for packet in packets:
        if packet.dts is not None and packet.pts is not None:
            packet.dts = max(packet.dts, reached.get(packet.stream.index, packet.dts - 1) + 1)
            packet.pts = max(packet.pts, packet.dts)
            reached[packet.stream.index] = packet.dts
        yield packet


def _moved(packet: Packet, first: Fraction, stream: VideoStream | AudioStream) -> Packet:
    """The packet, `first` seconds earlier, as one of another stream."""
    assert packet.pts is not None
    assert packet.dts is not None
    earlier = round(first / packet.time_base)
    packet.pts, packet.dts, packet.stream = packet.pts - earlier, packet.dts - earlier, stream
    return packet


def _encode(
    path: str,
    size: int,
    start: float,
    end: float | None,
    target: _Sink | str,
    how: dict[str, str],
    length: float | None,
) -> Generator[None, None, None]:
    with (
        Video(path, length=length) as source,
        open_container(path, size) as other,
        av.open(target, "w", format="mp4", container_options=how) as made,
    ):
        shown = _shown(source, start, end)
        first = next(shown, None)
        if first is None:
            return
        pictures = _Pictures(made, first[0])
        voice = SoundTrack(made, other, start, end, _shifts(path, size, length))
        for frame, t, until in chain([first], shown):
            made.mux(pictures.encode(frame, t, until))
            made.mux(voice.until(until + _AHEAD))
            yield
        made.mux(pictures.rest())
        made.mux(voice.rest())


def _shifts(path: str, size: int, length: float | None) -> list[tuple[int, Fraction]]:
    """Where the clock of a file breaks; see `clock.shifts`."""
    with open_container(path, size) as container:
        video = best_stream(path, container)
        if not is_broken(path, size, container, video, length):
            return []
        return clock.shifts(container, video, lambda: open_container(path, size))


def _shown(source: Video, start: float, end: float | None) -> Iterator[tuple[Frame, float, float]]:
    """The frames from `start` to `end`, with when each begins and ends, in seconds later.

    One that stands for long comes again and again, so that a player never waits for a picture.
    """
    limit = math.inf if end is None else end - start
    frames = source.play(start)
    frame = next(frames, None)
    t = max(0.0, frame.t - start) if frame else 0.0
    while frame is not None and t < limit:
        later = next((one for one in frames if one.t - start - t >= _FASTEST), None)
        until = max(source.end(frame) - start, t + _SLOWEST) if later is None else later.t - start
        until = min(until, limit)
        while t < until:
            step = t + _STILL if until - t >= 2 * _STILL else until
            yield frame, t, step
            t = step
        frame = later


class _Pictures:
    """The pictures of a stream, encoded as H.264."""

    def __init__(self, made: OutputContainer, first: Frame) -> None:
        self._stream = _add_pictures(made, first)
        self._last: tuple[Frame, av.VideoFrame] | None = None
        self._lengths: deque[int] = deque()  # of the pictures that the encoder holds back

    def encode(self, frame: Frame, t: float, until: float) -> list[Packet]:
        """The packets that are ready once a frame is given that is shown from `t` until then."""
        if self._last is None or self._last[0] is not frame:
            self._last = frame, _picture(frame, self._stream)
        picture = self._last[1]
        picture.pts, picture.time_base = round(t * _TICKS), Fraction(1, _TICKS)
        self._lengths.append(round(until * _TICKS) - picture.pts)
        return self._timed(self._stream.encode(picture))

    def rest(self) -> list[Packet]:
        """What is held back."""
        return self._timed(self._stream.encode(None))

    def _timed(self, packets: list[Packet]) -> list[Packet]:
        for packet in packets:  # without B-frames they come in the order of the pictures
            packet.duration = self._lengths.popleft()
        return packets


def _add_pictures(made: OutputContainer, first: Frame) -> VideoStream:
    stream = made.add_stream("libx264", rate=30, options=_X264)
    scale = min(
        1.0, _LONG / max(first.width, first.height), _SHORT / min(first.width, first.height)
    )
    stream.width = max(2, 2 * round(first.width * scale / 2))
    stream.height = max(2, 2 * round(first.height * scale / 2))
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = stream.time_base = Fraction(1, _TICKS)
    context.gop_size = 48
    context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
    context.color_range = 1
    return stream


def _picture(shown: Frame, stream: VideoStream) -> av.VideoFrame:
    pixels = shown.fit(stream.width, stream.height)
    return av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )
