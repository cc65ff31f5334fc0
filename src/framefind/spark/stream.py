"""The stream: files that Spark finds become rows of a library, each exactly once.

The driver decides what every file is and commits; executors look into files, decode, embed and
write data files that nobody sees. A batch is committed with the number that Spark gives it, so one
that is run again after a crash changes nothing; and what a library holds already is never decoded,
whoever put it there.
"""

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from framefind.arguments import text, whole_number
from framefind.errors import StoreError, UsageError
from framefind.files import objects
from framefind.files.names import (
    Patterns,
    is_below,
    is_library,
    stored_path,
)
from framefind.indexing.options import IndexOptions
from framefind.indexing.pipeline import interruptible
from framefind.indexing.prepare import check_model, prepare_tables
from framefind.indexing.readers import open_readers
from framefind.indexing.waiting import Waiting
from framefind.indexing.walk import File, is_skipped, walk
from framefind.library import Library
from framefind.reports import Report
from framefind.spark import tasks
from framefind.spark.driver import Batches
from framefind.spark.session import SparkError, as_framefind_error, as_library, require
from framefind.spark.sources import (
    FILES,
    as_file,
    check_minutes,
    from_spark_uri,
    to_spark_uri,
    videos,
)
from framefind.spark.tasks import Job
from framefind.tables import maintenance
from framefind.tables.address import is_local, lock
from framefind.tables.tables import Tables
from framefind.types import PathLike

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_TIDY = 50  # batches after which the tables are looked after
_SETTLE_SECONDS = 2.0  # in which a file has to rest, and
_PATIENCE_SECONDS = 60.0  # after which it is taken, complete or not: as `Library.watch`
_LOOK_SECONDS = 0.2  # between two looks at the files that wait
_SWEEP_SECONDS = 600.0  # between two looks at all files, at least
_MAX_SWEEP_SHARE = 0.02  # of the time


def index(
    spark: "SparkSession",
    source: PathLike,
    library: "PathLike | Library | None" = None,
    *,
    checkpoint: PathLike | None = None,
    trigger: str = "available-now",
    model: str | None = None,
    sampler: str = "every=1.0",
    views: str = "tiles",
    glob: PathLike | Iterable[PathLike] = (),
    exclude: PathLike | Iterable[PathLike] | None = None,
    retry: bool = False,
    dedupe: bool | float = False,
    decoder: str = "auto",
    read: str | Iterable[str] | None = None,
    device: str = "auto",
    precision: str = "auto",
    minutes: float = 10.0,
    files: int = FILES,
    on_batch: Callable[[Report], None] | None = None,
) -> Report:
    """Index the videos below a folder or URI with Spark, into the library that `Library.index` has.

    `trigger` is `available-now`, which returns when what is there is indexed, or how often to look
    for new files (`30s`, `5m`), which goes on until it is interrupted. Then local files are taken
    when they are complete, and what changes or could not be reached is taken again within minutes.
    `checkpoint` is where Spark keeps what it has seen: inside the library unless it is given, one
    for every source. Long videos are decoded in parts of up to `minutes`; a batch has up to
    `files` files. `on_batch` is given the report as it stands after every batch; all else is as
    for `Library.index`.

    Exactly once: whenever the driver or an executor is killed, starting again neither loses nor
    doubles anything. Holds a local library so that others cannot index into it meanwhile, while
    everything else goes on. Raises LibraryError as `Library.index` does, and SparkError where Spark
    is missing or gives up; KeyboardInterrupt after Ctrl-C, when all is kept that was committed.
    """
    require()
    how = _parse_trigger(trigger)
    check_minutes(minutes)
    whole_number(files, "files", low=1)
    opened = as_library(library, device=device, precision=precision)
    options = IndexOptions.pick(locals(), opened.config())
    root = _root(source)
    if checkpoint is None:
        key = blake2b(root.encode("utf-8", "surrogateescape"), digest_size=8).hexdigest()
        checkpoint = f"{opened.uri.rstrip('/')}/checkpoint/{key}"
    checkpoint = os.path.expanduser(text(checkpoint, "checkpoint"))
    choice = opened.choice.named(model)
    check_model(opened.uri, choice)
    with lock(opened.uri, not opened.exists, "index --engine spark"):
        tables, encoder = prepare_tables(opened.uri, choice)
    with lock(opened.uri, False, "index --engine spark"):
        readers = open_readers(options.read, opened.choice.device)
        options = replace(options, read=readers.read)
        opener = partial(tasks.reopen_model, encoder.fingerprint, opened.choice.precision)
        job = Job(opener, options, opened.choice.device)
        batches = Batches(spark, tables, job, opened.vector_index, minutes)
        batches.report.notes = readers.missing
        with interruptible() as interrupted:
            run = _Run(spark, root, options, tables, batches, how, files, on_batch, interrupted)
            run.catch_up(begun=_is_begun(checkpoint))
            run.stream(checkpoint)
        if interrupted.is_set():
            raise KeyboardInterrupt
        maintenance.tidy(tables)
        opened.vector_index.refresh(tables)
    return run.ended()


class _Run:
    """One run of `index`: brings files to the batches."""

    def __init__(
        self,
        spark: "SparkSession",
        root: str,
        options: IndexOptions,
        tables: Tables,
        batches: Batches,
        how: Mapping[str, Any],
        files: int,
        on_batch: Callable[[Report], None] | None,
        interrupted: threading.Event,
    ) -> None:
        self._spark = spark
        self._root = root
        self._tables = tables
        self._batches = batches
        self._glob = options.glob
        self._exclude = options.exclude
        self._on_batch = on_batch
        self._interrupted = interrupted
        self._how = how
        self._goes_on = "availableNow" not in how  # it waits for what comes
        self._files_per_batch = files
        self._began = time.monotonic()
        self._next_sweep = self._began + _SWEEP_SECONDS
        self._taken: set[File] = set()
        self._waiting = Waiting(_SETTLE_SECONDS, _PATIENCE_SECONDS)
        self._libraries: dict[str, bool] = {}
        self._count = 0
        self._error: BaseException | None = None
        self._busy = threading.Lock()  # while a batch is worked on

    def catch_up(self, begun: bool) -> None:
        """Take what Spark's stream would not bring: files that changed, or that it passes over.

        It brings a path once. So what the library knows is looked at here: a file that changed,
        one that failed and shall be tried again, one that was indexed by another sampler. If the
        stream has `begun` before, that is any file: it may have brought one while its store did not
        answer, and nothing is known of that one.
        """
        catalog = self._batches.catalog
        self._take_all(
            file
            for file in self._walk()
            if begun or file.error or catalog.knows(file.path) or _is_hidden(file, self._root)
        )

    def stream(self, checkpoint: str) -> None:
        """Take what Spark's stream brings, until it ends."""
        if self._interrupted.is_set():
            return
        df = videos(self._spark, self._root, glob=_pushed(self._glob), files=self._files_per_batch)
        writer = df.writeStream.foreachBatch(self._batch)
        writer = writer.option("checkpointLocation", to_spark_uri(checkpoint)).trigger(**self._how)
        query = None
        try:
            query = writer.start()
            while query.isActive and not self._interrupted.wait(_LOOK_SECONDS):
                if self._goes_on:
                    self._look_again()
            if not self._interrupted.is_set():
                query.awaitTermination()  # raises what ended it
        except Exception as error:
            raise as_framefind_error(self._error or error) from error
        finally:
            if query:
                query.stop()
            with self._busy:  # its last batch may still be on its way out
                pass

    def _look_again(self) -> None:
        """Take what has become complete, and now and then what the stream does not bring."""
        if self._waiting.check():
            self._take_all(self._waiting.take(), are_complete=True)
        if time.monotonic() < self._next_sweep:
            return
        began = time.monotonic()
        files = [file for file in self._walk() if not file.error]
        ended = time.monotonic()
        self._next_sweep = ended + max(_SWEEP_SECONDS, (ended - began) / _MAX_SWEEP_SHARE)
        self._take_all(files)

    def _walk(self) -> Iterator[File]:
        return walk(self._root, self._glob, self._exclude)

    def _batch(self, df: "DataFrame", number: int) -> None:
        """Take a batch of the stream; Spark calls this with one after the other."""
        with self._busy:
            try:
                query = df.sparkSession.sparkContext.getLocalProperty("sql.streaming.queryId")
                transaction = f"framefind-spark-{query}", int(number)
                if not self._tables.has_published(transaction):
                    self._take(self._choose(self._files(df)), transaction)
            except BaseException as error:
                self._error = error
                raise

    def ended(self) -> Report:
        """Return what was done, all in all."""
        report = self._batches.report
        report.seconds = time.monotonic() - self._began
        if is_local(self._root):
            report.missing, report.offline = self._batches.catalog.survey([stored_path(self._root)])
        return report

    def _take_all(self, files: Iterable[File], are_complete: bool = False) -> None:
        """Take files in batches; those that are not `are_complete` may have to wait."""
        found = [*files]
        for at in range(0, len(found), self._files_per_batch):
            if self._interrupted.is_set():
                return
            with self._busy:
                batch = found[at : at + self._files_per_batch]
                if batch := batch if are_complete else self._choose(batch):
                    self._take(batch)

    def _choose(self, files: Iterable[File]) -> list[File]:
        """Return those that were not taken as they are, each once, and let young ones wait.

        While the stream goes on, a local file may still be written to.
        """
        chosen: dict[File, None] = {}
        for file in files:
            age = time.time() - file.modified / 1e6
            if file in self._taken:
                continue
            if self._goes_on and is_local(file.path) and not file.error and age < _PATIENCE_SECONDS:
                self._waiting.add(file)
            else:
                chosen[file] = None
        return [*chosen]

    def _take(self, files: Sequence[File], transaction: tuple[str, int] | None = None) -> None:
        self._batches.take(files, transaction)
        unreached = self._batches.unreached
        self._taken.update(file for file in files if file.path not in unreached)
        self._count += 1
        if self._count % _TIDY == 0:
            maintenance.tidy(self._tables)
        if self._on_batch:
            self._batches.report.seconds = time.monotonic() - self._began
            self._on_batch(self._batches.report)

    def _files(self, df: "DataFrame") -> Iterator[File]:
        """Yield the files of a batch that are to be indexed."""
        included = Patterns(self._glob, self._root)
        excluded = Patterns(self._exclude, self._root)
        for path, length, modified in df.selectExpr(
            "path", "length", "unix_micros(modified)"
        ).collect():
            name = from_spark_uri(path)
            if self._glob and not included.match(name):
                continue
            above = os.path.dirname(name.removeprefix(self._root)).split("/")
            if any(map(is_skipped, above)) or excluded.match(name) or self._in_library(name):
                continue
            file = as_file(path, length, modified)
            if not file.error or os.path.lexists(file.path):  # else it has another name by now
                yield file

    def _in_library(self, path: str) -> bool:
        """Return whether a file belongs to a library that lies in the source."""
        folder = os.path.dirname(path)
        if not is_local(path) or not is_below(folder, [self._root]):
            return False
        if folder not in self._libraries:
            self._libraries[folder] = is_library(folder) or self._in_library(folder)
        return self._libraries[folder]


def _root(source: PathLike) -> str:
    """Return a folder as a real path, or a URI. Raises SparkError for what is no folder."""
    root = from_spark_uri(text(source, "source"))
    if not is_local(root):
        return root
    root = os.path.realpath(os.path.expanduser(root))
    if not os.path.isdir(root):
        raise SparkError(f"{root} is not a folder: Spark watches folders and URIs")
    return root


def _is_begun(checkpoint: str) -> bool:
    """Return whether a stream has used a checkpoint before, or that cannot be told."""
    path = from_spark_uri(checkpoint)
    if is_local(path):
        return os.path.exists(os.path.join(path, "metadata"))
    try:
        uri = objects.canonical_uri(f"{path}/metadata")
        return objects.stat_objects([uri])[uri] is not None
    except StoreError:
        return True


def _parse_trigger(trigger: str) -> dict[str, Any]:
    """Return a trigger as Spark has it. Raises UsageError."""
    if trigger == "available-now":
        return {"availableNow": True}
    match = re.fullmatch(r"(\d+)\s*(s|m|h)", trigger)
    if not match:
        raise UsageError(f"trigger {trigger!r}: use available-now, or how often, such as 30s or 5m")
    unit = {"s": "seconds", "m": "minutes", "h": "hours"}[match[2]]
    return {"processingTime": f"{match[1]} {unit}"}


def _pushed(glob: Sequence[str]) -> str | None:
    """Return the patterns as Spark's own, where these mean the same: `*.mp4`."""
    if glob and all(re.fullmatch(r"\*\.\w+", pattern) for pattern in glob):
        return "{" + ",".join(glob) + "}"
    return None


def _is_hidden(file: File, root: str) -> bool:
    """Return whether Spark passes over a file.

    That is an empty one, one whose name begins with `_` or is not UTF-8, and one that lies outside
    of the root, where a link leads to.
    """
    path = file.path
    below = os.path.relpath(file.path, root).split(os.sep)
    strange = below[0] == ".." or any(name.startswith("_") for name in below)
    return strange or not file.size or stored_path(path) != path
