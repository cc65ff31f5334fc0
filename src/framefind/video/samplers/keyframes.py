"""`keyframes`: the frames that decode on their own. Nothing else is decoded, which is fastest."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from framefind.video.samplers.base import FrameSource, Sampler, Selection

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
        """Yield the keyframes."""
        return video.read_selected(KeyframePackets(start if start > 0 else -math.inf, end))

    def estimate_frames(self, seconds: float) -> int:
        """Guess by the typical distance of keyframes."""
        return max(1, math.ceil(seconds / _TYPICAL_SECONDS))


class KeyframePackets(Selection):
    """Select the packets of keyframes."""

    keyframes_only: ClassVar[bool] = True
