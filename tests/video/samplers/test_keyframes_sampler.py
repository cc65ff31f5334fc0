"""`keyframes` gives whole pictures, and those of a whole pass from wherever it begins."""

import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler

RATE = 5
GROUP = 25  # frames between two keyframes
COUNT = 6 * GROUP
WIDTH, HEIGHT = 1280, 32  # wide: a refresh takes as many frames as there are columns of blocks


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video whose keyframes but the first are spread over many frames."""
    path = tmp_path_factory.mktemp("refresh") / "refreshed.mp4"
    rng = np.random.default_rng(0)
    scenes = rng.integers(0, 255, (5, HEIGHT // 16, WIDTH // 16, 3)).astype(np.uint8)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(RATE))
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.options = {"x264-params": f"intra-refresh=1:keyint={GROUP}:bframes=0"}
        for number in range(COUNT):
            blocks = np.roll(scenes[number // 35], number, axis=1)
            picture = np.kron(blocks, np.ones((16, 16, 1), np.uint8))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def show(path: Path, sampler: str, start: float = 0.0, end: float = math.inf) -> dict[float, bytes]:
    """Return the pictures that a sampler gives, by time."""
    with Video(path) as video:
        frames = video.frames(parse_sampler(sampler), start, end)
        return {round(frame.t, 3): frame.scale(WIDTH // 4, HEIGHT).tobytes() for frame in frames}


def test_keyframes_that_are_spread_over_many_frames_are_whole(refreshed):
    everything = show(refreshed, f"every={1 / RATE}")
    keyframes = show(refreshed, "keyframes")
    assert list(keyframes) == [at / RATE for at in range(0, COUNT, GROUP)]
    assert keyframes == {t: everything[t] for t in keyframes}


@pytest.mark.parametrize("sampler", ["keyframes", "every=1", "count=9"])
@pytest.mark.parametrize(("start", "end"), [(5.0, 15.0), (10.2, math.inf), (11.0, 21.0)])
def test_a_span_of_such_a_video_lacks_nothing(refreshed, sampler, start, end):
    whole = show(refreshed, sampler)
    expected = {t: picture for t, picture in whole.items() if start <= t < end}
    assert show(refreshed, sampler, start, end) == expected
