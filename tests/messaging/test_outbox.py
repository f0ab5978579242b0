"""The outbox: who gets what, once, and nothing that tells who answered."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from engagement.access import Actor
from engagement.errors import Conflict
from engagement.messaging import bounces, outbox
from engagement.messaging.transport import Refused, TryLater
from engagement.models import (
    Bounce,
    DeadLetter,
    Mailing,
    Member,
    Message,
    MessageTemplate,
    OptOut,
    Round,
    random_id,
)
from engagement.models.message import MailClock
from tests import support
from tests.messaging.conftest import Office

LENGTH = timedelta(minutes=5)


def lease(office: Office, holder: str = "one", most: int = 100, per_minute: int = 1_000_000):
    """Take up messages as a sender does."""
    return outbox.lease(office.database, holder, length=LENGTH, most=most, per_minute=per_minute)


def queue(office: Office, kind: str = "invitation", number: int = 1) -> bool:
    """Put a kind of mail into the outbox."""
    with office.database.session() as session:
        return outbox.queue(session, session.get(Round, office.round_id), kind, number)


def test_everybody_invited_gets_one_invitation(office: Office):
    """An open round invites each member once, with their own link, however often the sender runs."""
    assert office.post() == 60
    assert office.post() == 0
    assert len(set(office.way.to)) == len(office.way.mails) == 60
    doors = office.doors()
    said = {mail.words.text.split(f"/a/{doors[0].public_id}/")[1][:26] for mail in office.way.mails}
    assert said == {door.token for door in doors}
    with office.database.reading() as session:
        assert session.get(Mailing, (office.round_id, "invitation", 1)).people == 60


def test_queueing_twice_queues_once(office: Office):
    """The same kind and number for a round is put in once, and the database itself refuses a second row."""
    assert queue(office) and not queue(office)
    assert len(office.messages()) == 60
    row = office.messages()[0]
    with pytest.raises(IntegrityError), office.database.session() as session:
        session.add(Message(**{**row.model_dump(), "id": random_id()}))


def test_queueing_goes_with_the_change_that_it_tells_of(office: Office):
    """When the transaction that queues a mail fails, nothing is queued."""
    with pytest.raises(RuntimeError), office.database.session() as session:
        outbox.queue(session, session.get(Round, office.round_id), "amendment")
        raise RuntimeError
    assert office.messages() == []


def test_two_senders_never_hold_the_same_mail(office: Office):
    """What one has leased another does not get, until the lease has run out."""
    queue(office)
    first, second = lease(office, "one", 40), lease(office, "two", 40)
    assert len(first) == 40 and len(second) == 20
    assert not {m.id for m in first} & {m.id for m in second}
    assert lease(office, "three") == []
    office.time.on(minutes=6)
    again = lease(office, "three")
    assert len(again) == 60 and {m.attempts for m in again} == {2}


def test_a_sender_that_lost_its_lease_marks_nothing(office: Office):
    """After a lease has gone to another, the first can neither mark, nor put back, nor give up the mail."""
    queue(office)
    stale = lease(office, "one", 1)[0]
    office.time.on(minutes=6)
    fresh = next(m for m in lease(office, "two") if m.id == stale.id)
    with office.database.session() as session:
        assert not outbox.settle(session, stale)
        assert not outbox.put_back(session, stale, office.time.now, tried=True)
        assert not outbox.give_up(session, stale, "x@example.org", "because")
        assert outbox.settle(session, fresh)


def test_a_reminder_goes_to_those_who_have_not_answered(office: Office):
    """Who answered, also with a withdrawn answer, gets no reminder; everybody else gets one, with the same link."""
    office.post()
    invited = {mail.to: mail for mail in office.way.mails}
    office.answer(0, 1, 2)
    with office.database.session() as session:
        from engagement.intake.submit import withdraw

        assert withdraw(session, office.doors()[2].public_id, office.doors()[2].token)
    office.way.mails.clear()
    office.time.on(days=7)
    assert office.post() == 60
    assert office.way.to == sorted(f"p{n}@example.org" for n in range(4, 61))
    for mail in office.way.mails:
        link = f"/a/{office.doors()[0].public_id}/"
        assert mail.words.text.split(link)[1][:26] == invited[mail.to].words.text.split(link)[1][:26]


def test_sent_and_left_out_end_in_the_same_row(office: Office):
    """After a reminder no column of any table tells those who were reminded from those who had answered."""
    office.post()
    office.answer(*range(10))
    office.time.on(days=7)
    office.post()
    assert len(office.way.mails) == 60 + 50
    same = {"id", "member_id"}
    rows = {
        tuple(sorted((k, str(v)) for k, v in m.model_dump().items() if k not in same))
        for m in office.messages(kind="reminder")
    }
    assert len(rows) == 1
    with office.database.reading() as session:
        assert session.get(Mailing, (office.round_id, "reminder", 1)).people == 50
    with pytest.raises(IntegrityError), office.database.session() as session:
        session.execute(text("UPDATE message SET attempts = 1 WHERE kind = 'reminder'"))


def test_the_order_of_writing_does_not_tell_either(office: Office):
    """On PostgreSQL each row of a reminder was last written by a transaction of its own, sent or left out alike."""
    if office.database.is_sqlite:
        pytest.skip("only PostgreSQL shows which transaction wrote a row")
    office.post()
    office.answer(*range(30))
    office.time.on(days=7)
    office.post()
    with office.database.reading() as session:
        found = (
            session.execute(text("SELECT xmin::text FROM message WHERE kind = 'reminder'")).scalars().all()
        )
    assert len(set(found)) == len(found) == 60


def test_an_answer_between_writing_and_sending_stops_the_mail(office: Office):
    """Whoever answers after their reminder was leased and written is not reminded: it is looked at again last of all."""
    office.post()
    office.way.mails.clear()
    office.time.on(days=7)
    waiting = [door.row.member_id for door in office.doors()]

    def answer_behind(mail):
        # While the first reminder leaves, the whole rest of its batch answers.
        if waiting:
            del waiting[:]
            mine = int(mail.to[1:].split("@")[0]) - 1
            office.answer(*(n for n in range(60) if n != mine))

    office.way.before = answer_behind
    assert office.post() == 60
    assert len(office.way.mails) == 1


@pytest.mark.parametrize("kind", ["close", "opt out", "bounce", "no address", "opt out of reminders"])
def test_what_happened_after_queueing_stops_the_mail(office: Office, kind: str):
    """A closed round, an opt-out, a bounce and a missing address each stop a mail that was queued before."""
    queue(office)
    with office.database.session() as session:
        first = session.exec(select(Member).where(Member.ref == "M001")).one()
        if kind == "close":
            office.time.on(days=15)
        elif kind.startswith("opt out"):
            scope = "reminders" if kind.endswith("reminders") else "all"
            session.add(OptOut(member_id=first.id, body_id=office.body_id, scope=scope))
        elif kind == "bounce":
            first.email = "P1@Example.org"
            session.add(Bounce(address="p1@example.org", hard=True))
        else:
            first.email = None
    assert office.post() == 60
    expected = {"close": 0, "opt out of reminders": 60}.get(kind, 59)
    assert len(office.way.mails) == expected
    assert {m.state for m in office.messages()} == {"done"}


def test_failures_are_tried_again_later_and_then_given_up(office: Office):
    """A mail that fails for now waits twice as long each time; after the last attempt its person is on the list."""
    address = "p5@example.org"
    office.way.fails[address] = [TryLater("450 mailbox busy")] * 99
    office.post()
    assert len(office.way.mails) == 59
    waits = []
    for _ in range(outbox.ATTEMPTS - 1):
        left = office.messages(state="waiting")[0]
        waits.append(left.due_at - office.time.now)
        assert office.post() == 0
        office.time.now = left.due_at
        office.post()
    assert all(waits[n] < waits[n + 3] for n in range(len(waits) - 3))
    assert office.messages(state="waiting") == []
    with office.database.reading() as session:
        letter = session.exec(select(DeadLetter)).one()
    assert (letter.address, letter.reason) == (address, "450 mailbox busy")
    assert "kind" not in DeadLetter.model_fields and "at" not in " ".join(DeadLetter.model_fields).split()


def test_waiting_grows_and_is_spread():
    """Waits double up to four hours, and no two of many are the same."""
    assert outbox.wait(1) <= 1.5 * outbox.FIRST_WAIT
    assert len({outbox.wait(5) for _ in range(20)}) == 20
    assert all(0.5 * outbox.LONGEST_WAIT <= outbox.wait(30) <= 1.5 * outbox.LONGEST_WAIT for _ in range(50))


def test_an_undelivered_mail_can_be_tried_again(office: Office):
    """Trying again sends that person's newest mail, if it is still wanted, and takes them off the list."""
    office.way.fails["p5@example.org"] = [Refused("554 refused as spam")]
    office.post()
    with office.database.session() as session:
        letter = bounces.dead_letters(session, support.OPERATOR, office.body_id)[0]
        bounces.retry(session, support.OPERATOR, office.body_id, letter.id)
        assert bounces.dead_letters(session, support.OPERATOR, office.body_id) == []
    office.post()
    assert office.way.to.count("p5@example.org") == 1 and len(office.way.mails) == 60
    with office.database.session() as session, pytest.raises(Conflict):
        outbox.send_again(session, office.round_id, member_id=10**9)


def test_an_address_that_does_not_exist_gets_no_more(office: Office):
    """A refusal of the address itself suppresses it at once, also for the reminders that follow."""
    office.way.fails["p5@example.org"] = [Refused("550 5.1.1 no such user", bad_address=True)]
    office.post()
    office.time.on(days=7)
    office.post()
    assert office.way.to.count("p5@example.org") == 0
    with office.database.reading() as session:
        people = bounces.undeliverable(session, support.OPERATOR, office.body_id)
        assert [(p.ref, p.address) for p in people] == [("M005", "p5@example.org")]
        assert bounces.dead_letters(session, support.OPERATOR, office.body_id) == []


def test_a_fault_of_the_server_costs_no_attempt_and_rests_all(office: Office):
    """When the server cannot be reached, nothing else is tried for a while, and nothing comes nearer to being given up."""
    office.way.fails |= {
        f"p{n}@example.org": [TryLater("cannot be reached", timedelta(minutes=1))] for n in range(1, 61)
    }
    assert office.post() == 0
    tried = sum(len(left) == 0 for left in office.way.fails.values())
    assert tried == 1
    assert {m.attempts for m in office.messages()} == {0}
    with office.database.reading() as session:
        assert session.exec(select(MailClock.trouble)).one() == "cannot be reached"
    assert office.post() == 0 and tried == 1
    office.way.fails.clear()
    office.time.on(minutes=2)
    assert office.post() == 60
    with office.database.reading() as session:
        assert session.exec(select(MailClock.trouble)).one() is None


def test_a_sender_that_dies_each_time_on_one_mail_is_not_stuck(office: Office):
    """A mail whose lease ran out too often is given up, so that one that kills the sender does not do so for ever."""
    queue(office)
    for _ in range(outbox.ATTEMPTS):
        assert len(lease(office)) == 60
        office.time.on(minutes=6)
    office.post()
    assert office.way.mails == []
    with office.database.reading() as session:
        assert len(session.exec(select(DeadLetter)).all()) == 60


@pytest.mark.parametrize("per_minute", [1, 7, 30, 600])
def test_no_minute_has_more_mail_than_allowed(office: Office, per_minute: int):
    """However often senders ask, no sixty seconds hold more mails than the rate, and over time it is nearly used."""
    queue(office)
    queue(office, "amendment", 1)
    taken: list[float] = []
    start = office.time.now
    for step in range(150):
        got = lease(office, f"s{step % 3}", 100, per_minute)
        taken += [(office.time.now - start).total_seconds()] * len(got)
        office.time.on(seconds=2)
    assert len(taken) >= min(120, per_minute * 3)
    for begin in taken:
        assert sum(begin <= moment < begin + 60 for moment in taken) <= per_minute


def test_message_ids_are_the_same_at_each_try(office: Office):
    """A mail that is sent twice carries one Message-ID; different mails carry different ones, and no name."""
    from dataclasses import replace

    office.way.fails["p5@example.org"] = [TryLater("later")]
    seen: list = []
    office.way.before = seen.append
    office.post()
    office.time.on(hours=1)
    office.post()
    of_five = [mail.message_id for mail in seen if mail.to == "p5@example.org"]
    assert len(of_five) == 2 and len(set(of_five)) == 1
    assert len({mail.message_id for mail in seen}) == 60
    assert all(mail.message_id.endswith("@ccg.example>") for mail in seen)
    assert replace(seen[0], to="other@example.org").message_id == seen[0].message_id


def test_a_body_without_a_sender_sends_nothing_and_says_so(office: Office):
    """Without a sender nothing leaves, no attempt is counted, and the words say what to do."""
    from dataclasses import replace

    office.config = replace(office.config, mail=replace(office.config.mail, sender=""))
    assert office.post() == 0
    with office.database.reading() as session:
        assert "Name a sender" in session.exec(select(MailClock.trouble)).one()
    assert {m.attempts for m in office.messages()} == {0}


def test_a_demo_is_never_mailed_for_real(office: Office):
    """People of a demo body are invented: nothing is queued for a real way, and nothing that was queued leaves."""
    from engagement.models import Body

    with office.database.session() as session:
        session.get(Body, office.body_id).is_demo = True
    assert office.post() == 0 and office.messages() == []
    queue(office)
    office.post()
    assert office.way.mails == []
    office.way.real = False
    queue(office, "amendment", 1)
    office.post()
    assert len(office.way.mails) == 60


def test_a_bodys_own_words_and_sender_are_used(office: Office):
    """The words and the sender of a body go into its mails."""
    from engagement.messaging import settings

    with office.database.session() as session:
        session.add(
            MessageTemplate(
                body_id=office.body_id, kind="invitation", subject="For {person}", text="Here: {link}"
            )
        )
        settings.save(
            session,
            support.OPERATOR,
            office.body_id,
            office.config,
            sender_name="Dr Chair",
            sender_address="chair@body.example",
            reply_to="office@body.example",
            reminders=1,
            gap_days=5,
        )
    office.post()
    mail = next(mail for mail in office.way.mails if mail.to == "p7@example.org")
    assert mail.words.subject == "For Person 7" and mail.words.text.startswith("Here: http")
    assert mail.sender.address == "chair@body.example" and mail.message_id.endswith("@body.example>")


def test_a_missing_key_stops_one_round_only(office: Office):
    """Without a round's link key its mail waits, is not lost, and another body's still goes."""
    other = support.small_body(office.database, code="OTHER")
    office.time.on(minutes=1)
    support.launch(office.database, office.keys, other)
    with office.database.reading() as session:
        public_id = session.get(Round, office.round_id).public_id
    key = office.config.keys / f"link-{public_id}.key"
    kept = key.read_bytes()
    key.unlink()
    office.post()
    assert len(office.way.mails) == 60
    key.write_bytes(kept)
    office.time.on(hours=1)
    office.post()
    assert len(office.way.mails) == 120


def test_the_worker_has_an_actor_for_bounces():
    """Only the operator and the worker note bounces."""
    from engagement.errors import NotAllowed

    with pytest.raises(NotAllowed):
        bounces.bounced(None, Actor("somebody"), "x@example.org", hard=True)
