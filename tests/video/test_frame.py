"""A large picture is made smaller first: that must not show."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from framefind.video.frame import Frame, Scaler

FORMATS = ["yuv420p", "yuvj420p", "yuv422p10le", "yuv444p", "nv12", "p010le"]


def shown(width: int, height: int) -> NDArray[np.uint8]:
    """A few coloured boxes over a ramp: uint8 RGB (height, width, 3)."""
    rng = np.random.default_rng(width * height)
    x, y = np.meshgrid(np.arange(width) / width, np.arange(height) / height)
    picture = np.stack([x * 255, y * 255, (1 - x) * 255], -1).astype(np.uint8)
    for left, top, *colour in rng.integers(0, [width, height, 256, 256, 256], (6, 5)):
        picture[top : top + height // 4, left : left + width // 4] = colour
    return picture


def as_video(picture: NDArray[np.uint8], pix_fmt: str, space: str = "ITU709") -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
    return frame.reformat(format=pix_fmt, dst_colorspace=space)


def off(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other).mean())


@settings(max_examples=40)
@given(
    st.integers(640, 1400),
    st.integers(360, 1400),
    st.sampled_from(FORMATS),
    st.integers(16, 320),
    st.integers(16, 320),
)
def test_a_reduced_picture_scales_as_pillow_scales_the_whole(
    width: int, height: int, pix_fmt: str, across: int, down: int
) -> None:
    picture = shown(width, height)
    space = "ITU709" if width >= 1280 or height > 576 else "ITU601"
    frame = Frame(0.0, as_video(picture, pix_fmt, space), Scaler())
    wanted = Image.fromarray(picture).resize((across, down), Image.Resampling.BILINEAR)
    assert off(frame.scale(across, down), np.asarray(wanted)) < 3.0


FILTERS = ["bilinear", "bicubic", "lanczos", "box"]


@pytest.mark.parametrize("size", [(1920, 1080), (480, 270)])
@pytest.mark.parametrize("resize", FILTERS)
def test_a_model_gets_the_filter_that_it_names(resize: str, size: tuple[int, int]) -> None:
    picture = shown(*size)
    frame = Frame(0.0, as_video(picture, "yuv444p"), Scaler())
    found = frame.scale(96, 64, f"{resize}, centre")
    by = {
        one: off(
            found,
            np.asarray(Image.fromarray(picture).resize((96, 64), Image.Resampling[one.upper()])),
        )
        for one in FILTERS
    }
    assert min(by, key=by.__getitem__) == resize


def test_the_colours_are_those_of_the_large_picture() -> None:
    """Where no file names the matrix, size tells it, of which little is left."""
    picture = np.full((1080, 1920, 3), (200, 40, 60), np.uint8)
    frame = Frame(0.0, as_video(picture, "yuv420p"), Scaler())
    frame._picture.colorspace = 2  # unspecified
    assert off(frame.scale(64, 36), picture[:36, :64]) < 2
    assert frame._reduced is not None
    assert frame._reduced[0] == 3


def test_all_sizes_share_one_reduced_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    reduce = Scaler.reduce
    monkeypatch.setattr(Scaler, "reduce", lambda self, *of: made.append(of[1]) or reduce(self, *of))
    frame = Frame(0.0, as_video(shown(3840, 2160), "yuv420p"), Scaler())
    frame.scale(398, 224)
    frame.scale(224, 224)
    frame.thumbnail()
    assert made == [4]


@pytest.mark.parametrize("pix_fmt", ["rgb24", "gray", "gbrp", "yuva420p", "yuyv422"])
def test_other_formats_are_scaled_at_once(pix_fmt: str) -> None:
    picture = shown(1920, 1080)
    frame = Frame(0.0, as_video(picture, pix_fmt), Scaler())
    found = frame.scale(64, 36)
    assert frame._reduced is None
    wanted = np.asarray(Image.fromarray(picture).resize((64, 36), Image.Resampling.BILINEAR))
    if pix_fmt != "gray":
        assert off(found, wanted) < 3.0


def test_what_is_hardly_scaled_is_not_reduced() -> None:
    frame = Frame(0.0, as_video(shown(1280, 720), "yuv420p"), Scaler())
    frame.scale(640, 400)
    assert frame._reduced is None
