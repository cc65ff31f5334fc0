"""Watch folders: index what is new or changed as soon as it is complete, until stopped."""

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from framefind.errors import BusyError, FramefindError, LibraryError
from framefind.files.names import native_path, resolve_path
from framefind.files.objects import is_remote
from framefind.index.refresh import CurrentIndex
from framefind.indexing.changes import follow
from framefind.indexing.decide import Catalog
from framefind.indexing.gentle import is_on_battery, lower_priority
from framefind.indexing.options import IndexOptions
from framefind.indexing.prepare import check_model
from framefind.indexing.run import index_files
from framefind.indexing.waiting import Waiting
from framefind.indexing.walk import File, walk
from framefind.models.choice import ModelChoice
from framefind.reports import Progress, Report
from framefind.tables.tables import Tables
from framefind.words.sidecars import find_videos

_MAX_RUN_BYTES = 500e6
_MIN_RUN_SECONDS = 5.0  # of a run before files that have just become complete stop it
_MAX_RUN_SECONDS = 60.0  # so that others get to write, too
_PAUSE_SECONDS = 1.0  # in which they do
_WAIT_SECONDS = 0.5
_RETRY_SECONDS = 5.0  # after another process wrote to the library
_REST_SECONDS = 30.0  # after any other trouble, such as a full disk
_BATTERY_SECONDS = 10.0  # between two looks at the battery

_log = logging.getLogger(__name__)


def watch(
    vector_index: CurrentIndex,
    choice: ModelChoice,
    paths: Sequence[str],
    options: IndexOptions,
    settle: float,
    patience: float,
    gentle: bool,
    on_report: Callable[[Report], None] | None,
    stop: threading.Event | None,
) -> None:
    """Index what is and what comes below some paths until `stop` is set: see `Library.watch`."""
    stop = stop or threading.Event()
    if gentle:
        lower_priority()
    uri = vector_index.uri
    check_model(uri, choice)  # raises now, not after the first run
    is_there = Tables.exists(uri)
    collector = _Collector(paths, options, Waiting(settle, patience), gentle, stop)
    trouble = ""
    with collector.running():
        choose = partial(_choose, waiting=collector.waiting)
        while files := collector.wait():
            if is_there and not is_remote(uri) and not Tables.exists(uri):
                raise LibraryError(f"{uri}: the library is gone, so the watch ends")
            swept = sorted(collector.swept)
            run = partial(index_files, vector_index, choice, files, swept, options)
            try:
                report = run(collector.note_progress, collector.interrupt, choose)
            except (FramefindError, OSError) as error:
                if str(error) != trouble:
                    _log.warning("%s", error)
                trouble = str(error)
                collector.waiting.give_back(files)
                stop.wait(_RETRY_SECONDS if isinstance(error, BusyError) else _REST_SECONDS)
                continue
            trouble = ""
            is_there = True
            collector.swept.difference_update(swept)
            if collector.interrupt.is_set():
                collector.waiting.give_back(files)
                stop.wait(_PAUSE_SECONDS)
            collector.waiting.forget(report.failed)
            report.failed = _leave_out_gone(report.failed)
            if on_report and (report.counts() or report.passed_over):
                on_report(report)


class _Collector:
    """A thread that takes in what changes, and lets the run that goes on end where it should.

    `interrupt` ends the run: files have become complete that should not wait for a long film, it
    has taken a minute, the computer runs on its battery, or all shall stop. Its time counts from
    its first progress, so that no run ends without having done anything. `swept` are the roots that
    were looked at as a whole and that no run was told of yet.
    """

    def __init__(
        self,
        paths: Sequence[str],
        options: IndexOptions,
        waiting: Waiting,
        gentle: bool,
        stop: threading.Event,
    ) -> None:
        self.waiting = waiting
        self.interrupt = threading.Event()
        self.swept: set[str] = set()
        self._paths = paths
        self._roots = self._resolve()
        self._options = options
        self._gentle = gentle
        self._stop = stop
        self._ready = threading.Event()
        self._troubles: dict[str, str] = {}
        self._got_on_at = math.inf
        self._battery_at = 0.0
        self._on_battery = False
        self._error: BaseException | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """Collect in a thread; at the end, stop it."""
        thread = threading.Thread(target=self._collect, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def wait(self) -> list[File]:
        """Wait for complete files, and return them; none when all shall stop."""
        while not self._stop.is_set():
            self._ready.clear()
            if not self._on_battery and (files := self.waiting.take()):
                self._got_on_at = math.inf
                self.interrupt.clear()
                return files
            self._ready.wait(_WAIT_SECONDS)
        if self._error:
            raise self._error
        return []

    def note_progress(self, progress: Progress) -> None:
        """Note that the run gets on, whatever it has done."""
        self._got_on_at = min(self._got_on_at, time.monotonic())

    def _collect(self) -> None:
        try:
            while not self._stop.is_set():
                self._roots = self._resolve()
                for paths in follow(self._roots, self._stop):
                    self._take_in(paths)
                    self._look_at_battery()
                    if self.waiting.check():
                        self._ready.set()
                    self._interrupt_in_time()
                    if self._resolve() != self._roots:
                        break
        except BaseException as error:  # a bug here must end the watch, not blind it
            self._error = error
        finally:
            self._stop.set()
            self.interrupt.set()
            self._ready.set()

    def _resolve(self) -> list[str]:
        """Return where the paths lead to now: a link may be replaced."""
        return [resolve_path(path) for path in self._paths]

    def _interrupt_in_time(self) -> None:
        """Let the run end if it has taken its time."""
        ran = time.monotonic() - self._got_on_at
        others_wait = self._ready.is_set() and ran >= _MIN_RUN_SECONDS
        if self._on_battery or others_wait or ran >= _MAX_RUN_SECONDS:
            self.interrupt.set()

    def _take_in(self, paths: set[str]) -> None:
        """Let the files below some paths wait, and the videos whose sidecars they are."""
        if not paths:
            return
        swept = paths.intersection(self._roots)
        self.swept |= swept
        options = self._options
        changed = set(paths)
        present = set()
        is_whole = True
        for file in walk(self._roots, options.glob, options.exclude, within=paths):
            present.add(file.path)
            is_whole = is_whole and file.error is None
            if file.error is not None and self._troubles.get(file.path) != file.error:
                self._troubles[file.path] = file.error
                waits = "; it is watched as soon as it is there"
                hint = waits if file.path in self._roots and not os.path.lexists(file.path) else ""
                _log.warning("%s: %s%s", file.path, file.error, hint)
            if self.waiting.add(file):
                changed.add(file.path)
        if is_whole:  # what is hidden now is not gone
            changed.update(self.waiting.forget_gone(swept, present))
        if videos := find_videos(changed):
            for file in walk(self._roots, options.glob, options.exclude, within=videos):
                self.waiting.add(file, again=True)

    def _look_at_battery(self) -> None:
        now = time.monotonic()
        if self._gentle and now - self._battery_at >= _BATTERY_SECONDS:
            self._battery_at = now
            was_on_battery = self._on_battery
            self._on_battery = is_on_battery()
            if self._on_battery != was_on_battery:
                _log.warning("%s", "paused: on battery" if self._on_battery else "goes on")


def _choose(files: Sequence[File], catalog: Catalog, waiting: Waiting) -> list[File]:
    """Return those of some files that one run shall have, and let the others wait.

    It has all that need not be opened, and of the others the first: one, or as many as fit.
    """
    unopened = [file for file in files if catalog.settle_unopened(file)]
    settled = {file.path for file in unopened}
    unsettled = [file for file in files if file.path not in settled]
    chosen = _fit(unsettled)
    waiting.give_back(unsettled[len(chosen) :])
    return [*unopened, *chosen]


def _leave_out_gone(failed: Mapping[str, str]) -> dict[str, str]:
    """Return what failed, but for files that are gone, such as a download that has its name now."""
    return {
        path: reason
        for path, reason in failed.items()
        if is_remote(path) or os.path.lexists(native_path(path))
    }


def _fit(files: list[File]) -> list[File]:
    """Return the first of some files: one, or as many as one run shall have."""
    size = 0
    for count, file in enumerate(files):
        size += file.size
        if count and size > _MAX_RUN_BYTES:
            return files[:count]
    return files
