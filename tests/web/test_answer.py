"""The answer form: what it shows, what it takes, and what it keeps."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from engagement import clock
from engagement.instrument.bank import bank
from engagement.intake import submit as intake
from engagement.models import AuditEntry, Participation, Round
from engagement.web.answer import UNKNOWN_LINKS
from engagement.web.plain import LARGEST_BODY, asset


def text_of(page: str) -> str:
    """What a page says, tags and repeated blanks removed."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


def test_first_screen_says_who_can_see_what(client, open_round):
    """A confidential round says what is sealed, the threshold, the hint, the code, silence and withdrawal."""
    made = open_round()
    page = client.get(made.path())
    said = text_of(page.text)
    closes = clock.show_instant(clock_of(made, "closes_at"))
    assert page.status_code == 200
    for words in (
        f"sealed when you send them and opened only after the round closes (planned for {closes})",
        "It may close earlier than planned",
        "groups of at least 10, never your answers and no list of who answered",
        "In a practice of one to four, its position may hint at whether you did",
        "The engagement lead's organisation could link it to you",
        "You can withdraw until the round closes",
        "Nobody sees results before the round closes",
        "Reminders go to unused links and open nothing",
        "record of taking part helps to plan support",
        "about three minutes",
        "4 short statements and one open question",
    ):
        assert words in said


def clock_of(made, name):
    """An instant of the promise."""
    return datetime.fromisoformat(made.promise[name])


def test_fingerprint_is_that_of_the_frozen_promise(client, open_round, database):
    """The form prints the start of the hash that was frozen at launch."""
    made = open_round()
    with database.reading() as session:
        stored = session.get(Round, made.id).promise_hash
    printed = re.search(r'<span class="code">([0-9a-f ]+)</span>', client.get(made.path()).text).group(1)
    assert stored.startswith(printed.replace(" ", "")) and len(printed) == 19


@pytest.mark.parametrize(
    ("tier", "present", "absent"),
    [
        ("anonymous", "cannot be found, changed or withdrawn", "You can withdraw"),
        ("practice-view", "official answer of Hill Surgery", "sealed"),
    ],
)
def test_each_tier_has_its_own_words(client, open_round, promise, tier, present, absent):
    """Anonymous and practice-view rounds say what is true of them and nothing of the others."""
    made = open_round(promise(tier=tier), practice="Hill Surgery" if tier == "practice-view" else None)
    said = text_of(client.get(made.path()).text)
    assert present in said and absent not in said
    assert "practice_may_use" not in client.get(made.path(page="questions")).text


def test_a_moved_close_is_said(client, open_round):
    """When the close was moved, the first screen names both times."""
    made = open_round()
    later = clock_of(made, "closes_at") + timedelta(days=7)
    made.set(closes_at=later)
    said = text_of(client.get(made.path()).text)
    assert f"planned for {clock.show_instant(later)}" in said
    assert f"first planned for {clock.show_instant(clock_of(made, 'closes_at'))}" in said


def test_form_follows_the_conventions(client, open_round):
    """One fieldset and legend an item, stacked radios, nothing chosen beforehand, one Send button, no grid."""
    made = open_round()
    page = client.get(made.path(page="questions")).text
    closed = [item for item in made.promise["items"] if item["kind"] != "text"]
    assert page.count("<fieldset") == page.count("<legend") == len(closed) + 1
    assert " checked" not in page and "<table" not in page and page.count("<button") == 1
    for item in closed:
        assert page.count(f'name="q-{item["key"]}"') == len(item["labels"]) + 1 + bool(item["not_applicable"])
    assert 'name="c-one_thing"' in page and 'name="practice_may_use"' in page


def test_idem_key_is_new_in_each_form(client, open_round):
    """Two renderings of the form carry different keys, so that two people on one link are told apart."""
    made = open_round()
    keys = {
        re.search(r'name="idem_key" value="([^"]+)"', client.get(made.path(page="questions")).text).group(1)
        for _ in range(2)
    }
    assert len(keys) == 2


def test_a_complete_sheet_is_stored_and_confirmed(client, open_round, sheet):
    """Sending stores what was chosen, sealed, and ends in a confirmation that holds when it is reloaded."""
    made = open_round()
    form = sheet(
        made.promise,
        q__owned="dont_know",
        t__one_thing=" Call\r\nback ",
        c__one_thing="theme",
        practice_may_use="yes",
    )
    sent = client.post(made.path(page="questions"), data=form)
    assert sent.status_code == 303 and sent.headers["location"] == "?page=done"
    for _ in range(2):
        page = client.get(made.path(page="done"))
        assert page.status_code == 200 and 'class="panel"' in page.text and "Call" not in page.text
    (box,) = made.boxes()
    assert box.answers["owned"] == "dont_know" and box.answers["influence"] == 4
    assert box.comments == {"one_thing": ("Call\nback", "theme")} and box.practice_may_use


def test_the_tick_is_never_assumed(client, open_round, sheet):
    """Without the box, the answer may not count towards the practice's position."""
    made = open_round()
    client.post(made.path(page="questions"), data=sheet(made.promise))
    assert made.boxes()[0].practice_may_use is False


def test_double_submit_ends_in_the_confirmation(client, open_round, sheet):
    """The same form sent twice is stored once and confirmed both times."""
    made = open_round()
    for _ in range(2):
        sent = client.post(made.path(page="questions"), data=sheet(made.promise))
        assert sent.headers["location"] == "?page=done"
    assert len(made.boxes()) == 1


def test_another_form_is_told_that_the_link_is_used(client, open_round, sheet):
    """A second form on a spent link stores nothing and is told calmly."""
    made = open_round()
    client.post(made.path(page="questions"), data=sheet(made.promise))
    again = client.post(
        made.path(page="questions"), data=sheet(made.promise, idem_key="z" * 32, q__owned="1")
    )
    assert again.status_code == 409 and "This link has already been used" in again.text
    assert "NOT recorded" in again.text
    (box,) = made.boxes()
    assert box.answers["owned"] == 4


def test_a_repeat_after_the_close_is_still_confirmed(client, open_round, sheet):
    """A form that was stored before the close is confirmed when its retry arrives after it."""
    made = open_round()
    client.post(made.path(page="questions"), data=sheet(made.promise))
    made.close()
    again = client.post(made.path(page="questions"), data=sheet(made.promise))
    assert again.status_code == 200 and "Your answers have been received" in again.text
    assert "withdraw" not in again.text


def test_spent_link_shows_its_calm_page(client, open_round, sheet):
    """Opening a spent link says that the answers were received, and no more of them."""
    made = open_round()
    client.post(made.path(page="questions"), data=sheet(made.promise))
    for page in ("", "questions"):
        shown = client.get(made.path(page=page))
        assert shown.status_code == 200 and "Your answers have been received" in shown.text
        assert "<form" not in shown.text


def test_errors_keep_everything_typed(client, open_round, sheet):
    """A refused form comes back with each choice, text and tick, and with a linked summary in the title's words."""
    made = open_round()
    typed = {
        "q-influence": "2",
        "t-one_thing": "x" * 1501 + "\nmore <b>",
        "c-one_thing": "hide",
        "practice_may_use": "yes",
        "idem_key": "same" * 8,
    }
    page = client.post(made.path(page="questions"), data=typed)
    assert page.status_code == 422 and "<title>Error: " in page.text
    assert "There is a problem" in page.text and re.search(
        r'class="sum"[^>]*tabindex="-1" autofocus', page.text
    )
    for anchor in re.findall(r'<li><a href="#([^"]+)">', page.text):
        assert re.search(rf'<(input|textarea)[^>]* id="{anchor}"', page.text)
    assert set(re.findall(r'<li><a href="#([^"]+)">', page.text)) == {
        "q-owned",
        "q-decisions_members",
        "t-one_thing",
    }
    assert re.search(r'name="q-influence" value="2"[^>]* checked', page.text)
    assert re.search(r'name="c-one_thing" value="hide"[^>]* checked', page.text)
    assert re.search(r'name="practice_may_use"[^>]* checked', page.text)
    assert "x" * 1501 + "\nmore &lt;b&gt;" in page.text
    assert 'name="idem_key" value="' + "same" * 8 in page.text
    assert made.used() == 0


def test_the_first_visit_changes_no_outcome(client, open_round, sheet):
    """Once a process knows the promise it stores at once; spent, unknown and closed links fare as before."""
    made = open_round()
    client.get(made.path())
    path = made.path(page="questions")
    assert client.post(path, data={"q-owned": "1"}).status_code == 422
    assert client.post(path, data=sheet(made.promise)).headers["location"] == "?page=done"
    assert client.post(path, data=sheet(made.promise)).headers["location"] == "?page=done"
    assert client.post(path, data=sheet(made.promise, idem_key="z" * 32)).status_code == 409
    public_id = made.promise["round"]["public_id"]
    for token in ("a" * 26, "short"):
        reply = client.post(f"/a/{public_id}/{token}?page=questions", data=sheet(made.promise))
        assert reply.status_code == 404 and reply.text == client.get("/a/x").text
    made.close()
    assert "NOT recorded" in client.post(made.path(1, "questions"), data=sheet(made.promise)).text
    assert "have been received" in client.post(path, data=sheet(made.promise)).text
    assert len(made.boxes()) == 1


def test_two_presses_at_once_store_once(site, open_round, sheet):
    """Eight copies of a form sent at the same time are stored once and confirmed eight times."""
    from concurrent.futures import ThreadPoolExecutor

    made = open_round()
    client = site()
    client.get(made.path())
    with ThreadPoolExecutor(8) as pool:
        replies = pool.map(
            lambda _: client.post(made.path(page="questions"), data=sheet(made.promise)), range(8)
        )
        assert [reply.headers["location"] for reply in replies] == ["?page=done"] * 8
    assert len(made.boxes()) == 1


def test_a_failing_database_keeps_everything_typed(client, open_round, sheet, monkeypatch, everything_logged):
    """When storing fails, the form comes back filled in and says that nothing was recorded; no value is logged."""
    made = open_round()

    def locked(*_):
        raise OperationalError(
            "UPDATE … [parameters: secret comment]", {"x": "secret comment"}, Exception("locked")
        )

    monkeypatch.setattr(intake, "take", locked)
    form = sheet(made.promise, t__one_thing="secret comment", c__one_thing="quote")
    page = client.post(made.path(page="questions"), data=form)
    assert page.status_code == 503 and "Your answers were NOT recorded" in page.text
    assert "secret comment" in page.text and re.search(r'name="q-owned" value="4"[^>]* checked', page.text)
    assert 'name="idem_key" value="' + "k" * 32 in page.text
    assert "OperationalError" in everything_logged.text
    assert "secret comment" not in everything_logged.text and made.tokens[0] not in everything_logged.text


def test_an_unreachable_database_gives_the_sheet_back(client, open_round, sheet, monkeypatch):
    """When not even the link can be looked up, everything typed comes back and can be sent as it is."""
    made = open_round()

    def gone(*_):
        raise OperationalError("SELECT", {}, Exception("gone"))

    with monkeypatch.context() as broken:
        broken.setattr(intake, "look", gone)
        page = client.post(
            made.path(page="questions"), data=sheet(made.promise, t__one_thing="keep me", c__one_thing="hide")
        )
        assert client.get(made.path()).status_code == 503
    assert page.status_code == 503 and "NOT recorded" in page.text
    fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text))
    fields["t-one_thing"] = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", page.text, re.DOTALL).group(1)
    assert client.post(made.path(page="questions"), data=fields).headers["location"] == "?page=done"
    assert made.boxes()[0].comments == {"one_thing": ("keep me", "hide")}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_reading_changes_nothing(client, open_round, sheet, database, method):
    """However often a scanner reads every page of a link, it stays unused, and a used one not withdrawn."""
    made = open_round()
    client.post(made.path(1, "questions"), data=sheet(made.promise))
    for number in (0, 1):
        for page in ("", "questions", "done", "withdraw", "withdrawn"):
            for _ in range(2):
                assert client.request(method, made.path(number, page)).status_code == 200
    assert made.used() == 1
    with database.reading() as session:
        assert not any(row.withdrawn for row in session.exec(select(Participation)))


def test_a_scanner_that_presses_every_button_uses_nothing(client, open_round, sheet):
    """Posting each form as it stands, nothing chosen, neither uses a link nor withdraws an answer."""
    made = open_round()
    client.post(made.path(1, "questions"), data=sheet(made.promise))
    assert client.post(made.path(page="questions"), data={"idem_key": "s" * 32}).status_code == 422
    assert client.post(made.path(1, "withdraw"), data={}).status_code == 422
    assert made.used() == 1
    assert "Your answers have been received" in client.get(made.path(1)).text


def test_withdrawing_takes_two_steps_and_a_choice(client, open_round, sheet):
    """No keeps the answers, yes withdraws them for good, and a second yes says the same."""
    made = open_round()
    client.post(made.path(page="questions"), data=sheet(made.promise))
    assert "?page=withdraw" in client.get(made.path()).text
    assert " checked" not in client.get(made.path(page="withdraw")).text
    assert client.post(made.path(page="withdraw"), data={"sure": "no"}).headers["location"] == "?"
    assert "have been received" in client.get(made.path()).text
    assert (
        client.post(made.path(page="withdraw"), data={"sure": "yes"}).headers["location"] == "?page=withdrawn"
    )
    assert "have been withdrawn" in client.post(made.path(page="withdraw"), data={"sure": "yes"}).text
    assert "have been withdrawn" in client.get(made.path(page="withdrawn")).text
    assert (
        "have been withdrawn"
        in client.post(made.path(page="questions"), data=sheet(made.promise, idem_key="n" * 32)).text
    )


@pytest.mark.parametrize("tier", ["anonymous", "practice-view"])
def test_only_confidential_rounds_offer_withdrawal(client, open_round, sheet, promise, tier):
    """In the other tiers nothing offers withdrawal, and asking for it anyway does nothing."""
    made = open_round(promise(tier=tier))
    client.post(made.path(page="questions"), data=sheet(made.promise))
    assert "page=withdraw" not in client.get(made.path()).text
    client.post(made.path(page="withdraw"), data={"sure": "yes"})
    assert "have been received" in client.get(made.path()).text


def test_a_close_between_look_and_withdrawal_is_said(client, open_round, sheet, monkeypatch):
    """When the round closes while somebody decides, they are told that nothing was withdrawn."""
    made = open_round()
    client.post(made.path(page="questions"), data=sheet(made.promise))
    monkeypatch.setattr(intake, "withdraw", lambda *_: False)
    page = client.post(made.path(page="withdraw"), data={"sure": "yes"})
    assert page.status_code == 409 and "NOT withdrawn" in page.text


def test_unknown_links_all_get_the_same_page(client, open_round):
    """Malformed, unknown, foreign and over-long links, and anything else below /a/, get one and the same 404."""
    made = open_round()
    public_id = made.promise["round"]["public_id"]
    paths = [
        f"/a/{public_id}/{'a' * 26}",
        f"/a/{public_id}/short",
        f"/a/{public_id}/{'a' * 500}",
        f"/a/other/{made.tokens[0]}",
        f"/a/{public_id}",
        "/a/",
        f"{made.path()}/more",
    ]
    pages = [client.get(path) for path in paths]
    assert {page.status_code for page in pages} == {404}
    assert len({page.text for page in pages}) == 1


def test_closed_round_is_calm_for_any_token(client, open_round, sheet):
    """After the close a known and an unknown token show one page, which says who has the results."""
    made = open_round()
    made.close()
    public_id = made.promise["round"]["public_id"]
    pages = [client.get(path).text for path in (made.path(), f"/a/{public_id}/{'a' * 26}")]
    for page in pages:
        assert "This round is closed" in page
        assert "Results are published to the members by your governing body" in page
    late = client.post(made.path(page="questions"), data=sheet(made.promise))
    assert late.status_code == 409 and "NOT recorded" in late.text and made.used() == 0


def test_a_round_that_is_not_open_says_when(client, open_round, sheet):
    """Before the opening the link says when it will work, and takes nothing."""
    made = open_round()
    opens = (clock.now() + timedelta(days=1)).replace(microsecond=0)
    made.set(opens_at=opens)
    page = client.get(made.path())
    assert page.status_code == 200 and clock.show_instant(opens) in page.text
    assert client.post(made.path(page="questions"), data=sheet(made.promise)).status_code == 409
    assert made.used() == 0


def test_a_large_body_is_refused_before_it_is_parsed(client, open_round, sheet, monkeypatch):
    """A body over 64 KB is refused, whether its length is declared or not, and nothing of it is parsed."""
    made = open_round()
    monkeypatch.setattr("engagement.web.plain.parse_qsl", lambda *_, **__: pytest.fail("parsed"))
    big = b"t-one_thing=" + b"x" * LARGEST_BODY
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post(made.path(page="questions"), content=big, headers=kind).status_code == 413
    streamed = client.post(made.path(page="questions"), content=iter([big]), headers=kind)
    assert streamed.status_code == 413 and made.used() == 0


def test_a_body_that_is_no_form_is_refused(client, open_round):
    """Bytes that are no form at all, and a form of a thousand fields, use nothing and break nothing."""
    made = open_round()
    for content in (b"\xff\xfe\x00=&&==", b"&".join(b"a%d=1" % number for number in range(1000))):
        assert client.post(made.path(page="questions"), content=content).status_code in (413, 422)
    assert made.used() == 0


HOSTILE = "<script>alert(1)</script>\"'>{{7*7777}}<img src=//evil.example/x>"


def test_hostile_strings_are_escaped(client, open_round, sheet, promise):
    """Markup in the names, wordings, labels and comments comes out as text on every page."""
    asked = promise()
    asked["body"]["name"] = asked["round"]["title"] = asked["key_holder"] = HOSTILE
    asked["body"]["words"] = {word: HOSTILE for word in asked["body"]["words"]}
    for item in asked["items"]:
        item["text"] = HOSTILE
        if item["kind"] == "text":
            item["hint"] = HOSTILE
        else:
            item["labels"][0][1] = item["dont_know"] = item["not_applicable"] = HOSTILE
    made = open_round(asked, practice=HOSTILE)
    pages = [client.get(made.path(page=page)) for page in ("", "questions")]
    refused = sheet(asked, t__one_thing=HOSTILE, q__owned=HOSTILE, idem_key=HOSTILE, practice_may_use=HOSTILE)
    pages.append(client.post(made.path(page="questions"), data=refused))
    client.post(made.path(page="questions"), data=sheet(asked))
    pages += [client.get(made.path(page=page)) for page in ("", "done", "withdraw")]
    made.close()
    pages.append(client.get(made.path()))
    for page in pages:
        assert "<script>alert" not in page.text and "<img" not in page.text and "\"'>" not in page.text
        # Longer than any four digits of a fingerprint, which may read anything.
        assert "54439" not in page.text
        assert "&lt;script&gt;" in page.text


def test_no_cookie_is_read_or_set(client, open_round, sheet, monkeypatch):
    """Whatever cookies a browser sends, the form never sees them and never answers with one."""
    made = open_round()
    seen = []
    real = intake.look
    monkeypatch.setattr("starlette.requests.cookie_parser", lambda text: seen.append(text) or {})
    monkeypatch.setattr(intake, "look", lambda *given: real(*given))
    headers = {"cookie": "sid=secret"}
    for page in ("", "questions", "done"):
        assert "set-cookie" not in client.get(made.path(page=page), headers=headers).headers
    sent = client.post(made.path(page="questions"), data=sheet(made.promise), headers=headers)
    assert "set-cookie" not in sent.headers and seen == []


def test_answers_need_no_origin(client, open_round, sheet):
    """A browser that hides its origin, as our no-referrer policy makes it, can still answer."""
    made = open_round()
    sent = client.post(made.path(page="questions"), data=sheet(made.promise), headers={"origin": "null"})
    assert sent.status_code == 303


def test_guessing_links_is_slowed_down(site, open_round, sheet):
    """A client that tried many unknown links waits; a sheet that somebody filled in meanwhile is still taken."""
    made = open_round()
    client = site()
    guess = f"/a/{made.promise['round']['public_id']}/"
    statuses = [client.get(guess + "a" * 26).status_code for _ in range(UNKNOWN_LINKS + 1)]
    assert statuses == [404] * UNKNOWN_LINKS + [429]
    assert client.get(made.path()).status_code == 429
    assert client.post(made.path(page="questions"), data=sheet(made.promise)).status_code == 303


def test_submissions_leave_no_trace_in_logs_or_audit(client, open_round, sheet, everything_logged, database):
    """A submission logs nothing of the link or its answers, and writes no line to the audit log."""
    made = open_round()
    form = sheet(made.promise, t__one_thing="my secret words", c__one_thing="quote")
    client.get(made.path())
    client.post(made.path(page="questions"), data=form)
    assert "my secret words" not in everything_logged.text and made.tokens[0] not in everything_logged.text
    with database.reading() as session:
        assert session.exec(select(AuditEntry)).all() == []


def test_confirmation_and_spent_pages_clear_what_the_browser_kept(client, open_round, sheet):
    """The name under which answers were kept is cleared once they are sent, and differs between two links."""
    made = open_round()
    kept = [
        re.search(r'data-keep="([^"]+)"', client.get(made.path(number, "questions")).text).group(1)
        for number in (0, 1)
    ]
    assert kept[0] != kept[1] and made.tokens[0] not in kept[0]
    client.post(made.path(page="questions"), data=sheet(made.promise))
    for page in ("", "done"):
        assert f'data-forget="{kept[0]}"' in client.get(made.path(page=page)).text


def test_everything_stays_under_twenty_kilobytes(client, open_round, promise):
    """First screen, twelve closed items, one open, style and script are under 20 KB in all, uncompressed."""
    closed = [item.key for item in bank().values() if item.kind != "text"][:12]
    asked = promise(*closed, "one_thing")
    assert len(asked["items"]) == 13
    made = open_round(asked)
    sizes = {
        name: len(client.get(path).content)
        for name, path in {
            "first": made.path(),
            "questions": made.path(page="questions"),
            "style": asset("style.css"),
            "script": asset("keep.js"),
        }.items()
    }
    assert sum(sizes.values()) < 20_000, sizes
    print(sizes, sum(sizes.values()))
