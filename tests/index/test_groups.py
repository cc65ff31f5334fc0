"""Groups of neighbours, as NumPy's `diff` tells them."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from framefind.index.groups import count_members, list_starts


@given(st.lists(st.integers(0, 3)))
def test_groups_are_those_of_diff(values: list[int]) -> None:
    owner = np.array(values, np.int64)
    first = list_starts(owner)
    assert first.tolist() == np.flatnonzero(np.diff(owner, prepend=-1)).tolist()
    counts = count_members(first, len(owner))
    assert counts.tolist() == np.diff(first, append=len(owner)).tolist()
    assert np.array_equal(np.repeat(owner[first], counts), owner)
