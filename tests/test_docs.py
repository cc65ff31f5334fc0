"""Run every command and every Python example in the docs, as a reader would."""

import os
import re
import shlex
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import typer
from skimage import data

import terminal
from framefind.cli.main import app

ROOT = Path(__file__).parent.parent
DOCS = sorted([*ROOT.glob("[CR]*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("training/*.md")])
BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def runs(mark: str) -> bool:
    """Tell whether a block runs here: it has no mark, or needs a package that is installed."""
    kind, _, module = mark.partition("=")
    if mark and (kind != "needs" or module not in ("mcp", "pyspark")):
        return False
    spec = find_spec(module) if module else None
    return not mark or (spec is not None and spec.origin is not None)  # tests/mcp has no origin


def blocks(document: Path, language: str) -> Iterator[tuple[str, str]]:
    for block_language, mark, body in BLOCK.findall(document.read_text("utf-8")):
        if block_language == language:
            yield mark.strip(), body


def commands(document: Path) -> list[tuple[str, list[str]]]:
    """Return the framefind commands of a document's console blocks, each with its block's mark."""
    return [
        (mark, shlex.split(line.removeprefix("$ ")))
        for mark, body in blocks(document, "console")
        for line in body.splitlines()
        if line.startswith("$ framefind ")
    ]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a home with a short film of two photographs in ~/Videos."""
    home = tmp_path_factory.mktemp("home")
    (home / "Videos").mkdir()
    with av.open(home / "Videos" / "film.mp4", "w") as container:
        stream = container.add_stream("libx264", rate=2)
        stream.width = 450
        stream.height = 300
        stream.pix_fmt = "yuv420p"
        for picture in (data.chelsea()[:300, :450], data.astronaut()[:300, :450]):
            for _ in range(20):
                container.mux(
                    stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture)))
                )
        container.mux(stream.encode(None))
    (home / "queries.txt").write_text("a cat\nan astronaut\n")
    return home


@pytest.fixture(scope="module")
def reader(home: Path) -> Iterator[terminal.Terminal]:
    """Open a terminal in that home, and index its film into two libraries."""
    variables = {"HOME": str(home), "FRAMEFIND_LIBRARY": str(home / "default.framefind")}
    variables["PYSPARK_PYTHON"] = sys.executable  # as in an activated environment
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    variables["XDG_CACHE_HOME"] = str(home / ".cache")
    with terminal.opened(home, variables) as reader:
        for library in ("default.framefind", "trip.framefind"):
            run(reader, home, "framefind", "index", "~/Videos", "--library", library)
        yield reader


def run(reader: terminal.Terminal, home: Path, *command: str) -> None:
    words = [str(home) + word[1:] if word.startswith("~/") else word for word in command[1:]]
    done = reader.command(*words)
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_commands_in_console_blocks_run(
    document: Path, reader: terminal.Terminal, home: Path
) -> None:
    for mark, command in commands(document):
        if runs(mark):
            run(reader, home, *command)


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_python_blocks_run(document: Path, reader: terminal.Terminal) -> None:
    for mark, body in blocks(document, "python"):
        if not runs(mark):
            compile(body, document.name, "exec")
            continue
        done = reader.python(body)
        assert done.returncode == 0, f"{document.name}:\n{body}\n{done.stderr}"
        assert done.stdout, f"{document.name}: the example prints nothing:\n{body}"


def option_names(command: Any) -> set[str]:
    own_names = {option for parameter in command.params for option in parameter.opts}
    return own_names.union(*map(option_names, getattr(command, "commands", {}).values()))


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_options_in_the_text_exist(document: Path) -> None:
    group: Any = typer.main.get_command(app)
    quoted = re.findall(r"`framefind ([a-z]+) ([^`]*)`", document.read_text("utf-8"))
    written = [(command[1], command[2:]) for _, command in commands(document)]
    for name, words in [*((name, shlex.split(rest)) for name, rest in quoted), *written]:
        assert name in group.commands, f"{document.name}: framefind {name}"
        options = {word for word in words if word.startswith("--")}
        assert options <= option_names(group.commands[name]), f"{document.name}: {name} {options}"


def test_every_command_and_option_is_documented() -> None:
    group: Any = typer.main.get_command(app)
    usage = (ROOT / "docs" / "usage.md").read_text("utf-8")
    for name, command in group.commands.items():
        assert f"framefind {name}" in usage, name
        missing = {option for option in option_names(command) if option.startswith("--")}
        missing -= {"--help", *re.findall(r"--[a-z-]+", usage)}
        assert not missing, f"{name}: {missing}"


REPOSITORY = re.compile(
    r"https://(?:github\.com/framefind/framefind/(?:blob|tree)"
    r"|raw\.githubusercontent\.com/framefind/framefind)/main/([^)#\s]+)"
)
"""Addresses of this repository's files, as the README needs them on a package index."""


def test_diffs_show_the_code_as_it_is() -> None:
    lines: set[str] = set()
    checked = 0
    for _, diff in blocks(ROOT / "docs" / "contributing.md", "diff"):
        for line in diff.splitlines():
            if line.startswith("+++ b/"):
                lines = set((ROOT / line.removeprefix("+++ b/")).read_text("utf-8").splitlines())
            elif line.startswith("+") and line[1:].strip():
                assert line[1:] in lines
                checked += 1
    assert checked > 50


def test_links_lead_somewhere() -> None:
    for document in DOCS:
        text = document.read_text("utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
        for target in REPOSITORY.findall(text):
            assert (ROOT / target).exists(), f"{document.name}: {target}"


def test_links_of_the_readme_work_on_a_package_index() -> None:
    assert re.findall(r"\]\((?!https:)[^)]*", (ROOT / "README.md").read_text("utf-8")) == []


def test_the_readme_installs_nothing_from_a_package_index() -> None:
    assert not re.findall(r"install [\"']?framefind", (ROOT / "README.md").read_text("utf-8"))


def test_every_benchmark_has_its_command() -> None:
    text = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    named = set(re.findall(r"\$ (?:nice )?python benchmarks/(\w+\.py)", text))
    assert named == {path.name for path in ROOT.glob("benchmarks/*.py")}
