"""Prepare a run of `index`: the tables, and the model that fills them."""

from dataclasses import replace

from framefind.errors import LibraryError
from framefind.models import registry
from framefind.models.base import Model
from framefind.models.choice import ModelChoice
from framefind.tables.tables import Tables


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
    """Create the tables of a new library, after its model has passed its self-test."""
    registry.check(model)
    try:
        return Tables.create(uri, model.fingerprint)
    except LibraryError:
        if not Tables.exists(uri):  # else another run has just created it in a store
            raise
    tables = Tables.open(uri)
    replace(choice, name=model.fingerprint["model"]).reopen(uri, tables.fingerprint)
    return tables
