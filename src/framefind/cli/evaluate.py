"""`framefind evaluate`: measure how well a library finds what captions describe."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from framefind.cli import show
from framefind.cli.help import OUTPUT
from framefind.cli.options import DeviceOption, JsonOption, LibraryOption


def evaluate(
    captions: Annotated[
        Path,
        typer.Argument(
            metavar="CAPTIONS",
            help='File of JSON lines: {"video": …, "texts": […]}, optionally with "start", "end".',
        ),
    ],
    rank: Annotated[
        Literal["softmax", "max", "sum"],
        typer.Option(help="How a video's score is computed from its hits."),
    ] = "softmax",
    library: LibraryOption = None,
    device: DeviceOption = "auto",
    picture: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Draw the result into a .png or .jpg file.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Measure how well captions find the videos and moments that they describe.

    $ framefind evaluate captions.jsonl
    $ framefind evaluate captions.jsonl --rank max --picture quality.png
    """
    from framefind.library import open

    opened = open(library, device=device)
    quality = opened.evaluate(captions, rank=rank)
    if as_json:
        show.print_json(quality.document())
    else:
        for line in quality.lines():
            show.print_line(line)
    if picture:
        show.write_chart(opened, quality, picture)
    if quality.missing:
        raise typer.Exit(3)
