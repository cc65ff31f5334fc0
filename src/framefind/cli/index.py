"""`framefind index`: put videos into a library."""

from typing import Annotated, Any, Literal

import typer

from framefind.cli import models, show
from framefind.cli.help import LIBRARY, OUTPUT
from framefind.cli.options import DeviceOption, JsonOption, LibraryOption, Precision

_FILES = "Which files"
_FRAMES = "Which frames"
_RUN = "How to run"

_MINI = (
    "this library uses mini, our own small model: good for everyday scenes, sports, animals, "
    "vehicles and food in plain words; for fine distinctions choose one of `framefind models`"
)


def index(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="Videos, or folders of them. Default: the folders in framefind.toml.",
            show_default=False,
        ),
    ] = None,
    glob: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="In folders, only files that match. Repeatable.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GLOB",
            help="In folders, no files that match. Repeatable.",
            rich_help_panel=_FILES,
        ),
    ] = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Try failed videos again.", rich_help_panel=_FILES)
    ] = False,
    every: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="One frame every S seconds (default: 1).",
            rich_help_panel=_FRAMES,
        ),
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="N frames of each video, evenly spread.", rich_help_panel=_FRAMES
        ),
    ] = None,
    random: Annotated[
        int | None,
        typer.Option(
            metavar="SEED",
            help="With --count: at random times instead. The same seed picks the same times.",
            rich_help_panel=_FRAMES,
        ),
    ] = None,
    keyframes: Annotated[
        bool,
        typer.Option(
            "--keyframes", help="Only the video's keyframes: fastest.", rich_help_panel=_FRAMES
        ),
    ] = False,
    shots: Annotated[
        bool,
        typer.Option("--shots", help="The first frame of every shot.", rich_help_panel=_FRAMES),
    ] = False,
    views: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="Parts of each frame to embed: whole; tiles (the whole and overlapping squares); "
            "or SIZE/STEP, square patches in pixels, such as 360/180.",
            rich_help_panel=_FRAMES,
        ),
    ] = "tiles",
    dedupe: Annotated[
        bool,
        typer.Option(
            "--dedupe",
            help="Do not embed a frame that looks like the one before: reuse its vectors.",
            rich_help_panel=_FRAMES,
        ),
    ] = False,
    read: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Words to read as well: subtitles, screen, speech, or none. Default: the first "
            "two, and speech where its model is on this machine.",
            rich_help_panel=_FRAMES,
        ),
    ] = None,
    library: LibraryOption = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Model of a new library (default: mini, or what `framefind models use` chose).",
            rich_help_panel=LIBRARY,
        ),
    ] = None,
    precision: Annotated[
        Precision,
        typer.Option(
            help="Precision of a new library's model; auto: what suits this computer.",
            rich_help_panel=LIBRARY,
        ),
    ] = "auto",
    device: DeviceOption = "auto",
    reembed: Annotated[
        bool,
        typer.Option(
            "--reembed",
            help="Move the whole library to --model: decode and embed all its videos again.",
            rich_help_panel=LIBRARY,
        ),
    ] = False,
    decoder: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="What decodes: auto, cpu, or a device such as cuda.",
            rich_help_panel=_RUN,
        ),
    ] = "auto",
    engine: Annotated[
        Literal["local", "spark"],
        typer.Option(help="Run on this computer, or on Apache Spark.", rich_help_panel=_RUN),
    ] = "local",
    master: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="With Spark: its master, such as local[2], spark://…, yarn or k8s://…",
            rich_help_panel=_RUN,
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="URI",
            help="With Spark: folder of the stream's checkpoint. Default: in the library.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    trigger: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="With Spark: available-now (default) stops when all is indexed; 30s, 5m and the "
            "like look for new files so often, until Ctrl-C.",
            rich_help_panel=_RUN,
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Print what would be done and its cost; do nothing.",
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
    """Index videos; only new and changed ones are decoded, so run it again at any time.

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
    if is_new and not model and not as_json:
        models.offer_better(opened.uri)
    choice: dict[str, Any] = {
        "model": model,
        "sampler": _name_sampler(every, count, random, keyframes, shots),
        "views": views,
        "glob": glob or (),
        "exclude": exclude or None,
        "retry": retry,
        "dedupe": dedupe,
        "decoder": decoder,
        "read": read,
    }
    try:
        if dry_run:
            show.print_plan(opened.plan(paths or None, **choice), as_json)
            return
        if engine == "spark":
            from framefind.cli import spark

            report = spark.index(opened, paths or None, master, checkpoint, trigger, choice)
        else:
            with show.progress() as on_progress:
                if reembed:
                    report = opened.reembed(
                        model or default_model(opened.uri), on_progress=on_progress
                    )
                else:
                    report = opened.index(paths or None, on_progress=on_progress, **choice)
    except KeyboardInterrupt:
        show.print_note("stopped; what was done is kept, run it again to go on")
        raise typer.Exit(130) from None
    show.print_report(report, as_json)
    if profile:
        show.print_profile(report)
    if is_new and report.frames and (model or default_model(opened.uri)).startswith("mini"):
        show.print_note(_MINI)
    if report.failed:
        raise typer.Exit(3)


def _name_sampler(
    every: float | None, count: int | None, random: int | None, keyframes: bool, shots: bool
) -> str:
    """Return the sampler's name as `Library.index` takes it."""
    if sum([every is not None, count is not None, keyframes, shots]) > 1:
        show.fail_usage("choose one of --every, --count, --keyframes, --shots")
    if random is not None and count is None:
        show.fail_usage("--random goes with --count")
    if count is not None:
        return f"count={count}" + ("" if random is None else f",random={random}")
    if keyframes or shots:
        return "keyframes" if keyframes else "shots"
    return f"every={1.0 if every is None else every}"
