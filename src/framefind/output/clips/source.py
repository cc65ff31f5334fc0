"""Read the packets of the video that a clip is cut out of."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from typing import Any, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from framefind.files.objects import is_remote
from framefind.output.clips.keyframes import is_av1_keyframe, is_hidden_vp8, is_vp9_keyframe
from framefind.output.clips.nal import find_build, is_clean, split_units
from framefind.output.clips.plan import Listed
from framefind.output.clips.recovery import is_recovery_point
from framefind.video.open import choose_stream, file_size, open_remote
from framefind.video.packets import is_resetting_unit, length_width, reset_test

Packet: TypeAlias = "av.Packet[Any]"

IN_UNITS = ("h264", "hevc")
"""Codecs whose packets are made of NAL units."""

_KEYFRAME_TESTS = {"vp9": is_vp9_keyframe, "av1": is_av1_keyframe}
_OPEN_TESTS = {"hevc": is_clean, "h264": is_recovery_point}
_FIRST_RIGHT = 34  # build of x264 whose B-frames FFmpeg decodes as it does all others',
_FIRST_RIGHT_444 = 151  # and of 4:4:4
_SOUGHT = {"mov", "matroska", "mpegts", "mxf"}  # of others, times depend on where reading begins
_MAX_ORDERED = 64  # packets at the beginning, until frames count as shown in order
_EARLIER_SECONDS = (0, 2, 15, 10**6)  # than a time, to look for a keyframe, one after another


def find_size(path: str) -> int:
    """Return the size of a video in bytes."""
    return open_remote(path).size if is_remote(path) else file_size(path)


def list_sounds(source: InputContainer) -> list[AudioStream]:
    """Return the tracks of sound that a clip takes along."""
    return [sound for sound in source.streams.audio if sound.codec_context]


def time_base(stream: VideoStream) -> Fraction:
    """Return the seconds of one tick of a stream."""
    return stream.time_base or Fraction(1, av.time_base)


def find_old_x264(source: InputContainer, stream: VideoStream) -> tuple[int, bytes]:
    """Return the build of x264 that FFmpeg must know to decode a stream, and the unit that says it.

    Else 0 and no unit. Builds with faults of their own say so once, with the first picture.
    Reads from where `source` stands: it was just opened.
    """
    context = stream.codec_context
    if context.codec.canonical_name != "h264":
        return 0, b""
    first = next((bytes(packet) for packet in source.demux(stream) if packet.size), b"")
    build, unit = find_build(first, length_width("h264", context.extradata))
    is_full = (context.pix_fmt or "").startswith("yuv444")
    return (build, unit) if build < (_FIRST_RIGHT_444 if is_full else _FIRST_RIGHT) else (0, b"")


def is_disordered(path: str, opens: Callable[[], InputContainer]) -> bool:
    """Return whether a video's frames have the times of decoding, and are shown in another order.

    So it is in an MP4 that was made of a raw stream; its first frames tell.
    """
    last: int | None = None
    with suppress(av.FFmpegError), opens() as source:
        stream = choose_stream(path, source)
        for packet in islice(source.demux(stream), _MAX_ORDERED):
            if packet.pts != packet.dts:
                return False
            for picture in stream.codec_context.decode(packet):
                if last is not None and picture.pts is not None and picture.pts < last:
                    return True
                last = picture.pts
    return False


def list_packets(
    source: InputContainer, stream: VideoStream, first: int, after: int
) -> list[Listed]:
    """Return the packets from the keyframe before `first` to the keyframe behind `after`.

    Raises ValueError for a packet without a time.
    """
    context = stream.codec_context
    name = context.codec.canonical_name
    width = length_width(name, context.extradata)
    resets = _reset_test(name, context.extradata)
    listed: list[Listed] = []
    last: int | None = None
    is_plain = True
    has_palette = context.pix_fmt == "pal8"  # which comes with the first packet only
    for packet in packets_from(source, stream, [stream], first):
        if packet.pts is None:
            raise ValueError("a packet has no time")
        if last is not None and packet.pts > last:
            break
        # Neither other parameters nor an end of an edit list can be copied into a clip.
        is_hidden = packet.is_discard and first <= packet.pts < after
        is_plain &= not (is_hidden or (listed and packet.has_sidedata("new_extradata")))
        is_reset = packet.is_keyframe and resets(bytes(packet))
        is_open = packet.is_keyframe and name in _OPEN_TESTS
        can_reset = is_open and _OPEN_TESTS[name](bytes(packet), width)
        is_shown = not (packet.is_discard or (name == "vp8" and is_hidden_vp8(bytes(packet))))
        is_key = packet.is_keyframe and not (has_palette and listed)
        listed.append(Listed(packet.pts, is_key, is_reset and is_key, can_reset, is_shown))
        if packet.is_keyframe and packet.pts >= after and not packet.is_discard:
            last = packet.pts  # frames that are shown before it may follow
    if is_plain:
        return listed
    return [replace(packet, resets=False, can_reset=False) for packet in listed]


def _reset_test(codec: str, extradata: bytes | None) -> Callable[[bytes], bool]:
    """Return what tells from a keyframe whether it resets, also where units have start codes."""
    if codec in _KEYFRAME_TESTS:
        return _KEYFRAME_TESTS[codec]
    if codec not in IN_UNITS or length_width(codec, extradata):
        return reset_test(codec, extradata)
    return lambda data: any(is_resetting_unit(codec, unit[0]) for unit in split_units(data) if unit)


def packets_from(
    source: InputContainer, stream: VideoStream, streams: list[Stream], first: int
) -> Iterator[Packet]:
    """Yield packets from the keyframe of the video at or before `first` on.

    `source` was just opened. Where there is no such keyframe, all packets are yielded.
    """
    is_sought = bool(_SOUGHT & {*source.format.name.split(",")})
    held: list[Packet] = []
    for earlier in _EARLIER_SECONDS if is_sought else ():
        try:
            source.seek(first - round(earlier / time_base(stream)), stream=stream)
        except av.FFmpegError:
            break
        held = []
        for packet in source.demux(streams):
            is_video = packet.stream.index == stream.index
            is_key = is_video and packet.is_keyframe and packet.pts is not None
            held += [packet] if packet.size else []
            if is_key:
                break
        if is_key and (packet.pts or 0) <= first:  # what is held is that, and sound ahead of it
            held = [each for each in held if each.is_keyframe or each.stream.index != stream.index]
            break
    yield from held
    yield from (packet for packet in source.demux(streams) if packet.size)
