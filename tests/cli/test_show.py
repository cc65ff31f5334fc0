"""What people see."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from framefind.cli import show
from framefind.indexing.estimate import Plan
from framefind.reports import Progress
from framefind.types import Moment, Page, VideoMoments

HALF = Progress(2, 4, 60, 90.0, 30.0, 31.4, "/films/a.mp4")


def test_a_piped_run_says_now_and_then_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(show, "LINE_SECONDS", 0.02)
    said = ""
    with show.progress() as tell:
        while "looking for videos\n" not in said:
            time.sleep(0.01)
            said += capsys.readouterr().err
        tell(HALF)
        while "2/4 videos  2 frames/s  3×  0:31 left\n" not in said:
            time.sleep(0.01)
            said += capsys.readouterr().err
    capsys.readouterr()
    time.sleep(0.1)
    assert capsys.readouterr().err == ""


def test_a_short_run_says_nothing_on_the_way(capsys: pytest.CaptureFixture[str]) -> None:
    assert show.LINE_SECONDS == 10
    with show.progress() as tell:
        for _ in range(1000):
            tell(HALF)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_dates_are_those_of_rfc_3339(capsys: pytest.CaptureFixture[str]) -> None:
    show.print_json({"modified": datetime(2026, 3, 1, 12, 30, tzinfo=UTC)})
    assert json.loads(capsys.readouterr().out) == {"modified": "2026-03-01T12:30:00+00:00"}


def test_one_is_counted_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    show.print_plan(Plan(videos=1, frames=1), as_json=False)
    show.print_plan(Plan(videos=2, frames=30), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("1 video to index")
    assert lines[1].startswith("about 1 frame,")
    assert lines[2].startswith("2 videos to index")
    assert lines[3].startswith("about 30 frames,")


def test_a_table_has_no_empty_columns(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show.print_table(("video", "reason"), [])
    assert capsys.readouterr().out == ""
    show.print_table(("video", "reason", "size"), [("a.mp4", "", "1"), ("b.mp4", "", "")])
    table = capsys.readouterr().out
    assert "size" in table
    assert "reason" not in table


def test_a_word_stands_beside_the_confidence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of moments and of videos, which show that of their best moment."""
    sure = Moment("/v/a.mp4", "a", 1.0, 2.0, 1.5, 40.0, 0.9, (0, 0, 1, 1))
    maybe = replace(sure, start=5.0, end=6.0, t=5.5, score=30.0, confidence=0.4)
    video = VideoMoments(sure.path, sure.video_id, 39.0, [maybe, sure])
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    show.print_page(Page([sure, maybe], 2, 0))
    show.print_page(Page([maybe, sure], 1, 0, [video]))
    table = capsys.readouterr().out
    assert "sure 90%" in table
    assert "maybe 40%" in table
    assert table.splitlines()[-1].split()[:5] == ["39.0", "sure", "90%", "2", "0:01.5"]
