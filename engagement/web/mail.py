"""Two plain pages that mails lead to: fewer messages or none, and asking for one's link again.

Opting out takes two steps, the second a choice, for mail scanners follow every link and press the first button.
"""

from __future__ import annotations

from functools import partial

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engagement import db
from engagement.errors import Invalid, NotFound
from engagement.messaging import link_again, opt_out
from engagement.web.mailed import MailedPages, wait
from engagement.web.plain import ask_address, calm, render
from engagement.words import words_of

CHOICES = (
    ("reminders", "Invitations and results, but no reminders and no other messages"),
    ("all", "No messages at all"),
    ("none", "All messages"),
)
NOW = {
    None: "You get all messages: an invitation to each round, a few reminders, the results, and now and then another "
    "message to members.",
    "reminders": "You get invitations and results, but no reminders and no other messages.",
    "all": "You get no messages.",
}
AGAIN = partial(
    ask_address,
    "Ask for your link again",
    "Enter the address at which you got your invitation. We send the same link there, if it has not been used.",
    "Send my link",
)


class MailPages(MailedPages):
    """The pages of one process."""

    async def stop(self, request: Request) -> Response:
        """`/a/stop/{token}`: GET and HEAD show, the first POST asks which messages, the second with a choice does it."""
        return await self.run(self._stop, request)

    async def again(self, request: Request) -> Response:
        """`/a/again`: GET asks for an address, POST answers every address in the same words."""
        return await self.run(self._again, request)

    def _stop(self, request: Request, form: dict[str, str] | None) -> Response:
        token = request.path_params["token"]
        network = self.network(request)
        if self.unknown.blocked(network):
            return wait()
        database = db.get(self.config)
        try:
            with database.reading() as session:
                standing = opt_out.find(session, token)
        except NotFound:
            self.unknown.failed(network)
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
        return self.ask_again(
            request,
            form,
            AGAIN,
            link_again.ask,
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
