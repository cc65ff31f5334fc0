"""The library: what framefind knows of a set of videos; every verb of the command line is here."""

import os
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from framefind import arguments, forgetting, types
from framefind.errors import LibraryError
from framefind.files.folders import data_folder, expand_home
from framefind.files.names import is_library, native_path, readable_first, resolve_path, stored_path
from framefind.files.objects import canonical_uri
from framefind.index.refresh import CurrentIndex
from framefind.index.vectors import VectorIndex
from framefind.models import registry
from framefind.models.base import Model
from framefind.search.filters import VideoNames, names_of
from framefind.search.query_vectors import as_queries
from framefind.search.search import score_frames
from framefind.search.search import search as search_index
from framefind.tables import address
from framefind.tables.tables import Tables
from framefind.types import (
    FrameScores,
    Image,
    Moment,
    Offline,
    Page,
    PathLike,
    Query,
    Upkeep,
    Video,
)

if TYPE_CHECKING:
    from framefind.evaluation import Quality
    from framefind.indexing.decide import Catalog
    from framefind.indexing.estimate import Plan
    from framefind.indexing.options import IndexOptions
    from framefind.types import OnProgress, Report, Status


def _as_html(result: Moment | Page) -> str:
    from framefind.output import notebook

    return notebook.result(result)


types.html_writer = _as_html


def default_library() -> str:
    """`$FRAMEFIND_LIBRARY`, else `default.framefind` in the user's data folder."""
    if named := os.environ.get("FRAMEFIND_LIBRARY"):
        return named
    return str(data_folder() / "default.framefind")


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
        (text,) = map(canonical_uri, arguments.texts(uri, "library"))
        self.uri = text if not address.is_local(text) else os.path.abspath(expand_home(text))
        self._wanted_model = registry.full_name(model) if model else None
        registry.check_choices(device, precision)
        self.device, self.precision = device, precision
        self.vector_index = CurrentIndex(self.uri)
        address.check_address(self.uri)
        if not address.is_local(self.uri) or is_library(self.uri):
            return
        if is_library(str(address.aside_path(self.uri))):
            address.restore_library(self.uri)
        else:
            address.check_place(self.uri)

    def __repr__(self) -> str:
        return f"Library({self.uri!r})"

    def _repr_html_(self) -> str:
        from framefind.output import notebook

        return notebook.library(self.uri, self.status() if self.exists else None)

    @property
    def exists(self) -> bool:
        """Whether the library has been created."""
        return Tables.exists(self.uri)

    # --- index ---------------------------------------------------------------------------------

    def index(
        self,
        paths: PathLike | Iterable[PathLike],
        *,
        model: str | None = None,
        sampler: str = "every=1.0",
        views: str = "tiles",
        glob: PathLike | Iterable[PathLike] = (),
        exclude: PathLike | Iterable[PathLike] = (),
        roots: PathLike | Iterable[PathLike] = (),
        retry: bool = False,
        dedupe: bool | float = False,
        decoder: str = "auto",
        on_progress: "OnProgress | None" = None,
    ) -> "Report":
        """Index videos: files, or folders at any depth. Idempotent and resumable.

        Only what is new or changed is decoded; `retry` tries those again that failed. Creates the
        library if it is missing, with `model` (default `mini`). With `dedupe`, frames that look
        like the one before take its vectors (True, or a bound on how much a block of 255 levels may
        change on average); `decoder` is `auto`, `cpu` or a device that PyAV lists, such as `cuda`.
        With `roots`, real paths, no file is read that lies below none of them once links are
        resolved. Returns what was done with every file; a bad file never stops the run. Raises
        LibraryError when another run is writing, the library cannot be written, or it was made
        with another model.
        """
        from framefind.indexing.options import IndexOptions
        from framefind.indexing.pipeline import Indexer
        from framefind.indexing.walk import walk
        from framefind.tables import maintenance
        from framefind.types import Report

        options = IndexOptions.parse(
            sampler=sampler,
            views=views,
            glob=glob,
            exclude=exclude,
            retry=retry,
            dedupe=dedupe,
            decoder=decoder,
        )
        named = arguments.texts(paths, "paths")
        files = list(walk(named, options.glob, options.exclude, roots))
        if not files and not self.exists:
            return Report()
        with address.lock(self.uri, doing="index"):
            tables, encoder = self.prepare(model)
            catalog = self._open_catalog(tables, options)
            report = Indexer(tables, catalog, encoder, options, on_progress).run(files)
            folders = [stored_path(resolve_path(path)) for path in named]
            report.missing, report.offline = catalog.survey(folders)
            maintenance.tidy(tables)
            self.vector_index.refresh(tables)
        return report

    def plan(
        self,
        paths: PathLike | Iterable[PathLike],
        *,
        model: str | None = None,
        sampler: str = "every=1.0",
        views: str = "tiles",
        glob: PathLike | Iterable[PathLike] = (),
        exclude: PathLike | Iterable[PathLike] = (),
        retry: bool = False,
        dedupe: bool | float = False,
        decoder: str = "auto",
    ) -> "Plan":
        """Estimate what `index` would do with the same arguments, and what it would cost."""
        from framefind.indexing.estimate import plan
        from framefind.indexing.options import IndexOptions
        from framefind.indexing.walk import walk

        options = IndexOptions.parse(
            sampler=sampler,
            views=views,
            glob=glob,
            exclude=exclude,
            retry=retry,
            dedupe=dedupe,
            decoder=decoder,
        )
        named = arguments.texts(paths, "paths")
        files = list(walk(named, options.glob, options.exclude))
        tables, encoder = self._find(model)
        catalog = self._open_catalog(tables, options)
        planned = plan(files, catalog, encoder, options)
        folders = [stored_path(resolve_path(path)) for path in named]
        planned.missing, planned.offline = catalog.survey(folders, learn=False)
        return planned

    def _open_catalog(self, tables: Tables | None, options: "IndexOptions") -> "Catalog":
        """Read what the library knows of files, for one run."""
        from framefind.indexing.decide import Catalog

        rows = tables.videos() if tables else []
        lost = self.vector_index.lost(tables, rows) if tables else []
        return Catalog(rows, self.vector_index.folder / "files.json", options, lost)

    def reembed(self, model: str, on_progress: "OnProgress | None" = None) -> "Report":
        """Move the library over to another model: decode and embed all its videos again.

        The new vectors grow in a second library beside this one, resumably, which then takes its
        place; until then this one keeps answering. Raises LibraryError when videos are missing or
        fail, since their moments would be lost.
        """
        from framefind.indexing.reembed import reembed

        beside = Library(
            f"{self.uri}.reembed", model=model, device=self.device, precision=self.precision
        )

        def index(paths: list[str], sampler: str, views: str) -> "Report":
            return beside.index(
                paths, sampler=sampler, views=views, retry=True, on_progress=on_progress
            )

        report = reembed(self.uri, beside.uri, index)
        self.vector_index.forget()
        return report

    def prepare(self, model: str | None) -> tuple[Tables, Model]:
        """The tables, made if they are missing, and the model that fills them.

        The model of a new library passes its self-test first. Raises LibraryError when the
        library was made with another model.
        """
        tables, encoder = self._find(model)
        return tables or self._made(encoder), encoder

    def _find(self, model: str | None) -> tuple[Tables | None, Model]:
        """The tables, if there are any, and the model that fills them."""
        wanted = registry.full_name(model) if model else self._wanted_model
        if not self.exists:
            return None, registry.load(wanted or "mini", self.device, self.precision)
        tables = Tables.open(self.uri)
        return tables, self.encoder(tables.fingerprint, wanted)

    def _made(self, encoder: Model) -> Tables:
        """The tables of a new library, whose model passes its self-test first."""
        registry.check(encoder)
        try:
            return Tables.create(self.uri, encoder.fingerprint)
        except LibraryError:
            if not self.exists:  # or another run has just made it in a store
                raise
        tables = Tables.open(self.uri)
        self.encoder(tables.fingerprint, encoder.fingerprint["model"])
        return tables

    def encoder(self, fingerprint: dict[str, str], wanted: str | None = None) -> Model:
        """The model that made the library's vectors, or another one of the same checkpoint.

        Raises LibraryError if its vectors cannot be compared with those of the library.
        """
        made_with, wanted = fingerprint["model"], wanted or self._wanted_model
        made_at = fingerprint.get("precision", "auto")
        if wanted and wanted != made_with:
            local = wanted.startswith("local-dir:") and "source" in fingerprint
            encoder = registry.load(wanted, self.device, self.precision) if local else None
            if encoder is None or not registry.interchangeable(fingerprint, encoder.fingerprint):
                raise LibraryError(
                    f"{self.uri} was made with {made_with}, not {wanted}: leave `model` out, or "
                    f"move it over with `reembed({wanted!r})`"
                )
            return encoder
        if self.precision not in ("auto", made_at) and "runtime" not in fingerprint:
            raise LibraryError(
                f"{self.uri} was made with {made_with} at {made_at}, not {self.precision}: leave "
                f"`precision` out, or move it over with `reembed({made_with!r})`"
            )
        encoder = registry.reopen(fingerprint, self.device, self.precision)
        if not registry.interchangeable(fingerprint, encoder.fingerprint):
            raise LibraryError(
                f"{self.uri} was made with other weights or preprocessing of {made_with} than "
                f"those here: bring them back, or move it over with `reembed({made_with!r})`"
            )
        return encoder

    # --- search --------------------------------------------------------------------------------

    def search(
        self,
        text: str | None = None,
        *,
        image: Image | Sequence[Image] | None = None,
        plus: str | Iterable[str] = (),
        minus: str | Iterable[str] = (),
        then: str | None = None,
        within: float = 10.0,
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

        `image` is a path, a URL, the bytes of a picture, a frame of the library (`video@t`), a
        Moment, or a box of one of those (`car.jpg#0.1,0.2,0.5,0.5`, or a Crop); or several of them.
        `plus` and `minus` add and subtract texts; `2:snow` counts double. With `then`, only what is
        followed by what that text says, `within` seconds after its end. `video` keeps videos by
        glob, folder or id; `start` and `end` frames by their time in the video, in seconds; `after`
        and `before` videos by their modified time, `min_duration` and `max_duration` by their
        length in seconds. `min_score` and `min_confidence` cut by exactly the numbers that moments
        carry. `limit` and `offset` count moments, or videos with `by="video"`, which `rank` ranks
        by `softmax`, `max` or `sum`.

        Raises LibraryError when there is no library and QueryError when the query is no query.
        """
        query = Query(
            text,
            image=image,
            plus=plus,
            minus=minus,
            then=then,
            within=within,
            limit=limit,
            offset=offset,
            by=by,
            rank=rank,
            min_score=min_score,
            min_confidence=min_confidence,
            video=video,
            start=start,
            end=end,
            after=after,
            before=before,
            min_duration=min_duration,
            max_duration=max_duration,
        )
        return next(self.search_batch([query]))

    def search_batch(self, queries: str | Query | Iterable[str | Query]) -> Iterator[Page]:
        """The pages of many queries, in their order: what `search` gives, in less time.

        A Query has the arguments of `search`; a text is one with nothing else. All texts are
        embedded in one go, and queries with the same filters are scored together. Raises what
        `search` does, before the first page.
        """
        index = self.vector_index.get()
        model = self.encoder(index.fingerprint)
        return self.vector_index.ask_each(
            as_queries(queries), lambda rest, index: search_index(rest, index, model), index
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

        Scores and confidences are exactly those that moments have. Raises QueryError when there is
        no such video, or the query is no query.
        """
        query = Query(text, image=image, plus=plus, minus=minus)
        return self.vector_index.ask(
            lambda index: score_frames(
                query, _video_id(index, video), index, self.encoder(index.fingerprint)
            )
        )

    def thumbnails(self, found: Moment | Iterable[Moment]) -> list[bytes | None]:
        """The JPEG thumbnail of each moment's best frame; None where the library has lost it."""
        index = self.vector_index.get()
        wanted = []
        for moment in arguments.several(found):
            frame = index.frame_at(moment.video_id, moment.t)
            wanted.append((moment.video_id, index.segment(frame), float(index.frames["t"][frame])))
        return Tables.open(self.uri).thumbnails(wanted)

    def frame(self, video: str, t: float) -> NDArray[np.uint8]:
        """The upright RGB picture that a video of the library (path, name or id) shows at t.

        Returns uint8 (height, width, 3). Raises QueryError when there is no such video.
        """
        from framefind.video.decode import frame

        index = self.vector_index.get()
        return frame(native_path(readable_first(index.video(_video_id(index, video)).paths)[0]), t)

    def evaluate(self, captions: str | Path, *, rank: str = "softmax") -> "Quality":
        """Measure how well texts find the videos, and moments, that they describe.

        `captions` is a file of JSON lines, `{"video", "texts", "start"?, "end"?}` (see
        `framefind.evaluation`); videos are ranked by `rank`. Raises LibraryError when there is no
        library and QueryError when the file is no captions, or of none of the library's videos.
        """
        from framefind.evaluation import evaluate

        return evaluate(self.uri, self.search_batch, captions, rank)

    # --- videos --------------------------------------------------------------------------------

    def videos(self, wanted: PathLike | Iterable[PathLike] = ()) -> list[Video]:
        """Return the videos, by path; with `wanted` (id, path, folder or glob) those that match.

        Raises UsageError for a name that no video has.
        """
        rows = sorted(Tables.open(self.uri).videos(), key=lambda row: row.path)
        patterns = arguments.texts(wanted, "wanted")
        if not patterns:
            return rows
        names = VideoNames(rows)
        named = {video_id for pattern in patterns for video_id in names.find_all([pattern])}
        return [row for row in rows if row.video_id in named]

    def status(self) -> "Status":
        """The library in numbers."""
        from framefind.status import find_status

        return find_status(self.uri, self.vector_index)

    def offline(self) -> dict[str, Offline]:
        """Return why the files of videos cannot be looked at, by `video_id`, where that is so."""
        rows = Tables.open(self.uri).videos()
        absent = forgetting.find_absent(self.vector_index.folder, rows)
        return {row.video_id: hidden for row in rows if (hidden := absent.hides(row))}

    def remove(
        self,
        wanted: PathLike | Iterable[PathLike],
        *,
        purge: bool = False,
        dry_run: bool = False,
    ) -> list[str]:
        """Forget the paths that `wanted` names (id, path, folder or glob), and return them.

        A video goes when its last path goes; files are never touched. With `purge`, what the
        library stored of the videos is deleted from the disk at once, and nobody else may be
        writing meanwhile; without, `maintain` deletes it later. With `dry_run` nothing is done.
        Raises UsageError for a name that no video has, before anything is forgotten, and
        LibraryError when another is writing, or to purge an object store.
        """
        patterns = arguments.texts(wanted, "wanted")
        return forgetting.remove(self.uri, patterns, purge, dry_run)

    def restorable(self) -> list[Video]:
        """Return what `restore` can bring back: videos, each with the paths that were forgotten."""
        return forgetting.find_restorable(Tables.open(self.uri))

    def restore(self, wanted: PathLike | Iterable[PathLike], *, dry_run: bool = False) -> list[str]:
        """Bring back what `remove` or `prune` forgot, without decoding, and return its paths.

        That is possible for a week, until `maintain` or a purge has deleted it. With `dry_run`
        nothing is done. Raises UsageError for a name of which nothing can be restored, before
        anything is.
        """
        return forgetting.restore(self.uri, arguments.texts(wanted, "wanted"), dry_run)

    def prune(self, *, offline: bool = False, dry_run: bool = False) -> list[str]:
        """Forget videos whose files are gone, copies and all; returns their paths.

        What cannot be looked at is not gone, such as the files of a disk that is unplugged: it is
        forgotten only with `offline`. With `dry_run` nothing is done. Raises LibraryError when
        another is writing, and StoreError when an object store does not answer.
        """
        return forgetting.prune(self.uri, self.vector_index.folder, offline, dry_run)

    def maintain(self) -> Upkeep:
        """Compact the tables and delete what no longer counts and is older than a week.

        Others may be writing meanwhile, as Spark's streams do, but for `index` on this computer.
        """
        from framefind.tables import maintenance

        with forgetting.changing(self.uri, "maintain") as tables:
            upkeep = maintenance.maintain(tables)
            self.vector_index.refresh(tables)
            self.vector_index.ask(VectorIndex.check_all)
        return upkeep


def _video_id(index: VectorIndex, name: str) -> str:
    """The id of the one video of that path, name or id; an id is looked up without a scan."""
    return name if index.videos.find(name) is not None else names_of(index).find(name)
