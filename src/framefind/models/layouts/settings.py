"""JSON settings that lie beside weights, read so that an error names the file."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from framefind.errors import ModelError

RESIZE_FILTERS = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic", 4: "box", 5: "hamming"}
"""Pillow's filters by the number that settings of transformers give them."""

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def read_json(file: Path) -> dict[str, Any]:
    """Read a JSON object. Raises ModelError when the file cannot be read or holds none."""
    try:
        content = json.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ModelError(f"{file}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise ModelError(f"{file}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ModelError(f"{file}: expected an object")
    return content


@contextmanager
def open_settings(file: Path) -> Iterator[dict[str, Any]]:
    """Yield a JSON object; an entry that is missing or wrong becomes a ModelError."""
    settings = read_json(file)
    try:
        yield settings
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ModelError(f"{file}: missing or wrong entry: {error}") from None


def read_pad_token(folder: Path, settings: dict[str, Any]) -> str:
    """Return the padding token of a tokenizer's settings. Raises ModelError when there is none."""
    token = settings.get("pad_token")
    if token is None and (folder / "special_tokens_map.json").exists():
        token = read_json(folder / "special_tokens_map.json").get("pad_token")
    if isinstance(token, dict):
        token = token["content"]
    if not isinstance(token, str):
        raise ModelError(f"{folder / 'tokenizer_config.json'}: names no pad_token")
    return token


def square_side(size: object) -> int:
    """Return the side of a square that is given as a number, a pair, or height and width.

    Raises ValueError for a rectangle.
    """
    if isinstance(size, dict):
        sides = set(size.values())
    else:
        sides = set(size) if isinstance(size, list | tuple) else {size}
    if len(sides) != 1:
        raise ValueError(f"images of size {size}: only square ones are supported")
    return int(sides.pop())


def per_channel(values: Sequence[float]) -> tuple[float, ...]:
    """Return three numbers. Raises ValueError when they are more or fewer."""
    if len(values) != 3:
        raise ValueError(f"{values} is not one number per channel")
    return tuple(map(float, values))
