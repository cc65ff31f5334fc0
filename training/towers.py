"""The two encoders of `mini`: a residual convolutional network and a sum of token vectors."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MEAN = (122.77, 116.75, 104.09)
STD = (68.5, 66.63, 70.32)
NO_TEXT = 100  # the token that stands for an empty text


def conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class Attention(nn.Module):
    """Squeeze and excitation (Hu et al. 2018): channels weighed by the mean of the picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down = nn.Linear(channels, channels // 8)
        self.up = nn.Linear(channels // 8, channels)

    def forward(self, x: Tensor) -> Tensor:
        weights = self.up(F.relu(self.down(x.mean((2, 3)))))
        return x * torch.sigmoid(weights)[:, :, None, None]


class Block(nn.Module):
    """Two 3 x 3 convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = conv(inputs, outputs, 3, stride)
        self.second = conv(outputs, outputs)
        self.attention = Attention(outputs)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1:
            self.shortcut = nn.Sequential(
                nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False),
                conv(inputs, outputs, 1),
            )
        elif inputs != outputs:
            self.shortcut = conv(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.attention(self.second(F.relu(self.first(x))))
        return F.relu(y + self.shortcut(x))


class ImageTower(nn.Module):
    """(n, 3, s, s) normalised pixels to (n, dimensions) unit vectors."""

    def __init__(
        self,
        widths: tuple[int, ...] = (48, 96, 192, 384),
        blocks: tuple[int, ...] = (1, 3, 3, 1),
        dimensions: int = 256,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            conv(3, 32, 3, 2), nn.ReLU(), conv(32, widths[0], 3, 2), nn.ReLU()
        )
        layers, inputs = [], widths[0]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            for i in range(count):
                layers.append(Block(inputs, width, 2 if i == 0 and stage > 0 else 1))
                inputs = width
        self.body = nn.Sequential(*layers)
        self.norm = nn.BatchNorm1d(inputs)
        self.head = nn.Linear(inputs, dimensions)

    def forward(self, x: Tensor) -> Tensor:
        x = self.body(self.stem(x)).mean((2, 3))
        return F.normalize(self.head(self.norm(x)).float(), dim=-1)


class Fusion(nn.Module):
    """Blocks on what joined networks see, whose vector is added to theirs.

    (n, channels, s, s) and (n, dimensions) unit vectors to (n, dimensions) unit vectors.
    """

    def __init__(self, channels: int, width: int, blocks: int, dimensions: int) -> None:
        super().__init__()
        inputs = [channels] + [width] * (blocks - 1)
        self.body = nn.Sequential(*(Block(n, width, 1 if i else 2) for i, n in enumerate(inputs)))
        self.norm = nn.BatchNorm1d(width)
        self.head = nn.Linear(width, dimensions)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, seen: Tensor, joined: Tensor) -> Tensor:
        return F.normalize(joined + self.added(seen), dim=-1)

    def added(self, seen: Tensor) -> Tensor:
        added: Tensor = self.head(self.norm(self.body(seen).mean((2, 3))))
        return added


class TextTower(nn.Module):
    """Token ids, 0 where there is none, to (n, dimensions) unit vectors.

    Weighted token vectors are summed, then a small residual perceptron. `table` is where the
    vectors start, e.g. a sentence model's output for each token alone.
    """

    def __init__(self, table: Tensor, hidden: int = 512) -> None:
        super().__init__()
        tokens, dimensions = table.shape
        self.table = nn.Parameter(table.clone())
        # The vocabulary is roughly sorted by frequency: frequent tokens say less.
        self.weight = nn.Parameter(torch.arange(tokens).add(1).log() / 10)
        self.skip = nn.Linear(dimensions, dimensions)
        self.up = nn.Linear(dimensions, hidden)
        self.down = nn.Linear(hidden, dimensions)

    def forward(self, ids: Tensor) -> Tensor:
        weights = self.weight[ids] * (ids > 0)
        x = F.embedding_bag(ids, self.table, mode="sum", per_sample_weights=weights)
        return self.head(x)

    def head(self, x: Tensor) -> Tensor:
        x = 8 * F.normalize(x, dim=-1)
        return F.normalize(self.skip(x) + self.down(F.gelu(self.up(x))), dim=-1)


class Joined(nn.Module):
    """Text towers side by side, whose vectors are turned as `join.py` has turned the pictures'."""

    def __init__(self, parts: list[TextTower], turned: Tensor) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.register_buffer("turned", turned)

    def forward(self, ids: Tensor) -> Tensor:
        x = torch.cat([part(ids) for part in self.parts], 1)
        return F.normalize(x @ self.turned, dim=-1)


def several(tower: nn.Module, *ids: Tensor) -> tuple[Tensor, ...]:
    """Several sets of texts at once, since every gradient of a token table is a whole one."""
    length = max(rows.shape[1] for rows in ids)
    joined = torch.cat([F.pad(rows, (0, length - rows.shape[1])) for rows in ids])
    found: Tensor = tower(joined)
    return found.split([len(rows) for rows in ids])


def image_of(weights: dict[str, Tensor], widths: list[int], blocks: list[int]) -> ImageTower:
    """The image tower whose weights these are, called `image.` and so on."""
    tower = ImageTower(tuple(widths), tuple(blocks))
    tower.load_state_dict({k[6:]: v for k, v in weights.items() if k.startswith("image.")})
    return tower


def fusion_of(state: dict[str, Any]) -> Fusion:
    """The blocks that `fusion.py` has trained, as it has stored them."""
    tower = Fusion(*(state[part] for part in ("channels", "width", "blocks", "dimensions")))
    tower.load_state_dict(state["model"])
    return tower


def text_of(weights: dict[str, Tensor]) -> TextTower | Joined:
    """The text tower whose weights these are, called `text.` and so on."""
    kept = {name[5:]: value for name, value in weights.items() if name.startswith("text.")}
    tables = [value for name, value in kept.items() if name.endswith("table")]
    parts = [TextTower(table) for table in tables]
    tower = Joined(parts, kept["turned"]) if "turned" in kept else parts[0]
    tower.load_state_dict(kept)
    return tower


def mean(states: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """The mean of all floating point weights; the last state's integers."""
    return {
        name: torch.stack([state[name] for state in states]).mean(0)
        if last.is_floating_point()
        else last
        for name, last in states[-1].items()
    }


def mean_text(files: list[Path]) -> dict[str, Tensor]:
    """The mean of the text towers in several files, outcomes of `wording.py` or training states."""
    loaded = [torch.load(file, weights_only=True) for file in files]
    given = [state.get("model", state) for state in loaded]
    names = [name for name in given[0] if name == "scale" or name.startswith("text.")]
    return mean([{name: state[name] for name in names} for state in given])
