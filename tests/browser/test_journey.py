"""What the whole product is for, in a real browser: from a practice that drifts to a visit, and from its ask to the council."""

from __future__ import annotations

import csv
import re
import sqlite3
from contextlib import closing

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_outreach import faults
from tests.browser.test_pages import SIZES, SLOW, enter, settle

pytestmark = pytest.mark.browser
HEARD = "The practice manager is new and had none of our mails."
NEED = "One number that a GP can ring for the mental health team"


def pages_of(demo, folder) -> dict[str, str]:
    """Links to members' own pages, by the member's number."""
    demo.cli("asks", "links", "--out", str(folder / "pages.csv"))
    with (folder / "pages.csv").open(encoding="utf-8-sig") as file:
        return {row["member_id"]: row["link"] for row in csv.DictReader(file)}


def people(demo, practice: str) -> tuple[str, str]:
    """The numbers of somebody of a practice, and of somebody of another one."""
    with closing(sqlite3.connect(demo.folder / "data" / "engagement.sqlite")) as db:
        rows = db.execute(
            "SELECT member.ref, practice.name FROM member JOIN spell ON spell.member_id = member.id "
            "JOIN practice ON practice.id = spell.practice_id WHERE spell.ends IS NULL AND spell.left_wave IS NULL ORDER BY member.ref"
        ).fetchall()
    return (
        next(ref for ref, name in rows if name == practice),
        next(ref for ref, name in rows if name != practice),
    )


def test_from_a_drifting_practice_to_the_council(browser: Browser, demo, tmp_path):
    """A practice drifts and is visited; one of its members asks for something, which others stand behind, the body answers
    and does, the member rates, and the council reads."""
    ask(browser, demo, visit(browser, demo), pages_of(demo, tmp_path))


def visit(browser: Browser, demo) -> str:
    """From the least engaged practice to its page, to a planned visit, logged on a phone afterwards with a next step; the
    governing body then counts it and reads nothing of it. Returns the practice's name."""
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
    return name


def ask(browser: Browser, demo, practice: str, links: dict[str, str]) -> None:
    """Raised by keyboard on a narrow phone without script, endorsed, answered and done by the lead, rated, read by all."""
    first, second = people(demo, practice)
    small = {"viewport": {"width": 320, "height": 640}}

    hand = browser.new_context(**small, java_script_enabled=False).new_page()
    hand.goto(links[first])
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
    expect(hand.get_by_text(f"All members can read it, with the name of {practice}")).to_be_visible()
    hand.get_by_role("button", name="Send the ask").press("Enter")
    expect(hand.get_by_text("Your ask was sent.")).to_be_visible()

    other = browser.new_context(**small).new_page()
    asked: list[str] = []
    other.on("request", lambda request: asked.append(request.url))
    for where in ("", "?page=raise", "?page=raise&topic=premises"):
        other.goto(links[second] + where)
        assert faults(other, where) == []
    other.goto(links[second])
    other.get_by_role("link", name=NEED).click()
    assert faults(other, "ask") == []
    other.get_by_label("We would work on it together").check()
    other.get_by_role("button", name="Stand behind this ask").click()
    expect(other.get_by_text("stands behind this ask and offers to work on it")).to_be_visible()
    assert other.context.cookies() == [] and all(url.startswith(demo.url) for url in asked)

    desk = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    enter(desk, demo, "Engagement lead")
    desk.goto(f"{demo.url}/asks")
    card = desk.get_by_test_id("stVerticalBlock").filter(has=desk.get_by_role("heading", name=NEED)).last
    expect(card.get_by_text("Ready to work on it together")).to_be_visible(timeout=SLOW)
    settle(desk)
    assert faults(desk, "asks") == []
    card.get_by_text("Answer", exact=True).first.click()
    settle(desk)
    card.get_by_text("Yes", exact=True).click()
    card.get_by_label("Why").fill("The trust opens a line in May.")
    settle(desk)
    card.get_by_role("button", name="Send the answer").click()
    expect(desk.get_by_text("The answer was sent.")).to_be_visible(timeout=SLOW)
    desk.goto(f"{demo.url}/asks?asks_filter=Agreed+and+not+done")
    expect(card.get_by_text("Answered: yes.")).to_be_visible(timeout=SLOW)
    settle(desk)
    card.get_by_text("Say what was done").click()
    settle(desk)
    card.get_by_label("What was done").fill("The line is open from 8am to 6pm.")
    settle(desk)
    card.get_by_role("button", name="It is done").click()
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
        assert faults(council, tab) == []
    expect(council.get_by_role("button", name=re.compile("Send the answer|Take it off"))).to_have_count(0)

    hand.goto(address)
    expect(hand.get_by_text(f"You said: {NEED}")).to_be_visible()
    for page in (hand, other, desk, council):
        page.context.close()
    log = (demo.folder / "server.log").read_text()
    assert "/m/" not in log and links[first].rsplit("/", 1)[1] not in log
