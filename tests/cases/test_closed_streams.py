"""Streams that are closed, full or in another encoding; names that would steer a terminal."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import framefind
from conftest import write_clip

ODD = "日本 \x1b[31m\u202etab\tline\nend\\.mp4"
COMMAND = f"{sys.executable} -m framefind.cli"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a shell redirects")


@pytest.fixture(scope="module")
def odd(tmp_path_factory) -> framefind.Library:
    folder = tmp_path_factory.mktemp("odd")
    write_clip(folder / "v" / ODD, [1])
    write_clip(folder / "v" / "b.mp4", [2])
    library = framefind.open(folder / "l")
    library.index(folder / "v", sampler="count=1", views="whole")
    return library


def shell(command: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    script = command.replace("framefind", COMMAND)
    environment = {**os.environ, **environment}
    return subprocess.run(["bash", "-c", script], capture_output=True, env=environment, check=False)


class TestEncodings:
    @pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii", "utf-8", "utf-16"])
    @pytest.mark.parametrize("command", ["search x", "videos"])
    def test_lines(self, odd, encoding, command):
        ended = shell(f"framefind {command} -l {odd.uri}", PYTHONIOENCODING=encoding)
        assert (ended.returncode, ended.stderr) == (0, b"")
        lines = ended.stdout.decode(encoding).splitlines()
        assert len(lines) == 2
        (line,) = [line for line in lines if "b.mp4" not in line]
        written = r"\x1b[31m\u202etab\tline\nend\\.mp4"
        japanese = "日本" if encoding.startswith("utf") else r"\u65e5\u672c"
        assert line.split("\t")[0].endswith(f"{japanese} {written}")

    @pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
    @pytest.mark.parametrize("command", ["search x --json", "videos --json"])
    def test_json(self, odd, encoding, command):
        ended = shell(f"framefind {command} -l {odd.uri}", PYTHONIOENCODING=encoding)
        assert ended.returncode == 0
        document = json.loads(ended.stdout.decode(encoding))
        names = [Path(row["path"]).name for row in document.get("moments") or document["videos"]]
        assert sorted(names) == sorted([ODD, "b.mp4"])
        assert not {"\x1b", "\u202e"} & set(ended.stdout.decode(encoding))

    @pytest.mark.parametrize("command", ["search --help", "--help", "status", "index nothing.mp4"])
    def test_help_and_all_else(self, odd, command):
        ended = shell(f"framefind {command}", PYTHONIOENCODING="ascii", FRAMEFIND_LIBRARY=odd.uri)
        assert ended.returncode in (0, 3)
        assert b"Unicode" not in ended.stderr


class TestClosed:
    def test_index_without_streams(self, odd, tmp_path):
        video = Path(odd.uri).parent / "v" / "b.mp4"
        for closed in ("2>&-", ">&-", "<&-", "<&- >&- 2>&-"):
            library = tmp_path / closed.replace(" ", "")
            ended = shell(f"framefind index {video} -l '{library}' {closed}")
            assert (ended.returncode, ended.stdout) == (0, b"")
            assert len(framefind.open(library).videos()) == 1

    @pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
    @pytest.mark.parametrize("command", ["search x", "search x --json", "videos", "status"])
    def test_results_without_streams(self, odd, command, closed):
        ended = shell(f"framefind {command} -l {odd.uri} {closed}")
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert (ended.stdout == b"") == closed.startswith(">&-")

    @pytest.mark.parametrize("command", ["videos", "videos --json", "search x"])
    def test_a_reader_that_has_enough(self, odd, command):
        script = f"set -o pipefail; framefind {command} | true"
        ended = shell(script, FRAMEFIND_LIBRARY=odd.uri, PYTHONUNBUFFERED="1")
        assert (ended.returncode, ended.stderr) == (0, b"")

    @pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is full")
    @pytest.mark.parametrize("command", ["videos", "videos --json", "status"])
    def test_a_full_disk(self, odd, command):
        ended = shell(f"framefind {command} -l {odd.uri} > /dev/full")
        assert ended.returncode == 1
        assert ended.stderr.startswith(b"framefind: stdout: No space left on device")
        assert ended.stderr.count(b"\n") == 1


class TestNames:
    def test_errors_are_one_line(self, tmp_path):
        (tmp_path / "v").mkdir()
        (tmp_path / "v" / ODD).write_bytes(b"no film")
        ended = shell(f"framefind index {tmp_path}/v -l {tmp_path}/l")
        assert b"\x1b" not in ended.stderr
        assert rb"\x1b[31m\u202etab\tline\nend" in ended.stderr

    def test_a_batch_file(self, odd, tmp_path):
        (tmp_path / "q.txt").write_bytes("a dog\u2028in snow\r\nein Hund".encode("utf-16"))
        ended = shell(f"framefind search --batch {tmp_path}/q.txt -l {odd.uri}")
        texts = [json.loads(line)["query"]["text"] for line in ended.stdout.splitlines()]
        assert texts == ["a dog\u2028in snow", "ein Hund"]

    def test_texts_that_are_not_utf8(self, odd, tmp_path):
        for option in ("", "a --then ", "a --plus ", "a --minus "):
            ended = shell(f"framefind search {option}$'caf\\xe9' -l {odd.uri}")
            assert ended.returncode == 1
            assert rb"caf\udce9" in ended.stderr
            assert b"not UTF-8" in ended.stderr
            assert ended.stderr.count(b"\n") == 1
        (tmp_path / "c.jsonl").write_text('\n{"video": "b.mp4", "texts": ["a \\ud800"]}')
        ended = shell(f"framefind evaluate {tmp_path}/c.jsonl -l {odd.uri}")
        assert b"c.jsonl, line 2: " in ended.stderr
        assert rb"a \ud800" in ended.stderr
