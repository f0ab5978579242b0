"""Reading releases. Pages, files and the command line come here and nowhere else for a figure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, func, select

from engagement import disclosure
from engagement.access import READERS, Actor
from engagement.access.audit import sha256
from engagement.errors import Conflict, NotFound
from engagement.models import Locality, Participation, Practice, Release, Round, RoundRoster


@dataclass(frozen=True)
class RoundBrief:
    """A round that has no release yet. `answered_percent` is the whole body's, to the nearest 5, while open;
    `checking` how far the disclosure gate is, as "3 of 8"."""

    number: int
    title: str
    state: str
    opens_at: datetime | None
    closes_at: datetime | None
    invited: int
    answered_percent: int | None
    trouble: str | None
    checking: str | None = None


@dataclass(frozen=True)
class Status:
    """What a body's readers should know now."""

    latest: dict[str, Any] | None
    latest_id: int | None
    checking: list[RoundBrief]
    open: list[RoundBrief]
    trouble: str | None


def _newest(session: Session, body_id: int):
    """Each round's newest release, in round order."""
    newest = (
        select(Release.round_id, func.max(Release.revision).label("revision"))
        .where(Release.body_id == body_id)
        .group_by(Release.round_id)
        .subquery()
    )
    return session.exec(
        select(Release)
        .join(newest, (newest.c.round_id == Release.round_id) & (newest.c.revision == Release.revision))
        .join(Round, Round.id == Release.round_id)
        .order_by(Round.number)
    ).all()


def _checked(release: Release) -> dict[str, Any]:
    if sha256(release.content) != release.content_hash:
        raise Conflict(
            "A release does not match its hash and is not shown. Tell the data protection officer."
        )
    return json.loads(release.content)


def content(session: Session, actor: Actor, release_id: int) -> dict[str, Any]:
    """One release. Raises `NotFound` to anybody outside its body."""
    release = session.get(Release, release_id)
    if release is None:
        raise NotFound("There is no such release.")
    actor.require(release.body_id, *READERS)
    return _checked(release)


def history(session: Session, actor: Actor, body_id: int) -> list[dict[str, Any]]:
    """The newest release of every released round, in round order."""
    actor.require(body_id, *READERS)
    return [_checked(release) for release in _newest(session, body_id)]


def status(session: Session, actor: Actor, body_id: int) -> Status:
    """The newest release, the rounds being checked, and the open ones."""
    actor.require(body_id, *READERS)
    releases = _newest(session, body_id)
    pending = session.exec(
        select(Round)
        .where(Round.body_id == body_id, Round.state.in_(("launching", "open", "closing", "mixed")))
        .order_by(Round.number)
    ).all()
    briefs = [_brief(session, round_) for round_ in pending]
    return Status(
        latest=_checked(releases[-1]) if releases else None,
        latest_id=releases[-1].id if releases else None,
        checking=[brief for brief in briefs if brief.state in ("closing", "mixed")],
        open=[brief for brief in briefs if brief.state in ("launching", "open")],
        trouble=next((brief.trouble for brief in briefs if brief.trouble), None),
    )


def _brief(session: Session, round_: Round) -> RoundBrief:
    invited = session.exec(
        select(func.count()).select_from(RoundRoster).where(RoundRoster.round_id == round_.id)
    ).one()
    percent = None
    if round_.state == "open":
        used = session.exec(
            select(func.count())
            .select_from(Participation)
            .where(
                Participation.round_id == round_.id,
                Participation.used == True,  # noqa: E712
                Participation.withdrawn == False,  # noqa: E712
            )
        ).one()
        percent = disclosure.participation_percent(used, invited)
    return RoundBrief(
        number=round_.number,
        title=round_.title,
        state=round_.state,
        opens_at=round_.opens_at,
        closes_at=round_.closes_at,
        invited=invited,
        answered_percent=percent,
        trouble=round_.trouble,
        checking=round_.checking,
    )


def practices(session: Session, actor: Actor, body_id: int) -> list[dict[str, Any]]:
    """Names and localities of the body's practices, to read a release's practice codes by."""
    actor.require(body_id, *READERS)
    rows = session.exec(
        select(Practice.code, Practice.name, Locality.name, Practice.closed)
        .outerjoin(Locality, Locality.id == Practice.locality_id)
        .where(Practice.body_id == body_id)
        .order_by(Practice.code)
    ).all()
    return [{"practice_id": c, "name": n, "locality": loc, "closed": closed} for c, n, loc, closed in rows]
