"""Token tables of four bits a number, and training them as they will be stored."""

import numpy as np
import torch
import towers
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils import parametrize

GROUP = 32  # numbers of a row that have one scale
MOST = 7  # steps from 0 to the largest of them


def steps(table: Tensor) -> tuple[Tensor, Tensor]:
    """Whole numbers from -7 to 7, and (tokens, groups) scales in half precision."""
    groups = table.detach().reshape(len(table), -1, GROUP)
    scales = (groups.abs().amax(2).clamp(min=1e-6) / MOST).half()
    whole = (groups / scales.float()[:, :, None]).round().clamp(-MOST, MOST)
    return whole.reshape(table.shape), scales


def packed(whole: Tensor) -> NDArray[np.uint8]:
    """Two of them in a byte: of a row's first half in its low bits, of the second in its high."""
    low, high = (whole + 8).to(torch.int16).chunk(2, 1)
    return (low + 16 * high).to(torch.uint8).numpy()


class Rounded(nn.Module):
    """A table as it will be stored; gradients pass as if it were not (Bengio et al. 2013)."""

    def forward(self, table: Tensor) -> Tensor:
        whole, scales = steps(table)
        stored = whole * scales.float().repeat_interleave(GROUP, 1)
        return table + (stored - table).detach()


def begin(tower: towers.TextTower) -> nn.Parameter:
    """Fold the tokens' weights into their vectors and round these; gives what is to learn."""
    with torch.no_grad():
        tower.table.mul_(tower.weight[:, None])
        tower.weight.fill_(1)
    tower.weight.requires_grad_(False)
    parametrize.register_parametrization(tower, "table", Rounded())
    learned: nn.Parameter = tower.parametrizations.table.original
    return learned


def end(tower: towers.TextTower) -> None:
    """Leave the table rounded for good."""
    parametrize.remove_parametrizations(tower, "table", leave_parametrized=True)
