"""`framefind index --engine spark`: the same command on Apache Spark."""

import warnings
from typing import TYPE_CHECKING, Any

from framefind.cli import show
from framefind.files.config import name_paths

if TYPE_CHECKING:
    from framefind.library import Library
    from framefind.reports import Report


def index(
    opened: "Library",
    paths: list[str] | None,
    master: str | None,
    checkpoint: str | None,
    trigger: str | None,
    choice: dict[str, Any],
) -> "Report":
    """Index a folder or URI with Spark; with a trigger, print the counts after every batch."""
    from framefind import spark

    named = name_paths(paths, opened.config())
    if len(named) != 1:
        show.fail_usage("--engine spark takes one folder or URI")
    warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
    session = spark.session(master or "local[*]")
    try:
        return spark.index(
            session,
            named[0],
            opened,
            checkpoint=checkpoint,
            trigger=trigger or "available-now",
            on_batch=_print_batch if trigger not in (None, "available-now") else None,
            **choice,
        )
    finally:
        session.stop()


def _print_batch(report: "Report") -> None:
    show.print_note(show.summarize(report))
