"""Read a NAL unit of H.264 bit by bit, and write another one meanwhile."""

import re

_ESCAPED = re.compile(rb"\x00\x00\x03")
_TO_ESCAPE = re.compile(rb"\x00\x00(?=[\x00-\x03])")
_MAX_HEADER = 2048  # bytes: headers are far shorter


class Bits:
    """Reads what comes after the first byte of a unit; what is copied or written makes another."""

    def __init__(self, unit: bytes) -> None:
        self._data = _ESCAPED.sub(b"\x00\x00", unit[1:]).rstrip(b"\x00")
        head = self._data[:_MAX_HEADER]
        self._bits = f"{int.from_bytes(head, 'big'):0{8 * len(head)}b}" if head else ""
        self._at = 0
        self._written: list[str] = []

    def read(self, count: int) -> int:
        """Return a number of `count` bits. Raises ValueError at the end of the data."""
        end = self._at + count
        if end > len(self._bits):
            raise ValueError("a NAL unit ends too early")
        value = int(self._bits[self._at : end] or "0", 2)
        self._at = end
        return value

    def read_number(self) -> int:
        """Return a number that says its own length (Exp-Golomb). Raises ValueError as `read`."""
        marker = self._bits.find("1", self._at)
        if marker < 0:
            raise ValueError("a NAL unit ends too early")
        zeros = marker - self._at
        self._at = marker
        return self.read(zeros + 1) - 1

    def read_signed(self) -> int:
        """Return such a number that may be negative."""
        number = self.read_number()
        return (number + 1) // 2 if number % 2 else -number // 2

    def write(self, value: int, count: int) -> None:
        """Write a number of `count` bits."""
        if count:
            self._written.append(f"{value:0{count}b}")

    def write_number(self, value: int) -> None:
        """Write a number that says its own length."""
        length = (value + 1).bit_length()
        self.write(value + 1, 2 * length - 1)

    def write_signed(self, value: int) -> None:
        """Write such a number that may be negative."""
        self.write_number(2 * value - 1 if value > 0 else -2 * value)

    def copy(self, count: int) -> int:
        """Read and write a number of `count` bits."""
        value = self.read(count)
        self.write(value, count)
        return value

    def copy_number(self) -> int:
        """Read and write a number that says its own length."""
        value = self.read_number()
        self.write_number(value)
        return value

    def copy_signed(self) -> int:
        """Read and write such a number that may be negative."""
        value = self.read_signed()
        self.write_signed(value)
        return value

    def finish(self, is_aligned: bool) -> bytes:
        """Return what was written and the rest of the data, as it stands in a unit.

        `is_aligned`: the rest begins with a whole byte (CABAC), after bits that are 1.
        """
        head = "".join(self._written)
        if is_aligned:
            head += "1" * (-len(head) % 8)
            data = _pack(head) + self._data[(self._at + 7) // 8 :]
        else:
            count = 8 * len(self._data) - self._at
            remainder = int.from_bytes(self._data, "big") & ((1 << count) - 1)
            # Zeros follow the bit that ends the data.
            spare = (remainder & -remainder).bit_length() - 1
            count -= spare
            pad = -(len(head) + count) % 8
            whole = (int(head, 2) << count | remainder >> spare) << pad
            data = whole.to_bytes((len(head) + count + pad) // 8, "big")
        return _TO_ESCAPE.sub(b"\x00\x00\x03", data)


def _pack(bits: str) -> bytes:
    return int(bits, 2).to_bytes(len(bits) // 8, "big")
