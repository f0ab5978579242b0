"""The council's review of published results: questions and remarks, answers beside them, and who reviewed what when."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.access.audit import sha256
from engagement.comments import review as comments
from engagement.errors import Conflict, Invalid, NotFound
from engagement.intake.sheet import clean_text
from engagement.models import CouncilAnswer, CouncilQuestion, CouncilReview, Release, Round
from engagement.releases import read

READERS = (Role.COUNCIL, Role.GOVERNING, Role.LEAD)
ANSWERERS = (Role.GOVERNING, Role.LEAD)
QUESTION_LIMIT = 1000
ANSWER_LIMIT = 2000
KIND_NAMES = {"question": "Question", "remark": "Remark"}


@dataclass(frozen=True)
class Answer:
    """An answer of the governing body or its lead."""

    text: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Question:
    """A question or remark on a round's results, with its answers, oldest first. `public`: members may read it."""

    id: int
    round: int
    kind: str
    text: str
    public: bool
    by: str
    at: datetime
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class Reviewed:
    """That a representative reviewed a release."""

    by: str
    at: datetime


@dataclass(frozen=True)
class ForReview:
    """A round's newest release, and what the council made of this and earlier releases of the round."""

    id: int
    content: dict[str, Any]
    content_hash: str
    released_at: datetime
    comments: dict[str, Any] | None
    questions: tuple[Question, ...]
    reviews: tuple[Reviewed, ...]


def releases(session: Session, actor: Actor, body_id: int) -> list[ForReview]:
    """Every released round with all that the council's page shows of it, oldest first."""
    actor.require(body_id, *READERS)
    rows = session.exec(
        select(Release, Round.number)
        .join(Round, Round.id == Release.round_id)
        .where(Release.body_id == body_id)
        .order_by(Round.number, Release.revision)
    ).all()
    newest = {number: release for release, number in rows}
    asked = questions(session, body_id)
    said = comments.published(session, body_id)
    seen: dict[int, list[Reviewed]] = {}
    for row in session.exec(
        select(CouncilReview).where(CouncilReview.body_id == body_id).order_by(CouncilReview.id)
    ).all():
        seen.setdefault(row.release_id, []).append(Reviewed(row.reviewed_by, row.reviewed_at))
    return [
        ForReview(
            id=release.id,
            content=read.content(session, actor, release.id),
            content_hash=release.content_hash,
            released_at=release.created_at,
            comments=said.get(number),
            questions=tuple(question for question in asked if question.round == number),
            reviews=tuple(seen.get(release.id, ())),
        )
        for number, release in newest.items()
    ]


def questions(session: Session, body_id: int, *, public: bool = False) -> list[Question]:
    """All questions of a body, or the public ones, oldest first. For verbs that have checked who asks."""
    query = (
        select(CouncilQuestion, Round.number)
        .join(Release, Release.id == CouncilQuestion.release_id)
        .join(Round, Round.id == Release.round_id)
        .where(CouncilQuestion.body_id == body_id)
        .order_by(CouncilQuestion.id)
    )
    rows = session.exec(query.where(CouncilQuestion.public == True) if public else query).all()  # noqa: E712
    answers: dict[int, list[Answer]] = {}
    for row in session.exec(
        select(CouncilAnswer).where(CouncilAnswer.body_id == body_id).order_by(CouncilAnswer.id)
    ).all():
        answers.setdefault(row.question_id, []).append(Answer(row.text, row.answered_by, row.answered_at))
    return [
        Question(
            row.id,
            number,
            row.kind,
            row.text,
            row.public,
            row.asked_by,
            row.asked_at,
            tuple(answers.get(row.id, ())),
        )
        for row, number in rows
    ]


def ask(
    session: Session,
    actor: Actor,
    release_id: int,
    text: str,
    *,
    kind: str = "question",
    public: bool = False,
) -> int:
    """Put a question or remark to the governing body; returns its id.

    `public` shows it, with its answers, on the members' page too. Only council representatives ask.
    """
    release = _release(session, actor, release_id, Role.COUNCIL)
    if kind not in KIND_NAMES:
        raise Invalid("Choose whether this is a question or a remark")
    row = CouncilQuestion(
        body_id=release.body_id,
        release_id=release.id,
        kind=kind,
        text=_text(text, QUESTION_LIMIT, f"the {kind}"),
        public=public,
        asked_by=actor.name[:200],
        asked_at=clock.now(),
    )
    session.add(row)
    session.flush()
    audit.record(
        session,
        actor,
        "council.ask",
        release.body_id,
        release=release.id,
        question=row.id,
        public=public,
        text=sha256(row.text),
    )
    return row.id


def answer(session: Session, actor: Actor, question_id: int, text: str) -> None:
    """Answer a question or remark. Only the governing body or its lead answers; a correction is another answer."""
    question = _question(session, actor, question_id, *ANSWERERS)
    row = CouncilAnswer(
        body_id=question.body_id,
        question_id=question.id,
        text=_text(text, ANSWER_LIMIT, "the answer"),
        answered_by=actor.name[:200],
        answered_at=clock.now(),
    )
    session.add(row)
    session.flush()
    audit.record(
        session, actor, "council.answer", question.body_id, question=question.id, text=sha256(row.text)
    )


def set_public(session: Session, actor: Actor, question_id: int, public: bool) -> None:
    """Show a question with its answers on the members' page, or take it off. Only council representatives do."""
    question = _question(session, actor, question_id, Role.COUNCIL)
    if question.public == public:
        return
    question.public = public
    session.add(question)
    session.flush()
    audit.record(session, actor, "council.public", question.body_id, question=question.id, public=public)


def mark_reviewed(session: Session, actor: Actor, release_id: int) -> None:
    """Record that the actor, a council representative, has reviewed a release. Raises `Conflict` the second time."""
    release = _release(session, actor, release_id, Role.COUNCIL)
    mine = CouncilReview.account_id == actor.account_id
    if actor.account_id is None:
        mine = CouncilReview.reviewed_by == actor.name
    if session.exec(select(CouncilReview).where(CouncilReview.release_id == release.id, mine)).first():
        raise Conflict("You have marked these results as reviewed already.")
    session.add(
        CouncilReview(
            body_id=release.body_id,
            release_id=release.id,
            account_id=actor.account_id,
            reviewed_by=actor.name[:200],
            reviewed_at=clock.now(),
        )
    )
    session.flush()
    audit.record(
        session, actor, "council.reviewed", release.body_id, release=release.id, content=release.content_hash
    )


def _release(session: Session, actor: Actor, release_id: int, *roles: Role) -> Release:
    release = session.get(Release, release_id)
    if release is None:
        raise NotFound("There is no such release.")
    actor.require(release.body_id, *roles)
    return release


def _question(session: Session, actor: Actor, question_id: int, *roles: Role) -> CouncilQuestion:
    question = session.get(CouncilQuestion, question_id)
    if question is None:
        raise NotFound("There is no such question.")
    actor.require(question.body_id, *roles)
    return question


def _text(text: str, limit: int, what: str) -> str:
    text = clean_text(text)
    if not any(unicodedata.category(c)[0] in "LN" for c in text):
        raise Invalid(f"Write {what} before you send it")
    if len(text) > limit:
        raise Invalid(f"Shorten {what} to {limit:,} characters. It has {len(text):,}")
    return text
