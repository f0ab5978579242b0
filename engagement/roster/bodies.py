"""The body that a roster belongs to."""

from __future__ import annotations

from sqlmodel import Session, select

from engagement import clock
from engagement.access import audit
from engagement.access.actor import Actor, Role
from engagement.errors import Invalid, NotAllowed, NotFound
from engagement.models import Body
from engagement.roster.text import clean
from engagement.words import STANDING_MAP


def ensure_body(
    session: Session, actor: Actor, code: str, name: str | None = None, *, demo: bool = False
) -> Body:
    """The body with this code, made if there is none yet. Only the operator makes bodies.

    A new body is called by its code until it is given a name, and maps roles to standings in the default way.
    Raises `NotAllowed` to anybody but the operator, and `Invalid` for a code or name that cannot be used.
    """
    code = clean(code)
    found = session.exec(select(Body).where(Body.code == code)).first()
    if found is not None:
        return found
    if not actor.everything:
        raise NotAllowed("Only the operator of the server can add a body.")
    if not 1 <= len(code) <= 20:
        raise Invalid("Give the body a code of 1 to 20 characters, for example its ODS code")
    name = clean(name or "") or code
    if len(name) > 200:
        raise Invalid("Give the body a name of at most 200 characters")
    body = Body(
        code=code,
        name=name,
        words={},
        standing_map=dict(STANDING_MAP),
        is_demo=demo,
        created_at=clock.now(),
    )
    session.add(body)
    session.flush()
    audit.record(session, actor, "body.create", body.id, code=code, demo=demo)
    return body


def own_body(session: Session, actor: Actor, body_id: int) -> Body:
    """The body whose roster the actor may read and change, locked so that two changes cannot cross.

    Raises `NotAllowed` without the role and `NotFound` if there is no such body.
    """
    actor.require(body_id, Role.LEAD)
    body = session.get(Body, body_id, with_for_update=True)
    if body is None:
        raise NotFound("There is no such body.")
    return body
