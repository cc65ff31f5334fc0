"""Cut a clip out of a video: exact at both ends, and encoded again only where it must be.

H.264, HEVC, VP9 and AV1 are copied from the first keyframe of the clip on that closes off what
came before, or can be made to (open groups). The frames before it, and the few at the end that
later ones would be needed for, are encoded again with the same codec. Their own parameter sets
come with them, and those of the file return before what is copied. A codec without such frames
(ProRes, MJPEG) is copied as a whole; any other is encoded again as a whole. Sound is copied: it
begins with the first packet that begins in the clip.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import ceil, floor
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer

from framefind.errors import VideoError
from framefind.output.clips.container import can_hold
from framefind.output.clips.encoder import choose_encoder, describe_loss, keeps_pixels
from framefind.output.clips.plan import Plan, encode_all, plan_exact, plan_fast
from framefind.output.clips.recovery import CannotRenumberError
from framefind.output.clips.source import find_old_x264, find_size, is_disordered, list_packets
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
    opens = partial(open_container, path, find_size(path))
    with opens() as source:
        stream = choose_stream(path, source)
        timing = Timing(source, stream)
        is_timed = timing.timed and not (timing.reordered and is_disordered(path, opens))
        if not is_timed or has_broken_clock(path, source, stream, opens, duration):
            raise VideoError(f"{path}: its timestamps jump or are missing, so it cannot be cut")
        ticks = [(Fraction(t) + timing.origin) / timing.base for t in (start, end)]
        first = floor(ticks[0] + _ROUNDING)
        after = max(ceil(ticks[1] - _ROUNDING), first + 1)
        encoder = codec or choose_encoder(stream)
        name = stream.codec_context.codec.name
        can_copy = not codec and (fast or can_hold(target.suffix.lower(), name))
        old = find_old_x264(source, stream)
        can_mix = not codec and keeps_pixels(stream, encoder) and not old[0]
    write = partial(_write, path, opens, target, encoder, old, first)
    try:
        with opens() as source:
            packets = list_packets(source, choose_stream(path, source), first, after)
        plan = plan_fast(packets, first, after) if fast else plan_exact(packets, first, after)
        if not ((plan.copies_all and can_copy) or can_mix):
            plan = encode_all(plan)
        try:
            cut = write(plan)
        except CannotRenumberError:
            cut = write(encode_all(plan))
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(f"{path}: the clip cannot be written: {error}") from None
    return cut


def describe_offset(cut: Cut, start: float, end: float) -> str:
    """Return by how much a copied clip is off."""
    early, late = max(0.0, start - cut.start), max(0.0, cut.end - end)
    return f"begins {early:.3f} s early and ends {late:.3f} s late"


def _write(
    path: str,
    opens: Callable[[], InputContainer],
    target: Path,
    encoder: str,
    old: tuple[int, bytes],
    begin: int,
    plan: Plan,
) -> Cut:
    """Write a clip by a plan whose packets are numbered from the keyframe before `begin` on.

    `old` is as of `find_old_x264`.
    """
    with opens() as source:
        stream = choose_stream(path, source)
        if old[0]:
            stream.codec_context.options = {"x264_build": str(old[0])}
        timing = Timing(source, stream)
        start, end = (float(t * timing.base - timing.origin) for t in (plan.first, plan.end))
        with av.open(target, "w") as output:
            writer = ClipWriter(source, stream, output, plan, encoder, old[1])
            _set_timecode(output, path, start)
            writer.run(begin)
        copied = plan.copy_until - plan.copy_from - plan.left_out
        if not writer.encoded + copied:
            raise VideoError(f"{path}: no frame of the clip could be decoded")
        losses = writer.notes + (describe_loss(stream, encoder) if writer.encoded else [])
        return Cut(start, end, writer.encoded, copied, "; ".join(losses) or None)


def _set_timecode(output: OutputContainer, path: str, start: float) -> None:
    """Let a clip go on with the timecode of its video, if that has one."""
    grid = read_frame_grid(path)
    if grid.timecode:
        frame = grid.timecode + grid.span(start, start)[0]
        output.metadata["timecode"] = write_timecode(frame, grid.rate, grid.drop)
