"""What a sampler is, which packets it needs, and what it may ask of a video.

A sampler is one file of this folder and one line in `registry.py`. Whatever the sampler, a video
gives at least one frame.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol, Self, TypeVar

if TYPE_CHECKING:  # a sampler is parsed without loading PyAV and Pillow
    from framefind.video.frame import Frame


class Timed(Protocol):
    """Anything that is shown at a time, in seconds."""

    @property
    def t(self) -> float: ...  # noqa: D102


TimedT = TypeVar("TimedT", bound=Timed)


@dataclass
class Selection:
    """Select the packets of one pass: frames from `start` until before `end`, in seconds.

    It is asked about every packet in the order of decoding. On the way `before` becomes the time of
    the last frame before `start`, `last` of the last one before `end`, and `after` of the first one
    from `end` on; `led` becomes true when a keyframe came before `start`.

    This one takes every frame; samplers derive their own.
    """

    start: float = -math.inf
    end: float = math.inf
    before: float = -math.inf
    last: float = -math.inf
    after: float = math.inf
    led: bool = False

    keyframes_only: ClassVar[bool] = False
    """Whether packets other than keyframes are not even looked at."""
    sees_end: ClassVar[bool] = False
    """Whether the first keyframe from `end` on is decoded, to see if the video is cut there."""

    def is_spare(self, t: float) -> bool:
        """Return whether the frame at `t` is not sampled, as far as the packets up to it show."""
        if t < self.start:
            self.before = max(self.before, t)
            return True
        if t < self.end:
            self.last = max(self.last, t)
        else:
            self.after = min(self.after, t)
        is_taken = self.takes(t)
        return t >= self.end or not is_taken

    def takes(self, t: float) -> bool:
        """Return whether the frame at `t`, not before `start`, is sampled."""
        return True

    def stands(self, t: float, later: Iterable[float], until: float) -> bool:
        """Return whether the spare frame at `t` is sampled after all: nothing follows it soon.

        `later` are the times of the packets that follow its own; `until` is when the frame ends if
        it is the last one.
        """
        return False


@dataclass
class GivenTimes(Selection):
    """Select the packets whose frames are shown at `times`."""

    times: frozenset[float] = frozenset()

    def takes(self, t: float) -> bool:
        """Return whether `t` is one of the times."""
        return t in self.times


class FrameTimes(NamedTuple):
    """The ascending times of all frames and of all keyframes, and of the end, in seconds."""

    frames: Sequence[float]
    keyframes: Sequence[float]
    end: float


class FrameSource(Protocol):
    """What a sampler may ask of an opened video. Frames ascend in time."""

    @property
    def damage(self) -> str | None:
        """Return why some of the video could not be decoded so far, or None."""

    def end(self, last: "Frame | None") -> float:
        """Return when the last frame of the video ends, in seconds."""

    def read_selected(self, selection: Selection) -> "Iterator[Frame]":
        """Yield the frames that a selection takes, after some from before its start."""

    def read_from(self, start: float, lead: int) -> "Iterator[Frame]":
        """Yield all frames from at least `lead` frames before `start` on, or from the beginning."""

    def read_times(self) -> FrameTimes:
        """Return the times of all frames, from the packets, without decoding."""

    def read_at(
        self, times: Sequence[float], listed: FrameTimes, start: float
    ) -> "Iterator[Frame]":
        """Yield the frames at `times`, some of those that are listed, and one from before `start`.

        Where one cannot be decoded, the next that can takes its place.
        """


class Sampler(ABC):
    """Which frames of a video are looked at. Samplers are compared by what they choose."""

    usage: ClassVar[str]
    """How its name is written, for error messages."""
    splittable: ClassVar[bool] = False
    """Whether spans of a video can be sampled apart and give the frames of the whole."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Return the canonical name, which the library stores and `parse` reads."""

    @property
    def spacing(self) -> float:
        """Return about how many seconds lie between two frames; 0 where the video decides that."""
        return 0.0

    @property
    def max_frames(self) -> int | None:
        """Return how many frames it takes of a video at most; None where its length decides."""
        return None

    @classmethod
    @abstractmethod
    def parse(cls, name: str) -> Self | None:
        """Return the sampler of that name; None if it is another's or nonsense."""

    @abstractmethod
    def sample(self, video: FrameSource, start: float, end: float) -> "Iterator[Frame]":
        """Yield the sampled frames from `start` until before `end`, in seconds, in order.

        They are those that sampling the whole video gives there. A few that lie outside may come
        with them; the caller drops those.
        """

    @abstractmethod
    def estimate_frames(self, seconds: float) -> int:
        """Estimate how many frames it takes of a video of that length."""
