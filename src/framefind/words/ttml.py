"""TTML: subtitles as XML, with times of the clock, in seconds, frames or ticks."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from xml.etree import ElementTree

from framefind.types import Cue
from framefind.words.languages import find_language
from framefind.words.markup import strip_markup

_CLOCK = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)(?:[:;](\d+)(?:\.\d+)?)?")
_OFFSET = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|f|t)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_DEFAULT_FRAME_RATE = 30.0  # by the standard
_SPACES = re.compile(r"\s+")


def read_ttml(text: str, language: str = "") -> Iterator[Cue]:
    """Yield the cues of a TTML file of any version, in its order.

    `language` wins over those that the file tells. Raises ValueError for a time that is none, and
    ElementTree.ParseError for what is no XML.
    """
    root = ElementTree.fromstring(text.strip())
    reader = _Reader(_read_rates(root), language)
    for body in root:
        if _name(body.tag) == "body":
            root_language = find_language(root.get(_LANGUAGE, "")) or ""
            yield from reader.read(body, 0.0, inf, root_language)


def _read_rates(root: ElementTree.Element) -> dict[str, float]:
    """Return how many seconds each unit of time lasts."""
    parameters = {_name(name): value for name, value in root.attrib.items()}
    frame_rate = float(parameters.get("frameRate", _DEFAULT_FRAME_RATE))
    multiplier = re.findall(r"\d+", parameters.get("frameRateMultiplier", ""))
    if len(multiplier) == 2:
        frame_rate *= int(multiplier[0]) / int(multiplier[1])
    sub_frames = float(parameters.get("subFrameRate", 1))
    default = frame_rate * sub_frames if "frameRate" in parameters else 1.0
    return _SECONDS | {"f": 1 / frame_rate, "t": 1 / float(parameters.get("tickRate", default))}


@dataclass(frozen=True)
class _Reader:
    """Reads elements; `units` are the seconds of each unit of time."""

    units: dict[str, float]
    language: str

    def read(
        self, element: ElementTree.Element, start: float, end: float, language: str
    ) -> Iterator[Cue]:
        """Yield the cues of an element whose parent stands from `start` to `end`, in seconds."""
        language = find_language(element.get(_LANGUAGE, "")) or language
        start, end = self._read_times(element, start, end)
        is_text = _name(element.tag) in ("p", "span")
        if is_text and (plain := strip_markup("".join(_texts(element)))):
            until = end if end < inf else start
            yield Cue(start, until, plain, "subtitles", self.language or language)
        is_sequence = element.get("timeContainer") == "seq"
        for child in _timed_parts(element) if is_text else element:
            cues = list(self.read(child, start, end, language))
            yield from cues
            if is_sequence:  # the next one begins when this one ends
                child_end = self._read_times(child, start, end)[1]
                start = (
                    child_end if child_end < end else max((cue.end for cue in cues), default=start)
                )

    def _read_times(
        self, element: ElementTree.Element, start: float, end: float
    ) -> tuple[float, float]:
        """Return when an element stands; its times count from its parent's start."""
        begin = start + self._seconds(element.get("begin", "0s"))
        if duration := element.get("dur"):
            end = min(end, begin + self._seconds(duration))
        if own_end := element.get("end"):
            end = min(end, start + self._seconds(own_end))
        return begin, end

    def _seconds(self, time: str) -> float:
        if match := _OFFSET.fullmatch(time.strip()):
            return float(match[1]) * self.units[match[2]]
        if match := _CLOCK.fullmatch(time.strip()):
            hours, minutes, seconds, frames = match.groups("0")
            whole = 3600 * int(hours) + 60 * int(minutes) + float(seconds)
            return whole + int(frames) * self.units["f"]
        raise ValueError(f"{time!r} is no time")


def _texts(element: ElementTree.Element) -> Iterator[str]:
    """Yield the text of an element without that of its parts which have times of their own."""
    yield _SPACES.sub(" ", element.text or "")
    for child in element:
        if _name(child.tag) == "br":
            yield "\n"
        elif _name(child.tag) == "span" and not _is_timed(child):
            yield from _texts(child)
        yield _SPACES.sub(" ", child.tail or "")


def _timed_parts(element: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """Yield the outermost parts of a text that have times of their own."""
    for child in element:
        if _is_timed(child):
            yield child
        else:
            yield from _timed_parts(child)


def _is_timed(element: ElementTree.Element) -> bool:
    return _name(element.tag) == "span" and bool({"begin", "end", "dur"} & {*element.attrib})


def _name(tag: object) -> str:
    """Return the name of an element or attribute without its namespace; empty for a comment."""
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""
