"""An ask in a real browser: raised by a member, endorsed by another, answered, rated, and seen by the council."""

from __future__ import annotations

import csv
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_pages import RULES, SLOW, enter, settle

pytestmark = pytest.mark.browser
NEED = "One number that a GP can ring for the mental health team"


def check(page: Page, name: str) -> None:
    """No rule of WCAG that axe can see is broken, and nothing scrolls sideways."""
    found = Axe().run(page, options=RULES).response["violations"]
    assert [(name, v["id"], n["html"][:120]) for v in found for n in v["nodes"]] == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), name


def pages_of(demo, folder) -> dict[str, str]:
    """Links to members' own pages, by the member's number."""
    demo.cli("asks", "links", "--out", str(folder / "pages.csv"))
    with (folder / "pages.csv").open(encoding="utf-8-sig") as file:
        return {row["member_id"]: row["link"] for row in csv.DictReader(file)}


def test_an_ask_from_a_member_to_the_council(browser: Browser, demo, tmp_path):
    """Raised by keyboard on a narrow phone without script, endorsed, answered and done by the lead, rated, read by all."""
    links = pages_of(demo, tmp_path)
    small = {"viewport": {"width": 320, "height": 640}}

    hand = browser.new_context(**small, java_script_enabled=False).new_page()
    hand.goto(links["D001"])
    hand.get_by_role("link", name="Raise an ask").press("Enter")
    hand.get_by_role("link", name="A care system that fails").press("Enter")
    hand.get_by_label("What do you need?").fill(NEED)
    hand.get_by_role("button", name="Continue").press("Enter")
    expect(hand.get_by_role("heading", name="There is a problem")).to_be_visible()
    expect(hand.get_by_label("What do you need?")).to_have_value(NEED)
    hand.get_by_label("What does the problem do now?").fill(
        "Patients wait nine weeks; four a month end in A&E."
    )
    hand.get_by_label("Fewer A&E attendances").press("Space")
    hand.get_by_role("button", name="Continue").press("Enter")
    expect(hand.get_by_text("All members can read it, with the name of Demo Alder Surgery")).to_be_visible()
    hand.get_by_role("button", name="Send the ask").press("Enter")
    expect(hand.get_by_text("Your ask was sent.")).to_be_visible()

    other = browser.new_context(**small).new_page()
    asked: list[str] = []
    other.on("request", lambda request: asked.append(request.url))
    for where in ("", "?page=raise", "?page=raise&topic=premises"):
        other.goto(links["D010"] + where)
        check(other, where)
    other.goto(links["D010"])
    other.get_by_role("link", name=NEED).click()
    check(other, "ask")
    other.get_by_label("We would work on it together").check()
    other.get_by_role("button", name="Stand behind this ask").click()
    expect(other.get_by_text("stands behind this ask and offers to work on it")).to_be_visible()
    assert other.context.cookies() == [] and all(url.startswith(demo.url) for url in asked)

    desk = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    enter(desk, demo, "Engagement lead")
    desk.goto(f"{demo.url}/asks")
    ask = desk.get_by_test_id("stVerticalBlock").filter(has=desk.get_by_role("heading", name=NEED)).last
    expect(ask.get_by_text("Ready to work on it together")).to_be_visible(timeout=SLOW)
    settle(desk)
    check(desk, "asks")
    ask.get_by_text("Answer", exact=True).first.click()
    settle(desk)
    ask.get_by_text("Yes", exact=True).click()
    ask.get_by_label("Why").fill("The trust opens a line in May.")
    settle(desk)
    ask.get_by_role("button", name="Send the answer").click()
    expect(desk.get_by_text("The answer was sent.")).to_be_visible(timeout=SLOW)
    desk.goto(f"{demo.url}/asks?asks_filter=Agreed+and+not+done")
    expect(ask.get_by_text("Answered: yes.")).to_be_visible(timeout=SLOW)
    settle(desk)
    ask.get_by_text("Say what was done").click()
    settle(desk)
    ask.get_by_label("What was done").fill("The line is open from 8am to 6pm.")
    settle(desk)
    ask.get_by_role("button", name="It is done").click()
    expect(desk.get_by_text("It stands as done")).to_be_visible(timeout=SLOW)

    hand.reload()
    hand.get_by_label("4", exact=True).check()
    hand.get_by_label("In your words").fill("Answered at the second ring.")
    hand.get_by_role("button", name="Send the rating").click()
    expect(hand.get_by_text("Your rating was kept.")).to_be_visible()
    expect(hand.get_by_text("4.0 of 5, by 1 member")).to_be_visible()

    council = browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    enter(council, demo, "Council representative")
    council.goto(f"{demo.url}/council")
    expect(council.get_by_text("The line is open from 8am to 6pm.")).to_be_visible(timeout=SLOW)
    expect(council.get_by_text("Rated 4.0 of 5 by 1 member of those who asked or endorsed.")).to_be_visible()
    address = council.locator("code", has_text="/r/DEMO/").first.inner_text().strip()
    council.goto(f"{demo.url}/asks")
    settle(council)
    for tab in ("Asked and given", "What the CCG asks", "You said, we did"):
        council.get_by_role("tab", name=tab).click()
        settle(council)
        check(council, tab)
    expect(council.get_by_role("button", name=re.compile("Send the answer|Take it off"))).to_have_count(0)

    hand.goto(address)
    expect(hand.get_by_text(f"You said: {NEED}")).to_be_visible()
    for page in (hand, other, desk, council):
        page.context.close()
    log = (demo.folder / "server.log").read_text()
    assert "/m/" not in log and links["D001"].rsplit("/", 1)[1] not in log
