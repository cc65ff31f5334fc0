"""Exports of a library: which files are written, which are not, and what is said of it."""

import csv
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import opentimelineio as otio
import pytest

import framefind
from framefind import Moment, UsageError, VideoError
from framefind.output.export import FORMATS, find_suffix
from framefind.output.files import Names, fill_pattern, safe_name
from framefind.output.json import describe, read_moments, to_json
from media import film


@pytest.fixture(scope="module")
def moments(shared_library: framefind.Library) -> list[Moment]:
    page = shared_library.search("a dog", limit=50, min_score=-100)
    return sorted(page, key=lambda moment: (moment.path, moment.start))


@pytest.fixture
def of_a(moments: list[Moment]) -> list[Moment]:
    return [moment for moment in moments if moment.path.endswith("/a.mp4")]


@pytest.mark.parametrize("to", FORMATS)
def test_each_format_makes_a_file(shared_library, of_a, tmp_path, to):
    out = tmp_path / f"out{find_suffix(to)}"
    exported = shared_library.export(of_a, to, out)
    if to != "clips":
        assert exported.files == [str(out)]
    assert all(Path(path).stat().st_size for path in exported.files)
    assert (exported.failed, exported.notes) == ({}, [])
    assert os.listdir(tmp_path) == [out.name]


def test_frames_are_those_of_the_moments(shared_library, of_a, tmp_path):
    shared_library.export(of_a, "otio", tmp_path / "a.otio", title="dogs", padding=0.2)
    timeline = otio.adapters.read_from_file(str(tmp_path / "a.otio"))
    assert timeline.name == "dogs"
    clips = list(timeline.find_clips())
    for clip, moment in zip(clips, of_a, strict=True):
        times = clip.source_range.start_time, clip.source_range.end_time_exclusive()
        start, end = (time.value / 5 for time in times)  # the clips have five frames a second
        assert start == pytest.approx(max(0, moment.start - 0.2))
        assert end == pytest.approx(min(6.0, moment.end + 0.2))


def test_nothing_is_replaced_unasked(shared_library, of_a, tmp_path):
    out = tmp_path / "a.edl"
    out.write_text("mine")
    with pytest.raises(UsageError, match=r"a\.edl exists already: `overwrite` replaces it"):
        shared_library.export(of_a, "edl", out)
    assert out.read_text() == "mine"
    shared_library.export(of_a, "edl", out, overwrite=True)
    assert out.read_text().startswith("TITLE: ")


def test_a_video_is_never_replaced(library, of_a, tmp_path):
    video = Path(shutil.copy(of_a[0].path, tmp_path / "a.mp4"))
    mine = [replace(moment, path=str(video), video_id="elsewhere") for moment in of_a]
    with pytest.raises(UsageError, match="is one of the videos"):
        library.export(mine, "edl", video, overwrite=True)
    assert video.stat().st_size == Path(of_a[0].path).stat().st_size


def test_markers_of_several_videos_need_a_folder(shared_library, moments, tmp_path):
    with pytest.raises(UsageError, match="moments of 4 videos make as many files"):
        shared_library.export(moments, "vtt", tmp_path / "all.vtt")
    exported = shared_library.export(moments, "vtt", tmp_path / "chapters")
    names = sorted(Path(path).name for path in exported.files)
    assert names == ["a.vtt", "b.vtt", "c.vtt", "d.vtt"]
    with pytest.raises(UsageError, match="exists already"):
        shared_library.export(moments, "vtt", tmp_path / "chapters")


def test_a_video_that_is_gone_does_not_stop_the_others(library, moments, tmp_path):
    gone = [replace(moment, path="/v/gone.mp4", video_id="no such") for moment in moments[:1]]
    exported = library.export([*gone, *moments], "edl", tmp_path / "a.edl")
    assert list(exported.failed) == [next(iter(exported.failed))]
    assert "gone.mp4" in str(exported.failed)
    assert exported.files
    with pytest.raises(VideoError, match=r"gone\.mp4"):
        library.export(gone, "edl", tmp_path / "b.edl")
    assert not (tmp_path / "b.edl").exists()


def test_clips_are_files_of_a_folder(library, moments, tmp_path):
    seen = []
    gone = replace(moments[0], path="/v/gone.mp4", video_id="no such")
    exported = library.export(
        [*moments, gone],
        "clips",
        tmp_path / "cats",
        names="{name} {start}",
        on_clip=lambda *step: seen.append(step),
    )
    assert len(exported.files) == len(moments)
    assert len(seen) == len(moments) + 1
    assert list(exported.failed) == ["gone.mp4 0:00 – 0:02"] or "gone.mp4" in str(exported.failed)
    for path, moment in zip(exported.files, moments, strict=True):
        with av.open(path) as container:
            frames = sum(1 for _ in container.decode(video=0))
        assert frames == round((moment.end - moment.start) * 5)
    assert not list(tmp_path.rglob("*.part*"))
    with pytest.raises(UsageError, match="exists already"):
        library.export(moments, "clips", tmp_path / "cats", names="{name} {start}")
    fast = library.export(moments[:1], "clips", tmp_path / "fast", fast=True)
    assert "s early and ends" in fast.notes[0]
    for how in ({"fast": True, "codec": "h264"}, {"codec": "aac"}, {"names": "{who}"}, {"a": 1}):
        with pytest.raises(UsageError):
            library.export(moments, "clips", tmp_path / "no", **how)


def test_a_reel_joins_all_and_names_what_is_missing(library, moments, tmp_path):
    steps = []
    gone = replace(moments[0], path="/v/gone.mp4", video_id="no such")
    out = tmp_path / "dogs.mp4"
    how = {"titles": True, "title": "dogs", "on_clip": lambda *step: steps.append(step)}
    exported = library.export([gone, *moments], "reel", out, **how)
    assert exported.files == [str(out)]
    assert "gone.mp4" in str(exported.failed)
    assert [(number, count) for _, number, count in steps] == [
        (number, len(moments)) for number in range(1, len(moments) + 1)
    ]
    with av.open(out) as container:
        frames = sum(1 for _ in container.decode(video=0))
        titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
    assert frames == sum(round((moment.end - moment.start) * 10) for moment in moments)
    assert titles == [title for title, _, _ in steps]
    with pytest.raises(UsageError, match="exists already"):
        library.export(moments, "reel", out)
    with pytest.raises(VideoError, match=r"gone\.mp4"):
        library.export([gone], "reel", tmp_path / "no.mp4")
    for name, how in [("a.avi", {}), ("b.mp4", {"fast": True}), ("c.mp4", {"codec": "hevc"})]:
        with pytest.raises(UsageError):
            library.export(moments, "reel", tmp_path / name, **how)
    assert [*tmp_path.glob("*.*4")] == [out]


def test_ndjson_reads_back_as_the_same_moments(shared_library, moments, tmp_path):
    shared_library.export(moments, "ndjson", tmp_path / "a.ndjson")
    text = (tmp_path / "a.ndjson").read_text()
    assert read_moments(text) == moments
    others = [replace(moment, path="/v/a\u2028b\x85.mp4") for moment in moments]
    raw = [json.dumps(to_json(describe(moment)), ensure_ascii=False) for moment in others]
    assert read_moments("\r\n".join(raw)) == others  # as jq writes them


def test_csv_has_no_formula(shared_library, of_a, tmp_path):
    odd = replace(of_a[0], path="=HYPERLINK(1)", video_id="no such")
    shared_library.export([odd], "csv", tmp_path / "a.csv")
    (row,) = csv.DictReader((tmp_path / "a.csv").read_text().splitlines())
    assert row["path"] == "'=HYPERLINK(1)"


@pytest.mark.parametrize(
    ("to", "out", "how", "message"),
    [
        ("docx", "a", {}, "`to`"),
        ("edl", "no/a.edl", {}, "there is no folder"),
        ("edl", ".", {}, "name a file"),
        ("edl", "a.edl", {"padding": -1.0}, "`padding`"),
        ("edl", None, {}, "say where to write"),
    ],
)
def test_wrong_arguments_are_refused(shared_library, of_a, tmp_path, to, out, how, message):
    place = None if out is None else tmp_path / out
    with pytest.raises(UsageError, match=message):
        shared_library.export(of_a, to, place, **how)
    with pytest.raises(UsageError, match="no moment"):
        shared_library.export([], "edl", tmp_path / "a.edl")


def test_the_folder_of_the_settings_is_taken(shared_library, of_a, tmp_path, monkeypatch):
    monkeypatch.setenv("FRAMEFIND_EXPORT_FOLDER", str(tmp_path / "exports"))
    exported = shared_library.export(of_a, "edl", title="a/b: c?")
    assert exported.files == [str(tmp_path / "exports" / "a_b_ c_.edl")]


@pytest.mark.parametrize("text", ["", "no", '{"moments": [{}]}', "[1]", '{"path": "a"}\n{'])
def test_what_is_no_moment_is_refused(text):
    if text:
        with pytest.raises(UsageError, match="JSON|not a moment"):
            read_moments(text)
    assert read_moments("") == []


def test_names_are_safe_and_differ(tmp_path):
    assert safe_name('a/b\\c:d*"e\n.') == "a_b_c_d__e_"
    assert safe_name("..") == "moment"
    assert len(safe_name("é" * 300).encode()) <= 200
    names = Names(tmp_path)
    given = [names.give(stem, ".mp4").name for stem in ("a", "A", "a")]
    assert given == ["a.mp4", "A (2).mp4", "a (3).mp4"]
    assert fill_pattern("{number} {name}", {"number": "1", "name": "{x}"}) == "1 {x}"
    with pytest.raises(UsageError, match="there is no {who}; use {number}"):
        fill_pattern("{who}", {"number": "1"})


def find_moments(library: framefind.Library, path: Path) -> list[Moment]:
    page = library.search("a dog", limit=50, min_score=-100)
    return [moment for moment in page if moment.path == str(path)]


def test_clips_of_a_damaged_video_say_so(library, tmp_path):
    options = {"movflags": "faststart"}
    pictures = [np.full((48, 64, 3), 5 * number, np.uint8) for number in range(50)]
    path = film(tmp_path / "odd.mp4", pictures=pictures, container_options=options)
    path.write_bytes(path.read_bytes()[:-600])
    library.index(path)
    (video,) = (video for video in library.videos() if video.path == str(path))
    assert video.status == "partial"
    exported = library.export(find_moments(library, path), "clips", tmp_path / "clips")
    names = [Path(clip).name for clip in exported.files]
    assert exported.notes[-1] == f"{names[-1]}: its video is damaged: {video.error}"


def test_chapters_do_not_count_frames(library, tmp_path):
    """So uneven ones are no reason for a note."""
    path = film(tmp_path / "odd.mp4", times=[0.0, 0.1, 0.35, 0.4, 0.9, 1.0, 1.6, 2.0])
    library.index(path)
    moments = find_moments(library, path)
    assert "unevenly" in library.export(moments, "otio", tmp_path / "a.otio").notes[0]
    assert library.export(moments, "vtt", tmp_path / "a.vtt").notes == []
