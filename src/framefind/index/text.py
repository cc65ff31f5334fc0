"""The words of a library: its cues in SQLite's full-text index, and which of them hold a text.

Two indexes of the same cues: `words`, stemmed and without accents, and `parts`, by trigrams, for
parts of words. Characters of scripts without spaces are words of their own, so that any of their
sequences is a phrase.

A folder of it never changes once it is published by the manifest, which holds its checksums. So it
is opened as immutable: without locks, which network drives lack, and without files beside it,
which a folder that cannot be written would refuse.
"""

import re
import sqlite3
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.request import pathname2url

import numpy as np
from numpy.typing import NDArray

from framefind.files.arrays import load_array
from framefind.index.checksums import DamagedIndexError, check_sealed

CUE = np.dtype(
    [
        ("segment", "<i4"),  # ordinal in `TextIndex.segments`; -1 of cues that count no more
        ("video", "<i4"),  # ordinal in `TextIndex.video_ids`
        ("start", "<f8"),
        ("end", "<f8"),
        ("source", "<i4"),  # ordinal in `CUE_SOURCES`; -1 of another
        ("language", "<u4"),  # checksum of its name
        ("next", "<i4"),  # row of the cue that follows in the same source and language; -1 if none
        ("box", "<f4", 4),  # NaN where it has none
    ]
)

TABLES = (
    "create virtual table words using fts5(text, tokenize='porter unicode61 remove_diacritics 2')",
    "create virtual table parts using fts5(text, content='', tokenize='trigram')",
)

MIN_PART = 3
"""Letters of the shortest part of a word that trigrams find."""

_MANY = 64  # cues that are worth a query to look at fewer

SEAM = "\u200b"
"""Stands between the characters of scripts without spaces: it has no width, and ends a word."""

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # kana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
_UNSPACED_LETTER = re.compile(f"(?<=[{_UNSPACED}])|(?=[{_UNSPACED}])")
_TERM = re.compile(f"[{_UNSPACED}]+|(?:(?![{_UNSPACED}])[^\\W_])+")
_OPEN, _CLOSE = "\x02", "\x03"
_RESERVED = str.maketrans(dict.fromkeys((SEAM, _OPEN, _CLOSE, "\0"), " "))


def split_terms(text: str) -> list[str]:
    """Return the words of a text; scripts without spaces give their pairs of characters."""
    terms = []
    for match in _TERM.finditer(text):
        term = match[0]
        if re.match(f"[{_UNSPACED}]", term) and len(term) > 1:
            terms += [term[at : at + 2] for at in range(len(term) - 1)]
        else:
            terms.append(term)
    return terms


def phrase(text: str) -> str:
    """Return the full-text query for the words of a text one after another, or "" without any.

    Nothing of a text is syntax: only letters and digits of it reach the query.
    """
    words = " ".join(_TERM.findall(text))
    return f'"{seam(words)}"' if words else ""


def seam(text: str) -> str:
    """Return a text as `words` holds it: with seams, and without the characters that mark."""
    return _UNSPACED_LETTER.sub(SEAM, text.translate(_RESERVED))


def fold(text: str) -> str:
    """Return a text as `parts` holds it: in small letters, without accents."""
    plain = unicodedata.normalize("NFKD", text.translate(_RESERVED).casefold())
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def connect(file: Path, options: str) -> sqlite3.Connection:
    """Open a database file with options of SQLite's URIs; any thread may use it."""
    uri = f"file:{pathname2url(str(file.absolute()))}?{options}"
    return sqlite3.connect(uri, uri=True, check_same_thread=False, isolation_level=None)


@dataclass(frozen=True)
class SavedText:
    """A text index on the disk: its folder, and the sizes and checksums of its files."""

    folder: Path
    sealed: dict[str, list[int]]


class TextIndex:
    """The cues of one published folder, by rows from 0."""

    def __init__(self, saved: SavedText) -> None:
        """Open it. Raises DamagedIndexError, or FileNotFoundError, when it is not as written."""
        folder = saved.folder
        check_sealed(folder, saved.sealed)
        self.folder = folder
        self.cues = load_array(folder / "cues.npy", "r")
        self.video_ids: list[str] = load_array(folder / "videos.npy").tolist()
        self.segments: list[str] = load_array(folder / "segments.npy").tolist()
        self._database = connect(folder / "words.db", "mode=ro&immutable=1")
        self._asking = Lock()
        self._joined = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._joined.execute(TABLES[0])  # filled with cues and those that follow them

    def __len__(self) -> int:
        return int(np.count_nonzero(self.cues["segment"] >= 0))

    def find(self, text: str, within: str = "") -> NDArray[np.int64]:
        """Return the rows of the cues that hold the words of a text one after another, ascending.

        Only among those that match `within`, a full-text query, if there is one.
        """
        query = phrase(text)
        if not query:
            return np.empty(0, np.int64)
        return self._rows("words", f"({within}) AND {query}" if within else query)

    def find_across(self, text: str) -> NDArray[np.int64]:
        """Return the rows of the cues in which a phrase begins that ends in the cue after it."""
        words = [word for term in _TERM.findall(text) for word in seam(term).split(SEAM) if word]
        if len(words) < 2:
            return np.empty(0, np.int64)
        seams = range(1, max(2, len(words) - 1))  # the last one is looked for from its left
        rows = self._before(*(" ".join(words[at:]) for at in seams))
        if len(rows) > _MANY:
            sides = [(" ".join(words[:at]), " ".join(words[at:])) for at in seams]
            parts = [np.intersect1d(self.find(left), self._before(right)) for left, right in sides]
            rows = np.unique(np.concatenate(parts))
        if len(words) > 2:
            begins = self.find(" ".join(words[:-1]))
            if len(begins) > _MANY:
                begins = begins[np.isin(begins, self._before(words[-1]))]
            rows = np.union1d(rows, begins[self.cues["next"][begins] >= 0])
        if not len(rows):
            return rows
        whole = self.find(text)
        rows = rows[~np.isin(rows, whole) & ~np.isin(self.cues["next"][rows], whole)]
        return rows[[self._joins(row, text) for row in rows.tolist()]]

    def _before(self, *texts: str) -> NDArray[np.int64]:
        """Return the rows of the cues after which one begins with one of some texts, ascending."""
        begins = self._rows("words", " OR ".join(f"^{phrase(text)}" for text in texts))
        rows = np.sort(self.previous[begins])
        return rows[rows >= 0]

    @cached_property
    def previous(self) -> NDArray[np.int64]:
        """The row before which each cue comes, by `next`; -1 where none does."""
        following = self.cues["next"]
        before = np.full(len(following), -1, np.int64)
        rows = np.flatnonzero(following >= 0)
        before[following[rows]] = rows
        return before

    def find_part(self, text: str) -> NDArray[np.int64]:
        """Return the rows of the cues that hold a text anywhere, such as within a word."""
        letters = fold(text)
        if len(letters) < MIN_PART:
            return np.empty(0, np.int64)
        return self._rows("parts", '"' + letters.replace('"', '""') + '"')

    def number(self, text: str) -> int:
        """Return how many cues hold the words of a text one after another."""
        query = phrase(text)
        if not query:
            return 0
        asked = "select count(*) from words where words match ?"
        ((count,),) = self._ask(asked, query)
        return int(count)

    def marked(self, rows: list[int], texts: list[str]) -> tuple[str, list[tuple[int, int]]]:
        """Return the text of cues that follow each other, and where `texts` are in it: from, to.

        Where none is as words, they are looked for within words.
        """
        query = " OR ".join(filter(None, map(phrase, texts)))
        asked = "select highlight(words, 0, ?, ?) from words where words match ?"
        text = self._join(rows)
        for (marked,) in self._ask_joined(text, asked, _OPEN, _CLOSE, query) if query else ():
            return _read_marks(marked)
        text = text.replace(SEAM, "")
        return text, _find_parts(text, texts)

    def length(self, rows: Iterable[int]) -> int:
        """Return the number of characters in the text of cues that follow each other."""
        return len(self._join(rows).replace(SEAM, ""))

    def _joins(self, row: int, text: str) -> bool:
        """Return whether a cue and the next together hold the words of a text."""
        joined = self._join([row, self.cues["next"][row]])
        return bool(
            self._ask_joined(joined, "select 1 from words where words match ?", phrase(text))
        )

    def _join(self, rows: Iterable[int]) -> str:
        """Return the text of cues, each once, as `words` holds it."""
        asked = "select text from words where rowid = ?"
        return " ".join(
            str(self._ask(asked, row + 1)[0][0]) for row in dict.fromkeys(map(int, rows))
        )

    def _ask_joined(self, text: str, asked: str, *values: str) -> list[tuple[Any, ...]]:
        """Ask about one text as if it were a cue's."""
        with self._asking:
            self._joined.execute("insert into words(rowid, text) values (1, ?)", (text,))
            try:
                return self._joined.execute(asked, values).fetchall()
            finally:
                self._joined.execute("delete from words")

    def _rows(self, table: str, query: str) -> NDArray[np.int64]:
        asked = f"select rowid - 1 from {table} where {table} match ? order by rowid"
        return np.array([row for (row,) in self._ask(asked, query)], np.int64)

    def _ask(self, asked: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            with self._asking:
                return self._database.execute(asked, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise DamagedIndexError(f"{self.folder}: {error}") from error


def _read_marks(marked: str) -> tuple[str, list[tuple[int, int]]]:
    """Return a text without marks and seams, and the spans between marks."""
    letters: list[str] = []
    spans: list[tuple[int, int]] = []
    start = 0
    for letter in marked:
        if letter == _OPEN:
            start = len(letters)
        elif letter == _CLOSE:
            if spans and spans[-1][1] == start:
                start = spans.pop()[0]
            spans.append((start, len(letters)))
        elif letter != SEAM:
            letters.append(letter)
    return "".join(letters), spans


def _find_parts(text: str, parts: list[str]) -> list[tuple[int, int]]:
    """Return where parts of words are in a text, as `parts` holds both: from, to, ascending."""
    letters = [fold(letter) for letter in text]  # an accent is none, a ß two
    origin = [at for at, folded in enumerate(letters) for _ in folded]
    line = "".join(letters)
    places = sorted(
        (origin[match.start()], origin[match.end() - 1] + 1)
        for part in map(fold, parts)
        if len(part) >= MIN_PART
        for match in re.finditer(re.escape(part), line)
    )
    spans: list[tuple[int, int]] = []
    for start, end in places:
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans
