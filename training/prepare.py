"""Compute once what training reads: what the frozen blocks see in each view, and sentence vectors.

For each source: `NAME.views.npy` int8 (views, positions, channels), `NAME.features.npy` float16
(views, 1280) by the backbone as it comes, `NAME.json` its texts and whose picture each view is.
A training picture that is like a test picture is left out. What lies there is passed over.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from backbone import Convolutions, Frozen, Learned, pack, quantize, write_onnx
from clones import Roots
from lexicon import write_lexicon
from pictures import SIZE, Fingerprints, load, outline, perceptual_hash, squeeze, vary
from sources import TEST, TRAIN
from towers import SentenceEncoder, encode_sentences, tokenize

BATCH = 32
CALIBRATION = 192  # pictures
PROCESSES = 2


def open_onnx(file: Path) -> onnxruntime.InferenceSession:
    """Open a network on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])


def clean(texts: list[str]) -> list[str]:
    """Return texts with single blanks and without a full stop."""
    return [" ".join(text.split()).rstrip(" .") for text in texts]


def prepare_tests(roots: Roots, out: Path, most: int | None) -> None:
    """Write the pixels and texts of the test pictures, and their fingerprints."""
    hashes, outlines = [], []
    for name, items in TEST.items():
        pixels, texts = [], []
        for captions, data in islice(items(roots), most):
            picture = load(data)
            hashes.append(perceptual_hash(picture))
            outlines.append(outline(squeeze(picture)))
            pixels.append(np.asarray(squeeze(picture)))
            texts.append(clean(captions))
        np.save(out / f"{name}.pixels.npy", np.stack(pixels))
        (out / f"{name}.json").write_text(json.dumps({"texts": texts}))
    np.savez(out / "tests.npz", hashes=np.array(hashes, np.uint64), outlines=np.stack(outlines))


def prepare_backbone(roots: Roots, out: Path) -> None:
    """Write the frozen blocks and the pretrained rest as networks of integers."""
    items = islice(TRAIN["flickr8k"].read(roots), CALIBRATION)
    pixels = np.stack([np.asarray(squeeze(load(data))) for _, data in items])
    plain = out / "plain.onnx"
    example = torch.zeros(1, SIZE, SIZE, 3, dtype=torch.uint8)
    write_onnx(Frozen(), (example,), plain, {"pixels": (0,), "blocks": (0,)})
    quantize(plain, out / "frozen.onnx", pixels)
    blocks = open_onnx(out / "frozen.onnx").run(None, {"pixels": pixels})[0]
    example = torch.zeros(1, *blocks.shape[1:])
    write_onnx(Convolutions(Learned()), (example,), plain, {"x": (0,), "features": (0,)})
    quantize(plain, out / "rest.onnx", blocks)


def prepare_source(name: str, roots: Roots, out: Path, most: int | None) -> None:
    """Write one source of `TRAIN`."""
    source = TRAIN[name]
    frozen, rest = (open_onnx(out / f"{part}.onnx") for part in ("frozen", "rest"))
    with np.load(out / "tests.npz") as tests:
        known = Fingerprints(tests["hashes"], tests["outlines"])
    rng = np.random.default_rng(sum(map(ord, name)))
    squares, views, features, owners, texts, dropped = [], [], [], [], [], 0

    def extract() -> None:
        blocks = frozen.run(None, {"pixels": np.stack(squares)})[0]
        views.append(pack(blocks))
        features.append(rest.run(None, {"x": blocks})[0].astype(np.float16))
        squares.clear()

    for captions, data in islice(source.read(roots), most):
        picture = load(data) if rng.random() < source.share else None
        if picture is None or min(picture.size) < 24:
            continue
        if known.match(squeeze(picture)):
            dropped += 1
            continue
        shown = [vary(picture, rng) for _ in range(source.views)]
        if rng.random() < source.whole:
            shown.append(squeeze(picture))
        owners += [len(texts)] * len(shown)
        texts.append(clean(captions))
        squares += [np.asarray(view) for view in shown]
        if len(squares) >= BATCH:
            extract()
    if squares:
        extract()
    np.save(out / f"{name}.views.npy", np.concatenate(views))
    np.save(out / f"{name}.features.npy", np.concatenate(features))
    facts = {"texts": texts, "owners": owners, "dropped": dropped}
    (out / f"{name}.json").write_text(json.dumps(facts))
    print(f"{name}: {len(texts)} pictures, {len(owners)} views, {dropped} like a test picture")


def prepare_texts(names: tuple[str, ...], out: Path, wordnet: Path) -> None:
    """Write the sentence vector of each training text as the encoder comes, and the lexicon."""
    rows = [
        row for name in names for row in json.loads((out / f"{name}.json").read_text())["texts"]
    ]
    texts = sorted({text for row in rows for text in row})
    with torch.inference_mode():
        vectors = encode_sentences(SentenceEncoder().eval(), tokenize(texts))
    np.save(out / "sentences.npy", vectors.numpy().astype(np.float16))
    write_lexicon(out, wordnet, texts)
    (out / "sentences.json").write_text(json.dumps(texts))


def prepare(
    roots: Roots, wordnet: Path, out: Path, names: tuple[str, ...], most: int | None = None
) -> None:
    """Write all that training reads of `names` into `out`, at most so many pictures of each."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "tests.npz").exists():
        prepare_tests(roots, out, most)
    if not (out / "rest.onnx").exists():
        prepare_backbone(roots, out)
    missing = [name for name in names if not (out / f"{name}.json").exists()]
    with ProcessPoolExecutor(PROCESSES) as pool:
        for job in [pool.submit(prepare_source, name, roots, out, most) for name in missing]:
            job.result()
    if not (out / "sentences.json").exists():
        prepare_texts(names, out, wordnet)
