"""Requests and responses as types, which the OpenAPI description is made from."""

import math
from dataclasses import fields
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from framefind import types
from framefind.arguments import Option
from framefind.output.export import FORMATS
from framefind.output.options import HELP
from framefind.reports import Progress
from framefind.times import parse_time

VIDEO_ID_PATTERN = r"^[0-9a-f]{32}$"
MAX_PAGE_SIZE = 1000


def _parse_time(value: Any) -> Any:
    return parse_time(value) if isinstance(value, str) else value


def _add_zone(value: datetime) -> datetime:
    """Return the time with a zone: this computer's, if it has none."""
    try:
        return value if value.tzinfo else value.astimezone()
    except (OverflowError, ValueError, OSError):
        raise ValueError("no such time") from None


Text = Annotated[str, Field(min_length=1, max_length=1000)]
Glob = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
Seconds = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Time = Annotated[
    float,
    BeforeValidator(_parse_time, json_schema_input_type=str),
    Field(ge=0, le=1e9, allow_inf_nan=False, description="`90`, `1:30` or `00:01:30.5`"),
]
Fraction = Annotated[float, Field(ge=0, le=1)]
Date = Annotated[datetime, AfterValidator(_add_zone)]


_OPTIONS = {field.name: field for field in fields(types.Query)}


def _option(name: str, **more: Any) -> Any:
    """Return a field with the default, the help and the spelling of a field of `types.Query`."""
    field = _OPTIONS[name]
    option: Option = field.metadata["option"]
    attributes: dict[str, Any] = {"description": option.help, "alias": option.spelling or None}
    attributes["default"] = [] if option.repeats else field.default
    return Field(**(attributes | more))


class VideoFilters(BaseModel):
    """Filters that select videos."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    video: list[Glob] = _option("video", max_length=64)
    after: Date | None = _option("after")
    before: Date | None = _option("before")
    min_duration: Seconds | None = _option("min_duration")
    max_duration: Seconds | None = _option("max_duration")


class VideosQuery(VideoFilters):
    """Filters that select videos, and a page of them."""

    limit: int = Field(100, ge=1, le=MAX_PAGE_SIZE, description="Videos per page.")
    offset: int = Field(0, ge=0, le=1_000_000_000, description="Videos to skip.")


class Query(VideoFilters):
    """A query, by at least one of `q`, `image`, `plus` or an uploaded picture."""

    q: str | None = _option("text", max_length=1000)
    plus: list[Text] = _option("plus", max_length=16)
    minus: list[Text] = _option("minus", max_length=16)
    image: str | None = _option(
        "image",
        default=None,
        pattern=r"^[0-9a-f]{32}@[0-9]{1,9}(\.[0-9]{1,20})?$",
        description="A frame of the library to search for, VIDEO_ID@SECONDS.",
    )
    min_score: float | None = _option("min_score", allow_inf_nan=False)
    min_confidence: float | None = _option("min_confidence", ge=0, le=1)
    start: Time | None = _option("start")
    end: Time | None = _option("end")


class SearchQuery(Query):
    """A query for a page of moments, or of videos."""

    then: Text | None = _option("then")
    within: float = _option("within", ge=0, le=86400)
    in_: list[Text] = _option("in_", max_length=8)
    limit: int = _option("limit", default=24, ge=1, le=MAX_PAGE_SIZE)
    offset: int = _option("offset", ge=0, le=1_000_000)
    by: Literal["moment", "video"] = _option("by")
    rank: Literal["softmax", "max", "sum"] = _option("rank")


def _split_box(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


class SearchForm(SearchQuery):
    """The fields of an uploaded form."""

    box: Annotated[
        tuple[float, float, float, float] | None,
        BeforeValidator(_split_box, json_schema_input_type=str),
    ] = Field(None, description="Only this part of each upload: x,y,width,height, as fractions.")


class Then(BaseModel):
    """The moment that follows."""

    start: float
    end: float
    t: float
    score: float
    confidence: float


class Match(BaseModel):
    """Why a moment answers a query: it is seen, or words of a cue match. Times in seconds."""

    kind: Literal["seen", "said", "read"]
    start: float | None = None
    end: float | None = None
    text: str = Field("", description="Plain text, never markup.")
    spans: list[tuple[int, int]] = Field([], description="What matches: from, to (characters).")


class Moment(BaseModel):
    """A span of one video that answers a query. Times in seconds."""

    path: str
    video_id: str
    start: float
    end: float
    t: float = Field(description="The best frame's time.")
    score: float = Field(description="Cosine × 100, and more where words match.")
    confidence: float = Field(ge=0, le=1)
    box: tuple[float, float, float, float] = Field(
        description="x, y, width, height as fractions of the upright frame."
    )
    then: Then | None
    why: list[Match] = []
    thumbnail: str


class ExportedMoment(BaseModel):
    """A moment to export, as a search returned it, or chosen by hand. Times in seconds."""

    model_config = ConfigDict(extra="ignore")

    video_id: str = Field(pattern=VIDEO_ID_PATTERN)
    start: Seconds
    end: Seconds
    t: Seconds | None = None
    score: float = Field(0.0, allow_inf_nan=False)
    confidence: float = Field(0.0, ge=0, le=1)
    box: tuple[Fraction, Fraction, Fraction, Fraction] = (0.0, 0.0, 1.0, 1.0)
    why: list[Match] = Field([], max_length=16)


class Export(BaseModel):
    """Moments, and the format that they are wanted in."""

    model_config = ConfigDict(extra="forbid")

    moments: list[ExportedMoment] = Field(min_length=1, max_length=MAX_PAGE_SIZE)
    to: str = Field("otio", json_schema_extra={"enum": [*FORMATS]})
    title: str = Field("framefind", min_length=1, max_length=200, description=HELP["title"])
    padding: float = Field(0.0, ge=0, le=600, description=HELP["padding"])
    titles: bool = Field(False, description=HELP["titles"])


class VideoMoments(BaseModel):
    """A video and its moments, best first."""

    path: str
    video_id: str
    score: float
    moments: list[Moment]


class SearchResults(BaseModel):
    """One page of results: `moments`, or `videos` where those were asked for."""

    schema_: Literal["framefind/v1"] = Field(alias="schema")
    query: dict[str, Any]
    offset: int
    total: int
    complete: bool = Field(description="False: `total` is of the likely videos alone.")
    notes: list[str] | None = Field(
        None, description="Parts of the query without effect, such as words that the model skips."
    )
    moments: list[Moment] | None = None
    videos: list[VideoMoments] | None = None


class Scores(BaseModel):
    """How well each frame of a video matches a query: three lists of equal length."""

    times: list[float]
    scores: list[float]
    confidences: list[float]


class Video(BaseModel):
    """A video of the library."""

    video_id: str
    path: str
    name: str
    size: int
    duration: float | None
    width: int
    height: int
    fps: float
    codec: str
    status: Literal["indexing", "indexed", "partial", "failed"]
    error: str | None
    frames: int
    cues: int
    modified: datetime | None
    indexed_at: datetime | None


class CuesQuery(BaseModel):
    """Which cues of a video."""

    model_config = ConfigDict(extra="ignore")

    source: Literal["subtitles", "speech", "screen"] | None = None
    language: str | None = Field(None, max_length=64, description="Such as `en`; empty: unknown.")


class Cue(BaseModel):
    """A piece of text with a time: what is said, or written in subtitles or in the picture."""

    start: float = Field(description="Seconds.")
    end: float = Field(description="Seconds.")
    text: str
    source: Literal["subtitles", "speech", "screen"]
    language: str
    box: list[float] | None = Field(description="x, y, width, height as fractions, on the screen.")


class Cues(BaseModel):
    """The cues of a video, in order of time."""

    schema_: Literal["framefind/cues/v1"] = Field(alias="schema")
    cues: list[Cue]


class Stream(BaseModel):
    """How a browser can play a video.

    A `file` is sent as it is, seekable, and its time is the video's. The others are made on the
    fly from `start` on, which is their time 0: ask with `?start=` where to begin, and play `url`.
    """

    url: str
    kind: Literal["file", "remux", "transcode"]
    type: str
    why: str | None = Field(description="Why it is not the file itself.")
    start: float


class PlayableVideo(Video):
    """A video and how to play it; `stream` is null if its file is not there or is no video."""

    stream: Stream | None


class Videos(BaseModel):
    """A page of the library's videos, by path."""

    schema_: Literal["framefind/videos/v1"] = Field(alias="schema")
    total: int
    videos: list[Video]


class Folder(BaseModel):
    """A folder with videos of the library, and how many are in it or below."""

    path: str
    videos: int


class Offline(BaseModel):
    """A folder that cannot be read, the reason, and how many videos lie in it."""

    root: str
    reason: str
    videos: int


class LibraryFacts(BaseModel):
    """The library in numbers. Hours of video; `folders` hold at least one video themselves."""

    schema_: Literal["framefind/status/v1"] = Field(alias="schema")
    library: str
    exists: bool
    model: str | None
    videos: dict[str, int]
    frames: int
    hours: float
    folders: list[Folder]
    index_fresh: bool
    offline: list[Offline] = Field(description="Folders that cannot be read now.")
    lost: int = Field(description="Videos that have lost frames: index them again.")
    lost_words: int = Field(description="Videos that have lost words: index them again.")
    lost_pictures: int = Field(description="Videos known to have lost pictures: index them again.")
    can_add: bool = Field(description="Whether this server takes jobs.")
    roots: list[str] = Field(description="Only below these, if there are any.")


class NewJob(BaseModel):
    """What to index."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(min_length=1, max_length=4096, description="A folder or a video.")


class Job(BaseModel):
    """A run of `index`. Counts are of files."""

    id: str
    path: str
    state: Literal["queued", "running", "cancelling", "done", "cancelled", "failed"]
    created: datetime
    progress: Progress | None = None
    failed: dict[str, str] = Field(default={}, description="Per path, why it could not be indexed.")
    report: dict[str, Any] | None = Field(default=None, description="What was done, at the end.")
    error: str | None = None


class Jobs(BaseModel):
    """All jobs since the server was started, newest first."""

    jobs: list[Job]


def finite(value: float) -> float:
    """Return the number, or 0 for one that JSON cannot express."""
    return value if math.isfinite(value) else 0.0
