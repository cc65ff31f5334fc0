"""`framefind search`: find moments in a library."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from framefind.cli import show
from framefind.cli.help import LIBRARY
from framefind.cli.options import DeviceOption, JsonOption, LibraryOption

ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Default: the library's model, the only one that can search it.",
        rich_help_panel=LIBRARY,
    ),
]


def search(
    query: Annotated[
        str | None, typer.Argument(help="What the moment shows, taken literally.")
    ] = None,
    library: LibraryOption = None,
    model: ModelOption = None,
    device: DeviceOption = "auto",
    image: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PICTURE",
            help="A picture: path, URL or VIDEO@TIME of the library; with #X,Y,W,H a box of it.",
        ),
    ] = None,
    plus: Annotated[
        list[str] | None, typer.Option(help="Also this text; 2:text counts double.")
    ] = None,
    minus: Annotated[list[str] | None, typer.Option(help="Away from this text.")] = None,
    then: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only if this follows in the same video.")
    ] = None,
    within: Annotated[
        float, typer.Option(metavar="S", help="With --then: at most S seconds after the end.")
    ] = 10.0,
    batch: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A query per line; a JSON document per line comes out."),
    ] = None,
    limit: Annotated[int, typer.Option(help="Moments, or videos with --by video.")] = 10,
    offset: Annotated[int, typer.Option(help="How many to pass over.")] = 0,
    by: Annotated[str, typer.Option(help="moment or video.")] = "moment",
    rank: Annotated[str, typer.Option(help="With --by video: softmax, max or sum.")] = "softmax",
    min_score: Annotated[
        float | None, typer.Option(help="Only scores from here on (cosine × 100).")
    ] = None,
    min_confidence: Annotated[
        float | None, typer.Option(help="Only confidence from here on (0 to 1).")
    ] = None,
    video: Annotated[
        list[str] | None, typer.Option(metavar="GLOB", help="Only these videos: glob or folder.")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="TIME", help="From this time in the video.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="TIME", help="Up to this time in the video.")
    ] = None,
    after: Annotated[
        str | None, typer.Option(metavar="DATE", help="Videos modified at or after.")
    ] = None,
    before: Annotated[
        str | None, typer.Option(metavar="DATE", help="Videos modified before.")
    ] = None,
    min_duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Videos at least so long.")
    ] = None,
    max_duration: Annotated[
        str | None, typer.Option(metavar="TIME", help="Videos at most so long.")
    ] = None,
    sheet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a contact sheet, .jpg or .png.")
    ] = None,
    play: Annotated[
        bool, typer.Option("--open", help="Open the best moment in your player.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Find moments: by text, by picture, or by a sum of several."""
    from framefind.arguments import parse_date
    from framefind.files.lines import read_lines
    from framefind.library import open
    from framefind.output.documents import document, tsv
    from framefind.times import parse_time
    from framefind.types import Query

    if batch and (query or sheet or play):
        show.fail_usage("--batch takes its queries from the file, and only prints")
    if query is None and not image and not plus and not batch:
        show.fail_usage("nothing to search for: give a text, --image, --plus or --batch")
    times = [
        None if text is None else parse_time(text)
        for text in (start, end, min_duration, max_duration)
    ]
    asked = Query(
        query,
        image=image,
        plus=plus or (),
        minus=minus or (),
        then=then,
        within=within,
        limit=limit,
        offset=offset,
        by=by,
        rank=rank,
        min_score=min_score,
        min_confidence=min_confidence,
        video=video or (),
        start=times[0],
        end=times[1],
        after=parse_date(after) if after else None,
        before=parse_date(before) if before else None,
        min_duration=times[2],
        max_duration=times[3],
    )
    opened = open(library, model=model, device=device)
    if batch:
        queries = [replace(asked, text=text.strip()) for _, text in read_lines(batch)]
        for one, page in zip(queries, opened.search_batch(queries), strict=True):
            show.print_json(document(page, one.document()), indent=None)
        return
    (page,) = opened.search_batch([asked])
    if as_json:
        show.print_json(document(page, asked.document()))
    elif sys.stdout.isatty():
        show.print_page(page)
    else:
        for line in tsv(page):
            show.print_line(line)
    for note in page.notes:
        show.print_note(note)
    if not page.total:
        show.print_note("no moment found")
    if sheet:
        show.write_sheet(opened, page, query or " ".join([*(image or ()), *(plus or ())]), sheet)
    if play and page.moments:
        from framefind.cli.player import play as start_player

        show.print_note(start_player(page.moments[0].path, page.moments[0].start))
