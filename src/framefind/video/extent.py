"""Compare the size of a file with the one that its container declares: is it cut off, or two?"""

import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

from av.video.stream import VideoStream

from framefind.video.bucket_file import BucketFile

Read = Callable[[int, int], bytes]
"""Takes an offset and a count; returns up to that many bytes from there on."""

_HEAD_BYTES = 2**14  # in which a header declares the length
_TAIL_BYTES = 2**18  # in which the last unit of a stream begins
_UNKNOWN_FRAMES = 2**30  # as FFmpeg writes them into an AVI before it knows how many come
_MAX_BOXES = 4096  # at the top of an MP4 that are read
_KINDS = {b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"uuid", b"sidx", b"styp"}
_SEGMENT = b"\x18\x53\x80\x67"
_ASF = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_MXF = bytes.fromhex("060e2b34020501010d01020101")
_EBML = b"\x1a\x45\xdf\xa3"
_FLV = b"FLV\1"
_FLV_TAGS = {8, 9, 18}  # sound, pictures, data
_ENDS_TOLD = (_EBML, b"RIFF", _MXF)
"""How containers begin that tell where they end, once they are finished."""
_PACKET_LAYOUTS = ((188, 0), (192, 4), (204, 0))
"""Bytes of a transport packet, and how many of them come before its sync byte."""


def describe_end(path: str, size: int, remote: BucketFile | None) -> str | None:
    """Return what is wrong with the end of a file, in words for people; None if nothing is.

    It may lack bytes, or another video may follow that FFmpeg does not read. The first `size` bytes
    of the file at `path` count; an object is read through `remote`.
    """
    try:
        if remote:
            return _describe_end(remote.reader.at, size, far=True)
        with open(path, "rb") as file:
            return _describe_end(_reader(file), size)
    except OSError:  # it was removed meanwhile
        return None


def _describe_end(read: Read, size: int, far: bool = False) -> str | None:
    declared = read_declared_size(read, size, far)
    if declared is not None and declared > size:
        return f"the file is cut off: {size:,} of {declared:,} bytes are there"
    end = declared if far else _find_end(read, size) or declared
    if end is None or end >= size or not _begins_another(read(end, 16), read(0, 4)):
        return None
    return f"another video follows after {end:,} of {size:,} bytes: split the file there"


def _find_end(read: Read, size: int) -> int | None:
    """Return where the first of several MP4 or FLV files that were joined ends; None of others."""
    head = read(0, 9)
    if head.startswith(_FLV):
        return _flv_end(read, int.from_bytes(head[5:9], "big") + 4, size)
    boxes = [*_boxes(read)] if head[4:8] in _KINDS else []
    if any(kind == b"moof" for _, kind, _ in boxes):  # FFmpeg reads all of those
        return None
    return next((offset for offset, kind, _ in boxes[1:] if kind == b"ftyp"), None)


def _flv_end(read: Read, at: int, size: int) -> int:
    """Return where the tags of an FLV end that begin at `at`."""
    while at < size:
        head = read(at, 4)
        if len(head) < 4 or head[0] not in _FLV_TAGS:
            break
        at += 11 + int.from_bytes(head[1:4], "big") + 4
    return at


def _begins_another(head: bytes, first: bytes) -> bool:
    """Tell whether a container begins, which FFmpeg does not read if it read the `first` one."""
    if head.startswith(first):
        return not first.startswith(_EBML)
    return head[4:8] == b"ftyp" or head.startswith((*_ENDS_TOLD, _ASF, _FLV))


def declares_length(stream: VideoStream) -> bool:
    """Return whether a file may declare its length: an AVI written to a pipe has a placeholder."""
    return stream.frames != _UNKNOWN_FRAMES


def is_closed(path: str, size: int) -> bool:
    """Return whether nothing shows that a file of `size` bytes is still being written.

    A container that would tell its end, but does not yet, is not closed: an MP4 without its table
    of packets or in fragments, a Matroska or AVI file whose length is not filled in.
    """
    try:
        with open(path, "rb") as file:
            read = _reader(file)
            head = read(0, 16)
            if head[4:8] in _KINDS:
                return _is_closed_mp4(read, size)
            declared = read_declared_size(read, size)
    except OSError:
        return False
    if declared is not None:
        return declared <= size
    return any(head) and not head.startswith(_ENDS_TOLD)


def read_declared_size(read: Read, size: int, far: bool = False) -> int | None:
    """Return how many bytes a file of `size` bytes should have at least; None if that is unknown.

    Only the head of a file that is `far` is read.
    """
    head = read(0, _HEAD_BYTES)
    if head.startswith(_EBML):
        return _matroska(head)
    if head.startswith(_ASF):
        return _asf(head)
    if head.startswith(_MXF) and len(head) > 64:
        return _mxf(head)
    if far:
        return None
    if head.startswith(b"RIFF"):
        return _riff(read, size)
    if head[4:8] in _KINDS:
        return _mp4(read, size)
    if head.startswith(b"OggS"):
        return _ogg(read, size)
    if head.startswith(b"\0\0\1\xba"):
        return _program_stream(read, size)
    return _transport_stream(head, size)


def _reader(file: BinaryIO) -> Read:
    def read(offset: int, count: int) -> bytes:
        file.seek(offset)
        return file.read(count)

    return read


def _matroska(head: bytes) -> int | None:
    at = head.find(_SEGMENT)
    if at < 0 or at + 4 >= len(head) or not head[at + 4]:
        return None
    length = 9 - head[at + 4].bit_length()
    value = int.from_bytes(head[at + 4 : at + 4 + length], "big") & (1 << 7 * length) - 1
    if value == (1 << 7 * length) - 1:  # it was unknown when the file was begun
        return None
    return at + 4 + length + value


def _asf(head: bytes) -> int | None:
    at = head.find(_ASF_FILE)
    if at < 0 or at + 92 > len(head):
        return None
    size, flags = struct.unpack_from("<Q40xI", head, at + 40)
    return None if flags & 1 else int(size)  # 1: a broadcast of unknown size


def _riff(read: Read, size: int) -> int | None:
    """Return the size of an AVI file; one larger than a GiB comes in several chunks."""
    end = 0
    while end + 8 <= size:
        kind, length = struct.unpack("<4sI", read(end, 8))
        if kind != b"RIFF" or length in (0, 0xFFFFFFFF):
            break
        end += 8 + length
    return end or None


def _mp4(read: Read, size: int) -> int | None:
    end = 0
    is_fragmented = False
    for offset, kind, length in _boxes(read):
        is_fragmented |= kind == b"moof"
        if kind == b"mdat" and not is_fragmented and offset + length > size:
            break  # its packets are listed elsewhere, and may all be there
        end = offset + length
    return end or None


def _is_closed_mp4(read: Read, size: int) -> bool:
    """Return whether an MP4 has all its boxes, its table among them, and no fragments."""
    end = 0
    kinds = set()
    for offset, kind, length in _boxes(read):
        end = offset + length
        kinds.add(kind)
    return b"moov" in kinds and b"moof" not in kinds and end <= size


def _boxes(read: Read) -> Iterator[tuple[int, bytes, int]]:
    """Yield offset, kind and length (bytes) of the boxes of an MP4, up to one of another kind.

    The length is 0 of a last box that reaches to the end of the file, or is not finished yet.
    """
    offset = 0
    for _ in range(_MAX_BOXES):
        head = read(offset, 16)
        length, kind = struct.unpack(">I4s", head[:8].ljust(8, b"\0"))
        if len(head) < 8 or kind not in _KINDS:
            return
        if length == 1 and len(head) == 16:
            length = struct.unpack(">8xQ", head)[0]
        if length < 8:
            yield offset, kind, 0
            return
        yield offset, kind, length
        offset += length


def _mxf(head: bytes) -> int | None:
    """Return where the header of the last partition ends, if it was written."""
    length = 1 + (head[16] & 127 if head[16] & 128 else 0)
    (footer,) = struct.unpack_from(">Q", head, 16 + length + 24)
    return footer + 16 if footer else None


def _ogg(read: Read, size: int) -> int | None:
    """Return where the last page ends, and a byte more if it is not marked as the last one."""
    start = max(0, size - _TAIL_BYTES)
    tail = read(start, size - start)
    at = tail.rfind(b"OggS")
    if at < 0:
        return None
    if at + 27 > len(tail) or at + 27 + tail[at + 26] > len(tail):
        return size + 1
    lacing = tail[at + 27 : at + 27 + tail[at + 26]]
    end = start + at + 27 + len(lacing) + sum(lacing)
    return end if tail[at + 5] & 4 else end + 1


def _program_stream(read: Read, size: int) -> int | None:
    start = max(0, size - _TAIL_BYTES)
    tail = read(start, size - start)
    at = tail.rfind(b"\0\0\1\xba")
    if at < 0 or at + 14 > len(tail):
        return None
    at += 14 + (tail[at + 13] & 7) if tail[at + 4] >> 6 == 1 else 12
    while at + 6 <= len(tail) and tail[at : at + 3] == b"\0\0\1" and tail[at + 3] >= 0xBB:
        at += 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
    return start + at


def _transport_stream(head: bytes, size: int) -> int | None:
    for length, before in _PACKET_LAYOUTS:
        syncs = head[before::length]
        if len(syncs) > 1 and set(syncs) == {0x47}:
            return -(-size // length) * length
    return None
