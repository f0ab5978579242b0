"""The members' page, the council's and the reviewer's in a real browser, on a desk and on a phone."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser.test_pages import RULES, SIZES, SLOW, settle

pytestmark = pytest.mark.browser


def sign_in(page, demo, role: str, heading: str) -> None:
    """Sign in as a demo account, whose first page has this heading."""
    page.goto(demo.url)
    page.get_by_role("button", name=role).click()
    expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible(timeout=SLOW)
    settle(page)


@pytest.mark.parametrize("size", SIZES)
def test_results_for_members_council_and_reviewer_are_accessible_and_fit(browser: Browser, demo, size):
    """No page breaks a WCAG rule that axe can see or scrolls sideways; the members' page takes no cookie and no script."""
    width, height = SIZES[size]
    broken = []

    def check(page, name: str) -> None:
        found = Axe().run(page, options=RULES).response["violations"]
        broken.extend((name, v["id"], node["html"][:120]) for v in found for node in v["nodes"])
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name

    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    sign_in(page, demo, "Council representative", "Overview")
    page.goto(f"{demo.url}/council")
    expect(page.get_by_role("heading", name="Council review", level=1)).to_be_visible(timeout=SLOW)
    settle(page)
    check(page, "council")
    address = page.locator("code", has_text="/r/DEMO/").first.inner_text().strip()
    context.close()

    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    sign_in(page, demo, "Comment reviewer", "Comments")
    check(page, "comments")
    context.close()

    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    asked: list[str] = []
    refused: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: refused.append(message.text))
    page.goto(address)
    expect(page.get_by_role("heading", name="What members and leaders said")).to_be_visible()
    assert page.get_by_role("img", name="Belongs to its members").first.is_visible()
    assert context.cookies() == [] and refused == []
    assert [url.rsplit("/", 1)[1].split("?")[0] for url in asked[1:]] == ["style.css", "results.css"]
    page.get_by_text("The figures of this chart").first.click()
    check(page, "results")
    context.close()
    assert broken == []
