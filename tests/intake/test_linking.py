"""Linking a panel code to a person: two people, the auditor told at each step, only while the key lives."""

from __future__ import annotations

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from engagement import clock
from engagement.access import Actor, Role, accounts
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.intake import linking
from engagement.models import (
    Account,
    AccountRole,
    AuditEntry,
    AuditNotice,
    CodeLink,
    Member,
    Programme,
    Response,
    Round,
    RoundRoster,
)
from tests import support


class Office:
    """A body with a mixed confidential round, its staff, and one answer of member M001."""

    def __init__(self, database, config, *, auditor: bool = True):
        self.database, self.keys = database, support.keys_of(config)
        self.body = support.small_body(database, practices=2, leaders=2)
        roles = {"lead": Role.LEAD, "second": Role.LEAD, "board": Role.GOVERNING, "council": Role.COUNCIL}
        roles |= {"auditor": Role.AUDITOR} if auditor else {}
        self.people = {name: self.person(name, role) for name, role in roles.items()}
        with database.session() as session:
            programme = Programme(body_id=self.body, name="P", created_at=clock.now())
            session.add(programme)
            session.flush()
            self.rounds = [
                self.round(session, programme.id, number, tier)
                for number, tier in ((1, "confidential"), (2, "anonymous"))
            ]
            member = session.exec(select(Member).where(Member.ref == "M001")).one()
            session.add(
                RoundRoster(
                    round_id=self.rounds[0],
                    member_id=member.id,
                    body_id=self.body,
                    role="gp_partner",
                    standing="grassroots",
                )
            )
            key = self.keys.make_panel(self.body, 1)
            self.code = linking.links.panel_code(key, member.id)
            session.add(
                Response(
                    body_id=self.body, round_id=self.rounds[0], standing="grassroots", panel_now=self.code
                )
            )

    def round(self, session, programme: int, number: int, tier: str) -> int:
        row = Round(
            body_id=self.body,
            programme_id=programme,
            public_id=f"r{number}",
            number=number,
            title="T",
            tier=tier,
            state="released",
            promise="{}",
            promise_hash="x",
            closes_at=clock.now(),
        )
        session.add(row)
        session.flush()
        return row.id

    def person(self, name: str, role: Role) -> Actor:
        with self.database.session() as session:
            account = Account(
                email=f"{name}@example.org", name=name, password_hash="x", created_at=clock.now()
            )
            session.add(account)
            session.flush()
            session.add(AccountRole(account_id=account.id, body_id=self.body, role=role.value))
            return Actor(name, frozenset({(self.body, role)}), account.id, bodies=(self.body,))

    def ask(
        self, who: str = "lead", number: int = 1, ref: str = "M001", reason: str = "Access request"
    ) -> int:
        with self.database.session() as session:
            row = linking.ask(
                session, self.people[who], self.keys, self.body, number=number, ref=ref, reason=reason
            )
            return row.id

    def do(self, verb, who: str, *arguments):
        with self.database.session() as session:
            return verb(session, self.people[who], *arguments)

    def told(self) -> list[str]:
        with self.database.reading() as session:
            return list(session.exec(select(AuditNotice.reference).order_by(AuditNotice.id)))

    def logged(self) -> list[tuple[str, str]]:
        with self.database.reading() as session:
            rows = session.exec(select(AuditEntry).order_by(AuditEntry.id)).all()
            return [(row.action, row.actor) for row in rows if row.action.startswith("link.")]


def test_two_people_link_a_code_and_the_auditor_hears_of_each_step(database, config):
    """Asked by one, approved by another, opened by either: the code is that of the answer, and nothing is silent."""
    office = Office(database, config)
    request = office.ask()
    office.do(linking.approve, "board", request)
    found = office.do(linking.open_code, "lead", office.keys, request)
    assert found == linking.Linked(1, "M001", office.code)
    assert office.do(linking.open_code, "board", office.keys, request).code == office.code
    assert office.told() == [f"{request} asked", f"{request} approved", f"{request} opened"]
    assert office.logged() == [
        ("link.ask", "lead"),
        ("link.approve", "board"),
        ("link.open", "lead"),
        ("link.open", "board"),
    ]
    with database.reading() as session:
        everything = str(session.exec(select(AuditEntry)).all()) + str(
            session.exec(select(AuditNotice)).all()
        )
        states = [r.state for r in linking.requests(session, office.people["auditor"], office.body)]
    assert office.code not in everything and states == ["opened"]


def test_one_person_is_never_enough(database, config):
    """Who asked cannot approve, nobody opens before the approval, a third person never, nor the shell as anybody."""
    office = Office(database, config)
    request = office.ask()
    with pytest.raises(Conflict, match="second person"):
        office.do(linking.approve, "lead", request)
    with pytest.raises(Conflict, match="second person"):
        office.do(linking.open_code, "lead", office.keys, request)
    office.people["shell"] = Actor.operator()
    for verb, arguments in ((linking.approve, ()), (linking.open_code, (office.keys,))):
        with pytest.raises(NotAllowed, match="account of their own"):
            office.do(verb, "shell", *arguments, request)
    office.do(linking.approve, "second", request)
    with pytest.raises(Conflict, match="two people"):
        office.do(linking.open_code, "board", office.keys, request)
    with pytest.raises(DBAPIError), database.session() as session:
        row = session.get(CodeLink, request)
        row.approved_by = row.asked_by
        session.flush()
    with pytest.raises(DBAPIError, match="frozen"), database.session() as session:
        session.get(CodeLink, request).reason = "Another"
        session.flush()


def test_the_auditor_can_stop_it(database, config):
    """A refusal by the auditor ends a request, also after its approval."""
    office = Office(database, config)
    request = office.ask()
    office.do(linking.approve, "board", request)
    office.do(linking.refuse, "auditor", request)
    for who in ("lead", "board"):
        with pytest.raises(Conflict, match="refused"):
            office.do(linking.open_code, who, office.keys, request)
    with pytest.raises(Conflict):
        office.do(linking.refuse, "auditor", request)


def test_without_an_auditor_nothing_is_linked(database, config):
    """Where nobody can be told nothing is asked, and nothing opened when the auditor has gone since."""
    office = Office(database, config, auditor=False)
    with pytest.raises(Conflict, match="no auditor"):
        office.ask()
    office.people["auditor"] = office.person("auditor", Role.AUDITOR)
    request = office.ask()
    office.do(linking.approve, "board", request)
    with database.session() as session:
        accounts.set_disabled(
            session, Actor.operator(), office.body, office.people["auditor"].account_id, True
        )
    with pytest.raises(Conflict, match="no auditor"):
        office.do(linking.open_code, "lead", office.keys, request)
    assert office.logged()[-1][0] == "link.approve"


def test_a_request_lapses(database, config, monkeypatch):
    """After fourteen days a request can no longer be approved, and an approved one no longer opened."""
    office = Office(database, config)
    waiting, approved = office.ask(), office.ask()
    office.do(linking.approve, "board", approved)
    later = clock.now() + clock.days(15)
    monkeypatch.setattr(clock, "now", lambda: later)
    with pytest.raises(Conflict, match="lapsed"):
        office.do(linking.approve, "board", waiting)
    with pytest.raises(Conflict, match="lapsed"):
        office.do(linking.open_code, "lead", office.keys, approved)


def test_when_the_key_is_gone_the_answer_says_so(database, config):
    """A destroyed key gives the honest answer and its legal ground; a key kept elsewhere gives another one."""
    office = Office(database, config)
    request = office.ask()
    office.do(linking.approve, "board", request)
    office.keys.destroy_panels_before(office.body, 2)
    with pytest.raises(Conflict, match="not in the key folder"):
        office.do(linking.open_code, "lead", office.keys, request)
    with database.session() as session:
        programme = session.exec(select(Programme.id)).one()
        later = session.get(Round, office.round(session, programme, 3, "confidential"))
        later.keys_destroyed_at = clock.now()
        session.add(later)
    with pytest.raises(Conflict, match="Article 11"):
        office.do(linking.open_code, "lead", office.keys, request)
    with database.reading() as session:
        assert linking.possible(session, office.people["lead"], office.keys, office.body) == []


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"number": 2}, Conflict),
        ({"number": 9}, NotFound),
        ({"ref": "M999"}, NotFound),
        ({"ref": "M002"}, NotFound),
        ({"reason": " "}, Invalid),
        ({"reason": "x" * 301}, Invalid),
        ({"who": "board"}, NotAllowed),
        ({"who": "auditor"}, NotAllowed),
        ({"who": "council"}, NotAllowed),
    ],
)
def test_what_cannot_be_asked(database, config, changed, error):
    """Anonymous and unknown rounds, people who were not on the roster, no reason, and other roles are refused."""
    with pytest.raises(error):
        Office(database, config).ask(**changed)


def test_nothing_is_linked_before_the_mix(database, config):
    """While a round is open or its answers are still sealed nobody can even ask."""
    office = Office(database, config)
    for state in ("open", "closing"):
        with database.session() as session:
            session.get(Round, office.rounds[0]).state = state
        with pytest.raises(Conflict, match="before the round has closed"):
            office.ask()
