"""Co-design: representatives propose and endorse questions for the next round, and the engagement lead answers each.

A proposal is its author's, by name, as everything that the council writes. It is answered once: accepted, which makes it a
question of the body's own, or declined with a reason. Who wants another answer proposes anew.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, func, select

from engagement import clock, instrument
from engagement.access import READERS, Actor, Role, audit
from engagement.access.audit import sha256
from engagement.errors import Conflict, Invalid, NotFound
from engagement.instrument import bank, checks
from engagement.intake.sheet import clean_text
from engagement.models import (
    Account,
    Body,
    Item,
    ItemAnswer,
    ItemEndorsement,
    ItemProposal,
    ItemVersion,
    Round,
)
from engagement.rounds import programme
from engagement.words import render, words_of

# What one person may have waiting for an answer: a lead who gets twenty answers none of them well.
OPEN_MOST = 3
WHY_LIMIT = 600
REASON_LIMIT = 600
KEPT, WAITING, WITHDRAWN = "accepted", "waiting", "withdrawn"
# What a council may propose; the bank's other scale belongs to one item.
KINDS = ("agree5", "text")
# The words of a body that stand for nothing else in a sentence; "staff" and "leaders" may.
NAMED = ("body", "body_long", "practices", "practice", "governing_body", "council")


@dataclass(frozen=True)
class Reply:
    """The lead's answer. `item`: the key of the question that came of it, and how it was first worded; None when declined."""

    verdict: str
    reason: str
    item: str | None
    wording: str | None
    by: str
    at: datetime


@dataclass(frozen=True)
class Proposal:
    """A proposed question. `rendered` is in the body's words; `notes` are what to look at again in its wording.

    `endorsed_by` are names, oldest first, without the author's. `mine` and `endorsed` are of whoever looks.
    """

    id: int
    kind: str
    text: str
    rendered: str
    why: str
    by: str
    at: datetime
    notes: tuple[str, ...]
    endorsed_by: tuple[str, ...]
    mine: bool
    endorsed: bool
    withdrawn: bool
    reply: Reply | None

    @property
    def state(self) -> str:
        """ "waiting", "accepted", "declined" or "withdrawn"."""
        return self.reply.verdict if self.reply else WITHDRAWN if self.withdrawn else WAITING


def listed(session: Session, actor: Actor, body_id: int) -> list[Proposal]:
    """Every proposal of a body: those that wait, the most endorsed first, then the others, newest first."""
    actor.require(body_id, *READERS)
    words = words_of(session.get(Body, body_id).words)
    replies = {
        row.proposal_id: Reply(
            row.verdict,
            row.reason,
            key,
            render(text, words) if key else None,
            row.answered_by,
            row.answered_at,
        )
        for row, key, text in session.exec(
            select(ItemAnswer, Item.key, ItemVersion.text)
            .outerjoin(Item, Item.id == ItemAnswer.item_id)
            .outerjoin(ItemVersion, (ItemVersion.item_id == Item.id) & (ItemVersion.version == 1))
            .where(ItemAnswer.body_id == body_id)
        ).all()
    }
    behind: dict[int, list[ItemEndorsement]] = {}
    for row in session.exec(
        select(ItemEndorsement)
        .where(ItemEndorsement.body_id == body_id)
        .order_by(ItemEndorsement.endorsed_at, ItemEndorsement.account_id)
    ):
        behind.setdefault(row.proposal_id, []).append(row)
    rows = session.exec(select(ItemProposal).where(ItemProposal.body_id == body_id)).all()
    found = [
        Proposal(
            id=row.id,
            kind=row.kind,
            text=row.text,
            rendered=render(row.text, words),
            why=row.why,
            by=row.proposed_by,
            at=row.proposed_at,
            notes=tuple(checks.wording(row.text, row.kind)),
            endorsed_by=tuple(each.endorsed_by for each in behind.get(row.id, ())),
            mine=row.account_id == actor.account_id,
            endorsed=any(each.account_id == actor.account_id for each in behind.get(row.id, ())),
            withdrawn=row.withdrawn_at is not None,
            reply=replies.get(row.id),
        )
        for row in rows
    ]

    def place(proposal: Proposal) -> tuple:
        waits = proposal.state == WAITING
        return (not waits, -len(proposal.endorsed_by) if waits else 0, -proposal.id)

    return sorted(found, key=place)


def propose(
    session: Session, actor: Actor, body_id: int, text: str, why: str, *, kind: str = "agree5"
) -> int:
    """Propose a question; returns the proposal's id. `why`: what the council would do with the answers.

    Only council representatives propose, each with at most `OPEN_MOST` that wait for an answer. Raises `Invalid` for a
    wording that cannot be asked, `Conflict` for one that is proposed or asked already, or one too many.
    """
    actor.require(body_id, Role.COUNCIL)
    # Locked, so that two windows of one person cannot both take the last place.
    account_id = _account(session, actor, lock=True)
    text, why = _one_line(text), _text(why, WHY_LIMIT, "what the council would do with the answers")
    if kind not in KINDS:
        raise Invalid("Choose whether people agree or disagree, or write a comment")
    if not _written(text):
        raise Invalid("Write the question before you send it")
    words = words_of(session.get(Body, body_id).words)
    text = _with_placeholders(text, words)
    rendered = bank.render_item(key="proposal", version=1, kind=kind, text=text, words=words)["text"]
    waiting = _waiting(session, body_id)
    _check_new(session, body_id, rendered, waiting, words)
    if sum(row.account_id == account_id for row in waiting) >= OPEN_MOST:
        raise Conflict(
            f"{OPEN_MOST} of your questions wait for an answer. Take one back, or wait until one is answered."
        )
    row = ItemProposal(
        body_id=body_id,
        account_id=account_id,
        proposed_by=actor.name[:200],
        proposed_at=clock.now(),
        kind=kind,
        text=text,
        why=why,
    )
    session.add(row)
    session.flush()
    audit.record(session, actor, "proposal.new", body_id, proposal=row.id, kind=kind, text=sha256(text))
    return row.id


def endorse(session: Session, actor: Actor, proposal_id: int, *, behind: bool = True) -> None:
    """Stand behind another representative's proposal; `behind=False` takes that back. Twice does what once does.

    Raises `Conflict` for one's own, and for one that was answered or taken back.
    """
    row = _open(session, actor, proposal_id, Role.COUNCIL)
    account_id = _account(session, actor)
    if row.account_id == account_id:
        raise Conflict("You proposed this question: it has your name already.")
    there = session.get(ItemEndorsement, (row.id, account_id))
    if (there is not None) == behind:
        return
    if there is not None:
        session.delete(there)
    else:
        session.add(
            ItemEndorsement(
                proposal_id=row.id,
                account_id=account_id,
                body_id=row.body_id,
                endorsed_by=actor.name[:200],
                endorsed_at=clock.now(),
            )
        )
    session.flush()
    audit.record(session, actor, "proposal.endorse", row.body_id, proposal=row.id, behind=behind)


def withdraw(session: Session, actor: Actor, proposal_id: int) -> None:
    """Take one's own proposal back. Raises `Conflict` for another's, and once it was answered."""
    row = _open(session, actor, proposal_id, Role.COUNCIL)
    if row.account_id != _account(session, actor):
        raise Conflict("Somebody else proposed this question. Only they take it back.")
    row.withdrawn_at = clock.now()
    session.add(row)
    session.flush()
    audit.record(session, actor, "proposal.withdraw", row.body_id, proposal=row.id)


def accept(
    session: Session,
    actor: Actor,
    proposal_id: int,
    key: str,
    *,
    text: str | None = None,
    not_applicable: str | None = None,
    reverse: bool = False,
    ask: bool = False,
    reason: str = "",
) -> str:
    """Make a proposal a question of the body's own under `key`; with `ask` the next round asks it. Says what came of it.

    `text` puts the wording right where it needs it: the council sees both. `reverse`: agreeing is unfavourable. The next
    round is the draft that is there, else the one that the programme would draft. Only the engagement lead accepts.
    Raises what adding and choosing an item raise, and `Conflict` once it was answered or taken back.
    """
    row = _open(session, actor, proposal_id, Role.LEAD)
    wording = row.text if text is None else _one_line(text)
    reason = _short(clean_text(reason), REASON_LIMIT, "the answer")
    item = instrument.add_own_item(
        session,
        actor,
        row.body_id,
        key=key.strip(),
        text=wording,
        kind=row.kind,
        not_applicable=not_applicable,
        reverse=reverse,
    )
    asked = _ask_next(session, actor, row.body_id, item.key, row.kind) if ask else ""
    _answer(session, actor, row, KEPT, reason, item.id)
    audit.record(
        session,
        actor,
        "proposal.accept",
        row.body_id,
        proposal=row.id,
        item=item.key,
        reworded=wording != row.text,
        asked=ask,
    )
    return (
        asked or "It is among the body's own questions, and asked once it is chosen under “Choose and order”."
    )


def decline(session: Session, actor: Actor, proposal_id: int, reason: str) -> None:
    """Decline a proposal with a reason that the council reads. Only the engagement lead does."""
    row = _open(session, actor, proposal_id, Role.LEAD)
    reason = _text(reason, REASON_LIMIT, "why it will not be asked")
    _answer(session, actor, row, "declined", reason, None)
    audit.record(session, actor, "proposal.decline", row.body_id, proposal=row.id, text=sha256(reason))


def _ask_next(session: Session, actor: Actor, body_id: int, key: str, kind: str) -> str:
    """Put an item into the instrument of the next round, before the open comment; says which round asks it."""
    draft = session.exec(
        select(Round).where(Round.body_id == body_id, Round.state == "draft").order_by(Round.number)
    ).first()
    chosen = (
        draft.instrument_id
        if draft
        else programme.asks(session, body_id, programme.of(session, body_id)).instrument_id
    )
    chosen = chosen or instrument.seed(session, actor, body_id).id
    items = [i for i in instrument.items(session, actor, body_id, chosen) if i.position is not None]
    keys = [item.key for item in items]
    comments = [place for place, item in enumerate(items) if item.kind == "text"]
    keys.insert(comments[0] if comments and kind != "text" else len(keys), key)
    instrument.set_items(session, actor, body_id, chosen, keys, [item.key for item in items if item.headline])
    if draft:
        return f"Round {draft.number}, which is drafted, asks it."
    return "The next round that is drafted asks it."


def _answer(
    session: Session, actor: Actor, row: ItemProposal, verdict: str, reason: str, item_id: int | None
) -> None:
    session.add(
        ItemAnswer(
            proposal_id=row.id,
            body_id=row.body_id,
            verdict=verdict,
            reason=reason,
            item_id=item_id,
            answered_by=actor.name[:200],
            answered_at=clock.now(),
        )
    )
    session.flush()


def _open(session: Session, actor: Actor, proposal_id: int, role: Role) -> ItemProposal:
    """A proposal's row, locked, while it waits for its answer."""
    row = session.get(ItemProposal, proposal_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such proposal.")
    actor.require(row.body_id, role)
    if row.withdrawn_at is not None:
        raise Conflict("This proposal was taken back. Nothing was changed.")
    if session.get(ItemAnswer, row.id) is not None:
        raise Conflict("This proposal was answered already. Nothing was changed.")
    return row


def _account(session: Session, actor: Actor, *, lock: bool = False) -> int:
    if actor.account_id is None:
        raise Invalid("Sign in with your own account first: a proposal is a person's")
    if lock:
        session.get(Account, actor.account_id, with_for_update=True)
    return actor.account_id


def _waiting(session: Session, body_id: int) -> list[ItemProposal]:
    return list(
        session.exec(
            select(ItemProposal)
            .outerjoin(ItemAnswer, ItemAnswer.proposal_id == ItemProposal.id)
            .where(
                ItemProposal.body_id == body_id,
                ItemProposal.withdrawn_at.is_(None),
                ItemAnswer.proposal_id.is_(None),
            )
        )
    )


def _check_new(
    session: Session, body_id: int, rendered: str, waiting: list[ItemProposal], words: dict[str, str]
) -> None:
    if any(_alike(rendered, render(row.text, words)) for row in waiting):
        raise Conflict("This question is proposed already. Endorse that proposal instead.")
    newest = (
        select(ItemVersion.item_id, func.max(ItemVersion.version).label("version"))
        .where(ItemVersion.body_id == body_id)
        .group_by(ItemVersion.item_id)
        .subquery()
    )
    for text in session.exec(
        select(ItemVersion.text).join(
            newest,
            (ItemVersion.item_id == newest.c.item_id) & (ItemVersion.version == newest.c.version),
        )
    ):
        if _alike(rendered, render(text, words)):
            raise Conflict("The body has this question already: look at the Instrument page.")


def _alike(one: str, other: str) -> bool:
    """Whether two wordings differ at most in case and punctuation."""
    return _letters(one) == _letters(other)


def _letters(text: str) -> str:
    return "".join(c for c in text.casefold() if unicodedata.category(c)[0] in "LN")


def _with_placeholders(text: str, words: dict[str, str]) -> str:
    """The text with the body's own words as placeholders, so that a new name of the body does not break the trend."""
    if "{" in text or "}" in text:
        return text
    for name in sorted(NAMED, key=lambda name: -len(words[name])):
        text = re.sub(rf"(?<![\w{{]){re.escape(words[name])}(?![\w}}])", f"{{{name}}}", text)
    return text


def _one_line(text: str) -> str:
    return " ".join(clean_text(text).split())


def _written(text: str) -> bool:
    return any(unicodedata.category(c)[0] in "LN" for c in text)


def _text(text: str, limit: int, what: str) -> str:
    text = clean_text(text)
    if not _written(text):
        raise Invalid(f"Write {what}")
    return _short(text, limit, what)


def _short(text: str, limit: int, what: str) -> str:
    if len(text) > limit:
        raise Invalid(f"Shorten {what} to {limit:,} characters. It has {len(text):,}")
    return text
