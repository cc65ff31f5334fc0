"""Exports over HTTP."""

import io
import zipfile
from collections.abc import Iterator

import av
import httpx
import opentimelineio as otio
import pytest
from serving import Site

pytest_plugins = ["serving"]


@pytest.fixture(scope="module")
def client(served: Site) -> Iterator[httpx.Client]:
    with served.client() as client:
        yield client


@pytest.fixture(scope="module")
def moments(client) -> list[dict]:
    query = {"q": "a dog", "limit": 50, "min_score": -100}
    return client.get("/v1/search", params=query).json()["moments"]


def name(answer: httpx.Response) -> str:
    return answer.headers["Content-Disposition"].split("''")[1]


def test_moments_of_a_search_become_a_timeline(client, moments):
    order = {"moments": moments, "to": "otio", "title": "my dogs?"}
    answer = client.post("/v1/export", json=order)
    assert (answer.status_code, name(answer)) == (200, "my%20dogs_.otio")
    assert answer.headers["X-Failed"] == "0"
    timeline = otio.adapters.read_from_string(answer.text, "otio_json")
    assert [clip.name for clip in timeline.video_tracks()[0]] == [
        moment["path"].rpartition("/")[2] for moment in moments
    ]


def test_several_files_come_in_a_zip(client, moments):
    for to, suffix in (("clips", ".mp4"), ("vtt", ".vtt")):
        answer = client.post("/v1/export", json={"moments": moments, "to": to})
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            assert archive.testzip() is None
            assert all(entry.endswith(suffix) for entry in archive.namelist())
    alone = client.post("/v1/export", json={"moments": moments[:1], "to": "clips"})
    assert name(alone).endswith(".mp4")
    assert alone.content[4:8] == b"ftyp"


def test_a_film_of_all_has_titles(client, moments):
    order = {"moments": moments[:2], "to": "reel", "title": "dogs", "titles": True}
    answer = client.post("/v1/export", json=order)
    assert (answer.status_code, name(answer)) == (200, "dogs.mp4")
    with av.open(io.BytesIO(answer.content)) as container:
        assert len(container.chapters()) == 2


def test_what_cannot_be_exported_is_a_problem(client, moments):
    moment = {"video_id": moments[0]["video_id"], "start": 1.0, "end": 2.0}
    for order, status in [
        ({"moments": []}, 422),
        ({"moments": [moment], "to": "docx"}, 422),
        ({"moments": [moment | {"end": 0.5}]}, 422),
        ({"moments": [moment | {"end": 9999.0}], "to": "clips"}, 422),
        ({"moments": [moment | {"end": 9999.0}], "to": "reel"}, 422),
        ({"moments": [moment | {"video_id": "0" * 32}]}, 404),
        ({"moments": [moment | {"path": "/etc/passwd"}], "to": "ndjson"}, 200),
    ]:
        answer = client.post("/v1/export", json=order)
        assert answer.status_code == status, answer.text
        assert "passwd" not in answer.text
