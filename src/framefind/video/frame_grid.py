"""How editors count the frames of a video: by numbers from its first one, at an even rate.

A number is where a frame stands on a grid of the video's rate. Where frames come evenly, each has
its own place, exactly; at a rate that no editor has, such as 12.5, on a grid of a multiple. Where
they do not (phones, screen recordings), editors lay the video on a grid as well, here of the rate
of editors that is nearest to the average: a span then begins with the place that is shown at its
start and ends with the last one that begins before its end, so that nothing of it is lost, and it
is less than one place longer at either end.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

FLOAT_ROUNDING = Fraction(1, 1000)
"""Of a frame: seconds are floats."""


@dataclass(frozen=True)
class FrameGrid:
    """The frames of a video as editors count them.

    `rate`: frames per second; `is_even`: frames come at that rate, else the grid is laid over them.
    `first`: seconds from the container's start to frame 0. `frames`: how many there are, None when
    unknown. `timecode`: the number of frame 0 that the file itself declares, by a timecode track
    or its header, and `drop` whether that is drop-frame timecode. `rounding`: part of a frame by
    which timestamps may be rounded. `width` and `height` are stored pixels, `channels` (0: no
    sound) and `sample_rate` (Hz) those of the sound, `hdr` FFmpeg's number of its HDR's transfer
    characteristic (0: no HDR).
    """

    rate: Fraction
    first: Fraction = Fraction(0)
    frames: int | None = None
    is_even: bool = True
    timecode: int = 0
    drop: bool = False
    rounding: Fraction = FLOAT_ROUNDING
    width: int = 1920
    height: int = 1080
    channels: int = 0
    sample_rate: int = 0
    hdr: int = 0

    def span(self, start: float, end: float) -> tuple[int, int]:
        """Return the frames that are shown from `start` until before `end`, both in seconds.

        The second number is that of the frame after the last; there is at least one frame.
        """
        begin = math.floor(self._place(start) + self.rounding)
        after = math.ceil(self._place(end) - self.rounding)
        last = math.inf if self.frames is None else self.frames - 1
        begin = int(max(0, min(begin, last)))
        return begin, int(max(begin + 1, min(after, last + 1)))

    def _place(self, t: float) -> Fraction:
        return (Fraction(t) - self.first) * self.rate
