"""Options that several commands have."""

from typing import Annotated, Literal

import typer

from framefind.cli.help import LIBRARY, OUTPUT

LibraryOption = Annotated[
    str | None,
    typer.Option(
        "--library",
        "-l",
        metavar="PATH",
        help="Folder or URI of the library.",
        show_default="$FRAMEFIND_LIBRARY, or default.framefind in your data folder",
        rich_help_panel=LIBRARY,
    ),
]
DeviceOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Where the model runs: auto, cpu, openvino, cuda (or cuda:1 and so on), mps.",
        rich_help_panel=LIBRARY,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The library's model under another name, such as an exported copy.",
        rich_help_panel=LIBRARY,
    ),
]
Precision = Literal["auto", "fp32", "fp16", "bf16", "int8"]
JsonOption = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON document.", rich_help_panel=OUTPUT),
]
VideosArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="VIDEO", help="Paths, folders, globs or ids of videos.", show_default=False
    ),
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="List what would be done, and change nothing.")
]
