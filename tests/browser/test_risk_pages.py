"""The pages of the risk model in a real browser, on a desk and on a phone, in light and in dark."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser.test_pages import RULES, SIZES, SLOW, _date_part, enter, settle

pytestmark = pytest.mark.browser
PAGES = {
    "practices": "Practices",
    "practice?practice=DM0001": re.compile("Surgery"),
    "forecasts": "How well does it do?",
    "meetings": "Meetings",
}
# A table that is wider than its place would have to be scrolled sideways, which a keyboard cannot do there.
TOO_WIDE = (
    "[...document.querySelectorAll('[data-testid=stTable], [data-testid=stTable] div')]"
    ".filter(t => t.scrollWidth > t.clientWidth + 1).map(t => t.textContent.slice(0, 60))"
)


@pytest.mark.parametrize("size, scheme", [("desk", "light"), ("phone", "light"), ("phone", "dark")])
def test_the_pages_of_risk_are_accessible_and_fit(browser: Browser, demo, size, scheme):
    """No page breaks a WCAG rule that axe can see, with all its parts open, and no page or table scrolls sideways."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page = context.new_page()
    enter(page, demo, "Engagement lead")
    broken = []
    for path, heading in PAGES.items():
        page.goto(f"{demo.url}/{path}")
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible(timeout=SLOW)
        settle(page)
        for part in page.get_by_test_id("stExpander").all():
            part.locator("summary").click()
        settle(page)
        found = Axe().run(page, options=RULES).response["violations"]
        broken += [
            (path, v["id"], node["html"][:120])
            for v in found
            for node in v["nodes"]
            if not _date_part(v, node)
        ]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
        broken += [(path, "too wide", text) for text in page.evaluate(TOO_WIDE)]
    context.close()
    assert broken == []


def test_the_way_from_the_list_to_one_practice_and_back(browser: Browser, demo):
    """A locality chosen stands in the address and survives a reload; the first for a visit leads to its own page."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    enter(page, demo, "Council representative")
    page.goto(f"{demo.url}/practices?locality=East+Vale")
    expect(page.get_by_role("heading", name="For a visit")).to_be_visible(timeout=SLOW)
    settle(page)
    expect(
        page.get_by_role("heading", name=re.compile(r"Attitude and participation of 1\d practices"))
    ).to_be_visible()
    expect(
        page.locator('[aria-roledescription="visualization"], [role="graphics-document"]').first
    ).to_be_visible()
    first = page.get_by_test_id("stPageLink").filter(has_text="1st to").first
    name = first.inner_text().split(":")[0]
    first.get_by_role("link").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible(timeout=SLOW)
    assert "practice=DM" in page.url
    settle(page)
    expect(page.get_by_text("Engagement rank")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible(timeout=SLOW)
    settle(page)
    page.get_by_role("link", name="All practices").click()
    expect(page.get_by_role("heading", name="Practices", level=1)).to_be_visible(timeout=SLOW)
    context.close()


def test_a_meeting_is_logged_on_a_phone(browser: Browser, demo):
    """Title, one practice by a few letters, save; the practice's page then says that somebody came."""
    width, height = SIZES["phone"]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    enter(page, demo, "Engagement lead")
    page.goto(f"{demo.url}/meetings")
    expect(page.get_by_role("heading", name="Meetings", level=1)).to_be_visible(timeout=SLOW)
    settle(page)
    page.get_by_label("Title").fill("Council of members")
    page.get_by_label("Practices that came").fill("Demo Ash")
    page.keyboard.press("Enter")
    settle(page)
    expect(page.get_by_label("Demo Ash Surgery").last).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Save the meeting").click()
    expect(page.get_by_text("was saved, with 1 practice.")).to_be_visible(timeout=SLOW)
    page.goto(f"{demo.url}/practice")
    expect(page.get_by_role("heading", name="One practice", level=1)).to_be_visible(timeout=SLOW)
    settle(page)
    page.get_by_label("Practice").fill("Demo Ash")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Demo Ash Surgery", level=1)).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("cell", name="Council of members")).to_be_visible(timeout=SLOW)
    expect(page.get_by_role("cell", name="yes")).to_be_visible()
    context.close()
