"""A member's own page: light, safe to open, and everything on it put on behalf of a practice."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlmodel import func, select

from engagement import clock
from engagement.asks import answers, ledger, members
from engagement.models import Ask, AskEndorsement, AskRating, AuditEntry, Body, PageRequest
from tests import support
from tests.asks.conftest import Town, an_ask, make_town
from tests.ui.conftest import a_history, store_body, store_round

HOSTILE = '<img src="http://tracker.example/x.png" onerror=alert(1)>'
FORM = {
    "topic": "community",
    "need": "A named district nurse",
    "effect": "30 visits a week by people whom nobody knows",
    "goal": "referrals",
}


@pytest.fixture
def town(config, database) -> Town:
    """A body of four practices whose members have pages."""
    return make_town(config, database)


def said(reply) -> str:
    """What a reader sees, without marks of HTML."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", reply.text.split("<main", 1)[1])))


def csrf(client, token: str) -> str:
    return re.search(r'name="csrf" value="(\w+)"', client.get(f"/m/{token}?page=raise&topic=les").text)[1]


def post(client, token: str, where: str, **form):
    """Post a form as a browser does that has the page open."""
    return client.post(f"/m/{token}{where}", data={"csrf": csrf(client, token)} | form)


def raise_one(client, town, practice: int = 0, **changed) -> int:
    """Raise an ask through the pages; returns its id."""
    reply = post(client, town.of(practice), "?page=raise", **FORM | {"do": "send"} | changed)
    assert reply.status_code == 303, said(reply)
    return int(re.search(r"ask=(\d+)", reply.headers["location"])[1])


def counted(database) -> tuple[int, ...]:
    """How many rows there are of whatever a page could change."""
    with database.reading() as session:
        return tuple(
            session.exec(select(func.count()).select_from(model)).one()
            for model in (Ask, AskEndorsement, AskRating, AuditEntry, PageRequest)
        )


def test_the_road_of_an_ask_through_the_pages(client, town):
    """Topic, form, check and send; others endorse it; it is answered, done and rated; each step shows what came before."""
    mine, other = town.of(0), town.of(1)
    assert "One simple local scheme" in said(client.get(f"/m/{mine}?page=raise"))
    form = said(client.get(f"/m/{mine}?page=raise&topic=community"))
    assert (
        "A named district nurse who comes to our weekly meeting." in form
        and "All members can read it" in form
    )
    check = post(client, mine, "?page=raise", **FORM)
    assert check.status_code == 200 and counted(town.database)[0] == 0
    text = said(check)
    assert (
        "Practice 0 asks" in text
        and "Serves: fewer referrals to hospital." in text
        and "to answer by" in text
    )
    ask = raise_one(client, town)
    assert "Your ask was sent." in said(client.get(f"/m/{mine}?ask={ask}&done=raised"))
    assert "A named district nurse Practice 0. To be answered by" in said(client.get(f"/m/{other}"))
    assert post(client, other, f"?ask={ask}", do="endorse", together="yes").status_code == 303
    text = said(client.get(f"/m/{mine}?ask={ask}"))
    assert "Practice 0, Practice 1." in text and "Ready to work on it together: Practice 1." in text
    assert "Rate what was done" not in text
    town.do(answers.answer, town.lead, ask, "yes", "From May on")
    town.do(answers.mark_done, town.lead, ask, "She came")
    for token, score in ((mine, "4"), (other, "5")):
        assert post(client, token, f"?ask={ask}", do="rate", score=score, text="Good <b>").status_code == 303
    text = said(client.get(f"/m/{town.of(2)}?ask={ask}"))
    assert "Done. She came" in text and "4.5 of 5, by 2 members" in text and "Rate what was done" not in text
    assert "You said: A named district nurse (Practice 0 and 1 other)" in said(client.get(f"/m/{town.of(2)}"))


def test_opening_a_page_changes_nothing(client, town):
    """GET and HEAD of every page, and POST without its token or with another day's, leave every table as it was."""
    ask, token = raise_one(client, town), town.of(1)
    before = counted(town.database)
    for where in ("", "?page=raise", "?page=raise&topic=les", f"?ask={ask}", f"?ask={ask}&page=withdraw"):
        assert client.get(f"/m/{token}{where}").status_code == 200
        assert client.head(f"/m/{token}{where}").status_code == 200
    for given in ("", "x" * 32, csrf(client, town.of(2))):
        reply = client.post(f"/m/{token}?ask={ask}", data={"csrf": given, "do": "endorse"})
        assert reply.status_code == 403 and "Nothing was changed" in said(reply)
    assert counted(town.database) == before


def test_pages_are_light_and_read_nobody(client, town):
    """No script, no cookie, nobody else's files, a strict policy, and under 25 KB with its styles."""
    raise_one(client, town)
    styles = len(client.get("/plain/style.css").content) + len(client.get("/plain/results.css").content)
    for where in ("", "?page=raise", "?page=raise&topic=joint"):
        reply = client.get(f"/m/{town.of(0)}{where}", headers={"cookie": "sid=x"})
        assert len(reply.content) + styles < 25_000
        assert "<script" not in reply.text and "set-cookie" not in reply.headers
        assert not re.search(r"(?:src|href)=.(?:https?:)?//|\sstyle=|\son\w+=", reply.text)
        assert reply.headers["content-security-policy"].startswith("default-src 'none'")
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["cache-control"] == "no-store"


def test_what_is_wrong_is_said_and_what_was_typed_stays(client, town):
    """An empty ask comes back with a line for each fault and everything typed; markup stays characters."""
    reply = post(client, town.of(0), "?page=raise", **FORM | {"effect": " ", "need": HOSTILE})
    text = said(reply)
    assert reply.status_code == 422 and "Enter what the problem does now" in text
    assert HOSTILE in text and HOSTILE not in reply.text
    reply = post(client, town.of(0), "?page=raise", topic="joint", need="x", effect="y")
    assert "write None" in said(reply)
    for number in range(10):
        raise_one(client, town, need=f"Ask {number}")
    reply = post(client, town.of(0), "?page=raise", **FORM | {"do": "send", "need": "Eleven"})
    assert reply.status_code == 409 and "wait for an answer" in said(reply) and "Eleven" in said(reply)
    ask = raise_one(client, town, practice=1, need=HOSTILE)
    for where in ("", f"?ask={ask}"):
        reply = client.get(f"/m/{town.of(2)}{where}")
        assert HOSTILE in said(reply) and "<img" not in reply.text


def test_what_is_kept_from_members_is_not_on_their_pages(client, town):
    """An ask for the leaders alone, a hidden one and one that was taken back are read by their own practice at most."""
    private = raise_one(client, town, private="yes")
    hidden = raise_one(client, town, need="Mrs Jones of Elm Road needs a nurse")
    gone = raise_one(client, town, need="A third thing")
    town.do(answers.hide, town.lead, hidden, "It names a patient")
    assert post(client, town.of(0, 3), f"?ask={gone}", do="withdraw").status_code == 303
    for ask in (private, hidden, gone):
        assert client.get(f"/m/{town.of(1)}?ask={ask}").status_code == 404
        assert client.get(f"/m/{town.of(0, 4)}?ask={ask}").status_code == 200
        assert post(client, town.of(1), f"?ask={ask}", do="endorse").status_code == 404
    assert "None yet." in said(client.get(f"/m/{town.of(1)}"))
    assert "It names a patient" in said(client.get(f"/m/{town.of(0)}?ask={hidden}"))


def test_wrong_links_look_alike_and_are_slowed_down(client, town):
    """Odd, long and unknown tokens get one page; sixty of them end in a calm refusal."""
    token = "a" * 26
    pages = {client.get(f"/m/{odd}").text for odd in (token, "x", "x" * 300, "b/c", "%00")}
    assert len(pages) == 1
    for _ in range(60):
        client.get(f"/m/{token}")
    assert client.get(f"/m/{town.of(0)}").status_code == 429


def test_one_link_cannot_change_without_end(client, town):
    """After thirty changes in ten minutes a link has to wait; reading goes on."""
    ask, token = raise_one(client, town), town.of(1)
    form = {"csrf": csrf(client, token), "do": "endorse"}
    replies = [client.post(f"/m/{token}?ask={ask}", data=form).status_code for _ in range(31)]
    assert replies == [303] * 30 + [429] and client.get(f"/m/{token}").status_code == 200


def test_asking_for_the_link_tells_nothing(client, town):
    """Known and unknown addresses are answered in the same words; what is no address is said to be none."""
    known = client.post("/m/again", data={"email": "P1@example.org"})
    unknown = client.post("/m/again", data={"email": "nobody@example.org"})
    assert known.text == unknown.text and counted(town.database)[-1] == 2
    assert "correct format" in said(client.post("/m/again", data={"email": "x"}))


def test_the_log_names_practices_and_no_people(client, town):
    """Raising, endorsing and taking back are on record for the practice; a rating leaves no line at all."""
    ask = raise_one(client, town)
    post(client, town.of(1), f"?ask={ask}", do="endorse")
    town.do(answers.answer, town.lead, ask, "yes", "From May on")
    town.do(answers.mark_done, town.lead, ask, "She came")
    post(client, town.of(0), f"?ask={ask}", do="rate", score="2")
    with town.database.reading() as session:
        lines = session.exec(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(4)).all()
        assert ledger.read(session, town.body_id)[0].rated == 2
    assert [line.action for line in reversed(lines)] == ["ask.raise", "ask.endorse", "ask.reply", "ask.reply"]
    assert [line.actor.split()[0] for line in reversed(lines)] == ["practice", "practice"] + [
        "engagement_lead"
    ] * 2


def test_the_first_screen_says_what_the_last_round_led_to(client, site, config, town):
    """At most three lines, the best news first, of what was answered since the round before closed; escaped, and light."""
    keys = support.keys_of(config)
    support.close(town.database, keys, support.launch(town.database, keys, town.body_id))
    door = support.doors(town.database, keys, support.launch(town.database, keys, town.body_id))[0]
    path = f"/a/{door.public_id}/{door.token}"
    assert "What the last round led to" not in client.get(path).text
    for number in range(5):
        ask = town.do(
            members.raise_ask, town.of(number % 4), an_ask(f"Ask {number} {HOSTILE} " + "word " * 25)
        )
        at = clock.now() - clock.days(40) if number == 4 else None
        verdict = "no" if number == 3 else "yes"
        town.do(answers.answer, town.lead, ask, verdict, "why " * 200, at=at)
    # Kept for a while by the process that read it; another one reads anew.
    assert "What the last round led to" not in client.get(path).text
    reply = site().get(path)
    assert "What the last round led to" in reply.text and HOSTILE not in reply.text
    assert [f"You said: Ask {n}" in said(reply) for n in range(5)] == [True, True, True, False, False]
    assert len(reply.content) < 4_500
    assert "What the last round led to" not in site().get(f"{path}?page=questions").text


def test_members_read_what_was_said_and_done_on_the_page_of_results(database, client):
    """The results page lists answered asks with who asked and how they rate it; without any there is no such heading."""
    made = store_body(database)
    for content in a_history()[-1:]:
        store_round(database, made.body_id, 1, "released", content)
    with database.reading() as session:
        body = session.get(Body, made.body_id)
    address = f"/r/{body.code}/{body.results_token}"
    assert "You said, we did" not in client.get(address).text
    with database.session() as session:
        answers.publish_action(session, made.lead, body.id, said=f"Tell us {HOSTILE}", did="We tell you")
    reply = client.get(address)
    assert f"You said: Tell us {HOSTILE} We did: We tell you" in said(reply) and HOSTILE not in reply.text
