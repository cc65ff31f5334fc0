"""Words and pictures together: which moments a search finds in a library that has read words."""

import itertools
from pathlib import Path

import numpy as np
import pytest

import framefind
from conftest import write_clip
from framefind import Library, Match, Moment, Query, UsageError
from framefind.tables.rows import CueRow, new_segment
from framefind.tables.tables import Tables
from framefind.types import Cue

CUES = {
    "a.mp4": [
        Cue(1.25, 2.75, "our quarterly budget is not enough", "speech"),
        Cue(4.5, 5.5, "ferries leave at nine", "subtitles"),
    ],
    "b.mp4": [
        Cue(0.0, 3.0, "LAUNDROMAT", "screen", box=(0.25, 0.5, 0.25, 0.125)),
        Cue(3.5, 4.0, "the <b>budget</b> of the quarter", "speech"),
        Cue(90.0, 95.0, "after the end of the pictures", "speech"),
    ],
}


def read_words(library: Library, cues: dict[str, list[Cue]]) -> None:
    """Publish cues as a run of `index` does."""
    tables = Tables.open(library.uri)
    rows = []
    videos = tables.videos()
    for video in videos:
        own = cues.get(Path(video.path).name, [])
        segments = {source: new_segment(source) for source in sorted({cue.source for cue in own})}
        rows += [CueRow(video.video_id, segments[cue.source], cue) for cue in own]
        video.cue_segments = [*segments.values()]
        video.cues = len(own)
    tables.publish(cues=tables.write_cues(rows), videos=videos)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    folder = tmp_path_factory.mktemp("words")
    for at, name in enumerate(["a.mp4", "b.mp4", "c.mp4"]):
        write_clip(folder / "clips" / name, [10 * at, 10 * at + 1, 10 * at + 2])
    library = framefind.open(folder / "l.framefind")
    library.index(folder / "clips")
    read_words(library, CUES)
    return library


def key(moment: Moment) -> tuple[str, float, float]:
    return Path(moment.path).name, moment.start, moment.end


class TestFound:
    def test_a_quoted_text_is_found_where_it_is_said_and_nowhere_else(self, library):
        page = library.search('"quarterly budget"')
        assert [key(moment) for moment in page] == [("a.mp4", 1.25, 2.75)]
        assert page.total == 1
        assert page[0].confidence > 0.9
        assert page[0].why == (Match("said", 1.25, 2.75, CUES["a.mp4"][0].text, ((4, 20),)),)

    def test_what_runs_over_two_cues_is_found_and_marked(self, library):
        cues = [
            Cue(0.5, 1.5, "and where is the nearest", "speech"),
            Cue(1.75, 2.5, "laundromat in town", "speech"),
            Cue(1.6, 1.7, "the laundromat", "subtitles"),
        ]
        read_words(library, {"a.mp4": cues})
        (moment,) = library.search('"is the nearest laundromat"')
        assert (key(moment), moment.confidence > 0.9) == (("a.mp4", 0.5, 2.5), True)
        text = "and where is the nearest laundromat in town"
        assert moment.why == (Match("said", 0.5, 2.5, text, ((10, 35),)),)
        assert key(library.search("laundromat nearest town")[0]) == ("a.mp4", 0.5, 2.5)
        (moment,) = library.search('"nearest laundromat" platypus', in_="said")
        assert key(moment) == ("a.mp4", 0.5, 2.5)
        assert not library.search('"town and where"').moments
        assert not library.search('"nearest the laundromat"').moments
        read_words(library, CUES)

    def test_spellings_and_hyphens_of_two_cues_are_found(self, library):
        cues = [
            Cue(0.5, 1.0, "Herr Mueller has an extra-", "speech"),
            Cue(1.0, 1.5, "ordinary plan", "speech"),
        ]
        read_words(library, {"a.mp4": cues})
        ends = {
            text: [moment.end for moment in library.search(text, in_=["said"])]
            for text in ('"Müller"', "müller", '"Muller"', '"extraordinary plan"')
        }
        read_words(library, CUES)
        assert [*ends.values()] == [[1.0], [1.0], [], [1.5]]

    def test_words_come_first_and_pictures_after_them(self, library):
        page = library.search("a ferry that leaves")
        assert key(page[0]) == ("a.mp4", 4.5, 5.5)
        assert page[0].why[0].kind == "said"
        assert any(moment.why == (Match("seen"),) for moment in page)

    def test_words_in_the_picture_have_their_box(self, library):
        (moment,) = library.search("laundromat", in_="read")
        assert (*key(moment), moment.box) == ("b.mp4", 0.0, 3.0, (0.25, 0.5, 0.25, 0.125))

    def test_words_that_the_model_does_not_know_are_found(self, library):
        read_words(library, CUES | {"c.mp4": [Cue(0, 1, "渋谷区 blorptang", "speech")]})
        assert key(library.search("渋谷")[0]) == ("c.mp4", 0.0, 1.0)
        assert not library.search("คำ").moments
        read_words(library, CUES)

    def test_a_text_without_words_is_told(self, library):
        page = library.search("?!", in_="said")
        assert (page.moments, page.notes) == ([], ["no word of '?!' could be said or written"])

    def test_a_compound_that_no_cue_holds_is_looked_for_in_parts(self, library):
        assert library.search("budget-ferry", in_="said")[0].why[0].spans

    def test_a_cue_after_the_last_frame_is_found(self, library):
        (moment,) = library.search('"after the end of the pictures"')
        assert moment.path.endswith("b.mp4")
        assert moment.why[0].start == 90.0

    def test_markup_stays_text(self, library):
        (moment,) = library.search('"quarter"', video="b.mp4")
        assert moment.why[0].text == CUES["b.mp4"][1].text


class TestMeant:
    @pytest.mark.parametrize(
        "text",
        [
            "a sign that says laundromat",
            "the word LAUNDROMAT on a shop window",
            "text reading laundromat",
            "a laundromat sign",
            'a sign that says "laundromat"',
        ],
    )
    def test_a_sign_holds_only_the_words_that_are_introduced(self, library, text):
        moment = library.search(text)[0]
        assert (*key(moment), moment.why[0].kind) == ("b.mp4", 0.0, 3.0, "read")
        assert moment.why[0].spans == ((0, 10),)

    def test_what_is_said_is_introduced_too(self, library):
        assert key(library.search("a man talking about the budget")[0])[0] in ("a.mp4", "b.mp4")
        moment = library.search("somebody saying ferries leave")[0]
        assert (*key(moment), moment.why[0].kind) == ("a.mp4", 4.5, 5.5, "said")

    def test_a_sign_that_holds_nothing_else_counts_more(self, library):
        names = {"a.mp4": "LAUNDROMAT", "c.mp4": "LAUNDROMAT AND GROCERIES"}
        read_words(library, {name: [Cue(0.0, 3.0, names[name], "screen")] for name in names})
        page = library.search("laundromat", in_="read")
        read_words(library, CUES)
        assert [Path(moment.path).name for moment in page] == ["a.mp4", "c.mp4"]

    def test_confidence_is_whole_where_the_text_asks_for_nothing_else(self, library):
        (sure,) = library.search("a sign that says laundromat", in_="read")
        (other,) = library.search("a red house and a sign that says laundromat", in_="read")
        assert sure.confidence > 0.9 > other.confidence

    def test_a_cue_that_holds_most_words_is_likely_if_no_other_does(self, library):
        close = [Cue(1.0, 2.0, "the captain sold his old piano", "speech")]
        other = [Cue(1.0, 2.0, "the captain bought a boat", "speech")]
        confidences = []
        for last in ([], close):
            read_words(library, {"a.mp4": close, "b.mp4": other, "c.mp4": last})
            page = library.search("the captain sold an old piano", in_="said")
            confidences.append([moment.confidence for moment in page])
        read_words(library, CUES)
        assert confidences == [pytest.approx([0.8, 0.05]), pytest.approx([0.4, 0.4, 0.05])]

    def test_loose_words_of_two_cues_are_less_sure_than_quotes_and_a_sign_of_two_lines(
        self, library
    ):
        cues = [
            Cue(0.0, 1.0, "a man painted the boat", "speech"),
            Cue(1.0, 2.0, "nobody sold the house", "speech"),
            Cue(3.0, 4.0, "HOTEL", "screen", box=(0.1, 0.1, 0.2, 0.1)),
            Cue(3.0, 4.0, "AURORA", "screen", box=(0.1, 0.3, 0.2, 0.1)),
        ]
        read_words(library, {"a.mp4": cues})
        loose = library.search("a man sold the boat", in_="said")[0]
        quoted = library.search('"the boat nobody sold"', in_="said")[0]
        sign = library.search("hotel aurora", in_="read")[0]
        read_words(library, CUES)
        assert loose.confidence < 0.5 < 0.9 < min(quoted.confidence, sign.confidence)


class TestWhere:
    @pytest.mark.parametrize(
        ("where", "names"),
        [
            ("said", ["a.mp4", "b.mp4"]),
            ("read", []),
            (["said", "read"], ["a.mp4", "b.mp4"]),
            ("said,read", ["a.mp4", "b.mp4"]),
        ],
    )
    def test_only_where_it_is_asked_to(self, library, where, names):
        page = library.search("budget", in_=where)
        assert sorted(Path(moment.path).name for moment in page) == names

    def test_pictures_alone_are_as_without_words(self, library):
        query = Query("a quarterly budget", in_="seen", limit=50)
        (before,) = library.search_batch(query)
        read_words(library, {})
        assert library.search("a quarterly budget", limit=50).moments == before.moments
        page = library.search('"budget"')
        assert not page.moments
        assert "words" in page.notes[0]
        read_words(library, CUES)

    def test_a_text_that_the_model_does_not_know_is_looked_for_in_words_alone(self, library):
        (note,) = library.search("asdfghjkl").notes
        assert "knows no word of this text" in note
        assert not library.search('"asdfghjkl"').notes
        assert not library.search("asdfghjkl", in_="said").notes

    @pytest.mark.parametrize(
        ("filters", "starts"),
        [
            ({}, [1.25, 3.5]),
            ({"video": "b.mp4"}, [3.5]),
            ({"start": 3.0}, [3.5]),
            ({"end": 3.0}, [1.25]),
            ({"start": 2.9, "end": 3.4}, []),
        ],
    )
    def test_filters_are_applied_to_words(self, library, filters, starts):
        page = library.search("budget", in_="said", **filters)
        assert sorted(moment.start for moment in page) == starts

    def test_refuses(self, library):
        with pytest.raises(UsageError, match="`in_` 'heard'"):
            library.search("a", in_="heard")
        with pytest.raises(UsageError, match="needs a text"):
            library.search(image=b"", in_="said")


class TestPages:
    @pytest.mark.parametrize("query", ["a budget", '"budget"', "a red ferry leaves", "the"])
    @pytest.mark.parametrize("by", ["moment", "video"])
    def test_they_fit_together(self, library, query, by):
        (whole,) = library.search_batch(Query(query, by=by, limit=100))
        parts = []
        for offset in range(0, 100, 2):
            page = library.search(query, by=by, limit=2, offset=offset)
            parts += page.moments
        assert parts == whole.moments
        if by == "moment":
            assert whole.total == len(whole)

    def test_moments_of_a_video_do_not_overlap(self, library):
        page = library.search("the budget of the ferries", limit=100)
        for name in CUES:
            spans = sorted((m.start, m.end) for m in page if m.path.endswith(name))
            assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))

    def test_what_follows_may_be_said(self, library):
        (moment,) = library.search('"quarterly budget"', then='"ferries"', within=5.0)
        assert key(moment) == ("a.mp4", 1.25, 2.75)
        assert moment.then
        assert (moment.then.start, moment.then.end) == (4.5, 5.5)
        assert not library.search('"ferries"', then='"quarterly budget"').moments

    def test_min_confidence_is_of_words_or_pictures(self, library):
        page = library.search("budget", min_confidence=0.9, limit=100)
        assert {moment.start for moment in page} == {1.25, 3.5}
        assert all(moment.confidence >= 0.9 for moment in page)

    def test_many_queries_get_what_each_gets_alone(self, library):
        queries = [Query(text) for text in ('"budget"', "a dog", "laundromat", '"a budget"')]
        pages = list(library.search_batch(queries))
        assert pages == [next(library.search_batch(query)) for query in queries]


class TestKept:
    @pytest.mark.parametrize("content", [None, b"x"])
    def test_words_that_are_deleted_or_damaged_come_back(self, library, content):
        text = library.vector_index.get().text
        assert text
        file = text.folder / "words.db"
        size = file.stat().st_size
        file.unlink()
        if content:
            file.write_bytes(content * size)
        again = framefind.open(library.uri)
        assert len(again.search('"quarterly budget"').moments) == 1

    def test_scores_of_frames_are_of_pictures(self, library):
        scores = library.scores('a "quarterly budget"', video="a.mp4")
        plain = library.scores("a quarterly budget", video="a.mp4")
        np.testing.assert_array_equal(scores.scores, plain.scores)
