"""A video in an object store, as FFmpeg reads it: only the bytes that are needed are fetched.

MP4 and MOV list all packets in one place. From there the demuxer tells when each is shown, how
large it is and where it lies, but it also reads every packet, wanted or not. So once such a file is
open, it is given zeros for packets, and `fill` fetches those that are decoded. Matroska lists
keyframes, which `listed_keyframes` goes to. What else is read is read as it comes.
"""

import math
import os
import struct
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from fractions import Fraction

import av
from av.container import InputContainer
from av.index import IndexEntries
from av.video.stream import VideoStream

from framefind.files.objects import Object, Reader

_SMALL = 2**22  # bytes of an object that is fetched whole
_HEAD = 2**14  # bytes of a packet that tell of what kind it is
_AHEAD = 2**16
_BOXES = 64  # at the top of an MP4; more are fragments
_KINDS = {b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"udta", b"meta"}
# Of these, FFmpeg's demuxer passes on packets as they lie in the file, whatever is in them.
_AS_THEY_LIE = {"h264", "hevc", "av1", "vp9", "mpeg4", "mjpeg", "prores"}


class Ranged:
    """An object for `av.open`, and for `fill` afterwards. Raises StoreError if it is unreadable."""

    def __init__(self, found: Object) -> None:
        self.name, self.size = found.uri, found.size
        self.reader = Reader(found)  # of all but packets
        self._packets = self.reader if self.size <= _SMALL else Reader(found)
        self._at = 0
        self._hollow = False
        self._keys: set[int] = set()  # where the packets of keyframes lie
        if self.size <= _SMALL:
            self.reader.at(0, self.size)
        self._media = _media(self.reader)

    @property
    def fetched(self) -> int:
        """Bytes that were asked of the store."""
        return sum(reader.fetched for reader in {self.reader, self._packets})

    @property
    def requests(self) -> int:
        """How many times the store was asked."""
        return sum(reader.requests for reader in {self.reader, self._packets})

    def rewound(self) -> "Ranged":
        """The same, to be opened once more."""
        self._at, self._hollow = 0, False
        return self

    def again(self) -> "Ranged":
        """The same, to be opened beside this one."""
        return copy(self).rewound()

    def hollow(self, container: InputContainer, stream: VideoStream) -> None:
        """From now on, give zeros for packets where each can be fetched by itself."""
        listed = "mp4" in container.format.name.split(",") and bool(self._media)
        self._hollow = listed and stream.codec_context.codec.canonical_name in _AS_THEY_LIE
        if self._hollow and not self._keys:
            self._keys = {entry.pos for entry in stream.index_entries if entry.is_keyframe}

    def read(self, size: int = -1) -> bytes:
        """Up to `size` bytes from here on, or zeros in their place."""
        size = self.size - self._at if size < 0 else size
        data = self._zeros(size) or self.reader.at(self._at, size, _AHEAD)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, counted from the beginning, from here or from the end."""
        self._at = max(0, offset + (0, self._at, self.size)[whence])
        return self._at

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def mark(self, packet: "av.Packet[VideoStream]") -> None:
        """Tell whether a packet is a keyframe's, which FFmpeg tells of H.264 from what is in it."""
        if self._hollow:
            packet.is_keyframe = packet.pos in self._keys

    def fill(self, packet: "av.Packet[VideoStream]") -> None:
        """Fetch what is in a packet, unless it came with the packet."""
        if self._hollow and packet.pos is not None and packet.size:
            packet.update(self._packets.at(packet.pos, packet.size))

    def head(self, packet: "av.Packet[VideoStream]") -> bytes:
        """The beginning of what is in a packet."""
        if self._hollow and packet.pos is not None:
            return self._packets.at(packet.pos, min(packet.size, _HEAD))
        return bytes(packet)

    def _zeros(self, size: int) -> bytes:
        for media in self._media if self._hollow else ():
            if self._at in media:
                return bytes(min(size, media.stop - self._at))
        return b""


def listed_keyframes(
    container: InputContainer, stream: VideoStream, start: float
) -> "Iterator[av.Packet[VideoStream]]":
    """The packets of the keyframes that a Matroska file lists, from the one before `start` on.

    `start` is in seconds, as the file has them. What lies between two of them is not read. Of a
    file that lists none, all packets. Closes the container.
    """
    base = stream.time_base or Fraction(1, av.time_base)
    with container:
        listed = listed_packets(container, stream)
        stamps = sorted({entry.timestamp for entry in listed if entry.is_keyframe})
        first = bisect_left(stamps, start / base) - 1 if start > -math.inf else 0
        for stamp in stamps[max(0, first) :]:
            container.seek(stamp, stream=stream)
            yield next(container.demux(stream))
        if len(stamps) < 2:
            container.seek(0)
            yield from container.demux(stream)


def listed_packets(container: InputContainer, stream: VideoStream) -> IndexEntries:
    """What the container lists; Matroska's list is only read when something is sought."""
    if len(stream.index_entries) < 2 and "matroska" in container.format.name:
        with suppress(av.FFmpegError):
            container.seek(0, stream=stream)
    return stream.index_entries


def spaced_keyframes(listed: IndexEntries, start: float, step: float, count: int) -> list[int]:
    """Return the timestamps of listed keyframes that are about `step` apart, all in time base.

    They are the last ones at or before `start` plus 1, 2, ... up to less than `count` steps; none
    comes within half a step of the one before it. What is claimed to lie between two keyframes is
    passed over in one go.
    """
    chosen: list[int] = []
    number = 1
    while number < count:
        stamp = int(start + number * step)
        if not -(2**63) <= stamp < 2**63 - 1:
            break
        at = listed.search_timestamp(stamp, backward=True)
        key = listed[at].timestamp if at >= 0 else start
        if key > (chosen[-1] if chosen else start) + step / 2:
            chosen.append(int(key))
        after = listed.search_timestamp(stamp + 1, backward=False)
        if after < 0:
            break
        number = max(number + 1, math.floor((listed[after].timestamp - start) / step))
    return chosen


def _media(file: Reader) -> list[range]:
    """Where the packets of an MP4 or MOV lie; none if it is not one, or comes in fragments.

    What lists them is fetched in one go.
    """
    media: list[range] = []
    offset = 0
    for _ in range(_BOXES):
        head = file.at(offset, 16, _AHEAD)
        if len(head) < 8:
            return media
        size, kind = struct.unpack(">I4s", head[:8])
        begin = 8
        if size == 1 and len(head) == 16:
            size, begin = struct.unpack(">8xQ", head)[0], 16
        end = offset + size if size else file.size
        if kind not in _KINDS or end < offset + begin:
            return [] if offset == 0 or kind == b"moof" else media
        if kind == b"mdat":
            media.append(range(offset + begin, min(end, file.size)))
        elif kind == b"moov":
            file.at(offset, min(end, file.size) - offset)
        offset = end
    return []
