"""A crowd of members whose every answer names its author to us, and to nobody who does not know the code.

A member's number is written in base 5 over the eight core items, so that a response can be told apart wherever
its bytes turn up: in a row, a free page, a log or a copy.
"""

from __future__ import annotations

import re

from sqlalchemy import insert

from engagement import clock
from engagement.db import Database
from engagement.instrument import verbs as instruments
from engagement.intake.sheet import Sheet
from engagement.models import Body, Member, Practice, Spell
from tests.support import OPERATOR

ITEMS = (
    "owned",
    "decisions_members",
    "influence",
    "informed",
    "understand",
    "responsive",
    "two_way",
    "legitimate",
)
OPEN_ITEM = "one_thing"
NUMBERS = 5 ** len(ITEMS)
# As JSON writes them, with or without blanks, whatever stands between one item and the next.
WRITTEN = re.compile(b"".join(rb'"%s": ?([1-5])[^}]{0,40}?' % item.encode() for item in ITEMS))


def crowd(database: Database, size: int, *, practices: int = 1, leaders: int = 0, code: str = "CROWD") -> int:
    """A body of `size` members spread over its practices, the first `leaders` of them with a formal role."""
    with database.session() as session:
        body = Body(code=code, name="A crowd", created_at=clock.now())
        session.add(body)
        session.flush()
        places = [Practice(body_id=body.id, code=f"Y{p:05d}", name=f"Practice {p}") for p in range(practices)]
        session.add_all(places)
        session.flush()
        people = [
            {
                "body_id": body.id,
                "ref": f"REF-{number:05d}-ZQ",
                "name": f"Quillfeather {number:05d}",
                "email": f"quill{number:05d}@members.example",
                "attributes": {},
            }
            for number in range(size)
        ]
        ids = list(
            session.execute(
                insert(Member.__table__).returning(Member.__table__.c.id, sort_by_parameter_order=True),
                people,
            ).scalars()
        )
        session.execute(
            insert(Spell.__table__),
            [
                {
                    "body_id": body.id,
                    "member_id": member_id,
                    "practice_id": places[number % practices].id,
                    "role": "clinical_lead" if number < leaders else "gp_partner",
                    "representative": number < practices,
                }
                for number, member_id in enumerate(ids)
            ],
        )
        instruments.seed(session, OPERATOR, body.id)
        return body.id


def answers_of(number: int) -> dict[str, int]:
    """The answers that say a number, its last digit in the last item."""
    digits = []
    for _ in ITEMS:
        number, digit = divmod(number, 5)
        digits.append(digit + 1)
    assert not number, "too large a number for the items"
    return dict(zip(ITEMS, reversed(digits), strict=True))


def number_of(answers: dict[str, int]) -> int:
    """The number that answers say."""
    number = 0
    for item in ITEMS:
        number = number * 5 + answers[item] - 1
    return number


def sheet_of(number: int, comment: str | None = None, *, tick: bool = False) -> Sheet:
    """A complete sheet that says a number."""
    return Sheet(answers_of(number), {OPEN_ITEM: (comment, "theme")} if comment else {}, tick)


def numbers_in(data: bytes) -> list[tuple[int, int]]:
    """Every number written as answers in some bytes, each with its offset."""
    found = []
    for match in WRITTEN.finditer(data):
        number = 0
        for digit in match.groups():
            number = number * 5 + int(digit) - 1
        found.append((match.start(), number))
    return found
