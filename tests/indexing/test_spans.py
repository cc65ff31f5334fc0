"""Videos in spans: decoded by several at once, and the same as in one piece."""

import math
import random
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import framefind
from conftest import assert_same, content, write_clip
from framefind.indexing import decoders
from framefind.indexing.decisions import Pending
from framefind.indexing.spans import Spans, span_seconds
from framefind.indexing.video_row import Ending
from framefind.indexing.walk import File
from framefind.models.onnx import OnnxModel
from framefind.processes import cores
from framefind.types import Video
from framefind.video.process import DecoderProcess
from framefind.video.samplers import parse_sampler

pytestmark = pytest.mark.usefixtures("every_core", "no_words")


def pending(start: float) -> Pending:
    return Pending(File("f"), Video(video_id="id", path="f"), start)


def run(
    spans: "Spans[float]", decoders: int, seed: int, fails: int = -1, troubled: int = -1
) -> None:
    """Decode spans of a frame a second in several threads, some slower than others."""

    def decode() -> None:
        rng = random.Random(seed + threading.get_ident())
        while span := spans.take():
            for second in range(1000):
                if max(0, span.start) <= second < min(span.end, 60):
                    spans.add(span, float(second))
                    if rng.random() < 0.05:
                        time.sleep(0.001)
                    if span.number == fails:
                        break
            trouble = "broken" if span.number in (fails, troubled) else None
            stopped = "failed" if span.number == fails else None
            spans.end(span, Ending(trouble, stopped, duration=float(span.number)))

    threads = [threading.Thread(target=decode) for _ in range(decoders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@settings(max_examples=30)
@given(
    cuts=st.lists(st.integers(1, 59), unique=True, max_size=8).map(sorted),
    decoders=st.integers(1, 5),
    start=st.sampled_from([-math.inf, 7.5, 59.0]),
    seed=st.integers(0, 99),
)
def test_frames_leave_in_order_and_once(cuts, decoders, start, seed):
    given_out: list[float] = []
    ended: list[Ending] = []
    spans = Spans(pending(start), cuts, given_out.append, ended.append)
    run(spans, decoders, seed, troubled=0)
    assert given_out == [float(t) for t in range(60) if t >= start]
    assert ended == [Ending("broken", duration=float(spans.count - 1))]
    assert spans.taken


@pytest.mark.parametrize("decoders", [1, 3])
def test_a_span_that_fails_ends_the_video_there(decoders):
    given_out: list[float] = []
    ended: list[Ending] = []
    spans = Spans(pending(0.0), [20.0, 40.0], given_out.append, ended.append)
    run(spans, decoders, 0, fails=1)
    assert given_out == [float(t) for t in range(21)]
    assert ended == [Ending("broken", "failed", duration=1.0)]


def test_who_waits_is_freed_when_it_is_given_up(monkeypatch):
    spans: Spans[float] = Spans(pending(0.0), [1.0], lambda frame: None, lambda end: None)
    first, second = spans.take(), spans.take()
    assert first
    assert second

    def fill() -> None:
        for t in range(1000):
            spans.add(second, float(t))

    thread = threading.Thread(target=fill)
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()  # it may not hold so many
    spans.close()
    thread.join(10)
    assert not thread.is_alive()


def test_what_is_cut():
    lengths = {name: span_seconds(parse_sampler(name)) for name in
               ("every=1", "every=10", "every=1000", "keyframes", "shots", "count=9")}  # fmt: skip
    assert lengths == {"every=1": 32, "every=10": 320, "every=1000": 600, "keyframes": 30,
                       "shots": None, "count=9": None}  # fmt: skip


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("films") / "long.mp4", range(20, 32))


@pytest.mark.parametrize("sampler", ["every=1.0", "every=0.4", "keyframes"])
def test_a_library_is_the_same_in_spans_and_whole(film, tmp_path, monkeypatch, calls, sampler):
    whole = framefind.open(tmp_path / "whole")
    assert whole.index(film, sampler=sampler).partial == {}
    monkeypatch.setattr(decoders, "span_seconds", lambda sampler: 3.0)
    decoded = calls(DecoderProcess, "sample")
    cut = framefind.open(tmp_path / "cut")
    report = cut.index(film, sampler=sampler)
    assert len(decoded) > 4
    assert report.indexed == [str(film)]
    assert_same(content(whole), content(cut))


def test_frames_that_look_alike_are_embedded_once(tmp_path, calls):
    film = write_clip(tmp_path / "still.mp4", [1, 1, 1, 2, 2])
    embedded = calls(OnnxModel, "embed_images")
    plain = framefind.open(tmp_path / "plain")
    deduped = framefind.open(tmp_path / "deduped")
    plain.index(film)
    before = sum(len(pixels) for _, pixels in embedded)
    report = deduped.index(film, dedupe=True)
    assert report.frames == 10
    assert sum(len(pixels) for _, pixels in embedded) - before < before / 2
    one, other = content(plain)[str(film)][1], content(deduped)[str(film)][1]
    assert [frame[0] for frame in one] == [frame[0] for frame in other] == list(range(10))
    for (_, _, expected), (_, _, found) in zip(one, other, strict=True):
        np.testing.assert_allclose(found, expected, atol=0.05)
    assert deduped.index(film).unchanged == plain.index(film, dedupe=True).unchanged == 1
    assert [moment.start for moment in deduped.search("a", limit=9)]


def test_the_profile_adds_up(clips, tmp_path):
    report = framefind.open(tmp_path / "l").index(clips)
    assert {"probe", "decode", "scale", "embed", "write", "wait"} <= report.profile.keys()
    assert min(report.profile.values()) >= 0
    assert report.profile["decode"] > 0
    assert report.profile["embed"] > 0
    assert sum(report.profile.values()) >= 0.99 * report.seconds * cores()


def test_another_decoder_falls_back_and_says_why(clips, shared_library, tmp_path):
    library = framefind.open(tmp_path / "l")
    report = library.index(clips, decoder="cuda")
    if report.fallback is None:
        pytest.skip("there is such a device here")
    assert_same(content(shared_library), content(library))
    with pytest.raises(ValueError, match="use auto, cpu or one of .*cuda"):
        framefind.open(tmp_path / "m").index(clips, decoder="steam")
    assert not (tmp_path / "m").exists()


@pytest.mark.skipif(not Path("/dev/nvidia0").exists(), reason="needs an NVIDIA GPU")
def test_cuda_decodes_the_same(clips, shared_library, tmp_path):
    library = framefind.open(tmp_path / "l")
    assert library.index(clips, decoder="cuda").fallback is None
    assert_same(content(shared_library), content(library))
