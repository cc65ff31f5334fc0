"""Pictures: decoded, compared with test pictures, and made to look like frames of videos."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

ImageFile.LOAD_TRUNCATED_IMAGES = True

SIZE = 192  # pixels a side that the image tower sees
MAX_BITS_APART = 5  # of the 64 of perceptual hashes of one picture
MIN_CORRELATION = 0.97  # of outlines of one picture

Generator = np.random.Generator
_K, _N = np.mgrid[:8, :32]
_DCT = np.cos(np.pi * _K * (2 * _N + 1) / 64).astype(np.float32)


def load(data: bytes | Image.Image, reduced: bool = True) -> Image.Image | None:
    """Decode a picture to RGB, scaled down where it is large; None if it cannot be read."""
    try:
        picture = Image.open(io.BytesIO(data)) if isinstance(data, bytes) else data
        if reduced:
            picture.draft("RGB", (448, 448))
        if picture.mode == "P":
            picture = picture.convert("RGBA")
        picture = picture.convert("RGB")
        if reduced and max(picture.size) > 1200:
            picture.thumbnail((640, 640))
        return picture
    except Exception:  # of many kinds: each of Pillow's decoders has its own
        return None


def squeeze(picture: Image.Image, size: int = SIZE) -> Image.Image:
    """Resize the whole picture to a square, as the model sees frames."""
    return picture.resize((size, size), Image.Resampling.BILINEAR, reducing_gap=3.0)


def perceptual_hash(picture: Image.Image) -> int:
    """Return 64 bits: signs of the lowest 8 x 8 cosine coefficients about their median."""
    grey = np.asarray(picture.convert("L").resize((32, 32), Image.Resampling.BILINEAR), np.float32)
    low = (_DCT @ grey @ _DCT.T).ravel()
    return int(np.packbits(low > np.median(low[1:])).view(">u8")[0])


def outline(picture: Image.Image) -> NDArray[np.float32]:
    """Return 16 x 16 grey values, centred, of unit length: float32 (256,)."""
    grey = np.asarray(picture.convert("L").resize((16, 16), Image.Resampling.BOX), np.float32)
    grey = grey.ravel() - grey.mean()
    return grey / (np.linalg.norm(grey) + 1e-6)


def match(picture: Image.Image, hashes: NDArray[np.uint64], outlines: NDArray[np.float32]) -> bool:
    """Tell whether a picture is nearly one of those with these hashes and outlines."""
    apart = np.bitwise_count(hashes ^ np.uint64(perceptual_hash(picture)))
    alike = float((outlines @ outline(picture)).max())
    return bool(apart.min() <= MAX_BITS_APART or alike >= MIN_CORRELATION)


def crop(picture: Image.Image, rng: Generator) -> Image.Image:
    """Return a random part of 35 % or more, wide or tall, squeezed to a square."""
    aspect = np.exp(rng.uniform(*np.log((0.6, 1.7))))
    area = rng.uniform(0.35, 1.0)
    width, height = min(1.0, np.sqrt(area * aspect)), min(1.0, np.sqrt(area / aspect))
    left, top = rng.uniform(0, 1 - width), rng.uniform(0, 1 - height)
    across, down = picture.size
    box = (left * across, top * down, (left + width) * across, (top + height) * down)
    return picture.resize((SIZE, SIZE), Image.Resampling.BILINEAR, box)


def soften(picture: Image.Image, rng: Generator) -> Image.Image:
    """Put a square out of focus, as if filmed small."""
    small = max(8, int(picture.width * rng.uniform(0.2, 0.7)))
    reduced = picture.resize((small, small), Image.Resampling.BILINEAR)
    return reduced.resize(picture.size, Image.Resampling.BICUBIC)


def compress(picture: Image.Image, rng: Generator) -> Image.Image:
    """Compress as JPEG of low quality."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=int(rng.integers(8, 50)))
    return Image.open(buffer).convert("RGB")


def dim(picture: Image.Image, rng: Generator) -> Image.Image:
    """Take the light away: dark, with noise."""
    pixels = np.asarray(picture, np.float32) * rng.uniform(0.15, 0.5)
    pixels += rng.normal(0, rng.uniform(1, 8), pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def recolour(picture: Image.Image, rng: Generator) -> Image.Image:
    """Change brightness, contrast and saturation at random."""
    pixels = np.asarray(picture, np.float32)
    mean = pixels.mean()
    pixels = (pixels - mean) * rng.uniform(0.75, 1.25) + mean * rng.uniform(0.75, 1.25)
    grey = pixels.mean(2, keepdims=True)
    pixels = (pixels - grey) * rng.uniform(0.75, 1.25) + grey
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


DEGRADATIONS = ((soften, 0.2), (dim, 0.14), (compress, 0.15))


def vary(picture: Image.Image, rng: Generator) -> Image.Image:
    """Return one training view of a picture: a square of `SIZE` pixels."""
    view = crop(picture, rng)
    if rng.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.5:
        view = recolour(view, rng)
    for change, share in DEGRADATIONS:
        if rng.random() < share:
            view = change(view, rng)
    return view
