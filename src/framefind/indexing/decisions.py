"""What opening a file shows, and what is decided about it."""

import math
import os
from dataclasses import dataclass
from typing import Literal, Protocol

from framefind.errors import NotAVideoError, StoreError, VideoError
from framefind.files.names import stored_path
from framefind.files.objects import find_object, is_remote
from framefind.indexing.reading import Reading
from framefind.indexing.walk import File
from framefind.types import Video
from framefind.video.facts import Facts
from framefind.video.identity import video_id as find_video_id
from framefind.video.process import DecoderProcess


@dataclass(frozen=True)
class Settled:
    """A file of which nothing has to be decoded, and why; `error` is for people."""

    kind: Literal[
        "unchanged",
        "touched",
        "moved",
        "copied",
        "not a video",
        "failed",
        "failed before",
        "unreachable",
    ]
    file: File
    error: str | None = None


@dataclass(frozen=True)
class Pending:
    """A video to decode or to read; `row` is what its row is to begin with.

    Frames are embedded from `start` on, in seconds; infinity where that is done. `words` are read,
    each from where it is until now; `sidecars` are the paths or URIs of subtitle files beside it.
    """

    file: File
    row: Video
    start: float = -math.inf
    words: tuple[Reading, ...] = ()
    sidecars: tuple[str, ...] = ()

    @property
    def screen(self) -> Reading | None:
        """Return what reads its frames beside embedding them, if anything does."""
        return next((reading for reading in self.words if reading.source == "screen"), None)

    @property
    def decodes_from(self) -> float:
        """Return from when on frames are decoded, in seconds; infinity if none are."""
        return min(self.start, self.screen.until if self.screen else math.inf)


@dataclass(frozen=True)
class Probed:
    """What opening a file shows: a video's id and facts, or why there is none.

    `cuts` are times in seconds where the video may be cut into spans, if somebody looked for them.
    A file that cannot be read, or that a store does not give, is `unreachable`: that says nothing
    of the video.
    """

    kind: Literal["video", "not a video", "failed", "unreachable"]
    video_id: str = ""
    facts: Facts | None = None
    cuts: tuple[float, ...] = ()
    error: str | None = None


def probe(worker: DecoderProcess, path: str) -> Probed:
    """Open a file to see what it is; `worker` has the video open afterwards."""
    try:
        facts, video_id = worker.open(path)
    except NotAVideoError as error:
        return Probed("not a video", error=describe_error(path, error))
    except StoreError as error:
        return Probed("unreachable", error=describe_error(path, error))
    except VideoError as error:
        if not is_readable(path):
            return Probed("unreachable", error=describe_error(path, error))
        return Probed("failed", find_video_id(path), error=describe_error(path, error))
    return Probed("video", video_id, facts)


def is_readable(path: str) -> bool:
    """Return whether a file can be read at the moment."""
    if not is_remote(path):
        return "\0" not in path and os.access(path, os.R_OK)
    try:
        return find_object(path) is not None
    except StoreError:
        return False


def is_final(path: str, error: Exception) -> bool:
    """Return whether an error is the video's own, so that reading it again would not help.

    Else its store, its disk, or a model that reads it is away, and the video is tried again.
    """
    return isinstance(error, VideoError) and is_readable(path)


def describe_error(path: str, error: Exception) -> str:
    """Return an error's message without its path, which stands beside it everywhere."""
    return str(error).removeprefix(f"{path}: ")


class Counts(Protocol):
    """What is counted of settled files, by a run and by a dry run; see `Report`."""

    unchanged: int
    moved: list[str]
    copied: list[str]
    failed_before: int
    passed_over: int
    failed: dict[str, str]


def count_settled(settled: Settled, report: Counts) -> None:
    """Count in the report what a settled file is."""
    path = stored_path(settled.file.path)
    match settled.kind:
        case "unchanged" | "touched":
            report.unchanged += 1
        case "moved":
            report.moved.append(path)
        case "copied":
            report.copied.append(path)
        case "not a video":
            report.passed_over += 1
        case "failed before":
            report.failed_before += 1
        case "failed" | "unreachable":
            report.failed[path] = settled.error or "unknown"
