"""Releases of an invented body, made by the real gate, for the pages and charts to draw."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest

from engagement.disclosure.publish import Count, publish_item
from engagement.words import words_of

TEXTS = {
    "owned": "The CCG belongs to its members and feels like our own organisation",
    "decisions_members": "The CCG's decisions reflect what its members think",
    "informed": "I know what the CCG is trying to achieve",
}
PARALLELS = {"owned": ["worklife-2015/owned", "kings-fund/owned"]}


def an_item(
    key: str = "owned",
    leader: tuple[int, int, int] = (10, 15, 22),
    grassroots: tuple[int, int, int] = (20, 80, 150),
    *,
    version: int = 1,
    kind: str = "agree5",
    headline: bool | None = None,
    change: dict | None = None,
    staff: tuple[int, int, int] | None = None,
    design_effect: float | None = 1.4,
    text: str | None = None,
) -> dict:
    """An item of a release from (favourable, answered, invited) of each arm."""
    counts = {"leader": Count(*leader), "grassroots": Count(*grassroots)}
    if staff is not None:
        counts["staff"] = Count(*staff)
    printed = publish_item(counts, threshold=10, design_effect=design_effect, df=38).as_json()
    return {
        "item": key,
        "version": version,
        "series": f"{key}/{version}/{kind}",
        "text": text or TEXTS.get(key, key),
        "headline": key in ("owned", "decisions_members") if headline is None else headline,
        "parallels": PARALLELS.get(key, []),
        "groups": printed["groups"],
        "total": printed["total"],
        "gap": printed["gap"],
        "change": change,
    }


def a_release(number: int, *items: dict, practices: list[dict] | None = None, **round_fields) -> dict:
    """The content of one release."""
    year = 2021 + (number + 1) // 2
    closed = date(year, 3 if number % 2 else 9, 22)
    return {
        "schema": 1,
        "software": "0.1.0",
        "body": {"code": "DEMO", "name": "Example Vale CCG", "words": words_of({})},
        "round": {
            "number": number,
            "public_id": f"r{number}",
            "title": f"{'Spring' if number % 2 else 'Autumn'} {year}",
            "tier": "confidential",
            "threshold": 10,
            "opened_on": closed.replace(day=1).isoformat(),
            "closed_on": closed.isoformat(),
            "imported": False,
            "promise_hash": "ab12",
        }
        | round_fields,
        "groups": [
            {"id": "leader", "label": "Leaders", "N": 22},
            {"id": "grassroots", "label": "Grassroots members", "N": 150},
        ],
        "participation": {"N": 172, "answered_percent": 55},
        "practices": practices or [],
        "items": list(items) or [an_item()],
        "design_effect": 1.4,
        "suppressed": [],
    }


def a_history() -> list[dict]:
    """Nine rounds: widening, the fourth hidden, the seventh reworded, the eighth capped, informed asked from the third."""
    owned = {
        1: ((10, 15, 22), (28, 82, 150)),
        2: ((10, 15, 22), (27, 84, 150)),
        3: ((11, 16, 22), (25, 80, 150)),
        4: ((6, 8, 22), (24, 78, 150)),
        5: ((11, 15, 22), (22, 76, 150)),
        6: ((12, 16, 22), (20, 74, 150)),
        7: ((12, 15, 22), (18, 73, 150)),
        8: ((15, 16, 22), (13, 70, 150)),
        9: ((13, 16, 22), (12, 66, 150)),
    }
    verdicts = {
        1: None,
        2: {"since": 1, "verdict": "no clear change", "points": None},
        3: {"since": 2, "verdict": "no clear change", "points": None},
        4: {"since": 3, "verdict": "cannot say", "points": None},
        5: {"since": 4, "verdict": "cannot say", "points": None},
        6: {"since": 5, "verdict": "no clear change", "points": None},
        7: None,
        8: {"since": 7, "verdict": "wider", "points": None},
        9: {"since": 8, "verdict": "no clear change", "points": None},
    }
    history = []
    for number, (leader, grassroots) in owned.items():
        items = [
            an_item("owned", leader, grassroots, version=2 if number >= 7 else 1, change=verdicts[number]),
            an_item("decisions_members", (12, 15, 22), (26 - number, 76, 150), change=verdicts[number]),
        ]
        if number >= 3:
            items.append(an_item("informed", (13, 14, 22), (45, 80, 150)))
        practices = [
            {"practice_id": f"Y{code:05d}", "band": ("none", "low", "half", "most")[(code * 7 + number) % 4]}
            for code in range(1, 31)
            if not (code == 30 and number < 5)
        ]
        practices.append({"practice_id": None, "pooled": 12, "band": "half"})
        history.append(a_release(number, *items, practices=practices))
    return history


@pytest.fixture
def history() -> list[dict]:
    """Nine rounds of releases, oldest first."""
    return a_history()


@pytest.fixture
def item():
    """A maker of one released item."""
    return an_item


@pytest.fixture
def release():
    """A maker of one release."""
    return a_release


@dataclass(frozen=True)
class FakeReference:
    """A published figure, as the engagement.instrument.references give it."""

    publisher: str = "The King's Fund"
    year: int = 2013
    percent: float | None = 66
    quoted: str | None = None
    half_width: float | None = None
    arm: str | None = "leader"


@pytest.fixture
def reference():
    """A maker of published figures."""
    return FakeReference
