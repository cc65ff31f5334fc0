"""`framefind models`, `framefind models use`, and the offer of a better model."""

import os
import pty
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from framefind.cli import models
from framefind.files import config, folders
from framefind.models import catalog


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("FRAMEFIND_MODEL", raising=False)


def test_use_stores_the_full_name_but_of_mini():
    used = CliRunner().invoke(models.app, ["use", "balanced"])
    assert used.exit_code == 0
    assert str(config.config_file()) in used.stderr
    assert "1.5 GB; `framefind models download balanced` does so now" in used.stderr
    assert config.read_settings()["model"].value == "ViT-B-32-SigLIP2-256/webli"
    assert CliRunner().invoke(models.app, ["use", "mini"]).exit_code == 0
    assert config.read_settings()["model"].value == "mini"
    for other in ("nothing at all", "local-dir:/nowhere"):
        assert CliRunner().invoke(models.app, ["use", other]).exit_code != 0
    assert config.read_settings()["model"].value == "mini"


def test_the_table_fits_into_80_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")  # no bold
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    models.app(["--seconds", "0.01"], standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    for model in catalog.known_models():
        (row,) = [line.split() for line in lines if f" {model.name} " in line and line[0] in " *"]
        assert model.licence in row
        assert any(field.startswith("~") for field in row)
    for need in ("mini", "fast", "balanced", "best"):
        assert any(line.split()[:1] == [need] for line in lines)


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (0.005, "18 s"),
        (0.11, "7 min"),
        (3.89, "3.9 h"),
        (9.97, "10 h"),
        (99.9, "100 h"),
        (313, "13 days"),
    ],
)
def test_lengths_have_one_unit(hours: float, text: str) -> None:
    assert models.write_hours(hours) == text


def test_use_says_what_stands_in_its_way(monkeypatch, capsys):
    monkeypatch.setenv("FRAMEFIND_MODEL", "balanced")
    models.use("mini")
    told = capsys.readouterr().err
    assert "$FRAMEFIND_MODEL is set" in told
    assert "index --reembed" in told
    monkeypatch.delenv("FRAMEFIND_MODEL")
    monkeypatch.setattr("framefind.models.registry.check_runtime", lambda name: None)
    models.use("hf-hub:nobody/nothing")
    told = capsys.readouterr().err
    assert "does not know it" in told
    assert "$FRAMEFIND_MODEL" not in told


def test_nothing_is_offered_to_who_has_chosen(tmp_path, monkeypatch, capsys):
    for stream in (sys.stdin, sys.stderr):
        monkeypatch.setattr(stream, "isatty", lambda: True)
    config.write_setting(config.config_file(), "model", "mini")
    models.offer_better(str(tmp_path))
    assert capsys.readouterr().err == ""
    config.config_file().unlink()
    models.offer_better(str(tmp_path))
    assert "models use balanced" in capsys.readouterr().err


def test_the_first_index_offers_once_and_only_at_a_terminal(tmp_path):
    """Three runs: piped, at a terminal, at a terminal again."""
    (tmp_path / "videos").mkdir()

    def index(name: str, terminal: bool, *more: str) -> str:
        target = str(tmp_path / f"{name}.framefind")
        arguments = ["index", str(tmp_path / "videos"), "--library", target, *more]
        command = [sys.executable, "-m", "framefind.cli", *arguments]
        if not terminal:
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            return done.stderr
        ours, theirs = pty.openpty()
        process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        printed = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:  # all have closed it
                break
            if not part:
                break
            printed += part
        os.close(ours)
        assert process.wait() == 0
        return printed.decode()

    assert "models use balanced" not in index("piped", False)
    assert "models use balanced" not in index("planned", True, "--dry-run")
    assert not (folders.data_folder() / "offered-models").exists()
    assert "models use balanced" in index("first", True)
    assert "models use balanced" not in index("second", True)
