"""Every eighth of the odd files that lie beside the repository, if they do."""

import os
from pathlib import Path

import pytest

import framefind

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "videos"
SHARE = 8


@pytest.mark.skipif(not FOLDER.is_dir(), reason="there are no odd files here")
def test_every_file_is_accounted_for(tmp_path):
    files = sorted(path for path in FOLDER.rglob("*") if path.is_file())[::SHARE]
    for at, file in enumerate(files):
        folder = tmp_path / "films" / str(at)
        folder.mkdir(parents=True)
        (folder / file.name).symlink_to(file)
    library = framefind.open(tmp_path / "l")
    report = library.index(tmp_path / "films", sampler="count=2", views="whole")
    ends = [*report.indexed, *report.failed, *report.copied]
    assert len(set(ends)) == len(ends)
    assert set(report.partial) <= set(report.indexed)
    assert len(ends) + report.passed_over == len({file.resolve() for file in files})
    assert len(report.indexed) > len(files) / 2
    assert all(reason and os.path.basename(path) for path, reason in report.failed.items())
    rows = library.videos()
    assert {row.status for row in rows} <= {"indexed", "partial", "failed"}
    assert sum(row.frames for row in rows) == report.frames
    for row in rows:
        assert (row.error is None) == (row.status == "indexed")
        assert (row.frames > 0) == (row.status != "failed")
    found = library.search("a", limit=1000, min_score=-100.0)
    assert {moment.path for moment in found} == {row.path for row in rows if row.frames}

    again = library.index(tmp_path / "films", sampler="count=2", views="whole")
    assert (again.frames, again.failed) == (0, {})
    assert again.failed_before + again.unchanged + again.passed_over == len(
        {file.resolve() for file in files}
    )
