"""Options of `index` that `watch` has, too."""

from typing import Annotated

import typer

from framefind.cli import show

FILES = "Which files"
FRAMES = "Which frames"
RUN = "How to run"

PathsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH",
        help="Videos, or folders of them. Default: the folders in framefind.toml.",
        show_default=False,
    ),
]
GlobOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB",
        help="Only files in folders that match, such as '*.mp4'. Repeatable.",
        rich_help_panel=FILES,
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB",
        help="Skip files in folders that match, such as '*.tmp'. Repeatable.",
        rich_help_panel=FILES,
    ),
]
RetryOption = Annotated[
    bool,
    typer.Option("--retry", help="Try videos again that failed before.", rich_help_panel=FILES),
]
EveryOption = Annotated[
    float | None,
    typer.Option(
        metavar="S",
        help="One frame every S seconds. Default: every second.",
        rich_help_panel=FRAMES,
    ),
]
CountOption = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="N frames of each video, evenly spread.", rich_help_panel=FRAMES
    ),
]
RandomOption = Annotated[
    int | None,
    typer.Option(
        metavar="SEED",
        help="With --count: at random times. The same seed gives the same times.",
        rich_help_panel=FRAMES,
    ),
]
KeyframesOption = Annotated[
    bool,
    typer.Option(
        "--keyframes", help="Only keyframes, which decode fastest.", rich_help_panel=FRAMES
    ),
]
ShotsOption = Annotated[
    bool,
    typer.Option("--shots", help="The first frame of every shot.", rich_help_panel=FRAMES),
]
ViewsOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="Parts of each frame to embed: whole (the frame), tiles (the frame, and overlapping "
        "squares of it) or SIZE/STEP (square patches, in pixels, such as 360/180).",
        rich_help_panel=FRAMES,
    ),
]
DedupeOption = Annotated[
    bool,
    typer.Option(
        "--dedupe",
        help="Reuse the previous frame's vectors for a frame that looks the same.",
        rich_help_panel=FRAMES,
    ),
]
ReadOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="Words to read: none, or some of subtitles,screen,speech. Default: all, speech only "
        "if its model is on this machine.",
        rich_help_panel=FRAMES,
    ),
]
DecoderOption = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="What decodes videos: auto, cpu, or hardware such as cuda.",
        rich_help_panel=RUN,
    ),
]


def name_sampler(
    every: float | None, count: int | None, random: int | None, keyframes: bool, shots: bool
) -> str:
    """Return the sampler's name as `Library.index` takes it."""
    if sum([every is not None, count is not None, keyframes, shots]) > 1:
        show.fail_usage("choose one of --every, --count, --keyframes, --shots")
    if random is not None and count is None:
        show.fail_usage("--random goes with --count")
    if count is not None:
        return f"count={count}" + ("" if random is None else f",random={random}")
    if keyframes or shots:
        return "keyframes" if keyframes else "shots"
    return f"every={1.0 if every is None else every}"
