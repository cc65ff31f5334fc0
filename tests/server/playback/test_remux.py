"""What browsers cannot play: found out, and made playable with the right times."""

import io
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
from serving import serve

import framefind
import media
from framefind.server.playback import remux, transcode
from framefind.server.playback.probe import Playable, keyframe_before, probe
from media import BLUE, GREEN, RED, WHITE, quarters

COLOURS = [RED, GREEN, BLUE, WHITE]
RATE = 48_000


def with_sound(path: Path, codec: str, sound: str = "aac", beep: float = 1.5, **more: str) -> Path:
    """Four seconds, each of one colour, with silence up to `beep` and a tone after it."""
    with av.open(path, "w", options=more) as container:
        video = container.add_stream(codec, rate=10)
        assert isinstance(video, av.VideoStream)
        video.width = 64
        video.height = 48
        video.pix_fmt = "yuv420p"
        video.codec_context.gop_size = 10
        video.codec_context.thread_count = 1  # else its bytes depend on the number of cores
        audio = container.add_stream(sound, rate=RATE, layout="stereo")
        format = audio.codec_context.format.name
        size = audio.codec_context.frame_size or 1024
        for at in range(40):
            picture = media.plain(COLOURS[at // 10])
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts = at
            frame.time_base = Fraction(1, 10)
            container.mux(video.encode(frame))
        resampler = av.AudioResampler(format, "stereo", RATE, size)
        t = np.arange(4 * RATE) / RATE
        tone = (np.sin(t * 2 * np.pi * 440) * (t >= beep) * 0.5).astype(np.float32)
        whole = av.AudioFrame.from_ndarray(np.stack([tone, tone]), "fltp", "stereo")
        whole.rate = RATE
        whole.pts = 0
        whole.time_base = Fraction(1, RATE)
        for part in resampler.resample(whole):
            container.mux(audio.encode(part))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def shown(content: bytes) -> list[tuple[float, str]]:
    """The times of an MP4's frames and the colour of each."""
    with av.open(io.BytesIO(content)) as container:
        assert container.streams.video[0].codec_context.name in ("h264", "vp9")
        return [
            (float(frame.time), quarters(frame.to_ndarray(format="rgb24"))[0])
            for frame in container.decode(video=0)
        ]


def heard(content: bytes) -> tuple[str, float]:
    """The codec of an MP4's sound, and when the tone begins in it, in seconds."""
    with av.open(io.BytesIO(content)) as container:
        name = container.streams.audio[0].codec_context.name
        for frame in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(frame.to_ndarray()[0]) > 0.1)
            if len(loud):
                return name, float(frame.time) + int(loud[0]) / frame.sample_rate
    raise AssertionError("silence")


def way(path: Path) -> Playable:
    facts = path.stat()
    return probe(str(path), facts.st_size, facts.st_mtime_ns)


def made(path: Path, start: float) -> bytes:
    found = way(path)
    size = path.stat().st_size
    if found.kind == "remux":
        return b"".join(remux.remux_stream(str(path), size, start, found.copies_audio))
    return b"".join(transcode.transcode_stream(str(path), size, start))


class TestProbe:
    @pytest.mark.parametrize(
        ("name", "codec", "sound", "kind", "copies"),
        [
            ("a.mp4", "libx264", "aac", "file", True),
            ("a.mov", "libx264", "aac", "file", True),
            ("a.webm", "libvpx-vp9", "libopus", "file", True),
            ("b.mkv", "libx264", "aac", "remux", True),
            ("c.mkv", "libx264", "ac3", "remux", False),
            ("d.mov", "libx264", "pcm_s16le", "remux", False),
            ("e.ts", "libx264", "aac", "remux", False),
            ("f.mkv", "libvpx-vp9", "libopus", "remux", True),
            ("g.mp4", "libx265", "aac", "transcode", True),
            ("h.avi", "mpeg4", "mp3", "transcode", True),
            ("i.mkv", "libvpx", "libopus", "transcode", True),
        ],
    )
    def test_kinds(self, tmp_path, name, codec, sound, kind, copies):
        more = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        found = way(with_sound(tmp_path / name, codec, sound, **more))
        assert (found.kind, found.copies_audio) == (kind, copies)
        assert found.type == ("video/webm" if name == "a.webm" else "video/mp4")
        assert (found.why is None) == (kind == "file")

    @pytest.mark.parametrize(
        ("codec", "pixels", "name"),
        [("libx264", "yuv420p10le", "ten.mp4"), ("libx264", "yuv444p", "full.mp4"),
         ("prores_ks", "yuv422p10le", "prores.mov")],
    )  # fmt: skip
    def test_pixels_that_browsers_do_not_show(self, tmp_path, codec, pixels, name):
        file = media.film(tmp_path / name, codec=codec, pix_fmt=pixels)
        assert way(file).kind == "transcode"
        assert pixels in (way(file).why or "")

    def test_looks_again_at_a_file_that_has_changed(self, tmp_path):
        file = media.film(tmp_path / "a.mkv")
        assert way(file).kind == "remux"
        media.film(tmp_path / "b.mp4", seconds=3).replace(file)
        assert way(file).kind == "file"


class TestTimes:
    """What is shown at time t of a stream is shown at start + t of the video."""

    @pytest.mark.parametrize(
        ("name", "codec", "sound"),
        [("b.mkv", "libx264", "aac"), ("c.mkv", "libx264", "ac3"),
         ("d.mov", "libx264", "pcm_s16le"), ("e.ts", "libx264", "aac"), ("h.avi", "mpeg4", "mp3"),
         ("g.mp4", "libx265", "aac"), ("f.flv", "libx264", "aac")],
    )  # fmt: skip
    @pytest.mark.parametrize("wanted", [0.0, 0.7, 1.2])
    def test_of_pictures_and_sound(self, tmp_path, name, codec, sound, wanted):
        more = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        file = with_sound(tmp_path / name, codec, sound, **more)
        start = wanted
        if way(file).kind == "remux":
            start = keyframe_before(str(file), file.stat().st_size, wanted)
            assert start <= max(wanted, 0.03)  # sound may begin before the first picture
        content = made(file, start)
        frames = shown(content)
        assert frames[0][0] == pytest.approx(0, abs=0.01)
        for t, colour in frames:
            assert colour == quarters(framefind.frame(file, start + t + 0.01))[0], t
        assert [colour for _, colour in frames[-10:]] == ["white"] * 10
        name, begins = heard(content)
        assert name == "aac"
        assert start + begins == pytest.approx(1.5, abs=0.06)

    def test_a_copy_can_begin_where_it_is_told(self, tmp_path):
        file = with_sound(tmp_path / "b.mkv", "libx264")
        size = file.stat().st_size
        for wanted in np.linspace(0, 3.9, 14):
            start = keyframe_before(str(file), size, float(wanted))
            assert keyframe_before(str(file), size, start) == start

    def test_variable_rates(self, tmp_path):
        times = [0.0, 0.1, 1.0, 1.05, 1.7, 3.0]
        file = media.film(tmp_path / "vfr.mkv", times=times, pix_fmt="yuv444p")
        frames = shown(made(file, 0.5))
        assert [t for t, _ in frames] == pytest.approx([0.0, 0.5, 0.55, 1.2, 2.5], abs=0.002)

    def test_turned_pictures_are_upright(self, tmp_path):
        whole = [media.corners()] * 10
        file = media.film(tmp_path / "turned.mp4", pictures=whole, codec="mpeg4", rotation=90)
        assert way(file).kind == "transcode"
        with av.open(io.BytesIO(made(file, 0))) as container:
            picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
        assert picture.shape[:2] == (64, 48)
        assert quarters(picture) == quarters(framefind.frame(file, 0))

    def test_large_pictures_are_made_smaller(self, tmp_path):
        file = media.film(tmp_path / "large.avi", 0.5, size=(2048, 1024), codec="mpeg4")
        with av.open(io.BytesIO(made(file, 0))) as container:
            stream = container.streams.video[0]
            assert (stream.width, stream.height) == (1280, 640)


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, dict[str, str]]]:
    """A client of a server with four videos, and their ids by name."""
    folder = tmp_path_factory.mktemp("odd")
    quiet = {"x265-params": "log-level=none"}
    with_sound(folder / "plain.mp4", "libx264")
    with_sound(folder / "copied.mkv", "libx264")
    with_sound(folder / "encoded.mp4", "libx265", **quiet)
    with_sound(folder / "gone.mp4", "libx264", beep=2.0)
    library = framefind.open(folder / "l.framefind")
    assert len(library.index(folder).indexed) == 4
    (folder / "gone.mp4").unlink()
    with serve(library.uri) as site, site.client() as client:
        yield client, {Path(row.path).name: row.video_id for row in library.videos()}


class TestServer:
    def test_each_video_says_how_it_is_played(self, odd):
        client, ids = odd
        for name, kind in (("plain.mp4", "file"), ("copied.mkv", "remux"),
                           ("encoded.mp4", "transcode")):  # fmt: skip
            video = client.get(f"/v1/videos/{ids[name]}", params={"start": 1.25}).json()
            assert (video["name"], video["stream"]["kind"]) == (name, kind)
            stream = client.get(video["stream"]["url"])
            assert stream.status_code == 200
            assert stream.headers["content-type"] == "video/mp4"
            begins = video["stream"]["start"]
            assert begins == {"file": 0.0, "remux": 1.0, "transcode": 1.25}[kind]
            if kind != "file":
                assert float(stream.headers["x-start"]) == begins
            assert shown(stream.content)[0][1] == ("red" if kind == "file" else "green")

    def test_what_fails_to_play_can_be_encoded_again(self, odd):
        client, ids = odd
        asked = {"start": 2.0, "transcode": "true"}
        video = client.get(f"/v1/videos/{ids['plain.mp4']}", params=asked).json()
        assert video["stream"]["kind"] == "transcode"
        assert shown(client.get(video["stream"]["url"]).content)[0] == (0.0, "blue")

    def test_head_makes_nothing(self, odd):
        client, ids = odd
        answer = client.head(f"/v1/videos/{ids['encoded.mp4']}/stream", params={"start": 1})
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["x-start"] == "1.0"

    def test_a_video_that_is_gone(self, odd):
        client, ids = odd
        url = f"/v1/videos/{ids['gone.mp4']}"
        assert client.get(url).json()["stream"] is None
        for part in ("/stream", "/clip?start=0&end=1", "/frames/1.jpg"):
            answer = client.get(url + part)
            assert answer.status_code == 404
            assert "gone.mp4" not in answer.text
        assert client.get(f"{url}/thumbnails/1.0.jpg").status_code == 200  # is stored

    def test_a_clip_begins_and_ends_exactly(self, odd):
        client, ids = odd
        for name in ("plain.mp4", "copied.mkv", "encoded.mp4"):
            url = f"/v1/videos/{ids[name]}/clip"
            answer = client.get(url, params={"start": 0.9, "end": 2.3})
            assert answer.status_code == 200
            assert "attachment" in answer.headers["content-disposition"]
            frames = shown(answer.content)
            assert [colour for _, colour in frames] == ["red"] + ["green"] * 10 + ["blue"] * 3
            assert frames[1][0] == pytest.approx(0.1, abs=0.01)
            name, begins = heard(answer.content)
            assert begins == pytest.approx(0.6, abs=0.05)

    @pytest.mark.parametrize(("start", "end"), [(2, 1), (1, 1), (0, 601), (-1, 1), ("nan", 2)])
    def test_clips_that_make_no_sense(self, odd, start, end):
        client, ids = odd
        url = f"/v1/videos/{ids['plain.mp4']}/clip"
        assert client.get(url, params={"start": start, "end": end}).status_code == 422

    def test_a_client_that_leaves_stops_the_work(self, odd):
        import time

        client, ids = odd
        for _ in range(3):
            url = f"/v1/videos/{ids['encoded.mp4']}/stream?start=0"
            with client.stream("GET", url) as answer:
                next(answer.iter_raw(64))
        for _ in range(600):
            lines = client.get("/metrics").text.splitlines()
            (playing,) = (line for line in lines if line.startswith("framefind_streams "))
            if playing == "framefind_streams 0.0":
                break
            time.sleep(0.1)
        assert playing == "framefind_streams 0.0"
