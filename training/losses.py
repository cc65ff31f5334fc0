"""What training lessens: wrong pairs, and neighbourhoods of texts unlike the teacher's."""

import torch
from torch import Tensor
from torch.nn import functional as F


def contrast(logits: Tensor, goal: Tensor) -> Tensor:
    """Symmetric cross entropy of pictures (rows) and texts (columns); `goal` by `targets`."""
    rows = -(goal * logits.log_softmax(1)).sum(1).mean()
    columns = -(goal * logits.T.log_softmax(1)).sum(1).mean()
    return (rows + columns) / 2


def targets(rows: Tensor, teacher: Tensor, soft: float) -> Tensor:
    """(n, n): equal texts count as one, and alike ones, by the teacher's cosine, in part."""
    same = (rows[:, None] == rows[None]).float()
    alike = (20 * teacher @ teacher.T).softmax(1)
    return (1 - soft) * same / same.sum(1, keepdim=True) + soft * alike


def resemble(student: Tensor, teacher: Tensor) -> Tensor:
    """How far the text tower's neighbourhoods are from the teacher's (Kullback-Leibler)."""
    hide = torch.eye(len(student), device=student.device) * 1e4
    wanted = (20 * teacher @ teacher.T - hide).softmax(1)
    found = (20 * student @ student.T - hide).log_softmax(1)
    return F.kl_div(found, wanted, reduction="batchmean")
