"""Timecode (SMPTE ST 12-1): frames counted as hours, minutes, seconds and frames.

It counts as many frames a second as the rate, rounded up to a whole number, so that at 29.97 it
falls behind the clock. Drop-frame timecode, written with `;`, leaves out the first two numbers (at
59.94 four) of each minute but every tenth, and keeps up. No frame is ever dropped.
"""

import math
import re
from fractions import Fraction

from framefind.errors import UsageError

NTSC = Fraction(1000, 1001)
_WHOLE_RATES = (24, 25, 30, 48, 50, 60, 90, 96, 100, 120, 240)
STANDARD_RATES = tuple(
    sorted({Fraction(n) for n in _WHOLE_RATES} | {n * NTSC for n in _WHOLE_RATES if n % 25})
)
"""Frames per second, exact."""

EDIT_RATES = tuple(rate for rate in STANDARD_RATES if rate <= 60)
"""Those that timelines of editors have."""

_SNAP = Fraction(1, 4000)  # of a rate; 23.976 and 24 are a thousandth apart
_MAX_DENOMINATOR = 1001
_TIMECODE = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;.,])(\d{2,3})")


def snap_rate(rate: Fraction) -> Fraction:
    """Return the standard rate that a measured one stands for; without one, a simple fraction."""
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    if abs(nearest - rate) <= _SNAP * rate:
        return nearest
    return rate.limit_denominator(_MAX_DENOMINATOR)


def is_countable(rate: Fraction) -> bool:
    """Tell whether a rate is a whole number or 1000/1001 of one: others no editor can declare."""
    return 1 in (rate.denominator, (rate / NTSC).denominator)


def choose_edit_rate(rate: Fraction) -> Fraction:
    """Return the rate of a timeline for frames at `rate`: that, a multiple, a part or the nearest.

    On a multiple, each frame of the video has a place of its own.
    """
    multiples = [each for each in EDIT_RATES if (each / rate).denominator == 1]
    parts = [each for each in EDIT_RATES if (rate / each).denominator == 1]
    nearest = min(EDIT_RATES, key=lambda each: abs(each - rate))
    return next(iter([*multiples, *reversed(parts), nearest]))


def count_per_second(rate: Fraction) -> int:
    """Return how many frames a second of timecode has: 24 at 23.976."""
    return math.ceil(rate)


def can_drop(rate: Fraction) -> bool:
    """Return whether drop-frame timecode is defined for a rate: 29.97, 59.94, 119.88."""
    return rate != count_per_second(rate) and count_per_second(rate) in (30, 60, 120)


def write_timecode(frame: int, rate: Fraction, drop: bool) -> str:
    """Return the timecode of a frame, `01:00:00:00`; after 24 hours it begins again.

    `drop` has an effect only where `can_drop` says so.
    """
    count = count_per_second(rate)
    drop = drop and can_drop(rate)
    left_out = count // 15 if drop else 0  # numbers at the beginning of a minute
    ten_minutes = 600 * count - 9 * left_out
    frame %= 144 * ten_minutes
    tens, within_tens = divmod(frame, ten_minutes)
    # The first of ten minutes is whole.
    minutes = max(0, (within_tens - 60 * count) // (60 * count - left_out) + 1)
    seconds, frames = divmod(frame + left_out * (9 * tens + minutes), count)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{clock}{';' if drop else ':'}{frames:02}"


def read_timecode(text: str, rate: Fraction) -> tuple[int, bool]:
    """Return the frame that a timecode names, and whether it is a drop-frame one.

    Raises UsageError for what is no timecode at that rate.
    """
    match = _TIMECODE.fullmatch(text.strip())
    if not match:
        raise UsageError(f"timecode {text!r}: write it as 01:00:00:00, or 01:00:00;00")
    hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
    count = count_per_second(rate)
    drop = match[4] != ":" and can_drop(rate)
    left_out = count // 15 if drop else 0
    is_left_out = seconds == 0 and minutes % 10 and frames < left_out
    if minutes > 59 or seconds > 59 or frames >= count or is_left_out:
        raise UsageError(f"timecode {text!r}: there is no such one at {float(rate):.6g} frames/s")
    total = 60 * hours + minutes
    return (60 * total + seconds) * count + frames - left_out * (total - total // 10), drop
