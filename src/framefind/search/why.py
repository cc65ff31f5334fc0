"""Why: what of a query each moment holds, in pictures and in words."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from framefind.index.text import TextIndex
from framefind.search.fusion import PlacedHits
from framefind.search.query_words import WordHits
from framefind.types import CUE_SOURCES, MAYBE, SEEN, SOURCES_OF, Match, Moment

MAX_MATCHES = 3
"""Words that are shown with a moment."""


def explain(
    moments: Sequence[Moment],
    visual: NDArray[np.float64],
    words: PlacedHits | None,
    index: TextIndex | None,
) -> list[Moment]:
    """Return moments with what matches in them: words, the rarest first, and the picture.

    `visual` (moments,) is the confidence in each by its picture alone. A picture that is less than
    *maybe* right counts only where there are no words.
    """
    explained = []
    for moment, confidence in zip(moments, visual.tolist(), strict=True):
        why = _match(moment, words, index) if words and index else []
        if not why or confidence >= MAYBE:
            why.append(Match(SEEN))
        explained.append(replace(moment, why=tuple(why)))
    return explained


def _match(moment: Moment, words: PlacedHits, index: TextIndex) -> list[Match]:
    """Return the words that match in a moment."""
    hits = words.hits
    is_inside = (hits.video_id == moment.video_id) & (words.start < moment.end)
    is_inside &= words.end > moment.start
    inside = np.flatnonzero(is_inside)
    best = inside[np.argsort(-hits.gain[inside], kind="stable")[:MAX_MATCHES]]
    return [_describe(hits, index, int(at)) for at in best]


def _describe(hits: WordHits, index: TextIndex, at: int) -> Match:
    """Return a hit as it is shown: its text, and which parts of it match."""
    rows = list(dict.fromkeys([int(hits.row[at]), int(hits.last[at])]))
    source = CUE_SOURCES[index.cues["source"][rows[0]]]
    (kind,) = (kind for kind, sources in SOURCES_OF.items() if source in sources)
    text, spans = index.marked(rows, hits.terms)
    return Match(kind, float(hits.start[at]), float(hits.end[at]), text, tuple(spans))
