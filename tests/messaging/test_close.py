"""After the close: results are told to all alike, people's rows go, and contact that failed is counted."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import text
from sqlmodel import select

from engagement.access import Actor, Role
from engagement.errors import NotAllowed, NotFound
from engagement.messaging import bounces, results
from engagement.messaging.transport import Refused
from engagement.models import Body, Bounce, Contact, DeadLetter, Mailing, Member, Practice, Round
from engagement.worker import Worker
from tests import support
from tests.messaging.conftest import Office

NOTICE = """From: MAILER-DAEMON@mx.example
To: survey@ccg.example
Subject: Undelivered
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Sorry.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}

--b--
"""


def close(office: Office) -> None:
    """Close the round; the worker releases it."""
    office.time.on(minutes=1)
    support.close(office.database, office.keys, office.round_id)


def test_results_go_to_all_who_were_invited_and_tell_nothing(office: Office, staff):
    """At release respondents and the others get the same mail with the members' page; the governing body and the
    council get the verdict; nobody else does."""
    office.post()
    office.answer(*range(40))
    office.way.mails.clear()
    close(office)
    office.post()
    to_members = [mail for mail in office.way.mails if mail.to.startswith("p")]
    assert len(to_members) == 60
    with office.database.reading() as session:
        body = session.get(Body, office.body_id)
        page = results.members_page(session, body, office.config.public_url)
        verdict = results.verdict(results.newest(session, office.round_id))
    own = re.compile(r"Person \d+|/(?:a/stop|m)/\w+")
    assert len({(m.words.subject, own.sub("", m.words.text)) for m in to_members}) == 1
    assert page in to_members[0].words.text and "/a/stop/" in to_members[0].words.text
    to_staff = {mail.to: mail.words.text for mail in office.way.mails if not mail.to.startswith("p")}
    assert set(to_staff) == {"governing_body@example.org", "council@example.org"}
    for said in to_staff.values():
        assert verdict in said and f"{office.config.public_url}/" in said and "/a/" not in said
    assert office.post() == 0


@pytest.mark.parametrize(
    ("verdict", "headline", "told"),
    [("wider", True, True), ("wider", False, False), ("narrower", True, False), (None, True, False)],
)
def test_a_gap_that_widened_is_told_to_the_lead(verdict, headline: bool, told: bool):
    """Only a headline question whose gap is clearly wider makes the mail with the next steps."""
    change = {"verdict": verdict} if verdict else None
    assert results.has_widened({"items": [{"headline": headline, "change": change}]}) is told


def test_the_lead_gets_the_next_steps(office: Office, staff, monkeypatch):
    """When the gap has widened the lead gets the verdict, the next steps and where to take them."""
    office.post()
    office.answer(*range(40))
    office.way.mails.clear()
    monkeypatch.setattr(results, "has_widened", lambda content: True)
    close(office)
    office.post()
    mail = next(m for m in office.way.mails if m.to == "engagement_lead@example.org")
    assert "widened" in mail.words.subject and "/practices" in mail.words.text
    assert "governing body" in mail.words.text and "council of members" in mail.words.text


def test_nobody_is_told_of_rounds_that_were_not_mailed(office: Office, staff):
    """A round whose links were handed out by hand, and a past round that was imported, send no mail at release."""
    office.answer(*range(40))
    close(office)
    assert office.post() == 0 and office.way.mails == []


def test_rows_of_people_go_at_the_close(office: Office, staff):
    """Once a round takes no more answers, nothing says who was mailed for it; after release nothing at all."""
    office.post()
    office.answer(*range(40))
    office.time.on(days=7)
    office.post()
    assert len(office.messages()) == 120
    with office.database.session() as session:
        from engagement.rounds import verbs

        verbs.close(session, support.OPERATOR, office.round_id)
    office.post()
    assert office.messages() == []
    Worker(office.database, office.keys).run_once()
    office.post()
    office.post()
    assert office.messages() == []
    with office.database.reading() as session:
        counts = {row.kind: row.people for row in session.exec(select(Mailing)).all()}
    assert counts == {"invitation": 60, "reminder": 20, "results": 2, "published": 60}


def test_the_list_of_undelivered_mail_goes_with_the_links(office: Office):
    """A day after the close the addresses of the list are gone too."""
    office.way.fails["p5@example.org"] = [Refused("554 no")]
    office.post()
    close(office)
    office.post()
    with office.database.reading() as session:
        assert len(session.exec(select(DeadLetter)).all()) == 1
    office.time.on(days=2)
    Worker(office.database, office.keys).run_once()
    office.post()
    with office.database.reading() as session:
        assert session.exec(select(DeadLetter)).all() == []
        assert session.get(Round, office.round_id).links_deleted_at is not None


def test_contact_that_failed_is_counted_by_practice(office: Office):
    """No address, one that bounces and mail that could not be sent are failed contacts; opting out and silence are not.
    The counts hold while the round is open and for ever after its close."""
    from engagement.models import OptOut

    with office.database.reading() as session:
        assert bounces.deliverable(session, office.round_id) == {}
    office.way.fails |= {
        "p1@example.org": [Refused("550 5.1.1", bad_address=True)],
        "p2@example.org": [Refused("554 spam")],
    }
    with office.database.session() as session:
        people = session.exec(select(Member).order_by(Member.ref)).all()
        people[2].email = None
        session.add(OptOut(member_id=people[3].id, body_id=office.body_id, scope="all"))
        first = session.exec(select(Practice.id).order_by(Practice.code)).first()
    office.post()
    with office.database.reading() as session:
        live = bounces.deliverable(session, office.round_id)
    assert len(live) == 12 and live[first] == bounces.Reached(5, 2) and live[first].failed == 3
    assert {found.failed for practice, found in live.items() if practice != first} == {0}
    close(office)
    office.post()
    with office.database.session() as session:
        for bounce in session.exec(select(Bounce)):
            session.delete(bounce)
    with office.database.reading() as session:
        assert bounces.deliverable(session, office.round_id) == live
        assert len(session.exec(select(Contact)).all()) == 12


@pytest.mark.parametrize(
    ("action", "status", "said", "hard"),
    [
        ("failed", "5.1.1", "550 5.1.1 unknown user", True),
        ("failed", "5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound", True),
        ("failed", "5.4.1", "550 5.4.1 Access denied", True),
        ("failed", "5.2.2", "552 5.2.2 mailbox full", False),
        ("failed", "5.7.1", "550 5.7.1 spam", False),
        ("failed", "4.4.7", "delivery expired", False),
        ("delayed", "4.4.1", "still trying", None),
        ("delivered", "2.0.0", "ok", None),
    ],
)
def test_notices_of_non_delivery_are_read(action: str, status: str, said: str, hard: bool | None):
    """A notice says for each address whether the mailbox is missing; delays and deliveries are no bounces."""
    raw = NOTICE.format(address="P9@Example.org", action=action, status=status, said=said).encode()
    expected = [] if hard is None else [bounces.Bounced("p9@example.org", hard)]
    assert bounces.read_notice(raw) == expected


@pytest.mark.parametrize(
    "raw", [b"", b"\xff\xfe\x00", b"Subject: hello\n\nNo report.", NOTICE.encode()[:300]]
)
def test_other_mail_is_no_notice(raw: bytes):
    """Anything else, broken or empty, says nothing."""
    assert bounces.read_notice(raw) == []


def test_hard_bounces_stop_mail_and_soft_ones_after_five(office: Office):
    """A missing mailbox stops mail at once, a full one the fifth time; an address that nobody has is not kept."""
    with office.database.session() as session:
        assert bounces.bounced(session, support.OPERATOR, " P1@example.org ", hard=True)
        for _ in range(bounces.SOFT_MOST - 1):
            assert bounces.bounced(session, support.OPERATOR, "p2@example.org", hard=False)
        for _ in range(bounces.SOFT_MOST):
            assert bounces.bounced(session, support.OPERATOR, "p3@example.org", hard=False)
        assert not bounces.bounced(session, support.OPERATOR, "stranger@example.org", hard=True)
    office.post()
    assert set(office.way.to) == {f"p{n}@example.org" for n in (2, *range(4, 61))}
    with office.database.session() as session:
        held = bounces.undeliverable(session, support.OPERATOR, office.body_id)
        assert [person.address for person in held] == ["p1@example.org", "p3@example.org"]
        bounces.deliver_again(session, support.OPERATOR, office.body_id, held[0].member_id)
        assert len(bounces.undeliverable(session, support.OPERATOR, office.body_id)) == 1
        with pytest.raises(NotFound):
            bounces.deliver_again(session, support.OPERATOR, office.body_id, held[0].member_id)


def test_correcting_the_address_brings_mail_back(office: Office):
    """After the roster holds another address, the next mail goes there."""
    from engagement.roster import people

    office.way.fails["p1@example.org"] = [Refused("550 5.1.1", bad_address=True)]
    office.post()
    with office.database.session() as session:
        member = session.exec(select(Member).where(Member.ref == "M001")).one()
        people.correct_person(
            session, support.OPERATOR, office.body_id, member.id, name="One", email="right@example.org"
        )
        assert bounces.undeliverable(session, support.OPERATOR, office.body_id) == []
    office.way.mails.clear()
    office.time.on(days=7)
    office.post()
    assert "right@example.org" in office.way.to


@pytest.mark.parametrize("role", [Role.GOVERNING, Role.COUNCIL, None])
def test_only_the_lead_of_the_body_sees_mail(office: Office, role):
    """Addresses that do not work, undelivered mail and settings are the engagement lead's alone, in their body alone."""
    from engagement.messaging import desk, settings

    other = support.small_body(office.database, code="OTHER", practices=1, leaders=1)
    roles = {(other, Role.LEAD)} | ({(office.body_id, role)} if role else set())
    actor = Actor("x", frozenset(roles))
    with office.database.session() as session:
        for verb, more in (
            (bounces.undeliverable, ()),
            (bounces.dead_letters, ()),
            (bounces.retry, ("x",)),
            (bounces.deliver_again, (1,)),
            (desk.look, (office.config,)),
            (desk.template, ("invitation",)),
            (desk.send_test, (office.config, "invitation")),
            (settings.read, ()),
            (settings.reset_template, ("invitation",)),
        ):
            with pytest.raises((NotAllowed, NotFound)):
                verb(session, actor, office.body_id, *more)
        with pytest.raises((NotAllowed, NotFound)):
            settings.save(session, actor, office.body_id, office.config, reminders=1, gap_days=5)
        with pytest.raises((NotAllowed, NotFound)):
            settings.save_template(session, actor, office.body_id, "invitation", subject="x", text="{link}")
        with pytest.raises((NotAllowed, NotFound)):
            desk.preview(session, actor, office.body_id, office.config, "invitation", subject="", text="")
        member = session.exec(select(Member.id).where(Member.body_id == office.body_id)).first()
        with pytest.raises(NotFound):
            bounces.deliver_again(session, Actor("y", frozenset({(other, Role.LEAD)})), other, member)


def test_no_table_and_no_log_holds_a_link(office: Office, caplog):
    """From the invitation to the release no column of any table, no log line and no audit line holds a token, of the
    answer form or of the opt-out page, or an address that mail failed for."""
    import logging

    caplog.set_level(logging.DEBUG)
    office.way.fails["p5@example.org"] = [Refused("554 no")]
    office.way.fails["p6@example.org"] = [ValueError("p6@example.org http://localhost/a/x/y")]
    office.post()
    tokens = [door.token for door in office.doors()]
    tokens += [mail.stop.rsplit("/", 1)[1] for mail in office.way.mails]
    office.answer(*range(40))
    office.time.on(days=7)
    office.post()
    dump = _dump(office)
    assert len(dump) > 50_000 and len(tokens) > 100
    assert not [token for token in tokens if token in dump]
    assert "M005" in dump
    close(office)
    office.post()
    dump = _dump(office)
    assert not [token for token in tokens if token in dump]
    assert not [token for token in tokens if token in caplog.text]
    assert "p5@example.org" not in caplog.text and "p6@example.org" not in caplog.text
    assert "ValueError" in caplog.text
    with office.database.reading() as session:
        lines = session.execute(text("SELECT detail FROM audit_entry")).scalars().all()
    assert not any("@" in str(line) for line in lines)


def _dump(office: Office) -> str:
    """Every value of every table, as text."""
    from sqlalchemy import MetaData

    metadata = MetaData()
    metadata.reflect(office.database.engine)
    with office.database.engine.connect() as connection:
        return "\n".join(
            repr(tuple(row)) for table in metadata.sorted_tables for row in connection.execute(table.select())
        )
