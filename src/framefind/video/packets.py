"""Choose the packets to decode, so that the sampled frames are those of decoding everything.

Two kinds of packet are skipped, and neither changes a sampled frame: non-reference frames that are
not sampled themselves, and all that follows the last sampled frame of a GOP when the next GOP is
closed, so that nothing refers back to it. Whether a frame is sampled follows from the times of the
packets around it, which are read ahead where that is needed.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from framefind.video.ahead import MAX_REORDERED, Ahead
from framefind.video.samplers.base import Selection

_MAX_HELD = 1024  # packets of a GOP that are held back until it is clear that they are needed


class Packet(Protocol):
    """A packet, as far as the choice depends on it."""

    @property
    def pts(self) -> int | None: ...  # noqa: D102
    @property
    def is_keyframe(self) -> bool: ...  # noqa: D102
    @property
    def is_discard(self) -> bool: ...  # noqa: D102


PacketT = TypeVar("PacketT", bound=Packet)


@dataclass(frozen=True)
class Stream(Generic[PacketT]):
    """A video stream, as far as choosing packets depends on it.

    `seconds` turns a timestamp into seconds. `timed`: packets tell when their frames are shown.
    `resets` tells whether a keyframe is one after which nothing refers to what came before, and
    `until` when the frame of a packet ends if it is the video's last one, in seconds.
    `open_ended`: the end of a file may be missing, which only decoding the last packet shows.
    """

    seconds: Callable[[int], float]
    timed: bool
    resets: Callable[[PacketT], bool]
    until: Callable[[PacketT], float] = lambda packet: -math.inf
    open_ended: bool = False

    def time(self, packet: Packet) -> float | None:
        """Return when the frame of a packet is shown, in seconds, if the packet tells."""
        return None if packet.pts is None else self.seconds(packet.pts)


def select_packets(
    packets: Iterable[PacketT],
    stream: Stream[PacketT],
    current_selection: Callable[[], Selection | None],
) -> Iterator[tuple[PacketT, bool]]:
    """Yield the packets to decode, each with whether non-reference frames are decoded, too.

    `packets` come in the order of decoding, from a keyframe or the beginning on. As long as there
    is no selection, all packets are decoded.
    """
    early: list[float] = []  # times of the frames before there was a selection
    tail: list[tuple[PacketT, bool]] = []
    past = math.inf  # the first keyframe that lies behind the end
    begun = False  # what comes before the first keyframe may not decode
    ahead = Ahead(packets)
    for packet in ahead:
        t = stream.time(packet)
        begun = begun or packet.is_keyframe
        selection = current_selection() if stream.timed else None
        if selection is None:
            early += [t] if begun and t is not None and not packet.is_discard else []
            yield packet, True
            continue
        while early:
            selection.is_spare(early.pop(0))
        if t is not None and t > past:
            return  # frames shown before a keyframe follow it at once, or came before
        if tail and packet.is_keyframe and _closes(packet, ahead, stream):
            tail.clear()
        if packet.is_keyframe and t is not None:
            selection.led = selection.led or t < selection.start
            past = t if t >= selection.end else past
            if past == t and selection.sees_end:
                selection.is_spare(t)
                yield from tail  # frames that are shown before it may refer to these
                tail.clear()
                yield packet, True
                continue
        spare = t is not None and begun and (packet.is_discard or selection.is_spare(t))
        if selection.keyframes_only:
            if packet.is_keyframe and not spare:
                yield packet, True
            continue
        if spare and t is not None and not packet.is_discard:
            later = _times(ahead.following(MAX_REORDERED), stream)
            spare = not selection.stands(t, later, stream.until(packet))
        tail.append((packet, not spare))
        if not spare or len(tail) > _MAX_HELD:
            yield from tail
            tail.clear()
    if stream.open_ended:
        yield from tail[:-1]
        yield from ((packet, True) for packet, _ in tail[-1:])


def from_keyframe(
    packets: Iterable[PacketT], stream: Stream[PacketT], start: float
) -> Iterator[PacketT]:
    """Yield the packets from the last keyframe at or before `start` on."""
    packets = iter(packets)
    group: list[PacketT] = []
    for packet in packets:
        t = stream.time(packet)
        if packet.is_keyframe and t is not None and t <= start:
            group.clear()
        group.append(packet)
        if t is not None and t > start:
            break
    yield from group
    yield from packets


def _times(packets: Iterable[PacketT], stream: Stream[PacketT]) -> Iterator[float]:
    """Yield the times of packets whose frames are shown."""
    times = (stream.time(packet) for packet in packets if not packet.is_discard)
    return (t for t in times if t is not None)


def _closes(key: PacketT, ahead: Ahead[PacketT], stream: Stream[PacketT]) -> bool:
    """Return whether nothing from a keyframe on is shown before it or refers to earlier frames."""
    after = next(ahead.following(1), None)
    if after is not None and (after.pts is None or key.pts is None or after.pts <= key.pts):
        return False
    return stream.resets(key)


def reset_test(codec: str, extradata: bytes | None) -> Callable[[bytes], bool]:
    """Return a function that tells from a keyframe's data whether it closes off what came before.

    In H.264 and HEVC only some keyframes reset the decoder (IDR, BLA); after others, frames may
    still refer to what came before. Their data must be as in MP4 and Matroska: each NAL unit after
    its length.
    """
    if codec not in _RESETTING_UNITS:
        return lambda data: True
    width = length_width(codec, extradata)
    if not width:
        return lambda data: False

    def resets(data: bytes) -> bool:
        place = 0
        while place + width < len(data):
            size = int.from_bytes(data[place : place + width], "big")
            if is_resetting_unit(codec, data[place + width]):
                return True
            place += width + size
        return False

    return resets


_RESETTING_UNITS = {"h264": {5}, "hevc": {16, 17, 18, 19, 20}}


def is_resetting_unit(codec: str, head: int) -> bool:
    """Tell from the first byte of a NAL unit whether its picture closes off what came before."""
    return (head & 31 if codec == "h264" else head >> 1 & 63) in _RESETTING_UNITS[codec]


def length_width(codec: str, extradata: bytes | None) -> int:
    """Return how many bytes hold the length before each NAL unit of H.264 or HEVC.

    0 for other codecs, and where NAL units begin with start codes.
    """
    at = {"h264": 4, "hevc": 21}.get(codec)
    if at is None or not extradata or len(extradata) <= at or extradata[0] != 1:
        return 0
    return (extradata[at] & 3) + 1
