"""The members' page of results: light, open to who has its address, and nothing on it but what is published."""

from __future__ import annotations

import re
from html import unescape

import pytest
from sqlmodel import select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.council import review
from engagement.models import Body, CommentRelease, Release, Round
from tests.ui.conftest import a_history, store_body, store_practices, store_round

HOSTILE = '<img src="http://tracker.example/x.png" onerror=alert(1)>'


@pytest.fixture
def made(database):
    """A body with nine released rounds."""
    body = store_body(database)
    for content in a_history():
        store_round(database, body.body_id, content["round"]["number"], "released", content)
    store_practices(database, body.body_id)
    return body


@pytest.fixture
def address(database):
    """Reads the page's address, as it is while unlisted."""

    def read() -> str:
        with database.reading() as session:
            body = session.exec(select(Body)).one()
        return f"/r/{body.code}/{body.results_token}"

    return read


def publish_comments(database, made, quotes: list[str]) -> None:
    """Write the comments of round 9 as a reviewer would have published them."""
    with database.session() as session:
        round_id = session.exec(select(Round.id).where(Round.number == 9)).one()
        themes = [
            {"theme": "access", "label": "Access to services", "mark": "shown", "n": "10–14"},
            {"theme": "training", "label": "Training", "mark": "hidden"},
        ]
        items = [
            {"item": "one_thing", "text": "What one thing?", "mark": "shown", "writers": "20–29", "quotes": quotes, "themes": themes},
            {"item": "other", "text": "Too few wrote to this", "mark": "hidden"},
        ]  # fmt: skip
        text = audit.canonical({"round": {"number": 9}, "items": items})
        session.add(
            CommentRelease(
                body_id=made.body_id,
                round_id=round_id,
                content=text,
                content_hash=audit.sha256(text),
                software="0",
                created_at=clock.now(),
            )
        )


def text_of(reply) -> str:
    """What a reader sees, without marks of HTML."""
    body = reply.text.split("<main", 1)[1]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))


def test_the_page_is_light_and_reads_nobody(client, made, address):
    """Under 60 KB, no script, no cookie asked or set, nobody else's files, and a policy that would stop them."""
    reply = client.get(address(), headers={"cookie": "sid=x"})
    assert reply.status_code == 200 and len(reply.content) < 60_000
    assert "<script" not in reply.text and "set-cookie" not in reply.headers
    assert not re.search(r"(?:src|href)=.(?:https?:)?//", reply.text)
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"\sstyle=|\son\w+=", reply.text)


def test_it_stays_light_with_many_rounds_and_comments(database, client, made, address):
    """Twelve rounds drawn and forty long comments still make less than 60 KB."""
    publish_comments(database, made, [f"{n} " + "word " * 120 for n in range(40)])
    assert len(client.get(address()).content) < 60_000


def test_it_says_the_round_the_gap_and_how_to_read_it(client, made, address):
    """The newest round with its message, chart, table, who took part, and what the marks mean."""
    said = text_of(client.get(address()))
    assert "Round 9, Spring 2026, closed 22 March 2026" in said
    assert "Leaders are 65 points ahead of grassroots members in round 9" in said
    assert "About 55% took part in round 9" in said and "How to read this" in said
    assert "not published" in said and "No clear change since round 8" in said


def test_each_chart_has_words_and_a_table(client, made, address):
    """Each headline question is drawn as SVG with title and description, and its table has every round."""
    reply = client.get(address())
    assert reply.text.count("<svg") == 2 == reply.text.count("<desc")
    ids = re.findall(r' id="([^"]+)"', reply.text)
    assert len(ids) == len(set(ids))
    labelled = re.findall(r'aria-labelledby="([^"]+)"', reply.text)
    assert labelled and all(name in ids for names in labelled for name in names.split())
    table = reply.text.split("<caption", 2)[1]
    assert re.findall(r'<th scope="row">(\d+)</th>', table) == [str(n) for n in range(9, 0, -1)]


def test_every_number_on_the_page_is_released(client, made, address):
    """Walk the page: each percentage and each number of points stands in one of the releases."""
    released: set[int] = set()

    def walk(value):
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(each)
        if isinstance(value, int):
            released.add(abs(value))

    walk(a_history())
    said = text_of(client.get(address()))
    # The axis of a chart, and what the notes say of rounding and caps.
    fixed = {0, 5, 20, 40, 60, 80, 100}
    found = {int(n) for n in re.findall(r"(\d+)(?:%| points)", said)}
    assert found and found <= released | fixed


def test_an_open_page_and_an_unlisted_one(database, client, made, address):
    """An unlisted page is only at its key; opened, it is at a plain address and no more at the key."""
    assert client.get("/r/DEMO/results").status_code == 404
    with database.session() as session:
        session.exec(select(Body)).one().results_open = True
    assert client.get("/r/DEMO/results").status_code == 200
    assert client.get(address()).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/r/DEMO/x",
        "/r/NONE/results",
        "/r/",
        "/r/DEMO",
        "/r/DEMO/x/y",
        "/r/DEMO/%00",
        "/r/" + "x" * 300 + "/y",
    ],
)
def test_every_wrong_address_gets_one_page(client, made, path):
    """Wrong body, wrong key, odd bytes and half addresses look alike, so that nothing can be told from them."""
    reply = client.get(path)
    assert reply.status_code == 404 and reply.text == client.get("/r/DEMO/wrong").text


def test_guessing_is_slowed_down(client, made, address):
    """Sixty wrong keys from a network end in a calm page; nothing of the body is on it."""
    for number in range(60):
        client.get(f"/r/DEMO/{number}")
    reply = client.get("/r/DEMO/x")
    assert reply.status_code == 429 and "Please wait" in reply.text


def test_a_body_without_results_says_when_they_come(database, client):
    """Before the first release the page says so."""
    store_body(database)
    with database.reading() as session:
        token = session.exec(select(Body.results_token)).one()
    reply = client.get(f"/r/DEMO/{token}")
    assert reply.status_code == 200 and "No results yet" in reply.text


def test_public_questions_stand_there_with_their_answers(database, client, made, address):
    """What the council asked in public and what it was answered is there, escaped; what is private is not."""
    with database.session() as session:
        release = session.exec(select(Release.id).order_by(Release.id.desc())).first()
        public = review.ask(session, made.council, release, f"Why? {HOSTILE}", public=True)
        review.ask(session, made.council, release, "A private matter")
        review.ask(session, made.council, release, "Not yet answered", public=True)
        review.answer(
            session, Actor("G", frozenset({(made.body_id, Role.GOVERNING)})), public, "Because **so**"
        )
    reply = client.get(address())
    assert "A private matter" not in reply.text and HOSTILE not in reply.text
    said = text_of(reply)
    assert f"Why? {HOSTILE}" in said and "Because **so**" in said and "Not answered yet." in said
    assert said.index("Not yet answered") < said.index("Why?")


def test_published_comments_stand_there_without_a_trace_of_hidden_ones(database, client, made, address):
    """Quotes are escaped, themes are in bands, and questions or themes with too few people are not named."""
    publish_comments(database, made, [f"First {HOSTILE}", "Second\nline"])
    reply = client.get(address())
    said = text_of(reply)
    assert HOSTILE not in reply.text and f"First {HOSTILE}" in said and "Second line" in said
    assert "Access to services: 10–14 people" in said
    assert "Training" not in said and "Too few wrote to this" not in said


def test_a_release_that_was_tampered_with_is_not_shown(database, client, made, address):
    """A release that does not match its hash is refused in calm words."""
    from sqlmodel import text

    with database.session() as session:
        session.exec(text("DROP TRIGGER release_frozen" + ("" if database.is_sqlite else " ON release")))
        session.exec(text("UPDATE release SET content = '{}'"))
    reply = client.get(address())
    assert reply.status_code == 409 and "does not match its hash" in reply.text


def test_the_page_of_a_closed_round_points_to_the_results(database, client, open_round, address):
    """Whoever opens a link of a closed round finds the way to the members' page; while it is open there is none."""
    made = open_round()
    assert "/r/" not in client.get(made.path()).text
    made.close()
    reply = client.get(made.path())
    assert f'href="{address()}"' in reply.text and "Results for members" in reply.text


def test_server_logs_never_hold_the_key(caplog, made, address):
    """A line of the server about the results is dropped, as those about answers are."""
    import logging

    from engagement.web.logs import hide_links

    hide_links()
    with caplog.at_level(logging.INFO, logger="uvicorn.access"):
        logging.getLogger("uvicorn.access").info('%s - "GET %s HTTP/1.1" 200', "192.0.2.1:5", address())
    assert address() not in caplog.text
