"""The staff pages in a real browser, as each role, on a desk and on a phone."""

from __future__ import annotations

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser
SLOW = 30_000
SIZES = {"desk": (1280, 900), "phone": (390, 844)}
READERS = {"": "Overview", "gap": "Gap over time", "practices": "Practices", "soundness": "How sound is it?"}
LEADS = {"rounds": "Rounds", "roster": "Roster", "instrument": "Instrument", "people": "People"}
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}


def settle(page: Page) -> None:
    """Wait until Streamlit has drawn all of a rerun."""
    page.wait_for_timeout(500)
    page.wait_for_selector('[data-test-script-state="notRunning"]', timeout=SLOW)


def enter(page: Page, demo, role: str) -> None:
    """Sign in as a demo account by its button."""
    page.goto(demo.url)
    page.get_by_role("button", name=re.compile(role)).click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible(timeout=SLOW)


def _date_part(violation: dict, node: dict) -> bool:
    """Whether axe means the day, month and year inside Streamlit's date field, which are narrower than 24 pixels.

    WCAG 2.5.8 exempts them: the calendar button beside them does the same and is large enough.
    """
    return violation["id"] == "target-size" and 'role="spinbutton"' in node["html"]


@pytest.mark.parametrize("size", SIZES)
def test_every_page_is_accessible_and_fits(browser: Browser, demo, size):
    """No page breaks a WCAG rule that axe can see, scrolls sideways, or asks anything of another host."""
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url.split("/")[2]) if "//" in request.url else None)
    enter(page, demo, "Engagement lead")
    broken = []
    for path, heading in (READERS | LEADS).items():
        page.goto(f"{demo.url}/{path}")
        expect(page.get_by_role("heading", name=heading, level=1)).to_be_visible(timeout=SLOW)
        settle(page)
        found = Axe().run(page, options=RULES).response["violations"]
        broken += [
            (path, v["id"], node["html"][:120])
            for v in found
            for node in v["nodes"]
            if not _date_part(v, node)
        ]
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), path
    context.close()
    assert broken == []
    assert {host.split(":")[0] for host in asked} == {"localhost"}


@pytest.mark.parametrize("role", ["Governing body", "Council representative"])
def test_readers_read_and_do_not_run(browser: Browser, demo, role):
    """Readers have the results and no page of the lead's, not even by its address."""
    context = browser.new_context()
    page = context.new_page()
    enter(page, demo, role)
    for heading in READERS.values():
        expect(page.get_by_role("link", name=heading).first).to_be_visible()
    for path, heading in LEADS.items():
        expect(page.get_by_role("link", name=heading, exact=True)).to_have_count(0)
        page.goto(f"{demo.url}/{path}")
        settle(page)
        expect(page.get_by_role("heading", name=heading, level=1)).to_have_count(0)
    context.close()


def test_signing_out_ends_the_other_tab(browser: Browser, demo):
    """After signing out in one tab, the other is out at its next rerun, and a reload leads to sign-in."""
    context = browser.new_context()
    here = context.new_page()
    enter(here, demo, "Governing body")
    there = context.new_page()
    there.goto(f"{demo.url}/gap")
    expect(there.get_by_role("heading", name="Gap over time")).to_be_visible(timeout=SLOW)
    settle(there)
    here.get_by_role("button", name="Sign out").click()
    expect(here.get_by_text("signed out").first).to_be_visible(timeout=SLOW)
    there.get_by_role("link", name="Practices").first.click()
    expect(there.get_by_text("signed out").first).to_be_visible(timeout=SLOW)
    there.reload()
    expect(there.get_by_role("heading", name="Sign in")).to_be_visible(timeout=SLOW)
    context.close()


def test_a_changed_wording_breaks_the_line_in_sight(browser: Browser, demo):
    """The item chooser is in the address, and an item whose wording changed shows both wordings and the break."""
    context = browser.new_context()
    page = context.new_page()
    enter(page, demo, "Governing body")
    page.goto(f"{demo.url}/gap?item=Gives+helpful+answers")
    expect(page.get_by_role("heading", name="Wordings")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text("Wording 2, rounds 5 to 8")).to_be_visible()
    expect(page.get_by_text("Wording 1, rounds 1 to 4")).to_be_visible()
    chart = page.locator('[role="graphics-document"], [aria-roledescription="visualization"]').first
    expect(chart).to_be_visible(timeout=SLOW)
    context.close()


def test_answering_by_keyboard_alone(browser: Browser, demo):
    """Tab, space and enter are enough to read the promise, answer every statement and send."""
    link = demo.cli("demo", "--links", "1", json_out=True)["links"][0]
    context = browser.new_context(viewport={"width": 320, "height": 640})
    page = context.new_page()
    page.goto(link)
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent.trim()") == "Start":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your answers")).to_be_visible()
    seen: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        name, kind = page.evaluate("[document.activeElement.name || '', document.activeElement.type || '']")
        if kind == "radio" and name.startswith("q-") and name not in seen:
            seen.add(name)
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
        elif page.evaluate("document.activeElement.textContent.trim()") == "Send":
            break
    assert len(seen) == 8
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Your answers have been received")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    context.close()
