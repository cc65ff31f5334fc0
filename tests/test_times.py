import pytest
from hypothesis import given
from hypothesis import strategies as st

from framefind.times import clock, parse_time


class TestTimes:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0, "0:00"),
            (7, "0:07"),
            (7.04, "0:07"),
            (59.96, "1:00"),
            (90.5, "1:30.5"),
            (3599.99, "1:00:00"),
            (3723, "1:02:03"),
            (360000, "100:00:00"),
            (-1.5, "-0:01.5"),
            (-0.01, "0:00"),
        ],
    )
    def test_clock(self, seconds, text):
        assert clock(seconds) == text

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("90", 90),
            ("90s", 90),
            ("90.25s", 90.25),
            (" 0.5 ", 0.5),
            ("1:30", 90),
            ("75:00", 4500),
            ("00:01:30.5", 90.5),
            ("1:02:03", 3723),
        ],
    )
    def test_parse(self, text, seconds):
        assert parse_time(text) == seconds

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "s",
            "-5",
            "1:60",
            "1:60:00",
            "1:2:3:4",
            ":30",
            "1:",
            "nan",
            "inf",
            "1e3",
            "1:30s",
            "٣",
        ],
    )
    def test_anything_else_is_refused_by_name(self, text):
        with pytest.raises(ValueError, match="use seconds such as 90 or 1:30") as caught:
            parse_time(text)
        assert repr(text) in str(caught.value)

    @given(st.integers(0, 10**7))
    def test_a_clock_reads_back_to_the_tenth(self, tenths):
        assert parse_time(clock(tenths / 10)) == pytest.approx(tenths / 10, abs=1e-6)

    @given(st.floats(0, 1e6))
    def test_a_clock_is_within_half_a_tenth(self, seconds):
        assert parse_time(clock(seconds)) == pytest.approx(seconds, abs=0.0501)
