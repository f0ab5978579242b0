"""What a member does on behalf of their practice, on a page of their own. The page's link is the permission.

Nobody is named: an ask is a practice's, and the log says which practice, never who of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session, select

from engagement import clock
from engagement.access import Actor, audit
from engagement.access.audit import sha256
from engagement.asks import ledger, topics
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.intake.sheet import clean_text
from engagement.messaging import my_page
from engagement.models import Ask, AskEndorsement, AskRating, AskReply, Body, Member, Practice, Spell
from engagement.roster import standing

# By when an ask is to be answered.
ANSWER_WITHIN = timedelta(days=28)
MOST_WAITING = 10
RATING_LIMIT = 500


@dataclass(frozen=True)
class Visitor:
    """Somebody at their own page: of which body, and for which practice they may ask, if any.

    `practices`: that practice's id and those of practices that were merged into it.
    """

    body_id: int
    body: str
    code: str
    words: dict[str, Any]
    practice_id: int | None
    practice: str | None
    practices: frozenset[int]


def visitor(session: Session, token: str) -> Visitor:
    """Who opens a page with this token. Reads only. Raises `NotFound`."""
    page = my_page.owner(session, token)
    body = session.get(Body, page.body_id)
    member = session.get(Member, page.member_id)
    roster = standing.Roster(
        mapping=standing.body_mapping(body),
        practices=standing.read_practices(session, body.id),
        members={member.id: (member.ref, member.name)},
        spells=standing.read_spells(session, Spell.member_id == member.id),
    )
    today = clock.today()
    there = roster.at(today, standing.wave_at(session, body.id, today))
    practice_id = there[0].practice_id if there else None
    merged = (
        other
        for other in roster.practices
        if practice_id is not None
        and (now := roster.open_practice(other, today)) is not None
        and now.id == practice_id
    )
    return Visitor(
        body_id=body.id,
        body=body.name,
        code=body.code,
        words=dict(body.words or {}),
        practice_id=practice_id,
        practice=there[0].practice_name if there else None,
        practices=frozenset(merged),
    )


def _for_practice(session: Session, token: str) -> Visitor:
    found = visitor(session, token)
    if found.practice_id is None:
        raise NotAllowed(
            "You are not at a practice of this roster today, so you can read and not ask. Tell your engagement lead "
            "if that is wrong."
        )
    return found


def _actor(found: Visitor) -> Actor:
    return Actor(f"practice {found.practice_id}")


def may_see(found: Visitor, ask: ledger.Ask) -> bool:
    """Whether an ask stands on somebody's page: those open to members, and all of their own practice."""
    return ask.body_id == found.body_id and (ask.open_to_members or ask.asked_by(found.practices))


def asks(session: Session, found: Visitor) -> list[ledger.Ask]:
    """The asks that somebody may read, newest first."""
    return [ask for ask in ledger.read(session, found.body_id) if may_see(found, ask)]


def one(session: Session, found: Visitor, ask_id: int) -> ledger.Ask:
    """One ask that somebody may read. Raises `NotFound`."""
    for ask in ledger.read(session, found.body_id, ask_id=ask_id):
        if may_see(found, ask):
            return ask
    raise NotFound("There is no such ask.")


def raise_ask(session: Session, token: str, draft: topics.Draft, *, at: datetime | None = None) -> int:
    """Put an ask to the body on behalf of one's practice; returns its id. `at`: when, where it was not now.

    The same ask sent twice is one: the id of the first comes back. Raises `NotFound` for a token that is none,
    `NotAllowed` for somebody who is at no practice, `Conflict` when as many asks of the practice wait as may.
    """
    found = _for_practice(session, token)
    page = my_page.owner(session, token)
    # One at a time for a practice: two presses of a button must not both find nothing waiting.
    session.get(Practice, found.practice_id, with_for_update=True)
    answered = select(AskReply.ask_id).where(AskReply.body_id == found.body_id)
    waiting = session.exec(
        select(Ask).where(
            Ask.practice_id == found.practice_id, Ask.withdrawn_at.is_(None), Ask.id.not_in(answered)
        )
    ).all()
    for ask in waiting:
        if (ask.need, ask.effect, ask.public) == (draft.need, draft.effect, draft.public):
            return ask.id
    if len(waiting) >= MOST_WAITING:
        raise Conflict(
            f"{MOST_WAITING} asks of your practice wait for an answer. Take one back first, or wait for an answer."
        )
    at = at or clock.now()
    row = Ask(
        body_id=found.body_id,
        practice_id=found.practice_id,
        member_id=page.member_id if draft.named else None,
        topic=draft.topic,
        need=draft.need,
        effect=draft.effect,
        change=draft.change,
        improvement=draft.improvement,
        goal=draft.goal,
        interest=draft.interest,
        public=draft.public,
        raised_at=at,
        answer_by=clock.london_date(at) + ANSWER_WITHIN,
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        _actor(found),
        "ask.raise",
        found.body_id,
        ask=row.id,
        public=row.public,
        text=sha256(row.need),
    )
    return row.id


def endorse(session: Session, token: str, ask_id: int, *, together: bool = False) -> None:
    """Stand behind another practice's ask, once a practice. `together`: and offer to work on it with them.

    Doing it again changes only the offer. Raises `NotFound`, `NotAllowed`, `Conflict`.
    """
    found = _for_practice(session, token)
    ask = _theirs(session, found, ask_id)
    session.get(Ask, ask.id, with_for_update=True)
    row = session.get(AskEndorsement, (ask.id, found.practice_id))
    if row is not None and row.together == together:
        return
    if row is None:
        row = AskEndorsement(
            ask_id=ask.id, practice_id=found.practice_id, body_id=found.body_id, endorsed_at=clock.now()
        )
    row.together = together
    session.add(row)
    session.flush()
    audit.record(session, _actor(found), "ask.endorse", found.body_id, ask=ask.id, together=together)


def take_back(session: Session, token: str, ask_id: int) -> None:
    """Stand behind an ask no longer. Nothing happens where the practice did not."""
    found = _for_practice(session, token)
    ask = _theirs(session, found, ask_id)
    gone = [
        row
        for practice in found.practices
        if (row := session.get(AskEndorsement, (ask.id, practice))) is not None
    ]
    for row in gone:
        session.delete(row)
    session.flush()
    if gone:
        audit.record(session, _actor(found), "ask.endorse", found.body_id, ask=ask.id, taken_back=True)


def withdraw(session: Session, token: str, ask_id: int) -> None:
    """Take back an ask of one's own practice, for good. Raises `NotFound`, and `Conflict` once it is said to be done."""
    found = _for_practice(session, token)
    ask = _own(session, found, ask_id)
    if ask.state == ledger.DONE:
        raise Conflict("This ask is said to be done. Rate what was done instead of taking it back.")
    if ask.withdrawn:
        return
    row = session.get(Ask, ask.id)
    row.withdrawn_at = clock.now()
    # The others are compared anew, without this one.
    row.compared = False
    session.add(row)
    session.flush()
    audit.record(session, _actor(found), "ask.withdraw", found.body_id, ask=ask.id)


def rate(session: Session, token: str, ask_id: int, score: int | None, text: str = "") -> None:
    """Rate what was done, 1 to 5, with words or without; rating again replaces what one said before.

    Only members of practices that asked or endorsed rate. Raises `NotFound`, `NotAllowed`, `Conflict`, `Invalid`.
    """
    found = _for_practice(session, token)
    ask = one(session, found, ask_id)
    if not may_rate(found, ask):
        if ask.state != ledger.DONE:
            raise Conflict("This ask is not said to be done, so there is nothing to rate yet.")
        raise NotAllowed("Only practices that asked or endorsed rate what was done.")
    if score not in range(1, 6):
        raise Invalid("Choose a number from 1 to 5")
    text = clean_text(text)
    if len(text) > RATING_LIMIT:
        raise Invalid(f"Shorten your words to {RATING_LIMIT} characters. They have {len(text):,}")
    # From the token, which is not stored: without it nobody can tell whose rating it is.
    rater = sha256(f"v1|rate|{ask.id}|{token.strip().lower()}")
    session.get(Ask, ask.id, with_for_update=True)
    row = session.get(AskRating, (ask.id, rater)) or AskRating(
        ask_id=ask.id, rater=rater, body_id=found.body_id, score=score
    )
    row.score, row.text = score, text
    session.add(row)
    session.flush()


def my_rating(session: Session, token: str, ask_id: int) -> ledger.Rating | None:
    """What one said of an ask before."""
    row = session.get(AskRating, (ask_id, sha256(f"v1|rate|{ask_id}|{token.strip().lower()}")))
    return ledger.Rating(row.score, row.text) if row else None


def may_rate(found: Visitor, ask: ledger.Ask) -> bool:
    """Whether somebody may rate an ask: it is done, and their practice asked or endorsed."""
    return ask.state == ledger.DONE and (ask.asked_by(found.practices) or ask.backed_by(found.practices))


def _theirs(session: Session, found: Visitor, ask_id: int) -> ledger.Ask:
    ask = one(session, found, ask_id)
    if ask.asked_by(found.practices):
        raise Conflict("This is an ask of your own practice: others may endorse it.")
    return ask


def _own(session: Session, found: Visitor, ask_id: int) -> ledger.Ask:
    ask = one(session, found, ask_id)
    if not ask.asked_by(found.practices):
        raise NotFound("There is no such ask of your practice.")
    return ask
