"""Many queries in one go, and the scores of one video: what each gets alone."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from skimage import data

import framefind
from conftest import scene, write_clip
from framefind import Library, Query, QueryError
from framefind.index import int8_scan, ivf
from framefind.search import search
from framefind.search.filters import Filters

TEXTS = [
    "a dog",
    "red and green",
    "a rocket",
    "an abstract painting",
    "blorptang",
    "snow",
]
TEXTS += ["5:30 train", "food on a plate"]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries are scored together from as many on as there are here."""
    monkeypatch.setattr(int8_scan, "MAX_CODED_QUERIES", len(TEXTS) - 1)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library of a dozen clips of 1 to 12 seconds, some of them tall, some of photographs."""
    folder = tmp_path_factory.mktemp("many")
    photographs = [data.rocket()[:300, :400], data.chelsea()[:300, :400]]
    for at in range(12):
        scenes = [shot(30 * at + nth, at) for nth in range(at + 1)]
        if at % 3 == 1:
            scenes = [photographs[nth // 2 % 2] for nth in range(at + 1)]
        write_clip(folder / "clips" / f"{at:02}.mp4", scenes, 1.0)
    library = framefind.open(folder / "l.framefind")
    assert len(library.index(folder / "clips").indexed) == 12
    return library


def shot(seed: int, at: int) -> np.ndarray:
    return scene(seed, 120, 160) if at % 3 == 0 else scene(seed)


def alone(library: Library, query: Query) -> framefind.Page:
    (page,) = library.search_batch([query])
    return page


class TestBatch:
    @pytest.mark.parametrize(
        "choice",
        [
            {},
            {"limit": 2, "offset": 3},
            {"by": "video", "rank": "sum"},
            {"by": "video", "limit": 3, "offset": 1},
            {"video": "0[0-4].mp4", "start": 1.0, "end": 3.5},
            {"min_duration": 3.0, "max_duration": 7.0, "limit": 99},
            {"min_confidence": 1e-4},
            {"min_score": 5.0, "limit": 99},
            {"then": "a cat", "within": 4.0, "limit": 99},
            {"then": "a cat", "min_score": 3.0},
            {"image": "05.mp4@2", "minus": ["a car"]},
        ],
    )
    def test_pages_are_those_of_single_queries(self, many, choice):
        queries = [Query(text, **choice) for text in TEXTS]
        pages = list(many.search_batch(queries))
        alone = [many.search(text, **choice) for text in TEXTS]
        assert [replace(page, total=0) for page in pages] == [
            replace(page, total=0) for page in alone
        ]
        for page, single in zip(pages, alone, strict=True):
            assert abs(page.total - single.total) <= 1  # an estimate
        assert any(len(page) for page in pages)

    def test_of_all_kinds_in_their_order(self, many):
        kinds = [{}, {"video": "1*.mp4"}, {"then": "snow"}, {"by": "video"}, {"min_score": 4.0}]
        kinds += [{"then": "a landscape"}, {"then": "snow", "video": "1*.mp4"}]
        queries = [Query(text, **kind) for text, kind in product(TEXTS, kinds)]
        pages = list(many.search_batch(queries))
        expected = [alone(many, query) for query in queries]
        # The total counts by estimated scores, whose last bits depend on how many are computed.
        assert [page.total for page in pages] == pytest.approx([p.total for p in expected], abs=1)
        assert [replace(page, total=0) for page in pages] == [
            replace(page, total=0) for page in expected
        ]

    def test_texts_are_queries(self, many):
        assert list(many.search_batch(TEXTS)) == [many.search(text) for text in TEXTS]
        assert list(many.search_batch([])) == []

    def test_without_a_kernel_too(self, many, monkeypatch):
        expected = [many.search(text, limit=99) for text in TEXTS]
        monkeypatch.setattr(int8_scan, "kernel", lambda: None)
        queries = [Query(text, limit=99) for text in TEXTS]
        assert list(many.search_batch(queries)) == expected

    def test_texts_are_embedded_in_one_call_and_frames_scored_by_one_product(self, many, calls):
        embedded = calls(type(framefind.models.load("mini")), "embed_texts")
        products = calls(int8_scan, "_multiply_matrices")
        scanned = calls(search, "scan")
        queries = [Query(text, then="a landscape") for text in TEXTS]
        assert len(list(many.search_batch(queries))) == len(TEXTS)
        assert [len(texts) for _, texts in embedded] == [len(TEXTS) + 1]
        assert len(products) == len(scanned) == 1  # all of them, and what follows

    @pytest.mark.parametrize(
        "wrong",
        [
            Query(" "),
            Query("a dog", by="video", then="snow"),
            Query(image="nothing.jpg"),
            Query(minus=["a"]),
        ],
    )
    def test_refuses_all_when_one_is_no_query(self, many, wrong):
        with pytest.raises(QueryError):
            next(many.search_batch([*TEXTS, wrong]))


class TestFrameScores:
    @pytest.mark.parametrize("text", TEXTS[:3])
    def test_are_those_of_moments(self, many, text):
        page = many.search(text, limit=999)
        for moment in page:
            scored = many.scores(text, video=moment.video_id)
            at = int(np.flatnonzero(scored.times == moment.t)[0])
            assert scored.scores[at] == np.float32(moment.score)
            assert scored.confidences[at] == moment.confidence
            within = (scored.times >= moment.start) & (scored.times < moment.end)
            assert scored.scores[within].max() == scored.scores[at]

    def test_of_every_sampled_frame(self, many):
        for row in many.videos():
            scored = many.scores("a dog", video=row.path, minus=["snow"])
            assert len(scored.times) == len(scored.scores) == len(scored.confidences) == row.frames
            assert (np.diff(scored.times) > 0).all()
            for least in (-100.0, float(np.median(scored.scores))):
                page = many.search("a dog", minus=["snow"], video=row.video_id, min_score=least)
                assert page[0].score == scored.scores.max()

    def test_refuses_another_video(self, many):
        with pytest.raises(QueryError, match="no video"):
            many.scores("a dog", video="nothing.mp4")
        with pytest.raises(QueryError, match="nothing to search for"):
            many.scores(video="01.mp4")


class TestDuration:
    def test_keeps_videos_by_their_length(self, many):
        lengths = {row.path: row.duration for row in many.videos()}

        def found(**choice: float) -> set[str]:
            return {one.path for one in many.search("a dog", limit=999, **choice)}

        for least, most in ((3.0, 7.0), (0.0, 1.0), (12.0, 99.0), (5.5, 5.6)):
            expected = {path for path, length in lengths.items() if least <= length <= most}
            assert found(min_duration=least, max_duration=most) == expected
        assert found(min_duration=3.0) | found(max_duration=2.9) == set(lengths)
        assert found(max_duration=0.0) == set()

    def test_an_unknown_length_is_neither(self, many):
        known = many.vector_index.get()
        unknown = [replace(video, duration=None) for video in known.videos]
        known.videos.__dict__["_all"] = unknown
        try:
            for filters in (Filters(min_duration=0.0), Filters(max_duration=1e9)):
                assert len(filters.select(known)) == 0
            assert len(Filters().select(known)) == many.status().frames
        finally:
            del known.videos.__dict__["_all"]


def test_a_few_queries_are_scanned_one_by_one(many, calls) -> None:
    products = calls(int8_scan, "_multiply_matrices")
    few = TEXTS[: int8_scan.MAX_CODED_QUERIES]
    assert list(many.search_batch(few)) == [many.search(text) for text in few]
    assert products == []


def test_of_a_large_index_each_query_scores_its_own_videos(many, calls, monkeypatch) -> None:
    expected = [many.search(text, limit=99) for text in TEXTS]
    pairs = [many.search(text, then="a landscape", limit=99) for text in TEXTS]
    monkeypatch.setattr(ivf, "MAX_SCANNED_VECTORS", 0)
    monkeypatch.setattr(ivf, "start", lambda index: None)  # nobody builds lists
    products = calls(int8_scan, "_multiply_matrices")
    asked = [Query(text, limit=99) for text in TEXTS]
    assert list(many.search_batch(asked)) == expected
    asked = [Query(text, then="a landscape", limit=99) for text in TEXTS]
    assert list(many.search_batch(asked)) == pairs
    assert products == []


def test_a_batch_with_a_bad_line_is_one_search(shared_library, monkeypatch):
    scanned = []
    scan = search.scan

    def count(index, rows, line):
        scanned.append(len(rows))
        return scan(index, rows, line)

    monkeypatch.setattr(search, "scan", count)
    queries = ["a dog", "---", "snow", "?!", "a red car"]
    pages = [*shared_library.search_each(queries)]
    assert [isinstance(page, QueryError) for page in pages] == [False, True, False, True, False]
    assert scanned == [3]
    good = [page for page in pages if not isinstance(page, QueryError)]
    assert good == [*shared_library.search_batch(["a dog", "snow", "a red car"])]
