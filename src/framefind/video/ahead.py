"""Packets that can be looked at ahead of their turn."""

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

MAX_REORDERED = 16
"""How many packets may follow one whose frame is shown after theirs."""

PacketT = TypeVar("PacketT")


class Ahead(Generic[PacketT]):
    """Packets in their order, of which the next ones can be looked at ahead of their turn."""

    def __init__(self, packets: Iterable[PacketT]) -> None:
        self._packets = iter(packets)
        self._read: deque[PacketT] = deque()

    def __iter__(self) -> Iterator[PacketT]:
        while next(self.following(1), None) is not None:
            yield self._read.popleft()

    def following(self, count: int) -> Iterator[PacketT]:
        """Yield up to `count` of the packets that follow, read as they are asked for."""
        for at in range(count):
            if at == len(self._read):
                packet = next(self._packets, None)
                if packet is None:
                    return
                self._read.append(packet)
            yield self._read[at]
