"""All timeline formats: for each, one file with a function `write` and one line here."""

from framefind.output.timelines import m3u, xspf
from framefind.output.timelines.base import Write

TIMELINES: dict[str, Write] = {
    "m3u": m3u.write,
    "xspf": xspf.write,
}
