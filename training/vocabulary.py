"""The tokens of a vocabulary that a model for English needs."""

from typing import Any

LATIN = "\u024f"  # the last letter of Latin Extended-B
SIGNS = "\u2010", "\u20cf"  # quotation marks, dashes, currencies


def latin(tokenizer: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """A tokenizer (as JSON) without other scripts' letters and without places nothing has taken.

    Words in them are `[UNK]` then. Also which row of a table of all tokens each one has.
    """
    vocabulary: dict[str, int] = tokenizer["model"]["vocab"]
    kept = [token for token in sorted(vocabulary, key=vocabulary.__getitem__) if _needed(token)]
    number = {token: i for i, token in enumerate(kept)}
    added = [{**row, "id": number[row["content"]]} for row in tokenizer["added_tokens"]]
    smaller = {
        **tokenizer,
        "added_tokens": added,
        "post_processor": None,  # no text is given marks of its begin and end
        "model": {**tokenizer["model"], "vocab": number},
    }
    return smaller, [vocabulary[token] for token in kept]


def _needed(token: str) -> bool:
    first, last = SIGNS
    known = (letter <= LATIN or first <= letter <= last for letter in token)
    return not token.startswith("[unused") and all(known)
