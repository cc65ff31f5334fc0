"""How fast is indexing, and how near to what the machine can do? All in one run, alternating.

    python benchmarks/indexing.py [--rounds 3] [--minutes 15] [--out FILE.json]

Needs torch, onnx, transformers, sentence-transformers, opencv-python-headless and imageio-ffmpeg
besides framefind and its `demo` extra; OpenVINO is measured where it is installed. Films are made
(`support/footage.py`) and kept in --folder; --videos adds a folder of real ones. The contenders
(`support/contenders.py`) run in processes of their own, in turn:

- the same work with ViT-B/32 (random weights): the first article's algorithm, as its text describes
  it, and framefind with the same frames, patches, architecture and weights, in fp32, in int8 and,
  by OpenVINO, in bf16; the second article's (ten random frames), and framefind's;
- framefind's default on long films, beside what the machine can do: decoding all frames, decoding
  what the sampler needs, embedding, each on all cores;
- many clips of two seconds, and the same again, unchanged.

Printed are medians (least to most) of the seconds of the work itself; CPU is user and system time
of the whole process tree, and memory the highest sum of its proportional shares. Vectors of the
same work are compared as they are, and less their common mean, which tells more. `report.py` makes
the tables and the picture; it does so again from the JSON file.
"""

import argparse
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import report
from numpy.typing import NDArray
from support.footage import clips, film
from support.random_clip import make_model
from support.samples import frames

import framefind

HERE = Path(__file__).parent
KINDS = [("street", 2), ("street", 10), ("lecture", 2), ("lecture", 10)]
PATCHES = {"sampler": "every=1.0", "views": "360/180"}
TEN = {"sampler": "count=10,random=0", "views": "whole"}
MINI = {"model": "mini", "precision": "auto"}


@dataclass
class Job:
    """One contender (`name`) at one piece of work (`group`), of which `part` of the report.

    `task` is the function of `support/contenders.py` that does it; `once`: in the first round only.
    """

    part: str
    group: str
    name: str
    task: str
    arguments: dict[str, Any]
    once: bool = False
    runs: list[dict[str, Any]] = field(default_factory=list)


def main() -> None:
    """Measure, compare, print tables, write JSON and a picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=10, help="of film for the first article")
    parser.add_argument("--minute", type=int, default=60, help="seconds of film for the second")
    parser.add_argument("--long", type=int, default=600, help="seconds of the long films")
    parser.add_argument("--clips", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=60.0, help="then no more is begun")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "footage"))
    parser.add_argument("--videos", type=Path, help="a folder of real videos, for the default")
    parser.add_argument("--only", default="", help="only groups whose name contains this")
    parser.add_argument("--out", type=Path, help="JSON; the picture goes beside it")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        everything = _same_work(chosen, Path(scratch)) + _default(chosen)
        jobs = [job for job in everything if chosen.only in job.group]
        _measure(jobs, chosen, Path(scratch))
        likeness = _likeness(jobs, Path(scratch))
    facts = {"machine": _machine(), "likeness": likeness, "jobs": [vars(job) for job in jobs]}
    print("\n".join(report.tables(facts)))
    if chosen.out:
        chosen.out.write_text(json.dumps(facts, indent=1, default=str) + "\n", "utf-8")
        report.draw(facts, chosen.out.with_suffix(".png"))


def _measure(jobs: Sequence[Job], chosen: argparse.Namespace, scratch: Path) -> None:
    """Run all jobs in turn, round by round, as long as there is time; each at least once."""
    end = time.monotonic() + 60 * chosen.minutes
    for number in range(chosen.rounds):
        for job in jobs:
            if number and (job.once or time.monotonic() > end):
                continue
            job.runs.append(_run(job, scratch))
            print(f"{job.group}: {job.name}: {job.runs[-1]['seconds']:.2f} s", file=sys.stderr)


def _same_work(chosen: argparse.Namespace, scratch: Path) -> list[Job]:
    """List the jobs of the articles' work, done by them and by us."""
    clip = make_model(chosen.folder / "vit-b-32")
    folder = chosen.folder
    ours = {"fp32": {"precision": "fp32", "device": "cpu"}, "int8": {"precision": "int8"}}
    if find_spec("openvino"):
        ours["bf16 (OpenVINO)"] = {"precision": "fp32", "device": "openvino"}
    jobs = []
    for task, more, seconds, how in (
        ("first_article", {}, chosen.seconds, PATCHES),
        ("second_article", {"count": 10}, chosen.minute, TEN),
    ):
        name = task.replace("_", " ")
        group = f"{name}: {seconds} s of film"
        path = str(film(folder, "street", 2, seconds))
        saved = {"film": path, "folder": str(clip), "vectors": str(scratch / f"{group}.npy")}
        jobs.append(Job("same work", group, name, task, saved | more))
        for numbers, engine in ours.items():
            run = {"film": path, "model": f"local-dir:{clip}", "loaded": True, **engine, **how}
            jobs.append(Job("same work", group, f"framefind, {numbers}", "framefind", run))
    return jobs


def _default(chosen: argparse.Namespace) -> list[Job]:
    """List the jobs of the default: long films and the limits, many clips, real videos."""
    jobs = []
    for kind, gop in KINDS:
        path = str(film(chosen.folder, kind, gop, chosen.long))
        for sampler, many in (("every=1.0", chosen.long), ("keyframes", chosen.long // gop)):
            group = f"{kind}, keyframe every {gop} s, {chosen.long} s, {sampler}"
            run = {"film": path, "sampler": sampler}
            jobs += [
                Job(sampler, group, "framefind", "framefind", run | MINI),
                Job(sampler, group, "decode needed", "decode_needed", run),
                Job(sampler, group, "embed", "embed_only", {**MINI, "views": 4 * many}),
            ]
            if sampler != "keyframes":
                whole = {"film": path}
                jobs.append(Job(sampler, group, "decode all", "decode_all", whole, once=True))
    if chosen.clips:
        group = f"{chosen.clips} clips of 2 s"
        run = {"film": str(clips(chosen.folder, chosen.clips))}
        jobs.append(Job("many files", group, "framefind", "framefind", run | MINI, once=True))
        jobs.append(Job("many files", group, "again, unchanged", "unchanged", run))
    if chosen.videos:
        run = {"film": str(chosen.videos)} | MINI
        jobs.append(Job("many files", "real videos", "framefind", "framefind", run))
    return jobs


def _run(job: Job, scratch: Path) -> dict[str, Any]:
    """Run a job in a process of its own; its facts, with CPU seconds and the peak of memory."""
    arguments = dict(job.arguments)
    if job.task == "framefind":
        arguments["library"] = str(_library(job, scratch))
        shutil.rmtree(arguments["library"], ignore_errors=True)
    if job.task == "unchanged":
        arguments["library"] = str(scratch / f"{job.group} framefind")
    described = scratch / "job.json"
    described.write_text(json.dumps(arguments), "utf-8")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, str(HERE / "support/contenders.py"), job.task, str(described)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        memory = _Memory(process.pid)
        assert process.stdout
        output = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"{job.group}: {job.name} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**json.loads(output.splitlines()[-1]), "cpu": cpu, "memory_mb": memory.end() / 1e6}


def _library(job: Job, scratch: Path) -> Path:
    return scratch / f"{job.group} {job.name}"


class _Memory:
    """The highest sum of the proportional memory of a process and its descendants (Linux)."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def end(self) -> int:
        self._ended.set()
        self._thread.join()
        return self._most

    def _watch(self) -> None:
        while not self._ended.wait(0.25):
            self._most = max(self._most, sum(map(_share, _family(self._pid))))


def _family(pid: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int(
                (entry / "stat").read_text().rpartition(")")[2].split()[1]
            )
        except (OSError, ValueError, IndexError):
            continue
    family = [pid]
    for member in family:
        family += [child for child, parent in parents.items() if parent == member]
    return family


def _share(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _likeness(jobs: Sequence[Job], scratch: Path) -> dict[str, list[float]]:
    """Cosines with the first article's vectors: the lowest, and less their mean the median."""
    cosines = {}
    for job in jobs:
        saved = scratch / f"{job.group}.npy"
        if job.task != "framefind" or job.arguments.get("views") != PATCHES["views"]:
            continue
        theirs = _unit(np.load(saved).reshape(-1, 512).astype(np.float32))
        library = framefind.open(_library(job, scratch))
        ((_, own),) = frames(library).items()
        ours = _unit(np.concatenate(own))
        mean = theirs.mean(axis=0)
        centred = (_unit(ours - mean) * _unit(theirs - mean)).sum(axis=1)
        cosines[f"{job.group}: {job.name}"] = [
            round(float((ours * theirs).sum(axis=1).min()), 4),
            round(float(np.median(centred)), 4),
        ]
    return cosines


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _machine() -> dict[str, Any]:
    names = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "processor": names[0].partition(": ")[2] if names else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load": os.getloadavg(),
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "command": " ".join(sys.argv),
    }


if __name__ == "__main__":
    main()
