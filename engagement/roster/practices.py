"""One practice at a time: added, corrected, closed or merged, reopened. For the engagement lead; all in the audit log."""

from __future__ import annotations

from datetime import date

from sqlmodel import Session, select

from engagement.access import audit
from engagement.access.actor import Actor
from engagement.clock import show_date
from engagement.errors import Conflict, Invalid, NotFound
from engagement.models import Locality, Practice
from engagement.roster.bodies import own_body
from engagement.roster.columns import Row


def add_practice(
    session: Session,
    actor: Actor,
    body_id: int,
    *,
    code: str,
    name: str,
    locality: str | None = None,
    list_size: int | None = None,
    postcode: str | None = None,
    opened: date | None = None,
) -> Practice:
    """Add a practice. `locality` is a locality's code; a new one is made for a code that is not known.

    Raises `Invalid` with a line for each fault, and `Conflict` if the code is on the roster already.
    """
    own_body(session, actor, body_id)
    values = _checked(code=code, name=name, locality=locality, list_size=list_size, postcode=postcode)
    if session.exec(
        select(Practice.id).where(Practice.body_id == body_id, Practice.code == values["code"])
    ).first():
        raise Conflict(f"{values['code']} is on the roster already. Correct or reopen that practice instead.")
    practice = Practice(
        body_id=body_id,
        code=values["code"],
        name=values["name"],
        locality_id=_locality(session, body_id, values["locality"]),
        list_size=list_size,
        postcode=values["postcode"],
        opened=opened,
    )
    session.add(practice)
    session.flush()
    audit.record(session, actor, "practice.add", body_id, practice=practice.code)
    return practice


def correct_practice(
    session: Session,
    actor: Actor,
    body_id: int,
    practice_id: int,
    *,
    name: str,
    locality: str | None = None,
    list_size: int | None = None,
    postcode: str | None = None,
    opened: date | None = None,
) -> Practice:
    """Put right what is held of a practice. Its code stays; what is left empty is taken away.

    Raises `Invalid` with a line for each fault, and `NotFound`.
    """
    own_body(session, actor, body_id)
    practice = _practice(session, body_id, practice_id)
    values = _checked(
        code=practice.code, name=name, locality=locality, list_size=list_size, postcode=postcode
    )
    if opened and practice.closed and practice.closed < opened:
        raise Invalid(
            f"The opening date must not be after the closing date, {show_date(practice.closed)}. Correct the date"
        )
    new = {
        "name": values["name"],
        "locality_id": _locality(session, body_id, values["locality"]),
        "list_size": list_size,
        "postcode": values["postcode"],
        "opened": opened,
    }
    changed = sorted(key for key, value in new.items() if getattr(practice, key) != value)
    for key in changed:
        setattr(practice, key, new[key])
    session.add(practice)
    session.flush()
    if changed:
        audit.record(session, actor, "practice.correct", body_id, practice=practice.code, fields=changed)
    return practice


def close_practice(
    session: Session,
    actor: Actor,
    body_id: int,
    practice_id: int,
    on: date,
    *,
    successor_id: int | None = None,
) -> Practice:
    """Close a practice from a day, the first on which it is no longer a member.

    Its people go over to the successor, and are not invited where there is none. Calling it again corrects the date
    or the successor. Raises `Invalid` for a day before it opened, and for a successor that is the practice itself,
    leads back to it, or is closed by then.
    """
    own_body(session, actor, body_id)
    practice = _practice(session, body_id, practice_id)
    if practice.opened and on < practice.opened:
        raise Invalid(
            f"{practice.code} opened on {show_date(practice.opened)}. Choose that day or a later one"
        )
    successor = _practice(session, body_id, successor_id) if successor_id is not None else None
    seen, step = {practice.id}, successor
    while step is not None:
        if step.id in seen:
            raise Invalid(
                f"{practice.code} cannot be merged into a practice that was merged into it. Choose another"
            )
        seen.add(step.id)
        step = session.get(Practice, step.successor_id) if step.successor_id else None
    if successor and successor.closed and successor.closed <= on:
        raise Invalid(
            f"{successor.code} is closed from {show_date(successor.closed)}. Choose the practice that is open then"
        )
    practice.closed = on
    practice.successor_id = successor.id if successor else None
    session.add(practice)
    session.flush()
    audit.record(
        session,
        actor,
        "practice.close",
        body_id,
        practice=practice.code,
        on=on.isoformat(),
        successor=successor.code if successor else None,
    )
    return practice


def reopen_practice(session: Session, actor: Actor, body_id: int, practice_id: int) -> Practice:
    """Take back a closing that was a mistake. Raises `Conflict` if the practice is not closed."""
    own_body(session, actor, body_id)
    practice = _practice(session, body_id, practice_id)
    if practice.closed is None:
        raise Conflict(f"{practice.code} is not closed, so there is nothing to take back.")
    practice.closed = None
    practice.successor_id = None
    session.add(practice)
    session.flush()
    audit.record(session, actor, "practice.reopen", body_id, practice=practice.code)
    return practice


def _practice(session: Session, body_id: int, practice_id: int) -> Practice:
    practice = session.get(Practice, practice_id)
    if practice is None or practice.body_id != body_id:
        raise NotFound("There is no such practice.")
    return practice


def _checked(*, code, name, locality, list_size, postcode) -> dict[str, str | None]:
    row = Row(
        0, {"code": code or "", "name": name or "", "locality": locality or "", "postcode": postcode or ""}
    )
    values = {
        "code": row.text("code", 20),
        "name": row.text("name", 200),
        "locality": row.text("locality", 40),
        "postcode": row.text("postcode", 10),
    }
    if not values["code"]:
        row.faults.append("Enter the practice's code, for example its ODS code")
    if not values["name"]:
        row.faults.append("Enter the practice's name")
    if list_size is not None and not 0 <= list_size <= 10_000_000:
        row.faults.append("The list size must be between 0 and 10,000,000")
    if row.faults:
        raise Invalid(
            "The practice was not saved. " + " ".join(f"{_sentence(f)}." for f in row.faults), row.faults
        )
    return values


def _sentence(fault: str) -> str:
    return fault[:1].upper() + fault[1:]


def _locality(session: Session, body_id: int, code: str | None) -> int | None:
    if code is None:
        return None
    found = session.exec(
        select(Locality.id).where(Locality.body_id == body_id, Locality.code == code)
    ).first()
    if found is None:
        locality = Locality(body_id=body_id, code=code, name=code)
        session.add(locality)
        session.flush()
        found = locality.id
    return found
