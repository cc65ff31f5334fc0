"""A video in an object store, as FFmpeg reads it: only the bytes that are needed are fetched.

MP4 and MOV list all packets in one place. From that list the demuxer knows when each is shown, its
size and its place, but it also reads every packet, decoded or not. So once such a file is open, the
demuxer is given zeros for packets, and `fill` fetches those that are decoded. Matroska lists
keyframes, which `keyframes.read_listed_keyframes` seeks. All else is read in the order of the file.
"""

import os
import struct
from copy import copy

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from framefind.files.objects import Object, ObjectReader

_MAX_WHOLE_BYTES = 2**22  # of an object that is fetched in one go
_HEAD_BYTES = 2**14  # of a packet, in which its type is found
_READ_AHEAD_BYTES = 2**16
_MAX_BOXES = 64  # at the top of an MP4; more are fragments
_BOX_TYPES = {
    b"ftyp",
    b"moov",
    b"mdat",
    b"free",
    b"skip",
    b"wide",
    b"pnot",
    b"uuid",
    b"udta",
    b"meta",
}
# Codecs whose packets FFmpeg's demuxer passes on as they are in the file, whatever they hold.
_VERBATIM_CODECS = {"h264", "hevc", "av1", "vp9", "mpeg4", "mjpeg", "prores"}


class BucketFile:
    """An object for `av.open`, and for `fill` afterwards. Raises StoreError if it is unreadable."""

    def __init__(self, file: Object) -> None:
        self.name = file.uri
        self.size = file.size
        self.reader = ObjectReader(file)  # of all but packets
        self._packets = self.reader if self.size <= _MAX_WHOLE_BYTES else ObjectReader(file)
        self._at = 0
        self._hollow = False
        self._keyframes: set[int] = set()  # offsets of their packets
        if self.size <= _MAX_WHOLE_BYTES:
            self.reader.at(0, self.size)
        self._media = _media(self.reader)

    @property
    def fetched(self) -> int:
        """Return how many bytes were requested from the store."""
        return sum(reader.fetched for reader in {self.reader, self._packets})

    @property
    def requests(self) -> int:
        """Return how many requests were sent to the store."""
        return sum(reader.requests for reader in {self.reader, self._packets})

    def rewind(self) -> "BucketFile":
        """Return the same object, ready to be opened once more."""
        self._at = 0
        self._hollow = False
        return self

    def copy_handle(self) -> "BucketFile":
        """Return the same object, to be opened beside this one."""
        return copy(self).rewind()

    def hollow_out(self, container: InputContainer, stream: VideoStream) -> None:
        """Give zeros for packets from now on, where each can be fetched by itself."""
        listed = "mp4" in container.format.name.split(",") and bool(self._media)
        self._hollow = listed and stream.codec_context.codec.canonical_name in _VERBATIM_CODECS
        if self._hollow and not self._keyframes:
            self._keyframes = {entry.pos for entry in stream.index_entries if entry.is_keyframe}

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes from here on, or zeros in their place."""
        size = self.size - self._at if size < 0 else size
        data = self._zeros(size) or self.reader.at(self._at, size, _READ_AHEAD_BYTES)
        self._at += len(data)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move to an offset from the beginning, from here or from the end; return where that is."""
        self._at = max(0, offset + (0, self._at, self.size)[whence])
        return self._at

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._at

    def mark(self, packet: "av.Packet[VideoStream]") -> None:
        """Mark a packet as a keyframe by the list; FFmpeg looks at the data of H.264 for that."""
        if self._hollow:
            packet.is_keyframe = packet.pos in self._keyframes

    def fill(self, packet: "av.Packet[VideoStream]") -> None:
        """Fetch the data of a packet, unless the packet has it."""
        if self._hollow and packet.pos is not None and packet.size:
            packet.update(self._packets.at(packet.pos, packet.size))

    def head(self, packet: "av.Packet[VideoStream]") -> bytes:
        """Return the beginning of the data of a packet."""
        if self._hollow and packet.pos is not None:
            return self._packets.at(packet.pos, min(packet.size, _HEAD_BYTES))
        return bytes(packet)

    def _zeros(self, size: int) -> bytes:
        """Return zeros if the next bytes are those of packets, else nothing."""
        for media in self._media if self._hollow else ():
            if self._at in media:
                return bytes(min(size, media.stop - self._at))
        return b""


def _media(file: ObjectReader) -> list[range]:
    """Return where the packets of an MP4 or MOV are; none if it is neither, or comes in fragments.

    The list of packets is fetched in one go.
    """
    media: list[range] = []
    offset = 0
    for _ in range(_MAX_BOXES):
        head = file.at(offset, 16, _READ_AHEAD_BYTES)
        if len(head) < 8:
            return media
        size, kind = struct.unpack(">I4s", head[:8])
        begin = 8
        if size == 1 and len(head) == 16:
            size = struct.unpack(">8xQ", head)[0]
            begin = 16
        end = offset + size if size else file.size
        if kind not in _BOX_TYPES or end < offset + begin:
            return [] if offset == 0 or kind == b"moof" else media
        if kind == b"mdat":
            media.append(range(offset + begin, min(end, file.size)))
        elif kind == b"moov":
            file.at(offset, min(end, file.size) - offset)
        offset = end
    return []
