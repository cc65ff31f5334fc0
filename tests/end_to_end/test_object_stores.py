"""Libraries and videos in an object store, against a real S3 server on this computer."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import framefind
from conftest import Shown, assert_same, content, write_clip
from framefind.errors import LibraryError, StoreError
from framefind.tables.tables import Tables
from framefind.types import Video
from stores import Bucket
from terminal import run, run_alone

pytestmark = pytest.mark.usefixtures("no_words")

Library = framefind.Library


def below(shown: Shown, root: str) -> Shown:
    """What a library shows, by the path below a folder."""
    return {path.removeprefix(f"{root}/"): video for path, video in shown.items()}


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of a minute and about 15 MB with a keyframe every two seconds and sound."""
    path = tmp_path_factory.mktemp("long") / "film.mp4"
    rng = np.random.default_rng(0)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(10))
        stream.width = 320
        stream.height = 240
        stream.pix_fmt = "yuv420p"
        stream.options = {"g": "20", "crf": "2", "preset": "ultrafast", "sc_threshold": "0"}
        stream.codec_context.thread_count = 1  # else its size depends on the number of cores
        sound = container.add_stream("aac", rate=8000)
        for second in range(60):
            for _ in range(10):
                picture = rng.integers(0, 256, (60, 80, 3), np.uint8).repeat(4, 0).repeat(4, 1)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
            noise = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
            noise.sample_rate = 8000
            noise.pts = 8000 * second
            container.mux(sound.encode(noise))
        container.mux(stream.encode(None))
        container.mux(sound.encode(None))
    assert path.stat().st_size > 10_000_000
    return path


class TestLibrary:
    def test_remote_videos_in_a_remote_library_are_those_of_a_disk(
        self, bucket: Bucket, clips: Path, shared_library: Library
    ) -> None:
        videos = bucket.fill(clips, "my videos")
        library = framefind.open(f"{bucket.uri}/trip.framefind")
        assert not library.exists
        report = library.index(videos)
        assert (len(report.indexed), report.failed, report.frames) == (4, {}, 22)
        assert_same(
            below(content(library), videos), below(content(shared_library), str(clips.resolve()))
        )
        names = [os.path.basename(moment.path) for moment in shared_library.search("a cat")]
        found = library.search("a cat")
        assert [os.path.basename(moment.path) for moment in found] == names
        assert all(library.thumbnails(found.moments))
        np.testing.assert_array_equal(
            library.frame(f"{videos}/b.mp4", 2.5), framefind.frame(clips / "b.mp4", 2.5)
        )
        status = library.status()
        assert status.videos == {"indexed": 4}
        assert status.index_fresh
        assert status.size > 10_000
        assert library.search("a cat", video=f"{videos}/deep").total == 1
        assert library.remove([f"{videos}/a.mp4"]) == [f"{videos}/a.mp4"]
        assert library.maintain().deleted == 0
        assert len(library.videos()) == 3

    def test_the_index_is_in_the_cache_and_grows(
        self, bucket: Bucket, clips: Path, tmp_path: Path
    ) -> None:
        uri = f"{bucket.uri}/grown"
        library = framefind.open(uri)
        library.index(clips / "a.mp4", views="whole")
        (first,) = Tables(uri).frame_files()
        elsewhere = str(tmp_path / "cache")
        new = str(write_clip(tmp_path / "new.mp4", [20]))
        assert run_alone("index", new, "--library", uri, XDG_CACHE_HOME=elsewhere).returncode == 0
        bucket.requests("")
        assert {moment.path for moment in library.search("a cat")} == {
            str((clips / "a.mp4").resolve()),
            new,
        }
        assert bucket.requests(f"grown/frames/{first}") == []
        assert not Path(bucket.uri).exists()
        assert (Path(elsewhere) / "framefind" / "index").is_dir()

    def test_a_local_library_of_both(self, bucket: Bucket, clips: Path, tmp_path: Path) -> None:
        uri = bucket.put("b.mp4", (clips / "b.mp4").read_bytes())
        library = framefind.open(tmp_path / "mixed.framefind")
        report = library.index([clips / "a.mp4", uri, (clips / "c.mp4").as_uri()], views="whole")
        assert sorted(map(os.path.basename, report.indexed)) == ["a.mp4", "b.mp4", "c.mp4"]
        assert library.index(["s3a" + uri[2:], str(clips)], views="whole").unchanged == 3
        shutil.copy(clips / "b.mp4", tmp_path / "copy.mp4")
        assert library.index(tmp_path / "copy.mp4", views="whole").copied

    def test_writers_side_by_side_lose_nothing(self, bucket: Bucket) -> None:
        tables = Tables.create(f"{bucket.uri}/busy", {"model": "m", "dimensions": "2"})

        def publish(writer: int) -> None:
            for at in range(3):
                row = Video(video_id=f"{writer}-{at}", path=f"/{writer}/{at}", status="indexed")
                Tables(tables.uri).publish([], [row])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(publish, range(4)))
        assert len(tables.videos()) == 12

    def test_two_first_runs_at_once(self, bucket: Bucket, clips: Path) -> None:
        libraries = [framefind.open(f"{bucket.uri}/first") for _ in range(2)]
        paths = [clips / "b.mp4", clips / "c.mp4"]
        with ThreadPoolExecutor(2) as pool:
            reports = list(pool.map(lambda library, path: library.index(path), libraries, paths))
        assert [len(report.indexed) for report in reports] == [1, 1]
        assert {os.path.basename(row.path) for row in libraries[0].videos()} == {"b.mp4", "c.mp4"}

    def test_a_store_that_cannot_be_reached_is_an_error(
        self, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(LibraryError, match=r"framefind index.*makes one"):
            framefind.open(f"{bucket.uri}/nothing").search("a cat")
        with pytest.raises(StoreError, match=r"hdfs://x/y: unknown kind of store"):
            framefind.open("hdfs://x/y")


class TestWalk:
    def test_what_is_indexed(self, bucket: Bucket, clips: Path) -> None:
        clip = (clips / "c.mp4").read_bytes()
        for seed, key in enumerate(["a.mp4", "sub/b.mp4", ".trash/c.mp4", "sub/.d.mp4", "e.bin"]):
            bucket.put(f"v/{key}", clip + bytes(seed + 1))
        bucket.put("v/sub/", b"")  # what consoles make for a folder
        bucket.put("v/readme.txt", b"hello\n" * 99)
        bucket.put("v/list.m3u8", b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n")
        Tables.create(f"{bucket.uri}/v/sub/old.framefind", {"model": "m", "dimensions": "2"})
        library = framefind.open(f"{bucket.uri}/l.framefind")
        report = library.index(f"{bucket.uri}/v/", views="whole", sampler="count=1")
        names = [path.removeprefix(f"{bucket.uri}/v/") for path in report.indexed]
        assert sorted(names) == ["a.mp4", "e.bin", "sub/b.mp4"]
        assert (report.passed_over, report.failed) == (2, {})
        (why,) = library.index(f"{bucket.uri}/v/sub/old.framefind").failed.values()
        assert "this is a library" in why

    def test_patterns(self, bucket: Bucket, clips: Path) -> None:
        videos = bucket.fill(clips, "v")
        library = framefind.open(f"{bucket.uri}/l")
        chosen = {"views": "whole", "sampler": "count=1"}
        report = library.index(videos, glob=["*.mp4"], exclude=["deep/*", "b.*"], **chosen)
        assert sorted(report.indexed) == [f"{videos}/a.mp4", f"{videos}/c.mp4"]

    def test_a_second_run_opens_nothing(self, bucket: Bucket, clips: Path) -> None:
        videos = bucket.fill(clips, "v")
        bucket.put("v/readme.txt", b"hello\n" * 99)
        library = framefind.open(f"{bucket.uri}/l")
        library.index(videos, sampler="count=1")
        bucket.requests("")
        report = library.index(videos, sampler="count=1")
        assert (report.unchanged, report.passed_over, report.frames) == (4, 1, 0)
        assert bucket.requests("v/") == []

    def test_moved_and_copied_objects_are_not_decoded(self, bucket: Bucket, clips: Path) -> None:
        videos = bucket.fill(clips, "v")
        library = framefind.open(f"{bucket.uri}/l")
        library.index(videos, sampler="count=1")
        bucket.files.mv(f"{videos}/a.mp4", f"{videos}/new name.mp4")
        bucket.files.copy(f"{videos}/b.mp4", f"{bucket.uri}/b again.mp4")
        report = library.index([videos, f"{bucket.uri}/b again.mp4"], sampler="count=1")
        assert report.moved == [f"{videos}/new name.mp4"]
        assert report.copied == [f"{bucket.uri}/b again.mp4"]
        assert (report.unchanged, report.frames, report.missing) == (3, 0, [])
        bucket.files.rm(f"{videos}/c.mp4")
        assert library.index(videos, sampler="count=1").missing == [f"{videos}/c.mp4"]
        assert library.prune() == [f"{videos}/c.mp4"]

    def test_nothing_is_pruned_while_the_store_cannot_be_asked(
        self, bucket: Bucket, clips: Path, tmp_path: Path
    ) -> None:
        uri = bucket.put("c.mp4", (clips / "c.mp4").read_bytes())
        library = framefind.open(tmp_path / "l")
        library.index(uri, views="whole")
        with bucket.closed("c.mp4"):
            assert library.prune() == []
        done = run_alone("prune", "--library", library.uri, AWS_ENDPOINT_URL="http://127.0.0.1:9")
        assert done.returncode == 1
        assert uri in done.stderr
        assert [row.path for row in library.videos()] == [uri]


class TestFailures:
    def test_each_is_named_and_stops_nothing(self, bucket: Bucket, clips: Path) -> None:
        clip = (clips / "a.mp4").read_bytes()
        uris = {
            "truncated.mp4": bucket.put("v/truncated.mp4", clip[: len(clip) // 2]),
            "secret.forbidden": bucket.put("v/secret.forbidden", clip),
            "gone.vanishing": bucket.put("v/gone.vanishing", clip),
            "fine.mp4": bucket.put("v/fine.mp4", clip),
        }
        library = framefind.open(f"{bucket.uri}/l")
        missing = [f"{bucket.uri}/nothing.mp4", "s3://no-such-bucket-here/v"]
        report = library.index([f"{bucket.uri}/v", *missing], views="whole")
        assert report.indexed == [uris["fine.mp4"]]
        failed = report.failed
        assert failed.keys() == {*uris.values(), *missing} - {uris["fine.mp4"]}
        assert "access is refused" in failed[uris["secret.forbidden"]]
        assert failed[uris["gone.vanishing"]] == "there is no such object"
        assert failed[missing[0]] == "there is no such object"
        assert failed[missing[1]] == "there is no such bucket"
        # What the store does not give is asked for again; what it gave and is broken is not.
        again = library.index(f"{bucket.uri}/v", views="whole")
        assert again.failed.keys() == {uris["secret.forbidden"], uris["gone.vanishing"]}
        assert (again.unchanged, again.failed_before) == (1, 1)

    def test_a_video_that_breaks_off_goes_on_with_the_next_run(
        self, bucket: Bucket, film: Path, tmp_path: Path
    ) -> None:
        uri = bucket.put("v/film.mp4", film.read_bytes())
        chosen = {"views": "whole", "sampler": "every=2"}
        library = framefind.open(tmp_path / "l")
        local = framefind.open(tmp_path / "local")
        framefind.open(tmp_path / "whole").index(uri, **chosen)
        sent = sum(size for method, size in bucket.requests("v/film.mp4") if method == "GET")
        with bucket.closed("film.mp4", after=int(0.8 * sent)):
            report = library.index(uri, **chosen)
        assert "access is refused" in report.failed[uri]
        (row,) = library.videos()
        assert row.status == "indexing"
        assert 0 < row.frames < 30
        report = library.index(uri, **chosen)
        assert report.indexed == [uri]
        assert report.frames == 30 - row.frames
        local.index(film, **chosen)
        remote = below(content(library), f"{bucket.uri}/v")
        assert_same(remote, below(content(local), str(film.parent)))

    def test_a_missing_package_is_an_error_that_says_what_to_install(self, tmp_path: Path) -> None:
        (tmp_path / "s3fs.py").write_text("raise ImportError('no s3fs')")
        path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = run_alone("index", "s3://b/v", "--library", str(tmp_path / "l"), PYTHONPATH=path)
        assert done.returncode == 1
        assert "pip install 'framefind[s3]'" in done.stderr


class TestBytes:
    @pytest.mark.parametrize(
        ("kind", "sampler", "most"),
        [
            ("mp4", "count=3", 0.15),
            ("mp4", "keyframes", 0.2),
            ("mp4", "every=10", 0.2),
            ("mkv", "keyframes", 0.25),
        ],
    )
    def test_a_long_film_is_not_read_whole(
        self, bucket: Bucket, film: Path, tmp_path: Path, kind: str, sampler: str, most: float
    ) -> None:
        if kind == "mkv":
            film = _copied(film, tmp_path / "film.mkv")
        size = film.stat().st_size
        uri = bucket.put(f"v/film.{kind}", film.read_bytes())
        library = framefind.open(tmp_path / "l")
        local = framefind.open(tmp_path / "local")
        bucket.requests("")
        library.index(uri, views="whole", sampler=sampler)
        read = sum(size for method, size in bucket.requests("v/") if method == "GET")
        print(f"{kind} {sampler}: {read} of {size} bytes")
        local.index(film, views="whole", sampler=sampler)
        remote = below(content(library), f"{bucket.uri}/v")
        assert_same(remote, below(content(local), str(film.parent)))
        assert read - 3 * 2**20 < most * size, f"{read} of {size} bytes"  # 3 MiB tell its identity


def _copied(film: Path, target: Path) -> Path:
    with av.open(film) as source, av.open(target, "w") as made:
        stream = source.streams.video[0]
        into = made.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.size:
                packet.stream = into
                made.mux(packet)
    return target


def test_the_command_line(bucket: Bucket, clips: Path, tmp_path: Path) -> None:
    videos = bucket.fill(clips, "v")
    bucket.put("v/secret.forbidden", b"x")
    uri = f"{bucket.uri}/trip.framefind"
    done = run_alone("index", videos, str(clips / "a.mp4"), "--library", uri, "--count", "2")
    assert done.returncode == 3
    assert f"{videos}/secret.forbidden" in done.stderr
    done = run("search", "a cat", "--video", "*d.mp4", "--open", "--library", uri)
    assert done.returncode == 1
    assert "framefind serve --open" in done.stderr
    for command in (
        ["search", "a cat", "--video", f"{videos}/deep", "--sheet", str(tmp_path / "s.jpg")],
        ["doctor"],
        ["remove", f"{videos}/b.mp4"],
    ):
        done = run(*command, "--library", uri)
        assert done.returncode == 0, done.stderr
    assert run("videos", "--library", uri).stdout.count("\n") == 3


def test_local_runs_import_no_fsspec(shared_library: Library) -> None:
    script = (
        "import sys, framefind\n"
        f"framefind.open({shared_library.uri!r}).search('a cat')\n"
        "print(*{'fsspec', 's3fs'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "\n")
