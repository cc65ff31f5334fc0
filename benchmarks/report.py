"""Tables and a picture of what `indexing.py` measured.

python benchmarks/report.py FILE.json [--picture FILE.png]
"""

import argparse
import json
import statistics
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

Job = dict[str, Any]

OURS = (38, 98, 196)
LIMIT = (176, 176, 176)


def main() -> None:
    """Print the tables of a file of measurements, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--picture", type=Path)
    chosen = parser.parse_args()
    facts = json.loads(chosen.file.read_text("utf-8"))
    print("\n".join(tables(facts)))
    if chosen.picture:
        draw(facts, chosen.picture)


def tables(facts: dict[str, Any]) -> list[str]:
    """Markdown of all that was measured."""
    machine = facts["machine"]
    lines = []
    load = ", ".join(f"{value:.1f}" for value in machine["load"])
    lines.append(
        f"{machine['processor']}, {machine['cores']} cores, {machine['date']}; load {load}"
    )
    lines.append(f"\n`{machine['command']}`")
    for part in dict.fromkeys(job["part"] for job in facts["jobs"]):
        jobs = [job for job in facts["jobs"] if job["part"] == part]
        groups = [[job for job in jobs if job["group"] == name] for name in _groups(jobs)]
        lines.append("")
        if part == "same work":
            lines += _same_work(groups, facts["likeness"])
        elif part == "many files":
            lines += _many_files(groups)
        else:
            lines += _limits(groups)
    return lines


def _limits(groups: list[list[Job]]) -> list[str]:
    lines = [
        "| film | framefind | × real time | decoding what is needed + embedding | × their sum "
        "| decoding all | memory, all processes |",
        "|---|---|---|---|---|---|---|",
    ]
    for jobs in groups:
        named = {job["name"]: job for job in jobs}
        ours, decode, embed = (named[name] for name in ("framefind", "decode needed", "embed"))
        whole = median(decode) + median(embed)
        everything = f"{median(named['decode all']):.1f} s" if "decode all" in named else ""
        cells = [ours["group"], spread(ours), f"{median(ours, 'speed'):.0f}"]
        cells += [f"{median(decode):.1f} + {median(embed):.1f} s"]
        cells += [f"{median(ours) / whole:.2f}", everything]
        lines.append(_row([*cells, f"{max(run['memory_mb'] for run in ours['runs']):.0f} MB"]))
    return lines


def _same_work(groups: list[list[Job]], likeness: dict[str, list[float]]) -> list[str]:
    lines = [
        "| the same work | seconds | | processor time | | vectors: lowest cosine; less the mean |",
        "|---|---|---|---|---|---|",
    ]
    for first, *others in groups:
        lines.append(
            _row([first["group"], spread(first), "1×", f"{median(first, 'cpu'):.1f} s", "1×", ""])
        )
        for job in others:
            cells = [job["name"], spread(job), f"{median(first) / median(job):.1f}×"]
            cells += [f"{median(job, 'cpu'):.1f} s"]
            cells += [f"{median(first, 'cpu') / median(job, 'cpu'):.1f}×"]
            cosines = likeness.get(f"{job['group']}: {job['name']}", [])
            lines.append(_row([*cells, "; ".join(map(str, cosines))]))
    return lines


def _many_files(groups: list[list[Job]]) -> list[str]:
    lines = ["| files | | seconds | processor time | memory |", "|---|---|---|---|---|"]
    for jobs in groups:
        for job in jobs:
            memory = max(run["memory_mb"] for run in job["runs"])
            cells = [job["group"], job["name"], spread(job), f"{median(job, 'cpu'):.1f} s"]
            lines.append(_row([*cells, f"{memory:.0f} MB"]))
    return lines


def _groups(jobs: list[Job]) -> list[str]:
    return list(dict.fromkeys(job["group"] for job in jobs))


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def median(job: Job, key: str = "seconds") -> float:
    """Return the median of all runs."""
    return statistics.median(run[key] for run in job["runs"])


def spread(job: Job) -> str:
    """Return the median of its seconds, and the least and the most of several runs."""
    seconds = [run["seconds"] for run in job["runs"]]
    between = f" ({min(seconds):.1f} to {max(seconds):.1f})" if len(seconds) > 1 else ""
    return f"{median(job):.1f} s{between}"


def draw(facts: dict[str, Any], path: Path) -> None:
    """Bars of seconds, each group to its own scale; the limits of a group in one bar."""
    row = 22
    wide = 420
    left = 250
    jobs = facts["jobs"]
    page = Image.new("RGB", (left + wide + 130, row * (2 * len(jobs) + 2)), "white")
    pen = ImageDraw.Draw(page)
    y = row // 2
    for group in _groups(jobs):
        members = [job for job in jobs if job["group"] == group]
        limits = [job for job in members if job["name"] in ("decode needed", "embed")]
        bars = [(job["name"], [median(job)]) for job in members if job not in limits]
        if limits:
            bars.append(("decode needed + embed", [median(job) for job in limits]))
        most = max(sum(parts) for _, parts in bars)
        pen.text((10, y), group, "black", font_size=15)
        y += row
        for name, parts in bars:
            pen.text((30, y + 2), name, "black", font_size=13)
            at = float(left)
            for n, seconds in enumerate(parts):
                colour = OURS if name.startswith("framefind") else LIMIT if not n else (210,) * 3
                end = at + max(1.0, wide * seconds / most)
                pen.rectangle((at, y + 3, end - 1, y + row - 5), fill=colour)
                at = end
            pen.text((at + 6, y + 2), f"{sum(parts):.1f} s", "black", font_size=13)
            y += row
        y += row // 2
    page.crop((0, 0, page.width, y)).quantize(16).save(path, optimize=True)


if __name__ == "__main__":
    main()
