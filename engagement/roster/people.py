"""One person at a time: added, corrected, moved, ended, and how roles stand. For the engagement lead.

Every change of role or practice has a date, and ends one spell where it starts the next, so that past rounds can
still be asked who was who. The audit log says which person and which fields, and repeats no names or addresses.
"""

from __future__ import annotations

from datetime import date

from sqlmodel import Session, select

from engagement.access import audit
from engagement.access.actor import Actor
from engagement.clock import show_date
from engagement.errors import Conflict, Invalid, NotFound
from engagement.models import STANDINGS, Member, Practice, Spell
from engagement.roster.bodies import own_body
from engagement.roster.columns import Row
from engagement.roster.spells import Bounds, ended_by, overlap
from engagement.roster.text import parse_email, slug


def add_person(
    session: Session,
    actor: Actor,
    body_id: int,
    *,
    ref: str,
    role: str,
    practice_id: int | None = None,
    name: str | None = None,
    email: str | None = None,
    starts: date | None = None,
    standing: str | None = None,
    representative: bool = False,
) -> Member:
    """Add a person with a role from a date, at a practice or (`practice_id` None) in the body itself.

    `standing` overrides what the body makes of the role. Raises `Invalid` with a line for each fault, and
    `Conflict` if the number is taken.
    """
    own_body(session, actor, body_id)
    values = _checked_person(ref=ref, name=name, email=email)
    spell = _checked_spell(session, body_id, practice_id, role, standing, representative, starts)
    if session.exec(select(Member.id).where(Member.body_id == body_id, Member.ref == values["ref"])).first():
        raise Conflict(
            f"Number {values['ref']} is on the roster already. Move that person, or give this one another number."
        )
    member = Member(body_id=body_id, **values)
    session.add(member)
    session.flush()
    session.add(Spell(body_id=body_id, member_id=member.id, **spell.values()))
    session.flush()
    audit.record(session, actor, "member.add", body_id, member=member.id, role=spell.role)
    return member


def correct_person(
    session: Session,
    actor: Actor,
    body_id: int,
    member_id: int,
    *,
    name: str | None = None,
    email: str | None = None,
) -> Member:
    """Put right a person's name and e-mail address; what is left empty is taken away. Raises `Invalid`, `NotFound`."""
    own_body(session, actor, body_id)
    member = _member(session, body_id, member_id)
    values = _checked_person(ref=member.ref, name=name, email=email)
    changed = [key for key in ("name", "email") if getattr(member, key) != values[key]]
    for key in changed:
        setattr(member, key, values[key])
    session.add(member)
    session.flush()
    if changed:
        audit.record(session, actor, "member.correct", body_id, member=member.id, fields=changed)
    return member


def move_person(
    session: Session,
    actor: Actor,
    body_id: int,
    member_id: int,
    *,
    on: date,
    role: str,
    practice_id: int | None = None,
    standing: str | None = None,
    representative: bool = False,
) -> Spell:
    """Give a person another role or practice from a day: what they were ends there, and the new begins.

    A person who had left comes back this way. A spell that began on that very day is corrected instead of split.
    Raises `Invalid` if nothing would change, and `Conflict` if something later is planned already.
    """
    own_body(session, actor, body_id)
    member = _member(session, body_id, member_id)
    new = _checked_spell(session, body_id, practice_id, role, standing, representative, on)
    stored = _spells(session, member)
    same_day = None
    for spell in stored:
        held = _bounds(spell)
        if not overlap(held, new):
            continue
        if (held.practice_id, held.role, held.standing, held.representative) == (
            new.practice_id,
            new.role,
            new.standing,
            new.representative,
        ):
            raise Invalid(
                "Nothing would change: they have this role in this place on that day. Choose another role, practice or day"
            )
        if held.starts == on:
            same_day = spell
            continue
        ended = ended_by(held, new)
        if ended is None:
            raise Conflict(
                f"Another role of theirs starts on {show_date(held.starts)}. Choose a day after that, or correct "
                "that one first."
                if held.starts
                else "Their role is held in round numbers. Correct it in the members file and import that again."
            )
        spell.ends = ended.ends
        spell.left_wave = ended.left_wave
        session.add(spell)
    spell = same_day or Spell(body_id=body_id, member_id=member.id, role=new.role)
    for key in ("practice_id", "role", "standing", "representative", "starts"):
        setattr(spell, key, getattr(new, key))
    session.add(spell)
    session.flush()
    audit.record(session, actor, "member.move", body_id, member=member.id, role=new.role, on=on.isoformat())
    return spell


def end_person(session: Session, actor: Actor, body_id: int, member_id: int, on: date) -> None:
    """End a person's membership on a day, the first on which they are no longer invited.

    Raises `Conflict` if they have left already or a later role is planned, and `Invalid` for a day before the start.
    """
    own_body(session, actor, body_id)
    member = _member(session, body_id, member_id)
    still = [s for s in _spells(session, member) if s.ends is None or s.ends > on]
    if not still:
        raise Conflict("They have left by then already. Choose an earlier day, or leave it as it is.")
    later = [s.starts for s in still if s.starts and s.starts > on]
    if later:
        raise Invalid(f"A role of theirs starts on {show_date(max(later))}. Choose that day or a later one")
    for spell in still:
        spell.ends = on
        session.add(spell)
    session.flush()
    audit.record(session, actor, "member.end", body_id, member=member.id, on=on.isoformat())


def reinstate_person(session: Session, actor: Actor, body_id: int, member_id: int) -> None:
    """Take back an end that was a mistake: their last role goes on. Raises `Conflict` if it has no end."""
    own_body(session, actor, body_id)
    member = _member(session, body_id, member_id)
    spells = _spells(session, member)
    if not spells or any(s.ends is None for s in spells):
        raise Conflict("Their membership has no end, so there is nothing to take back.")
    last = max(spells, key=lambda s: s.ends)
    last.ends = None
    session.add(last)
    session.flush()
    audit.record(session, actor, "member.reinstate", body_id, member=member.id)


def set_standing(session: Session, actor: Actor, body_id: int, role: str, standing: str) -> None:
    """Say which arm a role is in for this body. Rounds that are launched keep the map they were launched with.

    Raises `Invalid` for a role or standing that cannot be used.
    """
    body = own_body(session, actor, body_id)
    key = slug(role)
    if not key or len(key) > 60:
        raise Invalid("Give the role, in at most 60 characters")
    if standing not in STANDINGS:
        raise Invalid(f"Choose one of {', '.join(STANDINGS)}")
    before = (body.standing_map or {}).get(key)
    if before == standing:
        return
    body.standing_map = dict(body.standing_map or {}) | {key: standing}
    session.add(body)
    session.flush()
    audit.record(session, actor, "role.standing", body_id, role=key, before=before, after=standing)


def _member(session: Session, body_id: int, member_id: int) -> Member:
    member = session.get(Member, member_id)
    if member is None or member.body_id != body_id:
        raise NotFound("There is no such person on this roster.")
    return member


def _spells(session: Session, member: Member) -> list[Spell]:
    return list(session.exec(select(Spell).where(Spell.member_id == member.id).order_by(Spell.id)))


def _bounds(spell: Spell) -> Bounds:
    return Bounds(
        practice_id=spell.practice_id,
        role=spell.role,
        standing=spell.standing,
        representative=spell.representative,
        starts=spell.starts,
        ends=spell.ends,
        joined_wave=spell.joined_wave,
        left_wave=spell.left_wave,
        id=spell.id,
    )


def _checked_person(*, ref: str, name: str | None, email: str | None) -> dict[str, str | None]:
    row = Row(0, {"number": ref or "", "name": name or "", "e-mail": email or ""})
    values = {
        "ref": row.text("number", 60),
        "name": row.text("name", 200),
        "email": row.text("e-mail", 254) and row.parsed("e-mail", parse_email),
    }
    if not values["ref"]:
        row.faults.append("enter the number that you know this person by; it must stay theirs over the years")
    _raise(row.faults)
    return values


def _checked_spell(session, body_id, practice_id, role, standing, representative, starts) -> Bounds:
    row = Row(0, {"role": role or ""})
    text = row.text("role", 60)
    key = slug(text) if text else ""
    if not key:
        row.faults.append("enter the role, such as GP partner or practice manager")
    if standing is not None and standing not in STANDINGS:
        row.faults.append(f"choose a standing: {', '.join(STANDINGS)}, or none of them")
    if practice_id is not None:
        practice = session.get(Practice, practice_id)
        if practice is None or practice.body_id != body_id:
            raise NotFound("There is no such practice.")
        if starts and practice.closed and practice.closed <= starts:
            row.faults.append(
                f"{practice.code} is closed from {show_date(practice.closed)}; choose an open practice or an earlier day"
            )
    _raise(row.faults)
    return Bounds(practice_id, key, standing, representative, starts)


def _raise(faults: list[str]) -> None:
    if faults:
        said = " ".join(f"{fault[:1].upper()}{fault[1:]}." for fault in faults)
        raise Invalid(f"The person was not saved. {said}", faults)
