"""Words through the pipeline: with frames, later, again, one source at a time, exactly once."""

import math
import os
from collections.abc import Collection
from pathlib import Path

import pyarrow as pa
import pytest

import framefind
from conftest import content
from framefind.errors import UsageError, VideoError
from framefind.indexing import decoders, pipeline
from framefind.indexing.reading import Reading, parse_readings
from framefind.indexing.words_written import WordsWritten
from framefind.tables.cues_table import as_table
from framefind.tables.tables import Tables
from framefind.types import Cue, Video
from framefind.video.process import DecoderProcess
from media import BLACK, WHITE, film, with_tracks

SRT = "1\n00:00:01,000 --> 00:00:02,000\nWhere is the <b>laundromat</b>?\n"
BOX = (0.0, 0.0, 1.0, 1.0)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    plain = film(tmp_path / "plain.mkv", 3.0, options={"bf": "0"})
    folder = tmp_path / "videos"
    folder.mkdir()
    path = with_tracks(plain, folder / "film.mkv", {"ger": [(0.5, 1.5, b"Guten Tag")]})
    (folder / "film.en.srt").write_text(SRT)
    return path


def read(library: framefind.Library, video: Path) -> list[tuple[float, str, str]]:
    return [(cue.start, cue.text, cue.language) for cue in library.words(str(video))]


BOTH = [(0.5, "Guten Tag", "de"), (1.0, "Where is the laundromat?", "en")]


def test_subtitles_are_read_with_the_frames(video: Path, tmp_path: Path) -> None:
    library = framefind.open(tmp_path / "a")
    report = library.index(video.parent)
    assert (report.indexed, report.read, report.cues) == ([str(video)], [], 2)
    assert read(library, video) == BOTH
    (row,) = library.videos()
    assert (row.status, row.cues, len(row.cue_segments)) == ("indexed", 2, 1)
    assert [Reading.parse(one).source for one in row.read] == ["screen", "subtitles"]
    assert library.status().cues == 2
    assert library.index(video.parent).unchanged == 1


def test_words_are_read_again_of_a_video_that_went_away_meanwhile(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = framefind.open(tmp_path / "a")
    away = tmp_path / "away.mkv"

    def lose(*_: object) -> list[Cue]:
        video.rename(away)
        raise VideoError(f"{video}: Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(DecoderProcess, "subtitles", lose)
        report = library.index(video.parent, read="subtitles")
    assert report.unread == {str(video): "Input/output error"}
    away.rename(video)
    library.index(video.parent, read="subtitles")
    assert read(library, video) == BOTH


def test_words_come_later_and_a_changed_sidecar_again_without_decoding(
    video: Path, tmp_path: Path, calls
) -> None:
    library = framefind.open(tmp_path / "a")
    library.index(video.parent, read="none")
    assert read(library, video) == []
    before = content(library)
    decoded = calls(DecoderProcess, "sample")
    assert library.index(video.parent, read="subtitles").read == [str(video)]
    assert read(library, video) == BOTH
    sidecar = video.parent / "film.en.srt"
    sidecar.write_text(SRT.replace("laundromat", "launderette"))
    os.utime(sidecar, ns=(1, 1))
    report = library.index(video.parent, read="subtitles")
    assert (report.read, report.cues, report.indexed) == ([str(video)], 2, [])
    assert read(library, video)[1][1] == "Where is the launderette?"
    (row,) = library.videos()
    assert (row.cues, len(row.cue_segments), len(row.read)) == (2, 1, 1)
    sidecar.unlink()
    library.index(video.parent, read="subtitles")
    assert read(library, video) == BOTH[:1]
    assert decoded == []
    assert content(library)[str(video)][0] == before[str(video)][0]


def test_what_is_broken_is_named_and_stops_nothing(video: Path, tmp_path: Path) -> None:
    (video.parent / "film.srt").write_bytes(b"\xff\xd8 no subtitles")
    library = framefind.open(tmp_path / "a")
    report = library.index(video.parent)
    assert report.indexed == [str(video)]
    assert report.partial == report.failed == {}
    (reason,) = report.unread.values()
    assert "film.srt is broken, or no subtitles" in reason
    assert read(library, video) == BOTH
    assert library.index(video.parent).unchanged == 1


def test_a_source_is_forgotten_alone(video: Path, tmp_path: Path) -> None:
    library = framefind.open(tmp_path / "a")
    library.index(video.parent)
    with pytest.raises(UsageError, match="words"):
        library.remove("*", words="hearsay")
    assert library.remove("*", words="screen") == [str(video)]
    assert read(library, video) == BOTH
    library.remove("*", words="subtitles", dry_run=True)
    assert read(library, video) == BOTH
    library.remove("*", words="subtitles")
    assert read(library, video) == []
    (row,) = library.videos()
    assert (row.cues, row.cue_segments, row.read, row.status) == (0, [], [], "indexed")
    library.index(video.parent)
    assert read(library, video) == BOTH


def test_a_library_that_is_embedded_again_keeps_its_words(
    video: Path, tmp_path: Path, calls
) -> None:
    library = framefind.open(tmp_path / "a")
    library.index(video.parent)
    (before,) = library.videos()
    read_again = calls(DecoderProcess, "subtitles")
    library.reembed("mini")
    (row,) = library.videos()
    assert read(library, video) == BOTH
    assert (row.cues, row.cue_segments, row.read) == (2, before.cue_segments, before.read)
    assert read_again == []


def test_a_dry_run_counts_what_would_be_read(video: Path, tmp_path: Path) -> None:
    library = framefind.open(tmp_path / "a")
    planned = library.plan(video.parent)
    assert (planned.videos, planned.read) == (1, 0)
    library.index(video.parent, read="none")
    planned = library.plan(video.parent)
    assert (planned.videos, planned.read, planned.frames) == (0, 1, 0)


@pytest.fixture
def levels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setattr(decoders, "DECODER", "level_reader")


def on_screen(library: framefind.Library, video: Path) -> list[Cue]:
    return library.words(str(video), sources="screen")


def test_the_screen_is_read_beside_the_frames_or_alone(
    tmp_path: Path, levels: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one piece, in spans, and without embedding: a line that stands is one cue."""
    path = film(tmp_path / "film.mp4", 12.0, colours=[BLACK, WHITE, BLACK], options={"g": "10"})
    cues = [
        Cue(0.0, 4.0, "dark", "screen", box=BOX),
        Cue(4.0, 8.0, "bright", "screen", box=BOX),
        Cue(8.0, 12.0, "dark", "screen", box=BOX),
    ]
    whole = framefind.open(tmp_path / "whole")
    assert whole.index(path, read="screen").frames == 12
    assert on_screen(whole, path) == cues
    monkeypatch.setattr(decoders, "span_seconds", lambda sampler: 3.0)
    cut = framefind.open(tmp_path / "cut")
    cut.index(path, read=["screen"])
    assert on_screen(cut, path) == cues
    later = framefind.open(tmp_path / "later")
    later.index(path, read="none")
    report = later.index(path, read="screen")
    assert (report.read, report.frames, report.cues) == ([str(path)], 0, 3)
    assert on_screen(later, path) == cues
    assert content(later)[str(path)][1][0][0] == 0.0


def test_an_interrupted_reading_goes_on_without_loss_or_double(
    tmp_path: Path, levels: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "film.mp4", 12.0, colours=[BLACK, WHITE] * 3, options={"g": "10"})
    monkeypatch.setattr(decoders, "span_seconds", lambda sampler: 3.0)
    monkeypatch.setattr(pipeline, "_COMMIT_SECONDS", 0.0)
    library = framefind.open(tmp_path / "a")
    taken = []

    def interrupt(progress: framefind.Progress) -> None:
        taken.append(progress.frames)
        if progress.frames >= 5:
            raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "_PROGRESS_SECONDS", 0.0)
    with pytest.raises(KeyboardInterrupt):
        library.index(path, read="screen", on_progress=interrupt)
    (row,) = library.videos()
    assert row.status == "indexing"
    library.index(path, read="screen")
    assert library.videos()[0].status == "indexed"
    texts = [(cue.start, cue.end, cue.text) for cue in on_screen(library, path)]
    every = [(2.0 * at, ("dark", "bright")[at % 2]) for at in range(6)]
    assert [(start, text) for start, _, text in texts] == every
    for start, end, _ in texts:  # a line that goes where a span ends may end there
        assert start + 2 - 0.2 <= end + 1e-9 <= start + 2 + 2e-9
    (row,) = library.videos()
    assert row.cues == len(texts)
    rows = [cue for batch in Tables.open(library.uri).read_cues() for cue in batch.to_pylist()]
    assert len(rows) == len(texts)


def test_readings_as_texts() -> None:
    for text in ("subtitles", "speech/base", "speech/base@600.0", "speech/local-dir:/a@b"):
        assert str(Reading.parse(text)) == text
    assert Reading.parse("speech/base@600.0") == Reading("speech", "base", 600.0)
    assert parse_readings("none") == ()
    assert parse_readings(["speech/small", "subtitles"])[0] == Reading("speech", "small")
    with pytest.raises(UsageError, match="hearsay"):
        parse_readings("hearsay")


def test_a_line_that_stands_across_spans_is_joined() -> None:
    row = Video(video_id="a", path="/a")
    words = WordsWritten(row, Reading("screen", "x", -math.inf))
    words.add([Cue(1.0, 30.0, "EXIT", "screen", box=BOX), Cue(1.0, 5.0, "A", "screen", box=BOX)])
    assert [one.cue.text for one in words.reach(30.0)] == ["A"]
    words.add([Cue(31.0, 42.0, "EXIT", "screen", box=BOX)])
    (joined,) = words.reach(math.inf)
    assert joined.cue == Cue(1.0, 42.0, "EXIT", "screen", box=BOX)
    assert list(words.counts.values()) == [2]


def test_a_line_that_stands_where_a_run_is_stopped_is_joined_by_the_next() -> None:
    row = Video(video_id="a", path="/a")
    first = WordsWritten(row, Reading("screen", "x", -math.inf))
    first.add([Cue(1.0, 30.0, "EXIT", "screen", box=BOX), Cue(1.0, 5.0, "A", "screen", box=BOX)])
    stored = [*first.reach(30.0), *first.release(), *first.release()]
    assert [one.cue.text for one in stored] == ["A", "EXIT"]
    row.cue_segments = [*first.counts]
    assert row.cue_segments == [one.segment for one in stored]

    def read_cues(segments: Collection[str]) -> list[pa.RecordBatch]:
        return as_table([one for one in stored if one.segment in segments]).to_batches()

    second = WordsWritten(row, first.reading, read_cues)
    assert [*second.counts] == row.cue_segments
    assert list(second.reach(30.0)) == []  # frames may be behind the screen
    second.add([Cue(31.0, 42.0, "EXIT", "screen", box=BOX)])
    (joined,) = second.reach(60.0)
    assert joined.cue == Cue(1.0, 42.0, "EXIT", "screen", box=BOX)
    assert [*second.counts] == [stored[0].segment, joined.segment]


def test_what_stood_and_is_gone_stays_as_it_was_written() -> None:
    words = WordsWritten(Video(video_id="a", path="/a"), Reading("screen", "x", -math.inf))
    words.add([Cue(1.0, 30.0, "EXIT", "screen", box=BOX)])
    assert list(words.reach(30.0)) == []
    (held,) = words.release()
    words.add([Cue(40.0, 42.0, "EXIT", "screen", box=BOX)])
    cues = [one.cue for one in words.reach(60.0)]
    assert sorted((cue.start, cue.end) for cue in cues) == [(1.0, 30.0), (40.0, 42.0)]
    assert held.segment not in words.counts
    assert sum(words.counts.values()) == 2
