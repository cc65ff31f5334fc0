"""HDR and wide gamuts came out purple, pale or dark: every picture shows the colours it encodes."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from framefind.server.playback import transcode
from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler
from framefind.video.shown import frame

PATCHES = [(220, 30, 30), (30, 200, 30), (30, 30, 220), (240, 200, 40), (128, 128, 128)]
PQ = 16
HLG = 18
BT709 = 1
FORMATS = [
    *("yuv420p10le", "yuv420p12le", "yuv422p10le", "yuv422p12le", "yuv444p10le", "yuv444p12le"),
    *("yuv420p", "gbrp10le", "gbrp12le", "yuva444p10le"),
]
TO_BT2020 = np.array(  # ITU-R BT.2087
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)


def signal(transfer: int) -> NDArray[np.uint16]:
    """The patches side by side as BT.2020 signals: uint16 (48, 320, 3). White has 203 nits."""
    srgb = np.array(PATCHES) / 255
    light = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    light = light @ TO_BT2020.T
    if transfer == PQ:
        power = (light * 203 / 10000) ** 0.1593017578125
        encoded = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    elif transfer == HLG:
        luminance = light @ [0.2627, 0.6780, 0.0593] * 0.203
        scene = light * 0.203 * luminance[:, None] ** (1 / 1.2 - 1)
        high = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        encoded = np.where(scene <= 1 / 12, np.sqrt(3 * scene), high)
    else:
        encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    row = np.repeat(np.rint(encoded * 65535), 64, axis=0).astype(np.uint16)
    return np.broadcast_to(row, (48, *row.shape)).copy()


def film(
    path: Path,
    transfer: int,
    pix_fmt: str = "yuv420p10le",
    codec: str = "ffv1",
    full: bool = False,
    matrix: int = 9,
) -> Path:
    """Write five frames of the patches, encoded so and tagged as BT.2020."""
    source = av.VideoFrame.from_ndarray(signal(transfer), "gbrp16le")
    picture = source.reformat(
        format=pix_fmt, dst_colorspace="BT2020", dst_color_range="JPEG" if full else "MPEG"
    )
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=5)
        stream.width = 320
        stream.height = 48
        stream.pix_fmt = pix_fmt
        context = stream.codec_context
        context.color_trc = transfer
        context.color_primaries = 9
        context.colorspace = 0 if "gbr" in pix_fmt else matrix
        context.color_range = 2 if full else 1
        for i in range(5):
            picture.pts = i
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def off(shown: NDArray[np.uint8]) -> float:
    """By how much the worst of the patches, anywhere in a picture of them, is off: of 255."""
    height, width = shown.shape[:2]
    found = [shown[height // 2, width * (2 * i + 1) // 10].astype(float) for i in range(5)]
    return max(
        float(np.abs(one - wanted).max()) for one, wanted in zip(found, PATCHES, strict=True)
    )


@pytest.mark.parametrize("pix_fmt", FORMATS)
@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_every_format_shows_its_colours_at_every_size(
    tmp_path: Path, transfer: int, pix_fmt: str
) -> None:
    path = film(tmp_path / "film.mkv", transfer, pix_fmt)
    assert off(frame(path, 0)) < 22  # what the tone curve takes from the brightest
    with Video(path) as video:
        (one,) = video.frames(parse_sampler("count=1"))
        assert off(one.scale(160, 24)) < 22
        assert off(one.scale(320, 24)) < 22
        assert off(one.scale(160, 48)) < 22
        assert off(np.asarray(Image.open(io.BytesIO(one.thumbnail())))) < 35


@pytest.mark.parametrize("codec", ["libx265", "libx264"])
@pytest.mark.parametrize("transfer", [PQ, HLG])
@pytest.mark.parametrize("full", [False, True])
def test_the_tags_of_the_bitstream_count(
    tmp_path: Path, codec: str, transfer: int, full: bool
) -> None:
    path = film(tmp_path / "film.mp4", transfer, codec=codec, full=full)
    assert off(frame(path, 0)) < 24


@pytest.mark.parametrize("matrix", [2, 10, 11, 12, 13, 14])  # 10: BT.2020, constant luminance
def test_a_matrix_that_ffmpeg_does_not_know_is_taken_for_the_usual_one(
    tmp_path: Path, matrix: int
) -> None:
    path = film(tmp_path / "film.mp4", PQ, codec="libx265", matrix=matrix)
    assert off(frame(path, 0)) < 24


def test_clips_and_streams_are_plain_sdr(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mkv", PQ)
    size = path.stat().st_size
    list(transcode.write_clip(str(path), size, 0.0, 1.0, str(tmp_path / "clip.mp4")))
    (tmp_path / "stream.mp4").write_bytes(
        b"".join(transcode.transcode_stream(str(path), size, 0.0))
    )
    for made in ("clip.mp4", "stream.mp4"):
        assert off(frame(tmp_path / made, 0.4)) < 35
        with av.open(tmp_path / made) as container:
            context = container.streams.video[0].codec_context
            tags = (context.color_trc, context.color_primaries, context.colorspace)
            assert (*tags, context.pix_fmt) == (BT709, BT709, BT709, "yuv420p")


@pytest.mark.parametrize("pix_fmt", ["yuv420p10le", "yuv420p", "gbrp10le"])
def test_sdr_of_a_wide_gamut_is_brought_into_that_of_screens(tmp_path: Path, pix_fmt: str) -> None:
    path = film(tmp_path / "film.mkv", BT709, pix_fmt)
    assert off(frame(path, 0)) < 8


def test_white_and_black_stay_and_highlights_differ(tmp_path: Path) -> None:
    """Up to 700 nits, what is brighter is shown brighter."""
    levels = []
    for nits in (0, 100, 203, 400, 700, 1000, 10000):
        power = (nits / 10000) ** 0.1593017578125
        pq = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
        picture = np.full((48, 64, 3), round(pq * 65535), np.uint16)
        source = av.VideoFrame.from_ndarray(picture, "gbrp16le")
        with av.open(tmp_path / "film.mkv", "w") as container:
            stream = container.add_stream("ffv1", rate=5)
            stream.width = 64
            stream.height = 48
            stream.pix_fmt = "gbrp12le"
            stream.codec_context.color_trc = PQ
            stream.codec_context.color_primaries = 9
            container.mux(stream.encode(source.reformat(format="gbrp12le")))
            container.mux(stream.encode(None))
        levels.append(int(frame(tmp_path / "film.mkv", 0)[24, 32].mean()))
    assert levels[0] == 0
    assert levels[-1] >= levels[-2] >= 253
    assert np.all(np.diff(levels[:5]) > 1)
    assert levels[2] > 220


def test_grey_of_limited_range_has_white_and_black(tmp_path: Path) -> None:
    for level, expected in [(16, 0), (235, 255), (126, 128)]:
        picture = av.VideoFrame.from_ndarray(np.full((48, 64), level, np.uint8), "gray")
        picture.color_range = 1
        with av.open(tmp_path / "film.mkv", "w") as container:
            stream = container.add_stream("ffv1", rate=5)
            stream.width = 64
            stream.height = 48
            stream.pix_fmt = "gray"
            stream.codec_context.color_range = 1
            container.mux(stream.encode(picture))
            container.mux(stream.encode(None))
        assert np.abs(frame(tmp_path / "film.mkv", 0).astype(int) - expected).max() <= 1
