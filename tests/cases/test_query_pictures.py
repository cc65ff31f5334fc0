"""Pictures as queries came out white, black or not at all, or started other programs."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

import media
from framefind.errors import QueryError
from framefind.search.query_images import read_image
from framefind.server.api.search import check_image
from framefind.video.views import WHOLE


def picture() -> Image.Image:
    """Coloured quarters, and a ramp of greys over all their values."""
    pixels = media.corners((96, 64))
    pixels[24:40] = np.linspace(0, 255, 96).astype(np.uint8)[:, None]
    return Image.fromarray(pixels)


GREY = np.asarray(picture().convert("L"))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def tiff(values: NDArray[np.generic], sample_format: int = 1, white: int = 1) -> bytes:
    """Write a grey TIFF with the given SampleFormat; `white` is 0 where 0 means white."""
    height, width = values.shape
    data = values.astype(values.dtype.newbyteorder("<")).tobytes()
    bits = values.dtype.itemsize * 8
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, white), (273, 8)]
    tags += [(277, 1), (278, height), (279, len(data)), (339, sample_format)]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    return head + data + struct.pack("<H", len(tags)) + entries + bytes(4)


def pgm(values: NDArray[np.uint16], white: int) -> bytes:
    return b"P5 96 64 %d\n" % white + values.astype(">u2").tobytes()


FLOATS = (GREY / 255).astype(np.float32)
SPOILT = FLOATS.copy()
SPOILT[1, 1:4] = np.nan, np.inf, -np.inf
DEEP = {
    "16-bit.png": encoded(Image.fromarray(GREY.astype(np.uint16) * 257)),
    "16-bit.tif": encoded(Image.fromarray(GREY.astype(np.uint16) * 257), "TIFF"),
    "12-bit.tif": encoded(Image.fromarray(GREY.astype(np.uint16) * 16), "TIFF"),
    "32-bit.tif": encoded(Image.fromarray(GREY.astype(np.int32) * 257), "TIFF"),
    "32-bit-whole-range.tif": tiff(GREY.astype(np.uint32) * 16843009),
    "white-is-zero.tif": tiff(65535 - GREY.astype(np.uint16) * 257, white=0),
    "float.tif": encoded(Image.fromarray(FLOATS), "TIFF"),
    "float-to-255.tif": encoded(Image.fromarray(FLOATS * 255), "TIFF"),
    "float-with-nan.tif": encoded(Image.fromarray(SPOILT), "TIFF"),
    "16-bit.pgm": pgm(GREY.astype(np.uint16) * 257, 65535),
    "float.pfm": b"Pf\n96 64\n-1.0\n" + FLOATS[::-1].astype("<f4").tobytes(),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_grey_is_what_its_8_bits_are(name: str) -> None:
    expected = read_image(encoded(Image.fromarray(GREY)), WHOLE, 64).astype(int)
    assert np.abs(read_image(DEEP[name], WHOLE, 64) - expected).mean() < 1


def test_values_of_no_usual_range_are_stretched() -> None:
    for values in (FLOATS * 7.5, FLOATS * 2 - 1, FLOATS * 1e9, -FLOATS[:, ::-1]):
        pixels = read_image(encoded(Image.fromarray(values.astype(np.float32)), "TIFF"), WHOLE, 64)
        assert pixels.min() < 40
        assert pixels.max() > 215
    for nothing in (np.nan, np.inf, 0):
        flat = Image.fromarray(np.full((8, 8), nothing, np.float32))
        assert read_image(encoded(flat, "TIFF"), WHOLE, 64).max() == 0


def test_a_turned_16_bit_picture_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(np.rot90(GREY).astype(np.uint16) * 257)
    expected = read_image(encoded(Image.fromarray(GREY)), WHOLE, 64)
    np.testing.assert_array_equal(read_image(encoded(image, exif=exif), WHOLE, 64), expected)


@pytest.mark.parametrize("mode", ["CMYK", "YCbCr", "LAB", "P", "RGBA"])
def test_colour_models_keep_their_colours(mode: str) -> None:
    if mode == "LAB":
        srgb = ImageCms.createProfile("sRGB")
        lab = ImageCms.createProfile("LAB")
        image = ImageCms.profileToProfile(picture(), srgb, lab, outputMode="LAB")
    else:
        image = picture().convert(mode)
    content = encoded(image, "PNG" if mode in ("P", "RGBA") else "TIFF")
    found = read_image(content, WHOLE, 64).astype(int)
    assert np.abs(found - read_image(encoded(picture()), WHOLE, 64)).mean() < 6


def test_a_profile_counts_and_a_broken_one_does_not() -> None:
    """In the profile's colours, red and green have changed places."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = data.index(b"rXYZ"), data.index(b"gXYZ")
    data[red : red + 4], data[green : green + 4] = b"gXYZ", b"rXYZ"
    data = data.replace("sRGB".encode("utf-16-be"), "swap".encode("utf-16-be"))
    red_picture = Image.new("RGB", (16, 16), (255, 0, 0))
    pixels = read_image(encoded(red_picture, icc_profile=bytes(data)), WHOLE, 64)[32, 32]
    assert pixels[1] > 200 > 90 > pixels[0]
    assert read_image(encoded(red_picture, icc_profile=b"nonsense"), WHOLE, 64)[32, 32, 0] == 255


def test_the_first_picture_of_an_animation_is_taken() -> None:
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "blue")
    for kind in ("GIF", "PNG", "WEBP", "TIFF"):
        content = encoded(first, kind, save_all=True, append_images=[second])
        assert read_image(content, WHOLE, 64)[32, 32].argmax() == 0


# -- what is refused


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 100\nshowpage\n"


def test_no_other_program_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of PostScript that is called .jpg would start Ghostscript."""
    ghostscript = tmp_path / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    ghostscript.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    path = tmp_path / "cat.jpg"
    path.write_bytes(POSTSCRIPT)
    with pytest.raises(QueryError, match=r"cat\.jpg: not a picture.*save it as PNG or JPEG"):
        read_image(path, WHOLE, 64)
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize("kind", ["AVIF", "WEBP", "PNG", "JPEG", "TIFF", "GIF", "JPEG2000", "DDS"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_what_is_damaged_is_an_error_that_says_what_to_do(kind: str) -> None:
    whole = encoded(picture(), kind)
    rng = np.random.default_rng(7)
    damaged = [whole[:size] for size in (10, 100, len(whole) // 2, len(whole) - 20)]
    for _ in range(40):
        spoilt = bytearray(whole)
        for at in rng.integers(0, len(whole), 12):
            spoilt[at] = rng.integers(256)
        damaged.append(bytes(spoilt))
    errors = []
    for content in damaged:
        try:
            read_image(content, WHOLE, 64)
        except QueryError as error:
            errors.append(str(error))
    assert errors
    assert all(error.startswith("the picture: ") for error in errors)
    assert all("save it" in error or "scale it down" in error for error in errors)


def test_an_uploaded_picture_has_25_megapixels_at_most() -> None:
    check_image(encoded(Image.new("1", (5000, 5000))))
    large = encoded(Image.new("1", (5001, 5000)))
    with pytest.raises(QueryError, match="too many"):
        check_image(large)
    assert read_image(large, WHOLE, 64).shape == (64, 64, 3)
    with pytest.raises(QueryError, match="not a picture"):
        check_image(encoded(picture(), "TIFF"))
