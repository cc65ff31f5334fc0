"""The tools: verbs of a library, with what a model has to know of them in their descriptions."""

from collections.abc import Callable, Sequence
from dataclasses import fields
from datetime import datetime
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, Literal, ParamSpec, TypeVar

import anyio.to_thread
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, ImageContent, TextContent
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from framefind import types
from framefind.counts import write_count
from framefind.errors import FramefindError, QueryError, UsageError
from framefind.library import Library
from framefind.mcp import answers, pictures
from framefind.mcp.jobs import Jobs
from framefind.output.files import safe_name
from framefind.output.options import HELP, MAX_CUT_SECONDS, How
from framefind.times import clock, parse_time

P = ParamSpec("P")
R = TypeVar("R")

_NO_WORDS = "no words of this video were read; `framefind index --read` reads them"
_MAX_JOBS = 5  # that are listed, newest first
_HELP = {field.name: field.metadata["option"].help for field in fields(types.Query)}


def _option(name: str) -> Any:
    """Describe an argument as everywhere else: by the help of that field of `types.Query`."""
    return Field(description=_HELP[name])


def _parse_time(value: float | str) -> float:
    return parse_time(value) if isinstance(value, str) else value


Time = Annotated[
    float,
    Field(ge=0),
    BeforeValidator(_parse_time),
    WithJsonSchema({"type": ["number", "string"]}),
]
VideoName = Annotated[
    str, Field(description="A video of the library: its path, or the name of its file.")
]
MaxTokens = Annotated[
    int, Field(ge=200, le=20_000, description="How long the answer may be; what is left is named.")
]


class Span(BaseModel):
    """A part of a video, to export."""

    model_config = ConfigDict(extra="forbid")

    video: VideoName
    start: Time
    end: Time


def explained(function: Callable[P, R]) -> Callable[P, R]:
    """Have a tool tell the model what is wrong, where framefind knows."""

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except FramefindError as error:
            raise ToolError(str(error)) from None

    return call


def answer(value: BaseModel, jpegs: Sequence[bytes] = ()) -> CallToolResult:
    """Return an answer as JSON, once typed and once as a text, and pictures after it."""
    images = [
        ImageContent(type="image", data=pictures.encode_base64(jpeg), mime_type="image/jpeg")
        for jpeg in jpegs
    ]
    return CallToolResult(
        content=[TextContent(type="text", text=answers.write(value)), *images],
        structured_content=value.model_dump(mode="json", exclude_defaults=True),
    )


class Tools:
    """The tools of one library.

    `jobs` index what agents ask for, and `clips` is the folder for what they cut; None where they
    may not. Without `reads_files`, images are frames of the library only, since the client is on
    another computer.
    """

    def __init__(
        self, library: Library, jobs: Jobs | None, clips: Path | None, reads_files: bool
    ) -> None:
        self._library = library
        self._clips = clips
        self._reads_files = reads_files
        self.jobs = jobs

    @explained
    def search(
        self,
        text: Annotated[
            str,
            Field(
                description="What the moment shows, or words that are said or written, such as `a "
                "red car in the rain`. Words between double quotes must occur exactly so."
            ),
        ] = "",
        image: Annotated[
            str,
            Field(
                description="A picture to find the like of: VIDEO@SECONDS, a frame of the library, "
                "or the path of a picture file on this computer."
            ),
        ] = "",
        plus: Annotated[list[str] | str, _option("plus")] = [],  # noqa: B006
        minus: Annotated[list[str] | str, _option("minus")] = [],  # noqa: B006
        then: Annotated[str, _option("then")] = "",
        within: Annotated[Time, _option("within")] = 10.0,
        in_: Annotated[
            list[Literal["seen", "said", "read"]],
            Field(
                description="Where to look: in pictures (`seen`), at what is `said` (subtitles "
                "too), at what is written in the picture (`read`). Default: all."
            ),
        ] = [],  # noqa: B006
        video: Annotated[list[str] | str, _option("video")] = [],  # noqa: B006
        start: Annotated[Time | None, _option("start")] = None,
        end: Annotated[Time | None, _option("end")] = None,
        after: Annotated[datetime | None, _option("after")] = None,
        before: Annotated[datetime | None, _option("before")] = None,
        min_duration: Annotated[Time | None, _option("min_duration")] = None,
        max_duration: Annotated[Time | None, _option("max_duration")] = None,
        min_confidence: Annotated[float | None, _option("min_confidence")] = None,
        by: Annotated[
            Literal["moment", "video"],
            Field(description="`video`: rank videos, and answer with the best moment of each."),
        ] = "moment",
        limit: Annotated[int, Field(ge=1, le=100, description="Most moments, or videos.")] = 10,
        offset: Annotated[int, Field(ge=0, description="Skip the first N of them.")] = 0,
        max_tokens: MaxTokens = answers.MAX_TOKENS,
    ) -> Annotated[CallToolResult, answers.Moments]:
        """Find moments in the videos by what is seen, said or written in them.

        Describe one thing in plain words, as a caption would: "a red car in the rain", not
        "videos with cars". All other arguments narrow the search. Each moment has a video, a time,
        a confidence and why it matches. Confidence is comparable between searches; an unlikely
        moment may still be right, if rarely. `look` at a moment before you say what it shows.
        """
        options = {name: value for name, value in locals().items() if name in _HELP}
        options |= {"text": text or None, "then": then or None}
        options["image"] = self._as_image(image) if image else None
        page = self._library.search(**options)
        moments = page.moments
        if page.videos is not None:
            moments = [
                max(video_moments.moments, key=_score)
                for video_moments in page.videos
                if video_moments.moments
            ]
        notes = answers.shorten_notes([*_list_doubts(moments), *page.notes])
        described = [*map(answers.describe_moment, moments)]
        empty = answers.Moments(moments=[], total=page.total, notes=notes)
        fitting = answers.fit(described, empty, max_tokens)
        more = _name_next(offset + len(fitting), page.total)
        return answer(empty.model_copy(update={"moments": fitting, "more": more}))

    @explained
    def look(
        self,
        video: VideoName,
        t: Annotated[Time, Field(description="Seconds or `1:30`: a moment's `t` shows it best.")],
        end: Annotated[
            Time | None, Field(description="With this, a strip: frames from `t` to here.")
        ] = None,
        count: Annotated[int, Field(ge=2, le=16, description="Frames of the strip.")] = 6,
        size: Annotated[
            int | None,
            Field(ge=64, le=2048, description="Pixels of a picture's longer side."),
        ] = None,
    ) -> Annotated[CallToolResult, answers.Frames]:
        """Look at a video: one frame, or a strip of frames from `t` to `end`, as pictures.

        Use it to check what a moment shows, to read what is written, or to see what happens over
        time. Times are exact: the frame that a player shows then.
        """
        frames = pictures.frames(self._library, video, t, end, count, size)
        described = answers.Frames(
            video=frames.path,
            times=[clock(at) for at in frames.times],
            seconds=[answers.round_up(at) for at in frames.times],
            notes=frames.notes,
        )
        return answer(described, frames.jpegs)

    @explained
    def words(
        self,
        video: VideoName,
        around: Annotated[
            Time | None, Field(description="A time; half of `seconds` before and after it.")
        ] = None,
        seconds: Annotated[Time, Field(description="How much `around` takes.")] = 60.0,
        start: Annotated[Time | None, Field(description="Or from this time on.")] = None,
        end: Annotated[Time | None, Field(description="Or up to this time.")] = None,
        sources: Annotated[
            list[Literal["subtitles", "speech", "screen"]],
            Field(description="Only these. Default: all that were read."),
        ] = [],  # noqa: B006
        offset: Annotated[int, Field(ge=0, description="Skip the first N of these lines.")] = 0,
        max_tokens: MaxTokens = answers.MAX_TOKENS,
    ) -> Annotated[CallToolResult, answers.Lines]:
        """Read the words of a video around a time: subtitles, speech and text on screen.

        Without a time it begins at the beginning. A long text is cut: `more` says how to go on.
        """
        if around is not None:
            start = max(0.0, around - seconds / 2)
            end = around + seconds / 2
        cues = self._library.words(video, sources)
        described = [
            answers.describe_cue(cue)
            for cue in cues
            if (start is None or cue.end > start) and (end is None or cue.start < end)
        ]
        empty = answers.Lines(video=video, lines=[], notes=[] if cues else [_NO_WORDS])
        fitting = answers.fit(described[offset:], empty, max_tokens)
        more = _name_next(offset + len(fitting), len(described))
        return answer(empty.model_copy(update={"lines": fitting, "more": more}))

    async def videos(
        self,
        names: Annotated[
            list[str] | str,
            Field(description="Only these: paths, folders, globs such as `*match*`."),
        ] = [],  # noqa: B006
        limit: Annotated[int, Field(ge=1, le=1000, description="Most videos.")] = 20,
        offset: Annotated[int, Field(ge=0, description="Skip the first N of them.")] = 0,
        max_tokens: MaxTokens = answers.MAX_TOKENS,
    ) -> Annotated[CallToolResult, answers.Videos]:
        """List the videos, and tell how the library is: its size, what failed, what is running.

        Begin here to learn what there is, or to follow a run of `index`.
        """
        jobs = self.jobs.describe()[:_MAX_JOBS] if self.jobs else []
        listing = await anyio.to_thread.run_sync(
            partial(explained(self._list_videos), names, limit, offset, max_tokens, jobs)
        )
        return answer(listing)

    def _list_videos(
        self,
        names: Sequence[str] | str,
        limit: int,
        offset: int,
        max_tokens: int,
        jobs: Sequence[answers.Job],
    ) -> answers.Videos:
        status = self._library.status()
        rows = self._library.videos(names)
        notes = [f"{away.root} cannot be read now: {away.reason}" for away in status.offline]
        if status.lost:
            notes.append(f"{write_count(status.lost, 'video')} lost frames: index again")
        empty = answers.Videos(
            library=status.library,
            model=status.model,
            total=len(rows),
            hours=round(status.hours, 2),
            videos=[],
            notes=answers.shorten_notes(notes),
        )
        empty.jobs = answers.fit(jobs, empty, max_tokens // 2)
        page = [answers.describe_video(row) for row in rows[offset : offset + limit]]
        fitting = answers.fit(page, empty, max_tokens)
        more = _name_next(offset + len(fitting), len(rows))
        return empty.model_copy(update={"videos": fitting, "more": more})

    @explained
    def export(
        self,
        video: VideoName,
        start: Annotated[Time, Field(description="Where the clip begins, such as 90 or 1:30.")],
        end: Annotated[Time, Field(description="Where it ends.")],
        also: Annotated[
            list[Span], Field(description="More moments: all are joined to one film, in order.")
        ] = [],  # noqa: B006
        padding: Annotated[Time, Field(le=60, description=HELP["padding"])] = 0.0,
        title: Annotated[str, Field(description="Name of the film.")] = "",
        titles: Annotated[bool, Field(description=HELP["titles"])] = False,
    ) -> Annotated[CallToolResult, answers.Clip]:
        """Cut a clip, or a film of several moments, and write it as a file for the person to keep.

        It is exact to the frame, has picture and sound, and never replaces a file. Tell the person
        the path of the file.
        """
        assert self._clips
        spans = [Span(video=video, start=start, end=end), *also]
        lengths = [span.end - span.start + 2 * padding for span in spans]
        if min(lengths) <= 2 * padding or sum(lengths) > MAX_CUT_SECONDS:
            raise QueryError(f"`end` must come after `start`, at most {MAX_CUT_SECONDS:g} seconds")
        moments = [
            pictures.span_of(self._library, span.video, span.start, span.end) for span in spans
        ]
        to = "clips"
        out = self._clips
        if also:
            self._clips.mkdir(parents=True, exist_ok=True)
            to = "reel"
            out = self._clips / f"{safe_name(title or 'film')}.mp4"
        how: How = {"padding": padding, "title": title, "titles": titles}
        try:
            done = self._library.export(moments, to, out, **how)
        except UsageError as error:
            another = "; give another `title`" if also else ", from an earlier call"
            raise QueryError(str(error).replace(": `overwrite` replaces it", another)) from None
        troubles = [f"{moment}: {reason}" for moment, reason in done.failed.items()]
        if not done.files:
            raise QueryError("; ".join(troubles))
        return answer(answers.Clip(file=done.files[0], notes=done.notes + troubles))

    async def index(
        self,
        path: Annotated[str, Field(description="A whole path, of a folder or a video.")],
    ) -> Annotated[CallToolResult, answers.Job]:
        """Index a folder or a video, so that it can be searched. Only new videos take time.

        It goes on by itself: call it again, or `videos`, to see how far it is.
        """
        assert self.jobs
        return answer(await self.jobs.run(path))

    def _as_image(self, image: str) -> types.Image:
        """Return an image of a query. Raises QueryError for what an agent may not open."""
        if image.startswith(("http://", "https://")):
            raise QueryError("`image`: addresses are not opened; save the picture, give its path")
        if self._reads_files:
            return image
        crop = types.Crop.parse(image)
        name, _, time = str(crop.of if crop else image).rpartition("@")
        if not name:
            raise QueryError("`image`: give a frame of the library, VIDEO@SECONDS")
        frame = pictures.frame_of(self._library, name, parse_time(time))
        return types.Crop(frame, crop.box) if crop else frame


def _name_next(offset: int, total: int) -> str | None:
    """Return how to ask for what follows `offset` items of `total`; None where that is all."""
    return f"offset={offset}" if offset < total else None


def _score(moment: types.Moment) -> float:
    return moment.score


def _list_doubts(moments: Sequence[types.Moment]) -> list[str]:
    """Return what a model should know before it relies on the moments."""
    if not moments:
        return ["nothing matches: use other words or fewer filters"]
    if all(moment.confidence < types.MAYBE for moment in moments):
        return ["none is likely: look before you say that one, or none, shows it"]
    return []
