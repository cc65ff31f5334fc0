"""Pack the pictures: one uint8 array and one JSON file of texts per source.

    python training/pack.py --mirror MIRROR --shards SHARDS --out PACK [--only NAME ...]

A training picture whose perceptual hash or outline is near a test picture's is left out.
Sources that are packed already are passed over, so an interrupted run goes on.
"""

import argparse
import io
import json
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sources
from clones import Item, Roots
from numpy.typing import NDArray
from PIL import Image, ImageFile

NEAR = 5  # bits of 64
ALIKE = 0.97  # correlation of outlines
ImageFile.LOAD_TRUNCATED_IMAGES = True


def _dct_matrix(size: int) -> NDArray[np.float32]:
    k, n = np.mgrid[:8, :size]
    return np.cos(np.pi * k * (2 * n + 1) / (2 * size)).astype(np.float32)


_DCT = _dct_matrix(32)


def perceptual_hash(picture: Image.Image) -> int:
    """64 bits: signs of the lowest 8 x 8 cosine coefficients about their median."""
    grey = np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.BILINEAR), np.float32)
    low = (_DCT @ grey @ _DCT.T).ravel()
    bits = low > np.median(low[1:])
    return int(np.packbits(bits).view(">u8")[0])


def decode(data: bytes, size: int) -> Image.Image | None:
    """The whole picture squeezed to a square, as the model will see frames; None if unreadable."""
    try:
        picture = Image.open(io.BytesIO(data))
        picture.draft("RGB", (2 * size, 2 * size))
        if picture.mode == "P":
            picture = picture.convert("RGBA")
        picture = picture.convert("RGB")
        return picture.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)
    except (OSError, ValueError, SyntaxError):
        return None


def outline(picture: Image.Image) -> NDArray[np.float32]:
    """16 x 16 grey, centred, unit length."""
    grey = np.asarray(picture.convert("L").resize((16, 16), Image.Resampling.BOX), np.float32)
    grey = grey.ravel() - grey.mean()
    return grey / (np.linalg.norm(grey) + 1e-6)


@dataclass(frozen=True)
class Known:
    """Fingerprints of the test pictures."""

    hashes: NDArray[np.uint64]
    outlines: NDArray[np.float32]

    def holds(self, picture: Image.Image) -> bool:
        """Whether `picture` is one of them, or nearly."""
        if not len(self.hashes):
            return False
        apart = np.bitwise_count(self.hashes ^ np.uint64(perceptual_hash(picture)))
        return bool(apart.min() <= NEAR or (self.outlines @ outline(picture)).max() >= ALIKE)


def pack(items: Iterable[Item], size: int, target: Path, against: Known) -> Known:
    """Write `target`.npy and .json; returns the fingerprints of what was kept."""
    pixels, texts, hashes, outlines, dropped = [], [], [], [], 0
    for names, data in items:
        picture = decode(data, size)
        if picture is None:
            continue
        if against.holds(picture):
            dropped += 1
            continue
        pixels.append(np.asarray(picture))
        texts.append([" ".join(n.split()).rstrip(" .") for n in names])
        hashes.append(perceptual_hash(picture))
        outlines.append(outline(picture))
    np.save(target.with_suffix(".npy"), np.stack(pixels))
    target.with_suffix(".json").write_text(json.dumps({"texts": texts, "dropped": dropped}))
    print(f"{target.name}: {len(texts)} pictures, {dropped} like a test picture", flush=True)
    return Known(np.array(hashes, np.uint64), np.stack(outlines))


def pack_tests(roots: Roots, out: Path) -> None:
    nothing = Known(np.zeros(0, np.uint64), np.zeros((0, 256), np.float32))
    known = [pack(g(roots), s, out / n, nothing) for n, (g, s, _) in sources.TEST.items()]
    hashes = np.concatenate([k.hashes for k in known])
    np.savez(out / "known.npz", hashes=hashes, outlines=np.concatenate([k.outlines for k in known]))


def pack_train(name: str, roots: Roots, out: Path) -> None:
    target = out / name
    if target.with_suffix(".json").exists():
        return
    generator, size, _, _ = sources.TRAIN[name]
    known = np.load(out / "known.npz")
    pack(generator(roots), size, target, Known(known["hashes"], known["outlines"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--mirror", type=Path, required=True)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=list(sources.TRAIN))
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    roots, out = Roots(arguments.mirror, arguments.shards), arguments.out
    out.mkdir(parents=True, exist_ok=True)
    if not (out / "known.npz").exists():
        pack_tests(roots, out)
        (out / "sentences.json").write_text(json.dumps(sources.sentences(roots)))
        (out / "wordnet.json").write_text(json.dumps(sources.nouns(roots)))
        (out / "kin.json").write_text(json.dumps(sources.kin(roots)))
    with ProcessPoolExecutor(arguments.processes) as pool:
        jobs = [pool.submit(pack_train, name, roots, out) for name in arguments.only]
        for job in jobs:
            job.result()


if __name__ == "__main__":
    main()
