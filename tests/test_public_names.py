"""Every public name of `framefind` can be imported."""

import framefind


def test_every_public_name_can_be_had():
    for name in framefind.__all__:
        assert getattr(framefind, name) is not None
    assert {*framefind.__all__} <= {*dir(framefind)}
