"""Which packets have to be decoded, so that the sampled frames are those of decoding everything.

Two things are left out, and both change no picture that is wanted. A picture from which no other
one is made need not be decoded unless it is sampled itself. And what follows the last sampled
picture of a group goes if the next group begins anew: nothing is made from it. Whether a frame is
sampled follows from the times of the packets around it, which are read ahead where that is needed.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from framefind.video import samplers
from framefind.video.clock import REORDERED, Ahead
from framefind.video.samplers import Sampler

_SLOTS = 8  # intervals whose first frame is remembered: packets come a little out of order
_HELD = 1024  # packets after which a group is not held back any longer


class Packet(Protocol):
    """What is asked of a packet of FFmpeg's."""

    @property
    def pts(self) -> int | None: ...  # noqa: D102
    @property
    def is_keyframe(self) -> bool: ...  # noqa: D102
    @property
    def is_discard(self) -> bool: ...  # noqa: D102


PacketT = TypeVar("PacketT", bound=Packet)


@dataclass
class Wish:
    """What a pass is for: the frames of a sampler from `start` until before `end`, in seconds.

    `times` are those of `count`. From the packets, `before` becomes the time of the last frame
    before `start`, `last` that of the last one before `end`, and `after` that of the first one from
    `end` on; `led` tells whether a keyframe came before `start`.
    """

    sampler: Sampler
    start: float = -math.inf
    end: float = math.inf
    times: frozenset[float] = frozenset()
    before: float = -math.inf
    last: float = -math.inf
    after: float = math.inf
    led: bool = False
    _slots: dict[int, tuple[float, float]] = field(default_factory=dict)  # first and last time

    def is_spare(self, t: float) -> bool:
        """Whether the frame at `t` is not sampled, told from the packets up to it.

        Of `every`, a frame is known to be spare once an earlier one of its interval has come,
        unless it `stands`.
        """
        if t < self.start:
            self.before = max(self.before, t)
            return True
        if t < self.end:
            self.last = max(self.last, t)
        else:
            self.after = min(self.after, t)
        if self.sampler.kind == "every":
            return not self._is_first(t) or t >= self.end
        return t >= self.end or (self.sampler.kind == "count" and t not in self.times)

    def stands(self, t: float, later: Iterable[float], until: float) -> bool:
        """Whether a spare frame at `t` stands over a whole interval in which no frame begins.

        `later` are the times of the packets that follow its own; `until` is when the frame ends if
        it is the last one.
        """
        if self.sampler.kind != "every" or not self.start <= t < self.end:
            return False
        following = samplers.slot(t, self.sampler.interval) + 1
        if following in self._slots or self._slots[following - 1][1] > t:
            return False
        last = max(t for _, t in self._slots.values()) <= t
        for other in later:
            if other > t and samplers.slot(other, self.sampler.interval) <= following:
                return False
            last = last and other <= t
        return not last or until - t > self.sampler.interval

    def _is_first(self, t: float) -> bool:
        slot = samplers.slot(t, self.sampler.interval)
        first, last = self._slots.get(slot, (math.inf, -math.inf))
        self._slots[slot] = min(first, t), max(last, t)
        if len(self._slots) > _SLOTS:
            del self._slots[next(iter(self._slots))]
        return t <= first


@dataclass(frozen=True)
class Stream(Generic[PacketT]):
    """What has to be known of a video stream.

    `seconds` turns a stamp into a time. `timed`: packets tell when their frames are shown.
    `begins_anew` tells of a keyframe whether nothing after it is made from what came before, and
    `until` of a packet when its frame ends if it is the video's last one.
    `open_ended`: the end of a file may be missing, which only decoding the last packet tells.
    """

    seconds: Callable[[int], float]
    timed: bool
    begins_anew: Callable[[PacketT], bool]
    until: Callable[[PacketT], float] = lambda packet: -math.inf
    open_ended: bool = False

    def time(self, packet: Packet) -> float | None:
        """When the frame of a packet is shown, if the packet tells."""
        return None if packet.pts is None else self.seconds(packet.pts)


def needed(
    packets: Iterable[PacketT], stream: Stream[PacketT], wish: Callable[[], Wish | None]
) -> Iterator[tuple[PacketT, bool]]:
    """The packets to decode, and whether also those from which no other picture is made.

    `packets` come in the order of decoding, from a keyframe or the beginning on. There may be no
    wish yet at first; until then all packets are needed.
    """
    early: list[float] = []  # what has gone before there was a wish
    tail: list[tuple[PacketT, bool]] = []
    past = math.inf  # the first keyframe that lies behind the end
    begun = False  # what comes before the first keyframe may not decode
    ahead = Ahead(packets)
    for packet in ahead:
        t = stream.time(packet)
        begun = begun or packet.is_keyframe
        wanted = wish() if stream.timed else None
        if wanted is None:
            early += [t] if begun and t is not None and not packet.is_discard else []
            yield packet, True
            continue
        while early:
            wanted.is_spare(early.pop(0))
        if t is not None and t > past:
            return  # what is shown before a keyframe follows it at once, or came before
        if packet.is_keyframe and t is not None:
            wanted.led = wanted.led or t < wanted.start
            past = t if t >= wanted.end else past
        spare = t is not None and begun and (packet.is_discard or wanted.is_spare(t))
        if wanted.sampler.kind == "keyframes":
            if packet.is_keyframe and not spare:
                yield packet, True
            continue
        if packet.is_keyframe and _ends_group(packet, ahead) and stream.begins_anew(packet):
            tail.clear()
        if spare and t is not None and not packet.is_discard:
            later = _times(ahead.following(REORDERED), stream)
            spare = not wanted.stands(t, later, stream.until(packet))
        tail.append((packet, not spare))
        if not spare or len(tail) > _HELD:
            yield from tail
            tail.clear()
    if stream.open_ended:
        yield from tail[:-1]
        yield from ((packet, True) for packet, _ in tail[-1:])


def from_keyframe(
    packets: Iterable[PacketT], stream: Stream[PacketT], start: float
) -> Iterator[PacketT]:
    """The packets from the last keyframe at or before `start` on."""
    packets, held = iter(packets), list[PacketT]()
    for packet in packets:
        t = stream.time(packet)
        if packet.is_keyframe and t is not None and t <= start:
            held.clear()
        held.append(packet)
        if t is not None and t > start:
            break
    yield from held
    yield from packets


def _times(packets: Iterable[PacketT], stream: Stream[PacketT]) -> Iterator[float]:
    """The times of packets whose frames are shown."""
    times = (stream.time(packet) for packet in packets if not packet.is_discard)
    return (t for t in times if t is not None)


def _ends_group(key: PacketT, ahead: Ahead[PacketT]) -> bool:
    """Whether no frame that is shown before a keyframe comes after it."""
    after = next(ahead.following(1), None)
    if after is None or after.pts is None or key.pts is None:
        return after is None
    return after.pts > key.pts


def begins_anew(codec: str, extradata: bytes | None) -> Callable[[bytes], bool]:
    """Tell of the data of a keyframe whether its decoder forgets all that was before it.

    In H.264 and HEVC a keyframe may be one to seek to only; others reset the decoder (IDR, BLA).
    Their data must be as in MP4 and Matroska: each unit after its length.
    """
    if codec not in ("h264", "hevc"):
        return lambda data: True
    kinds = {5} if codec == "h264" else {16, 17, 18, 19, 20}
    width = length_width(codec, extradata)
    if not width:
        return lambda data: False

    def tell(data: bytes) -> bool:
        place = 0
        while place + width < len(data):
            size = int.from_bytes(data[place : place + width], "big")
            head = data[place + width]
            if (head & 31 if codec == "h264" else head >> 1 & 63) in kinds:
                return True
            place += width + size
        return False

    return tell


def length_width(codec: str, extradata: bytes | None) -> int:
    """Return how many bytes the length takes that stands before each unit of H.264 or HEVC.

    0 for other codecs, and where units begin by start codes.
    """
    at = {"h264": 4, "hevc": 21}.get(codec)
    if at is None or not extradata or len(extradata) <= at or extradata[0] != 1:
        return 0
    return (extradata[at] & 3) + 1
