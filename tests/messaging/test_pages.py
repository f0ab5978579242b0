"""The pages that mails lead to: a scanner changes nothing on them, a person does what they mean."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engagement import web
from engagement.intake.submit import DoorState, look
from engagement.messaging import link_again, opt_out
from engagement.models import LinkRequest, Message, OptOut, Participation
from tests.messaging.conftest import Office

HOST = "http://localhost:8501"
SCANNERS = (
    "Mozilla/5.0 (compatible; Microsoft Office/16.0; Safe Links)",
    "Barracuda Sentinel (EE)",
    "Proofpoint URL Defense",
    "Mimecast/URL-Protect",
    "python-requests/2.32",
)


class Forms(HTMLParser):
    """The forms of a page, with all that pressing their buttons would send."""

    def __init__(self, page: str):
        super().__init__()
        self.forms: list[dict] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        """Collect forms, hidden fields, buttons and links."""
        found = dict(attrs)
        if tag == "form":
            self.forms.append({"action": found.get("action", ""), "fields": {}, "buttons": []})
        elif tag == "input" and found.get("type") == "hidden" and self.forms:
            self.forms[-1]["fields"][found["name"]] = found.get("value", "")
        elif tag == "button" and self.forms:
            self.forms[-1]["buttons"].append((found.get("name"), found.get("value", "")))
        elif tag == "a":
            self.links.append(found.get("href", ""))


@pytest.fixture
def client(office: Office) -> TestClient:
    """A client that speaks to the plain pages and follows nothing by itself."""
    app = Starlette(routes=web.routes(office.config), middleware=web.middleware(office.config))
    return TestClient(app, base_url=HOST, follow_redirects=False)


def path(url: str) -> str:
    """An address without its host."""
    return url.removeprefix(HOST)


def mailed(office: Office) -> list[tuple[str, str]]:
    """The addresses in each mail: the answer form and the page for fewer messages."""
    office.post()
    return [tuple(path(url) for url in re.findall(r"http\S+", mail.words.text)) for mail in office.way.mails]


def scan(client: TestClient, address: str) -> None:
    """What mail scanners do: look at a link in all ways, and press every button of the page that it opens."""
    client.head(address)
    pages = [client.get(address, headers={"user-agent": agent}) for agent in SCANNERS]
    found = Forms(pages[-1].text)
    for form in found.forms:
        to = address.partition("?")[0] + (form["action"] if form["action"].startswith("?") else "")
        for name, value in [*form["buttons"], (None, "")]:
            client.post(to, data=form["fields"] | ({name: value} if name else {}), headers={"origin": HOST})
    for href in found.links:
        if href.startswith("?"):
            client.get(address + href)
    # What a mailbox's own "unsubscribe" button sends where it is offered one.
    client.post(address, data={"List-Unsubscribe": "One-Click"})


def test_a_scanner_changes_nothing_and_then_a_person_answers(office: Office, client: TestClient):
    """HEAD, five GETs as five scanners and every button of the first page leave the invitation unused and nobody opted
    out; after that the person answers, and opts out in two steps."""
    links = mailed(office)[:8]
    for answer_page, stop_page in links:
        scan(client, answer_page)
        scan(client, stop_page)
    with office.database.reading() as session:
        assert not any(session.exec(select(Participation.used)).all())
        assert session.exec(select(OptOut)).all() == []
        for answer_page, _ in links:
            public_id, token = answer_page.split("/")[2:]
            assert look(session, public_id, token).state is DoorState.READY
    answer_page, stop_page = links[0]
    page = client.get(f"{answer_page}?page=questions").text
    form = {name: "4" for name in re.findall(r'name="(q-[a-z_]+)"', page)}
    form["idem_key"] = re.search(r'name="idem_key" value="([^"]+)"', page)[1]
    assert client.post(f"{answer_page}?page=questions", data=form).status_code == 303
    asked = client.post(stop_page)
    assert asked.status_code == 200 and 'name="choice"' in asked.text and "checked" not in asked.text
    fields = Forms(asked.text).forms[0]["fields"]
    kept = client.post(stop_page, data=fields | {"choice": "all"})
    assert kept.status_code == 303
    assert "You get no messages" in client.get(stop_page + kept.headers["location"]).text
    with office.database.reading() as session:
        assert sum(session.exec(select(Participation.used)).all()) == 1
        assert [row.scope for row in session.exec(select(OptOut)).all()] == ["all"]


def test_the_second_step_needs_a_choice(office: Office, client: TestClient):
    """Without a choice, or with one that is none, the second step asks again and keeps nothing."""
    stop_page = mailed(office)[0][1]
    for choice in ({}, {"choice": ""}, {"choice": "everything"}):
        page = client.post(stop_page, data={"step": "2"} | choice)
        assert page.status_code == 422 and "Choose which messages you want" in page.text
    with office.database.reading() as session:
        assert session.exec(select(OptOut)).all() == []


def test_an_opt_out_holds_and_can_be_taken_back(office: Office, client: TestClient):
    """No reminders means invitations still come; no messages means none; the same page takes it back."""
    links = mailed(office)
    by_stop = {path(mail.stop): mail.to for mail in office.way.mails}
    (_, fewer), (_, nothing), (_, back) = links[:3]
    for page, choice in ((fewer, "reminders"), (nothing, "all"), (back, "all"), (back, "none")):
        assert client.post(page, data={"step": "2", "choice": choice}).status_code == 303
    office.way.mails.clear()
    office.time.on(days=7)
    office.post()
    left_out = {by_stop[fewer], by_stop[nothing]}
    assert set(office.way.to) == set(by_stop.values()) - left_out and by_stop[back] in office.way.to


def test_links_for_fewer_messages_outlive_their_key(office: Office, client: TestClient):
    """When the body's mail key was lost, pages of old mails still open, and those of new mails do too."""
    old = mailed(office)[0][1]
    (office.config.keys / f"mail-{office.body_id}.key").unlink()
    office.way.mails.clear()
    office.time.on(days=7)
    new = mailed(office)[0][1]
    assert old != new
    assert [client.get(page).status_code for page in (old, new)] == [200, 200]


@pytest.mark.parametrize("token", ["a" * 26, "short", "a" * 5_000, "%00", "A2" * 13])
def test_pages_of_nobody_are_one_page(client: TestClient, token: str):
    """A token that is none shows the same calm page, and changes nothing."""
    pages = [
        client.get(f"/a/stop/{token}"),
        client.post(f"/a/stop/{token}", data={"step": "2", "choice": "all"}),
    ]
    assert [page.status_code for page in pages] == [404, 404]
    assert all("This link does not work" in page.text for page in pages)


def test_many_wrong_tokens_are_slowed(client: TestClient):
    """A client that tries many tokens has to wait."""
    codes = [client.get(f"/a/stop/{'a' * 24}{n:02d}").status_code for n in range(70)]
    assert codes[0] == 404 and codes[-1] == 429


def test_a_token_for_fewer_messages_cannot_answer(office: Office, client: TestClient):
    """The token in the header and at the foot of a mail opens no answer form, and the answer's token no opt-out."""
    answer_page, stop_page = mailed(office)[0]
    round_, token = answer_page.split("/")[2:]
    assert client.get(f"/a/{round_}/{stop_page.split('/')[3]}").status_code == 404
    assert client.get(f"/a/stop/{token}").status_code == 404


def ask(client: TestClient, address: str):
    """Ask for a link."""
    return client.post("/a/again", data={"email": address})


def test_asking_for_a_link_says_the_same_to_everybody(office: Office, client: TestClient):
    """A known address, one whose link is used, and an unknown one get one page, and each leaves one row to look at."""
    office.post()
    office.answer(4)
    office.way.mails.clear()
    pages = [ask(client, a) for a in ("P3@Example.org", "p5@example.org", "nobody@example.org")]
    assert {page.status_code for page in pages} == {200} and len({page.text for page in pages}) == 1
    with office.database.reading() as session:
        assert len(session.exec(select(LinkRequest)).all()) == 3
    office.post()
    assert office.way.to == ["p3@example.org"]
    link = f"/a/{office.doors()[2].public_id}/{office.doors()[2].token}"
    assert link in office.way.mails[0].words.text
    with office.database.reading() as session:
        assert session.exec(select(LinkRequest)).all() == []
        rows = session.exec(select(Message).where(Message.kind == "link")).all()
    assert {row.state for row in rows} == {"done"} and {row.due_at for row in rows} == {None}


def test_a_link_can_be_asked_for_a_few_times(office: Office, client: TestClient):
    """Nobody can fill a mailbox by asking: five mails a round at most, and three askings in ten minutes."""
    office.post()
    office.way.mails.clear()
    for _ in range(5):
        assert ask(client, "p3@example.org").status_code == 200
    with office.database.reading() as session:
        assert len(session.exec(select(LinkRequest)).all()) == 3
    for _ in range(10):
        with office.database.session() as session:
            link_again.ask(session, "p3@example.org")
        office.post()
        office.time.on(minutes=5)
    assert len(office.way.mails) == link_again.MOST
    assert len({mail.message_id for mail in office.way.mails}) == link_again.MOST


def test_one_network_cannot_ask_for_everybody(client: TestClient, office: Office):
    """After twenty askings a network has to wait, whoever it asks for."""
    codes = [ask(client, f"p{n}@example.org").status_code for n in range(25)]
    assert codes[:20] == [200] * 20 and set(codes[20:]) == {429}


@pytest.mark.parametrize(
    "typed", ["", "nonsense", "a@b", "x@y.z\r\nBcc: q@r.s", "\x00@example.org", "é" * 500]
)
def test_what_is_no_address_is_asked_again(client: TestClient, office: Office, typed: str):
    """A text that is no address comes back with words, escaped, and is not kept."""
    page = ask(client, typed)
    assert page.status_code == 422 and "in the correct format" in page.text
    with office.database.reading() as session:
        assert session.exec(select(LinkRequest)).all() == []


def test_pages_of_mail_read_no_cookie_and_are_kept_nowhere(client: TestClient, office: Office):
    """Both pages have the headers of the answer form: no cookie, no cache, no referrer, no frame."""
    stop_page = mailed(office)[0][1]
    for address in (stop_page, "/a/again"):
        page = client.get(address)
        assert (
            page.headers["cache-control"] == "no-store" and page.headers["referrer-policy"] == "no-referrer"
        )
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        assert "set-cookie" not in page.headers


def test_words_of_the_body_are_used_and_escaped(office: Office, client: TestClient):
    """The page names the body, whatever is in its name."""
    from engagement.models import Body

    with office.database.session() as session:
        session.get(Body, office.body_id).name = "<i>Vale</i> & Co"
    stop_page = mailed(office)[0][1]
    page = client.get(stop_page).text
    assert "&lt;i&gt;Vale&lt;/i&gt; &amp; Co" in page and "<i>Vale" not in page
    assert opt_out.CHOICES == ("reminders", "all", "none")
