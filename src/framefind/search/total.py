"""The total of a page: an estimate of how many results may be right, from approximate scores."""

import numpy as np

from framefind.search.moments import Spans, find_followers, margin, merge
from framefind.search.results import Scored
from framefind.types import MAYBE

_TYPICAL_FRAMES = 16  # best frames whose neutral scores tell which score has some confidence


def estimate_total(scored: Scored, second: Scored | None) -> int:
    """Estimate how many results there are that may be right, from the approximate scores."""
    spans = _find_likely(scored)
    if second is not None:
        return len(find_followers(spans, _find_likely(second), scored.query.within)[0])
    return len(spans) if scored.query.by == "moment" else len(np.unique(spans.video))


def _find_likely(scored: Scored) -> Spans:
    """Return moments that may be right, by the approximate scores."""
    query = scored.query
    scores = scored.scores
    line = scores.line
    min_confidence = MAYBE if query.min_score is None else 0.0
    if query.min_confidence is not None:
        min_confidence = query.min_confidence
    every = np.arange(len(line))
    cut = max(scored.min_score, _score_of(scored, min_confidence))
    is_likely = scores.approximate - scores.gains(every) >= cut
    if words := scored.words:
        is_likely &= words.hits.is_seen
        is_likely |= words.confidence(every) >= min_confidence
        is_likely &= scores.approximate >= scored.min_score
    at = np.flatnonzero(is_likely)
    video = np.searchsorted(line.of_videos[0], at, "right") - 1
    at = at[scores.approximate[at] >= scores.best[video] - margin(scored.scale)]
    return merge(line, scores.approximate, at)


def _score_of(scored: Scored, min_confidence: float) -> float:
    """Return about which score has this confidence."""
    scores = scored.scores
    if scored.neutral.of_images:
        against = scores.query[np.newaxis]
    elif len(scores.line):
        count = min(_TYPICAL_FRAMES, len(scores.line))
        top = np.argpartition(scores.approximate, -count)[-count:]
        against = scores.index.read_vectors(scores.index.first_views[scores.line.frame[top]])
    else:
        return np.inf
    return float(np.quantile(scored.neutral.score_of(min_confidence, against), 0.5))
