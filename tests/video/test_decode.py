import hashlib
import io
import os
import socket
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import media
from framefind.errors import NotAVideoError, VideoError
from framefind.video import bounds
from framefind.video.decode import Video
from framefind.video.identity import video_id
from framefind.video.samplers import parse_sampler
from framefind.video.shown import frame

DATA = Path(__file__).parents[3] / "shared" / "data" / "videos"

Make = Callable[[Path], Path]
UNEVEN = [0.0, 0.04, 0.3, 0.31, 1.0, 1.9, 2.0, 2.05, 3.5]


def times(path: Path, sampler: str = "every=0.001", start: float = 0.0) -> list[float]:
    with Video(path) as video:
        return [one.t for one in video.frames(parse_sampler(sampler), start)]


def levels(path: Path, sampler: str, start: float = 0.0) -> list[tuple[float, int]]:
    with Video(path) as video:
        return [
            (one.t, int(one.scale(8, 8).mean()))
            for one in video.frames(parse_sampler(sampler), start)
        ]


def partial(path: Path) -> str | None:
    with Video(path, threads=1) as video:
        assert list(video.frames(parse_sampler("every=0.001")))
        return video.partial


KINDS: dict[str, Make] = {
    "plain.mp4": media.film,
    "frames-reordered.mp4": lambda path: media.film(path, options={"bf": "3", "g": "10"}),
    "uneven.mkv": lambda path: media.film(path, times=UNEVEN),
    "uneven.mp4": lambda path: media.film(path, times=UNEVEN),
    "late.mp4": lambda path: media.film(path, times=[t + 5 for t in UNEVEN]),
    "ntsc.mov": lambda path: media.film(path, fps=30000 / 1001),
    "old.ts": lambda path: media.film(path, codec="mpeg2video"),
    "reordered.ts": lambda path: media.film(path, options={"bf": "2"}),
    "open.webm": lambda path: media.film(path, codec="libvpx"),
    "ten-bit.mkv": lambda path: media.film(path, pix_fmt="yuv420p10le"),
    "grey.mkv": lambda path: media.film(path, codec="ffv1", pix_fmt="gray"),
    "small.gif": lambda path: media.film(path, codec="gif", pix_fmt="rgb8"),
    "wavelets.flv": lambda path: media.film(path, codec="flv"),
    "pictures.avi": lambda path: media.film(path, codec="mjpeg", pix_fmt="yuvj420p"),
    "one.mp4": lambda path: media.film(path, pictures=[media.corners()]),
    "no-index.mp4": lambda path: media.film(
        path, container_options={"movflags": "frag_keyframe+empty_moov"}
    ),
    "no-duration.mkv": lambda path: media.film(path, container_options={"live": "1"}),
    "odd.mp4": lambda path: media.film(path, size=(63, 47), pix_fmt="yuv444p"),
}


@pytest.mark.parametrize("name", KINDS)
def test_times_are_those_of_the_packets(tmp_path: Path, name: str) -> None:
    path = KINDS[name](tmp_path / name)
    assert times(path) == media.packet_times(path)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("sampler", ["every=0.5", "count=4", "count=3,random=7", "keyframes"])
def test_a_sampled_frame_is_the_one_shown_at_its_time(
    tmp_path: Path, name: str, sampler: str
) -> None:
    path = KINDS[name](tmp_path / name)
    whole = dict(levels(path, "every=0.001"))
    chosen = levels(path, sampler)
    assert chosen
    assert chosen == [(t, whole[t]) for t, _ in chosen]


@pytest.mark.parametrize("name", ["frames-reordered.mp4", "uneven.mkv", "reordered.ts"])
@pytest.mark.parametrize("sampler", ["every=0.3", "count=7", "keyframes", "shots"])
def test_a_pass_may_start_anywhere(tmp_path: Path, name: str, sampler: str) -> None:
    path = KINDS[name](tmp_path / name)
    whole = levels(path, sampler)
    for start in (0.0, 0.3, 0.31, 1.0, 1.95, whole[-1][0], 9.0):
        assert levels(path, sampler, start) == [one for one in whole if one[0] >= start]


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(1, 90000), min_size=1, max_size=30), st.integers(0, 3))
def test_uneven_times_are_exact(
    tmp_path_factory: pytest.TempPathFactory, gaps: list[int], reordered: int
) -> None:
    shown = [sum(gaps[:i]) / 90000 for i in range(len(gaps))]
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    media.film(path, times=shown, size=(32, 32), options={"bf": str(reordered)})
    every = [first for i, first in enumerate(shown) if not i or int(first) > int(shown[i - 1])]
    assert times(path, "every=1") == pytest.approx(every, abs=1e-9)


def test_the_container_begins_with_its_earliest_stream(tmp_path: Path) -> None:
    path = tmp_path / "late.mkv"
    with av.open(path, "w") as container:
        video = container.add_stream("mpeg4", rate=10)
        audio = container.add_stream("aac", rate=16000)
        video.width = 64
        video.height = 48
        for i in range(20):
            sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            sound.rate = 16000
            sound.pts = i * 1024
            container.mux(audio.encode(sound))
        for i in range(5):
            picture = av.VideoFrame.from_ndarray(media.corners(), "rgb24")
            picture.pts = i + 7
            picture.time_base = Fraction(1, 10)
            container.mux(video.encode(picture))
        container.mux([*video.encode(None), *audio.encode(None)])
    assert times(path) == media.packet_times(path)
    assert times(path)[0] > 0.6


def test_frames_that_an_edit_list_hides_are_not_sampled(tmp_path: Path) -> None:
    path = media.film(tmp_path / "film.mp4", options={"bf": "0", "g": "50"})
    data = path.read_bytes()
    # The edit list's media time: from 0 to 0.5 s.
    at = data.index(b"elst") + 16
    scale = int.from_bytes(data[(at2 := data.index(b"mdhd") + 16) : at2 + 4], "big")
    path.write_bytes(data[:at] + (scale // 2).to_bytes(4, "big") + data[at + 4 :])
    assert times(path) == media.packet_times(path)
    assert len(times(path)) == 15


def test_count_and_keyframes_and_shots(tmp_path: Path) -> None:
    path = media.film(
        tmp_path / "film.mp4",
        seconds=6,
        colours=[media.RED, media.GREEN, media.BLUE],
        options={"g": "25", "sc_threshold": "0", "bf": "0"},
    )
    assert times(path, "count=3") == [1.0, 3.0, 5.0]
    assert times(path, "count=1000") == times(path)
    assert times(path, "keyframes") == [0.0, 2.5, 5.0]
    assert times(path, "shots") == [0.0, 2.0, 4.0]
    assert times(path, "every=60") == [0.0]
    assert len(times(path, "count=5,random=3")) == 5


@pytest.mark.parametrize("sampler", ["every=1", "count=5", "keyframes", "shots"])
def test_one_frame_is_enough(tmp_path: Path, sampler: str) -> None:
    path = media.film(tmp_path / "one.mp4", pictures=[media.corners()])
    assert times(path, sampler) == [0.0]


# -- facts


def test_facts(tmp_path: Path) -> None:
    path = media.film(tmp_path / "film.mkv", seconds=2, fps=25, times=None)
    with Video(path) as video:
        facts = video.facts
    assert (facts.width, facts.height, facts.codec) == (64, 48, "h264")
    assert facts.fps == pytest.approx(25)
    assert facts.duration == pytest.approx(2.0, abs=0.05)


def test_the_content_counts_and_not_the_name(tmp_path: Path) -> None:
    path = media.film(tmp_path / "film.mkv")
    odd = path.rename(tmp_path / "-dash: new\nline 🎬.txt")
    assert times(odd) == media.packet_times(odd)
    assert times(Path(os.fsdecode(os.fsencode(odd))).absolute()) == times(odd)


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX only")
def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    film = media.film(tmp_path / "film.mkv")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.mkv"))
    try:
        film.rename(odd)
    except OSError:
        pytest.skip("this file system wants UTF-8")
    assert len(times(odd)) == 20


def test_relative_paths_and_names_like_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media.film(tmp_path / "film.mkv").rename(tmp_path / "-i.mkv")
    monkeypatch.chdir(tmp_path)
    assert len(times(Path("-i.mkv"))) == 20


def test_metadata_may_be_anything(tmp_path: Path) -> None:
    path = tmp_path / "film.avi"
    media.film(path, codec="mpeg4")
    with av.open(path) as source, av.open(tmp_path / "named.avi", "w") as target:
        target.metadata["title"] = "XXXXXXXX"
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    named = tmp_path / "named.avi"
    named.write_bytes(named.read_bytes().replace(b"XXXXXXXX", b"\xff\xfe\xfd\x80\x81\x82\x83\x84"))
    assert len(times(named)) == 20


def test_frames_whose_times_are_those_of_decoding_are_put_in_order(tmp_path: Path) -> None:
    path = media.timed_as_decoded(tmp_path / "film.mp4")
    read = levels(path, "every=0.1")
    assert [t for t, _ in read] == pytest.approx(np.arange(40) / 10)
    assert [level for _, level in read] == sorted(level for _, level in read)
    assert levels(path, "every=1", start=2.0) == read[20::10]


def test_a_cover_is_not_the_video(tmp_path: Path) -> None:
    path = media.film(tmp_path / "film.mp4", cover=True)
    with Video(path) as video:
        assert (video.facts.width, video.facts.height) == (64, 48)


# -- pictures


@pytest.mark.parametrize(
    ("rotation", "mirrored", "expected"),
    [
        (0, False, ["red", "green", "blue", "white"]),
        (90, False, ["green", "white", "red", "blue"]),
        (180, False, ["white", "blue", "green", "red"]),
        (-90, False, ["blue", "red", "white", "green"]),
        (0, True, ["green", "red", "white", "blue"]),
        (85, False, ["green", "white", "red", "blue"]),
    ],
)
@pytest.mark.parametrize("suffix", ["mp4", "mov"])
def test_pictures_are_upright(
    tmp_path: Path, rotation: float, mirrored: bool, expected: list[str], suffix: str
) -> None:
    path = media.film(
        tmp_path / f"film.{suffix}", pictures=[media.corners()], rotation=rotation,
        mirrored=mirrored,
    )  # fmt: skip
    shown = frame(path, 0)
    assert media.quarters(shown) == expected
    turned = rotation in (85, 90, -90)
    assert shown.shape == ((64, 48, 3) if turned else (48, 64, 3))
    with Video(path) as video:
        assert (video.facts.height, video.facts.width) == shown.shape[:2]


@pytest.mark.parametrize(("aspect", "width"), [((16, 15), 68), ((1, 2), 32), ((1000, 1), 64)])
def test_pixels_become_square(tmp_path: Path, aspect: tuple[int, int], width: int) -> None:
    path = media.film(tmp_path / "film.mkv", aspect=Fraction(*aspect), pictures=[media.corners()])
    shown = frame(path, 0)
    assert shown.shape == (48, width, 3)
    assert media.quarters(shown) == ["red", "green", "blue", "white"]


@pytest.mark.parametrize(
    ("codec", "pix_fmt"),
    [("ffv1", "yuv420p"), ("ffv1", "yuv444p"), ("ffv1", "bgra"), ("ffv1", "yuv422p10le"),
     ("mjpeg", "yuvj420p"), ("libx265", "yuv420p10le"),
     ("libvpx-vp9", "yuv420p"), ("gif", "rgb8"), ("qtrle", "rgb24")],
)  # fmt: skip
def test_colours_are_right(tmp_path: Path, codec: str, pix_fmt: str) -> None:
    suffix = {"gif": "gif", "qtrle": "mov"}.get(codec, "mkv")
    pictures = [media.corners((64, 64))] * 2
    path = media.film(tmp_path / f"film.{suffix}", size=(64, 64), codec=codec, pix_fmt=pix_fmt,
                      pictures=pictures)  # fmt: skip
    shown = frame(path, 0).astype(int)
    assert media.quarters(shown.astype(np.uint8)) == ["red", "green", "blue", "white"]
    assert np.abs(shown[16, 16] - media.RED).max() < 70


@pytest.mark.parametrize(
    ("pix_fmt", "size", "red_weight"),
    [("yuv444p", (64, 48), 1.596), ("yuv444p", (1280, 48), 1.793), ("yuvj444p", (64, 48), 1.402)],
)
def test_colours_without_a_name_are_bt709_in_hd_and_bt601_below(
    tmp_path: Path, pix_fmt: str, size: tuple[int, int], red_weight: float
) -> None:
    luma = 100
    v = 180
    picture = np.empty((3, size[1], size[0]), np.uint8)
    picture[:] = np.reshape([luma, 128, v], (3, 1, 1))
    path = media.film(tmp_path / "film.mkv", size=size, pix_fmt=pix_fmt, layout=pix_fmt,
                      codec="mjpeg" if "j" in pix_fmt else "ffv1", pictures=[picture])  # fmt: skip
    red, _, blue = frame(path, 0).reshape(-1, 3).mean(0)
    grey = luma if pix_fmt == "yuvj444p" else (luma - 16) * 255 / 219
    assert red == pytest.approx(grey + red_weight * (v - 128), abs=2)
    assert blue == pytest.approx(grey, abs=2)


def test_white_is_white_and_black_is_black(tmp_path: Path) -> None:
    for pix_fmt, white, black in [("gray", 255, 0), ("yuv444p", 235, 16), ("yuvj444p", 255, 0)]:
        for level, expected in [(white, 255), (black, 0)]:
            shape = (48, 64) if pix_fmt == "gray" else (3, 48, 64)
            picture = np.full(shape, 128, np.uint8)
            (picture if pix_fmt == "gray" else picture[0])[:] = level
            path = media.film(tmp_path / "film.mkv", pix_fmt=pix_fmt, layout=pix_fmt,
                              codec="mjpeg" if "j" in pix_fmt else "ffv1",
                              pictures=[picture])  # fmt: skip
            assert np.abs(frame(path, 0).astype(int) - expected).max() <= 1


def test_hdr10_is_brought_into_range(tmp_path: Path) -> None:
    means = []
    for level in (64, 520, 940):  # of 10 bits: black, about 100 nits, above the peak
        picture = np.full((48, 64), round((level - 64) / 876 * 65535), np.uint16)
        path = media.film(tmp_path / "film.mkv", codec="ffv1", pix_fmt="yuv420p10le",
                          layout="gray16le", pictures=[picture], hdr10=True)  # fmt: skip
        means.append(frame(path, 0).mean())
    assert means[0] < 3
    assert 100 < means[1] < 220
    assert means[2] > 250


def test_alpha_lies_over_black(tmp_path: Path) -> None:
    pixels = np.full((48, 64, 4), 200, np.uint8)
    pixels[:, :32, 3], pixels[:, 32:, 3] = 0, 255
    path = media.film(tmp_path / "film.mkv", codec="ffv1", pix_fmt="bgra", layout="rgba",
                      pictures=[pixels])  # fmt: skip
    shown = frame(path, 0)
    assert shown[:, :30].max() == 0
    assert shown[:, 34:].min() == 200


def test_an_alpha_that_was_never_filled_in_is_ignored(tmp_path: Path) -> None:
    pixels = np.full((48, 64, 4), 200, np.uint8)
    pixels[..., 3] = 0
    path = media.film(tmp_path / "film.mkv", codec="ffv1", pix_fmt="bgra", layout="rgba",
                      pictures=[pixels])  # fmt: skip
    assert frame(path, 0).min() == 200


def test_scaling_is_antialiased(tmp_path: Path) -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    path = media.film(tmp_path / "film.mkv", size=(256, 256), codec="ffv1", pix_fmt="bgr0",
                      pictures=[stripes])  # fmt: skip
    with Video(path) as video:
        (one,) = video.frames(parse_sampler("keyframes"))
        assert np.abs(one.scale(20, 30)[:, 1:-1].astype(int) - 127).max() < 4
        assert one.scale(20, 30).shape == (30, 20, 3)


def test_thumbnails_fit_320_pixels(tmp_path: Path) -> None:
    for size, expected in [((640, 480), (320, 240)), ((64, 48), (64, 48)), ((2000, 2), (320, 1))]:
        path = media.film(tmp_path / "film.mkv", size=size, seconds=0.1, codec="ffv1")
        with Video(path) as video:
            (one,) = video.frames(parse_sampler("keyframes"))
            assert Image.open(io.BytesIO(one.thumbnail())).size == expected


# -- one frame


def test_the_frame_shown_at_a_time(tmp_path: Path) -> None:
    path = media.film(tmp_path / "film.mp4", times=UNEVEN, options={"bf": "2", "g": "4"})
    grey = dict(levels(path, "every=0.001"))
    shown = sorted(grey)
    assert int(frame(path, -1).mean()) == grey[0.0]
    for t, following in zip(shown, [*shown[1:], 3.5], strict=True):
        middle = (t + following) / 2
        for at in (t, middle):
            assert abs(frame(path, at).mean() - grey[t]) < 1
    with pytest.raises(VideoError, match="past its end"):
        frame(path, 60)


# -- bad input


def test_what_holds_no_video(tmp_path: Path) -> None:
    readme = tmp_path / "readme.txt"
    readme.write_text("hello\n" * 500)
    playlist = tmp_path / "list.m3u8"
    playlist.write_text("#EXTM3U\n#EXTINF:10,\nfilm.ts\n")
    concat = tmp_path / "list.ffconcat"
    concat.write_text("ffconcat version 1.0\nfile film.mp4\n")
    noise = tmp_path / "noise.bin"
    noise.write_bytes(np.random.default_rng(0).bytes(50_000))
    empty = tmp_path / "__init__.py"
    empty.touch()
    pictures = [media.still(tmp_path / f"still.{kind}") for kind in
                ("png", "jpg", "gif", "bmp", "tiff", "webp", "ico", "ppm")]  # fmt: skip
    for path in [readme, playlist, concat, noise, empty, tmp_path, *pictures,
                 media.sound(tmp_path / "sound.m4a")]:  # fmt: skip
        with pytest.raises(NotAVideoError) as error:
            Video(path)
        assert str(path) in str(error.value)


@pytest.mark.skipif(os.name != "posix", reason="POSIX has them")
def test_pipes_sockets_and_devices_are_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        for path in (tmp_path / "pipe.mp4", tmp_path / "s", Path(os.devnull)):
            with pytest.raises(NotAVideoError, match="not a file"):
                Video(path)


def test_a_named_video_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    empty = tmp_path / "empty.mp4"
    empty.touch()
    headless = media.truncated(media.film(tmp_path / "headless.mp4"), 0.5)
    noise = tmp_path / "noise.mkv"
    noise.write_bytes(np.random.default_rng(0).bytes(50_000))
    for path, word in [(empty, "empty"), (headless, "moov"), (noise, "EBML"),
                       (tmp_path / "none.mp4", "No such file")]:  # fmt: skip
        with pytest.raises(VideoError, match=word) as error:
            Video(path)
        assert not isinstance(error.value, NotAVideoError)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads anything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = media.film(tmp_path / "film.mp4")
    path.chmod(0)
    with pytest.raises(VideoError, match="Permission denied"):
        Video(path)


def test_what_decodes_of_a_broken_file_is_kept(tmp_path: Path) -> None:
    assert partial(media.film(tmp_path / "film.mp4")) is None
    # Every frame stands alone: the cut one is lost, and only that.
    options = {"movflags": "faststart"}
    cut = media.film(tmp_path / "cut.mp4", codec="mjpeg", pix_fmt="yuvj420p", size=(640, 480),
                     container_options=options)  # fmt: skip
    assert partial(media.truncated(cut, 0.52)) is not None
    assert 5 < len(times(cut)) < 15
    torn = media.film(tmp_path / "torn.mp4", size=(320, 240), seconds=10,
                      pictures=list(np.random.default_rng(0).integers(
                          0, 256, (30, 240, 320, 3), np.uint8)))  # fmt: skip
    assert partial(media.damaged(torn, 0.4, 60_000)) is not None
    assert 2 < len(times(torn)) < 30


def test_a_file_in_which_nothing_decodes(tmp_path: Path) -> None:
    path = media.film(tmp_path / "film.mp4", container_options={"movflags": "faststart"})
    at = path.read_bytes().index(b"mdat") + 4
    data = path.read_bytes()
    path.write_bytes(data[:at] + b"\xff" * (len(data) - at))
    with pytest.raises(VideoError, match="Invalid data"):
        Video(path)


def test_absurd_pictures_are_refused_before_they_are_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = media.film(tmp_path / "film.mp4", size=(320, 240))
    monkeypatch.setattr(bounds, "MAX_PIXELS", 320 * 240 - 1)
    with pytest.raises(VideoError, match="320 × 240 pixels"):
        Video(path)


def test_pictures_that_grow_absurd_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "grown.ts"
    small = media.film(tmp_path / "small.ts", size=(64, 48), codec="mpeg2video")
    large = media.film(tmp_path / "large.ts", size=(640, 480), codec="mpeg2video")
    path.write_bytes(small.read_bytes() + large.read_bytes())
    monkeypatch.setattr(bounds, "MAX_PIXELS", 320 * 240)
    with Video(path) as video:
        sizes = {(one.width, one.height) for one in video.frames(parse_sampler("every=0.001"))}
    assert sizes == {(64, 48)}
    assert video.partial


def test_a_file_that_grows_is_read_as_far_as_it_went(tmp_path: Path) -> None:
    path = media.film(tmp_path / "film.ts", codec="mpeg2video", seconds=3)
    data = path.read_bytes()
    size = path.stat().st_size
    path.write_bytes(data[: size // 2])
    half = times(path)
    with Video(path, threads=1) as video, path.open("ab") as file:
        shown = []
        for one in video.frames(parse_sampler("every=0.001")):
            shown.append(one.t)
            file.write(data[size // 2 :])
            file.flush()
    assert shown == half
    assert video.partial in {
        "the file grew while it was read",
        "the file ends in the middle of a frame",
    }


def test_a_file_that_vanishes_while_it_is_read(tmp_path: Path) -> None:
    path = media.film(tmp_path / "film.mkv")
    with Video(path) as video:
        path.unlink()
        shown = list(video.frames(parse_sampler("every=0.001")))
    assert len(shown) == 20 or video.partial


def test_encrypted_pictures_are_not_taken(tmp_path: Path) -> None:
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
        "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
    }
    path = media.film(tmp_path / "film.mp4", container_options=options)
    with pytest.raises(VideoError, match="encrypted"):
        Video(path)


def test_files_are_closed(tmp_path: Path) -> None:
    path = media.film(tmp_path / "film.mp4", seconds=0.3)
    (tmp_path / "bad.mp4").write_bytes(b"nothing")
    before = threading.active_count()
    folder = Path("/proc/self/fd")
    opened = len(list(folder.iterdir())) if folder.exists() else 0
    for _ in range(20):
        times(path)
        with pytest.raises(VideoError):
            Video(tmp_path / "bad.mp4")
    assert not folder.exists() or len(list(folder.iterdir())) <= opened
    assert threading.active_count() == before


# -- identity


def test_video_id_is_that_of_the_design(tmp_path: Path) -> None:
    mib = 2**20
    for size in (0, 10, mib, 5 * mib + 3):
        data = np.random.default_rng(size).bytes(size)
        path = tmp_path / "file"
        path.write_bytes(data)
        middle = max(0, (size - mib) // 2)
        digest = hashlib.blake2b(digest_size=16)
        digest.update(size.to_bytes(8, "little"))
        for at in (0, middle, max(0, size - mib)):
            digest.update(data[at : at + mib])
        assert video_id(path) == digest.hexdigest()


def test_a_file_that_cannot_be_read_is_known_by_its_path(tmp_path: Path) -> None:
    assert video_id(tmp_path / "a") == video_id(str(tmp_path / "a")) != video_id(tmp_path / "b")
    assert len(video_id(tmp_path)) == 32


# -- real videos, where they are


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared videos")
@pytest.mark.parametrize(
    "name",
    ["iibbibb_editlist_videoonly.mp4", "mov-3elist.mp4", "displaymatrix.mp4", "loewe.mp4",
     "hdr10tags-both.mkv", "packed_bframes.avi", "svq3_watermark.mp4", "sony-ct3.mp4"],
)  # fmt: skip
def test_times_of_real_files_are_of_their_packets(name: str) -> None:
    (path,) = DATA.rglob(name)
    shown = times(path)
    assert shown == sorted(set(shown))
    with Video(path) as video:
        origin = video._file.timing.origin
        base = video._file.timing.base
    with av.open(path, metadata_errors="replace") as container:
        stamps = {p.pts for p in container.demux(video=0) if p.pts is not None and not p.is_discard}
    assert set(shown) <= {float(pts * base - origin) for pts in stamps}


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the shared videos")
def test_a_film_without_keyframes_gives_one_frame() -> None:
    (path,) = DATA.rglob("sipr_8k5.mp4")
    (t,) = times(path, "keyframes")
    assert times(path, "keyframes", t) == [t]
    assert times(path, "keyframes", t + 1) == []
