"""What people see: tables, reports, progress; results on stdout, all else on stderr."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, NoReturn

import typer

from framefind.cli.streams import silence, unwritable
from framefind.errors import QueryError, UsageError
from framefind.output.printable import printable, printable_json

if TYPE_CHECKING:
    from framefind.evaluation import Quality
    from framefind.indexing.estimate import Plan
    from framefind.library import Library
    from framefind.types import Offline, Page, Progress, Report

LINE_SECONDS = 10.0
"""How often a run says how far it is where stderr is no terminal."""

_LOOKING = "looking for videos"


def print_line(line: str) -> None:
    """Print a line of results."""
    _print(printable(line, keep="\t"))


def print_json(document: Any, indent: int | None = 2) -> None:
    """Print a JSON document, in ASCII where stdout's encoding is no Unicode."""
    ascii_only = not sys.stdout.encoding.lower().startswith("utf")
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent, default=_as_text)
    _print(printable_json(text), flush=True)


def _as_text(value: object) -> str:
    """Return a date as RFC 3339 writes it, and anything else as it prints itself."""
    return value.isoformat() if isinstance(value, datetime) else str(value)


def print_note(text: str) -> None:
    """Print a line to stderr, if anybody listens: whatever is done goes on without."""
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
    """Say what went wrong and exit with `code`."""
    print_note(f"framefind: {text}")
    sys.exit(code)


def fail_usage(text: str) -> NoReturn:
    """Say how the command is used wrongly and exit with 2."""
    raise typer.BadParameter(printable(text))


def seconds(text: str) -> float:
    """Seconds of a time as people write it; else the command is used wrongly."""
    from framefind.times import parse_time

    return parse_time(text)


def number(count: int, thing: str) -> str:
    """Return `1 video`, `2 videos`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def table(*names: str) -> Callable[..., None]:
    """Collect rows; called without one, print them: a table on a terminal, else tab-separated."""
    if not sys.stdout.isatty():
        from framefind.output.documents import escaped

        return lambda *row: print_line("\t".join(map(escaped, row))) if row else None
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(name, overflow="fold")  # a path is not cut: its end is what tells most

    def add(*row: str) -> None:
        if row:
            table.add_row(*(Text(printable(field)) for field in row))
        else:
            Console().print(table)

    return add


def print_page(page: "Page") -> None:
    """A page of results as a table for people."""
    from framefind.output.documents import floored
    from framefind.times import clock

    if page.videos is not None:
        add = table("score", "moments", "best at", "video")
        for found in page.videos:
            best = clock(found.moments[0].t) if found.moments else ""
            add(floored(found.score, 1), str(len(found.moments)), best, found.path)
    else:
        pairs = any(moment.then for moment in page.moments)
        add = table("score", "sure", "from", "to", *(["then at"] if pairs else []), "video")
        for moment in page.moments:
            after = [clock(moment.then.t)] if moment.then else []
            times = clock(moment.start), clock(moment.end)
            sure = f"{floored(100 * moment.confidence, 0)}%"
            add(floored(moment.score, 1), sure, *times, *after, moment.path)
    add()
    shown = len(page.videos if page.videos is not None else page.moments)
    if shown and page.offset + shown >= page.total:
        print_note(
            f"{page.offset + 1} to {page.offset + shown}; --offset shows weaker ones, if any"
        )
    elif shown:
        total = f"{'about' if page.complete else 'more than'} {page.total}"
        print_note(f"{page.offset + 1} to {page.offset + shown} of {total}; --offset shows more")


def write_sheet(library: "Library", page: "Page", title: str, path: Path) -> None:
    """Draw the contact sheet of a page."""
    from framefind.output.documents import sheet

    try:
        sheet(page.moments, library.thumbnails(page.moments), title, path)
    except UsageError as error:
        fail_usage(str(error))
    except OSError as error:
        raise QueryError(f"{path}: the sheet cannot be written: {error.strerror}") from None
    print_note(f"sheet written to {path}")


def write_chart(library: "Library", quality: "Quality", path: Path) -> None:
    """Draw the result of `evaluate`."""
    from framefind.output.chart import chart

    worst = quality.worst(12)
    wanted = library.thumbnails([answer.wanted for answer in worst])
    found = library.thumbnails([answer.found for answer in worst])
    try:
        chart(quality, list(zip(worst, wanted, found, strict=True)), path)
    except UsageError as error:
        fail_usage(str(error))
    except OSError as error:
        raise QueryError(f"{path}: the picture cannot be written: {error.strerror}") from None
    print_note(f"picture written to {path}")


def print_plan(plan: "Plan", as_json: bool) -> None:
    """What `index` would do and cost."""
    _print_troubles(plan)
    if as_json:
        return print_json({"schema": "framefind/plan/v1", **asdict(plan)})
    videos, frames = number(plan.videos, "video"), number(plan.frames, "frame")
    print_line(f"{videos} to index, {plan.unchanged} unchanged, {plan.hours:.2f} hours")
    disk, minutes = plan.size / 1e6, plan.seconds / 60
    print_line(f"about {frames}, {disk:.0f} MB on disk, {minutes:.1f} minutes")
    return None


def print_report(report: "Report", as_json: bool) -> None:
    """What `index` did: troubles, counts, speed."""
    for path, reason in report.partial.items():
        print_note(f"partial: {path}: {reason}")
    _print_troubles(report)
    if report.fallback:
        print_note(f"decoded by the processor: {report.fallback}")
    if as_json:
        return print_json({"schema": "framefind/report/v1", **asdict(report)})
    print_note(summarize(report))
    if report.frames:
        speed = report.video_seconds / max(report.seconds, 1e-9)
        rate = report.frames / max(report.seconds, 1e-9)
        took = f"{number(report.frames, 'frame')} in {report.seconds:.1f} s"
        print_note(f"{took}: {rate:.0f} a second, {speed:.0f} × real time")
    return None


def _print_troubles(found: "Report | Plan") -> None:
    """Say which files cannot be indexed, and which videos are not where they were."""
    hidden = {one.root for one in found.offline}
    for path, reason in found.failed.items():
        if path not in hidden:
            print_note(f"failed: {path}: {reason}")
    for path in found.missing:
        print_note(f"missing: {path} (`framefind prune` forgets it)")
    print_offline(found.offline)


def print_offline(roots: "Sequence[Offline]") -> None:
    """Say which folders cannot be looked at, a line for each."""
    for one in roots:
        said = f"offline: {one.root}: {one.reason}; {number(one.videos, 'video')} kept"
        print_note(f"{said} (`framefind prune --offline` forgets)")


def summarize(report: "Report") -> str:
    """The counts of a report that are not zero."""
    counts = {
        "indexed": len(report.indexed),
        "unchanged": report.unchanged,
        "moved": len(report.moved),
        "copied": len(report.copied),
        "partial": len(report.partial),
        "failed": len(report.failed),
        "failed before (--retry tries again)": report.failed_before,
        "missing": len(report.missing),
        "offline": sum(one.videos for one in report.offline),
        "not videos": report.passed_over,
    }
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    if not any(counts[what] for what in counts if what != "not videos"):
        said = "no videos found" + (f"; {said}" if said else "")
    return said


def print_profile(report: "Report") -> None:
    """Where the time of all cores went, as seconds and shares."""
    whole = sum(report.profile.values()) or 1.0
    for stage, seconds in report.profile.items():
        print_note(f"{stage:<7}{seconds:>9.2f} s{seconds / whole:>7.1%}")


@contextmanager
def progress() -> "Iterator[Callable[[Progress], None]]":
    """A bar on a terminal, with what went wrong as it happens; elsewhere a line now and then."""
    if not sys.stderr.isatty():
        with _lines() as show:
            yield show
        return
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(_LOOKING, total=None)

        def show(now: "Progress") -> None:
            bar.update(task, completed=now.done, total=now.total, description=_how_far(now))
            if now.trouble:
                line = printable(f"{now.path}: {now.trouble}")
                bar.console.print(line, markup=False, highlight=False)

        yield show


@contextmanager
def _lines() -> "Iterator[Callable[[Progress], None]]":
    """Say every ten seconds how far a run is, also while it has nothing new to tell."""
    latest: list[Progress] = []
    ended = Event()

    def tell() -> None:
        while not ended.wait(LINE_SECONDS):
            print_note(_how_far(latest[-1]) if latest else _LOOKING)

    def show(now: "Progress") -> None:
        latest[:] = [now]

    thread = Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield show
    finally:
        ended.set()
        thread.join()


def _how_far(now: "Progress") -> str:
    """What is done, how fast, and about how long the rest takes, if that can be told."""
    from framefind.times import clock

    seconds = max(now.seconds, 1e-9)
    left = "" if now.left is None else f"  {clock(round(now.left))} left"
    speed = f"{now.frames / seconds:.0f} frames/s  {now.video_seconds / seconds:.0f}×"
    return f"{now.done}/{number(now.total, 'video')}  {speed}{left}"
