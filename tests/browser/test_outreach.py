"""The parts of the outreach page in a real browser."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_pages import RULES, SIZES, SLOW, _date_part, enter, settle
from tests.browser.test_risk_pages import TOO_WIDE

pytestmark = pytest.mark.browser


def faults(page: Page, name: str) -> list[tuple]:
    """Rules of WCAG that axe sees broken, and what scrolls sideways."""
    if page.get_by_test_id("stApp").count():
        settle(page)
    found = Axe().run(page, options=RULES).response["violations"]
    broken = [
        (name, v["id"], node["html"][:120]) for v in found for node in v["nodes"] if not _date_part(v, node)
    ]
    if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
        broken.append((name, "scrolls sideways", ""))
    return broken + [(name, "too wide", text) for text in page.evaluate(TOO_WIDE)]


@pytest.mark.parametrize("size", SIZES)
def test_every_part_is_accessible_and_fits(browser: Browser, demo, size):
    """No tab breaks a rule that axe can see with all its parts open, and none scrolls sideways."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    enter(page, demo, "Engagement lead")
    page.goto(f"{demo.url}/outreach")
    expect(page.get_by_role("heading", name="Outreach", level=1)).to_be_visible(timeout=SLOW)
    settle(page)
    broken = []
    for tab, heading in (
        ("Plan", "Contacts to come"),
        ("Log", "The log"),
        ("Messages", "Write to a segment"),
        ("Buddies and peers", "Peer groups"),
        ("Actions", "Who acts on what"),
        ("People and rules", "Rules"),
    ):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible(timeout=SLOW)
        settle(page)
        for part in page.get_by_test_id("stExpander").all():
            part.locator("summary").click()
        broken += faults(page, tab)
    context.close()
    assert broken == []
