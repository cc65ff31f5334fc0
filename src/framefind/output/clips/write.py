"""Write a clip by its plan: copy packets, and encode the frames between them again."""

from collections.abc import Iterator, Sequence

import av
from av.container import InputContainer, OutputContainer
from av.video.stream import VideoStream

from framefind.output.clips.encoder import Encoder, add_encoded_stream
from framefind.output.clips.keyframes import av1_sequence
from framefind.output.clips.nal import break_link, join_units, parameter_sets, split_units
from framefind.output.clips.plan import Plan
from framefind.output.clips.recovery import Renumbering
from framefind.output.clips.sound import SoundTrack
from framefind.output.clips.source import (
    IN_UNITS,
    Packet,
    list_sounds,
    packets_from,
    time_base,
)
from framefind.video.clock import renew
from framefind.video.packets import length_width

_OWN_METADATA = {"major_brand", "minor_version", "compatible_brands", "encoder", "timecode"}


class ClipWriter:
    """Writes one clip by its plan."""

    def __init__(
        self,
        source: InputContainer,
        stream: VideoStream,
        output: OutputContainer,
        plan: Plan,
        encoder: str,
        message: bytes = b"",
    ) -> None:
        """`message` is a unit that must stand before what is copied, so that it can be decoded."""
        self.encoded = 0
        self._source = source
        self._stream = stream
        self._output = output
        self._plan = plan
        self._base = time_base(stream)
        self._last_dts = self._last_shown = -(2**63)
        self._stamps = iter(plan.stamps)
        self._copies = plan.copy_until > plan.copy_from
        self._encoder = encoder
        self._message = message
        self._is_damaged = False
        name = stream.codec_context.codec.canonical_name
        if self._copies:
            self._video = output.add_stream_from_template(stream, opaque=True)
        else:
            self._video = add_encoded_stream(output, stream, encoder)
        self._renumbering: Renumbering | None = None
        if plan.makes_reset and name == "h264":
            extradata = stream.codec_context.extradata or b""
            sets = parameter_sets(name, extradata)
            width = length_width(name, extradata)
            self._renumbering = Renumbering(sets, width, plan.left_out)
        output.metadata.update(_metadata(source))
        self._sounds = {
            sound.index: SoundTrack(output, sound, plan.first * self._base, plan.end * self._base)
            for sound in list_sounds(source)
        }

    @property
    def notes(self) -> list[str]:
        """Return what the clip has not kept, besides pixels."""
        notes = [sound.note for sound in self._sounds.values() if sound.note]
        return [*notes, *(["some of it cannot be decoded"] if self._is_damaged else [])]

    def run(self, begin: int) -> None:
        """Copy, decode or leave out each packet from the keyframe before `begin` on."""
        plan = self._plan
        head = self._start_encoder() if plan.head_end > plan.first else None
        waiting: list[tuple[int, Packet]] = []  # what is copied once the head is written
        group: list[Packet] = []  # what the tail is decoded from
        for number, packet in self._video_packets(begin):
            if head and number >= plan.head_from:
                self._encode(head, [packet], plan.first, plan.head_end)
            if head and self._copies and number + 1 >= plan.head_count:
                self._encode(head, [None], plan.first, plan.head_end)
                head = None
            if plan.tail_start < plan.end and number >= plan.tail_from:
                group.append(packet)
            if plan.copies(number):
                waiting.append((number, packet))
            while waiting and not head:
                place, first = waiting.pop(0)
                self._copy(first, place == plan.copy_from)
        if head:
            self._encode(head, [None], plan.first, plan.head_end)
        if plan.tail_start < plan.end:
            self._stream.codec_context.flush_buffers()
            self._encode(self._start_encoder(), [*group, None], plan.tail_start, plan.end)

    def _video_packets(self, begin: int) -> Iterator[tuple[int, Packet]]:
        """Yield the packets that are needed with their numbers, and copy the sound meanwhile."""
        streams = [self._source.streams[index] for index in (self._stream.index, *self._sounds)]
        number = 0
        unfinished = {*self._sounds}
        for packet in packets_from(self._source, self._stream, streams, begin):
            if packet.stream.index != self._stream.index:
                if not self._sounds[packet.stream.index].add(packet):
                    unfinished.discard(packet.stream.index)
            elif number < self._plan.count:
                yield number, packet
                number += 1
            if number >= self._plan.count and not unfinished:
                break

    def _start_encoder(self) -> Encoder:
        if self._copies:
            return Encoder.beside(self._stream, self._encoder)
        return Encoder(self._video.codec_context)

    def _encode(
        self, encoder: Encoder, packets: Sequence["Packet | None"], start: int, end: int
    ) -> None:
        """Decode packets (None: the end), and encode the frames from `start` until before `end`."""
        for packet in packets:
            for frame in self._decode(packet):
                # Of damaged files, frames may come twice or too late.
                if frame.pts is not None and max(start, self._last_shown + 1) <= frame.pts < end:
                    self._last_shown = frame.pts
                    if not self._copies and not self.encoded and frame.rotation:
                        self._video.set_display_rotation(frame.rotation)
                    self.encoded += 1
                    frame.time_base = self._base
                    self._mux_encoded(encoder.encode(frame))
            if packet is None:
                self._mux_encoded(encoder.encode(None))

    def _decode(self, packet: "Packet | None") -> list[av.VideoFrame]:
        try:
            return self._stream.codec_context.decode(packet)
        except (av.InvalidDataError, av.EOFError):
            self._is_damaged = True
            return []

    def _mux_encoded(self, packets: list[Packet]) -> None:
        name = self._stream.codec_context.codec.canonical_name
        width = length_width(name, self._stream.codec_context.extradata)
        for packet in packets:
            if self._copies:
                if name in IN_UNITS:
                    packet = renew(packet, join_units(split_units(bytes(packet)), width))
                packet.dts = (packet.pts or 0) - self._plan.delay
            packet.time_base = self._base
            self._mux(packet)

    def _copy(self, packet: Packet, is_first: bool) -> None:
        """Copy a packet; the first one brings back the parameter sets that the head replaced."""
        context = self._stream.codec_context
        name = context.codec.canonical_name
        data = bytes(packet)
        if self._plan.makes_reset:
            data = self._reset(data, is_first)
        if is_first and self.encoded:
            data = _describe_sequence(name, context.extradata or b"") + data
        if is_first and self._message:
            data = join_units([self._message], length_width(name, context.extradata)) + data
        packet = renew(packet, data)
        packet.dts = next(self._stamps)
        self._mux(packet)

    def _reset(self, data: bytes, is_first: bool) -> bytes:
        """Return the data of a packet so that it refers to none before the first copied."""
        if self._renumbering:
            return self._renumbering.rewrite(data, is_first)
        extradata = self._stream.codec_context.extradata
        return break_link(data, length_width("hevc", extradata)) if is_first else data

    def _mux(self, packet: Packet) -> None:
        """Write a packet of the video, counted from the clip's first frame."""
        packet.stream = self._video
        packet.pts = (packet.pts or 0) - self._plan.first
        dts = max((packet.dts or 0) - self._plan.first, self._last_dts + 1)
        packet.dts = min(dts, packet.pts)  # VP8's hidden frames have the time of a shown one
        self._last_dts = packet.dts
        self._output.mux(packet)


def _describe_sequence(codec: str, extradata: bytes) -> bytes:
    """Return what a container's header says of a stream, as it stands in packets."""
    if codec in IN_UNITS:
        return join_units(parameter_sets(codec, extradata), length_width(codec, extradata))
    return av1_sequence(extradata) if codec == "av1" else b""


def _metadata(source: InputContainer) -> dict[str, str]:
    """Return what a file says of itself, but for what describes its container and its own start."""
    entries = source.metadata.items()
    return {key: text for key, text in entries if key.lower() not in _OWN_METADATA}
