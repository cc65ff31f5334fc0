"""The colours of a decoded picture: from any encoding of light to sRGB, 8 bits per channel.

HDR is mapped to the range of a plain screen, wide gamuts to that of BT.709, and transparent
pictures are laid over black. FFmpeg applies the matrix, since it does that while it scales;
everything else is done here, on the scaled pixels.
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
"""Decoded signals: linear light, 1 for a diffuse white; red, green, blue by n pixels."""


DEEP_LAYOUT = "gbrp16le"
"""FFmpeg's name of RGB in 16 bits; its packed ones turn purple when a picture keeps its height."""


class Conversion(NamedTuple):
    """How a picture becomes RGB: the pixel format that FFmpeg converts to, and what follows."""

    layout: str
    finish: Callable[[NDArray[np.generic]], Pixels]


def choose_conversion(picture: av.VideoFrame) -> Conversion:
    """Return how to convert a picture to RGB, by its pixel format and colour tags."""
    light = _LIGHT.get(int(picture.color_trc))
    primaries = int(picture.color_primaries)
    to_bt709 = _TO_BT709.get(primaries)
    if light and primaries != ColorPrimaries.BT709:  # untagged, or a tag that HDR never has
        to_bt709 = _TO_BT709.get(primaries, _TO_BT709[ColorPrimaries.BT2020])
    transparent = has_alpha(picture)
    if light or to_bt709 is not None:
        layout = "gbrap16le" if transparent else DEEP_LAYOUT
        return Conversion(layout, partial(_mapped, light=light, to_bt709=to_bt709))
    if transparent:
        return Conversion("rgba", _over_black)
    if _is_grey(picture) and picture.color_range == ColorRange.MPEG:
        return Conversion("rgb24", _full_range)
    return Conversion("rgb24", _unchanged)


def choose_matrix(picture: av.VideoFrame) -> Colorspace | None:
    """Return the matrix to assume where a picture is tagged with none that FFmpeg knows, else None.

    BT.2020 for HDR and for primaries of BT.2020, else BT.709 for HD and BT.601 below.
    """
    if picture.format.is_rgb or picture.colorspace in _NAMED_MATRICES:
        return None
    if picture.color_trc in _LIGHT or picture.color_primaries == ColorPrimaries.BT2020:
        return Colorspace.BT2020
    hd = picture.width >= 1280 or picture.height > 576
    return Colorspace.ITU709 if hd else Colorspace.ITU601


def find_hdr(transfer: int, primaries: int) -> int:
    """Return the transfer characteristic of HDR in BT.2020, by its tags; 0 for all else."""
    is_wide = primaries in (ColorPrimaries.BT2020, ColorPrimaries.UNSPECIFIED)
    return transfer if is_wide and transfer in _LIGHT else 0


def has_alpha(picture: av.VideoFrame) -> bool:
    """Return whether a picture's pixel format has an alpha channel."""
    return any(part.is_alpha for part in picture.format.components)


def _is_grey(picture: av.VideoFrame) -> bool:
    return len(picture.format.components) == 1 and not picture.format.has_palette


def _unchanged(pixels: NDArray[np.generic]) -> Pixels:
    return pixels.astype(np.uint8, copy=False)


def _full_range(pixels: NDArray[np.generic]) -> Pixels:
    """Stretch 16 to 235: FFmpeg takes all grey for full range, whatever its tag."""
    stretched = np.rint((np.arange(256) - 16) * (255 / 219)).clip(0, 255).astype(np.uint8)
    return np.asarray(stretched[pixels.astype(np.uint8, copy=False)])


def _over_black(pixels: NDArray[np.generic]) -> Pixels:
    rgba = pixels.astype(np.uint8, copy=False)
    colour = rgba[..., :3]
    alpha = rgba[..., 3:]
    if not alpha.any():  # the alpha plane was never filled in
        return np.ascontiguousarray(colour)
    return (colour.astype(np.uint16) * alpha // 255).astype(np.uint8)


# -- HDR and wide gamuts

_WHITE_NITS = 203.0  # of a diffuse white in HDR (ITU-R BT.2408)
_PEAK_NITS = 1000.0  # of the brightest highlight that still differs from brighter ones
_MAX_LIGHT = 64.0  # beyond PQ's 10,000 nits
_LIGHT_STEPS = 4095  # of light, in tables
_MAX_PIXELS_AT_ONCE = 2**15  # so that intermediate results stay in the processor's cache

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
    """Map pixels of 16 bits to sRGB: `light` decodes HDR, `to_bt709` converts from a wide gamut."""
    deep = pixels.astype(np.uint16, copy=False)
    rgb = np.empty((*deep.shape[:2], 3), np.uint8)
    signals = deep[..., :3].reshape(-1, 3)
    colours = rgb.reshape(-1, 3)
    for start in range(0, len(signals), _MAX_PIXELS_AT_ONCE):
        part = slice(start, start + _MAX_PIXELS_AT_ONCE)
        linear = (light or _sdr_light)(signals[part].T.copy())
        if to_bt709 is not None:
            linear = np.maximum(to_bt709 @ linear, 0)
        if light:
            _tone_map(linear)
        linear *= _LIGHT_STEPS
        steps = np.minimum(linear, _LIGHT_STEPS).astype(np.int32)
        colours[part] = _encoded_srgb().take(steps).T
    if deep.shape[2] == 4:
        alpha = (deep[..., 3:] >> 8).astype(np.uint8)
        return _over_black(np.concatenate([rgb, alpha], axis=2))
    return rgb


def _pq_light(signals: Deep) -> Light:
    return _pq_table().take(signals)


def _hlg_light(signals: Deep) -> Light:
    """Decode HLG as on a screen of `_PEAK_NITS` (ITU-R BT.2100, with its OOTF)."""
    scene = _hlg_table().take(signals)
    luminance = np.maximum(_TO_LUMINANCE @ scene, 1e-6)
    scene *= luminance**0.2 * np.float32(_PEAK_NITS / _WHITE_NITS)
    return scene


def _sdr_light(signals: Deep) -> Light:
    return _srgb_table().take(signals)


_LIGHT: dict[int, Callable[[Deep], Light]] = {
    ColorTrc.SMPTE2084: _pq_light,
    ColorTrc.ARIB_STD_B67: _hlg_light,
}
"""Decoders of HDR, by transfer characteristic."""


def _tone_map(linear: NDArray[np.float32]) -> None:
    """Map light to 0 to 1, in place; all channels by one factor, which keeps the hue."""
    brightest = np.minimum(linear.max(axis=0), _MAX_LIGHT)
    steps = np.sqrt(brightest * np.float32(_LIGHT_STEPS**2 / _MAX_LIGHT))
    linear *= _gains().take(steps.astype(np.int32))


@cache
def _gains() -> Light:
    """Return the factor for each brightness, indexed by its square root in `_LIGHT_STEPS`.

    The curve is ITU-R BT.2390's from `_PEAK_NITS` to a diffuse white: below a knee, light stays as
    it is; above it, a spline in PQ's perceptually even steps leads to 1.
    """
    light = (np.arange(_LIGHT_STEPS + 1) / _LIGHT_STEPS) ** 2 * _MAX_LIGHT
    light[0] = light[1] / 4
    whole = _pq_signal(_PEAK_NITS / _WHITE_NITS)
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
    """Return the PQ signal, 0 to 1, for light (ITU-R BT.2100)."""
    power = np.asarray(light * _WHITE_NITS / 10000) ** 0.1593017578125
    return np.asarray(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)


def _pq_inverse(signal: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the light for a PQ signal."""
    root = signal ** (1 / 78.84375)
    power = np.maximum(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)
    return np.asarray(power ** (1 / 0.1593017578125) * 10000 / _WHITE_NITS)


@cache
def _pq_table() -> Light:
    return _pq_inverse(np.arange(65536) / 65535).astype(np.float32)


@cache
def _hlg_table() -> Light:
    """Return the light of the scene, 0 to 1, for 16 bits of HLG (ITU-R BT.2100)."""
    a = 0.17883277
    b = 0.28466892
    c = 0.55991073
    signal = np.arange(65536) / 65535
    low = signal**2 / 3
    high = (np.exp((signal - c) / a) + b) / 12
    return np.where(signal <= 0.5, low, high).astype(np.float32)


@cache
def _srgb_table() -> Light:
    signal = np.arange(65536) / 65535
    power = ((signal + 0.055) / 1.055) ** 2.4
    return np.where(signal <= 0.04045, signal / 12.92, power).astype(np.float32)


@cache
def _encoded_srgb() -> Pixels:
    """Return the 8 bits of sRGB for light in `_LIGHT_STEPS`."""
    light = np.arange(_LIGHT_STEPS + 1) / _LIGHT_STEPS
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.asarray(np.rint(encoded * 255), np.uint8)
