import base64
import io
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import framefind
from conftest import write_clip
from cued import add_cues
from framefind.types import Cue
from framefind.video.decode import Video

pytest.importorskip("mcp.types")

from agents import ask, call, refuse, said

from framefind.mcp.answers import MAX_TOKENS, count_tokens
from framefind.mcp.server import Server

SAID = [
    Cue(0.0, 2.0, "The quarterly revenue rose.", "subtitles", "en"),
    Cue(2.5, 4.0, "Nobody asked why.", "subtitles", "en"),
    Cue(4.0, 5.0, "EXIT", "screen", "", (0.1, 0.1, 0.2, 0.1)),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory, shared_library):
    """A library of clips in which words were read in `a.mp4`."""
    copied = shutil.copytree(shared_library.uri, tmp_path_factory.mktemp("mcp") / "l.framefind")
    library = framefind.open(copied)
    add_cues(library, "a.mp4", SAID)
    return library


@pytest.fixture(scope="module")
def server(home):
    return Server(home)


class TestSearch:
    def test_moments_are_those_of_the_library(self, server, home):
        answer = ask(server, "search", text="a red circle", limit=3)
        page = home.search("a red circle", limit=3)
        assert [moment["video"] for moment in answer["moments"]] == [one.path for one in page]
        for shown, moment in zip(answer["moments"], page, strict=True):
            assert abs(shown["start"] - moment.start) <= 0.005
            assert 0 <= shown["t"] - moment.t <= 0.001
            assert 0 <= moment.confidence - shown["confidence"] <= 0.01

    def test_words_say_why(self, server):
        answer = ask(server, "search", text='"quarterly revenue"')
        (moment,) = answer["moments"]
        assert moment["why"][0] == "said at 0:00: The quarterly revenue rose."
        assert moment["at"].startswith("0:00 to ")
        assert answer.get("notes", []) == []

    def test_what_is_unlikely_is_called_so(self, server):
        answer = ask(server, "search", text="a giraffe")
        assert all(moment["confidence"] < 0.3 for moment in answer["moments"])
        assert "none is likely" in answer["notes"][-1]

    def test_filters_narrow(self, server, home):
        only = ask(server, "search", text="a circle", video="b.mp4", start="0:01", end=3)
        assert {Path(moment["video"]).name for moment in only["moments"]} == {"b.mp4"}
        assert all(1 <= moment["t"] <= 3 for moment in only["moments"])
        later = (datetime.now(UTC) + timedelta(days=1)).isoformat()
        nothing = ask(server, "search", text="a circle", after=later)
        assert (nothing["moments"], nothing["total"]) == ([], 0)
        assert "fewer filters" in nothing["notes"][-1]
        short = ask(server, "search", text="a circle", max_duration=3)
        assert {Path(moment["video"]).name for moment in short["moments"]} == {"c.mp4"}

    def test_by_video_answers_with_the_best_moment_of_each(self, server):
        answer = ask(server, "search", text="a circle", by="video", limit=3)
        videos = [moment["video"] for moment in answer["moments"]]
        assert len({*videos}) == len(videos) == 3

    def test_pages_follow_each_other(self, server):
        whole = ask(server, "search", text="a circle", min_confidence=0)["moments"]
        first = ask(server, "search", text="a circle", min_confidence=0, limit=1)
        assert first["more"] == "offset=1"
        second = ask(server, "search", text="a circle", min_confidence=0, limit=1, offset=1)
        assert first["moments"] + second["moments"] == whole[:2]

    def test_a_frame_of_the_library_is_an_image(self, server):
        answer = ask(server, "search", image="c.mp4@1", limit=2)
        assert {Path(moment["video"]).name for moment in answer["moments"]} == {"a.mp4", "c.mp4"}
        assert answer["moments"][0]["confidence"] > 0.3

    def test_what_follows_is_told(self, sequences, followed_by):
        first, second = followed_by
        answer = ask(Server(sequences), "search", text=first, then=second, within="0:05")
        assert answer["moments"]
        assert all(moment["then"]["start"] >= moment["end"] for moment in answer["moments"])

    def test_a_picture_file_can_be_searched_for(self, server, tmp_path, home):
        Image.fromarray(home.frame("b.mp4", 3.0)).save(tmp_path / "b.png")
        answer = ask(server, "search", image=str(tmp_path / "b.png"), limit=1)
        assert Path(answer["moments"][0]["video"]).name == "b.mp4"

    def test_a_server_for_others_opens_no_files(self, home, tmp_path):
        Image.fromarray(home.frame("b.mp4", 3.0)).save(tmp_path / "b.png")
        remote = Server(home, reads_files=False)
        assert "VIDEO@SECONDS" in refuse(remote, "search", image=str(tmp_path / "b.png"))
        assert ask(remote, "search", image="b.mp4@3#0,0,0.5,0.5")["moments"]
        assert ask(remote, "search", image="b.mp4@3")["moments"]

    def test_addresses_are_never_opened(self, server):
        assert "not opened" in refuse(server, "search", image="http://127.0.0.1:9/a.jpg")

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ({}, "nothing to search for"),
            ({"text": "a cat", "video": "nowhere.mp4"}, "nowhere.mp4"),
            ({"text": "a cat", "start": 5, "end": 1}, "`start`"),
            ({"text": "a cat", "colour": "red"}, "search has no colour"),
            ({"text": "a cat", "start": "soon"}, "soon"),
            ({"text": "a cat", "by": "year"}, "`by`: Input should be 'moment'"),
            ({"text": "a cat", "video": ["y" * 100_000]}, "yyy…yyy"),
            ({"text": "a cat", "z" * 100_000: 1}, "zzz…zzz"),
            ({"text": "a cat", "start": "9" * 4000 + "?"}, "999…999"),
            ({"image": "c.mp4@99"}, "past the end of the video"),
        ],
    )
    def test_what_is_wrong_is_said_briefly(self, server, arguments, reason):
        refused = refuse(server, "search", **arguments)
        assert reason in refused
        assert "pydantic" not in refused
        assert len(refused) < 1000


class TestLook:
    def test_one_frame_is_the_exact_one(self, server, home):
        result = call(server, "look", video="b.mp4", t="0:03")
        (picture,) = decode(result)
        exact = home.frame("b.mp4", 3.0)
        assert picture.shape == exact.shape
        assert np.abs(picture.astype(int) - exact).mean() < 4
        assert result.structured_content["times"] == ["0:03"]

    def test_a_strip_is_spread_evenly(self, server, home):
        result = call(server, "look", video="a.mp4", t=1, end=5, count=3, size=80)
        pictures = decode(result)
        assert result.structured_content["seconds"] == [1, 3, 5]
        assert {max(picture.shape) for picture in pictures} == {80}
        assert len({picture.tobytes() for picture in pictures}) == 3

    def test_a_strip_opens_the_video_once(self, server, home, monkeypatch):
        opened = []

        class Counted(Video):
            def __init__(self, path, *more, **options):
                opened.append(path)
                super().__init__(path, *more, **options)

        monkeypatch.setattr("framefind.video.shown.Video", Counted)
        result = call(server, "look", video="b.mp4", t=0, end=6, count=5)
        assert len(opened) == 1
        seconds = result.structured_content["seconds"]
        for picture, t in zip(decode(result), seconds, strict=True):
            assert np.abs(picture.astype(int) - home.frame("b.mp4", t)).mean() < 4

    def test_a_strip_ends_with_the_video(self, server):
        seconds = ask(server, "look", video="a.mp4", t=4, end=60)["seconds"]
        assert seconds[0] == 4
        assert 5.5 < seconds[-1] < 6

    def test_thumbnails_stand_in_for_a_file_that_is_away(self, tmp_path):
        clip = write_clip(tmp_path / "clips" / "gone.mp4", [1, 2])
        library = framefind.open(tmp_path / "l.framefind")
        library.index(clip.parent)
        clip.unlink()
        result = call(Server(library), "look", video="gone.mp4", t=0, end=3, count=2)
        assert len(decode(result)) == 2
        assert "the file is away" in result.structured_content["notes"][0]

    @pytest.mark.parametrize(
        ("arguments", "reason"),
        [
            ({"video": "a.mp4", "t": 7}, "only 6 seconds"),
            ({"video": "a.mp4", "t": 3, "end": 2}, "must come after"),
            ({"video": "zz.mp4", "t": 1}, "no video of that path"),
        ],
    )
    def test_what_is_wrong_is_said(self, server, arguments, reason):
        assert reason in refuse(server, "look", **arguments)


class TestWords:
    def test_around_a_time(self, server):
        answer = ask(server, "words", video="a.mp4", around="0:03", seconds=1)
        assert [line["text"] for line in answer["lines"]] == ["Nobody asked why."]
        assert answer["lines"][0]["at"] == "0:02.5 to 0:04"

    def test_of_some_sources(self, server):
        answer = ask(server, "words", video="a.mp4", sources=["screen"])
        assert [line["text"] for line in answer["lines"]] == ["EXIT"]

    def test_none_were_read(self, server):
        answer = ask(server, "words", video="b.mp4")
        assert answer["lines"] == []
        assert "no words of this video were read" in answer["notes"][0]

    def test_a_long_text_is_read_in_parts(self, library):
        told = [Cue(float(i), i + 0.9, f"Sentence number {i}. " * 4, "speech") for i in range(300)]
        add_cues(library, "d.mp4", told)
        server = Server(library)
        read: list[str] = []
        arguments: dict[str, float] = {}
        while True:
            result = call(server, "words", video="d.mp4", **arguments)
            assert count_tokens(said(result)) <= MAX_TOKENS
            read += [line["text"] for line in result.structured_content["lines"]]
            if "more" not in result.structured_content:
                break
            name, _, value = result.structured_content["more"].partition("=")
            arguments = {name: float(value)}
        assert read == [cue.text for cue in told]

    @pytest.mark.parametrize("text", ["x" * 9000, "字" * 9000, '"\\' * 3000, "1 " * 4000])
    def test_no_answer_is_too_long(self, library, text):
        """Nor does one of many that stand at the same time come twice."""
        told = [Cue(0.0, 9.0, f"{number} river {text}", "screen") for number in range(40)]
        add_cues(library, "d.mp4", told)
        server = Server(library)
        for most in (200, MAX_TOKENS):
            first = call(server, "words", video="d.mp4", start=1, max_tokens=most)
            hits = call(server, "search", text='"river"', max_tokens=most)
            assert max(count_tokens(said(first)), count_tokens(said(hits))) <= most
            lines = first.structured_content["lines"]
            assert first.structured_content["more"] == f"offset={len(lines)}"
            offset = len(lines)
            second = ask(server, "words", video="d.mp4", start=1, max_tokens=most, offset=offset)
            assert second["lines"][0]["text"].startswith(f"{len(lines)} river ")


class TestVideos:
    def test_all_and_some(self, server, home):
        answer = ask(server, "videos")
        assert [video["video"] for video in answer["videos"]] == [row.path for row in home.videos()]
        assert (answer["library"], answer["total"]) == (home.uri, 4)
        some = ask(server, "videos", names="a.*")
        assert [video["lines"] for video in some["videos"]] == [3]
        assert some["videos"][0]["length"] == "0:06"

    def test_pages(self, server):
        first = ask(server, "videos", limit=3)
        assert first["more"] == "offset=3"
        rest = ask(server, "videos", offset=3)
        assert [len(one["videos"]) for one in (first, rest)] == [3, 1]
        assert "more" not in rest

    def test_without_a_library(self, tmp_path):
        server = Server(framefind.open(tmp_path / "none.framefind"))
        for name, arguments in (("videos", {}), ("search", {"text": "a cat"})):
            assert "none.framefind" in refuse(server, name, **arguments)


class TestExport:
    def test_a_clip_is_cut_where_it_was_asked(self, home, tmp_path):
        server = Server(home, clips=tmp_path / "clips")
        file = Path(ask(server, "export", video="a.mp4", start="0:01", end=4)["file"])
        assert file.parent == tmp_path / "clips"
        with Video(str(file)) as clip:
            assert clip.duration == pytest.approx(3, abs=0.21)
        shown = framefind.frame(file, 0.1).astype(int)
        assert np.abs(shown - home.frame("a.mp4", 1.1)).mean() < 8
        before = file.read_bytes()
        again = refuse(server, "export", video="a.mp4", start="0:01", end=4)
        assert again == f"{file} exists already, from an earlier call"
        to_its_end = ask(server, "export", video="a.mp4", start=5, end=99)
        assert to_its_end["file"].endswith("a 0.05-0.06.mp4")
        assert file.read_bytes() == before

    def test_several_moments_become_one_film(self, home, tmp_path):
        server = Server(home, clips=tmp_path / "films")
        also = [{"video": "c.mp4", "start": 0, "end": 1}, {"video": "a.mp4", "start": 4, "end": 5}]
        arguments = {"video": "b.mp4", "start": 1, "end": 2, "also": also, "title": "best of"}
        file = Path(ask(server, "export", **arguments, titles=True)["file"])
        assert file == tmp_path / "films" / "best of.mp4"
        with Video(file) as video:
            assert video.facts.duration == pytest.approx(3, abs=0.1)
        assert "exists" in refuse(server, "export", **arguments)
        assert "`end`" in refuse(server, "export", **arguments | {"end": 600})
        long = {"also": also * 10, "padding": 30}
        assert "600 seconds" in refuse(server, "export", **arguments | long)

    @pytest.mark.parametrize(("start", "end"), [(3, 1), (2, 2), (0, 700)])
    def test_spans_that_are_none(self, home, tmp_path, start, end):
        server = Server(home, clips=tmp_path / "clips")
        assert "`end`" in refuse(server, "export", video="a.mp4", start=start, end=end)
        late = refuse(server, "export", video="a.mp4", start=6 + start, end=6 + start + 1)
        assert "only 6 seconds long" in late
        assert not (tmp_path / "clips").exists()


def test_text_and_typed_answer_are_the_same(server):
    for name, arguments in (("search", {"text": "a cat"}), ("videos", {}), ("words", NAMED)):
        result = call(server, name, **arguments)
        assert json.loads(said(result)) == result.structured_content


NAMED = {"video": "a.mp4"}


def decode(result):
    """The pictures of an answer, uint8 (height, width, 3)."""
    images = [part for part in result.content if part.type == "image"]
    assert {image.mime_type for image in images} == {"image/jpeg"}
    opened = [Image.open(io.BytesIO(base64.b64decode(image.data))) for image in images]
    return [np.asarray(image) for image in opened]
