import pytest

from framefind import QueryError
from framefind.files.lines import read_lines


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lines.txt"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_is_utf8_or_what_its_mark_says(file, encoding):
    file.write_bytes("ein Hund\r\n\r\n \nMädchen\n".encode(encoding))
    assert read_lines(file) == [(1, "ein Hund"), (4, "Mädchen")]


@pytest.mark.parametrize("end", ["\u2028", "\u2029", "\x0b", "\x0c", "\x85", "\x1c", "\r"])
def test_nothing_else_ends_a_line(file, end):
    file.write_bytes(f"a{end}b\nc".encode())
    assert read_lines(file) == [(1, f"a{end}b"), (2, "c")]


@pytest.mark.parametrize(
    "content",
    [b"a\n\ncaf\xe9\n", b"a\n\nb\0\n", b"a\n\n\xed\xa0\x80", "a\n\nb\n".encode("utf-16-le")],
)
def test_names_the_line_that_is_no_text(file, content):
    file.write_bytes(content)
    with pytest.raises(QueryError, match=r"lines\.txt, line [13]: cannot be read as .*UTF-8"):
        read_lines(file)


def test_names_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(QueryError, match=r"none\.txt: cannot be read: No such file"):
        read_lines(tmp_path / "none.txt")
