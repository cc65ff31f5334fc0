"""Confidence in a word."""

from dataclasses import replace

import pytest

from results import MOMENT


@pytest.mark.parametrize(
    ("confidence", "word"),
    [
        (1.0, "sure"),
        (0.85, "sure"),
        (0.849, "likely"),
        (0.5, "likely"),
        (0.499, "maybe"),
        (0.3, "maybe"),
        (0.299, "unlikely"),
        (0.0, "unlikely"),
    ],
)
def test_a_moment_says_it(confidence: float, word: str) -> None:
    assert replace(MOMENT, confidence=confidence).certainty == word
