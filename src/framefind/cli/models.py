"""`framefind models`: list, download, export and measure models."""

import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from framefind.cli import help, show
from framefind.cli.options import DeviceOption, JsonOption, Precision

if TYPE_CHECKING:
    from framefind.models.base import Model

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


_COLUMNS = ("", "model", "alias", "px", "dims", "M params", "GMACs", "recall", "licence", "here")


@app.callback(invoke_without_command=True)
def list_models(context: typer.Context, as_json: JsonOption = False) -> None:
    """List models to index with, and download, export or measure one.

    A * marks those that no other one beats in both cost and recall.

    $ framefind models
    $ framefind models benchmark mini --seconds 1
    """
    if context.invoked_subcommand:
        return
    rows = _list_rows()
    if as_json:
        show.print_json({"schema": "framefind/v1", "models": rows})
        return
    show.print_table(_COLUMNS, map(_write_row, rows))
    if sys.stdout.isatty():
        show.print_line(
            "recall: Crossmodal-3600, English, mean of R@1, R@5 and R@10 (source: Immich's docs)"
        )


def _write_row(row: dict[str, Any]) -> list[str]:
    """Return a model's row as the table shows it."""
    numbers = (row[key] for key in ("size", "dimensions", "parameters", "gmacs", "recall"))
    fields = ["" if number is None else str(number) for number in numbers]
    mark = "*" if row["best"] else ""
    here = "yes" if row["here"] else ""
    return [mark, row["name"], row["alias"], *fields, row["licence"], here]


def _list_rows() -> list[dict[str, Any]]:
    from framefind.models import catalog, registry

    mini = registry.load("mini")
    facts = {"size": mini.size, "dimensions": mini.dimensions, "licence": "see docs/mini.md"}
    empty = dict.fromkeys(("parameters", "gmacs", "recall", "repository"))
    mini_row = {"name": mini.name, "alias": "mini", **facts, **empty, "best": False, "here": True}
    rows: list[dict[str, Any]] = [mini_row]
    best = catalog.best_per_cost(catalog.known_models())
    for row in catalog.known_models():
        keys = ("name", "alias", "size", "dimensions", "licence", "parameters", "gmacs", "recall")
        facts = {key: getattr(row, key) for key in (*keys, "repository")}
        rows.append({**facts, "best": row.name in best, "here": registry.is_downloaded(row.name)})
    return rows


@app.command(cls=help.Command)
def download(name: NameArgument, precision: PrecisionOption = "auto") -> None:
    """Download a model, or check and repair one that was downloaded before.

    $ framefind models download balanced
    """
    from framefind.models import registry

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

    print_full_name(name)
    model = registry.load(name, device, precision)
    speeds = _measure_speeds(model, seconds)
    if as_json:
        facts = {"model": model.name, "engine": model.backend}
        show.print_json({"schema": "framefind/v1", **facts, **speeds})
    else:
        images, texts, queries = speeds.values()
        show.print_line(
            f"{model.name} by {model.backend}: {images:.1f} images/s, {texts:.1f} texts/s "
            f"in batches, {queries:.1f} one by one"
        )


def _measure_speeds(model: "Model", seconds: float) -> dict[str, float]:
    """Return images and texts per second in batches, and texts one by one, as in searches."""
    import numpy as np

    shape = (64, model.size, model.size, 3)  # a batch of `index`
    images = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    texts = 64 * ["a dog runs along a beach at sunset"]
    runs = {
        "images_per_second": (lambda: model.embed_images(images), len(images)),
        "texts_per_second": (lambda: model.embed_texts(texts), len(texts)),
        "queries_per_second": (lambda: model.embed_texts(texts[:1]), 1),
    }
    return {name: _measure_rate(run, count, seconds) for name, (run, count) in runs.items()}


def _measure_rate(run: Callable[[], object], count: int, seconds: float) -> float:
    """Return how many of `count` things a call are done per second, in so many seconds."""
    run()  # the first call loads the encoder
    rounds = 0
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds or not rounds:
        run()
        rounds += 1
    return count * rounds / elapsed


def print_full_name(name: str) -> str:
    """Return the full name of a model; print it where the given name is short for it."""
    from framefind.models.catalog import full_name

    full = full_name(name)
    if full != name:
        show.print_note(f"model {name}: {full}")
    return full
