"""Cut a clip out of a video: exact at both ends, and encoded again only where it must be.

H.264, HEVC, VP9 and AV1 are copied from the first keyframe of the clip on that closes off what
came before, or can be made to (open groups). The frames before it, and the few at the end that
later ones would be needed for, are encoded again with the same codec. Their own parameter sets
come with them, and those of the file return before what is copied. A codec without such frames
(ProRes, MJPEG) is copied as a whole; any other is encoded again as a whole. Sound is copied: it
begins with the first packet that begins in the clip.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import ceil, floor
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from framefind.errors import VideoError
from framefind.output.clips.encoder import ENCODERS, describe_loss, keeps_pixels
from framefind.output.clips.plan import Plan, encode_all, plan_exact, plan_fast
from framefind.output.clips.recovery import CannotRenumberError
from framefind.output.clips.source import find_size, list_packets
from framefind.output.clips.write import ClipWriter
from framefind.video.clock import Timing, has_broken_clock
from framefind.video.open import choose_stream, open_container
from framefind.video.read_grid import read_frame_grid
from framefind.video.timecode import write_timecode

_ROUNDING = Fraction(1, 100)  # of a tick; seconds are floats


@dataclass(frozen=True)
class Cut:
    """What a clip holds, in seconds of the video, and how many frames were encoded again.

    `loss` tells what that has cost, if anything.
    """

    start: float
    end: float
    encoded: int
    copied: int
    loss: str | None = None


def cut_clip(
    path: str,
    start: float,
    end: float,
    target: Path,
    *,
    fast: bool = False,
    codec: str | None = None,
    duration: float | None = None,
) -> Cut:
    """Write what is shown from `start` to `end` seconds as the file `target`.

    `fast` copies from the keyframe before the start; `codec`, an encoder of FFmpeg's, encodes all
    again. `duration` is the video's in seconds, if known. Raises VideoError where that cannot be
    done, and StoreError for a video that its store does not give.
    """
    size = find_size(path)
    with open_container(path, size) as source:
        stream = choose_stream(path, source)
        timing = Timing(source, stream)
        again = lambda: open_container(path, size)  # noqa: E731
        if not timing.timed or has_broken_clock(path, source, stream, again, duration):
            raise VideoError(f"{path}: its timestamps jump or are missing, so it cannot be cut")
        ticks = [(Fraction(t) + timing.origin) / timing.base for t in (start, end)]
        first = floor(ticks[0] + _ROUNDING)
        after = max(ceil(ticks[1] - _ROUNDING), first + 1)
        name = stream.codec_context.codec.canonical_name
        try:
            packets = list_packets(source, stream, first, after)
            plan = plan_fast(packets, first, after) if fast else plan_exact(packets, first, after)
            if codec or not (plan.copies_all or keeps_pixels(stream, ENCODERS.get(name, ""))):
                plan = encode_all(plan)
            write = partial(_write, path, source, stream, target, timing, codec)
            try:
                writer = write(plan)
            except CannotRenumberError:
                plan = encode_all(plan)
                writer = write(plan)
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(f"{path}: the clip cannot be written: {error}") from None
        shown = [float(t * timing.base - timing.origin) for t in (plan.first, plan.end)]
        loss = describe_loss(stream, writer.encoder) if writer.encoded else None
        copied = plan.copy_until - plan.copy_from - plan.left_out
        return Cut(shown[0], shown[1], writer.encoded, copied, loss)


def describe_offset(cut: Cut, start: float, end: float) -> str:
    """Return by how much a copied clip is off."""
    early, late = max(0.0, start - cut.start), max(0.0, cut.end - end)
    return f"begins {early:.3f} s early and ends {late:.3f} s late"


def _write(
    path: str,
    source: InputContainer,
    stream: VideoStream,
    target: Path,
    timing: Timing,
    codec: str | None,
    plan: Plan,
) -> ClipWriter:
    """Write a clip by a plan; return the writer, which tells what it did."""
    with av.open(target, "w") as output:
        writer = ClipWriter(source, stream, output, plan, codec)
        _set_timecode(output, path, float(plan.first * timing.base - timing.origin))
        writer.run()
    return writer


def _set_timecode(output: OutputContainer, path: str, start: float) -> None:
    """Let a clip go on with the timecode of its video, if that has one."""
    grid = read_frame_grid(path)
    if grid.timecode:
        frame = grid.timecode + grid.span(start, start)[0]
        output.metadata["timecode"] = write_timecode(frame, grid.rate, grid.drop)
