"""A released round of a small body with comments, and the people who may or may not read them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from engagement.access import Actor, Role
from tests import support

PEOPLE = {
    "reviewer": {Role.REVIEWER},
    "council": {Role.COUNCIL},
    "governing": {Role.GOVERNING},
    "lead": {Role.LEAD},
    "both": {Role.REVIEWER, Role.GOVERNING},
    "lead_too": {Role.REVIEWER, Role.LEAD},
}


@dataclass(frozen=True)
class Commented:
    """The body, its round, and an actor a role."""

    database: object
    body_id: int
    round_id: int
    people: dict[str, Actor]
    stranger: Actor


WORDS = [
    "We have no time for the paperwork of Person 7.",
    "Dr Featherstone decides and nobody listens.",
    "District nurses never reach Practice 3.",
    "Ring me on 01632 960123 about parking permits.",
    "Emails are clear, thank you.",
]


@pytest.fixture
def commented(database, config):
    """A maker of a released round with so many quotes, themes only, and hidden comments."""

    def make(quotes: int = 10, themes: int = 2, hidden: int = 1) -> Commented:
        keys = support.keys_of(config)
        body_id = support.small_body(database)
        round_id = support.launch(database, keys, body_id)
        doors = support.doors(database, keys, round_id)
        choices = ["quote"] * quotes + ["theme"] * themes + ["hide"] * hidden
        for place, door in enumerate(doors[:45]):
            sheet = support.sheet(4 if place % 3 else 2)
            if place < len(choices):
                words = f"{WORDS[place % len(WORDS)]} No. {'abcdefghijklmnopqrstuvwxyz'[place % 26] * 3}"
                sheet.comments["one_thing"] = (
                    "SECRET " + words if choices[place] == "hide" else words,
                    choices[place],
                )
            support.answer(database, door, sheet, f"k{place}")
        support.close(database, keys, round_id)
        people = {
            name: Actor(name, frozenset((body_id, role) for role in roles)) for name, roles in PEOPLE.items()
        }
        return Commented(
            database,
            body_id,
            round_id,
            people,
            Actor("stranger", frozenset({(body_id + 1, Role.REVIEWER)})),
        )

    return make
