"""Two plain pages that mails lead to: fewer messages or none, and asking for one's link again.

Opting out takes two steps, the second a choice, for mail scanners follow every link and press the first button.
"""

from __future__ import annotations

import logging

import anyio
from anyio import CapacityLimiter
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engagement import db
from engagement.config import Config
from engagement.errors import Conflict, Invalid, NotFound
from engagement.messaging import link_again, opt_out
from engagement.web.limits import Limiter, network_of
from engagement.web.plain import TooLarge, calm, read_form, render, too_large
from engagement.words import words_of

log = logging.getLogger(__name__)

WINDOW = 600.0
UNKNOWN_TOKENS = 60
# Of one network in ten minutes: a practice shares one.
ASKED_BY_NETWORK = 20
ASKED_FOR_ADDRESS = 3
CHOICES = (
    ("reminders", "Invitations and results, but no reminders"),
    ("all", "No messages at all"),
    ("none", "All messages"),
)
NOW = {
    None: "You get all messages: an invitation to each round, a few reminders, and the results.",
    "reminders": "You get invitations and results, but no reminders.",
    "all": "You get no messages.",
}


class MailPages:
    """The pages of one process.

    Parameters
    ----------
    config : the settings.
    """

    def __init__(self, config: Config):
        self._config = config
        self._unknown = Limiter(UNKNOWN_TOKENS, WINDOW)
        self._by_network = Limiter(ASKED_BY_NETWORK, WINDOW)
        self._by_address = Limiter(ASKED_FOR_ADDRESS, WINDOW)
        self._threads: CapacityLimiter | None = None

    async def stop(self, request: Request) -> Response:
        """`/a/stop/{token}`: GET and HEAD show, the first POST asks which messages, the second with a choice does it."""
        return await self._run(self._stop, request)

    async def again(self, request: Request) -> Response:
        """`/a/again`: GET asks for an address, POST answers every address in the same words."""
        return await self._run(self._again, request)

    async def _run(self, work, request: Request) -> Response:
        if self._threads is None:
            self._threads = CapacityLimiter(4)
        form: dict[str, str] | None = None
        if request.method == "POST":
            try:
                form = await read_form(request)
            except TooLarge:
                return too_large()
        try:
            return await anyio.to_thread.run_sync(work, request, form, limiter=self._threads)
        except SQLAlchemyError as error:
            # Its own text may hold what was typed, or the hash of a link.
            log.error("A page of mail failed: %s", type(error).__name__)
            return calm(
                "The service is not available just now",
                "Nothing was changed. Try again in a few minutes.",
                status=503,
            )

    def _stop(self, request: Request, form: dict[str, str] | None) -> Response:
        token = request.path_params["token"]
        client = network_of(request.client.host if request.client else None)
        if self._unknown.blocked(client):
            return _wait()
        database = db.get(self._config)
        try:
            with database.reading() as session:
                standing = opt_out.find(session, token)
        except NotFound:
            self._unknown.failed(client)
            return _no_such_page()
        if form is None:
            done = request.query_params.get("page") == "done"
            return _stop_page("done" if done else "show", standing)
        # The first step's button posts no field; what else a scanner may add to it is no choice either.
        if form.get("step") != "2":
            return _stop_page("ask", standing)
        try:
            with database.session() as session:
                opt_out.choose(session, token, form.get("choice", ""))
        except Invalid as error:
            return _stop_page("ask", standing, str(error), 422)
        return RedirectResponse("?page=done", 303)

    def _again(self, request: Request, form: dict[str, str] | None) -> Response:
        if form is None:
            return render("again.html", title="Ask for your link again", typed="", problem="")
        client = network_of(request.client.host if request.client else None)
        typed = form.get("email", "")[:300]
        if self._by_network.blocked(client):
            return _wait()
        self._by_network.failed(client)
        address = typed.strip().lower()
        if not self._by_address.blocked(address):
            self._by_address.failed(address)
            try:
                with db.get(self._config).session() as session:
                    link_again.ask(session, typed)
            except Invalid as error:
                return render(
                    "again.html", 422, title="Ask for your link again", typed=typed, problem=str(error)
                )
            except Conflict as error:
                return calm("Please wait ten minutes", str(error), status=503)
        return calm(
            "Look into your mailbox",
            "If a round is open and this address is on its roster, your link arrives within a few minutes. It is "
            "the same link as before.",
            "If you have answered, nothing is sent. If nothing arrives although you have not, ask your engagement "
            "lead whether they have this address.",
        )


def _stop_page(step: str, standing: opt_out.Standing, problem: str = "", status: int = 200) -> Response:
    return render(
        "stop.html",
        status,
        step=step,
        body=standing.body,
        words=words_of(standing.words),
        now=NOW[standing.scope],
        choices=CHOICES,
        problem=problem,
    )


def _no_such_page() -> Response:
    return calm(
        "This link does not work",
        "It may be incomplete: copy the whole link from the message, or open it from there.",
        status=404,
    )


def _wait() -> Response:
    page = calm(
        "Please wait ten minutes",
        "This was tried many times from your network. Nothing was changed.",
        status=429,
    )
    page.headers["retry-after"] = str(int(WINDOW))
    return page
