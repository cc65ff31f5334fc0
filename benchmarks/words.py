"""Words and pictures: how well questions of three kinds are answered, by several rules of fusion.

    python benchmarks/words.py --videos VIDEOS [--model mini] [--clips 66]
    python benchmarks/words.py --videos VIDEOS --read subtitles,screen,speech/MODEL [--clips 30]

VIDEOS holds `captions.jsonl` and the videos that it names; `support/worded_scenes.py` joins them,
draws signs onto them and lays words over them. By default the words go straight into the library's
`cues`, since what is said and written is known; with `--read`, `index` reads these sources itself
(what it does not read is still written, so that all questions have an answer). Where speech is
read, espeak-ng says all sentences of the clips, of which the shorter ones end with a still picture.

An answer is right when its best frame lies in a span that answers the question, each span counting
once. Rules are compared on the moments that pictures alone and words alone give: reciprocal ranks
(k = 60, several weights), the higher of both confidences, noisy-or of both, and the library's own.
"""

import argparse
import json
import math
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from support.spoken_scenes import say_sentences
from support.worded_scenes import SPOKEN_SECONDS, Question, WordCue, write_worded_scenes

import framefind
from framefind import Moment
from framefind.search.wording import unquote
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
    parser.add_argument("--clips", type=int, help="how many clips are taken, else all")
    options = parser.parse_args()
    read = [source for source in options.read.split(",") if source]
    sources = {source.partition("/")[0] for source in read}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seconds = SPOKEN_SECONDS if "speech" in sources else 0.0
        clips = take_clips(options.videos, folder, options.clips)
        scenes = write_worded_scenes(clips, folder, seconds)
        questions = scenes.questions
        *joined, radio = scenes.videos
        if "speech" in sources:
            questions += scenes.spoken
            speech = [cue for cue in scenes.cues if cue.source == "speech"]
            for video in joined:
                say_sentences(video, [cue for cue in speech if cue.span[0] == str(video)])
        library = framefind.open(folder / "l.framefind")
        report = library.index(scenes.videos, model=options.model, read=read or "none")
        print(f"{report.frames} frames, {report.cues} cues read", *report.notes, sep="\n")
        heard = [cue for cue in scenes.cues if cue.span[0] == str(radio)]  # it has no sound
        write_cues(library, heard if "speech" in sources else [], {"speech"})
        write_cues(library, scenes.cues, {*CUE_SOURCES} - sources)
        compare_rules(library, questions)


def take_clips(videos: Path, folder: Path, count: int | None) -> Path:
    """Write the captions of the first clips, and return the folder of them."""
    lines = (videos / "captions.jsonl").read_text("utf-8").splitlines()[:count]
    captions = [json.loads(line) for line in lines]
    clips = folder / "clips"
    clips.mkdir()
    named = [
        caption | {"video": str((videos / caption["video"]).resolve())} for caption in captions
    ]
    text = "".join(json.dumps(caption) + "\n" for caption in named)
    (clips / "captions.jsonl").write_text(text, "utf-8")
    return clips


def write_cues(library: framefind.Library, cues: Sequence[WordCue], sources: set[str]) -> None:
    """Publish the cues of some sources as a run of `index` does."""
    tables = Tables.open(library.uri)
    videos = tables.videos()
    rows = []
    for video in videos:
        segments: defaultdict[str, str] = defaultdict(str)
        for cue in cues:
            file, start, end = cue.span
            if file == video.path and cue.source in sources:
                segments[cue.source] = segments[cue.source] or new_segment(cue.source)
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
    print_first(questions, pages[""])


def print_first(questions: Sequence[Question], pages: Sequence[Sequence[Moment]]) -> None:
    """Print how often the first moment answers a question of words, by where the words stand."""
    first: defaultdict[str, list[bool]] = defaultdict(list)
    for question, moments in zip(questions, pages, strict=True):
        if question.how in ("quoted", "spoken", "read"):
            is_right = bool(moments) and find_span(question, moments[0]) is not None
            first[question.how].append(is_right)
            if not is_right:
                print("missed:", question.text)
    print("\n| words | questions | first moment right |\n|---|---|---|")
    for how, right in first.items():
        print(f"| {how} | {len(right)} | {statistics.fmean(right):.3f} |")


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
