"""The catalogue of actions that is shipped (`catalogue.toml`), and what each body makes of it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from sqlmodel import Session, select

from engagement.access import READERS, Actor, audit
from engagement.errors import Invalid, NotFound
from engagement.models import LANES, Body, OutreachAction
from engagement.risk.segments import SEGMENTS
from engagement.roster.bodies import own_body
from engagement.roster.text import clean, formula_start
from engagement.words import render, words_of

NOT_CLEAR = "not_clear"
KINDS = (*SEGMENTS, NOT_CLEAR)
# Actions that a plan takes only where there is a reason for them.
FIX_CONTACT, ANSWER_ASKS = "contact", "asks"
NAME_LIMIT, ABOUT_LIMIT, WHO_LIMIT = 80, 300, 80
MOST_HOURS = 200
LANE_NAMES = {
    "body": "The {body}",
    "both": "The {body} with NHS England",
    "nhs_england": "NHS England alone",
}


@dataclass(frozen=True)
class Action:
    """Something that a body can do for a practice, in its own words. `hours`: typical, of the person who does it.

    `segments`: of `KINDS`, whom it is meant for. `lane`: who may act; only "body" is for a plan. `own`: added by the body.
    """

    key: str
    name: str
    about: str
    who: str
    hours: float
    segments: tuple[str, ...]
    lane: str = "body"
    used: bool = True
    own: bool = False


@dataclass(frozen=True)
class Rung:
    """A step of the ladder of who acts on what."""

    who: str
    what: str
    then: str


@cache
def _shipped() -> dict[str, Any]:
    return tomllib.loads(files("engagement.outreach").joinpath("catalogue.toml").read_text("utf-8"))


def shipped(words: Mapping[str, str]) -> tuple[Action, ...]:
    """The actions of the catalogue in a body's words, in its order."""
    return tuple(
        Action(
            key=row["key"],
            hours=float(row["hours"]),
            segments=tuple(row["segments"]),
            **{part: render(row[part], words) for part in ("name", "about", "who")},
        )
        for row in _shipped()["action"]
    )


def ladder(words: Mapping[str, str]) -> tuple[Rung, ...]:
    """Who acts on what, beginning with support."""
    return tuple(
        Rung(render(LANE_NAMES[row["lane"]], words), row["what"], render(row["then"], words))
        for row in _shipped()["rung"]
    )


def actions(session: Session, actor: Actor, body_id: int) -> tuple[Action, ...]:
    """All actions of a body: the catalogue with its changes, then its own, used or not. Raises `NotFound`."""
    actor.require(body_id, *READERS)
    body = session.get(Body, body_id)
    kept = {
        row.key: row
        for row in session.exec(
            select(OutreachAction).where(OutreachAction.body_id == body_id).order_by(OutreachAction.id)
        )
    }
    base = shipped(words_of(body.words))
    known = {action.key for action in base}
    found = [_of(kept[action.key]) if action.key in kept else action for action in base]
    return (*found, *(_of(row, own=True) for key, row in kept.items() if key not in known))


def _of(row: OutreachAction, *, own: bool = False) -> Action:
    return Action(
        row.key, row.name, row.about, row.who, row.hours, tuple(row.segments), row.lane, row.used, own
    )


def save(
    session: Session,
    actor: Actor,
    body_id: int,
    *,
    key: str | None = None,
    name: str,
    about: str = "",
    who: str,
    hours: float,
    segments: Sequence[str] = (),
    used: bool = True,
) -> str:
    """Change an action, or add one where there is no key; returns its key. Contacts that stand keep their hours.

    Raises `Invalid` with a line for each fault, and `NotFound` for a key that is not there.
    """
    own_body(session, actor, body_id)
    known = {action.key: action for action in actions(session, actor, body_id)}
    if key is not None and key not in known:
        raise NotFound("There is no such action.")
    name, about, who = clean(name), clean(about), clean(who)
    faults = [
        f"{what}: use 1 to {most} characters"
        for what, text, least, most in (
            ("Name", name, 1, NAME_LIMIT),
            ("What it is", about, 0, ABOUT_LIMIT),
            ("Who does it", who, 1, WHO_LIMIT),
        )
        if not least <= len(text) <= most
    ]
    faults += [
        f"“{text}” begins like a formula; begin with a letter"
        for text in (name, about, who)
        if formula_start(text)
    ]
    if not 0 < hours <= MOST_HOURS:
        faults.append(f"Hours: enter more than 0 and at most {MOST_HOURS}")
    if set(segments) - set(KINDS):
        faults.append("Choose segments from the list")
    if any(other.name.casefold() == name.casefold() and other.key != key for other in known.values()):
        faults.append("There is an action of this name; give it another")
    if faults:
        raise Invalid("The action was not saved.", faults)
    key = key or _key(name, known)
    row = session.exec(
        select(OutreachAction).where(OutreachAction.body_id == body_id, OutreachAction.key == key)
    ).first() or OutreachAction(body_id=body_id, key=key, name=name, about=about, who=who, hours=hours)
    row.name, row.about, row.who, row.hours, row.used = name, about, who, float(hours), used
    row.segments = [kind for kind in KINDS if kind in segments]
    row.lane = LANES[0]
    session.add(row)
    session.flush()
    audit.record(session, actor, "outreach.action", body_id, key=key, hours=row.hours, used=used)
    return key


def reset(session: Session, actor: Actor, body_id: int, key: str) -> None:
    """Go back to the catalogue's own action. Raises `NotFound` for an action of the body's own: take it out of use instead."""
    own_body(session, actor, body_id)
    row = session.exec(
        select(OutreachAction).where(OutreachAction.body_id == body_id, OutreachAction.key == key)
    ).first()
    if row is None or key not in {each["key"] for each in _shipped()["action"]}:
        raise NotFound("There is nothing to go back to.")
    session.delete(row)
    session.flush()
    audit.record(session, actor, "outreach.action_reset", body_id, key=key)


def _key(name: str, known: Mapping[str, Any]) -> str:
    stem = re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")[:32] or "action"
    key, number = stem, 2
    while key in known:
        key, number = f"{stem}_{number}", number + 1
    return key


def for_kind(actions_: Sequence[Action], kind: str) -> Action | None:
    """The action that a plan takes for a segment: the first in use that is meant for it, None where there is none."""
    return next(
        (each for each in actions_ if each.used and each.lane == LANES[0] and kind in each.segments), None
    )
