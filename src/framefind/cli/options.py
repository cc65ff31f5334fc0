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
        help="What runs the model: auto, cpu, openvino, cuda (cuda:1 for the second GPU), mps.",
        rich_help_panel=LIBRARY,
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Another name of the library's model, such as that of an exported copy.",
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
    bool, typer.Option("--dry-run", help="Print what would be done; change nothing.")
]
