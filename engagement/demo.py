"""An invented body with eight past rounds and an open one, built by the verbs that people call.

Everything in it is made up and says so: the practices, the people, their answers. The shares begin near the ones
published for clinical commissioning groups in 2013 (66% of leaders and 35% of GPs without a role), and drift apart.
"""

from __future__ import annotations

import io
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

from sqlmodel import Session, select

from engagement import clock, roster
from engagement.access import ROLE_NAMES, Actor, Role, accounts
from engagement.asks import invented
from engagement.config import Config
from engagement.council import invented as council
from engagement.db import Database
from engagement.exchange.answers import CLOSING_TIME, import_answers, months_before
from engagement.exchange.spreadsheet import table
from engagement.instrument import verbs as instruments
from engagement.intake import submit
from engagement.intake.keys import Keys
from engagement.intake.sheet import Sheet
from engagement.messaging import my_page
from engagement.messaging.keys import MailKeys
from engagement.models import Account, Body, Member, Round
from engagement.outreach import invented as outreach
from engagement.outreach import past_visits
from engagement.rounds import programme
from engagement.rounds import verbs as rounds
from engagement.worker import ChildGate, Worker

CODE = "DEMO"
NAME = "Example Vale CCG"
# Not a secret: demo accounts exist in demo bodies alone, and the sign-in page offers them at a click.
PASSWORD = "a demo password"  # noqa: S105
SEED = 20_130_234
ROUNDS = 8
PRACTICES = 42
LEADERS = 22
MONTHS_BETWEEN = 6
# The wording of this item changes before this round, so that a break can be seen.
REWORDED = (
    "responsive",
    5,
    "When my {practice} contacts the {body}, it answers in good time and to the point",
)
LOCALITIES = ("North Vale", "East Vale", "South Vale", "West Vale")
TREES = (
    "Alder", "Ash", "Aspen", "Beech", "Birch", "Blackthorn", "Box", "Cedar", "Cherry", "Chestnut", "Crab Apple",
    "Cypress", "Dogwood", "Elder", "Elm", "Fir", "Gorse", "Hawthorn", "Hazel", "Holly", "Hornbeam", "Juniper",
    "Larch", "Laurel", "Lime", "Linden", "Maple", "Medlar", "Mulberry", "Oak", "Pear", "Pine", "Plum", "Poplar",
    "Quince", "Rowan", "Sallow", "Spindle", "Sycamore", "Walnut", "Willow", "Yew",
)  # fmt: skip
# Share that would agree, leaders and grassroots, in the first round and in the last; on the whole roster.
SHARES = {
    "owned": ((0.66, 0.70), (0.33, 0.18)),
    "decisions_members": ((0.80, 0.82), (0.36, 0.22)),
    "influence": ((0.74, 0.76), (0.30, 0.20)),
    "informed": ((0.84, 0.86), (0.46, 0.38)),
    "understand": ((0.82, 0.84), (0.44, 0.42)),
    "responsive": ((0.78, 0.78), (0.44, 0.36)),
    "two_way": ((0.58, 0.56), (0.22, 0.14)),
    "legitimate": ((0.86, 0.86), (0.66, 0.56)),
}
STEPS = (-2.2, -0.9, 0.0, 1.5)


@dataclass(frozen=True)
class Person:
    """An invented member: who they are, and how they lean."""

    ref: str
    practice: int
    role: str
    leader: bool
    lean: float
    joined: int
    left: int


@dataclass(frozen=True)
class Result:
    """What a demo has to offer a newcomer."""

    accounts: list[tuple[str, str]]
    links: list[str]
    made: bool
    page: str = ""


def ensure(
    database: Database,
    config: Config,
    *,
    links: int = 2,
    progress: Callable[[float, str], None] = lambda *_: None,
) -> Result:
    """Make the demo body unless it is there, open a round unless one is, and hand out fresh links."""
    keys, actor = Keys(config.keys), Actor.operator("demo")
    with database.reading() as session:
        body = session.exec(select(Body).where(Body.code == CODE)).first()
    made = body is None
    body_id = _make(database, keys, actor, progress) if made else body.id
    if made:
        invented.make(database, actor, body_id, _pages(database, keys, body_id))
        past_visits.make(database, actor, body_id)
        outreach.make(database, actor, body_id)
    round_id = _open_round(database, keys, actor, body_id, answers=made, progress=progress)
    if made:
        _what_comes(database, actor, body_id)
    with database.session() as session:
        people = session.exec(select(Account).where(Account.is_demo == True).order_by(Account.id)).all()  # noqa: E712
        fresh = _fresh_links(session, keys, actor, config, round_id, links)
    progress(1.0, "Ready")
    # The page of an ask's own practice, where there is something to see.
    page = my_page.url(config.public_url, _pages(database, keys, body_id)[3])
    return Result([(a.name, a.email) for a in people], fresh, made, page)


def _work(database: Database, keys: Keys) -> None:
    """All that the worker has to do, the gate on all cores."""
    gate = ChildGate()
    try:
        Worker(database, keys, gate).run_once()
    finally:
        gate.close()


def _what_comes(database: Database, actor: Actor, body_id: int) -> None:
    """A programme of rounds every six months after the open one, and what the council would have the next one ask."""
    with database.session() as session:
        following = months_before(clock.today(), -MONTHS_BETWEEN)
        programme.change(session, actor, body_id, every=MONTHS_BETWEEN, first=following)
        member = session.exec(select(Account).where(Account.email == "council@demo.invalid")).one()
    council.make(database, actor, body_id, member.id, member.name)


def _chance(stream: int) -> random.Random:
    """Chance for one part of the demo, the same on every machine."""
    return random.Random(SEED * 100 + stream)  # noqa: S311 - invented data


def _make(database: Database, keys: Keys, actor: Actor, progress) -> int:
    today = clock.today()
    progress(0.02, "Importing practices and members")
    people = _people()
    with database.session() as session:
        body = roster.ensure_body(session, actor, CODE, NAME, demo=True)
        for preview, text, name in (
            (roster.preview_practices, _practices_csv(), "demo-practices.csv"),
            (roster.preview_members, _members_csv(people), "demo-members.csv"),
        ):
            roster.apply(session, actor, preview(session, actor, body.id, _bytes(text), name=name))
        instruments.seed(session, actor, body.id)
        for role in Role:
            address = f"{role.value.replace('_', '.')}@demo.invalid"
            accounts.create(
                session,
                actor,
                body.id,
                email=address,
                name=f"Demo {ROLE_NAMES[role].lower()}",
                role=role,
                password=PASSWORD,
                demo=True,
            )
    last_closed = months_before(today, 5)
    item, before, wording = REWORDED
    for first, last in ((1, before - 1), (before, ROUNDS)):
        if first == before:
            with database.session() as session:
                instruments.new_wording(session, actor, body.id, item, wording)
        progress(0.1 + 0.4 * (first > 1), f"Importing rounds {first} to {last}")
        import_answers(
            database,
            keys,
            actor,
            body.id,
            _bytes(_answers_csv(people, range(first, last + 1))),
            name="demo-answers.csv",
            first_date=months_before(last_closed, (ROUNDS - first) * MONTHS_BETWEEN),
            every=MONTHS_BETWEEN,
        )
        progress(0.3 + 0.3 * (first > 1), "Checking and releasing them")
        _work(database, keys)
    return body.id


def _pages(database: Database, keys: Keys, body_id: int) -> dict[int, str]:
    """What opens the own page of one member a practice, by the number of the practice."""
    refs = {person.practice: person.ref for person in reversed(_people()) if not person.left}
    mail = MailKeys(keys.folder)
    with database.session() as session:
        members = session.exec(select(Member).where(Member.body_id == body_id, Member.ref.in_(refs.values())))
        tokens = {member.ref: my_page.ensure(session, mail, member) for member in members.all()}
    return {practice: tokens[ref] for practice, ref in sorted(refs.items())}


def _bytes(text: str) -> io.BytesIO:
    return io.BytesIO(text.encode())


def _practices_csv() -> str:
    chance = _chance(-1)
    rows = []
    for place in range(PRACTICES):
        locality = LOCALITIES[place % len(LOCALITIES)]
        size = int(chance.lognormvariate(8.95, 0.45))
        rows.append([f"DM{place:04d}", f"Demo {TREES[place]} Surgery", locality, size])
    return table(["practice_id", "name", "locality_id", "list_size"], rows)


def _people() -> list[Person]:
    """About 190 members: three or six a practice, 22 with a formal role, some who came or left on the way."""
    chance = _chance(0)
    mood = [chance.gauss(0, 0.7) for _ in range(PRACTICES)]
    roles = ("gp_partner", "gp_partner", "practice_manager", "salaried_gp", "salaried_gp", "practice_nurse")
    out = []
    for practice in range(PRACTICES):
        for seat in range(6 if practice % 4 < 2 else 3):
            leader = (seat == 0 and practice % 2 == 0) or (seat == 1 and practice == 0)
            role = ("clinical_lead", "governing_body_member")[practice % 4 == 0] if leader else roles[seat]
            joined = 1 if leader or chance.random() < 0.88 else chance.randint(2, ROUNDS)
            leaves = not leader and joined < ROUNDS and chance.random() < 0.07
            left = chance.randint(joined + 1, ROUNDS) if leaves else 0
            out.append(
                Person(
                    ref=f"D{len(out) + 1:03d}",
                    practice=practice,
                    role=role,
                    leader=leader,
                    lean=mood[practice] + chance.gauss(0, 0.8),
                    joined=joined,
                    left=left,
                )
            )
    return out


def _members_csv(people: list[Person]) -> str:
    seen: set[int] = set()
    rows = []
    for person in people:
        represents = person.practice not in seen and not person.left
        seen |= {person.practice} if represents else set()
        title = (
            "Dr "
            if person.role in ("gp_partner", "salaried_gp", "clinical_lead", "governing_body_member")
            else ""
        )
        number = int(person.ref[1:])
        rows.append(
            [
                person.ref,
                f"DM{person.practice:04d}",
                person.role,
                int(represents),
                f"{title}Demo Person {number}",
                f"person{number}@demo.invalid",
                person.joined,
                person.left,
            ]
        )
    return table(
        ["member_id", "practice_id", "role", "representative", "name", "email", "joined_wave", "left_wave"],
        rows,
    )


def _logit(p: float) -> float:
    return math.log(p / (1 - p))


def _score(chance: random.Random, person: Person, item: str, wave: int) -> int | None:
    """A score from 1 to 5, None for somebody who does not know. The middle lies where the roster's share is met."""
    if chance.random() < (0.02 if person.leader else 0.07):
        return None
    first, last = SHARES[item][0 if person.leader else 1]
    along = min((wave - 1) / (ROUNDS - 1), 1.0)
    # A logistic mean flattens when people differ; this undoes it for leans of this spread.
    centre = _logit(first + (last - first) * along) * 1.25
    u = min(max(chance.random(), 1e-9), 1 - 1e-9)
    latent = centre + person.lean + _logit(u)
    return 1 + sum(latent > step for step in STEPS)


def _answers(chance: random.Random, person: Person, wave: int) -> dict[str, int] | None:
    """A filled-in form, or None: the less somebody feels that it is theirs, the sooner they stop answering."""
    ready = 1.9 if person.leader else 1.1 - 0.11 * (wave - 1)
    if chance.random() > 1 / (1 + math.exp(-(ready + 0.7 * person.lean))):
        return None
    scores = {item: _score(chance, person, item, wave) for item in SHARES}
    return {item: score for item, score in scores.items() if score is not None} or None


def _answers_csv(people: list[Person], waves: range) -> str:
    rows = []
    for wave in waves:
        chance = _chance(wave)
        for person in people:
            if wave < person.joined or (person.left and wave >= person.left):
                continue
            given = _answers(chance, person, wave)
            agreed = int(chance.random() < 0.3)
            rows += [[wave, person.ref, item, score, agreed] for item, score in (given or {}).items()]
    return table(["wave", "member_id", "item", "value", "practice_may_use"], rows)


def _open_round(database, keys, actor, body_id: int, *, answers: bool, progress) -> int:
    with database.reading() as session:
        found = session.exec(
            select(Round).where(Round.body_id == body_id, Round.state.in_(("launching", "open")))
        ).first()
    now = clock.now()
    if found is None or (found.closes_at is not None and found.closes_at <= now):
        _work(database, keys)
        progress(0.7, "Launching a round")
        with database.session() as session:
            found = rounds.new(
                session,
                actor,
                body_id,
                title=f"{_season(clock.today())} {clock.today().year}",
                opens_at=now,
                closes_at=clock.from_london(clock.today() + clock.days(21), CLOSING_TIME),
            )
            rounds.launch(session, actor, found.id)
    _work(database, keys)
    if answers:
        _answer_some(database, keys, actor, found.id, progress)
    return found.id


def _season(day: date) -> str:
    return ("Winter", "Spring", "Summer", "Autumn")[day.month % 12 // 3]


def _answer_some(database, keys, actor, round_id: int, progress) -> None:
    """Part of the invited answer the open round, through the same intake as everybody."""
    chance = _chance(ROUNDS + 1)
    people = {person.ref: person for person in _people()}
    with database.session() as session:
        doors = rounds.personal_links(session, actor, keys, "", round_id)
    public_id = doors[0].url.split("/")[2]
    for place, door in enumerate(doors):
        given = _answers(chance, people[door.ref], ROUNDS + 1)
        if given is None or chance.random() < 0.45:
            continue
        sheet = Sheet({item: given.get(item, "dont_know") for item in SHARES}, {}, chance.random() < 0.3)
        with database.session() as session:
            submit.submit(session, public_id, door.url.rsplit("/", 1)[1], sheet, f"demo-{place}")
        progress(0.75 + 0.2 * place / len(doors), "Answering the open round")


def _fresh_links(
    session: Session, keys: Keys, actor: Actor, config: Config, round_id: int, wanted: int
) -> list[str]:
    if not wanted:
        return []
    out = []
    for door in reversed(rounds.personal_links(session, actor, keys, config.public_url, round_id)):
        public_id, token = door.url.split("/")[-2:]
        if submit.look(session, public_id, token).state is submit.DoorState.READY:
            out.append(door.url)
        if len(out) == wanted:
            break
    return out
