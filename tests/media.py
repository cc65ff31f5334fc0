"""Media that tests make for themselves, with PyAV."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from framefind.output.clips.encoder import keep_priority

Colour = tuple[int, int, int]
Picture = NDArray[np.uint8]

RED, GREEN, BLUE, WHITE, BLACK = (230, 20, 20), (20, 200, 20), (20, 20, 230), (255,) * 3, (0,) * 3


def plain(colour: Colour, size: tuple[int, int] = (64, 48)) -> Picture:
    """A picture of one colour: uint8 (height, width, 3)."""
    return np.full((size[1], size[0], 3), colour, np.uint8)


def corners(size: tuple[int, int] = (64, 48)) -> Picture:
    """Red, green, blue and white quarters: top left, top right, bottom left, bottom right."""
    picture = plain(WHITE, size)
    width, height = size[0] // 2, size[1] // 2
    picture[:height, :width], picture[:height, width:] = RED, GREEN
    picture[height:, :width] = BLUE
    return picture


def quarters(picture: Picture) -> list[str]:
    """The colours of a picture's quarters, by name, in reading order."""
    height, width = picture.shape[:2]
    names = {"red": RED, "green": GREEN, "blue": BLUE, "white": WHITE, "black": BLACK}
    found = []
    for y in (height // 4, 3 * height // 4):
        for x in (width // 4, 3 * width // 4):
            distance = {
                name: np.abs(picture[y, x].astype(int) - colour).sum()
                for name, colour in names.items()
            }
            found.append(min(distance, key=lambda name: distance[name]))
    return found


def ramp(count: int, size: tuple[int, int] = (64, 48)) -> list[Picture]:
    """Grey pictures, each a little brighter than the one before."""
    levels = np.linspace(20, 235, count).round().astype(int).tolist()
    return [plain((level, level, level), size) for level in levels]


def film(
    path: Path,
    seconds: float = 2.0,
    size: tuple[int, int] = (64, 48),
    fps: float = 10,
    *,
    colours: Sequence[Colour] | None = None,
    pictures: Sequence[NDArray[np.generic]] | None = None,
    times: Sequence[float] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    layout: str = "rgb24",
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    container_format: str | None = None,
    rotation: float | None = None,
    mirrored: bool = False,
    aspect: Fraction | None = None,
    cover: bool = False,
    hdr10: bool = False,
) -> Path:
    """Write a video and give its path back.

    It shows `pictures` (arrays in PyAV's `layout`), one per frame, else `colours`, each for an
    equal part, else a grey ramp. `times` are the frames' seconds, else they are evenly spaced.
    `rotation` (degrees, counterclockwise) and `mirrored` go into a display matrix. `cover` adds an
    attached picture, `hdr10` says that the pixels are BT.2020 PQ.
    """
    count = len(pictures or times or range(round(seconds * fps)))
    if pictures is None and colours:
        pictures = [plain(colours[i * len(colours) // count], size) for i in range(count)]
    shown = ramp(count, size) if pictures is None else pictures
    rate = Fraction(fps).limit_denominator(1001)
    base = Fraction(1, 90000)
    with (
        keep_priority(),
        av.open(path, "w", format=container_format, options=container_options or {}) as container,
    ):
        stream = container.add_stream(codec, rate=rate, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        stream.codec_context.time_base = base if times else 1 / rate
        stream.codec_context.thread_count = 1  # else its bytes depend on the number of cores
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if hdr10:
            context = stream.codec_context
            context.color_trc = 16
            context.color_primaries = 9
            context.colorspace = 9
        if rotation is not None or mirrored:
            stream.set_display_rotation(rotation or 0.0, hflip=mirrored)
        if cover:
            _add_cover(container)
        for i, picture in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(picture, format=layout)
            frame.pts = round(times[i] / base) if times else i
            frame.time_base = base if times else 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def timed_as_decoded(path: Path) -> Path:
    """Write 40 frames, ten a second, with the times at which they are decoded alone.

    As in an MP4 made of a raw stream, they are shown in another order.
    """
    with av.open(film(path.with_suffix(".mkv"), pictures=ramp(40), options={"bf": "3"})) as source:
        packets = [packet for packet in source.demux(video=0) if packet.size]
        assert [packet.pts for packet in packets] != sorted(packet.pts or 0 for packet in packets)
        with av.open(path, "w") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for number, packet in enumerate(packets):
                packet.pts = packet.dts = 100 * number  # milliseconds
                packet.stream = stream
                target.mux(packet)
    path.with_suffix(".mkv").unlink()
    return path


def _add_cover(container: av.container.OutputContainer) -> None:
    cover = container.add_stream("mjpeg", rate=1)
    assert isinstance(cover, av.VideoStream)
    cover.width = 640
    cover.height = 480
    cover.pix_fmt = "yuvj420p"
    cover.disposition = Disposition.attached_pic
    for packet in cover.encode(av.VideoFrame.from_ndarray(plain(WHITE, (640, 480)), "rgb24")):
        packet.pts = packet.dts = 0
        container.mux(packet)


def coded(path: Path, rate: Fraction, timecode: str = "", codec: str = "mpeg4") -> Path:
    """Write a short video with a timecode of its own."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width = 320
        stream.height = 240
        stream.pix_fmt = "yuv420p"
        if timecode:
            container.metadata["timecode"] = stream.metadata["timecode"] = timecode
        for number in range(12):
            frame = av.VideoFrame.from_ndarray(plain((number, 9, 9), (320, 240)), "rgb24")
            frame.pts = number
            frame.time_base = 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def sound(path: Path, seconds: float = 1.0) -> Path:
    """Write an audio file without video."""
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=16000)
        for i in range(round(seconds * 16000 / 1024)):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.rate = 16000
            frame.pts = i * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def talkie(
    path: Path,
    tracks: Sequence[NDArray[np.float32]],
    codec: str = "aac",
    rate: int = 16_000,
    layout: str = "mono",
    delay: float = 0.0,
    gap: tuple[float, float] = (0.0, 0.0),
    origin: float = 0.0,
    default: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a grey video with tracks of sound, each a channel of samples, `rate` a second.

    Sound begins `delay` seconds after the pictures and is missing in `gap`; all timestamps are
    `origin` seconds later. One of the tracks is the `default`, or none.
    """
    seconds = max(map(len, tracks)) / rate
    with av.open(path, "w", options=options or {}) as container:
        pictures = container.add_stream("mpeg4", rate=10)
        assert isinstance(pictures, av.VideoStream)
        pictures.width = 64
        pictures.height = 48
        pictures.pix_fmt = "yuv420p"
        pictures.codec_context.time_base = Fraction(1, 10)
        sounds = [container.add_stream(codec, rate=rate, layout=layout) for _ in tracks]
        for number, sound in enumerate(sounds):
            sound.disposition = Disposition.default if number == default else Disposition(0)
        size = sounds[0].codec_context.frame_size or 1024
        parts: list[tuple[float, av.stream.Stream, av.frame.Frame]] = []
        for tenth in range(round(seconds * 10)):
            frame = av.VideoFrame.from_ndarray(plain((9, 9, 9)), "rgb24")
            frame.pts = tenth + round(origin * 10)
            frame.time_base = Fraction(1, 10)
            parts.append((tenth / 10, pictures, frame))
        for sound, channel in zip(sounds, tracks, strict=True):
            context = sound.codec_context
            samples = np.tile(channel, (context.layout.nb_channels, 1))
            if context.format.name.startswith("s16"):
                samples = (samples * 32767).astype(np.int16)
            width = size
            if not context.format.is_planar:
                samples = samples.T.reshape(1, -1)
                width *= context.layout.nb_channels
            for n in range(samples.shape[1] // width):
                begin = n * size / rate
                if begin >= delay and not gap[0] <= begin < gap[1]:
                    part = np.ascontiguousarray(samples[:, n * width : (n + 1) * width])
                    frame = av.AudioFrame.from_ndarray(part, context.format.name, layout)
                    frame.sample_rate = rate
                    frame.time_base = Fraction(1, rate)
                    frame.pts = n * size + round(origin * rate)
                    parts.append((begin, sound, frame))
        for _, stream, frame in sorted(parts, key=lambda part: part[0]):
            container.mux(stream.encode(frame))
        for stream in (pictures, *sounds):
            container.mux(stream.encode(None))
    return path


def still(path: Path) -> Path:
    """Write a still picture, in the format that its suffix names."""
    Image.fromarray(corners()).save(path)
    return path


def truncated(path: Path, share: float = 0.5) -> Path:
    """Cut a file's end off."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def damaged(path: Path, at: float = 0.5, count: int = 2000) -> Path:
    """Overwrite some bytes in the middle of a file."""
    data = bytearray(path.read_bytes())
    start = int(len(data) * at)
    data[start : start + count] = b"\xff" * len(data[start : start + count])
    path.write_bytes(data)
    return path


def packet_times(path: Path, stream: int = 0) -> list[float]:
    """What the packets of a video stream say of its frames' times, less the container's start."""
    with av.open(path) as container:
        video = container.streams.video[stream]
        base = video.time_base
        assert base
        start = min(
            one.start_time * one.time_base
            for one in container.streams
            if one.start_time is not None and one.time_base
        )
        packets = [packet for packet in container.demux(video) if packet.size]
        return sorted(
            float(packet.pts * base - start)
            for packet in packets
            if packet.pts is not None and not packet.is_discard
        )


def with_tracks(
    video: Path,
    path: Path,
    tracks: dict[str, Sequence[tuple[float, float, bytes]]],
    codec: str = "subrip",
) -> Path:
    """Write a video's packets and a text track per language: (start, end, packet) in seconds."""
    base = Fraction(1, 1000)
    with av.open(video) as source, av.open(path, "w") as container:
        copy = container.add_stream_from_template(source.streams.video[0])
        packets = [packet for packet in source.demux(video=0) if packet.dts is not None]
        streams = {}
        for language in tracks:
            streams[language] = container.add_stream(codec)
            streams[language].metadata["language"] = language
            streams[language].codec_context.subtitle_header = _ASS_HEADER
        for packet in packets:
            packet.stream = copy
        for language, cues in tracks.items():
            for start, end, data in cues:
                packet = av.Packet(data)
                packet.stream = streams[language]
                packet.time_base = base
                packet.pts = packet.dts = round(start / base)
                packet.duration = round((end - start) / base)
                packets.append(packet)
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


_ASS_HEADER = b"""[Script Info]
ScriptType: v4.00+
[V4+ Styles]
Format: Name, Fontname
Style: Default,Arial
[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def sign(
    text: str,
    size: tuple[int, int] = (640, 360),
    em: int = 24,
    at: tuple[int, int] = (60, 100),
    ink: Colour = BLACK,
    paper: Colour = WHITE,
    font: str | None = None,
) -> Picture:
    """A picture with a text: letters of `em` pixels, from `at` on; `font` is a file's name."""
    picture = Image.fromarray(plain(paper, size))
    letters = ImageFont.truetype(font, em) if font else ImageFont.load_default(em)
    ImageDraw.Draw(picture).text(at, text, ink, letters)
    return np.asarray(picture)
