"""The options of `index`: one list, which whoever indexes has, with the same defaults."""

import inspect
from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from framefind import Library
from framefind.errors import UsageError
from framefind.indexing.options import IndexOptions
from framefind.spark.stream import index as index_with_spark
from framefind.video.views import MAX_DUPLICATE_CHANGE

OPTIONS = inspect.signature(IndexOptions.parse).parameters


@pytest.mark.parametrize("function", [Library.index, Library.plan, index_with_spark])
def test_they_are_arguments_everywhere(function: Callable[..., Any]) -> None:
    parameters = inspect.signature(function).parameters
    assert [field.name for field in fields(IndexOptions)] == list(OPTIONS)
    for name, option in OPTIONS.items():
        assert parameters[name].replace(annotation=None) == option.replace(annotation=None)
        assert parameters[name].annotation == option.annotation


def test_they_are_parsed_once() -> None:
    options = IndexOptions.parse(sampler="every=2", views="360/180", glob="*.mp4", dedupe=True)
    assert (options.sampler.name, options.views.name) == ("every=2.0", "360/180")
    assert (options.glob, options.exclude, options.dedupe) == (("*.mp4",), (), MAX_DUPLICATE_CHANGE)
    assert IndexOptions.parse(dedupe=3).dedupe == 3.0


@pytest.mark.parametrize(
    "wrong", [{"sampler": "often"}, {"views": "all"}, {"dedupe": 999}, {"decoder": "gold"}]
)
def test_what_is_wrong_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=str(next(iter(wrong.values())))):
        IndexOptions.parse(**wrong)
