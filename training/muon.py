"""Muon: momentum whose matrices are made orthogonal (Jordan et al. 2024).

https://kellerjordan.github.io/posts/muon/; the scale that keeps an update's size like Adam's is
that of Liu et al. 2025, https://arxiv.org/abs/2502.16982. PyTorch's own takes matrices only,
this one convolutions too.
"""

from collections.abc import Iterable

import torch
from precision import short
from torch import Tensor


def orthogonal(matrix: Tensor, steps: int = 5) -> Tensor:
    """Nearly the nearest orthogonal matrix, by Newton-Schulz iterations."""
    x = short(matrix)
    tall = x.shape[0] > x.shape[1]
    if tall:
        x = x.T
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.T if tall else x).float()


class Muon(torch.optim.Optimizer):
    """For parameters of two or more dimensions; the first is the outputs."""

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, decay: float = 0.0, momentum: float = 0.95
    ) -> None:
        super().__init__(parameters, {"lr": lr, "decay": decay, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)

    def _update(self, parameter: Tensor, group: dict[str, float]) -> None:
        gradient, momentum = parameter.grad, group["momentum"]
        state = self.state[parameter]
        if not state:
            state["buffer"] = torch.zeros_like(parameter)
        state["buffer"].lerp_(gradient, 1 - momentum)
        direction = gradient.lerp(state["buffer"], momentum).flatten(1)
        scale = 0.2 * max(direction.shape) ** 0.5
        parameter.mul_(1 - group["lr"] * group["decay"])
        update = orthogonal(direction).view(parameter.shape)
        parameter.add_(update, alpha=-group["lr"] * scale)
