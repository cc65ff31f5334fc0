"""`serve --watch`: what comes into a folder can be searched, and jobs still have their turn."""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from serving import serve

import framefind
from conftest import write_clip
from framefind.files import config
from framefind.server import index_job, watcher


def test_a_watch_that_ends_by_itself_is_begun_again(tmp_path, monkeypatch, caplog):
    begun = []

    def command(module):
        if len(begun) == 2:
            raise InterruptedError
        begun.append(module)
        return [sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"]

    monkeypatch.setattr(index_job, "python_command", command)
    monkeypatch.setattr(watcher, "_RESTART_SECONDS", 0.0)
    watching = watcher.watch(framefind.open(tmp_path / "a.framefind"), [str(tmp_path)])
    with ThreadPoolExecutor(1) as pool:  # tests of the page leave a loop running in this thread
        ended = pool.submit(asyncio.run, watching)
    with pytest.raises(InterruptedError):
        ended.result()
    (record,) = caplog.records
    assert "ended with -9" in record.message


def test_what_comes_is_searchable_and_jobs_run_beside_it(tmp_path):
    folder = tmp_path / "watched"
    folder.mkdir()
    write_clip(tmp_path / "other" / "b.mp4", [2])
    library = tmp_path / "a.framefind"
    config.write_setting(library / config.NAME, "read", ["none"])
    with serve(library, "--watch", str(folder)) as site, site.client() as http:
        write_clip(folder / "a.mp4", [1])
        response = http.post("/v1/jobs", json={"path": str(tmp_path / "other")})
        job = response.json()
        assert response.status_code < 300, job
        end = time.monotonic() + 120
        paths: list[str] = []
        while len(paths) < 2 and time.monotonic() < end:
            time.sleep(0.2)
            paths = sorted(row["path"] for row in http.get("/v1/videos").json()["videos"])
        assert paths == [str(tmp_path / "other" / "b.mp4"), str(folder / "a.mp4")]
        while (job := http.get(f"/v1/jobs/{job['id']}").json())["state"] != "done":
            assert job["state"] in ("queued", "running"), job
            assert time.monotonic() < end
            time.sleep(0.2)
    assert config.read_settings(str(library))["folders"].value == [str(folder)]
