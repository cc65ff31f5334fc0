"""Videos with captioned spans, made of captioned clips: six clips at a time, one after another.

The captions of a clip describe the span that it takes in the joined video. Black bars fill what
its shape leaves free; five frames a second are enough, since samplers take fewer.
"""

import json
import random
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler

CLIPS_PER_VIDEO = 6
FPS = 5
WIDTH = 480
HEIGHT = 270


Draw = Callable[[Image.Image, int], None]
"""Draws onto a picture of a clip, given by its place."""


def write_joined_clips(
    videos: Path,
    folder: Path,
    seed: int = 0,
    draw: Draw = lambda picture, clip: None,
    seconds: float = 0.0,
    between_keyframes: float = 50.0,
) -> Path:
    """Join the clips that `captions.jsonl` of `videos` names, in a random order, into `folder`.

    Every picture goes through `draw`. The last one of a clip that is shorter than `seconds` stands
    until then; keyframes are at most `between_keyframes` seconds apart. Returns the path of the
    joined videos' captions, which have `start` and `end` in seconds.
    """
    lines = (videos / "captions.jsonl").read_text("utf-8").split("\n")
    captions = [json.loads(line) for line in lines if line]
    random.Random(seed).shuffle(captions)
    joined = []
    for first in range(0, len(captions), CLIPS_PER_VIDEO):
        group = captions[first : first + CLIPS_PER_VIDEO]
        file = folder / f"{first // CLIPS_PER_VIDEO:02}.mp4"
        clips = {first + at: videos / clip["video"] for at, clip in enumerate(group)}
        spans = _join(clips, file, draw, seconds, between_keyframes)
        for clip, (start, end) in zip(group, spans, strict=True):
            joined.append({"video": file.name, "texts": clip["texts"], "start": start, "end": end})
    path = folder / "captions.jsonl"
    path.write_text("".join(json.dumps(caption) + "\n" for caption in joined), "utf-8")
    return path


def _join(
    clips: dict[int, Path], file: Path, draw: Draw, seconds: float, between_keyframes: float
) -> list[tuple[float, float]]:
    """Write clips one after another; return the start and end of each, in seconds."""
    spans = []
    frames = 0
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", FPS, {"crf": "20", "preset": "veryfast"})
        stream.width = WIDTH
        stream.height = HEIGHT
        stream.pix_fmt = "yuv420p"
        stream.gop_size = round(between_keyframes * FPS)
        for at, clip in clips.items():
            start = frames / FPS
            for canvas in _hold_last(_letterboxed(clip), round(seconds * FPS)):
                draw(canvas, at)
                picture = av.VideoFrame.from_ndarray(np.asarray(canvas), format="rgb24")
                picture.pts = frames
                picture.time_base = Fraction(1, FPS)
                container.mux(stream.encode(picture))
                frames += 1
            spans.append((start, frames / FPS))
        container.mux(stream.encode(None))
    return spans


def _hold_last(pictures: Iterator[Image.Image], count: int) -> Iterator[Image.Image]:
    """Yield pictures, and the last one again until there are so many."""
    yielded = 0
    for picture in pictures:
        yield picture
        yielded += 1
    for _ in range(yielded, count):
        yield picture


def _letterboxed(clip: Path) -> Iterator[Image.Image]:
    with Video(clip) as video:
        for frame in video.frames(parse_sampler(f"every={1 / FPS}")):
            factor = min(WIDTH / frame.width, HEIGHT / frame.height)
            width = max(1, round(frame.width * factor))
            height = max(1, round(frame.height * factor))
            canvas = Image.new("RGB", (WIDTH, HEIGHT))
            corner = ((WIDTH - width) // 2, (HEIGHT - height) // 2)
            canvas.paste(Image.fromarray(frame.scale(width, height)), corner)
            yield canvas
