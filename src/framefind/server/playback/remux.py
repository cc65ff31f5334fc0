"""Copy the pictures of a file that browsers cannot play into an MP4 in fragments, while it plays.

A generator makes each fragment when it is asked for.
"""

from collections.abc import Generator, Iterator
from fractions import Fraction

import av
from av.audio.stream import AudioStream
from av.video.stream import VideoStream

from framefind.server.playback.audio import AacEncoder, Packet
from framefind.server.playback.probe import seek
from framefind.server.playback.sink import Sink
from framefind.video.clock import find_start
from framefind.video.open import choose_stream, open_container
from framefind.video.sound import choose_sound, decode_packet

# The header comes with the first fragment: only then is known when each stream begins.
_CONTAINER_OPTIONS = {"movflags": "frag_keyframe+delay_moov+default_base_moof"}
_START_TOLERANCE = Fraction(1, 1000)  # seconds: times in addresses are rounded


def remux_stream(
    path: str, size: int, start: float, copies_audio: bool
) -> Generator[bytes, None, None]:
    """Yield an MP4 of the pictures from the keyframe at `start` on (see `keyframe_before`).

    That keyframe is shown at time 0. The sound is copied too, or else encoded as AAC.
    """
    sink = Sink()
    for _ in _copy(path, size, start, copies_audio, sink):
        yield from sink.take()
    yield from sink.take()


def _copy(
    path: str, size: int, start: float, copies_audio: bool, sink: Sink
) -> Generator[None, None, None]:
    """Write the MP4 into `sink`, a packet at a step."""
    with (
        open_container(path, size) as source,
        av.open(sink, "w", format="mp4", container_options=_CONTAINER_OPTIONS) as output,
    ):
        video = choose_stream(path, source)
        audio = choose_sound(source)
        video_copy = output.add_stream_from_template(video, opaque=True)
        audio_copy = None
        encoder = None
        if audio and copies_audio:
            audio_copy = output.add_stream_from_template(audio, opaque=True)
        elif audio:
            encoder = AacEncoder(output)
        seek(path, source, video, start)
        earliest = Fraction(start) + find_start(source, video) - _START_TOLERANCE
        zero: Fraction | None = None
        packets = source.demux([video, audio] if audio else [video])
        for packet in _make_monotonic(_add_decode_times(packets, video)):
            assert packet.pts is not None
            t = packet.pts * packet.time_base
            if packet.stream.index == video.index:
                if zero is None and packet.is_keyframe and t >= earliest:
                    zero = t
                if zero is not None and t >= zero:  # earlier ones need an earlier keyframe
                    output.mux(_move(packet, zero, video_copy))
            elif audio_copy and zero is not None and t >= zero:
                output.mux(_move(packet, zero, audio_copy))
            elif encoder and zero is not None:
                output.mux(encoder.encode(decode_packet(packet), zero))
            yield
        if encoder:
            output.mux(encoder.flush())


def _add_decode_times(packets: Iterator[Packet], video: VideoStream) -> Iterator[Packet]:
    """Yield the packets, each with a decode time: some containers omit those of the first ones."""
    undated: list[Packet] = []
    for packet in packets:
        if packet.pts is None:
            continue
        if packet.stream.index != video.index:
            packet.dts = packet.pts if packet.dts is None else packet.dts
            yield packet
        elif packet.dts is None:
            undated.append(packet)
        else:
            step = max(1, packet.duration or 1)
            for index, earlier in enumerate(undated):
                earlier.dts = packet.dts - step * (len(undated) - index)
            yield from (*undated, packet)
            undated = []
    for index, packet in enumerate(undated):
        packet.dts = index - len(undated) + min(waiting.pts or 0 for waiting in undated)
        yield packet


def _make_monotonic(packets: Iterator[Packet]) -> Iterator[Packet]:
    """Yield the packets with rising decode times: they may overlap where files were joined."""
    last_dts: dict[int, int] = {}
    for packet in packets:
        stream = packet.stream.index
        if packet.dts is not None and packet.pts is not None:
            packet.dts = max(packet.dts, last_dts.get(stream, packet.dts - 1) + 1)
            packet.pts = max(packet.pts, packet.dts)
            last_dts[stream] = packet.dts
        yield packet


def _move(packet: Packet, zero: Fraction, stream: VideoStream | AudioStream) -> Packet:
    """Make the packet one of another stream, in which `zero` seconds is time 0; return it."""
    assert packet.pts is not None
    assert packet.dts is not None
    offset = round(zero / packet.time_base)
    packet.pts -= offset
    packet.dts -= offset
    packet.stream = stream
    return packet
