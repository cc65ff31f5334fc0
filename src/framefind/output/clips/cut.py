"""Cut a clip out of a video: exact at both ends, and encoded again only where it must be.

H.264, HEVC, VP9 and AV1 are copied from the first keyframe of the clip on that closes off what came
before, or can be made to (HEVC); the frames before it, and the few at the end that later ones would
be needed for, are encoded again with the same codec. Their own parameter sets come with them, and
those of the file return before what is copied. A codec without such frames (ProRes, MJPEG) is
copied as a whole; any other is encoded again as a whole. Sound is copied: it begins with the first
packet that begins in the clip.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import ceil, floor
from pathlib import Path
from typing import Any, TypeAlias

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.stream import Stream
from av.video.stream import VideoStream

from framefind.errors import StoreError, VideoError
from framefind.files.objects import is_remote
from framefind.output.clips.encoder import (
    ENCODERS,
    Encoder,
    add_encoded_stream,
    describe_loss,
    keeps_pixels,
)
from framefind.output.clips.keyframes import av1_sequence, is_av1_keyframe, is_vp9_keyframe
from framefind.output.clips.nal import (
    break_link,
    is_clean,
    join_units,
    parameter_sets,
    split_units,
)
from framefind.output.clips.plan import Listed, Plan, encode_all, plan_exact, plan_fast
from framefind.video.clock import Timing, has_broken_clock
from framefind.video.open import choose_stream, file_size, open_container, open_remote
from framefind.video.packets import is_resetting_unit, length_width, reset_test
from framefind.video.read_grid import read_frame_grid
from framefind.video.timecode import write_timecode

Packet: TypeAlias = "av.Packet[Any]"

_FORMATS = {
    ".mp4": "mp4",
    ".m4v": "ipod",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
"""FFmpeg's name of what can be written, by suffix."""

_EDITORS_CODECS = {"prores", "dnxhd"}
_ANY_SUFFIX = ".mkv"  # holds nearly every codec
_IN_UNITS = ("h264", "hevc")  # codecs whose packets are made of NAL units
_KEYFRAME_TESTS = {"vp9": is_vp9_keyframe, "av1": is_av1_keyframe}
_EARLIER_SECONDS = (0, 2, 15, 10**6)  # than a time, to look for a keyframe, one after another
_OWN_METADATA = {"major_brand", "minor_version", "compatible_brands", "encoder", "timecode"}
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


def clip_suffix(path: str, codec: str | None) -> str:
    """Return the suffix of a clip's file: that of its video, where that format can hold it."""
    suffix = Path(path).suffix.lower()
    if codec in ("prores_ks", "dnxhd"):
        return ".mov"
    if suffix == ".webm" and codec:
        return _ANY_SUFFIX
    codecs = _list_codecs(path, codec)
    others = (".mov", ".mkv") if codecs & _EDITORS_CODECS else (".mkv", ".mov")
    likely = (each for each in (suffix, *others) if each in _FORMATS)
    fitting = (each for each in likely if codecs <= _supported(each))
    return next(fitting, _ANY_SUFFIX)


def _list_codecs(path: str, codec: str | None) -> set[str]:
    """Return FFmpeg's names of a clip's codecs; none if its video cannot be opened."""
    try:
        with open_container(path, _find_size(path)) as source:
            sounds = {each.codec_context.codec.name for each in _list_sounds(source)}
            own = choose_stream(path, source).codec_context.codec
    except (VideoError, StoreError):
        return set()
    if codec:
        return {codec, *sounds}
    return {own.name, own.name if own.canonical_name in ENCODERS else "h264", *sounds}


@cache
def _supported(suffix: str) -> frozenset[str]:
    with av.open(io.BytesIO(), "w", format=_FORMATS[suffix]) as output:
        return frozenset(output.supported_codecs)


def _find_size(path: str) -> int:
    return open_remote(path).size if is_remote(path) else file_size(path)


def _list_sounds(source: InputContainer) -> list[AudioStream]:
    """Return the tracks of sound that a clip takes along."""
    return [sound for sound in source.streams.audio if sound.codec_context]


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
    size = _find_size(path)
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
            packets = _list_packets(source, stream, first, after)
            plan = plan_fast(packets, first, after) if fast else plan_exact(packets, first, after)
            if codec or not (plan.copies_all or keeps_pixels(stream, ENCODERS.get(name, ""))):
                plan = encode_all(plan)
            with av.open(target, "w") as output:
                cutter = _Cutter(source, stream, output, plan, codec)
                _set_timecode(output, path, float(plan.first * timing.base - timing.origin))
                cutter.run()
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(f"{path}: the clip cannot be written: {error}") from None
        shown = [float(t * timing.base - timing.origin) for t in (plan.first, plan.end)]
        loss = describe_loss(stream, cutter.encoder) if cutter.encoded else None
        copied = plan.copy_until - plan.copy_from - plan.left_out
        return Cut(shown[0], shown[1], cutter.encoded, copied, loss)


def describe_offset(cut: Cut, start: float, end: float) -> str:
    """Return by how much a copied clip is off."""
    early, late = max(0.0, start - cut.start), max(0.0, cut.end - end)
    return f"begins {early:.3f} s early and ends {late:.3f} s late"


def _list_packets(
    source: InputContainer, stream: VideoStream, first: int, after: int
) -> list[Listed]:
    """Return the packets from the keyframe before `first` to the keyframe behind `after`."""
    context = stream.codec_context
    name = context.codec.canonical_name
    width = length_width(name, context.extradata)
    resets = _reset_test(name, context.extradata)
    listed: list[Listed] = []
    last: int | None = None
    for packet in _packets_from(source, stream, [stream], first):
        if packet.pts is None:
            raise VideoError("a packet says no time, so the video cannot be cut")
        if last is not None and packet.pts > last:
            break
        is_reset = packet.is_keyframe and resets(bytes(packet))
        is_open = name == "hevc" and packet.is_keyframe and is_clean(bytes(packet), width)
        listed.append(Listed(packet.pts, packet.is_keyframe, is_reset, is_open))
        if packet.is_keyframe and packet.pts >= after:
            last = packet.pts  # frames that are shown before it may follow
    return listed


def _reset_test(codec: str, extradata: bytes | None) -> Callable[[bytes], bool]:
    """Return what tells from a keyframe whether it resets, also where units have start codes."""
    if codec in _KEYFRAME_TESTS:
        return _KEYFRAME_TESTS[codec]
    if codec not in _IN_UNITS or length_width(codec, extradata):
        return reset_test(codec, extradata)
    return lambda data: any(is_resetting_unit(codec, unit[0]) for unit in split_units(data) if unit)


def _packets_from(
    source: InputContainer, stream: VideoStream, streams: list[Stream], first: int
) -> Iterator[Packet]:
    """Yield packets from the keyframe of the video at or before `first` on."""
    for earlier in _EARLIER_SECONDS:
        source.seek(max(0, first - round(earlier / _base(stream))), stream=stream)
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


def _base(stream: VideoStream) -> Fraction:
    return stream.time_base or Fraction(1, av.time_base)


class _Cutter:
    """Writes one clip by its plan."""

    def __init__(
        self,
        source: InputContainer,
        stream: VideoStream,
        output: OutputContainer,
        plan: Plan,
        codec: str | None,
    ) -> None:
        self.encoded = 0
        self._source = source
        self._stream = stream
        self._output = output
        self._plan = plan
        self._base = _base(stream)
        self._last_dts = -(2**63)
        self._stamps = iter(plan.stamps)
        self._copies = plan.copy_until > plan.copy_from
        name = stream.codec_context.codec.canonical_name
        self.encoder = codec or ENCODERS.get(name, "libx264")
        if self._copies:
            self._video = output.add_stream_from_template(stream, opaque=True)
        else:
            self._video = add_encoded_stream(output, stream, self.encoder)
        output.metadata.update(_metadata(source))
        self._sounds = {
            sound.index: output.add_stream_from_template(sound, opaque=True)
            for sound in _list_sounds(source)
        }

    def run(self) -> None:
        """Copy, decode or leave out each packet."""
        plan = self._plan
        head = self._start_encoder() if plan.head_end > plan.first else None
        held: list[tuple[int, Packet]] = []  # what is copied once the head is written
        group: list[Packet] = []  # what the tail is decoded from
        for number, packet in self._video_packets():
            if head:
                self._encode(head, [packet], plan.first, plan.head_end)
            if head and self._copies and number + 1 >= plan.head_count:
                self._encode(head, [None], plan.first, plan.head_end)
                head = None
            if plan.tail_start < plan.end and number >= plan.tail_from:
                group.append(packet)
            if plan.copies(number):
                held.append((number, packet))
            while held and not head:
                place, first = held.pop(0)
                self._copy(first, place == plan.copy_from)
        if head:
            self._encode(head, [None], plan.first, plan.head_end)
        if plan.tail_start < plan.end:
            self._stream.codec_context.flush_buffers()
            self._encode(self._start_encoder(), [*group, None], plan.tail_start, plan.end)

    def _video_packets(self) -> Iterator[tuple[int, Packet]]:
        """Yield the packets that are needed with their numbers, and copy the sound meanwhile."""
        streams = [self._source.streams[index] for index in (self._stream.index, *self._sounds)]
        number = 0
        unfinished = {*self._sounds}
        for packet in _packets_from(self._source, self._stream, streams, self._plan.first):
            if packet.stream.index != self._stream.index:
                if not self._copy_sound(packet):
                    unfinished.discard(packet.stream.index)
            elif number < self._plan.count:
                yield number, packet
                number += 1
            if number >= self._plan.count and not unfinished:
                break

    def _start_encoder(self) -> Encoder:
        if self._copies:
            return Encoder.beside(self._stream, self.encoder)
        return Encoder(self._video.codec_context)

    def _encode(
        self, encoder: Encoder, packets: Sequence["Packet | None"], start: int, end: int
    ) -> None:
        """Decode packets (None: the end), and encode the frames from `start` until before `end`."""
        context = self._stream.codec_context
        for packet in packets:
            for frame in context.decode(packet):
                if frame.pts is not None and start <= frame.pts < end:
                    if not self._copies and not self.encoded and frame.rotation:
                        self._video.set_display_rotation(frame.rotation)
                    self.encoded += 1
                    frame.time_base = self._base
                    self._mux_encoded(encoder.encode(frame))
            if packet is None:
                self._mux_encoded(encoder.encode(None))

    def _mux_encoded(self, packets: list[Packet]) -> None:
        name = self._stream.codec_context.codec.canonical_name
        width = length_width(name, self._stream.codec_context.extradata)
        for packet in packets:
            if self._copies:
                if name in _IN_UNITS:
                    packet = _renew(packet, join_units(split_units(bytes(packet)), width))
                packet.dts = (packet.pts or 0) - self._plan.delay
            packet.time_base = self._base
            self._mux(packet)

    def _copy(self, packet: Packet, is_first: bool) -> None:
        """Copy a packet; the first one brings back the parameter sets that the head replaced."""
        context = self._stream.codec_context
        name = context.codec.canonical_name
        data = bytes(packet)
        if is_first and self._plan.left_out:
            data = break_link(data, length_width(name, context.extradata))
        if is_first and self.encoded:
            data = _describe_sequence(name, context.extradata or b"") + data
        packet = _renew(packet, data)
        packet.dts = next(self._stamps)
        self._mux(packet)

    def _mux(self, packet: Packet) -> None:
        """Write a packet of the video, counted from the clip's first frame."""
        packet.stream = self._video
        packet.pts = (packet.pts or 0) - self._plan.first
        packet.dts = max((packet.dts or 0) - self._plan.first, self._last_dts + 1)
        self._last_dts = packet.dts
        self._output.mux(packet)

    def _copy_sound(self, packet: Packet) -> bool:
        """Copy a packet of sound that begins in the clip; return whether it ends before the end."""
        if packet.pts is None or not packet.time_base:
            return True
        t = packet.pts * packet.time_base - self._plan.first * self._base
        length = (self._plan.end - self._plan.first) * self._base
        if 0 <= t < length:
            copy = _renew(packet, bytes(packet))
            copy.stream = self._sounds[packet.stream.index]
            copy.pts = copy.dts = round(t / packet.time_base)
            self._output.mux(copy)
        return t < length


def _describe_sequence(codec: str, extradata: bytes) -> bytes:
    """Return what a container's header says of a stream, as it stands in packets."""
    if codec in _IN_UNITS:
        return join_units(parameter_sets(codec, extradata), length_width(codec, extradata))
    return av1_sequence(extradata) if codec == "av1" else b""


def _set_timecode(output: OutputContainer, path: str, start: float) -> None:
    """Let a clip go on with the timecode of its video, if that has one."""
    grid = read_frame_grid(path)
    if grid.timecode:
        frame = grid.timecode + grid.span(start, start)[0]
        output.metadata["timecode"] = write_timecode(frame, grid.rate, grid.drop)


def _metadata(source: InputContainer) -> dict[str, str]:
    """Return what a file says of itself, but for what describes its container and its own start."""
    kept = source.metadata.items()
    return {key: text for key, text in kept if key.lower() not in _OWN_METADATA}


def _renew(packet: Packet, data: bytes) -> Packet:
    """Return a packet with other data and the same times."""
    fresh: Packet = av.Packet(data)
    fresh.time_base = packet.time_base
    fresh.pts = packet.pts
    fresh.dts = packet.dts
    fresh.duration = packet.duration
    fresh.is_keyframe = packet.is_keyframe
    return fresh
