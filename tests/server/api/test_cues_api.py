"""What is said and written, over HTTP."""

from collections.abc import Iterator

import httpx
import pytest
from serving import serve

import framefind
from conftest import write_clip
from cued import add_cues
from framefind.types import Cue

CUES = (
    Cue(4.0, 5.0, "spoken <b>word</b>", "speech", "en"),
    Cue(1.0, 2.0, "Untertitel & mehr", "subtitles", "de"),
    Cue(2.0, 3.0, "SIGN", "screen", box=(0.25, 0.5, 0.25, 0.125)),
)


@pytest.fixture(scope="module")
def cued(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, str]]:
    """A client of a server, and the id of a video with cues."""
    folder = tmp_path_factory.mktemp("cued")
    write_clip(folder / "a.mp4", [1])
    library = framefind.open(folder / "a.framefind")
    library.index(folder)
    video_id = add_cues(library, "a.mp4", CUES)
    with serve(library.uri) as site, site.client() as client:
        yield client, video_id


def test_cues_come_in_order_of_time(cued):
    client, video_id = cued
    document = client.get(f"/v1/videos/{video_id}/cues").json()
    assert document["schema"] == "framefind/cues/v1"
    assert [cue["text"] for cue in document["cues"]] == [CUES[at].text for at in (1, 2, 0)]
    assert document["cues"][1] == vars(CUES[2]) | {"box": [0.25, 0.5, 0.25, 0.125]}


def test_cues_by_source_and_language(cued):
    client, video_id = cued
    for query, texts in [
        ({"source": "speech"}, ["spoken <b>word</b>"]),
        ({"language": "de"}, ["Untertitel & mehr"]),
        ({"language": ""}, ["SIGN"]),
        ({"source": "speech", "language": "de"}, []),
    ]:
        answer = client.get(f"/v1/videos/{video_id}/cues", params=query).json()
        assert [cue["text"] for cue in answer["cues"]] == texts


def test_subtitles_hold_no_markup_of_files(cued):
    client, video_id = cued
    answer = client.get(f"/v1/videos/{video_id}/cues.vtt", params={"source": "speech", "offset": 3})
    assert answer.headers["Content-Type"] == "text/vtt; charset=utf-8"
    assert answer.text.splitlines() == [
        "WEBVTT", "", "00:00:01.000 --> 00:00:02.000", "spoken &lt;b&gt;word&lt;/b&gt;",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (f"{'0' * 32}/cues", 404),
        ("nothing/cues", 422),
        ("{id}/cues?source=smell", 422),
        ("{id}/cues.vtt?offset=-1", 422),
    ],
)
def test_what_is_not_there_is_a_problem(cued, address, status):
    client, video_id = cued
    answer = client.get(f"/v1/videos/{address.format(id=video_id)}")
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
