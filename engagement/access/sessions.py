"""Signed-in browsers. One opaque cookie; the row decides, and is read on every rerun and every request."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete
from sqlmodel import Session, select

from engagement import clock
from engagement.access import audit, totp
from engagement.access.actor import Actor, Role
from engagement.errors import NotFound
from engagement.models import Account, AccountRole, Body, StaffSession

IDLE = clock.days(30 / 1440)
LONGEST = clock.days(8 / 24)
# How long somebody with the right password has to give, or to set up, the second factor.
HALFWAY = clock.days(10 / 1440)
# Who may do most with a built-in account needs more than a password for it, unless all is invented anyway.
STRONG = frozenset((Role.LEAD.value, Role.OPERATOR.value))
# How stale `seen_at` may be before it is written again: a page of charts reruns many times a minute.
TOUCH = clock.days(1 / 1440)


def cookie_name(secure: bool) -> str:
    """The cookie's name; the `__Host-` prefix makes browsers hold it to https, one host and every path."""
    return "__Host-sid" if secure else "sid"


@dataclass(frozen=True)
class OwnSession:
    """One of a person's own sessions. `here`: the one that asks. `key` ends it, and opens nothing."""

    key: str
    way: str
    device: str
    started_at: datetime
    seen_at: datetime
    here: bool


def sign_in(
    session: Session, account: Account, *, assured: bool = False, way: str = "password", device: str = ""
) -> str:
    """Start a session for an authenticated account and return the cookie's value, which is nowhere stored.

    `assured`: a second factor was given, or another provider vouches. Without it an account that needs a second
    factor is halfway in: it is nobody to every page and verb, save those that ask for the factor.
    """
    value = secrets.token_urlsafe(32)
    now = clock.now()
    session.execute(
        delete(StaffSession.__table__).where(
            StaffSession.__table__.c.account_id == account.id,
            StaffSession.__table__.c.created_at < now - 2 * LONGEST,
        )
    )
    session.add(
        StaffSession(
            cookie_hash=audit.sha256(value),
            account_id=account.id,
            created_at=now,
            seen_at=now,
            assured=assured,
            way=way,
            device=device[:40],
        )
    )
    audit.record(session, Actor(account.name), "session.start", None, account=account.id, way=way)
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


def _held(session: Session, account_id: int) -> list[tuple[int, str, bool]]:
    """The account's roles, as (body, role, whether the body is a demo)."""
    return list(
        session.exec(
            select(AccountRole.body_id, AccountRole.role, Body.is_demo)
            .join(Body, Body.id == AccountRole.body_id)
            .where(AccountRole.account_id == account_id)
        )
    )


def _wants_more(session: Session, account: Account, held: Iterable[tuple[int, str, bool]]) -> bool:
    strong = any(role in STRONG and not is_demo for _, role, is_demo in held)
    return strong or totp.is_set_up(session, account.id)


def needs_second_factor(session: Session, account: Account) -> bool:
    """Whether a password, or a mailed link, is not enough for the account: by its roles, or because it has one."""
    return _wants_more(session, account, _held(session, account.id))


def must_have_second_factor(session: Session, account_id: int) -> bool:
    """Whether the account's roles oblige it to have one."""
    return any(role in STRONG and not is_demo for _, role, is_demo in _held(session, account_id))


def who(session: Session, cookies: Mapping[str, str], *, secure: bool) -> Actor | None:
    """The actor of a request or rerun, with the roles of this instant, or None for a stranger.

    Who was given a role that needs a second factor, and has not given one in this session, signs in again.
    """
    live = _live(session, cookies.get(cookie_name(secure)))
    if live is None:
        return None
    row, account = live
    held = _held(session, account.id)
    if not row.assured and _wants_more(session, account, held):
        return None
    return Actor(
        name=account.name,
        account_id=account.id,
        roles=frozenset((body, Role(role)) for body, role, _ in held),
        bodies=tuple(sorted({body for body, _, _ in held})),
    )


def halfway(session: Session, cookies: Mapping[str, str], *, secure: bool) -> Account | None:
    """The account of a browser whose password was right minutes ago and whose second factor is still to come."""
    live = _live(session, cookies.get(cookie_name(secure)))
    if live is None:
        return None
    row, account = live
    if row.assured or clock.now() - row.created_at > HALFWAY or not needs_second_factor(session, account):
        return None
    return account


def way_of(session: Session, cookies: Mapping[str, str], *, secure: bool) -> str:
    """How the browser signed in, empty for a stranger."""
    live = _live(session, cookies.get(cookie_name(secure)))
    return live[0].way if live else ""


def assure(session: Session, cookies: Mapping[str, str], *, secure: bool) -> None:
    """Note that the second factor was given in this session, by somebody who was signed in without needing it."""
    live = _live(session, cookies.get(cookie_name(secure)))
    if live is not None:
        live[0].assured = True
        session.add(live[0])


def own(session: Session, actor: Actor, here: str | None = None) -> list[OwnSession]:
    """The actor's own live sessions, the newest first. `here`: the value of the asking browser's cookie."""
    now = clock.now()
    rows = session.exec(
        select(StaffSession)
        .where(
            StaffSession.account_id == actor.account_id,
            StaffSession.ended == False,  # noqa: E712
            StaffSession.seen_at >= now - IDLE,
            StaffSession.created_at >= now - LONGEST,
        )
        .order_by(StaffSession.created_at.desc(), StaffSession.cookie_hash)
    ).all()
    mine = audit.sha256(here) if here else None
    return [
        OwnSession(row.cookie_hash, row.way, row.device, row.created_at, row.seen_at, row.cookie_hash == mine)
        for row in rows
    ]


def end_own(session: Session, actor: Actor, key: str) -> None:
    """End one of the actor's own sessions; its tabs are out at their next rerun. Raises `NotFound` for others'."""
    row = session.get(StaffSession, key)
    if row is None or actor.account_id is None or row.account_id != actor.account_id:
        raise NotFound("This session has ended already.")
    row.ended = True
    session.add(row)
    audit.record(session, actor, "session.revoke", None, account=actor.account_id)


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
