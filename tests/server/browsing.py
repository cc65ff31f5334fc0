"""A real browser on a real server over real films: what the tests of the page share."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data
from sklearn.datasets import load_sample_image

import framefind
from media import BLUE, GREEN, RED, WHITE, film
from own_cores import every_core

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    words = "the page is not tested: there is no Chromium here (apt-get install chromium)"
    assert not os.environ.get("FRAMEFIND_TEST_PAGE"), words
    pytest.skip(words, allow_module_level=True)

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright  # noqa: E402

expect.set_options(timeout=20_000)  # a busy machine is no failure

SCREENSHOTS = os.environ.get("FRAMEFIND_TEST_SCREENSHOTS")
"""The folder for pictures of the page; none are taken without one, since each waits for rest."""

FPS = 10
SIZE = 480, 270
CAT = (8.0, 14.0)  # when the cat is to be seen in zoo.mp4


def photograph(name: str) -> NDArray[np.uint8]:
    """A photograph that comes with scikit-image or scikit-learn, cut to 16:9."""
    picture = load_sample_image(name) if "." in name else getattr(data, name)()
    picture = picture[0] if isinstance(picture, tuple) else picture
    height = min(picture.shape[0], picture.shape[1] * 9 // 16)
    top = (picture.shape[0] - height) // 2
    cut = Image.fromarray(picture[top : top + height]).convert("RGB")
    return np.asarray(cut.resize(SIZE, Image.Resampling.BILINEAR))


def shots(*parts: tuple[str, float]) -> list[NDArray[np.generic]]:
    """Pictures of a film that shows photographs, each for so many seconds."""
    return [photograph(name) for name, seconds in parts for _ in range(round(seconds * FPS))]


def make_films(folder: Path) -> Path:
    """Four films: photographs, also in a folder below; colours as no browser plays them."""
    (folder / "trips").mkdir(parents=True)
    zoo = shots(("rocket", 8), ("chelsea", 6), ("stereo_motorcycle", 10))
    film(folder / "zoo.mp4", size=SIZE, fps=FPS, pictures=zoo)
    temple = shots(("china.jpg", 6), ("flower.jpg", 6))
    film(folder / "trips" / "été.mp4", size=SIZE, fps=FPS, pictures=temple)
    colours = [RED, GREEN, BLUE, WHITE]
    film(folder / "colours.mkv", 16, (320, 180), FPS, colours=colours, codec="libx265",
         options={"x265-params": "log-level=none"})  # fmt: skip
    film(folder / "copied.mkv", 16, (320, 180), FPS, colours=colours, options={"g": "20"})
    return folder


@contextmanager
def served(library: Path, *options: str) -> Iterator[str]:
    """Run `framefind serve` on a library; gives the page's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "framefind.cli", "serve", "--library", str(library)]
    command += ["--port", str(port), "--refresh", "0.2", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    address = f"http://localhost:{port}/"
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}readyz", timeout=1)
                break
            except OSError:
                assert process.poll() is None, process.communicate()[0].decode()
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=120)


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the films. For reading only."""
    return make_films(tmp_path_factory.mktemp("films") / "films")


@pytest.fixture(scope="session")
def filmed(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of the films. For reading only."""
    library = framefind.open(tmp_path_factory.mktemp("filmed") / "films.framefind")
    assert len(library.index(films).indexed) == 4
    return Path(library.uri)


@pytest.fixture(scope="session")
def site(filmed: Path) -> Iterator[str]:
    """The address of a server of that library."""
    with served(filmed) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium."""
    with every_core():  # a page that moves is drawn before all else
        playwright = sync_playwright().start()
    yield playwright.chromium.launch(
        executable_path=CHROMIUM, args=["--no-sandbox"] if os.geteuid() == 0 else []
    )
    playwright.stop()


Opener = Callable[..., Page]


def is_within(inner: Locator, outer: Locator) -> bool:
    """Whether an element, as high as a line of text at least, stands inside another."""
    box, around = inner.bounding_box(), outer.bounding_box()
    assert box
    assert around
    return (
        box["height"] >= 12
        and box["x"] >= around["x"]
        and box["y"] >= around["y"]
        and box["x"] + box["width"] <= around["x"] + around["width"]
        and box["y"] + box["height"] <= around["y"] + around["height"]
    )


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Opener]:
    """Open tabs: `tab(address, color_scheme="light", …)`.

    At the end, no tab may have seen an error in a script, a request to elsewhere, or anything that
    the Content-Security-Policy refuses.
    """
    troubles: list[str] = []
    contexts = []

    def open(address: str, **options: object) -> Page:
        options = {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark", **options}
        context = chromium.new_context(**options)  # type: ignore[arg-type]
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        origin = "/".join(address.split("/")[:3]) + "/"
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda said: said.type == "error" and troubles.append(said.text))
        page.on(
            "request",
            lambda asked: (
                asked.url.startswith((origin, "blob:", "data:"))
                or troubles.append(f"asked for {asked.url}")
            ),
        )
        page.goto(address)
        return page

    yield open
    for context in contexts:
        context.close()
    assert not [words for words in troubles if "Failed to load resource" not in words]


def shot(page: Page, name: str) -> None:
    """Write a screenshot to look at, after all has come to rest, where a folder is given for it."""
    if SCREENSHOTS:
        page.wait_for_timeout(400)
        page.screenshot(path=Path(SCREENSHOTS, f"{name}.png"))


def ask(page: Page, text: str) -> None:
    """Type a query and wait for its moments."""
    page.fill("#q", text)
    page.press("#q", "Enter")
    page.wait_for_selector("main[aria-busy=false] a.card[data-key]")


def until(page: Page, condition: str) -> None:
    """Wait until an expression is true. (Playwright's own way is refused by the page's policy.)"""
    for _ in range(300):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(f"never true: {condition}")


def drop(page: Page, picture: Path, kind: str = "drop") -> None:
    """Drop or paste a picture's file."""
    page.evaluate(
        """([bytes, name, kind]) => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(bytes)], name, {type: "image/png"}));
            const event = kind === "paste"
                ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true})
                : new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true});
            document.body.dispatchEvent(event);
        }""",
        [list(picture.read_bytes()), picture.name, kind],
    )
