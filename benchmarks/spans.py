"""How well do moments meet the times of what is asked for?

    python benchmarks/spans.py --videos VIDEOS [--model mini] [--sampler NAME …] [--keep FOLDER]

VIDEOS holds `captions.jsonl`, whose captions describe whole clips and have no times. So times are
made of them: the clips are shuffled and joined, six at a time, into longer videos (black bars where
shapes differ, five frames a second), and a clip's captions describe the span that it takes there.
Where a clip is in reality shown only from its second 3 on, nobody knows: the spans are those of
whole clips. Then the library is asked, by `framefind evaluate`; a query's moment is the best one of
the right video. For comparison: the whole video as the answer, and three spans of random place and
of the right length.
"""

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

import framefind
from framefind.evaluation import Quality
from framefind.video.decode import Video
from framefind.video.samplers import Sampler

SAMPLERS = ("every=1.0 tiles", "every=1.0 whole", "every=0.5 tiles", "keyframes tiles")
JOINED = 6  # clips in a video
FPS = 5
SIZE = (480, 270)


def shots(clip: Path) -> Iterator[av.VideoFrame]:
    """The frames of a clip, at five a second, with bars."""
    with Video(clip) as video:
        for frame in video.frames(Sampler.parse(f"every={1 / FPS}")):
            factor = min(SIZE[0] / frame.width, SIZE[1] / frame.height)
            size = [max(1, round(side * factor)) for side in (frame.width, frame.height)]
            canvas = Image.new("RGB", SIZE)
            corner = ((SIZE[0] - size[0]) // 2, (SIZE[1] - size[1]) // 2)
            canvas.paste(Image.fromarray(frame.scale(*size)), corner)
            yield av.VideoFrame.from_ndarray(np.asarray(canvas), format="rgb24")


def join(clips: list[Path], file: Path) -> list[tuple[float, float]]:
    """Write the clips one after another; returns the seconds from which to which each is shown."""
    spans, shown = [], 0
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", FPS, {"crf": "20", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for clip in clips:
            begin = shown
            for picture in shots(clip):
                picture.pts, picture.time_base = shown, Fraction(1, FPS)
                container.mux(stream.encode(picture))
                shown += 1
            spans.append((begin / FPS, shown / FPS))
        container.mux(stream.encode(None))
    return spans


def captioned(videos: Path, folder: Path, seed: int = 0) -> Path:
    """Write joined videos and their captions with times into `folder`; returns the captions."""
    lines = (videos / "captions.jsonl").read_text("utf-8").split("\n")
    captions = [json.loads(line) for line in lines if line]
    random.Random(seed).shuffle(captions)
    said = []
    for at in range(0, len(captions), JOINED):
        part = captions[at : at + JOINED]
        file = folder / f"{at // JOINED:02}.mp4"
        spans = join([videos / one["video"] for one in part], file)
        for one, (start, end) in zip(part, spans, strict=True):
            said.append({"video": file.name, "texts": one["texts"], "start": start, "end": end})
    written = folder / "captions.jsonl"
    written.write_text("".join(json.dumps(one) + "\n" for one in said), "utf-8")
    return written


def baselines(captions: Path) -> list[tuple[str, list[float]]]:
    """The overlaps that know nothing of the pictures."""
    lines = [json.loads(line) for line in captions.read_text("utf-8").split("\n") if line]
    length: dict[str, float] = {}
    for one in lines:
        length[one["video"]] = max(length.get(one["video"], 0.0), one["end"])
    rng, whole, placed = random.Random(0), [], []
    for one in lines:
        span, total = one["end"] - one["start"], length[one["video"]]
        for _ in one["texts"]:
            whole.append(span / total)
            for _ in range(3):
                shift = abs(rng.uniform(0, total - span) - one["start"])
                placed.append(max(0.0, span - shift) / (span + shift))
    return [("the whole video", whole), ("right length, random place", placed)]


def row(quality: Quality, name: str) -> str:
    """A line of the table."""
    inside = [answer.iou is not None and answer.iou > 0 for answer in quality.answers]
    return (
        f"| {name} | {100 * quality.recall(1):.1f} | {100 * statistics.fmean(inside):.1f} "
        f"| {_shares(quality.ious)} |"
    )


def _shares(ious: list[float]) -> str:
    good = [statistics.fmean(iou >= least for iou in ious) for least in (0.3, 0.5, 0.7)]
    return " | ".join(f"{100 * share:.1f}" for share in (statistics.fmean(ious), *good))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--sampler", nargs="*", default=SAMPLERS, help='such as "count=50 tiles"')
    parser.add_argument("--keep", type=Path, help="write videos and libraries here, and keep them")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        captions = captioned(options.videos, folder)
        print("| sampler, views | R@1 | best moment meets | mIoU | ≥ 0.3 | ≥ 0.5 | ≥ 0.7 |")
        print("|---|---|---|---|---|---|---|")
        for name, ious in baselines(captions):
            print(f"| {name} | | | {_shares(ious)} |")
        for at, name in enumerate(options.sampler):
            sampler, views = name.split()
            library = framefind.open(folder / f"{at}.framefind")
            library.index(
                sorted(folder.glob("*.mp4")), model=options.model, sampler=sampler, views=views
            )
            print(row(library.evaluate(captions), name), flush=True)


if __name__ == "__main__":
    main()
