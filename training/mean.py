"""The mean of the weights of training states that began from one, as a state of its own.

    python training/mean.py --pack PACK --states RUN/last.pt MORE/last.pt --out MEAN.pt

Both ends err, each differently, and their mean errs less on what it was not trained on ("model
soups", Wortsman et al. 2022). The statistics of its activations are neither's: they are measured
anew, on views such as it was trained on.
"""

import argparse
from pathlib import Path

import augment
import batches
import numpy as np
import torch
import towers
from precision import mixed
from torch import nn

SIZE = 128  # pixels of the views
STEPS = 10  # batches of 384
PIECE = 96  # pictures at a time, as in training


@torch.no_grad()
def measure(tower: towers.ImageTower, pack: Path) -> None:
    """Set what batch normalisation expects to the mean over some batches of views."""
    pictures, rng = batches.Pictures(pack), np.random.default_rng(9)
    for module in tower.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain mean
    tower.train()
    for _ in range(STEPS):
        drawn = pictures.draw(4 * PIECE, rng)
        views = [augment.frame(pictures.pixels[n][i], SIZE, 0.35, True, rng) for n, i in drawn]
        for piece in torch.from_numpy(np.stack(views)).split(PIECE):
            with mixed():
                tower(augment.normalise(piece))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--states", type=Path, nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    loaded = [torch.load(file, weights_only=True) for file in options.states]
    weights = towers.mean([state["model"] for state in loaded])
    widths, blocks = loaded[0]["widths"], loaded[0]["blocks"]
    tower = towers.image_of(weights, widths, blocks)
    measure(tower.to(memory_format=torch.channels_last), options.pack)
    weights |= {f"image.{name}": value for name, value in tower.state_dict().items()}
    torch.save({"model": weights, "widths": widths, "blocks": blocks}, options.out)


if __name__ == "__main__":
    main()
