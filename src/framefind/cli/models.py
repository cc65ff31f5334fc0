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


_FIELDS = ("", "model", "alias", "hours/hour", "GB", "recall", "video", "licence", "here")
_COLUMNS = ("  model", "1 h takes", "size", "licence", "recall", "video")
_NEEDS = ("mini", "fast", "balanced", "best")
_NEED_COLUMNS = ("need", "model", "1 h takes", "size", "licence", "quality")
_NOTES = (
    "1 h takes: time to embed an hour of video here, a frame a second in tiles;",
    "  ~ is estimated, the others are on this computer and were measured",
    "size: both encoders, at fp32 but for mini",
    "recall: Crossmodal-3600, English, mean of R@1, R@5 and R@10 (Immich's docs)",
    "video: MSR-VTT, R@1 (arXiv 2504.13181)",
    "*: no other model beats it in both cost and recall",
    "multilingual: ViT-B-16-SigLIP-i18n-256/webli, for queries in many languages",
    "best: needs the extra [torch]",
    "`framefind models use balanced` makes that the model of new libraries",
)
_LONG_HOURS = 100  # from which on days are counted


@app.callback(invoke_without_command=True)
def list_models(
    context: typer.Context,
    seconds: Annotated[
        float,
        typer.Option(metavar="S", help="Seconds to measure speed in all; 0 shows none.", min=0),
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
        show.print_json({"schema": "framefind/models/v1", "models": rows})
        return
    if not sys.stdout.isatty():
        show.print_table(_FIELDS, map(_list_fields, rows))
        return
    by_alias = {row["alias"]: row for row in rows}
    show.print_table(_COLUMNS, map(_describe_model, rows))
    show.print_line("")
    show.print_table(_NEED_COLUMNS, (_describe_need(by_alias[need]) for need in _NEEDS))
    show.print_line("")
    for line in _NOTES:
        show.print_line(line)


def _list_fields(row: dict[str, Any]) -> list[str]:
    """Return a model's row for programs."""
    speed = row["hours_per_hour"]
    return [
        "*" if row["best"] else "",
        row["name"],
        row["alias"],
        "" if speed is None else f"{'' if row['measured'] else '~'}{speed:.2g}",
        f"{row['gigabytes']:.2f}",
        "" if row["recall"] is None else f"{row['recall']:g}",
        "" if row["video"] is None else f"{row['video']:g}",
        row["licence"],
        "yes" if row["here"] else "",
    ]


def _describe_model(row: dict[str, Any]) -> list[str]:
    """Return a model's row for people; all rows fit into 80 columns."""
    return [
        f"{'*' if row['best'] else ' '} {row['name']}",
        *_describe_cost(row),
        "" if row["recall"] is None else f"{row['recall']:.1f}",
        "" if row["video"] is None else f"{row['video']:.1f}",
    ]


def _describe_need(row: dict[str, Any]) -> list[str]:
    """Return the row of the model for a need, for people."""
    quality = "its card"
    if row["recall"] is not None:
        quality = f"recall {row['recall']:.0f}"
    elif row["video"] is not None:
        quality = f"video {row['video']:.0f}"
    return [row["alias"], row["name"], *_describe_cost(row), quality]


def _describe_cost(row: dict[str, Any]) -> tuple[str, str, str]:
    """Return how long an hour of video takes, the size and the licence."""
    speed = row["hours_per_hour"]
    time = "" if speed is None else f"{'' if row['measured'] else '~'}{write_hours(1 / speed)}"
    size = row["gigabytes"]
    size_text = f"{size:.1f} GB" if size >= 0.1 else f"{1000 * size:.0f} MB"
    return time, size_text, row["licence"].removeprefix("see ")


def write_hours(hours: float) -> str:
    """Return a length of time in one unit that suits it: `40 s`, `12 min`, `3.5 h`, `14 days`."""
    if hours < 1 / 60:
        return f"{3600 * hours:.0f} s"
    if hours < 1:
        return f"{60 * hours:.0f} min"
    if hours < _LONG_HOURS:
        return f"{hours:.1f} h" if hours < 9.95 else f"{hours:.0f} h"
    return f"{hours / 24:.0f} days"


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
    """Choose the model of new libraries; existing ones keep theirs.

    $ framefind models use mini
    """
    from framefind.files import config
    from framefind.models import catalog, registry

    full = print_full_name(name)
    registry.check_runtime(full)
    # Not its version, which changes with framefind's.
    config.write_setting(config.config_file(), "model", "mini" if name == "mini" else full)
    show.print_note(
        f"new libraries use {full} ({config.config_file()}); `framefind index --reembed` moves an "
        "existing one to it"
    )
    origin = config.read_settings()["model"].origin
    if origin.startswith("$"):
        show.print_note(f"not while {origin} is set, which comes first")
    sizes = [model.gigabytes for model in catalog.known_models() if full in model.names]
    if full == catalog.MINI or registry.is_downloaded(full):
        return
    if not sizes and not full.startswith("local-dir:"):
        show.print_note(
            f"framefind does not know it: `framefind models download {name}` tells if it fits"
        )
    elif sizes:
        show.print_note(
            f"the first `index` downloads it, {sizes[0]:.1f} GB; "
            f"`framefind models download {name}` does so now"
        )


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
        facts = {"model": model.name, "backend": model.backend}
        show.print_json({"schema": "framefind/speed/v1", **facts, **speeds})
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


def is_chosen(library: str) -> bool:
    """Return whether somebody has chosen the model of new libraries, by a file or a variable."""
    from framefind.files import config

    return config.read_settings(library)["model"].origin != config.DEFAULT


def offer_better(library: str) -> None:
    """Name a better model than `mini`, once, to a person at a terminal; wait for nothing."""
    from framefind.files import folders
    from framefind.models import catalog

    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        return
    if is_chosen(library):
        return  # a user who has chosen a model gets no offer
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
