"""Times as people write them, and seconds."""

import re

from framefind.errors import UsageError


def clock(seconds: float) -> str:
    """Return a time for people: `0:07`, `1:30.5`, `1:02:03`; to a tenth, without `.0`."""
    tenths = round(abs(seconds) * 10)
    sign = "-" if seconds < 0 and tenths else ""
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    seconds_text = f"{tenths // 10:02}.{tenths % 10}".removesuffix(".0")
    return sign + (f"{hours}:{minutes:02}:{seconds_text}" if hours else f"{minutes}:{seconds_text}")


_TIME = re.compile(
    r"(?P<seconds>[0-9]{1,9}(\.[0-9]+)?)s?"
    r"|((?P<h>[0-9]{1,6}):(?=[0-5]?[0-9]:))?(?P<m>[0-9]{1,6}):(?P<s>[0-5]?[0-9](\.[0-9]+)?)"
)


def parse_time(text: str) -> float:
    """Return the seconds of `90`, `90s`, `1:30` or `00:01:30.5`.

    Raises UsageError for anything else.
    """
    match = _TIME.fullmatch(text.strip())
    if not match:
        raise UsageError(f"time {text!r}: use seconds such as 90 or 1:30 or 00:01:30.5")
    if match["seconds"]:
        return float(match["seconds"])
    return int(match["h"] or 0) * 3600 + int(match["m"]) * 60 + float(match["s"])
