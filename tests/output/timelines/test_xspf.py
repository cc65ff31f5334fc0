"""XSPF files, read by an XML parser."""

import os
import xml.dom.minidom
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from hypothesis import example, given
from hypothesis import strategies as st

from framefind.output.timelines.xspf import write
from framefind.types import Moment
from results import MOMENT

XSPF = "http://xspf.org/ns/0/"
VLC = "http://www.videolan.org/vlc/playlist/ns/0/"

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(
    lambda name: not set(name) & {"/", "\0"}
)


def playlist(moments: Sequence[Moment], title: str = "a dog") -> xml.dom.minidom.Element:
    text = "".join(f"{line}\n" for line in write(moments, title))
    return xml.dom.minidom.parseString(text.encode()).documentElement


def texts(parent: xml.dom.minidom.Element, namespace: str, name: str) -> list[str]:
    return [
        "".join(child.data for child in element.childNodes)
        for element in parent.getElementsByTagNameNS(namespace, name)
    ]


def test_each_moment_starts_and_stops():
    document = playlist([MOMENT, replace(MOMENT, path="/v/b c.mkv", start=0.04, end=9.0)])
    assert (document.namespaceURI, document.localName) == (XSPF, "playlist")
    assert document.getAttribute("version") == "1"
    first, second = document.getElementsByTagNameNS(XSPF, "track")
    assert texts(first, XSPF, "location") == ["file:///v/a.mp4"]
    assert texts(first, XSPF, "title") == ["a.mp4 0:10 – 0:12.5"]
    assert texts(first, XSPF, "duration") == ["2500"]
    assert texts(first, VLC, "option") == ["start-time=10.000", "stop-time=12.500"]
    assert texts(second, XSPF, "location") == ["file:///v/b%20c.mkv"]
    assert texts(second, VLC, "option") == ["start-time=0.040", "stop-time=9.000"]
    assert len(set(texts(document, VLC, "id"))) == 2  # VLC shows one of those that share an id


def test_nothing():
    document = playlist([])
    assert len(document.getElementsByTagNameNS(XSPF, "trackList")) == 1
    assert not document.getElementsByTagNameNS(XSPF, "track")


@given(names, st.text(min_size=1))
@example("\ufffe.mp4", "\uffff")
def test_any_name_and_title_make_a_document_that_leads_to_the_file(name, title):
    path = f"/v/{name}"
    document = playlist([replace(MOMENT, path=path)], title)
    (url,) = texts(document, XSPF, "location")
    assert unquote_to_bytes(urlsplit(url).path) == os.fsencode(Path(path))
