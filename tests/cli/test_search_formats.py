"""`framefind search --format`: what the registry of formats offers, from the command line."""

import csv
from xml.etree import ElementTree

import framefind
import terminal


def search(*options: str) -> terminal.Done:
    return terminal.run("search", "a dog", *options)


def test_a_table_and_a_playlist_hold_the_moments(shared_library: framefind.Library) -> None:
    table = search("--format", "csv", "--limit", "2", "-l", shared_library.uri)
    assert table.returncode == 0
    rows = list(csv.DictReader(table.stdout.splitlines()))
    assert len(rows) == 2
    playlist = search("--format", "xspf", "--limit", "2", "-l", shared_library.uri)
    tracks = ElementTree.fromstring(playlist.stdout).iter("{http://xspf.org/ns/0/}location")
    assert [track.text for track in tracks] == [f"file://{row['path']}" for row in rows]


def test_an_unknown_format_is_wrong_usage(shared_library: framefind.Library) -> None:
    refused = search("--format", "docx", "-l", shared_library.uri)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "use csv, json, " in refused.stderr
    refused = search("--format", "csv", "--json", "-l", shared_library.uri)
    assert refused.returncode == 2
