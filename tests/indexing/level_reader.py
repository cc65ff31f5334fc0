"""A decoder's process whose reader of the screen reads how bright a frame is, for test_words."""

from collections.abc import Iterator

from framefind.types import Cue
from framefind.video.frame import Frame
from framefind.video.process_main import main
from framefind.words.subtitles import read_subtitles


class LevelReader:
    """Yields `dark` or `bright` for as long as frames are."""

    def __init__(self) -> None:
        self._open: tuple[float, str] | None = None

    def add(self, frame: Frame) -> Iterator[Cue]:
        text = "bright" if frame.scale(8, 8).mean() > 127 else "dark"
        if self._open and self._open[1] != text:
            yield from self.finish(frame.t)
        self._open = self._open or (frame.t, text)

    def finish(self, end: float) -> Iterator[Cue]:
        if self._open:
            start, text = self._open
            yield Cue(start, end, text, "screen", box=(0.0, 0.0, 1.0, 1.0))
        self._open = None


if __name__ == "__main__":
    main(LevelReader, read_subtitles)
