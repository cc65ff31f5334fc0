"""The program of the decoder's process that also reads words; see `video.process_main`."""

from framefind.video.process_main import main
from framefind.words.subtitles import read_subtitles

if __name__ == "__main__":
    main(read_subtitles=read_subtitles)
