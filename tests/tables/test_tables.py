import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st

from framefind.errors import LibraryError
from framefind.tables import data_files, maintenance, schema
from framefind.tables.address import lock
from framefind.tables.delta_log import latest_versions
from framefind.tables.tables import Tables
from framefind.types import Video
from rows import FINGERPRINT, count, frame, publish, video, visible, whole, write


@pytest.fixture
def tables(tmp_path: Path) -> Tables:
    return Tables.create(tmp_path / "a.framefind", FINGERPRINT)


# --- create and open ------------------------------------------------------------------------


def test_create_and_open(tmp_path: Path) -> None:
    uri = tmp_path / "a.framefind"
    assert not Tables.exists(uri)
    Tables.create(uri, FINGERPRINT)
    assert Tables.exists(uri)
    tables = Tables.open(uri)
    assert tables.fingerprint == FINGERPRINT
    assert tables.versions() == (0, 0)
    assert tables.videos() == []
    assert tables.frame_files() == []
    assert count(tables) == 0


def test_the_protocol_stays_old(tables: Tables) -> None:
    for name in "abc":
        publish(tables, name)
    tables.publish(removed=["a"])
    maintenance.purge(tables)
    for name in ("videos", "frames"):
        protocol = tables.delta(name).protocol()
        assert (protocol.min_reader_version, protocol.min_writer_version) == (1, 2)
    assert Tables.open(tables.uri).fingerprint == FINGERPRINT


def test_what_is_not_a_library(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(LibraryError, match="not a framefind library"):
        Tables.open(tmp_path)
    with pytest.raises(LibraryError, match="not empty"):
        Tables.create(tmp_path, FINGERPRINT)
    with pytest.raises(LibraryError, match="not a framefind library"):
        latest_versions(tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["photo.jpg"]


def test_create_refuses_a_library(tables: Tables) -> None:
    with pytest.raises(LibraryError, match="already"):
        Tables.create(tables.uri, FINGERPRINT)


def test_an_interrupted_create_goes_on(tables: Tables) -> None:
    for entry in Path(tables.address("frames"), "_delta_log").iterdir():
        entry.unlink()
    assert not Tables.exists(tables.uri)
    publish(Tables.create(tables.uri, FINGERPRINT), "a")
    assert visible(tables) == {"a": whole()}


def test_create_does_not_fill_up_a_library_without_frames(tables: Tables) -> None:
    publish(tables, "a")
    shutil.rmtree(tables.address("frames"))
    with pytest.raises(LibraryError, match="`frames` table is missing"):
        Tables.create(tables.uri, FINGERPRINT)


def test_other_tables_and_newer_schemas_are_refused(tables: Tables) -> None:
    table = DeltaTable(tables.address("videos"))
    table.alter.set_table_properties({"framefind.schema": str(schema.VERSION + 1)}, False)
    with pytest.raises(LibraryError, match=r"newer framefind.*upgrade"):
        Tables.open(tables.uri)
    table.alter.set_table_properties({"framefind.schema": ""}, False)
    with pytest.raises(LibraryError, match="of another kind"):
        Tables.open(tables.uri)


def test_a_damaged_log_is_a_library_error(tables: Tables) -> None:
    publish(tables, "a")
    Path(tables.address("videos"), "_delta_log", f"{1:020}.json").write_text("garbage")
    with pytest.raises(LibraryError, match="cannot read"):
        tables.videos()


@pytest.mark.parametrize("how", ["damaged", "missing"])
def test_lost_rows_of_videos_are_named_with_what_helps(tables: Tables, how: str) -> None:
    publish(tables, "a")
    (file,) = Path(tables.address("videos")).glob("*.parquet")
    file.unlink() if how == "missing" else file.write_bytes(b"")
    with pytest.raises(LibraryError, match=rf"cannot read .*videos: .* {how}.*from a backup"):
        tables.videos()


def test_latest_versions_follow_the_log_and_load_nothing_heavy(tables: Tables) -> None:
    for name in "abc":
        publish(tables, name)
    maintenance.maintain(tables)
    log = (
        DeltaTable(tables.address("videos")).version(),
        DeltaTable(tables.address("frames")).version(),
    )
    code = (
        "import sys; from framefind.tables.tables import Tables;"
        "from framefind.tables.delta_log import latest_versions;"
        f"print(*latest_versions({tables.uri!r}));"
        "print([name for name in ('pyarrow', 'deltalake') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split("\n")[:2] == [f"{log[0]} {log[1]}", "[]"]


# --- publish --------------------------------------------------------------------------------


def test_a_row_comes_back_as_it_was(tables: Tables) -> None:
    full = replace(
        video("a", "s", 3),
        path="/with space/new\nline/😀.mp4",
        copies=["/b.mp4", "/c.mp4"],
        segments=["s", "t"],
        duration=12.5,
        width=1920,
        height=1080,
        fps=23.976,
        codec="h264",
        indexed_until=12.0,
        error="stopped",
        indexed_at=datetime(2026, 5, 6, tzinfo=UTC),
    )
    bare = Video(video_id="b", path="/b")
    tables.publish(videos=[full, bare])
    assert sorted(tables.videos(), key=lambda row: row.video_id) == [full, bare]


def test_frames_count_when_their_segment_is_published(tables: Tables) -> None:
    written, row = write(tables, "a")
    tables.publish(written)
    assert count(tables) == 10
    assert visible(tables) == {}
    tables.publish(videos=[replace(row, segments=[])])
    assert visible(tables) == {"a": []}
    tables.publish(videos=[row])
    assert visible(tables) == {"a": whole()}
    tables.publish(removed=["a"])
    assert visible(tables) == {}
    assert count(tables) == 10


def test_publish_replaces_adds_and_removes_at_once(tables: Tables) -> None:
    for name in "abc":
        publish(tables, name)
    written, row = write(tables, "a", 4)
    more, new = write(tables, "d", 5)
    before = tables.versions()[0]
    tables.publish([*written, *more], [row, new, replace(new, frames=5)], removed=["b", "unknown"])
    assert tables.versions()[0] == before + 1
    assert visible(tables) == {"a": whole(4), "c": whole(), "d": whole(5)}
    assert {row.video_id: row.frames for row in tables.videos()} == {"a": 4, "c": 10, "d": 5}


def test_publishing_nothing_commits_nothing(tables: Tables) -> None:
    assert tables.publish()
    assert tables.versions() == (0, 0)


def test_a_transaction_happens_once(tables: Tables) -> None:
    written, row = write(tables, "a")
    assert tables.publish(written, [row], transaction=("stream", 7))
    after = tables.versions()
    again, other = write(tables, "a", 3)
    for number in (7, 6):
        assert not tables.publish(again, [other], transaction=("stream", number))
    assert tables.versions() == after
    assert visible(tables) == {"a": whole()}
    assert tables.publish(again, [other], transaction=("another stream", 7))
    assert visible(tables) == {"a": whole(3)}


def test_a_transaction_that_changes_nothing_is_remembered(tables: Tables) -> None:
    assert tables.publish(transaction=("stream", 0))
    assert tables.publish(removed=["unknown"], transaction=("stream", 1))
    for number in (0, 1):
        assert not tables.publish(transaction=("stream", number))
    maintenance.maintain(tables)
    assert not tables.publish(transaction=("stream", 1))


def test_publishers_at_once_lose_nothing(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "MIN_SMALL_FILES", 2)

    def work(name: str) -> None:
        own = Tables.open(tables.uri)
        for i in range(5):
            publish(own, f"{name}{i}")
        own.publish(removed=[f"{name}0"])

    def tidy() -> None:
        for _ in range(5):
            maintenance.tidy(Tables.open(tables.uri))

    with ThreadPoolExecutor(5) as pool:
        jobs = [pool.submit(work, name) for name in "abc"] + [pool.submit(tidy) for _ in range(2)]
        for job in jobs:
            job.result()
    assert visible(tables) == {f"{name}{i}": whole() for name in "abc" for i in range(1, 5)}
    assert count(tables) == 150


def test_one_transaction_by_many_at_once(tables: Tables) -> None:
    def work(_: int) -> bool:
        own = Tables.open(tables.uri)
        written, row = write(own, "a")
        return own.publish(written, [row], transaction=("stream", 1))

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(work, range(4))) == [False, False, False, True]
    assert visible(tables) == {"a": whole()}


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("publish"), st.sampled_from("abc"), st.integers(1, 5)),
            st.tuples(st.just("append"), st.sampled_from("abc"), st.integers(1, 5)),
            st.tuples(st.just("remove"), st.sampled_from("abc"), st.just(0)),
            st.tuples(st.sampled_from(["tidy", "maintain", "purge"]), st.just(""), st.just(0)),
        ),
        max_size=8,
    )
)
@settings(max_examples=10, deadline=None)
def test_upkeep_changes_nothing_that_counts(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int]]
) -> None:
    tables = Tables.create(tmp_path_factory.mktemp("a") / "a.framefind", FINGERPRINT)
    expected: dict[str, list[float]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(maintenance, "MIN_SMALL_FILES", 2)
        for what, name, frames in steps:
            if what == "publish":
                publish(tables, name, frames)
                expected[name] = whole(frames)
            elif what == "append":
                tables.publish(write(tables, name, frames)[0])
            elif what == "remove":
                tables.publish(removed=[name])
                expected.pop(name, None)
            else:
                getattr(maintenance, what)(tables)
            assert visible(tables) == expected
            assert count(tables) == _physical_rows(tables)
    maintenance.purge(tables)
    assert count(tables) == sum(map(len, expected.values()))


def _physical_rows(tables: Tables) -> int:
    paths = DeltaTable(tables.address("frames")).file_uris()
    return sum(pq.read_metadata(path).num_rows for path in paths)


# --- reading --------------------------------------------------------------------------------


def test_thumbnails(tables: Tables) -> None:
    rows = [publish(tables, name) for name in "abc"]
    wanted = [(row.video_id, row.segments[0], t) for row in rows for t in (0.0, 2.5)]
    unknown = [("a", rows[0].segments[0], 0.25), ("a", "x", 0.0), ("z", rows[0].segments[0], 0.0)]
    expected = [frame(*key).thumbnail for key in wanted]
    assert tables.thumbnails([*wanted, *unknown, wanted[0]]) == [
        *expected,
        *[None] * 3,
        expected[0],
    ]
    assert tables.thumbnails([]) == []


def test_plain_pyarrow_reads_the_files(tables: Tables) -> None:
    row = publish(tables, "a")
    publish(tables, "b")
    tables.publish(removed=["b"])
    videos, frames = (
        pq.read_table(DeltaTable(tables.address(name)).file_uris()).to_pylist()
        for name in ("videos", "frames")
    )
    assert [video["path"] for video in videos] == [row.path]
    counting = [frame for frame in frames if frame["segment"] in videos[0]["segments"]]
    assert [frame["t"] for frame in counting] == whole()
    assert len(frames) == 20


def test_files_without_statistics_are_read_too(tables: Tables) -> None:
    """As other writers may leave them."""
    row = publish(tables, "a")
    log = Path(tables.address("frames"), "_delta_log", f"{1:020}.json")
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    for line in lines:
        line.get("add", {}).pop("stats", None)
    log.write_text("\n".join(map(json.dumps, lines)))
    key = ("a", row.segments[0], 1.0)
    assert tables.thumbnails([key]) == [frame(*key).thumbnail]
    assert visible(tables) == {"a": whole()}
    maintenance.maintain(tables)


def test_a_library_behind_a_uri(tmp_path: Path) -> None:
    """The way of object stores: everything through the store's own client."""
    uri = (tmp_path / "a.framefind").as_uri()
    assert not Tables.exists(uri)
    Tables.create(uri, FINGERPRINT)
    tables = Tables.open(uri)
    row = publish(tables, "a")
    publish(tables, "b")
    tables.publish(removed=["b"])
    maintenance.purge(tables)
    assert visible(tables) == {"a": whole()}
    assert count(tables) == 10
    key = ("a", row.segments[0], 1.0)
    assert tables.thumbnails([key]) == [frame(*key).thumbnail]
    assert tables.versions() == latest_versions(tmp_path / "a.framefind")
    with pytest.raises(LibraryError, match="not a framefind library"):
        Tables.open(f"{uri}x")


# --- what goes wrong ------------------------------------------------------------------------


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Like a full disk: writing past `size` bytes of a file fails."""
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_no_room_for_a_data_file(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_files, "MAX_BUFFER_BYTES", 50_000)
    publish(tables, "a")
    before = sorted(Path(tables.address("frames")).iterdir())
    writer = tables.writer()
    rows = [frame("b", "s", i, size=10_000) for i in range(100)]
    with largest_file(200_000), pytest.raises(LibraryError, match="cannot write"):
        list(map(writer.add, rows))
    assert sorted(Path(tables.address("frames")).iterdir()) == before
    assert visible(tables) == {"a": whole()}


def test_no_room_for_a_commit(tables: Tables) -> None:
    publish(tables, "a")
    written, row = write(tables, "b")
    with largest_file(0), pytest.raises(LibraryError, match=r"cannot write.*nothing .* is lost"):
        tables.publish(written, [row])
    assert visible(tables) == {"a": whole()}
    tables.publish(written, [row])
    assert visible(tables) == {"a": whole(), "b": whole()}


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Takes away the right to write, from root as well."""
    everything = [folder, *folder.rglob("*")]
    for entry in everything:
        entry.chmod(0o555 if entry.is_dir() else 0o444)
    for parent in folder.parents:
        if parent.owner() == folder.owner() and parent != Path(parent.anchor):
            parent.chmod(parent.stat().st_mode | 0o055)
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)
        for entry in everything:
            entry.chmod(0o755 if entry.is_dir() else 0o644)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such rights")
def test_a_read_only_library_is_read_and_not_written(tables: Tables) -> None:
    row = publish(tables, "a")
    written, other = write(tables, "b")
    with read_only(Path(tables.uri)):
        assert visible(Tables.open(tables.uri)) == {"a": whole()}
        key = ("a", row.segments[0], 0.5)
        assert tables.thumbnails([key]) == [frame(*key).thumbnail]
        for attempt in (
            lambda: write(tables, "c"),
            lambda: tables.publish(written, [other]),
            lambda: tables.publish(removed=["a"]),
            lambda: maintenance.maintain(tables),
            lambda: Tables.create(f"{tables.uri}/b", FINGERPRINT),
            lambda: lock(f"{tables.uri}/b").__enter__(),
        ):
            with pytest.raises(LibraryError, match=r"cannot write.*choose another library"):
                attempt()
    assert visible(tables) == {"a": whole()}


# --- killed at any moment -------------------------------------------------------------------

_KILLED = """
import os, random, signal, sys, time
import deltalake, pyarrow.compute, pyarrow.parquet  # before the fork: it saves most of the time
from framefind.tables import data_files, maintenance
from framefind.tables.tables import Tables
from rows import frame, publish, write
uri, acknowledged, kills, seed = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
data_files.MAX_BUFFER_BYTES, maintenance.MIN_SMALL_FILES = 1, 3
random.seed(seed)
data_files.as_table([frame("a", "s", 0.0)])  # likewise

def work(life):
    tables = Tables.open(uri)
    done = os.open(acknowledged, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for i in range(10**6):
        written, a = write(tables, f"{life}-{i}-a", 4)
        more, b = write(tables, f"{life}-{i}-b", 6)
        tables.publish(written + more, [a, b], transaction=("app", life * 10**6 + i))
        os.write(done, f"{a.video_id} 4\\n{b.video_id} 6\\n".encode())
        if i % 3 == 2:
            maintenance.tidy(tables)
        if i % 4 == 3:
            maintenance.maintain(tables)

for life in range(kills):
    child = os.fork()
    if not child:
        try:
            work(life)
        except BaseException as error:
            os.write(2, repr(error).encode())
        os._exit(1)
    size = os.path.getsize(acknowledged)
    while life % 2 and os.path.getsize(acknowledged) == size:
        time.sleep(0.001)
    time.sleep(random.uniform(0, 0.3))
    os.kill(child, signal.SIGKILL)
    if os.waitpid(child, 0)[1] != signal.SIGKILL:
        sys.exit("the writer ended before it was killed")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_killed_at_any_moment(tables: Tables, tmp_path: Path) -> None:
    acknowledged = tmp_path / "acknowledged"
    acknowledged.touch()
    subprocess.run(
        [sys.executable, "-c", _KILLED, tables.uri, str(acknowledged), "15", "0"],
        check=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)},
    )
    promised = {
        name: whole(int(frames))
        for name, frames in (line.split() for line in acknowledged.read_text().splitlines())
    }
    assert promised
    opened = Tables.open(tables.uri)
    found = visible(opened)
    assert found.items() >= promised.items()
    assert all(times == whole({"a": 4, "b": 6}[name[-1]]) for name, times in found.items())
    assert all(f"{name[:-1]}{other}" in found for name in found for other in "ab")
    publish(opened, "next")
    maintenance.purge(opened)
    assert visible(opened) == found | {"next": whole()}
    assert count(opened) == sum(map(len, found.values())) + 10
    frames = Path(opened.address("frames"))
    assert {path.name for path in frames.glob("*.parquet*")} == set(opened.frame_files())
