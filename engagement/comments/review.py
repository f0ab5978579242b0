"""The review of a round's open answers, and their one publication.

Nobody but the comment reviewer sees a comment before it is published, and the reviewer sees it redacted. An author's
"do not show" is never seen by anybody: it counts as a writer and no more. "Use its theme only" is shown to the
reviewer alone, to be coded. Items with fewer than ten writers are not shown to anybody at all.
"""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, select

from engagement import __version__, clock, disclosure
from engagement.access import Actor, Role, audit
from engagement.access.audit import canonical, sha256
from engagement.comments.redact import Redactor, cut
from engagement.comments.themes import FRAME, KEYS, Coder, suggest
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.models import (
    Account,
    AccountRole,
    Body,
    Comment,
    CommentRelease,
    CommentReview,
    Member,
    Practice,
    Release,
    Round,
    Spell,
)
from engagement.words import STANDING_MAP

SCHEMA = 1
WRITERS = 10
TOO_FEW = "Fewer than ten people wrote something, or nobody did: nothing of it is shown."
ALIASES = ("alias", "aliases", "short_name", "known_as")
_chance = secrets.SystemRandom()


@dataclass(frozen=True)
class Entry:
    """A comment as the reviewer sees it. `text` is redacted; `coded`: a person set the themes."""

    id: str
    item: str
    text: str
    choice: str
    status: str
    reason: str | None
    edited: bool
    themes: frozenset[str]
    coded: bool


@dataclass(frozen=True)
class Question:
    """An open question of a round. `writers` is a band, None below ten, and then there are no entries."""

    item: str
    text: str
    writers: str | None
    entries: tuple[Entry, ...]

    def waiting(self) -> int:
        """How many quotes are not decided on yet."""
        return sum(entry.choice == "quote" and entry.status == "waiting" for entry in self.entries)


@dataclass(frozen=True)
class Queue:
    """The review of one round."""

    round_id: int
    number: int
    title: str
    questions: tuple[Question, ...]
    published: bool

    def waiting(self) -> int:
        """How many quotes of the round are not decided on yet."""
        return sum(question.waiting() for question in self.questions)

    def can_publish(self) -> bool:
        """Whether there is something to publish, all of it decided."""
        return not self.published and not self.waiting() and any(q.writers for q in self.questions)


def require_reviewer(session: Session, actor: Actor, body_id: int) -> None:
    """Raise `NotAllowed` unless the actor is a comment reviewer who neither leads the body nor runs its survey.

    A leader is known by their role here, and by their e-mail address on the roster.
    """
    actor.require(body_id, Role.REVIEWER)
    if {(body_id, Role.GOVERNING), (body_id, Role.LEAD)} & actor.roles or _leads(session, actor, body_id):
        raise NotAllowed(
            "Comments are reviewed by somebody who neither leads the body nor runs its survey. Ask for another "
            "person to be given the role of comment reviewer."
        )


def _leads(session: Session, actor: Actor, body_id: int) -> bool:
    account = session.get(Account, actor.account_id) if actor.account_id else None
    if account is None:
        return False
    mapping = STANDING_MAP | dict(session.get(Body, body_id).standing_map or {})
    today = clock.today()
    rows = session.exec(
        select(Spell.role, Spell.standing, Spell.ends, Member.email)
        .join(Member, Member.id == Spell.member_id)
        .where(Spell.body_id == body_id, Member.email.is_not(None))
    ).all()
    return any(
        email.casefold() == account.email
        and (ends is None or ends > today)
        and (standing or mapping.get(role)) == "leader"
        for role, standing, ends, email in rows
    )


def rounds(session: Session, actor: Actor, body_id: int) -> list[tuple[int, int, str]]:
    """The released rounds that asked an open question, newest first: id, number and title."""
    actor.require(body_id, Role.REVIEWER)
    found = session.exec(
        select(Round).where(Round.body_id == body_id, Round.state == "released").order_by(Round.number.desc())
    ).all()
    return [(r.id, r.number, r.title) for r in found if _open_items(r)]


def _open_items(round_: Round) -> list[dict[str, Any]]:
    promised = json.loads(round_.promise or "{}").get("items", [])
    return [item for item in promised if item["kind"] == "text"]


def _round(session: Session, round_id: int, *, lock: bool = False) -> Round:
    round_ = session.get(Round, round_id, with_for_update=lock or None)
    if round_ is None or round_.state != "released":
        raise NotFound("There is no such round with published results.")
    return round_


def _release(session: Session, round_id: int) -> CommentRelease | None:
    return session.exec(select(CommentRelease).where(CommentRelease.round_id == round_id)).first()


def _comments(session: Session, round_: Round) -> dict[str, list[Comment]]:
    """The comments of each open item that ten or more people wrote to, in the order of their random ids.

    The mix stores one comment an author and item, so rows are authors.
    """
    rows = session.exec(select(Comment).where(Comment.round_id == round_.id).order_by(Comment.id)).all()
    found: dict[str, list[Comment]] = {item["key"]: [] for item in _open_items(round_)}
    for row in rows:
        if row.item in found:
            found[row.item].append(row)
    enough = max(WRITERS, round_.threshold)
    return {item: rows for item, rows in found.items() if len(rows) >= enough}


def redactor_of(session: Session, body_id: int) -> Redactor:
    """What takes this body's people and practices out of text: everybody who is or was on its roster, and its accounts."""
    people = session.exec(
        select(Member.name).where(Member.body_id == body_id, Member.name.is_not(None))
    ).all()
    staff = session.exec(
        select(Account.name)
        .join(AccountRole, AccountRole.account_id == Account.id)
        .where(AccountRole.body_id == body_id, Account.is_demo == False)  # noqa: E712
    ).all()
    practices = session.exec(
        select(Practice.name, Practice.code, Practice.attributes).where(Practice.body_id == body_id)
    ).all()
    names = [name for name, _, _ in practices]
    for _, _, attributes in practices:
        said = (str(attributes[key]) for key in ALIASES if (attributes or {}).get(key))
        names += [alias for each in said for alias in each.split(";")]
    return Redactor([*people, *staff], names, [code for _, code, _ in practices])


def _decisions(session: Session, round_id: int) -> dict[str, CommentReview]:
    rows = session.exec(select(CommentReview).where(CommentReview.round_id == round_id)).all()
    return {row.comment_id: row for row in rows}


def _coder(session: Session, body_id: int, redactor: Redactor) -> Coder:
    """Learnt from everything that reviewers of this body have coded."""
    rows = session.exec(
        select(Comment.text, CommentReview.themes)
        .join(CommentReview, CommentReview.comment_id == Comment.id)
        .where(Comment.body_id == body_id, CommentReview.themes.is_not(None), Comment.choice != "hide")
        .order_by(Comment.id)
    ).all()
    return Coder().fit([redactor.redact(text) for text, _ in rows], [set(themes) for _, themes in rows])


def _entries(
    rows: Sequence[Comment], decided: dict[str, CommentReview], redactor: Redactor, coder: Coder
) -> list[Entry]:
    shown = [row for row in rows if row.choice != "hide"]
    reviews = [decided.get(row.id) or CommentReview(comment_id=row.id) for row in shown]
    # An edit is redacted again: somebody may have joined the roster since.
    texts = [
        redactor.redact(row.text if review.text is None else review.text)
        for row, review in zip(shown, reviews, strict=True)
    ]
    return [
        Entry(
            id=row.id,
            item=row.item,
            text=text,
            choice=row.choice,
            status=review.status or "waiting",
            reason=review.reason,
            edited=review.text is not None,
            themes=frozenset(themes if review.themes is None else review.themes),
            coded=review.themes is not None,
        )
        for row, review, text, themes in zip(shown, reviews, texts, coder.predict(texts), strict=True)
    ]


def queue(session: Session, actor: Actor, round_id: int) -> Queue:
    """What is to be reviewed of a round: redacted texts, what was decided, and their themes."""
    round_ = _round(session, round_id)
    require_reviewer(session, actor, round_.body_id)
    redactor = redactor_of(session, round_.body_id)
    coder = _coder(session, round_.body_id, redactor)
    decided = _decisions(session, round_id)
    comments = _comments(session, round_)
    questions = []
    for item in _open_items(round_):
        rows = comments.get(item["key"], [])
        entries = _entries(rows, decided, redactor, coder)
        questions.append(
            Question(
                item=item["key"],
                text=item["text"],
                writers=disclosure.band(len(rows)) if rows else None,
                entries=tuple(entries),
            )
        )
    return Queue(
        round_.id, round_.number, round_.title, tuple(questions), _release(session, round_id) is not None
    )


def suggestions(session: Session, actor: Actor, round_id: int, item: str) -> list[tuple[str, ...]]:
    """Words that often stand together in an item's comments and belong to no theme of the frame; never a text."""
    found = next((q for q in queue(session, actor, round_id).questions if q.item == item), None)
    if found is None:
        raise NotFound("There is no such open question.")
    return suggest([entry.text for entry in found.entries])


def _act(session: Session, actor: Actor, comment_id: str) -> tuple[Comment, CommentReview, Round]:
    """A comment that the actor may decide on now, with what was decided."""
    comment = session.get(Comment, comment_id)
    if comment is None:
        raise NotFound("There is no such comment.")
    require_reviewer(session, actor, comment.body_id)
    round_ = _round(session, comment.round_id, lock=True)
    if comment.choice == "hide" or comment.id not in {
        row.id for row in _comments(session, round_).get(comment.item, [])
    }:
        raise NotFound("There is no such comment.")
    if _release(session, round_.id) is not None:
        raise Conflict("The comments of this round are published. What is published is not changed.")
    review = session.get(CommentReview, comment_id) or CommentReview(
        comment_id=comment_id, body_id=comment.body_id, round_id=round_.id
    )
    return comment, review, round_


def _quote(session: Session, actor: Actor, comment_id: str) -> tuple[Comment, CommentReview, Round]:
    found = _act(session, actor, comment_id)
    if found[0].choice != "quote":
        raise Invalid("Its author allowed only its theme to be used. Set its themes instead")
    return found


def _keep(
    session: Session, actor: Actor, action: str, review: CommentReview, round_: Round, **detail
) -> None:
    session.add(review)
    session.flush()
    audit.record(
        session,
        actor,
        f"comment.{action}",
        round_.body_id,
        round=round_.number,
        comment=review.comment_id,
        **detail,
    )


def approve(session: Session, actor: Actor, comment_id: str) -> None:
    """Let a comment be quoted as it is redacted now."""
    comment, review, round_ = _quote(session, actor, comment_id)
    text = review.text if review.text is not None else comment.text
    review.text = redactor_of(session, round_.body_id).redact(text)[:1500]
    review.status, review.reason = "approved", None
    _keep(session, actor, "approve", review, round_)


def edit(session: Session, actor: Actor, comment_id: str, text: str) -> None:
    """Take more words out of a comment; each gap is marked. It then waits for approval.

    Raises `Invalid` for a text that adds, changes or moves a word.
    """
    comment, review, round_ = _quote(session, actor, comment_id)
    before = redactor_of(session, round_.body_id).redact(comment.text if review.text is None else review.text)
    try:
        after = cut(before, text)
    except ValueError as error:
        raise Invalid(
            f"Words can only be taken out, not added, changed or moved. Look at “{str(error)[:40]}”, or take back "
            "your change"
        ) from error
    review.text, review.status, review.reason = after[:1500], "waiting", None
    _keep(session, actor, "edit", review, round_)


def reject(session: Session, actor: Actor, comment_id: str, reason: str) -> None:
    """Keep a comment from being quoted, with the reason. It still counts as written, and with its themes."""
    _, review, round_ = _quote(session, actor, comment_id)
    reason = " ".join(reason.split())
    if not reason or len(reason) > 300:
        raise Invalid("Say in at most 300 characters why this comment is not quoted")
    review.status, review.reason = "rejected", reason
    # The reason is typed and may quote the comment: it is kept with the comment, not in the log.
    _keep(session, actor, "reject", review, round_)


def undo(session: Session, actor: Actor, comment_id: str) -> None:
    """Take back whatever was decided on a comment, edits included; its themes stay."""
    _, review, round_ = _quote(session, actor, comment_id)
    review.status, review.text, review.reason = "waiting", None, None
    _keep(session, actor, "undo", review, round_)


def code(session: Session, actor: Actor, comment_id: str, themes: Sequence[str] | None) -> None:
    """Set the themes of a comment by hand; None goes back to what the product finds. Raises `Invalid` for others."""
    _, review, round_ = _act(session, actor, comment_id)
    if themes is not None and not set(themes) <= set(KEYS):
        raise Invalid("Choose themes of the list")
    review.themes = None if themes is None else [key for key in KEYS if key in themes]
    _keep(session, actor, "code", review, round_, themes=review.themes)


def publish(session: Session, actor: Actor, round_id: int) -> CommentRelease:
    """Publish a round's approved quotes, in an order of this moment, and its themes; once and for ever.

    Raises `Conflict` when it is done already, when quotes still wait, and where fewer than ten wrote.
    """
    round_ = _round(session, round_id, lock=True)
    require_reviewer(session, actor, round_.body_id)
    if _release(session, round_id) is not None:
        raise Conflict("The comments of this round are published already.")
    comments = _comments(session, round_)
    if not comments:
        raise Conflict("Too few: no open question of this round has comments by ten people.")
    redactor = redactor_of(session, round_.body_id)
    coder = _coder(session, round_.body_id, redactor)
    decided = _decisions(session, round_id)
    entries = {item: _entries(rows, decided, redactor, coder) for item, rows in comments.items()}
    waiting = sum(e.choice == "quote" and e.status == "waiting" for each in entries.values() for e in each)
    if waiting:
        raise Conflict(f"{waiting} comments still wait. Approve or reject each of them first.")
    text = canonical(_content(session, round_, comments, entries))
    made = CommentRelease(
        body_id=round_.body_id,
        round_id=round_.id,
        content=text,
        content_hash=sha256(text),
        software=__version__,
        created_at=clock.now(),
    )
    session.add(made)
    session.flush()
    audit.record(
        session, actor, "comment.publish", round_.body_id, round=round_.number, content=made.content_hash
    )
    return made


def _content(
    session: Session, round_: Round, comments: dict[str, list[Comment]], entries: dict[str, list[Entry]]
) -> dict[str, Any]:
    """What is published. Nothing in it joins a quote with its themes, with another quote, or with a date."""
    results = session.exec(
        select(Release.content_hash).where(Release.round_id == round_.id).order_by(Release.revision.desc())
    ).first()
    enough = max(WRITERS, round_.threshold)
    items = []
    for item in _open_items(round_):
        key, asked = item["key"], {"item": item["key"], "text": item["text"]}
        if key not in comments:
            items.append(asked | {"mark": "hidden"})
            continue
        quotes = [e.text for e in entries[key] if e.choice == "quote" and e.status == "approved"]
        _chance.shuffle(quotes)
        counts = Counter(theme for entry in entries[key] for theme in entry.themes)
        themes = [
            {"theme": theme.key, "label": theme.label}
            | (
                {"mark": "shown", "n": disclosure.band(counts[theme.key])}
                if counts[theme.key] >= enough
                else {"mark": "hidden"}
            )
            for theme in FRAME
        ]
        written = {"mark": "shown", "writers": disclosure.band(len(comments[key]))}
        items.append(asked | written | {"quotes": quotes, "themes": themes})
    return {
        "schema": SCHEMA,
        "software": __version__,
        "round": {"number": round_.number, "public_id": round_.public_id},
        "release": results,
        "least_writers": enough,
        "items": items,
    }


def published(session: Session, body_id: int) -> dict[int, dict[str, Any]]:
    """The published comments of a body's rounds by round number. For verbs that have checked who asks.

    Raises `Conflict` where one does not match its hash.
    """
    rows = session.exec(select(CommentRelease).where(CommentRelease.body_id == body_id)).all()
    found = {}
    for row in rows:
        if sha256(row.content) != row.content_hash:
            raise Conflict(
                "Published comments do not match their hash and are not shown. Tell the data protection officer."
            )
        content = json.loads(row.content)
        found[content["round"]["number"]] = content
    return found
