"""What tools answer: typed, and short enough for the context of a model."""

import math
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, Field

from framefind import types
from framefind.times import clock

MAX_TOKENS = 1500
"""Of an answer, unless more are asked for."""

_MAX_WHY_LENGTH = 160  # characters of words that match
_WHY_BEFORE = 40  # of these, before the first match
_MAX_TEXT_LENGTH = 500  # characters of a cue, a note, or an error
_MIN_TEXT_LENGTH = 48  # of what is shown whatever its length
_MAX_NOTES = 3
_TOKEN = re.compile(r"[A-Za-z]{1,4}|[0-9]{1,3}|\s+|.", re.DOTALL)


class Span(BaseModel):
    """A span of a video."""

    at: str = Field(description="From when to when, for people, such as `1:02 to 1:07`.")
    start: float = Field(description="Seconds.")
    end: float = Field(description="Seconds.")


class Moment(Span):
    """A span of a video that answers a search."""

    video: str = Field(description="The video's path, which other tools take as `video`.")
    t: float = Field(description="Seconds: the best frame, to `look` at.")
    confidence: float = Field(description="0 to 1: how often such an answer is right.")
    certainty: str = Field(description="The same in a word: sure, likely, maybe or unlikely.")
    why: list[str] = Field(description="What matches: `seen`, or the words that are said or read.")
    then: Span | None = Field(default=None, description="What follows, for a search with `then`.")


class Moments(BaseModel):
    """Moments, best first."""

    moments: list[Moment]
    total: int = Field(description="About how many moments (or videos) may be right.")
    more: str | None = Field(default=None, description="How to ask for those that follow.")
    notes: list[str] = Field(default=[], description="What to know before you rely on the answer.")


class Frames(BaseModel):
    """Which frames of a video the pictures show, in their order."""

    video: str
    times: list[str] = Field(description="When each is shown, for people, such as `1:02`.")
    seconds: list[float] = Field(description="The same in seconds.")
    notes: list[str] = []


class Line(Span):
    """A piece of text with a time: what is said, or written in subtitles or in the picture."""

    source: str = Field(description="`subtitles`, `speech` or `screen`.")
    text: str


class Lines(BaseModel):
    """The words of a video, in order of time."""

    video: str
    lines: list[Line]
    more: str | None = Field(default=None, description="How to ask for those that follow.")
    notes: list[str] = []


class Video(BaseModel):
    """A video of the library."""

    video: str = Field(description="Its path, which other tools take as `video`.")
    length: str = Field(default="", description="For people, such as `1:02:03`.")
    duration: float | None = Field(default=None, description="Seconds.")
    status: str = Field(
        description="`indexed`; `partial`: some of it cannot be found; `indexing`; `failed`."
    )
    error: str | None = Field(default=None, description="Why it is not wholly indexed.")
    lines: int = Field(default=0, description="How many pieces of text its `words` are.")


class Clip(BaseModel):
    """A clip that was written."""

    file: str = Field(description="Its path, on the computer of this server.")
    notes: list[str] = []


class Job(BaseModel):
    """A run that indexes a folder or a video."""

    path: str
    state: str = Field(description="queued, running, done, failed, cancelling or cancelled.")
    progress: str | None = Field(default=None, description="How far it is.")
    done: dict[str, int] = Field(
        default={}, description="At its end: how many videos are what now."
    )
    failed: dict[str, str] = Field(
        default={}, description="Videos that cannot be indexed, and why."
    )
    error: str | None = None


class Videos(BaseModel):
    """The library in numbers, and its videos by path."""

    library: str
    model: str = Field(description="What sees: a name of a model.")
    total: int = Field(description="Videos that match `names`; all, without names.")
    hours: float = Field(description="Of video in the whole library.")
    videos: list[Video]
    more: str | None = Field(default=None, description="How to ask for those that follow.")
    jobs: list[Job] = Field(
        default=[], description="Runs of `index` since this server was started."
    )
    notes: list[str] = []


def describe_moment(moment: types.Moment) -> Moment:
    """Return a moment of a page as it is answered."""
    then = moment.then
    return Moment(
        **_span(moment.start, moment.end),
        video=moment.path,
        t=round_up(moment.t),
        confidence=math.floor(100 * moment.confidence) / 100,
        certainty=moment.certainty,
        why=[_describe_match(match) for match in moment.why],
        then=Span(**_span(then.start, then.end)) if then else None,
    )


def describe_cue(cue: types.Cue) -> Line:
    """Return a cue as it is answered."""
    return Line(**_span(cue.start, cue.end), source=cue.source, text=shorten(cue.text))


def shorten(text: str, length: int = _MAX_TEXT_LENGTH) -> str:
    """Return a text, shortened to `length` characters: its beginning, `…`, and its end."""
    if len(text) <= length:
        return text
    end = length // 4
    return f"{text[: length - end]}…{text[-end:]}"


def shorten_notes(notes: Sequence[str]) -> list[str]:
    """Return the first notes, none of them long, and how many more there are."""
    more = len(notes) - _MAX_NOTES
    return [*map(shorten, notes[:_MAX_NOTES]), *([f"and {more} more notes"] if more > 0 else [])]


def describe_video(row: types.Video) -> Video:
    """Return a row of `videos` as it is answered."""
    return Video(
        video=row.path,
        length="" if row.duration is None else clock(row.duration),
        duration=None if row.duration is None else round(row.duration, 1),
        status=row.status,
        error=shorten(row.error) if row.error else None,
        lines=row.cues,
    )


def round_up(seconds: float) -> float:
    """Return a time to a millisecond, never before the frame that is shown then."""
    return math.ceil(seconds * 1000) / 1000


def _span(start: float, end: float) -> dict[str, Any]:
    return {
        "at": f"{clock(start)} to {clock(end)}",
        "start": round(start, 2),
        "end": round(end, 2),
    }


def _describe_match(match: types.Match) -> str:
    if match.start is None:
        return match.kind
    text = " ".join(match.excerpt(_MAX_WHY_LENGTH, _WHY_BEFORE).split())
    return f"{match.kind} at {clock(match.start)}: {shorten(text)}"


def write(answer: BaseModel) -> str:
    """Return an answer as JSON in one line, without what is empty."""
    return answer.model_dump_json(exclude_defaults=True)


def count_tokens(text: str) -> int:
    """Return about how many tokens a text has, rather too many than too few.

    Words cost one for four letters, numbers one for three digits, all else one a character.
    """
    return len(_TOKEN.findall(text))


Item = TypeVar("Item", bound=BaseModel)


def fit(items: Sequence[Item], empty: BaseModel, max_tokens: int) -> list[Item]:
    """Return as many of the first items as fit into an answer that is `empty` without them.

    At least one item is returned; where it does not fit, its texts are cut.
    """
    room = max_tokens - count_tokens(write(empty))
    fitting: list[Item] = []
    for item in items:
        size = count_tokens(write(item)) + 1
        if size > room and fitting:
            break
        fitting.append(item if size <= room else _cut_texts(item))
        room -= size
    return fitting


def _cut_texts(item: Item) -> Item:
    """Return an item with no more than the beginning of each text that is no name or time."""
    cut = {
        name: [shorten(text, _MIN_TEXT_LENGTH) for text in value][:1]
        if isinstance(value, list)
        else shorten(value, _MIN_TEXT_LENGTH)
        for name, value in item
        if name in ("text", "why", "error") and value
    }
    return item.model_copy(update=cut)
