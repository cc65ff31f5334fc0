"""Words of a query: which cues hold them, and how much that tells.

A cue may share words with a text by chance. What counts is how much of what the text says it holds,
and how rare that is: each word weighs as much as it is rare among the cues (its inverse document
frequency, in nats). So that a small library does not take every word for rare, some cues are
imagined, in which a word is as frequent as words of its length are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import reduce
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from framefind.index.text import TextIndex, phrase
from framefind.index.tokens import split_compound
from framefind.models.base import Model
from framefind.models.vocabulary import split_words
from framefind.search.filters import Filters
from framefind.search.wording import Wording, read_wording
from framefind.types import CUE_SOURCES, SEEN, SOURCES_OF, Query

WHOLE_CONFIDENCE = 0.98
"""Confidence in a cue that holds all that was asked for."""

_CLOSE_SHARE = 0.75  # of a text's weight, from which a cue is likely to be meant
_CLOSE_CONFIDENCE = 0.8  # in the one cue that holds so much
_LOOSE_CONFIDENCE = 0.05  # at most, in a cue that holds less
_MIN_SHARE = 0.1  # of a text's weight; cues with less are no hits
_NEEDED = 1.25  # nats of a match that chance explains
_MEANT = 2.2  # nats of words that are meant, since nine of ten are read where they are: log(9)
_MAX_EQUAL = 64  # cues that hold all of a text, of which it is looked what else they hold
_MAX_REST = 2  # letters of a cue that holds nothing else, beyond those of the text
_PART_WEIGHT = 0.8  # of a word that is only a part of a cue's word, to that of a whole one
_IMAGINED_CUES = 1000
_FREQUENCIES = (0.2, 0.2, 0.05, 0.02, 0.002)  # of words of 1, 2, 3, 4 and more letters, in a cue

Rows = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class WordHits:
    """Cues that hold words of a query, as arrays of equal length, and what was looked for.

    `gain` is how many nats likelier the words make a moment; `confidence` is 0 to 1. If the words
    `must_occur`, nothing else may be found. `is_seen` says whether pictures count.
    """

    terms: list[str]
    must_occur: bool
    is_seen: bool
    row: Rows  # in the text index
    last: Rows  # the row itself, or that of the next cue where both hold the words together
    video_id: NDArray[np.str_]
    start: Floats
    end: Floats
    gain: Floats
    confidence: Floats
    box: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.row)

    def take(self, at: NDArray[np.bool_] | Rows) -> "WordHits":
        """Return some of the hits."""
        columns = [getattr(self, field.name) for field in fields(self)[3:]]
        return WordHits(
            self.terms, self.must_occur, self.is_seen, *(column[at] for column in columns)
        )


def find_words(
    query: Query,
    text: str | None,
    filters: Filters,
    open_index: Callable[[], TextIndex | None],
    model: Model,
) -> WordHits | None:
    """Return the cues that hold words of a query's text; None where words have no part in it.

    `open_index` is called if they may have. `filters` are applied to the videos' ids and to the
    times of the cues. Where the model knows none of the words, only cues may be found.
    """
    if text is None or {*query.in_} == {SEEN}:
        return None
    wordings = read_wording(text)
    must_occur = bool(wordings[0].quotes) or bool(query.in_ and SEEN not in query.in_)
    index = open_index() if any(wording.terms for wording in wordings) else None
    if index is None and not must_occur:
        return None
    if index is not None:
        wordings = [_split_unknown(wording, index) for wording in wordings]
    terms = list(dict.fromkeys(term for wording in wordings for term in wording.terms))
    is_seen = not query.in_ or SEEN in query.in_
    is_seen &= bool(query.images or query.plus or split_words(model, text).known)
    matches = _match_all(wordings, index) if index else _NOTHING
    hits = _as_hits(terms, must_occur or not is_seen, is_seen, index, matches)
    return hits if index is None else hits.take(_select(query, hits, index, filters))


class _Matches(NamedTuple):
    """Cues by rows of the index, how much each holds of a text, 0 to 1, and that in nats.

    What two neighbours hold together is a match from `row` to `last`. Those that are `whole` hold
    all that the text asks for, two neighbours only as quotes or with nothing else; those that are
    `meant` are words that it introduces, or nothing else than what it asks for.
    """

    row: Rows
    last: Rows
    share: Floats
    nats: Floats
    whole: NDArray[np.bool_]
    meant: NDArray[np.bool_]


_NOTHING = _Matches(*(np.empty(0, kind) for kind in (np.int64, np.int64, float, float, bool, bool)))


def _match_all(wordings: Sequence[Wording], index: TextIndex) -> _Matches:
    """Return the cues that hold enough of what is asked of their sources."""
    matches: list[Sequence[NDArray[Any]]] = [_NOTHING]
    for wording in wordings:
        if wording.quotes or wording.words:
            sources = [CUE_SOURCES.index(source) for source in wording.sources]
            some = _match(wording, index)
            is_own = np.isin(index.cues["source"][some.row], sources)
            matches.append([column[is_own] for column in some])
    return _Matches(*map(np.concatenate, zip(*matches, strict=True)))


def _match(wording: Wording, index: TextIndex) -> _Matches:
    """Return the cues that hold enough of a wording, and all of its quotes."""
    quotes = len(wording.quotes)
    terms = wording.quotes + wording.words
    across = {term: index.find_across(term) for term in terms[:quotes]}
    counts = {term: index.number(term) + len(across.get(term, ())) for term in terms}
    full_weights = {term: _weigh(term, counts[term], len(index)) for term in terms}
    total = sum(full_weights.values())
    rows, weights = _find_holders(full_weights, counts, index)
    row, nats = _sum_nats(terms, rows, weights)
    keep = nats >= _MIN_SHARE * total
    if quotes:
        keep = np.isin(row, reduce(np.intersect1d, [rows[term] for term in terms[:quotes]]))
    row = row[keep]
    nats = nats[keep]
    pairs, pair_nats = _match_pairs(terms, quotes, weights, rows, across, index)
    alone = np.maximum(_at(row, nats, pairs), _at(row, nats, index.cues["next"][pairs]))
    better = pair_nats > alone + 1e-9
    pairs = pairs[better]
    pair_nats = pair_nats[better]
    first = np.concatenate([row, pairs])
    last = np.concatenate([row, index.cues["next"][pairs]])
    nats = np.concatenate([nats, pair_nats])
    share = nats / total
    for term in wording.more:
        holders = index.find(term, " OR ".join(map(phrase, rows)))
        holds = _among(first, holders) | _among(last, holders)
        nats = nats + _weigh(term, index.number(term), len(index)) * holds
    whole = (share > 1 - 1e-9) & wording.is_all
    equal = _hold_nothing_else(terms, whole, first, last, index)
    # Words that two cues hold in any order are likely to be of two sentences.
    whole &= (first == last) | equal | (not wording.words)
    return _Matches(first, last, share, nats, whole, wording.introduced | equal)


def _split_unknown(wording: Wording, index: TextIndex) -> Wording:
    """Return a wording with the parts of those compounds that no cue holds whole."""
    parts = ([word] if index.number(word) else split_compound(word) for word in wording.words)
    return wording._replace(words=list(dict.fromkeys(chain.from_iterable(parts))))


def _find_holders(
    weights: dict[str, float], counts: dict[str, int], index: TextIndex
) -> tuple[dict[str, Rows], dict[str, float]]:
    """Return the cues that hold each term, the rarest term first, and what it weighs in them.

    A term that no cue holds is looked for within words, for less. Where those that remain are too
    frequent to make a match, they are looked for only in cues that hold a rarer one.
    """
    total = sum(weights.values())
    remaining = total
    rows: dict[str, Rows] = {}
    weights_in_cues: dict[str, float] = {}
    for term in sorted(weights, key=lambda term: -weights[term]):
        weight = weights[term]
        if not counts[term]:
            rows[term] = index.find_part(term)
            weight *= _PART_WEIGHT
        elif remaining < _MIN_SHARE * total:
            rows[term] = index.find(term, " OR ".join(map(phrase, rows)))
        else:
            rows[term] = index.find(term)
        weights_in_cues[term] = weight
        remaining -= weight
    return rows, weights_in_cues


def _sum_nats(
    terms: Sequence[str], rows: dict[str, Rows], weights: dict[str, float]
) -> tuple[Rows, Floats]:
    """Return all cues that hold a term, ascending, and what their terms weigh together, in nats."""
    every = np.concatenate([rows[term] for term in terms])
    weight = np.repeat([weights[term] for term in terms], [len(rows[term]) for term in terms])
    row, place = np.unique(every, return_inverse=True)
    return row, np.bincount(place, weight, len(row)).astype(np.float64)


def _hold_nothing_else(
    terms: Sequence[str], whole: NDArray[np.bool_], first: Rows, last: Rows, index: TextIndex
) -> NDArray[np.bool_]:
    """Return which of the matches that are whole, if they are few, hold no other words."""
    equal = np.zeros(len(whole), bool)
    if np.count_nonzero(whole) <= _MAX_EQUAL:
        longest = len(" ".join(terms)) + _MAX_REST
        for at in np.flatnonzero(whole).tolist():
            equal[at] = index.length([first[at], last[at]]) <= longest
    return equal


def _match_pairs(
    terms: Sequence[str],
    quotes: int,
    weights: dict[str, float],
    rows: dict[str, Rows],
    across: dict[str, Rows],
    index: TextIndex,
) -> tuple[Rows, Floats]:
    """Return the cues that with the next one hold all quotes, or all terms, and nats of both."""
    required = sorted(terms[: quotes or None], key=lambda term: len(rows[term]))
    nowhere = np.empty(0, np.int64)
    rarest = rows[required[0]]
    pairs = np.concatenate([rarest, index.previous[rarest], across.get(required[0], nowhere)])
    pairs = pairs[(pairs >= 0) & (index.cues["next"][pairs] >= 0)]
    nats = np.zeros(len(pairs))
    for term in (*required, *(term for term in terms if term not in required)):
        holds = _among(pairs, rows[term]) | _among(index.cues["next"][pairs], rows[term])
        holds |= _among(pairs, across.get(term, nowhere))
        nats += weights[term] * holds
        if term in required:
            pairs = pairs[holds]
            nats = nats[holds]
    pairs, first = np.unique(pairs, return_index=True)
    return pairs, nats[first]


def _among(values: Rows, rows: Rows) -> NDArray[np.bool_]:
    """Return which values are among ascending rows."""
    if not len(rows):
        return np.zeros(len(values), bool)
    at = np.minimum(np.searchsorted(rows, values), len(rows) - 1)
    return np.equal(rows[at], values)


def _at(rows: Rows, values: Floats, keys: Rows) -> Floats:
    """Return the values at some of ascending rows; 0 where there is none."""
    found_values = np.zeros(len(keys))
    is_present = _among(keys, rows)
    found_values[is_present] = values[np.searchsorted(rows, keys[is_present])]
    return found_values


def _weigh(term: str, count: int, cues: int) -> float:
    """Return how many nats a word tells: minus the logarithm of its share of the cues."""
    expected = _FREQUENCIES[min(len(term), len(_FREQUENCIES)) - 1] * _IMAGINED_CUES
    return float(np.log((cues + _IMAGINED_CUES) / (count + expected)))


def _as_hits(
    terms: list[str],
    must_occur: bool,
    is_seen: bool,
    index: TextIndex | None,
    matches: _Matches,
) -> WordHits:
    """Return matches as hits: the rarer, the surer.

    A cue that holds everything is right. Of those that hold most of it, any that holds as much may
    be meant instead, or none. Those that hold less are hardly meant, nor are loose words of two.
    """
    if index is None:
        nowhere = np.empty(0)
        columns = (np.empty(0, np.str_), nowhere, nowhere)
        boxes = np.empty((0, 4), np.float32)
    else:
        cues = index.cues[matches.row]
        columns = (np.array(index.video_ids)[cues["video"]], cues["start"], cues["end"])
        boxes = cues["box"]
        columns = (columns[0], columns[1], np.maximum(cues["end"], index.cues["end"][matches.last]))
    ascending = np.sort(matches.share)
    as_good = len(ascending) - np.searchsorted(ascending, matches.share - 1e-9)
    is_close = (matches.share >= _CLOSE_SHARE) & (matches.row == matches.last)
    close = _CLOSE_CONFIDENCE / as_good
    confidence = np.where(is_close, close, np.minimum(close / 3, _LOOSE_CONFIDENCE))
    confidence[matches.whole] = WHOLE_CONFIDENCE
    prior = np.where(matches.meant, _MEANT * matches.share, -_NEEDED)
    gain = np.maximum(matches.share * matches.nats + prior, 0)
    return WordHits(
        terms, must_occur, is_seen, matches.row, matches.last, *columns, gain, confidence, boxes
    )


def _select(query: Query, hits: WordHits, index: TextIndex, filters: Filters) -> NDArray[np.bool_]:
    """Return which hits may be found: those with a gain, if words need not occur."""
    keep = np.ones(len(hits), bool) if hits.must_occur else hits.gain > 0
    if query.in_:
        sources = {source for kind in query.in_ for source in SOURCES_OF.get(kind, ())}
        ordinals = [CUE_SOURCES.index(source) for source in sources]
        keep &= np.isin(index.cues["source"][hits.row], ordinals)
    if filters.videos is not None:
        keep &= np.isin(hits.video_id, list(filters.videos))
    if filters.start is not None:
        keep &= hits.end > filters.start
    if filters.end is not None:
        keep &= hits.start <= filters.end
    return keep
