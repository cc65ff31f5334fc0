"""A few cases of the fuzz command; `python benchmarks/fuzz.py` runs many."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
import fuzz  # type: ignore[import-not-found]


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
