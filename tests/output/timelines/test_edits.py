"""What editors' formats say beside their times: files, names, words, rates that differ."""

import json
import os
from dataclasses import replace
from fractions import Fraction
from io import StringIO
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

import opentimelineio as otio
import pysubs2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import etree

from framefind.output.timelines.base import describe
from framefind.output.timelines.registry import EDITS
from framefind.output.timelines.timeline import Timeline, build_timeline, describe_rounding
from framefind.types import Match, Moment
from framefind.video.frame_grid import FrameGrid
from results import MOMENT

GRID = FrameGrid(Fraction(30000, 1001), frames=3000, channels=2, sample_rate=48_000)
SAID = replace(MOMENT, why=(Match("said", 10.0, 12.0, "one <b>&\ntwo\u202e", ((0, 3),)),))

FCPXML_DTD = """
<!ELEMENT fcpxml (resources, library)> <!ATTLIST fcpxml version CDATA #FIXED "1.10">
<!ELEMENT resources (format | asset)*>
<!ELEMENT format EMPTY>
<!ATTLIST format id ID #REQUIRED frameDuration CDATA #REQUIRED
  width CDATA #REQUIRED height CDATA #REQUIRED>
<!ELEMENT asset (media-rep)>
<!ATTLIST asset id ID #REQUIRED name CDATA #REQUIRED start CDATA #REQUIRED duration CDATA #IMPLIED
  hasVideo (1) #REQUIRED format IDREF #REQUIRED videoSources (1) #REQUIRED
  hasAudio (1) #IMPLIED audioSources (1) #IMPLIED
  audioChannels CDATA #IMPLIED audioRate CDATA #IMPLIED>
<!ELEMENT media-rep EMPTY>
<!ATTLIST media-rep kind (original-media) #REQUIRED src CDATA #REQUIRED>
<!ELEMENT library (event)> <!ELEMENT event (project)> <!ATTLIST event name CDATA #REQUIRED>
<!ELEMENT project (sequence)> <!ATTLIST project name CDATA #REQUIRED>
<!ELEMENT sequence (spine)>
<!ATTLIST sequence format IDREF #REQUIRED duration CDATA #REQUIRED tcStart CDATA #REQUIRED
  tcFormat (DF | NDF) #REQUIRED>
<!ELEMENT spine (asset-clip)*>
<!ELEMENT asset-clip (note)>
<!ATTLIST asset-clip ref IDREF #REQUIRED format IDREF #REQUIRED name CDATA #REQUIRED
  offset CDATA #REQUIRED start CDATA #REQUIRED duration CDATA #REQUIRED
  tcFormat (DF | NDF) #REQUIRED>
<!ELEMENT note (#PCDATA)>
"""
"""Our own: the part of Apple's FCPXML 1.10 that is written, and stricter than that."""


def timeline(*moments: Moment, **grids: FrameGrid) -> Timeline:
    known = {moment.path: grids.get(moment.path[3:-4], GRID) for moment in moments}
    return build_timeline("a dog", moments, known)


def text(name: str, timeline: Timeline) -> str:
    return "".join(f"{line}\n" for line in EDITS[name].write(timeline))


@pytest.mark.parametrize("name", EDITS)
def test_no_moments_make_a_file(name):
    assert text(name, timeline())


@pytest.mark.parametrize("name", EDITS)
def test_lines_are_lines(name):
    lines = list(EDITS[name].write(timeline(SAID, replace(SAID, start=0.0))))
    assert all("\n" not in line and "\u202e" not in line for line in lines)


def test_the_document_follows_its_schema():
    document = etree.fromstring(text("fcpxml", timeline(SAID, MOMENT)).encode())
    dtd = etree.DTD(StringIO(FCPXML_DTD))
    assert dtd.validate(document), dtd.error_log
    (rate, *_) = (element.get("frameDuration") for element in document.iter("format"))
    assert rate == "1001/30000s"
    assert [note.text for note in document.iter("note")][1] == "sure 87%"


def url(name: str, path: str) -> str:
    """Return the address of the one clip of a file of that path."""
    document = text(name, timeline(replace(MOMENT, path=path)))
    if name == "otio":
        parsed = otio.adapters.read_from_string(document, "otio_json")
        return next(iter(parsed.find_clips())).media_reference.target_url
    root = etree.fromstring(document.encode())
    if name == "fcpxml":
        return next(root.iter("media-rep")).get("src")
    return next(root.iter("pathurl")).text


@pytest.mark.parametrize("name", ["otio", "fcpxml", "fcp7"])
@given(stem=st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@example("-rf #1 100% [a]&b;'\" é e\u0301 \ufffe")
@example("naïve\nname\t🎬\x1b[31m")
def test_any_name_leads_to_its_file(name, stem):
    path = f"/v/{stem.replace('/', '-').replace(chr(0), '-')}.mp4"
    assert unquote_to_bytes(urlsplit(url(name, path)).path) == os.fsencode(Path(path))


def test_names_that_are_not_utf8_lead_to_their_file(tmp_path):
    """They are stored percent-escaped, and an address has the bytes of the name."""
    raw = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    Path(os.fsdecode(raw)).touch()
    for name in ("otio", "fcpxml", "fcp7"):
        address = url(name, f"{tmp_path}/caf%E9.mp4")
        assert unquote_to_bytes(urlsplit(address).path) == raw


def test_an_edl_names_file_and_path():
    lines = text("edl", timeline(SAID)).splitlines()
    assert lines[:2] == ["TITLE: a dog", "FCM: NON-DROP FRAME"]
    assert lines[3].startswith("001  AX       AA/V  C        00:00:09:29 00:00:12:15 01:00:00:00")
    assert lines[4:6] == ["* FROM CLIP NAME: a.mp4", "* SOURCE FILE: /v/a.mp4"]
    assert lines[6] == r"* COMMENT: sure 87% · one <b>& two\u202e"


def test_the_rate_is_that_of_most_moments_and_the_rest_is_told():
    other = replace(MOMENT, path="/v/b.mp4")
    mixed = timeline(other, MOMENT, SAID, b=FrameGrid(Fraction(25), frames=900))
    assert mixed.rate == GRID.rate
    (first, *_) = mixed.clips
    assert (first.start, first.end) == (250, 313)
    assert first.length == round(Fraction(63, 25) * GRID.rate)
    (note,) = describe_rounding(mixed)
    assert note.startswith("/v/b.mp4: it has 25 frames/s, the timeline 29.97")


@pytest.mark.parametrize("rate", [10, 120])
def test_timelines_have_a_rate_that_editors_have(rate):
    """A list of 10 frames a second is read by none."""
    cuts = timeline(SAID, a=FrameGrid(Fraction(rate), frames=9000))
    assert len(describe_rounding(cuts)) == (rate > 60)
    edl = otio.adapters.read_from_string(text("edl", cuts), "cmx_3600", rate=float(cuts.rate))
    fcp7 = otio.adapters.read_from_string(text("fcp7", cuts), "fcp_xml")
    for parsed in (edl, fcp7):
        (clip,) = parsed.video_tracks()[0].find_clips()
        source = clip.source_range
        assert (source.start_time.to_seconds(), source.duration.to_seconds()) == (10, 2.5)
    half = cuts.rate // 2
    assert f"01:00:10:00 01:00:10:01\n |C:ResolveColorBlue |M:{describe(SAID)} |D:{5 * half}" in (
        text("resolve-edl", cuts)
    )
    assert f"01:00:10:00,01:00:12:{half},00:00:02:{half}," in text("resolve-csv", cuts)
    (sequence,) = etree.fromstring(text("fcpxml", cuts).encode()).iter("sequence")
    assert (sequence.get("tcStart"), sequence.get("duration")) == ("3600s", "5/2s")


def test_uneven_frames_are_told():
    grid = replace(GRID, is_even=False)
    (note,) = describe_rounding(timeline(MOMENT, a=grid))
    assert "frames come unevenly" in note


@pytest.mark.parametrize("name", ["srt", "vtt"])
def test_chapters_are_read_by_others_in_order_of_time(name):
    early = replace(MOMENT, start=1.0, end=2.25)
    parsed = pysubs2.SSAFile.from_string(text(name, timeline(SAID, early)), format_=name)
    assert [(event.start, event.end) for event in parsed] == [(1000, 2250), (10_000, 12_500)]
    assert "a.mp4 0:01 – 0:02.2" in parsed[0].plaintext


def test_premiere_gets_tabs_and_no_formula():
    path = "/v/=1+1.mov"
    header, row = text("premiere-csv", timeline(replace(MOMENT, path=path))).splitlines()
    assert header.split("\t")[2:5] == ["In", "Out", "Duration"]
    assert row.startswith("'=1+1.mov 0:10")


def test_json_holds_what_was_found():
    document = json.loads(text("otio", timeline(SAID)))
    (clip,) = document["tracks"]["children"][0]["children"]
    assert clip["metadata"]["framefind"]["score"] == MOMENT.score
    assert len(document["tracks"]["children"]) == 2  # pictures and sound
