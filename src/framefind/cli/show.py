"""What people see: tables, reports, progress; results on stdout, everything else on stderr."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from framefind.cli.streams import silence, unwritable
from framefind.counts import write_count
from framefind.errors import QueryError, UsageError
from framefind.output.printable import printable, printable_json

if TYPE_CHECKING:
    from framefind.evaluation import Quality
    from framefind.indexing.estimate import Plan
    from framefind.library import Library
    from framefind.reports import Offline, Progress, Report
    from framefind.types import Moment, Page, VideoMoments

_WORDS_SHOWN = 60  # characters of the words that match, in a table
_WORDS_BEFORE = 15  # of these, before the first match

LINE_SECONDS = 10.0
"""Seconds between two lines of progress where stderr is no terminal."""

_LOOKING = "looking for videos"


def print_line(line: str) -> None:
    """Print a line of results."""
    _print(printable(line, keep="\t"))


def print_json(document: Any, indent: int | None = 2) -> None:
    """Print a JSON document, in ASCII where stdout's encoding is not Unicode."""
    ascii_only = not sys.stdout.encoding.lower().startswith("utf")
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent, default=_as_text)
    _print(printable_json(text), flush=True)


def _as_text(value: object) -> str:
    """Return a date as RFC 3339 writes it, and anything else as it prints itself."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_note(text: str) -> None:
    """Print a line to stderr; a stderr that cannot be written is no reason to stop."""
    try:
        print(printable(text), file=sys.stderr)
    except OSError:
        silence(sys.stderr)


def _print(text: str, flush: bool = False) -> None:
    try:
        print(text, flush=flush)
    except BrokenPipeError:  # the reader has enough
        silence(sys.stdout)
        raise typer.Exit(0) from None
    except OSError as error:
        raise unwritable(error) from None


def fail(text: str, code: int = 1) -> NoReturn:
    """Print what went wrong and exit with `code`."""
    print_note(f"framefind: {text}")
    sys.exit(code)


def fail_usage(text: str) -> NoReturn:
    """Print what is wrong about the usage and exit with 2."""
    raise typer.BadParameter(printable(text))


def print_table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows: a table with a header on a terminal, else tab-separated lines.

    The table leaves out empty columns; where there are no rows, nothing is printed.
    """
    if not sys.stdout.isatty():
        from framefind.output.printable import escape_field

        for row in rows:
            print_line("\t".join(map(escape_field, row)))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    filled = [(name, column) for name, *column in zip(names, *rows, strict=True) if any(column)]
    if not filled:
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, _ in filled:
        table.add_column(name, overflow="fold")  # not cut: the end of a path tells most
    for row in zip(*(column for _, column in filled), strict=True):
        table.add_row(*(Text(printable(field)) for field in row))
    Console().print(table)


def print_page(page: "Page") -> None:
    """Print a page of results as a table for people."""
    if page.videos is not None:
        _print_videos(page.videos)
    else:
        _print_moments(page.moments)
    count = len(page.videos if page.videos is not None else page.moments)
    span = f"{page.offset + 1} to {page.offset + count}"
    if count and page.offset + count >= page.total:
        print_note(f"{span}; --offset shows weaker ones, if any")
    elif count:
        total = f"{'about' if page.complete else 'more than'} {page.total}"
        print_note(f"{span} of {total}; --offset shows more")


def _print_videos(videos: "Sequence[VideoMoments]") -> None:
    from framefind.output.printable import round_down, write_confidence
    from framefind.times import clock

    rows = []
    for video in videos:
        best = max(video.moments, key=lambda moment: moment.score)
        facts = (write_confidence(best), str(len(video.moments)), clock(best.t), video.path)
        rows.append((round_down(video.score, 1), *facts))
    print_table(("score", "confidence", "moments", "best at", "video"), rows)


def _print_moments(moments: "Sequence[Moment]") -> None:
    from framefind.output.printable import round_down, write_confidence
    from framefind.times import clock

    are_pairs = any(moment.then for moment in moments)
    have_words = any(match.text for moment in moments for match in moment.why)
    rows = []
    for moment in moments:
        score = round_down(moment.score, 1)
        confidence = write_confidence(moment)
        times = [clock(moment.start), clock(moment.end)]
        if moment.then:
            times.append(clock(moment.then.t))
        words = [_summarize(moment)] if have_words else []
        rows.append((score, confidence, *times, moment.path, *words))
    then = ["then at"] if are_pairs else []
    why = ["why"] if have_words else []
    print_table(("score", "confidence", "from", "to", *then, "video", *why), rows)


def _summarize(moment: "Moment") -> str:
    """Return what matches in a moment on one line: the words around the first match."""
    match = moment.why[0]
    text = match.excerpt(_WORDS_SHOWN, _WORDS_BEFORE)
    return f"{match.kind}: {text}" if match.text else match.kind


def write_sheet(library: "Library", page: "Page", title: str, path: Path) -> None:
    """Draw the contact sheet of a page."""
    from framefind.output.sheet import draw_sheet

    with _explained_writing(path, "sheet"):
        draw_sheet(page.moments, library.thumbnails(page.moments), title, path)
    print_note(f"sheet written to {path}")


def write_chart(library: "Library", quality: "Quality", path: Path) -> None:
    """Draw the result of `evaluate`."""
    from framefind.output.chart import draw_chart

    worst = quality.worst(12)
    expected = library.thumbnails([answer.wanted for answer in worst])
    answered = library.thumbnails([answer.found for answer in worst])
    with _explained_writing(path, "picture"):
        draw_chart(quality, list(zip(worst, expected, answered, strict=True)), path)
    print_note(f"picture written to {path}")


@contextmanager
def _explained_writing(path: Path, noun: str) -> Iterator[None]:
    """Raise QueryError, which names the file, where it cannot be written."""
    try:
        yield
    except UsageError as error:
        fail_usage(str(error))
    except OSError as error:
        raise QueryError(f"{path}: the {noun} cannot be written: {error.strerror}") from None


def print_plan(plan: "Plan", as_json: bool) -> None:
    """Print what `index` would do, and its cost."""
    from framefind.times import clock

    _print_failed(plan)
    _print_absent(plan)
    if as_json:
        return print_json({"schema": "framefind/plan/v1", **asdict(plan)})
    videos = write_count(plan.videos, "video")
    frames = write_count(plan.frames, "frame")
    words = f"words of {plan.read} to read, " if plan.read else ""
    length = clock(round(3600 * plan.hours))
    known = {"moved": len(plan.moved), "copied": len(plan.copied)}
    known["failed before (--retry tries again)"] = plan.failed_before
    known["not videos"] = plan.passed_over
    others = "".join(f", {count} {what}" for what, count in known.items() if count)
    print_line(f"{videos} to index, {length} long, {words}{plan.unchanged} unchanged{others}")
    disk = plan.size / 1e6
    minutes = plan.seconds / 60
    print_line(f"about {frames}, {disk:.0f} MB on disk, {minutes:.1f} minutes")
    return None


def print_report(report: "Report", as_json: bool) -> None:
    """Print what `index` did: troubles, counts, speed."""
    print_reasons(report)
    for note in report.notes:
        print_note(note)
    _print_absent(report)
    if report.fallback:
        print_note(f"decoded by the processor: {report.fallback}")
    if as_json:
        return print_json({"schema": "framefind/report/v1", **asdict(report)})
    print_note(summarize(report))
    if report.frames:
        speed = report.video_seconds / max(report.seconds, 1e-9)
        rate = report.frames / max(report.seconds, 1e-9)
        took = f"{write_count(report.frames, 'frame')} in {report.seconds:.1f} s"
        print_note(f"{took}: {rate:.0f} a second, {speed:.0f} × real time")
    if report.cues:
        print_note(f"{write_count(report.cues, 'cue')} of words")
    return None


def print_reasons(report: "Report") -> None:
    """Print why videos are not indexed wholly, or not at all."""
    for path, reason in report.partial.items():
        print_note(f"partial: {path}: {reason}")
    for path, reason in report.unread.items():
        print_note(f"not all words read: {path}: {reason}")
    _print_failed(report)


def _print_failed(outcome: "Report | Plan") -> None:
    offline_roots = {folder.root for folder in outcome.offline}
    for path, reason in outcome.failed.items():
        if path not in offline_roots:
            print_note(f"failed: {path}: {reason}")


def _print_absent(outcome: "Report | Plan") -> None:
    """Print which videos are missing or offline."""
    for path in outcome.missing:
        print_note(f"missing: {path} (`framefind prune` forgets it)")
    print_offline(outcome.offline)


def print_offline(folders: "Sequence[Offline]") -> None:
    """Print which folders cannot be looked at, a line for each."""
    for folder in folders:
        videos = write_count(folder.videos, "video")
        print_note(
            f"offline: {folder.root}: {folder.reason}; {videos} kept "
            "(`framefind prune --offline` forgets)"
        )


def summarize(report: "Report") -> str:
    """Return the counts of a report that are not zero."""
    passed_over = write_count(report.passed_over, "not a video", "not videos")
    summary = ", ".join(
        f"{count} {outcome}{' (--retry tries again)' if outcome == 'failed before' else ''}"
        for outcome, count in report.counts().items()
    )
    if not summary:
        return f"no videos found; {passed_over}" if report.passed_over else "no videos found"
    return f"{summary}, {passed_over}" if report.passed_over else summary


def print_profile(report: "Report") -> None:
    """Print the seconds that each stage took on all cores, and its share."""
    total = sum(report.profile.values()) or 1.0
    for stage, seconds in report.profile.items():
        print_note(f"{stage:<7}{seconds:>9.2f} s{seconds / total:>7.1%}")


@contextmanager
def progress() -> "Iterator[Callable[[Progress], None]]":
    """Show a bar on a terminal, with troubles as they happen; elsewhere print a line now and then.

    Yields the function that takes each Progress.
    """
    if not sys.stderr.isatty():
        with _lines() as update:
            yield update
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(_LOOKING, total=None)

        def update_bar(now: "Progress") -> None:
            description = _describe(now)
            bar.update(task, completed=now.done, total=now.total, description=description)
            if now.trouble:
                line = printable(f"{now.path}: {now.trouble}")
                bar.console.print(line, markup=False, highlight=False)

        yield update_bar


@contextmanager
def _lines() -> "Iterator[Callable[[Progress], None]]":
    """Print every ten seconds how far a run is, also while nothing changes."""
    latest: list[Progress] = []
    ended = Event()

    def print_lines() -> None:
        while not ended.wait(LINE_SECONDS):
            print_note(_describe(latest[-1]) if latest else _LOOKING)

    def update(now: "Progress") -> None:
        latest[:] = [now]

    thread = Thread(target=print_lines, daemon=True)
    thread.start()
    try:
        yield update
    finally:
        ended.set()
        thread.join()


def _describe(now: "Progress") -> str:
    """Return how much is done, how fast, and how long the rest takes where that is known."""
    from framefind.times import clock

    seconds = max(now.seconds, 1e-9)
    remaining = "" if now.left is None else f"  {clock(round(now.left))} left"
    speed = f"{now.frames / seconds:.0f} frames/s  {now.video_seconds / seconds:.0f}×"
    return f"{now.done}/{write_count(now.total, 'video')}  {speed}{remaining}"
