"""Bits of NAL units: what is copied stays, what is written is read again."""

from hypothesis import given
from hypothesis import strategies as st

from framefind.output.clips.bits import Bits

values = st.lists(st.tuples(st.sampled_from("nsb"), st.integers(0, 5000)), min_size=1, max_size=40)
rests = st.binary(max_size=30).map(lambda data: data + b"\x80")


@given(values, rests, st.booleans())
def test_what_is_written_is_read_again(numbers, rest, is_aligned):
    written = Bits(b"\x41\x80" if is_aligned else b"\x41" + rest)
    for kind, value in numbers:
        if kind == "n":
            written.write_number(value)
        elif kind == "s":
            written.write_signed(value - 2500)
        else:
            written.write(value, 13)
    data = written.finish(is_aligned)
    assert not any(data[at : at + 3] in (b"\0\0\0", b"\0\0\1") for at in range(len(data)))
    copy = Bits(b"\x41" + data)
    for kind, value in numbers:
        if kind == "n":
            assert copy.copy_number() == value
        elif kind == "s":
            assert copy.copy_signed() == value - 2500
        else:
            assert copy.copy(13) == value
    assert copy.finish(is_aligned) == data
