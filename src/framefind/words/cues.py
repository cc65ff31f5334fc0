"""What all sources of cues share: times that make sense, repeats joined, a limit."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from framefind.errors import WordsError
from framefind.types import Cue

MAX_CHARACTERS = 1 << 22
"""Characters in the cues of one file; more are no subtitles."""

MAX_CUES = 200_000
"""Maximum cues of one file; the rest is left out."""

MAX_SECONDS = 1e6
"""Latest time of a cue; later ones are taken for errors."""

_MAX_GAP_SECONDS = 0.1  # between two cues of one text that are one


def tidy_cues(cues: Iterable[Cue]) -> Iterator[Cue]:
    """Yield cues that have a text and a time, each text once while it stands, about in order.

    A cue that begins before zero begins at zero; one that ends before it begins has no length. One
    that repeats the text before it, in its language, goes on with it. Raises WordsError after
    `MAX_CHARACTERS` or `MAX_CUES`.
    """
    last_cues: dict[str, Cue] = {}
    characters = 0
    count = 0
    for cue in cues:
        if (
            not cue.text
            or not 0 <= max(cue.start, cue.end) <= MAX_SECONDS
            or cue.start < -MAX_SECONDS
        ):
            continue
        start = max(0.0, cue.start)
        new = replace(cue, start=start, end=max(start, cue.end))
        last = last_cues.get(cue.language)
        if last and last.text == new.text and last.start <= start <= last.end + _MAX_GAP_SECONDS:
            last_cues[cue.language] = replace(last, end=max(last.end, new.end))
            continue
        count += 1
        characters += len(new.text)
        if characters > MAX_CHARACTERS or count > MAX_CUES:
            yield from last_cues.values()
            raise WordsError(
                f"it holds more than {MAX_CUES:,} cues or {MAX_CHARACTERS:,} characters; the rest "
                "is left out"
            )
        if last:
            yield last
        last_cues[cue.language] = new
    yield from last_cues.values()
