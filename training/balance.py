"""Hold pictures back that are near to all texts (querybank normalisation, Bogolin et al. 2022)."""

import torch
from torch import Tensor, nn
from towers import Model, Tower, unit

BANK = 2048  # centres of texts
ROUNDS = 8  # of clustering
SHARE = 0.75  # of a picture's nearness, that is subtracted
WIDTH = 2.0  # what multiplies nearness in a picture's vector; a text's number is SHARE / WIDTH


class BalancedPictures(nn.Module):
    """The backbone's features to unit vectors that end in how near to all texts they are."""

    def __init__(self, tower: Tower, bank: Tensor, shares: Tensor, scale: float) -> None:
        super().__init__()
        self.tower = tower
        self.scale = scale
        self.usual = 0.0  # how near pictures are on average
        self.register_buffer("bank", scale * bank.T)
        # Not ReduceLogSumExp: OpenVINO 2026 takes its outcome for one row.
        self.register_buffer("shares", shares[:, None])

    def measure(self, vectors: Tensor) -> Tensor:
        """Return how near unit vectors are to the bank, as a cosine: (n, 1)."""
        return torch.log(torch.exp(vectors @ self.bank) @ self.shares) / self.scale

    def forward(self, features: Tensor) -> Tensor:
        vectors = self.tower(features)
        nearness = self.measure(vectors) - self.usual
        return unit(torch.cat([vectors, -WIDTH * nearness], 1))


class BalancedTexts(nn.Module):
    """Sentence vectors to unit vectors whose end says how much of nearness is subtracted."""

    def __init__(self, tower: Tower) -> None:
        super().__init__()
        self.tower = tower

    def forward(self, sentences: Tensor) -> Tensor:
        return unit(nn.functional.pad(self.tower(sentences), (0, 1), value=SHARE / WIDTH))


def cluster(vectors: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the means of at most `count` clusters of unit vectors, and the share of each."""
    centres = vectors[:count]
    for _ in range(ROUNDS):
        nearest = torch.cat([(part @ centres.T).argmax(1) for part in vectors.split(4000)])
        sizes = torch.bincount(nearest, minlength=len(centres))
        sums = torch.zeros_like(centres).index_add_(0, nearest, vectors)
        kept = sizes > 0
        sizes = sizes[kept]
        means = sums[kept] / sizes[:, None]
        centres = unit(means)
    return means, sizes / sizes.sum()


def balance(model: Model, features: Tensor, texts: Tensor) -> tuple[nn.Module, nn.Module, float]:
    """Return both towers, balanced over features and sentence vectors, and the scale of scores."""
    scale = float(model.scale.exp())
    towers = (model.eyes(features), model.words(texts[: len(features)]))
    centred = torch.cat([vectors - vectors.mean(0) for vectors in towers])
    axes = torch.linalg.eigh(centred.T @ centred).eigenvectors[:, 1:].T  # all but the least
    for tower in (model.eyes, model.words):
        for layer in (tower.direct, tower.out):
            for weights in (layer.weight, layer.bias):
                weights.data = axes @ weights.data
    pictures = BalancedPictures(model.eyes, *cluster(model.words(texts), BANK), scale)
    pictures.usual = float(pictures.measure(model.eyes(features)).mean())
    return pictures, BalancedTexts(model.words), scale * (1 + (SHARE / WIDTH) ** 2) ** 0.5
