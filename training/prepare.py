"""Compute once what training reads: what the frozen blocks see in each view, sentence vectors."""

import io
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from backbone import Frozen, Learned, pack, quantize, write_onnx
from clones import Roots
from lexicon import write_lexicon
from pictures import SIZE, load, match, outline, perceptual_hash, squeeze, vary
from sources import HELD_OUT, SPLITS, TRAIN, read_test
from towers import SentenceEncoder, encode_sentences, tokenize

from framefind.errors import FramefindError
from framefind.files.arrays import load_arrays
from framefind.files.disk import replace

BATCH = 32
CALIBRATION = 192  # pictures
MIN_SIDE = 24  # pixels of a picture
THREADS = 2  # pictures and networks are computed without the interpreter's lock

Names = Sequence[str]  # of sources or sets of test pictures


def open_onnx(file: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(file, options, ["CPUExecutionProvider"])


def clean(texts: list[str]) -> list[str]:
    """Return texts with single blanks and without a full stop."""
    return [" ".join(text.split()).rstrip(" .") for text in texts]


def check(roots: Roots, names: Names) -> None:
    """Raise FramefindError with all that is missing, before hours were spent on the rest."""
    faults = []
    for part in chain.from_iterable(TRAIN[name].parts for name in names):
        try:
            part.open(roots)
        except FramefindError as error:
            faults.append(str(error))
    for file, advice in (
        (roots.shards / "flickr8k.parquet", "name the folder of the sample by --shards"),
        (roots.wordnet / "data.noun", "install wordnet-base, or name its folder by --wordnet"),
    ):
        if not file.exists():
            faults.append(f"no {file}: {advice}")
    if faults:
        raise FramefindError("\n".join(faults))


def prepare_tests(roots: Roots, out: Path, names: Names, most: int | None) -> None:
    """Write the pixels and texts of the test pictures, and their fingerprints."""
    hashes, outlines = [], []
    for name in names:
        pixels, texts = [], []
        for captions, data in islice(read_test(name, roots), most):
            if picture := load(data):
                hashes.append(perceptual_hash(picture))
                outlines.append(outline(squeeze(picture)))
                pixels.append(np.asarray(squeeze(picture)))
                texts.append(clean(captions))
        if not texts:
            raise FramefindError(f"no pictures of {name}: is the sample in {roots.shards} whole?")
        np.save(out / f"{name}.pixels.npy", np.stack(pixels))
        (out / f"{name}.json").write_text(json.dumps({"texts": texts}))
    fingerprints = io.BytesIO()
    np.savez(fingerprints, hashes=np.array(hashes, np.uint64), outlines=np.stack(outlines))
    replace(out / "tests.npz", fingerprints.getvalue())


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
    write_onnx(Learned(), (example,), plain, {"x": (0,), "features": (0,)})
    quantize(plain, out / "rest.onnx", blocks)


def prepare_source(name: str, roots: Roots, out: Path, most: int | None) -> None:
    """Write what is seen in views of one source, and its texts, but for what is held out."""
    source = TRAIN[name]
    frozen, rest = (open_onnx(out / f"{part}.onnx") for part in ("frozen", "rest"))
    tests = load_arrays(out / "tests.npz")
    rng = np.random.default_rng(sum(map(ord, name)))
    squares, views, features = [], [], []  # of each batch; of all
    owners, texts = [], []  # the picture of each view, the texts of each picture
    dropped = 0

    def extract() -> None:
        blocks = frozen.run(None, {"pixels": np.stack(squares)})[0]
        views.append(pack(blocks))
        features.append(rest.run(None, {"x": blocks})[0].astype(np.float16))
        squares.clear()

    for captions, data in islice(source.read(roots), most):
        picture = load(data) if rng.random() < source.share else None
        if picture is None or min(picture.size) < MIN_SIDE:
            continue
        if match(squeeze(picture), **tests):
            dropped += 1
            continue
        shown = [vary(picture, rng) for _ in range(source.views)]
        if rng.random() < source.whole:
            shown.append(squeeze(picture))
        owners += [len(texts)] * len(shown)
        texts.append(clean(captions))
        squares += map(np.asarray, shown)
        if len(squares) >= BATCH:
            extract()
    if not texts:
        raise FramefindError(f"no pictures of {name}: are its clones whole?")
    if squares:
        extract()
    np.save(out / f"{name}.views.npy", np.concatenate(views))
    np.save(out / f"{name}.features.npy", np.concatenate(features))
    facts = {"texts": texts, "owners": owners, "dropped": dropped}
    replace(out / f"{name}.json", json.dumps(facts).encode())
    print(f"{name}: {len(texts)} pictures; {dropped} others are like a test picture", flush=True)


def prepare_texts(names: Names, out: Path, wordnet: Path) -> None:
    """Write the sentence vector of each training text as the encoder comes, and the lexicon."""
    facts = [json.loads((out / f"{name}.json").read_text()) for name in names]
    texts = sorted({text for part in facts for row in part["texts"] for text in row})
    with torch.inference_mode():
        vectors = encode_sentences(SentenceEncoder().eval(), tokenize(texts))
    np.save(out / "sentences.npy", vectors.numpy().astype(np.float16))
    write_lexicon(out, wordnet, texts)
    replace(out / "sentences.json", json.dumps(texts).encode())


def begin(folder: Path, *names: str) -> bool:
    """Tell whether one of these files is missing. Without the last, the others do not count."""
    if all((folder / name).exists() for name in names):
        return False
    (folder / names[-1]).unlink(missing_ok=True)
    return True


def prepare(roots: Roots, out: Path, names: Names, most: int | None = None) -> None:
    """Write all that training reads of `names` into `out`, at most so many pictures of each."""
    sets = [*SPLITS, *(name for name, source in HELD_OUT.items() if source in names)]
    files = [name + end for name in sets for end in (".json", ".pixels.npy")]
    if begin(out, *files, "tests.npz"):
        prepare_tests(roots, out, sets, most)
    if begin(out, "frozen.onnx", "rest.onnx"):
        prepare_backbone(roots, out)
    ends = (".views.npy", ".features.npy", ".json")
    missing = [name for name in names if begin(out, *(name + end for end in ends))]
    with ThreadPoolExecutor(THREADS) as pool:  # one that fails stops those to come
        list(pool.map(lambda name: prepare_source(name, roots, out, most), missing))
    if begin(out, "sentences.npy", "lexicon.json", "sentences.json"):
        prepare_texts(names, out, roots.wordnet)
