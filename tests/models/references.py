"""Real architectures of transformers with random weights, and what they make of pictures and texts.

Only for tests that have torch.
"""

from pathlib import Path
from types import SimpleNamespace

import hubs
import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from PIL import Image

WIDTH = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 3}
WIDTH |= {"num_attention_heads": 4}

TEXTS = [
    "a red car", "A Red Car!", "", " ", "?", "naïve café in São Paulo", "Straße über Åland",
    "犬が浜辺を走る", "собака на пляже", "🎬 a clapperboard 🐕‍🦺", "word " * 200,
    "re-open the door, please",
    *(f"{what} {where}" for what in ("a dog", "two children", "an old man", "nobody", "a boat")
      for where in ("on the beach", "in the snow", "at night", "by a window", "in a kitchen",
                    "on stage", "under water", "next to a fire")),
]  # fmt: skip


def _vocabulary(space: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """A tiny vocabulary of bytes and some merges, as CLIP's or, with `space`, as Gemma's."""
    from tokenizers.pre_tokenizers import ByteLevel

    if space:
        tokens = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
        tokens += [f"<0x{byte:02X}>" for byte in range(256)]
        tokens += [space, *map(chr, range(97, 123))]
        merges = [(space, letter) for letter in "abcdst"] + [("t", "h"), ("o", "n"), ("th", "e")]
    else:
        letters = sorted(ByteLevel.alphabet())
        tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
        merges = [
            ("t", "h"),
            ("th", "e</w>"),
            ("a", "r"),
            ("o", "n</w>"),
            ("d", "o"),
            ("do", "g</w>"),
        ]
    tokens += ["".join(pair) for pair in merges]
    if not space:
        tokens += ["<|startoftext|>", "<|endoftext|>"]
    return {token: place for place, token in enumerate(tokens)}, merges


def clip() -> tuple:
    vocabulary, merges = _vocabulary("")
    tokenizer = transformers.CLIPTokenizer(vocabulary, merges)
    ends = {f"{end}_token_id": vocabulary["<|endoftext|>"] for end in ("eos", "pad")}
    text = WIDTH | ends | {"bos_token_id": vocabulary["<|startoftext|>"]}
    config = transformers.CLIPConfig(
        text_config=text | {"vocab_size": len(vocabulary)},
        vision_config=WIDTH | {"image_size": 224, "patch_size": 32},
        projection_dim=96,
    )
    return transformers.CLIPModel(config), tokenizer, transformers.CLIPImageProcessorPil(), 77


def siglip() -> tuple:
    vocabulary, merges = _vocabulary("▁")
    tokenizer = transformers.Siglip2Tokenizer(vocabulary, merges, padding_side="right")
    config = transformers.SiglipConfig(
        text_config=WIDTH | {"vocab_size": len(vocabulary), "max_position_embeddings": 64},
        vision_config=WIDTH | {"image_size": 224, "patch_size": 32},
    )
    processor = transformers.SiglipImageProcessorPil()
    return transformers.SiglipModel(config), tokenizer, processor, 64


FAMILIES = {"clip": clip, "siglip": siglip}


def make(family: str, folder: Path) -> SimpleNamespace:
    """A model, its tokenizer and its processor, saved in `folder` as the hub has checkpoints."""
    torch.manual_seed(1)
    model, tokenizer, processor, length = FAMILIES[family]()
    model.eval()
    tokenizer.model_max_length = length
    for part in (model, tokenizer, processor):
        part.save_pretrained(folder)
    return SimpleNamespace(
        folder=folder,
        model=model,
        tokenizer=tokenizer,
        processor=processor,
        length=length,
        is_clip=family == "clip",
    )


def reference_pictures(pair: SimpleNamespace, frames: list) -> NDArray[np.float32]:
    given = pair.processor([Image.fromarray(frame.full) for frame in frames], return_tensors="pt")
    with torch.no_grad():
        return pair.model.get_image_features(**given).pooler_output.numpy()


def reference_texts(pair: SimpleNamespace, texts: list[str], **how: object) -> NDArray[np.float32]:
    how = {"padding": True if pair.is_clip else "max_length", "truncation": True} | how
    given = pair.tokenizer(texts, return_tensors="pt", **how)
    if not pair.is_clip:
        given = {"input_ids": given["input_ids"]}
    with torch.no_grad():
        return pair.model.get_text_features(**given).pooler_output.numpy()


def parity(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """The lowest cosine of two lists of vectors, each of unit length, less their common mean."""
    ours, theirs = hubs.unit(ours), hubs.unit(theirs)
    mean = theirs.mean(axis=0)
    return float((hubs.unit(ours - mean) * hubs.unit(theirs - mean)).sum(axis=1).min())


def prepared(pair: SimpleNamespace, frames: list, harm: str = "") -> NDArray[np.uint8]:
    """The pictures as the processor resizes and crops them, uint8, or with a `harm` to that."""
    how = Image.Resampling.NEAREST if harm == "resize" else Image.Resampling.BICUBIC
    found = []
    for frame in frames:
        picture = Image.fromarray(frame.full)
        width, height = 224, 224
        if pair.is_clip:
            factor = 224 / min(picture.size)
            width, height = (max(224, int(side * factor)) for side in picture.size)
        picture = picture.resize((width, height), how)
        left, top = (width - 224) // 2 + (16 if harm == "crop" else 0), (height - 224) // 2
        found.append(np.asarray(picture.crop((left, top, left + 224, top + 224))))
    pictures = np.stack(found)
    return np.ascontiguousarray(pictures[..., ::-1]) if harm == "bgr" else pictures
