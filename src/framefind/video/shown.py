"""The pictures that a video shows at given times."""

import os
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from framefind import arguments
from framefind.errors import VideoError
from framefind.video.decode import Video
from framefind.video.frame import Frame


def frame(path: str | os.PathLike[str], t: float) -> NDArray[np.uint8]:
    """Return the upright RGB picture shown at `t` seconds: uint8 (height, width, 3).

    That is the last frame at or before `t`, or the first frame if `t` is before it. Raises
    VideoError past the end.
    """
    (picture,) = frames(path, [t])
    return picture


def frames(path: str | os.PathLike[str], times: Iterable[float]) -> Iterator[NDArray[np.uint8]]:
    """Yield the picture at each time, as `frame` does; the video is opened once."""
    with Video(arguments.text(path, "path")) as video:
        for t in times:
            arguments.number(t, "t")
            current = _find_shown(video, t)
            yield current.scale(current.width, current.height)


def _find_shown(video: Video, t: float) -> Frame:
    current: Frame | None = None
    for later in video.read_from(t, 1):
        if later.t > t and current is not None:
            break
        current = later
        if later.t > t:
            break
    else:
        end = video.end(current)
        if t > end:
            raise VideoError(f"{video.path}: {t} s is past its end at {end:.3f} s")
    assert current is not None
    return current
