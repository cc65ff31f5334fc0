"""Facts about a video that are known before it is decoded."""

from collections.abc import Callable
from dataclasses import dataclass

from av.container import InputContainer
from av.video.stream import VideoStream

from framefind.video import clock
from framefind.video.frame import Frame


@dataclass(frozen=True)
class Facts:
    """Duration, size, frame rate and codec of a video, as its file declares them.

    `duration`: seconds from the container's start to the end of the last frame, None when
    unknown. `width`, `height`: upright pixels of the first frame. `fps`: average, 0.0 when unknown.
    """

    duration: float | None
    width: int
    height: int
    fps: float
    codec: str

    def plausible_duration(self, size: int) -> float | None:
        """Return the duration, but no more than a file of `size` bytes can hold.

        A second of video is taken to need a byte at least.
        """
        return None if self.duration is None else min(self.duration, float(size))

    @classmethod
    def of(
        cls,
        container: InputContainer,
        stream: VideoStream,
        first: Frame,
        again: Callable[[], InputContainer],
    ) -> "Facts":
        """Read the facts of a stream and its first frame; `again` opens the file once more."""
        return cls(
            duration=clock.find_length(container, stream, again),
            width=first.width,
            height=first.height,
            fps=float(clock.find_frame_rate(container, stream)),
            codec=stream.codec_context.codec.canonical_name,
        )
