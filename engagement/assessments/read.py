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
from engagement.models import Assessment, Body, Locality, Practice, Round
from engagement.releases import read as releases
from engagement.risk.evidence import BODY
from engagement.roster.standing import practices_at, size_band

LISTED = ("segment", "segment_probability", "p_silent_next", "engagement", "forecast", "evidence")
NOTHING = dict.fromkeys((*LISTED, "rank", "of", "clarity"))


def latest(session: Session, actor: Actor, body_id: int) -> dict[str, Any] | None:
    """The assessment of the newest assessed round, None before the first. The shape: `engagement.assessments.build`.

    Raises `Conflict` for one that does not match its hash.
    """
    actor.require(body_id, *READERS)
    found = session.exec(_of(body_id).order_by(Round.number.desc()).limit(1)).first()
    return checked(found) if found else None


def history(session: Session, actor: Actor, body_id: int) -> list[dict[str, Any]]:
    """All assessments in round order. Raises as `latest`."""
    actor.require(body_id, *READERS)
    return [checked(found) for found in session.exec(_of(body_id).order_by(Round.number))]


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
    """Every practice open on a day, by code, with what the newest assessment says of it, for files and the command line.

    Everything is None before two rounds, and for a practice that was never invited. `segment_probability` is that of
    `segment` itself, which is sticky and need not be the likeliest; `evidence` names the group's kind and id, the body's
    too; `rank` is its interval among `of` practices.
    """
    newest = latest(session, actor, body_id)
    rows = _rows(newest) if newest and newest["usable"] else {}
    code = session.get(Body, body_id).code
    return [
        {
            "practice_id": practice.code,
            "name": practice.name,
            **(_listed(rows[practice.code], code, newest["of"]) if practice.code in rows else NOTHING),
        }
        for practice in practices_at(session, body_id, day)
    ]


def _listed(row: dict[str, Any], body: str, of: int) -> dict[str, Any]:
    evidence = f"{BODY}:{body}" if row["evidence"] == BODY else row["evidence"]
    said = {name: row[name] for name in (*LISTED, "rank", "clarity")}
    return said | {"segment_probability": row["label_probability"], "evidence": evidence, "of": of}


def _of(body_id: int):
    return (
        select(Assessment).join(Round, Round.id == Assessment.round_id).where(Assessment.body_id == body_id)
    )


def _rows(content: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    return {row["practice_id"]: row for row in content["practices"]} if content else {}


def checked(found: Assessment) -> dict[str, Any]:
    """The content of a stored assessment. Raises `Conflict` where it does not match its hash."""
    if sha256(found.content) != found.content_hash:
        raise Conflict(
            "An assessment does not match its hash and is not shown. Tell the data protection officer."
        )
    return json.loads(found.content)
