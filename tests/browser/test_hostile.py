"""Hostile words in every field that a person can fill, shown on every page as every role: nothing of them comes alive."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from engagement.access.audit import canonical, sha256
from tests.browser.conftest import ROOT, start
from tests.browser.test_pages import SLOW, settle

pytestmark = pytest.mark.browser

HOSTILE = (
    '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script><b>canaryhtml</b> '
    "![c](https://evil.example/c.png) [l](https://evil.example/l) <https://evil.example/a> "
    "https://evil.example/b www.evil.example evil@evil.example :material/bug_report: :red[canaryred] "
    "**canarybold** `canarycode` $canary^2$ \u202eedoc\u202c =HYPERLINK(1) {{7*7}} {person} %s"
)
# Every column that holds what a person typed. In the rest stand our own words, codes, hashes and times.
FIELDS = {
    "account": ("name",),
    "audit_entry": ("actor",),
    "body": ("name",),
    "body_request": ("title", "logged_by"),
    "ask": ("need", "effect", "change", "improvement", "interest", "hidden_why"),
    "ask_rating": ("text",),
    "ask_reply": ("text", "replied_by"),
    "buddy_pair": ("reason", "runner_up_reason"),
    "code_link": ("reason",),
    "comment": ("text",),
    "comment_review": ("text", "reason"),
    "council_answer": ("text", "answered_by"),
    "council_question": ("text", "asked_by"),
    "council_review": ("reviewed_by",),
    "dead_letter": ("address", "reason"),
    "instrument": ("name",),
    "item_version": ("text", "not_applicable"),
    "locality": ("name",),
    "mail_settings": ("sender_name",),
    "meeting": ("title",),
    "member": ("name",),
    "message_template": ("subject", "text"),
    "outreach_action": ("name", "about", "who"),
    "outreach_exclusion": ("reason",),
    "outreach_person": ("name",),
    "outreach_plan": ("made_by",),
    "peer_group": ("name",),
    "planned_contact": ("action_name", "reason", "heard", "next_step", "made_by"),
    "practice": ("name",),
    "programme": ("name", "trouble"),
    "programme_turn": ("reason",),
    "published_action": ("said", "did", "published_by"),
    "round": ("title", "trouble"),
}
# Frozen documents in which typed words are kept, with the column of their hash.
DOCUMENTS = {
    "release": ("content", "content_hash"),
    "comment_release": ("content", "content_hash"),
    "round": ("promise", "promise_hash"),
}
TYPED = ("name", "title", "text", "label", "not_applicable", "reason")
# The lead has nearly every page; the others those that are theirs, or that draw more for them.
ROLES = ("Engagement lead", "Council representative", "Comment reviewer", "Auditor")
DRAWS_MORE = ("council",)
# What would be there if any of it had come alive.
ALIVE = """() => {
  const exact = word => [...document.querySelectorAll('body *')].filter(
    e => e.children.length === 0 && e.tagName !== 'TEXT' && e.textContent.trim() === word).length;
  return {
    pwned: window.pwned === undefined ? 0 : 1,
    elements: document.querySelectorAll(
      'img[src*="evil"], a[href*="evil"]:not([href^="#"]), img[src="x"], iframe, object, embed, .katex').length,
    html: exact('canaryhtml'), red: exact('canaryred'), bold: exact('canarybold'), code: exact('canarycode'),
    icon: exact('bug_report'), template: exact('49'),
  };
}"""


def poisoned(value):
    """A document with every typed word in it replaced."""
    if isinstance(value, dict):
        return {
            key: HOSTILE
            if key in TYPED and isinstance(inner, str)
            else {word: HOSTILE for word in inner}
            if key == "words" and isinstance(inner, dict)
            else [HOSTILE for _ in inner]
            if key == "quotes"
            else poisoned(inner)
            for key, inner in value.items()
        }
    return [poisoned(inner) for inner in value] if isinstance(value, list) else value


def poison(path) -> None:
    """Put hostile words into every field of a database, past the verbs and the triggers, which would refuse some."""
    with closing(sqlite3.connect(path)) as db:
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        for table, columns in FIELDS.items():
            for column in columns:
                db.execute(
                    f"UPDATE {table} SET {column} = ? || ' ' || hex(randomblob(4)) WHERE {column} IS NOT NULL",
                    (HOSTILE,),
                )
        db.execute("UPDATE round SET trouble = NULL WHERE state <> 'open'")
        for table, (column, digest) in DOCUMENTS.items():
            rows = db.execute(f"SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL").fetchall()
            for number, text in rows:
                made = canonical(poisoned(json.loads(text)))
                db.execute(
                    f"UPDATE {table} SET {column} = ?, {digest} = ? WHERE id = ?",
                    (made, sha256(made), number),
                )
        words = json.dumps({"practice": HOSTILE, "practices": HOSTILE, "body": HOSTILE, "council": HOSTILE})
        db.execute("UPDATE body SET words = ?", (words,))
        db.commit()


@pytest.fixture(scope="module")
def hostile(demo_copy):
    """The demo body with hostile words in it, served; with a personal link and the members' page."""
    folder = demo_copy
    environment = {"ENGAGEMENT_DATA": str(folder / "data"), "ENGAGEMENT_DATABASE_URL": ""}
    made = subprocess.run(
        [sys.executable, "-m", "engagement", "demo", "--links", "1", "--json"],
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
        timeout=180,
        capture_output=True,
        text=True,
    )
    link = urlsplit(json.loads(made.stdout)["links"][0]).path
    path = folder / "data" / "engagement.sqlite"
    poison(path)
    with closing(sqlite3.connect(path)) as db:
        token = db.execute("SELECT results_token FROM body").fetchone()[0]
    site, stop = start(environment, folder)
    yield site, [link, link + "?page=questions", f"/r/DEMO/{token}", "/sign-in"]
    stop()


class Watch:
    """Everything that a page asked of other hosts, or complained of."""

    def __init__(self, page: Page):
        self.outside: list[str] = []
        self.complaints: list[str] = []
        page.on("request", self._request)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _request(self, request) -> None:
        if urlsplit(request.url).hostname not in ("localhost", None):
            self.outside.append(request.url)

    def _console(self, message) -> None:
        # A deep link asks for two small files beneath itself that are not there.
        if message.type == "error" and "404" not in message.text:
            self.complaints.append(message.text)


def came_alive(page: Page) -> dict[str, int]:
    """What of the hostile words came alive on a page, drawers and lists opened."""
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    found = page.evaluate(ALIVE)
    box = page.locator("[data-testid=stMain] [data-testid=stSelectbox]:not(details *) input").first
    if box.count() and box.is_visible():
        box.click()
        page.wait_for_timeout(150)
        for name, count in page.evaluate(ALIVE).items():
            found[name] = max(found[name], count)
        page.keyboard.press("Escape")
    return {name: count for name, count in found.items() if count}


def test_hostile_words_stay_words(browser: Browser, hostile):
    """On every page, as who sees most of it: no request to another host, no new element, no complaint of the browser."""
    site, _ = hostile
    faults, seen, visited = [], 0, set()
    for role in ROLES:
        context = browser.new_context()
        page = context.new_page()
        watch = Watch(page)
        page.goto(site.url)
        page.get_by_role("button", name=re.compile(role)).first.click()
        page.wait_for_selector('[data-testid="stSidebarNavLink"]', timeout=SLOW)
        settle(page)
        links = page.locator('[data-testid="stSidebarNavLink"]')
        for place in range(links.count()):
            path = urlsplit(links.nth(place).get_attribute("href")).path
            if path in visited and path.strip("/") not in DRAWS_MORE:
                continue
            visited.add(path)
            links.nth(place).click()
            settle(page)
            name = f"{role}, {page.url.rsplit('/', 1)[1] or 'first page'}"
            tabs = page.locator("[data-testid=stMain] [role=tab]")
            for tab in range(max(1, tabs.count())):
                if tab:
                    tabs.nth(tab).click()
                    settle(page)
                if alive := came_alive(page):
                    faults.append((name, tab, alive))
                seen += "canaryred" in page.inner_text("body")
                assert page.get_by_text("Something went wrong on our side").count() == 0, (
                    name,
                    tab,
                    (site.folder / "server.log").read_text()[-2000:],
                )
        if role == "Engagement lead":
            page.goto(f"{site.url}/practice?practice=DM0001")
            page.wait_for_selector('[data-testid="stSidebarNavLink"]', timeout=SLOW)
            settle(page)
            if alive := came_alive(page):
                faults.append(("one practice", alive))
        faults += [(role, "asked for", url) for url in watch.outside]
        faults += [(role, "complained of", text) for text in watch.complaints]
        context.close()
    assert faults == []
    assert seen >= 18


def test_hostile_words_stay_words_on_plain_pages(browser: Browser, hostile):
    """The form, the members' results and sign-in show hostile words as words too."""
    site, plain = hostile
    context = browser.new_context()
    page = context.new_page()
    watch = Watch(page)
    for path in plain:
        reply = page.goto(site.url + path)
        assert reply.status == 200, path
        assert came_alive(page) == {}, path
        assert "canaryred" in page.inner_text("body"), path
    assert watch.outside == [] and watch.complaints == []
    context.close()
