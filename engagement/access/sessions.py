"""Signed-in browsers. One opaque cookie; the row decides, and is read on every rerun and every request."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Engine, delete
from sqlmodel import Session, select

from engagement import clock, db
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
    audit.record(
        session, Actor(account.name), "session.start", None, account=account.id, way=way, assured=assured
    )
    return value


def _over(ended: bool, started: datetime, seen: datetime) -> bool:
    now = clock.now()
    return ended or now - seen > IDLE or now - started > LONGEST


def _live(session: Session, value: str | None) -> tuple[StaffSession, Account] | None:
    row = session.get(StaffSession, audit.sha256(value)) if value else None
    if row is None or _over(row.ended, row.created_at, row.seen_at):
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


def _obliged(held: Iterable[tuple[int, str, bool]]) -> bool:
    return any(role in STRONG and not is_demo for _, role, is_demo in held)


def _wants_more(session: Session, account_id: int, held: Iterable[tuple[int, str, bool]]) -> bool:
    return _obliged(held) or totp.is_set_up(session, account_id)


def needs_second_factor(session: Session, account: Account) -> bool:
    """Whether a password, or a mailed link, is not enough for the account: by its roles, or because it has one."""
    return _wants_more(session, account.id, _held(session, account.id))


def must_have_second_factor(session: Session, account_id: int) -> bool:
    """Whether the account's roles oblige it to have one."""
    return _obliged(_held(session, account_id))


def who(session: Session, cookies: Mapping[str, str], *, secure: bool) -> Actor | None:
    """The actor of a request or rerun, with the roles of this instant, or None for a stranger.

    Who was given a role that needs a second factor, and has not given one in this session, signs in again. Inside
    every verb the actor is looked up again: see `Actor.require`.
    """
    value = cookies.get(cookie_name(secure))
    return _actor(session, audit.sha256(value), session.get_bind().engine) if value else None


def _actor(session: Session, cookie_hash: str, engine: Engine) -> Actor | None:
    # Columns and no objects: those that a verb has in hand may be older than their rows, or changed and not written.
    found = session.exec(
        select(
            StaffSession.ended,
            StaffSession.created_at,
            StaffSession.seen_at,
            StaffSession.assured,
            Account.id,
            Account.name,
        )
        .join(Account, Account.id == StaffSession.account_id)
        .where(StaffSession.cookie_hash == cookie_hash, Account.disabled == False)  # noqa: E712
    ).first()
    if found is None or _over(found.ended, found.created_at, found.seen_at):
        return None
    held = _held(session, found.id)
    if not found.assured and _wants_more(session, found.id, held):
        return None
    return Actor(
        name=found.name,
        account_id=found.id,
        roles=frozenset((body, Role(role)) for body, role, _ in held),
        bodies=tuple(sorted({body for body, _, _ in held})),
        again=partial(_again, engine, cookie_hash),
    )


def _again(engine: Engine, cookie_hash: str) -> Actor | None:
    """The actor as of now: in the transaction that the verb is in, or in one of its own where there is none."""
    session = db.in_hand()
    if session is not None and session.get_bind().engine.pool is engine.pool:
        return _actor(session, cookie_hash, engine)
    with Session(engine.execution_options(**db.READ_ONLY)) as own:
        return _actor(own, cookie_hash, engine)


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
