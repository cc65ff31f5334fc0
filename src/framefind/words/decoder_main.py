"""The program of the decoder's process that also reads words; see `video.process_main`."""

from framefind.video.process_main import ScreenReader, main
from framefind.words.subtitles import read_subtitles


def open_screen_reader() -> ScreenReader:
    """Return what reads text in frames; its models are loaded when it is first needed."""
    from framefind.words.screen.reader import ScreenReader

    return ScreenReader()


if __name__ == "__main__":
    main(open_screen_reader, read_subtitles)
