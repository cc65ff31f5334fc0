"""The page in a real browser: adding folders, much to show, nothing to show, and for whom."""

import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.register_assert_rewrite("browsing")
pytest_plugins = ["browsing"]

from axe_playwright_python.sync_playwright import Axe  # noqa: E402
from browsing import Opener, ask, is_within, served, shot  # noqa: E402
from playwright.sync_api import Page, expect  # noqa: E402

import framefind  # noqa: E402
from conftest import scene, write_clip  # noqa: E402
from framefind.models import registry  # noqa: E402
from framefind.tables.rows import FrameRow, new_segment  # noqa: E402
from framefind.tables.tables import Tables  # noqa: E402
from framefind.types import Video  # noqa: E402
from framefind.video.views import WHOLE  # noqa: E402

VIDEOS = 25
MOMENTS = 20


def test_a_folder_is_added_watched_and_searched(tab: Opener, tmp_path: Path, films: Path) -> None:
    folder = Path(shutil.copytree(films, tmp_path / "my films"))
    (folder / "broken.mp4").write_bytes((films / "zoo.mp4").read_bytes()[:5000])
    with served(tmp_path / "new.framefind") as site:
        page = tab(site)
        expect(page.locator(".state h2")).to_have_text("Nothing to search yet")
        shot(page, "empty")
        page.fill("#first-path", str(tmp_path / "no such folder"))
        page.keyboard.press("Enter")
        expect(page.locator(".state .wrong")).to_contain_text("there is no such")
        page.fill("#first-path", str(folder))
        page.keyboard.press("Enter")
        expect(page.locator(".job b")).to_have_text(["my films"])
        expect(page.locator(".state h2")).to_have_text("Your videos are being looked at")
        shot(page, "indexing")
        expect(page.locator(".job .words")).to_contain_text("4 videos indexed", timeout=120_000)
        assert is_within(page.locator(".job .words"), page.locator(".job"))
        expect(page.locator("a.card .name")).to_contain_text(["zoo.mp4"])
        page.locator(".failures summary").click()
        expect(page.locator(".failures")).to_contain_text("broken.mp4")
        shot(page, "indexed")
        ask(page, "a cat")
        expect(page.locator(".group .name").first).to_have_text("zoo.mp4")
        page.get_by_role("button", name="Dismiss").click()
        expect(page.locator(".job")).to_have_count(0)


def test_indexing_can_be_stopped(tab: Opener, tmp_path: Path, many: Path) -> None:
    with served(tmp_path / "new.framefind") as site:
        page = tab(site)
        page.click("#add")
        page.fill("#add-path", str(many))
        page.keyboard.press("Enter")
        expect(page.locator("#adding")).not_to_be_visible()
        expect(page.locator(".job .words")).to_contain_text("of 40 files", timeout=60_000)
        page.reload()
        expect(page.locator(".job .words")).to_contain_text("of 40 files")
        page.locator(".job").get_by_text("Cancel").click()
        expect(page.locator(".job .words")).to_contain_text("stopped", timeout=60_000)


def add(page: Page, path: Path) -> None:
    """Add a folder or a video by the dialog."""
    page.click("#add")
    page.fill("#add-path", str(path))
    page.keyboard.press("Enter")


def test_many_jobs_leave_the_page_alive(tab: Opener, tmp_path: Path, many: Path) -> None:
    with served(tmp_path / "new.framefind") as site:
        page = tab(site)
        add(page, many)
        for number in range(7):
            expect(page.locator("#adding")).not_to_be_visible()
            add(page, write_clip(tmp_path / f"{number}" / "one.mp4", [200 + number]).parent)
        expect(page.locator(".job")).to_have_count(8)
        assert page.evaluate("fetch('v1/library').then((answer) => answer.status)") == 200
        shot(page, "jobs")
        for row in page.locator(".job").all():
            row.get_by_text("Cancel").click()
        expect(page.locator(".job progress:visible")).to_have_count(0, timeout=60_000)
        expect(page.locator(".job .words").last).to_contain_text("stopped")


def test_a_folder_added_again_says_what_it_holds(tab: Opener, tmp_path: Path) -> None:
    for number in range(2):
        write_clip(tmp_path / "own films" / f"{number}.mp4", [number])
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.txt").write_text("these are notes")
    with served(tmp_path / "new.framefind") as site:
        page = tab(site)
        for folder, words in (
            ("own films", "2 videos indexed"),
            ("own films", "nothing new, 2 unchanged"),
            ("notes", "no videos found in it"),
        ):
            add(page, tmp_path / folder)
            expect(page.locator(".job .words").last).to_have_text(words, timeout=60_000)
            page.get_by_role("button", name="Dismiss").click()
        add(page, tmp_path / "notes" / "notes.txt")
        expect(page.locator("#adding .wrong")).to_contain_text("not a video")
        expect(page.locator(".job")).to_have_count(0)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library of 500 moments: 25 videos that show a cat every ten seconds, says the model."""
    import io

    from PIL import Image

    model = registry.load("mini")
    cat, other = model.embed_texts(["a cat", "a street"])
    uri = tmp_path_factory.mktemp("large") / "large.framefind"
    tables = Tables.create(str(uri), model.fingerprint)
    rows = []
    with tables.writer() as writer:
        for number in range(VIDEOS):
            segment = new_segment()
            video_id = f"{number:032x}"
            picture = io.BytesIO()
            Image.fromarray(scene(number, 320, 180)).save(picture, "JPEG")
            for t in range(10 * MOMENTS):
                vector = (other if t % 10 else cat) + np.float32(1e-5) * t
                vector = vector / np.linalg.norm(vector)
                writer.add(
                    FrameRow(video_id, segment, float(t), picture.getvalue(), [WHOLE], vector[None])
                )
            rows.append(
                Video(video_id=video_id, path=f"/films/{number:02}/a film with a long name.mp4",
                      size=1, sampler="every=1.0", views="whole", frames=10 * MOMENTS,
                      segments=[segment], status="indexed", duration=10.0 * MOMENTS)
            )  # fmt: skip
        files = writer.close()
    tables.publish(files, rows)
    return uri


def test_five_hundred_moments(tab: Opener, large: Path) -> None:
    with served(large) as site:
        page = tab(f"{site}?q=a+cat")
        expect(page.locator("#summary")).to_have_text("About 500 moments")
        expect(page.locator("#facts")).to_have_text("the best 48")
        shot(page, "five-hundred")
        page.locator("#more").click()
        for _ in range(300):  # it goes and comes while more is shown: only a script hits it surely
            if not page.locator("#more").count():
                break
            page.keyboard.press("End")
            page.evaluate("document.querySelector('#more')?.click()")
            page.wait_for_timeout(100)
        expect(page.locator("#more")).to_have_count(0)
        expect(page.locator("#summary")).to_have_text("500 moments")
        expect(page.locator("#facts")).to_have_text("in 25 videos")
        assert page.locator(".cards li").count() == 500
        shown = page.locator("a.card[data-key]:visible").count()
        assert shown == VIDEOS * 8
        page.locator(".group .more").first.click()
        assert page.locator("a.card[data-key]:visible").count() == shown + MOMENTS - 8
        shot(page, "five-hundred-all")


def test_one_moment(tab: Opener, tmp_path: Path) -> None:
    write_clip(tmp_path / "films" / "only.mp4", [1])
    framefind.open(tmp_path / "own.framefind").index(tmp_path / "films")
    with served(tmp_path / "own.framefind") as site:
        page = tab(f"{site}?q=colours")
        expect(page.locator("#summary")).to_have_text("1 moment")
        expect(page.locator("#more")).to_have_count(0)
        shot(page, "one")


def test_a_server_that_is_gone_is_told_of(tab: Opener, filmed: Path) -> None:
    with served(filmed) as site:
        page = tab(site)
        expect(page.locator("#summary")).to_have_text("Your videos")
    page.fill("#q", "a cat")
    expect(page.locator(".state h2")).to_have_text("The server does not answer")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    shot(page, "gone")


def test_the_page_asks_for_its_token(tab: Opener, filmed: Path) -> None:
    with served(filmed, "--token") as site:
        page = tab(site)
        expect(page.locator("body")).to_contain_text("its token")


def troubles(page: Page) -> list[str]:
    """What axe finds that is serious or worse."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {[node['html'] for node in one['nodes']][:3]}"
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_axe_finds_nothing_serious(tab: Opener, site: str, scheme: str) -> None:
    # axe runs in the page, which the policy would refuse.
    page = tab(site, color_scheme=scheme, bypass_csp=True, reduced_motion="reduce")
    page.wait_for_selector("a.card")
    page.wait_for_timeout(500)
    assert not troubles(page)
    page.goto(f"{site}?q=a+cat&plus=fur&minus=a+rocket&then=a+motorcycle&min_confidence=0.01")
    page.wait_for_selector(".state, .group")
    page.wait_for_timeout(500)
    assert not troubles(page)
    page.goto(f"{site}?q=a+cat")
    page.locator("a.card[data-key]").first.click()
    page.wait_for_selector(".strip.hot")
    page.wait_for_timeout(500)
    shot(page, f"player-{scheme}")
    assert not troubles(page)
    page.keyboard.press("Escape")
    page.click("#add")
    assert not troubles(page)
    page.keyboard.press("Escape")
    page.click("#help")
    assert not troubles(page)
