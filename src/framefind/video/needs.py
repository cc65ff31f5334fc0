"""Which packets have to be decoded, so that the sampled frames are those of decoding everything.

Two things are left out, and both change no picture that is wanted. A picture from which no other
one is made need not be decoded unless it is sampled itself. And what follows the last sampled
picture of a group goes if the next group begins anew: nothing is made from it.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Protocol, TypeVar

from framefind.video import samplers
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

    `times` are those of `count`. `before` becomes the time of the last frame before `start`, from
    its packet, and `led` tells whether a keyframe came before `start`.
    """

    sampler: Sampler
    start: float = -math.inf
    end: float = math.inf
    times: frozenset[float] = frozenset()
    before: float = -math.inf
    led: bool = False
    _firsts: dict[int, float] = field(default_factory=dict)

    def is_spare(self, t: float) -> bool:
        """Whether the frame at `t` is not sampled, told from the packets up to it.

        Of `every`, a frame is known to be spare once an earlier one of its interval has come.
        """
        if t < self.start:
            self.before = max(self.before, t)
            return True
        if t >= self.end:
            return True
        if self.sampler.kind == "count":
            return t not in self.times
        return self.sampler.kind == "every" and not self._is_first(t)

    def _is_first(self, t: float) -> bool:
        slot = samplers.slot(t, self.sampler.interval)
        if self._firsts.get(slot, math.inf) < t:
            return False
        self._firsts[slot] = t
        if len(self._firsts) > _SLOTS:
            del self._firsts[next(iter(self._firsts))]
        return True


@dataclass(frozen=True)
class Stream:
    """What has to be known of a video stream.

    `seconds` turns a stamp into a time. `timed`: packets tell when their frames are shown.
    `begins_anew` tells of a keyframe whether nothing after it is made from what came before.
    """

    seconds: Callable[[int], float]
    timed: bool
    begins_anew: Callable[[Packet], bool]


def needed(
    packets: Iterable[PacketT], stream: Stream, wish: Callable[[], Wish | None]
) -> Iterator[tuple[PacketT, bool]]:
    """The packets to decode, and whether also those from which no other picture is made.

    `packets` come in the order of decoding, from a keyframe or the beginning on. There may be no
    wish yet at first; until then all packets are needed.
    """
    early: list[float] = []  # what has gone before there was a wish
    tail: list[tuple[PacketT, bool]] = []
    past = math.inf  # the first keyframe that lies behind the end
    begun = False  # what comes before the first keyframe may not decode
    for packet, after in pairwise(chain(packets, [None])):
        assert packet is not None
        t = None if packet.pts is None else stream.seconds(packet.pts)
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
        if packet.is_keyframe and _ends_group(packet, after) and stream.begins_anew(packet):
            tail.clear()
        tail.append((packet, not spare))
        if not spare or len(tail) > _HELD:
            yield from tail
            tail.clear()


def _ends_group(key: Packet, after: Packet | None) -> bool:
    """Whether no frame that is shown before a keyframe comes after it."""
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
    at, kinds = (4, {5}) if codec == "h264" else (21, {16, 17, 18, 19, 20})
    if not extradata or len(extradata) <= at or extradata[0] != 1:
        return lambda data: False
    width = (extradata[at] & 3) + 1

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
