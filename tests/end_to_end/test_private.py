"""Nothing leaves the computer, and nothing is left on it but what the docs name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from framefind.telemetry import disable_telemetry

HERE = Path(__file__).parent
ALONE = ["unshare", "--map-root-user", "--net"]
"""Runs a command with a network of its own, which leads nowhere."""


def can_be_alone() -> bool:
    if not shutil.which(ALONE[0]):
        return False
    return subprocess.run([*ALONE, "true"], capture_output=True, check=False).returncode == 0


def watcher(folder: Path) -> Path | None:
    """A library that logs look-ups when it is preloaded, where there is a compiler to make it."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if sys.platform != "linux" or not compiler:
        return None
    made = folder / "lookups.so"
    command = [compiler, "-shared", "-fPIC", "-o", made, HERE / "lookups.c", "-ldl"]
    subprocess.run(command, check=True)
    return made


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no HOME to be made fresh")
def test_index_search_serve_and_doctor_send_and_leave_nothing(clips, tmp_path):
    home = tmp_path / "home"
    log = tmp_path / "lookups.txt"
    for folder in (home, home / "tmp", home / "work"):
        folder.mkdir()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home / "tmp")}
    environment |= {"LOOKUPS": str(log), "PYTHONDONTWRITEBYTECODE": "1"}
    if made := watcher(tmp_path):
        environment["LD_PRELOAD"] = str(made)
    arguments = [str(clips / "c.mp4"), str(home / "l.framefind")]
    alone = can_be_alone()
    command = [*(ALONE if alone else []), sys.executable, str(HERE / "offline.py"), *arguments]
    command += ["alone"] if alone else []
    done = subprocess.run(
        command, cwd=home / "work", env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout == "done\n", done.stderr
    assert not log.exists() or not log.read_text("utf-8")
    left = [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]
    others = [path for path in left if not path.startswith(DOCUMENTED)]
    assert others == []


DOCUMENTED = ("l.framefind/", ".cache/framefind/", ".local/share/framefind/")


def test_switches_of_the_user_are_left_alone(monkeypatch):
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY")
    disable_telemetry()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


@pytest.mark.parametrize(
    "module", ["framefind", "framefind.video.process_main", "framefind.server.index_job"]
)
def test_every_process_turns_telemetry_off_before_it_imports_anything(module):
    code = f"""
import os, sys
for name in ("ORT_DISABLE_TELEMETRY", "HF_HUB_DISABLE_TELEMETRY"):
    os.environ.pop(name, None)

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name in ("onnxruntime", "huggingface_hub"):
            assert os.environ["ORT_DISABLE_TELEMETRY"] == "1", name
            assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1", name

sys.meta_path.insert(0, Watch())
import {module}
from framefind import models
models.load("mini").embed_texts(["a dog"])
from huggingface_hub import constants
print(constants.HF_HUB_DISABLE_TELEMETRY)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr
