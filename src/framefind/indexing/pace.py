"""How fast a run is, and so how long the rest of it takes."""

import time

_SETTLE = 5.0  # seconds of work before which nothing can be told
_PART = 0.02  # of all: the part that has to be done by then
_LONG = 60.0  # seconds of work after which any part will do


class Pace:
    """Tells how long a run still takes, from what it has done since it began to get anything done.

    What comes before, such as loading a model, is not counted: it says nothing of the rest.
    """

    def __init__(self, total: float) -> None:
        """`total`: all there is to do, in any unit."""
        self._total = total
        self._began: tuple[float, float] | None = None

    def left(self, done: float, now: float | None = None) -> float | None:
        """Return the seconds that are left; None until enough is done to tell.

        `now`: the time in seconds, of a clock that only rises.
        """
        now = time.monotonic() if now is None else now
        if self._began is None:
            self._began = (now, done) if done > 0 else None
            return None
        seconds, part = now - self._began[0], done - self._began[1]
        known = seconds >= _LONG or (seconds >= _SETTLE and part >= _PART * self._total)
        if not known or part <= 0:
            return None
        return max(0.0, seconds * (self._total - done) / part)
