"""Plain HTML over HTTP: the answer form, the members' results, signing in, exports and health, with the headers that guard them all."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.middleware import Middleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from engagement.config import Config
from engagement.web.answer import AnswerPages, no_such_link
from engagement.web.asks import AskPages
from engagement.web.asks import no_such_page as no_such_own_page
from engagement.web.export import Exports
from engagement.web.headers import Guard
from engagement.web.health import Health
from engagement.web.lane import REPLY, Lane
from engagement.web.mail import MailPages
from engagement.web.oidc import ProviderPages
from engagement.web.plain import serve_file
from engagement.web.public import PublicPages
from engagement.web.results import ResultsPages, no_such_page
from engagement.web.second_factor import SecondFactorPages
from engagement.web.sign_in_link import SignInLinkPages
from engagement.web.staff import StaffPages

# Below this a compressed page is no fewer packets.
GZIP_FROM = 500


def routes(config: Config) -> list[BaseRoute]:
    """The plain routes, to be mounted before Streamlit's."""
    answer, staff, exports, health = AnswerPages(config), StaffPages(config), Exports(config), Health(config)
    results, mail, asks = ResultsPages(config), MailPages(config), AskPages(config)
    factor, provider, links = SecondFactorPages(config), ProviderPages(config), SignInLinkPages(config)
    public = PublicPages(config)
    both = ["GET", "POST"]
    return [
        # Under /a/ too, of which neither we nor the proxy keep a log.
        Route("/a/stop/{token}", mail.stop, methods=both),
        Route("/a/again", mail.again, methods=both),
        AnswerRoute(answer),
        Route("/a/{rest:path}", no_such_link, methods=both),
        Route("/r/{code}/{key}", results.show),
        Route("/r/{rest:path}", no_such_page),
        Route("/m/again", asks.again, methods=both),
        Route("/m/{token}", asks.page, methods=both),
        Route("/m/{rest:path}", no_such_own_page, methods=both),
        Route("/plain/{name}", serve_file),
        Route("/sign-in", staff.sign_in, methods=both),
        Route("/sign-in/demo", staff.demo, methods=["POST"]),
        Route("/sign-in/code", factor.code, methods=both),
        Route("/sign-in/second-factor", factor.manage, methods=both),
        Route("/sign-in/oidc", provider.leave),
        Route("/sign-in/oidc/back", provider.back),
        Route("/sign-in/link", links.ask, methods=both),
        Route("/sign-in/link/{token}", links.follow, methods=both),
        Route("/sign-in/invitation/{token}", links.invitation),
        Route("/sign-out", staff.sign_out, methods=both),
        Route("/password", staff.password, methods=both),
        Route("/export/release/{release_id:int}.json", exports.release_json),
        Route("/export/release/{release_id:int}.csv", exports.release_csv),
        Route("/export/release/{release_id:int}.zip", exports.release_zip),
        Route("/export/release/{release_id:int}/codebook.csv", exports.codebook),
        Route("/export/release/{release_id:int}/charts/{name}", exports.chart),
        Route("/export/audit/{body_id:int}.jsonl", exports.audit_log),
        Route("/privacy/{code}", public.privacy),
        Route("/accessibility", public.accessibility),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
    ]


class AnswerRoute(Route):
    """The answer form's route, which keeps its pages at hand."""

    def __init__(self, pages: AnswerPages):
        async def answer(request):
            # A function: Starlette would take a callable object for an ASGI application.
            return await pages(request)

        super().__init__("/a/{round}/{token}", answer, methods=["GET", "POST"])
        self.pages = pages


def middleware(config: Config, plain: Sequence[BaseRoute] = ()) -> list[Middleware]:
    """What stands before every request, Streamlit's included.

    With `plain`, what `routes` made, requests for the plain pages go to them at once, and pass nothing of
    Streamlit's: its session cookie is kept off them. Filled-in forms have a lane of their own before that.
    """
    guard = Middleware(Guard, config=config, plain=_pages(plain) if plain else None)
    if not plain:
        return [guard]
    answers = next(route.pages for route in plain if isinstance(route, AnswerRoute))
    return [Middleware(Lane, config=config, answers=answers), guard]


def _pages(plain: Sequence[BaseRoute]) -> ASGIApp:
    """The plain pages as an application of their own, compressed where that pays."""
    pages = ExceptionMiddleware(Router(plain))
    compressed = GZipMiddleware(pages, minimum_size=GZIP_FROM)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if (reply := scope.get(REPLY)) is not None:
            await reply(scope, receive, send)
            return
        # What follows a form is a redirect, or a page that is not worth the time of those who wait behind it.
        await (pages if scope["method"] == "POST" else compressed)(scope, receive, send)

    return app
