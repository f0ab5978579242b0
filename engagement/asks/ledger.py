"""The ledger of asks: what was asked, who stands behind it, what the body said, how it was rated. Read here by everybody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlmodel import Session, or_, select

from engagement.access import READERS, Actor, Role
from engagement.errors import NotFound
from engagement.models import Ask as AskRow
from engagement.models import AskEndorsement, AskLikeness, AskRating, AskReply, Member, Practice

ANSWERS = ("yes", "part", "no")
DONE = "done"
WAITING, WITHDRAWN = "waiting", "withdrawn"
STATE_NAMES = {
    WAITING: "Waiting for an answer",
    "yes": "Answered: yes",
    "part": "Answered: in part",
    "no": "Answered: no",
    DONE: "Done",
    WITHDRAWN: "Taken back",
}
ANSWER_NAMES = {"yes": "Yes", "part": "In part", "no": "No", DONE: "Done"}


@dataclass(frozen=True)
class Reply:
    """The body's word on an ask. `due_on`: by when it means to have done it."""

    kind: str
    text: str
    due_on: date | None
    by: str
    at: datetime


@dataclass(frozen=True)
class Backer:
    """A practice that stands behind an ask. `together`: it would work on it with the practice that asked."""

    practice_id: int
    practice: str
    together: bool


@dataclass(frozen=True)
class Rating:
    """What a member of a practice that asked or endorsed makes of what was done, 1 to 5. Says not who."""

    score: int
    text: str


@dataclass(frozen=True)
class Like:
    """Another practice's ask for something alike."""

    ask_id: int
    practice_id: int
    practice: str
    need: str
    cosine: float


@dataclass(frozen=True)
class Ask:
    """An ask with all that became of it. `raised_by` is filled for the engagement lead alone, where its author ticked so."""

    id: int
    body_id: int
    practice_id: int
    practice: str
    topic: str
    need: str
    effect: str
    change: str
    improvement: str
    goal: str | None
    interest: str
    public: bool
    raised_at: datetime
    answer_by: date
    withdrawn: bool
    hidden: bool
    hidden_why: str
    raised_by: str | None = None
    backers: tuple[Backer, ...] = ()
    replies: tuple[Reply, ...] = ()
    ratings: tuple[Rating, ...] = ()
    alike: tuple[Like, ...] = field(default=())

    @property
    def state(self) -> str:
        """ "waiting", "yes", "part", "no", "done" or "withdrawn"."""
        if self.withdrawn:
            return WITHDRAWN
        return self.replies[-1].kind if self.replies else WAITING

    @property
    def answer(self) -> Reply | None:
        """The newest yes, part or no."""
        return next((reply for reply in reversed(self.replies) if reply.kind in ANSWERS), None)

    @property
    def done(self) -> Reply | None:
        """What was said to be done, where that is the last word."""
        return self.replies[-1] if self.state == DONE else None

    @property
    def open_to_members(self) -> bool:
        """Whether all members may read it."""
        return self.public and not self.hidden and not self.withdrawn

    @property
    def rated(self) -> float | None:
        """The mean rating, None where nobody rated."""
        return sum(r.score for r in self.ratings) / len(self.ratings) if self.ratings else None

    def overdue(self, on: date) -> bool:
        """Whether it waits for an answer past its day."""
        return self.state == WAITING and on > self.answer_by

    def asked_by(self, practices: Iterable[int]) -> bool:
        """Whether one of these practices asked."""
        return self.practice_id in practices

    def backed_by(self, practices: Iterable[int]) -> bool:
        """Whether one of these practices endorses it."""
        return any(backer.practice_id in practices for backer in self.backers)


def listed(session: Session, actor: Actor, body_id: int) -> list[Ask]:
    """Every ask of a body, newest first, those kept from members too. For those who read results."""
    actor.require(body_id, *READERS)
    return read(session, body_id, names=actor.may(body_id, Role.LEAD))


def one(session: Session, actor: Actor, ask_id: int, *roles: Role) -> AskRow:
    """An ask's row, once the actor has one of `roles` in its body. Raises `NotFound`."""
    row = session.get(AskRow, ask_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such ask.")
    actor.require(row.body_id, *roles)
    return row


def read(session: Session, body_id: int, *, ask_id: int | None = None, names: bool = False) -> list[Ask]:
    """A body's asks, or one of them, newest first. For verbs that have checked who asks."""
    query = (
        select(AskRow, Practice.name, Member.name)
        .join(Practice, Practice.id == AskRow.practice_id)
        .outerjoin(Member, Member.id == AskRow.member_id)
        .where(AskRow.body_id == body_id)
        .order_by(AskRow.id.desc())
    )
    if ask_id is not None:
        query = query.where(AskRow.id == ask_id)
    rows = session.exec(query).all()
    parts = _Parts(session, body_id, ask_id)
    return [
        Ask(
            id=row.id,
            body_id=row.body_id,
            practice_id=row.practice_id,
            practice=practice,
            topic=row.topic,
            need=row.need,
            effect=row.effect,
            change=row.change,
            improvement=row.improvement,
            goal=row.goal,
            interest=row.interest,
            public=row.public,
            raised_at=row.raised_at,
            answer_by=row.answer_by,
            withdrawn=row.withdrawn_at is not None,
            hidden=row.hidden_at is not None,
            hidden_why=row.hidden_why,
            raised_by=(person or "A member without a name on the roster")
            if names and row.member_id
            else None,
            backers=tuple(parts.backers.get(row.id, ())),
            replies=tuple(parts.replies.get(row.id, ())),
            ratings=tuple(parts.ratings.get(row.id, ())),
            alike=tuple(parts.alike.get(row.id, ())),
        )
        for row, practice, person in rows
    ]


class _Parts:
    """What belongs to the asks of a body, by ask, with one query a kind."""

    def __init__(self, session: Session, body_id: int, ask_id: int | None):
        def of(query, column):
            return session.exec(query if ask_id is None else query.where(column == ask_id)).all()

        self.backers: dict[int, list[Backer]] = {}
        for row, practice in of(
            select(AskEndorsement, Practice.name)
            .join(Practice, Practice.id == AskEndorsement.practice_id)
            .where(AskEndorsement.body_id == body_id)
            .order_by(Practice.name),
            AskEndorsement.ask_id,
        ):
            self.backers.setdefault(row.ask_id, []).append(Backer(row.practice_id, practice, row.together))
        self.replies: dict[int, list[Reply]] = {}
        for row in of(
            select(AskReply).where(AskReply.body_id == body_id).order_by(AskReply.id), AskReply.ask_id
        ):
            self.replies.setdefault(row.ask_id, []).append(
                Reply(row.kind, row.text, row.due_on, row.replied_by, row.replied_at)
            )
        self.ratings: dict[int, list[Rating]] = {}
        # In the order of their hashes, which says nothing of who came first.
        for row in of(
            select(AskRating).where(AskRating.body_id == body_id).order_by(AskRating.rater), AskRating.ask_id
        ):
            self.ratings.setdefault(row.ask_id, []).append(Rating(row.score, row.text))
        self.alike = _alike(session, body_id, ask_id)


def _alike(session: Session, body_id: int, ask_id: int | None) -> dict[int, list[Like]]:
    """Asks alike that all members may read, the likest first."""
    query = select(AskLikeness).where(AskLikeness.body_id == body_id).order_by(AskLikeness.cosine.desc())
    if ask_id is not None:
        query = query.where(or_(AskLikeness.ask_id == ask_id, AskLikeness.other_id == ask_id))
    pairs = session.exec(query).all()
    if not pairs:
        return {}
    ids = {pair.ask_id for pair in pairs} | {pair.other_id for pair in pairs}
    shown = {
        row.id: (row, practice)
        for row, practice in session.exec(
            select(AskRow, Practice.name)
            .join(Practice, Practice.id == AskRow.practice_id)
            .where(
                AskRow.id.in_(ids),
                AskRow.public == True,  # noqa: E712
                AskRow.hidden_at.is_(None),
                AskRow.withdrawn_at.is_(None),
            )
        )
    }
    found: dict[int, list[Like]] = {}
    for pair in pairs:
        for this, other in ((pair.ask_id, pair.other_id), (pair.other_id, pair.ask_id)):
            if other in shown:
                row, practice = shown[other]
                found.setdefault(this, []).append(
                    Like(other, row.practice_id, practice, row.need, pair.cosine)
                )
    return found
