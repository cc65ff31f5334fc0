"""One batch of files: what each of them is, what the executors decode of it, one commit."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

from framefind.files.names import stored_path
from framefind.index.refresh import CurrentIndex
from framefind.indexing.decide import Catalog, open_catalog
from framefind.indexing.decisions import Pending, Probed, Settled, count_settled
from framefind.indexing.reading import Reading
from framefind.indexing.spans import MIN_SPAN_SECONDS, span_seconds
from framefind.indexing.video_row import Ending, VideoRow, Written, join_endings
from framefind.indexing.walk import File
from framefind.reports import Report
from framefind.spark import tasks as executor
from framefind.spark.session import as_framefind_error
from framefind.spark.sources import count_slots, thin_cuts
from framefind.spark.tasks import Job, VideoSpan, WrittenSpan
from framefind.spark.words import ReadWords, find_unread, reads_with_frames, words_task
from framefind.tables.data_files import DataFile
from framefind.tables.rows import CueRow
from framefind.tables.tables import Tables
from framefind.types import Cue
from framefind.video.facts import Facts
from framefind.video.process import ScreenCues

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TASKS_PER_SLOT = 4  # so that all slots end at about the same time
_ROUNDS_PER_COMMIT = 8  # of the longest tasks

T = TypeVar("T")


@dataclass
class _Todo:
    """A video that has to be decoded, and where it may be cut, in seconds."""

    pending: Pending
    cuts: Sequence[float]

    def spans(self, length: float) -> list[VideoSpan]:
        start = self.pending.start
        read_screen = reads_with_frames(self.pending)
        path = self.pending.file.path
        cuts = (cut for cut in thin_cuts(self.cuts, length) if cut > start)
        return [
            VideoSpan(path, self.pending.row.video_id, *borders, read_screen=read_screen)
            for borders in pairwise([start, *cuts, math.inf])
        ]


class Batches:
    """The batches of one run, on the driver: takes files, commits rows, keeps the account."""

    def __init__(
        self,
        spark: "SparkSession",
        tables: Tables,
        job: Job,
        vector_index: CurrentIndex,
        minutes: float = 10.0,
    ) -> None:
        """Open the catalog of the library; a task decodes up to `minutes` of a video."""
        self.report = Report()
        self.unreached: set[str] = set()
        """Files that the last `take` could not reach, or not to their end: to be taken again."""
        self._spark = spark
        self._tables = tables
        self._job = job
        self._vector_index = vector_index
        self._sampler = job.options.sampler
        self._max_seconds = 60 * minutes
        self._version = tables.versions()[0]  # of `videos`, that the catalog knows
        self.catalog = self._open_catalog()

    def take(self, files: Sequence[File], transaction: tuple[str, int] | None = None) -> None:
        """Do all that has to be done about some files, and commit it.

        What was reported of them before does not count any longer.
        """
        self.unreached.clear()
        for path in (stored_path(file.path) for file in files):
            for reasons in (self.report.failed, self.report.partial, self.report.unread):
                reasons.pop(path, None)
        if self._tables.versions()[0] != self._version:  # another writer came by
            self._version = self._tables.versions()[0]
            self.catalog = self._open_catalog()
        self.catalog.look_again()
        groups = list(self._group(self._decide(files))) or [[]]
        for number, group in enumerate(groups, 1):
            last = number == len(groups)
            cues = self._read_words([video.pending for video in group if video.pending.words])
            frames, screen = self._decode(group)
            cues += self._tables.write_cues(screen)
            self._publish(frames, cues, last, transaction if last else None)
        self.catalog.save()

    def _open_catalog(self) -> Catalog:
        return open_catalog(self._vector_index, self._tables, self._job.options)

    def _publish(
        self,
        files: Sequence[DataFile],
        cues: Sequence[DataFile],
        last: bool,
        transaction: tuple[str, int] | None,
    ) -> None:
        removed = self.catalog.settle() if last else []
        rows = self.catalog.take_changes()
        if files or cues or rows or removed:
            self._tables.publish(files, rows, removed, transaction, cues=cues)
            version = self._tables.versions()[0]
            self._version = version if version == self._version + 1 else -1  # not ours alone

    def _decide(self, files: Sequence[File]) -> list[_Todo]:
        """Decide what every file is, and return the videos that have to be decoded."""
        unsettled = []
        for file in files:
            if settled := self.catalog.settle_unopened(file):
                self._settle(settled)
            else:
                unsettled.append(file)
        todo = []
        for file, probed in zip(unsettled, self._probe(unsettled), strict=True):
            decision = self.catalog.decide(file, probed)
            if isinstance(decision, Pending):
                todo.append(_Todo(decision, probed.cuts))
            else:
                self._settle(decision)
        return todo

    def _settle(self, settled: Settled) -> None:
        count_settled(settled, self.report)
        if settled.kind == "unreachable":
            self.unreached.add(settled.file.path)

    def _probe(self, files: Sequence[File]) -> list[Probed]:
        """Open the files in the executors to see what they are."""
        count = _TASKS_PER_SLOT * count_slots(self._spark)
        size = max(1, math.ceil(len(files) / count))
        paths = [file.path for file in files]
        tasks = [paths[at : at + size] for at in range(0, len(paths), size)]
        cut = span_seconds(self._sampler) is not None
        task = partial(executor.probe_task, decoder=self._job.options.decoder, cut=cut)
        probed = []
        for answer in self._ask(task, tasks):
            for values in answer:
                facts = values["facts"] and Facts(**values["facts"])
                cuts = tuple(values["cuts"])
                probed.append(Probed(**values | {"facts": facts, "cuts": cuts}))
        return probed

    def _group(self, todo: Sequence[_Todo]) -> Iterator[list[_Todo]]:
        """Cut a batch into groups of videos, each worth a commit."""
        most = _ROUNDS_PER_COMMIT * count_slots(self._spark) * self._max_seconds
        group: list[_Todo] = []
        worth = 0.0
        for video in todo:
            group.append(video)
            worth += self._worth(video.pending.row.duration, video.pending.start)
            if worth >= most:
                yield group
                group = []
                worth = 0.0
        if group:
            yield group

    def _decode(self, group: Sequence[_Todo]) -> tuple[list[DataFile], list[CueRow]]:
        """Decode the videos in the executors, and note the rows that they get.

        Returns the data files of their frames, and what was written in these.
        """
        group = [video for video in group if video.pending.start < math.inf]
        length = self._share(
            [self._worth(todo.pending.row.duration, todo.pending.start) for todo in group]
        )
        spans = [video.spans(length) for video in group]
        costs = [
            self._worth(min(span.end, video.pending.row.duration or math.inf), span.start)
            for video, video_spans in zip(group, spans, strict=True)
            for span in video_spans
        ]
        tasks = _bundle([span for video_spans in spans for span in video_spans], costs, length)
        write = partial(executor.write_task, job=self._job, library=self._tables.uri)
        files: list[DataFile] = []
        results: list[WrittenSpan] = []
        for answer in self._ask(write, tasks):
            files += [DataFile(**_tuples(file)) for file in answer["files"]]
            results += map(_parse_span, answer["spans"])
        remaining = iter(results)
        cues: list[CueRow] = []
        for video, video_spans in zip(group, spans, strict=True):
            cues += self._end(video.pending, [next(remaining) for _ in video_spans])
        return files, cues

    def _read_words(self, group: Sequence[Pending]) -> list[DataFile]:
        """Read the words of videos in the executors, and note what was read."""
        task = partial(words_task, options=self._job.options, library=self._tables.uri)
        unread = [(pending, find_unread(pending)) for pending in group]
        unread = [(pending, video_words) for pending, video_words in unread if video_words.words]
        unread.sort(key=lambda video: -_seconds(video[0].row.duration))  # else all wait for it
        costs = [_seconds(pending.row.duration) for pending, _ in unread]
        tasks = _bundle([video_words for _, video_words in unread], costs, self._share(costs))
        files: list[DataFile] = []
        results: list[list[dict[str, Any]]] = []
        for answer in self._ask(task, tasks):
            files += [DataFile(**_tuples(file)) for file in answer["files"]]
            results += answer["words"]
        for (pending, _), words in zip(unread, results, strict=True):
            path = stored_path(pending.file.path)
            for read in (ReadWords(**values) for values in words):
                self.report.cues += sum(read.counts.values())
                if read.trouble:
                    self.report.unread[path] = read.trouble
                if not read.whole:
                    self.unreached.add(pending.file.path)
                else:
                    reading = Reading.parse(read.reading)
                    self.catalog.note_words(read.video_id, reading, read.counts)
            if pending.start == math.inf:
                self.report.read.append(path)
        return files

    def _end(self, pending: Pending, results: Sequence[WrittenSpan]) -> list[CueRow]:
        """Note the row of a video; what comes after a span that stopped does not count.

        Returns what was written in its frames, if that was read with them.
        """
        row = VideoRow(pending, self._tables.read_cues)
        cues: list[CueRow] = []
        endings = []
        for span in results:
            row.written.add_span(span.written)
            for some in span.screen:
                cues += row.add_cues("screen", some.cues, some.until)
            endings.append(span.ending)
            if span.ending.stopped:
                break
        ending = join_endings(endings)
        if ending.stopped == "unreachable":
            self.unreached.add(pending.file.path)
        if reads_with_frames(pending):
            is_whole = ending.stopped != "unreachable"
            cues += row.end_words("screen", None, is_whole, self.catalog, self.report)
        row.end(ending, self.catalog, self.report)
        return cues

    def _ask(self, work: Callable[..., Any], tasks: Sequence[Any]) -> list[Any]:
        """Run tasks, each on its own, and collect their answers in their order."""
        if not tasks:
            return []
        numbers = self._spark.range(0, len(tasks), 1, len(tasks))
        try:
            rows = numbers.mapInArrow(partial(work, tasks=tasks), executor.ANSWER).collect()
        except Exception as error:  # PySpark's and Py4J's own, by version
            raise as_framefind_error(error) from error
        return [json.loads(row.answer) for row in sorted(rows, key=lambda row: int(row.task))]

    def _share(self, costs: Sequence[float]) -> float:
        """Return how many seconds of all this work a task should have."""
        share = sum(costs) / (_TASKS_PER_SLOT * count_slots(self._spark))
        return min(max(MIN_SPAN_SECONDS, share), self._max_seconds)

    def _worth(self, end: float | None, start: float) -> float:
        """Return how much work a span of a video is, in seconds of `every`."""
        return min(_seconds(end, start), float(self._sampler.max_frames or math.inf))


def _seconds(end: float | None, start: float = 0.0) -> float:
    """Return how long a span of a video is, in seconds; a minute where that is unknown."""
    return 60.0 if end is None or math.isinf(end) else max(1.0, end - max(0.0, start))


def _parse_span(values: dict[str, Any]) -> WrittenSpan:
    """Return what became of a span, from the answer of its task."""
    screen = [
        ScreenCues([Cue(**_tuples(cue)) for cue in some["cues"]], some["until"])
        for some in values["screen"]
    ]
    return WrittenSpan(Written(**values["written"]), Ending(**values["ending"]), screen)


def _bundle(items: Sequence[T], costs: Sequence[float], length: float) -> list[list[T]]:
    """Put neighbours together until they are worth a task."""
    tasks: list[list[T]] = [[]]
    worth = 0.0
    for item, cost in zip(items, costs, strict=True):
        if worth and worth + cost / 2 > length:
            tasks.append([])
            worth = 0.0
        tasks[-1].append(item)
        worth += cost
    return [task for task in tasks if task]


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with tuples again, since JSON has lists only."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
