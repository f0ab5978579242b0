"""What is due to be put into the outbox now, and what is to be taken out of the database. Each may be done again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Table, and_, delete, insert, or_
from sqlmodel import Session, select

from engagement import clock
from engagement.db import Database
from engagement.intake import links
from engagement.messaging import bounces, outbox, quiet, reminders, results, settings
from engagement.messaging.keys import MailKeys, opt_out_token
from engagement.messaging.recipients import BEFORE_CLOSE, is_open
from engagement.models import Body, DeadLetter, MailClock, Mailing, Message, OptOutLink, Round, RoundAmendment


def plan(database: Database, keys: MailKeys, *, real: bool) -> int:
    """Queue all that is due, each kind in a transaction of its own; returns how many kinds were queued.

    `real`: mail reaches mailboxes; bodies of invented people are then left alone.
    """
    now = clock.now()
    with database.reading() as session:
        found = session.exec(
            select(Round, Body.is_demo)
            .join(Body, Body.id == Round.body_id)
            .where(Round.imported == False, or_(Round.state == "open", _unannounced()))  # noqa: E712
            .order_by(Round.body_id, Round.number)
        ).all()
        wanted = [
            (round_.id, kind, number)
            for round_, is_demo in found
            if not (real and is_demo)
            for kind, number in _due(session, round_, now)
        ]
        if not wanted and not _without_link(session):
            return 0
    queued = 0
    for round_id, kind, number in wanted:
        with database.session() as session:
            queued += outbox.queue(session, session.get(Round, round_id), kind, number)
    with database.session() as session:
        _opt_out_links(session, keys)
    return queued


def _unannounced():
    """Released rounds whose members were invited by mail and have not been told of the results.

    A round that nobody was invited to by mail is not announced by mail either.
    """
    mailing = select(Mailing.round_id).where(Mailing.round_id == Round.id)
    return and_(
        Round.state == "released",
        mailing.where(Mailing.kind == "invitation").exists(),
        ~mailing.where(Mailing.kind == "published").exists(),
    )


def mailed(session: Session, round_id: int) -> dict[tuple[str, int], datetime]:
    """What has been queued for a round, by kind and number, and when."""
    rows = session.exec(
        select(Mailing.kind, Mailing.number, Mailing.queued_at).where(Mailing.round_id == round_id)
    ).all()
    return {(kind, number): at for kind, number, at in rows}


def _due(session: Session, round_: Round, now: datetime) -> list[tuple[str, int]]:
    """Kinds and numbers that are due for a round and not queued."""
    done = mailed(session, round_.id)
    if round_.state == "open":
        if not is_open(round_, now) or round_.paused_at is not None:
            return []
        if ("invitation", 1) not in done:
            return [("invitation", 1)]
        at = next_reminder(session, round_, done)
        own = settings.quiet_days(session, round_.body_id)
        if at is not None and at <= now and quiet.is_working_time(now, own):
            return [("reminder", next_reminder_number(done))]
        return []
    content = results.newest(session, round_.id)
    if content is None:
        return []
    kinds = ["results", *(["widened"] if results.has_widened(content) else []), "published"]
    return [(kind, 1) for kind in kinds if (kind, 1) not in done]


def next_reminder_number(done: dict[tuple[str, int], datetime]) -> int:
    """The number of a round's next reminder."""
    return 1 + sum(kind == "reminder" for kind, _ in done)


def next_reminder(session: Session, round_: Round, done: dict[tuple[str, int], datetime]) -> datetime | None:
    """When a round's next reminder may leave, None when there is none to come or the round is paused."""
    if round_.paused_at is not None:
        return None
    row = settings.of(session, round_.body_id)
    before = [at for (kind, _), at in done.items() if kind in ("invitation", "reminder")]
    return reminders.next_due(
        sent=next_reminder_number(done) - 1,
        most=row.reminders,
        gap_days=row.gap_days,
        last=max(before, default=round_.opens_at),
        closes_at=round_.closes_at,
        own=quiet.own_days(row.quiet_days),
    )


def quiet_bodies(session: Session, now: datetime) -> list[int]:
    """The bodies whose reminders wait, for it is no working time there."""
    found = session.exec(
        select(Message.body_id)
        .where(Message.kind == "reminder", Message.state != "done")
        .distinct()
        .order_by(Message.body_id)
    ).all()
    return [
        body_id for body_id in found if not quiet.is_working_time(now, settings.quiet_days(session, body_id))
    ]


def _missing_links():
    return (
        select(Message.member_id, Message.body_id)
        .outerjoin(OptOutLink, OptOutLink.member_id == Message.member_id)
        .where(Message.state == "waiting", Message.member_id.is_not(None), OptOutLink.link_hash.is_(None))
        .distinct()
    )


def _without_link(session: Session) -> bool:
    return session.exec(_missing_links().limit(1)).first() is not None


def _opt_out_links(session: Session, keys: MailKeys) -> None:
    """Store the hash of the opt-out link of everybody who is about to be mailed, in the order of the hashes."""
    # One process at a time: two that find the same people missing would both add them.
    session.exec(select(MailClock.id).with_for_update()).one()
    rows = [
        {
            "link_hash": links.link_hash(opt_out_token(keys.mail(body_id), member_id)),
            "body_id": body_id,
            "member_id": member_id,
        }
        for member_id, body_id in session.exec(_missing_links()).all()
    ]
    rows.sort(key=lambda row: row["link_hash"])
    for start in range(0, len(rows), outbox.PAGE):
        session.execute(insert(OptOutLink.__table__), rows[start : start + outbox.PAGE])


def tidy(database: Database) -> int:
    """Delete a closed round's rows of people, once what they say of contact is counted; returns how many rows.

    Mail about results goes as soon as all of it is done, the list of undelivered mail with the round's links.
    """
    closed = Round.state.not_in(("draft", "launching", "open"))
    with database.reading() as session:
        rounds = session.exec(
            select(Round)
            .where(closed, _rows(Message).exists() | _rows(DeadLetter).exists())
            .order_by(Round.id)
        ).all()
        over = [(round_, gone) for round_ in rounds if (gone := _over(session, round_))]
    rows = 0
    for round_, gone in over:
        with database.session() as session:
            session.exec(select(Round.id).where(Round.id == round_.id).with_for_update()).one()
            bounces.keep_contacts(session, round_)
            for condition in gone:
                rows += session.execute(delete(condition.table).where(condition.where)).rowcount
    return rows


def _rows(model):
    return select(model.id).where(model.round_id == Round.id)


@dataclass(frozen=True)
class _Over:
    """Rows that have had their time."""

    table: Table
    where: ColumnElement[bool]


def _over(session: Session, round_: Round) -> list[_Over]:
    """What is to be deleted of a closed round now; empty when nothing is."""
    messages, letters = Message.__table__, DeadLetter.__table__
    before_close = messages.c.kind.in_(BEFORE_CLOSE)
    if round_.state == "cancelled":
        # The one amendment mail that leaves after the end: that there is none to wait for any more.
        before_close &= (messages.c.kind != "amendment") | (messages.c.number != _cancelling(session, round_))
    asked = _Over(messages, (messages.c.round_id == round_.id) & before_close)
    told = _Over(messages, (messages.c.round_id == round_.id) & ~before_close)
    undelivered = _Over(letters, letters.c.round_id == round_.id)

    def any_of(over: _Over, *more) -> bool:
        return session.execute(select(over.table.c.id).where(over.where, *more).limit(1)).first() is not None

    letters_end = round_.links_deleted_at is not None
    # While somebody is on the list of undelivered mail, theirs may be tried again.
    told_ends = not any_of(told, messages.c.state != "done") and (letters_end or not any_of(undelivered))
    wanted = [asked, *([told] if told_ends else []), *([undelivered] if letters_end else [])]
    return [over for over in wanted if any_of(over)]


def _cancelling(session: Session, round_: Round) -> int:
    """The number of the amendment by which a round was cancelled."""
    return session.exec(
        select(RoundAmendment.number).where(
            RoundAmendment.round_id == round_.id, RoundAmendment.kind == "cancelled"
        )
    ).one()
