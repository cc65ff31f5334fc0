"""Does it help to wrap a query in a prompt, or to average several wordings of it?

    python benchmarks/prompts.py --videos VIDEOS --shards SHARDS [--model mini]

VIDEOS holds `captions.jsonl` and the videos that it names: every caption is a query, and its video
is right. SHARDS is the Parquet sample of pictures: things ("a dog") and classes ("golden
retriever") as `labelled.py` has them; counted is the share of right ones among the first ten
results, and of classes also how often the likeliest class of a picture is its own. The standard
error is that of the difference to no prompt, over queries.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from labelled import CAPTIONED, CLASSES, SHOWN, THINGS, _embed, _words
from numpy.typing import NDArray
from quality import named
from samples import Vectors, samples

import framefind
from framefind import evaluation
from framefind.models import registry

PROMPTS = {
    "no prompt": ["{}"],
    "a photo of …": ["a photo of {}"],
    "a picture of …": ["a picture of {}"],
    "a video of …": ["a video of {}"],
    "….": ["{}."],
    "both of the first": ["{}", "a photo of {}"],
    "mean of seven": [
        "{}",
        "a photo of {}",
        "a picture of {}",
        "a video of {}",
        "a close-up of {}",
        "there is {} in the scene",
        "{} in the background",
    ],
}


def embed(model: registry.Model, texts: list[str], prompts: list[str]) -> Vectors:
    """The mean of each text in all prompts, at unit length."""
    total = sum(model.embed_texts([prompt.format(text) for text in texts]) for prompt in prompts)
    return np.asarray(total / np.linalg.norm(total, axis=1, keepdims=True))


class Captions:
    """Captions of videos, and the vectors of these."""

    def __init__(self, videos: Path, model: registry.Model, name: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            library = framefind.open(Path(folder, "l.framefind"))
            library.index(named(videos), model=name)
            rows = library.videos()
            index = library.vector_index.get()
            asked, _ = evaluation.read(videos / "captions.jsonl", rows)
            self.texts = list(asked)
            self._vectors = np.array(index.vectors, np.float32)
            self._frames = [index.rows(int(frame)) for frame in index.timeline.frame]
            self._video = np.array(index.timeline.video)
            owner = [{span.video_id for span in spans} for spans in asked.values()]
            ids = [video.video_id for video in index.videos]
            self._right = np.array([[name in own for name in ids] for own in owner])
        self._model = model

    def reciprocal_ranks(self, prompts: list[str]) -> NDArray[np.float64]:
        """1/rank of the right video of each caption, ranked by the best frame."""
        scores = embed(self._model, self.texts, prompts) @ self._vectors.T
        best = np.stack(
            [scores[:, rows].max(axis=1) for rows in self._frames], axis=1
        )  # (captions, frames)
        videos = np.stack(
            [best[:, self._video == at].max(axis=1) for at in range(self._right.shape[1])], axis=1
        )
        right = np.where(self._right, videos, -np.inf).max(axis=1)
        return 1 / (1 + (videos > right[:, np.newaxis]).sum(axis=1))


class Pictures:
    """Texts of which each is right for some of the pictures."""

    def __init__(
        self, model: registry.Model, texts: list[str], views: Vectors, right: NDArray[np.bool_]
    ) -> None:
        self._model, self._texts, self._views, self._right = model, texts, views, right

    def precision(self, prompts: list[str]) -> NDArray[np.float64]:
        """Of each text, the share of right pictures among the first ten."""
        scores = embed(self._model, self._texts, prompts) @ self._views.T
        first = np.argsort(-scores, axis=1, kind="stable")[:, :SHOWN]
        return np.take_along_axis(self._right, first, axis=1).mean(axis=1)

    def accuracy(self, prompts: list[str]) -> NDArray[np.float64]:
        """Of each picture, whether its likeliest text is right."""
        scores = embed(self._model, self._texts, prompts) @ self._views.T
        return self._right[scores.argmax(axis=0), np.arange(len(self._views))].astype(float)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--videos", type=Path, required=True)
    parser.add_argument("--shards", type=Path, required=True)
    parser.add_argument("--model", default="mini")
    options = parser.parse_args()
    model = registry.load(options.model)
    captions = Captions(options.videos, model, options.model)
    things = []
    for pool in CAPTIONED:
        shown = samples(options.shards, [pool])
        said = [_words(" ".join(one.texts)) for one in shown]
        right = [[bool(own & set(words.split())) for own in said] for words in THINGS.values()]
        things.append(Pictures(model, list(THINGS), _embed(model, shown), np.array(right)))
    shown = samples(options.shards, CLASSES)
    names = sorted({one.texts[0] for one in shown})
    right = np.array([[name in one.texts for one in shown] for name in names])
    classes = Pictures(model, names, _embed(model, shown), right)
    measures = {
        f"captions ({len(captions.texts)}): mean 1/rank": captions.reciprocal_ranks,
        "things: right of the first ten": lambda prompts: np.concatenate(
            [pool.precision(prompts) for pool in things]
        ),
        "classes: right of the first ten": classes.precision,
        "pictures: own class first": classes.accuracy,
    }
    print(f"## {model.name}\n\n| prompt | {' | '.join(measures)} |\n|---{'|---' * len(measures)}|")
    plain = {name: measure(["{}"]) for name, measure in measures.items()}
    for prompt, forms in PROMPTS.items():
        cells = []
        for name, measure in measures.items():
            found = measure(forms)
            change = found - plain[name]
            error = change.std() / np.sqrt(len(change))
            cells.append(f"{found.mean():.3f} ({change.mean():+.3f} ± {error:.3f})")
        print(f"| {prompt} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
