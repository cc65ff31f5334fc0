"""What `index --dedupe` saves, and what it costs in recall: with and without, on captioned clips.

    python benchmarks/dedupe.py --videos VIDEOS [--captions FILE] [--every 0.5] [--change 3 6 12]

Prints, per bound on the change of a block, the share of frames that took the vectors of the one
before, how near those are to their own (cosine; less the mean of all), and the captions' recall.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from samples import frames

import framefind


def main() -> None:
    """Index with each bound and compare with no bound at all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", required=True)
    parser.add_argument("--captions")
    parser.add_argument("--every", type=float, default=0.5)
    parser.add_argument("--change", type=float, nargs="+", default=[3.0, 6.0, 12.0])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        plain = framefind.open(Path(scratch, "plain"))
        plain.index(chosen.videos, sampler=f"every={chosen.every}")
        own = _whole(plain)
        print("| bound | frames | vectors reused | cosine, median (5 %) | R@1 | R@5 | R@10 |")
        print("|---|---|---|---|---|---|---|")
        print(f"| none | {len(own)} | | | {_recall(plain, chosen.captions)} |")
        for bound in chosen.change:
            other = framefind.open(Path(scratch, str(bound)))
            other.index(chosen.videos, sampler=f"every={chosen.every}", dedupe=bound)
            taken = _whole(other)
            reused = np.array([False, *(taken[1:] == taken[:-1]).all(axis=1)])
            mean = own.mean(axis=0)
            cosines = (_unit(taken - mean) * _unit(own - mean)).sum(axis=1)[reused]
            near = (
                f"{np.median(cosines):.3f} ({np.quantile(cosines, 0.05):.3f})"
                if reused.any()
                else ""
            )
            print(
                f"| {bound:g} | {len(taken)} | {reused.mean():.1%} | {near} | "
                f"{_recall(other, chosen.captions)} |",
                flush=True,
            )


def _whole(library: framefind.Library) -> NDArray[np.float32]:
    """The first view's vector of every frame, by video and time."""
    found = frames(library)
    return np.stack([vectors[0] for video in sorted(found) for vectors in found[video]])


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _recall(library: framefind.Library, captions: str | None) -> str:
    if captions is None:
        return " | | "
    quality = library.evaluate(captions)
    return " | ".join(f"{100 * quality.recall(k):.1f}" for k in (1, 5, 10))


if __name__ == "__main__":
    main()
