"""Reels: a flash and a beep at the same moment in the sources are so in the film."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from framefind.errors import VideoError
from framefind.output.clips.reel import Part, Reel, film_rate
from framefind.video.read_grid import read_frame_grid
from media import corners, film, plain, quarters

NTSC = Fraction(30000, 1001)


def flashing(
    path: Path,
    rate: Fraction,
    flashes: Sequence[float],
    sound: tuple[str, int, str] | None = ("aac", 48_000, "stereo"),
    size: tuple[int, int] = (128, 96),
    seconds: float = 4.0,
) -> Path:
    """A grey film, white for 0.2 s from each flash on, with a beep of the same length."""
    shown = [round(t * rate) / rate for t in flashes]
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"bf": "2", "g": "30"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = 1 / rate
        beeper = container.add_stream(sound[0], rate=sound[1], layout=sound[2]) if sound else None
        for number in range(round(seconds * rate)):
            is_white = any(0 <= number / rate - t < 0.2 for t in shown)
            level = 230 if is_white else 60
            frame = av.VideoFrame.from_ndarray(plain((level,) * 3, size), "rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        if beeper and sound:
            times = np.arange(round(seconds * sound[1])) / sound[1]
            is_loud = np.any([(times >= t) & (times < t + 0.2) for t in map(float, shown)], axis=0)
            wave = (np.sin(times * 880 * 2 * np.pi) * is_loud * 0.5).astype(np.float32)
            channels = np.tile(wave, (beeper.codec_context.layout.nb_channels, 1))
            beep = av.AudioFrame.from_ndarray(channels, "fltp", sound[2])
            beep.sample_rate, beep.pts, beep.time_base = sound[1], 0, Fraction(1, sound[1])
            container.mux(beeper.encode(beep))
            container.mux(beeper.encode(None))
        container.mux(stream.encode(None))
    return path


def part(path: Path, start: float, end: float, lines: Sequence[str] = ()) -> Part:
    return Part(str(path), start, end, read_frame_grid(str(path)), None, path.stem, lines)


def join(target: Path, parts: Sequence[Part]) -> None:
    with Reel(target, [part.grid for part in parts]) as reel:
        for each in parts:
            assert reel.add(each) is None


def read(path: Path) -> tuple[list[float], NDArray[np.float64], list[float]]:
    """Return the times of the frames, their brightness, and when each beep begins."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        frames = [
            (float(frame.pts * stream.time_base), frame.to_ndarray(format="gray").mean())
            for frame in container.decode(stream)
        ]
        times, levels = zip(*frames, strict=True)
    beeps: list[float] = []
    with av.open(path) as container:
        quiet_since = -1.0
        for frame in container.decode(audio=0):
            t = frame.pts * float(frame.time_base)
            loud = np.abs(frame.to_ndarray()[0]) > 0.1
            for at in np.flatnonzero(loud) / frame.sample_rate + t:
                if at - quiet_since > 0.05:
                    beeps.append(float(at))
                quiet_since = at
    return list(times), np.array(levels), beeps


def flashes(times: Sequence[float], levels: NDArray[np.float64]) -> list[float]:
    bright = levels > 100
    return [times[n] for n in range(len(bright)) if bright[n] and (n == 0 or not bright[n - 1])]


def test_sound_and_pictures_stay_in_sync_over_sources_of_all_kinds(tmp_path):
    sources = [
        flashing(tmp_path / "a.mp4", NTSC, [1.0, 2.5]),
        flashing(tmp_path / "b.mkv", Fraction(25), [0.8, 3.0], ("flac", 44_100, "mono")),
        flashing(tmp_path / "c.mov", Fraction(60), [1.5], ("pcm_f32le", 16_000, "mono")),
        flashing(tmp_path / "d.mp4", Fraction(24), [2.0], None, size=(96, 128)),
        flashing(tmp_path / "e.mp4", NTSC, [1.2], ("aac", 22_050, "stereo")),
    ]
    spans = [(0.5, 3.0), (0.4, 3.6), (1.0, 2.0), (1.0, 3.0), (0.3, 1.9)]
    parts = [part(path, *span) for path, span in zip(sources, spans, strict=True)]
    join(tmp_path / "reel.mp4", parts)

    times, levels, beeps = read(tmp_path / "reel.mp4")
    assert np.allclose(np.diff(times), float(1 / NTSC), atol=1e-6)
    begins, expected = 0.0, []
    for each, own in zip(parts, [[1.0, 2.5], [0.8, 3.0], [1.5], [2.0], [1.2]], strict=True):
        rate = each.grid.rate
        first, after = each.grid.span(each.start, each.end)
        expected += [begins + float(round(t * rate) / rate - first / rate) for t in own]
        begins += round(Fraction(after - first) / rate * NTSC) / float(NTSC)
    assert len(times) == round(begins * NTSC)
    shown = flashes(times, levels)
    assert np.allclose(shown, expected, atol=1 / 30)
    silent = 5  # the source without sound
    heard = [t for number, t in enumerate(expected) if number != silent]
    assert np.allclose(beeps, heard, atol=0.003)
    at_once = [t for number, t in enumerate(shown) if number in (0, 1, 6)]  # of the film's rate
    assert np.allclose(at_once, [beeps[n] for n in (0, 1, 5)], atol=0.003)

    with av.open(tmp_path / "reel.mp4") as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.average_rate) == (128, 96, NTSC)
        sound = container.streams.audio[0]
        assert (sound.rate, sound.layout.name) == (48_000, "stereo")
        assert abs(container.duration / av.time_base - begins) < 0.03
        chapters = container.chapters()
    assert [chapter["metadata"]["title"] for chapter in chapters] == ["a", "b", "c", "d", "e"]
    starts = [float(chapter["start"] * chapter["time_base"]) for chapter in chapters]
    assert np.allclose(starts[1:3], [float(76 / NTSC), float((76 + 96) / NTSC)], atol=0.002)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_each_frame_is_the_one_of_its_source(tmp_path, suffix):
    """Twice the same rate, and cuts inside frames: nothing is lost, doubled or shown too late."""
    levels = [20 + 4 * number for number in range(50)]
    pictures = [plain((level,) * 3, (96, 64)) for level in levels]
    source = film(tmp_path / "a.mkv", fps=24000 / 1001, size=(96, 64), pictures=pictures)
    rate = read_frame_grid(str(source)).rate
    cuts = [(7, 20), (30, 31), (0, 50)]
    parts = [part(source, float(a / rate) + 0.01, float(b / rate) - 0.01) for a, b in cuts]
    target = tmp_path / f"reel.{suffix}"
    join(target, parts)
    with av.open(target) as container:
        assert not container.streams.audio
        shown = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    expected = [levels[number] for a, b in cuts for number in range(a, b)]
    assert np.allclose(shown, expected, atol=1.9)


def test_pictures_are_upright_in_square_pixels_and_of_a_screen(tmp_path):
    size = (96, 64)
    one = [corners(size)] * 10
    first = film(tmp_path / "a.mp4", size=size, pictures=one, aspect=Fraction(2))
    turned = film(tmp_path / "b.mp4", size=size, pictures=one, rotation=90.0)
    hdr = film(
        tmp_path / "c.mp4", size=size, pictures=[plain((140,) * 3, size)] * 10, hdr10=True,
        codec="libx265", pix_fmt="yuv420p10le", options={"x265-params": "log-level=none"},
    )  # fmt: skip
    join(tmp_path / "reel.mp4", [part(path, 0, 1) for path in (first, turned, hdr)])
    with av.open(tmp_path / "reel.mp4") as container:
        context = container.streams.video[0].codec_context
        assert (context.width, context.height) == (192, 64)
        assert (context.colorspace, context.color_trc, context.color_primaries) == (1, 1, 1)
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 30
    assert quarters(frames[5]) == ["red", "green", "blue", "white"]
    middle = frames[15][:, 96 - 21 : 96 + 21]
    assert quarters(middle) == ["green", "white", "red", "blue"]
    assert frames[15][:, :60].max() < 30
    assert frames[25][32, 96].mean() > 150  # brighter than its PQ signal


def test_hdr_stays_where_all_moments_have_the_same(tmp_path):
    options = {"x265-params": "log-level=none"}
    kind = {"codec": "libx265", "pix_fmt": "yuv420p10le", "hdr10": True, "options": options}
    colours = [[(90, 120, 200)], [(30, 140, 60)]]
    sources = [
        film(tmp_path / f"{n}.mp4", 1.0, (320, 180), colours=colour, **kind)
        for n, colour in enumerate(colours)
    ]
    parts = [part(path, 0, 1, ["a title"] * (path == sources[1])) for path in sources]
    join(tmp_path / "reel.mp4", parts)
    with av.open(tmp_path / "reel.mp4") as container:
        context = container.streams.video[0].codec_context
        assert (context.codec.canonical_name, context.codec_tag) == ("hevc", "hvc1")
        assert (context.color_trc, context.color_primaries, context.colorspace) == (16, 9, 9)
        frames = [frame.to_ndarray(format="gray10le") for frame in container.decode(video=0)]
    for number, path in enumerate(sources):
        with av.open(path) as container:
            own = next(container.decode(video=0)).to_ndarray(format="gray10le")
        shown = frames[10 * number + 5]
        assert np.abs(shown[:120].astype(float) - own[:120]).max() < 8
    letters = frames[15][130:].max()
    assert 500 < letters < 64 + 876 * 0.6  # a diffuse white, not the brightest light
    with Reel(tmp_path / "plain.mp4", [each.grid for each in parts], is_plain=True) as reel:
        reel.add(parts[0])
    with av.open(tmp_path / "plain.mp4") as container:
        context = container.streams.video[0].codec_context
        assert (context.codec.canonical_name, context.color_trc) == ("h264", 1)


def test_titles_stand_for_three_seconds(tmp_path):
    source = film(tmp_path / "a.mp4", seconds=5, size=(320, 180), colours=[(20, 60, 20)])
    join(tmp_path / "reel.mp4", [part(source, 0, 5, ["a green field", "a.mp4 0:00 – 0:05"])])
    with av.open(tmp_path / "reel.mp4") as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    written = [frame[120:].max() > 180 for frame in frames]
    assert written == [True] * 30 + [False] * 20
    assert max(frame[:110].max() for frame in frames) < 80


def test_what_cannot_be_shown_is_told_and_the_rest_stays(tmp_path):
    good = flashing(tmp_path / "a.mp4", Fraction(25), [1.0])
    with Reel(tmp_path / "reel.mp4", [part(good, 0, 1).grid] * 3) as reel:
        reel.add(part(good, 0.0, 1.0))
        with pytest.raises(VideoError, match=r"a\.mp4: nothing is shown at 1:00"):
            reel.add(part(good, 60.0, 61.0))
        reel.add(part(good, 3.5, 60.0))
    times, _, _ = read(tmp_path / "reel.mp4")
    assert len(times) == pytest.approx(25 + 12.5, abs=1)


def test_slides_are_shown_no_longer_than_asked(tmp_path):
    pictures = [plain((level,) * 3) for level in (20, 120, 220)]
    slides = film(tmp_path / "a.mp4", fps=0.1, pictures=pictures)
    join(tmp_path / "reel.mp4", [part(slides, 9.0, 11.0)])
    with av.open(tmp_path / "reel.mp4") as container:
        shown = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert np.allclose(shown, [20] * 24 + [120] * 24, atol=3)


def test_uneven_frames_begin_no_earlier_than_asked(tmp_path):
    pictures = [plain((level,) * 3) for level in (20, 90, 160, 230)]
    times = [0.0, 0.07, 0.155, 0.32]
    uneven = film(tmp_path / "a.mp4", pictures=pictures, times=times)
    join(tmp_path / "reel.mp4", [part(uneven, 0.155, 0.32)])
    with av.open(tmp_path / "reel.mp4") as container:
        shown = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert np.allclose(shown, 160, atol=3)


@given(st.fractions(Fraction(1, 20), 1000))
def test_the_rate_of_a_film_is_one_that_players_show(rate):
    assert 10 <= film_rate(rate) <= 120 or rate == film_rate(rate)
    multiple = film_rate(rate) / rate
    assert 1 in (multiple.numerator, multiple.denominator)
