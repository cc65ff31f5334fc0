import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import framefind
from conftest import assert_same, content, write_clip
from framefind import LibraryError
from framefind.indexing import decoders, pipeline, video_row
from framefind.tables.tables import Tables
from framefind.video.process import DecoderProcess

pytestmark = pytest.mark.usefixtures("no_words")

CLIPS = ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]


def names(paths: "list[str] | dict[str, str]") -> list[str]:
    return sorted(os.path.basename(path) for path in paths)


def rows(library: framefind.Library) -> dict[str, framefind.Video]:
    return {os.path.basename(video.path): video for video in library.videos()}


@pytest.fixture(scope="module", autouse=True)
def commits_by_frames() -> Iterator[None]:
    """Commit after so many frames, not after so many seconds, which a busy machine takes sooner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pipeline, "_COMMIT_SECONDS", math.inf)
        yield


@pytest.fixture
def opened(calls):
    """The files that the run opens in a decoder."""
    return calls(DecoderProcess, "open")


CHOICE = {"sampler": "count=2", "views": "whole"}


@pytest.fixture
def indexed(copied_clips: Path, tmp_path: Path) -> framefind.Library:
    """A library of `copied_clips`."""
    library = framefind.open(tmp_path / "clips.framefind")
    library.index(copied_clips, **CHOICE)
    return library


@pytest.mark.usefixtures("every_core")
class TestFirstRun:
    def test_indexes_every_video_of_a_folder(self, shared_library, clips):
        shown = content(shared_library)
        assert names(list(shown)) == CLIPS
        lengths = {os.path.basename(path): len(frames) for path, (_, frames) in shown.items()}
        assert lengths == {"a.mp4": 6, "b.mp4": 4, "c.mp4": 2, "d.mp4": 10}
        for _, frames in shown.values():
            assert [t for t, _, _ in frames] == list(range(len(frames)))
            for _, thumbnail, vectors in frames:
                assert thumbnail is not None
                assert thumbnail.startswith(b"\xff\xd8")
                assert vectors.shape == (3, 256)  # the whole and ceil(1.5 × (4/3 − 1)) + 1 squares
                np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)

    def test_rows_tell_the_facts(self, shared_library):
        row = rows(shared_library)["b.mp4"]
        assert (row.width, row.height, row.fps, row.codec) == (160, 120, 5.0, "mpeg4")
        assert row.duration == pytest.approx(4.0)
        assert (row.sampler, row.views, row.status, row.error) == (
            "every=1.0",
            "tiles",
            "indexed",
            None,
        )
        facts = Path(row.path).stat()
        assert row.size == facts.st_size
        assert row.modified is not None
        assert row.modified.timestamp() == pytest.approx(facts.st_mtime, abs=1e-5)

    def test_reports_what_was_done(self, clips, tmp_path):
        report = framefind.open(tmp_path / "l").index(clips / "b.mp4", **CHOICE)
        assert names(report.indexed) == ["b.mp4"]
        assert report.frames == 2
        assert report.video_seconds == pytest.approx(4.0)
        assert report.seconds > 0
        assert (report.failed, report.partial, report.unchanged) == ({}, {}, 0)

    def test_tells_its_progress(self, clips, tmp_path):
        told: list[framefind.Progress] = []
        broken = tmp_path / "broken.mp4"
        broken.write_bytes(b"no film")
        library = framefind.open(tmp_path / "l")
        library.index([broken, clips], on_progress=told.append, **CHOICE)
        assert [one.path for one in told if one.trouble] == [str(broken)]
        assert all(one.total == 5 and 0 <= one.done <= 5 for one in told)
        assert [one.done for one in told] == sorted(one.done for one in told)

    def test_without_videos_there_is_no_library(self, tmp_path):
        (tmp_path / "empty").mkdir()
        library = framefind.open(tmp_path / "l")
        assert library.index(tmp_path / "empty") == framefind.Report()
        assert not library.exists

    @pytest.mark.parametrize("choice", [{"sampler": "often"}, {"views": "all"}])
    def test_a_wrong_choice_is_refused_before_anything_is_made(self, choice, clips, tmp_path):
        with pytest.raises(ValueError, match="use"):
            framefind.open(tmp_path / "l").index(clips, **choice)
        assert not (tmp_path / "l").exists()

    def test_without_a_library_nothing_goes_on(self, clips, tmp_path, monkeypatch):
        def fail(*_):
            raise LibraryError("the store is away")

        monkeypatch.setattr(Tables, "create", fail)
        library = framefind.open(tmp_path / "l")
        before = threading.active_count()
        with pytest.raises(LibraryError, match="the store is away"):
            library.index(clips, **CHOICE)
        assert threading.active_count() == before
        assert not library.exists
        monkeypatch.undo()
        assert names(library.index(clips, **CHOICE).indexed) == CLIPS


class TestAgain:
    def test_unchanged_files_are_not_opened(self, library, clips, opened):
        before = content(library)
        report = library.index(clips)
        assert (report.unchanged, report.indexed, opened) == (4, [], [])
        assert_same(before, content(library))

    def test_touched_files_are_not_decoded(self, indexed, copied_clips, calls):
        before = content(indexed)
        decoded = calls(DecoderProcess, "sample")
        os.utime(copied_clips / "a.mp4", (1e9, 1e9))
        report = indexed.index(copied_clips, **CHOICE)
        assert (report.unchanged, report.indexed, decoded) == (4, [], [])
        modified = rows(indexed)["a.mp4"].modified
        assert modified is not None
        assert modified.timestamp() == 1e9
        assert_same(before, content(indexed))
        assert indexed.index(copied_clips, **CHOICE).unchanged == 4

    def test_moved_files_keep_their_frames(self, indexed, copied_clips, calls, opened):
        before = content(indexed)
        decoded = calls(DecoderProcess, "sample")
        moved = copied_clips / "elsewhere" / "z.mp4"
        moved.parent.mkdir()
        (copied_clips / "a.mp4").rename(moved)
        report = indexed.index(copied_clips, **CHOICE)
        assert (report.moved, report.indexed, report.missing) == ([str(moved)], [], [])
        assert decoded == []
        before[str(moved)] = before.pop(str(copied_clips / "a.mp4"))
        assert_same(before, content(indexed))
        opened.clear()
        assert indexed.index(copied_clips, **CHOICE).unchanged == 4
        assert opened == []

    def test_copies_are_one_video(self, indexed, copied_clips, calls, opened):
        decoded = calls(DecoderProcess, "sample")
        copy = shutil.copy(copied_clips / "a.mp4", copied_clips / "z.mp4")
        report = indexed.index(copied_clips, **CHOICE)
        assert (report.copied, report.indexed, decoded) == ([str(copy)], [], [])
        assert rows(indexed)["a.mp4"].copies == [str(copy)]
        opened.clear()
        assert indexed.index(copied_clips, **CHOICE).unchanged == 5
        assert opened == []

    def test_a_copy_lives_on_when_the_first_path_is_gone(self, indexed, copied_clips, calls):
        decoded = calls(DecoderProcess, "sample")
        shutil.copy(copied_clips / "a.mp4", copied_clips / "z.mp4")
        indexed.index(copied_clips, **CHOICE)
        (copied_clips / "a.mp4").unlink()
        report = indexed.index(copied_clips, **CHOICE)
        assert (report.missing, report.indexed, decoded) == ([], [], [])
        assert rows(indexed)["z.mp4"].copies == []
        assert "a.mp4" not in rows(indexed)

    def test_duplicates_in_one_run_are_decoded_once(self, copied_clips, tmp_path, calls):
        shutil.copy(copied_clips / "a.mp4", copied_clips / "z.mp4")
        decoded = calls(DecoderProcess, "sample")
        library = framefind.open(tmp_path / "l")
        report = library.index(copied_clips, **CHOICE)
        assert (len(report.indexed), len(report.copied), len(decoded)) == (4, 1, 4)
        (pair,) = [video for video in library.videos() if video.copies]
        assert names([pair.path, *pair.copies]) == ["a.mp4", "z.mp4"]

    def test_changed_files_are_indexed_again(self, indexed, copied_clips):
        before = content(indexed)
        write_clip(copied_clips / "a.mp4", [11, 12])
        report = indexed.index(copied_clips, **CHOICE)
        assert (names(report.indexed), report.unchanged) == (["a.mp4"], 3)
        after = content(indexed)
        assert after.keys() == before.keys()
        assert after[str(copied_clips / "a.mp4")][0] != before[str(copied_clips / "a.mp4")][0]
        assert len(after[str(copied_clips / "a.mp4")][1]) == 2

    def test_a_changed_file_that_moved_a_copy_leaves_the_copy(self, indexed, copied_clips):
        shutil.copy(copied_clips / "a.mp4", copied_clips / "z.mp4")
        indexed.index(copied_clips, **CHOICE)
        old = content(indexed)[str(copied_clips / "a.mp4")]
        write_clip(copied_clips / "a.mp4", [11, 12])
        indexed.index(copied_clips, **CHOICE)
        after = content(indexed)
        assert after[str(copied_clips / "z.mp4")][0] == old[0]
        assert after[str(copied_clips / "a.mp4")][0] != old[0]
        assert len(after) == 5

    def test_swapped_names_swap_the_videos(self, indexed, copied_clips, calls):
        before = content(indexed)
        decoded = calls(DecoderProcess, "sample")
        a, b = copied_clips / "a.mp4", copied_clips / "b.mp4"
        a.rename(copied_clips / "t")
        b.rename(a)
        (copied_clips / "t").rename(b)
        report = indexed.index(copied_clips, **CHOICE)
        assert (names(report.moved), decoded) == (["a.mp4", "b.mp4"], [])
        before[str(a)], before[str(b)] = before[str(b)], before[str(a)]
        assert_same(before, content(indexed))

    def test_another_sampler_indexes_again(self, indexed, copied_clips):
        report = indexed.index(copied_clips, sampler="count=1", views="whole")
        assert names(report.indexed) == CLIPS
        assert {video.frames for video in indexed.videos()} == {1}
        assert all(len(frames) == 1 for _, frames in content(indexed).values())

    def test_other_views_index_again(self, indexed, copied_clips):
        report = indexed.index(copied_clips / "a.mp4", sampler="count=2", views="60/60")
        assert names(report.indexed) == ["a.mp4"]
        boxes = content(indexed)[str(copied_clips / "a.mp4")][1][0][2]
        assert len(boxes) == 4
        assert rows(indexed)["b.mp4"].views == "whole"

    def test_missing_files_are_reported_and_kept(self, indexed, copied_clips):
        (copied_clips / "a.mp4").unlink()
        shutil.rmtree(copied_clips / "deep")
        report = indexed.index(copied_clips, **CHOICE)
        assert names(report.missing) == ["a.mp4", "d.mp4"]
        assert names(list(content(indexed))) == CLIPS
        assert indexed.index(copied_clips / "b.mp4", **CHOICE).missing == []

    def test_what_is_not_a_video_is_passed_over_once(self, indexed, copied_clips, opened):
        (copied_clips / "notes.txt").write_text("a film, one day")
        (copied_clips / "song.mp3").write_bytes(b"ID3" + bytes(100))
        assert indexed.index(copied_clips, **CHOICE).passed_over == 2
        assert len(opened) == 2
        opened.clear()
        report = indexed.index(copied_clips, **CHOICE)
        assert (report.passed_over, report.failed, opened) == (2, {}, [])
        assert len(indexed.videos()) == 4
        shutil.copy(copied_clips / "a.mp4", copied_clips / "notes.txt")
        assert names(indexed.index(copied_clips, **CHOICE).copied) == ["notes.txt"]

    def test_what_is_not_a_video_fails_when_it_is_named(self, indexed, copied_clips):
        note = copied_clips / "notes.txt"
        note.write_text("a film, one day")
        report = indexed.index([note, copied_clips / "nothing.mp4"], **CHOICE)
        assert names(report.failed) == ["notes.txt", "nothing.mp4"]
        assert "No such file" in report.failed[str(copied_clips / "nothing.mp4")]


class TestFailures:
    def test_a_failed_file_waits_for_a_change_or_retry(self, indexed, copied_clips, opened):
        broken = copied_clips / "broken.mp4"
        broken.write_bytes(b"no film")
        report = indexed.index(copied_clips, **CHOICE)
        assert list(report.failed) == [str(broken)]
        assert report.unchanged == 4
        row = rows(indexed)["broken.mp4"]
        assert (row.status, row.error, row.frames) == ("failed", report.failed[str(broken)], 0)

        opened.clear()
        report = indexed.index(copied_clips, **CHOICE)
        assert (report.failed, report.failed_before, opened) == ({}, 1, [])
        assert list(indexed.index(copied_clips, retry=True, **CHOICE).failed) == [str(broken)]

        write_clip(broken, [13])
        assert indexed.index(copied_clips, **CHOICE).indexed == [str(broken)]
        assert rows(indexed)["broken.mp4"].status == "indexed"
        assert len(indexed.videos()) == 5

    def test_the_others_go_on(self, copied_clips, tmp_path):
        for at in range(3):
            (copied_clips / f"{at}.mkv").write_bytes(bytes([at + 1]) * 1000)
        (copied_clips / "empty.mp4").touch()
        whole = (copied_clips / "a.mp4").read_bytes()
        (copied_clips / "cut.mp4").write_bytes(whole[: len(whole) // 2])
        report = framefind.open(tmp_path / "l").index(copied_clips, **CHOICE)
        assert set(CLIPS) <= set(names(report.indexed))
        assert set(names(report.failed)) >= {"0.mkv", "1.mkv", "2.mkv", "empty.mp4"}

    def test_a_crash_of_the_decoder_fails_one_file(self, clips, tmp_path, monkeypatch):
        class Crashing(DecoderProcess):
            def sample(self, *args: object, **kwargs: object) -> Iterator[object]:  # type: ignore[override]
                for frame in super().sample(*args, **kwargs):  # type: ignore[arg-type]
                    yield frame
                    if self.path.endswith("d.mp4"):
                        assert self._child
                        self._child._process.kill()
                        self._child._process.wait()

        # More views than the pipe holds, or all frames would have been sent before the crash.
        monkeypatch.setattr(decoders, "DecoderProcess", Crashing)
        library = framefind.open(tmp_path / "l")
        report = library.index(clips, views="40/20", read="none")
        assert set(names(report.indexed)) >= {"a.mp4", "b.mp4", "c.mp4"}
        troubled = {**report.failed, **report.partial}
        assert names(troubled) == ["d.mp4"]
        assert "crashed" in next(iter(troubled.values()))

    def test_a_partial_video_keeps_what_was_decoded(self, clips, tmp_path, monkeypatch):
        class Giving(DecoderProcess):
            def sample(self, *args: object, **kwargs: object) -> Iterator[object]:  # type: ignore[override]
                for at, frame in enumerate(super().sample(*args, **kwargs)):  # type: ignore[arg-type]
                    if at == 3 and self.path.endswith("d.mp4"):
                        raise framefind.VideoError("it ends here")
                    yield frame

        monkeypatch.setattr(decoders, "DecoderProcess", Giving)
        library = framefind.open(tmp_path / "l")
        report = library.index(clips, read="none")
        assert report.partial == {str(clips / "deep" / "d.mp4"): "it ends here"}
        row = rows(library)["d.mp4"]
        assert (row.status, row.error, row.frames) == ("partial", "it ends here", 3)
        assert [t for t, _, _ in content(library)[row.path][1]] == [0, 1, 2]

    @pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode elsewhere")
    def test_a_broken_file_whose_name_is_not_utf8(self, tmp_path):
        broken = os.path.join(os.fsencode(tmp_path), b"bad\xff.mp4")
        Path(os.fsdecode(broken)).write_bytes(b"no film")
        write_clip(Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), b"good\xff.mp4"))), [1])
        library = framefind.open(tmp_path / "l")
        report = library.index(tmp_path, **CHOICE)
        assert names(report.failed) == ["bad%FF.mp4"]
        assert names(report.indexed) == ["good%FF.mp4"]
        assert rows(library)["bad%FF.mp4"].status == "failed"
        assert library.index(tmp_path, **CHOICE).unchanged == 1
        assert library.frame("good%FF.mp4", 0.0).shape == (120, 160, 3)


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("films") / "long.mp4", range(20, 32))


@pytest.fixture(scope="module")
def in_one_go(
    long_film: Path, clips: Path, tmp_path_factory: pytest.TempPathFactory
) -> framefind.Library:
    """The long film and the clips, indexed without interruption and with few commits."""
    library = framefind.open(tmp_path_factory.mktemp("whole") / "l")
    library.index([long_film, clips])
    return library


@pytest.fixture
def long_clip(long_film: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A video of many segments, as they are short here, and every batch is committed."""
    monkeypatch.setattr(video_row, "SEGMENT_SECONDS", 5.0)
    monkeypatch.setattr(pipeline, "BATCH", 8)
    monkeypatch.setattr(pipeline, "COMMIT_FRAMES", 4)
    return long_film


@pytest.mark.usefixtures("every_core")
class TestSegments:
    def test_a_long_video_has_many_and_shows_once(self, in_one_go, long_clip, tmp_path):
        library = framefind.open(tmp_path / "l")
        library.index(long_clip)
        (row,) = library.videos()
        assert len(row.segments) >= 5
        assert len(set(row.segments)) == len(row.segments)
        frames = content(library)[str(long_clip)][1]
        assert [t for t, _, _ in frames] == list(range(24))
        assert len(rows(in_one_go)["long.mp4"].segments) == 1
        plain = content(in_one_go)
        assert_same({str(long_clip): plain[str(long_clip)]}, content(library))

    def test_what_is_committed_can_be_searched_while_the_rest_is_decoded(
        self, long_clip, tmp_path, monkeypatch
    ):
        library = framefind.open(tmp_path / "l")
        seen: list[tuple[str, int]] = []
        publish = Tables.publish

        def watch(*args: object, **kwargs: object) -> bool:
            done = publish(*args, **kwargs)  # type: ignore[arg-type]
            (row,) = framefind.open(tmp_path / "l").videos()
            seen.append((row.status, len(content(tmp_path / "l")[row.path][1])))
            return done

        monkeypatch.setattr(Tables, "publish", watch)
        library.index(long_clip)
        assert [status for status, _ in seen[:-1]] == ["indexing"] * (len(seen) - 1)
        assert seen[-1] == ("indexed", 24)
        assert [count for _, count in seen] == sorted(count for _, count in seen)
        assert 0 < seen[0][1] < 24

    def test_a_video_that_is_indexed_again_shows_the_old_frames_until_it_is_whole(
        self, long_clip, tmp_path, monkeypatch
    ):
        library = framefind.open(tmp_path / "l")
        library.index(long_clip, sampler="count=2", views="whole")
        seen: list[int] = []
        publish = Tables.publish

        def watch(*args: object, **kwargs: object) -> bool:
            seen.append(len(content(tmp_path / "l")[str(long_clip)][1]))
            return publish(*args, **kwargs)  # type: ignore[arg-type]

        monkeypatch.setattr(Tables, "publish", watch)
        library.index(long_clip)
        assert len(seen) > 2
        assert set(seen) == {2}
        assert len(content(library)[str(long_clip)][1]) == 24

    def test_copies_survive_the_commits_in_between(self, long_clip, tmp_path):
        copies = [shutil.copy(long_clip, tmp_path / name) for name in ("a.mp4", "z.mp4")]
        library = framefind.open(tmp_path / "l")
        report = library.index(copies)
        assert len(report.indexed) == len(report.copied) == 1
        (row,) = library.videos()
        assert sorted([row.path, *row.copies]) == [str(path) for path in copies]


@pytest.mark.usefixtures("every_core")
class TestInterrupted:
    @pytest.mark.parametrize("after", [1, 9, 20])
    def test_ctrl_c_then_again_equals_a_run_in_one_go(
        self, after, in_one_go, long_clip, clips, tmp_path, monkeypatch
    ):
        library = framefind.open(tmp_path / "l")
        films = [long_clip, clips]
        written = 0
        write = pipeline.Indexer._write

        def interrupting(self: pipeline.Indexer, *args: object) -> None:
            nonlocal written
            written += 1
            write(self, *args)  # type: ignore[arg-type]
            if written == after:
                signal.raise_signal(signal.SIGINT)

        default = signal.getsignal(signal.SIGINT)  # ignored, in the background of some shells
        with monkeypatch.context() as patch:
            patch.setattr(pipeline.Indexer, "_write", interrupting)
            with pytest.raises(KeyboardInterrupt):
                library.index(films)
        assert signal.getsignal(signal.SIGINT) is default
        kept = sum(len(frames) for _, frames in content(library).values())
        assert kept >= after
        report = library.index(films)
        assert report.frames == 24 + 22 - kept
        assert {video.status for video in library.videos()} == {"indexed"}
        assert_same(content(in_one_go), content(library))

    # Where the process is killed: at which call of what, before it or after it.
    KILLED = (
        "Tables.create:1:before",
        "Tables.create:1:after",
        "Indexer._write:13:before",
        "Tables.publish:1:before",
        "DeltaTable.create_write_transaction:2:after",
        "DeltaTable.merge:2:before",
        "TableMerger.execute:3:after",
        "refresh.refresh:1:before",
    )

    @pytest.mark.parametrize("where", KILLED)
    def test_sigkill_then_again_equals_a_run_in_one_go(
        self, where, in_one_go, long_clip, clips, tmp_path
    ):
        films = [str(long_clip), str(clips)]
        script = f"""
import os, signal
import framefind
from deltalake import DeltaTable
from deltalake.table import TableMerger
from framefind.indexing import pipeline, video_row
from framefind.indexing.pipeline import Indexer
from framefind.tables.tables import Tables
from framefind.index import refresh
video_row.SEGMENT_SECONDS, pipeline.BATCH, pipeline.COMMIT_FRAMES = 5.0, 8, 4
place, number, when = {where!r}.split(":")
owner, name = place.split(".")
owner = globals()[owner]
original, left = getattr(owner, name), [int(number)]
def killing(*args, **kwargs):
    left[0] -= 1
    if left[0] == 0 and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    result = original(*args, **kwargs)
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return result
setattr(owner, name, killing)
framefind.open({str(tmp_path / "l")!r}).index({films!r})
"""
        ended = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr
        library = framefind.open(tmp_path / "l")
        if library.exists:  # it opens, and shows no frame of nothing
            content(library)
            assert {moment.path for moment in library.search("a")} <= {
                row.path for row in library.videos() if row.frames
            }
        library.index(films)
        assert {video.status for video in library.videos()} == {"indexed"}
        assert_same(content(in_one_go), content(library))
        assert len(library.search("a", limit=99)) == len(in_one_go.search("a", limit=99))

    def test_sigkill_at_any_time(self, in_one_go, long_clip, clips, tmp_path):
        films = [str(long_clip), str(clips)]
        script = (
            "import framefind; from framefind.indexing import pipeline, video_row\n"
            "assert video_row.SEGMENT_SECONDS and pipeline.BATCH and pipeline.COMMIT_FRAMES\n"
            "video_row.SEGMENT_SECONDS, pipeline.BATCH, pipeline.COMMIT_FRAMES = 5.0, 8, 4\n"
            "print(flush=True)\n"
            f"framefind.open({str(tmp_path / 'l')!r}).index({films!r})\n"
        )
        for delay in np.random.default_rng(0).uniform(0.2, 1.5, 4):
            child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
            assert child.stdout
            child.stdout.readline()
            time.sleep(delay)
            child.kill()
            child.wait()
            child.stdout.close()
        library = framefind.open(tmp_path / "l")
        library.index(films)
        assert_same(content(in_one_go), content(library))


class TestTrouble:
    def test_two_runs_at_once(self, clips, tmp_path):
        other = framefind.open(tmp_path / "l")
        refused: list[str] = []

        def intrude(progress: framefind.Progress) -> None:
            if not refused:
                with pytest.raises(LibraryError, match="another framefind") as error:
                    other.index(clips, **CHOICE)
                refused.append(str(error.value))

        broken = tmp_path / "broken.mp4"
        broken.write_bytes(b"no film")  # trouble is always told
        library = framefind.open(tmp_path / "l")
        library.index([broken, clips], on_progress=intrude, **CHOICE)
        assert len(refused) == 1
        assert str(tmp_path / "l") in refused[0]
        assert other.index(clips, **CHOICE).unchanged == 4

    @pytest.mark.skipif(sys.platform == "win32", reason="no such limits")
    def test_a_full_disk_loses_nothing(self, library, clips, tmp_path):
        before = content(library)
        film = write_clip(tmp_path / "films" / "new.mp4", [40])
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, hard))  # no file may be larger
        try:
            with pytest.raises(LibraryError, match=library.uri):
                library.index(film)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert_same(before, content(library))
        assert library.index(film).indexed == [str(film)]
        assert content(library).keys() == before.keys() | {str(film)}

    @pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere"
    )
    def test_a_read_only_library(self, library, clips, tmp_path):
        before = content(library)
        film = write_clip(tmp_path / "films" / "new.mp4", [40])
        folders = [folder for folder, _, _ in os.walk(library.uri)]
        for folder in folders:
            os.chmod(folder, 0o555)
        try:
            with pytest.raises(LibraryError, match="write"):
                library.index(film)
            assert len(framefind.open(library.uri).search("a")) > 0
        finally:
            for folder in folders:
                os.chmod(folder, 0o755)
        assert_same(before, content(library))

    def test_the_memory_of_files_may_be_lost(self, indexed, copied_clips):
        shutil.copy(copied_clips / "a.mp4", copied_clips / "z.mp4")
        (copied_clips / "notes.txt").write_text("a film, one day")
        indexed.index(copied_clips, **CHOICE)
        memory = Path(indexed.uri, "index", "files.json")
        assert str(copied_clips / "notes.txt") in json.loads(memory.read_text())
        for damage in ("", "[]", "{"):
            memory.write_text(damage)
            report = indexed.index(copied_clips, **CHOICE)
            assert (report.indexed, report.passed_over) == ([], 1)
