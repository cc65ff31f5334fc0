import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from indexes import Vectors, film, unit, write

from framefind.index import candidates, ivf
from framefind.index.candidates import choose_candidates, newest_lists
from framefind.index.vectors import VectorIndex

pytest.importorskip("faiss")
D = 24


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> list[VectorIndex]:
    """An index counts as large from 100 vectors on; what would be built is recorded."""
    asked: list[VectorIndex] = []
    monkeypatch.setattr(ivf, "MAX_SCANNED_VECTORS", 100)
    monkeypatch.setattr(candidates, "MAX_CANDIDATE_FRAMES", 40)
    monkeypatch.setattr(candidates, "NEAREST_VIEWS", 60)
    monkeypatch.setattr(ivf, "MIN_NEW_FRAMES", 30)
    monkeypatch.setattr(ivf, "start", asked.append)
    return asked


def films(count: int, seed: int = 0) -> list[Vectors]:
    rng = np.random.default_rng(seed)
    return [film(rng, 20, 2, D, 0.3) for _ in range(count)]


def narrowed(index: VectorIndex, query: Vectors) -> set[int]:
    return set(choose_candidates(index, index.timeline, [query]).video.tolist())


def test_all_is_searched_until_they_are_ready(tmp_path, large):
    index = write(tmp_path, films(30))
    query = films(30)[7][3, 1]
    assert narrowed(index, query) == set(range(30))
    assert narrowed(index, query) == set(range(30))
    assert large == [index]  # asked for once
    ivf.build(index)
    chosen = narrowed(index, query)
    assert 7 in chosen
    assert len(chosen) < 10


def test_they_find_every_video(tmp_path):
    made = films(40)
    index = write(tmp_path, made)
    ivf.build(index)
    assert all(at in narrowed(index, unit(one.mean(axis=(0, 1)))) for at, one in enumerate(made))


def test_a_small_selection_is_searched_whole(tmp_path):
    index = write(tmp_path, films(30))
    ivf.build(index)
    line = index.timeline.select(np.arange(30) < 2)
    assert choose_candidates(index, line, [films(30)[20][0, 0]]) is line


def test_a_filter_comes_first(tmp_path):
    made = films(40)
    index = write(tmp_path, made)
    ivf.build(index)
    line = index.timeline.select(np.arange(40) != 7)
    chosen = set(choose_candidates(index, line, [made[7][0, 0]]).video.tolist())
    assert 7 not in chosen
    assert len(chosen) >= 2


def test_later_videos_are_searched_beside_them_and_then_added(tmp_path):
    made = films(41)
    index = write(tmp_path, made[:40])
    ivf.build(index)
    index = write(tmp_path, made, old=index)
    far = -made[40][0, 0]
    assert 40 in narrowed(index, far)
    ivf.build(index)
    index = VectorIndex(tmp_path)
    lists = ivf.open_lists(index)
    assert lists is not None
    assert (lists.state.frames, lists.state.trained) == (41 * 20, 40 * 20)
    assert 40 in narrowed(index, made[40][0, 0])
    assert 40 not in narrowed(index, far)


def test_they_are_learnt_again_when_the_index_has_outgrown_them(tmp_path):
    made = films(60)
    index = write(tmp_path, made[:10])
    ivf.build(index)
    index = write(tmp_path, made, old=index)
    ivf.build(index)
    lists = ivf.open_lists(index)
    assert lists is not None
    assert lists.state.trained == 60 * 20


def test_dead_videos_are_never_chosen(tmp_path):
    made = films(40)
    index = write(tmp_path, made, dead=[7])
    ivf.build(index)
    line = choose_candidates(index, index.timeline, [made[7][0, 0]])
    assert {index.videos[at].video_id for at in line.video}.isdisjoint({"id7"})


@pytest.mark.parametrize("damage", ["missing", "pointer", "file", "state"])
def test_broken_ones_are_none(tmp_path, damage, large):
    index = write(tmp_path, films(30))
    ivf.build(index)
    lists = ivf.open_lists(index)
    assert lists is not None
    if damage == "missing":
        shutil.rmtree(lists.folder)
    elif damage == "pointer":
        (index.generation / "lists").write_text("elsewhere")
    elif damage == "file":
        (lists.folder / "lists.faiss").write_bytes(b"torn")
    else:
        (lists.folder / "state.json").write_text("{}")
    index = VectorIndex(tmp_path)
    assert narrowed(index, films(30)[7][0, 0]) == set(range(30))
    assert large == [index]
    ivf.build(index)
    assert ivf.open_lists(index) is not None


def crash(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_crash_leaves_the_old_ones(tmp_path, monkeypatch):
    made = films(41)
    index = write(tmp_path, made[:40])
    ivf.build(index)
    before = ivf.open_lists(index)
    index = write(tmp_path, made, old=index)
    with monkeypatch.context() as patch:
        patch.setattr(np, "save", crash)
        with pytest.raises(KeyboardInterrupt):
            ivf.build(index)
    after = ivf.open_lists(index)
    assert before is not None
    assert after is not None
    assert before.folder == after.folder
    ivf.build(index)
    assert [path.name for path in index.generation.iterdir() if path.is_dir()] == [
        ivf.open_lists(index).folder.name  # type: ignore[union-attr]
    ]


def test_a_process_builds_what_is_missing_and_ends(tmp_path):
    index = write(tmp_path, films(30))
    ivf.main(tmp_path)
    first = ivf.open_lists(index)
    assert first is not None
    ivf.main(tmp_path)
    again = ivf.open_lists(index)
    assert again is not None
    assert again.folder == first.folder


def test_one_process_at_a_time(tmp_path):
    index = write(tmp_path, films(30))
    with ivf._alone(tmp_path) as alone:
        assert alone
        ivf.main(Path(tmp_path))
    assert ivf.open_lists(index) is None


def test_an_opened_index_takes_newer_lists(tmp_path):
    """A server would scan what has come since for as long as it runs."""
    made = films(44)
    ivf.build(write(tmp_path, made[:40]))
    index = write(tmp_path, made, old=VectorIndex(tmp_path))
    assert newest_lists(index).state.frames == 40 * 20  # type: ignore[union-attr]
    ivf.build(index)
    assert newest_lists(index).state.frames == 44 * 20  # type: ignore[union-attr]
    shutil.rmtree(ivf.open_lists(index).folder)  # type: ignore[union-attr]
    assert narrowed(index, made[7][0, 0]) >= {7}


def test_newer_lists_serve_an_older_index(tmp_path):
    made = films(60)
    index = write(tmp_path, made[:40])
    ivf.build(write(tmp_path, made, old=VectorIndex(tmp_path)))
    for at in (3, 39, 45, 59):
        found = narrowed(index, made[at][0, 0])
        assert len(found) < 20
        assert found <= set(range(40))
        assert (at in found) is (at < 40)
    assert newest_lists(index).state.frames == 60 * 20  # type: ignore[union-attr]


def test_searches_answer_while_lists_are_built_replaced_and_lost(tmp_path):
    made = films(60)
    index = write(tmp_path, made[:40])
    stopped = threading.Event()
    seen = []

    def search() -> None:
        while not stopped.is_set():
            seen.extend(at in narrowed(index, made[at][0, 0]) for at in (3, 17, 39))

    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(search) for _ in range(3)]
        try:
            for count in (40, 45, 60):
                grown = write(tmp_path, made[:count], old=VectorIndex(tmp_path))
                ivf.build(grown)
            shutil.rmtree(ivf.open_lists(grown).folder)  # type: ignore[union-attr]
            ivf.build(grown)
        finally:
            stopped.set()
        for run in runs:
            run.result()
    assert seen
    assert all(seen)
