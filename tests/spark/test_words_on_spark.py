"""Words on Spark: rows equal to those of the local engine, later and again."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image, ImageDraw, ImageFont

import framefind
from conftest import write_clip
from framefind import spark as steps
from framefind.indexing.decisions import Pending
from framefind.indexing.options import IndexOptions
from framefind.indexing.reading import Reading
from framefind.indexing.walk import File
from framefind.spark.sources import from_spark_uri
from framefind.spark.words import Unread, cue_rows, find_unread, words_task
from framefind.tables.tables import Tables
from framefind.types import Cue, Video
from media import film, talkie, with_tracks
from spoken import SENTENCES, lay, needs_speech, say, tiny_model

pytest.importorskip("pyspark")

SRT = "1\n00:00:00,250 --> 00:00:02,000\nWhere is the laundromat?\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films with words, one without, and one with a broken sidecar."""
    folder = tmp_path_factory.mktemp("films")
    plain_film = film(tmp_path_factory.mktemp("made") / "a.mkv", options={"bf": "0"})
    with_tracks(plain_film, folder / "a.mkv", {"ger": [(0.5, 1.5, b"Guten Tag")]})
    film(folder / "b.mp4", 3.0)
    film(folder / "c.mp4", 4.0)
    film(folder / "d.mp4", 5.0)
    (folder / "b.en.srt").write_text(SRT)
    (folder / "d.srt").write_bytes(b"\xff\xd8 broken")
    return folder


def words(library: framefind.Library) -> dict[str, list[Cue]]:
    return {Path(row.path).name: library.words(row.video_id) for row in library.videos()}


@pytest.fixture(scope="module")
def local(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> framefind.Library:
    library = framefind.open(tmp_path_factory.mktemp("libraries") / "local")
    library.index(folder, sampler="count=1", views="whole", read="subtitles")
    return library


def test_a_task_reads_all_words_of_its_videos(folder: Path, tmp_path: Path) -> None:
    tables = Tables.create(tmp_path / "a", {"model": "none"})
    read = ("subtitles/x", "screen/y")
    unread = [
        Unread(
            str(folder / name),
            name,
            10.0,
            None,
            read,
            tuple(map(str, folder.glob(f"{name[0]}.*srt"))),
        )
        for name in ("a.mkv", "d.mp4")
    ]
    numbers = pa.RecordBatch.from_pydict({"number": [0, 1]})
    options = IndexOptions.parse()
    answers = words_task([numbers], [unread, unread[1:]], options, tables.uri)
    both, again = [json.loads(answer["answer"][0].as_py()) for answer in answers]
    one, other = both["words"]
    assert [row["reading"] for row in one] == ["subtitles/x", "screen/y"]
    assert [sum(row["counts"].values()) for row in one] == [1, 0]
    assert [row["trouble"] for row in one] == [None, None]
    assert "d.srt is broken" in other[0]["trouble"]
    assert (len(both["files"]), again["files"]) == (1, [])
    assert again["words"] == [other]
    (rows,) = cue_rows(
        [pa.RecordBatch.from_pylist([vars(unread[0])])], IndexOptions.parse(read="subtitles")
    )
    (row,) = rows.to_pylist()
    assert (row["start"], row["text"], row["language"], row["error"]) == (
        0.5,
        "Guten Tag",
        "de",
        None,
    )


@pytest.mark.parametrize(
    ("name", "reading"), [("a.mkv", "speech/local-dir:/nowhere"), ("away.mkv", "subtitles")]
)
def test_words_are_read_again_where_what_they_are_read_with_is_away(
    folder: Path, tmp_path: Path, name: str, reading: str
) -> None:
    tables = Tables.create(tmp_path / "a", {"model": "none"})
    unread = Unread(str(folder / name), name, 10.0, None, (reading, reading), ())
    numbers = pa.RecordBatch.from_pydict({"number": [0]})
    (answer,) = words_task([numbers], [[unread]], IndexOptions.parse(), tables.uri)
    ((first, second),) = json.loads(answer["answer"][0].as_py())["words"]
    assert (first["whole"], second["whole"]) == (False, False)
    assert first["trouble"] == second["trouble"] != ""
    assert "Assertion" not in first["trouble"]


def test_a_library_has_the_words_of_the_local_engine(
    spark: Any, folder: Path, tmp_path: Path, local: framefind.Library
) -> None:
    own = framefind.open(tmp_path / "spark")
    own.index(folder, sampler="count=1", views="whole", read="none")
    report = steps.index(spark, folder, own, sampler="count=1", views="whole", read="subtitles")
    assert (report.cues, report.indexed, len(report.read)) == (2, [], 4)
    assert [Path(path).name for path in report.unread] == ["d.mp4"]
    assert words(own) == words(local)
    assert sum(map(len, words(own).values())) == 2
    assert sum(batch.num_rows for batch in Tables.open(own.uri).read_cues()) == 2
    assert [row.cues for row in own.videos()] == [row.cues for row in local.videos()]
    assert own.index(folder, sampler="count=1", views="whole", read="subtitles").unchanged == 4


def test_cues_as_a_dataframe(spark: Any, folder: Path, local: framefind.Library) -> None:
    segments = steps.segments(steps.videos(spark, folder, streaming=False, glob="*.m*"))
    rows = steps.cues(segments, read="subtitles").collect()
    found = [
        (
            Path(from_spark_uri(row.path)).name,
            Cue(row.start, row.end, row.text, row.source, row.language),
        )
        for row in rows
        if row.error is None
    ]
    listed = [(name, cue) for name, own in words(local).items() for cue in own]
    assert sorted(found, key=str) == sorted(listed, key=str)
    (trouble,) = [row for row in rows if row.error]
    assert Path(from_spark_uri(trouble.path)).name == "d.mp4"
    assert "broken, or no subtitles" in trouble.error


def draw_signs() -> list[np.ndarray]:
    """Two pictures of signs."""
    signs = []
    for text in ("LAUNDROMAT", "EXIT 14B"):
        picture = Image.new("RGB", (640, 360), "white")
        ImageDraw.Draw(picture).text((60, 120), text, "black", ImageFont.load_default(64))
        signs.append(np.asarray(picture))
    return signs


def test_what_is_written_is_read_with_the_frames_if_they_are_decoded(
    spark: Any, tmp_path: Path
) -> None:
    film = write_clip(tmp_path / "signs" / "film.mp4", draw_signs(), seconds=4.0)
    words = (Reading("subtitles", "x", -math.inf), Reading("screen", "y", -math.inf))
    pending = Pending(File(str(film)), Video(video_id="a", path=str(film)), words=words)
    assert find_unread(pending).words == ("subtitles/x",)
    assert find_unread(replace(pending, start=math.inf)).words == ("subtitles/x", "screen/y")
    assert find_unread(replace(pending, start=2.0)).words == ("subtitles/x", "screen/y")
    local = framefind.open(tmp_path / "local")
    local.index(film, views="whole", read="screen")
    own = framefind.open(tmp_path / "own")
    report = steps.index(spark, film.parent, own, views="whole", read="screen")
    assert (report.cues, report.indexed, report.read) == (2, [str(film)], [])
    (row,) = own.videos()
    assert [cue.text for cue in own.words(row.video_id)] == ["LAUNDROMAT", "EXIT 14B"]
    assert own.words(row.video_id) == local.words(row.video_id)
    assert (row.cues, row.read) == (2, local.videos()[0].read)
    assert own.index(film, views="whole", read="screen").unchanged == 1


@pytest.fixture(scope="module")
def sign_and_speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a film whose sign changes while somebody says two sentences."""
    parts = tmp_path_factory.mktemp("parts")
    folder = tmp_path_factory.mktemp("talking")
    pictures = write_clip(parts / "pictures.mp4", draw_signs(), seconds=4.0)
    samples = lay(8.0, {0.5: say(SENTENCES[1]), 4.5: say(SENTENCES[2])})
    sound = talkie(parts / "sound.mp4", [samples])
    path = folder / "film.mp4"
    with av.open(pictures) as seen, av.open(sound) as heard, av.open(path, "w") as target:
        streams = (seen.streams.video[0], heard.streams.audio[0])
        copies = [target.add_stream_from_template(stream) for stream in streams]
        for stream, copied in zip(streams, copies, strict=True):
            for packet in stream.container.demux(stream):
                if packet.dts is not None:
                    packet.stream = copied
                    target.mux(packet)
    return folder


@needs_speech
def test_what_is_written_and_said_is_what_the_local_engine_reads(
    spark: Any, sign_and_speech: Path, tmp_path: Path
) -> None:
    read = ["screen", f"speech/{tiny_model()}"]
    local = framefind.open(tmp_path / "local")
    local.index(sign_and_speech, views="whole", read=read)
    (cues,) = words(local).values()
    signs = [cue.text for cue in cues if cue.source == "screen"]
    assert signs == ["LAUNDROMAT", "EXIT 14B"]
    assert "quarterly revenue" in " ".join(cue.text for cue in cues if cue.source == "speech")
    own = framefind.open(tmp_path / "spark")
    own.index(sign_and_speech, views="whole", read="none")
    report = steps.index(spark, sign_and_speech, own, views="whole", read=read)
    assert (report.cues, report.unread) == (len(cues), {})
    assert words(own) == words(local)
    assert [row.read for row in own.videos()] == [row.read for row in local.videos()]
