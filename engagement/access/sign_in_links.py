"""Links that let somebody in once: mailed to council representatives at their wish, and invitations by the lead.

256 random bits, stored by their hash. A mailed link is tied to the browser that asked for it and lives ten minutes:
who reads the mailbox elsewhere cannot use it. What was typed is only queued here; the worker looks whether
anybody has that address, so that a known and an unknown one are answered in the same words after the same work.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import accounts, audit
from engagement.access.actor import Actor, Role
from engagement.errors import Conflict, Invalid
from engagement.models import Account, AccountRole, Body, SignInLink, SignInMail

LINK_LIVES = timedelta(minutes=10)
INVITATION_LIVES = timedelta(days=7)
MOST_WAITING = 500
# Whoever has any other role signs in with a password or a provider.
BY_LINK = frozenset({Role.COUNCIL.value})
_links = SignInLink.__table__


def ask(session: Session, address: str, browser: str) -> None:
    """Queue a link for an address that was typed. `browser`: the nonce in the cookie of whoever asked.

    Raises `Invalid` for what is no address, and `Conflict` when too many wait.
    """
    address = accounts.clean_email(address)
    _queue(session, "link", address, browser_hash=audit.sha256(browser))


def _queue(session: Session, kind: str, address: str, **more) -> None:
    if session.exec(select(func.count()).select_from(SignInMail)).one() >= MOST_WAITING:
        raise Conflict("Too many people ask just now. Try again in ten minutes.")
    session.add(SignInMail(kind=kind, address=address, asked_at=clock.now(), **more))
    session.flush()


def by_link(session: Session, address: str) -> tuple[Account, Body] | None:
    """The account that may sign in by a link sent to an address, with a body of it for the sender's name."""
    account = session.exec(select(Account).where(Account.email == address)).first()
    return _may(session, account) if account else None


def _may(session: Session, account: Account) -> tuple[Account, Body] | None:
    held = session.exec(
        select(Body, AccountRole.role)
        .join(AccountRole, AccountRole.body_id == Body.id)
        .where(AccountRole.account_id == account.id)
        .order_by(Body.id)
    ).all()
    roles = {role for _, role in held}
    if account.disabled or account.is_demo or not roles or not roles <= BY_LINK:
        return None
    return account, held[0][0]


def make(session: Session, account_id: int, browser_hash: str) -> str:
    """A link's token, for the mail that is about to leave."""
    return _make(session, "link", account_id, clock.now() + LINK_LIVES, browser_hash)


def _make(
    session: Session, kind: str, account_id: int, expires_at: datetime, browser_hash: str | None = None
) -> str:
    session.execute(delete(_links).where(_links.c.expires_at < clock.now() - timedelta(days=1)))
    token = secrets.token_urlsafe(32)
    session.add(
        SignInLink(
            token_hash=audit.sha256(token),
            kind=kind,
            account_id=account_id,
            browser_hash=browser_hash,
            expires_at=expires_at,
        )
    )
    session.flush()
    return token


def _find(session: Session, kind: str, token_hash: str, browser_hash: str | None) -> Account | None:
    row = session.get(SignInLink, token_hash)
    if row is None or row.kind != kind or row.used or row.expires_at <= clock.now():
        return None
    if row.browser_hash != browser_hash:
        return None
    account = session.get(Account, row.account_id)
    return None if account.disabled else account


def _use(session: Session, token_hash: str) -> bool:
    used = session.execute(
        update(_links).where(_links.c.token_hash == token_hash, _links.c.used == False).values(used=True)  # noqa: E712
    )
    return used.rowcount == 1


def look(session: Session, token: str, browser: str | None) -> Account | None:
    """Whose link this is, in the browser that asked for it; None for every other case alike. Changes nothing."""
    if not browser:
        return None
    account = _find(session, "link", audit.sha256(token), audit.sha256(browser))
    return account if account and _may(session, account) else None


def use(session: Session, token: str, browser: str | None) -> Account | None:
    """Use a mailed link up and return whom it lets in; None where it does not, or no longer."""
    account = look(session, token, browser)
    return account if account and _use(session, audit.sha256(token)) else None


def invite(session: Session, actor: Actor, body_id: int, account_id: int) -> str:
    """An invitation's token, to be handed over: who opens it connects their provider's account with this one.

    Invitations made before stop working. Raises what `accounts.colleague` does.
    """
    _guest(session, actor, body_id, account_id)
    # Mailed to its own address an invitation is safe with anybody; handed over, it is a way in for who hands it.
    accounts.watched_over(
        session,
        actor,
        body_id,
        account_id,
        accounts.GUARDED,
        "hand over this invitation; have it mailed instead",
    )
    return _hand_out(session, actor, body_id, account_id)


def _hand_out(session: Session, actor: Actor, body_id: int, account_id: int) -> str:
    token = _invite(session, account_id)
    audit.record(session, actor, "account.invite", body_id, account=account_id)
    return token


def create_invited(
    session: Session, actor: Actor, body_id: int, *, email: str, name: str, role: Role
) -> tuple[Account, str]:
    """Make an account that signs in through a provider, and return it with its invitation's token.

    An address that has an account already is given the role; the text returned is then empty.
    """
    address = accounts.clean_email(email)
    known = session.exec(select(Account.id).where(Account.email == address)).first()
    account, _ = accounts.create(
        session, actor, body_id, email=address, name=name, role=role, without_password=True
    )
    # A new account has nothing yet that somebody could get hold of.
    return account, "" if known else _hand_out(session, actor, body_id, account.id)


def _guest(session: Session, actor: Actor, body_id: int, account_id: int) -> Account:
    account = accounts.colleague(session, actor, body_id, account_id)
    if account.disabled:
        raise Invalid("This account is disabled. Enable it before you invite the person")
    if account.is_demo:
        raise Invalid("A demo account is open to everybody and cannot be connected with anybody's own")
    return account


def _invite(session: Session, account_id: int) -> str:
    withdraw(session, account_id)
    return _make(session, "invitation", account_id, clock.now() + INVITATION_LIVES)


def mail_invitation(session: Session, actor: Actor, body_id: int, account_id: int) -> None:
    """Have the worker mail an invitation to the account's own address, where nobody else sees it."""
    account = _guest(session, actor, body_id, account_id)
    _queue(session, "invitation", account.email, body_id=body_id)
    audit.record(session, actor, "account.invite", body_id, account=account_id, mailed=True)


def make_invitation(session: Session, address: str, body_id: int) -> tuple[Account, str] | None:
    """For the mail that is about to leave: the account and its token; None where it has left the body since."""
    account = session.exec(
        select(Account)
        .join(AccountRole, AccountRole.account_id == Account.id)
        .where(Account.email == address, AccountRole.body_id == body_id)
    ).first()
    if account is None or account.disabled:
        return None
    return account, _invite(session, account.id)


def withdraw(session: Session, account_id: int) -> None:
    """End all links and invitations of an account that were not used."""
    session.execute(delete(_links).where(_links.c.account_id == account_id, _links.c.used == False))  # noqa: E712


def invited(session: Session, token: str) -> Account | None:
    """Whom an invitation is for; None where it does not work, or no longer. Changes nothing."""
    return _find(session, "invitation", audit.sha256(token), None)


def use_invitation(session: Session, token_hash: str) -> Account | None:
    """Use an invitation up, by its hash, and return whom it is for."""
    account = _find(session, "invitation", token_hash, None)
    return account if account and _use(session, token_hash) else None
