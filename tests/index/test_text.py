"""The words of a library: what is found in which cues, whatever is asked, and how they are kept."""

from collections.abc import Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framefind.index.checksums import DamagedIndexError
from framefind.index.text import SavedText, TextIndex
from framefind.index.text_build import save_text
from framefind.index.tokens import split_terms
from framefind.tables.schema import CUES

TEXTS = [
    "The ferries leave at half past nine",
    "Das Motorrad fährt über die Brücke",
    "渋谷区の夜景はきれいです",
    "ราชอาณาจักรไทย",
    "EXIT 14B — 16 TB",
    'say "OR" AND near* (col: x)',
    "",
    "C++ costs $1,000 in the U.S.A. 🍕",
    "C is free, don’t e-mail me",
    "Herr Müller hört AC/DC",
    "Mr Mueller is a poet",
    "the pöt-\nhole",
]


def batch(segment: str, texts: list[str]) -> pa.RecordBatch:
    rows = [
        {
            "video_id": segment.ljust(32, "0"),
            "segment": segment,
            "start": float(at),
            "end": at + 1.0,
            "source": "speech",
            "text": text,
        }
        for at, text in enumerate(texts)
    ]
    return pa.RecordBatch.from_pylist(rows, CUES)


def save(folder: Path, cues: dict[str, list[str]], old: TextIndex | None = None) -> SavedText:
    def read(segments: Collection[str]) -> Iterator[pa.RecordBatch]:
        yield from (batch(name, cues[name]) for name in segments)

    return save_text(folder, old, {*cues}, read)[0]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> TextIndex:
    return TextIndex(save(tmp_path_factory.mktemp("text"), {"a": TEXTS}))


class TestFind:
    @pytest.mark.parametrize(
        ("text", "row"),
        [
            ("ferry", 0),
            ("LEAVING", 0),
            ("half past nine", 0),
            ("fahrt", 1),
            ("uber die brucke", 1),
            ("夜景", 2),
            ("谷", 2),
            ("อาณา", 3),
            ("14b", 4),
            ("16 tb", 4),
            ("OR", 5),
            ("C++", 7),
            ("the usa", 7),
            ("costs $1000", 7),
            ("🍕", 7),
            ("dont email", 8),
            ("don't e mail me", 8),
            ("muller", 9),
            ("herr mueller hoert", 9),
            ("ACDC", 9),
            ("poet", 10),
            ("pothole", 11),
            ("poethole", 11),
        ],
    )
    def test_words_in_any_form_and_parts_of_scripts_without_spaces(self, index, text, row):
        assert index.find(text).tolist() == [row]
        assert index.number(text) == 1

    @pytest.mark.parametrize("text", ["past half", "motor", "景夜", "", "—", '"', "C#", "usa 1000"])
    def test_not_what_is_not_there(self, index, text):
        assert not len(index.find(text))

    @pytest.mark.parametrize(
        ("text", "row"), [("OTORR", 1), ("fahr", 1), ("4B — 1", 4), ("ol: x", 5)]
    )
    def test_parts_of_words(self, index, text, row):
        assert index.find_part(text).tolist() == [row]
        assert not len(index.find_part(text[:2]))

    @given(st.text())
    def test_no_text_is_syntax(self, index, text):
        index.number(text)
        index.find_part(text)
        rows = index.find(text, within='"exit" OR "ferry"')
        assert {*rows.tolist()} <= {0, 4}
        for term in split_terms(text):
            assert index.find(term).tolist() == sorted(index.find(term).tolist())

    @settings(max_examples=30)
    @given(st.text())
    def test_each_text_is_found_by_itself_and_shown_as_it_is(self, tmp_path_factory, text):
        folder = tmp_path_factory.mktemp("own")
        index = TextIndex(save(folder, {"a": ["before", text]}))
        shown, spans = index.marked([1], split_terms(text))
        assert shown == text
        assert all(0 <= start < end <= len(shown) for start, end in spans)
        if split_terms(text):
            assert 1 in index.find(text).tolist()
            assert spans


WORDS = ["ferry", "the", "the", "leaves", "at", "nine", "夜景", "a", "don't", "fähre"]


class TestAcross:
    @settings(max_examples=30)
    @given(st.lists(st.sampled_from(WORDS), min_size=2, max_size=9), st.data())
    def test_a_phrase_that_runs_over_two_cues(self, tmp_path_factory, words, data):
        at = data.draw(st.integers(1, len(words) - 1))
        before = data.draw(st.lists(st.sampled_from(WORDS), max_size=3))
        after = data.draw(st.lists(st.sampled_from(WORDS), max_size=3))
        texts = ["x", " ".join(before + words[:at]), " ".join(words[at:] + after), "y"]
        index = TextIndex(save(tmp_path_factory.mktemp("own"), {"a": texts}))
        asked = " ".join(words)
        whole = index.find(asked).tolist()
        assert index.find_across(asked).tolist() == ([] if whole else [1])
        if not whole:
            text, spans = index.marked([1, 2], [asked])
            assert text == f"{texts[1]} {texts[2]}"
            assert any(asked in text[start:end] for start, end in spans)

    def test_umlauts_find_themselves_spelled_as_two_letters(self, index):
        assert index.find("Müller").tolist() == [9, 10]

    @pytest.mark.parametrize(
        ("text", "marked"),
        [
            ("extraordinary", "extra- ordinary"),
            ("the extraordinary machine", "The extra- ordinary machine"),
            ("extraordinary machines of", "extra- ordinary machine of"),
            ("thé extraordinary", "The extra- ordinary"),
        ],
    )
    def test_a_word_that_two_cues_share(self, tmp_path, text, marked):
        texts = ["x", "The extra-", "ordinary machine of", "ordinary", "extra", "ordinary"]
        index = TextIndex(save(tmp_path, {"a": texts}))
        assert index.find_across(text).tolist() == [1]
        shown, spans = index.marked([1, 2], [text])
        assert [shown[start:end] for start, end in spans] == [marked]

    def test_a_very_long_phrase_is_looked_for_in_single_cues_only(self, tmp_path):
        words = " ".join(f"w{at}" for at in range(1000))
        index = TextIndex(save(tmp_path, {"a": ["before", words]}))
        assert index.find(words).tolist() == [1]
        assert not len(index.find_across(f"before {words}"))

    def test_only_of_one_source_and_soon_after(self, tmp_path):
        one, other = batch("a", ["the last ferry"]), batch("b", ["leaves at nine"])
        late = pa.RecordBatch.from_pylist(
            [row | {"start": 4.5, "end": 5.0, "segment": "a"} for row in one.to_pylist()], CUES
        )
        read = {"a": [one, late], "b": [other]}
        index = TextIndex(
            save_text(
                tmp_path, None, {*read}, lambda names: [one for n in names for one in read[n]]
            )[0]
        )
        assert not len(index.find_across("ferry leaves"))
        assert not len(index.find_across("ferry the last"))
        assert index.cues["next"].tolist() == [-1, -1, -1]

    def test_neighbours_come_and_go(self, tmp_path):
        def row(segment: str, start: float, text: str) -> pa.RecordBatch:
            (own,) = batch(segment, [text]).to_pylist()
            own |= {"start": start, "end": start + 1, "video_id": "v" * 32}
            return pa.RecordBatch.from_pylist([own], CUES)

        read = {"a": row("a", 0.0, "the last ferry"), "b": row("b", 1.0, "leaves at nine")}

        def step(old: TextIndex | None, *names: str) -> TextIndex:
            return TextIndex(
                save_text(tmp_path, old, {*names}, lambda names: [read[one] for one in names])[0]
            )

        first = step(None, "a")
        second = step(first, "a", "b")
        assert second.find_across("ferry leaves").tolist() == [0]
        assert not len(step(second, "b").find_across("ferry leaves"))


class TestMarked:
    @pytest.mark.parametrize(
        ("row", "terms", "marked"),
        [
            (0, ["ferry", "nine"], ["ferries", "nine"]),
            (1, ["otorr"], ["otorr"]),
            (2, ["夜景", "渋谷"], ["渋谷", "夜景"]),
            (0, ["half past"], ["half past"]),
            (7, ["c++", "1000", "usa"], ["C++", "1,000", "U.S.A"]),
            (8, ["dont email", "c"], ["C", "don’t e-mail"]),
        ],
    )
    def test_spans_are_of_the_text(self, index, row, terms, marked):
        text, spans = index.marked([row], terms)
        assert text == TEXTS[row]
        assert [text[start:end] for start, end in spans] == marked


class TestSave:
    def test_only_new_segments_are_read_and_old_ones_go(self, tmp_path):
        cues = {"a": ["one fish"], "b": ["two fish", "red herring"], "c": ["blue fish"] * 4}
        first = TextIndex(save(tmp_path, cues))
        cues |= {"d": ["new fish"]}
        del cues["b"]
        known = {"d": cues["d"]}
        second = TextIndex(
            save_text(tmp_path, first, {*cues}, lambda names: [batch(n, known[n]) for n in names])[
                0
            ]
        )
        assert len(second) == 6
        assert second.find("fish").tolist() == [0, 3, 4, 5, 6, 7]
        assert second.video_ids[second.cues["video"][7]].startswith("d")
        assert not len(second.find("herring"))
        assert not len(second.find_part("errin"))
        assert first.find("herring").tolist() == [2]  # a reader keeps what it has opened

    def test_it_is_built_again_when_much_of_it_is_dead(self, tmp_path):
        first = TextIndex(save(tmp_path, {"a": ["one"], "b": ["two"]}))
        second = TextIndex(save(tmp_path, {"b": ["two"]}, first))
        assert len(second.cues) == 1

    @pytest.mark.parametrize("name", ["words.db", "cues.npy", "videos.npy"])
    def test_damage_is_noticed(self, tmp_path, name):
        saved = save(tmp_path, {"a": TEXTS})
        content = bytearray((saved.folder / name).read_bytes())
        content[len(content) // 2] ^= 0xFF
        (saved.folder / name).write_bytes(content)
        with pytest.raises(DamagedIndexError):
            TextIndex(saved)

    def test_it_opens_where_nothing_can_be_written(self, tmp_path):
        saved = save(tmp_path, {"a": TEXTS})
        before = sorted(saved.folder.iterdir())
        assert len(TextIndex(saved).find("ferry")) == 1
        assert sorted(saved.folder.iterdir()) == before
