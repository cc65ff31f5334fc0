"""NAL units of H.264 and HEVC: how encoders write them, and how MP4 and Matroska store them."""

import re
from collections.abc import Iterable, Iterator

_START_CODE = re.compile(rb"\x00\x00\x00?\x01")
_HVCC_ARRAYS = 22  # bytes before the number of arrays
_CLEAN = 21  # a kind of unit of HEVC: clean random access (CRA),
_BROKEN = 18  # broken link access without leading pictures (BLA_N_LP),
_FIRST_BESIDE = 32  # and the first kind that is no part of a picture
_AVCC_COUNTS = 5  # bytes before the number of sequence parameter sets
_BUILD = re.compile(rb"x264 - core (\d+)")  # in the message that x264 writes with its first picture


def split_units(data: bytes) -> list[bytes]:
    """Return the units of a packet in which each begins with a start code."""
    starts = [(match.start(), match.end()) for match in _START_CODE.finditer(data)]
    ends = [start for start, _ in starts[1:]] + [len(data)]
    return [data[begin:end] for (_, begin), end in zip(starts, ends, strict=True)]


def join_units(units: Iterable[bytes], width: int) -> bytes:
    """Return units as a packet in which each comes after its length, a number of `width` bytes.

    With a width of 0, each comes after a start code.
    """
    if not width:
        return b"".join(b"\x00\x00\x00\x01" + unit for unit in units)
    return b"".join(len(unit).to_bytes(width, "big") + unit for unit in units)


def is_clean(data: bytes, width: int) -> bool:
    """Return whether a packet of HEVC is a keyframe that frames before it in time come after (CRA).

    `width` is as of `join_units`.
    """
    kinds = {unit[0] >> 1 for unit in read_units(data, width) if unit}
    return _CLEAN in kinds and all(kind >= _FIRST_BESIDE or kind == _CLEAN for kind in kinds)


def break_link(data: bytes, width: int) -> bytes:
    """Return such a keyframe as one that forgets what came before, with no frames before it."""
    units = [
        bytes([unit[0] & 0x81 | _BROKEN << 1]) + unit[1:]
        if unit and unit[0] >> 1 == _CLEAN
        else unit
        for unit in read_units(data, width)
    ]
    return join_units(units, width)


def read_units(data: bytes, width: int) -> list[bytes]:
    """Return the units of a packet; `width` is as of `join_units`."""
    if not width:
        return split_units(data)
    units = []
    at = 0
    while at + width <= len(data):
        begin = at + width
        at = begin + int.from_bytes(data[at:begin], "big")
        units.append(data[begin:at])
    return units


def find_build(data: bytes, width: int) -> tuple[int, bytes]:
    """Return which build of x264 says in a packet that it wrote it, and the unit that says so.

    Else 0 and no unit. `width` is as of `join_units`.
    """
    matches = ((_BUILD.search(unit), unit) for unit in read_units(data, width))
    return next(((int(match[1]), unit) for match, unit in matches if match), (0, b""))


def parameter_sets(codec: str, extradata: bytes) -> list[bytes]:
    """Return the parameter sets that a container's header holds, in their order."""
    if not extradata or extradata[0] != 1:
        return split_units(extradata or b"")
    return list(_avcc(extradata) if codec == "h264" else _hvcc(extradata))


def _avcc(data: bytes) -> Iterator[bytes]:
    at = _AVCC_COUNTS
    for mask in (31, 255):  # sequence, then picture parameter sets
        count = data[at] & mask
        at += 1
        for _ in range(count):
            size = int.from_bytes(data[at : at + 2], "big")
            yield data[at + 2 : at + 2 + size]
            at += 2 + size


def _hvcc(data: bytes) -> Iterator[bytes]:
    at = _HVCC_ARRAYS + 1
    for _ in range(data[_HVCC_ARRAYS]):
        count = int.from_bytes(data[at + 1 : at + 3], "big")
        at += 3
        for _ in range(count):
            size = int.from_bytes(data[at : at + 2], "big")
            yield data[at + 2 : at + 2 + size]
            at += 2 + size
