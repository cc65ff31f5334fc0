"""Sound as samples: where it lies on the container's clock, in every kind of file."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from framefind.errors import NotAVideoError
from framefind.video.process import DecoderProcess
from framefind.video.sound import SAMPLE_RATE, Sound
from media import film, talkie

SHARED = Path("../shared/data/videos/odd")


def beeps(seconds: float, at: Sequence[float], rate: int = 16_000) -> NDArray[np.float32]:
    """Tones of a tenth of a second at some times, else silence."""
    t = np.arange(round(seconds * rate)) / rate
    on = np.zeros_like(t)
    for begin in at:
        on[(t >= begin) & (t < begin + 0.1)] = 0.5
    return (on * np.sin(2 * np.pi * 700 * t)).astype(np.float32)


def listen(path: Path, start: float = 0.0) -> NDArray[np.float32]:
    with Sound(path) as sound:
        return np.concatenate(
            [np.zeros(0, np.float32), *(piece[0] for piece in sound.pieces(start))]
        )


def onsets(samples: NDArray[np.float32], start: float = 0.0) -> list[float]:
    """When beeps begin, in seconds rounded to 20 ms."""
    loud = np.flatnonzero(np.abs(samples) > 0.1) / SAMPLE_RATE
    firsts = loud[np.flatnonzero(np.diff(loud, prepend=-1.0) > 0.2)]
    return [round(start + t, 2) for t in firsts.tolist()]


AT = [0.5, 1.5, 2.7]


@pytest.mark.parametrize(
    ("name", "codec", "rate", "layout"),
    [
        ("a.mp4", "aac", 48_000, "stereo"),
        ("a.mov", "pcm_s16le", 44_100, "mono"),
        ("a.mkv", "flac", 48_000, "7.1"),
        ("a.mov", "pcm_alaw", 8_000, "mono"),  # G.711
        ("a.ts", "mp2", 48_000, "stereo"),
        ("a.avi", "pcm_s16le", 16_000, "stereo"),
        ("a.mkv", "libopus", 48_000, "5.1"),
    ],
)
def test_sound_of_any_kind_is_heard_when_it_is_played(tmp_path, name, codec, rate, layout):
    path = talkie(tmp_path / name, [beeps(4.0, AT, rate)], codec, rate, layout)
    samples = listen(path)
    assert samples.dtype == np.float32
    assert onsets(samples) == pytest.approx(AT, abs=0.05)


@pytest.mark.parametrize("name", ["late.mp4", "late.mkv", "late.ts"])
def test_sound_that_begins_after_the_pictures_is_not_moved(tmp_path, name):
    path = talkie(tmp_path / name, [beeps(4.0, AT)], "mp2", delay=1.3)
    assert onsets(listen(path)) == pytest.approx(AT[1:], abs=0.05)


@pytest.mark.parametrize("name", ["gap.mp4", "gap.mkv", "gap.ts"])
def test_a_gap_is_silence(tmp_path, name):
    path = talkie(tmp_path / name, [beeps(4.0, AT)], "mp2", gap=(0.8, 2.2))
    samples = listen(path)
    assert onsets(samples) == pytest.approx([0.5, 2.7], abs=0.05)
    assert not samples[SAMPLE_RATE : 2 * SAMPLE_RATE].any()


@pytest.mark.parametrize("name", ["later.mkv", "later.ts"])
def test_times_count_from_the_start_of_the_container(tmp_path, name):
    path = talkie(tmp_path / name, [beeps(4.0, AT)], "mp2", origin=40.0)
    assert onsets(listen(path)) == pytest.approx(AT, abs=0.05)


@pytest.mark.parametrize("name", ["long.mp4", "long.mkv", "long.ts", "long.avi"])
def test_sound_from_the_middle_is_that_of_a_whole_pass(tmp_path, name):
    times = [float(second) for second in range(1, 130, 3)]
    path = talkie(tmp_path / name, [beeps(131.0, times)], "mp2")
    whole = listen(path)
    assert onsets(whole) == pytest.approx(times, abs=0.06)
    later = listen(path, 71.5)
    assert onsets(later, 71.5) == pytest.approx([t for t in times if t > 71.5], abs=0.06)
    assert len(later) == pytest.approx(len(whole) - 71.5 * SAMPLE_RATE, abs=800)


def test_the_default_track_is_heard_else_the_first(tmp_path):
    tracks = [beeps(4.0, [t]) for t in (0.5, 1.5, 2.5)]
    second = talkie(tmp_path / "second.mkv", tracks, "flac", default=1)
    assert onsets(listen(second)) == pytest.approx([1.5], abs=0.05)
    none = talkie(tmp_path / "none.mkv", tracks, "flac", default=-1)
    assert onsets(listen(none)) == pytest.approx([0.5], abs=0.05)


def test_a_video_without_sound_has_no_pieces(tmp_path):
    with Sound(film(tmp_path / "silent.mp4")) as sound:
        assert list(sound.pieces()) == []
        assert sound.damage is None


def test_a_file_without_video_is_none(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("no video")
    with pytest.raises(NotAVideoError, match="words"):
        Sound(path)


def test_broken_packets_are_named_once_and_the_rest_is_heard(tmp_path):
    path = talkie(
        tmp_path / "broken.mkv", [beeps(4.0, AT)], "flac", options={"cluster_time_limit": "500"}
    )
    with av.open(path) as container:
        places = [
            packet.pos
            for packet in container.demux(audio=0)
            if packet.size and 1 < packet.time_base * packet.pts < 2
        ]
    data = bytearray(path.read_bytes())
    for place in places:
        data[place + 8 : place + 20] = b"\xff" * 12
    path.write_bytes(data)
    with Sound(path) as sound:
        samples = np.concatenate([*sound.pieces()], axis=1)[0]
        assert sound.damage
        assert sound.damage.count("\n") == 0
    assert onsets(samples)[0] == pytest.approx(0.5, abs=0.05)
    assert onsets(samples)[-1] == pytest.approx(2.7, abs=0.05)


def test_sound_without_a_decoder_is_named():
    path = SHARED / "androidx+media/libraries/test_data/src/test/assets/media/mp4/sample_ac4.mp4"
    if not path.exists():
        pytest.skip("needs ../shared")
    with av.open(path) as container:
        has_pictures = bool(container.streams.video)
    if has_pictures:
        with Sound(path) as sound:
            assert not [*sound.pieces()]
            assert sound.damage == "FFmpeg has no decoder for its sound"


def test_a_decoder_process_gives_the_same_sound(tmp_path):
    path = talkie(tmp_path / "a.mp4", [beeps(4.0, AT)])
    process = DecoderProcess()
    try:
        process.open(str(path), skip_id=True)
        samples = np.concatenate([*process.sound()])
        assert process.partial is None
        assert process.spent["decode"] > 0
        np.testing.assert_array_equal(samples, listen(path))
        np.testing.assert_array_equal(np.concatenate([*process.sound(1.0)]), listen(path, 1.0))
    finally:
        process.close()
