"""Queries with pictures of which it is known whether they show it: how true is the confidence?

Three kinds of texts: things ("a dog"), right where one of a picture's five captions has one of
the thing's words; classes of labelled pictures; and what is in no picture: classes whose words no
caption has, and nonsense. And pictures: each labelled one asks for the others of its class, with
and without those among the others. Counted are the first ten results of each query, as a person
would see them.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from support.samples import Sample, Vectors, pixels, samples

from framefind.models.base import Model
from framefind.models.confidence import Neutral
from framefind.types import LIKELY, MAYBE, SURE

SHOWN = 10
CAPTIONED = [("coco", "train"), ("flickr8k", "test")]  # never trained on, but mini-1 saw Flickr8k
CLASSES = [("sports100", "test"), ("caltech101", "test")]

# fmt: off
THINGS = {
    "a dog": "dog dogs puppy", "a cat": "cat cats kitten", "a beach": "beach shore",
    "a bicycle": "bike bikes bicycle bicycles biker cyclist bmx", "snow": "snow snowy",
    "the ocean": "ocean sea wave waves surf", "a soccer game": "soccer", "tennis": "tennis",
    "a skateboard": "skateboard skateboarder skateboarding skate", "basketball": "basketball",
    "surfing": "surfer surfing surfboard surfs", "a baseball game": "baseball",
    "a motorcycle": "motorcycle motorcycles motorbike", "a kitchen": "kitchen stove",
    "a train": "train trains locomotive", "a bus": "bus buses", "a swimming pool": "pool",
    "a boat": "boat boats canoe kayak sailboat raft", "a bed": "bed", "a guitar": "guitar",
    "a laptop computer": "computer laptop keyboard", "a horse": "horse horses",
    "a car": "car cars truck van taxi vehicle", "a playground": "playground slide swing swings",
    "a mountain": "mountain mountains hill hills cliff", "a baby": "baby infant toddler",
    "birds": "bird birds seagull seagulls duck ducks pigeons", "a bench": "bench benches",
    "a forest": "forest woods tree trees", "a river": "river stream creek lake pond water",
    "food on a plate": "plate food pizza sandwich meal cake eating", "a toilet": "toilet bathroom",
    "a crowd of people": "crowd crowded group people", "an airplane": "airplane plane jet",
    "a giraffe": "giraffe giraffes", "an elephant": "elephant elephants", "a bear": "bear bears",
    "traffic lights": "traffic", "a clock": "clock", "a kite": "kite kites", "a tent": "tent",
    "skiing": "ski skis skier skiing skiers", "climbing a rock": "climbing climber climbs climb",
    "a woman with sunglasses": "sunglasses", "a frisbee": "frisbee", "a wooden floor": "floor",
    "a street at night": "night", "a trampoline": "trampoline", "a fountain": "fountain",
    "football players": "football", "a dancer": "dancing dancer dance dancers", "sheep": "sheep",
    "a bride": "bride wedding", "a phone": "phone cellphone", "flowers": "flower flowers",
    "a flag": "flag flags", "a parade": "parade", "cows": "cow cows cattle", "a bridge": "bridge",
    "a zebra": "zebra zebras", "an umbrella": "umbrella umbrellas", "a church": "church",
    "a helicopter": "helicopter", "fire": "fire flames campfire",
    "a bottle": "bottle bottles beer wine",
}
NONSENSE = [
    "asdfgh", "qwxz blorp", "lorem ipsum dolor", "zzzz", "flurble grommit", "xkcd qwerty uiop",
    "12345", "blah blah", "snorf wibble tang", "hjkl;", "the of and", "aaaaaaaa", "qqq",
    "wxyz plugh", "grelb", "foo bar baz", "dfgkjh sdlfkj", "mxyzptlk", "???", "vroop", "tk421",
    "colorless green ideas sleep furiously", "ptang zoo boing", "0xdeadbeef",
]
# fmt: on


@dataclass
class Results:
    """The first results of queries of one kind: how far each stands out, and if it is right."""

    standing: NDArray[np.float64]  # (queries, SHOWN)
    right: NDArray[np.bool_]


def results(shards: Path, model: Model, neutral: Neutral) -> dict[str, Results]:
    """Return the results by kind of query: things, classes, absent, nonsense."""
    pools = {name: samples(shards, [(name, split)]) for name, split in CAPTIONED}
    classes = samples(shards, CLASSES)
    names = sorted({sample.texts[0] for sample in classes})
    drawn = _embed(model, classes)
    by_kind: dict[str, list[Results]] = {"things": [], "absent": [], "nonsense": []}
    for pool in pools.values():
        captions = [_words(" ".join(sample.texts)) for sample in pool]
        views = _embed(model, pool)
        right = [
            [bool(spoken & set(words.split())) for spoken in captions] for words in THINGS.values()
        ]
        by_kind["things"].append(_search(model, neutral, list(THINGS), views, np.array(right)))
        absent = [name for name in names if not any(spoken & _forms(name) for spoken in captions)]
        by_kind["absent"].append(_search(model, neutral, absent, views, None))
        by_kind["nonsense"].append(_search(model, neutral, NONSENSE, views, None))
    of_class = np.array([[name in sample.texts for sample in classes] for name in names])
    by_kind["classes"] = [_search(model, neutral, names, drawn, of_class)]
    return {
        kind: Results(
            np.concatenate([part.standing for part in parts]),
            np.concatenate([part.right for part in parts]),
        )
        for kind, parts in by_kind.items()
    }


def by_picture(shards: Path, model: Model, neutral: Neutral) -> dict[str, Results]:
    """Return the results of pictures: of classes that others have, and of classes that none has."""
    classes = samples(shards, CLASSES)
    names = np.array([sample.texts[0] for sample in classes])
    views = _embed(model, classes)
    same = names == names[:, np.newaxis]
    cosines = (views @ views.T).astype(np.float64)
    by_kind = {}
    for kind, hidden in (("pictures", np.eye(len(views), dtype=bool)), ("absent pictures", same)):
        left = np.where(hidden, -np.inf, cosines)
        first = np.argsort(-left, axis=1, kind="stable")[:, :SHOWN]
        shown = np.take_along_axis(left, first, axis=1)
        standing = [
            neutral.z_scores(row, view[None]) for row, view in zip(shown, views, strict=True)
        ]
        right = np.take_along_axis(same & ~hidden, first, axis=1)
        by_kind[kind] = Results(np.stack(standing), right)
    return by_kind


def table(by_kind: dict[str, Results], neutral: Neutral) -> None:
    """Print how often results of each confidence, and of each word for it, are right."""
    confidences = np.concatenate(
        [neutral.confidence(results.standing).ravel() for results in by_kind.values()]
    )
    right = np.concatenate([results.right.ravel() for results in by_kind.values()])
    print("\n| confidence | results | their mean confidence | right |\n|---|---|---|---|")
    for low in np.arange(10) / 10:
        within = (confidences >= low) & (confidences < low + 0.1 + (low == 0.9))
        if within.any():
            shares = f"{confidences[within].mean():.0%} | {right[within].mean():.0%}"
            print(f"| {low:.1f} to {low + 0.1:.1f} | {within.sum()} | {shares} |")
    print("\n| word | results | right |\n|---|---|---|")
    high = np.inf
    for word, low in (("sure", SURE), ("likely", LIKELY), ("maybe", MAYBE), ("unlikely", 0.0)):
        within = (confidences >= low) & (confidences < high)
        high = low
        print(f"| {word} | {within.sum()} | {_share(right[within])} |")
    print("\n| queries | first results ≥ 0.5 | right of those | all ten ≥ 0.5 | right of those |")
    print("|---|---|---|---|---|")
    for kind, results in by_kind.items():
        confidences = neutral.confidence(results.standing)
        shares = " | ".join(
            _over(confidences[:, :first], results.right[:, :first]) for first in (1, SHOWN)
        )
        print(f"| {len(confidences)} {kind} | {shares} |")


def _over(confidences: NDArray[np.float64], right: NDArray[np.bool_]) -> str:
    over = confidences >= LIKELY
    return f"{over.sum()} of {over.size} | {_share(right[over])}"


def _share(right: NDArray[np.bool_]) -> str:
    return f"{right.mean():.0%}" if len(right) else "none"


def _embed(model: Model, pool: list[Sample]) -> Vectors:
    return model.embed_images(np.stack([pixels(sample.picture, model.size) for sample in pool]))


def _search(
    model: Model,
    neutral: Neutral,
    queries: list[str],
    views: Vectors,
    right: NDArray[np.bool_] | None,
) -> Results:
    """`right` (queries, views); None: nothing is."""
    vectors = model.embed_texts(queries)
    cosines = (vectors @ views.T).astype(np.float64)
    first = np.argsort(-cosines, axis=1, kind="stable")[:, :SHOWN]
    standing = [
        neutral.z_scores(cosines[at, shown], query[None] if neutral.of_images else views[shown])
        for at, (query, shown) in enumerate(zip(vectors, first, strict=True))
    ]
    labels = np.zeros(cosines.shape, bool) if right is None else right
    return Results(np.stack(standing), np.take_along_axis(labels, first, axis=1))


def _words(text: str) -> set[str]:
    return set(re.findall("[a-z]+", text.lower()))


def _forms(name: str) -> set[str]:
    return _words(name) | {word.rstrip("s") for word in _words(name)}
