"""A module that lies in the working directory is a file like any other: none of ours imports it."""

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import framefind
from framefind.index import ivf
from framefind.processes import python_command
from index.indexes import film, write
from server.serving import serve

SOURCES = Path(framefind.__file__).parent


def test_the_plant_works(planted):
    subprocess.run([sys.executable, "-c", "import faiss"], check=True)
    assert planted.read_text("utf-8").startswith("faiss")


def test_decoders(planted, clips, tmp_path):
    report = framefind.open(tmp_path / "l").index(clips / "c.mp4")
    assert len(report.indexed) == 1
    assert not planted.exists()


def test_jobs_of_the_server(planted, clips, tmp_path):
    with serve(tmp_path / "l") as site, site.client() as client:
        job = client.post("/v1/jobs", json={"path": str(clips / "c.mp4")}).json()["id"]
        while (now := client.get(f"/v1/jobs/{job}").json())["state"] in ("queued", "running"):
            time.sleep(0.05)
    assert now["state"] == "done", now
    assert not planted.exists()


def test_builders_of_indexes(planted, tmp_path):
    pytest.importorskip("faiss")
    rng = np.random.default_rng(0)
    (tmp_path / "index").mkdir()
    index = write(tmp_path / "index", [film(rng, 100, 2, 24, 0.3) for _ in range(40)])
    ivf.start(index)
    while not (ivf.open_lists(index) or planted.exists()):
        time.sleep(0.05)
    assert not planted.exists()


def test_no_other_place_starts_python():
    places = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.py")
        if re.search(r"sys\.executable|multiprocessing|ProcessPool", path.read_text("utf-8"))
    }
    assert places == {"processes.py", "spark/session.py"}  # the latter names it to Spark


def test_the_command_runs_a_module():
    done = subprocess.run([*python_command("framefind.cli"), "--version"], capture_output=True)
    assert done.returncode == 0
