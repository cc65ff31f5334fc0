"""Draw the pictures of docs/watch.md, docs/mcp.md and of a reel: `python docs/draw_pictures.py`.

Photographs that come with scikit-image become a film. What the pictures show is real: the commands
are run, and what they print is drawn as a terminal shows it. Needs the extras `[dev]`, and the font
DejaVu Sans Mono.
"""

import asyncio
import base64
import io
import json
import os
import queue
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from mcp import Client, StdioServerParameters, stdio_client
from PIL import Image, ImageDraw, ImageFont
from skimage import data

import framefind
from framefind.output.drawing import ACCENT, BRIGHT, GROUND, QUIET
from framefind.processes import python_command

IMAGES = Path(__file__).parent / "images"
FPS = 5
SCENES = {"a cat": data.chelsea, "an astronaut": data.astronaut}
SCENES |= {"a rocket": data.rocket, "a cup of coffee": data.coffee}
SCENE_SECONDS = 4
COLUMNS = 96  # of a terminal: more where a line is longer
LETTER = 15  # pixels
PITCH = 21
MARGIN = 18
STRIP_WIDTH = 196
COLOURS = 96  # of a picture: few, so that the file is small

Line = tuple[str, tuple[int, int, int]]


def main() -> None:
    """Draw all pictures."""
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        film = write_film(home / "film.mp4")
        draw_terminal(watch(home, film), IMAGES / "watch.png")
        lines, pictures = asyncio.run(ask(home, film))
        draw_terminal(lines, IMAGES / "mcp.png", pictures)
        draw_reel(home, IMAGES / "reel.png")


def write_film(path: Path) -> Path:
    """Write a film that shows one photograph after another."""
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(FPS))
        stream.width, stream.height, stream.pix_fmt = 400, 300, "yuv420p"
        for scene in SCENES.values():
            picture = np.ascontiguousarray(scene()[:300, :400])
            for _ in range(SCENE_SECONDS * FPS):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode(None))
    return path


def watch(home: Path, film: Path) -> list[Line]:
    """Let a watch run while a film comes and is renamed; return what a terminal would show."""
    videos = home / "Videos"
    videos.mkdir()
    command = [*python_command("framefind.cli"), "watch", str(videos), "--library"]
    process = subprocess.Popen(
        [*command, str(home / "default.framefind")],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200", "FRAMEFIND_LIBRARY": ""},
    )
    printed: queue.Queue[str] = queue.Queue()
    assert process.stderr
    stderr = process.stderr
    threading.Thread(target=lambda: [printed.put(line) for line in stderr], daemon=True).start()
    terminal = [("$ framefind watch ~/Videos", BRIGHT), *hear(printed, "watching", home)]
    terminal.append(
        ("                                    # elsewhere: cp film.mp4 ~/Videos", ACCENT)
    )
    shutil.copy(film, videos / "film.mp4")
    terminal += hear(printed, "indexed", home)
    terminal.append(
        ("                                    # mv ~/Videos/film.mp4 ~/Videos/trip.mp4", ACCENT)
    )
    (videos / "film.mp4").rename(videos / "trip.mp4")
    terminal += hear(printed, "moved", home)
    terminal.append(("^C", BRIGHT))
    process.send_signal(signal.SIGINT)
    return [*terminal, *hear(printed, "stopped", home)]


def hear(printed: "queue.Queue[str]", word: str, home: Path) -> list[Line]:
    """Return the lines that are printed up to one with a word."""
    heard: list[Line] = []
    while not heard or word not in heard[-1][0]:
        heard.append((printed.get(timeout=120).rstrip().replace(str(home), "~"), QUIET))
    return heard


async def ask(home: Path, film: Path) -> tuple[list[Line], list[Image.Image]]:
    """Ask as an agent does; return calls and answers, and the pictures it looked at."""
    library = framefind.open(home / "agent.framefind")
    library.index(shutil.copy(film, home / "trip.mp4"), read="none")
    command = [*python_command("framefind.cli"), "mcp", "--library", library.uri]
    command += ["--allow-export", str(home / "Clips")]
    server = StdioServerParameters(command=command[0], args=command[1:])
    lines: list[Line] = []
    pictures: list[Image.Image] = []
    async with Client(stdio_client(server)) as client:
        for tool, arguments in [
            ("search", {"text": "a cup of coffee", "limit": 1}),
            ("look", {"video": "trip.mp4", "t": 2, "end": 14, "count": 4}),
            ("export", {"video": "trip.mp4", "start": 12, "end": 16}),
        ]:
            result = await client.call_tool(tool, arguments)
            text = result.content[0].text.replace(str(home), "~")
            lines += [(f"> {tool} {json.dumps(arguments)}", BRIGHT), *wrap(text)]
            pictures += [
                Image.open(io.BytesIO(base64.b64decode(part.data))) for part in result.content[1:]
            ]
            if pictures and tool == "look":
                lines.append(("", QUIET))  # here the pictures are drawn
            lines.append((" ", QUIET))
    return lines[:-1], pictures


def wrap(text: str) -> list[Line]:
    """Return a text as lines of a terminal."""
    width = COLUMNS - 2
    return [("  " + text[at : at + width], QUIET) for at in range(0, len(text), width)]


def draw_reel(home: Path, path: Path) -> None:
    """Draw a frame of a reel with its title."""
    library = framefind.open(home / "agent.framefind")
    page = library.search("a cat", limit=1)
    how: dict[str, Any] = {"title": "a cat", "titles": True}
    library.export(page, "reel", home / "cats.mp4", **how)
    save(Image.fromarray(framefind.frame(home / "cats.mp4", 1.0)), path)


def draw_terminal(lines: Sequence[Line], path: Path, pictures: Sequence[Image.Image] = ()) -> None:
    """Draw lines, with the pictures where a line is empty."""
    font = ImageFont.truetype("DejaVuSansMono.ttf", LETTER)
    strip = [picture.resize((STRIP_WIDTH, STRIP_WIDTH * 3 // 4)) for picture in pictures]
    heights = [PITCH if text else STRIP_WIDTH * 3 // 4 + 12 for text, _ in lines]
    columns = max(COLUMNS, *(len(text) for text, _ in lines))
    width = round(font.getlength("x") * columns) + 2 * MARGIN
    canvas = Image.new("RGB", (width, sum(heights) + 2 * MARGIN), GROUND)
    draw = ImageDraw.Draw(canvas)
    y = MARGIN
    for (text, colour), height in zip(lines, heights, strict=True):
        draw.text((MARGIN, y), text, colour, font)
        if not text:
            for number, picture in enumerate(strip):
                canvas.paste(picture, (MARGIN + 2 * LETTER + number * (STRIP_WIDTH + 8), y + 4))
        y += height
    save(canvas, path)


def save(picture: Image.Image, path: Path, colours: int = COLOURS) -> None:
    """Write a picture with few colours."""
    picture.quantize(colours, kmeans=4, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
