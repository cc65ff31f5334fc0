"""Files of 2 GiB and more, most of which is a hole."""

import struct
from pathlib import Path

import pytest

import media
from framefind.video.decode import Video
from framefind.video.open import Beginning
from framefind.video.samplers import parse_sampler


@pytest.mark.parametrize("size", [2**31 - 2**20, 2**31 + 2**20, 2**32 + 2**20])
def test_a_file_whose_index_lies_far_behind(tmp_path: Path, size: int) -> None:
    film = media.film(tmp_path / "film.mp4")
    content = film.read_bytes()
    index = content.rfind(b"moov") - 4
    large = tmp_path / "large.mp4"
    with large.open("wb") as file:
        file.write(content[:index] + struct.pack(">I4sQ", 1, b"free", size))
        file.seek(index + size)
        file.write(content[index:])
    every = parse_sampler("every=0.2")
    with Video(film) as small, Video(large) as video:
        times = [frame.t for frame in video.frames(every)]
        assert times == [frame.t for frame in small.frames(every)] != []
        assert video.partial is None


def test_the_beginning_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    file = Beginning(str(tmp_path / "a"), 6)
    assert (file.seek(-2, 2), file.read(9), file.read(9), file.tell()) == (4, b"45", b"", 6)
    assert (file.seek(8), file.read(1)) == (8, b"")
    assert (file.rewind().read(3), file.seek(1, 1), file.read(1)) == (b"012", 4, b"4")
