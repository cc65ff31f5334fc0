import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PIL import Image
from serving import Site, serve

import framefind

pytest_plugins = ["serving"]


@pytest.fixture(scope="module", autouse=True)
def no_words_in_jobs() -> Iterator[None]:
    """Read no words, as `no_words`, also in the server of all tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FRAMEFIND_READ", "none")
        yield


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A server of a library that is not there yet."""
    with serve(tmp_path / "new.framefind") as site:
        yield site


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    with site.client() as client:
        yield client


@pytest.fixture(scope="module")
def busy_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server whose library and jobs are those of several tests, each of which ends its own."""
    with serve(tmp_path_factory.mktemp("busy") / "jobs.framefind") as site:
        yield site


@pytest.fixture
def busy_client(busy_site: Site) -> Iterator[httpx.Client]:
    with busy_site.client() as client:
        yield client
        wait_for(lambda: not workers(busy_site))


def add(client: httpx.Client, path: Path) -> str:
    answer = client.post("/v1/jobs", json={"path": str(path)})
    assert answer.status_code == 202
    return answer.json()["id"]


def follow(client: httpx.Client, job: str) -> list[dict]:
    """What the job's events tell, to the last."""
    with client.stream("GET", f"/v1/jobs/{job}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@pytest.fixture(scope="module")
def few(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four of these clips."""
    folder = tmp_path_factory.mktemp("few")
    for path in sorted(many.iterdir())[:4]:
        shutil.copy(path, folder)
    return folder


def workers(site: Site) -> list[int]:
    """The processes that the server has started."""
    children = Path(f"/proc/{site.process.pid}/task").glob("*/children")
    return [int(pid) for child in children for pid in child.read_text().split()]


def wait_for(what, seconds: float = 120.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def test_a_folder_is_indexed_told_of_and_found(client, copied_clips):
    (copied_clips / "broken.mp4").write_bytes((copied_clips / "a.mp4").read_bytes()[:3000])
    job = add(client, copied_clips)
    told = follow(client, job)
    assert [one["state"] for one in told][-1] == "done"
    assert {one["state"] for one in told} <= {"queued", "running", "done"}
    assert any(one["progress"] for one in told)
    last = told[-1]
    assert len(last["report"]["indexed"]) == 4
    assert list(last["failed"]) == [str(copied_clips / "broken.mp4")]
    assert client.get(f"/v1/jobs/{job}").json() == last
    assert client.get("/v1/jobs").json()["jobs"] == [last]
    wait_for(lambda: client.get("/v1/videos").json()["total"] == 5)
    assert client.get("/v1/search", params={"q": "a"}).json()["total"]
    status = client.get("/v1/library").json()
    assert status["videos"] == {"failed": 1, "indexed": 4}
    assert status["folders"] == [
        {"path": str(copied_clips), "videos": 5},
        {"path": str(copied_clips / "deep"), "videos": 1},
    ]


def test_searches_are_answered_while_it_runs(client, few):
    job = add(client, few)
    answered = 0
    while client.get(f"/v1/jobs/{job}").json()["state"] in ("queued", "running"):
        assert client.get("/v1/search", params={"q": f"a {answered}"}).status_code == 200
        answered += 1
        if answered > 3:
            client.delete(f"/v1/jobs/{job}")
    assert answered > 3


def test_cancelling_keeps_what_is_done(client, site, many, tmp_path):
    job = add(client, many)

    def begun() -> bool:
        progress = client.get(f"/v1/jobs/{job}").json()["progress"]
        return progress is not None and progress["done"] >= 2

    wait_for(begun)
    assert client.delete(f"/v1/jobs/{job}").json()["state"] == "cancelling"
    assert follow(client, job)[-1]["state"] == "cancelled"
    wait_for(lambda: not workers(site))
    done = len(framefind.open(tmp_path / "new.framefind").videos())
    assert 2 <= done < 40
    assert client.delete(f"/v1/jobs/{job}").json()["state"] == "cancelled"


def test_jobs_wait_for_each_other(busy_client, many, copied_clips):
    client = busy_client
    first = add(client, many)
    second, third = add(client, copied_clips / "a.mp4"), add(client, copied_clips / "b.mp4")
    assert add(client, copied_clips / "a.mp4") == second
    states = {one["id"]: one["state"] for one in client.get("/v1/jobs").json()["jobs"]}
    assert list(states)[:3] == [third, second, first]
    assert (states[second], states[third]) == ("queued", "queued")
    assert client.delete(f"/v1/jobs/{third}").json()["state"] == "cancelled"
    client.delete(f"/v1/jobs/{first}")
    assert follow(client, second)[-1]["report"]["indexed"] == [str(copied_clips / "a.mp4")]
    assert client.get(f"/v1/jobs/{third}").json()["state"] == "cancelled"


def test_an_indexer_that_dies_is_a_failed_job(busy_client, busy_site, many, copied_clips):
    client = busy_client
    job = add(client, many)
    (worker,) = wait_for(lambda: workers(busy_site))
    os.kill(worker, signal.SIGKILL)
    last = follow(client, job)[-1]
    assert last["state"] == "failed"
    assert "exit code" in last["error"]
    assert follow(client, add(client, copied_clips))[-1]["state"] == "done"


def test_what_the_library_refuses_is_a_failed_job(client, tmp_path, copied_clips):
    (tmp_path / "new.framefind").mkdir()
    (tmp_path / "new.framefind" / "other.txt").write_text("something else")
    last = follow(client, add(client, copied_clips))[-1]
    assert (last["state"], last["report"]) == ("failed", None)
    assert last["error"]


def test_the_end_of_the_server_ends_its_jobs(many, tmp_path):
    with serve(tmp_path / "new.framefind") as site, site.client() as client:
        add(client, many)
        (worker,) = wait_for(lambda: workers(site))
        wait_for(lambda: client.get("/v1/jobs").json()["jobs"][0]["progress"])
    wait_for(lambda: not Path(f"/proc/{worker}").exists())


def test_a_killed_server_takes_its_indexer_with_it(many, tmp_path):
    with serve(tmp_path / "new.framefind") as site, site.client() as client:
        add(client, many)
        (worker,) = wait_for(lambda: workers(site))
        wait_for(lambda: client.get("/v1/jobs").json()["jobs"][0]["progress"])
        site.process.kill()
        wait_for(lambda: not Path(f"/proc/{worker}").exists())


def test_one_stream_tells_of_all_jobs(client, few, copied_clips):
    with client.stream("GET", "/v1/jobs/events") as answer:
        assert not list(answer.iter_lines())  # there are none
    first = add(client, few)
    second = add(client, copied_clips / "a.mp4")
    with client.stream("GET", "/v1/jobs/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line.startswith("data: ")]
    told = [json.loads(line.removeprefix("data: ")) for line in lines]
    states = {job["id"]: job["state"] for job in told}
    assert states == {first: "done", second: "done"}
    assert {job["state"] for job in told if job["id"] == second} >= {"queued", "done"}


def test_a_new_job_says_where_it_is(busy_client, copied_clips):
    client = busy_client
    answer = client.post("/v1/jobs", json={"path": str(copied_clips / "a.mp4")})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{answer.json()['id']}"
    assert client.get(answer.headers["location"]).json()["id"] == answer.json()["id"]
    client.delete(answer.headers["location"])


@pytest.mark.parametrize("name", ["notes.txt", "picture.png", "picture.gif", "pipe"])
def test_a_file_that_is_no_video_is_refused_at_once(api, tmp_path, name):
    if name == "pipe":
        os.mkfifo(tmp_path / name)
    elif name == "notes.txt":
        (tmp_path / name).write_text("these are notes")
    else:
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    before = api.get("/v1/jobs").json()
    answer = api.post("/v1/jobs", json={"path": str(tmp_path / name)})
    assert answer.status_code == 422
    assert "not a video" in answer.json()["detail"]
    assert api.get("/v1/jobs").json() == before


def test_a_damaged_video_is_a_job_that_says_so(busy_client, tmp_path, copied_clips):
    (tmp_path / "cut.mp4").write_bytes((copied_clips / "a.mp4").read_bytes()[:3000])
    last = follow(busy_client, add(busy_client, tmp_path / "cut.mp4"))[-1]
    assert (last["state"], list(last["failed"])) == ("done", [str(tmp_path / "cut.mp4")])


def test_no_such_job(api):
    for path in ("", "/events"):
        assert api.get(f"/v1/jobs/nothing{path}").status_code == 404
    assert api.delete("/v1/jobs/nothing").status_code == 404
