"""Heads of packets, byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framefind.output.clips.keyframes import av1_sequence, is_av1_keyframe, is_vp9_keyframe


@pytest.mark.parametrize(
    ("head", "is_key"),
    [
        (0b10_00_0_0_1_0, True),  # a key frame, shown
        (0b10_00_0_0_0_0, False),  # hidden
        (0b10_00_0_1_1_0, False),  # refers to others
        (0b10_00_1_0_1_0, False),  # shows one that is there already
        (0b10_01_0_0_1_0, True),  # another profile
        (0b10_11_0_0_0_1, True),  # profile 3, which has a bit more
        (0b10_11_0_0_1_1, False),
        (0b01_00_0_0_1_0, False),  # no VP9
    ],
)
def test_vp9(head, is_key):
    assert is_vp9_keyframe(bytes([head, 0x49])) == is_key


@pytest.mark.parametrize(
    ("packet", "is_key"),
    [
        (b"\x0a\x01\x00\x32\x01\x10", True),  # a sequence header, a frame that is a key, shown
        (b"\x12\x00\x0a\x01\x00\x1a\x01\x10", True),  # a delimiter first; the header alone
        (b"\x30\x10", True),  # without a size: up to the end
        (b"\x36\x00\x01\x10", True),  # with an extension
        (b"\x32\x01\x00", False),  # hidden
        (b"\x32\x01\x30", False),  # refers to others
        (b"\x32\x01\x90", False),  # shows one that is there already
        (b"\x0a\x01\x00", False),  # no frame
        (b"\x32\x01", False),  # cut off
    ],
)
def test_av1(packet, is_key):
    assert is_av1_keyframe(packet) == is_key


@given(st.binary(max_size=40))
def test_any_bytes_are_read_to_their_end(data):
    assert is_av1_keyframe(data) in (True, False)
    assert is_vp9_keyframe(data) in (True, False)
    assert len(av1_sequence(data)) <= len(data)
