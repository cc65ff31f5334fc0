"""What a person has chosen counts in `index`: `framefind.toml` in the library."""

import json

import pytest
from typer.testing import CliRunner

import framefind
from conftest import write_clip
from framefind.cli.main import app
from framefind.errors import UsageError
from framefind.files import config
from framefind.indexing.reading import parse_readings


@pytest.fixture
def chosen(tmp_path):
    """A library, still empty, whose file names a folder with two videos, one of them excluded."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for seed, name in enumerate(("film.mp4", "old.mp4")):
        write_clip(folder / name, [seed])
    library = tmp_path / "a.framefind"
    config.write_setting(library / config.NAME, "folders", ["../videos"])
    config.write_setting(library / config.NAME, "exclude", ["old.*"])
    config.write_setting(library / config.NAME, "read", ["none"])
    return framefind.open(library)


def test_index_takes_the_folders_and_arguments_win(chosen):
    assert chosen.plan().videos == 1
    report = chosen.index()
    assert [path.rpartition("/")[2] for path in report.indexed] == ["film.mp4"]
    assert chosen.videos()[0].read == []
    both = chosen.index(exclude=())
    assert [path.rpartition("/")[2] for path in both.indexed] == ["old.mp4"]


def test_a_wrong_setting_names_its_file(chosen, tmp_path):
    config.write_setting(tmp_path / "a.framefind" / config.NAME, "read", ["smells"])
    with pytest.raises(UsageError, match=r"framefind\.toml: read 'smells'"):
        chosen.index()
    shown = CliRunner().invoke(app, ["config", "--library", chosen.uri])
    assert f"{config.NAME}: read 'smells': use " in shown.stderr
    assert "\nread\tsmells\t" in shown.stdout


def test_the_command_shows_what_counts(chosen, monkeypatch):
    monkeypatch.setenv("FRAMEFIND_MODEL", "fast")
    shown = CliRunner().invoke(app, ["config", "--library", chosen.uri])
    assert shown.exit_code == 0
    rows = dict(line.split("\t", 1) for line in shown.stdout.splitlines())
    assert rows["model"] == "fast\t$FRAMEFIND_MODEL"
    assert rows["exclude"] == f"old.*\t{chosen.uri}/{config.NAME}"
    assert rows["export_folder"] == "none\tdefault"
    assert f"{config.config_file()} (not there)\n{chosen.uri}/{config.NAME}\n" == shown.stderr
    shown = CliRunner().invoke(app, ["config", "--json", "--library", chosen.uri])
    files = [str(config.config_file()), f"{chosen.uri}/{config.NAME}"]
    assert json.loads(shown.stdout)["files"] == files


def test_the_command_shows_what_counts_where_nothing_was_chosen(tmp_path):
    shown = CliRunner().invoke(app, ["config", "--library", str(tmp_path / "a.framefind")])
    rows = [line.split("\t") for line in shown.stdout.splitlines()]
    assert {origin for _, _, origin in rows} == {"default"}
    read = [["read", reading.source] for reading in parse_readings(None)]
    assert [row[:2] for row in rows] == [
        *(["folders", "none"], ["exclude", "none"], ["model", "mini"], *read),
        ["export_folder", "none"],
    ]


def test_without_folders_the_user_learns_where_they_go(tmp_path):
    for command in ("index", "watch"):
        shown = CliRunner().invoke(app, [command, "--library", str(tmp_path / "a.framefind")])
        assert str(config.config_file()) in str(shown.exception)
        assert "watching" not in shown.stderr


def test_the_file_stays_when_a_library_is_replaced(chosen):
    chosen.index()
    before = chosen.config()
    chosen.reembed("mini")
    assert chosen.config() == before
