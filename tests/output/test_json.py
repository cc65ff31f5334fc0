import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from framefind.output.json import build_document, read_schema
from framefind.types import Page
from results import BY_MOMENT, BY_VIDEO, MOMENT


def errors(value: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(read_schema()).iter_errors(value)]


def changes(value: Any) -> Iterator[Any]:
    """The document with one member left out or one value replaced by an object, everywhere."""
    if isinstance(value, dict):
        for key in value:
            yield {k: v for k, v in value.items() if k != key}
            yield from ({**value, key: other} for other in changes(value[key]))
    elif isinstance(value, list):
        for i in range(len(value)):
            yield from ([*value[:i], other, *value[i + 1 :]] for other in changes(value[i]))
        yield {}
    else:
        yield {}


class TestDocument:
    def test_moments(self):
        assert build_document(BY_MOMENT, {"text": "a dog"}) == {
            "schema": "framefind/v1",
            "query": {"text": "a dog"},
            "offset": 2,
            "total": 7,
            "complete": True,
            "moments": [
                {
                    "path": "/v/a.mp4",
                    "video_id": "0a1b",
                    "start": 10.0,
                    "end": 12.5,
                    "t": 11.2,
                    "score": 53.125,
                    "confidence": 0.875,
                    "certainty": "sure",
                    "box": [0.25, 0.0, 0.5, 1.0],
                    "then": then,
                    "why": [],
                }
                for then in (
                    None,
                    {"start": 20.0, "end": 22.0, "t": 21.0, "score": 40.5, "confidence": 0.5},
                )
            ],
        }

    def test_by_video_it_holds_videos_instead(self):
        made = build_document(BY_VIDEO, {})
        assert "moments" not in made
        (video,) = made["videos"]
        assert {key: video[key] for key in ("path", "video_id", "score")} == {
            "path": "/v/a.mp4",
            "video_id": "0a1b",
            "score": 71.0,
        }
        assert [moment["t"] for moment in video["moments"]] == [3.0, 11.2]

    def test_numpy_values_become_json(self):
        box = tuple(np.array([0, 0, 1, 1], np.float32))
        moment = replace(MOMENT, score=np.float32(53.125), t=np.float64(11.2), box=box)
        made = build_document(Page([moment], np.int64(1), np.int64(0)), {"weights": np.ones(2)})
        assert json.loads(json.dumps(made)) == made

    def test_the_schema_is_itself_valid(self):
        Draft202012Validator.check_schema(read_schema())

    @pytest.mark.parametrize(
        "page", [BY_MOMENT, BY_VIDEO, Page([], 0, 0), Page([], 0, 0, []), Page([], 3, 9)]
    )
    def test_documents_validate(self, page):
        assert errors(build_document(page, {"text": "x"})) == []

    @pytest.mark.parametrize("page", [BY_MOMENT, BY_VIDEO])
    def test_the_schema_refuses_every_missing_member_and_wrong_type(self, page):
        broken = list(changes(build_document(page, {})))
        assert len(broken) > 40
        assert [change for change in broken if not errors(change)] == []

    def test_over_http_a_moment_has_a_thumbnail(self):
        made = build_document(BY_MOMENT, {})
        made["moments"][0]["thumbnail"] = "/v1/videos/0a1b/frames/11.2.jpg"
        assert errors(made) == []
        made["moments"][0]["thumbnail"] = 5
        assert errors(made)
