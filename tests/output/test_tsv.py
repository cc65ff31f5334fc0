from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from framefind.output.printable import round_down
from framefind.output.tsv import write
from framefind.types import Page
from results import BY_VIDEO, MOMENT


def unescaped(field: str) -> str:
    parts = field.split("\\\\")
    for sign, character in (("t", "\t"), ("n", "\n"), ("r", "\r")):
        parts = [part.replace(f"\\{sign}", character) for part in parts]
    return "\\".join(parts)


class TestTsv:
    def test_a_moment(self):
        assert list(write(Page([MOMENT], 1, 0), {})) == ["/v/a.mp4\t10.0\t12.5\t11.2\t53.12\t0.875"]

    def test_a_video_has_its_best_moment_s_time(self):
        assert list(write(BY_VIDEO, {})) == ["/v/a.mp4\t71.00\t2\t11.2"]

    def test_nothing(self):
        assert list(write(Page([], 0, 0), {})) == list(write(Page([], 0, 0, []), {})) == []

    @given(st.text(st.sampled_from("ab\\tnr\t\n\r ü")))
    def test_any_path_is_one_field_of_one_line(self, path):
        (line,) = write(Page([replace(MOMENT, path=path)], 1, 0), {})
        assert not {"\n", "\r"} & set(line)
        field, *rest = line.split("\t")
        assert len(rest) == 5
        assert unescaped(field) == path

    @given(st.floats(0, 1e6))
    def test_times_are_exact(self, t):
        (line,) = write(Page([replace(MOMENT, t=np.float64(t))], 1, 0), {})
        assert float(line.split("\t")[3]) == t

    @given(st.floats(-100, 100), st.floats(0, 1))
    def test_the_numbers_shown_are_reached(self, score, sure):
        (line,) = write(Page([replace(MOMENT, score=score, confidence=sure)], 1, 0), {})
        for shown, value, digits in zip(line.split("\t")[4:], (score, sure), (2, 3), strict=True):
            assert shown == round_down(value, digits)
            assert float(shown) <= value < float(shown) + 1.01 * 10**-digits
