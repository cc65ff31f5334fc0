"""What is installed: a wheel that is small, and holds the package and all that it reads."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import framefind

pytest.importorskip("hatchling")
SOURCES = Path(framefind.__file__).parent
PROJECT = SOURCES.parents[1]
MAX_WHEEL_BYTES = 40_000_000
READ = (
    "models/catalog.toml",
    "models/mini-13/LICENSE",
    "models/mini-13/NOTICE",
    "models/mini-13/image.onnx",
    "models/mini-13/neutral.npz",
    "models/mini-13/text.onnx",
    "models/mini-13/tokenizer.json",
    "output/schema.json",
    "py.typed",
    "server/page/icons/play.svg",
    "server/page/index.html",
    "server/page/main.js",
    "spark/log4j2.properties",
    "words/screen/models/LICENSE",
    "words/screen/models/NOTICE",
    "words/screen/models/PP-OCRv6_det_tiny.onnx",
    "words/screen/models/PP-OCRv6_rec_tiny.onnx",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by the project's own build backend, which needs no network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    """The names of the wheel's files."""
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_it_is_small(wheel):
    assert wheel.stat().st_size <= MAX_WHEEL_BYTES


def test_it_holds_what_the_package_reads(names):
    assert {f"framefind/{name}" for name in READ} <= names


def test_it_holds_every_file_of_the_package_and_nothing_else(names):
    files = {
        path.relative_to(SOURCES.parent).as_posix()
        for path in SOURCES.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    described = {name for name in names if ".dist-info/" in name}
    assert names - described == files
    endings = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "LICENSE", "THIRD_PARTY.md"}
    assert {Path(name).name for name in described} == endings
