import json
import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

import framefind
from conftest import scene
from framefind import evaluation
from framefind.cli.main import app
from framefind.errors import LibraryError, QueryError
from framefind.evaluation import Answer, Quality, Span
from framefind.models import registry
from framefind.output.chart import draw_chart
from framefind.types import Moment

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def seeing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A text that ends in a number means exactly the scene of that seed, to the model."""
    model = registry.load("mini")

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        side = (model.size, model.size)
        shown = [Image.fromarray(scene(int(text.split()[-1]))).resize(side) for text in texts]
        # One by one, as texts are: a batch rounds in its own way.
        rows = [model.embed_images(np.asarray(picture)[None]) for picture in shown]
        return np.concatenate(rows)

    monkeypatch.setattr(model, "embed_texts", embed)


@pytest.fixture
def write(clips: Path, tmp_path: Path) -> Write:
    """Write captions into a folder of their own beside copies of the clips' names."""

    def written(*lines: object) -> Path:
        file = tmp_path / "captions.jsonl"
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        file.write_text("\n".join(texts) + "\n", "utf-8")
        return file

    return written


def without_last_bits(quality):
    """The answers, rounded: the last bits depend on how rows are summed."""
    moments = ([answer.wanted, answer.found] for answer in quality.answers)
    rounded = [
        [
            replace(one, confidence=round(one.confidence, 6), score=round(one.score, 3))
            for one in pair
        ]
        for pair in moments
    ]
    return [
        replace(answer, wanted=wanted, found=found)
        for answer, (wanted, found) in zip(quality.answers, rounded, strict=True)
    ]


class TestEvaluate:
    def test_finds_what_the_captions_describe(self, shared_library, clips, write):
        captions = write(
            {"video": str(clips / "a.mp4"), "texts": ["scene 2"], "start": 2, "end": 4},
            {"video": "b.mp4", "texts": ["this is 4", "and that is 5"]},
            {"video": "d.mp4", "texts": ["scene 8"], "start": 4, "end": 6},
        )
        quality = shared_library.evaluate(captions)
        assert [answer.text for answer in quality.answers] == [
            "scene 2",
            "this is 4",
            "and that is 5",
            "scene 8",
        ]
        assert [answer.rank for answer in quality.answers] == [1, 1, 1, 1]
        assert all(answer.found == answer.wanted for answer in quality.answers)
        assert (quality.videos, quality.missing) == (4, [])
        assert quality.recall(1) == quality.median_rank == 1
        a, _, _, d = quality.answers
        assert quality.ious == [a.iou, d.iou]
        assert a.iou == Span("", "", 2, 4).iou(a.wanted) > 0
        assert 2 <= a.wanted.t < 4 <= d.wanted.t < 6
        assert quality.likely
        assert all(quality.likely)

    def test_a_path_is_relative_to_the_captions(self, library, copied_clips, tmp_path):
        captions = copied_clips / "deep" / "captions.jsonl"
        captions.write_text('{"video": "../b.mp4", "texts": ["scene 4"]}', "utf-8")
        library.index(copied_clips)
        (answer,) = library.evaluate(captions).answers
        (b,) = library.videos(["b.mp4"])
        assert str(copied_clips / "b.mp4") in b.copies
        assert answer.wanted.video_id == b.video_id

    def test_a_wrong_caption_is_the_worst(self, shared_library, write):
        captions = write(
            {"video": "b.mp4", "texts": ["scene 4"]}, {"video": "a.mp4", "texts": ["scene 9"]}
        )
        quality = shared_library.evaluate(captions)
        (worst,) = quality.worst(1)
        assert (worst.text, quality.recall(1)) == ("scene 9", 0.5)
        assert worst.rank > 1
        assert worst.wanted.path.endswith("a.mp4")
        assert worst.found.path.endswith("d.mp4")
        assert any("scene 9" in line and "d.mp4" in line for line in quality.lines(worst=1))
        assert not any("scene 4" in line for line in quality.lines(worst=1))

    def test_a_text_of_two_videos_asks_for_either(self, shared_library, write):
        captions = write(
            {"video": "a.mp4", "texts": ["scene 9"]}, {"video": "d.mp4", "texts": ["scene 9"]}
        )
        (answer,) = shared_library.evaluate(captions).answers
        assert answer.rank == 1
        assert answer.wanted.path.endswith("d.mp4")

    def test_several_spans_of_a_video_count_by_the_best(self, shared_library, write):
        spans = [
            {"video": "d.mp4", "texts": ["scene 8"], "start": start, "end": end}
            for start, end in ((0, 1), (2, 6), (8, 9))
        ]
        (answer,) = shared_library.evaluate(write(*spans)).answers
        alone = [shared_library.evaluate(write(span)).answers[0].iou for span in spans]
        assert answer.iou == max(alone) > min(alone)

    def test_a_copy_is_the_same_video(self, library, clips, tmp_path, write):
        copy = Path(shutil.copy(clips / "b.mp4", tmp_path / "copy.mp4"))
        library.index([clips, copy])
        quality = library.evaluate(write({"video": str(copy), "texts": ["scene 4"]}))
        assert quality.videos == 4
        assert quality.answers[0].rank == 1

    def test_what_the_library_lacks_is_said(self, shared_library, write):
        captions = write(
            {"video": "gone.mp4", "texts": ["scene 1"]},
            {"video": "[ab].mp4", "texts": ["scene 1"]},
            {"video": "b.mp4", "texts": ["scene 4"]},
        )
        quality = shared_library.evaluate(captions)
        assert len(quality.answers) == 1
        gone, several = quality.missing
        assert "gone.mp4: no video" in gone
        assert "2 videos" in several
        assert any("gone.mp4" in line for line in quality.lines())

    def test_pages_change_nothing(self, shared_library, write, monkeypatch):
        captions = write(
            {"video": "a.mp4", "texts": ["scene 9"]}, {"video": "b.mp4", "texts": ["scene 7"]}
        )
        whole = shared_library.evaluate(captions)
        monkeypatch.setattr(evaluation, "_PAGE_VIDEOS", 1)
        by_pages = shared_library.evaluate(captions)
        assert without_last_bits(by_pages) == without_last_bits(whole)
        assert max(answer.rank for answer in whole.answers) > 2

    @pytest.mark.parametrize("rank", ["softmax", "max", "sum"])
    def test_ranks_as_search_does(self, shared_library, write, rank):
        captions = write({"video": "b.mp4", "texts": ["scene 7"]})
        (answer,) = shared_library.evaluate(captions, rank=rank).answers
        listed = shared_library.search("scene 7", by="video", rank=rank, limit=4).videos
        assert listed[answer.rank - 1].path.endswith("b.mp4")
        assert listed[answer.rank - 1].moments[0] == answer.wanted
        assert listed[0].moments[0] == answer.found

    def test_lines_are_json_lines(self, shared_library, write):
        captions = write("", '{"video": "b.mp4", "texts": ["a\u2028b 4"]}', "  ")
        assert [one.text for one in shared_library.evaluate(captions).answers] == ["a\u2028b 4"]


class TestRefuses:
    @pytest.mark.parametrize(
        "line",
        [
            "{",
            "[1]",
            "7",
            '{"texts": ["a 1"]}',
            '{"video": "a.mp4"}',
            '{"video": 1, "texts": ["a 1"]}',
            '{"video": "a.mp4", "texts": "a 1"}',
            '{"video": "a.mp4", "texts": [""]}',
            '{"video": "a.mp4", "texts": ["a 1"], "start": 1}',
            '{"video": "a.mp4", "texts": ["a 1"], "start": 3, "end": 2}',
            '{"video": "a.mp4", "texts": ["a 1"], "start": NaN, "end": 2}',
            '{"video": "a.mp4", "texts": ["a 1"], "start": "x", "end": 2}',
            f'{{"video": "a.mp4", "texts": ["a 1"], "start": 0, "end": {"9" * 400}}}',
        ],
    )
    def test_malformed_captions_by_their_line(self, shared_library, write, line):
        captions = write({"video": "a.mp4", "texts": ["scene 1"]}, line)
        quality = shared_library.evaluate(captions)
        (reason,) = quality.missing
        assert f"{captions}, line 2: " in reason
        assert "Error(" not in reason  # no exception of Python's
        assert [answer.text for answer in quality.answers] == ["scene 1"]

    def test_texts_that_say_nothing_by_their_line(self, shared_library, write):
        captions = write(
            {"video": "a.mp4", "texts": ["scene 1", "?!"]}, {"video": "b.mp4", "texts": ["scene 4"]}
        )
        quality = shared_library.evaluate(captions)
        assert quality.missing == [
            f"{captions}, line 1: '?!' holds no word: say what the moment shows"
        ]
        assert [answer.text for answer in quality.answers] == ["scene 1", "scene 4"]

    def test_what_cannot_be_read(self, shared_library, tmp_path):
        (tmp_path / "latin").write_bytes(b"\xff")
        for name in ("nothing", "latin", "."):
            with pytest.raises(QueryError, match="cannot be read"):
                shared_library.evaluate(tmp_path / name)

    def test_captions_of_other_videos(self, shared_library, write):
        with pytest.raises(QueryError, match=r"none of these .* line 1: gone\.mp4: no video"):
            shared_library.evaluate(write({"video": "gone.mp4", "texts": ["scene 1"]}))

    def test_no_captions(self, shared_library, write):
        for lines in ((), ({"video": "a.mp4", "texts": []},)):
            with pytest.raises(QueryError, match="no captions"):
                shared_library.evaluate(write(*lines))

    def test_a_library_that_is_not_there(self, tmp_path, write):
        captions = write({"video": "a.mp4", "texts": ["scene 1"]})
        with pytest.raises(LibraryError):
            framefind.open(tmp_path / "none").evaluate(captions)

    def test_another_rank(self, shared_library, write):
        with pytest.raises(QueryError, match="mean"):
            shared_library.evaluate(write({"video": "a.mp4", "texts": ["scene 1"]}), rank="mean")


MOMENT = Moment("/v/a.mp4", "0a", 2.0, 4.0, 3.0, 30.0, 0.4, (0.0, 0.0, 0.5, 1.0))
seconds = st.floats(0, 1000)


class TestSpan:
    @given(seconds, st.floats(0.01, 100), seconds, st.floats(0.01, 100))
    def test_iou(self, start, length, other, size):
        moment = replace(MOMENT, start=other, end=other + size)
        iou = Span("", "", start, start + length).iou(moment)
        assert 0 <= iou <= 1
        assert iou == Span("", "", other, other + size).iou(
            replace(MOMENT, start=start, end=start + length)
        )

    def test_is_one_for_the_same_and_zero_apart(self):
        assert Span("", "", 2, 4).iou(MOMENT) == 1
        assert Span("", "", 4, 8).iou(MOMENT) == 0
        assert Span("", "", 3, 5).iou(MOMENT) == pytest.approx(1 / 3)
        assert Span("", "").iou(MOMENT) is None


def quality(ranks: Sequence[int], videos: int = 60) -> Quality:
    found = replace(MOMENT, path="/v/b.mp4", confidence=0.7)
    answers = [Answer(f"text {rank}", rank, MOMENT, found, None) for rank in ranks]
    return Quality("l.framefind", "mini-1", "softmax", videos, answers, [])


class TestQuality:
    @given(st.lists(st.integers(1, 60), min_size=1))
    def test_recall_grows_to_one(self, ranks):
        made = quality(ranks)
        recalls = [made.recall(first) for first in range(1, 61)]
        assert recalls == sorted(recalls)
        assert recalls[-1] == 1
        assert made.median_rank == statistics.median(ranks)
        assert [answer.rank for answer in made.worst(3)] == sorted(ranks, reverse=True)[:3]

    def test_the_document_holds_the_numbers(self):
        made = json.loads(json.dumps(quality([1, 3, 20]).document()))
        assert made["recall"] == {"1": 1 / 3, "5": 2 / 3, "10": 2 / 3}
        assert (made["median_rank"], made["queries"], made["videos"]) == (3, 3, 60)
        assert made["confidence"] == {"over_half": 3, "right": pytest.approx(1 / 3)}
        assert made["moments"] == {"queries": 0, "miou": None, "recall_iou_half": None}
        assert made["answers"][2]["found"]["path"] == "/v/b.mp4"

    def test_moments_are_measured_where_times_are_given(self):
        made = quality([1, 1, 1])
        ious = (0.25, 0.5, None)
        answers = [replace(answer, iou=iou) for answer, iou in zip(made.answers, ious, strict=True)]
        document = replace(made, answers=answers).document()
        assert document["moments"] == {"queries": 2, "miou": 0.375, "recall_iou_half": 0.5}


class TestChart:
    @pytest.mark.parametrize("videos", [1, 2, 60, 5000])
    def test_is_a_picture(self, tmp_path, videos):
        made = quality([1, min(2, videos), videos], videos)
        worst = [(answer, None, b"no picture") for answer in made.worst(3)]
        draw_chart(made, worst, tmp_path / "q.png")
        with Image.open(tmp_path / "q.png") as drawn:
            assert drawn.format == "PNG"
            full = drawn.height
        draw_chart(made, [], tmp_path / "q.jpg")
        with Image.open(tmp_path / "q.jpg") as drawn:
            assert drawn.format == "JPEG"
            assert drawn.height < full

    def test_refuses_another_suffix(self, tmp_path):
        with pytest.raises(ValueError, match=r"q\.pdf"):
            draw_chart(quality([1]), [], tmp_path / "q.pdf")


class TestCommand:
    @pytest.fixture
    def arguments(self, shared_library, write) -> list[str]:
        captions = write(
            {"video": "b.mp4", "texts": ["scene 4"]}, {"video": "gone.mp4", "texts": ["scene 1"]}
        )
        return ["evaluate", str(captions), "--library", shared_library.uri]

    def test_prints_the_report_and_draws(self, arguments, tmp_path):
        picture = tmp_path / "quality.png"
        done = CliRunner().invoke(app, [*arguments, "--picture", str(picture)])
        assert done.exit_code == 3, done.output  # a caption is left out
        assert "R@1    100.0%   (chance 25.0%)" in done.stdout
        assert "gone.mp4" in done.stdout
        with Image.open(picture) as drawn:
            assert drawn.format == "PNG"

    def test_prints_one_document(self, arguments, shared_library):
        done = CliRunner().invoke(app, [*arguments, "--rank", "sum", "--json"])
        made = json.loads(done.stdout)
        assert (made["schema"], made["rank"], made["queries"]) == ("framefind/quality/v1", "sum", 1)
        assert made["library"] == shared_library.uri
        assert len(made["missing"]) == 1

    def test_refuses_another_picture(self, arguments, tmp_path):
        done = CliRunner().invoke(app, [*arguments, "--picture", str(tmp_path / "q.pdf")])
        assert done.exit_code == 2
