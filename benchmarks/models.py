"""How fast are pictures embedded? Ours beside the articles' own calls, in one run.

    python benchmarks/models.py VIDEOS [--frames 128] [--rounds 5] [--folder DIR] [--out FILE]

All embed the same frames of VIDEOS by the same architecture, ViT-B/32, of random weights, on the
CPU, and preparing the pictures counts on every side:

- sentence-transformers: `model.encode([PIL pictures])`, as the second article calls it; also with
  pictures of 224 × 224 pixels, to show what the preparation costs;
- open_clip: `preprocess` per picture, then `encode_image` of the batch, as the first would (other
  random weights, so without agreement; it needs torchvision);
- framefind: the middle square of each decoded frame, scaled as `index` does, then `embed_images`,
  by ONNX Runtime at fp32 and int8, by OpenVINO and by PyTorch, where these are installed.

The others are handed upright RGB pictures ready made; ours are converted from the decoder's own
format in the time that counts. They take turns, all frames at a time. Processor time is less
disturbed by other work on the machine than the clock is. Agreement is the cosine with
sentence-transformers' vectors, each less their mean: the lowest and the mean of all frames.
It needs torch, transformers, sentence-transformers and onnx.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from framefind.errors import ModelError
from framefind.models import registry
from framefind.models.base import Model
from framefind.video.decode import Video
from framefind.video.frame import Frame
from framefind.video.samplers import parse_sampler

BATCH = 64  # as `index` makes them
Embed = Callable[[], NDArray[np.float32]]


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path)
    parser.add_argument("--frames", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="keep the models there (default: temporary)")
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    frames = _frames(chosen.videos, chosen.frames)
    with tempfile.TemporaryDirectory() as temporary:
        checkpoint = _checkpoint((chosen.folder or Path(temporary)) / "checkpoint")
        embedders: dict[str, Embed] = {}
        for name, make in _contenders(checkpoint, frames):
            try:
                embed = make()
                embed()
            except (ImportError, ModelError, RuntimeError) as error:
                print(f"{name}: left out: {str(error).splitlines()[0]}", flush=True)
            else:
                embedders[name] = embed
        rows = _take_turns(embedders, len(frames), chosen.rounds)
    for row in rows:
        print(_line(row))
    if chosen.out:
        chosen.out.write_text(json.dumps(rows, indent=1) + "\n", "utf-8")


def _frames(folder: Path, count: int) -> list[Frame]:
    """Decode `count` frames, two of each video."""
    results: list[Frame] = []
    for path in sorted(folder.rglob("*.mp4")):
        with Video(path) as video:
            results += video.frames(parse_sampler("count=2"))
        if len(results) >= count:
            break
    sizes = {(frame.width, frame.height) for frame in results[:count]}
    print(f"{min(count, len(results))} frames of {len(sizes)} sizes, {min(sizes)} to {max(sizes)}")
    return results[:count]


def _checkpoint(folder: Path) -> Path:
    """ViT-B/32 as `openai/clip-vit-base-patch32` configures it, and a tokenizer of bytes."""
    import torch
    import transformers
    from tokenizers.pre_tokenizers import ByteLevel

    if folder.exists():
        return folder
    letters = sorted(ByteLevel.alphabet())
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    torch.manual_seed(0)
    vocabulary = {word: at for at, word in enumerate(words)}
    ends = {"bos_token_id": len(words) - 2, "eos_token_id": len(words) - 1}
    config = transformers.CLIPConfig(text_config=ends)  # whose defaults are that model's
    parts = (
        transformers.CLIPModel(config),
        transformers.CLIPTokenizer(vocabulary, []),
        transformers.CLIPImageProcessorPil(),
    )
    for part in parts:
        part.save_pretrained(folder)
    settings = folder / "preprocessor_config.json"  # as on the hub: whichever is best here
    settings.write_text(settings.read_text("utf-8").replace("ProcessorPil", "Processor"), "utf-8")
    return folder


def _contenders(checkpoint: Path, frames: list[Frame]) -> Iterator[tuple[str, Callable[[], Embed]]]:
    """Each one's name, and what makes it ready."""
    pictures = [Image.fromarray(frame.scale(frame.width, frame.height)) for frame in frames]
    yield "sentence-transformers", lambda: _sentence_transformers(checkpoint, pictures)
    small = [Image.fromarray(_middle(frame, 224)) for frame in frames]
    yield "sentence-transformers, 224 px", lambda: _sentence_transformers(checkpoint, small)
    yield "open_clip", lambda: _open_clip(pictures)
    fp32 = checkpoint.with_name("fp32")
    int8 = checkpoint.with_name("int8")

    def ours(folder: Path, device: str, precision: str = "auto") -> Callable[[], Embed]:
        def make() -> Embed:
            if folder != checkpoint and not folder.exists():
                registry.export(f"local-dir:{checkpoint}", folder, folder.name)
            model = registry.load(f"local-dir:{folder}", device, precision)
            return lambda: _embedded(model, frames)

        return make

    yield "framefind, ONNX Runtime fp32", ours(fp32, "cpu")
    yield "framefind, ONNX Runtime int8", ours(int8, "cpu")
    if find_spec("openvino"):
        yield "framefind, OpenVINO", ours(fp32, "openvino")
    yield "framefind, PyTorch bf16", ours(checkpoint, "cpu", "bf16")


def _sentence_transformers(checkpoint: Path, pictures: list[Image.Image]) -> Embed:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import CLIPModel

    model = SentenceTransformer(modules=[CLIPModel(str(checkpoint))], device="cpu")
    return lambda: np.asarray(model.encode(pictures, show_progress_bar=False))


def _open_clip(pictures: list[Image.Image]) -> Embed:
    import open_clip
    import torch

    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32")
    model.eval()

    def embed() -> NDArray[np.float32]:
        results = []
        with torch.inference_mode():
            for start in range(0, len(pictures), BATCH):
                batch = [preprocess(picture) for picture in pictures[start : start + BATCH]]
                results.append(model.encode_image(torch.stack(batch)).numpy())
        return np.concatenate(results)

    return embed


def _embedded(model: Model, frames: list[Frame]) -> NDArray[np.float32]:
    results = []
    for start in range(0, len(frames), BATCH):
        batch = [_middle(frame, model.size) for frame in frames[start : start + BATCH]]
        results.append(model.embed_images(np.stack(batch)))
    return np.concatenate(results)


def _middle(frame: Frame, size: int) -> NDArray[np.uint8]:
    """Return the middle square of a frame, which is what CLIP's own processor cuts."""
    short = min(frame.width, frame.height)
    width, height = (max(size, size * side // short) for side in (frame.width, frame.height))
    x, y = (width - size) // 2, (height - size) // 2
    return frame.scale(width, height, "bicubic")[y : y + size, x : x + size]


def _take_turns(embedders: dict[str, Embed], count: int, rounds: int) -> list[dict[str, Any]]:
    """Pictures per second by the clock and by processor time, and agreement, of each."""
    clock: dict[str, list[float]] = {name: [] for name in embedders}
    processor: dict[str, list[float]] = {name: [] for name in embedders}
    vectors = {}
    for _ in range(rounds):
        for name, embed in embedders.items():
            began = time.perf_counter()
            busy = time.process_time()
            vectors[name] = embed()
            clock[name].append(count / (time.perf_counter() - began))
            processor[name].append(count / (time.process_time() - busy))
    first = next(iter(embedders))
    rows = []
    for name in embedders:
        row: dict[str, Any] = {
            "name": name,
            "images_per_second": float(np.median(clock[name])),
            "lowest": min(clock[name]),
            "highest": max(clock[name]),
            "images_per_processor_second": float(np.median(processor[name])),
            "ratio": float(np.median(clock[name]) / np.median(clock[first])),
            "processor_ratio": float(np.median(processor[name]) / np.median(processor[first])),
        }
        if name != "open_clip":
            row["agreement"] = _agreement(vectors[name], vectors[first])
        rows.append(row)
    return rows


def _agreement(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> list[float]:
    """Return the lowest and the mean cosine of unit vectors, less their common mean."""
    ours, theirs = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (ours, theirs))
    mean = theirs.mean(axis=0)
    ours, theirs = ours - mean, theirs - mean
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    cosines = (ours * theirs).sum(axis=1) / lengths
    return [float(cosines.min()), float(cosines.mean())]


def _line(row: dict[str, Any]) -> str:
    low, mean = row.get("agreement", (float("nan"), float("nan")))
    return (
        f"{row['name']:<29} {row['images_per_second']:>6.1f} images/s "
        f"({row['lowest']:.1f} to {row['highest']:.1f}), {row['ratio']:.2f}×; "
        f"{row['images_per_processor_second']:.1f} per processor second, "
        f"{row['processor_ratio']:.2f}×; agreement {low:.4f}, mean {mean:.4f}"
    )


if __name__ == "__main__":
    main()
