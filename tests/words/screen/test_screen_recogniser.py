"""Greedy CTC decoding, and the characters of the network."""

from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framefind.words.screen.recogniser import LINE_HEIGHT, decode, read_line

CHARACTERS = ["", *"abc"]


def probabilities(classes, certainty=0.75):
    rest = (1 - certainty) / (len(CHARACTERS) - 1)
    values = np.full((len(classes), len(CHARACTERS)), rest, np.float32)
    values[range(len(classes)), classes] = certainty
    return values


@given(st.lists(st.integers(0, 3), max_size=20))
def test_runs_of_a_class_are_one_character(classes):
    text, _ = decode(probabilities(classes), CHARACTERS)
    assert text == "".join(CHARACTERS[number] for number, _ in groupby(classes))


def test_a_blank_parts_two_equal_characters():
    assert decode(probabilities([1, 1, 0, 1, 2]), CHARACTERS) == ("aab", pytest.approx(0.75))


def test_confidence_is_that_of_the_characters_alone():
    sure, unsure = probabilities([0, 1, 0], 1.0), probabilities([2, 0], 0.5)
    text, confidence = decode(np.concatenate([sure, unsure]), CHARACTERS)
    assert (text, confidence) == ("ab", pytest.approx(0.75))


def test_an_empty_line_has_no_text():
    grey = np.full((LINE_HEIGHT, 200, 3), 127, np.uint8)
    assert read_line(grey)[0].strip() == ""


def test_a_line_of_one_pixel_can_be_read():
    text, confidence = read_line(np.zeros((LINE_HEIGHT, 1, 3), np.uint8))
    assert len(text) <= 1
    assert 0 <= confidence <= 1
