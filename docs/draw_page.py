"""Draw the pictures of the page, in README.md and docs/export.md: `python docs/draw_page.py`.

The demo's film is indexed and served, and Debian's Chromium shows it. Needs the extra `[dev]`.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from draw_pictures import IMAGES
from draw_pictures import save as write_picture
from PIL import Image
from playwright.sync_api import Page, sync_playwright

import framefind
from framefind.processes import python_command

ROOT = Path(__file__).parent.parent
COLOURS = 256  # of a picture: a page has more than a terminal
_SHORTEN = """home => {
    const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (nodes.nextNode()) {
        nodes.currentNode.data = nodes.currentNode.data.replaceAll(home, "/home/you");
    }
}"""


def main() -> None:
    """Draw a moment that plays, and moments that are chosen for export."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        home = Path(name)
        videos = home / "Videos"
        videos.mkdir()
        film = videos / "film.mp4"
        subprocess.run([sys.executable, ROOT / "demo" / "film.py", film], check=True)
        library = framefind.open(home / "default.framefind")
        library.index(videos)
        chromium = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"] if os.geteuid() == 0 else [],
        )
        with serve(library.uri) as address:
            for draw, width, height in ((draw_player, 1200, 830), (draw_export, 1280, 480)):
                page = chromium.new_page(
                    viewport={"width": width, "height": height},
                    color_scheme="dark",
                    bypass_csp=True,  # it keeps scripts from waiting for what they see
                )
                page.goto(address)
                draw(page, home)
        chromium.close()


@contextmanager
def serve(library: str) -> Iterator[str]:
    """Run `framefind serve` on a library; yield the page's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [*python_command("framefind.cli"), "serve", "--library", library, "--port", port]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout
    try:
        yield next(match[0] for line in process.stdout if (match := re.search(r"http\S+", line)))
    finally:
        process.terminate()
        process.wait()


def draw_player(page: Page, home: Path) -> None:
    """Play a moment."""
    ask(page, "a temple by a lake")
    page.locator("a.card").first.click()
    page.wait_for_function("document.querySelector('#player video').currentTime > 1")
    page.evaluate("document.querySelector('#player video').pause()")
    save(page, home, IMAGES / "page.png")


def draw_export(page: Page, home: Path) -> None:
    """Choose the first moment for an export."""
    ask(page, "a close-up of a cat")
    page.get_by_role("checkbox").first.check()
    save(page, home, IMAGES / "export.png")


def ask(page: Page, text: str) -> None:
    """Type a query and wait for its moments."""
    page.fill("#q", text)
    page.press("#q", "Enter")
    page.wait_for_selector("main[aria-busy=false] a.card[data-key]")


def save(page: Page, home: Path, path: Path) -> None:
    """Write what the page shows with few colours, and folders shortened."""
    page.wait_for_timeout(1000)  # until what moves has come to rest
    page.evaluate(_SHORTEN, str(home))
    page.screenshot(path=home / path.name)
    write_picture(Image.open(home / path.name).convert("RGB"), path, COLOURS)


if __name__ == "__main__":
    main()
