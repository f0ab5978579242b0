"""What stands before every request: our host, our origin, a live session, and the headers that browsers obey."""

from __future__ import annotations

import base64
import hashlib
import logging
import re
import traceback
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit

import anyio
from anyio import CapacityLimiter
from sqlalchemy.exc import SQLAlchemyError
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engagement import db
from engagement.access import sessions
from engagement.config import Config
from engagement.web.plain import calm

log = logging.getLogger(__name__)

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
# Pages of ours under these paths are plain HTML; everything else is Streamlit's.
PLAIN = (
    "/a/",
    "/m/",
    "/r/",
    "/plain/",
    "/export/",
    "/sign-in",
    "/sign-out",
    "/password",
    "/healthz",
    "/readyz",
    "/privacy/",
    "/accessibility",
)
_PLAIN = frozenset(path.rstrip("/") for path in PLAIN)
_BENEATH_PLAIN = tuple(f"{path}/" for path in _PLAIN)
# Here no cookie is read or set, so that nothing can say which browser or colleague answered.
COOKIELESS = ("/a/", "/m/", "/r/", "/plain/", "/privacy/", "/accessibility")
PROBES = ("/healthz", "/readyz")
# Counts and automation of Streamlit's, and its own way of signing in, which we do not use.
CLOSED = ("/_stcore/metrics", "/_stcore/agent", "/auth/login", "/auth/logout", "/oauth2callback")
SAFE = ("GET", "HEAD", "OPTIONS")
# Bytes of a body: an upload has 10 MB and what stands around it; nothing else that Streamlit takes is large.
LARGEST_UPLOAD = 11 * 1024 * 1024
LARGEST_OTHER = 64 * 1024
# Streamlit's files, which hold no data, and its own small requests.
ASSETS = ("/static/", "/component/", "/_stcore/")
ASSET_FILES = ("/favicon.png", "/favicon.ico", "/manifest.json", "/robots.txt")
# What Streamlit keeps in memory for a page: downloads and pictures made from data, and uploads.
PRIVATE = ("/media/", "/_stcore/upload_file")
PLAIN_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


@cache
def inline_hashes() -> str:
    """CSP sources for the inline scripts of Streamlit's own page, read from the installed package."""
    page = Path(find_spec("streamlit").origin).parent / "static" / "index.html"
    scripts = re.findall(r"<script>(.*?)</script>", page.read_text(encoding="utf-8"), re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts)
    return " ".join(f"'sha256-{digest}'" for digest in digests)


def streamlit_policy(host: str, *, secure: bool) -> str:
    """The policy of Streamlit's pages. Its sockets may go to our host and nowhere else."""
    socket = f"{'wss' if secure else 'ws'}://{host}"
    return (
        f"default-src 'self'; script-src 'self' {inline_hashes()}; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' {socket}; "
        "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    )


def is_plain(path: str) -> bool:
    """Whether a path is one of our plain pages."""
    return path in _PLAIN or path.startswith(_BENEATH_PLAIN)


def is_document(path: str) -> bool:
    """Whether a path would be answered with a page of the Streamlit application.

    Streamlit answers any path that it does not know with its page, so this is all but its assets. A deep link
    asks for its small requests beneath itself (`/gap/_stcore/health`).
    """
    return not (
        is_plain(path)
        or path.startswith((*ASSETS, *PRIVATE))
        or path in ASSET_FILES
        or "/_stcore/" in path
        or "/static/" in path
    )


@lru_cache(maxsize=64)
def _split(url: str) -> tuple[str, str, int | None] | None:
    """Scheme, host name and port of an origin or `//host`, None where it is neither."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname or parts.username is not None or parts.password is not None:
        return None
    if parts.path or parts.query or parts.fragment:
        return None
    return parts.scheme, parts.hostname.rstrip("."), port


class OurSite:
    """Which hosts and origins are ours, from the public address.

    On a local address any of the local names will do, at the port that the browser used: the port of the
    setting and of the server may differ there.
    """

    def __init__(self, config: Config):
        scheme, name, port = _split(config.public_url) or ("http", "localhost", None)
        self.local = name in LOCAL
        self._names = LOCAL if self.local else frozenset({name})
        self._origin = (scheme, name, port or _default_port(scheme))

    def is_our_host(self, host: str | None) -> bool:
        """Whether a Host header names us."""
        found = _split(f"//{host}") if host else None
        return found is not None and found[1] in self._names

    def socket_host(self, host: str | None) -> str:
        """Our host as a policy may name it: rebuilt from its parts, for it comes from a header."""
        found = _split(f"//{host}") if host else None
        if found is None or found[1] not in self._names:
            return self._origin[1]
        name = f"[{found[1]}]" if ":" in found[1] else found[1]
        return f"{name}:{found[2]}" if found[2] else name

    def is_our_origin(self, origin: str | None, host: str | None) -> bool:
        """Whether an Origin header is ours."""
        found = _split(origin) if origin else None
        if found is None or found[0] != self._origin[0]:
            return False
        scheme, name, port = found
        if self.local:
            here = _split(f"//{host}") if host else None
            return (
                here is not None
                and name in LOCAL
                and name == here[1]
                and (port or _default_port(scheme)) == (here[2] or _default_port(scheme))
            )
        return (scheme, name, port or _default_port(scheme)) == self._origin

    def came_from_us(self, headers: Mapping[str, str]) -> bool:
        """Whether a POST was sent by a page of ours: for routes that read a cookie, or set one.

        Browsers send `Origin` with every POST; where a policy has made it "null", `Sec-Fetch-Site` tells.
        A request that has neither is refused.
        """
        fetched = headers.get("sec-fetch-site")
        origin = headers.get("origin")
        if fetched not in (None, "same-origin"):
            return False
        if origin in (None, "null"):
            return fetched == "same-origin"
        return self.is_our_origin(origin, headers.get("host"))


def _default_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _not_from_us() -> Response:
    return calm(
        "This did not come from our page",
        "Nothing was done. Open the page again and send it from there.",
        status=403,
        link=("/sign-in", "Sign in"),
    )


def _is_private(path: str) -> bool:
    """Whether a path leads to what Streamlit keeps in memory for a page, at whatever depth it is asked for."""
    return any(private in path for private in PRIVATE)


def _declared(headers: Mapping[str, str]) -> int:
    """The length of a body as its sender says; nothing where that is no number."""
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 16 else 0


def _bounded(receive: Receive, most: int) -> Receive:
    """A receiver that hangs up on a body larger than it was said to be, before anything parses it."""
    seen = 0

    async def bounded() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
        return message if seen <= most else {"type": "http.disconnect"}

    return bounded


async def _close(receive: Receive, send: Send) -> None:
    """Refuse a WebSocket."""
    await receive()
    await send({"type": "websocket.close", "code": 1008})


def _places(error: Exception) -> str:
    """Where an error came from, without what it says."""
    return "".join(traceback.format_tb(error.__traceback__))


class Guard:
    """The one middleware of ours, outermost, for HTTP and WebSocket alike.

    Parameters
    ----------
    app : what it guards.
    config : the settings.
    standing : says of a request's cookies "stranger", "password" (must change it first) or "live".
    plain : what answers requests for the plain pages, where not `app` does.
    """

    def __init__(
        self,
        app: ASGIApp,
        config: Config,
        standing: Callable[[Mapping[str, str]], str] | None = None,
        plain: ASGIApp | None = None,
    ):
        self.app = app
        self._plain = plain or app
        self.config = config
        self.site = OurSite(config)
        self._standing = standing or self._look_up
        self._limiter: CapacityLimiter | None = None
        inline_hashes()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it."""
        if scope["type"] == "websocket":
            headers = Headers(scope=scope)
            host = headers.get("host")
            if not (self.site.is_our_host(host) and self.site.is_our_origin(headers.get("origin"), host)):
                await _close(receive, send)
                return
            # A page is drawn over its socket, and each costs memory: strangers get none.
            if await self._stands(headers) != "live":
                await _close(receive, send)
                return
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), scope["path"]
        host = headers.get("host")
        if path.startswith(COOKIELESS):
            scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0].lower() != b"cookie"]}
        plain = is_plain(path)
        send, started = self._with_headers(send, path, plain, host)
        answer = await self._answer(scope, headers, path, plain, host)
        if not plain and scope["method"] not in SAFE:
            receive = _bounded(receive, LARGEST_UPLOAD if _is_private(path) else LARGEST_OTHER)
        try:
            await (answer or (self._plain if plain else self.app))(scope, receive, send)
        except Exception as error:
            if not plain or started:
                raise
            # What it says may quote a link or an answer: the log gets its kind and place, the browser neither.
            log.error("A plain page failed: %s\n%s", type(error).__name__, _places(error))
            await PlainTextResponse("Something went wrong on our side. Try again in a few minutes.", 500)(
                scope, receive, send
            )

    async def _answer(self, scope: Scope, headers: Headers, path: str, plain: bool, host: str | None):
        if path in PROBES:
            return None
        if not self.site.is_our_host(host):
            return PlainTextResponse("This service does not answer under that name.", 400)
        if plain:
            ours = scope["method"] in SAFE or path.startswith(COOKIELESS) or self.site.came_from_us(headers)
            return None if ours else _not_from_us()
        if any(path == closed or path.startswith(closed + "/") for closed in CLOSED):
            return PlainTextResponse("Not found", 404)
        private = _is_private(path)
        if scope["method"] not in SAFE:
            if not self.site.came_from_us(headers):
                return _not_from_us()
            if _declared(headers) > (LARGEST_UPLOAD if private else LARGEST_OTHER):
                return PlainTextResponse("This is larger than can be taken.", 413)
        document = scope["method"] in ("GET", "HEAD") and is_document(path)
        if not private and not document:
            return None
        standing = await self._stands(headers)
        if standing is None:
            return PlainTextResponse("The service cannot reach its database. Try again in a minute.", 503)
        if standing == "live":
            return None
        if private:
            return PlainTextResponse("Sign in first.", 401)
        if standing == "password":
            return RedirectResponse("/password", 303)
        query = scope["query_string"].decode("latin-1")
        wanted = path + (f"?{query}" if query else "")
        return RedirectResponse(
            "/sign-in" + (f"?next={quote(wanted, safe='')}" if wanted != "/" else ""), 303
        )

    async def _stands(self, headers: Headers) -> str | None:
        """How the request's cookies stand; None when that cannot be looked up."""
        if self._limiter is None:
            self._limiter = CapacityLimiter(8)
        cookies = cookie_parser(headers.get("cookie", ""))
        try:
            return await anyio.to_thread.run_sync(self._standing, cookies, limiter=self._limiter)
        except SQLAlchemyError as error:
            log.error("Sessions cannot be read: %s", type(error).__name__)
            return None

    def _look_up(self, cookies: Mapping[str, str]) -> str:
        secure = self.config.secure
        if not cookies.get(sessions.cookie_name(secure)):
            return "stranger"
        with db.get(self.config).reading() as session:
            actor = sessions.who(session, cookies, secure=secure)
            if actor is None:
                return "stranger"
            return "password" if sessions.must_change_password(session, actor) else "live"

    def _with_headers(self, send: Send, path: str, plain: bool, host: str | None) -> tuple[Send, list[bool]]:
        """A sender that adds our headers, and a list that is empty until the answer has begun."""
        started: list[bool] = []

        async def wrapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.append(True)
                headers = MutableHeaders(scope=message)
                headers["x-content-type-options"] = "nosniff"
                headers["cross-origin-opener-policy"] = "same-origin"
                headers["cross-origin-resource-policy"] = "same-origin"
                headers["permissions-policy"] = "camera=(), geolocation=(), microphone=(), payment=()"
                headers["x-frame-options"] = "DENY"
                if self.config.secure:
                    headers["strict-transport-security"] = "max-age=31536000"
                if plain:
                    headers["content-security-policy"] = PLAIN_POLICY
                    headers.setdefault("cache-control", "no-store")
                else:
                    ours = self.site.socket_host(host)
                    headers["content-security-policy"] = streamlit_policy(ours, secure=self.config.secure)
                    if _is_private(path):
                        headers["cache-control"] = "no-store"
                # Staff pages keep the origin, which their POST is checked by; a link goes to nobody.
                headers["referrer-policy"] = "no-referrer" if path.startswith(COOKIELESS) else "same-origin"
                if path.startswith(COOKIELESS) and "set-cookie" in headers:
                    del headers["set-cookie"]
            await send(message)

        return wrapped, started
