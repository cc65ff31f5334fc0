"""The library, the façade: each command but serve, mcp, doctor and models is a method here."""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
from numpy.typing import NDArray

from framefind import arguments, contents, forgetting, types
from framefind.errors import QueryError
from framefind.files.config import Setting, read_settings
from framefind.files.folders import default_library
from framefind.index.refresh import CurrentIndex
from framefind.index.vectors import VectorIndex
from framefind.models.choice import ModelChoice
from framefind.reports import Offline, Upkeep
from framefind.search.filters import find_video_id
from framefind.search.query_vectors import as_queries
from framefind.search.search import score_frames, search_each
from framefind.search.search import search as search_index
from framefind.tables import address
from framefind.tables.tables import Tables
from framefind.types import Cue, FrameScores, Image, Moment, Page, PathLike, Query, Video

if TYPE_CHECKING:
    from framefind.evaluation import Quality
    from framefind.indexing.estimate import Plan
    from framefind.output.options import How
    from framefind.reports import Exported, OnProgress, Report, Status


def _as_html(result: Moment | Page) -> str:
    from framefind.output import notebook

    return notebook.render_result(result)


types.html_writer = _as_html


def open(
    library: PathLike | None = None,
    *,
    model: str | None = None,
    device: str = "auto",
    precision: str = "auto",
) -> "Library":
    """Open a library, the default one if none is named; `index` creates it if it is missing.

    Raises LibraryError when the folder holds something else, or the library was made with another
    model than the one named here.
    """
    uri = default_library() if library is None else library
    return Library(uri, model=model, device=device, precision=precision)


class Library:
    """A folder or an object-store URI with what framefind knows of a set of videos."""

    def __init__(
        self,
        uri: PathLike,
        *,
        model: str | None = None,
        device: str = "auto",
        precision: str = "auto",
    ) -> None:
        """Use `open`.

        `device` is where the model runs, as for `models.load`; `precision` that of a new
        library's model: `auto`, `fp32`, `fp16` or `int8`.
        """
        self.uri = address.resolve_library(uri)
        self.choice = ModelChoice.parse(model, device, precision)
        self.vector_index = CurrentIndex(self.uri)

    def __repr__(self) -> str:
        return f"Library({self.uri!r})"

    def _repr_html_(self) -> str:
        from framefind.output import notebook

        return notebook.render_library(self.uri, self.status() if self.exists else None)

    @property
    def exists(self) -> bool:
        """Return whether the library has been created."""
        return Tables.exists(self.uri)

    def index(
        self,
        paths: PathLike | Iterable[PathLike] | None = None,
        *,
        model: str | None = None,
        sampler: str = "every=1.0",
        views: str = "tiles",
        glob: PathLike | Iterable[PathLike] = (),
        exclude: PathLike | Iterable[PathLike] | None = None,
        roots: PathLike | Iterable[PathLike] = (),
        retry: bool = False,
        dedupe: bool | float = False,
        decoder: str = "auto",
        read: str | Iterable[str] | None = None,
        on_progress: "OnProgress | None" = None,
    ) -> "Report":
        """Index videos: files, or folders at any depth. Idempotent and resumable.

        Decodes only new and changed videos; `retry` tries failed ones again. Creates the library
        if it is missing, with `model`. An argument that is None takes its value from `config`. With
        `dedupe`, near-duplicate frames reuse the previous frame's vectors: True, or how many levels
        of 255 a block may change on average. `decoder` is `auto`, `cpu` or a hardware device of
        PyAV, such as `cuda`. With `roots`, only files below one of these real paths are read, after
        links are resolved. `read` are the words that are read as well, of `subtitles`, `screen` and
        `speech`, or `none`. What a video lacks of them is read alone, and other words stay.

        Returns what was done with each file; a bad file never stops the run. Raises LibraryError
        when another run is writing, the library cannot be written, or it was made with another
        model.
        """
        from framefind.indexing import run

        parsed = run.parse(self.choice, self.config(), locals())
        return run.index(self.vector_index, *parsed, roots, on_progress)

    def plan(
        self,
        paths: PathLike | Iterable[PathLike] | None = None,
        *,
        model: str | None = None,
        sampler: str = "every=1.0",
        views: str = "tiles",
        glob: PathLike | Iterable[PathLike] = (),
        exclude: PathLike | Iterable[PathLike] | None = None,
        retry: bool = False,
        dedupe: bool | float = False,
        decoder: str = "auto",
        read: str | Iterable[str] | None = None,
    ) -> "Plan":
        """Estimate what `index` would do with the same arguments, and what it would cost."""
        from framefind.indexing import run

        return run.plan(self.vector_index, *run.parse(self.choice, self.config(), locals()))

    def watch(
        self,
        paths: PathLike | Iterable[PathLike] | None = None,
        *,
        settle: float = 2.0,
        patience: float = 60.0,
        gentle: bool = False,
        on_report: "Callable[[Report], None] | None" = None,
        stop: threading.Event | None = None,
        **options: Any,
    ) -> None:
        """Index what is below some paths, and what comes or changes there, until `stop` is set.

        A file is taken once it has rested for `settle` seconds and its container is finished, or
        for `patience` seconds. With `gentle`, all else on this computer comes first, and nothing is
        done on battery. `on_report` is given what each run did; `options` are those of `index`.
        """
        from framefind.indexing import run, watch
        from framefind.indexing.options import IndexOptions

        IndexOptions.parse(**options)  # raises TypeError for a name that is none
        parsed = run.parse(self.choice, self.config(), {"paths": paths, "model": None, **options})
        watch.watch(self.vector_index, *parsed, settle, patience, gentle, on_report, stop)

    def reembed(self, model: str, on_progress: "OnProgress | None" = None) -> "Report":
        """Move the library over to another model: decode and embed all its videos again.

        The new vectors grow in a second library beside this one, resumably, which then takes its
        place; until then this one keeps answering. Raises LibraryError when videos are missing or
        fail, since their moments would be lost.
        """
        from framefind.indexing.reembed import reembed

        beside = Library(f"{self.uri}.reembed")
        beside.choice = self.choice.named(arguments.text(model, "model"))
        index = partial(beside.index, retry=True, on_progress=on_progress)
        report = reembed(self.uri, beside.uri, index)
        self.vector_index.forget()
        return report

    def search(
        self,
        text: str | None = None,
        *,
        image: Image | Sequence[Image] | None = None,
        plus: str | Iterable[str] = (),
        minus: str | Iterable[str] = (),
        then: str | None = None,
        within: float = 10.0,
        in_: str | Iterable[str] = (),
        limit: int = 10,
        offset: int = 0,
        by: str = "moment",
        rank: str = "softmax",
        min_score: float | None = None,
        min_confidence: float | None = None,
        video: PathLike | Iterable[PathLike] = (),
        start: float | None = None,
        end: float | None = None,
        after: datetime | None = None,
        before: datetime | None = None,
        min_duration: float | None = None,
        max_duration: float | None = None,
    ) -> Page:
        """Find moments by text, by image, or by a weighted sum of several.

        What to find: `image` is a path, a URL, the bytes of a picture, a frame of the library
        (`video@t`), a Moment, a box of one of those (`car.jpg#0.1,0.2,0.5,0.5`, or a Crop), or
        several of them. `plus` and `minus` add and subtract texts; `2:snow` counts double. With
        `then`, only moments that are followed by what that text says, at most `within` seconds
        after their end. What stands in double quotes must be said or written so. `in_` is where to
        look: in pictures (`seen`), in what is `said` (subtitles too), in what is written (`read`).

        Filters: `video` keeps videos by glob, folder or id; `after` and `before` by modified time;
        `min_duration` and `max_duration` by length in seconds. `start` and `end` keep frames by
        their time in the video, in seconds. `min_score` and `min_confidence` compare exactly the
        numbers that moments carry.

        `limit` and `offset` count moments, or videos with `by="video"`; `rank` is how those are
        ranked: `softmax`, `max` or `sum`. Raises LibraryError when there is no library and
        QueryError when the query cannot be understood.
        """
        options = {name: value for name, value in locals().items() if name != "self"}
        return next(self.search_batch(Query(**options)))

    def search_batch(self, queries: str | Query | Iterable[str | Query]) -> Iterator[Page]:
        """Yield the pages of many queries, in their order: those of `search`, in less time.

        A Query has the arguments of `search`; a text stands for a Query without options. All texts
        are embedded in one batch, and queries with the same filters share one scan. Raises what
        `search` does, before the first page.
        """
        index = self.vector_index.get()
        model = self.choice.reopen(self.uri, index.fingerprint)
        return self.vector_index.ask_each(
            as_queries(queries), lambda rest, index: search_index(rest, index, model), index
        )

    def search_each(self, queries: Iterable[str | Query]) -> Iterator[Page | QueryError]:
        """Yield for each query its page, as `search_batch` does, or the error that refuses it."""
        index = self.vector_index.get()
        model = self.choice.reopen(self.uri, index.fingerprint)
        return self.vector_index.ask_each(
            as_queries(queries), lambda rest, index: search_each(rest, index, model), index
        )

    def scores(
        self,
        text: str | None = None,
        *,
        video: str,
        image: Image | Sequence[Image] | None = None,
        plus: str | Iterable[str] = (),
        minus: str | Iterable[str] = (),
    ) -> FrameScores:
        """Score every sampled frame of one video (path, name or id) for a query like `search`'s.

        They are exactly those of moments, by pictures alone. Raises QueryError when there is no
        such video or the query cannot be understood.
        """
        query = Query(text, image=image, plus=plus, minus=minus)

        def score(index: VectorIndex) -> FrameScores:
            model = self.choice.reopen(self.uri, index.fingerprint)
            return score_frames(query, find_video_id(index, video), index, model)

        return self.vector_index.ask(score)

    def words(self, video: str, sources: str | Iterable[str] = ()) -> list[Cue]:
        """Return the cues of a video (path, name or id) by time.

        Raises QueryError when no video has that name.
        """
        return contents.read_words(self.uri, video, sources)

    def thumbnails(self, moments: Moment | Iterable[Moment]) -> list[bytes | None]:
        """Return the JPEG thumbnail of each moment's best frame; None where it is lost."""
        chosen = arguments.instances(moments, "moments", Moment)
        return contents.read_thumbnails(self.vector_index, chosen)

    def frame(self, video: str, t: float) -> NDArray[np.uint8]:
        """Return the upright RGB picture that a video (path, name or id) shows at `t` seconds.

        Returns uint8 (height, width, 3). Raises QueryError when there is no such video.
        """
        return contents.read_frame(self.vector_index.get(), video, t)

    def export(
        self,
        moments: Moment | Iterable[Moment],
        to: str,
        out: PathLike | None = None,
        **how: "Unpack[How]",
    ) -> "Exported":
        """Hand moments over to other programs: write them in the format `to`.

        `to` is clips, or another format of docs/export.md; `out` the file or folder to write, by
        default in the folder that `config` tells; `how` as in `framefind.output.options.How`. A
        video that cannot be read is reported. Raises UsageError when a file exists already.
        """
        from framefind.output.export import export

        chosen = arguments.instances(moments, "moments", Moment)
        return export(self.uri, chosen, self.thumbnails, to, out, how)

    def evaluate(self, captions: str | Path, *, rank: str = "softmax") -> "Quality":
        """Measure how well texts find the videos, and moments, that they describe.

        `captions` is a file of JSON lines, `{"video", "texts", "start"?, "end"?}` (see
        `framefind.evaluation`); videos are ranked by `rank`. Raises LibraryError when there is no
        library, and QueryError when no line can be used; `missing` names those that are left out.
        """
        from framefind.evaluation import evaluate

        return evaluate(self.uri, self.search_each, arguments.text(captions, "captions"), rank)

    def videos(self, names: PathLike | Iterable[PathLike] = ()) -> list[Video]:
        """Return the videos, by path; with `names` (id, path, folder or glob) those that match.

        Raises UsageError for a name that no video has.
        """
        return contents.list_videos(self.uri, arguments.texts(names, "names"))

    def config(self) -> dict[str, Setting]:
        """Return what a person has chosen, by name, and where each setting comes from."""
        return read_settings(self.uri)

    def status(self) -> "Status":
        """Return the library in numbers: videos, frames, hours, bytes."""
        from framefind.status import find_status

        return find_status(self.uri, self.vector_index)

    def offline(self) -> dict[str, Offline]:
        """Return the videos whose files cannot be looked at: by `video_id`, with the reason."""
        return forgetting.find_offline(self.vector_index.folder, Tables.open(self.uri).videos())

    def remove(
        self,
        names: PathLike | Iterable[PathLike],
        *,
        words: str | Iterable[str] = (),
        purge: bool = False,
        dry_run: bool = False,
    ) -> list[str]:
        """Forget the paths that `names` stand for (id, path, folder or glob), and return them.

        A video goes when its last path goes; files are never touched. With `words`, only what was
        read of these sources goes. With `purge`, what the library stored of it is deleted at once,
        and nobody else may be writing meanwhile; else `maintain` does so later. With `dry_run`,
        nothing is changed. Raises UsageError for a name that no video has, before anything is
        forgotten, and LibraryError when another is writing, or to purge an object store.
        """
        patterns = arguments.texts(names, "names")
        return forgetting.remove(self.uri, patterns, words, purge, dry_run)

    def restorable(self) -> list[Video]:
        """Return what `restore` can bring back: videos, each with the paths that were forgotten."""
        return forgetting.find_restorable(Tables.open(self.uri))

    def restore(self, names: PathLike | Iterable[PathLike], *, dry_run: bool = False) -> list[str]:
        """Bring back what `remove` or `prune` forgot, without decoding, and return its paths.

        That is possible for a week, until `maintain` or a purge has deleted it. With `dry_run`
        nothing is done. Raises UsageError for a name of which nothing can be restored, before
        anything is.
        """
        return forgetting.restore(self.uri, arguments.texts(names, "names"), dry_run)

    def prune(self, *, offline: bool = False, dry_run: bool = False) -> list[str]:
        """Forget videos whose files are gone, copies and all; returns their paths.

        What cannot be looked at is not gone, such as the files of a disk that is unplugged: it is
        forgotten only with `offline`. With `dry_run` nothing is done. Raises LibraryError when
        another is writing, and StoreError when an object store does not answer.
        """
        return forgetting.prune(self.uri, self.vector_index.folder, offline, dry_run)

    def maintain(self) -> Upkeep:
        """Compact the tables and delete what no longer counts and is older than a week.

        Spark streams may write meanwhile; `index` on this computer may not.
        """
        from framefind.tables import maintenance

        with forgetting.changing(self.uri, "maintain") as tables:
            upkeep = maintenance.maintain(tables)
            self.vector_index.refresh(tables)
            self.vector_index.ask(VectorIndex.check_all)
            self.vector_index.check_pictures(tables)
        return upkeep
