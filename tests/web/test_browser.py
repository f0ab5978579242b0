"""The plain pages in a real browser: small screens, keyboard alone, no script, and nobody's markup running."""

from __future__ import annotations

import shutil
import socket
import threading
import time

import pytest
import uvicorn
from starlette.applications import Starlette

from engagement import web
from engagement.instrument.bank import bank

pytestmark = pytest.mark.browser

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(params=["sqlite"])
def config(request, config_for):
    """These tests are about pages, not databases: one is enough."""
    return config_for


@pytest.fixture
def config_for(tmp_path, monkeypatch, sqlite_template):
    """Settings of a fresh installation on SQLite."""
    from engagement.config import Config

    data = tmp_path / "data"
    data.mkdir()
    monkeypatch.setenv("ENGAGEMENT_DATA", str(data))
    monkeypatch.delenv("ENGAGEMENT_DATABASE_URL", raising=False)
    shutil.copy(sqlite_template, data / "engagement.sqlite")
    return Config.load()


@pytest.fixture
def address(config, database):
    """Where the plain routes are served."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    app = Starlette(routes=web.routes(config), middleware=web.middleware(config))
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_level="critical", access_log=False)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture
def look(browser):
    """Opens a page of a width that collects what the browser complains of."""
    contexts = []

    def make(width: int = 390, **options):
        context = browser.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on(
            "console",
            lambda message: page.complaints.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.outside = []
        page.on("request", lambda request: page.outside.append(request.url))
        return page

    yield make
    for context in contexts:
        context.close()


def faults_of(page) -> list[str]:
    """What axe finds, what runs off the screen, and targets under 44 px high."""
    from axe_playwright_python.sync_playwright import Axe

    found = [
        f"{violation['id']}: {violation['nodes'][0]['html'][:120]}"
        for violation in Axe().run(page, options={"runOnly": RULES}).response["violations"]
    ]
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > page.viewport_size["width"]:
        found.append(f"{wide} px wide")
    for target in page.locator("button, label.r").all():
        if target.bounding_box()["height"] < 44:
            found.append(f"too low: {target.inner_text()}")
    return found


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_every_page_is_accessible(address, look, open_round, promise, demo, width):
    """On phone and desk each page of an answer and of sign-in has no axe violation, fits, and takes a thumb."""
    closed = [item.key for item in bank().values() if item.kind != "text"][:12]
    made = open_round(promise(*closed, "one_thing"))
    page, link = look(width), address + made.path()
    faults = {}

    def check(name: str) -> None:
        faults[name] = faults_of(page)

    page.goto(link)
    check("first")
    page.get_by_role("button", name="Start").click()
    check("questions")
    page.fill("textarea", "x" * 1501)
    page.get_by_role("button", name="Send").click()
    assert page.title().startswith("Error: ")
    check("errors")
    page.fill("textarea", "")
    for question in page.locator("fieldset.q").all():
        question.get_by_label("I do not know").check()
    page.get_by_role("button", name="Send").click()
    assert page.get_by_role("heading", name="Your answers have been received").is_visible()
    check("done")
    page.goto(link)
    check("spent")
    page.get_by_role("link", name="withdraw").click()
    check("withdraw")
    page.get_by_role("button", name="Continue").click()
    check("withdraw, nothing chosen")
    page.get_by_label("Yes").check()
    page.get_by_role("button", name="Continue").click()
    assert page.get_by_role("heading", name="Your answers have been withdrawn").is_visible()
    check("withdrawn")
    page.goto(address + "/a/x/y")
    check("unknown")
    page.goto(address + "/sign-in")
    check("sign in")
    page.get_by_role("button", name="Sign in").click()
    check("sign in, wrong")
    page.get_by_role("button", name="Engagement lead").click()
    page.goto(address + "/password")
    check("password")
    page.goto(address + "/sign-out")
    check("sign out")
    made.close()
    page.goto(link)
    check("closed")
    assert {name: found for name, found in faults.items() if found} == {}
    assert all(url.startswith(address) for url in page.outside)
    # Chromium calls each page with an error status a failed resource; anything else is ours to mend.
    assert [line for line in page.complaints if "Failed to load resource" not in line] == []


def test_keyboard_alone_is_enough(address, look, open_round):
    """From the link to the confirmation with Tab, arrows, Space and Enter, focus always to be seen."""
    made = open_round()
    page = look()
    page.goto(address + made.path())
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0
    focused = "document.activeElement.name || document.activeElement.textContent"
    before = []
    while (name := page.evaluate(focused)) != "Start":
        before.append(name)
        assert len(before) < 6, before
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**page=questions")
    seen = []
    for _ in range(30):
        page.keyboard.press("Tab")
        name = page.evaluate(focused)
        seen.append(name)
        yellow = page.evaluate("getComputedStyle(document.activeElement).outlineColor")
        assert yellow == "rgb(255, 235, 59)" or name == "Skip to main content", name
        if name.startswith("q-"):
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
        if name == "practice_may_use":
            page.keyboard.press("Space")
        if name == "Send":
            page.keyboard.press("Enter")
            break
    page.wait_for_url("**page=done")
    (box,) = made.boxes()
    assert set(box.answers.values()) == {4} and box.practice_may_use
    assert seen.index("q-owned") < seen.index("t-one_thing") < seen.index("practice_may_use")


def test_it_works_without_script(address, look, open_round):
    """With JavaScript off, errors still take the focus and keep what was typed, and sending still works."""
    made = open_round()
    page = look(java_script_enabled=False)
    page.goto(address + made.path(page="questions"))
    assert page.locator("noscript p").is_visible() and "afresh" in page.locator("noscript p").inner_text()
    page.fill("textarea", "Ring back")
    page.get_by_role("button", name="Send").click()
    assert page.locator(".sum:focus").count() == 1
    assert page.input_value("textarea") == "Ring back"
    for question in page.locator("fieldset.q").all():
        question.get_by_label("Strongly agree").check()
    page.get_by_label("Use its theme only").check()
    page.get_by_role("button", name="Send").click()
    assert page.get_by_role("heading", name="Your answers have been received").is_visible()
    assert made.boxes()[0].comments == {"one_thing": ("Ring back", "theme")}


def test_unsent_answers_survive_a_reload_in_their_own_tab(address, look, open_round):
    """A reload brings back choices and text; a colleague's link in the same tab does not; sending forgets them."""
    made = open_round()
    page = look()
    page.goto(address + made.path(page="questions"))
    page.locator("fieldset.q").first.get_by_label("Disagree", exact=True).check()
    page.fill("textarea", "Ring back")
    page.get_by_label("My answers may count").check()
    first = page.input_value("[name=idem_key]")
    page.reload()
    assert page.input_value("textarea") == "Ring back"
    assert page.locator("[name=q-owned]:checked").input_value() == "2"
    assert page.get_by_label("My answers may count").is_checked()
    assert page.input_value("[name=idem_key]") != first
    page.get_by_label("My answers may count").uncheck()
    page.reload()
    assert not page.get_by_label("My answers may count").is_checked()
    page.goto(address + made.path(1, "questions"))
    assert page.input_value("textarea") == "" and page.locator("input:checked").count() == 0
    page.goto(address + made.path(page="questions"))
    for question in page.locator("fieldset.q").all():
        question.get_by_label("I do not know").check()
    page.get_by_label("Do not show it").check()
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**page=done")
    assert page.evaluate("sessionStorage.length") == 0
    page.go_back()
    assert page.get_by_text("Ring back").count() == 0


def test_hostile_text_does_not_run(address, look, open_round, promise):
    """Markup in names and wordings neither runs nor fetches anything."""
    hostile = "<img src=x onerror=document.title='hit'><script>document.title='hit'</script>"
    asked = promise()
    asked["body"]["name"] = asked["round"]["title"] = hostile
    for item in asked["items"]:
        item["text"] = hostile
    made = open_round(asked)
    page = look()
    for path in (made.path(), made.path(page="questions")):
        page.goto(address + path)
        assert page.locator("img").count() == 0 and page.title() != "hit"
    page.fill("textarea", hostile)
    page.get_by_role("button", name="Send").click()
    assert page.locator("img").count() == 0 and page.input_value("textarea") == hostile
    assert {url.split("?")[0].rsplit("/", 1)[-1] for url in page.outside} <= {
        made.tokens[0],
        "style.css",
        "keep.js",
        "favicon.ico",
    }
