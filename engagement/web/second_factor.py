"""The second factor: giving it, setting it up, its recovery codes, and moving it to another phone."""

from __future__ import annotations

from dataclasses import dataclass

from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from engagement import db
from engagement.access import sessions, totp
from engagement.access.totp import SetUp
from engagement.errors import Conflict, Invalid
from engagement.models import Account
from engagement.web.door import CODE, CODE_DAY, CODE_PAGE, SET_UP_PAGE, WAIT, Door, safe_next, with_next
from engagement.web.plain import calm, render

ISSUER = "Member engagement"


@dataclass(frozen=True)
class Person:
    """Who is at the page. `halfway`: they gave a password and are not in yet."""

    account: Account
    halfway: bool
    has_factor: bool
    obliged: bool
    codes_left: int


class SecondFactorPages(Door):
    """The pages of one process."""

    async def code(self, request: Request) -> Response:
        """`/sign-in/code`: for somebody halfway in."""
        if request.method == "POST":
            return await self.posted(self._give, request)
        return await self.run(self._ask, request)

    async def manage(self, request: Request) -> Response:
        """`/sign-in/second-factor`: for somebody halfway in who has none, and for everybody who is in."""
        if request.method == "POST":
            return await self.posted(self._change, request)
        return await self.run(self._show, request)

    # In a thread from here on.

    def _person(self, session: Session, request: Request) -> Person | None:
        account = self.halfway(session, request)
        is_halfway = account is not None
        if account is None:
            actor = self.who(session, request)
            account = session.get(Account, actor.account_id) if actor else None
        if account is None:
            return None
        return Person(
            account,
            is_halfway,
            totp.is_set_up(session, account.id),
            sessions.must_have_second_factor(session, account.id),
            totp.codes_left(session, account.id),
        )

    def _find(self, request: Request) -> Person | None:
        with db.get(self.config).reading() as session:
            return self._person(session, request)

    def _counted(self, account: Account):
        return self.take((CODE, (str(account.id),)), (CODE_DAY, (str(account.id),)))

    def _ask(self, request: Request, problem: str = "", status: int = 200) -> Response:
        wanted = safe_next(request.query_params.get("next"))
        person = self._find(request)
        if person is None or not person.halfway:
            return RedirectResponse("/sign-in", 303)
        if not person.has_factor:
            return RedirectResponse(with_next(SET_UP_PAGE, wanted), 303)
        return render("code.html", status, problem=problem, here=with_next(CODE_PAGE, wanted))

    def _give(self, request: Request, form: dict[str, str]) -> Response:
        person = self._find(request)
        if person is None or not person.halfway or not person.has_factor:
            return self._ask(request)
        taken = self._counted(person.account)
        if taken is None:
            return self._ask(request, WAIT, 429)
        with db.get(self.config).session() as session:
            right = totp.check(session, self.factor_key, person.account.id, form.get("code", ""))
            if right:
                self.attempts.give_back(session, taken)
            way = sessions.way_of(session, request.cookies, secure=self.secure)
        if not right:
            return self._ask(request, totp.WRONG, 422)
        # Another cookie than the one that was worth half: it may have been seen where it was worth little.
        wanted = safe_next(request.query_params.get("next"))
        return self.start(request, person.account.id, wanted, way=way, assured=True) or self._ask(request)

    def _show(self, request: Request, problem: str = "", status: int = 200) -> Response:
        person = self._find(request)
        if person is None:
            return RedirectResponse("/sign-in", 303)
        if person.account.is_demo:
            return calm(
                "This is a demo account",
                "Everybody who looks at the demo shares it, so it has no second factor of anybody's.",
                link=("/", "Back to the results"),
            )
        if not person.has_factor:
            return self._set_up(
                request, person, totp.begin(self.factor_key, person.account.id), problem, status
            )
        if person.halfway:
            return self._ask(request)
        return render(
            "second_factor.html",
            status,
            problem=problem,
            left=person.codes_left,
            obliged=person.obliged,
        )

    def _set_up(
        self, request: Request, person: Person, found: SetUp, problem: str = "", status: int = 200
    ) -> Response:
        import segno

        address = totp.address_of(found.secret, person.account.email, ISSUER)
        spaced = " ".join(found.secret[start : start + 4] for start in range(0, len(found.secret), 4))
        return render(
            "set_up.html",
            status,
            problem=problem,
            forced=person.halfway,
            moving=person.has_factor,
            # Drawn in the page itself, for the policy of plain pages lets no picture load. Its words are ours.
            picture=segno.make(address, error="m").svg_inline(
                scale=5, border=4, light="#fff", title="QR code for your authenticator app"
            ),
            secret=spaced,
            ticket=found.ticket,
            here=with_next(SET_UP_PAGE, safe_next(request.query_params.get("next"))),
        )

    def _change(self, request: Request, form: dict[str, str]) -> Response:
        person = self._find(request)
        if person is None or person.account.is_demo:
            return self._show(request)
        action, code = form.get("action", ""), form.get("code", "")
        taken = self._counted(person.account)
        if taken is None:
            return self._again(request, person, form, WAIT, 429)
        try:
            with db.get(self.config).session() as session:
                reply = self._do(session, request, person, action, code, form.get("ticket", ""))
                self.attempts.give_back(session, taken)
        except (Invalid, Conflict) as error:
            return self._again(request, person, form, str(error), 422)
        if action == "confirm" and person.halfway:
            wanted = safe_next(request.query_params.get("next"))
            started = self.start(request, person.account.id, wanted, way="password", assured=True)
            if started is not None:
                reply.headers.append("set-cookie", started.headers["set-cookie"])
        return reply

    def _again(
        self, request: Request, person: Person, form: dict[str, str], problem: str, status: int
    ) -> Response:
        """The page with what was wrong; a QR code that was scanned stays the same."""
        found = totp.resume(self.factor_key, person.account.id, form.get("ticket", ""))
        if form.get("action") == "confirm" and found is not None and (found.moving or not person.has_factor):
            return self._set_up(request, person, found, problem, status)
        return self._show(request, problem, status)

    def _do(
        self, session: Session, request: Request, person: Person, action: str, code: str, ticket: str
    ) -> Response:
        number, key = person.account.id, self.factor_key
        if action == "confirm":
            codes = totp.confirm(session, key, number, ticket, code)
            if not person.halfway:
                sessions.assure(session, request.cookies, secure=self.secure)
            return self._codes_page(request, codes, factor=True)
        if person.halfway or not person.has_factor:
            raise Invalid("Set up the second factor first")
        if action == "codes":
            return self._codes_page(request, totp.new_codes(session, key, number, code), factor=False)
        if action == "move":
            if not totp.check(session, key, number, code):
                raise Invalid(totp.WRONG)
            return self._set_up(request, person, totp.begin(key, number, moving=True))
        if action == "remove" and not person.obliged:
            totp.remove(session, key, number, code)
            return RedirectResponse("/account", 303)
        raise Invalid("Choose what to do")

    def _codes_page(self, request: Request, codes: list[str], *, factor: bool) -> Response:
        wanted = safe_next(request.query_params.get("next"))
        return render("recovery_codes.html", codes=codes, next=wanted, factor=factor)
