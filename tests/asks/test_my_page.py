"""The link to a member's own page: stable, renewable, handed out by mail or file, and no key to any answer."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest
from sqlmodel import select

from engagement import cli
from engagement.asks import members
from engagement.errors import NotFound
from engagement.intake import links
from engagement.intake.keys import Keys
from engagement.messaging import my_page, page_again
from engagement.messaging.keys import MailKeys
from engagement.messaging.transport import Refused, TryLater
from engagement.models import Bounce, Member, MemberPage, OptOut, PageRequest, Participation
from tests import support
from tests.messaging.conftest import Kept, time  # noqa: F401


@pytest.fixture
def post(config):
    """Settings that send, and a way that keeps what it sends."""
    mail = replace(config.mail, way="smtp", sender="survey@ccg.example", per_minute=1_000_000)
    return replace(config, mail=mail), Kept()


def send(town, post) -> int:
    settings, way = post
    return page_again.answer(town.database, MailKeys(settings.keys), settings, way)


def ask_for(town, *addresses: str) -> None:
    for address in addresses:
        town.do(my_page.ask, address)


def waiting(town) -> int:
    with town.database.reading() as session:
        return len(session.exec(select(PageRequest)).all())


def test_the_link_is_stable_until_it_is_renewed(config, town):
    """Making the page again gives the same link; renewing one ends the old one, and a link that never was opens nothing."""
    keys = MailKeys(config.keys)
    with town.database.session() as session:
        member = session.exec(select(Member).order_by(Member.id)).first()
        assert my_page.ensure(session, keys, member) == town.of(0)
        ((_, new),) = my_page.hand_out(session, town.lead, keys, town.body_id, member_ref=member.ref)
        assert members.visitor(session, new).practice == "Practice 0"
        for old in (town.of(0), "x", "a" * 26):
            with pytest.raises(NotFound):
                members.visitor(session, old)
        assert my_page.ensure(session, keys, member) == new
        assert all(new not in str(vars(row)) for row in session.exec(select(MemberPage)))


def test_the_link_is_no_key_to_an_answer(config, town):
    """No page's hash is the hash of a link that answers, and neither token opens the other's page."""
    keys = Keys(config.keys)
    body = support.launch(town.database, keys, town.body_id)
    doors = support.doors(town.database, keys, body)
    with town.database.reading() as session:
        pages = set(session.exec(select(MemberPage.link_hash)))
        answering = set(session.exec(select(Participation.link_hash)))
        assert pages and answering and not pages & answering
        with pytest.raises(NotFound):
            my_page.owner(session, doors[0].token)
    assert links.well_formed(town.of(0)) and town.of(0) not in {door.token for door in doors}


def test_who_asks_by_mail_gets_their_link_and_nobody_else_anything(town, post):
    """A known address gets its one mail; unknown, opted-out and bounced ones get none; each request is settled once."""
    with town.database.session() as session:
        people = session.exec(select(Member).order_by(Member.id).limit(3)).all()
        session.add(OptOut(member_id=people[1].id, body_id=town.body_id, scope="all"))
        session.add(Bounce(address="p3@example.org", hard=True))
    ask_for(town, "P1@example.org", "p2@example.org", "p3@example.org", "nobody@example.org")
    assert send(town, post) == 4 and waiting(town) == 0
    (mail,) = post[1].mails
    assert mail.to == "p1@example.org" and f"/m/{town.of(0)}" in mail.words.text and "/a/stop/" in mail.stop
    assert town.of(0) in mail.words.html and send(town, post) == 0


def test_a_mail_that_fails_is_tried_again_and_not_for_ever(town, post, time):  # noqa: F811
    """A mailbox that is busy gets it later, five times at most; a refusal ends it, and the others are not held up."""
    way = post[1]
    way.fails["p1@example.org"] = [TryLater("busy")] * 2
    ask_for(town, "p1@example.org")
    assert send(town, post) == 0 and waiting(town) == 1 and send(town, post) == 0
    for _ in range(2):
        time.on(minutes=6)
        send(town, post)
    assert way.to == ["p1@example.org"] and waiting(town) == 0
    way.fails["p2@example.org"] = [TryLater("busy")] * 99
    way.fails["p3@example.org"] = [Refused("no such mailbox", bad_address=True)]
    ask_for(town, "p2@example.org", "p3@example.org", "p4@example.org")
    for _ in range(8):
        send(town, post)
        time.on(minutes=6)
    assert waiting(town) == 0 and "p4@example.org" in way.to
    with town.database.reading() as session:
        assert [(row.address, row.hard) for row in session.exec(select(Bounce))] == [("p3@example.org", True)]


def test_links_are_handed_out_in_a_file_for_one_reader(config, town, tmp_path, capsys):
    """The command writes every member's link to a new file that only its owner reads, and renews one where asked."""
    target = tmp_path / "links.csv"
    assert cli.main(["asks", "links", "--out", str(target)]) == 0
    assert target.stat().st_mode & 0o077 == 0
    with target.open(encoding="utf-8-sig") as file:
        rows = {row["member_id"]: row["link"] for row in csv.DictReader(file)}
    assert len(rows) == 20 and rows["M001"].endswith(f"/m/{town.of(0)}")
    assert cli.main(["asks", "links", "--out", str(target)]) == 1
    assert cli.main(["asks", "links", "--renew", "M001", "--out", str(tmp_path / "one.csv")]) == 0
    with town.database.reading() as session, pytest.raises(NotFound):
        my_page.owner(session, town.of(0))
    assert cli.main(["asks", "list", "--json"]) == 0 and '"balance"' in capsys.readouterr().out
