"""Measure how much of a video in an object store is read.

    python benchmarks/stores.py URI SAMPLER…
    python benchmarks/stores.py FILE --film HOURS

Counts bytes and requests, which depend on nothing but the file; the times do. `SAMPLER@SECONDS`
samples only so much of it. `--film` writes a film to measure with: ten seconds at about
4.3 Mbit/s with one keyframe, again and again, with sound.
"""

import argparse
import io
import time
from fractions import Fraction

import av
import numpy as np

from framefind.video.decode import Video
from framefind.video.samplers import parse_sampler


def measure(uri: str, sampler: str, seconds: str) -> str:
    began = time.perf_counter()
    with Video(uri) as video:
        if video.remote is None:
            raise SystemExit(f"{uri} lies on a disk")
        end = float(seconds or "inf")
        frames = sum(1 for _ in video.frames(parse_sampler(sampler), 0.0, end))
        part = video.remote.fetched / video.remote.size
        return (
            f"{sampler:20} {frames:6} frames  {video.remote.fetched / 1e6:8.1f} MB  "
            f"{100 * part:6.2f} % of the file  {video.remote.requests:5} requests  "
            f"{time.perf_counter() - began:.1f} s"
        )


def write_film(path: str, hours: float) -> None:
    with av.open(io.BytesIO(ten_seconds())) as source, av.open(path, "w") as output:
        video = source.streams.video[0]
        sound = source.streams.audio[0]
        into = {stream: output.add_stream_from_template(stream) for stream in (video, sound)}
        packets = [packet for packet in source.demux(video, sound) if packet.size]
        packets.sort(key=lambda packet: (packet.dts or 0) * packet.time_base)
        for at in range(int(hours * 360)):
            for packet in packets:
                copy = av.Packet(bytes(packet))
                later = int(10 * at / packet.time_base)
                copy.pts = (packet.pts or 0) + later
                copy.dts = (packet.dts or 0) + later
                copy.duration = packet.duration
                copy.time_base = packet.time_base
                copy.is_keyframe = packet.is_keyframe
                copy.stream = into[packet.stream]
                output.mux(copy)


def ten_seconds() -> bytes:
    rng = np.random.default_rng(0)
    file = io.BytesIO()
    coarse = rng.integers(0, 256, (90, 160, 3), np.uint8)
    with av.open(file, "w", format="mp4") as output:
        video = output.add_stream("libx264", rate=24)
        sound = output.add_stream("aac", rate=48_000)
        video.width = 1280
        video.height = 720
        video.pix_fmt = "yuv420p"
        video.bit_rate = 4_200_000
        video.options = {"g": "240", "preset": "veryfast", "sc_threshold": "0"}
        for at in range(240):
            moved = np.roll(coarse, (at // 2, at), (0, 1)).repeat(8, 0).repeat(8, 1)
            noisy = moved.astype(np.int16) + rng.integers(-12, 12, (720, 1280, 1))
            picture = av.VideoFrame.from_ndarray(np.clip(noisy, 0, 255).astype(np.uint8))
            picture.pts = at
            picture.time_base = Fraction(1, 24)
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
        for at in range(468):
            noise = rng.normal(0, 0.1, (2, 1024)).astype(np.float32)
            samples = av.AudioFrame.from_ndarray(noise, "fltp", "stereo")
            samples.sample_rate = 48_000
            samples.pts = 1024 * at
            output.mux(sound.encode(samples))
        output.mux(sound.encode(None))
    return file.getvalue()


def main() -> None:
    """Measure the samplers one after another, or write the film."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("uri", help="the video, or where to write the film")
    parser.add_argument("samplers", nargs="*", help="such as keyframes or every=1.0@600")
    parser.add_argument("--film", type=float, metavar="HOURS", help="write a film this long")
    options = parser.parse_args()
    if options.film:
        write_film(options.uri, options.film)
    for described in options.samplers:
        sampler, _, seconds = described.partition("@")
        print(measure(options.uri, sampler, seconds), flush=True)


if __name__ == "__main__":
    main()
