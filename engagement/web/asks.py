"""A member's own page at `/m/{token}`: asks on behalf of their practice. Plain HTML that needs no script.

GET and HEAD change nothing. Every POST carries a token made from the link and the day; asks are checked on a page of
their own before they are sent, and taking one back is asked twice, for mail scanners press buttons too.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engagement import clock, db
from engagement.clock import show_date
from engagement.config import Config
from engagement.errors import Conflict, EngagementError, NotFound
from engagement.web.limits import Limiter
from engagement.web.mailed import WINDOW, MailedPages, wait
from engagement.web.plain import ask_address, calm, render
from engagement.words import words_of

LONGEST_TOKEN = 100
# What one link may change in ten minutes.
CHANGES = 30
MOST_LISTED = 60
MOST_SAID = 10
DONE = {
    "raised": "Your ask was sent.",
    "endorsed": "Your {practice} stands behind this ask.",
    "back": "Your {practice} no longer stands behind this ask.",
    "withdrawn": "Your {practice}’s ask was taken back.",
    "rated": "Your rating was kept. Thank you.",
}
SCORES = (
    ("5", "5: it does all that we asked for"),
    ("4", "4"),
    ("3", "3: half of it"),
    ("2", "2"),
    ("1", "1: nothing has changed for us"),
)
AGAIN = partial(
    ask_address,
    "Ask for the link to your page",
    "Enter the address that your membership body has for you. If it is on a roster, we send the link to your own page "
    "there.",
    "Send the link",
)


class AskPages(MailedPages):
    """The pages of one process.

    Parameters
    ----------
    config : the settings.
    """

    def __init__(self, config: Config):
        super().__init__(config)
        self._changes = Limiter(CHANGES, WINDOW)

    async def page(self, request: Request) -> Response:
        """`/m/{token}`: the page of its owner."""
        return await self.run(self._page, request)

    async def again(self, request: Request) -> Response:
        """`/m/again`: GET asks for an address, POST answers every address in the same words."""
        return await self.run(self._again, request)

    def _page(self, request: Request, form: dict[str, str] | None) -> Response:
        from engagement.asks import members

        token = request.path_params["token"]
        network = self.network(request)
        if self.unknown.blocked(network):
            return wait()
        if len(token) > LONGEST_TOKEN:
            return unknown()
        database = db.get(self.config)
        try:
            with database.reading() as session:
                visitor = members.visitor(session, token)
        except NotFound:
            self.unknown.failed(network)
            return unknown()
        visit = Visit(database, token.strip().lower(), visitor, request.query_params)
        if form is None:
            return visit.show()
        if not visit.is_ours(form.get("csrf", "")):
            return visit.stale()
        if self._changes.blocked(visit.token):
            return wait()
        self._changes.failed(visit.token)
        return visit.act(form)

    def _again(self, request: Request, form: dict[str, str] | None) -> Response:
        from engagement.messaging import my_page

        if self.config.mail.way == "off":
            return calm(
                "This service sends no mail",
                "Ask your engagement lead for the link to your own page.",
                status=404,
            )
        return self.ask_again(
            request,
            form,
            AGAIN,
            my_page.ask,
            "If this address is on a roster, the link to your own page arrives within a few minutes. It is the same "
            "link as before.",
            "If nothing arrives, ask your engagement lead whether they have this address.",
        )


class Visit:
    """One request of somebody whose link is known."""

    def __init__(self, database: db.Database, token: str, visitor, query: Mapping[str, str]):
        self.database = database
        self.token = token
        self.visitor = visitor
        self.words = words_of(visitor.words)
        self.step = query.get("page", "")
        self.done = DONE.get(query.get("done", ""), "").format_map(self.words)
        self.topic = query.get("topic", "")
        number = query.get("ask", "")
        self.ask_id = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else None

    # What a form must carry.

    def csrf(self, days_ago: int = 0) -> str:
        """A token for the forms of a day: from the link, which nobody else knows."""
        day = (clock.now() - timedelta(days=days_ago)).date().isoformat()
        return hmac.new(self.token.encode(), f"v1|form|{day}".encode(), sha256).hexdigest()[:32]

    def is_ours(self, given: str) -> bool:
        """Whether a form came from this page, today or yesterday."""
        given = given.encode()
        return any(hmac.compare_digest(self.csrf(days).encode(), given) for days in (0, 1))

    def stale(self) -> Response:
        """For a form that is older than a day, or not ours."""
        return calm(
            "This page was open for too long",
            "Nothing was changed. Open the page again and repeat what you did; what you typed is still there when you "
            "go back in your browser.",
            top=self.visitor.body,
            link=("?", "Open my page again"),
            status=403,
        )

    # Showing.

    def show(self) -> Response:
        """The page that the address calls for."""
        if self.step == "raise" and self.visitor.practice_id is not None:
            return self.form({"topic": self.topic}) if self.topic else self.choose_topic()
        if self.ask_id is not None:
            return self.one()
        return self.home()

    def home(self, problem: str = "", status: int = 200) -> Response:
        """What the practice asked, what others ask, what was said and done."""
        from engagement.asks import members, requests, you_said
        from engagement.council import results

        with self.database.reading() as session:
            found = members.asks(session, self.visitor)
            said = you_said.you_said(session, self.visitor.body_id)
            balances = requests.balances(session, self.visitor.body_id)
            place = results.address(session, self.visitor.code)
        mine = [ask for ask in found if ask.asked_by(self.visitor.practices)]
        others = [ask for ask in found if ask not in mine]
        # What waits comes first, then what many stand behind.
        others.sort(key=lambda ask: (ask.state != "waiting", -len(ask.backers), -ask.id))
        with_it = {like.ask_id for ask in mine if not ask.withdrawn for like in ask.alike}
        rest = [ask for ask in others if ask.id not in with_it]
        return self.render(
            "my_page.html",
            status,
            problem=problem,
            mine=[self.line(ask) for ask in mine],
            others=[self.line(ask) for ask in rest[:MOST_LISTED]],
            more=len(rest) > MOST_LISTED,
            like_ours=[self.line(ask) for ask in others if ask.id in with_it],
            told=[{"each": each, "we": you_said.WE[each.kind]} for each in said[:MOST_SAID]],
            both_ways=self.both_ways(balances),
            results=place,
        )

    def both_ways(self, balances) -> list[tuple[str, str, str]]:
        """What is asked each way: a label, the practice's number, and all practices' with the mean of one."""
        from engagement.asks import requests

        own = next((line for line in balances if line.id in self.visitor.practices), None)
        total = requests.in_all(balances)
        body = self.words["body"]

        def in_all(name: str, *, each: bool) -> str:
            number = getattr(total, name)
            return f"{number} ({number / max(len(balances), 1):.1f} each)" if each else str(number)

        return [
            (label, str(getattr(own, name)) if own else "", in_all(name, each=each))
            for label, name, each in (
                (f"Asks of the {body}", "asked", False),
                ("… of them answered", "answered", False),
                ("… of them done", "done", False),
                (f"Surveys that the {body} asked for", "surveys", True),
                ("Meetings that it asked to", "meetings", True),
                ("Other requests of it", "requests", True),
            )
        ]

    def line(self, ask) -> dict:
        """An ask in a list."""
        from engagement.asks import ledger

        state = ledger.STATE_NAMES[ask.state]
        if ask.overdue(clock.today()):
            state = f"Overdue: an answer was due by {show_date(ask.answer_by)}"
        elif ask.state == ledger.WAITING:
            state = f"To be answered by {show_date(ask.answer_by)}"
        return {
            "id": ask.id,
            "need": ask.need,
            "practice": ask.practice,
            "state": state,
            "backers": len(ask.backers),
            "hidden": ask.hidden or not ask.public,
        }

    def choose_topic(self) -> Response:
        """First step of an ask: what it is about."""
        from engagement.asks import topics

        groups = {
            title: [t.in_words(self.words) for t in topics.topics().values() if t.group == group]
            for group, title in topics.GROUPS.items()
        }
        return self.render("ask_topic.html", groups=groups)

    def form(
        self, typed: Mapping[str, str], faults: Mapping[str, str] | None = None, status: int = 200
    ) -> Response:
        """Second step: the ask, with an example beside each field."""
        from engagement.asks import topics

        topic = topics.topics().get(typed.get("topic", "")) or topics.topics()["other"]
        return self.render(
            "ask_form.html",
            status,
            topic=topic.in_words(self.words),
            goals=topics.goals().values(),
            typed=typed,
            limits={name: limit for name, (limit, _) in topics.FIELDS.items()},
            faults=faults or {},
        )

    def check(self, draft, typed: Mapping[str, str]) -> Response:
        """Third step: the ask as others will read it, before it is sent."""
        from engagement.asks import members, topics

        return self.render(
            "ask_check.html",
            ask=draft,
            topic=topics.label(draft.topic, self.words),
            serves=topics.in_terms_of_goals(draft),
            advice=topics.advice(draft, self.words),
            typed={
                name: typed.get(name, "") for name in (*topics.FIELDS, "topic", "goal", "private", "named")
            },
            by=show_date(clock.today() + members.ANSWER_WITHIN),
        )

    def one(self, problem: str = "", typed: Mapping[str, str] | None = None, status: int = 200) -> Response:
        """One ask, and what the visitor's practice may do about it."""
        from engagement.asks import ledger, members, topics

        try:
            with self.database.reading() as session:
                ask = members.one(session, self.visitor, self.ask_id)
                mine = members.my_rating(session, self.token, ask.id)
        except NotFound:
            return calm(
                "This ask is not here",
                "It was taken back, or it is for another reader.",
                top=self.visitor.body,
                link=("?", "Back to my page"),
                status=404,
            )
        ours = ask.asked_by(self.visitor.practices)
        asking = self.visitor.practice_id is not None and not ours and not ask.withdrawn
        return self.render(
            "ask.html",
            status,
            ask=ask,
            line=self.line(ask),
            topic=topics.label(ask.topic, self.words),
            serves=topics.in_terms_of_goals(ask),
            on=show_date(ask.raised_at),
            ours=ours,
            endorses=ask.backed_by(self.visitor.practices),
            may_endorse=asking,
            together=next(
                (b.together for b in ask.backers if b.practice_id in self.visitor.practices), False
            ),
            with_them=[b.practice for b in ask.backers if b.together],
            replies=[
                {
                    "what": ledger.ANSWER_NAMES[reply.kind],
                    "text": reply.text,
                    "on": show_date(reply.at),
                    "due": show_date(reply.due_on) if reply.due_on else "",
                }
                for reply in ask.replies
            ],
            rated=round(ask.rated, 1) if ask.rated else None,
            may_rate=members.may_rate(self.visitor, ask),
            scores=SCORES,
            typed=typed
            if typed is not None
            else {"score": str(mine.score), "text": mine.text}
            if mine
            else {},
            may_withdraw=ours and not ask.withdrawn and ask.state != ledger.DONE,
            withdrawing=self.step == "withdraw",
            problem=problem,
        )

    def render(self, template: str, status: int = 200, /, **values) -> Response:
        """A page with what all of them hold."""
        return render(
            template,
            status,
            body=self.visitor.body,
            practice=self.visitor.practice,
            words=self.words,
            csrf=self.csrf(),
            done=self.done,
            **values,
        )

    # Changing.

    def act(self, form: Mapping[str, str]) -> Response:
        """Do what a form asks for, and lead on to a page that shows it."""
        try:
            if self.step == "raise":
                return self.raise_ask(form)
            if self.ask_id is not None:
                return self.change(form)
        except EngagementError as error:
            if self.ask_id is None:
                return self.home(str(error), 409)
            return self.one(str(error), form if "score" in form or "text" in form else None, 409)
        return RedirectResponse("?", 303)

    def raise_ask(self, form: Mapping[str, str]) -> Response:
        """Check an ask, show it, or send it."""
        from engagement.asks import members, topics

        draft, faults = topics.draft(form)
        if draft is None:
            return self.form(form, faults, 422)
        match form.get("do"):
            case "change":
                return self.form(form)
            case "send":
                try:
                    with self.database.session() as session:
                        ask_id = members.raise_ask(session, self.token, draft)
                except Conflict as error:
                    # On the form, so that what was typed is not lost.
                    return self.form(form, {"need": str(error)}, 409)
                return RedirectResponse(f"?ask={ask_id}&done=raised", 303)
        return self.check(draft, form)

    def change(self, form: Mapping[str, str]) -> Response:
        """Endorse an ask, take that back, take one's own back, or rate what was done."""
        from engagement.asks import members

        with self.database.session() as session:
            match form.get("do"):
                case "endorse":
                    members.endorse(session, self.token, self.ask_id, together=form.get("together") == "yes")
                    done = "endorsed"
                case "back":
                    members.take_back(session, self.token, self.ask_id)
                    done = "back"
                case "withdraw":
                    members.withdraw(session, self.token, self.ask_id)
                    done = "withdrawn"
                case "rate":
                    score = form.get("score", "")
                    members.rate(
                        session,
                        self.token,
                        self.ask_id,
                        int(score) if score in ("1", "2", "3", "4", "5") else None,
                        form.get("text", ""),
                    )
                    done = "rated"
                case _:
                    return RedirectResponse(f"?ask={self.ask_id}", 303)
        return RedirectResponse(f"?ask={self.ask_id}&done={done}", 303)


async def no_such_page(request: Request) -> Response:
    """Everything else under `/m/`."""
    return unknown()


def unknown() -> Response:
    """The one page for every link that is none."""
    return calm(
        "This link does not work",
        "It may be incomplete: copy the whole link from your message. If it still does not work, a newer one may "
        "have been made for you.",
        link=("/m/again", "Ask for the link to my page"),
        status=404,
    )
