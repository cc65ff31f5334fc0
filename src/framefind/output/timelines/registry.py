"""All timeline formats: for each, one file with a function `write` and one line here."""

from framefind.output.timelines import m3u
from framefind.output.timelines.base import Write

TIMELINES: dict[str, Write] = {
    "m3u": m3u.write,
}
