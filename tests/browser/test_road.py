"""The whole road in a real browser, on both databases: from an empty body to a new point of the trend."""

from __future__ import annotations

import csv
import re
import urllib.parse
import urllib.request

import pyotp
import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 390, "height": 844}}
PRACTICES, PEOPLE = 12, 60
PASSWORD = "three random words"
SLOW = 20_000


def roster_files(folder):
    """Twelve practices of five people, of whom fourteen hold a formal role."""
    practices, members = folder / "practices.csv", folder / "members.csv"
    practices.write_text(
        "practice_id,name,list_size\n"
        + "".join(f"Y{p:05d},Practice {p},{4000 + p}\n" for p in range(PRACTICES))
    )
    lines = ["member_id,practice_id,role,representative,name"]
    for n in range(PEOPLE):
        role = "clinical_lead" if n % 5 == 0 or n in (1, 6) else "gp_partner"
        lines.append(f"M{n:03d},Y{n // 5:05d},{role},{int(n % 5 == 0)},Person {n}")
    members.write_text("\n".join(lines) + "\n")
    return practices, members


def past_answers(folder):
    """Two past rounds in which everybody answered."""
    lines = ["wave,member_id,item,value"]
    for wave in (1, 2):
        for n in range(PEOPLE):
            leader = n % 5 == 0 or n in (1, 6)
            agrees = n % 3 > 0 if leader else n % 4 == 0
            lines += [
                f"{wave},M{n:03d},{item},{4 if agrees else 2}" for item in ("owned", "decisions_members")
            ]
    path = folder / "answers.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def sign_in(page: Page, site, email: str, password: str) -> None:
    """Sign in with a password that somebody else made, set a second factor up where one is needed, and choose one's own."""
    page.goto(site.url)
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_load_state()
    if page.get_by_role("heading", name="Set up a second factor").count():
        secret = page.locator(".qr + p .code").inner_text().replace(" ", "")
        page.get_by_label("Code that the app shows now").fill(pyotp.TOTP(secret).now())
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("link", name="I have kept them").click()
    page.get_by_label("Current password").fill(password)
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible(timeout=SLOW)


def settle(page: Page) -> None:
    """Wait until Streamlit has drawn all of a rerun: what is on the page before may go with its end."""
    page.wait_for_timeout(300)
    page.wait_for_selector('[data-test-script-state="notRunning"]', timeout=SLOW)


def import_file(page: Page, kind: str | None, path) -> None:
    """Import a file on the Roster page, reading the preview first."""
    if kind:
        settle(page)
        page.get_by_role("tab", name="Import a file").click(timeout=SLOW)
        settle(page)
        page.get_by_test_id("stRadio").filter(has_text="What does the file hold?").get_by_text(kind).click()
        settle(page)
        expect(page.get_by_text("the columns member_id, practice_id and role")).to_be_visible(timeout=SLOW)
    settle(page)
    page.locator('input[type="file"]').set_input_files(path)
    expect(page.get_by_role("heading", name="What this file would do")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name=re.compile("^Import th")).click()
    expect(page.get_by_text(re.compile(rf"{path.name}: .* added"))).to_be_visible(timeout=SLOW)


def send(url: str, score: int) -> None:
    """Answer as a browser without JavaScript would."""
    with urllib.request.urlopen(f"{url}?page=questions") as answer:
        form = answer.read().decode()
    fields = {name: str(score) for name in set(re.findall(r'name="(q-[^"]+)"', form))}
    fields["idem_key"] = re.search(r'name="idem_key" value="([^"]+)"', form).group(1)
    data = urllib.parse.urlencode(fields).encode()
    with urllib.request.urlopen(f"{url}?page=questions", data=data) as answer:
        assert "have been received" in answer.read().decode()


def test_the_whole_road(page: Page, browser, site, tmp_path):
    """Sign in, import, launch, answer on a phone, be refused a second answer, close, and read the new point."""
    page.set_viewport_size({"width": 1280, "height": 900})
    accounts = {
        role: site.cli(
            "account", "new", "--email", f"{role}@example.org", "--name", role.replace("_", " ").capitalize(),
            "--role", role, "--body", "TEST", "--body-name", "Test CCG", json_out=True,
        )
        for role in ("engagement_lead", "governing_body")
    }  # fmt: skip
    practices, members = roster_files(tmp_path)

    sign_in(page, site, "engagement_lead@example.org", accounts["engagement_lead"]["password"])
    page.get_by_role("link", name="Roster").first.click()
    expect(page.get_by_text("The roster is empty")).to_be_visible(timeout=SLOW)
    import_file(page, None, practices)
    import_file(page, "Members", members)
    expect(page.get_by_text("To be invited: leaders 14, grassroots members 46")).to_be_visible(timeout=SLOW)
    site.cli("import", "answers", str(past_answers(tmp_path)), "--wait")

    page.get_by_role("link", name="Rounds").first.click()
    page.get_by_role("textbox", name="Title").fill("Autumn, third time")
    page.get_by_role("button", name="Draft this round").click()
    expect(page.get_by_text("60 people at 12 practices will be invited.")).to_be_visible(timeout=SLOW)
    page.get_by_role("button", name="Launch the round").click()
    page.get_by_role("button", name="Launch now").click()
    expect(page.get_by_text("Nobody sees results, or counts by group")).to_be_visible(timeout=SLOW)
    expect(page.get_by_text(re.compile("Open until"))).to_be_visible(timeout=SLOW)

    site.cli("round", "links", "3", "--out", str(tmp_path / "links.csv"))
    assert (tmp_path / "links.csv").stat().st_mode & 0o077 == 0
    with (tmp_path / "links.csv").open(encoding="utf-8-sig") as file:
        links = {row["member_id"]: row["link"] for row in csv.DictReader(file)}

    phone = browser.new_context(**PHONE, java_script_enabled=False)
    hand = phone.new_page()
    hand.goto(links["M000"])
    expect(hand.get_by_text("Who can see what")).to_be_visible()
    hand.get_by_role("button", name="Start").click()
    hand.get_by_role("button", name="Send").click()
    expect(hand.get_by_role("heading", name="There is a problem")).to_be_visible()
    groups = hand.locator("fieldset.q")
    for n in range(groups.count()):
        groups.nth(n).get_by_label("Agree", exact=True).check()
    hand.get_by_role("button", name="Send").click()
    expect(hand.get_by_text("Your answers have been received")).to_be_visible()

    other = browser.new_context(**PHONE)
    again = other.new_page()
    again.goto(links["M000"])
    expect(again.get_by_role("button", name="Start")).to_have_count(0)
    expect(again.get_by_text(re.compile("received|already been used")).first).to_be_visible()
    other.close()
    phone.close()

    for n, (member, link) in enumerate(links.items()):
        if member != "M000":
            leader = n % 5 == 0 or n in (1, 6)
            send(link, 4 if (n % 4 > 0 if leader else n % 4 == 1) else 2)

    page.reload()
    page.get_by_role("button", name="Close the round now").click(timeout=SLOW)
    page.get_by_role("button", name="Close it now").click()
    expect(page.get_by_test_id("stTable").get_by_text("Published")).to_have_count(3, timeout=60_000)

    reader = browser.new_context(viewport={"width": 1280, "height": 900})
    board = reader.new_page()
    sign_in(board, site, "governing_body@example.org", accounts["governing_body"]["password"])
    expect(board.get_by_role("link", name="Roster")).to_have_count(0)
    board.get_by_role("link", name="Gap over time").first.click()
    newest = site.cli("gap", "--item", "owned", json_out=True)[-1]
    assert newest["round"] == 3 and newest["gap"]["mark"] == "shown"
    heading = re.compile(
        f"Leaders are (about |at least )?{newest['gap']['points']} points ahead of grassroots members in round 3"
    )
    expect(board.get_by_role("heading", name=heading)).to_be_visible(timeout=SLOW)
    reader.close()

    text = (tmp_path / "server.log").read_text()
    assert "/a/" not in text and links["M000"].rsplit("/", 1)[1] not in text
