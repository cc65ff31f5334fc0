"""Every benchmark starts; and a few cases of the fuzz command, of which it runs many."""

import sys
from pathlib import Path

import pytest

import terminal

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import fuzz  # type: ignore[import-not-found]  # noqa: E402

HELP = """
import runpy, sys
folder, name = {!r}, {!r}
sys.argv = [name, "--help"]
sys.path.insert(0, folder)
try:
    runpy.run_path(f"{{folder}}/{{name}}", run_name="__main__")
finally:
    sys.path.remove(folder)
"""


@pytest.mark.parametrize("name", sorted(path.name for path in BENCHMARKS.glob("*.py")))
def test_each_benchmark_explains_itself(name):
    done = terminal.run_python(HELP.format(str(BENCHMARKS), name))
    assert done.returncode == 0, done.stderr
    assert f"usage: {name}" in done.stdout


def test_each_benchmark_is_documented():
    pages = (BENCHMARKS.parent / "docs").glob("*.md")
    documented = "".join(page.read_text("utf-8") for page in pages)
    for path in BENCHMARKS.glob("*.py"):
        assert f"benchmarks/{path.name}" in documented, path.name


def test_ten_damaged_files_break_nothing(tmp_path, capsys):
    assert fuzz.run(seed=1, numbers=range(10), limit=60.0, folder=tmp_path) == 0
    assert "seed 1: 10 files" in capsys.readouterr().out


def test_a_case_depends_on_the_seed_and_its_number_only(tmp_path):
    base = fuzz.film(tmp_path / "base.mp4", "libx264")
    first, again, other = (
        fuzz.make_case(tmp_path, [base], seed, 7)[0].read_bytes() for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other
