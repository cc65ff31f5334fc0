"""`framefind.toml`: what a person has chosen."""

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


def test_nothing_is_set_without_a_file():
    assert config.read_config() == {}
    assert config.read_text_setting("model") is None


def test_a_setting_leaves_the_rest_as_it_is(own_file):
    own_file.parent.mkdir()
    before = '# mine\nmodel = "mini" # small\nother = 1\n\n[spark]\nmodel = "x"\n'
    own_file.write_text(before)
    config.write_text_setting("model", 'local-dir:C:\\a "b" é')
    config.write_text_setting("folder", "/videos")
    assert config.read_config() == {
        "folder": "/videos",
        "model": 'local-dir:C:\\a "b" é',
        "other": 1,
        "spark": {"model": "x"},
    }
    assert "# mine\n" in own_file.read_text("utf-8")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_every_text_comes_back(value):
    config.write_text_setting("model", value)
    assert config.read_text_setting("model") == value


@pytest.mark.parametrize("text", ["model", "model = 'a'\nmodel = 'b'", "\xff"])
def test_a_damaged_file_is_named_and_stays(own_file, text):
    own_file.parent.mkdir()
    own_file.write_bytes(text.encode("latin-1"))
    for use in (config.read_config, lambda: config.write_text_setting("model", "mini")):
        with pytest.raises(UsageError, match="framefind.toml"):
            use()
    assert own_file.read_bytes() == text.encode("latin-1")


@pytest.mark.parametrize("value", ["1", '""', "['mini']"])
def test_what_is_no_text_is_refused(own_file, value):
    own_file.parent.mkdir()
    own_file.write_text(f"model = {value}")
    with pytest.raises(UsageError, match="model must be a text"):
        config.read_text_setting("model")


def test_many_lines_in_quotes_are_left_to_their_writer(own_file):
    own_file.parent.mkdir()
    own_file.write_text('model = """a\nb"""\n')
    with pytest.raises(UsageError, match="by hand"):
        config.write_text_setting("model", "mini")


def test_a_folder_that_cannot_be_written_is_named(own_file):
    own_file.parent.write_text("a file")
    with pytest.raises(UsageError, match="cannot be written"):
        config.write_text_setting("model", "mini")
