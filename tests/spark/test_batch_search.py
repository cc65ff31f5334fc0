"""A batch search by Spark: the pages of a local one."""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from deltalake import Field

import framefind
from conftest import content, write_clip
from framefind import Library, Query, QueryError
from framefind.errors import LibraryError
from framefind.tables.rows import CueRow, FrameRow, new_segment
from framefind.tables.schema import CUES, FRAMES, VIDEOS
from framefind.tables.tables import Tables
from framefind.types import Cue, Page, Video
from framefind.video.views import WHOLE
from rows import publish
from stores import Bucket

pytest.importorskip("pyspark")

from framefind.spark import batch_search as searching
from framefind.spark import search
from framefind.spark import tables as published

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TEXTS = ["a dog", "red and green", "a man rides a bicycle", "blurred colours", "blorptang", "snow"]
CHOICES: list[dict[str, Any]] = [
    {},
    {"limit": 2, "offset": 3},
    {"limit": 999},
    {"by": "video"},
    {"by": "video", "rank": "sum", "limit": 3, "offset": 1},
    {"by": "video", "rank": "max", "limit": 2},
    {"video": "*1*.mp4", "start": 1.0, "end": 5.5},
    {"min_duration": 3.0, "max_duration": 9.0, "limit": 99},
    {"min_confidence": 0.3, "limit": 99},
    {"min_score": 5.0, "limit": 99},
    {"then": "blurred colours", "within": 4.0, "limit": 30},
    {"then": "snow", "min_confidence": 1e-4, "offset": 1},
    {"minus": ["green"], "plus": ["2:a house"]},
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library of 40 made-up videos in many data files, with ties, and rows that do not count."""
    folder = tmp_path_factory.mktemp("made")
    clip = write_clip(folder / "clips" / "one.mp4", [1])
    library = framefind.open(folder / "l.framefind")
    library.index(clip)
    tables = Tables.open(library.uri)
    rng = np.random.default_rng(7)
    texts = framefind.models.load("mini").embed_texts(TEXTS)
    for at in range(40):
        write(tables, rng, at, texts[at % len(TEXTS)] if at % 3 else texts[0])
    copy(tables, "v05", "/again/v05.mp4")  # each of its moments is tied with one of another's
    tables.publish(removed=["v07"])
    files, _ = unpublished(tables, rng, "never", texts[0], 5)
    tables.publish(files)
    replaced = next(video for video in tables.videos() if video.video_id == "v08")
    files, row = unpublished(tables, rng, "v08", texts[1], 9)
    tables.publish(files, [row])
    assert replaced.segments != row.segments
    return library


def unpublished(
    tables: Tables, rng: np.random.Generator, name: str, near: np.ndarray, frames: int
) -> tuple[list[Any], Video]:
    """A video near a vector, of two segments, in a data file each; with one to three views."""
    segments = [new_segment(), new_segment()]
    files = []
    for part, segment in enumerate(segments):
        with tables.writer() as writer:
            for i in range(part, frames, 2):  # in turn, so that their times interleave
                vectors = 0.5 * near + 0.06 * rng.standard_normal((1 + i % 3, len(near)))
                vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
                row = FrameRow(name, segment, i / 2, b"jpeg", [WHOLE] * (1 + i % 3), vectors)
                writer.add(row)
            files += writer.close()
    row = Video(video_id=name, path=f"/{name[1:]}/{name}.mp4", frames=frames, segments=segments)
    row.duration = frames / 2 if len(name) % 2 else None
    return files, row


def write(tables: Tables, rng: np.random.Generator, at: int, near: np.ndarray) -> None:
    files, row = unpublished(tables, rng, f"v{at:02}", near, 3 + at)
    tables.publish(files, [row])


def copy(tables: Tables, name: str, path: str) -> None:
    """Publish the frames of a video as those of another one."""
    video = next(row for row in tables.videos() if row.video_id == name)
    segment = new_segment()
    with tables.writer() as writer:
        for file in tables.frame_files():
            for batch in tables.read_frames(file, video.segments):
                for row in batch.to_pylist():
                    vectors = np.array(row["embeddings"], np.float32)
                    writer.add(FrameRow("tied", segment, row["t"], b"", row["boxes"], vectors))
        files = writer.close()
    twin = Video(video_id="tied", path=path, frames=video.frames, segments=[segment])
    tables.publish(files, [twin])


def pages(spark: "SparkSession", library: Library, queries: Sequence[str | Query]) -> list[Any]:
    """What Spark finds, in the form of `expected`."""
    rows = [row.asDict(recursive=True) for row in search(spark, library, queries).collect()]
    found: list[Any] = [[] for _ in queries]
    for at, own in groupby(rows, lambda row: row.pop("query")):
        for row in own:
            asked = queries[at]
            assert row.pop("text") == (asked if isinstance(asked, str) else asked.text)
            found[at].append(row)
    return found


def expected(page: Page, offset: int) -> list[dict[str, Any]]:
    if page.videos is None:
        moments = enumerate(page.moments, offset + 1)
        return [{**shown(moment), "rank": rank, "video_score": None} for rank, moment in moments]
    return [
        {**shown(moment), "rank": rank, "video_score": video.score}
        for rank, video in enumerate(page.videos, offset + 1)
        for moment in video.moments
    ]


def shown(moment: framefind.Moment) -> dict[str, Any]:
    row = {**asdict(moment), "box": list(moment.box)}
    del row["why"]  # which Spark does not tell
    return row


@pytest.fixture(params=[100, 1 << 14], ids=lambda frames: f"{frames} frames a share")
def share(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(searching, "MAX_SHARE_FRAMES", request.param)
    return request.param


def test_every_query_gets_its_local_page(spark: "SparkSession", made: Library, share: int) -> None:
    queries = [Query(text, **choice) for choice in CHOICES for text in TEXTS]
    queries += [Query(image=f"v04.mp4@{at}", plus=["2:snow"], min_confidence=0.2) for at in (1, 2)]
    local = list(made.search_batch(queries))
    wanted = [expected(page, query.offset) for page, query in zip(local, queries, strict=True)]
    assert pages(spark, made, queries) == wanted
    assert sum(map(len, wanted)) > 500


def test_texts_alone_are_queries(spark: "SparkSession", made: Library) -> None:
    found = pages(spark, made, TEXTS[:2])
    assert found == [expected(page, 0) for page in made.search_batch(TEXTS[:2])]


@pytest.mark.parametrize(
    "query",
    [
        Query(" "),
        Query(),
        Query("a", by="frame"),
        Query("a", by="video", rank="mean"),
        Query("a", limit=0),
        Query("a", video="nothing"),
        Query("a", by="video", then="b"),
    ],
    ids=repr,
)
def test_what_is_no_query_is_refused_at_once(
    spark: "SparkSession", made: Library, query: Query
) -> None:
    with pytest.raises(QueryError):
        search(spark, made, ["a dog", query])


def test_a_library_of_nothing(spark: "SparkSession", tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="not a framefind library"):
        search(spark, tmp_path / "none.framefind", ["a dog"])
    Tables.create(tmp_path / "l.framefind", framefind.models.load("mini").fingerprint)
    assert search(spark, tmp_path / "l.framefind", ["a dog"]).collect() == []
    assert [table.count() for table in published(spark, tmp_path / "l.framefind")] == [0, 0, 0]


def test_shares_read_only_what_holds_their_segments(
    spark: "SparkSession", made: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MAX_SHARE_FRAMES", 100)
    tables = Tables.open(made.uri)
    shares = searching.deal_videos(spark, tables)
    videos = [video.video_id for share in shares for video in share.videos]
    assert sorted(videos) == sorted(row.video_id for row in tables.videos() if row.segments)
    frames = {row.video_id: row.frames for row in tables.videos()}
    for share in shares:
        segments = sorted(name for names in share.files.values() for name in names)
        assert segments == sorted(name for video in share.videos for name in video.segments)
        assert sum(frames[video.video_id] for video in share.videos) <= 100


def test_the_tables_in_sql(spark: "SparkSession", made: Library) -> None:
    videos, frames, _ = published(spark, made)
    videos.createOrReplaceTempView("videos")
    frames.createOrReplaceTempView("frames")
    rows = spark.sql(
        "SELECT path, count(*) AS n, min(size(embeddings)) AS views, max(t) AS last "
        "FROM videos JOIN frames USING (video_id) GROUP BY path ORDER BY path"
    ).collect()
    local = content(made)
    assert [row["path"] for row in rows] == sorted(local)
    for row in rows:
        _, found = local[row["path"]]
        assert (row["n"], row["last"]) == (len(found), found[-1][0])
    vectors = {
        (row["video_id"], row["t"]): row["embeddings"]
        for row in frames.select("video_id", "t", "embeddings").collect()
    }
    for video_id, found in local.values():
        for t, _, vector in found:
            np.testing.assert_array_equal(np.float32(vectors[video_id, t]), vector)


def test_tables_of_any_name_and_age_are_read(spark: "SparkSession", tmp_path: Path) -> None:
    """With cues, of which one counts, with columns of other programs, and older than cues."""
    tables = Tables.create(tmp_path / "a [1] {b}* ü#.framefind", {"dimensions": "8"})
    row = publish(tables, "a")
    rows = [CueRow("a", new_segment("speech"), Cue(at, 2.0, "one", "speech")) for at in (0.0, 1.0)]
    row.cue_segments = [rows[0].segment]
    tables.publish(videos=[row], cues=tables.write_cues(rows))
    for name in ("videos", "frames"):
        tables.delta(name).alter.add_columns([Field("theirs", "string")])
    publish(tables, "b")
    videos, frames, cues = published(spark, tables.uri)
    assert (videos.count(), frames.count()) == (2, 20)
    assert videos.columns == [*VIDEOS.names, "theirs"]
    assert frames.columns == [*FRAMES.names, "theirs"]
    (cue,) = cues.collect()
    assert (cue.video_id, cue.start, cue.text, cue.box) == ("a", 0.0, "one", None)
    shutil.rmtree(tables.address("cues"))
    assert published(spark, tables.uri)[2].columns == CUES.names


def test_tables_in_a_bucket_are_asked_for_by_the_name_that_hadoop_knows(
    spark: "SparkSession", bucket: Bucket
) -> None:
    tables = Tables.create(f"{bucket.uri}/l [1]", {"dimensions": "8"})
    publish(tables, "a")
    with pytest.raises(Exception, match=r"S3AFileSystem not found|No FileSystem for scheme .s3a"):
        published(spark, tables.uri)
