"""`index --engine spark`: the same command on Apache Spark."""

import warnings
from typing import TYPE_CHECKING, Any

from framefind.cli import show

if TYPE_CHECKING:
    from framefind.library import Library
    from framefind.types import Report


def index(
    opened: "Library",
    paths: list[str],
    master: str | None,
    checkpoint: str | None,
    trigger: str | None,
    how: dict[str, Any],
) -> "Report":
    """Index a folder or URI with Spark; a stream says after every batch how far it is."""
    from framefind import spark

    if len(paths) != 1:
        show.fail_usage("--engine spark takes one folder or URI")
    warnings.filterwarnings("ignore", category=FutureWarning, module="pyspark")
    session = spark.session(master or "local[*]")
    try:
        return spark.index(
            session,
            paths[0],
            opened,
            checkpoint=checkpoint,
            trigger=trigger or "available-now",
            on_batch=_tell if trigger not in (None, "available-now") else None,
            **how,
        )
    finally:
        session.stop()


def _tell(report: "Report") -> None:
    show.print_note(show.summarize(report))
