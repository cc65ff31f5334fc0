"""`framefind watch`: index what comes into folders, by itself."""

import signal
from contextlib import suppress
from dataclasses import asdict
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framefind.cli import show
from framefind.cli.index_options import (
    RUN,
    CountOption,
    DecoderOption,
    DedupeOption,
    EveryOption,
    ExcludeOption,
    GlobOption,
    KeyframesOption,
    PathsArgument,
    RandomOption,
    ReadOption,
    ShotsOption,
    ViewsOption,
    name_sampler,
)
from framefind.cli.options import DeviceOption, JsonOption, LibraryOption

if TYPE_CHECKING:
    from framefind.library import Library
    from framefind.reports import Report

_WHEN = "When a file is complete"


def watch(
    paths: PathsArgument = None,
    glob: GlobOption = None,
    exclude: ExcludeOption = None,
    settle: Annotated[
        float,
        typer.Option(
            metavar="S",
            min=0,
            help="Its container is finished, and its size has not changed for S seconds.",
            rich_help_panel=_WHEN,
        ),
    ] = 2.0,
    patience: Annotated[
        float,
        typer.Option(
            metavar="S",
            min=0,
            help="Or its size has not changed for S seconds, finished or not.",
            rich_help_panel=_WHEN,
        ),
    ] = 60.0,
    every: EveryOption = None,
    count: CountOption = None,
    random: RandomOption = None,
    keyframes: KeyframesOption = False,
    shots: ShotsOption = False,
    views: ViewsOption = "tiles",
    dedupe: DedupeOption = False,
    read: ReadOption = None,
    library: LibraryOption = None,
    device: DeviceOption = "auto",
    decoder: DecoderOption = "auto",
    gentle: Annotated[
        bool,
        typer.Option(
            "--gentle",
            help="Run at low priority, and pause on battery power.",
            rich_help_panel=RUN,
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Index videos, then go on with what is new or changed, as soon as it is complete.

    The library remembers the paths: leave them out next time.

    $ framefind watch ~/Videos
    $ framefind watch --gentle
    """
    from framefind.files.config import name_paths
    from framefind.indexing.options import IndexOptions
    from framefind.library import open

    options: dict[str, Any] = {
        "sampler": name_sampler(every, count, random, keyframes, shots),
        "views": views,
        "glob": glob or (),
        "exclude": exclude or None,
        "dedupe": dedupe,
        "decoder": decoder,
        "read": read,
    }
    IndexOptions.parse(**options)  # a wrong one must not keep the folders
    opened = open(library, device=device)
    keep_folders(opened, paths or [])
    watched = name_paths(paths or None, opened.config())
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    show.print_note(f"{opened.uri}: watching {', '.join(watched)}; Ctrl-C stops")
    with suppress(KeyboardInterrupt):
        opened.watch(
            watched,
            settle=settle,
            patience=patience,
            gentle=gentle,
            stop=stop,
            on_report=_print_json if as_json else _print,
            **options,
        )
    show.print_note("stopped; what was done is kept")


def keep_folders(library: "Library", paths: list[str]) -> None:
    """Save folders in the library's own settings, and print where."""
    from framefind.files import config

    file = config.add_folders(library.uri, paths) if paths else None
    if file:
        show.print_note(
            f"kept in {file}: `framefind watch` and `index` use these paths from now on"
        )


def _print(report: "Report") -> None:
    show.print_reasons(report)
    show.print_offline(report.offline)
    show.print_note(show.summarize(report))


def _print_json(report: "Report") -> None:
    show.print_json({"schema": "framefind/report/v1", **asdict(report)}, indent=None)
