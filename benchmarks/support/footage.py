"""Long films for the benchmarks, made once and kept: real photographs, moved as cameras move.

Twenty seconds are encoded with B-frames, as most videos are; the film repeats their packets, so
that ten hours take as little to make as one minute, and cost a decoder what any ten hours do.
"""

import io
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage import data

WIDTH = 1920
HEIGHT = 1080
FPS = 30
LOOP = 20  # seconds that are encoded
_TITLE = b"clip-?????"

Picture = NDArray[np.uint8]


def film(folder: Path, kind: str, gop: int, seconds: int, name: str = "") -> Path:
    """Return a 1080p film, `lecture` or `street`, with a keyframe every `gop` seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    loop = folder / f"loop-{kind}-gop{gop}.mp4"
    if not loop.exists():
        _encode(loop, KINDS[kind](), gop)
    path = folder / (name or f"{kind}-gop{gop}-{seconds}s.mp4")
    if not path.exists():
        _repeat(loop, path, seconds)
    return path


def clips(folder: Path, count: int) -> Path:
    """Return a folder of `count` clips of two seconds, 640×360, a hundred to a folder.

    Ten differ in what they show, and each by its title, so that no two are the same video.
    """
    loop = folder / "loop-small.mp4"
    clips_folder = folder / f"clips-{count}"
    if not loop.exists():
        small = (_fitted(picture, (360, 640)) for picture in _street())
        _encode(loop, small, gop=2, size=(640, 360))
    if not clips_folder.exists():
        fresh = folder / f"clips-{count}.new"
        shown = _groups(loop)
        for i in range(count):
            path = fresh / f"{i // 100:03d}" / f"clip-{i:05d}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(shown[i % len(shown)].replace(_TITLE, path.stem.encode()))
        fresh.rename(clips_folder)
    return clips_folder


def _groups(loop: Path) -> list[bytes]:
    """Each group of pictures of a film as a file of its own."""
    groups = []
    with av.open(loop) as source:
        video = source.streams.video[0]
        packets = [packet for packet in source.demux(video) if packet.size]
        keys = [i for i, packet in enumerate(packets) if packet.is_keyframe]
        for first, end in pairwise([*keys, len(packets)]):
            file = io.BytesIO()
            start = packets[first].pts
            with av.open(file, "w", "mp4") as target:
                target.metadata["title"] = _TITLE.decode()
                stream = target.add_stream_from_template(video)
                for packet in packets[first:end]:
                    packet.stream = stream
                    packet.pts, packet.dts = packet.pts - start, packet.dts - start
                    target.mux(packet)
            groups.append(file.getvalue())
    return groups


def _encode(
    path: Path, pictures: Iterator[Picture], gop: int, size: tuple[int, int] = (WIDTH, HEIGHT)
) -> None:
    fresh = path.with_suffix(".new.mp4")
    options = {"preset": "veryfast", "crf": "23", "g": str(gop * FPS), "keyint_min": str(gop * FPS)}
    options |= {"sc_threshold": "0"}
    with av.open(fresh, "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    fresh.replace(path)


def _repeat(loop: Path, path: Path, seconds: int) -> None:
    """Write the packets of a loop over and over, each time later, until it lasts that long."""
    fresh = path.with_suffix(".new.mp4")
    with av.open(loop) as source, av.open(fresh, "w") as target:
        video = source.streams.video[0]
        packets = [packet for packet in source.demux(video) if packet.size]
        stamps = [(packet.pts, packet.dts) for packet in packets]
        stream = target.add_stream_from_template(video)
        length = round(LOOP / (video.time_base or Fraction(1)))
        last = seconds * length // LOOP
        for again in range(-(-seconds // LOOP)):
            for packet, (pts, dts) in zip(packets, stamps, strict=True):
                if dts + again * length >= last:
                    break
                packet.stream = stream
                packet.time_base = video.time_base
                packet.pts = pts + again * length
                packet.dts = dts + again * length
                target.mux(packet)
    fresh.replace(path)


def _street() -> Iterator[Picture]:
    """Yield what a camera sees that pans over photographs while boxes cross; with grain."""
    photographs = [data.coffee(), data.chelsea(), data.rocket(), data.astronaut()]
    wall = np.concatenate([_fitted(photo, (1280, 1440)) for photo in photographs], axis=1)
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 3, (8, HEIGHT, WIDTH, 1)).round().astype(np.int16)
    movers = rng.integers(0, [WIDTH, HEIGHT - 300, 256, 256, 256], (12, 5)).tolist()
    for i in range(LOOP * FPS):
        x = 6 * i % (wall.shape[1] - WIDTH)
        y = round(90 + 80 * np.sin(i / 40))
        picture = wall[y : y + HEIGHT, x : x + WIDTH].astype(np.int16)
        for n, (left, top, *colour) in enumerate(movers):
            at = (left + (n - 6) * 5 * i) % (WIDTH - 160)
            picture[top : top + 220, at : at + 120] = colour
        yield np.clip(picture + grain[i % 8], 0, 255).astype(np.uint8)


def _lecture() -> Iterator[Picture]:
    """Two slides, ten seconds each, and a speaker in a corner who moves a little."""
    speaker = _fitted(data.astronaut(), (440, 380))
    for i in range(LOOP * FPS):
        if i % (10 * FPS) == 0:
            slide = _slide(i // (10 * FPS))
        picture = slide.copy()
        shift = round(10 + 10 * np.sin(i / 9))
        picture[-360:-20, -400:-20] = speaker[shift : shift + 340, :380]
        yield picture


def _slide(number: int) -> Picture:
    page = Image.new("RGB", (WIDTH, HEIGHT), (245, 245, 240))
    draw = ImageDraw.Draw(page)
    draw.text((120, 80), f"Chapter {number + 1}: the moment", (20, 40, 90), font_size=90)
    for line in range(7):
        text = f"{line + 1}. what is seen, when it is seen, and where ({number})"
        draw.text((160, 260 + 100 * line), text, (40, 40, 40), font_size=52)
    return np.asarray(page)


def _fitted(photograph: Picture, size: tuple[int, int]) -> Picture:
    height, width = size
    return np.asarray(Image.fromarray(photograph).resize((width, height), Image.Resampling.BICUBIC))


KINDS: dict[str, Callable[[], Iterator[Picture]]] = {"street": _street, "lecture": _lecture}
