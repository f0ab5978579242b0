"""Fewer mails, or none: what a member chose on the page that their mails lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session, select

from engagement.errors import Invalid, NotFound
from engagement.intake import links
from engagement.models import OPT_OUTS, Body, MemberPage, Message, OptOut, OptOutLink

NOTHING = "none"
CHOICES = (*OPT_OUTS, NOTHING)


@dataclass(frozen=True)
class Standing:
    """A member as the page sees them: which body writes to them, in which words, and what they chose before."""

    body: str
    words: dict[str, Any]
    scope: str | None


def _link(session: Session, token: str) -> OptOutLink:
    value = links.well_formed(token)
    found = session.get(OptOutLink, links.link_hash(value)) if value else None
    if found is None:
        raise NotFound("There is no such page.")
    return found


def is_known(session: Session, token: str) -> bool:
    """Whether the page opens for a token."""
    return session.get(OptOutLink, links.link_hash(token)) is not None


def make_known(session: Session, token: str, message: Message | MemberPage) -> None:
    """Let the page open for the token of a message's member, or of a page's."""
    if not is_known(session, token):
        session.add(
            OptOutLink(link_hash=links.link_hash(token), body_id=message.body_id, member_id=message.member_id)
        )


def find(session: Session, token: str) -> Standing:
    """Whom a token belongs to, by what the page needs of them. Reads only. Raises `NotFound`."""
    link = _link(session, token)
    body = session.get(Body, link.body_id)
    scope = session.exec(select(OptOut.scope).where(OptOut.member_id == link.member_id)).first()
    return Standing(body.name, dict(body.words or {}), scope)


def choose(session: Session, token: str, choice: str) -> None:
    """Keep what a member chose: no reminders, no mail at all, or all mail again. The link is the permission.

    Raises `NotFound` for a token that is none, and `Invalid` for a choice that is none.
    """
    link = _link(session, token)
    if choice not in CHOICES:
        raise Invalid("Choose which messages you want")
    row = session.get(OptOut, link.member_id)
    if choice == NOTHING:
        if row is not None:
            session.delete(row)
        return
    row = row or OptOut(member_id=link.member_id, body_id=link.body_id, scope=choice)
    row.scope = choice
    session.add(row)
