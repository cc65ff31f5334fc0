"""Words and pictures: how well questions of three kinds are answered, by several rules of fusion.

    python benchmarks/words.py --videos VIDEOS [--read subtitles,screen] [--model mini]

VIDEOS holds `captions.jsonl` and the videos that it names; `support/worded_scenes.py` joins them,
draws signs onto them and lays words over them. By default the words go straight into the library's
`cues`, since what is said and written is known; with `--read`, `index` reads these sources itself
(what it does not read is still written, so that all questions have an answer).

An answer is right when its best frame lies in a span that answers the question, each span counting
once. Rules are compared on the moments that pictures alone and words alone give: reciprocal ranks
(k = 60, several weights), the higher of both confidences, noisy-or of both, and the library's own.
"""

import argparse
import math
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from support.worded_scenes import Question, WordedScenes, write_worded_scenes

import framefind
from framefind import Moment
from framefind.search.query_words import unquote
from framefind.tables.rows import CueRow, new_segment
from framefind.tables.tables import Tables
from framefind.types import CUE_SOURCES, Cue

PAGE = 50
"""Moments of each kind that a rule looks at."""

SHOWN = 10
RRF_K = 60
WEIGHTS = (0.3, 0.5, 0.7)

Rule = Callable[[Sequence[Moment], Sequence[Moment]], list[Moment]]
"""Ranks moments that pictures and words give."""


def main() -> None:
    """Print nDCG@10 of each kind of question by each rule, and how sure words may be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    parser.add_argument("--read", default="", help="sources that `index` reads itself")
    options = parser.parse_args()
    read = [source for source in options.read.split(",") if source]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scenes = write_worded_scenes(options.videos, folder)
        library = framefind.open(folder / "l.framefind")
        library.index(scenes.videos, model=options.model, read=read)
        write_cues(library, scenes, {*CUE_SOURCES} - {*read})
        compare_rules(library, scenes.questions)


def write_cues(library: framefind.Library, scenes: WordedScenes, sources: set[str]) -> None:
    """Publish the cues of some sources as a run of `index` does."""
    tables = Tables.open(library.uri)
    videos = tables.videos()
    rows = []
    for video in videos:
        segments = {source: new_segment(source) for source in sources}
        for cue in scenes.cues:
            file, start, end = cue.span
            if file == video.path and cue.source in sources:
                timed = Cue(start, end, cue.text, cue.source, "en")
                rows.append(CueRow(video.video_id, segments[cue.source], timed))
        video.cue_segments += segments.values()
    tables.publish(cues=tables.write_cues(rows), videos=videos)


def compare_rules(library: framefind.Library, questions: Sequence[Question]) -> None:
    """Print the tables."""
    pages = {
        where: [ask(library, question, where) for question in questions]
        for where in ("seen", "said,read", "")
    }
    rules: dict[str, Rule] = {
        "pictures alone": lambda seen, words: list(seen),
        "words alone": lambda seen, words: list(words),
        **{f"reciprocal ranks, words {weight}": rank_by(weight) for weight in WEIGHTS},
        "higher confidence": lambda seen, words: by_confidence(seen, words, max),
        "noisy-or": lambda seen, words: by_confidence(
            seen, words, lambda one, two: 1 - (1 - one) * (1 - two)
        ),
    }
    ranked = {
        name: [rule(*both) for both in zip(pages["seen"], pages["said,read"], strict=True)]
        for name, rule in rules.items()
    }
    ranked["framefind: words add to scores"] = pages[""]
    kinds = list(dict.fromkeys(question.how or question.kind for question in questions))
    counts = [sum((q.how or q.kind) == kind for q in questions) for kind in kinds]
    header = " | ".join(f"{kind} ({count})" for kind, count in zip(kinds, counts, strict=True))
    print(f"| nDCG@{SHOWN} | {header} | R@1 quoted |\n|---|{'---|' * (len(kinds) + 1)}")
    for name, answers in ranked.items():
        gains: defaultdict[str, list[float]] = defaultdict(list)
        first = []
        for question, moments in zip(questions, answers, strict=True):
            gains[question.how or question.kind].append(ndcg(question, moments))
            if question.how == "quoted":
                first.append(bool(moments) and find_span(question, moments[0]) is not None)
        cells = " | ".join(f"{statistics.fmean(gains[kind]):.3f}" for kind in kinds)
        print(f"| {name} | {cells} | {statistics.fmean(first):.3f} |")
    judge_words(questions, pages["said,read"])


def ask(library: framefind.Library, question: Question, where: str) -> list[Moment]:
    """Return the first moments; pictures are asked for without the quotes."""
    text = unquote(question.text) if where == "seen" else question.text
    try:
        return library.search(text, in_=where or (), limit=PAGE).moments
    except framefind.QueryError:  # the model knows none of the words
        return []


def find_span(question: Question, moment: Moment) -> int | None:
    """Return which of the spans that answer a question a moment lies in."""
    for at, (file, start, end) in enumerate(question.spans):
        if file == moment.path and start - 0.01 <= moment.t < end:
            return at
    return None


def ndcg(question: Question, moments: Sequence[Moment]) -> float:
    """Return the normalised discounted cumulative gain of the first moments."""
    answered: set[int] = set()
    gain = 0.0
    for rank, moment in enumerate(moments[:SHOWN]):
        span = find_span(question, moment)
        if span is not None and span not in answered:
            answered.add(span)
            gain += 1 / math.log2(2 + rank)
    return gain / sum(1 / math.log2(2 + rank) for rank in range(len(question.spans)))


def overlapping(moment: Moment, others: Sequence[Moment]) -> int | None:
    """Return the first of some moments that a moment overlaps."""
    for at, other in enumerate(others):
        if other.path == moment.path and other.start < moment.end and moment.start < other.end:
            return at
    return None


def rank_by(weight: float) -> Rule:
    """Return the rule that adds up reciprocal ranks, those of words with a weight."""

    def rank(seen: Sequence[Moment], words: Sequence[Moment]) -> list[Moment]:
        scores: dict[int, float] = {}
        moments = [*seen, *words]
        for at, _ in enumerate(seen):
            scores[at] = (1 - weight) / (RRF_K + at + 1)
        for at, moment in enumerate(words):
            same = overlapping(moment, seen)
            place = len(seen) + at if same is None else same
            scores[place] = scores.get(place, 0.0) + weight / (RRF_K + at + 1)
        return [moments[at] for at in sorted(scores, key=lambda at: -scores[at])]

    return rank


def by_confidence(
    seen: Sequence[Moment], words: Sequence[Moment], join: Callable[[float, float], float]
) -> list[Moment]:
    """Rank by joined confidence."""
    confidence: dict[int, float] = {at: moment.confidence for at, moment in enumerate(seen)}
    moments = [*seen, *words]
    for at, moment in enumerate(words):
        same = overlapping(moment, seen)
        place = len(seen) + at if same is None else same
        confidence[place] = join(confidence.get(place, 0.0), moment.confidence)
    return [moments[at] for at in sorted(confidence, key=lambda at: -confidence[at])]


def judge_words(questions: Sequence[Question], pages: Sequence[Sequence[Moment]]) -> None:
    """Print how often moments found by words are right, by tenths of their confidence."""
    tenths: defaultdict[int, list[tuple[float, bool]]] = defaultdict(list)
    for question, moments in zip(questions, pages, strict=True):
        for moment in moments:
            right = find_span(question, moment) is not None
            tenths[min(9, int(10 * moment.confidence))].append((moment.confidence, right))
    print("\n| confidence of words | moments | mean | right |\n|---|---|---|---|")
    for tenth, judged in sorted(tenths.items()):
        mean = statistics.fmean(confidence for confidence, _ in judged)
        right = statistics.fmean(right for _, right in judged)
        span = f"{tenth / 10:.1f} to {tenth / 10 + 0.1:.1f}"
        print(f"| {span} | {len(judged)} | {mean:.2f} | {right:.2f} |")


if __name__ == "__main__":
    main()
