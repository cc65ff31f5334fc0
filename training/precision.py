"""bfloat16 where it is fast: a CPU without AVX-512 BF16 takes ten times as long as for float32."""

import torch
from torch import Tensor


def fast(device: str) -> bool:
    """Whether `device` ("cpu", "cuda") multiplies bfloat16 itself."""
    return device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()


def mixed(device: str = "cpu") -> torch.autocast:
    """Multiply in bfloat16, if that is fast."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=fast(device))


def short(x: Tensor) -> Tensor:
    """In bfloat16, if that is fast, or else in float32."""
    return x.bfloat16() if fast(x.device.type) else x.float()
