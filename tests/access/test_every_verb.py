"""Every public verb, called as every role, as another body's people, and as nobody: those who must be refused are."""

from __future__ import annotations

import importlib
import inspect
import io
import pkgutil
from datetime import UTC, date, datetime, time, timedelta
from types import FunctionType

from sqlmodel import Session, SQLModel, select

import engagement
from engagement import clock, models, roster
from engagement.access import Actor, Role
from engagement.assessments import meetings
from engagement.config import Config
from engagement.council import review as council
from engagement.errors import NotAllowed, NotFound
from engagement.messaging.keys import MailKeys
from tests import support
from tests.access.verb_rules import NO_VERBS, rules

# No verbs live here: what draws and serves calls them, and the rest is for a shell on the server.
OUTSIDE = ("bench", "cli", "demo", "migrations", "ui", "web", "worker", "__main__")
TODAY = date(2026, 11, 20)
# What a parameter's type is given, where its name says nothing better.
BY_TYPE = {
    "str": "x",
    "int": 1,
    "float": 1.0,
    "bool": False,
    "date": TODAY,
    "Date": TODAY,
    "time": time(9),
    "datetime": datetime(2031, 1, 1, tzinfo=UTC),
    "Role": Role.COUNCIL,
    "set[Role]": {Role.COUNCIL},
}
FOR_FIELDS = {
    str: "x",
    int: 1,
    float: 1.0,
    bool: False,
    bytes: b"x",
    date: TODAY,
    datetime: datetime(2026, 11, 20, tzinfo=UTC),
}


def verbs() -> dict[str, FunctionType]:
    """Every public function under `engagement` that takes an actor, by the module in which it is written."""
    found = {}
    for info in pkgutil.walk_packages(engagement.__path__, "engagement."):
        short = info.name.removeprefix("engagement.")
        if short.split(".")[0] in OUTSIDE:
            continue
        for name, thing in vars(importlib.import_module(info.name)).items():
            if (
                isinstance(thing, FunctionType)
                and thing.__module__ == info.name
                and not name.startswith("_")
                and "actor" in inspect.signature(thing).parameters
            ):
                found[f"{short}.{name}"] = thing
    return found


VERBS = verbs()


def test_every_verb_has_a_rule():
    """A function that takes an actor is in the table of who may call it, or says why it is none; none is stale."""
    known = set(rules()) | set(NO_VERBS)
    assert sorted(set(VERBS) - known) == [], "say in tests/access/verb_rules.py who may call these"
    assert sorted(known - set(VERBS)) == [], "these are gone: take them out of tests/access/verb_rules.py"
    assert not set(rules()) & set(NO_VERBS)


class World:
    """Two bodies, an account for each role in each, and a row of whatever a verb is about."""

    def __init__(self, database, config: Config):
        self.database, self.config = database, config
        self.keys = support.keys_of(config)
        self.body = support.small_body(database, practices=3, leaders=3)
        self.actors: dict[str, Actor] = {}
        with database.session() as session:
            other = models.Body(code="OTHER", name="Another body", created_at=clock.now())
            session.add(other)
            session.flush()
            for role in Role:
                for where, body_id in (("", self.body), ("another body's ", other.id)):
                    self._person(session, where + role.value, body_id, role)
            self.actors["a person without a role"] = self._account(session, "nobody", frozenset())
            self.round = self.row(
                session,
                models.Round,
                state="released",
                promise="{}",
                promise_hash="x",
                closes_at=clock.now(),
            )
            self.release = self.row(session, models.Release)
            self.comment = self.row(session, models.Comment, choice="quote")
        self.actors["nobody who is signed in"] = Actor("stranger")

    def _account(self, session: Session, name: str, roles: frozenset) -> Actor:
        account = models.Account(
            email=f"{name.replace(' ', '.').replace(chr(39), '')}@example.org",
            name=name,
            password_hash="x",
            created_at=clock.now(),
        )
        session.add(account)
        session.flush()
        return Actor(name, roles, account.id, bodies=tuple(body for body, _ in roles))

    def _person(self, session: Session, name: str, body_id: int, role: Role) -> None:
        actor = self._account(session, name, frozenset({(body_id, role)}))
        session.add(models.AccountRole(account_id=actor.account_id, body_id=body_id, role=role.value))
        self.actors[name] = actor

    def row(self, session: Session, model: type[SQLModel], **given) -> int:
        """The id of a new row of the body, its required columns filled in by their type."""
        values = dict(given)
        for name, field in model.model_fields.items():
            column = model.__table__.columns[name]
            if name in values or not field.is_required() or (column.primary_key and column.nullable):
                continue
            keys = [key.column.table.name for key in column.foreign_keys]
            values[name] = self.parent(session, keys[0]) if keys else FOR_FIELDS[field.annotation]
        made = model(**values)
        session.add(made)
        session.flush()
        return made.id

    def parent(self, session: Session, table: str) -> int:
        """The id of a row of the body that another may point at."""
        if table == "body":
            return self.body
        if table == "round":
            return self.round
        if table == "account":
            return self.actors[Role.LEAD.value].account_id
        model = next(m for m in models.__dict__.values() if getattr(m, "__tablename__", None) == table)
        found = session.exec(select(model.id).where(model.body_id == self.body)).first()
        return found if found is not None else self.row(session, model)

    def practices(self, session: Session) -> list[int]:
        """The ids of two practices."""
        query = select(models.Practice.id).where(models.Practice.body_id == self.body).limit(2)
        return list(session.exec(query))

    def argument(self, session: Session, verb: str, name: str, kind: str):
        """What a verb is given for a parameter."""
        module = verb.rpartition(".")[0]
        by_name = {
            "body_id": lambda: self.body,
            "body_ids": lambda: (self.body,),
            "round_id": lambda: self.round,
            "release_id": lambda: self.release,
            "comment_id": lambda: self.comment,
            "member_id": lambda: self.parent(session, "member"),
            "practice_id": lambda: self.parent(session, "practice"),
            "account_id": lambda: self.actors[Role.COUNCIL.value].account_id,
            "instrument_id": lambda: self.parent(session, "instrument"),
            "letter_id": lambda: "0" * 32,
            "keys": lambda: MailKeys(self.config.keys) if module == "messaging.my_page" else self.keys,
            "config": lambda: self.config,
            "database": lambda: self.database,
            "meeting_id": lambda: self.row(session, models.Meeting),
            "question_id": lambda: council.ask(
                session, self.actors[Role.COUNCIL.value], self.release, "Why is that so?"
            ),
            "ask_id": lambda: self.row(session, models.Ask),
            "proposal_id": lambda: self.row(session, models.ItemProposal, kind="agree5"),
            "action_id": lambda: self.row(session, models.PublishedAction),
            "order_id": lambda: self.row(session, models.OutreachOrder),
            "plan_id": lambda: self.row(session, models.OutreachPlan),
            "pair_id": lambda: self.row(
                session,
                models.BuddyPair,
                **dict(zip(("strong_id", "struggling_id"), self.practices(session), strict=True)),
            ),
            "group_id": lambda: self.row(session, models.PeerGroup),
            "contact_id": lambda: self.row(
                session, models.PlannedContact, lane="body", why="hand", state="planned"
            ),
            "request_id": lambda: (
                self.row(
                    session,
                    models.CodeLink,
                    approved_by=self.actors[Role.GOVERNING.value].account_id,
                    approved_at=clock.now(),
                )
                if module == "intake.linking"
                else self.row(session, models.BodyRequest, kind="data")
            ),
            "code": lambda: session.exec(select(models.Practice.code)).first(),
            "practice_code": lambda: session.exec(select(models.Practice.code)).first(),
            "ref": lambda: session.exec(select(models.Member.ref)).first(),
            "kind": lambda: "invitation" if module.startswith("messaging") else "data",
            "preview": lambda: self.preview(session, module),
            "file": lambda: io.BytesIO(b"member_id,practice_id,role\n"),
            "people": dict,
            "given": tuple,
            "practices": tuple,
            "themes": lambda: None,
            "keys_in_order": lambda: ("owned",),
            "headline_keys": lambda: ("owned",),
            "verdict": lambda: "yes",
            "standing": lambda: "leader",
            "on": lambda: TODAY,
            "reminders": lambda: 2,
            "gap_days": lambda: 5,
            "tier": lambda: "confidential",
            "threshold": lambda: 10,
            "opens_at": lambda: clock.now() + timedelta(days=1),
            "closes_at": lambda: clock.now() + timedelta(days=30),
            "email": lambda: "new@example.org",
            "every": lambda: 6,
        }
        if name in by_name:
            return by_name[name]()
        first = kind.split(" | ")[0]
        # A verb looks at who asks before it looks at what it was given, so that nothing will do for the rest.
        return () if first.startswith(("Sequence", "Collection", "Iterable")) else BY_TYPE.get(first)

    def preview(self, session: Session, module: str):
        """A file that was read, to be applied: of meetings, or of members."""
        operator = Actor.operator()
        if module == "assessments.meetings":
            file = io.BytesIO(b"date,practice_id,people\n2026-01-05,Y00001,2\n")
            return meetings.preview(session, operator, self.body, file, name="m.csv")
        file = io.BytesIO(b"member_id,practice_id,role\nM900,Y00001,gp_partner\n")
        return roster.preview_members(session, operator, self.body, file, name="m.csv")

    def given(self, session: Session, verb: str, actor: Actor) -> dict:
        """What a verb is called with: what it needs to find something of the body."""
        given = {}
        for name, parameter in inspect.signature(VERBS[verb]).parameters.items():
            if name == "session":
                given[name] = session
            elif name == "actor":
                given[name] = actor
            elif parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) and (
                parameter.default is parameter.empty
            ):
                given[name] = self.argument(session, verb, name, str(parameter.annotation))
        return given


class Done(Exception):
    """Raised after a call with what it raised, so that nothing of it is kept."""


def outcome(world: World, verb: str, actor: Actor) -> Exception | None:
    """What a call raised, if anything; whatever it changed is taken back.

    Who was let in may stumble over the made-up arguments: that is no refusal.
    """
    try:
        with world.database.session() as session:
            given = world.given(session, verb, actor)
            try:
                VERBS[verb](**given)
            except Exception as error:
                raise Done(error) from None
            raise Done(None)
    except Done as done:
        return done.args[0]


def is_refusal(error: Exception | None) -> bool:
    """Whether an error says that this person may not do this, and not merely that something is missing."""
    return isinstance(error, NotAllowed) or (isinstance(error, NotFound) and error.refusal is not None)


AT_THE_COMMAND_LINE = [name for name, roles in rules().items() if not roles]


def test_every_verb_refuses_whom_it_must(database, config, monkeypatch):
    """Each verb lets in the roles of its rule and nobody else: no other role, no other body's people, no stranger."""
    world = World(database, config)
    faults = []
    for verb, allowed in rules().items():
        if verb in AT_THE_COMMAND_LINE:
            continue
        for name, actor in world.actors.items():
            inside = any((world.body, role) in actor.roles for role in allowed)
            if inside and "session" not in inspect.signature(VERBS[verb]).parameters:
                # It commits by itself: whom it lets in is the business of its own tests.
                continue
            found = outcome(world, verb, actor)
            if is_refusal(found) is inside:
                faults.append(f"{verb} {'refuses' if inside else 'lets in'} {name}: {found!r}")
    assert faults == []
