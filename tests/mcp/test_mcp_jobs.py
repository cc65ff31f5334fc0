import shutil
from pathlib import Path

import pytest

import framefind
from conftest import write_clip

pytest.importorskip("mcp.types")

from agents import converse

from framefind.mcp.server import Server


@pytest.fixture
def home(tmp_path):
    """A folder that may be indexed, and one beside it that may not."""
    write_clip(tmp_path / "allowed" / "a.mp4", [1, 2])
    write_clip(tmp_path / "other" / "b.mp4", [3])
    (tmp_path / "allowed" / "broken.mp4").write_bytes(
        (tmp_path / "allowed" / "a.mp4").read_bytes()[:300]
    )
    return tmp_path


@pytest.fixture
def server(home):
    library = framefind.open(home / "l.framefind")
    return Server(library, (str(home / "allowed"),))


def test_a_folder_is_indexed_and_can_be_searched(server, home):
    async def talk(client):
        job = await client.call_tool("index", {"path": str(home / "allowed")})
        while job.structured_content["state"] in ("queued", "running"):
            job = await client.call_tool("index", {"path": str(home / "allowed")})
        moments = await client.call_tool("search", {"text": "a circle"})
        return job, moments, await client.call_tool("videos", {})

    job, moments, videos = (one.structured_content for one in converse(server, talk))
    assert (job["state"], job["done"]["indexed"]) == ("done", 1)
    assert {Path(path).name for path in job["failed"]} <= {"broken.mp4"}
    assert {Path(moment["video"]).name for moment in moments["moments"]} == {"a.mp4"}
    assert videos["jobs"][0]["path"] == str(home / "allowed")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("other", "only what is below"),
        ("allowed/../other", "only what is below"),
        ("allowed/link", "only what is below"),
        ("allowed/nothing", "no such file"),
        ("allowed/text.txt", "not a video"),
        ("allowed/a\0b", r"a\x00b: that is not a path"),
        ("allowed/\ud800", r"\ud800: that is not a path"),
    ],
)
def test_nothing_else_is_indexed(server, home, path, reason):
    (home / "allowed" / "link").symlink_to(home / "other")
    (home / "allowed" / "text.txt").write_text("words")
    arguments = {"path": str(home / path)}
    result = converse(server, lambda client: client.call_tool("index", arguments))
    assert result.is_error
    assert reason in result.content[0].text
    assert not (home / "l.framefind").exists()


def test_a_job_that_runs_is_stopped_with_the_server(home, monkeypatch):
    from framefind.mcp import jobs

    monkeypatch.setattr(jobs, "_WAIT_SECONDS", 0.0)
    for number in range(20):
        shutil.copy(home / "allowed" / "a.mp4", home / "allowed" / f"{number}.mp4")
    server = Server(framefind.open(home / "l.framefind"), (str(home / "allowed"),))

    async def talk(client):
        return await client.call_tool("index", {"path": str(home / "allowed")})

    job = converse(server, talk).structured_content
    assert job["state"] in ("queued", "running")
