"""Signed-in browsers. One opaque cookie; the row decides, and is read on every rerun and every request."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from sqlmodel import Session, select

from engagement import clock
from engagement.access import audit
from engagement.access.actor import Actor, Role
from engagement.models import Account, AccountRole, Body, StaffSession

IDLE = clock.days(30 / 1440)
LONGEST = clock.days(8 / 24)
# How stale `seen_at` may be before it is written again: a page of charts reruns many times a minute.
TOUCH = clock.days(1 / 1440)


def cookie_name(secure: bool) -> str:
    """The cookie's name; the `__Host-` prefix makes browsers hold it to https, one host and every path."""
    return "__Host-sid" if secure else "sid"


def sign_in(session: Session, account: Account) -> str:
    """Start a session for an authenticated account and return the cookie's value, which is nowhere stored."""
    value = secrets.token_urlsafe(32)
    now = clock.now()
    session.add(
        StaffSession(cookie_hash=audit.sha256(value), account_id=account.id, created_at=now, seen_at=now)
    )
    audit.record(session, Actor(account.name), "session.start", None, account=account.id)
    return value


def _live(session: Session, value: str | None) -> tuple[StaffSession, Account] | None:
    if not value:
        return None
    row = session.get(StaffSession, audit.sha256(value))
    now = clock.now()
    if row is None or row.ended or now - row.seen_at > IDLE or now - row.created_at > LONGEST:
        return None
    account = session.get(Account, row.account_id)
    return None if account is None or account.disabled else (row, account)


def who(session: Session, cookies: Mapping[str, str], *, secure: bool) -> Actor | None:
    """The actor of a request or rerun, with the roles of this instant, or None for a stranger."""
    live = _live(session, cookies.get(cookie_name(secure)))
    if live is None:
        return None
    _, account = live
    pairs = session.exec(
        select(AccountRole.body_id, AccountRole.role).where(AccountRole.account_id == account.id)
    ).all()
    return Actor(
        name=account.name,
        account_id=account.id,
        roles=frozenset((body, Role(role)) for body, role in pairs),
        bodies=tuple(sorted({body for body, _ in pairs})),
    )


def stale(session: Session, cookies: Mapping[str, str], *, secure: bool) -> bool:
    """Whether a live session's last sight is old enough to be written again with `touch`."""
    live = _live(session, cookies.get(cookie_name(secure)))
    return live is not None and clock.now() - live[0].seen_at > TOUCH


def touch(session: Session, cookies: Mapping[str, str], *, secure: bool) -> None:
    """Note that the session is in use; a session that has ended stays ended."""
    live = _live(session, cookies.get(cookie_name(secure)))
    if live is not None:
        live[0].seen_at = clock.now()
        session.add(live[0])


def sign_out(session: Session, cookies: Mapping[str, str], *, secure: bool) -> None:
    """End the session; every tab that shares its cookie is out at its next rerun."""
    live = _live(session, cookies.get(cookie_name(secure)))
    if live is not None:
        row, account = live
        row.ended = True
        session.add(row)
        audit.record(session, Actor(account.name), "session.end", None, account=account.id)


def bodies_of(session: Session, actor: Actor) -> list[Body]:
    """The bodies in which the actor has a role, by name."""
    query = select(Body).order_by(Body.name)
    if not actor.everything:
        query = query.where(Body.id.in_(actor.bodies))
    return list(session.exec(query))


def must_change_password(session: Session, actor: Actor) -> bool:
    """Whether the account still has a password that somebody else made."""
    account = session.get(Account, actor.account_id) if actor.account_id else None
    return bool(account and account.must_change)
