"""Posted answers, taken before all else: what a request passes on its way to a page costs more than storing an answer."""

from __future__ import annotations

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from engagement.config import Config
from engagement.web.answer import CONFIRMED, AnswerPages
from engagement.web.headers import OurSite
from engagement.web.plain import TooLarge, read_posted, too_large

# A link as we make them, and the query that the form sends itself to; all else goes the ordinary way.
LINK = re.compile(r"/a/([a-z0-9]{12})/([a-z2-7]{26})")
QUERY = b"page=questions"
# Where a request holds a reply that is made already.
REPLY = "engagement.reply"
_EMPTY: Message = {"type": "http.response.body", "body": b""}


class Lane:
    """A way of its own for filled-in forms, which stands before the guard and asks what the guard would ask of them.

    Every reply goes out through the guard, for its headers; that of a stored answer, which says the same to
    everybody, goes through it once and is kept.

    Parameters
    ----------
    app : where all other requests go, and all replies.
    config : the settings.
    answers : what takes the forms.
    """

    def __init__(self, app: ASGIApp, config: Config, answers: AnswerPages):
        self._app = app
        self._site = OurSite(config)
        self._answers = answers
        self._confirmed: Message | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a form, or pass a request on."""
        link = self._link(scope)
        if link is None:
            await self._app(scope, receive, send)
            return
        try:
            form = await read_posted(scope, receive)
        except TooLarge:
            reply = too_large()
        else:
            client = scope.get("client")
            reply = await self._answers.post(*link.groups(), client[0] if client else None, form)
        if reply is not CONFIRMED:
            await self._app({**scope, REPLY: reply}, receive, send)
            return
        if self._confirmed is None:
            await self._app({**scope, REPLY: reply}, receive, self._keeping(send))
            return
        await send(self._confirmed)
        await send(_EMPTY)

    def _link(self, scope: Scope) -> re.Match[str] | None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["query_string"] != QUERY:
            return None
        link = LINK.fullmatch(scope["path"])
        return link if link and self._site.is_our_host(_host(scope)) else None

    def _keeping(self, send: Send) -> Send:
        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._confirmed = message
            await send(message)

        return keep


def _host(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"host":
            return value.decode("latin-1")
    return None
