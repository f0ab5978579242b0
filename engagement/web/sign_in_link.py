"""Links that let somebody in once: asking for one by mail, opening it, and opening an invitation.

Mail scanners follow every link: opening one shows a page and changes nothing, the button on it does.
"""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from engagement import db
from engagement.access import accounts, sign_in_links
from engagement.access.attempts import Limit
from engagement.errors import Conflict, Invalid
from engagement.web.door import HOUR, TEN_MINUTES, Door
from engagement.web.plain import ask_address, calm, render

COOKIE = "link"
# Of one address, known or not; and of one network, which a practice shares.
BY_ADDRESS = Limit("link-address", 5, HOUR)
BY_NETWORK = Limit("link-network", 30, HOUR)
OTHER_WAYS = ("/sign-in", "Other ways to sign in")
ASK = partial(
    ask_address,
    "Get a link to sign in",
    "For council representatives. We send a link that lets you in once, so that you need no password for the few times "
    "a year.",
    "Send me a link",
    OTHER_WAYS,
)


class SignInLinkPages(Door):
    """The pages of one process."""

    async def ask(self, request: Request) -> Response:
        """`/sign-in/link`: GET asks for an address, POST answers every address in the same words."""
        if self.config.mail.way == "off":
            return calm(
                "No links by e-mail here",
                "This installation sends no mail. Ask your engagement lead for a password.",
                status=404,
                link=("/sign-in", "Sign in with a password"),
            )
        if request.method == "POST":
            return await self.posted(self._queue, request)
        return ASK()

    async def follow(self, request: Request) -> Response:
        """`/sign-in/link/{token}`: GET and HEAD show, POST signs in."""
        if request.method == "POST":
            return await self.posted(self._use, request)
        return await self.run(self._look, request)

    async def invitation(self, request: Request) -> Response:
        """`/sign-in/invitation/{token}`: shows; it is used when its owner comes back from the provider."""
        return await self.run(self._invited, request)

    # In a thread from here on.

    def _queue(self, request: Request, form: dict[str, str]) -> Response:
        email = form.get("email", "")[:300]
        try:
            address = accounts.clean_email(email)
        except Invalid as error:
            return ASK(typed=email, problem=str(error), status=422)
        name, browser = self.nonce(request, COOKIE)
        try:
            with db.get(self.config).session() as session:
                taken = self.attempts.take(
                    session, (BY_ADDRESS, (address,)), (BY_NETWORK, (self.network(request),))
                )
                if taken is None:
                    problem = "At most five links in an hour. Use the newest one, or wait an hour"
                    return ASK(typed=email, problem=problem, status=429)
                sign_in_links.ask(session, address, browser)
        except Conflict as error:
            return calm("Please wait ten minutes", str(error), status=503)
        response = calm(
            "Look into your mailbox",
            "If this address belongs to a council representative who signs in here, a link arrives within a minute or "
            "two. It works once, for 10 minutes, and only in this browser: open it here.",
            "If nothing arrives, ask your engagement lead whether they have this address, or sign in in another way.",
            link=OTHER_WAYS,
        )
        self.set_cookie(response, name, browser, TEN_MINUTES)
        return response

    def _look(self, request: Request) -> Response:
        with db.get(self.config).reading() as session:
            account = sign_in_links.look(
                session, request.path_params["token"], self.nonce(request, COOKIE)[1]
            )
        if account is None:
            return _does_not_work()
        return render("link_use.html", name=account.name)

    def _use(self, request: Request, form: dict[str, str]) -> Response:
        name, browser = self.nonce(request, COOKIE)
        with db.get(self.config).session() as session:
            account = sign_in_links.use(session, request.path_params["token"], browser)
            if account is not None:
                accounts.forget_made_password(session, account)
        response = self.start(request, account.id, "/", way="link") if account else None
        if response is None:
            return _does_not_work()
        self.drop_cookie(response, name)
        return response

    def _invited(self, request: Request) -> Response:
        token = request.path_params["token"]
        with db.get(self.config).reading() as session:
            account = sign_in_links.invited(session, token)
            actor = self.who(session, request)
        if account is None or self.config.provider is None:
            return calm(
                "This invitation does not work",
                "It has been used, is older than a week, or was replaced by a newer one. Ask your engagement lead for "
                "another. If you have used it already, just sign in.",
                status=404,
                link=("/sign-in", "Sign in"),
            )
        return render(
            "invitation.html",
            name=account.name,
            email=account.email,
            provider=self.config.provider.label,
            # An engagement lead who tries the link out must not end up as the person they invite.
            signed_in=actor.name if actor and actor.account_id != account.id else "",
            through=f"/sign-in/oidc?invitation={token}",
        )


def _does_not_work() -> Response:
    return calm(
        "This link does not work here",
        "It has been used, is older than 10 minutes, or you asked for it in another browser or on another device.",
        "Ask for a new one, and open it in the browser in which you asked.",
        status=404,
        link=("/sign-in/link", "Ask for a new link"),
    )
