"""What `--help` shows: groups, defaults, placeholders, and examples that run."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

import framefind
from framefind.cli.main import app
from framefind.output import export, formats
from framefind.output.timelines.registry import PLAYLISTS

NEEDS_MORE = ("serve", "watch", "mcp", "evaluate", "models download", "models export")
"""Commands whose examples go on: servers, downloads, or need captions that somebody wrote."""


def commands(command: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield all commands by their names, such as `models benchmark`."""
    yield name, command
    for inner in getattr(command, "commands", {}).values():
        yield from commands(inner, f"{name} {inner.name}".strip())


COMMANDS = dict(commands(get_command(app)))


def examples(name: str) -> list[list[str]]:
    lines = (COMMANDS[name].help or "").splitlines()
    return [shlex.split(line.strip()[2:])[1:] for line in lines if line.strip().startswith("$ ")]


def show_help(name: str, columns: int) -> str:
    done = CliRunner().invoke(
        app, [*name.split(), "--help"], env={"COLUMNS": str(columns), "TERM": "dumb"}
    )
    assert done.exit_code == 0
    return done.stdout


def test_commands_are_methods_but_for_those_that_the_docs_name() -> None:
    names = {name.split()[0] for name in COMMANDS if name}
    assert {name for name in names if not hasattr(framefind.Library, name)} == {
        "serve",
        "mcp",
        "doctor",
        "models",
    }


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("search a red car", 'put the text in quotes: "a red car"'),
        ("status everything", "unexpected argument: everything"),
        ("status of everything", "unexpected arguments: of everything"),
    ],
)
def test_too_many_arguments_are_explained(command: str, reason: str) -> None:
    done = CliRunner().invoke(app, command.split(), env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.exit_code == 2
    assert reason in done.output


@pytest.fixture
def home(
    shared_library: framefind.Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A home with a short film in ~/Videos, a library of it, and nothing of the real home."""
    videos = tmp_path / "Videos"
    videos.mkdir()
    first = shared_library.videos()[0].path
    shutil.copy(first, videos / "film.mp4")
    for name in ("FRAMEFIND_LIBRARY", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("FRAMEFIND_LIBRARY", str(tmp_path / "default.framefind"))
    monkeypatch.chdir(tmp_path)
    framefind.open().index(videos, sampler="count=4", views="whole")
    return tmp_path


@pytest.mark.parametrize("name", [name for name in COMMANDS if name])
def test_every_command_has_an_example(name: str) -> None:
    assert examples(name)
    assert all(words[0] == name.split()[0] for words in examples(name))


def test_examples_run(home: Path) -> None:
    """In one process, since each would take a second to start."""
    for name in COMMANDS:
        if not name or name.startswith(NEEDS_MORE):
            continue
        if name == "restore":
            framefind.open().remove("*film*")
        for words in examples(name):
            paths = [word.replace("~", str(home), 1) if word[:1] == "~" else word for word in words]
            done = CliRunner().invoke(app, paths, catch_exceptions=False)
            assert done.exit_code == 0, f"{shlex.join(words)}: {done.output}"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name.startswith(NEEDS_MORE)])
def test_other_examples_are_usage(name: str) -> None:
    for words in examples(name):
        COMMANDS[name].make_context(name, words[len(name.split()) :])


@pytest.mark.parametrize("columns", [80, 120])
@pytest.mark.parametrize("name", COMMANDS)
def test_a_stranger_reads_it(name: str, columns: int) -> None:
    text = show_help(name, columns)
    assert not re.search(r"<(bool|str|int|float|list)|<\w+\||[A-Z]…\]", text)
    assert max(map(len, text.splitlines())) <= columns


@pytest.mark.parametrize("name", ["index", "search", "serve"])
def test_options_are_grouped(name: str) -> None:
    panels = {getattr(one, "rich_help_panel", None) for one in COMMANDS[name].params}
    assert len(panels) >= 3


@pytest.mark.parametrize(
    ("name", "option", "names"),
    [
        ("export", "--to", export.FORMATS),
        ("search", "--format", (*formats.FORMATS, *PLAYLISTS)),
    ],
)
def test_every_format_is_named(name: str, option: str, names: tuple[str, ...]) -> None:
    (declared,) = (part for part in COMMANDS[name].params if option in part.opts)
    assert set(names) <= set(re.findall(r"[\w-]+", declared.help))


def test_the_version_in_short() -> None:
    done = CliRunner().invoke(app, ["-V"])
    assert (done.exit_code, done.stdout) == (0, f"framefind {framefind.__version__}\n")


class TestCompletion:
    def complete(self, shell: str, words: str, **more: str) -> str:
        script = "from framefind.cli.main import app; app(prog_name='framefind')"
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={
                **os.environ,
                "_FRAMEFIND_COMPLETE": f"complete_{shell}",
                "COMP_WORDS": words,
                "COMP_CWORD": str(len(words.split()) - 1),
                "_TYPER_COMPLETE_ARGS": words,
                **more,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        return done.stdout

    def test_bash(self) -> None:
        assert "search" in self.complete("bash", "framefind se").split()
        assert "--min-score" in self.complete("bash", "framefind search --min").split()
        assert self.complete("bash", "framefind search --by m").split() == ["moment"]

    def test_zsh_and_fish(self) -> None:
        assert "search" in self.complete("zsh", "framefind se")
        fish = {"_TYPER_COMPLETE_FISH_ACTION": "get-args"}
        assert "search" in self.complete("fish", "framefind se", **fish)

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_the_script_is_shown(self, shell: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("typer.completion._get_shell_name", lambda: shell)
        done = CliRunner().invoke(app, ["--show-completion"], prog_name="framefind")
        assert done.exit_code == 0
        assert f"_FRAMEFIND_COMPLETE=complete_{shell}" in done.stdout
