"""The page in a real browser: watching what was found."""

import re
import shutil
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import av
import pytest

pytest.register_assert_rewrite("browsing")
pytest_plugins = ["browsing"]

from browsing import CAT, Opener, ask, served, shot, until  # noqa: E402
from playwright.sync_api import Page, Route, expect  # noqa: E402

import framefind  # noqa: E402
from conftest import write_clip  # noqa: E402
from media import BLUE, GREEN, RED, WHITE, Colour  # noqa: E402

LENGTH = 24.0  # seconds of zoo.mp4


def play(page: Page, query: str = "a cat") -> None:
    """Ask, and play the best moment."""
    ask(page, query)
    page.locator("a.card[data-key]").first.click()
    begun(page)


def begun(page: Page) -> None:
    """Wait until the video shows a picture."""
    until(page, "document.querySelector('#player video').readyState >= 2")


def current(page: Page) -> float:
    """The video element's own time."""
    return float(page.evaluate("document.querySelector('#player video').currentTime"))


def shown(page: Page) -> float:
    """The time that the page says is shown."""
    return float(page.get_attribute(".strip", "aria-valuenow") or "nan")


def pause(page: Page) -> None:
    page.evaluate("document.querySelector('#player video').pause()")


def colour(page: Page) -> tuple[int, int, int]:
    """The colour in the middle of the picture that the video shows, once it is drawn."""
    until(page, "document.querySelector('#player video').readyState >= 2")
    page.wait_for_timeout(100)
    red, green, blue = page.evaluate(
        """() => {
            const video = document.querySelector('#player video');
            const context = Object.assign(document.createElement('canvas'),
                {width: 9, height: 9}).getContext('2d');
            context.drawImage(video, 0, 0, 9, 9);
            return [...context.getImageData(4, 4, 1, 1).data].slice(0, 3);
        }"""
    )
    return red, green, blue


def watch(page: Page, site: str, name: str, t: float) -> None:
    """Open the address that plays a video from t on."""
    videos = page.request.get(f"{site}v1/videos").json()["videos"]
    (video_id,) = [one["video_id"] for one in videos if one["name"] == name]
    page.goto(f"{site}?watch={video_id}@{t}")


def test_a_moment_plays_from_a_second_before_it_starts(tab: Opener, site: str) -> None:
    page = tab(site)
    page.evaluate(
        """() => {
            const video = document.querySelector('#player video');
            window.times = [];
            video.addEventListener('timeupdate', () => window.times.push(video.currentTime));
        }"""
    )
    play(page)
    until(page, "document.querySelector('#player video').currentTime > 7.5")
    assert min(page.evaluate("window.times")) == pytest.approx(CAT[0] - 1, abs=0.3)
    assert shown(page) == pytest.approx(current(page), abs=0.5)
    expect(page.locator("#player-name")).to_have_text("zoo.mp4")
    mark, strip = (page.locator(one).bounding_box() for one in (".mark-now", ".strip"))
    assert mark
    assert strip
    assert (mark["x"] - strip["x"]) / strip["width"] == pytest.approx(CAT[0] / LENGTH, abs=0.01)
    assert mark["width"] / strip["width"] == pytest.approx((CAT[1] - CAT[0]) / LENGTH, abs=0.01)
    shot(page, "player")


def test_closing_goes_back_to_the_moment_and_stops_the_sound(tab: Opener, site: str) -> None:
    page = tab(site)
    play(page)
    assert "watch" in parse_qs(urlsplit(page.url).query)
    page.keyboard.press("Escape")
    expect(page.locator("a.card[data-key]").first).to_be_focused()
    until(page, "!location.search.includes('watch')")
    assert not page.evaluate("document.querySelector('#player video').currentSrc.length > 0"
                             " && !document.querySelector('#player video').paused")  # fmt: skip
    page.go_forward()
    begun(page)
    page.go_back()
    expect(page.locator("#player")).not_to_be_visible()
    expect(page.locator("#q")).to_have_value("a cat")


def test_the_heat_strip_shows_where_the_video_answers(tab: Opener, site: str) -> None:
    page = tab(site)
    play(page)
    page.wait_for_selector(".strip.hot")
    heights = page.evaluate(
        """() => {
            const canvas = document.querySelector('.strip canvas');
            const {data, width, height} = canvas.getContext('2d')
                .getImageData(0, 0, canvas.width, canvas.height);
            return [4, 11, 20].map((t) => {
                const x = Math.floor(t / 24 * width);
                let filled = 0;
                for (let y = 0; y < height; y += 1) filled += data[4 * (y * width + x) + 3] > 0;
                return filled / height;
            });
        }"""
    )
    rocket, cat, motorcycle = heights
    assert cat > 0.6
    assert cat > rocket + 0.2
    assert cat > motorcycle + 0.2


def test_the_heat_strip_leads_anywhere(tab: Opener, site: str) -> None:
    page = tab(site)
    play(page)
    strip = page.locator(".strip")
    box = strip.bounding_box()
    assert box
    strip.hover(position={"x": box["width"] * 0.25, "y": 20})
    expect(page.locator(".preview")).to_contain_text("0:06")
    until(page, "document.querySelector('.preview img')?.naturalWidth > 0")
    shot(page, "strip")
    pause(page)
    page.mouse.click(box["x"] + box["width"] * 20 / LENGTH, box["y"] + 20)
    assert current(page) == pytest.approx(20, abs=0.2)
    pause(page)
    strip.focus()
    for key, t in (("Home", 0), ("ArrowRight", 1), ("PageUp", 11), ("ArrowLeft", 10)):
        page.keyboard.press(key)
        assert current(page) == pytest.approx(t, abs=0.3)
        assert shown(page) == pytest.approx(t, abs=0.3)
    assert strip.get_attribute("aria-valuetext") == "0:10 of 0:24"
    page.keyboard.press("End")
    assert current(page) > LENGTH - 0.5


# How a film is made playable, and how far before a time it may begin: at a keyframe, if copied.
MADE = [("colours.mkv", "converted", 0.1), ("copied.mkv", "repacked", 2.1)]


@pytest.mark.parametrize(("name", "how", "early"), MADE)
@pytest.mark.parametrize(("t", "expected"), [(1.5, RED), (5.5, GREEN), (9.5, BLUE)])
def test_what_browsers_cannot_play_is_played(
    tab: Opener, site: str, name: str, how: str, early: float, t: float, expected: Colour
) -> None:
    page = tab(site)
    watch(page, site, name, t)
    begun(page)
    pause(page)
    assert t - early <= shown(page) < t + 2.4
    assert colour(page) == pytest.approx(expected, abs=40)
    expect(page.locator(".made")).to_have_text(f"{how} for this browser")


def test_what_this_browser_cannot_play_is_converted(tab: Opener, site: str) -> None:
    page = tab(site)
    page.route("**/stream", lambda route: route.fulfill(body=b"no video", content_type="video/mp4"))
    with page.expect_request("**/stream?start=*&transcode=true"):
        watch(page, site, "zoo.mp4", 10)
    begun(page)
    assert 9.9 <= shown(page) < 15


def test_what_cannot_be_repacked_is_converted(tab: Opener, site: str) -> None:
    page = tab(site)
    problem = {"title": "Unsupported Media Type", "status": 415}

    def refuse(route: Route) -> None:
        if "transcode" in route.request.url:
            route.continue_()
        else:
            route.fulfill(status=415, json=problem, content_type="application/problem+json")

    page.route("**/stream?start=*", refuse)
    watch(page, site, "copied.mkv", 9.5)
    begun(page)
    expect(page.locator(".note")).not_to_be_visible()
    assert 9.4 <= shown(page) < 14


@pytest.mark.parametrize(("name", "how", "early"), MADE)
def test_what_is_made_for_the_browser_is_seekable(
    tab: Opener, site: str, name: str, how: str, early: float
) -> None:
    page = tab(site)
    watch(page, site, name, 1)
    begun(page)
    for t, expected in ((13.0, WHITE), (5.0, GREEN), (9.0, BLUE)):
        pause(page)
        box = page.locator(".strip").bounding_box()
        assert box
        page.mouse.click(box["x"] + box["width"] * t / 16, box["y"] + 20)
        page.wait_for_timeout(400)
        begun(page)
        until(page, "!document.querySelector('#player video').seeking")
        assert t - early - 0.2 <= shown(page) < t + 0.3
        assert colour(page) == pytest.approx(expected, abs=40)
    shot(page, how)


def paused(page: Page) -> bool:
    return bool(page.evaluate("document.querySelector('#player video').paused"))


@pytest.mark.parametrize("how", ["click", "Enter"])
def test_space_plays_and_pauses(tab: Opener, site: str, how: str) -> None:
    page = tab(site)
    ask(page, "a cat")
    card = page.locator("a.card[data-key]").first
    if how == "click":
        card.click()
    else:
        card.press("Enter")
    begun(page)
    until(page, "!document.querySelector('#player video').paused")
    page.keyboard.press("Space")
    until(page, "document.querySelector('#player video').paused")
    expect(page.locator("#player")).to_be_visible()
    page.keyboard.press("Space")
    until(page, "!document.querySelector('#player video').paused")
    page.locator("#player").get_by_label("Mute (M)").click()
    page.keyboard.press("Space")  # what the pointer pressed does not take it
    until(page, "document.querySelector('#player video').paused")
    assert page.evaluate("document.querySelector('#player video').muted")


def test_keys_work_on_when_another_moment_of_the_video_was_chosen(tab: Opener, site: str) -> None:
    page = tab(site)
    ask(page, "a machine")
    page.locator(".group:has(li + li) a.card").first.click()
    begun(page)
    others = page.locator(".others button")
    assert others.count() > 1
    others.nth(1).click()
    begun(page)
    page.keyboard.press("Space")
    until(page, "document.querySelector('#player video').paused")
    page.keyboard.press("Escape")
    expect(page.locator("#player")).not_to_be_visible()


def test_nothing_stays_of_the_video_before(tab: Opener, site: str) -> None:
    page = tab(site)
    watch(page, site, "zoo.mp4", 20)
    begun(page)
    expect(page.locator(".controls .clock")).to_contain_text("0:2")
    page.keyboard.press("Escape")
    page.wait_for_selector("a.card")
    held: list[Route] = []
    page.route("**/v1/videos/*?start=*", lambda route: held.append(route))
    page.locator("a.card", has_text="été.mp4").click()
    expect(page.locator("#player-name")).to_have_text("été.mp4")
    expect(page.locator(".controls .clock")).to_have_text("0:00")
    assert shown(page) == 0
    assert page.locator(".strip").get_attribute("aria-valuetext") == "0:00"
    for route in held:
        route.continue_()
    begun(page)
    expect(page.locator(".controls .clock")).to_contain_text("/ 0:12")


@pytest.mark.parametrize("name", ["zoo.mp4", "colours.mkv"])
def test_a_video_of_unknown_length_plays(tab: Opener, site: str, name: str) -> None:
    page = tab(site)

    def without_length(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "duration": None})

    page.route("**/v1/videos/*?start=*", without_length)
    watch(page, site, name, 2)
    begun(page)
    pause(page)
    clock = page.locator(".controls .clock")
    expect(clock).to_have_text(re.compile(r"^0:0\d( / 0:24)?$"))
    page.locator(".strip").focus()
    page.keyboard.press("PageUp")
    expect(clock).to_have_text(re.compile(r"^0:1\d( / 0:24)?$"))
    words = page.locator("#player").inner_text() + str(page.locator(".strip").evaluate(
        "strip => strip.outerHTML"))  # fmt: skip
    assert "NaN" not in words
    assert "Infinity" not in words


def test_time_and_path_are_copied_and_the_clip_downloaded(
    tab: Opener, site: str, films: Path, tmp_path: Path
) -> None:
    page = tab(site)
    play(page)
    pause(page)
    page.locator(".strip").focus()
    page.keyboard.press("Home")
    page.keyboard.press("PageUp")
    page.get_by_role("button", name="Copy time").click()
    expect(page.locator("#toast")).to_contain_text("Copied the time: 0:10")
    assert page.evaluate("navigator.clipboard.readText()") == "0:10"
    page.get_by_role("button", name="Copy path").click()
    expect(page.locator("#toast")).to_contain_text("zoo.mp4")
    assert page.evaluate("navigator.clipboard.readText()") == str(films / "zoo.mp4")
    with page.expect_download() as caught:
        page.get_by_text("Download clip").click()
    clip = tmp_path / "clip.mp4"
    caught.value.save_as(clip)
    with av.open(clip) as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(CAT[1] - CAT[0], abs=0.5)


def test_more_like_the_frame_that_is_shown(tab: Opener, site: str) -> None:
    page = tab(site)
    play(page)
    pause(page)
    page.locator(".strip").focus()
    page.keyboard.press("End")
    page.locator("#player").get_by_role("button", name="More like this").click()
    expect(page.locator("#player")).not_to_be_visible()
    expect(page.locator(".chip.sample")).to_contain_text("like zoo.mp4 at 0:2")
    expect(page.locator("a.card[data-key]").first).to_contain_text("0:14")


def test_a_video_of_the_library_plays_without_a_query(tab: Opener, site: str) -> None:
    page = tab(site)
    page.locator("a.card", has_text="zoo.mp4").click()
    begun(page)
    expect(page.locator(".about")).to_contain_text("480 × 270 · h264 · 0:24")
    page.keyboard.press("Escape")
    expect(page.locator("#summary")).to_have_text("Your videos")


def test_a_video_that_was_deleted_says_so(tab: Opener, tmp_path: Path) -> None:
    folder = tmp_path / "films"
    write_clip(folder / "gone.mp4", [1, 2])
    write_clip(folder / "here.mp4", [3])
    library = framefind.open(tmp_path / "own.framefind")
    library.index(folder)
    with served(tmp_path / "own.framefind") as site:
        page = tab(site)
        ask(page, "something colourful")
        page.wait_for_selector(".fit.loaded")
        shutil.move(folder / "gone.mp4", tmp_path / "elsewhere.mp4")
        page.locator(".group", has_text="gone.mp4").locator("a.card").first.click()
        expect(page.locator(".note")).to_contain_text("not where it was")
        expect(page.locator(".note")).to_contain_text("framefind prune")
        shot(page, "deleted")
        page.keyboard.press("Escape")
        page.locator(".group", has_text="here.mp4").locator("a.card").first.click()
        expect(page.locator("#player-name")).to_have_text("here.mp4")
        expect(page.locator(".note")).not_to_be_visible()


SCENES = Path(__file__).parents[3] / "shared" / "data" / "videos" / "scenes"


@pytest.mark.skipif(not SCENES.is_dir(), reason="the real videos are not here")
def test_real_videos_play(tab: Opener, tmp_path: Path) -> None:
    real = [*sorted(SCENES.rglob("*.avi"))[:2], *sorted(SCENES.rglob("*.mp4"))[:2]]
    copies = [
        Path(shutil.copy(path, tmp_path / f"{at}{path.suffix}")) for at, path in enumerate(real)
    ]
    framefind.open(tmp_path / "own.framefind").index(copies)
    with served(tmp_path / "own.framefind") as site:
        page = tab(site)
        ask(page, "a person")
        shot(page, "real")
        for path in copies:
            watch(page, site, path.name, 2)
            begun(page)
            assert 1.9 <= shown(page) < 6
