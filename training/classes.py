"""Telling a picture's class from all others of its source, not only from those in its batch."""

import batches
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


class Classes:
    """The classes of all sources that sort their pictures; a captioned picture is its own class."""

    def __init__(self, texts: batches.Texts, pictures: batches.Pictures) -> None:
        known = pictures.classes
        names = [row[1:] if row[0] == batches.CAPTIONS else row[1:2] for row in known]
        self.counts = np.array([len(row) for row in names])
        self.firsts = np.cumsum(self.counts) - self.counts
        self.ids = texts.ids([name for row in names for name in row])
        _, sources = np.unique([row[0] for row in known], return_inverse=True)
        self.sources = torch.from_numpy(sources)
        self.crowd = np.flatnonzero([row[0] == batches.CAPTIONS for row in known])
        self.few = np.setdiff1d(np.arange(len(known)), self.crowd)

    def draw(self, shown: Tensor, step: int, count: int = 1024) -> tuple[Tensor, Tensor]:
        """All classes, but of captions those `shown` and `count` others; and a name of each."""
        rng = np.random.default_rng(30_000_000 + step)
        others = rng.choice(self.crowd, min(count, len(self.crowd)), replace=False)
        drawn = np.unique(np.concatenate([self.few, others, shown[shown >= 0].cpu().numpy()]))
        names = self.firsts[drawn] + rng.integers(self.counts[drawn])
        return torch.from_numpy(drawn), self.ids[torch.from_numpy(names)]

    def loss(self, logits: Tensor, shown: Tensor, drawn: Tensor) -> Tensor:
        """Cross entropy of each sorted picture (row) among the `drawn` classes of its source."""
        logits, shown = logits[shown >= 0], shown[shown >= 0]
        sources = self.sources.to(shown.device)
        others = sources[shown][:, None] != sources[drawn][None]
        return F.cross_entropy(logits.masked_fill(others, -1e4), torch.searchsorted(drawn, shown))
