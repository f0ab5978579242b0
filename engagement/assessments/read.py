"""Reading assessments. Pages, files and the command line come here and nowhere else for what is said of a practice."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from sqlmodel import Session, select

from engagement.access import READERS, Actor
from engagement.access.audit import sha256
from engagement.assessments import meetings
from engagement.errors import Conflict, NotFound
from engagement.models import Assessment, Locality, Practice, Round
from engagement.releases import read as releases
from engagement.roster.standing import practices_at, size_band

LISTED = ("segment", "segment_probability", "p_silent_next", "engagement", "forecast", "evidence")


def latest(session: Session, actor: Actor, body_id: int) -> dict[str, Any] | None:
    """The assessment of the newest assessed round, None before the first. The shape: `engagement.assessments.build`.

    Raises `Conflict` for one that does not match its hash.
    """
    actor.require(body_id, *READERS)
    found = session.exec(_of(body_id).order_by(Round.number.desc()).limit(1)).first()
    return _checked(found) if found else None


def history(session: Session, actor: Actor, body_id: int) -> list[dict[str, Any]]:
    """All assessments in round order. Raises as `latest`."""
    actor.require(body_id, *READERS)
    return [_checked(found) for found in session.exec(_of(body_id).order_by(Round.number))]


def one(session: Session, actor: Actor, body_id: int, practice_code: str) -> dict[str, Any]:
    """What may be known of one practice, and never an answer or a count of people.

    `practice_id`, `name`, `locality`, `size` (of the list, in bands), `opened`, `closed`, `successor`; `round`, `of`,
    `provisional` and `assessment`, its row in the newest assessment, None where it has none; `participation`: its band in
    each released round, None where it is pooled with others; `meetings`: date, title and whether somebody came.
    Raises `NotFound` for a code that is not on the roster.
    """
    actor.require(body_id, *READERS)
    found = session.exec(
        select(Practice, Locality.name)
        .outerjoin(Locality, Locality.id == Practice.locality_id)
        .where(Practice.body_id == body_id, Practice.code == practice_code)
    ).first()
    if found is None:
        raise NotFound("There is no such practice.")
    practice, locality = found
    successor = session.get(Practice, practice.successor_id) if practice.successor_id else None
    newest = latest(session, actor, body_id)
    return {
        "practice_id": practice.code,
        "name": practice.name,
        "locality": locality,
        "size": size_band(practice.list_size),
        "opened": practice.opened and practice.opened.isoformat(),
        "closed": practice.closed and practice.closed.isoformat(),
        "successor": successor and successor.code,
        "round": newest and newest["round"],
        "of": newest and newest["of"],
        "provisional": newest and newest["provisional"],
        "assessment": _rows(newest).get(practice.code),
        "participation": [
            {
                "round": content["round"]["number"],
                "closed_on": content["round"]["closed_on"],
                "band": next(
                    (row["band"] for row in content["practices"] if row["practice_id"] == practice.code), None
                ),
            }
            for content in releases.history(session, actor, body_id)
        ],
        "meetings": [
            {
                "date": meeting.date.isoformat(),
                "title": meeting.title,
                "came": meeting.people[practice.code] > 0 if practice.code in meeting.people else None,
            }
            for meeting in meetings.all(session, actor, body_id)
        ],
    }


def listed(session: Session, actor: Actor, body_id: int, day: date) -> list[dict[str, Any]]:
    """Every practice open on a day with what the newest assessment says of it, missing where it says nothing: before
    two rounds, and of a practice that was never invited. `rank` is its interval, `of` how many were ranked."""
    newest = latest(session, actor, body_id)
    rows = _rows(newest) if newest and newest["usable"] else {}
    return [
        {
            "practice_id": practice.code,
            "name": practice.name,
            **{name: rows.get(practice.code, {}).get(name) for name in (*LISTED, "rank", "clarity")},
            "of": newest and newest["of"],
        }
        for practice in practices_at(session, body_id, day)
    ]


def _of(body_id: int):
    return (
        select(Assessment).join(Round, Round.id == Assessment.round_id).where(Assessment.body_id == body_id)
    )


def _rows(content: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    return {row["practice_id"]: row for row in content["practices"]} if content else {}


def _checked(found: Assessment) -> dict[str, Any]:
    if sha256(found.content) != found.content_hash:
        raise Conflict(
            "An assessment does not match its hash and is not shown. Tell the data protection officer."
        )
    return json.loads(found.content)
