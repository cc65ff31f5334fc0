"""Estimate how long a run still takes, from how fast it has been."""

import time

_MIN_SECONDS = 5.0  # of work before an estimate
_MIN_SHARE = 0.02  # of all work, done before an estimate
_MAX_SECONDS = 60.0  # of work after which any share will do


class Pace:
    """Estimate how long a run still takes, from what it has done since its first progress.

    The time before that, such as for loading a model, tells nothing of the rest.
    """

    def __init__(self, total: float) -> None:
        """Begin a run; `total` is all there is to do, in any unit."""
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
        seconds = now - self._began[0]
        progress = done - self._began[1]
        is_telling = seconds >= _MAX_SECONDS or (
            seconds >= _MIN_SECONDS and progress >= _MIN_SHARE * self._total
        )
        if not is_telling or progress <= 0:
            return None
        return max(0.0, seconds * (self._total - done) / progress)
