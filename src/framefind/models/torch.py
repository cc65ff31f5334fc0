"""Models that PyTorch runs: checkpoints of transformers and open_clip. The extra [torch] is needed.

Importing this module imports torch, which takes seconds: nobody does before such a model is asked
for.
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
from framefind.models import backends
from framefind.models.checkpoints import INSTALL, Checkpoint
from framefind.models.confidence import Neutral
from framefind.models.tokenizer import open_tokenizer, tokens, word_tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}

_BATCH = {"cpu": 32, "mps": 64, "cuda": 256}  # inputs per run: more gain nothing and cost memory


class TorchModel:
    """A model whose towers PyTorch runs; each is loaded when it is first used."""

    neutral: Neutral | None = None

    def __init__(
        self,
        name: str,
        checkpoint: Checkpoint,
        device: str = "auto",
        precision: str = "auto",
        revision: str = "",
    ) -> None:
        """`revision` is the commit that the checkpoint came from, if any.

        Raises ModelError for a device that is not here, or a precision that torch does not have.
        """
        towers = checkpoint.towers
        self.name = name
        self.dimensions, self.scale = towers.dimensions, towers.scale
        self.size, self.resize = towers.pictures.size, towers.pictures.resize
        if checkpoint.weights[0].suffix != ".safetensors":
            self.scale = _pickled_scale(checkpoint.weights[0], self.scale)
        self.checkpoint = checkpoint
        self.device = find_device(device)
        if backends.threads():
            torch.set_num_threads(backends.threads())
        auto = precision == "auto"
        self.precision = _precision(self.device, towers.resnet) if auto else precision
        if self.precision not in TYPES:
            raise ModelError(f"model {name}: torch runs {', '.join(TYPES)}, not {precision}")
        if self.precision == "bf16" and towers.resnet:
            raise ModelError(f"model {name}: bf16 loses too much in a ResNet: use fp32 or fp16")
        self._revision = revision

    @property
    def backend(self) -> str:
        """Describe what computes the vectors, on which device and at which precision."""
        return f"PyTorch on {self.device}, {self.precision}"

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """What decides the vectors, as the library stores it.

        `source` is the same for every precision and every export of the checkpoint.
        """
        facts = {
            "model": self.name,
            "weights": self.checkpoint.hash(),
            "dimensions": str(self.dimensions),
            "preprocessing": self.checkpoint.towers.preprocessing,
            "precision": self.precision,
            "revision": self._revision,
            "runtime": "torch",
            "source": self.checkpoint.source(),
        }
        return {key: value for key, value in facts.items() if value}

    def embed_images(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed uint8 RGB (n, size, size, 3) into float32 unit rows (n, dimensions)."""
        return self._run(self._image_tower, pictures)

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Embed n texts into float32 unit rows (n, dimensions). Raises QueryError for no text."""
        texts = several(texts)
        if not texts:
            return np.empty((0, self.dimensions), np.float32)
        ids, mask = tokens(self._tokenizer, self.checkpoint.towers.texts, texts)
        return self._run(self._text_tower, ids, mask)

    def tokenize(self, word: str) -> list[str]:
        """Split one word, or a run of symbols, into the tokens that the text encoder reads."""
        return word_tokens(self._tokenizer, self.checkpoint.towers.texts, word)

    def _run(self, tower: torch.nn.Module, *inputs: NDArray[Any]) -> NDArray[np.float32]:
        """Run a tower batch by batch; the copies between devices are a batch's only waits."""
        count, batch = len(inputs[0]), _BATCH[self.device.type]
        vectors = np.empty((count, self.dimensions), np.float32)
        with torch.inference_mode():
            for start in range(0, count, batch):
                rows = slice(start, start + batch)
                given = [torch.tensor(part[rows]).to(self.device) for part in inputs]
                found = torch.nn.functional.normalize(tower(*given), dim=-1)
                if found.shape[1] != self.dimensions:
                    raise ModelError(
                        f"model {self.name}: a tower gives vectors of {found.shape[1]} dimensions, "
                        f"its settings promise {self.dimensions}"
                    )
                vectors[rows] = found.cpu().numpy()
        return vectors

    def tower(self, side: str, precision: str = "") -> torch.nn.Module:
        """A tower, `image` or `text`, on the model's device.

        The image tower takes uint8 (n, size, size, 3), the text tower ids and mask, int64
        (n, length); both give float32 (n, dimensions), not yet of unit length. Raises ModelError
        when the weights cannot be loaded.
        """
        dtype = TYPES[precision or self.precision]
        try:
            with _quiet():
                encode = _ENCODERS[self.checkpoint.kind](self.checkpoint, side, dtype)
        except ModelError:
            raise
        except ImportError as error:
            raise ModelError(f"model {self.name}: {error}: {INSTALL}") from None
        except Exception as error:  # of torch, safetensors, transformers or open_clip
            raise ModelError(f"{self.checkpoint.weights[0]}: cannot be loaded: {error}") from None
        pictures = self.checkpoint.towers.pictures
        tower = (
            _ImageTower(encode, pictures.mean, pictures.std, dtype)
            if side == "image"
            else _TextTower(encode)
        )
        return tower.eval().to(self.device)

    @cached_property
    def _image_tower(self) -> torch.nn.Module:
        return self.tower("image")

    @cached_property
    def _text_tower(self) -> torch.nn.Module:
        return self.tower("text")

    @cached_property
    def _tokenizer(self) -> "Tokenizer":
        return open_tokenizer(self.checkpoint.towers.texts)


class _ImageTower(torch.nn.Module):
    def __init__(
        self,
        encode: torch.nn.Module,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        self.encode, self.dtype = encode, dtype
        self.register_buffer("mean", 255 * torch.tensor(mean).reshape(-1, 1, 1))
        self.register_buffer("std", 255 * torch.tensor(std).reshape(-1, 1, 1))

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        values = (pictures.permute(0, 3, 1, 2).to(torch.float32) - self.mean) / self.std
        return self.encode(values.to(self.dtype)).to(torch.float32)


class _TextTower(torch.nn.Module):
    def __init__(self, encode: torch.nn.Module) -> None:
        super().__init__()
        self.encode = encode

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return self.encode(ids, mask).to(torch.float32)


class _Encoder(torch.nn.Module):
    """A model of another package and what to call of it."""

    def __init__(self, model: torch.nn.Module, call: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.model, self.call = model, call

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        return self.call(self.model, *given)


def _transformers(checkpoint: Checkpoint, side: str, dtype: torch.dtype) -> torch.nn.Module:
    """One tower of a CLIP or SigLIP of transformers; the other one is not even read."""
    import transformers

    folder = str(checkpoint.folder)
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    part = config.vision_config if side == "image" else config.text_config
    clip = config.model_type == "clip"
    if clip:
        part.projection_dim = config.projection_dim
    name = {
        (True, "image"): "CLIPVisionModelWithProjection",
        (True, "text"): "CLIPTextModelWithProjection",
        (False, "image"): "SiglipVisionModel",
        (False, "text"): "SiglipTextModel",
    }[clip, side]
    model, found = getattr(transformers, name).from_pretrained(
        folder,
        config=part,
        dtype=dtype,
        use_safetensors=True,
        local_files_only=True,
        output_loading_info=True,
    )
    if found["missing_keys"]:
        lacks = ", ".join(sorted(found["missing_keys"])[:3])
        raise ModelError(f"{checkpoint.weights[0]}: these are not all weights, it lacks {lacks}")

    def call(model: torch.nn.Module, *given: torch.Tensor) -> torch.Tensor:
        if not clip:
            return model(given[0]).pooler_output
        if side == "image":
            return model(given[0]).image_embeds
        return model(input_ids=given[0], attention_mask=given[1]).text_embeds

    return _Encoder(model, call)


def _open_clip(checkpoint: Checkpoint, side: str, dtype: torch.dtype) -> torch.nn.Module:
    """A model of open_clip, of whose towers only one is used."""
    import open_clip

    model = open_clip.create_model(
        f"local-dir:{checkpoint.folder}", load_weights=False, pretrained_text=False
    )
    open_clip.load_checkpoint(model, str(checkpoint.weights[0]), weights_only=True)
    encode = "encode_image" if side == "image" else "encode_text"
    return _Encoder(model.to(dtype), lambda model, *given: getattr(model, encode)(given[0]))


_ENCODERS = {"transformers": _transformers, "open_clip": _open_clip}


def _pickled_scale(file: Path, otherwise: float) -> float:
    """The learned scale in a pickle, of which only numbers are read."""
    try:
        weights = torch.load(file, "cpu", mmap=True, weights_only=True)
        learned = weights.get("state_dict", weights).get("logit_scale")
    except Exception as error:  # of torch, which refuses a pickle that is more than numbers
        raise ModelError(f"{file}: cannot be loaded: {error}") from None
    return otherwise if learned is None else float(learned.float().exp())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice, bars and warnings of the packages that load."""
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
    """The device that `auto`, `cpu`, `cuda`, `cuda:1` or `mps` means here.

    Raises ModelError when it is not here.
    """
    cuda, mps = torch.cuda.device_count(), torch.backends.mps.is_available()
    if device == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    kind, _, number = device.partition(":")
    if device not in ("cpu", "cuda", "mps") and not (kind == "cuda" and number.isdecimal()):
        raise ChoiceError(f"device {device!r}: use auto, cpu, cuda, cuda:1 and so on, or mps")
    if kind == "mps" and not mps:
        raise ModelError("device mps: this torch sees no Apple GPU")
    if kind == "cuda" and int(number or 0) >= cuda:
        raise ModelError(f"device {device}: this torch sees {cuda} CUDA GPUs")
    return torch.device(device)


def _precision(device: torch.device, resnet: bool) -> str:
    """The fastest precision that keeps what is found: 16 bits wherever the hardware computes so."""
    if device.type == "cuda":
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False) and not resnet
        return "bf16" if bf16 else "fp16"
    if device.type == "mps":
        return "fp16"
    return "bf16" if _has_bf16() and not resnet else "fp32"


def _has_bf16() -> bool:
    """Whether this CPU multiplies bf16 matrices in hardware (AMX, AVX512_BF16), as Linux tells."""
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8").split()
    except OSError:
        return False
    return "amx_bf16" in flags or "avx512_bf16" in flags
