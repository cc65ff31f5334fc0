"""`keyframes`: the frames that decode on their own. Nothing else is decoded, which is fastest."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from framefind.video.samplers.base import FrameSource, GivenTimes, Sampler, Selection

if TYPE_CHECKING:
    from framefind.video.frame import Frame

_TYPICAL_SECONDS = 2.0  # between two keyframes, for estimates


@dataclass(frozen=True)
class Keyframes(Sampler):
    """Take all keyframes."""

    usage: ClassVar[str] = "keyframes"
    splittable: ClassVar[bool] = True

    @property
    def name(self) -> str:
        """Return `keyframes`."""
        return "keyframes"

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read `keyframes`."""
        return cls() if name == "keyframes" else None

    def sample(self, video: FrameSource, start: float, end: float) -> "Iterator[Frame]":
        """Yield the keyframes.

        Some encoders spread each over many frames (gradual decoder refresh): it is whole only where
        all before it was decoded, so everything is decoded from the first of these on.
        """
        start = start if start > 0 else -math.inf
        reached = -math.inf
        for frame in video.read_selected(KeyframePackets(start, end)):
            if not frame.is_whole:
                break
            yield frame
            reached = frame.t
        else:
            return
        keyframes = frozenset(video.read_times().keyframes)
        for frame in video.read_selected(GivenTimes(start, end, times=keyframes)):
            if frame.t > reached and frame.t in keyframes:
                yield frame

    def estimate_frames(self, seconds: float) -> int:
        """Guess by the typical distance of keyframes."""
        return max(1, math.ceil(seconds / _TYPICAL_SECONDS))


class KeyframePackets(Selection):
    """Select the packets of keyframes."""

    keyframes_only: ClassVar[bool] = True
