"""Freed memory is given back to the system."""

import sys
from pathlib import Path

import pytest

from framefind.server import freed_memory


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other C libraries")
def test_what_lies_between_blocks_in_use_is_given_back() -> None:
    blocks = [bytearray(b"x" * 100_000) for _ in range(1000)]
    del blocks[::2]
    before = _resident_bytes()
    freed_memory.give_back()
    assert before - _resident_bytes() > 40e6  # of 50
    assert all(block[0] == block[-1] == ord("x") for block in blocks)


def _resident_bytes() -> int:
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmRSS:"):
            return 1024 * int(line.split()[1])
    raise OSError("only Linux tells the memory of a process")
