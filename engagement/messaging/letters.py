"""Letters in the outbox: put in, looked at again as each leaves, stopped, tidied away; and how much mail practices get.

Nothing here knows what a letter was aimed at: those that were aimed at and those drawn by lot are alike from here on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, exists, insert, or_, update
from sqlmodel import Session, func, select

from engagement import clock
from engagement.db import Database
from engagement.messaging import outbox, planner, quiet, reminders, settings
from engagement.messaging.recipients import Recipient
from engagement.models import (
    LETTER,
    MEMBER_KINDS,
    Body,
    Bounce,
    DeadLetter,
    Letter,
    LetterPractice,
    LetterSettings,
    Mailing,
    Member,
    Message,
    OptOut,
    OutreachExclusion,
    Round,
    RoundRoster,
    Spell,
    random_id,
)
from engagement.roster import standing

# So long a letter can be stopped before any of it leaves.
DELAY = timedelta(minutes=5)
# The cap holds for so long a time up to now, and leaves room for what an open round sends in the time to come.
WINDOW, AHEAD = timedelta(days=28), timedelta(days=7)
# Undelivered letters can be tried again for so long.
KEPT = timedelta(days=30)
_messages, _reached = Message.__table__, LetterPractice.__table__


def most(session: Session, body_id: int) -> int:
    """How many mails in 28 days are enough for a practice of the body. For verbs that have checked who asks."""
    return (session.get(LetterSettings, body_id) or LetterSettings(body_id=body_id)).most


def load(session: Session, body_id: int, *, before: Letter | None = None) -> Counter[int]:
    """How many mails the people of each practice got in the last 28 days or are to get, by practice id.

    Counted are mailings of rounds that it was invited to, whoever got them; letters of which a mail left to it, or that
    wait; and what open rounds send it in the next 7 days by plan. Mail that somebody asked for is not. `before`: a
    letter that is about to leave, which counts neither itself nor those that wait and were queued after it.
    """
    now = clock.now()
    sent = dict(
        session.exec(
            select(Mailing.round_id, func.count())
            .where(
                Mailing.body_id == body_id,
                Mailing.kind.in_(MEMBER_KINDS),
                Mailing.queued_at > now - WINDOW,
            )
            .group_by(Mailing.round_id)
        ).all()
    )
    opened = session.exec(select(Round).where(Round.body_id == body_id, Round.state == "open")).all()
    of_round = Counter(sent) + Counter({round_.id: _coming(session, round_, now) for round_ in opened})
    invited = session.exec(
        select(RoundRoster.round_id, RoundRoster.practice_id)
        .where(RoundRoster.round_id.in_(list(of_round)), RoundRoster.practice_id.is_not(None))
        .distinct()
    ).all()
    found: Counter[int] = Counter()
    for round_id, practice_id in invited:
        found[practice_id] += of_round[round_id]
    for practice_id, number in _letters(session, body_id, now, before):
        found[practice_id] += number
    return found


def _coming(session: Session, round_: Round, now: datetime) -> int:
    """How many mails an open round sends in the time to come, if nothing holds them up; a pause may end at any time."""
    row, done = settings.of(session, round_.body_id), planner.mailed(session, round_.id)
    until = min(now + AHEAD, round_.closes_at)
    last = max((at for (kind, _), at in done.items() if kind in ("invitation", "reminder")), default=None)
    count = 0 if last else int(round_.opens_at <= until)
    last, sent = last or round_.opens_at, planner.next_reminder_number(done) - 1
    while True:
        due = reminders.next_due(
            sent=sent,
            most=row.reminders,
            gap_days=row.gap_days,
            last=last,
            closes_at=round_.closes_at,
            own=quiet.own_days(row.quiet_days),
        )
        if due is None or due > until:
            return count
        count, sent, last = count + 1, sent + 1, max(due, now)


def _letters(session: Session, body_id: int, now: datetime, before: Letter | None) -> list[tuple[int, int]]:
    waits = _reached.c.left_at.is_(None)
    query = (
        select(LetterPractice.practice_id, func.count())
        .where(LetterPractice.body_id == body_id)
        .group_by(LetterPractice.practice_id)
    )
    if before is not None:
        waits &= _reached.c.letter_id < before.id
        query = query.where(LetterPractice.letter_id != before.id)
    return session.exec(query.where(or_(_reached.c.left_at > now - WINDOW, waits))).all()


def excluded(session: Session, body_id: int) -> set[int]:
    """The practices that are not to be approached, by id."""
    return set(
        session.exec(select(OutreachExclusion.practice_id).where(OutreachExclusion.body_id == body_id)).all()
    )


def queue(
    session: Session,
    body_id: int,
    by: str,
    *,
    subject: str,
    text: str,
    practices: Collection[int],
    people: Collection[int],
) -> Letter:
    """Put a letter into the outbox for people of practices, by their ids, in the caller's transaction.

    A row for everybody, also for who wants none: that is looked up as each leaves. For the verb that has checked who asks.
    """
    now = clock.now()
    letter = Letter(
        body_id=body_id,
        subject=subject,
        text=text,
        practices=len(practices),
        people=outbox.nearest_5(len(people)),
        queued_at=now,
        leaves_at=now + DELAY,
        queued_by=by,
    )
    session.add(letter)
    session.flush()
    about = {"letter_id": letter.id, "body_id": body_id}
    session.execute(
        insert(_reached), [about | {"practice_id": each, "left_at": None} for each in sorted(practices)]
    )
    rows = [
        about
        | {
            "id": random_id(),
            "kind": LETTER,
            "number": 1,
            "member_id": member_id,
            "state": "waiting",
            "due_at": letter.leaves_at,
            "attempts": 0,
        }
        for member_id in people
    ]
    # In the order of random ids, which says nothing of the roster.
    rows.sort(key=lambda row: row["id"])
    for start in range(0, len(rows), outbox.PAGE):
        session.execute(insert(_messages), rows[start : start + outbox.PAGE])
    session.flush()
    return letter


def find(session: Session, message: Message, *, real: bool) -> Recipient | None:
    """Who is to get a letter, None when it is not wanted: stopped, opted out, no address, or their practice has left, asked
    not to be approached, or has had enough mail.

    `real`: the mail would reach a mailbox; invented people of a demo are then left out.
    """
    letter, body = session.get(Letter, message.letter_id), session.get(Body, message.body_id)
    if letter.stopped_at is not None or (real and body.is_demo):
        return None
    name, email, scope, hard = session.exec(
        select(Member.name, Member.email, OptOut.scope, Bounce.hard)
        .outerjoin(OptOut, OptOut.member_id == Member.id)
        .outerjoin(Bounce, Bounce.address == func.lower(Member.email))
        .where(Member.id == message.member_id)
    ).one()
    # Nobody needs a letter to take part in anything: who wants fewer messages gets none.
    if not email or hard or scope is not None:
        return None
    practice_id = _practice_of(session, body, message.member_id)
    if practice_id is None or session.get(LetterPractice, (letter.id, practice_id)) is None:
        return None
    if practice_id in excluded(session, body.id):
        return None
    if load(session, body.id, before=letter)[practice_id] >= most(session, body.id):
        return None
    return Recipient(email, name or "colleague", body, None, message.member_id, None, letter=letter)


def _practice_of(session: Session, body: Body, member_id: int) -> int | None:
    """The open practice that a person belongs to today, None where they belong to none."""
    columns = (Spell.id, Spell.member_id, Spell.practice_id, Spell.role, Spell.standing, Spell.representative)
    bounds = (Spell.starts, Spell.ends, Spell.joined_wave, Spell.left_wave)
    spells = session.execute(select(*columns, *bounds).where(Spell.member_id == member_id)).all()
    roster = standing.Roster(
        mapping=standing.body_mapping(body),
        practices=standing.read_practices(session, body.id),
        members={},
        spells=tuple(standing.SpellRow(*row) for row in spells),
    )
    day = clock.today()
    spell = roster.current(day, standing.wave_at(session, body.id, day)).get(member_id)
    practice = roster.open_practice(spell.practice_id, day) if spell and spell.practice_id else None
    return practice.id if practice else None


def set_out(session: Session, message: Message, *, real: bool) -> bool:
    """Note that a letter is about to leave to a practice, before it does, so that a kill cannot leave it uncounted.

    False, and nothing noted, when it is not wanted.
    """
    recipient = find(session, message, real=real)
    if recipient is None:
        return False
    practice_id = _practice_of(session, recipient.body, message.member_id)
    noted = session.execute(
        update(_reached)
        .where(_reached.c.letter_id == message.letter_id, _reached.c.practice_id == practice_id)
        .values(left_at=clock.now())
    )
    return noted.rowcount == 1


def stop(session: Session, letter: Letter) -> None:
    """Let nothing more of a letter leave. For the verb that has checked who asks."""
    letter.stopped_at = clock.now()
    session.add(letter)
    session.execute(
        update(_messages)
        .where(_messages.c.letter_id == letter.id, _messages.c.state != "done")
        .values(**outbox.END)
    )
    session.execute(delete(_reached).where(_reached.c.letter_id == letter.id, _reached.c.left_at.is_(None)))
    session.flush()


def tidy(database: Database) -> int:
    """Forget which people a letter was for once all of it has left, and which practices it did not reach; returns how many
    rows. While somebody is on the list of undelivered mail theirs may be tried again, for 30 days."""
    waits = exists().where(_messages.c.letter_id == Letter.id, _messages.c.state != "done")
    undelivered = exists().where(DeadLetter.letter_id == Letter.id)
    old = Letter.queued_at <= clock.now() - KEPT
    rows = exists().where(_messages.c.letter_id == Letter.id)
    missed = exists().where(_reached.c.letter_id == Letter.id, _reached.c.left_at.is_(None))
    over = or_(
        and_(~waits, missed),
        and_(rows, ~waits, ~undelivered),
        and_(old, or_(undelivered, and_(rows, ~waits))),
    )
    with database.reading() as session:
        found = session.exec(select(Letter.id, old, undelivered).where(over)).all()
    count = 0
    for letter_id, is_old, is_undelivered in found:
        with database.session() as session:
            gone = [delete(_reached).where(_reached.c.letter_id == letter_id, _reached.c.left_at.is_(None))]
            if is_old or not is_undelivered:
                gone.append(
                    delete(_messages).where(_messages.c.letter_id == letter_id, _messages.c.state == "done")
                )
            if is_old:
                gone.append(delete(DeadLetter.__table__).where(DeadLetter.__table__.c.letter_id == letter_id))
            count += sum(session.execute(statement).rowcount for statement in gone)
    return count
