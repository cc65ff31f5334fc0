"""Which packets of a stream a clip copies, and which of its frames are encoded again."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Listed:
    """A packet: when its frame is shown, in the stream's time base.

    `resets`: it is a keyframe, and nothing after it refers to what came before. `can_reset`: so it
    does once the frames are left out that are shown before it and come after it. Where it is not
    shown, others refer to it all the same.
    """

    pts: int
    is_keyframe: bool
    resets: bool
    can_reset: bool = False
    is_shown: bool = True


@dataclass(frozen=True)
class Plan:
    """How a clip is made; numbers are of packets in decoding order, times in the time base.

    Shown are the frames from `first` until before `end`. Packets from `copy_from` until before
    `copy_until` are copied, but for `left_out` after the first of them. All frames before
    `head_end` are encoded again, and those from `tail_start` on; they are decoded from the packets
    `head_from` and `tail_from` on.
    `makes_reset`: the first packet must be made one that resets.
    `stamps` are when the copied packets are decoded, and `delay` how much later than that a frame
    is shown that does not wait for others. `count` is how many packets are needed.
    """

    first: int
    end: int
    copy_from: int
    copy_until: int
    head_end: int
    tail_start: int
    tail_from: int
    stamps: tuple[int, ...]
    delay: int
    count: int
    left_out: int = 0
    makes_reset: bool = False
    head_from: int = 0

    @property
    def head_count(self) -> int:
        """Return how many packets the frames before `head_end` are decoded from."""
        return self.copy_from + (1 + self.left_out if self.left_out else 0)

    def copies(self, number: int) -> bool:
        """Return whether that packet is copied."""
        is_left_out = self.copy_from < number <= self.copy_from + self.left_out
        return self.copy_from <= number < self.copy_until and not is_left_out

    @property
    def copies_all(self) -> bool:
        """Return whether no frame is encoded again."""
        return self.head_end <= self.first and self.tail_start >= self.end


def plan_exact(packets: Sequence[Listed], start: int, end: int) -> Plan:
    """Return the plan that copies as much as can be, and is exact at both ends.

    Copied is what begins with a packet that resets, and ends where all frames before the end are
    complete: no later packet is needed, and none is shown earlier.
    """
    first = _first_shown(packets, start)
    count = 1 + max(n for n, p in enumerate(packets) if p.pts < end)
    head_from = _decode_from(packets, first)
    for begin, packet in enumerate(packets):
        if (packet.resets or packet.can_reset) and first <= packet.pts < end:
            early = [n for n, p in enumerate(packets) if n > begin and p.pts < packet.pts]
            if early and (packet.resets or early[-1] != begin + len(early)):
                continue
            until = _complete(packets, begin, end)
            if until > begin:
                last_copied = max(p.pts for p in packets[begin:until])
                tail = [p.pts for p in packets if last_copied < p.pts < end]
                tail_start = min(tail, default=end)
                copied = [packet, *packets[begin + 1 + len(early) : until]]
                stamps, delay = stamp([each.pts for each in copied])
                return Plan(
                    first=first,
                    end=end,
                    copy_from=begin,
                    copy_until=until,
                    head_end=packet.pts,
                    tail_start=tail_start,
                    tail_from=_decode_from(packets, tail_start),
                    stamps=stamps,
                    delay=delay,
                    count=count,
                    left_out=len(early),
                    makes_reset=not packet.resets,
                    head_from=head_from,
                )
    return _encode(first, end, count, head_from)


def encode_all(plan: Plan) -> Plan:
    """Return a plan for the same frames that copies nothing."""
    return _encode(plan.first, plan.end, plan.count, plan.head_from)


def _encode(first: int, end: int, count: int, head_from: int) -> Plan:
    return Plan(
        first=first,
        end=end,
        copy_from=0,
        copy_until=0,
        head_end=end,
        tail_start=end,
        tail_from=0,
        stamps=(),
        delay=0,
        count=count,
        head_from=head_from,
    )


def plan_fast(packets: Sequence[Listed], start: int, end: int) -> Plan:
    """Return the plan that copies whole groups of pictures: from the keyframe before the start."""
    first = _first_shown(packets, start)
    keys = [n for n, p in enumerate(packets) if p.is_keyframe and p.pts <= first]
    begin = keys[-1] if keys else 0
    until = 1 + max(n for n, p in enumerate(packets) if p.pts < end or n == begin)
    last = max(packet.pts for packet in packets[begin:until])
    until = 1 + max(n for n, p in enumerate(packets) if p.pts <= last)  # nothing before it lacks
    copied = [packet.pts for packet in packets[begin:until]]
    zero = packets[begin].pts
    last = max(copied)
    after = min((p.pts for p in packets if p.pts > last), default=max(last + 1, end))
    stamps, delay = stamp(copied)
    return Plan(
        first=zero,
        end=after,
        copy_from=begin,
        copy_until=until,
        head_end=zero,
        tail_start=after,
        tail_from=0,
        stamps=stamps,
        delay=delay,
        count=until,
    )


def _first_shown(packets: Sequence[Listed], start: int) -> int:
    """Return when the frame appears that is shown at `start`. Raises ValueError without any."""
    times = [packet.pts for packet in packets if packet.is_shown]
    if not times:
        raise ValueError("nothing is shown there")
    return max((t for t in times if t <= start), default=min(times))


def _decode_from(packets: Sequence[Listed], start: int) -> int:
    """Return the last packet from which all frames from a time on can be decoded.

    Frames that are shown before a keyframe, but come after it, need the one before.
    """
    first = next((n for n, p in enumerate(packets) if p.pts >= start), len(packets))
    keys = [n for n, p in enumerate(packets[: first + 1]) if p.is_keyframe and p.pts <= start]
    return keys[-1] if keys else 0


def stamp(times: Sequence[int]) -> tuple[tuple[int, ...], int]:
    """Return when packets are decoded, in their order, and how much later they are shown at least.

    `times` are when each is shown. Containers may not say when it is decoded, nor encoders. It is
    the times at which frames are shown, moved to before each packet's own.
    """
    ascending = sorted(times)
    delay = max(t - shown for t, shown in zip(ascending, times, strict=True))
    return tuple(t - delay for t in ascending), delay


def _complete(packets: Sequence[Listed], begin: int, end: int) -> int:
    """Return up to which packet all frames before a time are complete, from `begin` on."""
    earliest_later = [end] * (len(packets) + 1)
    for number in range(len(packets) - 1, begin - 1, -1):
        earliest_later[number] = min(earliest_later[number + 1], packets[number].pts)
    latest = -(2**63)
    until = begin
    for number in range(begin, len(packets)):
        latest = max(latest, packets[number].pts)
        if latest >= end:
            break
        if latest < earliest_later[number + 1]:
            until = number + 1
    return until
