"""Whatever takes several takes one as well: a text or a path is one thing, not its letters."""

import inspect
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pytest

import framefind
from conftest import write_clip
from framefind import FramefindError, Library, Query, QueryError, arguments
from framefind.errors import UsageError
from framefind.indexing.walk import walk
from framefind.models import registry
from framefind.search import query_images

MODEL = registry.load("mini")


class TestOneIsOne:
    @pytest.mark.parametrize("one", ["abc", b"abc", Path("abc"), 7, Query("a")])
    def test_several(self, one):
        assert arguments.several(one) == arguments.several([one]) == [one]
        assert arguments.several(None) == []

    @pytest.mark.parametrize("kind", [str, Path])
    def test_files(self, tmp_path, kind):
        for name in ("abc.mp4", "a.mp4", "b.mp4"):
            (tmp_path / name).touch()
        paths = [tmp_path / name for name in ("a.mp4", "abc.mp4", "b.mp4")]
        name = kind("abc.mp4")
        assert [Path(file.path) for file in walk(kind(tmp_path))] == paths
        assert [Path(file.path) for file in walk([tmp_path], name)] == [paths[1]]
        assert [Path(file.path) for file in walk([tmp_path], exclude=name)] == [paths[0], paths[2]]
        assert [*walk([tmp_path], roots=kind(tmp_path))] == [*walk(tmp_path)]
        (file,) = walk([tmp_path], roots=kind(tmp_path / "b.mp4"))
        assert Path(file.path) == paths[2]

    @pytest.mark.parametrize("kind", [str, Path])
    def test_videos_of_a_library(self, library, kind):
        name = kind("a.mp4")
        (row,) = library.videos(name)
        assert row.path.endswith("a.mp4")
        assert {moment.path for moment in library.search("red", video=name)} == {row.path}
        assert library.remove(name) == [row.path]
        assert len(library.videos()) == 3

    def test_parts_of_a_query(self, shared_library):
        query = Query("a dog", plus="snow", minus="2:a car", video="a.mp4")
        assert (query.plus, query.minus, query.video) == (("snow",), ("2:a car",), ("a.mp4",))
        assert query.document()["plus"] == ["snow"]
        page = shared_library.search("a dog", plus="snow", minus="2:a car")
        assert page == shared_library.search("a dog", plus=["snow"], minus=["2:a car"])
        image = "a.mp4@1"
        assert shared_library.search(image=image) == shared_library.search(image=[image])
        scores = (shared_library.scores("a dog", video="a.mp4", plus=one) for one in ("a", ["a"]))
        np.testing.assert_array_equal(*(score.scores for score in scores))

    def test_queries(self, shared_library):
        (page,) = shared_library.search_batch("a dog")
        assert page == next(shared_library.search_batch(["a dog"]))
        assert [page] == [*shared_library.search_batch(Query("a dog"))]

    def test_thumbnails(self, shared_library):
        moment = shared_library.search("a dog")[0]
        assert shared_library.thumbnails(moment) == shared_library.thumbnails([moment])

    def test_index(self, tmp_path):
        write_clip(tmp_path / "v" / "ab.mp4", [1])
        write_clip(tmp_path / "v" / "b.mp4", [2])
        library = framefind.open(tmp_path / "l")
        for wanted in ({"glob": "a*"}, {"exclude": Path("b.mp4")}):
            plan = library.plan(tmp_path / "v", **wanted)
            assert plan.videos == 1
        roots = str(tmp_path / "v" / "ab.mp4")
        report = library.index(str(tmp_path / "v"), roots=roots, sampler="count=1", views="whole")
        assert report.indexed == [roots]

    def test_sources_of_words(self, shared_library, clips, tmp_path):
        name = shared_library.videos()[0].path
        assert shared_library.words(name, "screen") == shared_library.words(name, ["screen"])
        plans = [
            framefind.open(tmp_path / "l").plan(clips, read=read) for read in ("none", ["none"])
        ]
        assert plans[0].videos == plans[1].videos == 4
        gone = [shared_library.remove(name, words=w, dry_run=True) for w in ("screen", ["screen"])]
        assert gone[0] == gone[1]

    def test_texts_of_a_model(self):
        np.testing.assert_array_equal(MODEL.embed_texts("a dog"), MODEL.embed_texts(["a dog"]))

    def test_nothing_else_of_the_api_takes_several(self):
        """A new argument of several things belongs in the tests above."""
        tested = {"paths", "glob", "exclude", "roots", "image", "plus", "minus", "video"}
        tested |= {"queries", "moments", "names", "read", "sources", "words", "in_"}
        methods = [member for name, member in vars(Library).items() if name[0] != "_"]
        for method in filter(inspect.isfunction, methods):
            for name, parameter in inspect.signature(method).parameters.items():
                kind = str(parameter.annotation)
                assert name in tested or not ("Iterable" in kind or "Sequence" in kind), name


class TestWrong:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"limit": 0},
            {"limit": True},
            {"limit": 2.5},
            {"limit": "3"},
            {"offset": -1},
            {"within": -5.0},
            {"within": float("nan")},
            {"min_score": float("nan")},
            {"min_score": float("inf")},
            {"min_confidence": 2},
            {"min_confidence": -0.1},
            {"start": float("nan")},
            {"start": -1.0},
            {"end": float("inf")},
            {"start": 3.0, "end": 2.0},
            {"min_duration": 3.0, "max_duration": 2.0},
            {"min_duration": "long"},
            {"by": "foo"},
            {"rank": "foo"},
            {"by": None},
            {"after": "2024-01-01"},
            {"after": date(2024, 1, 1)},
            {"before": datetime.min},
            {"plus": [3]},
            {"plus": ""},
            {"plus": "nan:snow"},
            {"minus": "inf:snow"},
            {"plus": "1e999:snow"},
            {"plus": f"{'9' * 400}:snow"},
            {"video": [None]},
            {"video": ""},
            {"video": "a\0b"},
        ],
        ids=str,
    )
    def test_arguments_of_a_search(self, shared_library, wrong):
        (name, *_) = wrong
        with pytest.raises(UsageError, match=name) as caught:
            shared_library.search("a dog", **wrong)
        assert isinstance(caught.value, ValueError | FramefindError)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"sampler": "every=0"},
            {"sampler": "every=nan"},
            {"sampler": 5},
            {"views": "all"},
            {"views": None},
            {"decoder": "vdpau9"},
            {"dedupe": float("nan")},
            {"dedupe": -1.0},
            {"glob": 3},
            {"roots": ""},
        ],
        ids=str,
    )
    def test_arguments_of_index(self, clips, tmp_path, wrong):
        (name,) = wrong
        with pytest.raises(UsageError, match=name):
            framefind.open(tmp_path / "l").index(clips, **wrong)
        assert not (tmp_path / "l").exists()

    @pytest.mark.parametrize("path", ["", None, 3, "a\0b"])
    def test_a_path_that_is_none(self, tmp_path, path):
        with pytest.raises(UsageError, match="paths"):
            framefind.open(tmp_path / "l").index([path])

    def test_devices_and_precisions(self, tmp_path):
        for wrong in ({"device": "foo"}, {"device": "cuda:x"}, {"precision": "foo"}):
            with pytest.raises(UsageError, match="use auto") as caught:
                framefind.open(tmp_path / "l", **wrong)
            assert isinstance(caught.value, framefind.ModelError)
            with pytest.raises(UsageError, match="use auto"):
                registry.load("mini", **wrong)

    def test_a_box_and_a_picture(self):
        with pytest.raises(FramefindError):
            framefind.Crop("car.jpg", (0, 0, float("nan"), 1))
        with pytest.raises(QueryError, match=r"~nobody/car\.jpg"):
            query_images.read_image("~nobody/car.jpg", (0, 0, 1, 1), 8)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"text": "a \ud800"},
            {"text": "caf\udce9"},
            {"plus": "caf\udce9"},
            {"text": "a", "then": "caf\udce9"},
            {"text": 3},
        ],
        ids=ascii,
    )
    def test_texts_that_are_none(self, shared_library, wrong):
        with pytest.raises(QueryError, match=r"\\ud800|\\udce9|3 is no text"):
            shared_library.search(**wrong)

    def test_a_batch_of_something_else(self, shared_library):
        with pytest.raises(UsageError, match="neither a text nor a Query"):
            shared_library.search_batch([3])


NO_NAME = [None, 3, 2.5, True, object(), [], {}, ["a.mp4", "b.mp4"], "", "a\0b"]


class TestOneName:
    @pytest.mark.parametrize("wrong", NO_NAME)
    def test_other_things_name_the_argument(self, shared_library, wrong):
        library = shared_library
        calls = {
            "video": [
                lambda: library.words(wrong),
                lambda: library.frame(wrong, 1.0),
                lambda: library.scores("a dog", video=wrong),
            ],
            "captions": [lambda: library.evaluate(wrong)],
            "model": [lambda: library.reembed(wrong)],  # not to the default, by mistake
            "path": [lambda: framefind.frame(wrong, 1.0)],
        }
        if wrong is not None:  # the default
            calls["library"] = [lambda: framefind.open(wrong)]
            calls["model"].append(lambda: framefind.open("new", model=wrong))
        for name, wrong_calls in calls.items():
            for call in wrong_calls:
                with pytest.raises(UsageError, match=f"`{name}`"):
                    call()

    @pytest.mark.parametrize("wrong", ["a.mp4", 3, [None]])
    def test_of_moments(self, shared_library, wrong):
        for call in (shared_library.thumbnails, lambda one: shared_library.export(one, "csv")):
            with pytest.raises(UsageError, match="`moments`: .* is no Moment"):
                call(wrong)

    @pytest.mark.parametrize("wrong", ["", "soon", float("nan"), [1]])
    def test_of_times(self, clips, wrong):
        with pytest.raises(UsageError, match="`t`"):
            framefind.frame(clips / "a.mp4", wrong)
