"""One batch of files: what each of them is, what the executors decode of it, one commit."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framefind.files.names import stored_path
from framefind.indexing.decide import Catalog
from framefind.indexing.pipeline import has_to_be_opened
from framefind.indexing.spans import LENGTH, part_length
from framefind.indexing.walk import File
from framefind.spark import tasks as executor
from framefind.spark.session import explained
from framefind.spark.sources import merged, slots
from framefind.spark.tasks import Job, Outcome, Piece, Probed
from framefind.tables.data_files import DataFile
from framefind.tables.tables import Tables
from framefind.types import Report, Video
from framefind.video.facts import Facts
from framefind.video.samplers import parse_sampler

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TASKS = 4  # for each slot, so that all of them end at about the same time
_WAVE = 8  # rounds of the longest tasks between two commits


@dataclass
class _Claimed:
    """A video that has to be decoded, from `start` on, and where it may be cut."""

    file: File
    row: Video
    start: float
    cuts: Sequence[float]

    @property
    def goes_on(self) -> bool:
        return self.start > -math.inf

    def pieces(self, length: float) -> list[Piece]:
        path, key = self.file.path, self.row.video_id
        cuts = (cut for cut in merged(self.cuts, length) if cut > self.start)
        return [Piece(path, key, *borders) for borders in pairwise([self.start, *cuts, math.inf])]


class Batches:
    """The batches of one run, on the driver: takes files, commits rows, keeps the account."""

    def __init__(
        self,
        spark: "SparkSession",
        tables: Tables,
        job: Job,
        memory: Path,
        retry: bool = False,
        minutes: float = 10.0,
    ) -> None:
        """`memory` is the catalog's; a task decodes up to so many `minutes`."""
        self.report = Report()
        self._spark, self._tables, self._job = spark, tables, job
        self._memory, self._retry = memory, retry
        self._sampler = parse_sampler(job.options.sampler)
        self._longest = 60 * minutes
        self._version = tables.versions()[0]  # of `videos`, that the catalog knows
        self.catalog = self._read()

    def take(self, files: Sequence[File], transaction: tuple[str, int] | None = None) -> None:
        """Do all that has to be done about some files, and commit it."""
        if self._tables.versions()[0] != self._version:  # another writer came by
            self._version = self._tables.versions()[0]
            self.catalog = self._read()
        todo = [file for file in files if has_to_be_opened(file, self.catalog, self.report)]
        waves = list(self._waves(self._claimed(todo))) or [[]]
        for number, wave in enumerate(waves, 1):
            last = number == len(waves)
            self._publish(self._decoded(wave), last, transaction if last else None)
        self.catalog.save()

    def _read(self) -> Catalog:
        options, rows = self._job.options, self._tables.videos()
        return Catalog(rows, self._memory, options.sampler, options.views, self._retry)

    def _publish(
        self, files: Sequence[DataFile], last: bool, transaction: tuple[str, int] | None
    ) -> None:
        removed = self.catalog.settle() if last else []
        rows = self.catalog.take_changes()
        if files or rows or removed:
            self._tables.publish(files, rows, removed, transaction)
            version = self._tables.versions()[0]
            self._version = version if version == self._version + 1 else -1  # not ours alone

    def _claimed(self, files: Sequence[File]) -> list[_Claimed]:
        """Look into the files, and decide what each of them is."""
        catalog, report = self.catalog, self.report
        found = []
        for file, probed in zip(files, self._probed(files), strict=True):
            path = stored_path(file.path)
            if probed.facts is not None:
                claim = catalog.claim(file, probed.video_id)
                duration = probed.facts.plausible_duration(file.size)
                row = replace(claim.row, **asdict(probed.facts) | {"duration": duration})
                if claim.what == "decode":
                    found.append(_Claimed(file, row, claim.start, probed.cuts))
                elif claim.what == "touched":
                    report.unchanged += 1
                else:
                    (report.moved if claim.what == "moved" else report.copied).append(path)
            elif probed.kind == "failed":
                report.failed[path] = probed.error or "unknown"
                catalog.fail(file, probed.video_id, report.failed[path])
            else:
                report.passed_over += 1
                catalog.pass_over(file)
        return found

    def _waves(self, claimed: Sequence[_Claimed]) -> Iterator[list[_Claimed]]:
        """Cut a batch where its work is worth a commit in between."""
        wave: list[_Claimed] = []
        worth, most = 0.0, _WAVE * slots(self._spark) * self._longest
        for one in claimed:
            wave.append(one)
            worth += self._worth(one.row.duration, one.start)
            if worth >= most:
                yield wave
                wave, worth = [], 0.0
        if wave:
            yield wave

    def _decoded(self, wave: Sequence[_Claimed]) -> list[DataFile]:
        """Decode the videos in the executors, and note the rows that they get."""
        worth = sum(self._worth(one.row.duration, one.start) for one in wave)
        length = min(max(LENGTH, worth / (_TASKS * slots(self._spark))), self._longest)
        pieces = [one.pieces(length) for one in wave]
        costs = [
            self._worth(min(piece.end, one.row.duration or math.inf), piece.start)
            for one, own in zip(wave, pieces, strict=True)
            for piece in own
        ]
        tasks = _bundled([piece for own in pieces for piece in own], costs, length)
        write = partial(executor.write_task, job=self._job, library=self._tables.uri)
        files: list[DataFile] = []
        outcomes: list[Outcome] = []
        for answer in self._ask(write, tasks):
            files += [DataFile(**_tuples(file)) for file in answer["files"]]
            outcomes += [Outcome(**_tuples(outcome)) for outcome in answer["outcomes"]]
        left = iter(outcomes)
        for one, own in zip(wave, pieces, strict=True):
            self._finish(one, [next(left) for _ in own])
        return files

    def _finish(self, one: _Claimed, outcomes: Sequence[Outcome]) -> None:
        """Note the row of a video, as the local engine does: whole, in part or failed."""
        catalog, report, path = self.catalog, self.report, stored_path(one.file.path)
        row, goes_on = one.row, one.goes_on
        segments = list(row.segments) if goes_on else []
        frames, last = (row.frames, row.indexed_until) if goes_on else (0, -math.inf)
        trouble, failed = None, False
        for outcome in outcomes:
            segments += outcome.segments
            frames += outcome.frames
            report.frames += outcome.frames
            last = last if outcome.last is None else outcome.last
            row = replace(row, duration=outcome.duration or row.duration)
            trouble, failed = trouble or outcome.trouble, outcome.failed
            if failed:
                trouble = outcome.trouble
                break
        if failed and not (frames and (goes_on or not row.segments)):
            report.failed[path] = trouble or "unknown"
            catalog.fail(one.file, row.video_id, report.failed[path])
            return
        report.indexed.append(path)
        if trouble:
            report.partial[path] = trouble
        reached = last if failed else row.duration or last
        report.video_seconds += max(0.0, reached - max(0.0, one.start))
        options = self._job.options
        whole = replace(row, sampler=options.sampler, views=options.views, segments=segments)
        whole = replace(whole, frames=frames, indexed_until=last, indexed_at=datetime.now(UTC))
        whole = replace(whole, copies=catalog.row(row.video_id).copies)
        catalog.put(replace(whole, status="partial" if trouble else "indexed", error=trouble))

    def _probed(self, files: Sequence[File]) -> list[Probed]:
        many = _TASKS * slots(self._spark)
        size = max(1, math.ceil(len(files) / many))
        paths = [file.path for file in files]
        tasks = [paths[at : at + size] for at in range(0, len(paths), size)]
        cut = part_length(self._sampler) is not None
        task = partial(executor.probe_task, decoder=self._job.options.decoder, cut=cut)
        found = []
        for answer in self._ask(task, tasks):
            for one in answer:
                facts = one["facts"] and Facts(**one["facts"])
                found.append(Probed(**one | {"facts": facts, "cuts": tuple(one["cuts"])}))
        return found

    def _ask(self, work: Callable[..., Any], tasks: Sequence[Any]) -> list[Any]:
        """Run tasks, each on its own, and collect their answers in their order."""
        if not tasks:
            return []
        numbers = self._spark.range(0, len(tasks), 1, len(tasks))
        try:
            rows = numbers.mapInArrow(partial(work, tasks=tasks), executor.ANSWER).collect()
        except Exception as error:  # PySpark's and Py4J's own, by version
            raise explained(error) from error
        return [json.loads(row.answer) for row in sorted(rows, key=lambda row: int(row.task))]

    def _worth(self, end: float | None, start: float) -> float:
        """How much work a part of a video is, in seconds of `every`."""
        seconds = 60.0 if end is None or math.isinf(end) else max(1.0, end - max(0.0, start))
        return min(seconds, float(self._sampler.max_frames or math.inf))


def _bundled(pieces: Sequence[Piece], costs: Sequence[float], length: float) -> list[list[Piece]]:
    """Neighbours together, until they are worth a task."""
    tasks: list[list[Piece]] = [[]]
    worth = 0.0
    for piece, cost in zip(pieces, costs, strict=True):
        if worth and worth + cost / 2 > length:
            tasks.append([])
            worth = 0.0
        tasks[-1].append(piece)
        worth += cost
    return [task for task in tasks if task]


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    """JSON knows lists only."""
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
