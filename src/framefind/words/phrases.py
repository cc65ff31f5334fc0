"""Cut what was said into phrases, the cues of speech."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_MAX_PAUSE_SECONDS = 0.8  # within a phrase
_LONG_SECONDS = 6.0  # after which a comma ends a phrase
_MAX_SECONDS = 10.0
_SENTENCE_ENDS = ".?!…。？！"
_CLAUSE_ENDS = ",;:，；：、"
_MAX_ABBREVIATION = 2  # letters of one such as Mr. or U.S., whose point ends no sentence


@dataclass(frozen=True)
class Word:
    """A word as it was said, with the space before it; `start` and `end` in seconds."""

    start: float
    end: float
    text: str


def cut_phrases(words: Iterable[Word]) -> Iterator[list[Word]]:
    """Yield phrases: words up to a pause, the end of a sentence or, of a long one, of a clause."""
    phrase: list[Word] = []
    for word in words:
        if phrase and _ends(phrase, word):
            yield phrase
            phrase = []
        phrase.append(word)
    if phrase:
        yield phrase


def _ends(phrase: list[Word], following: Word) -> bool:
    """Return whether a phrase ends before the word that follows it."""
    last = phrase[-1]
    seconds = last.end - phrase[0].start
    if following.start - last.end > _MAX_PAUSE_SECONDS or seconds > _MAX_SECONDS:
        return True
    text = last.text.strip()
    if text.endswith(".") and text[0].isupper():
        return len(text.replace(".", "")) > _MAX_ABBREVIATION
    if text.endswith(tuple(_SENTENCE_ENDS)):
        return True
    return seconds > _LONG_SECONDS and text.endswith(tuple(_CLAUSE_ENDS))
