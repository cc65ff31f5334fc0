"""The protocol: HEAD, methods that are not allowed, caching, the description."""

from datetime import datetime

import httpx
import pytest
from serving import serve

import framefind
from conftest import write_clip
from framefind.server.app import create_app
from framefind.server.security import Access

pytest_plugins = ["serving"]

PATHS = ["/", "/index.html", "/main.js", "/icons/play.svg", "/docs", "/openapi.json",
         "/v1/search?q=a", "/v1/videos", "/v1/videos/ID", "/v1/videos/ID/stream",
         "/v1/videos/ID/stream?transcode=true", "/v1/videos/ID/clip?start=0&end=1",
         "/v1/videos/ID/frames/0.jpg", "/v1/videos/ID/thumbnails/0.jpg",
         "/v1/videos/ID/scores?q=a", "/v1/jobs", "/v1/jobs/events", "/v1/library", "/healthz",
         "/readyz", "/metrics"]  # fmt: skip
MADE = ("clip", "transcode")  # as long as they turn out: nobody knows before


@pytest.fixture(scope="module")
def video_id(served) -> str:
    with served.client() as client:
        return client.get("/v1/videos").json()["videos"][0]["video_id"]


@pytest.mark.parametrize("path", PATHS)
def test_head_answers_what_get_does(api: httpx.Client, video_id: str, path: str):
    path = path.replace("ID", video_id)
    got = api.get(path)
    head = api.head(path)
    assert (got.status_code, head.status_code) == (200, 200)
    assert head.content == b""
    left_out = {"date", "transfer-encoding"}
    if path == "/metrics" or any(part in path for part in MADE):
        left_out.add("content-length")
    expected = {name: value for name, value in got.headers.items() if name not in left_out}
    assert {name: head.headers.get(name) for name in expected} == expected
    if any(part in path for part in MADE):
        assert "content-length" not in head.headers


def test_head_of_what_is_not_there(api: httpx.Client):
    for path in ("/nothing", "/v1/nothing", "/v1/jobs/nothing", f"/v1/videos/{'0' * 32}"):
        assert api.head(path).status_code == 404


ALLOWED = [
    ("/v1/search", "GET, HEAD, POST"),
    ("/v1/videos/ID/scores", "GET, HEAD, POST"),
    ("/v1/jobs", "GET, HEAD, POST"),
    ("/v1/jobs/nothing", "GET, HEAD, DELETE"),
    ("/v1/videos", "GET, HEAD"),
    ("/v1/videos/ID/stream", "GET, HEAD"),
    ("/v1/library", "GET, HEAD"),
    ("/openapi.json", "GET, HEAD"),
    ("/", "GET, HEAD"),
    ("/main.js", "GET, HEAD"),
]


@pytest.mark.parametrize(("path", "allowed"), ALLOWED)
def test_other_methods_hear_which_are_right(
    api: httpx.Client, video_id: str, path: str, allowed: str
):
    for method in {"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} - {
        *allowed.split(", ")
    }:
        answer = api.request(method, path.replace("ID", video_id))
        assert answer.status_code == 405
        assert answer.headers["allow"] == allowed
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == 405


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/v1/jobs/", "/v1", "/icons"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "PROPFIND"])
def test_an_unknown_address_is_a_problem(api: httpx.Client, path: str, method: str):
    answer = api.request(method, path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"] == "Not Found"


@pytest.mark.parametrize("path", ["/", "/main.js", "/base.css", "/icons/framefind.svg"])
def test_the_files_of_the_page_are_kept_and_asked_for_again(api: httpx.Client, path: str):
    got = api.get(path)
    assert got.headers["cache-control"] == "private, no-cache"
    tag = got.headers["etag"]
    for etag in (tag, f"W/{tag}", f'"other", {tag}'):
        again = api.get(path, headers={"If-None-Match": etag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == tag
        assert again.headers["cache-control"] == "private, no-cache"
    assert api.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert api.get("/v1/library").headers["cache-control"] == "no-store"


def test_dates_are_those_of_rfc_3339(api: httpx.Client, video_id: str):
    one = api.get(f"/v1/videos/{video_id}").json()
    for date in (one["modified"], one["indexed_at"]):
        assert "T" in date
        assert datetime.fromisoformat(date).utcoffset() is not None


def test_the_description_tells_of_completeness_and_of_the_token():
    library = framefind.open("none.framefind")
    api = create_app(library, Access(token="secret")).openapi()
    assert "complete" in api["components"]["schemas"]["SearchResults"]["required"]
    schemes = api["components"]["securitySchemes"]
    assert schemes["token"] | {"description": ""} == {
        "type": "http", "scheme": "bearer", "description": "",
    }  # fmt: skip
    assert schemes["cookie"]["name"] == "framefind_8000"
    assert api["security"] == [{"token": []}, {"cookie": []}]
    assert api["paths"]["/healthz"]["get"]["security"] == []
    assert "Location" in api["paths"]["/v1/jobs"]["post"]["responses"]["202"]["headers"]
    trusting = create_app(library, Access()).openapi()
    assert "security" not in trusting  # this server asks for none
    assert trusting["components"]["securitySchemes"]


def test_videos_are_listed_by_name_date_and_length(api: httpx.Client):
    every = api.get("/v1/videos").json()["videos"]

    def listed(**filters: str | float) -> list[str]:
        return [one["path"] for one in api.get("/v1/videos", params=filters).json()["videos"]]

    def longer(seconds: float) -> list[str]:
        return [one["path"] for one in every if one["duration"] >= seconds]

    middle = sorted(one["duration"] for one in every)[len(every) // 2]
    assert listed(min_duration=middle) == longer(middle) != listed()
    assert listed(max_duration=1e6) == listed()
    assert listed(before="2001-01-01") == []
    assert listed(after="2001-01-01") == listed()
    assert listed(video="*a.mp4", min_duration=1e6) == []
    assert api.get("/v1/videos", params={"after": "nonsense"}).status_code == 422


def test_the_library_tells_what_is_offline_and_lost(tmp_path):
    write_clip(tmp_path / "v" / "a.mp4", [1], 0.4)
    library = framefind.open(tmp_path / "l")
    library.index(tmp_path / "v", sampler="count=1", views="whole")
    (tmp_path / "v").rename(tmp_path / "away")
    with serve(library.uri) as site, site.client() as client:
        facts = client.get("/v1/library").json()
        listed = client.get("/v1/videos", params={"video": "a.mp4"}).json()
    (away,) = facts["offline"]
    assert (away["root"], away["videos"], facts["lost"]) == (str(tmp_path / "v"), 1, 0)
    assert listed["total"] == 1
