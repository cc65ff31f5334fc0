"""Read the packets of the video that a clip is cut out of."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from framefind.errors import VideoError
from framefind.files.objects import is_remote
from framefind.output.clips.keyframes import is_av1_keyframe, is_vp9_keyframe
from framefind.output.clips.nal import is_clean, split_units
from framefind.output.clips.plan import Listed
from framefind.output.clips.recovery import is_recovery_point
from framefind.video.open import file_size, open_remote
from framefind.video.packets import is_resetting_unit, length_width, reset_test

Packet: TypeAlias = "av.Packet[Any]"

IN_UNITS = ("h264", "hevc")
"""Codecs whose packets are made of NAL units."""

_KEYFRAME_TESTS = {"vp9": is_vp9_keyframe, "av1": is_av1_keyframe}
_OPEN_TESTS = {"hevc": is_clean, "h264": is_recovery_point}
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


def list_packets(
    source: InputContainer, stream: VideoStream, first: int, after: int
) -> list[Listed]:
    """Return the packets from the keyframe before `first` to the keyframe behind `after`."""
    context = stream.codec_context
    name = context.codec.canonical_name
    width = length_width(name, context.extradata)
    resets = _reset_test(name, context.extradata)
    listed: list[Listed] = []
    last: int | None = None
    for packet in packets_from(source, stream, [stream], first):
        if packet.pts is None:
            raise VideoError("a packet says no time, so the video cannot be cut")
        if last is not None and packet.pts > last:
            break
        is_reset = packet.is_keyframe and resets(bytes(packet))
        is_open = packet.is_keyframe and name in _OPEN_TESTS
        can_reset = is_open and _OPEN_TESTS[name](bytes(packet), width)
        listed.append(Listed(packet.pts, packet.is_keyframe, is_reset, can_reset))
        if packet.is_keyframe and packet.pts >= after:
            last = packet.pts  # frames that are shown before it may follow
    return listed


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
    """Yield packets from the keyframe of the video at or before `first` on."""
    for earlier in _EARLIER_SECONDS:
        source.seek(max(0, first - round(earlier / time_base(stream))), stream=stream)
        packets = (packet for packet in source.demux(streams) if packet.size)
        held: list[Packet] = []  # the keyframe, and sound that comes ahead of it
        for packet in packets:
            is_video = packet.stream.index == stream.index
            if not is_video or packet.is_keyframe:
                held.append(packet)
            if is_video and packet.is_keyframe and packet.pts is not None:
                break
        if held and (held[-1].pts or 0) <= first:
            break
    yield from held
    yield from packets


def renew(packet: Packet, data: bytes) -> Packet:
    """Return a packet with other data and the same times."""
    fresh: Packet = av.Packet(data)
    fresh.time_base = packet.time_base
    fresh.pts = packet.pts
    fresh.dts = packet.dts
    fresh.duration = packet.duration
    fresh.is_keyframe = packet.is_keyframe
    return fresh
