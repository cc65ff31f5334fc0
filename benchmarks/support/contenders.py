"""What `indexing.py` measures, each in a process of its own: `python contenders.py NAME JSON`.

Prints a JSON line: the seconds of the work itself, without imports and loading of models.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZE = 360
STEP = 180
SIDE = 224
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)

Facts = dict[str, Any]


def first_article(film: str, folder: str, vectors: str) -> Facts:
    """Every frame decoded and converted; once a second patches copied, prepared, embedded."""
    import cv2
    import torch
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(folder).eval()
    began = time.perf_counter()
    embeddings = []
    capture = cv2.VideoCapture(film)
    fps = capture.get(cv2.CAP_PROP_FPS)
    index = 0
    while True:
        is_read, frame = capture.read()
        if not is_read:
            break
        picture = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        if index % round(fps) == 0:
            height, width = picture.shape[:2]
            patches = [
                Image.fromarray(picture[y : y + SIZE, x : x + SIZE].copy())
                for y in range(0, height - SIZE + 1, STEP)
                for x in range(0, width - SIZE + 1, STEP)
            ]
            batch = torch.stack([_prepared(patch) for patch in patches])
            with torch.no_grad():
                features = model.get_image_features(pixel_values=batch).pooler_output
                embeddings.append((features / features.norm(dim=-1, keepdim=True)).numpy())
        index += 1
    seconds = time.perf_counter() - began
    np.save(vectors, np.stack(embeddings))
    return {"seconds": seconds, "frames": len(embeddings), "views": sum(map(len, embeddings))}


def _prepared(patch: Image.Image) -> Any:
    import torch

    small = np.asarray(patch.resize((SIDE, SIDE), Image.Resampling.BICUBIC), np.float32) / 255
    return torch.from_numpy(((small - MEAN) / STD).transpose(2, 0, 1).copy())


def second_article(film: str, folder: str, vectors: str, count: int) -> Facts:
    """Every frame decoded and scaled into memory by ffmpeg; a few random ones embedded."""
    import imageio_ffmpeg
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import CLIPModel

    model = SentenceTransformer(modules=[CLIPModel(folder)])
    began = time.perf_counter()
    scale = ["-vf", f"scale={SIDE}:{SIDE}", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", film, *scale]
    data = subprocess.run(command, capture_output=True, check=True).stdout
    frames = np.frombuffer(data, np.uint8).reshape(-1, SIDE, SIDE, 3)
    chosen = np.sort(np.random.default_rng(0).choice(len(frames), count, replace=False))
    embeddings = model.encode([Image.fromarray(frames[i]) for i in chosen])
    seconds = time.perf_counter() - began
    np.save(vectors, embeddings)
    return {"seconds": seconds, "frames": count, "views": count}


def framefind(
    film: str,
    library: str,
    model: str,
    precision: str,
    device: str = "auto",
    loaded: bool = False,
    **how: str,
) -> Facts:
    """`Library.index` of one film into a new library; `loaded`: the model is there before."""
    from framefind.library import open
    from framefind.models import registry

    if loaded:
        registry.check(registry.load(model, device, precision))
    opened = open(library, device=device, precision=precision)
    began = time.perf_counter()
    report = opened.index(film, model=model, **how)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "frames": report.frames,
        "speed": report.video_seconds / seconds,
        "profile": report.profile,
    }


def unchanged(film: str, library: str) -> Facts:
    """`Library.index` of what is in the library already."""
    from framefind.library import open

    began = time.perf_counter()
    report = open(library).index(film)
    return {"seconds": time.perf_counter() - began, "files": report.unchanged}


def decode_all(film: str) -> Facts:
    """FFmpeg decoding every frame on all cores, as it does by itself."""
    import av

    began = time.perf_counter()
    with av.open(film) as container:
        container.streams.video[0].thread_type = "AUTO"
        frames = sum(1 for _ in container.decode(video=0))
    return {"seconds": time.perf_counter() - began, "frames": frames}


def decode_needed(film: str, sampler: str) -> Facts:
    """Decode the frames that a sampler needs, in spans on all cores, and do nothing else."""
    from framefind.indexing.spans import MIN_SPAN_SECONDS
    from framefind.processes import cores
    from framefind.video.decode import Video
    from framefind.video.samplers import parse_sampler

    chosen = parse_sampler(sampler)

    def part(borders: tuple[float, float]) -> int:
        with Video(film, threads=1) as video:
            return sum(1 for _ in video.frames(chosen, *borders))

    began = time.perf_counter()
    with Video(film, threads=1) as video:
        cuts = [0.0, *video.cuts(MIN_SPAN_SECONDS), float("inf")]
    with ThreadPoolExecutor(cores()) as pool:
        frames = sum(pool.map(part, pairwise(cuts)))
    return {"seconds": time.perf_counter() - began, "frames": frames}


def embed_only(model: str, precision: str, views: int) -> Facts:
    """Embedding as many views as a run does, and nothing else."""
    from framefind.models import registry

    opened = registry.load(model, precision=precision)
    pixels: NDArray[np.uint8] = np.random.default_rng(0).integers(
        0, 256, (64, opened.size, opened.size, 3), np.uint8
    )
    opened.embed_images(pixels)
    began = time.perf_counter()
    for start in range(0, views, 64):
        opened.embed_images(pixels[: min(64, views - start)])
    return {"seconds": time.perf_counter() - began, "views": views}


CONTENDERS: dict[str, Callable[..., Facts]] = {
    contender.__name__: contender
    for contender in (
        first_article,
        second_article,
        framefind,
        unchanged,
        decode_all,
        decode_needed,
        embed_only,
    )
}

if __name__ == "__main__":
    arguments = json.loads(Path(sys.argv[2]).read_text("utf-8"))
    print(json.dumps(CONTENDERS[sys.argv[1]](**arguments)))
