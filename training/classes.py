"""What a picture shows, told from all else that its source knows, not only from its batch."""

import re
from collections import Counter
from collections.abc import Sequence

import batches
import torch
from torch import Tensor

OFTEN = 16  # captioned pictures that a word must be said of
SAY_NOTHING = """a an the this that its it his her their he she they them who which while as of
in on at to by from for with and or is are be being has have there some other another"""


def times_said(texts: Sequence[str]) -> Counter[str]:
    """How many of the texts have each word, of two letters and more."""
    return Counter(word for text in texts for word in {*re.findall("[a-z]{2,}", text.lower())})


def words_said(captions: list[list[str]]) -> list[Counter[str]]:
    """How many captions of each picture have each word that says something."""
    little = {*SAY_NOTHING.split()}
    counts = map(times_said, captions)
    return [Counter({w: count[w] for w in count.keys() - little}) for count in counts]


class Classes:
    """Classes of the sources that sort their pictures, and the words of captions.

    A captioned picture is of no class; it shows every word in its captions, each as much as many
    of its captions have it. To tell thousands of captions apart, they can be learned by heart;
    words are said of many pictures, of whatever source.
    """

    def __init__(self, texts: batches.Texts, pictures: batches.Pictures) -> None:
        known = pictures.classes
        said = words_said([list(row[1:]) if row[0] in batches.CAPTIONED else [] for row in known])
        pictures_of = Counter(word for words in said for word in words)
        words = sorted(word for word, count in pictures_of.items() if count >= OFTEN)
        classes = [i for i, row in enumerate(known) if row[0] not in batches.CAPTIONED]
        number = {word: i for i, word in enumerate(words, len(classes))}
        self.ids = texts.ids([*(known[i][1] for i in classes), *words])
        goals = torch.zeros(len(known), len(self.ids))
        goals[classes, range(len(classes))] = 1.0
        for goal, counts in zip(goals, said, strict=True):
            for word in counts.keys() & number.keys():
                goal[number[word]] = counts[word]
        self.goals = goals / goals.sum(1, keepdim=True).clamp(min=1)
        names = ["" if row[0] in batches.CAPTIONED else row[0] for row in known]
        source = {name: i for i, name in enumerate(dict.fromkeys(names))}
        self.of_picture = torch.tensor([source[name] for name in names])
        columns = [names[i] for i in classes] + [""] * len(words)
        self.of_column = torch.tensor([source[name] for name in columns])

    def loss(self, logits: Tensor, shown: Tensor) -> Tensor:
        """Cross entropy of each picture (row) of `shown` classes among those of its source."""
        logits, shown = logits[shown >= 0], shown[shown >= 0].cpu()
        others = self.of_picture[shown][:, None] != self.of_column[None]
        found = logits.masked_fill(others.to(logits.device), -1e4).log_softmax(1)
        return -(self.goals[shown].to(logits.device) * found).sum(1).mean()
