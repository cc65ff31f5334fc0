"""Open groups of pictures in H.264: let one start at its keyframe, as if it were closed.

Such a keyframe is a recovery point: all that is shown from it on can be decoded without what came
before. It is made an IDR picture, and the frames that are shown before it are left out. From then
on the numbers of pictures and of their order count from it, also where a header names a picture to
refer to or to forget. Nothing else of the pictures is changed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from framefind.errors import VideoError
from framefind.output.clips.bits import Bits
from framefind.output.clips.nal import join_units, read_units
from framefind.output.clips.parameters import (
    PICTURE,
    SEQUENCE,
    Picture,
    Sequence,
    read_picture,
    read_sequence,
)

_SLICE = 1
_RESTART = 5  # the kind of a slice of an IDR picture,
_RARE = {2, 3, 4, 14, 19, 20, 21}  # and of those that few profiles have
_MESSAGES = 6  # the kind of unit that holds messages (SEI),
_RECOVERY = 6  # and the message of a recovery point
_P, _B, _I = 0, 1, 2  # kinds of slices
_FORGET = 1  # the command to forget a picture,
_LIMIT_LONG = 4  # and the one about pictures that none of the streams at hand has
_EARLIER, _LATER, _END = 0, 1, 3  # commands that put a picture into a list
_PICTURE_ID = 1  # of the IDR picture; encoders begin with 0


class CannotRenumberError(VideoError):
    """A stream that can only be encoded again."""


def is_recovery_point(data: bytes, width: int) -> bool:
    """Return whether all that is shown from a keyframe on is exact, if decoding begins with it.

    `width` is as of `join_units`.
    """
    units = [unit for unit in read_units(data, width) if unit]
    kinds = {unit[0] & 31 for unit in units}
    return (
        _SLICE in kinds
        and _RESTART not in kinds
        and any(unit[0] & 31 == _MESSAGES and _says_recovery(unit) for unit in units)
    )


def _says_recovery(unit: bytes) -> bool:
    """Return whether messages declare a recovery point that is exact and here."""
    bits = Bits(unit)
    try:
        while True:
            kind, size = (_read_long(bits) for _ in range(2))
            if kind == _RECOVERY:
                return bits.read_number() == 0 and bits.read(1) == 1
            bits.read(8 * size)
    except ValueError:
        return False


def _read_long(bits: Bits) -> int:
    total = 0
    while (byte := bits.read(8)) == 255:
        total += byte
    return total + byte


@dataclass
class _Slice:
    """A slice's header while it is rewritten; `index` counts its picture from the keyframe on."""

    bits: Bits
    kind: int
    is_reference: bool
    picture: Picture
    sequence: Sequence
    index: int
    is_field: bool = False
    is_bottom: bool = False

    @property
    def unit(self) -> int:
        """Return how many numbers a frame takes: each of its fields has one."""
        return 2 if self.is_field else 1

    @property
    def current(self) -> int:
        """Return the number of the picture itself, as headers count, from the keyframe on."""
        return self.index * self.unit + self.unit - 1

    @property
    def numbers(self) -> int:
        """Return how many numbers there are before they begin again."""
        return self.sequence.numbers * self.unit

    def wrap(self, number: int) -> int:
        """Return the number of a picture that was decoded before this one."""
        return self.current - (self.current - number) % self.numbers


class Renumbering:
    """Rewrites the packets of a stream from a recovery point on.

    `sets` are the parameter sets of the stream, `width` is as of `join_units`, and `left_out` how
    many packets after the keyframe are not copied. `rewrite` raises CannotRenumberError.
    """

    def __init__(self, sets: Iterable[bytes], width: int, left_out: int) -> None:
        self._width = width
        self._left_out = left_out
        self._sequences: dict[int, Sequence] = {}
        self._pictures: dict[int, Picture] = {}
        self._number = 0  # of the last picture, as the stream has it
        self._index = 0  # of the last picture, from the keyframe on
        self._order = 0  # of the keyframe
        self._gap: int | None = None  # how many pictures were left out that others may refer to
        self._first_is_bottom: bool | None = None  # of the keyframe's fields
        self._is_over = False
        for unit in sets:
            self._learn(unit)

    def rewrite(self, data: bytes, is_first: bool) -> bytes:
        """Return the first packet as one of an IDR picture, or a later one as it follows that."""
        if self._is_over:
            return data
        units = [unit for unit in read_units(data, self._width) if unit]
        kinds = {unit[0] & 31 for unit in units}
        if _RESTART in kinds:
            self._is_over = True
            return data
        if kinds & _RARE:
            raise CannotRenumberError("its slices are of a rare kind")
        try:
            rewritten = []
            for unit in units:
                self._learn(unit)
                is_slice = unit[0] & 31 == _SLICE
                rewritten.append(self._rewrite_slice(unit, is_first) if is_slice else unit)
        except (ValueError, KeyError):
            raise CannotRenumberError("a slice cannot be read") from None
        return join_units(rewritten, self._width)

    def _learn(self, unit: bytes) -> None:
        kind = unit[0] & 31 if unit else 0
        if kind == SEQUENCE:
            number, self._sequences[number] = read_sequence(unit)
        elif kind == PICTURE:
            number, self._pictures[number] = read_picture(unit)

    def _rewrite_slice(self, unit: bytes, is_first: bool) -> bytes:
        bits = Bits(unit)
        bits.copy_number()
        kind = bits.copy_number() % 5
        picture = self._pictures[bits.copy_number()]
        sequence = self._sequences[picture.sequence]
        is_plain = picture.slice_groups == 1 and sequence.order_type != 1 and kind in (_P, _B, _I)
        if not is_plain:
            raise CannotRenumberError("its slices are of a rare kind")
        bits.copy(2 if sequence.separate_planes else 0)
        index = self._count(bits.read(sequence.number_bits), sequence, is_first)
        header = _Slice(bits, kind, bool(unit[0] & 0x60), picture, sequence, index)
        bits.write(self._place(index) % sequence.numbers, sequence.number_bits)
        if not sequence.frames_only:
            header.is_field = bool(bits.copy(1))
            header.is_bottom = bool(header.is_field and bits.copy(1))
        is_restart = is_first and self._begins(header)
        if is_restart:
            bits.write_number(_PICTURE_ID)
        self._copy_order(header, is_restart)
        if picture.has_redundant:
            bits.copy_number()
        lengths = _copy_lengths(header)
        for length in lengths:
            self._copy_list(header, length)
        _copy_weights(header, lengths)
        if header.is_reference:
            self._copy_marking(header, is_restart)
        _copy_end(header)
        head = unit[0] & 0xE0 | _RESTART if is_restart else unit[0]
        return bytes([head]) + bits.finish(picture.is_cabac)

    def _count(self, number: int, sequence: Sequence, is_first: bool) -> int:
        """Return which picture has that number, counted from the keyframe on."""
        if not is_first:
            self._index += (number - self._number) % sequence.numbers
        self._number = number
        if not is_first and self._gap is None:
            self._gap = self._index - 1
            if not 0 <= self._gap <= self._left_out:
                raise CannotRenumberError("its pictures are not numbered one after another")
        return self._index

    def _place(self, index: int) -> int:
        """Return the new number of a picture. Raises CannotRenumberError if it is not there."""
        gap = self._gap or 0
        if index < 0 or 0 < index <= gap:
            raise CannotRenumberError("a picture refers to what is left out")
        return max(0, index - gap)

    def _is_first_after_gap(self, header: _Slice) -> bool:
        return bool(self._gap) and header.index == (self._gap or 0) + 1

    def _begins(self, header: _Slice) -> bool:
        """Return whether a slice of the keyframe is one of its first field, or of all of it."""
        if self._first_is_bottom is None:
            self._first_is_bottom = header.is_bottom
        begins = self._first_is_bottom == header.is_bottom
        if begins and (header.kind != _I or not header.is_reference):
            raise CannotRenumberError("its keyframe refers to other pictures")
        return begins

    def _copy_order(self, header: _Slice, is_restart: bool) -> None:
        """Let the order of display count from the keyframe on."""
        count = header.sequence.order_bits
        if not count:
            return
        order = header.bits.read(count)
        has_bottom = header.picture.has_bottom_order and not header.is_field
        bottom = header.bits.read_signed() if has_bottom else 0
        if is_restart:
            self._order = order + min(0, bottom)
        header.bits.write((order - self._order) % (1 << count), count)
        if has_bottom:
            header.bits.write_signed(bottom)

    def _copy_list(self, header: _Slice, length: int) -> None:
        """Copy the commands that put pictures into a list, each named by how far it is away."""
        bits = header.bits
        old, new = header.current, self._renumber(header, header.current)
        named = 0
        has_commands = bits.copy(1)
        while has_commands and (command := bits.read_number()) != _END:
            if command not in (_EARLIER, _LATER):
                raise CannotRenumberError("it keeps pictures for long")
            distance = bits.read_number() + 1
            old = header.wrap(old + (distance if command == _LATER else -distance))
            before, new = new, self._renumber(header, old)
            bits.write_number(_LATER if new > before else _EARLIER)
            bits.write_number((abs(new - before) or header.numbers) - 1)
            named += 1
        if has_commands:
            bits.write_number(_END)
        if named < length and self._is_first_after_gap(header):
            raise CannotRenumberError("a picture may refer to what is left out")

    def _renumber(self, header: _Slice, number: int) -> int:
        """Return the new number of a picture that a header names."""
        index, field = divmod(number, header.unit)
        return self._place(index) * header.unit + field

    def _copy_marking(self, header: _Slice, is_restart: bool) -> None:
        """Copy which pictures are to be forgotten, but for those that are not there."""
        bits = header.bits
        if is_restart:
            _skip_marking(bits)
            bits.write(0, 2)
            return
        forgotten: set[int] = set()
        has_commands = bits.copy(1)
        while has_commands and (command := bits.read_number()):
            argument = bits.read_number()
            if command == _FORGET:
                number = header.wrap(header.current - argument - 1)
                index = number // header.unit
                if index < 0 or 0 < index <= (self._gap or 0):
                    forgotten.add(index)
                    continue
                current = self._renumber(header, header.current)
                argument = current - self._renumber(header, number) - 1
            elif command != _LIMIT_LONG:
                raise CannotRenumberError("it keeps pictures for long")
            bits.write_number(command)
            bits.write_number(argument)
        if has_commands:
            bits.write_number(0)
        if self._is_first_after_gap(header) and not forgotten >= {*range(1, header.index)}:
            raise CannotRenumberError("what is left out would not be forgotten")


def _skip_marking(bits: Bits) -> None:
    """Read a keyframe's commands to forget pictures, which all come before it."""
    if bits.read(1):
        while command := bits.read_number():
            if command not in (_FORGET, _LIMIT_LONG):
                raise CannotRenumberError("it keeps pictures for long")
            bits.read_number()


def _copy_lengths(header: _Slice) -> tuple[int, ...]:
    """Copy how long the lists of pictures are that a slice refers to."""
    if header.kind == _I:
        return ()
    bits = header.bits
    if header.kind == _B:
        bits.copy(1)
    lengths = header.picture.lengths[: 1 + (header.kind == _B)]
    if bits.copy(1):
        lengths = tuple(bits.copy_number() + 1 for _ in lengths)
    return lengths


def _copy_weights(header: _Slice, lengths: tuple[int, ...]) -> None:
    bits = header.bits
    picture = header.picture
    if not (picture.weighs_b if header.kind == _B else picture.weighs_p) or header.kind == _I:
        return
    planes = (1, 2) if header.sequence.has_chroma else (1,)
    for _ in planes:
        bits.copy_number()
    for _ in range(sum(lengths)):
        for count in planes:
            if bits.copy(1):
                for _ in range(2 * count):
                    bits.copy_signed()


def _copy_end(header: _Slice) -> None:
    if header.picture.is_cabac and header.kind != _I:
        header.bits.copy_number()
    header.bits.copy_signed()
    if header.picture.has_filter and header.bits.copy_number() != 1:
        header.bits.copy_signed()
        header.bits.copy_signed()
