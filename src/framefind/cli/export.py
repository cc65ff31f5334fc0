"""`framefind export`: hand moments over to other programs."""

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framefind.cli import show
from framefind.cli.help import OUTPUT
from framefind.cli.options import DeviceOption, JsonOption, LibraryOption, ModelOption
from framefind.cli.query_options import QueryArgument, with_query_options
from framefind.counts import write_count
from framefind.errors import UsageError
from framefind.output.options import CLIP_NAMES, HELP
from framefind.times import parse_time
from framefind.types import Query

if TYPE_CHECKING:
    from framefind.library import Library
    from framefind.reports import Exported
    from framefind.types import Moment


@with_query_options("by", "rank", "start", "end")
def export(
    text: QueryArgument = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="FORMAT",
            help="clips; reel: one film of them; for editors: otio, edl, fcpxml, fcp7, "
            "resolve-edl, resolve-csv, premiere-csv; chapters: srt, vtt; for players: m3u, xspf; "
            "tables: csv, ndjson; reports: html, pdf.",
            show_default="otio",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            metavar="PATH",
            help="The file to write; for clips, and where there are several files, a folder.",
            show_default="the title, in export_folder of `framefind config`",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    reel: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Join the clips to this film: short for --to reel --out FILE.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    titles: Annotated[
        bool, typer.Option("--titles", help=HELP["titles"], rich_help_panel=OUTPUT)
    ] = False,
    from_json: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Moments that `framefind search --json` printed, instead of a query; - is stdin.",
            rich_help_panel="What to find",
        ),
    ] = None,
    padding: Annotated[
        str,
        typer.Option(metavar="TIME", help=HELP["padding"], rich_help_panel=OUTPUT),
    ] = "0",
    title: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help=HELP["title"],
            show_default="the query",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    names: Annotated[
        str,
        typer.Option(metavar="PATTERN", help=HELP["names"], rich_help_panel=OUTPUT),
    ] = CLIP_NAMES,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast",
            help=HELP["fast"],
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    codec: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=HELP["codec"],
            show_default="copy what can be copied",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option("--overwrite", help=HELP["overwrite"], rich_help_panel=OUTPUT),
    ] = False,
    library: LibraryOption = None,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
    **options: Any,
) -> None:
    """Write moments as clips, films, editors' timelines, playlists, tables or reports.

    $ framefind export "a cat" --to edl --out cats.edl
    $ framefind export "a cat" --to clips --out cats --padding 1
    $ framefind export "a cat" --to clips --reel cats.mp4 --titles
    $ framefind export "a cat" --to html --out cats.html --limit 20
    """
    from framefind.library import open

    query = Query(text, **options)
    has_query = bool(text or query.images or query.plus)
    if has_query == bool(from_json):
        show.fail_usage("give a query, or --from-json")
    if reel:
        if out or to not in (None, "clips", "reel"):
            show.fail_usage("--reel names the film to write: leave --out and other formats out")
        to = "reel"
        out = reel
    opened = open(library, model=model, device=device)
    moments = _read_moments(from_json) if from_json else _search(opened, query)
    if not moments:
        return show.print_note("no moment found: nothing is written")
    exported = opened.export(
        moments,
        to or "otio",
        out,
        title=title or text or "",
        padding=parse_time(padding),
        overwrite=overwrite,
        names=names,
        fast=fast,
        codec=codec,
        titles=titles,
        on_clip=lambda title, number, count: show.print_note(f"{number}/{count} {title}"),
    )
    return _print(exported, as_json)


def _search(library: "Library", query: Query) -> "list[Moment]":
    (page,) = library.search_batch([query])
    for note in page.notes:
        show.print_note(note)
    return page.moments


def _read_moments(file: Path) -> "list[Moment]":
    from framefind.output.json import read_moments

    data = sys.stdin.buffer.read() if str(file) == "-" else file.expanduser().read_bytes()
    try:
        return read_moments(data.decode("utf-8-sig"))
    except (UsageError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: {error}") from None


def _print(exported: "Exported", as_json: bool) -> None:
    """Print the files, and on stderr what is not exact; exit with 1 where some moments failed."""
    if as_json:
        show.print_json({"schema": "framefind/export/v1", **asdict(exported)})
    else:
        for path in exported.files:
            show.print_line(path)
    for note in exported.notes:
        show.print_note(note)
    for moment, reason in exported.failed.items():
        show.print_note(f"{moment}: {reason}")
    if exported.failed:
        show.fail(f"{write_count(len(exported.failed), 'moment')} could not be exported")
