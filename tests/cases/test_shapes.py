"""Pictures were upside down, stretched or had black bars: they are shown as their file asks."""

import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

import media
from framefind.server.playback import probe, transcode
from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler
from framefind.video.shown import frame

# -- turned, beside side data that PyAV has no name for


def photos(path: Path, exif: int | None, rotation: float | None = None) -> Path:
    """Write a MOV of JPEG pictures that say how they are turned, as some cameras do."""
    tags = Image.Exif()
    if exif:
        tags[0x0112] = exif
    file = io.BytesIO()
    Image.fromarray(media.corners()).save(file, "JPEG", exif=tags, quality=95)
    with av.open(path, "w") as container:
        stream = container.add_stream("mjpeg", rate=5)
        stream.width = 64
        stream.height = 48
        stream.pix_fmt = "yuvj420p"
        if rotation is not None:
            stream.set_display_rotation(rotation)
        for i in range(5):
            packet = av.Packet(file.getvalue())
            packet.pts = packet.dts = i
            packet.time_base = Fraction(1, 5)
            packet.stream = stream
            packet.is_keyframe = True
            container.mux(packet)
    return path


def test_the_containers_turn_counts_beside_exif(tmp_path: Path) -> None:
    shown = frame(photos(tmp_path / "film.mov", 1, 180), 0)
    assert media.quarters(shown) == ["white", "blue", "green", "red"]


@pytest.mark.parametrize("exif", range(1, 9))
def test_pictures_turn_as_their_exif_says(tmp_path: Path, exif: int) -> None:
    tags = Image.Exif()
    tags[0x0112] = exif
    file = io.BytesIO()
    Image.fromarray(media.corners()).save(file, "PNG", exif=tags)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(file)))
    shown = frame(photos(tmp_path / "film.mov", exif), 0)
    assert shown.shape == upright.shape
    assert media.quarters(shown) == media.quarters(upright)


# -- the shape of pixels, and of pictures, may change


def circle(size: tuple[int, int], aspect: Fraction) -> NDArray[np.uint8]:
    """A white circle on black, as pixels of that aspect ratio have to store it."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    x, y = (x - width / 2) * float(aspect), y - height / 2
    picture = np.zeros((height, width, 3), np.uint8)
    picture[np.hypot(x, y) < height * 0.4] = 255
    return picture


def roundness(picture: NDArray[np.uint8]) -> float:
    """The width of what is white in a picture over its height."""
    white = picture.max(axis=2) > 128
    return float(np.ptp(np.flatnonzero(white.any(0))) / np.ptp(np.flatnonzero(white.any(1))))


PARTS = [((160, 128), Fraction(16, 15)), ((160, 128), Fraction(64, 45)), ((256, 144), Fraction(1))]
SIZES = [(171, 128), (228, 128), (256, 144)]


@pytest.fixture
def broadcast(tmp_path: Path) -> Path:
    """4:3, then 16:9, then HD: two seconds each, joined as a recorder does."""
    data = b""
    for i, (size, aspect) in enumerate(PARTS):
        times = [2 * i + n / 25 for n in range(50)]
        part = media.film(
            tmp_path / "part.ts", size=size, fps=25, times=times, aspect=aspect,
            pictures=[circle(size, aspect)] * 50, options={"g": "10", "bf": "3"},
        )  # fmt: skip
        data += part.read_bytes()
    path = tmp_path / "film.ts"
    path.write_bytes(data)
    return path


def test_every_frame_has_the_shape_that_its_part_has(broadcast: Path) -> None:
    with Video(broadcast) as video:
        assert (video.facts.width, video.facts.height) == SIZES[0]
        shown = list(video.frames(parse_sampler("every=0.2")))
    assert {(one.width, one.height) for one in shown} == set(SIZES)
    for one in shown:
        part = min(2, int(one.t / 2))
        assert (one.width, one.height) == SIZES[part], one.t
        assert roundness(one.scale(one.width, one.height)) == pytest.approx(1, abs=0.03)
        thumbnail = np.asarray(Image.open(io.BytesIO(one.thumbnail())))
        assert thumbnail.shape[:2] == SIZES[part][::-1]
        assert roundness(thumbnail) == pytest.approx(1, abs=0.03)


def test_frame_clip_and_stream_keep_a_circle(broadcast: Path, tmp_path: Path) -> None:
    size = broadcast.stat().st_size
    list(transcode.write_clip(str(broadcast), size, 0.0, 6.0, str(tmp_path / "clip.mp4")))
    stream = b"".join(transcode.transcode_stream(str(broadcast), size, 0.0))
    (tmp_path / "stream.mp4").write_bytes(stream)
    for path in (broadcast, tmp_path / "clip.mp4", tmp_path / "stream.mp4"):
        for t in (1.0, 3.0, 5.0):
            assert roundness(frame(path, t)) == pytest.approx(1, abs=0.03)


def with_elements(path: Path, elements: dict[str, int]) -> Path:
    """Put elements of one byte, by their ids, into the Video element of a Matroska file."""
    data = path.read_bytes()
    at = data.index(b"\x54\xb2\x81\x04")  # DisplayUnit; then what is not of Video, and a Void
    room = data.index(b"\xec\x01", at) + 9 - at
    room += data[at + room - 1]
    video = b"".join(bytes.fromhex(ident) + bytes([0x81, n]) for ident, n in elements.items())
    rest = room - len(video)
    assert rest >= 2
    video += b"\xec" + bytes([0x80 + rest - 2]) + b"\0" * (rest - 2)
    start = data.rindex(b"\xe0", 0, at)
    size = bytes([0x80 + at + room - start - 2])
    path.write_bytes(data[: start + 1] + size + data[start + 2 : at] + video + data[at + room :])
    return path


def test_a_containers_aspect_overrules_the_pictures(tmp_path: Path) -> None:
    """As in players: what a Matroska file says of its display size is what counts."""
    path = media.film(tmp_path / "film.mkv", aspect=Fraction(4, 3), pictures=[media.corners()])
    assert frame(path, 0).shape == (48, 85, 3)
    assert frame(with_elements(path, {"54b0": 96, "54ba": 48}), 0).shape == (48, 96, 3)


# -- what a container crops


def cropped(
    path: Path, left: int, top: int, right: int, bottom: int, pix_fmt: str, codec: str = "ffv1"
) -> Path:
    """Write a Matroska file whose pictures have a black frame that the container crops."""
    picture = np.zeros((128, 192, 3), np.uint8)
    picture[top : 128 - bottom, left : 192 - right] = media.corners(
        (192 - left - right, 128 - top - bottom)
    )
    media.film(path, size=(192, 128), pictures=[picture] * 5, pix_fmt=pix_fmt, codec=codec)
    return with_elements(path, {"54cc": left, "54bb": top, "54dd": right, "54aa": bottom})


@pytest.mark.parametrize("sides", [(0, 20, 0, 20), (16, 4, 32, 8), (6, 3, 5, 1)])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_what_a_container_crops_is_not_shown(
    tmp_path: Path, sides: tuple[int, int, int, int], pix_fmt: str
) -> None:
    left, top, right, bottom = sides
    path = cropped(tmp_path / "film.mkv", *sides, pix_fmt)
    shown = frame(path, 0)
    assert shown.shape == (128 - top - bottom, 192 - left - right, 3)
    assert media.quarters(shown) == ["red", "green", "blue", "white"]
    assert shown.max(axis=2).min() > 40  # nothing black is left
    with Video(path) as video:
        assert (video.facts.height, video.facts.width) == shown.shape[:2]
        (one,) = video.frames(parse_sampler("count=1"))
        assert one.scale(32, 32).max(axis=2).min() > 40
        size = Image.open(io.BytesIO(one.thumbnail())).size
    assert size == (shown.shape[1], shown.shape[0])


def test_what_is_cropped_is_not_copied_into_streams(tmp_path: Path) -> None:
    path = cropped(tmp_path / "film.mkv", 0, 20, 0, 20, "yuv420p", "libx264")
    assert probe.probe(str(path), path.stat().st_size, 0).kind == "transcode"
    made = tmp_path / "made.mp4"
    made.write_bytes(b"".join(transcode.transcode_stream(str(path), path.stat().st_size, 0.0)))
    assert frame(made, 0).shape == (88, 192, 3)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv420p10le", "yuv444p"])
def test_an_odd_crop_shows_nothing_of_what_it_cuts(tmp_path: Path, pix_fmt: str) -> None:
    """Colour is stored for two pixels at a time: one column may be lost, none is black or false."""
    shown = frame(cropped(tmp_path / "film.mkv", 7, 3, 5, 1, pix_fmt), 0)
    assert shown.shape == (124, 180 if pix_fmt == "yuv444p" else 179, 3)
    assert media.quarters(shown) == ["red", "green", "blue", "white"]
    assert shown.max(axis=2).min() > 40


def test_mp4s_clean_aperture_counts(tmp_path: Path) -> None:
    source = cropped(tmp_path / "film.mkv", 0, 20, 0, 20, "yuvj420p", "mjpeg")
    path = tmp_path / "film.mov"
    with av.open(str(source)) as given, av.open(str(path), "w") as made:
        stream = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                made.mux(packet)
    if b"clap" not in path.read_bytes():
        pytest.skip("this FFmpeg writes no clean aperture")
    assert frame(path, 0).shape == (88, 192, 3)
