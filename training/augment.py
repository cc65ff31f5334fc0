"""Pictures made to look like frames of people's videos: cropped, blurred, boxed, dark."""

import io

import numpy as np
import torch
import towers
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

Generator = np.random.Generator
SQUEEZE = (0.6, 1.7)  # aspect of a crop against the picture's own: wide, tall and square views


def crop(picture: Image.Image, size: int, smallest: float, rng: Generator) -> Image.Image:
    """A random part of at least `smallest` of the area, squeezed to a square."""
    aspect = np.exp(rng.uniform(*np.log(SQUEEZE)))
    area = rng.uniform(smallest, 1.0)
    width, height = min(1.0, np.sqrt(area * aspect)), min(1.0, np.sqrt(area / aspect))
    left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
    box = np.array([left, top, left + width, top + height]) * picture.width
    return picture.resize((size, size), Image.Resampling.BILINEAR, tuple(box.tolist()))


def soften(picture: Image.Image, rng: Generator) -> Image.Image:
    """Out of focus, or filmed small."""
    small = max(8, int(picture.width * rng.uniform(0.25, 0.7)))
    reduced = picture.resize((small, small), Image.Resampling.BILINEAR)
    return reduced.resize(picture.size, Image.Resampling.BICUBIC)


def compress(picture: Image.Image, rng: Generator) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(rng.integers(8, 50)))
    return Image.open(buffer).convert("RGB")


def letterbox(picture: Image.Image, rng: Generator) -> Image.Image:
    """Black bars above and below, or (a portrait video in a wide frame) left and right."""
    size = picture.width
    bar = int(size * rng.uniform(0.06, 0.3))
    boxed = Image.new("RGB", picture.size)
    if rng.random() < 0.6:
        boxed.paste(picture.resize((size, size - 2 * bar)), (0, bar))
    else:
        boxed.paste(picture.resize((size - 2 * bar, size)), (bar, 0))
    return boxed


def dim(picture: Image.Image, rng: Generator) -> Image.Image:
    """Little light: dark, with noise."""
    pixels = np.asarray(picture, np.float32) * rng.uniform(0.15, 0.5)
    pixels += rng.normal(0, rng.uniform(1, 8), pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


DEGRADATIONS = ((soften, 0.08), (letterbox, 0.06), (dim, 0.05), (compress, 0.06))


def frame(
    pixels: NDArray[np.uint8], size: int, smallest: float, degrade: bool, rng: Generator
) -> NDArray[np.uint8]:
    """One training view of a stored picture."""
    picture = crop(Image.fromarray(pixels), size, smallest, rng)
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    for change, share in DEGRADATIONS if degrade else ():
        if rng.random() < share:
            picture = change(picture, rng)
    return np.asarray(picture)


def colours(batch: Tensor) -> Tensor:
    """Random brightness, contrast and saturation of (n, 3, s, s) float pixels, in place."""

    def factor(spread: float) -> Tensor:
        return batch.new_empty(len(batch), 1, 1, 1).uniform_(1 - spread, 1 + spread)

    mean = batch.mean((1, 2, 3), keepdim=True)
    batch.sub_(mean).mul_(factor(0.3)).add_(mean * factor(0.3))
    grey = batch.mean(1, keepdim=True)
    return batch.sub_(grey).mul_(factor(0.3)).add_(grey).clamp_(0, 255)


def normalise(pixels: Tensor) -> Tensor:
    """(n, s, s, 3) uint8 to what the image tower takes, with random colours."""
    batch = colours(pixels.permute(0, 3, 1, 2).float())
    mean = batch.new_tensor(towers.MEAN).view(1, 3, 1, 1)
    std = batch.new_tensor(towers.STD).view(1, 3, 1, 1)
    return batch.sub_(mean).div_(std).contiguous(memory_format=torch.channels_last)
