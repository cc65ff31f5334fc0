"""Make a film of about a minute from real photographs: `python demo/film.py OUT.mp4`.

The photographs come inside scikit-image and scikit-learn (the extra `demo`), so nothing is
downloaded. Slow pans and zooms over each, hard cuts between them, one cross-fade, a fade from black
at the start and one to black at the end. The same packages give the same film, byte for byte.
"""

import sys
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

WIDTH, HEIGHT, FPS = 1280, 720, 25
SHOT = 5.0  # seconds
FADE = 0.8  # seconds
BILINEAR = Image.Resampling.BILINEAR
Picture = list[Image.Image]
"""Brightness and two colour planes, the latter at half size in a frame. Working on these planes,
as the encoder does, takes a third of the time that RGB pictures take."""

SIZES = (WIDTH, HEIGHT), (WIDTH // 2, HEIGHT // 2), (WIDTH // 2, HEIGHT // 2)
BLACK = [Image.new("L", size, v) for size, v in zip(SIZES, (16, 128, 128), strict=True)]


class Crop(NamedTuple):
    """A 16:9 part of a photograph: its centre and its width, as fractions of the photograph."""

    x: float
    y: float
    width: float


class Shot(NamedTuple):
    """One photograph and the camera's way over it."""

    photograph: Callable[[], np.ndarray]
    start: Crop
    end: Crop
    fades_in: bool = False  # out of the shot before it, or out of black


SHOTS = [
    Shot(lambda: load_sample_image("china.jpg"), Crop(0.5, 0.5, 1), Crop(0.38, 0.45, 0.72), True),
    Shot(data.camera, Crop(0.5, 0.4, 0.98), Crop(0.42, 0.34, 0.75)),
    Shot(data.coffee, Crop(0.56, 0.48, 0.78), Crop(0.5, 0.5, 0.98)),
    Shot(data.chelsea, Crop(0.45, 0.45, 0.75), Crop(0.52, 0.46, 0.95)),
    Shot(lambda: load_sample_image("flower.jpg"), Crop(0.5, 0.5, 1), Crop(0.48, 0.5, 0.7), True),
    Shot(lambda: data.stereo_motorcycle()[0], Crop(0.36, 0.5, 0.72), Crop(0.6, 0.5, 0.76)),
    Shot(data.brick, Crop(0.5, 0.66, 0.8), Crop(0.5, 0.34, 0.8)),
    Shot(data.coins, Crop(0.4, 0.35, 0.7), Crop(0.6, 0.62, 0.7)),
    Shot(data.rocket, Crop(0.5, 0.6, 0.72), Crop(0.5, 0.5, 0.98)),
    Shot(data.astronaut, Crop(0.5, 0.55, 0.95), Crop(0.42, 0.28, 0.85)),
    Shot(data.moon, Crop(0.55, 0.3, 0.9), Crop(0.5, 0.55, 0.75)),
    Shot(data.hubble_deep_field, Crop(0.4, 0.5, 0.6), Crop(0.55, 0.5, 0.9)),
]


def frames() -> Iterator[Picture]:
    """Yield the film's pictures, in order."""
    before = BLACK
    for shot in SHOTS:
        for index, picture in enumerate(camera(shot)):
            last = blend(before, picture, index) if shot.fades_in else picture
            yield last
        before = last
    for index in range(round(FADE * FPS)):
        yield blend(before, BLACK, index)


def blend(before: Picture, after: Picture, index: int) -> Picture:
    """Return a fade's picture `index`; after the fade, `after` itself."""
    way = (index + 1) / (FADE * FPS)
    if way >= 1:
        return after
    return [Image.blend(a, b, way) for a, b in zip(before, after, strict=True)]


def camera(shot: Shot) -> Iterator[Picture]:
    """One shot's pictures. The crop has fractional borders, so the motion is smooth."""
    planes = planar(shot.photograph())
    count = round(SHOT * FPS)
    for index in range(count):
        way = index / (count - 1)
        way = way * way * (3 - 2 * way)  # sets off and arrives gently
        crop = Crop(*(a + (b - a) * way for a, b in zip(shot.start, shot.end, strict=True)))
        box = inside(crop, *planes[0].size)
        yield [
            plane.resize(size, BILINEAR, box=box) for plane, size in zip(planes, SIZES, strict=True)
        ]


def planar(photograph: np.ndarray) -> Picture:
    """Return a grey or RGB photograph as three planes, all of its full size."""
    rgb = np.asarray(Image.fromarray(photograph).convert("RGB"))
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuv444p")
    return [Image.fromarray(plane) for plane in frame.to_ndarray()]


def inside(crop: Crop, width: int, height: int) -> tuple[float, float, float, float]:
    """Return the crop's left, top, right, bottom in pixels, kept inside the photograph."""
    w = min(crop.width * width, height * WIDTH / HEIGHT)
    h = w * HEIGHT / WIDTH
    left = min(max(0.0, crop.x * width - w / 2), width - w)
    top = min(max(0.0, crop.y * height - h / 2), height - h)
    return left, top, min(left + w, width), min(top + h, height)


def write(path: Path) -> None:
    """Encode the film as H.264 in MP4."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.thread_count, stream.thread_type = 2, "FRAME"  # fixed: the output depends on it
        stream.options = {"preset": "superfast", "crf": "25", "g": "50"}
        for picture in frames():
            planes = np.concatenate([np.asarray(plane).ravel() for plane in picture])
            frame = av.VideoFrame.from_ndarray(planes.reshape(-1, WIDTH), format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python demo/film.py OUT.mp4")
    write(Path(sys.argv[1]))
