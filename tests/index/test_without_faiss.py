"""Without Faiss, an extra, a large index is scanned whole, and one line says so."""

import subprocess
import sys

import numpy as np
import pytest
from indexes import Limits, film, page, unit, write

from framefind.index import candidates, ivf
from framefind.models.confidence import Neutral

D = 24


@pytest.fixture(autouse=True)
def blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Faiss cannot be imported, and an index is large from 100 vectors on."""
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr(ivf, "MAX_SCANNED_VECTORS", 100)
    ivf.warn_once.cache_clear()


def test_all_is_scanned_and_the_page_is_complete(tmp_path):
    rng = np.random.default_rng(0)
    films = [film(rng, 20, 2, D, 0.3) for _ in range(30)]
    index = write(tmp_path, films)
    assert candidates.is_scanned_whole(index, index.timeline)
    neutral = Neutral(True, np.zeros(D, np.float32), np.eye(D, dtype=np.float32)[:2])
    found = page(index, 23.0, neutral, films[7][3, 1], Limits(), limit=3)
    assert found.complete
    assert found[0].path == "/0007.mp4"
    query = unit(rng.standard_normal(D))
    assert candidates.choose_candidates(index, index.timeline, [query]) is index.timeline


def test_one_line_says_so_and_no_process_is_started(tmp_path, caplog, monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    index = write(tmp_path, [film(np.random.default_rng(0), 100, 2, D, 0.3)])
    ivf.start(index)
    ivf.start(index)
    assert len(caplog.messages) == 1
    assert "pip install 'framefind[large]'" in caplog.messages[0]
