"""What plain pages at mailed links share: threads, limits, and asking for such a link again."""

from __future__ import annotations

import logging
from collections.abc import Callable

import anyio
from anyio import CapacityLimiter
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from engagement import db
from engagement.config import Config
from engagement.errors import Conflict, Invalid
from engagement.web.limits import Limiter, network_of
from engagement.web.plain import TooLarge, calm, read_form, too_large

log = logging.getLogger(__name__)

WINDOW = 600.0
UNKNOWN_TOKENS = 60
# How often one network, which a practice shares, or one address may ask for a link in ten minutes.
ASKED_BY_NETWORK = 20
ASKED_FOR_ADDRESS = 3


class MailedPages:
    """The pages of one process.

    Parameters
    ----------
    config : the settings.
    """

    def __init__(self, config: Config):
        self.config = config
        self.unknown = Limiter(UNKNOWN_TOKENS, WINDOW)
        self._by_network = Limiter(ASKED_BY_NETWORK, WINDOW)
        self._by_address = Limiter(ASKED_FOR_ADDRESS, WINDOW)
        self._threads: CapacityLimiter | None = None

    async def run(self, work: Callable[..., Response], request: Request) -> Response:
        """Do a page's work in a thread, with the form that was posted, None for GET and HEAD."""
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
            log.error("A page at a mailed link failed: %s", type(error).__name__)
            return calm(
                "The service is not available just now",
                "Nothing was changed. Go back in your browser, wait a minute and try again: what you typed is "
                "still there.",
                status=503,
            )

    # In a thread from here on.

    def network(self, request: Request) -> str:
        """The network that the request came from."""
        return network_of(request.client.host if request.client else None)

    def ask_again(
        self,
        request: Request,
        form: dict[str, str] | None,
        page: Callable[..., HTMLResponse],
        ask: Callable,
        *answer: str,
    ) -> Response:
        """Ask for an address with `page`, and answer every address in the same words: `ask` alone knows whose it is."""
        if form is None:
            return page()
        network, typed = self.network(request), form.get("email", "")[:300]
        if self._by_network.blocked(network):
            return wait()
        self._by_network.failed(network)
        address = typed.strip().lower()
        if not self._by_address.blocked(address):
            self._by_address.failed(address)
            try:
                with db.get(self.config).session() as session:
                    ask(session, typed)
            except Invalid as error:
                return page(typed=typed, problem=str(error), status=422)
            except Conflict as error:
                return calm("Please wait ten minutes", str(error), status=503)
        return calm("Look into your mailbox", *answer)


def wait() -> Response:
    """For a link, a network or an address that does too much at once."""
    page = calm("Please wait ten minutes", "This was tried many times. Nothing was changed.", status=429)
    page.headers["retry-after"] = str(int(WINDOW))
    return page
