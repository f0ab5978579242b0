"""The answer form at `/a/{round}/{token}`: plain HTML that needs no script, reads no cookie and logs nobody.

GET and HEAD change nothing, for mail scanners follow links. A link is used only by a complete sheet, and given
back only by the second of two steps, for scanners press buttons too.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
import traceback
from collections.abc import Mapping, Sequence
from datetime import datetime

from anyio import CapacityLimiter
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engagement import clock, db
from engagement.access import audit
from engagement.config import Config
from engagement.intake import submit as intake
from engagement.intake.gather import Answer, Gatherer, Steps
from engagement.intake.sheet import CHOICES, Fault, is_open, read_sheet
from engagement.intake.submit import Door, DoorState, Outcome
from engagement.rounds import lifecycle
from engagement.rounds.lifecycle import Amendment
from engagement.web.limits import Limiter, network_of
from engagement.web.plain import TooLarge, calm, read_form, render, too_large
from engagement.words import words_of

log = logging.getLogger(__name__)

DONE = "?page=done"
# The one reply to whoever's answer is stored: it says nothing of them or of it.
CONFIRMED = RedirectResponse(DONE, 303)
LONGEST_TOKEN = 100
_IDEM_KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
UNKNOWN_LINKS = 60
UNKNOWN_WINDOW = 600.0
MOST_PROMISES = 64
# How long, in seconds, the lines on what the last round led to are kept.
LED_TO_KEPT = 300.0


class _NoSuchLink(Exception):
    """A link that is none, or none any more."""


class AnswerPages:
    """The pages of one process.

    Parameters
    ----------
    config : the settings.
    limiter : counts unknown links per client; blocks only the looking up of more of them.
    """

    def __init__(self, config: Config, limiter: Limiter | None = None):
        self._config = config
        self._unknown = limiter or Limiter(UNKNOWN_LINKS, UNKNOWN_WINDOW)
        self._promises: dict[str, Mapping] = {}
        self._led: dict[str, tuple[float, list[str]]] = {}
        self._gatherer: Gatherer | None = None

    async def __call__(self, request: Request) -> Response:
        """Answer a request for a link."""
        form: dict[str, str] | None = None
        if request.method == "POST":
            try:
                form = await read_form(request)
            except TooLarge:
                return too_large()
        visit = Visit(
            public_id=request.path_params["round"],
            token=request.path_params["token"],
            page=request.query_params.get("page", ""),
        )
        return await self._run(visit, request.client.host if request.client else None, form)

    async def post(self, public_id: str, token: str, address: str | None, form: dict[str, str]) -> Response:
        """What is told to who sends a filled-in form."""
        return await self._run(Visit(public_id, token, "questions"), address, form)

    async def _run(self, visit: Visit, address: str | None, form: dict[str, str] | None) -> Response:
        if self._gatherer is None:
            # Apart from the pool that serves Streamlit's files: a wait for the database must not stop those.
            self._gatherer = Gatherer(db.get(self._config), CapacityLimiter(16))
        return await self._gatherer.run(self._respond(visit, address, form), gathered=form is not None)

    def _respond(self, visit: Visit, address: str | None, form: dict[str, str] | None) -> Steps[Response]:
        client = network_of(address)
        if len(visit.token) > LONGEST_TOKEN or len(visit.public_id) > LONGEST_TOKEN:
            return unknown()
        suspected = self._unknown.blocked(client)
        if form is None and suspected:
            return too_many_unknown()
        try:
            return (yield from self._answer(visit, form, suspected))
        except _NoSuchLink:
            self._unknown.failed(client)
            return unknown()
        except Exception as error:
            _note("A link could not be looked up", error)
            return unavailable() if form is None else resend(form)

    def _look(self, visit: Visit) -> Door:
        with db.get(self._config).reading() as session:
            door = intake.look(session, visit.public_id, visit.token)
            if door.promise is not None:
                visit.amendments = lifecycle.told(session, visit.public_id)
            if door.state == DoorState.CLOSED and door.promise is not None:
                # Brings numpy, which the form has no use for.
                from engagement.council import results

                visit.results = results.address(session, door.promise["body"]["code"])
        if door.state == DoorState.UNKNOWN:
            raise _NoSuchLink
        if door.promise is not None:
            if len(self._promises) >= MOST_PROMISES:
                self._promises.clear()
            self._promises[visit.public_id] = door.promise
        return door

    def _answer(self, visit: Visit, form: dict[str, str] | None, suspected: bool) -> Steps[Response]:
        if form is None:
            door = self._look(visit)
            if door.state == DoorState.READY and not visit.page:
                visit.led_to = self._led_to(visit.public_id)
            return show(visit, door)
        if visit.page == "withdraw":
            return self._withdraw(visit, self._look(visit), form)
        # A promise never changes, so one that was read before will do to check a sheet by, and storing it
        # decides the rest. A client that guesses is looked at first: it must not take the lock for writing.
        promise = None if suspected else self._promises.get(visit.public_id)
        if promise is None:
            promise = self._look(visit).promise
        return (yield from self._take(visit, promise, form))

    def _led_to(self, public_id: str) -> list[str]:
        """What the last round led to, read once in a while. Without it the form is as good: nothing may hold it up."""
        read_at, lines = self._led.get(public_id, (None, []))
        if read_at is not None and time.monotonic() - read_at < LED_TO_KEPT:
            return lines
        from engagement.asks import you_said

        try:
            with db.get(self._config).reading() as session:
                lines = you_said.led_to(session, public_id)
        except Exception as error:
            _note("What the last round led to could not be read", error)
        if len(self._led) >= MOST_PROMISES:
            self._led.clear()
        self._led[public_id] = (time.monotonic(), lines)
        return lines

    def _take(self, visit: Visit, promise: Mapping, form: dict[str, str]) -> Steps[Response]:
        """Check a posted sheet and store it; whatever goes wrong, what was typed comes back."""
        sheet, faults = read_sheet(promise, form)
        if sheet is None:
            door = self._look(visit)
            if door.state != DoorState.READY:
                return show(visit, door, by_another=True, status=409)
            return questions(visit, door, form, faults, status=422)
        key = _idem_key(form)
        try:
            outcome = yield Answer(visit.public_id, visit.token, sheet, key)
        except Exception as error:
            _note("A sheet could not be stored", error)
            kept = form | {"idem_key": key}
            return questions(visit, self._look(visit), kept, [], not_recorded=True, status=503)
        if outcome == Outcome.STORED:
            return CONFIRMED
        if outcome == Outcome.UNKNOWN:
            raise _NoSuchLink
        door = self._look(visit)
        if outcome == Outcome.ALREADY and visit.cancelled is None:
            # After the close the confirmation's own address says only that the round is closed.
            return done(visit, door) if door.state == DoorState.CLOSED else RedirectResponse(DONE, 303)
        if outcome == Outcome.ALREADY:
            return show(visit, door)
        return show(visit, door, by_another=True, status=409)

    def _withdraw(self, visit: Visit, door: Door, form: Mapping[str, str]) -> Response:
        if door.state != DoorState.USED or not door.can_withdraw:
            return show(visit, door)
        choice = form.get("sure")
        if choice == "no":
            return RedirectResponse("?", 303)
        if choice != "yes":
            return withdraw_page(door, "Choose whether to withdraw your answers", 422)
        try:
            with db.get(self._config).session() as session:
                withdrawn = intake.withdraw(session, visit.public_id, visit.token)
                now = intake.look(session, visit.public_id, visit.token)
        except Exception as error:
            _note("A withdrawal could not be stored", error)
            return calm(
                "Your answers were NOT withdrawn",
                "The service could not do this just now. Wait a minute, go back and try again.",
                status=503,
                top=body_name(door),
            )
        # A second press of the button finds them withdrawn already.
        if withdrawn or now.state == DoorState.WITHDRAWN:
            return RedirectResponse("?page=withdrawn", 303)
        return calm(
            "Your answers were NOT withdrawn",
            "The round has closed in the meantime, and answers cannot be taken out after that.",
            status=409,
            top=body_name(door),
        )


class Visit:
    """Which link, and which of its pages."""

    def __init__(self, public_id: str, token: str, page: str):
        self.public_id = public_id
        self.token = token
        self.page = page
        self.results: str | None = None
        self.led_to: list[str] = []
        self.amendments: tuple[Amendment, ...] = ()

    @property
    def cancelled(self) -> Amendment | None:
        """The amendment by which the round was cancelled, if it was."""
        last = self.amendments[-1] if self.amendments else None
        return last if last is not None and last.kind == "cancelled" else None

    @property
    def keep(self) -> str:
        """The name under which the browser keeps unsent answers of this round.

        A few characters of the link's hash keep two colleagues at one screen apart; they lead nobody to it.
        """
        link = audit.sha256("keep|" + self.token.strip().lower())
        return f"keep-{self.public_id}-{link[:8]}"


def _note(what: str, error: Exception) -> None:
    """Log a failure by its kind and place only: an error's own text may hold answers or a link's hash."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].name}, line {frames[-1].lineno}" if frames else "unknown place"
    kind = type(getattr(error, "orig", None) or error).__name__ if isinstance(error, SQLAlchemyError) else ""
    log.error("%s: %s%s in %s", what, type(error).__name__, f" ({kind})" if kind else "", place)


def _idem_key(form: Mapping[str, str]) -> str:
    key = form.get("idem_key", "")
    return key if _IDEM_KEY.fullmatch(key) else secrets.token_urlsafe(24)


# What a page needs of a door and its promise.


def words(door: Door) -> dict[str, str]:
    """The body's words, as the promise froze them."""
    return words_of((door.promise or {}).get("body", {}).get("words"))


def body_name(door: Door) -> str:
    """The body's name, or nothing where the promise is not known."""
    return (door.promise or {}).get("body", {}).get("name", "")


def _closes(door: Door) -> datetime | None:
    if door.closes_at:
        return door.closes_at
    planned = (door.promise or {}).get("closes_at")
    return datetime.fromisoformat(planned) if planned else None


def _until(door: Door) -> str:
    """ "until the round closes (planned for 6 December 2026 at 5pm)"."""
    closes = _closes(door)
    return "until the round closes" + (f" (planned for {clock.show_instant(closes)})" if closes else "")


def _opened(door: Door) -> str:
    closes = _closes(door)
    if door.state == DoorState.CLOSED or closes is None:
        return "The round is closed. All answers are opened together, shuffled and counted."
    return (
        f"When the round closes (planned for {clock.show_instant(closes)}), all answers are opened together, "
        "shuffled and counted."
    )


def _moved_from(door: Door) -> str:
    planned = (door.promise or {}).get("closes_at")
    if not planned or not door.closes_at or datetime.fromisoformat(planned) == door.closes_at:
        return ""
    return clock.show_instant(datetime.fromisoformat(planned))


def fingerprint(promise_hash: str | None) -> str:
    """The start of the promise's SHA-256, in groups that can be read out."""
    start = (promise_hash or "")[:16]
    return " ".join(start[place : place + 4] for place in range(0, len(start), 4))


def _who_has_results(door: Door) -> str:
    said = words(door)
    return (
        f"Results are published to the members by your {said['governing_body']}. Your {said['council']} and the "
        f"{said['body']}’s engagement lead have them too, once they have been checked: ask any of them."
    )


def _common(door: Door) -> dict:
    promise = door.promise or {}
    return {
        "body": body_name(door),
        "words": words(door),
        "round": promise.get("round", {}),
        "tier": promise.get("tier", ""),
        "form": door.form,
        "until": _until(door),
    }


# The pages.


def show(visit: Visit, door: Door, *, by_another: bool = False, status: int = 200) -> Response:
    """The page that a link's state calls for."""
    match door.state:
        case DoorState.UNKNOWN:
            return unknown()
        case DoorState.NOT_OPEN:
            opens = (
                f"It opens on {clock.show_instant(door.opens_at)}." if door.opens_at else "It will open soon."
            )
            return calm(
                "This round is not open yet",
                f"{opens} Your link will work then: keep it.",
                top=body_name(door),
                status=status,
            )
        case DoorState.CLOSED if visit.cancelled is not None:
            return cancelled(visit, door, by_another=by_another, status=status)
        case DoorState.CLOSED:
            lost = ["What you sent just now came after the close and was NOT recorded."] if by_another else []
            return calm(
                "This round is closed",
                *lost,
                "No more answers can be given, changed or withdrawn.",
                _who_has_results(door),
                top=body_name(door),
                link=(visit.results, "Results for members") if visit.results else None,
                forget="" if by_another else visit.keep,
                status=status,
            )
        case DoorState.WITHDRAWN:
            return calm(
                "Your answers have been withdrawn",
                "They will be removed before anything is counted. You count as not having answered, and no "
                "reminders follow.",
                _who_has_results(door),
                top=body_name(door),
                forget=visit.keep,
                status=status,
            )
        case DoorState.USED:
            if visit.page == "done" and not by_another:
                return done(visit, door)
            if visit.page == "withdraw" and door.can_withdraw and not by_another:
                return withdraw_page(door)
            return render(
                "spent.html",
                status,
                title="This link has already been used" if by_another else "Your answers have been received",
                by_another=by_another,
                can_withdraw=door.can_withdraw,
                next=_who_has_results(door),
                keep=visit.keep,
                **_common(door),
            )
    if visit.page == "questions":
        return questions(visit, door, {}, [])
    return start(door, visit.amendments, visit.led_to)


def cancelled(visit: Visit, door: Door, *, by_another: bool = False, status: int = 200) -> Response:
    """A round that was cancelled: what became of the answers, and why."""
    lost = ["What you sent just now was NOT recorded."] if by_another else []
    return calm(
        "This round was cancelled",
        *lost,
        f"It was cancelled on {clock.show_date(visit.cancelled.at)} and takes no more answers. The reason given: "
        f"“{visit.cancelled.reason}”",
        "Answers that had been sent are destroyed unopened. Nobody has read them, and nothing of them is published.",
        "There is nothing that you need to do.",
        f"The fingerprint of this change to the promise starts with {fingerprint(visit.cancelled.hash)}.",
        top=body_name(door),
        forget="" if by_another else visit.keep,
        status=status,
    )


def amended(amendment: Amendment) -> str:
    """What an amendment of an open round changed, in one sentence."""
    on = f"On {clock.show_date(amendment.at)}"
    if amendment.kind == "extended":
        text = (
            f"{on} the closing time was moved from {clock.show_instant(amendment.closed_before)} to "
            f"{clock.show_instant(amendment.closes_at)}."
        )
    elif amendment.kind == "paused":
        text = f"{on} messages about this round were paused; answering was not."
    else:
        text = f"{on} messages were resumed."
    return text + (f" The reason given: “{amendment.reason}”" if amendment.reason else "")


def start(door: Door, amendments: Sequence[Amendment] = (), led_to: Sequence[str] = ()) -> Response:
    """The first screen: who can see what, before anything is asked."""
    promise = door.promise
    closes = _closes(door)
    years = promise.get("retention_years", 5)
    open_items = sum(is_open(item) for item in promise["items"])
    return render(
        "start.html",
        closed_items=len(promise["items"]) - open_items,
        open_items=open_items,
        close="the round closes" + (f" (planned for {clock.show_instant(closes)})" if closes else ""),
        early=promise.get("may_close_early", False),
        moved_from=_moved_from(door),
        k=promise["threshold"],
        key_holder=_sentence(promise.get("key_holder") or "the engagement lead’s organisation"),
        years=f"{years} year{'' if years == 1 else 's'}",
        fingerprint=fingerprint(door.promise_hash),
        code=(promise.get("body") or {}).get("code"),
        amendments=[(amended(each), fingerprint(each.hash)) for each in amendments],
        paused=bool(amendments) and amendments[-1].kind == "paused",
        led_to=led_to,
        **_common(door),
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def questions(
    visit: Visit,
    door: Door,
    typed: Mapping[str, str],
    faults: list[Fault],
    *,
    not_recorded: bool = False,
    status: int = 200,
) -> Response:
    """The form, with everything typed in it and what is to be put right."""
    return render(
        "questions.html",
        status,
        items=door.promise["items"],
        choices=CHOICES,
        typed=typed,
        problems=faults,
        faults={fault.field: fault.message for fault in faults},
        not_recorded=not_recorded,
        idem_key=_idem_key(typed),
        keep=visit.keep,
        **_common(door),
    )


def done(visit: Visit, door: Door) -> Response:
    """The confirmation. Says nothing of what was answered, and holds when it is reloaded."""
    return render(
        "done.html",
        opened=_opened(door),
        next=_who_has_results(door),
        can_withdraw=door.can_withdraw and door.state == DoorState.USED,
        keep=visit.keep,
        **_common(door),
    )


def withdraw_page(door: Door, problem: str = "", status: int = 200) -> Response:
    """The first step of withdrawing; nothing is chosen beforehand."""
    return render("withdraw.html", status, problem=problem, **_common(door))


def unknown() -> Response:
    """The one page for every link that is not one."""
    return calm(
        "This link does not work",
        "It may be incomplete: copy the whole link from your invitation, or open it from there.",
        "If it still does not work, ask for your link again, or ask whoever sent you the invitation.",
        link=("/a/again", "Ask for your link again"),
        status=404,
    )


def too_many_unknown() -> Response:
    """For a client that tried many links that are none."""
    page = calm(
        "Please wait ten minutes",
        "Many links that do not exist were tried from your network. Your own link is not affected: open it again "
        "in ten minutes.",
        status=429,
    )
    page.headers["retry-after"] = str(int(UNKNOWN_WINDOW))
    return page


def unavailable() -> Response:
    """For a visit that the database could not answer."""
    return calm(
        "The service is not available just now",
        "Your link is not affected. Try again in a few minutes.",
        status=503,
    )


def resend(form: Mapping[str, str]) -> Response:
    """For a sheet that arrived while the database could not even be read: it comes back to be sent again."""
    typed = {name: value for name, value in form.items() if name != "idem_key"}
    return render("resend.html", 503, typed=typed | {"idem_key": _idem_key(form)})


async def no_such_link(request: Request) -> Response:
    """Everything else under `/a/`."""
    return unknown()
