"""Fifty questions of a scripted agent to `framefind mcp`; no model is needed.

    python benchmarks/agents.py [--record FILE]

Photographs that come with scikit-image become four short videos with subtitles. A client of the
official SDK starts the server and uses every tool. It fails if an answer is wrong, is longer than
1,500 tokens, or if the first takes more than 1.5 s of processor time. `--record` writes what was
asked and answered.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import psutil
from mcp import Client, StdioServerParameters, stdio_client
from skimage import data

import framefind
from framefind.mcp.answers import MAX_TOKENS, count_tokens
from framefind.processes import python_command

MAX_FIRST_SECONDS = 1.5
SECONDS = 8  # of each video
FPS = 5
SPOKEN = {
    "cat": "My cat sleeps all day long.",
    "astronaut": "She flew three missions to orbit.",
    "rocket": "We have ignition, and lift off.",
    "coffee": "Nothing works here before breakfast.",
}
Question = tuple[str, dict[str, Any], str]
"""A tool, its arguments, and what its answer must hold."""


def main() -> None:
    """Ask everything, and print how long the answers took and were."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--record", type=Path, help="file for questions and answers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_videos(folder / "videos")
        library = framefind.open(folder / "l.framefind")
        library.index(folder / "videos", read=["subtitles"])
        write_videos(folder / "videos" / "new", ["cat"])
        record = asyncio.run(converse(folder, questions(folder)))
    if options.record:
        options.record.write_text("\n\n".join(record) + "\n", "utf-8")


def write_videos(folder: Path, names: list[str] | None = None) -> None:
    """Write a video of each photograph, with what is said in a file beside it."""
    folder.mkdir(parents=True)
    pictures = {"cat": data.chelsea, "astronaut": data.astronaut}
    pictures |= {"rocket": data.rocket, "coffee": data.coffee}
    for name in names or pictures:
        picture = pictures[name]()[:300, :400]
        with av.open(folder / f"{name}.mp4", "w") as container:
            stream = container.add_stream("libx264", rate=Fraction(FPS))
            stream.height, stream.width = picture.shape[:2]
            stream.pix_fmt = "yuv420p"
            for _ in range(SECONDS * FPS):
                frame = av.VideoFrame.from_ndarray(picture.copy(), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        cue = f"1\n00:00:02,000 --> 00:00:05,000\n{SPOKEN[name]}\n"
        (folder / f"{name}.srt").write_text(cue, "utf-8")


def questions(folder: Path) -> list[Question]:
    """Return fifty: for each video eleven, and six of the library."""
    asked: list[Question] = []
    for name, words in SPOKEN.items():
        file = f"{name}.mp4"
        quoted = " ".join(words.rstrip(".").split()[-3:])
        asked += [
            ("search", {"text": f"a photo of a {name}"}, file),
            ("look", {"video": file, "t": 3}, file),
            ("words", {"video": file, "around": "0:03", "seconds": 4}, words),
            ("search", {"text": f'"{quoted}"', "in_": ["said"]}, quoted),
            ("search", {"text": name, "video": file, "start": 2, "limit": 1}, file),
            ("search", {"image": f"{file}@2", "by": "video", "limit": 1}, file),
            ("search", {"text": "a photo", "plus": [name], "minus": "snow"}, file),
            ("look", {"video": file, "t": "0:01", "end": "0:07", "count": 4}, "0:03"),
            ("words", {"video": file}, words),
            ("videos", {"names": f"*{name}*"}, file),
            ("export", {"video": file, "start": 2, "end": 5}, "Clips"),
        ]
    return [
        *asked,
        ("videos", {}, "coffee.mp4"),
        ("search", {"text": "an underwater volcano"}, "none is likely"),
        ("search", {"text": "a cat", "after": "2100-01-01"}, "fewer filters"),
        ("look", {"video": "nowhere.mp4", "t": 1}, "no video of that path"),
        ("index", {"path": str(folder / "videos" / "new")}, "done"),
        ("videos", {"limit": 1}, "offset=1"),
    ]


async def converse(folder: Path, asked: list[Question]) -> list[str]:
    """Ask the questions; return them with their answers."""
    command = [*python_command("framefind.cli"), "mcp", "--library", str(folder / "l.framefind")]
    command += ["--allow-index", str(folder / "videos"), "--allow-export", str(folder / "Clips")]
    server = StdioServerParameters(command=command[0], args=command[1:])
    record: list[str] = []
    took = defaultdict(list)
    tokens: dict[str, list[int]] = defaultdict(list)
    async with Client(stdio_client(server)) as client:
        (process,) = psutil.Process().children()
        for tool, arguments, expected in asked:
            begin = time.perf_counter()
            result = await client.call_tool(tool, arguments)
            took[tool].append(time.perf_counter() - begin)
            if len(record) == 0:
                check_first(sum(process.cpu_times()[:2]))
            text = result.content[0].text
            tokens[tool].append(count_tokens(text))
            call = f"{tool} {json.dumps(arguments)}"
            pictures = len(result.content) - 1
            record.append(f"> {call}\n{text}" + (f"\n+ {pictures} pictures" if pictures else ""))
            if expected not in text:
                sys.exit(f"{call}: no {expected!r} in {text}")
    print_times(took, tokens)
    return record


def check_first(seconds: float) -> None:
    """Print the processor time of the first answer, from the start of the server; exit if late."""
    print(f"first answer: {seconds:.2f} s of processor time")
    if seconds > MAX_FIRST_SECONDS:
        sys.exit(f"that is more than {MAX_FIRST_SECONDS} s")


def print_times(took: dict[str, list[float]], tokens: dict[str, list[int]]) -> None:
    """Print a table; exit if an answer is too long."""
    print("tool      asked  median s  longest s  most tokens")
    for tool, seconds in took.items():
        times = f"{statistics.median(seconds):8.3f}  {max(seconds):9.3f}"
        print(f"{tool:8}  {len(seconds):5}  {times}  {max(tokens[tool]):11}")
    if max(map(max, tokens.values())) > MAX_TOKENS:
        sys.exit(f"an answer has more than {MAX_TOKENS} tokens")


if __name__ == "__main__":
    main()
