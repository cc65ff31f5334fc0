"""Frames of VP8, VP9 and AV1: which keyframes reset the decoder, and which frames are hidden.

Their packets come in the order in which they are shown, and a shown keyframe replaces all that
later frames may refer to. So another encoder's frames can stand before one.
"""

_VP9_MARKER = 0b10
_AV1_FRAMES = 3, 6  # kinds of units that begin with a frame's header
_AV1_SHOWN_KEYFRAME = 0b0001  # no existing frame, a key frame, shown
_AV1_CONFIG = 4  # bytes of a container's header before its units


def is_hidden_vp8(data: bytes) -> bool:
    """Return whether a packet of VP8 holds a frame that others refer to, and that is not shown."""
    return bool(data) and not data[0] >> 4 & 1


def is_vp9_keyframe(data: bytes) -> bool:
    """Return whether a packet begins with a keyframe that is shown."""
    if not data or data[0] >> 6 != _VP9_MARKER:
        return False
    is_profile_3 = data[0] >> 4 & 0b11 == 0b11  # which has a bit more
    return data[0] >> (1 if is_profile_3 else 2) & 0b11 == 0 and bool(
        data[0] >> (0 if is_profile_3 else 1) & 1
    )


def is_av1_keyframe(data: bytes) -> bool:
    """Return whether the first frame of a packet is a keyframe that is shown."""
    at = 0
    while at < len(data):
        kind = data[at] >> 3 & 15
        has_extension = data[at] & 0b100
        has_size = data[at] & 0b10
        at += 2 if has_extension else 1
        size, at = _read_size(data, at) if has_size else (len(data) - at, at)
        if kind in _AV1_FRAMES:
            return at < len(data) and data[at] >> 4 == _AV1_SHOWN_KEYFRAME
        at += size
    return False


def av1_sequence(extradata: bytes) -> bytes:
    """Return the units that a container's header holds: the description of the sequence."""
    return extradata[_AV1_CONFIG:] if extradata[:1] == b"\x81" else b""


def _read_size(data: bytes, at: int) -> tuple[int, int]:
    """Return the size of a unit, a number of seven bits a byte, and where the unit goes on."""
    size = 0
    for place in range(8):
        if at >= len(data):
            break
        size |= (data[at] & 127) << (7 * place)
        at += 1
        if data[at - 1] < 128:
            break
    return size, at
