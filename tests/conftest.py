"""Clips, libraries and helpers that many tests share."""

import own_cores  # isort: split

import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import partial
from itertools import permutations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

import framefind
import stores
from framefind.files import config
from framefind.tables.tables import Tables
from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler

settings.register_profile(  # a busy machine is no failure
    "framefind", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("framefind")

LONG = {"server", "end_to_end", "indexing", "spark"}
"""Folders whose files take longest: begun last, one of them would keep the others waiting."""

Picture = NDArray[np.uint8]
FPS = 5


def pytest_configure(config: pytest.Config) -> None:
    """Have pytest-xdist take the files in our order, not those of many tests first."""
    if config.pluginmanager.has_plugin("xdist"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In several processes, run the files first that take longest."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not LONG & {*item.path.parts})


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or writes the user's own caches and libraries."""
    folder = tmp_path_factory.mktemp("user")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "HOME"):
            patch.setenv(name, str(folder / name.lower()))
        patch.delenv("FRAMEFIND_LIBRARY", raising=False)
        # Java for Spark lives too briefly to earn back what its better compiler costs.
        patch.setenv("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC")
        yield


@pytest.fixture(autouse=True)
def own_settings() -> Iterator[None]:
    """No test leaves settings to the next: `watch FOLDER` keeps the folder in the user's file."""
    yield
    config.config_file().unlink(missing_ok=True)


@pytest.fixture
def no_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read no words, which tests of anything else need not wait for; `read` brings them back."""
    monkeypatch.setenv("FRAMEFIND_READ", "none")


@pytest.fixture
def every_core() -> Iterator[None]:
    """Use every core, as framefind does elsewhere: the decoders of a run work side by side."""
    with own_cores.every_core():
        yield


def scene(seed: int, width: int = 160, height: int = 120) -> Picture:
    """A picture of soft coloured blobs, another one for every seed: uint8 (height, width, 3)."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), np.uint8)
    frame = av.VideoFrame.from_ndarray(coarse, format="rgb24")
    return frame.reformat(width, height, "rgb24", interpolation="BILINEAR").to_ndarray()


def write_clip(path: Path, scenes: Sequence[Picture | int], seconds: float = 2.0) -> Path:
    """Write an MP4 that shows each scene (a picture, or its seed) for so many seconds."""
    pictures = [scene(one) if isinstance(one, int) else one for one in scenes]
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(FPS))
        stream.height, stream.width = pictures[0].shape[:2]
        stream.options = {"flags": "+qscale+bitexact", "global_quality": "236"}
        stream.gop_size = round(seconds * FPS)  # every scene begins with a keyframe
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            for _ in range(round(seconds * FPS)):
                frame.pts = None
                container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of four clips: `a.mp4` (6 s), `b.mp4` (4 s), `c.mp4` (2 s), `deep/d.mp4` (10 s).

    For reading only: `copied_clips` may be changed. `c.mp4` repeats the first scene of `a.mp4`.
    """
    folder = tmp_path_factory.mktemp("clips")
    write_clip(folder / "a.mp4", [1, 2, 3])
    write_clip(folder / "b.mp4", [4, 5])
    write_clip(folder / "c.mp4", [1])
    write_clip(folder / "deep" / "d.mp4", [6, 7, 8, 9, 10])
    return folder


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty clips of 20 s, `00.mp4` and so on, which take seconds to index. For reading only.

    They show the same, but each is another video, by its last byte.
    """
    folder = tmp_path_factory.mktemp("films") / "many"
    content = write_clip(folder / "00.mp4", [0, 100], seconds=10).read_bytes()
    for number in range(1, 40):
        (folder / f"{number:02}.mp4").write_bytes(content + b"\0\0\0\x09free%c" % number)
    return folder


@pytest.fixture
def copied_clips(clips: Path, tmp_path: Path) -> Path:
    """The same clips in a folder of the test's own."""
    return Path(shutil.copytree(clips, tmp_path / "clips"))


@pytest.fixture(scope="session")
def shared_library(clips: Path, tmp_path_factory: pytest.TempPathFactory) -> framefind.Library:
    """The clips, indexed. For reading only: `library` may be changed."""
    library = framefind.open(tmp_path_factory.mktemp("shared") / "shared.framefind")
    report = library.index(clips)
    assert len(report.indexed) == 4
    return library


@pytest.fixture(scope="session")
def sequences(tmp_path_factory: pytest.TempPathFactory) -> framefind.Library:
    """Three films that show some photographs one after the other. For reading only."""
    data = pytest.importorskip("skimage.data")
    folder = tmp_path_factory.mktemp("sequences")
    cat, woman, rocket = (
        picture[:300, :400] for picture in (data.chelsea(), data.astronaut(), data.rocket())
    )
    films = {"a": [cat, woman], "b": [rocket, cat, woman], "c": [woman, rocket]}
    for name, scenes in films.items():
        write_clip(folder / "films" / f"{name}.mp4", scenes, seconds=6.0)
    library = framefind.open(folder / "sequences.framefind")
    library.index(folder / "films")
    return library


@pytest.fixture(scope="session")
def followed_by(sequences: framefind.Library) -> tuple[str, str]:
    """Two things of which, by the model at hand, the second follows the first somewhere."""
    things = "a cat", "an astronaut", "a rocket"
    for one, other in permutations(things, 2):
        if len(sequences.search(one, then=other, within=5)) > 1:
            return one, other
    pytest.fail(f"none of {things} follows another by this model: name things that do")


@pytest.fixture
def library(shared_library: framefind.Library, tmp_path: Path) -> framefind.Library:
    """A copy of the indexed library of the test's own."""
    return framefind.open(shutil.copytree(shared_library.uri, tmp_path / "own.framefind"))


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A Spark session of two slots."""
    pytest.importorskip("pyspark")
    from framefind.spark import session

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONWARNINGS", "ignore::FutureWarning")
        small = {"spark.driver.memory": "512m", "spark.sql.shuffle.partitions": "2"}
        opened = session("local[2]", **small)
        yield opened
        opened.stop()


@pytest.fixture(scope="session")
def store_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An S3 server; gives its log."""
    with stores.serving(tmp_path_factory.mktemp("store")) as log:
        yield log


@pytest.fixture
def bucket(store_log: Path) -> stores.Bucket:
    """A new bucket of an S3 server on this computer."""
    made = stores.Bucket(f"s3://b{secrets.token_hex(6)}", store_log)
    made.files.mkdir(made.uri)
    return made


REAL = Path(__file__).parents[2] / "shared" / "data" / "videos" / "scenes"


@pytest.fixture(scope="session")
def frames(tmp_path_factory: pytest.TempPathFactory) -> list[SimpleNamespace]:
    """At least 50 frames: the full picture, and 224 pixels of the whole and of the middle square.

    The latter two as the decoder makes them for views: in one pass from the decoded picture.
    """
    folder = REAL if REAL.is_dir() else _patterned(tmp_path_factory.mktemp("frames"))
    found = []
    for path in sorted(folder.rglob("*.mp4")):
        with Video(path) as video:
            for frame in video.frames(parse_sampler("count=1")):
                full = frame.scale(frame.width, frame.height)
                scale = partial(frame.scale, resize="bicubic")
                whole = scale(224, 224)
                factor = 224 / min(frame.width, frame.height)
                width = max(224, int(frame.width * factor))
                height = max(224, int(frame.height * factor))
                left, top = (width - 224) // 2, (height - 224) // 2
                middle = scale(width, height)[top : top + 224, left : left + 224]
                found.append(SimpleNamespace(full=full, whole=whole, middle=middle))
    assert len(found) >= 50
    return found


def _patterned(folder: Path) -> Path:
    """Short clips of blobs with a fine pattern over them, which a wrong resize changes."""
    for seed in range(60):
        width, height = (480, 270) if seed % 3 else (320, 400)
        picture = scene(seed, width, height)
        picture[:: 2 + seed % 5, :: 2 + seed % 3] //= 2
        write_clip(folder / f"{seed}.mp4", [picture], seconds=0.2)
    return folder


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once anything imports a module from the working directory."""
    folder = tmp_path / "planted"
    said = tmp_path / "imported"
    folder.mkdir()
    for name in ("numpy", "av", "onnxruntime", "faiss", "PIL", "json", "threading", "framefind"):
        code = f"import sys\nopen({str(said)!r}, 'a').write({name!r} + str(sys.argv) + '\\n')\n"
        (folder / f"{name}.py").write_text(code, "utf-8")
    monkeypatch.chdir(folder)
    return said


Shown = dict[str, tuple[str, list[tuple[float, bytes | None, NDArray[np.float32]]]]]


def content(library: framefind.Library | str | os.PathLike[str]) -> Shown:
    """What counts in a library, read from its tables: per path the video's id and its frames.

    A frame is its time, its thumbnail and its vectors, float32 (views, dimensions).
    """
    tables = Tables.open(library.uri if isinstance(library, framefind.Library) else library)
    owner = {segment: video for video in tables.videos() for segment in video.segments}
    shown: Shown = {video.path: (video.video_id, []) for video in tables.videos()}
    keys = []
    vectors = []
    for file in tables.frame_files():
        for batch in tables.read_frames(file, owner.keys()):
            for row in batch.to_pylist():
                keys.append((row["video_id"], row["segment"], row["t"]))
                vectors.append(np.array(row["embeddings"], np.float32))
    for key, thumbnail, vector in zip(keys, tables.thumbnails(keys), vectors, strict=True):
        assert owner[key[1]].video_id == key[0]
        shown[owner[key[1]].path][1].append((key[2], thumbnail, vector))
    for _, frames in shown.values():
        frames.sort(key=lambda frame: frame[0])
    for video in tables.videos():
        assert video.frames == len(shown[video.path][1])
    return shown


def assert_same(one: Shown, other: Shown) -> None:
    """Same videos, ids, times, thumbnails and vectors, up to how batches round them."""
    assert one.keys() == other.keys()
    for path, (video_id, frames) in one.items():
        assert other[path][0] == video_id
        assert [frame[:2] for frame in other[path][1]] == [frame[:2] for frame in frames]
        for (_, _, expected), (_, _, found) in zip(frames, other[path][1], strict=True):
            np.testing.assert_allclose(found, expected, atol=2e-3)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Callable[[object, str], list[tuple[object, ...]]]:
    """Record the calls of a method: `calls(owner, "name")` gives their arguments, as they come."""

    def record(owner: object, name: str) -> list[tuple[object, ...]]:
        seen: list[tuple[object, ...]] = []
        original = getattr(owner, name)

        def recorded(*args: object, **kwargs: object) -> object:
            seen.append(args)
            return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, recorded)
        return seen

    return record
