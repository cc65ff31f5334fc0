"""Documents, archives and programs in which FFmpeg sees a video are passed over."""

import io
import zipfile
from pathlib import Path

import pytest
from PIL import Image

import framefind
import media
from framefind.errors import NotAVideoError, VideoError
from framefind.video.decode import Video


def _jpegs() -> list[bytes]:
    files = [io.BytesIO() for _ in range(8)]
    for file, picture in zip(files, media.ramp(8, (640, 480)), strict=True):
        Image.fromarray(picture).save(file, "JPEG")
    return [file.getvalue() for file in files]


def test_pictures_in_slides_and_archives_are_no_video(tmp_path: Path) -> None:
    for name in ("talk.pptx", "book.epub"):
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_STORED) as archive:
            for number, jpeg in enumerate(_jpegs()):
                archive.writestr(f"{number}.jpg", jpeg)
    (tmp_path / "mail.eml").write_bytes(b"From: me\n\n" + b"".join(_jpegs()))
    media.film(tmp_path / "film.mjpeg", codec="mjpeg", pix_fmt="yuvj420p")
    library = framefind.open(tmp_path / "l")
    report = library.index(tmp_path, sampler="count=2", views="whole")
    assert [Path(path).name for path in report.indexed] == ["film.mjpeg"]
    assert report.failed == {}
    assert report.passed_over == 3


@pytest.mark.parametrize(("name", "kind"), [("list.mo", NotAVideoError), ("film.mpg", VideoError)])
def test_what_only_looks_like_a_raw_stream_fails_by_its_name(
    tmp_path: Path, name: str, kind: type[VideoError]
) -> None:
    raw = media.film(tmp_path / "a.m4v", codec="mpeg4", container_format="m4v").read_bytes()
    at = raw.find(b"\0\0\1\xb6")
    (tmp_path / name).write_bytes(raw[:at] + b"\0\0\1\xb6\0" * 50)
    with pytest.raises(VideoError) as error, Video(tmp_path / name):
        pass
    assert error.type is kind


def test_a_short_text_is_no_karaoke(tmp_path: Path) -> None:
    text = b"\x09\x01" + bytes(22)
    (tmp_path / "main.f").write_bytes(text)
    with pytest.raises(NotAVideoError), Video(tmp_path / "main.f"):
        pass
