"""What reads the words of one run: opened once, before anything is decoded."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from framefind.errors import ChoiceError, ModelError
from framefind.indexing.reading import Reading
from framefind.words.recogniser import DEFAULT_MODEL, SPEECH, Recogniser

SCREEN_MODEL = "pp-ocrv6-tiny"
"""The models of `words/screen`, which a library tells; other ones read again."""


@dataclass(frozen=True)
class Readers:
    """The words that are read, by what; and why others cannot be, in a line each."""

    read: tuple[Reading, ...] = ()
    recogniser: Recogniser | None = None
    missing: list[str] = field(default_factory=list)


def open_readers(read: Iterable[Reading], device: str = "auto") -> Readers:
    """Open what reads the words that are asked for; what is missing is left out and named.

    Raises ChoiceError for an unknown model of speech.
    """
    readings = []
    missing = []
    recogniser: Recogniser | None = None
    for reading in read:
        if reading.source == "speech":
            try:
                recogniser = Recogniser(reading.by or DEFAULT_MODEL, device)
            except ChoiceError:
                raise
            except ModelError as error:
                missing.append(f"speech is not read: {error}")
                continue
            reading = replace(reading, by=recogniser.name.removeprefix(SPEECH))
        elif reading.source == "screen":
            reading = replace(reading, by=SCREEN_MODEL)
        readings.append(reading)
    return Readers(tuple(readings), recogniser, missing)
