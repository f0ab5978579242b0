"""What all pages of signing in share: threads, the check of where a POST came from, limits, and the start of a session."""

from __future__ import annotations

import logging
import re
import secrets
from datetime import timedelta
from functools import cached_property
from urllib.parse import quote

import anyio
from anyio import CapacityLimiter
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engagement import db
from engagement.access import sessions, totp
from engagement.access.attempts import Attempts, Limit
from engagement.access.keys import app_key
from engagement.config import Config
from engagement.errors import Unsafe
from engagement.models import Account
from engagement.web.headers import OurSite
from engagement.web.limits import network_of
from engagement.web.plain import TooLarge, calm, read_form, too_large

log = logging.getLogger(__name__)

EIGHT_HOURS = 8 * 3600
TEN_MINUTES = 600
CODE_PAGE, SET_UP_PAGE = "/sign-in/code", "/sign-in/second-factor"
WAIT = "Too many attempts. Wait 15 minutes, then try again"
QUARTER, HOUR, DAY = timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)
# A second factor has a million codes, of which three are right: five tries, and twenty in a day.
CODE, CODE_DAY = Limit("code", 5, QUARTER), Limit("code-day", 20, DAY)
_NONCE = re.compile(r"[A-Za-z0-9_-]{43}")
_BROWSERS = (("Edg", "Edge"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
_SYSTEMS = (
    ("Windows", "Windows"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Mac OS", "Mac"),
    ("Linux", "Linux"),
)


def safe_next(wanted: str | None) -> str:
    """Where to go after signing in: a path of ours, else the first page. Never another site."""
    wanted = wanted or "/"
    good = (
        wanted.startswith("/") and not wanted.startswith("//") and "\\" not in wanted and wanted.isprintable()
    )
    return wanted if good and len(wanted) <= 1000 else "/"


def with_next(page: str, wanted: str) -> str:
    """A page of ours that is to lead on to another."""
    return page + (f"?next={quote(wanted, safe='')}" if wanted != "/" else "")


def device_of(agent: str | None) -> str:
    """A browser in words, such as "Firefox on Windows", for its owner to know it by; empty where it says nothing known."""
    agent = agent or ""
    browser = next((name for mark, name in _BROWSERS if mark in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return " on ".join(part for part in (browser, system) if part)


class Door:
    """The pages of one process around one way in.

    Parameters
    ----------
    config : the settings.
    """

    def __init__(self, config: Config):
        self.config = config
        self._site = OurSite(config)
        self._threads: CapacityLimiter | None = None

    @cached_property
    def attempts(self) -> Attempts:
        """What counts attempts; its key is read, or made, when somebody first tries."""
        return Attempts(app_key(self.config.app_keys, "attempts"))

    @cached_property
    def factor_key(self) -> bytes:
        """The key that second factors are sealed with."""
        return app_key(self.config.app_keys, "second-factor")

    @property
    def secure(self) -> bool:
        """Whether cookies are for https only."""
        return self.config.secure

    async def run(self, work, request: Request, *more) -> Response:
        """Do a page's work in a thread."""
        if self._threads is None:
            # Few at a time: each check of a password takes 64 MB for a moment.
            self._threads = CapacityLimiter(4)
        try:
            return await anyio.to_thread.run_sync(work, request, *more, limiter=self._threads)
        except Unsafe as error:
            # A key is damaged, or another than the one that was sealed with: the words say what to do.
            log.error("a key of signing in cannot be used")
            return calm("You cannot sign in just now", str(error), status=503)
        except SQLAlchemyError as error:
            log.error("%s failed: %s", request.scope["path"].split("/")[1], type(error).__name__)
            return calm(
                "The service is not available just now",
                "Nothing was done. Try again in a minute.",
                status=503,
            )

    async def posted(self, work, request: Request) -> Response:
        """Do the work of a POST that reads a cookie or sets one: only if a page of ours sent it."""
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
        return await self.run(work, request, form)

    # In a thread from here on.

    def who(self, session: Session, request: Request):
        """The actor of the request, None for a stranger and for somebody halfway in."""
        return sessions.who(session, request.cookies, secure=self.secure)

    def halfway(self, session: Session, request: Request) -> Account | None:
        """Whose second factor is still to come."""
        return sessions.halfway(session, request.cookies, secure=self.secure)

    def network(self, request: Request) -> str:
        """The network that the request came from."""
        return network_of(request.client.host if request.client else None)

    def take(self, *counted: tuple[Limit, tuple[str, ...]]) -> list[str] | None:
        """Count an attempt, in a transaction of its own: what follows may be slow."""
        with db.get(self.config).session() as session:
            return self.attempts.take(session, *counted)

    def start(
        self, request: Request, account_id: int, wanted: str, *, way: str, assured: bool = False
    ) -> Response | None:
        """Start a session and go on: to what was wanted, or to what must be done before. None for a disabled account."""
        with db.get(self.config).session() as session:
            account = session.get(Account, account_id)
            if account is None or account.disabled:
                return None
            # A session that the browser brought along ends: nobody can be signed in with a cookie planted before.
            sessions.sign_out(session, request.cookies, secure=self.secure)
            device = device_of(request.headers.get("user-agent"))
            value = sessions.sign_in(session, account, assured=assured, way=way, device=device)
            where = "/password" if account.must_change else wanted
            if not assured and sessions.needs_second_factor(session, account):
                where = with_next(CODE_PAGE if totp.is_set_up(session, account_id) else SET_UP_PAGE, wanted)
        response = RedirectResponse(where, 303)
        self.set_cookie(response, sessions.cookie_name(self.secure), value, EIGHT_HOURS)
        return response

    def set_cookie(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Set a cookie that no script, other host or cross-site POST gets."""
        response.set_cookie(
            name, value, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax"
        )

    def drop_cookie(self, response: Response, name: str) -> None:
        """Have the browser forget a cookie."""
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="lax")

    def nonce(self, request: Request, purpose: str) -> tuple[str, str]:
        """The name of a cookie that tells this browser from others, and its value: what it has, or a new one."""
        name = f"__Host-{purpose}" if self.secure else purpose
        found = request.cookies.get(name, "")
        return name, found if _NONCE.fullmatch(found) else secrets.token_urlsafe(32)
