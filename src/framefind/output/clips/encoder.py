"""Encode frames, as they are stored or as screens show them.

As stored, they keep the size, pixels, colours and times of their stream.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from typing import Any, TypeAlias

import av
import numpy as np
from av.codec.codec import find_best_pix_fmt_of_list
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType
from av.video.reformatter import ColorRange, Colorspace, ColorTrc
from av.video.stream import VideoStream
from numpy.typing import NDArray

from framefind.errors import UsageError
from framefind.output.clips.plan import stamp
from framefind.video.colour import DEEP_LAYOUT

Packet: TypeAlias = "av.Packet[Any]"

ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp8": "libvpx",
    "vp9": "libvpx-vp9",
    "av1": "libsvtav1",
    "prores": "prores_ks",
    "dnxhd": "dnxhd",
}
"""What encodes a codec again; others become H.264."""

_INSTEAD = {"libvpx-vp9": "libsvtav1"}
"""What takes an encoder's place where that has no such pixels, such as those of 10 bits."""

_OPTIONS = {
    "libx264": {"preset": "fast", "crf": "16"},
    "libx265": {"preset": "fast", "crf": "18", "x265-params": "log-level=error"},
    "libvpx": {"deadline": "good", "cpu-used": "4", "crf": "8", "b": "20M"},
    "libvpx-vp9": {"deadline": "good", "cpu-used": "4", "crf": "24", "b": "0"},
    "libsvtav1": {"preset": "8", "crf": "24"},
}
_IN_BAND = {
    "libx264": {"bf": "0", "g": "600"},
    "libx265": {"x265-params": "log-level=error:bframes=0:keyint=600:repeat-headers=1"},
    "libvpx-vp9": {"lag-in-frames": "0", "auto-alt-ref": "0", "g": "600"},
    "libsvtav1": {"g": "600"},
}
"""For frames beside copied ones: in the order in which they are shown, headers with them."""

_EVEN = {"libx264", "libx265"}  # encoders that want an even size where colours have fewer pixels
_IN_FIELDS = {"libx264", "prores_ks"}  # encoders that keep the two fields of a frame apart
_DEFAULT_RATE = Fraction(25)
_MAX_DELAY_SECONDS = 600  # from when a frame is decoded until it is shown
_BT_709 = 1  # FFmpeg's number for matrix, primaries and transfer
_BT_2020 = 9  # for matrix and primaries
_LIMITED_RANGE = 1
_LOSSES = 63  # FFmpeg's flags of what a conversion of pixels loses; others say what it wastes

HDR_WHITES = {int(ColorTrc.SMPTE2084): 0.58, int(ColorTrc.ARIB_STD_B67): 0.75}
"""The signal of a diffuse white, of 1, by FFmpeg's transfer characteristic (ITU-R BT.2408)."""


def check_encoder(name: str) -> str:
    """Return the name of FFmpeg's encoder for a codec or encoder. Raises UsageError for others."""
    chosen = ENCODERS.get(name, name)
    is_video = False
    with suppress(ValueError, av.FFmpegError):
        is_video = av.codec.Codec(chosen, "w").type == "video"
    if not is_video:
        raise UsageError(
            f"`codec` {name!r}: use {', '.join(ENCODERS)} or a video encoder of FFmpeg"
        )
    return chosen


def choose_encoder(stream: VideoStream) -> str:
    """Return what encodes a stream again: in its own codec, where that keeps its pixels."""
    same_codec = ENCODERS.get(stream.codec_context.codec.canonical_name, "libx264")
    if not _choose_pixels(stream, same_codec)[1]:
        return same_codec
    substitute = _INSTEAD.get(same_codec, same_codec)
    return same_codec if _choose_pixels(stream, substitute)[1] else substitute


def keeps_pixels(stream: VideoStream, name: str) -> bool:
    """Return whether an encoder's packets can stand beside those of a stream."""
    context = stream.codec_context
    is_same = name in _IN_BAND and ENCODERS.get(context.codec.canonical_name) == name
    return is_same and context.pix_fmt == _choose_pixels(stream, name)[0]


def describe_loss(stream: VideoStream, name: str) -> list[str]:
    """Tell what an encoder does not keep of a stream's pixels, such as their bits."""
    pixels, loss = _choose_pixels(stream, name)
    context = stream.codec_context
    losses = [f"its pixels, {context.pix_fmt}, became {pixels}, which hold less"] if loss else []
    size = _choose_size(stream, name)
    if size != (context.width, context.height):
        losses.append(f"its size, {context.width}x{context.height}, became {size[0]}x{size[1]}")
    return losses


class Encoder:
    """Encodes frames of a stream, in the order in which they are shown."""

    def __init__(self, context: VideoCodecContext) -> None:
        self._context = context

    @classmethod
    def beside(cls, stream: VideoStream, name: str) -> "Encoder":
        """Return one whose packets can stand beside those of the stream."""
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, VideoCodecContext)
        _configure(context, stream, name)
        context.options = _OPTIONS.get(name, {}) | _IN_BAND[name]
        return cls(context)

    def encode(self, frame: av.VideoFrame | None) -> list[Packet]:
        """Return the packets that are ready after a frame; None: all that are left."""
        if frame is not None:
            frame.pict_type = PictureType.NONE  # else it forces the kind that it had
            context = self._context
            if not context.is_open and frame.interlaced_frame and context.name in _IN_FIELDS:
                context.flags |= Flags.interlaced_dct | Flags.interlaced_me
            if (frame.format.name, frame.width, frame.height) != (
                context.pix_fmt,
                context.width,
                context.height,
            ):
                frame = frame.reformat(context.width, context.height, context.pix_fmt)
        with keep_priority():  # the first call opens the encoder
            packets = list(self._context.encode(frame))
        return mend_stamps(packets)


@contextmanager
def keep_priority() -> Iterator[None]:
    """Undo that an encoder gives this thread priority over all others of the computer.

    SVT-AV1 does so where it may, as for root. Threads that are started later would inherit that,
    and keep even each other from the processor.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy = os.sched_getscheduler(0)
    priority = os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, priority)


def mend_stamps(packets: list[Packet]) -> list[Packet]:
    """Give all packets of a stream times of decoding where they have none that can be.

    libx265 writes random ones if it has had fewer frames than it looks ahead.
    """
    times = [packet.pts or 0 for packet in packets]
    if any(_is_absurd(packet) for packet in packets):
        for packet, decoded in zip(packets, stamp(times)[0], strict=True):
            packet.dts = decoded
    return packets


def _is_absurd(packet: Packet) -> bool:
    if packet.dts is None or packet.pts is None:
        return True
    delay = (packet.pts - packet.dts) * (packet.time_base or 0)
    return not 0 <= delay <= _MAX_DELAY_SECONDS


def add_encoded_stream(output: OutputContainer, stream: VideoStream, name: str) -> VideoStream:
    """Add a stream to a file that `name` encodes, with size, colours and rotation of another."""
    added = output.add_stream(name, rate=stream.average_rate or _DEFAULT_RATE)
    assert isinstance(added, VideoStream)
    _configure(added.codec_context, stream, name)
    added.codec_context.options = _OPTIONS.get(name, {})
    return added


def even_size(width: float, height: float) -> tuple[int, int]:
    """Return the nearest size in pixels that pictures of H.264 and HEVC can have."""
    return max(2, 2 * round(width / 2)), max(2, 2 * round(height / 2))


def add_screen_stream(
    output: OutputContainer,
    size: tuple[int, int],
    rate: Fraction,
    time_base: Fraction,
    options: dict[str, str],
) -> VideoStream:
    """Add a stream of H.264 for pictures of `convert_for_screen`; `size` is even."""
    stream = output.add_stream("libx264", rate=rate, options=options)
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    context.time_base = stream.time_base = time_base
    context.colorspace = context.color_primaries = context.color_trc = _BT_709
    context.color_range = _LIMITED_RANGE
    return stream


def add_hdr_stream(
    output: OutputContainer, size: tuple[int, int], rate: Fraction, time_base: Fraction, hdr: int
) -> VideoStream:
    """Add a stream of HEVC for pictures of `convert_hdr`; `hdr` is their transfer's number."""
    stream = output.add_stream("libx265", rate=rate, options=_OPTIONS["libx265"])
    stream.width, stream.height = size
    stream.pix_fmt = "yuv420p10le"
    context = stream.codec_context
    context.codec_tag = "hvc1"  # without it, Apple's players refuse the file
    context.time_base = stream.time_base = time_base
    context.colorspace = context.color_primaries = _BT_2020
    context.color_trc = hdr
    context.color_range = _LIMITED_RANGE
    return stream


def convert_for_screen(pixels: NDArray[np.uint8]) -> av.VideoFrame:
    """Return RGB (height, width, 3) as a frame in the colours of BT.709."""
    return av.VideoFrame.from_ndarray(pixels, "rgb24").reformat(
        format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
    )


def convert_hdr(signals: NDArray[np.uint16]) -> av.VideoFrame:
    """Return RGB signals of HDR (height, width, 3) as a frame in the colours of BT.2020."""
    return av.VideoFrame.from_ndarray(signals, DEEP_LAYOUT).reformat(
        format="yuv420p10le", dst_colorspace=Colorspace.BT2020, dst_color_range=ColorRange.MPEG
    )


def _configure(context: VideoCodecContext, stream: VideoStream, name: str) -> None:
    """Take over what describes pictures and times."""
    if name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # else it prints its settings
    source = stream.codec_context
    context.width, context.height = _choose_size(stream, name)
    context.pix_fmt, _ = _choose_pixels(stream, name)
    context.time_base = stream.time_base or Fraction(1, av.time_base)
    context.framerate = stream.average_rate or _DEFAULT_RATE
    if source.sample_aspect_ratio:
        context.sample_aspect_ratio = source.sample_aspect_ratio
    context.color_primaries = source.color_primaries
    context.color_trc = source.color_trc
    context.colorspace = source.colorspace
    context.color_range = source.color_range


def _choose_pixels(stream: VideoStream, name: str) -> tuple[str, int]:
    """Return the encoder's pixel format nearest to a stream's, and what of that is lost: flags."""
    stored = stream.codec_context.pix_fmt or "yuv420p"
    offered = av.codec.Codec(name, "w").video_formats
    nearest, loss = find_best_pix_fmt_of_list(offered, stored) if offered else (None, 0)
    return (nearest.name, int(loss) & _LOSSES) if nearest else (stored, 0)


def _choose_size(stream: VideoStream, name: str) -> tuple[int, int]:
    """Return the size that an encoder gives to a stream: its own, or the nearest even one."""
    context = stream.codec_context
    pixels = av.VideoFormat(_choose_pixels(stream, name)[0])
    width, height = even_size(context.width, context.height)
    has_columns = name not in _EVEN or pixels.chroma_width(2) == 2
    has_rows = name not in _EVEN or pixels.chroma_height(2) == 2
    return context.width if has_columns else width, context.height if has_rows else height
