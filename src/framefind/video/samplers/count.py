"""`count=N`: frames at N times spread evenly over the video; `count=N,random=SEED`: at random."""

import math
import random
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from framefind.video.samplers.base import FrameSource, Sampler

if TYPE_CHECKING:
    from framefind.video.frame import Frame


@dataclass(frozen=True)
class Count(Sampler):
    """Take up to `count` frames: evenly spread, or at random with a `seed`."""

    count: int
    seed: int | None = None

    usage: ClassVar[str] = "count=N, count=N,random=SEED"

    @property
    def name(self) -> str:
        """Return `count=N` or `count=N,random=SEED`."""
        return f"count={self.count}" + ("" if self.seed is None else f",random={self.seed}")

    @property
    def max_frames(self) -> int:
        """Return the count."""
        return self.count

    @classmethod
    def parse(cls, name: str) -> Self | None:
        """Read `count=N` or `count=N,random=SEED`."""
        match = re.fullmatch(r"count=(\d{1,9})(?:,random=(\d{1,18}))?", name)
        if not match or not int(match[1]):
            return None
        return cls(int(match[1]), None if match[2] is None else int(match[2]))

    def sample(self, video: FrameSource, start: float, end: float) -> "Iterator[Frame]":
        """Yield the frames; their times come from the packets, and each is sought."""
        listed = video.read_times()
        chosen = spread_times(listed.frames, self.count, self.seed, listed.end)
        return video.read_at(chosen, listed, start)

    def estimate_frames(self, seconds: float) -> int:
        """Return the count, whatever the length."""
        return self.count


def spread_times(
    times: Sequence[float], count: int, seed: int | None = None, end: float = -math.inf
) -> list[float]:
    """Choose up to `count` of the ascending `times` of a video's frames; `end` is the video's.

    Without a seed, the frames that stand in the middle of `count` equal parts of the video, each
    once; with one, frames at random, each as likely as any other.
    """
    if count >= len(times):
        return list(times)
    if seed is not None:
        return sorted(random.Random(seed).sample(times, count))
    # The last frame lasts as long as the others do on average, unless it stands for a whole part.
    part = (times[-1] - times[0]) * len(times) / (len(times) - 1) / count
    if end > times[-1] + part:
        part = (end - times[0]) / count
    middles = (times[0] + part * (i + 0.5) for i in range(count))
    return sorted({times[bisect_right(times, middle) - 1] for middle in middles})
