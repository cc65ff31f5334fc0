"""Parameter sets of H.264, as far as headers of slices depend on them."""

from dataclasses import dataclass

from framefind.output.clips.bits import Bits

SEQUENCE = 7
"""The kind of unit that holds a sequence's parameters."""

PICTURE = 8
"""The kind of unit that holds pictures' parameters."""

_HIGH_PROFILES = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244}
_FULL_CHROMA = 3  # the chroma format 4:4:4


@dataclass(frozen=True)
class Sequence:
    """Parameters of a sequence.

    Pictures have numbers of `number_bits`. `order_type` says how their order of display is told:
    0 by a number of `order_bits`, 2 not at all, since it is that of decoding.
    """

    has_chroma: bool
    separate_planes: bool
    number_bits: int
    order_type: int
    order_bits: int
    frames_only: bool

    @property
    def numbers(self) -> int:
        """Return how many numbers there are before they begin again."""
        return 1 << self.number_bits


@dataclass(frozen=True)
class Picture:
    """Parameters of pictures; `lengths` are those of the two lists that they refer to."""

    sequence: int
    is_cabac: bool
    has_bottom_order: bool
    slice_groups: int
    lengths: tuple[int, ...] = (1, 1)
    weighs_p: bool = False
    weighs_b: bool = False
    has_filter: bool = False
    has_redundant: bool = False


def read_sequence(unit: bytes) -> tuple[int, Sequence]:
    """Return the number of a sequence's parameter set, and what it says."""
    bits = Bits(unit)
    profile = bits.read(8)
    bits.read(16)
    number = bits.read_number()
    chroma = bits.read_number() if profile in _HIGH_PROFILES else 1
    separate_planes = bool(chroma == _FULL_CHROMA and bits.read(1))
    if profile in _HIGH_PROFILES:
        bits.read_number()
        bits.read_number()
        bits.read(1)
        if bits.read(1):
            for place in range(12 if chroma == _FULL_CHROMA else 8):
                if bits.read(1):
                    _skip_scaling(bits, 16 if place < 6 else 64)
    number_bits = bits.read_number() + 4
    order_type = bits.read_number()
    order_bits = bits.read_number() + 4 if order_type == 0 else 0
    frames_only = True
    if order_type != 1:
        bits.read_number()
        bits.read(1)
        bits.read_number()
        bits.read_number()
        frames_only = bool(bits.read(1))
    has_chroma = chroma != 0 and not separate_planes
    return number, Sequence(
        has_chroma, separate_planes, number_bits, order_type, order_bits, frames_only
    )


def _skip_scaling(bits: Bits, size: int) -> None:
    last, following = 8, 8
    for _ in range(size):
        if following:
            following = (last + bits.read_signed()) % 256
            last = following or last


def read_picture(unit: bytes) -> tuple[int, Picture]:
    """Return the number of pictures' parameter set, and what it says."""
    bits = Bits(unit)
    number = bits.read_number()
    sequence = bits.read_number()
    is_cabac = bool(bits.read(1))
    has_bottom_order = bool(bits.read(1))
    slice_groups = bits.read_number() + 1
    if slice_groups > 1:  # a map of them follows
        return number, Picture(sequence, is_cabac, has_bottom_order, slice_groups)
    lengths = bits.read_number() + 1, bits.read_number() + 1
    weighs_p = bool(bits.read(1))
    weighs_b = bits.read(2) == 1
    for _ in range(3):
        bits.read_signed()
    has_filter = bool(bits.read(1))
    bits.read(1)
    has_redundant = bool(bits.read(1))
    return number, Picture(
        sequence,
        is_cabac,
        has_bottom_order,
        slice_groups,
        lengths,
        weighs_p,
        weighs_b,
        has_filter,
        has_redundant,
    )
