"""VobSub beside a video: `film.sub` holds drawn subtitles, `film.idx` their times and languages."""

import tempfile
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet

from framefind.errors import WordsError
from framefind.types import Cue
from framefind.video.open import explain_error
from framefind.words.bitmaps import read_packets


def read_vobsub(
    data: bytes, index: bytes, language: str, alive: Callable[[], None]
) -> Iterator[Cue]:
    """Yield the cues of the contents of a `.sub` and its `.idx`, in no order, not yet tidied.

    `language` is used where the index tells none; `alive` is called for every subtitle. Raises
    WordsError for contents that break off or cannot be read.
    """
    with tempfile.TemporaryDirectory(prefix="framefind-") as name:
        folder = Path(name)  # FFmpeg reads the pair of files by their names
        (folder / "film.sub").write_bytes(data)
        (folder / "film.idx").write_bytes(index)
        try:
            with av.open(str(folder / "film.idx"), format="vobsub") as container:
                yield from read_packets(_demux(container, alive), language)
        except (av.FFmpegError, ValueError) as error:
            raise WordsError(f"its pictures cannot be read: {explain_error(error)}") from error


def _demux(
    container: InputContainer, alive: Callable[[], None]
) -> "Iterator[tuple[Packet[Any], Fraction]]":
    """Yield the subtitles of a pair, whose times begin with the video."""
    for packet in container.demux(container.streams.subtitles):
        alive()
        if packet.size and packet.pts is not None:
            yield packet, Fraction()
