"""The page in a real browser: moments are chosen and handed over."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("browsing")
pytest_plugins = ["browsing"]

from browsing import Opener, ask, shot  # noqa: E402
from playwright.sync_api import expect  # noqa: E402


def test_chosen_moments_are_exported(tab: Opener, site: str, tmp_path: Path) -> None:
    page = tab(site)
    ask(page, "a close-up of a cat")
    form = page.locator("#export")
    expect(form).to_be_hidden()
    page.get_by_role("checkbox").first.check()
    expect(form).to_contain_text("1 moment chosen")
    form.get_by_label("Format").select_option("edl")
    shot(page, "export")
    with page.expect_download() as caught:
        form.get_by_role("button", name="Export").click()
    assert caught.value.suggested_filename == "a close-up of a cat.edl"
    caught.value.save_as(tmp_path / "a.edl")
    text = (tmp_path / "a.edl").read_text("utf-8")
    assert text.startswith("TITLE: a close-up of a cat\n")
    assert text.count("* FROM CLIP NAME: zoo.mp4") == 1
    form.get_by_role("button", name="Choose none").click()
    expect(form).to_be_hidden()
