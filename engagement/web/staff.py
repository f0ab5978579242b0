"""Signing in and out, and choosing one's own password: plain pages, for they must work before Streamlit does."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import anyio
from anyio import CapacityLimiter
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, select
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engagement import db
from engagement.access import accounts, sessions
from engagement.access.actor import ROLE_NAMES, Role
from engagement.config import Config
from engagement.errors import Invalid
from engagement.models import Account, AccountRole, Body
from engagement.web.headers import OurSite
from engagement.web.limits import Limiter, network_of
from engagement.web.plain import TooLarge, calm, read_form, render, too_large

log = logging.getLogger(__name__)

WRONG = "The e-mail address or the password is not right"
WAIT = "Too many attempts. Wait 15 minutes, then try again"
WINDOW = 900.0
EIGHT_HOURS = 8 * 3600


@dataclass(frozen=True)
class DemoAccount:
    """An account of the demo as its button shows it."""

    id: int
    label: str
    name: str


def safe_next(wanted: str | None) -> str:
    """Where to go after signing in: a path of ours, else the first page. Never another site."""
    wanted = wanted or "/"
    good = (
        wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable()
    )
    return wanted if good else "/"


class StaffPages:
    """The pages of one process.

    Parameters
    ----------
    config : the settings.
    """

    def __init__(self, config: Config):
        self._config = config
        self._site = OurSite(config)
        # A colleague who mistypes, a network that hosts many colleagues, and an address under attack from many.
        self._by_both = Limiter(8, WINDOW)
        self._by_network = Limiter(40, WINDOW)
        self._by_address = Limiter(100, WINDOW)
        self._threads: CapacityLimiter | None = None

    async def _run(self, work, request: Request, *more) -> Response:
        if self._threads is None:
            # Few at a time: each check of a password takes 64 MB for a moment.
            self._threads = CapacityLimiter(4)
        try:
            return await anyio.to_thread.run_sync(work, request, *more, limiter=self._threads)
        except SQLAlchemyError as error:
            log.error("%s failed: %s", request.url.path, type(error).__name__)
            return calm(
                "The service is not available just now",
                "Nothing was done. Try again in a minute.",
                status=503,
            )

    async def _posted(self, work, request: Request) -> Response:
        """Run a POST that reads a cookie or sets one: only if a page of ours sent it."""
        if not self._site.came_from_us(request.headers):
            return calm(
                "This did not come from our page",
                "Nothing was done. Open the page again and send it from there.",
                status=403,
                link=("/sign-in", "Sign in"),
            )
        try:
            form = await read_form(request)
        except TooLarge:
            return too_large()
        return await self._run(work, request, form)

    async def sign_in(self, request: Request) -> Response:
        """`/sign-in`."""
        if request.method == "POST":
            return await self._posted(self._check_sign_in, request)
        return await self._run(self._show_sign_in, request)

    async def demo(self, request: Request) -> Response:
        """`/sign-in/demo`."""
        return await self._posted(self._demo_sign_in, request)

    async def password(self, request: Request) -> Response:
        """`/password`."""
        if request.method == "POST":
            return await self._posted(self._change_password, request)
        return await self._run(self._show_password, request)

    async def sign_out(self, request: Request) -> Response:
        """`/sign-out`."""
        if request.method == "POST":
            return await self._posted(self._end, request)
        return render("sign_out.html")

    # In a thread from here on.

    def _who(self, session: Session, request: Request):
        return sessions.who(session, request.cookies, secure=self._config.secure)

    def _show_sign_in(self, request: Request) -> Response:
        wanted = safe_next(request.query_params.get("next"))
        with db.get(self._config).reading() as session:
            actor = self._who(session, request)
            if actor is not None:
                must = sessions.must_change_password(session, actor)
                return RedirectResponse("/password" if must else wanted, 303)
            return self._sign_in_page(session, wanted)

    def _sign_in_page(
        self, session: Session, wanted: str, email: str = "", problem: str = "", status: int = 200
    ):
        return render(
            "sign_in.html",
            status,
            demo=demo_accounts(session),
            next=wanted,
            email=email,
            problem=problem,
        )

    def _check_sign_in(self, request: Request, form: dict[str, str]) -> Response:
        email, wanted = form.get("email", "")[:254], safe_next(form.get("next"))
        network = network_of(request.client.host if request.client else None)
        address = email.strip().lower()
        keys = (
            (self._by_both, (network, address)),
            (self._by_network, (network,)),
            (self._by_address, (address,)),
        )
        database = db.get(self._config)
        if any(limiter.blocked(*key) for limiter, key in keys):
            with database.reading() as session:
                return self._sign_in_page(session, wanted, email, WAIT, 429)
        with database.reading() as session:
            # Checked while reading: a slow hash must not hold the write lock that answers wait for.
            account = accounts.authenticate(session, email, form.get("password", ""))
            if account is None:
                for limiter, key in keys:
                    limiter.failed(*key)
                return self._sign_in_page(session, wanted, email, WRONG, 422)
        self._by_both.succeeded(network, address)
        return self._start(request, account.id, wanted)

    def _demo_sign_in(self, request: Request, form: dict[str, str]) -> Response:
        number = form.get("account", "")
        with db.get(self._config).reading() as session:
            offered = {str(account.id) for account in demo_accounts(session)}
        if number not in offered:
            return calm(
                "This account needs its password",
                "Only the accounts of a demo can be used without one.",
                status=403,
                link=("/sign-in", "Sign in"),
            )
        return self._start(request, int(number), safe_next(form.get("next")))

    def _start(self, request: Request, account_id: int, wanted: str) -> Response:
        secure = self._config.secure
        with db.get(self._config).session() as session:
            account = session.get(Account, account_id)
            if account is None or account.disabled:
                return self._sign_in_page(session, wanted, "", WRONG, 422)
            # A session that the browser brought along ends: nobody can be signed in with a cookie planted before.
            sessions.sign_out(session, request.cookies, secure=secure)
            value = sessions.sign_in(session, account)
            must = account.must_change
        response = RedirectResponse("/password" if must else wanted, 303)
        response.set_cookie(
            sessions.cookie_name(secure),
            value,
            max_age=EIGHT_HOURS,
            path="/",
            secure=secure,
            httponly=True,
            samesite="lax",
        )
        return response

    def _show_password(self, request: Request) -> Response:
        with db.get(self._config).reading() as session:
            actor = self._who(session, request)
            if actor is None:
                return RedirectResponse("/sign-in", 303)
            forced = sessions.must_change_password(session, actor)
        return render("password.html", problem="", forced=forced, minimum=accounts.PASSWORD_MINIMUM)

    def _change_password(self, request: Request, form: dict[str, str]) -> Response:
        database = db.get(self._config)
        network = network_of(request.client.host if request.client else None)
        with database.reading() as session:
            actor = self._who(session, request)
            if actor is None:
                return RedirectResponse("/sign-in", 303)
            forced = sessions.must_change_password(session, actor)
        problem, status = WAIT, 429
        if not self._by_both.blocked(network, f"account {actor.account_id}"):
            try:
                with database.session() as session:
                    # Whoever else is signed in with the old password is signed out; this browser stays.
                    accounts.change_password(
                        session,
                        actor.account_id,
                        form.get("old", ""),
                        form.get("new", ""),
                        keep_cookie=request.cookies.get(sessions.cookie_name(self._config.secure)),
                    )
                return RedirectResponse("/", 303)
            except Invalid as error:
                self._by_both.failed(network, f"account {actor.account_id}")
                problem, status = str(error), 422
        return render(
            "password.html", status, problem=problem, forced=forced, minimum=accounts.PASSWORD_MINIMUM
        )

    def _end(self, request: Request, form: dict[str, str]) -> Response:
        secure = self._config.secure
        with db.get(self._config).session() as session:
            sessions.sign_out(session, request.cookies, secure=secure)
        response = RedirectResponse("/sign-in", 303)
        response.delete_cookie(
            sessions.cookie_name(secure), path="/", secure=secure, httponly=True, samesite="lax"
        )
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
