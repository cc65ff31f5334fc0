"""`framefind index`: put videos into a library."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import typer

from framefind.cli import models, show
from framefind.cli.help import LIBRARY, OUTPUT
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
    RetryOption,
    ShotsOption,
    ViewsOption,
    name_sampler,
)
from framefind.cli.options import DeviceOption, JsonOption, LibraryOption, Precision

_MINI = (
    "this library uses mini, our own small model: good for everyday scenes, sports, animals, "
    "vehicles and food in plain words; for fine distinctions choose one of `framefind models`"
)


def index(
    paths: PathsArgument = None,
    glob: GlobOption = None,
    exclude: ExcludeOption = None,
    retry: RetryOption = False,
    every: EveryOption = None,
    count: CountOption = None,
    random: RandomOption = None,
    keyframes: KeyframesOption = False,
    shots: ShotsOption = False,
    views: ViewsOption = "tiles",
    dedupe: DedupeOption = False,
    read: ReadOption = None,
    library: LibraryOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Model of a new library. Default: mini, or what `framefind models use` chose.",
            rich_help_panel=LIBRARY,
        ),
    ] = None,
    precision: Annotated[
        Precision,
        typer.Option(
            help="Precision of a new library's model; auto chooses what suits this computer.",
            rich_help_panel=LIBRARY,
        ),
    ] = "auto",
    device: DeviceOption = "auto",
    reembed: Annotated[
        bool,
        typer.Option(
            "--reembed",
            help="Move the library to --model: decode and embed all its videos again.",
            rich_help_panel=LIBRARY,
        ),
    ] = False,
    decoder: DecoderOption = "auto",
    engine: Annotated[
        Literal["local", "spark"],
        typer.Option(help="Run on this computer, or on Apache Spark.", rich_help_panel=RUN),
    ] = "local",
    master: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="With Spark: its master, such as local[2], spark://HOST:PORT, yarn or k8s://HOST.",
            rich_help_panel=RUN,
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="With Spark: folder of the stream's checkpoint. Default: in the library.",
            rich_help_panel=RUN,
        ),
    ] = None,
    trigger: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="With Spark: available-now (default) stops when all is indexed; an interval such "
            "as 30s or 5m goes on looking for new files until Ctrl-C.",
            rich_help_panel=RUN,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print what would be done and what it would cost; change nothing.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile", help="Print how much time each stage took.", rich_help_panel=OUTPUT
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Index videos. Run it again at any time: only new and changed ones are decoded.

    $ framefind index ~/Videos
    $ framefind index ~/Videos --every 0.5 --exclude "*.tmp"
    $ framefind index ~/Videos --dry-run
    """
    from framefind.library import open
    from framefind.models.choice import default_model

    if engine == "local" and (master or checkpoint or trigger):
        show.fail_usage("--master, --checkpoint and --trigger go with --engine spark")
    if engine == "spark" and (reembed or dry_run or profile):
        show.fail_usage("--reembed, --dry-run and --profile do not go with --engine spark")
    opened = open(library, device=device, precision=precision)
    if model:
        models.print_full_name(model)
    is_new = not opened.exists
    if is_new and paths and not (model or as_json or dry_run):
        models.offer_better(opened.uri)
    choice: dict[str, Any] = {
        "model": model,
        "sampler": name_sampler(every, count, random, keyframes, shots),
        "views": views,
        "glob": glob or (),
        "exclude": exclude or None,
        "retry": retry,
        "dedupe": dedupe,
        "decoder": decoder,
        "read": read,
    }
    with _explained_interrupt():
        if dry_run:
            show.print_plan(opened.plan(paths or None, **choice), as_json)
            return
        if engine == "spark":
            from framefind.cli import spark

            report = spark.index(opened, paths or None, master, checkpoint, trigger, choice)
        elif reembed:
            with show.progress() as on_progress:
                report = opened.reembed(model or default_model(opened.uri), on_progress=on_progress)
        else:
            with show.progress() as on_progress:
                report = opened.index(paths or None, on_progress=on_progress, **choice)
    show.print_report(report, as_json)
    if profile:
        show.print_profile(report)
    if is_new and report.frames and not (model or models.is_chosen(opened.uri)):
        show.print_note(_MINI)
    if report.failed:
        raise typer.Exit(3)


@contextmanager
def _explained_interrupt() -> Iterator[None]:
    """Say after Ctrl-C that nothing is lost, and exit with 130."""
    try:
        yield
    except KeyboardInterrupt:
        show.print_note("stopped; what was done is kept, run it again to go on")
        raise typer.Exit(130) from None
