"""Models that PyTorch runs, from any checkpoint layout. The extra [torch] is needed.

Importing this module imports torch, which takes seconds, so it is imported when such a model is
loaded and not before.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from framefind.arguments import several
from framefind.errors import ChoiceError, ModelError
from framefind.models.base import check_finite
from framefind.models.confidence import Neutral
from framefind.models.devices import INSTALL_TORCH, parse_device
from framefind.models.layouts.base import Checkpoint, ImageEncoder
from framefind.models.tokenizer import encode_texts, open_tokenizer, split_word

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

_BATCH_SIZES = {"cpu": 32, "mps": 64, "cuda": 256}
"""Inputs per run on each kind of device; more do not raise the speed, but take memory."""


class TorchModel:
    """A model whose encoders PyTorch runs; each is loaded when it is first used."""

    neutral: Neutral | None = None

    def __init__(
        self,
        name: str,
        checkpoint: Checkpoint,
        device: str = "auto",
        precision: str = "auto",
        revision: str = "",
        threads: int = 0,
    ) -> None:
        """Read no weights yet; `revision` is the commit that the checkpoint came from, if any.

        `threads` bounds the threads of the CPU in the whole process; 0 leaves them as they are.
        Raises ModelError for a device that is not here, or a precision that torch does not have.
        """
        encoders = checkpoint.encoders
        self.name = name
        self.dimensions = encoders.dimensions
        self.scale = encoders.scale
        self.size = encoders.image.size
        self.resize = encoders.image.resize
        if checkpoint.weights[0].suffix != ".safetensors":
            self.scale = _read_pickled_scale(checkpoint.weights[0], self.scale)
        self.checkpoint = checkpoint
        self.device = find_device(device)
        if threads:
            torch.set_num_threads(threads)
        self.precision = precision
        if precision == "auto":
            self.precision = _choose_precision(self.device, encoders.resnet)
        if self.precision not in DTYPES:
            raise ModelError(f"model {name}: torch runs {', '.join(DTYPES)}, not {precision}")
        if self.precision == "bf16" and encoders.resnet:
            raise ModelError(f"model {name}: bf16 loses too much in a ResNet: use fp32 or fp16")
        self._revision = revision

    @property
    def backend(self) -> str:
        """Describe what computes the vectors, on which device and at which precision."""
        return f"PyTorch on {self.device}, {self.precision}"

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """Return all that decides the vectors: name, weights hash, dimensions, preprocessing.

        `source` is the same for every precision and every export of the checkpoint.
        """
        facts = {
            "model": self.name,
            "weights": self.checkpoint.hash(),
            "dimensions": str(self.dimensions),
            "preprocessing": self.checkpoint.encoders.preprocessing,
            "precision": self.precision,
            "revision": self._revision,
            "runtime": "torch",
            "source": self.checkpoint.source(),
        }
        return {key: value for key, value in facts.items() if value}

    def embed_images(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed uint8 RGB (n, size, size, 3) into float32 unit rows (n, dimensions)."""
        return self._run(self._image_encoder, images)

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Embed n texts into float32 unit rows (n, dimensions).

        Raises QueryError for what is no text.
        """
        texts = several(texts)
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        ids, mask = encode_texts(self._tokenizer, self.checkpoint.encoders.text, texts)
        return self._run(self._text_encoder, ids, mask)

    def tokenize(self, word: str) -> list[str]:
        """Split one word, or a run of symbols, into the tokens that the text encoder reads."""
        return split_word(self._tokenizer, self.checkpoint.encoders.text, word)

    def _run(self, encoder: torch.nn.Module, *arrays: NDArray[Any]) -> NDArray[np.float32]:
        """Run an encoder batch by batch; only the copies between devices wait."""
        count = len(arrays[0])
        batch_size = _BATCH_SIZES[self.device.type]
        vectors = np.empty((count, self.dimensions), np.float32)
        with torch.inference_mode():
            for start in range(0, count, batch_size):
                rows = slice(start, start + batch_size)
                inputs = [torch.tensor(array[rows]).to(self.device) for array in arrays]
                outputs = torch.nn.functional.normalize(encoder(*inputs), dim=-1)
                if outputs.shape[1] != self.dimensions:
                    raise ModelError(
                        f"model {self.name}: an encoder gives vectors of {outputs.shape[1]} "
                        f"dimensions, its settings promise {self.dimensions}"
                    )
                vectors[rows] = outputs.cpu().numpy()
        return check_finite(self.name, vectors)

    def load_encoder(self, side: str, precision: str = "") -> torch.nn.Module:
        """Load the encoder of one side, `image` or `text`, onto the model's device.

        The image encoder takes uint8 (n, size, size, 3), the text encoder ids and mask, int64
        (n, length); both return float32 (n, dimensions), not yet of unit length. Raises ModelError
        when the weights cannot be loaded.
        """
        dtype = DTYPES[precision or self.precision]
        checkpoint = self.checkpoint
        try:
            with _quiet():
                module, encode = checkpoint.layout.load_encoder(checkpoint, side, dtype)
        except ModelError:
            raise
        except ImportError as error:
            raise ModelError(f"model {self.name}: {error}: {INSTALL_TORCH}") from None
        except Exception as error:  # of torch, safetensors, transformers or open_clip
            raise ModelError(f"{checkpoint.weights[0]}: cannot be loaded: {error}") from None
        encoder = (
            _ImageModule(module, encode, checkpoint.encoders.image, dtype)
            if side == "image"
            else _TextModule(module, encode)
        )
        return encoder.eval().to(self.device)

    @cached_property
    def _image_encoder(self) -> torch.nn.Module:
        return self.load_encoder("image")

    @cached_property
    def _text_encoder(self) -> torch.nn.Module:
        return self.load_encoder("text")

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        return open_tokenizer(self.checkpoint.encoders.text)


class _ImageModule(torch.nn.Module):
    """An image encoder of another package, with the normalization of pixels before it."""

    def __init__(
        self,
        module: torch.nn.Module,
        encode: Callable[..., torch.Tensor],
        encoder: ImageEncoder,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.module = module
        self.encode = encode
        self.dtype = dtype
        self.register_buffer("mean", 255 * torch.tensor(encoder.mean).reshape(-1, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(encoder.std).reshape(-1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        values = (images.permute(0, 3, 1, 2).to(torch.float32) - self.mean) / self.std
        return self.encode(self.module, values.to(self.dtype)).to(torch.float32)


class _TextModule(torch.nn.Module):
    """A text encoder of another package."""

    def __init__(self, module: torch.nn.Module, encode: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.module = module
        self.encode = encode

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.encode(self.module, ids, mask).to(torch.float32)


def _read_pickled_scale(file: Path, default: float) -> float:
    """Return the learned scale of a pickle, of which only numbers are read. Raises ModelError."""
    try:
        weights = torch.load(file, "cpu", mmap=True, weights_only=True)
        logarithm = weights.get("state_dict", weights).get("logit_scale")
    except Exception as error:  # of torch, which refuses a pickle that is more than numbers
        raise ModelError(f"{file}: cannot be loaded: {error}") from None
    return default if logarithm is None else float(logarithm.float().exp())


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the advice, bars and warnings of the packages that load weights."""
    import transformers

    level = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    bars = transformers.logging.is_progress_bar_enabled()
    transformers.logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        transformers.logging.set_verbosity(level)
        if bars:
            transformers.logging.enable_progress_bar()


def find_device(device: str) -> torch.device:
    """Return what `auto`, `cpu`, `cuda`, `cuda:1` or `mps` means on this machine.

    Raises ChoiceError when PyTorch has no such device, ModelError when it is not here.
    """
    kind, number = parse_device(device)
    cuda_count = torch.cuda.device_count()
    has_mps = torch.backends.mps.is_available()
    if kind == "auto":
        return torch.device("cuda" if cuda_count else "mps" if has_mps else "cpu")
    if kind == "openvino":
        raise ChoiceError(f"device {device}: PyTorch does not compute on it: use cpu, cuda or mps")
    if kind == "mps" and not has_mps:
        raise ModelError("device mps: this torch sees no Apple GPU")
    if kind == "cuda" and number >= cuda_count:
        raise ModelError(f"device {device}: this torch sees {cuda_count} CUDA GPUs")
    return torch.device(device)


def _choose_precision(device: torch.device, resnet: bool) -> str:
    """Return 16 bits wherever the hardware computes so and the model bears it, else fp32."""
    if device.type == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16" if has_bf16 and not resnet else "fp16"
    if device.type == "mps":
        return "fp16"
    return "bf16" if _has_bf16() and not resnet else "fp32"


def _has_bf16() -> bool:
    """Return whether this CPU multiplies bf16 matrices in hardware (AMX, AVX512_BF16).

    PyTorch has private functions only for this; Linux lists the flags, and other systems count as
    without.
    """
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8").split()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags
