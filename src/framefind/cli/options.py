"""Options that several commands have."""

from typing import Annotated

import typer

LibraryOption = Annotated[
    str | None,
    typer.Option(
        "--library", "-l", metavar="PATH", help="Library; else $FRAMEFIND_LIBRARY, else yours."
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="NAME", help="Model; only a new library takes another."),
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="Where the model runs: auto, cpu, openvino, cuda or mps.")
]
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="With a new library: fp32, fp16, bf16, int8 or auto.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]
