import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framefind.files.names import Patterns, native_path, stored_path

linux = pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode elsewhere")


class TestStored:
    @linux
    def test_bytes_that_are_not_utf8_are_escaped_and_open(self, tmp_path):
        raw = os.fsdecode(os.path.join(os.fsencode(tmp_path.resolve()), b"caf\xe9 100%.mp4"))
        Path(raw).touch()
        assert stored_path(raw) == str(tmp_path.resolve() / "caf%E9 100%.mp4")
        assert native_path(stored_path(raw)) == raw

    @given(st.binary(max_size=20))
    def test_is_always_unicode(self, name):
        path = os.fsdecode(name)
        assert (stored_path(path).encode() == name) == (path == stored_path(path))

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_leaves_unicode_as_it_is(self, name):
        assert stored_path(name) == name
        assert native_path(name) == name


def test_matches_the_path_the_path_below_and_the_name():
    assert Patterns(["/v/*"]).match("/v/trip/a.mp4")
    assert Patterns(["trip/*"], "/v").match("/v/trip/a.mp4")
    assert Patterns(["a.*"]).match("/v/trip/a.mp4")
    assert not Patterns(["trip/*", "b.*", "trip"]).match("/v/trip/a.mp4")
