"""Spark beside the local engine and beside the second article's own job, and ten kills.

    python benchmarks/spark.py [--videos DIR] [--minutes 10] [--out FILE] [--only equality,speed,…]

Needs Java, framefind's extra [spark] and its `demo` extra; for `article` also torch, transformers,
sentence-transformers and imageio-ffmpeg. Every run is a process of its own. Films are made
(`support/footage.py`) and kept in --folder. Four parts:

- `equality`: --videos indexed by the local engine and in local[2]: the same rows, and how far
  vectors differ.
- `speed`: --minutes of 1080p film in four files, by the local engine, in local[2], and in local[1]
  (one task at a time, which decodes beside embedding, so it may use more than one core: how many is
  printed). Seconds are of the work; starting Spark is told apart. CPU seconds are of all processes.
- `article`: the second article's job in local[2]: bytes of videos by `binaryFile`, all frames
  scaled by ffmpeg, ten random ones embedded by CLIP (ViT-B/32, random weights) in a UDF, written
  as Parquet; and framefind's with the same model, `count=10,random=0`, in local[2].
- `kills`: --videos, or the films, in local[2] killed --kills times at random moments, every other
  time with all its processes; then run to its end and compared as in `equality`.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
Facts = dict[str, Any]
FIELDS = "video_id copies size modified duration width height fps codec sampler views frames "
FIELDS += "indexed_until status error"


def main() -> None:
    """Measure, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, help="a folder of real videos")
    parser.add_argument("--minutes", type=float, default=10, help="of film for `speed`")
    parser.add_argument("--clips", type=int, default=8, help="of 30 s each, for `article`")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--only", default="equality,speed,article,kills")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "footage"))
    parser.add_argument("--out", type=Path, help="JSON")
    chosen = parser.parse_args()
    measured: Facts = {}
    with tempfile.TemporaryDirectory() as scratch:
        for part in chosen.only.split(","):
            measured[part] = PARTS[part](chosen, Path(scratch, part))
            for line in lines(part, measured[part]):
                print(line, flush=True)
    if chosen.out:
        chosen.out.write_text(json.dumps(measured, indent=1, default=str) + "\n", "utf-8")


# -- the parts


def equality(chosen: argparse.Namespace, scratch: Path) -> Facts:
    videos = str(chosen.videos or films(chosen, chosen.minutes))
    local = run("local", videos, str(scratch / "local"))
    spark = run("spark", videos, str(scratch / "spark"), master="local[2]")
    return {"local": local, "local[2]": spark, **compared(scratch / "local", scratch / "spark")}


def speed(chosen: argparse.Namespace, scratch: Path) -> Facts:
    folder = str(films(chosen, chosen.minutes))
    return {
        "local engine": run("local", folder, str(scratch / "a")),
        "local[2]": run("spark", folder, str(scratch / "b"), master="local[2]"),
        "local[1]": run("spark", folder, str(scratch / "c"), master="local[1]"),
        **compared(scratch / "a", scratch / "b"),
    }


def article(chosen: argparse.Namespace, scratch: Path) -> Facts:
    from support.random_clip import make_model

    model = str(make_model(chosen.folder / "vit-b-32"))
    folder = chosen.folder / f"clips-{chosen.clips}"
    if not folder.exists():
        from support.footage import film

        for number in range(chosen.clips):
            kind, gop = (("street", 2), ("lecture", 10))[number % 2]
            made_film = film(chosen.folder, kind, gop, 30)
            folder.mkdir(exist_ok=True)
            data = made_film.read_bytes()
            # an MP4 may end with a box that is free to hold anything: no two are the same video
            (folder / f"{number}.mp4").write_bytes(data + b"\0\0\0\x0cfree" + number.to_bytes(4))
    how = {"model": f"local-dir:{model}", "sampler": "count=10,random=0", "views": "whole"}
    ours = {**how, "precision": "fp32", "master": "local[2]"}
    return {
        "second article": run("theirs", str(folder), str(scratch / "theirs"), model=model),
        "framefind": run("spark", str(folder), str(scratch / "ours"), **ours),
    }


def kills(chosen: argparse.Namespace, scratch: Path) -> Facts:
    videos = str(chosen.videos or films(chosen, chosen.minutes))
    run("local", videos, str(scratch / "local"))
    whole: float = run("spark", videos, str(scratch / "whole"), master="local[2]")["seconds"]
    moments = random.Random(0)
    most = whole
    library = scratch / "killed"
    ends = 0
    delays = []
    while len(delays) < chosen.kills:
        child = start("spark", videos, str(library), master="local[2]")
        assert child.stdout
        while child.stdout.readline().strip() != "ready":
            assert child.poll() is None
        delay = moments.uniform(0, most)
        try:
            child.wait(delay)
        except subprocess.TimeoutExpired:
            delays.append(round(delay, 2))
            if len(delays) % 2:
                child.kill()
            else:
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        else:  # too late: all is there; once more, and faster
            ends = ends + 1
            most = 0.7 * most
            assert _same(compared(scratch / "local", library))
            shutil.rmtree(library)
    ended = run("spark", videos, str(library), master="local[2]")
    summary = {
        "killed after seconds": delays,
        "ended before it was killed": ends,
        "last run": ended,
    }
    return {**summary, **compared(scratch / "local", library)}


def _same(facts: Facts) -> bool:
    return not facts["videos that differ"] and (
        facts["frames"] == facts["frames by Spark"] == facts["frames that are equal"]
    )


PARTS = {"equality": equality, "speed": speed, "article": article, "kills": kills}


def films(chosen: argparse.Namespace, minutes: float) -> Path:
    """Make a folder of four films, of two kinds, that last so long together."""
    from support.footage import film

    seconds = round(60 * minutes / 4)
    folder = chosen.folder / f"four-{seconds}s"
    for number, (kind, gop) in enumerate([("street", 2), ("lecture", 10)] * 2):
        made_film = film(chosen.folder, kind, gop, seconds + number // 2)
        folder.mkdir(exist_ok=True)
        if not (folder / made_film.name).exists():
            shutil.copy(made_film, folder)
    return folder


def compared(reference: Path, result: Path) -> Facts:
    """Return how two libraries differ: in rows, in frames, in vectors."""
    import framefind
    from conftest import content

    libraries = framefind.open(reference), framefind.open(result)
    rows, other_rows = (
        {row.path: [getattr(row, name) for name in FIELDS.split()] for row in library.videos()}
        for library in libraries
    )
    paths = rows.keys() | other_rows.keys()
    differing = [path for path in paths if rows.get(path) != other_rows.get(path)]
    frames, other_frames = map(content, libraries)
    equal_frames = 0
    largest_difference = 0.0
    for path in frames.keys() & other_frames.keys():
        for (t, jpeg, vectors), (other_t, other_jpeg, other_vectors) in zip(
            frames[path][1], other_frames[path][1], strict=False
        ):
            equal_frames += (t, jpeg) == (other_t, other_jpeg)
            difference = float(np.abs(vectors - other_vectors).max())
            largest_difference = max(largest_difference, difference)
    return {
        "videos": len(rows),
        "videos that differ": [(path, rows.get(path), other_rows.get(path)) for path in differing],
        "frames": sum(len(video) for _, video in frames.values()),
        "frames by Spark": sum(len(video) for _, video in other_frames.values()),
        "frames that are equal": equal_frames,
        "largest difference of a component": largest_difference,
    }


# -- processes


def run(engine: str, *where: str, **how: Any) -> Facts:
    """Run in a process of its own; its facts, with CPU seconds of all processes it started."""
    child = start(engine, *where, **how)
    spent: dict[tuple[str, str], float] = {}
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(child.pid, spent, ended))
    watch.start()
    assert child.stdout
    output = child.stdout.read()
    failed = child.wait()
    ended.set()
    watch.join()
    if failed:
        raise SystemExit(f"{engine} failed")
    facts: Facts = json.loads(output.splitlines()[-1])
    print(f"{engine} {how.get('master', '')}: {facts['seconds']:.1f} s", file=sys.stderr)
    return facts | {"cpu": sum(spent.values())}


def _watch(session: int, spent: dict[tuple[str, str], float], ended: threading.Event) -> None:
    """Note the CPU seconds of every process of a session, by its id and start (Linux)."""
    ticks = os.sysconf("SC_CLK_TCK")
    while not ended.wait(0.1):
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError, IndexError):
                facts = stat.read_text().rpartition(")")[2].split()
                if int(facts[3]) == session:
                    spent[stat.parent.name, facts[19]] = sum(map(int, facts[11:13])) / ticks


def start(engine: str, *where: str, **how: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, __file__, "--as", engine, json.dumps([*where]), json.dumps(how)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)


def local(videos: str, library: str) -> Facts:
    import framefind

    opened = framefind.open(library)
    began = time.perf_counter()
    report = opened.index(videos)
    return {"seconds": time.perf_counter() - began, "frames": report.frames}


def spark(videos: str, library: str, master: str, precision: str = "auto", **how: Any) -> Facts:
    import framefind
    from framefind import spark as engine

    began = time.perf_counter()
    session = engine.session(master)
    started = time.perf_counter() - began
    print("ready", flush=True)
    began = time.perf_counter()
    opened = framefind.open(library, precision=precision)
    report = engine.index(session, videos, opened, **how)
    seconds = time.perf_counter() - began
    session.stop()
    return {"seconds": seconds, "start": started, "frames": report.frames}


def theirs(videos: str, folder: str, model: str) -> Facts:
    """Run the second article's job, as its text describes it."""
    from framefind.spark import session as open_session

    began = time.perf_counter()
    session = open_session("local[2]", **{"spark.driver.memory": "2g"})
    started = time.perf_counter() - began
    from pyspark.sql.functions import udf

    embed = udf(_ten_random_frames(model), "array<array<float>>")
    began = time.perf_counter()
    df = session.read.format("binaryFile").option("pathGlobFilter", "*.mp4").load(videos)
    df.select("path", embed("content").alias("embeddings")).write.parquet(folder)
    seconds = time.perf_counter() - began
    frames = session.read.parquet(folder).selectExpr("sum(size(embeddings)) AS n").first()
    tasks = session.read.format("binaryFile").load(videos).rdd.getNumPartitions()
    session.stop()
    return {"seconds": seconds, "start": started, "frames": int(frames.n), "tasks": tasks}


def _ten_random_frames(folder: str) -> Any:
    """Return a UDF that scales all frames of a video by ffmpeg and embeds ten random ones."""

    def embed(content: bytes) -> list[list[float]]:
        import subprocess
        import tempfile

        import imageio_ffmpeg
        import numpy
        import sentence_transformers
        import torch
        from PIL import Image
        from sentence_transformers.models import CLIPModel

        kept = sentence_transformers.__dict__
        if "_kept_model" not in kept:  # once per worker
            torch.set_num_threads(1)
            kept["_kept_model"] = sentence_transformers.SentenceTransformer(
                modules=[CLIPModel(folder)]
            )
        with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
            file.write(content)
            file.flush()
            scale = ["-vf", "scale=224:224", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", file.name, *scale]
            data = subprocess.run(command, capture_output=True, check=True).stdout
        frames = numpy.frombuffer(data, numpy.uint8).reshape(-1, 224, 224, 3)
        chosen = numpy.sort(numpy.random.default_rng(0).choice(len(frames), 10, replace=False))
        vectors: list[list[float]] = (
            kept["_kept_model"].encode([Image.fromarray(frames[at]) for at in chosen]).tolist()
        )
        return vectors

    return embed


def lines(part: str, measured: Facts) -> list[str]:
    """Return a part's results as a table."""
    rows = [f"## {part}", "", "| run | seconds | CPU seconds | cores used | start | frames |"]
    rows.append("|---|---|---|---|---|---|")
    for name, facts in measured.items():
        if isinstance(facts, dict):
            seconds = facts["seconds"]
            cpu = facts["cpu"]
            begun = facts.get("start", 0.0)
            used = cpu / (seconds + begun)
            rows.append(
                f"| {name} | {seconds:.1f} | {cpu:.0f} | {used:.2f} | {begun:.1f} "
                f"| {facts['frames']} |"
            )
    rows += [
        "",
        *(f"{name}: {fact}" for name, fact in measured.items() if not isinstance(fact, dict)),
    ]
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--as"]:
        job = {"local": local, "spark": spark, "theirs": theirs}[sys.argv[2]]
        print(json.dumps(job(*json.loads(sys.argv[3]), **json.loads(sys.argv[4]))))
    else:
        main()
