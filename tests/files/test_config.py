"""`framefind.toml`: what a person has chosen."""

import os
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framefind.errors import UsageError
from framefind.files import config


@pytest.fixture(autouse=True)
def own_file(tmp_path, monkeypatch):
    file = tmp_path / "a folder" / "framefind.toml"
    monkeypatch.setattr(config, "config_file", lambda: file)
    return file


def test_without_a_file_defaults_count():
    settings = config.read_settings("any.framefind")
    assert {setting.origin for setting in settings.values()} == {"default"}
    assert (settings["model"].value, settings["folders"].value) == ("mini", [])


def test_a_setting_leaves_the_rest_as_it_is(own_file):
    own_file.parent.mkdir()
    before = '# mine\nmodel = "mini" # small\nother = 1\n\n[spark]\nmodel = "x"\n'
    own_file.write_text(before)
    config.write_setting(own_file, "model", 'local-dir:C:\\a "b" é')
    config.write_setting(own_file, "folders", ["/videos", "/é"])
    assert tomllib.loads(own_file.read_text("utf-8")) == {
        "folders": ["/videos", "/é"],
        "model": 'local-dir:C:\\a "b" é',
        "other": 1,
        "spark": {"model": "x"},
    }
    assert "# mine\n" in own_file.read_text("utf-8")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_text_comes_back(value):
    config.write_setting(config.config_file(), "model", value)
    assert config.read_settings()["model"].value == value


@pytest.mark.parametrize("text", ["model", "model = 'a'\nmodel = 'b'", "\xff"])
def test_a_damaged_file_is_named_and_stays(own_file, text):
    own_file.parent.mkdir()
    own_file.write_bytes(text.encode("latin-1"))
    for use in (config.read_settings, lambda: config.write_setting(own_file, "model", "mini")):
        with pytest.raises(UsageError, match="framefind.toml"):
            use()
    assert own_file.read_bytes() == text.encode("latin-1")


def test_what_windows_writes_is_read_or_explained(own_file):
    own_file.parent.mkdir()
    own_file.write_bytes(b'\xef\xbb\xbfmodel = "fast"\r\n')
    assert config.read_settings()["model"].value == "fast"
    config.write_setting(own_file, "model", "mini")
    assert config.read_settings()["model"].value == "mini"
    own_file.write_text('folders = ["C:\\Users\\me"]')
    with pytest.raises(UsageError, match="'single quotes'"):
        config.read_settings()


@pytest.mark.parametrize("value", ["1", '""', "['mini']"])
def test_what_is_no_text_is_refused(own_file, value):
    own_file.parent.mkdir()
    own_file.write_text(f"model = {value}")
    with pytest.raises(UsageError, match=r"framefind\.toml: model must be a text"):
        config.read_settings()


def test_many_lines_in_quotes_are_left_to_their_writer(own_file):
    own_file.parent.mkdir()
    own_file.write_text('model = """a\nb"""\n')
    with pytest.raises(UsageError, match="by hand"):
        config.write_setting(own_file, "model", "mini")


def test_a_folder_that_cannot_be_written_is_named(own_file):
    own_file.parent.write_text("a file")
    with pytest.raises(UsageError, match="cannot be written"):
        config.write_setting(own_file, "model", "mini")


def test_environment_wins_over_the_library_and_that_over_the_user(own_file, tmp_path, monkeypatch):
    library = tmp_path / "trip.framefind"
    config.write_setting(own_file, "folders", ["~/Videos", "films", "s3://bucket/v"])
    config.write_setting(own_file, "exclude", ["*.tmp"])
    config.write_setting(library / config.NAME, "folders", [".."])
    config.write_setting(library / config.NAME, "export_folder", "out")
    monkeypatch.setenv("FRAMEFIND_EXCLUDE", "*.part; *.bak;")
    settings = config.read_settings(str(library))
    assert settings["folders"] == config.Setting([str(tmp_path)], str(library / config.NAME))
    assert settings["exclude"] == config.Setting(["*.part", "*.bak"], "$FRAMEFIND_EXCLUDE")
    assert settings["export_folder"].value == str(library / "out")
    users = ["~/Videos", os.path.join(own_file.parent, "films"), "s3://bucket/v"]
    assert config.read_settings()["folders"] == config.Setting(users, str(own_file))
    assert config.read_settings("s3://bucket/trip.framefind")["folders"].value == users


def test_paths_that_are_named_win_over_the_folders(own_file):
    with pytest.raises(UsageError, match=r"framefind\.toml"):
        config.name_paths(None, config.read_settings())
    config.write_setting(own_file, "folders", ["/videos"])
    settings = config.read_settings()
    assert config.name_paths(None, settings) == ["/videos"]
    assert config.name_paths("/a", settings) == ["/a"]
    assert config.name_paths([], settings) == []


def test_an_unknown_setting_is_named_once(own_file, caplog):
    own_file.parent.mkdir()
    own_file.write_text('folder = "/videos"')
    for _ in range(2):
        assert config.read_settings()["folders"].value == []
    (record,) = caplog.records
    assert "folder is not a setting" in record.message
    assert str(own_file) in record.message


def test_folders_are_added_to_those_that_counted(own_file, tmp_path):
    library = tmp_path / "a.framefind"
    file = library / config.NAME
    config.write_setting(own_file, "folders", ["~/Videos", "films"])
    assert config.add_folders(str(library), str(tmp_path / "new")) == file
    users = [os.path.join("~", "Videos"), str(own_file.parent / "films")]
    assert config.read_settings(str(library))["folders"].value == [*users, str(tmp_path / "new")]
    assert config.add_folders(str(library), [tmp_path / "new", "~/Videos"]) is None
    config.write_setting(file, "folders", [".."])
    config.add_folders(str(library), [tmp_path, "/far"])
    assert tomllib.loads(file.read_text())["folders"] == ["..", "/far"]
    assert config.add_folders("s3://bucket/a.framefind", "/far") is None
