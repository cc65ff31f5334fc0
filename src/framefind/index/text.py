"""The words of a library: its cues in SQLite's full-text index, and which of them hold a text.

Two indexes of the same cues: `words`, the stems of their tokens in three forms (see `tokens`), and
`parts`, by trigrams, for parts of words.

A folder of it never changes once it is published by the manifest, which holds its checksums. So it
is opened as immutable: without locks, which network drives lack, and without files beside it,
which a folder that cannot be written would refuse.
"""

import re
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from framefind.files.arrays import load_array
from framefind.index.checksums import DamagedIndexError, check_sealed
from framefind.index.tokens import (
    SYMBOLS,
    Token,
    fold,
    fold_letters,
    has_symbols,
    joined_phrase_of,
    list_tokens,
    phrase_of,
    spelled_phrase_of,
)

CUE = np.dtype(
    [
        ("segment", "<i4"),  # ordinal in `TextIndex.segments`; -1 of cues that count no more
        ("video", "<i4"),  # ordinal in `TextIndex.video_ids`
        ("start", "<f8"),
        ("end", "<f8"),
        ("source", "<i4"),  # ordinal in `CUE_SOURCES`; -1 of another
        ("language", "<u4"),  # checksum of its name
        ("next", "<i4"),  # row of the cue that follows in the same source and language; -1 if none
        ("hyphenated", "?"),  # its last word may go on in the next one
        ("box", "<f4", 4),  # NaN where it has none
    ]
)

_TOKENS = f"tokenize=\"porter ascii tokenchars '{SYMBOLS}'\""
"""How SQLite takes the words that `tokens` gives it: it only stems them."""

FORMS = "plain", "joined", "spelled"
"""Columns of `words`."""

TABLES = (
    "create table cues(text)",
    f"create virtual table words using fts5({', '.join(FORMS)}, content='', {_TOKENS})",
    "create virtual table parts using fts5(text, content='', tokenize='trigram')",
)

MIN_PART = 3
"""Letters of the shortest part of a word that trigrams find."""

_MANY = 64  # cues that are worth a query to look at fewer
_MAX_ACROSS = 100  # words of a phrase that two cues may hold together
_TAIL = 8  # words by which it is told that a cue begins with the end of a phrase

_MIN_SIDE = 2  # letters before a hyphen and after it

_OPEN, _CLOSE = "\x02", "\x03"


def phrase(text: str) -> str:
    """Return the full-text query for the words of a text one after another, or "" without any.

    Nothing of a text is syntax: only words and symbols of it reach the query.
    """
    plain, *others = _phrases_of(text)
    forms = dict.fromkeys(others if has_symbols(text) else [plain, *others])
    query = " OR ".join(f'"{form}"' for form in forms if form)
    return f"({query})" if len(forms) > 1 else query


def as_columns(text: str) -> tuple[str, ...]:
    """Return a text in each of `FORMS`; nothing where it is as in the one before."""
    forms = _phrases_of(text)
    return forms[0], *(new if new != old else "" for old, new in pairwise(forms))


def _phrases_of(text: str) -> tuple[str, str, str]:
    return phrase_of(text), joined_phrase_of(text), spelled_phrase_of(text)


def is_hyphenated(text: str) -> bool:
    """Return whether the last word of a text may go on elsewhere."""
    return re.search(r"[^\W\d_]-\s*$", fold(text)) is not None


def connect(file: Path, options: str) -> sqlite3.Connection:
    """Open a database file with options of SQLite's URIs; any thread may use it."""
    uri = f"{file.absolute().as_uri()}?{options}"
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
        # Filled with cues and those that follow them.
        self._joined.execute(
            f"create virtual table words using fts5({', '.join(FORMS)}, {_TOKENS})"
        )

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
        words = (joined_phrase_of(text) if has_symbols(text) else phrase_of(text)).split()
        if len(words) > _MAX_ACROSS:
            return np.empty(0, np.int64)
        rows = np.union1d(self._find_between(words), self._find_within(words))
        if not len(rows):
            return rows
        whole = self.find(text)
        rows = rows[~np.isin(rows, whole) & ~np.isin(self.cues["next"][rows], whole)]
        return rows[[self._joins(row, text) for row in rows.tolist()]]

    def _find_between(self, words: list[str]) -> NDArray[np.int64]:
        """Return the rows of cues that may end between two words of a phrase."""
        if len(words) < 2:
            return np.empty(0, np.int64)
        seams = range(1, max(2, len(words) - 1))  # the last one is looked for from its left
        rows = self._before(" ".join(words[at : at + _TAIL]) for at in seams)
        if len(rows) > _MANY:
            sides = [(" ".join(words[:at]), " ".join(words[at:])) for at in seams]
            parts = [
                np.intersect1d(self.find(left), self._before([right])) for left, right in sides
            ]
            rows = np.unique(np.concatenate(parts))
        if len(words) > 2:
            begins = self.find(" ".join(words[:-1]))
            if len(begins) > _MANY:
                begins = begins[np.isin(begins, self._before(words[-1:]))]
            rows = np.union1d(rows, begins[self.cues["next"][begins] >= 0])
        return rows

    def _find_within(self, words: list[str]) -> NDArray[np.int64]:
        """Return the rows of cues that may end within a word of a phrase, with a hyphen."""
        if not self.cues["hyphenated"].any():
            return np.empty(0, np.int64)
        rows = self._before(
            " ".join([word[cut:], *words[at + 1 : at + _TAIL]])
            for at, word in enumerate(words)
            for cut in range(_MIN_SIDE, len(word) - _MIN_SIDE + 1)
        )
        may_go_on: NDArray[np.bool_] = self.cues["hyphenated"][rows]
        return rows[may_go_on]

    def _before(self, texts: Iterable[str]) -> NDArray[np.int64]:
        """Return the rows of the cues before those that begin with a phrase of some, ascending."""
        query = " OR ".join(f'^"{text}"' for text in texts)
        begins = self._rows("words", query) if query else np.empty(0, np.int64)
        rows = np.sort(self.previous[begins])
        return rows[rows >= 0]

    @cached_property
    def previous(self) -> NDArray[np.int64]:
        """Return the row before which each cue comes, by `next`; -1 where none does."""
        following = self.cues["next"]
        before = np.full(len(following), -1, np.int64)
        rows = np.flatnonzero(following >= 0)
        before[following[rows]] = rows
        return before

    def find_part(self, text: str) -> NDArray[np.int64]:
        """Return the rows of the cues that hold a text anywhere, such as within a word."""
        letters = fold(text).replace("\0", " ")
        if len(letters) < MIN_PART:
            return np.empty(0, np.int64)
        return self._rows("parts", '"' + letters.replace('"', '""') + '"')

    def number(self, text: str) -> int:
        """Return how many cues hold the words of a text one after another."""
        query = phrase(text)
        if not query:
            return 0
        sql = "select count(*) from words where words match ?"
        ((count,),) = self._ask(sql, query)
        return int(count)

    def marked(self, rows: list[int], texts: list[str]) -> tuple[str, list[tuple[int, int]]]:
        """Return the text of cues that follow each other, and where `texts` are in it: from, to.

        Where none is as words, they are looked for within words.
        """
        lines = self._texts(rows)
        text = " ".join(lines)
        query = " OR ".join(filter(None, map(phrase, texts)))
        columns = (f"highlight(words, {at}, ?1, ?2)" for at in range(len(FORMS)))
        sql = f"select {', '.join(columns)} from words where words match ?3"
        for marked in self._ask_joined(lines, sql, _OPEN, _CLOSE, query) if query else ():
            forms = list_tokens("\n".join(lines))
            spans = [
                span
                for form, column in zip(forms, marked, strict=True)
                for span in _read_marks(column, form)
            ]
            return text, _unite(spans)
        return text, _find_parts(text, texts)

    def length(self, rows: Iterable[int]) -> int:
        """Return the number of characters in the text of cues that follow each other."""
        return len(" ".join(self._texts(rows)))

    def _joins(self, row: int, text: str) -> bool:
        """Return whether a cue and the next together hold the words of a text."""
        lines = self._texts([row, self.cues["next"][row]])
        return bool(
            self._ask_joined(lines, "select 1 from words where words match ?", phrase(text))
        )

    def _texts(self, rows: Iterable[int]) -> list[str]:
        """Return the texts of cues, each once."""
        sql = "select text from cues where rowid = ?"
        return [str(self._ask(sql, row + 1)[0][0]) for row in dict.fromkeys(map(int, rows))]

    def _ask_joined(self, lines: list[str], sql: str, *values: str) -> list[tuple[Any, ...]]:
        """Ask about some texts as if they were one cue's."""
        columns = as_columns("\n".join(lines))
        with self._asking:
            self._joined.execute("insert into words values (?, ?, ?)", columns)
            try:
                return self._joined.execute(sql, values).fetchall()
            finally:
                self._joined.execute("delete from words")

    def _rows(self, table: str, query: str) -> NDArray[np.int64]:
        sql = f"select rowid - 1 from {table} where {table} match ? order by rowid"
        return np.array([row for (row,) in self._ask(sql, query)], np.int64)

    def _ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            with self._asking:
                return self._database.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            raise DamagedIndexError(f"{self.folder}: {error}") from error


def _read_marks(marked: str, tokens: list[Token]) -> Iterator[tuple[int, int]]:
    """Yield where the words between marks stand; `tokens` are the words that were marked."""
    start = 0
    for word, token in zip(marked.split(), tokens, strict=False):
        if word.startswith(_OPEN):
            start = token.start
        if word.endswith(_CLOSE):
            yield start, token.end


def _find_parts(text: str, parts: list[str]) -> list[tuple[int, int]]:
    """Return where parts of words are in a text, as `parts` holds both: from, to, ascending."""
    letters = list(fold_letters(text))  # an accent is none, a ß two
    origin = [at for at, folded in enumerate(letters) for _ in folded]
    line = "".join(letters)
    return _unite(
        (origin[match.start()], origin[match.end() - 1] + 1)
        for part in map(fold, parts)
        if len(part) >= MIN_PART
        for match in re.finditer(re.escape(part), line)
    )


def _unite(places: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in ascending order, those that overlap as one."""
    spans: list[tuple[int, int]] = []
    for start, end in sorted(places):
        if spans and start < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans
