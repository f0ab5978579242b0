"""OpenID Connect: the way to a provider and back, and whose account somebody is there.

Authorization code with PKCE, state and nonce. An account is found by issuer and subject and by nothing else: an e-mail
address can be given to somebody else. The two are bound once, by an invitation. No token is kept.
Source: OpenID Connect Core 1.0, RFC 7636, RFC 9207.
"""

from __future__ import annotations

import base64
import hmac
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import delete
from sqlmodel import Session, select

from engagement import clock
from engagement.access import accounts, audit, sign_in_links
from engagement.access.actor import Actor
from engagement.config import LOOPBACK, ProviderConfig
from engagement.errors import Conflict, EngagementError, NotFound
from engagement.models import Account, AccountIdentity, ProviderFlow

log = logging.getLogger("engagement.oidc")
FLOW_LIVES = timedelta(minutes=10)
# Signatures that a public key checks. Never "none", nor one that the client's own secret could make.
ALGORITHMS = ("RS256", "PS256", "ES256")
TIMEOUT = (3.05, 8)
CACHED = 3600.0
# How long a key that we do not have must wait before the provider is asked for its keys again.
REFRESH = 60.0
LEEWAY = 60
_flows = ProviderFlow.__table__


class ProviderTrouble(EngagementError):
    """The provider cannot be reached, or did not vouch for anybody. The log tells the kind, the person nothing of it."""


@dataclass(frozen=True)
class Identity:
    """Somebody for whom a provider vouches."""

    issuer: str
    subject: str


class Provider:
    """One provider, as its settings name it. What it publishes of itself is fetched when needed and kept for an hour.

    Parameters
    ----------
    settings : issuer, client and scopes.
    redirect_uri : our address to which it sends people back.
    timer : a monotonic clock in seconds.
    """

    def __init__(
        self, settings: ProviderConfig, redirect_uri: str, timer: Callable[[], float] = time.monotonic
    ):
        self._settings = settings
        self._redirect_uri = redirect_uri
        self._timer = timer
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, dict[str, Any]]] = {}

    def address(self, state: str, browser: str, *, choose: bool = False) -> str:
        """Where to send somebody who sets out. `browser`: the secret in their cookie. Raises `ProviderTrouble`.

        `choose`: the provider asks which of several accounts it should be, even where only one is signed in.
        """
        with self._client() as client:
            address, _ = client.create_authorization_url(
                self._endpoint("authorization_endpoint"),
                state=state,
                nonce=_derived(browser, "nonce", state),
                code_verifier=_derived(browser, "verifier", state),
                **({"prompt": "select_account"} if choose else {}),
            )
        return address

    def identity(self, code: str, state: str, browser: str, issuer: str | None = None) -> Identity:
        """Who came back: the code is exchanged and the ID token checked. Raises `ProviderTrouble`.

        `issuer`: what the provider's answer named itself, where it did.
        """
        if issuer is not None and issuer != self._settings.issuer:
            raise _trouble("another issuer answered")
        endpoint = self._endpoint("token_endpoint")
        try:
            with self._client() as client:
                token = client.fetch_token(
                    endpoint,
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=_derived(browser, "verifier", state),
                    redirect_uri=self._redirect_uri,
                    timeout=TIMEOUT,
                    allow_redirects=False,
                )
            return self._checked(token, _derived(browser, "nonce", state))
        except ProviderTrouble:
            raise
        except Exception as error:
            # Of whatever kind: its text may quote a code or a token, and none of it says who somebody is.
            raise _trouble(f"{type(error).__module__}.{type(error).__name__}") from None

    def _client(self):
        from authlib.integrations.requests_client import OAuth2Session

        return OAuth2Session(
            client_id=self._settings.client_id,
            client_secret=self._settings.client_secret or None,
            redirect_uri=self._redirect_uri,
            scope=self._settings.scopes,
            code_challenge_method="S256",
        )

    def _checked(self, token: dict[str, Any], nonce: str) -> Identity:
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import InvalidKeyIdError
        from joserfc.jwk import KeySet
        from joserfc.jws import JWSRegistry

        issuer, client = self._settings.issuer, self._settings.client_id
        registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)

        def decode(keys: dict[str, Any]):
            return jwt.decode(token["id_token"], KeySet.import_key_set(keys), registry=registry)

        try:
            found = decode(self._keys())
        except InvalidKeyIdError:
            # The provider has new keys.
            found = decode(self._keys(newer=True))
        claims = CodeIDToken(
            found.claims,
            found.header,
            {
                "iss": {"essential": True, "value": issuer},
                "aud": {"essential": True, "value": client},
                "nonce": {"essential": True, "value": nonce},
            },
            {"nonce": nonce, "client_id": client, "access_token": token.get("access_token")},
        )
        claims.validate(now=int(clock.now().timestamp()), leeway=LEEWAY)
        subject = claims["sub"]
        if not isinstance(subject, str) or not 0 < len(subject) <= 255 or not subject.isprintable():
            raise _trouble("no usable subject")
        return Identity(issuer, subject)

    def _metadata(self) -> dict[str, Any]:
        found = self._fetched(f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration", CACHED)
        if found.get("issuer") != self._settings.issuer:
            raise _trouble("discovery names another issuer")
        return found

    def _endpoint(self, name: str) -> str:
        address = self._metadata().get(name)
        if not isinstance(address, str) or not safe_address(address):
            raise _trouble(f"no safe {name}")
        return address

    def _keys(self, *, newer: bool = False) -> dict[str, Any]:
        return self._fetched(self._endpoint("jwks_uri"), REFRESH if newer else CACHED)

    def _fetched(self, address: str, oldest: float) -> dict[str, Any]:
        """A document of the provider's, fetched anew when it is older than `oldest` seconds."""
        import requests

        with self._lock:
            at, found = self._known.get(address, (float("-inf"), {}))
            if self._timer() - at < oldest:
                return found
            try:
                reply = requests.get(address, timeout=TIMEOUT, allow_redirects=False)
                reply.raise_for_status()
                found = reply.json()
            except (requests.RequestException, ValueError) as error:
                raise _trouble(type(error).__name__) from None
            if reply.status_code != 200 or not isinstance(found, dict):
                raise _trouble("not a document")
            self._known[address] = (self._timer(), found)
            return found


def safe_address(address: str) -> bool:
    """Whether an address of a provider is one that nobody on the way can listen to."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)
    )


def _trouble(kind: str) -> ProviderTrouble:
    log.warning("sign-in through the provider failed: %s", kind)
    return ProviderTrouble("Signing in did not work. Nothing was changed. Try again in a minute.")


def _derived(browser: str, purpose: str, state: str) -> str:
    """A secret of one way to the provider and back, from the browser's cookie: nothing to steal stands in the database."""
    digest = hmac.digest(browser.encode(), f"{purpose}|{state}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def set_out(session: Session, state: str, browser: str, wanted: str, invitation: str | None) -> None:
    """Remember that somebody left for the provider, and what they want after it."""
    session.execute(delete(_flows).where(_flows.c.started_at < clock.now() - FLOW_LIVES))
    session.add(
        ProviderFlow(
            state_hash=audit.sha256(state),
            browser_hash=audit.sha256(browser),
            invitation_hash=audit.sha256(invitation) if invitation else None,
            wanted=wanted[:1000],
            started_at=clock.now(),
        )
    )
    session.flush()


def came_back(session: Session, state: str, browser: str) -> ProviderFlow | None:
    """What was remembered of somebody who is back, which is forgotten with it; None for a state that was never given
    out, to another browser, more than ten minutes ago, or was used."""
    row = session.get(ProviderFlow, audit.sha256(state))
    if row is None or row.browser_hash != audit.sha256(browser):
        return None
    session.expunge(row)
    gone = session.execute(delete(_flows).where(_flows.c.state_hash == row.state_hash))
    return row if gone.rowcount == 1 and clock.now() - row.started_at <= FLOW_LIVES else None


def find(session: Session, identity: Identity) -> Account | None:
    """The account that is bound to somebody, None for a stranger and for a disabled account."""
    row = session.get(AccountIdentity, (identity.issuer, identity.subject))
    account = session.get(Account, row.account_id) if row else None
    return None if account is None or account.disabled else account


def bind(session: Session, identity: Identity, invitation_hash: str) -> Account:
    """Use an invitation up: from now on its account is this person's.

    Raises `NotFound` for an invitation that does not work, and `Conflict` where either has somebody else already.
    """
    account = sign_in_links.use_invitation(session, invitation_hash)
    if account is None:
        raise NotFound("This invitation has been used, or is too old. Ask your engagement lead for another.")
    taken = session.get(AccountIdentity, (identity.issuer, identity.subject))
    if taken is not None and taken.account_id != account.id:
        raise Conflict(
            "You are connected with another account here already. Ask your engagement lead to disconnect that one first."
        )
    if taken is None:
        if identities(session, account.id, identity.issuer):
            raise Conflict(
                "This account is connected with somebody else's already. Ask your engagement lead to disconnect it first."
            )
        session.add(
            AccountIdentity(
                issuer=identity.issuer,
                subject=identity.subject,
                account_id=account.id,
                bound_at=clock.now(),
            )
        )
        session.flush()
        audit.record(
            session, Actor(account.name), "account.connect", None, account=account.id, issuer=identity.issuer
        )
    return account


def identities(session: Session, account_id: int, issuer: str | None = None) -> list[AccountIdentity]:
    """The provider's people that an account is bound to."""
    query = select(AccountIdentity).where(AccountIdentity.account_id == account_id)
    if issuer is not None:
        query = query.where(AccountIdentity.issuer == issuer)
    return list(session.exec(query))


def disconnect(session: Session, actor: Actor, body_id: int, account_id: int) -> None:
    """Part an account from whoever signed in to it through a provider; its sessions end, and an invitation binds anew."""
    accounts.colleague(session, actor, body_id, account_id)
    accounts.watched_over(session, actor, body_id, account_id, accounts.GUARDED, "disconnect this account")
    gone = session.execute(
        delete(AccountIdentity.__table__).where(AccountIdentity.__table__.c.account_id == account_id)
    )
    sign_in_links.withdraw(session, account_id)
    accounts.end_sessions(session, account_id)
    if gone.rowcount:
        audit.record(session, actor, "account.disconnect", body_id, account=account_id)
