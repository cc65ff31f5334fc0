import csv
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from framefind.output.csv import write
from framefind.output.printable import escape_field
from framefind.types import Page
from results import BY_MOMENT, BY_VIDEO, MOMENT


def test_moments_have_a_header_and_as_many_fields_each():
    header, first, second = csv.reader(write(BY_MOMENT, {}))
    assert header == [
        *("path", "start", "end", "t", "score", "confidence", "then_start", "then_end", "then_t")
    ]
    assert first == ["/v/a.mp4", "10.0", "12.5", "11.2", "53.12", "0.875", "", "", ""]
    assert second[6:] == ["20.0", "22.0", "21.0"]


def test_videos():
    assert list(csv.reader(write(BY_VIDEO, {}))) == [
        ["path", "score", "moments", "t"],
        ["/v/a.mp4", "71.00", "2", "11.2"],
    ]


@given(st.text(st.sampled_from('ab\\,;"\t\n\r ü')))
def test_any_path_is_one_field_of_one_line(path):
    lines = list(write(Page([replace(MOMENT, path=path)], 1, 0), {}))
    assert not {"\n", "\r"} & set("".join(lines))
    assert next(csv.DictReader(lines))["path"] == escape_field(path)
