"""The page in a real browser: what is asked for, and what is found."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

pytest.register_assert_rewrite("browsing")
pytest_plugins = ["browsing"]

from browsing import CAT, Opener, ask, drop, photograph, served, shot, until  # noqa: E402
from playwright.sync_api import Error as PlaywrightError  # noqa: E402
from playwright.sync_api import Page, Route, expect  # noqa: E402

import framefind  # noqa: E402
from conftest import scene, write_clip  # noqa: E402


def asked(page: Page) -> dict[str, list[str]]:
    """What the address of the page asks for."""
    return parse_qs(urlsplit(page.url).query)


def found(page: Page) -> list[str | None]:
    """The moments that are shown, in order, as the page names them."""
    return [card.get_attribute("data-key") for card in page.locator("a.card[data-key]").all()]


def test_it_opens_on_the_library_with_the_search_box_focused(tab: Opener, site: str) -> None:
    page = tab(site)
    expect(page.locator("#q")).to_be_focused()
    expect(page.locator("#summary")).to_have_text("Your videos")
    expect(page.locator("a.card .name")).to_have_text(
        ["colours.mkv", "copied.mkv", "été.mp4", "zoo.mp4"]
    )
    shot(page, "library")


def test_typing_finds_moments_grouped_by_video(tab: Opener, site: str) -> None:
    page = tab(site)
    page.locator("#q").press_sequentially("a close-up of a cat")
    expect(page.locator(".group .name").first).to_have_text("zoo.mp4")
    expect(page.locator("#summary")).to_contain_text("moment")
    card = page.locator(".group").first.locator("a.card").first
    expect(card).to_contain_text("0:08 – 0:14")
    expect(card).to_contain_text("%")
    assert asked(page) == {"q": ["a close-up of a cat"]}
    assert card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    assert "a close-up of a cat" in page.title()
    shot(page, "results")


def test_the_part_that_matches_is_framed(tab: Opener, site: str) -> None:
    page = tab(site)
    with page.expect_response(lambda answer: "/v1/search" in answer.url) as caught:
        page.fill("#q", "a rocket")
    moments = caught.value.json()["moments"]
    framed = [moment for moment in moments if moment["box"][2] < 0.9]
    assert framed
    page.wait_for_selector(".fit.loaded .match")
    for moment in framed:
        key = f"{moment['video_id']}@{moment['t']:g}"
        card = page.locator(f'a.card[data-key="{key}"]')
        card.scroll_into_view_if_needed()
        picture, box = (card.locator(one).bounding_box() for one in (".fit", ".match"))
        assert picture
        assert box
        assert box["x"] - picture["x"] == pytest.approx(moment["box"][0] * picture["width"], abs=2)
        assert box["width"] == pytest.approx(moment["box"][2] * picture["width"], abs=2)


def test_words_that_the_model_skips_are_named(tab: Opener, site: str) -> None:
    page = tab(site)
    ask(page, "a cat asdfghjkl 猫")
    expect(page.locator("#facts")).to_contain_text("does not know")
    expect(page.locator("#facts")).to_contain_text("猫")
    ask(page, "a cat")
    expect(page.locator("#facts")).not_to_contain_text("does not know")


SHAPES = {"upright.mp4": (180, 320), "square.mp4": (240, 240), "4to3.mp4": (320, 240),
          "wide.mp4": (480, 200)}  # fmt: skip


@pytest.fixture(scope="module")
def shaped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server of videos of many shapes."""
    folder = tmp_path_factory.mktemp("shapes")
    for at, (name, (width, height)) in enumerate(SHAPES.items()):
        write_clip(folder / name, [scene(at, width, height), scene(at + 10, width, height)])
    framefind.open(folder / "own.framefind").index(folder)
    with served(folder / "own.framefind") as address:
        yield address


@pytest.mark.parametrize("width", [1280, 700, 390])
def test_pictures_of_every_shape_are_shown_whole(tab: Opener, shaped: str, width: int) -> None:
    for query in ("", "?q=colours"):
        page = tab(f"{shaped}{query}", viewport={"width": width, "height": 800})
        page.wait_for_selector(".fit.loaded")
        for card in page.locator("a.card").all():
            card.scroll_into_view_if_needed()
            card.locator(".fit.loaded").wait_for()
            cell, *inner = (
                one.bounding_box()
                for one in (card.locator(".picture"), *card.locator(".fit, .match").all())
            )
            assert cell
            for one in inner:
                assert one
                assert one["x"] >= cell["x"] - 1
                assert one["y"] >= cell["y"] - 1
                assert one["x"] + one["width"] <= cell["x"] + cell["width"] + 1
                assert one["y"] + one["height"] <= cell["y"] + cell["height"] + 1
            image = card.locator(".fit img")
            natural = image.evaluate("image => image.naturalWidth / image.naturalHeight")
            fit = inner[0]
            assert fit
            assert fit["width"] / fit["height"] == pytest.approx(natural, rel=0.03)
            full = max(fit["width"] / cell["width"], fit["height"] / cell["height"])
            assert full == pytest.approx(1, abs=0.02)
        shot(page, f"shapes-{width}{'-found' if query else ''}")


@pytest.mark.parametrize("width", [1280, 390, 320])
def test_what_follows_is_told_whole(tab: Opener, site: str, width: int) -> None:
    page = tab(f"{site}?q=a+cat&then=a+motorcycle&within=30",
               viewport={"width": width, "height": 800})  # fmt: skip
    page.wait_for_selector("a.card .then")
    for caption in page.locator(".cards .caption").all():
        assert caption.evaluate(
            "one => [one, ...one.querySelectorAll('*')].every(e => e.scrollWidth <= e.clientWidth "
            "|| getComputedStyle(e).display === 'inline')"
        )
    shot(page, f"then-{width}")


def test_moving_the_pointer_over_a_moment_runs_through_its_frames(tab: Opener, site: str) -> None:
    page = tab(f"{site}?q=a+cat")
    card = page.locator("a.card[data-key]").first
    card.hover(position={"x": 10, "y": 60})
    page.wait_for_selector(".scrubbed img")
    first = page.locator(".scrubbed img").get_attribute("src")
    card.hover(position={"x": 200, "y": 60})
    expect(page.locator(".scrubbed img")).not_to_have_attribute("src", first or "")
    before = float((first or "").split("/")[-1].split(".jpg")[0])
    until(
        page,
        "Number(/frames.([0-9.]+).jpg/.exec("
        f"document.querySelector('.scrubbed img').src)[1]) > {before} + 1",
    )
    page.mouse.move(1, 1)
    expect(page.locator(".scrubbed")).to_have_count(0)


def test_the_back_button_goes_back_to_the_query_before(tab: Opener, site: str) -> None:
    page = tab(site)
    ask(page, "a cat")
    cats = found(page)
    page.locator("body").click(position={"x": 5, "y": 400})
    ask(page, "a garden")
    assert found(page) != cats
    page.go_back()
    expect(page.locator("#q")).to_have_value("a cat")
    expect(page.locator("main")).to_have_attribute("aria-busy", "false")
    assert found(page) == cats
    page.go_back()
    expect(page.locator("#summary")).to_have_text("Your videos")
    page.go_forward()
    expect(page.locator("#q")).to_have_value("a cat")


def test_an_address_opens_what_it_says(tab: Opener, site: str) -> None:
    page = tab(f"{site}?q=a+cat&plus=2:fur&minus=a+rocket&then=a+motorcycle&within=30")
    expect(page.locator("#q")).to_have_value("a cat")
    chips = page.locator(".chip input")
    assert [chip.input_value() for chip in chips.all()] == ["2:fur", "a rocket", "a motorcycle"]
    expect(page.locator("a.card .then").first).to_have_text(" then 0:14")


def test_chips_add_take_away_and_say_what_follows(tab: Opener, site: str) -> None:
    page = tab(f"{site}?q=a+cat")
    for kind, text in (("minus", "a rocket"), ("plus", "whiskers"), ("then", "a motorcycle")):
        page.click(f".adder[data-kind={kind}]")
        page.keyboard.type(text)
        page.keyboard.press("Enter")
        expect(page.locator(f".chip.{kind} input")).to_have_value(text)
        assert asked(page)[kind] == [text]
    page.select_option(".chip.then select", "60")
    until(page, "location.search.includes('within=60')")
    expect(page.locator("a.card .then").first).to_be_visible()
    shot(page, "chips")
    page.click(".chip.minus button")
    expect(page.locator(".chip.minus")).to_have_count(0)
    assert "minus" not in asked(page)


def test_filters_keep_what_passes(tab: Opener, site: str, films: Path) -> None:
    page = tab(f"{site}?q=a+cat")
    page.wait_for_selector("a.card[data-key]")
    page.click("#filter")
    page.fill("#filter-video", str(films / "trips"))
    page.press("#filter-video", "Enter")
    expect(page.locator(".group .name")).to_have_text(["été.mp4"])
    expect(page.locator("#filter .badge")).to_have_text("1")
    shot(page, "filters")
    page.get_by_text("Clear all").click()
    page.fill("#filter-min_duration", "0:20")
    page.press("#filter-min_duration", "Enter")
    expect(page.locator(".group .name")).to_have_text(["zoo.mp4"])
    page.fill("#filter-before", "2001-01-01")
    expect(page.locator(".state h2")).to_have_text("No moment passes the filters")
    shot(page, "nothing")
    page.locator(".state button").click()
    expect(page.locator(".group")).not_to_have_count(0)
    assert asked(page) == {"q": ["a cat"]}


def test_the_confidence_filter_acts_on_the_number_shown(tab: Opener, site: str) -> None:
    page = tab(f"{site}?q=a+cat&min_confidence=0.02")
    page.wait_for_selector("a.card[data-key]")
    shown = page.locator(".cards .sure").all_text_contents()
    assert shown
    assert all(float(one.split()[1].rstrip("%")) >= 2 for one in shown)
    expect(page.locator("#filter-min_confidence")).to_have_value("0.02")
    assert len(shown) < page.request.get(f"{site}v1/search?q=a+cat").json()["total"]


def test_filters_without_a_text_choose_among_the_videos(
    tab: Opener, site: str, films: Path
) -> None:
    page = tab(site)
    page.click("#filter")
    page.fill("#filter-video", str(films / "trips"))
    page.press("#filter-video", "Enter")
    expect(page.locator("a.card .name")).to_have_text(["été.mp4"])
    expect(page.locator("#facts")).to_have_text("1 of 4 videos pass the filters")
    page.fill("#filter-video", "")
    page.press("#filter-video", "Enter")
    page.fill("#filter-min_duration", "0:20")
    page.press("#filter-min_duration", "Enter")
    expect(page.locator("a.card .name")).to_have_text(["zoo.mp4"])
    page.fill("#filter-before", "2001-01-01")
    expect(page.locator(".state h2")).to_have_text("No video passes the filters")
    page.locator(".state button").click()
    expect(page.locator("a.card .name")).to_have_count(4)


@pytest.mark.parametrize("part", ["minus=a+rocket", "min_confidence=0.2", "from=3", "then=a+cat"])
def test_what_needs_a_text_says_so(tab: Opener, site: str, part: str) -> None:
    page = tab(f"{site}?{part}")
    expect(page.locator(".state h2")).to_have_text("What shall the moments show?")
    ask(page, "a motorcycle" if "then" not in part else "a rocket")
    page.fill("#q", "")
    expect(page.locator(".state h2")).to_have_text("What shall the moments show?")
    page.locator(".state button").click()
    expect(page.locator("a.card .name")).to_have_count(4)


@pytest.mark.parametrize("kind", ["drop", "paste", "pick"])
def test_a_picture_finds_what_looks_like_it(
    tab: Opener, site: str, tmp_path: Path, kind: str
) -> None:
    picture = tmp_path / "flower.png"
    Image.fromarray(photograph("flower.jpg")).save(picture)
    page = tab(site)
    if kind == "drop":
        drop(page, picture, "dragenter")
        expect(page.locator("#drop")).to_be_visible()
        shot(page, "drop")
    if kind == "pick":
        page.set_input_files("#file", picture)
    else:
        drop(page, picture, kind)
    expect(page.locator("#drop")).not_to_be_visible()
    expect(page.locator(".group .name").first).to_have_text("été.mp4")
    expect(page.locator(".chip.sample")).to_be_visible()
    shot(page, f"picture-{kind}")
    page.locator("a.card[data-key]").first.click()
    expect(page.locator(".strip")).to_have_class("strip hot")
    page.keyboard.press("Escape")
    until(page, "!location.search.includes('watch')")
    page.reload()
    expect(page.locator(".group .name").first).to_have_text("été.mp4")
    page.locator(".chip.sample button").click()
    expect(page.locator("#summary")).to_have_text("Your videos")


def test_what_is_no_picture_is_said_to_be_none(tab: Opener, site: str, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("these are notes")
    page = tab(site)
    drop(page, tmp_path / "notes.png")
    expect(page.locator(".state h2")).to_have_text("That cannot be searched for")


def test_more_like_a_frame(tab: Opener, site: str) -> None:
    page = tab(f"{site}?q=a+cat&min_duration=5")
    card = page.locator(".cards li").first
    card.hover()
    card.get_by_role("button", name="More like this").click()
    expect(page.locator(".chip.sample")).to_contain_text("like zoo.mp4 at 0:")
    expect(page.locator("a.card[data-key]").first).to_contain_text("0:08 – 0:14")
    assert set(asked(page)) == {"image", "min_duration"}
    expect(page.locator("#q")).to_have_value("")


def test_a_slow_answer_never_replaces_a_later_one(tab: Opener, site: str) -> None:
    page = tab(site)
    held: list[Route] = []
    page.route("**/v1/search?q=a+rocket*", lambda route: held.append(route))
    page.fill("#q", "a rocket")
    while not held:
        page.wait_for_timeout(50)
    ask(page, "a garden")
    gardens = found(page)
    with suppress(PlaywrightError):  # the page has given that request up
        held[0].continue_()
    page.wait_for_timeout(500)
    assert found(page) == gardens


def test_the_keyboard_is_enough(tab: Opener, site: str) -> None:
    page = tab(site)
    page.keyboard.type("a cat")
    page.keyboard.press("Enter")
    page.wait_for_selector("a.card[data-key]")
    page.keyboard.press("ArrowDown")
    cards = page.locator("a.card[data-key]")
    expect(cards.nth(0)).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(cards.nth(1)).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator("#player")).to_be_visible()
    shot(page, "keyboard")
    page.keyboard.press("]")
    expect(page.locator(".place")).to_contain_text("2 of")
    page.keyboard.press("[")
    expect(page.locator(".place")).to_contain_text("1 of")
    page.keyboard.press("Escape")
    expect(page.locator("#player")).not_to_be_visible()
    expect(cards.nth(0)).to_be_focused()
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("a motorcycle")
    expect(page.locator(".group").first).to_contain_text("0:14")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    shot(page, "keys")
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).not_to_be_visible()


def test_the_end_of_the_player_takes_no_focus_away(tab: Opener, site: str) -> None:
    page = tab(site)
    page.keyboard.type("a cat")
    page.keyboard.press("Enter")
    page.locator("a.card[data-key]").first.click()
    expect(page.locator("#player")).to_be_visible()
    told = """() => new Promise((tell) => {
        const player = document.querySelector("#player");
        player.addEventListener("close", () => setTimeout(tell));
        player.close();
        document.querySelector("#q").focus();
    })"""
    page.evaluate(told)
    expect(page.locator("#q")).to_be_focused()
    page.locator("a.card[data-key]").first.click()
    page.keyboard.press("Escape")
    expect(page.locator("a.card[data-key]").first).to_be_focused()


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_narrow_screen(tab: Opener, site: str, scheme: str) -> None:
    phone = {"width": 360, "height": 740}
    page = tab(f"{site}?q=a+cat", viewport=phone, has_touch=True, is_mobile=True,
               device_scale_factor=2, color_scheme=scheme)  # fmt: skip
    page.wait_for_selector(".fit.loaded")
    fits = "document.documentElement.scrollWidth <= innerWidth"
    assert page.evaluate(fits)
    shot(page, f"phone-{scheme}")
    page.tap("#filter")
    assert page.evaluate(fits)
    page.tap("#filter")
    page.locator("a.card[data-key]").first.tap()
    expect(page.locator("#player video")).to_be_visible()
    assert page.evaluate("document.querySelector('#player').scrollWidth <= innerWidth")
    page.wait_for_timeout(1000)
    shot(page, f"phone-player-{scheme}")
    assert CAT[0] - 1 <= page.evaluate("document.querySelector('video').currentTime") < CAT[1]
