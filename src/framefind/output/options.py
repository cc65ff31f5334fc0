"""The options of `export`: the one list, which Python, command line, HTTP and agents share."""

from collections.abc import Callable
from typing import Annotated, TypedDict, get_type_hints

MAX_CUT_SECONDS = 600.0
"""Most seconds of video that a client of a server, or an agent, may have cut at a time."""

CLIP_NAMES = "{number} {name} {start}-{end}"
"""How clips are named, without suffix."""


class How(TypedDict, total=False):
    """How moments are handed over; all of it may be left out.

    `on_clip` is called before each clip, with its title, its number from 1 on, and how many there
    are.
    """

    title: Annotated[str, "Name of the timeline, report or film."]
    padding: Annotated[float, "Seconds to add before and after each moment."]
    overwrite: Annotated[bool, "Replace files that exist."]
    names: Annotated[str, "How clips are named: a pattern of {number}, {name}, {start}, {end}."]
    fast: Annotated[bool, "Only copy, from the keyframe before the start; say how far off that is."]
    codec: Annotated[
        str | None,
        "Encode all of a clip: h264, hevc, vp9, av1, prores or an encoder of FFmpeg.",
    ]
    titles: Annotated[
        bool, "Show the query and the video's name in a film, for 3 seconds a moment."
    ]
    on_clip: Callable[[str, int, int], None]


HELP: dict[str, str] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(How, include_extras=True).items()
    if hasattr(hint, "__metadata__")
}
"""What each option does."""
