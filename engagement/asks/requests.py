"""What the body asks of its practices, and the balance of the two: what is asked and what is given, per practice and in all.

Surveys and meetings are counted where they are kept. Whether a practice answered a survey is not part of it: in a small
practice that would speak of people.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import date

from sqlalchemy import delete
from sqlmodel import Session, select

from engagement import clock
from engagement.access import READERS, Actor, Role, audit
from engagement.asks import ledger
from engagement.errors import Invalid, NotFound
from engagement.models import (
    REQUEST_KINDS,
    Attendance,
    BodyRequest,
    BodyRequestPractice,
    Meeting,
    Practice,
    Round,
    RoundRoster,
)
from engagement.roster import standing
from engagement.roster.text import clean

TITLE_LIMIT = 120
KIND_NAMES = {
    "data": "Data or a report",
    "survey": "A survey outside this service",
    "meeting": "A meeting that is not in the log of meetings",
    "visit": "A visit or an audit",
    "time": "Somebody’s time",
    "other": "Something else",
}


@dataclass(frozen=True)
class Request:
    """A request of the body. `given`: by practice code, whether it gave what was asked; None where that is not known."""

    id: int
    kind: str
    title: str
    asked_on: date
    due_on: date | None
    given: dict[str, bool | None]


@dataclass(frozen=True)
class Balance:
    """What a practice asked and got, and what the body asked of it and got. Counts; an ask is in one of the five states."""

    id: int
    code: str
    practice: str
    asked: int = 0
    waiting: int = 0
    yes: int = 0
    part: int = 0
    no: int = 0
    done: int = 0
    endorsed: int = 0
    surveys: int = 0
    meetings: int = 0
    came: int = 0
    requests: int = 0
    given: int = 0

    @property
    def answered(self) -> int:
        """How many of its asks have an answer."""
        return self.asked - self.waiting

    @property
    def of_practice(self) -> int:
        """How many things the body asked of it."""
        return self.surveys + self.meetings + self.requests


COUNTED = tuple(field.name for field in fields(Balance) if field.name not in ("id", "code", "practice"))


def log_request(
    session: Session,
    actor: Actor,
    body_id: int,
    *,
    kind: str,
    title: str,
    practices: Collection[str],
    asked_on: date | None = None,
    due_on: date | None = None,
) -> int:
    """Log what the body asked of practices, named by their codes; returns its id. Raises `Invalid`.

    Surveys of this service and meetings in the log are counted already.
    """
    actor.require(body_id, Role.LEAD)
    asked_on, title = asked_on or clock.today(), clean(title)
    ids = dict(session.exec(select(Practice.code, Practice.id).where(Practice.body_id == body_id)).all())
    problems = [f"There is no practice {code}: correct the code" for code in practices if code not in ids]
    if kind not in REQUEST_KINDS:
        problems.append("Choose what was asked for")
    if not 1 <= len(title) <= TITLE_LIMIT:
        problems.append(f"Say what was asked for in at most {TITLE_LIMIT} characters")
    if not practices:
        problems.append("Choose the practices that were asked")
    if asked_on > clock.today():
        problems.append(f"{clock.show_date(asked_on)} is still to come: choose the day on which it was asked")
    if due_on is not None and due_on < asked_on:
        problems.append("The day by which it is due lies before the one on which it was asked")
    if problems:
        raise Invalid(f"The request was not logged. {problems[0]}.", problems)
    row = BodyRequest(
        body_id=body_id,
        kind=kind,
        title=title,
        asked_on=asked_on,
        due_on=due_on,
        logged_by=actor.name[:200],
    )
    session.add(row)
    session.flush()
    session.add_all(
        BodyRequestPractice(request_id=row.id, practice_id=ids[code], body_id=body_id)
        for code in sorted(set(practices))
    )
    session.flush()
    audit.record(
        session, actor, "request.log", body_id, request=row.id, kind=kind, practices=len(set(practices))
    )
    return row.id


def set_given(
    session: Session,
    actor: Actor,
    request_id: int,
    given: Collection[str],
    *,
    not_given: Collection[str] = (),
) -> None:
    """Note which practices, by code, gave what was asked and which did not; of the others it is not known."""
    row = _own(session, actor, request_id)
    codes = {
        id_: code
        for code, id_ in session.exec(
            select(Practice.code, Practice.id).where(Practice.body_id == row.body_id)
        )
    }
    for each in session.exec(
        select(BodyRequestPractice).where(BodyRequestPractice.request_id == row.id)
    ).all():
        code = codes[each.practice_id]
        each.given = True if code in given else False if code in not_given else None
        session.add(each)
    session.flush()
    audit.record(session, actor, "request.given", row.body_id, request=row.id, given=len(given))


def remove_request(session: Session, actor: Actor, request_id: int) -> None:
    """Take a request out of the log. Raises `NotFound`."""
    row = _own(session, actor, request_id)
    session.execute(
        delete(BodyRequestPractice.__table__).where(BodyRequestPractice.__table__.c.request_id == row.id)
    )
    session.delete(row)
    session.flush()
    audit.record(session, actor, "request.remove", row.body_id, request=request_id, kind=row.kind)


def logged(session: Session, actor: Actor, body_id: int) -> list[Request]:
    """The requests that were logged, newest first."""
    actor.require(body_id, *READERS)
    given: dict[int, dict[str, bool | None]] = {}
    for request_id, code, gave in session.exec(
        select(BodyRequestPractice.request_id, Practice.code, BodyRequestPractice.given)
        .join(Practice, Practice.id == BodyRequestPractice.practice_id)
        .where(BodyRequestPractice.body_id == body_id)
        .order_by(Practice.code)
    ):
        given.setdefault(request_id, {})[code] = gave
    rows = session.exec(
        select(BodyRequest)
        .where(BodyRequest.body_id == body_id)
        .order_by(BodyRequest.asked_on.desc(), BodyRequest.id.desc())
    )
    return [
        Request(row.id, row.kind, row.title, row.asked_on, row.due_on, given.get(row.id, {})) for row in rows
    ]


def balance(session: Session, actor: Actor, body_id: int) -> list[Balance]:
    """The balance of every practice that is open today, by code; what a merged practice did counts for its successor."""
    actor.require(body_id, *READERS)
    return balances(session, body_id)


def in_all(lines: Collection[Balance]) -> Balance:
    """The sum of the lines. Surveys and meetings are counted once for each practice that was asked."""
    return Balance(0, "", "All", **{name: sum(getattr(line, name) for line in lines) for name in COUNTED})


def balances(session: Session, body_id: int) -> list[Balance]:
    """What `balance` returns, for verbs that have checked who asks."""
    today = clock.today()
    practices = standing.read_practices(session, body_id)
    roster = standing.Roster(mapping={}, practices=practices, members={}, spells=())
    now = {id_: found.id for id_ in practices if (found := roster.open_practice(id_, today)) is not None}
    counts: dict[int, Counter[str]] = {p.id: Counter() for p in roster.practices_at(today)}

    def count(practice_id: int | None, *names: str) -> None:
        if practice_id in now:
            counts[now[practice_id]].update(names)

    for ask in ledger.read(session, body_id):
        if not ask.withdrawn:
            count(ask.practice_id, "asked", ask.state)
            for backer in ask.backers:
                count(backer.practice_id, "endorsed")
    for practice_id, _ in session.exec(
        select(RoundRoster.practice_id, RoundRoster.round_id)
        .join(Round, Round.id == RoundRoster.round_id)
        .where(Round.body_id == body_id, Round.state.not_in(("draft", "cancelled")))
        .distinct()
    ):
        count(practice_id, "surveys")
    held = session.exec(select(Meeting.held_on).where(Meeting.body_id == body_id)).all()
    for practice in roster.practices_at(today):
        counts[practice.id]["meetings"] = sum(practice.open_on(day) for day in held)
    for practice_id, people in session.exec(
        select(Attendance.practice_id, Attendance.people).where(Attendance.body_id == body_id)
    ):
        count(practice_id, *(["came"] if people else []))
    for practice_id, gave in session.exec(
        select(BodyRequestPractice.practice_id, BodyRequestPractice.given).where(
            BodyRequestPractice.body_id == body_id
        )
    ):
        count(practice_id, "requests", *(["given"] if gave else []))
    return [
        Balance(
            practice.id, practice.code, practice.name, **{name: counts[practice.id][name] for name in COUNTED}
        )
        for practice in roster.practices_at(today)
    ]


def _own(session: Session, actor: Actor, request_id: int) -> BodyRequest:
    row = session.get(BodyRequest, request_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such request.")
    actor.require(row.body_id, Role.LEAD)
    return row
