"""Subtitle files beside videos in an object store, against a real S3 server on this computer."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import framefind
from framefind.video.process import DecoderProcess
from media import film
from stores import Bucket

SRT = "1\n00:00:01,000 --> 00:00:02,000\nWhere is the {}?\n"


def texts(library: framefind.Library, uri: str) -> list[str]:
    return [cue.text for cue in library.words(uri)]


def test_they_are_listed_once_a_folder_and_read_again_when_they_change(
    bucket: Bucket, tmp_path: Path, calls: Callable[..., list[Any]]
) -> None:
    content = film(tmp_path / "film.mp4", 2.0).read_bytes()
    first, second = (bucket.put(f"v/{n}.mp4", content + bytes(4 * n)) for n in (1, 2))
    bucket.put("v/1.en.srt", SRT.format("laundromat").encode())
    bucket.put("v/2.srt.bak", b"none")
    bucket.put("v/sub/1.srt", SRT.format("wrong file").encode())
    library = framefind.open(tmp_path / "library")
    library.index(f"{bucket.uri}/v", read="none")
    decoded = calls(DecoderProcess, "sample")
    log = bucket.log
    log.write_bytes(b"")  # the server appends
    assert sorted(library.index(f"{bucket.uri}/v", read="subtitles").read) == [first, second]
    listings = [line for line in log.read_text().splitlines() if "delimiter=%2F&encoding" in line]
    assert len(listings) == 1
    assert texts(library, first) == ["Where is the laundromat?"]
    assert texts(library, second) == []
    assert library.index(f"{bucket.uri}/v", read="subtitles").unchanged == 2
    bucket.put("v/1.en.srt", SRT.format("launderette").encode())
    assert library.index(first, read="subtitles").read == [first]
    assert texts(library, first) == ["Where is the launderette?"]
    assert decoded == []


def test_what_a_store_refuses_is_told_and_nothing_is_lost(bucket: Bucket, tmp_path: Path) -> None:
    video = bucket.put("v/film.mp4", film(tmp_path / "film.mp4", 2.0).read_bytes())
    bucket.put("v/film.srt", SRT.format("ferry").encode())
    library = framefind.open(tmp_path / "library")
    library.index(video, read="subtitles")
    bucket.put("v/film.srt", SRT.format("new ferry").encode())
    with bucket.closed(".srt"):
        report = library.index(video, read="subtitles")
    assert "film.srt" in report.unread[video]
    assert texts(library, video) == ["Where is the ferry?"]
    assert library.index(video, read="subtitles").read == [video]
    assert texts(library, video) == ["Where is the new ferry?"]


def test_a_folder_that_cannot_be_listed_changes_nothing(
    bucket: Bucket,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    video = bucket.put("v/film.mp4", film(tmp_path / "film.mp4", 2.0).read_bytes())
    bucket.put("v/film.srt", SRT.format("ferry").encode())
    library = framefind.open(tmp_path / "library")
    library.index(video, read="subtitles")

    def refuse(uri: str, depth: int | None = None) -> None:
        raise framefind.StoreError(f"{uri}: access is refused")

    monkeypatch.setattr("framefind.words.sidecars.list_objects", refuse)
    assert library.index(video, read="subtitles").unchanged == 1
    assert "subtitle files beside videos are not looked for" in caplog.text
    assert texts(library, video) == ["Where is the ferry?"]
