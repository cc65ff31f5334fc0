"""Clips, frame by frame: their pictures carry the number of the frame that they were made of."""

import os
import uuid
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from numpy.typing import NDArray

from framefind.errors import UsageError, VideoError
from framefind.output.clips.container import clip_suffix
from framefind.output.clips.cut import cut_clip, describe_offset
from framefind.output.clips.encoder import check_encoder
from framefind.video.clock import renew
from framefind.video.read_grid import read_frame_grid
from media import coded, damaged, film, talkie, timed_as_decoded

ODD = Path("../shared/data/videos/odd/luke-cha+fate-suite/video")
SIZE = (128, 64)
RATE = Fraction(30000, 1001)
COUNT = 90
CLOSED = {"g": "15", "bf": "3", "x265-params": "log-level=none:open-gop=0:keyint=15:min-keyint=15"}


def numbered(number: int) -> NDArray[np.uint8]:
    """A picture that shows a number as eight white or black bars."""
    bars = [255 * (number >> bit & 1) for bit in range(8)]
    row = np.repeat(np.array(bars, np.uint8), SIZE[0] // 8)
    return np.repeat(np.tile(row, (SIZE[1], 1))[:, :, None], 3, axis=2)


def write(path: Path, codec: str = "libx264", **more: object) -> Path:
    options = more.pop("options", CLOSED)
    pictures = [numbered(number) for number in range(COUNT)]
    rate = more.pop("fps", RATE)
    return film(path, fps=rate, size=SIZE, pictures=pictures, codec=codec, options=options, **more)


def read(path: Path) -> tuple[list[int], list[float]]:
    """Return the numbers that the frames of a clip show, and their times in seconds."""
    numbers, times = [], []
    with av.open(path) as container:
        stream = container.streams.video[0]
        for frame in container.decode(stream):
            grey = frame.to_ndarray(format="gray")
            bars = grey[16:48].reshape(32, 8, -1)[:, :, 4:-4].mean((0, 2))
            numbers.append(sum(int(bar > 128) << bit for bit, bar in enumerate(bars)))
            times.append(float(frame.pts * stream.time_base))
    return numbers, times


SPANS = [(0, 90), (3, 80), (20, 24), (15, 45), (16, 17), (44, 90), (29, 62)]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.ts"])
@pytest.mark.parametrize(("begin", "after"), SPANS)
def test_h264_is_exact_and_mostly_copied(tmp_path, name, begin, after):
    source = write(tmp_path / name)
    target = tmp_path / f"clip{clip_suffix(str(source), None)}"
    start, end = (float(n / RATE) for n in (begin, after))
    if name in ("a.mkv", "a.ts"):  # their times are rounded
        start, end = start + 0.001, end - 0.001
    cut = cut_clip(str(source), start, end, target)
    numbers, times = read(target)
    assert numbers == list(range(begin, after))
    assert np.allclose(times, np.arange(after - begin) / float(RATE), atol=0.0011)
    assert cut.encoded + cut.copied == after - begin
    groups = (after - 1) // 15 - (begin - 1) // 15  # keyframes inside
    assert cut.encoded <= 15 + 4 or not groups


@pytest.mark.parametrize(("begin", "after"), [(3, 80), (20, 24)])
def test_hevc_is_exact_and_keeps_hdr(tmp_path, begin, after):
    source = write(tmp_path / "a.mp4", "libx265", pix_fmt="yuv420p10le", hdr10=True)
    start, end = (float(n / RATE) for n in (begin, after))
    cut = cut_clip(str(source), start, end, tmp_path / "b.mp4")
    assert read(tmp_path / "b.mp4")[0] == list(range(begin, after))
    assert cut.copied > (55 if begin == 3 else -1)
    with av.open(tmp_path / "b.mp4") as container:
        context = container.streams.video[0].codec_context
        assert context.pix_fmt == "yuv420p10le"
        assert (context.color_trc, context.color_primaries, context.colorspace) == (16, 9, 9)


CODECS = {
    "libvpx-vp9": {"g": "15", "lag-in-frames": "10", "auto-alt-ref": "1", "cpu-used": "5"},
    "libsvtav1": {"g": "15", "preset": "10"},
}
"""Closed groups; VP9 has frames that are never shown."""


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("suffix", [".webm", ".mkv", ".mp4"])
def test_vp9_and_av1_are_exact_and_mostly_copied(tmp_path, codec, suffix):
    source = write(tmp_path / f"a{suffix}", codec, options=CODECS[codec])
    assert clip_suffix(str(source), None) == suffix
    target = tmp_path / f"b{suffix}"
    for begin, after in [(3, 80), (15, 45), (20, 24)]:
        cut = cut_clip(str(source), begin / RATE + 0.001, after / RATE - 0.001, target)
        numbers, times = read(target)
        assert numbers == list(range(begin, after))
        assert np.allclose(times, np.arange(after - begin) / float(RATE), atol=0.0011)
        until_keyframe = min(-begin % 15, after - begin)
        assert (cut.encoded, cut.copied) == (until_keyframe, after - begin - until_keyframe)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_open_groups_of_hevc_are_copied_but_for_the_frames_before_a_keyframe(tmp_path, name):
    """A clip may also be of one frame, for which x265 writes no times of decoding."""
    options = "log-level=none:open-gop=1:keyint=15:min-keyint=15:bframes=5:scenecut=0"
    source = write(tmp_path / name, "libx265", options={"x265-params": options})
    target = tmp_path / f"b{clip_suffix(str(source), None)}"
    margin = 0 if name == "a.mp4" else 0.001  # the others' times are rounded
    for begin, after, least in [(20, 75, 40), (30, 62, 25), (40, 58, 1), (50, 51, 0)]:
        span = float(begin / RATE) + margin, float(after / RATE) - margin
        cut = cut_clip(str(source), *span, target)
        numbers, times = read(target)
        assert numbers == list(range(begin, after))
        assert np.allclose(times, np.arange(after - begin) / float(RATE), atol=0.0011)
        assert cut.copied + cut.encoded == after - begin
        assert cut.copied >= least


@pytest.mark.parametrize("after", [28, 29, 30, 45, 46])
def test_frames_before_an_open_keyframe_are_not_lost_at_the_end(tmp_path, after):
    """They come after it, and are made of the group before."""
    options = {"g": "15", "bf": "3", "x264-params": "open-gop=1:scenecut=0:log-level=error"}
    source = write(tmp_path / "a.mp4", options=options)
    cut = cut_clip(str(source), 0.0, float(after / RATE), tmp_path / "b.mp4")
    assert cut.copied > after - 4
    assert read(tmp_path / "b.mp4")[0] == list(range(after))


def test_pixels_that_mp4_has_no_sign_for_become_mkv(tmp_path):
    options = CODECS["libvpx-vp9"]
    source = write(tmp_path / "a.webm", "libvpx-vp9", pix_fmt="yuv440p", options=options)
    source = source.rename(tmp_path / "a.mp4")
    assert clip_suffix(str(source), None) == ".mkv"
    cut_clip(str(source), 20.5 / RATE, 49.5 / RATE, tmp_path / "b.mkv")
    assert read(tmp_path / "b.mkv")[0] == list(range(20, 50))
    with av.open(tmp_path / "b.mkv") as container:
        assert container.streams.video[0].codec_context.pix_fmt == "yuv440p"


def test_what_an_mp4_cannot_hold_becomes_mov(tmp_path):
    source = write(tmp_path / "a.mov", "prores_ks", pix_fmt="yuv422p10le", options={})
    source = source.rename(tmp_path / "a.mp4")
    assert clip_suffix(str(source), None) == ".mov"
    cut = cut_clip(str(source), float(20 / RATE), float(50 / RATE), tmp_path / "b.mov")
    assert (cut.copied, cut.encoded) == (30, 0)
    assert read(tmp_path / "b.mov")[0] == list(range(20, 50))
    assert clip_suffix(str(source), "libx264") == ".mp4"
    assert clip_suffix("/v/gone.mp4", None) == ".mp4"


def test_a_whole_video_that_no_file_can_hold_is_encoded_again(tmp_path):
    source = write(tmp_path / "a.flv", "flv", options={})
    target = tmp_path / f"b{clip_suffix(str(source), None)}"
    cut = cut_clip(str(source), 0.0, 9.0, target)
    assert (target.suffix, cut.copied, cut.encoded) == (".mkv", 0, COUNT)
    assert read(target)[0] == list(range(COUNT))


def test_what_a_mov_cannot_hold_becomes_matroska(tmp_path):
    """FFmpeg lists VP9 and AV1 for MOV, but refuses to write them."""
    source = write(tmp_path / "a.mov")
    for codec in ("libvpx-vp9", "libsvtav1"):
        target = tmp_path / f"b{clip_suffix(str(source), codec)}"
        cut_clip(str(source), 0.0, 0.3, target, codec=codec)
        assert (target.suffix, read(target)[0]) == (".mkv", list(range(9)))


@pytest.mark.parametrize("codec", [None, "libx264"])
def test_rotation_stays(tmp_path, codec):
    source = write(tmp_path / "a.mp4", rotation=90.0)
    cut_clip(str(source), 0.4, 2.0, tmp_path / "b.mp4", codec=codec)
    with av.open(tmp_path / "b.mp4") as container:
        assert next(container.decode(video=0)).rotation == 90


def fields(path: Path) -> tuple[set[bool], int]:
    """Return whether frames are two fields each, and the order of these by FFmpeg's number."""
    with av.open(path) as container:
        stream = container.streams.video[0]
        return {frame.interlaced_frame for frame in container.decode(stream)}, int(
            stream.codec_context.field_order
        )


@pytest.mark.parametrize("codec", [None, "libx264", "prores_ks"])
def test_fields_stay(tmp_path, codec):
    """The upper one first, which is not what encoders take for granted."""
    source = tmp_path / "a.mov"
    with av.open(write(tmp_path / "b.mp4")) as plain, av.open(source, "w") as output:
        stream = output.add_stream("libx264", rate=RATE, options=CLOSED | {"flags": "+ildct+ilme"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        graph = av.filter.Graph()
        buffer = graph.add_buffer(template=plain.streams.video[0])
        graph.link_nodes(buffer, graph.add("setfield", "tff"), graph.add("buffersink")).configure()
        for frame in plain.decode(video=0):
            graph.push(frame)
            upper_first = graph.pull()
            upper_first.pict_type = PictureType.NONE
            output.mux(stream.encode(upper_first))
        output.mux(stream.encode(None))
    cut = cut_clip(str(source), 20 / RATE, 50 / RATE, tmp_path / "c.mov", codec=codec)
    assert (0 < cut.encoded < 15) if codec is None else (cut.encoded == 30)
    assert read(tmp_path / "c.mov")[0] == list(range(20, 50))
    assert fields(source) == fields(tmp_path / "c.mov") == ({True}, 2)


def test_sound_is_copied_in_sync(tmp_path):
    """A tone begins at 1.0 s; in a clip from 0.5 s on, at 0.5 s."""
    tone = np.sin(np.arange(48_000) * 0.3).astype(np.float32)
    tone[:16_000] = 0
    source = talkie(tmp_path / "a.mov", [tone, tone[::-1].copy()], codec="pcm_s16le")
    cut_clip(str(source), 0.5, 2.0, tmp_path / "b.mov")
    with av.open(tmp_path / "b.mov") as container:
        assert len(container.streams.audio) == 2
        stream = container.streams.audio[0]
        for frame in container.decode(stream):
            t = frame.pts * float(stream.time_base) + np.arange(frame.samples) / 16_000
            loud = np.abs(frame.to_ndarray()[0]) > 3000
            if loud.any():
                assert abs(t[loud][0] - 0.5) < 0.005
                break
        else:
            pytest.fail("no sound")


def test_the_timecode_goes_on(tmp_path):
    source = coded(tmp_path / "a.mov", Fraction(25), "01:00:00:00")
    cut_clip(str(source), 0.2, 0.4, tmp_path / "b.mov")
    assert read_frame_grid(str(tmp_path / "b.mov")).timecode == 90_005


def test_uneven_times_stay(tmp_path):
    times = np.cumsum(np.random.default_rng(1).integers(1, 9, COUNT) / 90).tolist()
    source = write(tmp_path / "a.mp4", times=[t - times[0] for t in times])
    _, own = read(source)
    cut_clip(str(source), own[7], own[70], tmp_path / "b.mp4")
    numbers, shown = read(tmp_path / "b.mp4")
    assert numbers == list(range(7, 70))
    assert np.allclose(shown, np.array(own[7:70]) - own[7], atol=1e-4)


def test_a_codec_of_keyframes_is_copied_whole(tmp_path):
    source = write(tmp_path / "a.mov", "mjpeg", pix_fmt="yuvj420p", options={"qmin": "1"})
    cut = cut_clip(str(source), 0.5, 1.5, tmp_path / "b.mov")
    assert (cut.encoded, len(read(tmp_path / "b.mov")[0])) == (0, cut.copied)


def test_another_codec_is_encoded_again(tmp_path):
    source = write(tmp_path / "a.mkv", "mpeg4", options={"g": "15", "bf": "2"})
    cut = cut_clip(str(source), 1.002, 2.0, tmp_path / "b.mkv")
    assert (cut.copied, cut.encoded) == (0, 30)
    assert read(tmp_path / "b.mkv")[0] == list(range(30, 60))


def test_vp8_of_any_size_stays_vp8(tmp_path):
    options = {"g": "15", "cpu-used": "5"}
    pictures = [np.full((63, 65, 3), 6 * number, np.uint8) for number in range(40)]
    source = film(
        tmp_path / "a.webm", size=(65, 63), pictures=pictures, codec="libvpx", options=options
    )
    assert clip_suffix(str(source), None) == ".webm"
    assert cut_clip(str(source), 1.001, 2.999, tmp_path / "b.webm").encoded == 20
    with av.open(tmp_path / "b.webm") as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == "vp8"
        levels = [frame.to_ndarray(format="rgb24").mean() for frame in container.decode(video=0)]
    assert np.allclose(levels, np.arange(10, 30) * 6, atol=3)


def test_what_an_encoder_cannot_keep_is_told(tmp_path):
    source = write(tmp_path / "a.mov", "prores_ks", pix_fmt="yuv422p10le", options={})
    target = tmp_path / "b.mkv"
    for codec, kept, loss in [
        (None, "yuv422p10le", None),
        ("libx264", "yuv422p10le", None),
        (
            "libsvtav1",
            "yuv420p10le",
            "its pixels, yuv422p10le, became yuv420p10le, which hold less",
        ),
    ]:
        get_policy = getattr(os, "sched_getscheduler", lambda _: 0)
        policy = get_policy(0)
        cut = cut_clip(str(source), 0.5, 1.0, target, codec=codec)
        assert cut.loss == loss
        assert get_policy(0) == policy  # SVT-AV1 makes root's threads the first of all
        with av.open(target) as container:
            assert container.streams.video[0].codec_context.pix_fmt == kept


def test_fast_says_by_how_much_it_is_off(tmp_path):
    source = write(tmp_path / "a.mp4")
    start, end = float(20 / RATE), float(50 / RATE)
    cut = cut_clip(str(source), start, end, tmp_path / "b.mp4", fast=True)
    numbers, _ = read(tmp_path / "b.mp4")
    assert cut.encoded == 0
    assert numbers[0] == 15
    assert {*range(15, 50)} <= {*numbers}
    assert cut.start == pytest.approx(float(15 / RATE))
    early = float(5 / RATE)
    assert describe_offset(cut, start, end).startswith(f"begins {early:.3f} s early and ends")


def test_a_fast_copy_has_no_hole_before_its_last_frame(tmp_path):
    """The frame that the last ones need is shown after the end, and others come before it."""
    options = CLOSED | {"x264-params": "b-adapt=0:log-level=error"}
    source = write(tmp_path / "a.mp4", options=options)
    for after in range(50, 56):
        cut = cut_clip(
            str(source), float(31 / RATE), float(after / RATE), tmp_path / "b.mp4", fast=True
        )
        numbers, _ = read(tmp_path / "b.mp4")
        assert numbers == list(range(30, 30 + cut.copied))
        assert 30 + cut.copied >= after


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_an_odd_size_becomes_an_even_one_with_a_note(tmp_path, codec):
    pictures = [np.full((63, 65, 3), 6 * number, np.uint8) for number in range(20)]
    source = film(tmp_path / "a.mkv", size=(65, 63), pictures=pictures, codec="mpeg4")
    cut = cut_clip(str(source), 0.501, 1.499, tmp_path / "b.mkv", codec=codec)
    assert (cut.encoded, cut.loss) == (10, "its size, 65x63, became 64x64")
    with av.open(tmp_path / "b.mkv") as container:
        sizes = {(frame.width, frame.height) for frame in container.decode(video=0)}
    assert sizes == {(64, 64)}


def test_a_program_stream_is_read_from_its_beginning(tmp_path):
    """Its packets say few times; the others depend on where reading begins."""
    source = write(tmp_path / "a.mpg", "mpeg2video", options={"g": "15", "bf": "2", "qmax": "3"})
    _, times = read(source)
    for begin, after in [(0, 5), (14, 31), (50, 88)]:
        start = times[begin] - times[0] + 0.001
        cut = cut_clip(
            str(source), start, start + (after - begin) / RATE - 0.002, tmp_path / "b.mkv"
        )
        assert read(tmp_path / "b.mkv")[0] == list(range(begin, after))
        assert cut.encoded == after - begin


def test_sound_that_no_file_can_hold_becomes_samples(tmp_path):
    """A tone begins at 1.0 s; in a clip from 0.5 s on, at 0.5 s, to the sample."""
    tone = np.sin(np.arange(48_000) * 0.3).astype(np.float32)
    tone[:16_000] = 0
    source = talkie(tmp_path / "a.wmv", [tone], codec="adpcm_ms")
    target = tmp_path / f"b{clip_suffix(str(source), None)}"
    cut = cut_clip(str(source), 0.5, 2.0, target)
    assert cut.loss == "its sound, adpcm_ms, became plain samples (PCM)"
    with av.open(target) as container:
        frames = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
    samples = np.concatenate(frames)
    assert abs(len(samples) - 24_000) < 2048
    assert abs(np.flatnonzero(np.abs(samples) > 8000)[0] / 16_000 - 0.5) < 0.01


def test_two_packets_of_sound_at_one_time_are_kept(tmp_path):
    talkie(tmp_path / "a.mkv", [np.zeros(32_000, np.float32)], codec="pcm_s16le")
    with av.open(tmp_path / "a.mkv") as source, av.open(tmp_path / "b.mkv", "w") as target:
        streams = [target.add_stream_from_template(each, opaque=True) for each in source.streams]
        before = None
        for packet in source.demux():
            if packet.size:
                if packet.stream.type == "audio" and before is not None:
                    packet.pts = packet.dts = before
                    before = None
                elif packet.stream.type == "audio":
                    before = packet.pts
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    cut_clip(str(tmp_path / "b.mkv"), 0.5, 1.5, tmp_path / "c.mkv")
    with av.open(tmp_path / "c.mkv") as container:
        assert sum(packet.size > 0 for packet in container.demux(audio=0)) > 10


def test_what_cannot_be_decoded_is_told(tmp_path):
    options = {"movflags": "faststart"}
    source = damaged(write(tmp_path / "a.mp4", container_options=options), count=900)
    cut = cut_clip(str(source), 0.1, 3.0, tmp_path / "b.mp4", codec="libx264")
    assert cut.loss == "some of it cannot be decoded"
    assert 20 < cut.encoded < 90


def test_frames_without_times_of_their_own_are_not_cut(tmp_path):
    path = timed_as_decoded(tmp_path / "a.mp4")
    with pytest.raises(VideoError, match=r"a\.mp4: its timestamps jump or are missing"):
        cut_clip(str(path), 1.0, 2.0, tmp_path / "b.mp4")


@pytest.mark.skipif(not ODD.exists(), reason="needs the shared files")
@pytest.mark.parametrize(
    ("name", "start", "end", "count"),
    [
        ("hevc/mov_ibi_elst_starts_b.mp4", 0.0359, 0.2541, 7),  # the first frame before a keyframe
        ("mpeg2video/roundup997.mp4", 0.5743, 0.5851, 1),  # a frame before the first keyframe
        ("h264/extradata-reload-multi-stsd.mp4", 0.0145, 0.1149, 3),  # other parameters inside
        ("h264/mov-2elist-elist1-ends-bframe.mp4", 0.1911, 0.8308, 16),  # hidden by an edit list
        ("vp8/sintel-signbias.mp4", 0.0446, 0.1561, 3),  # frames that only others refer to
        ("vp8/sintel-signbias.mp4", 0.0, 0.4167, 9),  # which have the time of another one
    ],
)
def test_real_files_that_were_cut_wrong(tmp_path, name, start, end, count):
    target = tmp_path / "b.mkv"
    cut_clip(str(ODD / name), start, end, target)
    with av.open(target) as container:
        assert sum(1 for _ in container.decode(video=0)) == count


def pixels(path: Path) -> list[NDArray[np.int16]]:
    with av.open(path) as container:
        return [frame.to_ndarray().astype(np.int16) for frame in container.decode(video=0)]


@pytest.mark.skipif(not ODD.exists(), reason="needs the shared files")
@pytest.mark.parametrize(
    ("start", "fast", "copied"), [(2.0, False, 5), (2.2, False, 0), (2.2, True, 7)]
)
def test_what_an_old_x264_wrote_is_decoded_in_its_way(tmp_path, start, fast, copied):
    """It says its build with the first picture only; without that, its 4:4:4 becomes noise."""
    old, target = tmp_path / "a.mp4", tmp_path / "b.mp4"
    text = uuid.UUID("dc45e9bd-e6d9-48b7-962c-d820d923eeef").bytes + b"x264 - core 120 r2151"
    message = b"\x06\x05" + bytes([len(text)]) + text + b"\x80"
    with av.open(ODD / "h264/empty_edit_5s.mp4") as source, av.open(old, "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0], opaque=True)
        for packet in source.demux(video=0):
            if packet.size:
                prefix = b"" if packet.pts > 51_200 else len(message).to_bytes(4, "big") + message
                fresh = renew(packet, prefix + bytes(packet))
                fresh.stream = stream
                fresh.pts, fresh.dts = fresh.pts - 51_200, fresh.dts - 51_200
                output.mux(fresh)
    cut = cut_clip(str(old), start, 2.7 if fast else start + 0.5, target, fast=fast)
    first = round(10 * cut.start)
    shown = pixels(target)
    assert (cut.copied, len(shown)) == (copied, 7 if fast else 5)
    for own, other in zip(pixels(old)[first:], shown, strict=False):
        assert np.abs(own - other).mean() < (0.01 if copied else 1)


@pytest.mark.skipif(not ODD.exists(), reason="needs the shared files")
def test_vp9_of_10_bits_keeps_them(tmp_path):
    """As AV1, where libvpx is built without them."""
    cut = cut_clip(str(ODD / "vp9/vp92-2-20-10bit-yuv420.mp4"), 0.1, 0.25, tmp_path / "b.mkv")
    assert cut.loss is None
    with av.open(tmp_path / "b.mkv") as container:
        context = container.streams.video[0].codec_context
        assert context.pix_fmt == "yuv420p10le"
        assert context.codec.canonical_name in ("vp9", "av1")


def test_what_has_no_times_is_refused(tmp_path):
    source = write(tmp_path / "a.avi", "mpeg4", options={})
    with pytest.raises(VideoError, match=r"a\.avi: its timestamps"):
        cut_clip(str(source), 0.5, 1.0, tmp_path / "b.mkv")


def test_encoders_are_checked():
    assert check_encoder("h264") == "libx264"
    assert check_encoder("mpeg4") == "mpeg4"
    for name in ("docx", "aac"):
        with pytest.raises(UsageError, match=f"`codec` '{name}'"):
            check_encoder(name)
