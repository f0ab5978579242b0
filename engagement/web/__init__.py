"""Plain HTML over HTTP: the answer form, signing in, exports and health, with the headers that guard them all."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from engagement.config import Config
from engagement.web.answer import AnswerPages, no_such_link
from engagement.web.export import Exports
from engagement.web.headers import Guard
from engagement.web.health import Health
from engagement.web.plain import serve_file
from engagement.web.staff import StaffPages


def routes(config: Config) -> list[BaseRoute]:
    """The plain routes, to be mounted before Streamlit's."""
    answer, staff, exports, health = AnswerPages(config), StaffPages(config), Exports(config), Health(config)
    both = ["GET", "POST"]
    return [
        Route("/a/{round}/{token}", _endpoint(answer), methods=both),
        Route("/a/{rest:path}", no_such_link, methods=both),
        Route("/plain/{name}", serve_file),
        Route("/sign-in", staff.sign_in, methods=both),
        Route("/sign-in/demo", staff.demo, methods=["POST"]),
        Route("/sign-out", staff.sign_out, methods=both),
        Route("/password", staff.password, methods=both),
        Route("/export/release/{release_id:int}.json", exports.release_json),
        Route("/export/release/{release_id:int}.csv", exports.release_csv),
        Route("/healthz", health.alive),
        Route("/readyz", health.ready),
    ]


def _endpoint(page: AnswerPages):
    """A function of the page: Starlette would take a callable object for an ASGI application."""

    async def answer(request):
        return await page(request)

    return answer


def middleware(config: Config) -> list[Middleware]:
    """What stands before every request, Streamlit's included."""
    return [Middleware(Guard, config=config)]
