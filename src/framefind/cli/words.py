"""`framefind words`: print what was read in a video."""

from dataclasses import asdict
from typing import Annotated

import typer

from framefind.cli import show
from framefind.cli.options import JsonOption, LibraryOption


def words(
    video: Annotated[str, typer.Argument(metavar="VIDEO", help="Path, name or id of a video.")],
    source: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only words of subtitles, speech or screen. Repeatable."),
    ] = None,
    srt: Annotated[bool, typer.Option("--srt", help="Print a SubRip file.")] = False,
    vtt: Annotated[bool, typer.Option("--vtt", help="Print a WebVTT file.")] = False,
    library: LibraryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the words of a video: subtitles, what is said, what is written on screen.

    $ framefind words film.mp4
    $ framefind words film.mp4 --srt
    """
    from framefind.library import open
    from framefind.output import subtitles
    from framefind.times import clock

    if srt + vtt + as_json > 1:
        show.fail_usage("choose one of --srt, --vtt and --json")
    cues = open(library).words(video, sources=source or ())
    if as_json:
        return show.print_json({"schema": "framefind/words/v1", "cues": [*map(asdict, cues)]})
    if srt or vtt:
        print(subtitles.write_srt(cues) if srt else subtitles.write_vtt(cues), end="")
        return None
    table = [
        (clock(cue.start), clock(cue.end), cue.source, cue.language, cue.text.replace("\n", " "))
        for cue in cues
    ]
    show.print_table(("start", "end", "source", "language", "text"), table)
    return None
