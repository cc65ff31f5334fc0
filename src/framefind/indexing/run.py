"""One run of `index` on this computer, and what it would do."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from framefind.files.config import Setting, name_paths
from framefind.files.names import resolve_path, stored_path
from framefind.index.refresh import CurrentIndex
from framefind.indexing.decide import Catalog, open_catalog
from framefind.indexing.estimate import Plan, estimate
from framefind.indexing.options import IndexOptions
from framefind.indexing.pipeline import Indexer
from framefind.indexing.prepare import check_model, find_tables, prepare_tables
from framefind.indexing.readers import open_readers
from framefind.indexing.walk import File, walk
from framefind.models.choice import ModelChoice
from framefind.reports import OnProgress, Report
from framefind.tables import address, maintenance
from framefind.tables.tables import Tables
from framefind.types import PathLike


def parse(
    choice: ModelChoice, settings: Mapping[str, Setting], arguments: dict[str, Any]
) -> tuple[ModelChoice, list[str], IndexOptions]:
    """Return the model, paths and options that arguments of `index` and what was chosen say."""
    options = IndexOptions.pick(arguments, settings)
    return choice.named(arguments["model"]), name_paths(arguments["paths"], settings), options


def index(
    vector_index: CurrentIndex,
    choice: ModelChoice,
    paths: Sequence[str],
    options: IndexOptions,
    roots: PathLike | Iterable[PathLike],
    on_progress: OnProgress | None,
) -> Report:
    """Index videos, and bring the index up to date: see `Library.index`."""
    files = list(walk(paths, options.glob, options.exclude, roots))
    if not files and not Tables.exists(vector_index.uri):
        return Report()
    return index_files(vector_index, choice, files, paths, options, on_progress)


def index_files(
    vector_index: CurrentIndex,
    choice: ModelChoice,
    files: Sequence[File],
    paths: Sequence[str],
    options: IndexOptions,
    on_progress: OnProgress | None = None,
    stop: threading.Event | None = None,
    choose: Callable[[Sequence[File], Catalog], Sequence[File]] | None = None,
) -> Report:
    """Index files that were found below some paths, until `stop` is set.

    Missing and offline videos are looked for below the paths. `choose` returns those of the files
    that this run shall have.
    """
    uri = vector_index.uri
    check_model(uri, choice)
    with address.lock(uri, doing="index"):
        tables, encoder = prepare_tables(uri, choice)
        readers = open_readers(options.read, choice.device)
        options = replace(options, read=readers.read)
        catalog = open_catalog(vector_index, tables, options)
        indexer = Indexer(tables, catalog, encoder, options, readers, on_progress, stop)
        report = indexer.run(choose(files, catalog) if choose else files)
        report.notes = readers.missing
        report.missing, report.offline = catalog.survey(_folders(paths))
        maintenance.tidy(tables)
        vector_index.refresh(tables)
    return report


def plan(
    vector_index: CurrentIndex, choice: ModelChoice, paths: Sequence[str], options: IndexOptions
) -> Plan:
    """Estimate what `index` would do, and what it would cost: see `Library.plan`."""
    files = list(walk(paths, options.glob, options.exclude))
    tables, encoder = find_tables(vector_index.uri, choice)
    options = replace(options, read=open_readers(options.read, choice.device).read)
    catalog = open_catalog(vector_index, tables, options)
    planned = estimate(files, catalog, encoder, options)
    planned.missing, planned.offline = catalog.survey(_folders(paths), learn=False)
    return planned


def _folders(paths: Iterable[str]) -> list[str]:
    return [stored_path(resolve_path(path)) for path in paths]
