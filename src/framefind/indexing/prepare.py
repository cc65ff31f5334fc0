"""Prepare a run of `index`: the tables, and the model that fills them."""

from dataclasses import replace

from framefind.errors import LibraryError
from framefind.models import registry
from framefind.models.base import Model
from framefind.models.choice import ModelChoice
from framefind.tables.tables import Tables


def check_model(uri: str, choice: ModelChoice) -> None:
    """Refuse a model that cannot fill a library, before anything of a new one is created.

    Raises ModelError when it cannot be loaded or fails its self-test, and LibraryError when the
    library was made with another one.
    """
    tables, model = find_tables(uri, choice)
    if tables is None:
        registry.check(model)


def prepare_tables(uri: str, choice: ModelChoice) -> tuple[Tables, Model]:
    """Return the tables of a library, created if they are missing, and the model that fills them.

    Raises LibraryError when the library was made with another model.
    """
    tables, model = find_tables(uri, choice)
    return tables or create_tables(uri, choice, model), model


def find_tables(uri: str, choice: ModelChoice) -> tuple[Tables | None, Model]:
    """Return the tables of a library, None if there is no library, and the model that fills them.

    Raises LibraryError when the library was made with another model.
    """
    if not Tables.exists(uri):
        return None, choice.load(uri)
    tables = Tables.open(uri)
    return tables, choice.reopen(uri, tables.fingerprint)


def create_tables(uri: str, choice: ModelChoice, model: Model) -> Tables:
    """Create the tables of a new library for a model that was checked."""
    try:
        return Tables.create(uri, model.fingerprint)
    except LibraryError:
        if not Tables.exists(uri):  # else another run has just created it in a store
            raise
    tables = Tables.open(uri)
    replace(choice, name=model.fingerprint["model"]).reopen(uri, tables.fingerprint)
    return tables
