""" "You said, we did": answered asks and published actions, as all members read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, func, select

from engagement.asks import ledger
from engagement.models import PublishedAction, Round

LINES = 3
# In characters: three lines that a phone shows on one screen.
SAID_LONGEST, DID_LONGEST = 70, 90
MATTERS = ("done", "yes", "part", "no")
WE = {
    "yes": "We said yes",
    "part": "We said yes in part",
    "no": "We said no",
    "done": "We did",
}


@dataclass(frozen=True)
class Said:
    """What members said and what became of it. `kind`: "yes", "part", "no" or "done"; `by`: which practices, if any."""

    said: str
    kind: str
    did: str
    by: str
    at: datetime
    rated: float | None = None
    raters: int = 0


def you_said(session: Session, body_id: int, *, since: datetime | None = None) -> list[Said]:
    """What was answered or done since an instant and all may read: what is done first, then the newest."""
    found = [
        Said(
            said=ask.need,
            kind=ask.state,
            did=ask.replies[-1].text,
            by=by(ask),
            at=ask.replies[-1].at,
            rated=ask.rated if ask.state == ledger.DONE else None,
            raters=len(ask.ratings),
        )
        for ask in ledger.read(session, body_id)
        if ask.open_to_members and ask.replies
    ]
    found += [
        Said(row.said, ledger.DONE, row.did, "", row.published_at)
        for row in session.exec(
            select(PublishedAction).where(
                PublishedAction.body_id == body_id, PublishedAction.removed_at.is_(None)
            )
        )
    ]
    if since is not None:
        found = [each for each in found if each.at >= since]
    return sorted(found, key=lambda each: (each.kind == ledger.DONE, each.at), reverse=True)


def by(ask: ledger.Ask) -> str:
    """ "Elm Surgery and 2 others"."""
    others = len(ask.backers)
    return ask.practice + (f" and {others} {'other' if others == 1 else 'others'}" if others else "")


def led_to(session: Session, public_id: str) -> list[str]:
    """At most three short lines on what the round before this one led to, for its first screen; empty if nothing did.

    Counts from the close of the newest earlier round. Reads a body's ledger: keep what it returns.
    """
    this = session.exec(select(Round.body_id, Round.number).where(Round.public_id == public_id)).first()
    if this is None:
        return []
    body_id, number = this
    since = session.exec(
        select(func.max(Round.closed_at)).where(
            Round.body_id == body_id, Round.number < number, Round.state.in_(("mixed", "released"))
        )
    ).one()
    if since is None:
        return []
    found = you_said(session, body_id, since=since)
    found.sort(key=lambda each: MATTERS.index(each.kind))
    return [_line(each) for each in found[:LINES]]


def _line(each: Said) -> str:
    return f"You said: {_cut(each.said, SAID_LONGEST)} {WE[each.kind]}: {_cut(each.did, DID_LONGEST)}"


def _cut(text: str, longest: int) -> str:
    """One line that ends as a sentence does, cut at a word where it is long."""
    text = " ".join(text.split())
    if len(text) > longest:
        text = text[: longest - 1].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…"
    return text if text.endswith((".", "!", "?", "…")) else text + "."
