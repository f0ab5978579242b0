"""Doing what a preview said: all of it, in one transaction, or nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, update
from sqlmodel import Session, select

from engagement.access import audit
from engagement.access.actor import Actor, Role
from engagement.errors import Conflict, Invalid, NotFound
from engagement.models import Body, Locality, Member, Practice, Spell
from engagement.roster import members_file, practices_file
from engagement.roster.bodies import ensure_body
from engagement.roster.preview import Preview


@dataclass(frozen=True)
class Summary:
    """What an import did, to the body that it did it to."""

    kind: str
    body_id: int
    body_code: str
    added: int
    changed: int
    closed: int
    ended: int
    same: int

    @property
    def sentence(self) -> str:
        """ "42 practices added, 1 closed." """
        one, many = ("practice", "practices") if self.kind == "practices" else ("person", "people")
        parts = []
        for number, verb in (
            (self.added, "added"),
            (self.changed, "changed"),
            (self.closed, "closed"),
            (self.ended, "ended"),
        ):
            if number:
                noun = "" if parts else f" {one if number == 1 else many}"
                parts.append(f"{number:,}{noun} {verb}")
        return (", ".join(parts) or "Nothing needed to change") + "."


def apply(session: Session, actor: Actor, preview: Preview) -> Summary:
    """Write what the preview showed, and return what was done.

    Raises `Invalid` (with a line for each) while any line is refused, and `Conflict` when the roster is no longer
    the one that the preview was made against. Nothing is written in either case.
    """
    if preview.body_id is None:
        if not actor.everything:
            raise NotFound("There is no such body.")
        if (
            preview.counts["refuse"] == 0
            and session.exec(select(Body.id).where(Body.code == preview.body_code)).first()
        ):
            raise Conflict("The body was made after this preview. Run the preview again.")
    else:
        actor.require(preview.body_id, Role.LEAD)
    if refused := preview.refused:
        raise Invalid(
            f"{preview.name} was not imported: {len(refused):,} {'line is' if len(refused) == 1 else 'lines are'} refused.",
            refused,
        )
    if preview.body_id is None:
        body = ensure_body(session, actor, preview.body_code)
    else:
        body = session.get(Body, preview.body_id, with_for_update=True)
        if body is None:
            raise NotFound("There is no such body.")
    now = (
        practices_file.fingerprint(practices_file.held_practices(session, body.id))
        if preview.kind == "practices"
        else members_file.fingerprint(session, body.id)
    )
    if now != preview.fingerprint:
        raise Conflict("The roster changed after this preview was made. Run the preview again.")
    if preview.kind == "practices":
        _write_practices(session, body.id, preview)
    else:
        _write_members(session, body.id, preview)
    counts = preview.counts
    # The log says what was done and from which file, and names nobody.
    audit.record(
        session,
        actor,
        f"roster.import.{preview.kind}",
        body.id,
        file=preview.name[:200],
        sha256=preview.sha256,
        **{what: counts[what] for what in ("add", "change", "close", "end", "same")},
    )
    session.expire_all()
    return Summary(
        kind=preview.kind,
        body_id=body.id,
        body_code=preview.body_code,
        added=counts["add"],
        changed=counts["change"],
        closed=counts["close"],
        ended=counts["end"],
        same=counts["same"],
    )


def _write_practices(session: Session, body_id: int, preview: Preview) -> None:
    plan = preview.plan
    localities = dict(
        session.exec(select(Locality.code, Locality.id).where(Locality.body_id == body_id)).all()
    )
    new = [
        {"body_id": body_id, "code": code, "name": name}
        for code, name in plan.localities.items()
        if code not in localities
    ]
    if new:
        session.execute(insert(Locality), new)
        localities = dict(
            session.exec(select(Locality.code, Locality.id).where(Locality.body_id == body_id)).all()
        )
    successors = []
    rows = []
    for values in plan.practices_add:
        values = dict(values)
        if successor := values.pop("successor"):
            successors.append((values["code"], successor))
        locality = values.pop("locality")
        rows.append({"body_id": body_id, **values, "locality_id": localities.get(locality)})
    if rows:
        session.execute(insert(Practice), rows)
    codes = dict(session.exec(select(Practice.code, Practice.id).where(Practice.body_id == body_id)).all())
    changes = []
    for practice_id, values in plan.practices_change:
        values = dict(values)
        if "locality" in values:
            values["locality_id"] = localities[values.pop("locality")]
        if "successor" in values:
            values["successor_id"] = codes[values.pop("successor")]
        changes.append({"id": practice_id, **values})
    changes += [{"id": codes[code], "successor_id": codes[successor]} for code, successor in successors]
    _update(session, Practice, changes)


def _write_members(session: Session, body_id: int, preview: Preview) -> None:
    plan = preview.plan
    if plan.members_add:
        session.execute(insert(Member), [{"body_id": body_id, **values} for values in plan.members_add])
    _update(session, Member, ({"id": i, **values} for i, values in plan.members_change))
    # Ends come before starts: the spells never overlap on the way.
    _update(session, Spell, ({"id": i, **values} for i, values in plan.spells_change))
    if plan.spells_add:
        ids = dict(session.exec(select(Member.ref, Member.id).where(Member.body_id == body_id)).all())
        session.execute(
            insert(Spell),
            [{"body_id": body_id, "member_id": ids[ref], **values} for ref, values in plan.spells_add],
        )


def _update(session: Session, model: type, changes: Iterable[dict[str, Any]]) -> None:
    """Update rows by id, those with the same columns together."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for change in changes:
        groups[tuple(sorted(change))].append(change)
    for rows in groups.values():
        session.execute(update(model), rows)
