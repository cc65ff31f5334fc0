"""`watch`: what comes into folders is indexed, once each, whatever happens meanwhile."""

import os
import shutil
import sys
import threading
import time
from pathlib import Path

import pytest

import framefind
from framefind.errors import LibraryError
from framefind.files import config
from framefind.indexing import changes, watch
from framefind.tables import address

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))


@pytest.fixture
def watching(tmp_path):
    """A library, its folder, and a function that waits until a report fits."""
    folder = tmp_path / "videos"
    folder.mkdir()
    library = framefind.open(tmp_path / "a.framefind")
    stop = threading.Event()
    reports: list[framefind.Report] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            library.watch(folder, settle=0.2, on_report=reports.append, stop=stop, read="subtitles")
        except BaseException as error:
            errors.append(error)

    def wait(fits):
        end = time.monotonic() + 60
        while not any(map(fits, reports)):
            assert time.monotonic() < end, reports
            assert not errors, errors
            time.sleep(0.05)

    thread = threading.Thread(target=run)
    yield library, folder, thread, wait
    stop.set()
    thread.join()
    assert not errors


def put(source, target):
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())


def test_files_that_come_move_and_change_are_followed(watching, clips):
    library, folder, thread, wait = watching
    put(clips / "a.mp4", folder / "before.mp4")
    thread.start()
    wait(lambda report: report.indexed == [str(folder / "before.mp4")])
    (folder / "before.mp4").rename(folder / "after.mp4")
    wait(lambda report: report.moved == [str(folder / "after.mp4")])
    put(clips / "b.mp4", folder / "deep" / "new.mp4")
    wait(lambda report: report.indexed == [str(folder / "deep" / "new.mp4")])
    put(clips / "c.mp4", folder / "deep" / "new.mp4")
    wait(lambda report: report.indexed and library.videos()[1].frames == 2)
    paths = [str(folder / "after.mp4"), str(folder / "deep" / "new.mp4")]
    assert [row.path for row in library.videos()] == paths
    assert {moment.path for moment in library.search("anything", limit=9).moments} <= {*paths}


def test_a_link_that_is_replaced_is_followed(tmp_path, clips):
    put(clips / "b.mp4", tmp_path / "monday" / "b.mp4")
    put(clips / "c.mp4", tmp_path / "tuesday" / "c.mp4")
    link = tmp_path / "today"
    link.symlink_to(tmp_path / "monday", target_is_directory=True)
    library = framefind.open(tmp_path / "a.framefind")
    stop = threading.Event()
    indexed = []

    def react(report):
        indexed.extend(os.path.basename(path) for path in report.indexed)
        if indexed == ["b.mp4"]:
            link.unlink()
            link.symlink_to(tmp_path / "tuesday", target_is_directory=True)
        elif len(indexed) == 2:
            stop.set()

    timer = threading.Timer(60, stop.set)
    timer.start()
    library.watch(link, settle=0.2, stop=stop, read="none", on_report=react)
    timer.cancel()
    assert indexed == ["b.mp4", "c.mp4"]


def test_a_half_copied_file_waits(watching, clips):
    _, folder, thread, wait = watching
    data = (clips / "deep" / "d.mp4").read_bytes()
    (folder / "half.mp4").write_bytes(data[: len(data) // 2])
    put(clips / "c.mp4", folder / "whole.mp4")
    thread.start()
    wait(lambda report: report.indexed == [str(folder / "whole.mp4")])
    (folder / "half.mp4").write_bytes(data)
    wait(lambda report: report.indexed == [str(folder / "half.mp4")] and not report.failed)


def test_a_library_that_is_busy_is_waited_for(watching, clips, monkeypatch, caplog):
    library, folder, thread, wait = watching
    monkeypatch.setattr(watch, "_RETRY_SECONDS", 0.1)
    put(clips / "c.mp4", folder / "c.mp4")
    with address.lock(library.uri, doing="something else"):
        thread.start()
        while "something else" not in caplog.text:
            time.sleep(0.05)
    wait(lambda report: report.indexed == [str(folder / "c.mp4")])


def test_a_sidecar_that_comes_later_is_read(tmp_path, clips):
    folder = tmp_path / "videos"
    put(clips / "c.mp4", folder / "film.mp4")
    library = framefind.open(tmp_path / "a.framefind")
    stop = threading.Event()
    options = {"settle": 0.2, "stop": stop, "read": "subtitles"}

    def react(report):
        if report.indexed:
            text = "1\n00:00:00,000 --> 00:00:01,000\nA red boat.\n"
            (folder / "film.en.srt").write_text(text)
        if report.read:
            stop.set()

    threading.Timer(60, stop.set).start()
    library.watch(folder, on_report=react, **options)
    assert [cue.text for cue in library.words("film.mp4")] == ["A red boat."]


def test_small_files_do_not_wait_for_a_long_one(tmp_path, clips, monkeypatch):
    """The run that goes on ends, and its file goes on afterwards where it was."""
    monkeypatch.setattr(watch, "_MIN_RUN_SECONDS", 0.0)
    folder = tmp_path / "videos"
    put(clips / "deep" / "d.mp4", folder / "long.mp4")
    library = framefind.open(tmp_path / "a.framefind")
    stop = threading.Event()
    begun = []
    index_files = watch.index_files

    def index(vector_index, choice, files, paths, options, on_progress, stop, choose):
        begun.append([os.path.basename(file.path) for file in files])
        if begun == [["long.mp4"]]:
            put(clips / "c.mp4", folder / "short.mp4")
            on_progress(None)
            assert stop.wait(30)
        return index_files(vector_index, choice, files, paths, options, on_progress, stop, choose)

    monkeypatch.setattr(watch, "index_files", index)

    def react(report):
        if library.videos() and all(row.status == "indexed" for row in library.videos()[:2]):
            stop.set()

    library.watch(folder, settle=0.2, stop=stop, read="none", on_report=react)
    assert begun[:2] == [["long.mp4"], ["short.mp4", "long.mp4"]]
    assert [row.frames for row in library.videos()] == [10, 2]


def test_a_run_that_begins_slowly_gets_on(watching, clips, monkeypatch):
    """On a slow disk, to see what there is to do may take longer than a run may."""
    _, folder, thread, wait = watching
    monkeypatch.setattr(watch, "_MAX_RUN_SECONDS", 0.0)
    index_files = watch.index_files

    def index(*arguments):
        *_, stop, _ = arguments
        stop.wait(0.6)
        return index_files(*arguments)

    monkeypatch.setattr(watch, "index_files", index)
    put(clips / "c.mp4", folder / "c.mp4")
    thread.start()
    wait(lambda report: report.indexed == [str(folder / "c.mp4")])


def test_a_file_that_has_another_name_by_then_did_not_fail(watching, clips, monkeypatch):
    """A download gets its name between the walk and the decoder: no row tells of the old one."""
    library, folder, thread, wait = watching
    index_files = watch.index_files

    def index(*arguments, **options):
        if (folder / "film.mp4.part").exists():
            (folder / "film.mp4.part").rename(folder / "film.mp4")
        return index_files(*arguments, **options)

    monkeypatch.setattr(watch, "index_files", index)
    put(clips / "c.mp4", folder / "film.mp4.part")
    thread.start()
    wait(lambda report: report.indexed == [str(folder / "film.mp4")] and not report.failed)
    assert [row.path for row in library.videos()] == [str(folder / "film.mp4")]


def test_a_sidecar_that_goes_unseen_is_missed_by_a_look_at_all(watching, clips, monkeypatch):
    library, folder, thread, wait = watching
    monkeypatch.setattr(changes, "is_far", lambda root: True)
    monkeypatch.setattr(changes, "POLL_SECONDS", 0.1)
    put(clips / "c.mp4", folder / "film.mp4")
    sidecar = folder / "film.srt"
    sidecar.write_text("1\n00:00:00,000 --> 00:00:01,000\nA red boat.\n")
    thread.start()
    wait(lambda report: report.indexed)
    assert library.words("film.mp4")
    sidecar.unlink()
    wait(lambda report: report.read)
    assert library.words("film.mp4") == []


def test_a_wrong_model_or_option_ends_it_at_once(tmp_path, clips, library):
    with pytest.raises(LibraryError, match="made with"):
        framefind.open(library.uri, model="fast").watch(clips)
    with pytest.raises(TypeError, match="glub"):
        library.watch(clips, glub="*.mp4")


def test_a_library_that_is_deleted_meanwhile_is_not_begun_again(tmp_path, clips):
    folder = tmp_path / "videos"
    folder.mkdir()
    put(clips / "a.mp4", folder / "a.mp4")
    library = framefind.open(tmp_path / "a.framefind")

    def delete(_: framefind.Report) -> None:
        shutil.rmtree(library.uri)
        put(clips / "b.mp4", folder / "b.mp4")

    with pytest.raises(LibraryError, match=r"a\.framefind: the library is gone"):
        library.watch(folder, settle=0.1, on_report=delete, read="none")
    assert not library.exists


def test_the_folders_of_the_library_are_watched(tmp_path, clips):
    folder = tmp_path / "videos"
    put(clips / "c.mp4", folder / "c.mp4")
    library = framefind.open(tmp_path / "a.framefind")
    config.add_folders(library.uri, folder)
    stop = threading.Event()
    library.watch(settle=0, stop=stop, read="none", on_report=lambda _: stop.set())
    assert [row.path for row in library.videos()] == [str(folder / "c.mp4")]


def test_a_storm_leaves_what_a_fresh_index_makes(tmp_path):
    """The command itself, killed in the middle; the big storm is `benchmarks/watch.py`."""
    import watch as storms  # type: ignore[import-not-found]

    storm = storms.Storm(tmp_path, seed=2, settle=0.2)
    try:
        storm.blow(files=20, seconds=2, kills=1)
        storm.settle(limit=120)
    finally:
        storm.end()
