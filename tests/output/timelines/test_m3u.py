"""M3U files, read by a small parser of their lines."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from framefind.output.printable import printable
from framefind.output.timelines.m3u import write
from framefind.types import Moment
from results import MOMENT


class Entry(NamedTuple):
    url: str
    title: str
    length: float
    options: dict[str, str]


def read(text: str) -> list[Entry]:
    """Read a playlist as players do: comments belong to the next line that is none."""
    first, *lines = text.splitlines()
    assert first == "#EXTM3U"
    entries = []
    length = 0.0
    title = ""
    options = {}
    for line in lines:
        if line.startswith("#EXTINF:"):
            number, _, title = line.removeprefix("#EXTINF:").partition(",")
            length = float(number)
        elif line.startswith("#EXTVLCOPT:"):
            key, _, value = line.removeprefix("#EXTVLCOPT:").partition("=")
            options[key] = value
        else:
            entries.append(Entry(line, title, length, options))
            length = 0.0
            title = ""
            options = {}
    return entries


def playlist(moments: Sequence[Moment]) -> list[Entry]:
    return read("".join(f"{line}\n" for line in write(moments, "a dog")))


def test_each_moment_starts_and_stops():
    first, second = playlist([MOMENT, replace(MOMENT, path="/v/b c.mkv", start=0.04, end=9.0)])
    assert first == Entry(
        "file:///v/a.mp4",
        "a.mp4 0:10 – 0:12.5",
        2.5,
        {"start-time": "10.000", "stop-time": "12.500"},
    )
    assert second.url == "file:///v/b%20c.mkv"
    assert second.options == {"start-time": "0.040", "stop-time": "9.000"}


def test_nothing():
    assert playlist([]) == []


def test_an_object_in_a_store_keeps_its_uri():
    (entry,) = playlist([replace(MOMENT, path="s3://bucket/a b/c#1.mp4")])
    assert entry.url == "s3://bucket/a%20b/c%231.mp4"


@given(st.text(min_size=1).filter(lambda name: not set(name) & {"/", "\0"}))
def test_any_name_is_one_entry_that_leads_to_its_file(name):
    path = f"/v/{name}"
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return  # no file can have that name
    (entry,) = playlist([replace(MOMENT, path=path)])
    assert unquote_to_bytes(urlsplit(entry.url).path) == os.fsencode(Path(path))
    assert entry.title == printable(entry.title)
