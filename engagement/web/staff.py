"""Signing in and out, and choosing one's own password: plain pages, for they must work before Streamlit does."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engagement import db
from engagement.access import accounts, sessions, totp
from engagement.access.actor import ROLE_NAMES, Role
from engagement.access.attempts import Limit
from engagement.errors import Invalid
from engagement.models import Account, AccountRole, Body
from engagement.web.door import CODE_PAGE, QUARTER, SET_UP_PAGE, WAIT, Door, safe_next, with_next
from engagement.web.plain import calm, render

WRONG = "The e-mail address or the password is not right"
# A colleague who mistypes, a network that hosts many colleagues, and an address under attack from many.
BY_BOTH = Limit("password", 8, QUARTER)
BY_NETWORK = Limit("password-network", 40, QUARTER)
BY_ADDRESS = Limit("password-address", 100, QUARTER)
OWN_PASSWORD = Limit("own-password", 8, QUARTER)


@dataclass(frozen=True)
class DemoAccount:
    """An account of the demo as its button shows it."""

    id: int
    label: str
    name: str


class StaffPages(Door):
    """The pages of one process."""

    async def sign_in(self, request: Request) -> Response:
        """`/sign-in`."""
        if request.method == "POST":
            return await self.posted(self._check_sign_in, request)
        return await self.run(self._show_sign_in, request)

    async def demo(self, request: Request) -> Response:
        """`/sign-in/demo`."""
        return await self.posted(self._demo_sign_in, request)

    async def password(self, request: Request) -> Response:
        """`/password`."""
        if request.method == "POST":
            return await self.posted(self._change_password, request)
        return await self.run(self._show_password, request)

    async def sign_out(self, request: Request) -> Response:
        """`/sign-out`."""
        if request.method == "POST":
            return await self.posted(self._end, request)
        return render("sign_out.html")

    # In a thread from here on.

    def _show_sign_in(self, request: Request) -> Response:
        wanted = safe_next(request.query_params.get("next"))
        with db.get(self.config).reading() as session:
            actor = self.who(session, request)
            if actor is not None:
                must = sessions.must_change_password(session, actor)
                return RedirectResponse("/password" if must else wanted, 303)
            account = self.halfway(session, request)
            if account is not None:
                page = CODE_PAGE if totp.is_set_up(session, account.id) else SET_UP_PAGE
                return RedirectResponse(with_next(page, wanted), 303)
            return self._sign_in_page(session, wanted)

    def _sign_in_page(
        self, session: Session, wanted: str, email: str = "", problem: str = "", status: int = 200
    ):
        provider = self.config.provider
        return render(
            "sign_in.html",
            status,
            demo=demo_accounts(session),
            next=wanted,
            email=email,
            problem=problem,
            provider=provider.label if provider else "",
            through=with_next("/sign-in/oidc", wanted),
            mails=self.config.mail.way != "off",
        )

    def _check_sign_in(self, request: Request, form: dict[str, str]) -> Response:
        email, wanted = form.get("email", "")[:254], safe_next(form.get("next"))
        network, address = self.network(request), email.strip().lower()
        taken = self.take((BY_BOTH, (network, address)), (BY_NETWORK, (network,)), (BY_ADDRESS, (address,)))
        database = db.get(self.config)
        with database.reading() as session:
            if taken is None:
                return self._sign_in_page(session, wanted, email, WAIT, 429)
            # Checked while reading: a slow hash must not hold the write lock that answers wait for.
            account = accounts.authenticate(session, email, form.get("password", ""))
            if account is None:
                return self._sign_in_page(session, wanted, email, WRONG, 422)
        with database.session() as session:
            self.attempts.give_back(session, taken)
            self.attempts.forget(session, BY_BOTH, (network, address))
        return self._start(request, account.id, wanted, "password")

    def _demo_sign_in(self, request: Request, form: dict[str, str]) -> Response:
        number = form.get("account", "")
        with db.get(self.config).reading() as session:
            offered = {str(account.id) for account in demo_accounts(session)}
        if number not in offered:
            return calm(
                "This account needs its password",
                "Only the accounts of a demo can be used without one.",
                status=403,
                link=("/sign-in", "Sign in"),
            )
        return self._start(request, int(number), safe_next(form.get("next")), "demo")

    def _start(self, request: Request, account_id: int, wanted: str, way: str) -> Response:
        response = self.start(request, account_id, wanted, way=way)
        if response is None:
            with db.get(self.config).reading() as session:
                return self._sign_in_page(session, wanted, "", WRONG, 422)
        return response

    def _show_password(self, request: Request) -> Response:
        with db.get(self.config).reading() as session:
            actor = self.who(session, request)
            if actor is None:
                return RedirectResponse("/sign-in", 303)
            forced = sessions.must_change_password(session, actor)
        return render("password.html", problem="", forced=forced, minimum=accounts.PASSWORD_MINIMUM)

    def _change_password(self, request: Request, form: dict[str, str]) -> Response:
        database = db.get(self.config)
        with database.reading() as session:
            actor = self.who(session, request)
            if actor is None:
                return RedirectResponse("/sign-in", 303)
            forced = sessions.must_change_password(session, actor)
        taken = self.take((OWN_PASSWORD, (str(actor.account_id),)))
        problem, status = WAIT, 429
        if taken is not None:
            try:
                with database.session() as session:
                    # Whoever else is signed in with the old password is signed out; this browser stays.
                    accounts.change_password(
                        session,
                        actor.account_id,
                        form.get("old", ""),
                        form.get("new", ""),
                        keep_cookie=request.cookies.get(sessions.cookie_name(self.secure)),
                    )
                    self.attempts.give_back(session, taken)
                return RedirectResponse("/", 303)
            except Invalid as error:
                problem, status = str(error), 422
        return render(
            "password.html", status, problem=problem, forced=forced, minimum=accounts.PASSWORD_MINIMUM
        )

    def _end(self, request: Request, form: dict[str, str]) -> Response:
        with db.get(self.config).session() as session:
            sessions.sign_out(session, request.cookies, secure=self.secure)
        response = RedirectResponse("/sign-in", 303)
        self.drop_cookie(response, sessions.cookie_name(self.secure))
        return response


def demo_accounts(session: Session) -> list[DemoAccount]:
    """The demo's accounts, in the order of the roles; none where no body is a demo."""
    rows = session.exec(
        select(Account, AccountRole.role)
        .join(AccountRole, AccountRole.account_id == Account.id)
        .join(Body, Body.id == AccountRole.body_id)
        .where(Account.is_demo, Body.is_demo, Account.disabled == False)  # noqa: E712
        .order_by(Account.id)
    ).all()
    order = list(Role)
    roles: dict[int, set[Role]] = {}
    names = {}
    for account, role in rows:
        names[account.id] = account.name
        roles.setdefault(account.id, set()).add(Role(role))
    found = [
        (sorted(order.index(role) for role in held), DemoAccount(number, _label(held), names[number]))
        for number, held in roles.items()
    ]
    return [account for _, account in sorted(found, key=lambda pair: (pair[0], pair[1].id))]


def _label(held: set[Role]) -> str:
    return ", ".join(ROLE_NAMES[role] for role in Role if role in held)
