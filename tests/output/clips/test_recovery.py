"""Clips of H.264 whose keyframes do not close off what came before (open groups of pictures)."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from framefind.output.clips.container import clip_suffix
from framefind.output.clips.cut import cut_clip
from framefind.output.clips.recovery import CannotRenumberError, Renumbering
from media import film

SIZE = (96, 48)
COUNT = 60
FPS = 25
MARGIN = {"a.mp4": 0.0, "a.mkv": 0.001, "a.ts": 0.001}
"""Seconds by which a file's times are rounded."""


def moving(seed: int) -> list[NDArray[np.uint8]]:
    """Return pictures that move unevenly, with a square of noise, so that every one is told."""
    chance = np.random.default_rng(seed)
    ground = chance.integers(0, 256, (40, 40, 3), np.uint8).repeat(4, 0).repeat(4, 1)
    places = chance.integers(-2, 4, (COUNT, 2)).cumsum(0)
    pictures = [np.roll(ground, place, (0, 1))[: SIZE[1], : SIZE[0]].copy() for place in places]
    for number, picture in enumerate(pictures):
        left = 2 * number % 80
        picture[16:32, left : left + 16] = chance.integers(0, 256, (16, 16, 3), np.uint8)
    return pictures


def write(path: Path, options: dict[str, str], more: str = "") -> Path:
    params = f"open-gop=1:scenecut=0:log-level=error:{more}"
    return film(
        path,
        fps=FPS,
        size=SIZE,
        pictures=moving(len(options)),
        options=options | {"x264-params": params},
    )


def read(path: Path) -> list[NDArray[np.uint8]]:
    with av.open(path) as container:
        container.streams.video[0].codec_context.options = {"err_detect": "explode"}
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def check(source: Path, begin: int, after: int, folder: Path) -> tuple[int, int]:
    """Cut a clip, compare it frame by frame, and return how many were copied and encoded."""
    margin = MARGIN[source.name]
    target = folder / f"b{clip_suffix(str(source), None)}"
    cut = cut_clip(str(source), begin / FPS + margin, after / FPS - margin, target)
    shown = read(target)
    own = read(source)[begin:after]
    assert len(shown) == len(own) == cut.copied + cut.encoded
    differences = [np.abs(a.astype(int) - b).mean() for a, b in zip(shown, own, strict=True)]
    assert max(differences) < 8
    assert differences.count(0) >= cut.copied
    return cut.copied, cut.encoded


@given(
    st.sampled_from([*MARGIN]),
    st.fixed_dictionaries(
        {
            "g": st.sampled_from(["7", "12"]),
            "bf": st.sampled_from(["0", "2", "5"]),
            "refs": st.sampled_from(["1", "3", "6"]),
        }
    ),
    st.sampled_from(["b-pyramid=none", "b-pyramid=strict", "b-pyramid=normal"]),
    st.sampled_from(["cabac=0", "cabac=1:slices=3", "interlaced=1", "weightp=0:b-adapt=0"]),
    st.data(),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_they_are_exact_and_mostly_copied(tmp_path, name, options, pyramid, more, data):
    source = write(tmp_path / name, options, f"{pyramid}:{more}")
    begin = data.draw(st.integers(0, COUNT - 1))
    after = data.draw(st.integers(begin + 1, COUNT))
    _, encoded = check(source, begin, after, tmp_path)
    assert encoded <= 2 * (int(options["g"]) + int(options["bf"]))


def test_what_cannot_be_renumbered_is_encoded_again(tmp_path, monkeypatch):
    def refuse(self, data, is_first):
        raise CannotRenumberError("no")

    source = write(tmp_path / "a.mp4", {"g": "12", "bf": "3"})
    copied, encoded = check(source, 5, 50, tmp_path)
    assert (copied, encoded) == (45 - encoded, encoded)
    assert copied > 25
    monkeypatch.setattr(Renumbering, "rewrite", refuse)
    assert check(source, 5, 50, tmp_path) == (0, 45)


def test_a_picture_that_is_refreshed_bit_by_bit_is_no_keyframe(tmp_path):
    """Only some frames later all of it is right."""
    source = write(tmp_path / "a.ts", {"g": "12", "bf": "0"}, "intra-refresh=1")
    assert check(source, 5, 50, tmp_path) == (0, 45)


@pytest.mark.parametrize("data", [b"", b"\x41", b"\x41\x9a" + bytes(5), b"\x22" * 20])
def test_broken_slices_are_refused(data):
    with pytest.raises(CannotRenumberError):
        Renumbering([], 0, 0).rewrite(b"\0\0\1\x41" + data, True)
