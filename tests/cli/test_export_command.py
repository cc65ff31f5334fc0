"""`framefind export`, from the command line."""

import subprocess
import sys
from pathlib import Path

import framefind


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
