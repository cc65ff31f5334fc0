"""How messages count things."""


def write_count(count: int, noun: str, plural: str = "") -> str:
    """Return `1 video`, `2 videos`; `plural` is for nouns that take more than an s."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
