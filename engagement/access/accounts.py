"""Accounts of staff: made, given roles, disabled, reset; and the password check."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlmodel import Session, select

from engagement import clock
from engagement.access import audit, totp
from engagement.access.actor import ALONE, KEEPERS, Actor, Role, check_together
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.models import Account, AccountIdentity, AccountRole, Body, SecondFactor, StaffSession

PASSWORD_MINIMUM = 12
# Into whose accounts no engagement lead may get.
GUARDED = (Role.REVIEWER, *ALONE)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_hasher = PasswordHasher()


@cache
def _decoy() -> str:
    """A hash that nothing matches: an unknown address must take as long as a known one."""
    return _hasher.hash(secrets.token_urlsafe(32))


@dataclass(frozen=True)
class Person:
    """An account as the People page shows it; `elsewhere` when it has a role in another body too.

    `connected`: with somebody's account at the OpenID provider.
    """

    id: int
    name: str
    email: str
    roles: tuple[Role, ...]
    disabled: bool
    must_change: bool
    elsewhere: bool = False
    second_factor: bool = False
    connected: bool = False


@dataclass(frozen=True)
class OwnAccount:
    """An account as its owner sees it. `connected`: since when it belongs to somebody at the OpenID provider."""

    name: str
    email: str
    is_demo: bool
    second_factor: bool
    codes_left: int
    connected: datetime | None


def clean_email(email: str) -> str:
    """An address as accounts hold it: in lower case. Raises `Invalid` for what is none."""
    email = email.strip().lower()
    if not _EMAIL.fullmatch(email) or len(email) > 254 or not email.isprintable():
        raise Invalid("Enter an e-mail address in the correct format, like name@example.org")
    return email


def check_password(password: str) -> str:
    if len(password) < PASSWORD_MINIMUM:
        raise Invalid(f"The password must have at least {PASSWORD_MINIMUM} characters")
    if len(password) > 200:
        raise Invalid("The password must have at most 200 characters")
    if not password.isprintable():
        raise Invalid("The password holds a character that cannot be typed everywhere. Choose another")
    return password


def create(
    session: Session,
    actor: Actor,
    body_id: int,
    *,
    email: str,
    name: str,
    role: Role,
    password: str | None = None,
    demo: bool = False,
    without_password: bool = False,
) -> tuple[Account, str]:
    """Make an account with a role in a body, and return it with its password, which is shown once.

    A password that we made must be changed at the first sign-in. An address that has an account already is
    given the role there instead of a second account; its password stays and the text returned is empty.
    `without_password`: for somebody who will sign in through a provider or by mailed links; nobody knows one then.
    Raises `Invalid` for an address, name or password that cannot be used.
    """
    actor.require(body_id, *KEEPERS)
    email = clean_email(email)
    name = name.strip()
    if not name or len(name) > 200 or not name.isprintable():
        raise Invalid("Enter the person's name, in at most 200 characters on one line")
    body = session.get(Body, body_id, with_for_update=True)
    if body is None:
        raise NotFound("There is no such body.")
    if demo and not body.is_demo:
        raise Invalid("A demo account can only be made in a demo body.")
    account = session.exec(select(Account).where(Account.email == email)).first()
    made = ""
    if account is None:
        made = check_password(password) if password else secrets.token_urlsafe(12)
        account = Account(
            email=email,
            name=name,
            password_hash=_hasher.hash(made),
            must_change=password is None and not without_password,
            is_demo=demo,
            created_at=clock.now(),
        )
        session.add(account)
        session.flush()
    elif account.is_demo and not body.is_demo:
        raise Invalid("This address belongs to a demo account, which can only be in a demo body.")
    key = {"account_id": account.id, "body_id": body_id, "role": role.value}
    if session.get(AccountRole, key) is not None:
        raise Conflict(f"{email} already has this role.")
    held = session.exec(
        select(AccountRole.role).where(AccountRole.account_id == account.id, AccountRole.body_id == body_id)
    ).all()
    check_together({role, *map(Role, held)})
    session.add(AccountRole(**key))
    session.flush()
    audit.record(session, actor, "account.create", body_id, account=account.id, role=role.value)
    return account, "" if without_password else made


def own(session: Session, actor: Actor) -> OwnAccount:
    """What the actor's own page says of their account. Raises `NotFound` for an actor without one."""
    account = session.get(Account, actor.account_id) if actor.account_id else None
    if account is None:
        raise NotFound("Only people who signed in have an account.")
    connected = session.exec(
        select(AccountIdentity.bound_at).where(AccountIdentity.account_id == account.id)
    ).first()
    return OwnAccount(
        account.name,
        account.email,
        account.is_demo,
        totp.is_set_up(session, account.id),
        totp.codes_left(session, account.id),
        connected,
    )


def people(session: Session, actor: Actor, body_id: int) -> list[Person]:
    """Everybody with a role in the body, by name."""
    actor.require(body_id, *KEEPERS)
    rows = session.exec(
        select(Account, AccountRole.role)
        .join(AccountRole, AccountRole.account_id == Account.id)
        .where(AccountRole.body_id == body_id)
    ).all()
    roles: dict[int, list[Role]] = {}
    accounts = {}
    elsewhere = set(
        session.exec(
            select(AccountRole.account_id).where(
                AccountRole.body_id != body_id,
                AccountRole.account_id.in_({account.id for account, _ in rows}),
            )
        )
    )
    factors = set(session.exec(select(SecondFactor.account_id)))
    connected = set(session.exec(select(AccountIdentity.account_id)))
    for account, role in rows:
        accounts[account.id] = account
        roles.setdefault(account.id, []).append(Role(role))
    return sorted(
        (
            Person(
                a.id,
                a.name,
                a.email,
                tuple(sorted(roles[a.id])),
                a.disabled,
                a.must_change,
                a.id in elsewhere,
                a.id in factors,
                a.id in connected,
            )
            for a in accounts.values()
        ),
        key=lambda person: (person.name.lower(), person.id),
    )


def colleague(session: Session, actor: Actor, body_id: int, account_id: int) -> Account:
    """An account of this body, and of this body alone unless the actor is the operator."""
    actor.require(body_id, *KEEPERS)
    bodies = set(session.exec(select(AccountRole.body_id).where(AccountRole.account_id == account_id)))
    if body_id not in bodies:
        raise NotFound("There is no such account.")
    if bodies != {body_id} and not actor.everything:
        raise Conflict(
            "This account also belongs to another body. Ask the operator of the server to change it."
        )
    return session.get(Account, account_id)


def watched_over(
    session: Session, actor: Actor, body_id: int, account_id: int, roles: tuple[Role, ...], what: str
) -> None:
    """Raise `NotAllowed` where an engagement lead would get hold of, or rid of, somebody who watches over them."""
    held = session.exec(
        select(AccountRole.role).where(AccountRole.account_id == account_id, AccountRole.body_id == body_id)
    ).all()
    if set(roles) & set(map(Role, held)) and not actor.may(body_id, Role.OPERATOR):
        raise NotAllowed(
            f"Only the operator can {what}: whoever watches over the engagement lead must not depend on them."
        )


def _keep_a_lead(session: Session, body_id: int, account_id: int) -> None:
    """Raise `Conflict` when `account_id` is the only enabled engagement lead of the body.

    Holds the body's row until commit on PostgreSQL: of two leads who shut each other out at once, one must lose.
    """
    session.get(Body, body_id, with_for_update=True)
    leads = set(
        session.exec(
            select(Account.id)
            .join(AccountRole, AccountRole.account_id == Account.id)
            .where(
                AccountRole.body_id == body_id,
                AccountRole.role == Role.LEAD.value,
                Account.disabled == False,  # noqa: E712
            )
        )
    )
    if leads == {account_id}:
        raise Conflict("This is the only engagement lead. Give somebody else the role first.")


def set_roles(session: Session, actor: Actor, body_id: int, account_id: int, roles: set[Role]) -> None:
    """Give an account exactly `roles` in the body.

    No roles at all takes the account out of this body, which is only for one that has a role in another body:
    otherwise it could not be found again. Raises `Conflict` if nobody would be engagement lead.
    """
    actor.require(body_id, *KEEPERS)
    check_together(roles)
    # Held until commit: of two who give one person roles that do not go together, one must lose.
    session.get(Body, body_id, with_for_update=True)
    held = session.exec(
        select(AccountRole.body_id, AccountRole.role).where(AccountRole.account_id == account_id)
    ).all()
    found = {role for body, role in held if body == body_id}
    if not found:
        raise NotFound("There is no such account.")
    if not roles and len(found) == len(held):
        raise Invalid("Choose at least one role, or disable the account instead")
    if Role.AUDITOR not in roles:
        watched_over(session, actor, body_id, account_id, (Role.AUDITOR,), "take the role of auditor away")
    if Role.LEAD not in roles and Role.LEAD.value in found:
        _keep_a_lead(session, body_id, account_id)
    for role in sorted(found - {role.value for role in roles}):
        session.delete(session.get(AccountRole, {"account_id": account_id, "body_id": body_id, "role": role}))
    for role in sorted({role.value for role in roles} - found):
        session.add(AccountRole(account_id=account_id, body_id=body_id, role=role))
    session.flush()
    audit.record(session, actor, "account.roles", body_id, account=account_id, roles=sorted(roles))


def set_disabled(session: Session, actor: Actor, body_id: int, account_id: int, disabled: bool) -> None:
    """Shut an account out (its sessions end at once) or let it in again.

    Raises `Conflict` if a body would have no engagement lead, and for an account that another body has too.
    """
    account = colleague(session, actor, body_id, account_id)
    if disabled:
        watched_over(session, actor, body_id, account_id, (Role.AUDITOR,), "disable an auditor")
        for led in session.exec(
            select(AccountRole.body_id)
            .where(AccountRole.account_id == account_id, AccountRole.role == Role.LEAD.value)
            .order_by(AccountRole.body_id)
        ).all():
            _keep_a_lead(session, led, account_id)
    account.disabled = disabled
    session.add(account)
    if disabled:
        end_sessions(session, account_id)
    audit.record(
        session, actor, "account.disable" if disabled else "account.enable", body_id, account=account_id
    )


def reset_password(session: Session, actor: Actor, body_id: int, account_id: int) -> str:
    """Make a new password, end the account's sessions, and return the password, which is shown once."""
    account = colleague(session, actor, body_id, account_id)
    watched_over(session, actor, body_id, account_id, GUARDED, "reset this password")
    password = secrets.token_urlsafe(12)
    account.password_hash = _hasher.hash(password)
    account.must_change = True
    session.add(account)
    end_sessions(session, account_id)
    audit.record(session, actor, "account.reset", body_id, account=account_id)
    return password


def remove_second_factor(session: Session, actor: Actor, body_id: int, account_id: int) -> None:
    """Take off the second factor of somebody who lost phone and recovery codes, and end the account's sessions.

    Who needs one sets another up at the next sign-in. Raises `Conflict` where there is none.
    """
    colleague(session, actor, body_id, account_id)
    watched_over(session, actor, body_id, account_id, GUARDED, "take this second factor off")
    if not totp.discard(session, account_id):
        raise Conflict("This account has no second factor.")
    end_sessions(session, account_id)
    audit.record(session, actor, "second-factor.discard", body_id, account=account_id)


def forget_made_password(session: Session, account: Account) -> None:
    """Void a password that somebody else made and its owner never used: they have signed in another way."""
    if account.must_change:
        account.password_hash = _hasher.hash(secrets.token_urlsafe(32))
        account.must_change = False
        session.add(account)


def change_password(
    session: Session, account_id: int, old: str, new: str, *, keep_cookie: str | None = None
) -> None:
    """Change one's own password; given the browser's own cookie, sign every other browser out.

    Raises `Invalid` when the old one is wrong or the new one will not do.
    """
    account = session.get(Account, account_id)
    if account is None or not _matches(account.password_hash, old):
        raise Invalid("The current password is not right")
    if old == new:
        raise Invalid("Choose a password that differs from the current one")
    account.password_hash = _hasher.hash(check_password(new))
    account.must_change = False
    session.add(account)
    if keep_cookie:
        end_sessions(session, account_id, but=audit.sha256(keep_cookie))
    audit.record(session, Actor(account.name), "account.password", None, account=account.id)


def end_sessions(session: Session, account_id: int, but: str | None = None) -> None:
    """End an account's sessions, all but the one whose cookie has that hash."""
    for row in session.exec(select(StaffSession).where(StaffSession.account_id == account_id)):
        if row.cookie_hash != but:
            row.ended = True
            session.add(row)


def _matches(stored: str, password: str) -> bool:
    try:
        return _hasher.verify(stored, password)
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False


def authenticate(session: Session, email: str, password: str) -> Account | None:
    """The account that an address and password belong to, else None; the time taken says nothing of which."""
    email = email.strip().lower()
    # PostgreSQL takes no NUL and neither takes half a surrogate pair; no address that we made holds either.
    query = select(Account).where(Account.email == email)
    account = session.exec(query).first() if email.isprintable() else None
    right = _matches(account.password_hash if account else _decoy(), password[:200])
    return account if account and right and not account.disabled else None
