"""`framefind export`, from the command line."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

import framefind
from media import film


def run(*arguments: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "framefind.cli", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, encoding="utf-8", timeout=120)


def test_what_a_search_printed_is_exported(shared_library: framefind.Library, tmp_path: Path):
    library = "-l", shared_library.uri
    document = run("search", "a dog", "--json", "--video", "*a.mp4", *library).stdout
    out = str(tmp_path / "a.edl")
    done = run("export", "--from-json", "-", "--to", "edl", "--out", out, *library, stdin=document)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{out}\n", "")
    assert Path(out).read_text().startswith("TITLE: framefind\n")
    again = run("export", "a dog", "--to", "edl", "--out", out, *library)
    assert again.returncode == 2
    assert again.stderr == f"framefind: {out} exists already: --overwrite replaces it\n"
    nothing = run("export", "--to", "edl", "--out", out, *library)
    assert nothing.returncode == 2


def test_clips_become_one_film(shared_library: framefind.Library, tmp_path: Path):
    library = "-l", shared_library.uri
    out = str(tmp_path / "dogs.mp4")
    done = run("export", "a dog", "--to", "clips", "--reel", out, "--limit", "2", *library)
    assert (done.returncode, done.stdout) == (0, f"{out}\n"), done.stderr
    assert done.stderr.startswith("1/2 ")
    both = run("export", "a dog", "--reel", out, "--out", out, *library)
    assert both.returncode == 2
    assert "--reel names the film" in both.stderr


def test_nothing_half_written_stays_when_it_is_told_to_end(shared_library, tmp_path: Path):
    chance = np.random.default_rng(1)
    noise = [chance.integers(0, 256, (180, 320, 3), np.uint8) for _ in range(4)]
    path = film(tmp_path / "a.mp4", size=(320, 180), pictures=noise * 25, fps=25)
    moment = {"path": str(path), "video_id": "a", "start": 0, "end": 4, "t": 0}
    moment |= {"score": 1, "confidence": 1, "box": [0, 0, 1, 1]}
    out = tmp_path / "clips"
    command = [sys.executable, "-m", "framefind.cli", "export", "--from-json", "-", "--out", out]
    command += ["--to", "clips", "--codec", "hevc", "-l", shared_library.uri]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdin.write(json.dumps(moment))
    process.stdin.close()
    while not list(out.glob("*.part.mp4")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 130
    assert list(out.iterdir()) == []
    assert "Traceback" not in process.stderr.read()
    process.stderr.close()
