"""`framefind search`: find moments in a library."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from framefind.cli import show
from framefind.cli.help import OUTPUT
from framefind.cli.options import DeviceOption, JsonOption, LibraryOption, ModelOption
from framefind.cli.query_options import QueryArgument, with_query_options
from framefind.errors import QueryError
from framefind.types import Query

if TYPE_CHECKING:
    from framefind.library import Library
    from framefind.types import Page


@with_query_options()
def search(
    text: QueryArgument = None,
    batch: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File with one query a line; prints one JSON document a line.",
            rich_help_panel="What to find",
        ),
    ] = None,
    library: LibraryOption = None,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    sheet: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the moments into a .jpg or .png file.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    play: Annotated[
        bool,
        typer.Option("--open", help="Open the best moment in a player.", rich_help_panel=OUTPUT),
    ] = False,
    output_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="NAME",
            help="Print csv, json, ndjson or tsv, or a playlist for players: m3u, xspf.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    as_json: JsonOption = False,
    **options: Any,
) -> None:
    """Find moments by text, by image, or by a sum of several.

    $ framefind search "a red motorcycle"
    $ framefind search "a dog" --plus 2:snow --minus grass --limit 3
    $ framefind search --image film.mp4@5 --by video
    $ framefind search "a cat" --then "an astronaut" --within 30
    """
    from framefind.library import open
    from framefind.output.formats import find_format

    if batch and (text or sheet or play or output_format):
        show.fail_usage("--batch takes its queries from the file, and only prints")
    if text is None and not options["image"] and not options["plus"] and not batch:
        show.fail_usage("nothing to search for: give a text, --image, --plus or --batch")
    if as_json and output_format not in (None, "json"):
        show.fail_usage("--json and --format exclude each other")
    find_format(output_format or "tsv")  # refused before a long search
    query = Query(text, **options)
    opened = open(library, model=model, device=device)
    if batch:
        _search_batch(opened, query, batch)
        return
    (page,) = opened.search_batch([query])
    _print_page(page, query, "json" if as_json else output_format)
    if sheet:
        title = text or " ".join(map(str, [*query.images, *query.plus]))
        show.write_sheet(opened, page, title, sheet)
    if play and page.moments:
        from framefind.cli.player import play as start_player

        show.print_note(start_player(page.moments[0].path, page.moments[0].start))


def _search_batch(library: "Library", options: Query, file: Path) -> None:
    """Print a JSON document for each line of a file, a text to search for with the same options.

    A line that asks for nothing is named, and the others are answered.
    """
    from framefind.files.lines import read_lines
    from framefind.output.json import build_document

    queries = {number: replace(options, text=text.strip()) for number, text in read_lines(file)}
    refused: dict[int, QueryError] = {}
    pages = library.search_each(queries.values())
    for (number, query), page in zip(queries.items(), pages, strict=True):
        if isinstance(page, QueryError):
            refused[number] = page
        else:
            show.print_json(build_document(page, query.document()), indent=None)
    if refused and len(refused) == len(queries):
        raise next(iter(refused.values()))  # for the sake of an option, or of the only line
    for number, error in refused.items():
        show.print_note(f"{file}, line {number}: {error}")
    if refused:
        raise typer.Exit(3)


def _print_page(page: "Page", query: Query, output_format: str | None) -> None:
    """Print a page in a format; without one, as a table on a terminal, else as TSV."""
    from framefind.output.formats import find_format
    from framefind.output.json import build_document

    if output_format == "json":  # in ASCII where stdout needs that
        show.print_json(build_document(page, query.document()))
    elif output_format is None and sys.stdout.isatty():
        show.print_page(page)
    else:
        for line in find_format(output_format or "tsv")(page, query.document()):
            show.print_line(line)
    for note in page.notes:
        show.print_note(note)
    if not page.total:
        show.print_note("no moment found")
