"""A member's own page: its link, whom it belongs to, and asking for it again by mail.

The link is another than any that answers, and nothing on the page depends on whether its owner answered. It is
derived from the body's mail key; the database holds its hash.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.errors import Conflict, Invalid, NotFound
from engagement.intake import links
from engagement.messaging.keys import BITS_128, MailKeys
from engagement.models import MailClock, Member, MemberPage, PageRequest
from engagement.roster.text import clean, parse_email

MOST_WAITING = 500


def token(mail_key: bytes, member_id: int, generation: int = 1) -> str:
    """What opens a member's own page: 128 bits in 26 letters and digits."""
    text = f"v1|my page|{member_id}|{generation}"
    digest = hmac.new(mail_key, text.encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:BITS_128]).decode().lower().rstrip("=")


def url(public_url: str, value: str) -> str:
    """The address of the page."""
    return f"{public_url}/m/{value}"


def owner(session: Session, value: str) -> MemberPage:
    """Whose page a token opens. Raises `NotFound`."""
    value = links.well_formed(value)
    found = session.get(MemberPage, links.link_hash(value)) if value else None
    if found is None:
        raise NotFound("There is no such page.")
    return found


def current(session: Session, keys: MailKeys, member: Member) -> str | None:
    """A member's token if the page opens for it now, else None. Reads only."""
    row = session.exec(select(MemberPage).where(MemberPage.member_id == member.id)).first()
    value = token(keys.mail(member.body_id), member.id, row.generation) if row else None
    return value if row and row.link_hash == links.link_hash(value) else None


def ensure(session: Session, keys: MailKeys, member: Member, *, renew: bool = False) -> str:
    """A member's token, with the page made to open for it. `renew` ends the link that they had."""
    if not renew and (value := current(session, keys, member)):
        return value
    # One process at a time: two that find the page missing would both add it.
    session.exec(select(MailClock.id).with_for_update()).one()
    row = session.exec(select(MemberPage).where(MemberPage.member_id == member.id)).first()
    generation = (row.generation if row else 1) + (1 if row and renew else 0)
    if row is not None:
        session.delete(row)
        session.flush()
    value = token(keys.mail(member.body_id), member.id, generation)
    session.add(
        MemberPage(
            link_hash=links.link_hash(value),
            body_id=member.body_id,
            member_id=member.id,
            generation=generation,
        )
    )
    session.flush()
    return value


def hand_out(
    session: Session, actor: Actor, keys: MailKeys, body_id: int, *, member_ref: str | None = None
) -> list[tuple[Member, str]]:
    """Every member's token, or a new one for the member of that number, whose old link then ends.

    For the engagement lead. Raises `NotFound` where the number is nobody's.
    """
    actor.require(body_id, Role.LEAD)
    query = select(Member).where(Member.body_id == body_id).order_by(Member.id)
    if member_ref is not None:
        query = query.where(Member.ref == member_ref)
    members = session.exec(query).all()
    if member_ref is not None and not members:
        raise NotFound(f"There is no member {member_ref} on this roster.")
    out = [(member, ensure(session, keys, member, renew=member_ref is not None)) for member in members]
    audit.record(
        session,
        actor,
        "page.links",
        body_id,
        people=len(out),
        renewed=[m.id for m in members] if member_ref else [],
    )
    return out


def ask(session: Session, address: str) -> None:
    """Keep an address to look at. Raises `Invalid` for what is no address, and `Conflict` when too many wait."""
    try:
        address = parse_email(clean(address)).lower()
    except ValueError:
        raise Invalid("Enter an e-mail address in the correct format, like name@example.org") from None
    if session.exec(select(func.count()).select_from(PageRequest)).one() >= MOST_WAITING:
        raise Conflict("Too many people ask just now. Try again in ten minutes.")
    session.add(PageRequest(address=address, until=clock.now()))
