"""Outreach in a real browser: from a practice that drifts to a planned visit, logged on a phone, and what others read."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_pages import RULES, SIZES, SLOW, _date_part, enter, settle
from tests.browser.test_risk_pages import TOO_WIDE

pytestmark = pytest.mark.browser
HEARD = "The practice manager is new and had none of our mails."


def faults(page: Page, name: str) -> list[tuple]:
    """Rules of WCAG that axe sees broken, and what scrolls sideways."""
    settle(page)
    found = Axe().run(page, options=RULES).response["violations"]
    broken = [
        (name, v["id"], node["html"][:120]) for v in found for node in v["nodes"] if not _date_part(v, node)
    ]
    if not page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"):
        broken.append((name, "scrolls sideways", ""))
    return broken + [(name, "too wide", text) for text in page.evaluate(TOO_WIDE)]


def test_from_a_drifting_practice_to_a_visit_logged_on_a_phone(browser: Browser, demo):
    """The least engaged leads to its page, from there to a planned visit, which is logged afterwards with a next step; the
    governing body then counts it and reads nothing of it."""
    width, height = SIZES["phone"]
    context = browser.new_context(viewport={"width": width, "height": height}, accept_downloads=True)
    page = context.new_page()
    enter(page, demo, "Engagement lead")
    page.goto(f"{demo.url}/practices")
    first = page.get_by_test_id("stPageLink").filter(has_text=re.compile("1st to")).first
    expect(first).to_be_visible(timeout=SLOW)
    name = first.inner_text().split(":")[0]
    first.get_by_role("link").click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible(timeout=SLOW)
    settle(page)
    page.get_by_role("link", name="Plan a visit").click()
    expect(page.get_by_role("heading", name=f"Plan a contact with {name}")).to_be_visible(timeout=SLOW)
    assert faults(page, "planning") == []
    page.get_by_label("Why, if you like").fill("They have not answered for a year")
    page.get_by_role("button", name="Plan it").click()
    expect(page.get_by_text(f"✓ {name} is planned")).to_be_visible(timeout=SLOW)
    settle(page)
    own = page.get_by_test_id("stVerticalBlock").filter(has_text="They have not answered for a year").last
    own.get_by_role("button", name="Log it").click()
    expect(page.get_by_role("heading", name=name, level=2, exact=True)).to_be_visible(timeout=SLOW)
    page.wait_for_url(re.compile("contact="))
    assert faults(page, "logging") == []
    for button in page.get_by_test_id("stButtonGroup").get_by_role("radio").all():
        assert button.bounding_box()["height"] >= 24
    page.get_by_role("textbox", name="What was heard").fill(HEARD)
    page.get_by_label("Next step", exact=True).fill("Send the summary of one page")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text(f"✓ {name} is logged for")).to_be_visible(timeout=SLOW)

    page.goto(f"{demo.url}/outreach")
    expect(page.get_by_role("heading", name=re.compile("^Plan of "))).to_be_visible(timeout=SLOW)
    settle(page)
    page.locator("summary").filter(has_text="Calendar files").click()
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the visits").click()
    text = download.value.path().read_text()
    assert "BEGIN:VEVENT" in text and "Critical" not in text and HEARD not in text
    page.get_by_role("tab", name="Log").click()
    expect(page.get_by_role("cell", name="Send the summary of one page")).to_be_visible(timeout=SLOW)
    context.close()

    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    enter(page, demo, "Governing body")
    page.goto(f"{demo.url}/outreach")
    expect(page.get_by_text(re.compile(r"\d+ of 42 practices were met"))).to_be_visible(timeout=SLOW)
    assert faults(page, "counts") == []
    assert name not in page.content() and HEARD not in page.content() and "Demo Oak" not in page.content()
    context.close()


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
