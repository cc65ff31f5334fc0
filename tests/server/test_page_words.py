"""The page in a real browser: what is said and written in the video that plays."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("browsing")
pytest_plugins = ["browsing"]

from browsing import Opener, ask, is_within, served, shot, until  # noqa: E402
from playwright.sync_api import Page, expect  # noqa: E402

import framefind  # noqa: E402
from cued import add_cues  # noqa: E402
from framefind.types import Cue  # noqa: E402
from media import BLUE, GREEN, RED, film  # noqa: E402

ATTACK = '<img src=x onerror="document.title=1"> & <b>bold</b>'
SPOKEN = [
    Cue(float(t), t + 1.5, text, "speech", "en")
    for t, text in enumerate(
        ["Good morning.", "The CAFÉ opens at nine.", ATTACK, "Nothing else.", "A cafe again."] * 6
    )
]
CUES = [*SPOKEN, Cue(2.0, 6.0, "LAUNDROMAT", "screen"), Cue(0.0, 3.0, "سلام", "subtitles", "fa")]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of one video as browsers play it, and one that is copied for them."""
    folder = tmp_path_factory.mktemp("spoken")
    for name in ("said.mp4", "copied.mkv"):
        film(folder / name, 30.0, (480, 270), colours=[RED, GREEN, BLUE], options={"g": "20"})
    film(folder / "silent.mp4", 3.0, colours=[GREEN])
    library = framefind.open(folder / "a.framefind")
    library.index(folder)
    for name in ("said.mp4", "copied.mkv"):
        add_cues(library, name, CUES)
    with served(Path(library.uri)) as address:
        yield address


def watch(page: Page, site: str, name: str, t: float = 0.0, query: str = "") -> None:
    """Play a video from `t` on, in answer to a query."""
    videos = page.request.get(f"{site}v1/videos").json()["videos"]
    (video_id,) = [video["video_id"] for video in videos if video["name"] == name]
    page.goto(f"{site}?q={query}&watch={video_id}@{t}")
    until(page, "document.querySelector('#player video').readyState >= 2")


def pause_at(page: Page, t: float) -> None:
    page.evaluate(
        """(t) => { const video = document.querySelector('#player video');
                    video.pause(); video.currentTime = t; }""",
        t,
    )


def test_the_transcript_follows_and_leads(tab: Opener, site: str) -> None:
    page = tab(site)
    watch(page, site, "said.mp4")
    lines = page.locator(".lines li")
    expect(lines).to_have_count(len(CUES))
    pause_at(page, 20.5)
    now = page.locator(".lines [aria-current]")
    expect(now).to_contain_text("0:20")
    expect(now).to_be_in_viewport()
    shot(page, "transcript")
    lines.filter(has_text="0:11").click()
    until(page, "Math.abs(document.querySelector('#player video').currentTime - 11) < 1")
    page.set_viewport_size({"width": 400, "height": 800})
    expect(now).to_contain_text("0:11")
    expect(now).to_be_in_viewport()
    shot(page, "transcript-phone")


def test_what_files_hold_is_never_markup(tab: Opener, site: str) -> None:
    page = tab(site)
    watch(page, site, "said.mp4")
    expect(page.locator(".lines .text", has_text=ATTACK)).to_have_count(6)
    assert page.locator(".lines img, .lines b").count() == 0
    page.locator('[title="Subtitles (C)"]').click()
    until(page, "document.querySelector('video').textTracks[1]?.label === 'Speech, English'")
    assert page.evaluate("document.querySelector('video').textTracks[0].label") == (
        "Subtitles, Persian"
    )
    page.evaluate(
        """() => { const [first, second] = document.querySelector('video').textTracks;
                   first.mode = 'disabled'; second.mode = 'showing'; }"""
    )
    until(page, "document.querySelector('video').textTracks[1].cues?.length === 30")
    fragment = page.evaluate(
        "document.querySelector('video').textTracks[1].cues[2].getCueAsHTML().textContent"
    )
    assert fragment == ATTACK
    assert "title" not in page.title()


def test_matches_are_marked_in_lines_and_on_the_strip(tab: Opener, site: str) -> None:
    page = tab(site)
    watch(page, site, "said.mp4", query="cafe")
    expect(page.locator(".lines mark")).to_have_text(["CAFÉ", "cafe"] * 6)
    expect(page.locator(".strip .word")).to_have_count(12)
    expect(page.locator(".told")).to_have_text("12 hits")
    pause_at(page, 3.5)
    shot(page, "transcript-matches")
    page.fill(".finder input", '"opens at nine"')
    expect(page.locator(".lines li")).to_have_count(6)
    expect(page.locator(".lines mark")).to_have_text(["opens at nine"] * 6)
    expect(page.locator(".strip .word")).to_have_count(6)
    page.press(".finder input", "Escape")
    expect(page.locator(".lines li")).to_have_count(len(CUES))
    expect(page.locator("#player")).to_be_visible()


def test_subtitles_keep_time_with_a_stream_that_starts_later(tab: Opener, site: str) -> None:
    page = tab(site)
    watch(page, site, "copied.mkv", 12.0)
    page.keyboard.press("c")
    until(page, "document.querySelector('video').textTracks[0]?.mode === 'showing'")
    page.evaluate("document.querySelector('video').textTracks[1].mode = 'showing'")
    until(page, "document.querySelector('video').textTracks[1].cues?.length > 0")
    shift = page.evaluate(
        """() => { const cues = [...document.querySelector('video').textTracks[1].cues];
                   return cues.at(-1).startTime; }"""
    )
    source = page.evaluate("document.querySelector('video track').src")
    assert shift == pytest.approx(29.0 - float(source.split("offset=")[1]), abs=0.01)
    assert shift < 20


def test_a_moment_shows_the_words_that_match_below_its_time(tab: Opener, site: str) -> None:
    page = tab(site)
    ask(page, "the cafe opens at nine")
    card = page.locator("a.card", has=page.locator("q.words")).first
    words = card.locator("q.words")
    expect(words).to_contain_text("CAFÉ opens at nine")
    assert is_within(words, card)
    caption, line = card.locator(".caption").bounding_box(), words.bounding_box()
    assert caption
    assert line
    assert line["y"] >= caption["y"] + caption["height"]
    shot(page, "words")


@pytest.mark.parametrize(
    ("query", "reason"),
    [("asdfghjkl", "knows no word of this text"), ('"the cinema opens"', "what stands in quotes")],
)
def test_why_nothing_is_found_is_told(tab: Opener, site: str, query: str, reason: str) -> None:
    page = tab(site)
    page.fill("#q", query)
    expect(page.locator(".state h2")).to_have_text("Nothing found")
    expect(page.locator(".state p")).to_contain_text(reason)


def test_a_video_without_words_has_no_transcript(tab: Opener, site: str) -> None:
    page = tab(site)
    watch(page, site, "silent.mp4")
    expect(page.locator(".transcript")).to_be_hidden()
    expect(page.locator('[title="Subtitles (C)"]')).to_be_hidden()


def test_words_are_shown_in_light_colours_too(tab: Opener, site: str) -> None:
    page = tab(site, color_scheme="light")
    ask(page, "a green wall")
    watch(page, site, "said.mp4", query="cafe")
    shot(page, "transcript-light")
