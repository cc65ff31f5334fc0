"""`framefind models`: list, download, export and measure models."""

import os
import sys
from typing import Annotated, Any, Literal

import typer

from framefind.cli import help, show
from framefind.cli.options import DeviceOption, JsonOption, Precision
from framefind.errors import FramefindError

app = typer.Typer(cls=help.Group)

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="One that `framefind models` lists, hf-hub:OWNER/NAME, or local-dir:/path.",
    ),
]
PrecisionOption = Annotated[
    Precision,
    typer.Option(help="Precision of its weights; auto: what suits this computer."),
]


_COLUMNS = ("", "model", "alias", "hours/hour", "GB", "recall", "video", "licence", "here")
_NEEDS = ("fast", "balanced", "best")
_NOTES = (
    "hours/hour: hours of video that are embedded in an hour here, at a frame a second in tiles; "
    "~: estimated from mini's speed",
    "GB: both encoders, at fp32 but for mini",
    "recall: Crossmodal-3600, English, mean of R@1, R@5 and R@10 (Immich's docs); "
    "video: MSR-VTT, R@1 (arXiv 2504.13181)",
)


@app.callback(invoke_without_command=True)
def list_models(
    context: typer.Context,
    seconds: Annotated[
        float,
        typer.Option(metavar="S", help="Seconds to measure speeds; 0 shows none.", min=0),
    ] = 5.0,
    as_json: JsonOption = False,
) -> None:
    """List models with what they cost here; choose, download, export or measure one.

    A * marks those that no other one beats in both cost and recall.

    $ framefind models
    $ framefind models use balanced
    $ framefind models benchmark mini --seconds 1
    """
    if context.invoked_subcommand:
        return
    rows = _list_rows(seconds)
    if as_json:
        show.print_json({"schema": "framefind/v1", "models": rows})
        return
    show.print_table(_COLUMNS, map(_write_row, rows))
    if sys.stdout.isatty():
        by_alias = {row["alias"]: row for row in rows}
        lines = [_describe_need(by_alias[need]) for need in _NEEDS]
        for line in (*_NOTES, "", *lines):
            show.print_line(line)


def _write_row(row: dict[str, Any]) -> list[str]:
    """Return a model's row as the table shows it."""
    fields = ["" if row[key] is None else f"{row[key]:g}" for key in ("recall", "video")]
    mark = "*" if row["best"] else ""
    here = "yes" if row["here"] else ""
    names = (mark, row["name"], row["alias"], _write_speed(row), f"{row['gigabytes']:.2f}")
    return [*names, *fields, row["licence"], here]


def _write_speed(row: dict[str, Any]) -> str:
    """Return the hours of video an hour, with a tilde where they are estimated."""
    speed = row["hours_per_hour"]
    return "" if speed is None else f"{'' if row['measured'] else '~'}{speed:.2g}"


def _describe_need(row: dict[str, Any]) -> str:
    """Return one line about the model for a need."""
    speed = _write_speed(row)
    cost = f"{speed} hours of video an hour, " if speed else ""
    quality = f"recall {row['recall']}" if row["recall"] else f"video {row['video']}"
    facts = f"{cost}{row['gigabytes']:.1f} GB, {row['licence']}, {quality}"
    return f"{row['alias']}: {facts}: framefind models use {row['alias']}"


def _list_rows(seconds: float) -> list[dict[str, Any]]:
    from framefind.models import catalog, registry
    from framefind.models.speed import compare_speeds, hours_per_hour

    mini = registry.load("mini")
    facts = {"size": mini.size, "dimensions": mini.dimensions, "licence": "see docs/mini.md"}
    keys = ("parameters", "gigabytes", "gmacs", "recall", "video", "repository")
    empty = dict.fromkeys(keys) | {"gigabytes": catalog.mini_gigabytes()}
    mini_row = {"name": mini.name, "alias": "mini", **facts, **empty, "best": False, "here": True}
    rows: list[dict[str, Any]] = [mini_row]
    best = catalog.best_per_cost(catalog.known_models())
    for model in catalog.known_models():
        names = ("name", "alias", "size", "dimensions", "licence", *keys)
        row = {name: getattr(model, name) for name in names}
        is_here = registry.is_downloaded(model.name)
        rows.append({**row, "best": model.name in best, "here": is_here})
    speeds = compare_speeds(seconds) if seconds else {}
    for row in rows:
        speed = speeds.get(row["name"])
        row["hours_per_hour"] = speed and hours_per_hour(speed.images_per_second)
        row["measured"] = speed is not None and speed.measured
    return rows


@app.command(cls=help.Command)
def use(name: NameArgument) -> None:
    """Make a model the one of new libraries; libraries that exist keep theirs.

    $ framefind models use mini
    """
    from framefind.files import config
    from framefind.models import registry

    full = print_full_name(name)
    registry.check_runtime(full)
    # Not its version, which changes with framefind's.
    config.write_setting(config.config_file(), "model", "mini" if name == "mini" else full)
    show.print_note(f"new libraries use {full} ({config.config_file()})")


@app.command(cls=help.Command)
def download(name: NameArgument, precision: PrecisionOption = "auto") -> None:
    """Download a model, or check and repair one that was downloaded before.

    Models of speech begin with `speech/`.

    $ framefind models download balanced
    """
    from framefind.models import registry
    from framefind.words import recogniser

    if name.startswith(recogniser.SPEECH):
        folder = recogniser.download(name.removeprefix(recogniser.SPEECH))
        show.print_line(str(folder))
        return
    show.print_line(str(registry.download(print_full_name(name), precision)))


@app.command(cls=help.Command)
def export(
    name: NameArgument,
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A new folder.")],
    precision: Annotated[
        Literal["fp32", "fp16", "int8"], typer.Option(help="Precision of the ONNX model.")
    ] = "fp32",
) -> None:
    """Write a PyTorch model as ONNX, which needs no PyTorch; check that both agree.

    $ framefind models export google/siglip2-so400m-patch14-384 siglip2
    """
    from framefind.models import registry

    agreement = registry.export(print_full_name(name), folder, precision)
    show.print_note(f"lowest cosine: images {agreement.images:.5f}, texts {agreement.texts:.5f}")
    show.print_line(f"local-dir:{os.path.abspath(os.path.expanduser(folder))}")


@app.command(cls=help.Command)
def benchmark(
    name: NameArgument = "mini",
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    seconds: Annotated[
        float, typer.Option(metavar="S", help="Seconds to measure each of three speeds.")
    ] = 5.0,
    as_json: JsonOption = False,
) -> None:
    """Measure how many images and texts a model embeds per second on this computer.

    $ framefind models benchmark mini --seconds 1
    """
    from framefind.models import registry
    from framefind.models.speed import measure_speeds

    print_full_name(name)
    model = registry.load(name, device, precision)
    speeds = measure_speeds(model, seconds)
    if as_json:
        facts = {"model": model.name, "engine": model.backend}
        show.print_json({"schema": "framefind/v1", **facts, **speeds})
    else:
        images, texts, queries = speeds.values()
        show.print_line(
            f"{model.name} by {model.backend}: {images:.1f} images/s, {texts:.1f} texts/s "
            f"in batches, {queries:.1f} one by one"
        )


def print_full_name(name: str) -> str:
    """Return the full name of a model; print it where the given name is short for it."""
    from framefind.models.catalog import full_name, restriction_of

    full = full_name(name)
    if full != name:
        show.print_note(f"model {name}: {full}")
    restriction = restriction_of(full)
    if restriction:
        show.print_note(restriction)
    return full


def offer_better(library: str) -> None:
    """Name a better model than `mini`, once, to a person at a terminal; wait for nothing."""
    from framefind.files import folders
    from framefind.models import catalog
    from framefind.models.choice import default_model

    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return
    if default_model(library) != catalog.MINI:
        return
    (better,) = [model for model in catalog.known_models() if model.alias == "balanced"]
    try:
        marker = folders.data_folder() / "offered-models"
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.touch(exist_ok=False)
    except (OSError, FramefindError):  # offered before, or it cannot be remembered
        return
    show.print_note(
        f"`framefind models use balanced` finds more in new libraries: {better.name}, "
        f"{better.gigabytes:.1f} GB, recall {better.recall:.0f}% on Crossmodal-3600, about "
        f"{better.gmacs / catalog.MINI_GMACS:.0f} times mini's work; `framefind models` compares"
    )
