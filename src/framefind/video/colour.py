"""The colours of a decoded picture: from any encoding of light to sRGB, 8 bits per channel.

HDR is brought into the range of a plain screen, wide gamuts into that of BT.709, and what is
transparent is laid over black. FFmpeg multiplies by the matrix, since it does that while it scales;
everything else is done here, on the pixels that are left.
"""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""RGB, (height, width, 3)."""

Deep = NDArray[np.uint16]
"""Signals of 16 bits: red, green, blue by n pixels."""

Light = NDArray[np.float32]
"""The same, decoded: linear light, 1 for a diffuse white."""


class Conversion(NamedTuple):
    """How a picture becomes RGB: the format that FFmpeg makes of it, and what is done to that."""

    layout: str
    finish: Callable[[NDArray[np.generic]], Pixels]


def conversion(picture: av.VideoFrame) -> Conversion:
    """Return how to make RGB of a picture, from its pixel format and colour tags."""
    light = _LIGHT.get(int(picture.color_trc))
    primaries = int(picture.color_primaries)
    to_bt709 = _TO_BT709.get(primaries)
    if light and primaries != ColorPrimaries.BT709:  # untagged, or one that is never used so
        to_bt709 = _TO_BT709.get(primaries, _TO_BT709[ColorPrimaries.BT2020])
    transparent = has_alpha(picture)
    if light or to_bt709 is not None:
        # FFmpeg's packed 16-bit formats come out purple of a picture that keeps its height.
        layout = "gbrap16le" if transparent else "gbrp16le"
        return Conversion(layout, partial(_mapped, light=light, to_bt709=to_bt709))
    if transparent:
        return Conversion("rgba", _over_black)
    if _is_grey(picture) and picture.color_range == ColorRange.MPEG:
        return Conversion("rgb24", _full_range)
    return Conversion("rgb24", _unchanged)


def matrix(picture: av.VideoFrame) -> Colorspace | None:
    """Return the matrix to assume where a picture names none that FFmpeg knows, else None.

    BT.2020 for HDR and for colours of BT.2020, else BT.709 for HD and BT.601 below.
    """
    if picture.format.is_rgb or picture.colorspace in _NAMED_MATRICES:
        return None
    if picture.color_trc in _LIGHT or picture.color_primaries == ColorPrimaries.BT2020:
        return Colorspace.BT2020
    hd = picture.width >= 1280 or picture.height > 576
    return Colorspace.ITU709 if hd else Colorspace.ITU601


def has_alpha(picture: av.VideoFrame) -> bool:
    """Tell whether a picture's pixel format has an alpha channel."""
    return any(part.is_alpha for part in picture.format.components)


def _is_grey(picture: av.VideoFrame) -> bool:
    return len(picture.format.components) == 1 and not picture.format.has_palette


def _unchanged(pixels: NDArray[np.generic]) -> Pixels:
    return pixels.astype(np.uint8, copy=False)


def _full_range(pixels: NDArray[np.generic]) -> Pixels:
    """Stretch 16 to 235: FFmpeg takes all grey for full range, whatever it is tagged as."""
    stretched = np.rint((np.arange(256) - 16) * (255 / 219)).clip(0, 255).astype(np.uint8)
    return np.asarray(stretched[pixels.astype(np.uint8, copy=False)])


def _over_black(pixels: NDArray[np.generic]) -> Pixels:
    rgba = pixels.astype(np.uint8, copy=False)
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    if not alpha.any():  # a plane that was never filled in, not a picture of nothing
        return np.ascontiguousarray(colour)
    return (colour.astype(np.uint16) * alpha // 255).astype(np.uint8)


# -- HDR and wide gamuts

_WHITE = 203.0  # nits of a diffuse white in HDR (ITU-R BT.2408)
_PEAK = 1000.0  # nits of the brightest highlight that still differs from brighter ones
_BRIGHTEST = 64.0  # light, beyond PQ's 10,000 nits
_STEPS = 4095
_AT_ONCE = 2**15  # pixels: what is computed of them stays in the processor's cache

_NAMED_MATRICES = {1, 4, 5, 6, 7, 9}  # AVColorSpace values whose matrix swscale knows
_TO_BT709: dict[int, Light] = {
    ColorPrimaries.BT2020: np.array(  # ITU-R BT.2087
        [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
        np.float32,
    ),
    ColorPrimaries.SMPTE432: np.array(  # Display P3
        [[1.2249, -0.2249, 0.0], [-0.0420, 1.0420, 0.0], [-0.0196, -0.0786, 1.0982]], np.float32
    ),
}
_TO_LUMINANCE = np.array([0.2627, 0.6780, 0.0593], np.float32)  # ITU-R BT.2100


def _mapped(
    pixels: NDArray[np.generic],
    light: Callable[[Deep], Light] | None,
    to_bt709: Light | None,
) -> Pixels:
    """Map pixels of 16 bits to sRGB: `light` decodes HDR, `to_bt709` is the matrix of a gamut."""
    deep = pixels.astype(np.uint16, copy=False)
    shown = np.empty((*deep.shape[:2], 3), np.uint8)
    signals, colours = deep[..., :3].reshape(-1, 3), shown.reshape(-1, 3)
    for start in range(0, len(signals), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        linear = (light or _sdr_light)(signals[part].T.copy())
        if to_bt709 is not None:
            linear = np.maximum(to_bt709 @ linear, 0)
        if light:
            _tone_map(linear)
        linear *= _STEPS
        steps = np.minimum(linear, _STEPS).astype(np.int32)
        colours[part] = _encoded_srgb().take(steps).T
    if deep.shape[2] == 4:
        alpha = (deep[..., 3:] >> 8).astype(np.uint8)
        return _over_black(np.concatenate([shown, alpha], axis=2))
    return shown


def _pq_light(signals: Deep) -> Light:
    return _pq_table().take(signals)


def _hlg_light(signals: Deep) -> Light:
    """Decode HLG as a screen of `_PEAK` nits shows it (ITU-R BT.2100, with its OOTF)."""
    scene = _hlg_table().take(signals)
    luminance = np.maximum(_TO_LUMINANCE @ scene, 1e-6)
    scene *= luminance**0.2 * np.float32(_PEAK / _WHITE)
    return scene


def _sdr_light(signals: Deep) -> Light:
    return _srgb_table().take(signals)


_LIGHT: dict[int, Callable[[Deep], Light]] = {
    ColorTrc.SMPTE2084: _pq_light,
    ColorTrc.ARIB_STD_B67: _hlg_light,
}
"""What decodes HDR, by the transfer characteristic."""


def _tone_map(linear: NDArray[np.float32]) -> None:
    """Bring light into 0 to 1, in place; all channels by the same factor, which keeps the hue."""
    brightest = np.minimum(linear.max(axis=0), _BRIGHTEST)
    steps = np.sqrt(brightest * np.float32(_STEPS**2 / _BRIGHTEST))
    linear *= _gains().take(steps.astype(np.int32))


@cache
def _gains() -> Light:
    """Return the factor for each brightness, by the square root of it in `_STEPS`.

    The curve is ITU-R BT.2390's from `_PEAK` to a diffuse white: what is darker than a knee stays
    as it is, above it a spline in PQ's steps of equal visibility leads to 1.
    """
    light = (np.arange(_STEPS + 1) / _STEPS) ** 2 * _BRIGHTEST
    light[0] = light[1] / 4
    whole = _pq_signal(_PEAK / _WHITE)
    signal = np.minimum(_pq_signal(light) / whole, 1)
    top = _pq_signal(1.0) / whole
    knee = 1.5 * top - 0.5
    t = np.maximum(signal - knee, 0) / (1 - knee)
    spline = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * top
    )
    mapped = _pq_inverse(np.where(signal < knee, signal, spline) * whole)
    return np.asarray(np.minimum(mapped, 1) / light, np.float32)


def _pq_signal(light: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return PQ's signal, 0 to 1, of light (ITU-R BT.2100)."""
    power = np.asarray(light * _WHITE / 10000) ** 0.1593017578125
    return np.asarray(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def _pq_inverse(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light of PQ's signal."""
    root = signal ** (1 / 78.84375)
    power = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return np.asarray(power ** (1 / 0.1593017578125) * 10000 / _WHITE)


@cache
def _pq_table() -> Light:
    return _pq_inverse(np.arange(65536) / 65535).astype(np.float32)


@cache
def _hlg_table() -> Light:
    """Return HLG's 16 bits as light of the scene, 0 to 1 (ITU-R BT.2100)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    signal = np.arange(65536) / 65535
    low, high = signal**2 / 3, (np.exp((signal - c) / a) + b) / 12
    return np.where(signal <= 0.5, low, high).astype(np.float32)


@cache
def _srgb_table() -> Light:
    signal = np.arange(65536) / 65535
    power = ((signal + 0.055) / 1.055) ** 2.4
    return np.where(signal <= 0.04045, signal / 12.92, power).astype(np.float32)


@cache
def _encoded_srgb() -> Pixels:
    """Return the 8 bits of sRGB for light in `_STEPS`."""
    light = np.arange(_STEPS + 1) / _STEPS
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(encoded * 255), np.uint8)
