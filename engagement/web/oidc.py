"""Signing in through an OpenID provider: out to it, and back."""

from __future__ import annotations

import secrets

from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engagement import db
from engagement.access import accounts, oidc
from engagement.access.attempts import Limit
from engagement.access.oidc import Identity, Provider, ProviderTrouble
from engagement.config import Config
from engagement.errors import EngagementError
from engagement.models import Account, ProviderFlow
from engagement.web.door import QUARTER, TEN_MINUTES, Door, safe_next
from engagement.web.plain import calm

COOKIE = "provider"
BACK = "/sign-in/oidc/back"
BY_NETWORK = Limit("provider-network", 100, QUARTER)
AGAIN = ("/sign-in", "Sign in")


class ProviderPages(Door):
    """The pages of one process."""

    def __init__(self, config: Config):
        super().__init__(config)
        self._provider = Provider(config.provider, config.public_url + BACK) if config.provider else None

    async def leave(self, request: Request) -> Response:
        """`/sign-in/oidc`: sends the browser to the provider."""
        if self._provider is None:
            return calm("Not found", "People sign in here with a password.", status=404, link=AGAIN)
        # Another site may bring people to our page, and not past it.
        if request.headers.get("sec-fetch-site") not in (None, "same-origin", "none"):
            return RedirectResponse("/sign-in", 303)
        return await self.run(self._leave, request)

    async def back(self, request: Request) -> Response:
        """`/sign-in/oidc/back`: where the provider sends people."""
        if self._provider is None:
            return calm("Not found", "People sign in here with a password.", status=404, link=AGAIN)
        return await self.run(self._back, request)

    # In a thread from here on.

    def _leave(self, request: Request) -> Response:
        wanted = safe_next(request.query_params.get("next"))
        name, browser = self.nonce(request, COOKIE)
        state, invitation = secrets.token_urlsafe(32), request.query_params.get("invitation")
        try:
            address = self._provider.address(state, browser, choose=invitation is not None)
        except ProviderTrouble as error:
            return _failed(str(error))
        with db.get(self.config).session() as session:
            if self.attempts.take(session, (BY_NETWORK, (self.network(request),))) is None:
                return calm(
                    "Please wait 15 minutes", "This was tried very often from your network.", status=429
                )
            oidc.set_out(session, state, browser, wanted, invitation)
        response = RedirectResponse(address, 303)
        self.set_cookie(response, name, browser, TEN_MINUTES)
        return response

    def _back(self, request: Request) -> Response:
        query = request.query_params
        name, browser = self.nonce(request, COOKIE)
        with db.get(self.config).session() as session:
            flow = oidc.came_back(session, query.get("state", ""), browser)
        if flow is None:
            return calm(
                "Please sign in again",
                "You came back from another sign-in than the last one, or it took more than 10 minutes.",
                status=400,
                link=AGAIN,
            )
        if "code" not in query:
            return _failed("Your sign-in was not finished there. Nothing was changed.")
        try:
            identity = self._provider.identity(query["code"], query["state"], browser, query.get("iss"))
            with db.get(self.config).session() as session:
                account = self._account(session, identity, flow)
        except EngagementError as error:
            return _failed(str(error))
        if account is None:
            return calm(
                "You need an invitation",
                "You signed in, but nobody here is connected with you yet. Your engagement lead must invite you: they "
                "send you a link, and opening it once connects you.",
                "If you have such a link, open it now.",
                status=403,
                link=AGAIN,
            )
        response = self.start(request, account.id, flow.wanted, way="provider", assured=True)
        if response is None:
            return _failed("This account cannot sign in. Ask your engagement lead.")
        self.drop_cookie(response, name)
        return response

    def _account(self, session: Session, identity: Identity, flow: ProviderFlow) -> Account | None:
        if flow.invitation_hash:
            account = oidc.bind(session, identity, flow.invitation_hash)
        else:
            account = oidc.find(session, identity)
        if account is not None:
            accounts.forget_made_password(session, account)
        return account


def _failed(words: str) -> Response:
    return calm("You are not signed in", words, status=400, link=AGAIN)
