"""Subtitles: the tracks of a video's file, text or drawn, and the subtitle files beside it."""

from collections.abc import Callable, Iterator, Sequence

from framefind.errors import WordsError
from framefind.types import Cue
from framefind.words.bitmaps import read_bitmaps
from framefind.words.cues import tidy_cues
from framefind.words.sidecars import read_sidecar
from framefind.words.tracks import read_tracks


def read_subtitles(
    path: str,
    sidecars: Sequence[str],
    fps: float | None,
    has_tracks: bool,
    fail: Callable[[str], None],
    alive: Callable[[], None],
) -> Iterator[Cue]:
    """Yield the cues of a video's text tracks, of its drawn ones, then of its `sidecars`.

    A file without tracks is not opened, since a bucket would send its head again. `fail` is called
    with what cannot be read, which stops nothing else; `alive` now and then. Raises what opening a
    video raises, and StoreError for a sidecar that its store does not give.
    """
    for read in (read_tracks, read_bitmaps) if has_tracks else ():
        try:
            yield from tidy_cues(read(path, alive))
        except WordsError as error:
            fail(str(error))
    for sidecar in sidecars:
        alive()
        try:
            yield from tidy_cues(read_sidecar(sidecar, fps=fps, alive=alive))
        except WordsError as error:
            fail(str(error))
