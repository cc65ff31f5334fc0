"""Words on Spark: all cues of a video are read by one task, as the local engine reads them."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from framefind.errors import FramefindError
from framefind.indexing.decisions import Pending, describe_error, is_final
from framefind.indexing.options import IndexOptions
from framefind.indexing.readers import open_readers
from framefind.indexing.reading import Reading
from framefind.indexing.words_written import WordsWritten
from framefind.spark import tasks as executor
from framefind.spark.sources import find_missing, from_spark_uri, select_columns
from framefind.tables.data_files import DataFile
from framefind.tables.rows import CueRow
from framefind.tables.schema import CUES
from framefind.tables.tables import Tables
from framefind.types import Cue, Video
from framefind.video.process import DecoderProcess, ScreenCues
from framefind.words.recogniser import Recogniser
from framefind.words.sidecars import Sidecars
from framefind.words.speech import read_speech

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

CUE = (
    "path string, video_id string, segment string, start double, end double, source string, "
    "language string, text string, box array<float>, error string"
)
_VIDEO = "path string, video_id string, fps double, duration double, number int"


@dataclass(frozen=True)
class Unread:
    """Words of a video that are to be read, each as `videos.read` tells it."""

    path: str
    video_id: str
    fps: float
    duration: float | None
    words: tuple[str, ...]
    sidecars: tuple[str, ...]


@dataclass(frozen=True)
class ReadWords:
    """What became of a source: its segments with their cues, and what trouble there was.

    One that is not `whole`, since something is away that it is read with, is read again.
    """

    video_id: str
    reading: str
    counts: dict[str, int]
    trouble: str | None
    whole: bool


def cues(
    df: "DataFrame", read: str | Iterable[str] | None = None, sampler: str = "every=1.0"
) -> "DataFrame":
    """Read the words of what `segments` gives: a row per cue, in batch and in streams.

    The columns of the library's table `cues`, with the `path` before them and `error` behind: words
    that cannot be read have a row with the reason, without `text`. All cues of a video come with
    its first segment. `read` is as for `index`; `sampler` chooses the frames of `screen`.
    """
    options = IndexOptions.parse(read=read, sampler=sampler)
    first = select_columns(df, _VIDEO).where("number = 0")
    return first.mapInArrow(partial(cue_rows, options=options), CUE)


def find_unread(pending: Pending) -> Unread:
    """Return what a task of its own reads of a video: all words, each from the beginning.

    What is written in frames that are decoded anyway is read with them.
    """
    apart = (
        reading
        for reading in pending.words
        if reading != pending.screen or not reads_with_frames(pending)
    )
    words = tuple(str(Reading(reading.source, reading.by)) for reading in apart)
    row = pending.row
    return Unread(pending.file.path, row.video_id, row.fps, row.duration, words, pending.sidecars)


def reads_with_frames(pending: Pending) -> bool:
    """Return whether all that is written in a video's frames is read while they are embedded."""
    return pending.screen is not None and pending.start == pending.screen.until == -math.inf


def words_task(
    batches: Iterable[Any], tasks: Sequence[Sequence[Unread]], options: IndexOptions, library: str
) -> Iterator[Any]:
    """Read the words of tasks, for `mapInArrow` over their numbers.

    Answers, as JSON, with the data files, at most one, and with what became of each video's words.
    """
    for number in executor.task_numbers(batches):
        files, results = _write(tasks[number], options, Tables(library))
        words = [[asdict(read) for read in video] for video in results]
        yield executor.as_answer(number, {"files": [*map(asdict, files)], "words": words})


def _write(
    videos: Sequence[Unread], options: IndexOptions, tables: Tables
) -> tuple[list[DataFile], list[list[ReadWords]]]:
    """Write the cues of videos to a data file that nobody sees yet."""
    rows: list[CueRow] = []
    results: list[list[ReadWords]] = []
    for unread in videos:
        results.append([])
        for reading, cues, trouble, whole in _read(unread, options):
            written = _begin(unread, reading, cues)
            rows += written.reach(math.inf)
            words = str(written.reading)
            result = ReadWords(unread.video_id, words, written.counts, trouble, whole)
            results[-1].append(result)
    return tables.write_cues(rows), results


def _read(
    unread: Unread, options: IndexOptions
) -> Iterator[tuple[Reading, list[Cue], str | None, bool]]:
    """Yield each source with its cues, what trouble there was, and whether all of it was read."""
    with executor.borrow_decoder(options.decoder, 0.0) as worker:
        for reading in map(Reading.parse, unread.words):
            cues: list[Cue] = []
            trouble = None
            whole = True
            try:
                if worker.path != unread.path:
                    worker.open(unread.path, skip_id=True)
                for some in _READ[reading.source](worker, unread, reading, options):
                    cues += some
                trouble = worker.partial
            except FramefindError as error:
                trouble = describe_error(unread.path, error)
                whole = is_final(unread.path, error)
            yield reading, cues, trouble, whole


def _read_subtitles(
    worker: DecoderProcess, unread: Unread, reading: Reading, options: IndexOptions
) -> Iterator[list[Cue]]:
    yield [*worker.subtitles(unread.sidecars, unread.fps or None)]


def _read_screen(
    worker: DecoderProcess, unread: Unread, reading: Reading, options: IndexOptions
) -> Iterator[list[Cue]]:
    frames = worker.sample(options.sampler.name, "", 0, -math.inf, read_screen=True)
    yield from (item.cues for item in frames if isinstance(item, ScreenCues))


def _read_speech(
    worker: DecoderProcess, unread: Unread, reading: Reading, options: IndexOptions
) -> Iterator[list[Cue]]:
    pieces = worker.sound(0.0, unread.duration)
    yield from (span.cues for span in read_speech(pieces, _open_recogniser(reading.by), 0.0))


_READ = {"subtitles": _read_subtitles, "screen": _read_screen, "speech": _read_speech}


@cache
def _open_recogniser(model: str) -> Recogniser:
    """Open a model of speech, once per Python worker."""
    return Recogniser(model)


def cue_rows(batches: Iterable[Any], options: IndexOptions) -> Iterator[Any]:
    """Yield the rows of `cues` for those of videos, for `mapInArrow`."""
    import pyarrow as pa

    readings = open_readers(options.read).read
    words = tuple(map(str, readings))
    sidecars = Sidecars()
    for batch in batches:
        for row in batch.to_pylist():
            if missing := find_missing(row, "path", "video_id"):
                yield pa.RecordBatch.from_pylist(
                    [{"error": missing, "path": row["path"]}], _schema()
                )
                continue
            path = from_spark_uri(row["path"])
            paths = tuple(file.path for file in sidecars.find(path) or ())
            unread = Unread(path, row["video_id"], row["fps"], row["duration"], words, paths)
            records = [*_records(unread, options)]
            yield pa.RecordBatch.from_pylist(records, _schema())


def _records(unread: Unread, options: IndexOptions) -> Iterator[dict[str, Any]]:
    """Yield the rows of a video's cues, and of what could not be read."""
    columns = {"path": unread.path, "video_id": unread.video_id}
    for reading, cues, trouble, _ in _read(unread, options):
        for row in _begin(unread, reading, cues).reach(math.inf):
            yield columns | {"segment": row.segment, **vars(row.cue)}
        if trouble:
            yield columns | {"source": reading.source, "error": trouble}


def _begin(unread: Unread, reading: Reading, cues: Iterable[Cue]) -> WordsWritten:
    """Return what is to be written of a source."""
    written = WordsWritten(Video(video_id=unread.video_id, path=unread.path), reading)
    written.add(cues)
    return written


def _schema() -> Any:
    import pyarrow as pa

    text = pa.string()
    ordered = ["segment", "start", "end", "source", "language", "text", "box"]
    columns = [CUES.field(name) for name in ("video_id", *ordered)]
    return pa.schema([pa.field("path", text), *columns, pa.field("error", text)])
