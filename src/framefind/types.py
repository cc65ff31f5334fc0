"""Plain data that all parts pass around: queries, results and rows of videos.

Nothing here reads a file or a table. Only arguments are checked.
"""

# ruff: noqa: RUF009 (the defaults of Query are calls of `field`)

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framefind import arguments
from framefind.errors import QueryError, UsageError

if TYPE_CHECKING:  # the command line shows its options without NumPy
    import numpy as np
    from numpy.typing import NDArray

PathLike = str | os.PathLike[str]

Box = tuple[float, float, float, float]
"""x, y, width, height as fractions of the upright frame."""


def notebook_html(result: "Moment | Page") -> str | None:
    """Return what a notebook shows of a result: HTML, or None for its plain text."""
    return html_writer(result) if html_writer else None


html_writer: Callable[[Any], str] | None = None
"""Writes that HTML; the library sets it, so that nothing here needs to know how."""

CUE_SOURCES = ("subtitles", "speech", "screen")
"""Where words come from: what is beside the picture, what is said, what is written in it."""


@dataclass(frozen=True)
class Cue:
    """A piece of text with a time.

    `start` and `end` are seconds on the container's clock, as frames count; `source` is one of
    CUE_SOURCES. `language` is a BCP 47 code such as `en`, empty where it is not known. Only cues
    of `screen` have a `box`: where the text stands.
    """

    start: float
    end: float
    text: str
    source: str
    language: str = ""
    box: Box | None = None


SURE = 0.85
LIKELY = 0.5
MAYBE = 0.3
"""The lowest confidences of what is called sure, likely and maybe.

Of labelled results, at least 90, 60 and 30% of those between one and the next higher are right.
"""

SEEN = "seen"
SAID = "said"
READ = "read"
KINDS = (SEEN, SAID, READ)
"""What may answer a query: pictures, what is said, what is written in the picture."""

SOURCES_OF = {SAID: ("subtitles", "speech"), READ: ("screen",)}
"""The sources of cues that answer as each."""


@dataclass(frozen=True)
class Match:
    """Why a moment answers a query: it is `seen`, or words that are `said` or `read`.

    Words have a cue's `start` and `end` in seconds, its text, and the spans of the text that match,
    as offsets of characters: from, to.
    """

    kind: str
    start: float | None = None
    end: float | None = None
    text: str = ""
    spans: tuple[tuple[int, int], ...] = ()

    def parts(self) -> Iterator[tuple[str, bool]]:
        """Yield the text in parts, each with whether it matches."""
        at = 0
        for start, end in self.spans:
            yield self.text[at:start], False
            yield self.text[start:end], True
            at = end
        yield self.text[at:], False

    def excerpt(self, length: int, before: int) -> str:
        """Return about `length` characters, at most `before` of them before what matches."""
        first, last = self.spans[0] if self.spans else (0, 0)
        start = max(0, first - before)
        end = max(last, start + length)
        ellipses = ("…" if start else "", "…" if end < len(self.text) else "")
        return f"{ellipses[0]}{self.text[start:end]}{ellipses[1]}"


RANKS = ("softmax", "max", "sum")
"""How videos may be ranked by their hits: see `ranking.rank_videos`."""


@dataclass(frozen=True)
class Then:
    """What follows a moment of a `then` query: span and best time in seconds, score, confidence."""

    start: float
    end: float
    t: float
    score: float
    confidence: float


@dataclass(frozen=True)
class Moment:
    """A span of one video that answers a query, from `start` to `end` in seconds.

    `t` (seconds), `score` (cosine × 100, and more where words match) and `box` are those of its
    best hit; `confidence` is 0 to 1, and `certainty` that in a word. `path` and `video_id` name the
    video; `then` is what follows, for a query with `then`; `why` is what matches, the best first.
    """

    path: str
    video_id: str
    start: float
    end: float
    t: float
    score: float
    confidence: float
    box: Box
    then: Then | None = None
    why: tuple[Match, ...] = ()

    @property
    def certainty(self) -> str:
        """Return the confidence in a word: sure, likely, maybe or unlikely."""
        words = ((SURE, "sure"), (LIKELY, "likely"), (MAYBE, "maybe"), (0.0, "unlikely"))
        return next(word for lowest, word in words if self.confidence >= lowest)

    def _repr_html_(self) -> str | None:
        return notebook_html(self)


@dataclass(frozen=True)
class VideoMoments:
    """A video, its score by the query's `rank`, and its moments, best first."""

    path: str
    video_id: str
    score: float
    moments: list[Moment]


@dataclass(frozen=True)
class Page:
    """One page of results: iterates over its moments.

    `total` counts all results on the last page, which is not full. On a full page it estimates how
    many may be right: those with a confidence of at least 0.3, or that pass the query's own
    `min_score` and `min_confidence`, and at least the results up to the end of this page. With
    `by="video"`, `videos` groups the moments, and `total` and `offset` count videos. Above a
    million vectors a page may come from the most likely videos alone: then `complete` is false and
    `total` counts those. `notes` name what the query asked in vain, such as unknown words.
    """

    moments: list[Moment]
    total: int
    offset: int
    videos: list[VideoMoments] | None = None
    complete: bool = True
    notes: list[str] = field(default_factory=list)

    def __iter__(self) -> Iterator[Moment]:
        return iter(self.moments)

    def __len__(self) -> int:
        return len(self.moments)

    def __getitem__(self, at: int) -> Moment:
        return self.moments[at]

    def _repr_html_(self) -> str | None:
        return notebook_html(self)


@dataclass(frozen=True)
class FrameScores:
    """How well each sampled frame of a video answers a query; arrays of equal length.

    `times` (float64) are seconds, `scores` (float32) cosine × 100 of the frame's best view,
    `confidences` (float64) 0 to 1, as a moment with that best frame has them.
    """

    times: "NDArray[np.float64]"
    scores: "NDArray[np.float32]"
    confidences: "NDArray[np.float64]"


_BOX = re.compile(r"(?P<of>.+)#(?P<box>[0-9.]+,[0-9.]+,[0-9.]+,[0-9.]+)", re.DOTALL)


@dataclass(frozen=True)
class Crop:
    """A box of an image, in fractions of the upright picture: x, y, width, height.

    What it is `of` is a path, a URL, the bytes of a picture, a frame of the library (`video@t`) or
    a Moment. As a text it is written `car.jpg#0.1,0.2,0.5,0.5`.
    """

    of: str | Path | bytes | Moment
    box: Box

    def __post_init__(self) -> None:
        """Raise QueryError for a box that is empty or reaches out of the picture."""
        if len(self.box) == 4 and all(0 <= side <= 1 for side in self.box):
            x, y, width, height = self.box
            if width > 0 and height > 0 and max(x + width, y + height) <= 1 + 1e-6:
                return
        written = ",".join(f"{side:g}" for side in self.box)
        raise QueryError(
            f"box {written}: give x,y,width,height as fractions of the picture, such as "
            "0.25,0.25,0.5,0.5"
        )

    @classmethod
    def parse(cls, text: str) -> "Crop | None":
        """Read `car.jpg#0.1,0.2,0.5,0.5`; None if it has no box, or is the name of a file."""
        match = _BOX.fullmatch(text)
        if match is None or os.path.exists(os.path.expanduser(text)):
            return None
        try:
            x, y, width, height = map(float, match["box"].split(","))
        except ValueError:  # such as 1.2.3
            return None
        return cls(match["of"], (x, y, width, height))


Image = str | Path | bytes | Moment | Crop
"""What can be searched for by its looks."""

_what = partial(arguments.describe, "What to find")
_which = partial(arguments.describe, "Which results")
_where = partial(arguments.describe, "In which videos")


@dataclass(frozen=True)
class Query:
    """Everything that can be asked in one search: the one list of search options.

    To add one, add a field here. The command line makes its option of it; the rest, which is
    written out for its readers, is what tests/test_search_options.py then asks for: the argument
    of `Library.search`, the field of `SearchQuery` in server/schemas.py, the row in docs/usage.md.
    """

    text: str | None = _what(
        None, "QUERY", 'What the moment shows; words in "quotes" must be said or written.'
    )
    _: KW_ONLY
    image: Image | Sequence[Image] | None = _what(
        None,
        "IMAGE",
        "An image: a path, a URL, or VIDEO@TIME for a frame of the library. #X,Y,W,H after it "
        "takes only that box, in fractions of the image.",
        repeats=True,
    )
    plus: str | Iterable[str] = _what(
        (), "TEXT", "Add this text; 2:snow counts double.", repeats=True
    )
    minus: str | Iterable[str] = _what(
        (), "TEXT", "Take this text away; 2:snow counts double.", repeats=True
    )
    then: str | None = _what(
        None, "TEXT", "Only moments that are followed, in the same video, by what this text says."
    )
    within: float = _what(10.0, "TIME", "Longest time from a moment's end to its `then`.")
    in_: str | Iterable[str] = _what(
        (),
        ",".join(KINDS),
        "Where to look: seen (pictures), said (speech and subtitles), read (text on screen). "
        "Default: all.",
        repeats=True,
        spelling="in",
    )
    limit: int = _which(10, "N", "Maximum number of results.")
    offset: int = _which(0, "N", "Skip the first N results.")
    by: str = _which("moment", "moment|video", "Find moments, or videos.")
    rank: str = _which(
        "softmax", "|".join(RANKS), "For `by` video: how a video's score is computed from its hits."
    )
    min_score: float | None = _which(None, "N", "Lowest score to show (cosine × 100).")
    min_confidence: float | None = _which(None, "N", "Lowest confidence to show (0 to 1).")
    video: PathLike | Iterable[PathLike] = _where(
        (), "VIDEO", "Only these videos: a path, folder, glob or id.", repeats=True
    )
    start: float | None = _where(
        None, "TIME", "Only from this time of a video on, such as 90 or 1:30.", spelling="from"
    )
    end: float | None = _where(None, "TIME", "Only up to this time of a video.", spelling="to")
    after: datetime | None = _where(None, "DATE", "Only videos modified since, such as 2026-01-31.")
    before: datetime | None = _where(None, "DATE", "Only videos modified before this date.")
    min_duration: float | None = _where(None, "TIME", "Only videos at least this long.")
    max_duration: float | None = _where(None, "TIME", "Only videos at most this long.")

    def __post_init__(self) -> None:
        """Store arguments of one or several texts as tuples. Raises UsageError for other things."""
        for name in ("plus", "minus", "video", "in_"):
            object.__setattr__(self, name, tuple(arguments.texts(getattr(self, name), name)))
        kinds = [kind.strip() for several in self.in_ for kind in several.split(",")]
        object.__setattr__(self, "in_", tuple(kinds))

    def check(self) -> None:
        """Raise UsageError when an argument is out of its range or of the wrong kind."""
        for text in (self.text, self.then):
            arguments.unicode("" if text is None else text)
        arguments.whole_number(self.limit, "limit", 1)
        arguments.whole_number(self.offset, "offset", 0)
        arguments.choice(self.by, "by", ("moment", "video"))
        arguments.choice(self.rank, "rank", RANKS)
        for kind in self.in_:
            arguments.choice(kind, "in_", KINDS)
        if self.in_ and SEEN not in self.in_ and not self.text:
            raise UsageError(f"`in_` {','.join(self.in_)} needs a text: words are not like images")
        arguments.number(self.min_score, "min_score")
        arguments.number(self.min_confidence, "min_confidence", 0, 1)
        for name in ("within", "start", "end", "min_duration", "max_duration"):
            arguments.number(getattr(self, name), name, 0)
        for name in ("after", "before"):
            arguments.date(getattr(self, name), name)
        arguments.ascending(self.start, self.end, ("start", "end"))
        arguments.ascending(self.min_duration, self.max_duration, ("min_duration", "max_duration"))
        if self.then is not None and self.by != "moment":
            raise UsageError("`then` finds moments: leave `by` out")

    @property
    def images(self) -> list[Image]:
        """Return the images that are part of the query."""
        return arguments.several(self.image)

    def document(self) -> dict[str, Any]:
        """Return what the query looks for, as the JSON document of its answer repeats it."""
        return {
            "text": self.text,
            "image": [_name(image) for image in self.images],
            "plus": list(self.plus),
            "minus": list(self.minus),
            "then": self.then,
            "in": list(self.in_),
        }


def _name(image: Image) -> str:
    if isinstance(image, Crop):
        return f"{_name(image.of)}#{','.join(f'{side:g}' for side in image.box)}"
    if isinstance(image, Moment):
        return f"{image.path}@{image.t!r}"
    return "bytes" if isinstance(image, bytes) else str(image)


@dataclass(kw_only=True)
class Video:
    """One row of `videos`. Sizes in bytes, times in seconds, width and height in upright pixels."""

    video_id: str
    path: str
    copies: list[str] = field(default_factory=list)
    size: int = 0
    modified: datetime | None = None
    duration: float | None = None
    width: int = 0
    height: int = 0
    fps: float = 0.0
    codec: str = ""
    sampler: str = ""
    views: str = ""
    frames: int = 0
    segments: list[str] = field(default_factory=list)
    indexed_until: float = 0.0
    status: str = "indexing"
    error: str | None = None
    indexed_at: datetime | None = None
    cues: int = 0
    cue_segments: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    cuts: list[float] | None = None
    """Start times of shots, but the first; None for videos indexed before this column existed."""

    @property
    def paths(self) -> list[str]:
        """Return all paths of the video: its own, then those of copies."""
        return [self.path, *self.copies]
