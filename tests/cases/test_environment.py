"""Missing homes, lost rights, full disks and low limits: one line that says what to do."""

import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

import framefind
from conftest import write_clip
from framefind.errors import UsageError
from framefind.files.folders import cache_folder
from terminal import run, run_alone

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="rights, limits, shells of POSIX")

CHOICE = {"sampler": "count=1", "views": "whole"}
ROOT = sys.platform != "win32" and os.geteuid() == 0
UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if ROOT else []
"""What starts a process that rights bind, root's too."""
HOMELESS = (
    "import os, pwd\n"
    "def getpwuid(_): raise KeyError\n"
    "pwd.getpwuid = getpwuid\n"
    "for name in ('HOME', 'XDG_CACHE_HOME', 'XDG_DATA_HOME'): os.environ.pop(name, None)\n"
    "from framefind.cli.main import main\n"
    "main()\n"
)


def make_library(folder: Path) -> framefind.Library:
    library = framefind.open(folder / "l")
    library.index(make_clips(folder), **CHOICE)
    return library


def make_clips(folder: Path) -> Path:
    for seed in (1, 2):
        write_clip(folder / "v" / f"{seed}.mp4", [seed], 0.4)
    return folder / "v"


@pytest.fixture
def two_clips(tmp_path: Path) -> Path:
    """The folder `v` with two clips."""
    return make_clips(tmp_path)


@pytest.fixture
def library(tmp_path: Path) -> framefind.Library:
    """Two clips in `v`, indexed in `l`."""
    return make_library(tmp_path)


@pytest.fixture(scope="module")
def kept_library(tmp_path_factory: pytest.TempPathFactory) -> framefind.Library:
    """The same, made once. For tests that leave its files alone."""
    return make_library(tmp_path_factory.mktemp("kept"))


def ask(*command: str | Path, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, check=False, cwd=cwd
    )


def framefind_in_words(*command: str | Path, **kwargs: Path) -> str:
    """Run a command that has to fail with 1, and return the one line that it says."""
    ended = ask(*command, **kwargs)
    assert ended.returncode == 1, ended
    *progress, line = ended.stderr.splitlines()
    of_a_busy_machine = re.compile(r"looking for videos|\d+/\d+ videos? ")
    assert all(of_a_busy_machine.match(one) for one in progress)
    assert "internal error" not in line
    return line


class TestHome:
    def test_without_one_the_default_library_has_no_place(self, two_clips, tmp_path):
        line = framefind_in_words(sys.executable, "-c", HOMELESS, "index", "v", cwd=tmp_path)
        assert "no home folder" in line
        assert "--library" in line
        assert os.listdir(tmp_path) == ["v"]

    def test_without_one_a_named_library_works(self, two_clips, tmp_path):
        for command in (["index", "v", "-l", "other"], ["search", "a dog", "-l", "other"]):
            ended = ask(sys.executable, "-c", HOMELESS, *command, cwd=tmp_path)
            assert ended.returncode == 0, ended.stderr

    def test_without_one_a_tilde_is_wrong_usage(self, tmp_path):
        command = ["search", "a dog", "-l", "~/lib"]
        ended = ask(sys.executable, "-c", HOMELESS, *command, cwd=tmp_path)
        assert ended.returncode == 2
        assert "set HOME" in ended.stderr
        with pytest.raises(UsageError, match="~nobody-of-that-name"):
            framefind.open("~nobody-of-that-name/lib")
        assert os.listdir(tmp_path) == []

    def test_a_home_that_cannot_be_made(self, kept_library):
        at = {"HOME": "/proc/nowhere", "XDG_DATA_HOME": "", "XDG_CACHE_HOME": ""}
        assert run_alone("search", "a dog", "-l", kept_library.uri, **at).returncode == 0
        ended = run_alone("index", kept_library.uri, **at)
        assert ended.returncode == 1
        assert "cannot write to the library" in ended.stderr

    def test_no_folder_for_temporary_files(self, kept_library):
        for folder in ("/nowhere", kept_library.videos()[0].path):
            ended = run_alone("search", "a dog", "-l", kept_library.uri, TMPDIR=folder)
            assert (ended.returncode, ended.stderr) == (0, "")


class TestEmptyNames:
    def test_of_a_library(self):
        with pytest.raises(UsageError, match="empty"):
            framefind.open("")
        for command in (["status"], ["search", "x"], ["doctor"], ["remove", "x"]):
            assert run(*command, "--library", "").returncode == 2

    def test_an_empty_variable_is_as_good_as_none(self, monkeypatch):
        usual = framefind.open().uri
        monkeypatch.setenv("FRAMEFIND_LIBRARY", "")
        assert framefind.open().uri == usual


class TestNamesOfNothing:
    def test_no_video(self, kept_library):
        ended = run("videos", "nosuch", "-l", kept_library.uri)
        assert (ended.returncode, ended.stdout) == (2, "")
        assert "nosuch: no video of the library matches" in ended.stderr
        with pytest.raises(UsageError, match="nosuch"):
            kept_library.videos(["1.mp4", "nosuch"])

    def test_no_model(self, two_clips, tmp_path):
        for command in (["index", two_clips, "-l", tmp_path / "n"], ["search", "x"]):
            ended = run(*command, "--model", "nosuch")
            assert ended.returncode == 2, ended
            assert "unknown model 'nosuch'" in ended.stderr


class TestUnicode:
    @pytest.mark.parametrize("form", ["NFC", "NFD"])
    def test_a_named_path_is_found_in_the_form_it_has(self, tmp_path, form):
        other = "NFD" if form == "NFC" else "NFC"
        there = (
            tmp_path / unicodedata.normalize(form, "Café") / unicodedata.normalize(form, "é.mp4")
        )
        write_clip(there, [1], 0.4)
        named = unicodedata.normalize(other, str(there))
        library = framefind.open(tmp_path / "l")
        assert library.index(named, **CHOICE).indexed == [str(there)]
        assert library.index(os.path.dirname(named), **CHOICE).unchanged == 1


class TestDryRun:
    def test_it_tells_what_is_offline(self, library, tmp_path):
        (tmp_path / "v").rename(tmp_path / "away")
        planned = library.plan(tmp_path / "v", **CHOICE)
        (one,) = planned.offline
        assert (one.root, one.videos) == (str(tmp_path / "v"), 2)
        ended = run("index", tmp_path / "v", "-l", library.uri, "--dry-run")
        assert f"offline: {tmp_path / 'v'}: it is not there; 2 videos kept" in ended.stderr

    def test_it_tells_what_is_missing_and_what_cannot_be_indexed(self, library, tmp_path):
        (tmp_path / "v" / "1.mp4").unlink()
        (tmp_path / "v" / "3.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(99))
        ended = run("index", tmp_path / "v", "-l", library.uri, "--dry-run", "--count", "1")
        assert f"missing: {tmp_path / 'v' / '1.mp4'}" in ended.stderr
        assert "3.mp4: " in ended.stderr


@pytest.mark.skipif(ROOT and not shutil.which("setpriv"), reason="nothing binds root to rights")
class TestRights:
    @pytest.mark.parametrize("place", [".", "videos", "frames", "frames/_delta_log"])
    @pytest.mark.parametrize("command", ["status", "search x", "index ."])
    def test_of_folders(self, kept_library, place, command):
        folder = Path(kept_library.uri, place)
        folder.chmod(0)
        command = [sys.executable, "-m", "framefind.cli", *command.split(), "-l", kept_library.uri]
        try:
            line = framefind_in_words(*UNPRIVILEGED, *command)
        finally:
            folder.chmod(0o755)
        assert str(folder) in line
        assert "get permission" in line
        assert len(kept_library.search("a dog").moments) == 2

    def test_the_doctor_says_what_cannot_be_written(self, kept_library):
        folder = Path(kept_library.uri, "frames")
        folder.chmod(0o555)
        command = [sys.executable, "-m", "framefind.cli", "doctor", "-l", kept_library.uri]
        try:
            ended = ask(*UNPRIVILEGED, *command)
        finally:
            folder.chmod(0o755)
        (line,) = [line for line in ended.stdout.splitlines() if line.startswith("FAIL")]
        assert f"{folder} cannot be written" in line
        assert ended.returncode == 1

    def test_of_a_log_entry(self, kept_library):
        entry = Path(kept_library.uri, "frames", "_delta_log", f"{0:020}.json")
        entry.chmod(0)
        command = [sys.executable, "-m", "framefind.cli", "status", "-l", kept_library.uri]
        try:
            line = framefind_in_words(*UNPRIVILEGED, *command)
        finally:
            entry.chmod(0o644)
        assert str(entry) in line
        assert "get permission" in line
        assert "x1b" not in line
        assert "↳" not in line


class TestLimits:
    @pytest.mark.parametrize("command", ["index v -l n", "status -l l"])
    def test_address_space(self, kept_library, command):
        script = f"ulimit -v 1500000; exec {sys.executable} -m framefind.cli {command}"
        line = framefind_in_words("bash", "-c", script, cwd=Path(kept_library.uri).parent)
        assert "ulimit -v" in line

    def test_open_files(self, two_clips, tmp_path):
        script = f"ulimit -n 24; exec {sys.executable} -m framefind.cli index v -l n"
        line = framefind_in_words("bash", "-c", script, cwd=tmp_path)
        assert "ulimit -n 4096" in line


@pytest.fixture
def small_disk(tmp_path: Path):
    """A disk of 200 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", disk]
    if not ROOT or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def fill(disk: Path, but: int = 0) -> None:
    """Leave so many bytes free on a disk."""
    with (disk / "rest").open("wb", buffering=0) as file:
        file.write(bytes(shutil.disk_usage(disk).free - but))


class TestFullDisk:
    def test_a_search_makes_its_index_elsewhere(self, kept_library, small_disk):
        whole = kept_library.search("a dog").moments
        full = shutil.copytree(kept_library.uri, small_disk / "l", ignore=lambda *_: ["index"])
        fill(small_disk)
        ended = run_alone("search", "a dog", "-l", full)
        assert (ended.returncode, len(ended.stdout.splitlines())) == (0, len(whole))
        assert "No space left" in ended.stderr
        assert "elsewhere" in ended.stderr
        assert framefind.open(full).search("a dog").moments == whole
        assert any(cache_folder().iterdir())

    @pytest.mark.parametrize("command", ["index v", "remove 1.mp4", "prune", "maintain"])
    def test_nothing_is_lost(self, kept_library, small_disk, command):
        full = shutil.copytree(kept_library.uri, small_disk / "l")
        fill(small_disk, 4096)
        folder = Path(kept_library.uri).parent
        line = framefind_in_words(
            sys.executable, "-m", "framefind.cli", *command.split(), "-l", full, cwd=folder
        )
        assert "free some space" in line
        (small_disk / "rest").unlink()
        assert len(framefind.open(full).search("a dog").moments) == 2

    def test_what_is_committed_counts(self, two_clips, small_disk):
        fill(small_disk, 110 * 1024)
        ended = run_alone("index", two_clips, "-l", small_disk / "l")
        assert ended.returncode == 0
        assert "2 indexed" in ended.stderr


class TestClosedStreams:
    @pytest.mark.parametrize("closed", ["<&-", ">&- 2>&-", "<&- >&- 2>&-"])
    def test_of_a_python_program(self, two_clips, tmp_path, closed):
        program = tmp_path / "program.py"
        program.write_text(
            "import framefind\n"
            "report = framefind.open('n').index('v', sampler='count=1', views='whole')\n"
            "open('report', 'w').write(f'{len(report.indexed)} {report.failed}')\n"
        )
        ask("bash", "-c", f"{sys.executable} program.py {closed}", cwd=tmp_path)
        assert (tmp_path / "report").read_text() == "2 {}"
