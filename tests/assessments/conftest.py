"""An invented body that comes in by its files, as a body's own would, and is assessed."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

import pytest
from sqlmodel import select

from engagement import roster
from engagement.assessments import build, performance
from engagement.db import Database
from engagement.exchange.answers import import_answers
from engagement.intake.keys import Keys
from engagement.models import Assessment, Body, Round
from tests import support

ITEMS = ("owned", "influence")


@dataclass
class Invented:
    """Practices of 1 to 8 people in three localities, and what they answer: `answers` by (round, member, item)."""

    sizes: list[int]
    answers: dict[tuple[int, str, str], int] = field(default_factory=dict)
    ticks: set[str] = field(default_factory=set)

    @classmethod
    def make(cls, rounds: int, *, practices: int = 18, seed: int = 1, ticking: float = 0.0) -> Invented:
        """Some practices answer more, and higher, than others."""
        rng = random.Random(seed)
        made = cls([1 + p % 8 for p in range(practices)])
        for p, size in enumerate(made.sizes):
            keen = rng.uniform(-1, 1)
            for m in range(size):
                if rng.random() < ticking:
                    made.ticks.add(ref(p, m))
                for number in range(1, rounds + 1):
                    if rng.random() < 0.55 + 0.35 * keen:
                        for item in ITEMS:
                            made.answers[number, ref(p, m), item] = min(
                                5, max(1, round(rng.gauss(3.2 + 0.8 * keen, 0.8)))
                            )
        return made

    def practices(self) -> str:
        """The practices file."""
        rows = [f"P{p:03d},Practice {p},{'NSE'[p % 3]},{3000 + 900 * p}" for p in range(len(self.sizes))]
        return "\n".join(["practice_id,name,locality_id,list_size", *rows]) + "\n"

    def members(self) -> str:
        """The members file; the first person of every sixth practice leads."""
        rows = [
            f"{ref(p, m)},P{p:03d},{'clinical_lead' if m == 0 and p % 6 == 0 else 'gp_partner'},1,0"
            for p, size in enumerate(self.sizes)
            for m in range(size)
        ]
        return "\n".join(["member_id,practice_id,role,joined_wave,left_wave", *rows]) + "\n"

    def past(self, first: int = 1, last: int = 99) -> str:
        """The answers file of some rounds, which close on 1 March of the years from 2010 on."""
        rows = [
            f"{n},{member},{item},{value},{int(member in self.ticks)},{2009 + n}-03-01"
            for (n, member, item), value in self.answers.items()
            if first <= n <= last
        ]
        return "\n".join(["wave,member_id,item,value,practice_may_use,date", *rows]) + "\n"


def ref(practice: int, member: int) -> str:
    """A member's number."""
    return f"M{practice:03d}{member}"


@dataclass
class Installed:
    """Bodies in one database, made from files."""

    database: Database
    keys: Keys

    def body(self, invented: Invented, code: str = "B1") -> int:
        """A body with its roster."""
        with self.database.session() as session:
            made = roster.preview_practices(
                session, support.OPERATOR, None, invented.practices().encode(), name="p.csv", body_code=code
            )
            roster.apply(session, support.OPERATOR, made)
            body_id = session.exec(select(Body.id).where(Body.code == code)).one()
            made = roster.preview_members(
                session, support.OPERATOR, body_id, invented.members().encode(), name="m.csv"
            )
            roster.apply(session, support.OPERATOR, made)
        return body_id

    def bring(self, body_id: int, text: str, **options) -> None:
        """Import past answers."""
        import_answers(
            self.database, self.keys, support.OPERATOR, body_id, text.encode(), name="a.csv", **options
        )

    def stored(self, body_id: int) -> dict[int, str]:
        """The stored assessments of a body, by round."""
        with self.database.reading() as session:
            found = session.exec(
                select(Round.number, Assessment.content)
                .join(Round, Round.id == Assessment.round_id)
                .where(Assessment.body_id == body_id)
            )
            return dict(found.all())

    def assessed(self, body_id: int) -> dict[int, dict]:
        """Build what is missing, and read all."""
        build.ensure(self.database, body_id)
        return {number: json.loads(content) for number, content in self.stored(body_id).items()}


@pytest.fixture
def installed(database, config, monkeypatch) -> Installed:
    """An empty installation. Bootstraps are short: what they estimate is tested in tests/risk."""
    monkeypatch.setattr(build, "AUDIT_REPLICATES", 3)
    monkeypatch.setattr(performance, "REPLICATES", 10)
    return Installed(database, support.keys_of(config))
