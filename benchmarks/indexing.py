"""How fast is indexing, and how near to what the machine can do? All in one run, alternating.

    python benchmarks/indexing.py [--seconds 20] [--long 600] [--rounds 3] [--out FILE]

Needs torch, transformers, sentence-transformers, opencv-python-headless and imageio-ffmpeg besides
framefind and its `demo` extra. Films are made (`footage.py`) and kept in --folder; --videos adds a
folder of real ones. The contenders (`contenders.py`) run in processes of their own, in turn:

- the same work with ViT-B/32 (random weights): the first article's algorithm, as its text describes
  it, and framefind with the same frames, patches, architecture and weights, in fp32 and int8; the
  second article's (ten random frames), and framefind's ten random frames;
- framefind's default on long films, beside what the machine can do: decoding all frames, decoding
  what the sampler needs, embedding, each on all cores.

Printed are medians (least to most) of the seconds of the work itself; CPU is user and system time
of the whole process tree, and memory the highest sum of its proportional shares. Vectors of the
same work are compared as they are, and less their common mean, which tells more.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from clip import made
from footage import film
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from samples import frames

import framefind

HERE = Path(__file__).parent
KINDS = [("street", 2), ("street", 10), ("lecture", 2), ("lecture", 10)]
PATCHES = {"sampler": "every=1.0", "views": "360/180"}
TEN = {"sampler": "count=10,random=0", "views": "whole"}


@dataclass
class Job:
    """One contender on one film. `vectors` is where it leaves its vectors, if it does."""

    group: str
    name: str
    what: str
    arguments: dict[str, Any]
    runs: list[dict[str, Any]] = field(default_factory=list)

    def median(self, key: str) -> float:
        return statistics.median(run[key] for run in self.runs)


def main() -> None:
    """Measure, compare, print a table, write JSON and a picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=20, help="of film for the articles' work")
    parser.add_argument("--long", type=int, default=600, help="seconds of the long films")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir(), "footage"))
    parser.add_argument("--videos", type=Path, help="a folder of real videos, for the default")
    parser.add_argument("--only", default="", help="only groups whose name contains this")
    parser.add_argument("--out", type=Path, help="JSON; the picture goes beside it")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        jobs = [job for job in _jobs(chosen, Path(scratch)) if chosen.only in job.group]
        for _ in range(chosen.rounds):
            for job in jobs:
                job.runs.append(_run(job, Path(scratch)))
                print(f"{job.group}: {job.name}: {job.runs[-1]['seconds']:.2f} s", file=sys.stderr)
        likeness = _likeness(jobs, Path(scratch))
    for line in _table(jobs, likeness):
        print(line)
    if chosen.out:
        facts = {"machine": _machine(), "likeness": likeness, "jobs": [vars(job) for job in jobs]}
        chosen.out.write_text(json.dumps(facts, indent=1, default=str) + "\n", "utf-8")
        _draw(jobs, chosen.out.with_suffix(".png"))


def _jobs(chosen: argparse.Namespace, scratch: Path) -> list[Job]:
    clip, folder = made(chosen.folder / "vit-b-32"), chosen.folder
    local, jobs = f"local-dir:{clip}", []
    for kind, gop in KINDS[:1] + KINDS[3:]:
        one = str(film(folder, kind, gop, chosen.seconds))
        group = f"patches, {kind}, keyframe every {gop} s, {chosen.seconds} s"
        saved = {"film": one, "folder": str(clip), "vectors": str(scratch / f"{group}.npy")}
        jobs.append(Job(group, "first article", "first_article", saved))
        for precision in ("fp32", "int8"):
            ours = {"film": one, "model": local, "precision": precision, **PATCHES}
            jobs.append(Job(group, f"framefind {precision}", "framefind", ours))
        group = f"ten frames, {kind}, keyframe every {gop} s, {3 * chosen.seconds} s"
        one = str(film(folder, kind, gop, 3 * chosen.seconds))
        saved = {"film": one, "folder": str(clip), "vectors": str(scratch / f"{group}.npy")}
        jobs.append(Job(group, "second article", "second_article", {**saved, "count": 10}))
        ours = {"film": one, "model": local, "precision": "fp32", **TEN}
        jobs.append(Job(group, "framefind fp32", "framefind", ours))
    mini = {"model": "mini", "precision": "auto"}
    for kind, gop in KINDS:
        one = str(film(folder, kind, gop, chosen.long))
        for sampler, views in (
            ("every=1.0", chosen.long * 4),
            ("keyframes", chosen.long // gop * 4),
        ):
            group = f"{sampler}, {kind}, keyframe every {gop} s, {chosen.long} s"
            run = {"film": one, **mini, "sampler": sampler}
            jobs.append(Job(group, "framefind", "framefind", run))
            jobs.append(
                Job(group, "decode needed", "decode_needed", {"film": one, "sampler": sampler})
            )
            jobs.append(Job(group, "embed", "embed_only", {**mini, "views": views}))
            if sampler != "keyframes":
                jobs.append(Job(group, "decode all", "decode_all", {"film": one}))
    if chosen.videos:
        run = {"film": str(chosen.videos), **mini}
        jobs.append(Job("real videos", "framefind", "framefind", run))
    return jobs


def _run(job: Job, scratch: Path) -> dict[str, Any]:
    """Run a job in a process of its own; its facts, with CPU seconds and the peak of memory."""
    library = scratch / f"{job.group} {job.name}"
    arguments = dict(job.arguments)
    if job.what == "framefind":
        subprocess.run(["rm", "-rf", str(library)], check=True)
        arguments["library"] = str(library)
    described = scratch / "job.json"
    described.write_text(json.dumps(arguments), "utf-8")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, str(HERE / "contenders.py"), job.what, str(described)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        memory = _Memory(process.pid)
        assert process.stdout
        said = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"{job.group}: {job.name} failed")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**json.loads(said.splitlines()[-1]), "cpu": cpu, "memory_mb": memory.end() / 1e6}


class _Memory:
    """The highest sum of the proportional memory of a process and its descendants (Linux)."""

    def __init__(self, pid: int) -> None:
        self._pid, self._most, self._ended = pid, 0, threading.Event()
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
    for one in family:
        family += [child for child, parent in parents.items() if parent == one]
    return family


def _share(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _likeness(jobs: Sequence[Job], scratch: Path) -> dict[str, list[float]]:
    """The lowest cosines with the first article's vectors: as they are, less their mean."""
    found = {}
    for job in jobs:
        saved = scratch / f"{job.group}.npy"
        if job.what != "framefind" or not job.group.startswith("patches") or not saved.exists():
            continue
        theirs = _unit(np.load(saved).reshape(-1, 512).astype(np.float32))
        library = framefind.open(scratch / f"{job.group} {job.name}")
        ((_, own),) = frames(library).items()
        ours = _unit(np.concatenate(own))
        mean = theirs.mean(axis=0)
        centred = (_unit(ours - mean) * _unit(theirs - mean)).sum(axis=1)
        found[f"{job.group}: {job.name}"] = [
            round(float((ours * theirs).sum(axis=1).min()), 4),
            round(float(np.median(centred)), 4),
        ]
    return found


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _table(jobs: Sequence[Job], likeness: dict[str, list[float]]) -> list[str]:
    lines = [
        "| work | contender | seconds | CPU seconds | memory, MB | |",
        "|---|---|---|---|---|---|",
    ]
    groups: dict[str, list[Job]] = defaultdict(list)
    for job in jobs:
        groups[job.group].append(job)
    for group, members in groups.items():
        for job in members:
            all_seconds = [run["seconds"] for run in job.runs]
            notes = []
            if job is not members[0] and "article" in members[0].name:
                notes.append(
                    f"{members[0].median('seconds') / job.median('seconds'):.1f} × as fast"
                )
            if "speed" in job.runs[0]:
                notes.append(f"{job.median('speed'):.0f} × real time")
            limits = [one for one in members if one.name in ("decode needed", "embed")]
            if job.name == "framefind" and limits:
                whole = sum(one.median("seconds") for one in limits)
                notes.append(f"{job.median('seconds') / whole:.2f} × the limits' sum")
            if job.what == "framefind" and f"{group}: {job.name}" in likeness:
                plain, centred = likeness[f"{group}: {job.name}"]
                notes.append(f"cosine ≥ {plain}, less the mean {centred}")
            spread = f"{min(all_seconds):.2f} to {max(all_seconds):.2f}"
            cells = [group, job.name, f"{job.median('seconds'):.2f} ({spread})"]
            cells += [f"{job.median('cpu'):.1f}", f"{job.median('memory_mb'):.0f}"]
            lines.append("| " + " | ".join([*cells, "; ".join(notes)]) + " |")
    return lines


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


def _draw(jobs: Sequence[Job], path: Path) -> None:
    """Bars of seconds, each group to its own scale."""
    width, row, left = 1100, 24, 620
    groups = list(dict.fromkeys(job.group for job in jobs))
    height = row * (len(jobs) + 2 * len(groups)) + row
    page = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(page)
    y = row // 2
    for group in groups:
        members = [job for job in jobs if job.group == group]
        most = max(job.median("seconds") for job in members)
        draw.text((10, y), group, "black", font_size=16)
        y += row
        for job in members:
            seconds = job.median("seconds")
            colour = (40, 100, 200) if job.what == "framefind" else (170, 170, 170)
            draw.text((left - 250, y), job.name, "black", font_size=14)
            draw.rectangle(
                (left - 100, y + 2, left - 100 + 450 * seconds / most, y + row - 6), fill=colour
            )
            draw.text((left + 360, y), f"{seconds:.2f} s", "black", font_size=14)
            y += row
        y += row
    page.save(path)


if __name__ == "__main__":
    main()
