"""`framefind watch` as a command, and how the docs start it with the computer."""

import plistlib
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

import framefind
from conftest import write_clip
from framefind.cli.main import app
from framefind.errors import UsageError
from framefind.files import config

PAGE = (Path(__file__).parents[2] / "docs" / "watch.md").read_text("utf-8")


def block(language: str) -> str:
    (body,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return body


def test_it_keeps_its_folders_and_ends_cleanly(tmp_path):
    folder = tmp_path / "videos"
    write_clip(folder / "film.mp4", [1])
    library = framefind.open(tmp_path / "a.framefind")
    command = [sys.executable, "-m", "framefind.cli", "watch", "--library", library.uri]
    command += [str(folder), "--settle", "0", "--read", "none"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not (library.exists and library.videos()):
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, printed = process.communicate(timeout=60)
    assert process.returncode == 0, printed
    assert "Traceback" not in printed
    assert "stopped; what was done is kept" in printed
    assert config.read_settings(library.uri)["folders"].value == [str(folder)]


@pytest.mark.parametrize("wrong", [("--read", "nonsense"), ("--views", "3"), ("--decoder", "x")])
def test_a_wrong_option_keeps_no_folder(tmp_path, wrong):
    library = str(tmp_path / "a.framefind")
    done = CliRunner().invoke(app, ["watch", str(tmp_path), "--library", library, *wrong])
    assert isinstance(done.exception, UsageError), done.output
    assert config.read_settings(library)["folders"].value == []


def test_the_unit_is_one_that_systemd_takes(tmp_path):
    verify = shutil.which("systemd-analyze")
    if not verify:
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "framefind.service"
    unit.write_text(block("ini").replace("%h/.local/bin/framefind", sys.executable))
    done = subprocess.run([verify, "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "framefind.service" not in done.stderr  # nor a warning about it


def test_the_agent_of_macos_is_a_property_list():
    agent = plistlib.loads(block("xml").encode())
    assert agent["ProgramArguments"][1:] == ["watch", "--gentle"]
    assert agent["RunAtLoad"] is True
