"""Rounds of invented answers without a database, through the gate to printed items."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from engagement.instrument.bank import SCALES
from engagement.releases import build, compare, tally

ITEMS = ("owned", "decisions_members", "informed")
ARMS = ("leader", "grassroots")


def rounds(
    given: Sequence[Mapping[str, tuple[int, int]]],
    *,
    plan: Sequence[str] = ("standing",),
    places: Callable[[str, int], str] = lambda arm, place: "N",
    invited: Sequence[tuple[str, str]] = (),
    panel: bool = False,
    shuffled: bool = True,
) -> list[dict[str, Any]]:
    """The printed content of each round. `given`: favourable and answers by arm; every item is answered alike.

    `places`: the locality of each person of an arm; `invited`: arm and locality of further people who did not answer;
    `shuffled`: who agrees is drawn, else the first of each arm do. `panel`: the same place in an arm is the same person in every round.
    """
    history: list[compare.Facts] = []
    out = []
    for number, arms in enumerate(given, 1):
        now = one(
            arms, number=number, plan=plan, places=places, invited=invited, panel=panel, shuffled=shuffled
        )
        gathered = build.assemble(history, now)
        decision = gathered.question.decide(lambda done, total: None)
        items, _ = build.printed_items(gathered, decision)
        weighting = gathered.further.weighting
        content = {
            "round": {"number": number},
            "items": items,
            "design_effect": gathered.effects[0],
            "weighting": weighting and weighting.how,
        }
        out.append(content)
        history.append(replace(now, content=content))
    return out


def one(
    arms: Mapping[str, tuple[int, int]],
    *,
    number: int = 1,
    plan: Sequence[str] = ("standing",),
    places: Callable[[str, int], str] = lambda arm, place: "N",
    invited: Sequence[tuple[str, str]] = (),
    panel: bool = False,
    shuffled: bool = True,
) -> compare.Facts:
    """One round before its release; arguments as for `rounds`."""
    chance = np.random.default_rng(0 if panel else number)
    people = [
        (arm, place, bool(agrees), places(arm, place))
        for arm, (good, n) in arms.items()
        for place, agrees in enumerate((chance.permutation(n) if shuffled else np.arange(n)) < good)
    ]
    return compare.Facts(
        number,
        "confidential",
        10,
        _promise(plan),
        _answers(people, number if panel else None),
        _roster([(arm, place) for arm, _, _, place in people] + list(invited)),
    )


def owned(content: Mapping[str, Any], key: str = "owned") -> dict[str, Any]:
    """One item of a round."""
    return next(item for item in content["items"] if item["item"] == key)


def _promise(plan: Sequence[str]) -> dict[str, Any]:
    return {
        "plan": list(plan),
        "standing_map": {},
        "items": [
            {
                "key": key,
                "version": 1,
                "series": f"{key}/1/agree5",
                "text": key,
                "kind": "agree5",
                "reverse": False,
                "core": True,
                "headline": key != "informed",
                "labels": [list(label) for label in SCALES["agree5"]],
            }
            for key in ITEMS
        ],
    }


def _answers(people: Sequence[tuple], number: int | None) -> tally.Answers:
    arm = np.array([ARMS.index(who) for who, *_ in people])
    good = np.array([float(agrees) for _, _, agrees, _ in people])
    names = [f"{who} {place}" for who, place, *_ in people]
    codes = [None if number is None else f"{name} {{}}" for name in names]
    none = np.full(len(people), None, dtype=object)
    return tally.Answers(
        arm=arm,
        practice=np.array([place % 40 for _, place, *_ in people]),
        placed=True,
        favourable=dict.fromkeys(ITEMS, good),
        score=dict.fromkeys(ITEMS, np.where(good == 1, 4.0, 2.0)),
        dont_know=dict.fromkeys(ITEMS, np.zeros(len(people), bool)),
        strata={
            "role": np.array([who for who, *_ in people], dtype=object),
            "locality": np.array([place for *_, place in people], dtype=object),
            "size": np.full(len(people), "small", dtype=object),
        },
        before=none if number is None else np.array([c.format(number - 1) for c in codes], dtype=object),
        now=none if number is None else np.array([c.format(number) for c in codes], dtype=object),
        agreed=np.zeros(len(people), bool),
    )


def _roster(people: Sequence[tuple[str, str]]) -> tally.Invited:
    return tally.Invited(
        np.array([arm for arm, _ in people], dtype=object),
        {
            "role": np.array([arm for arm, _ in people], dtype=object),
            "locality": np.array([place for _, place in people], dtype=object),
            "size": np.full(len(people), "small", dtype=object),
        },
    )
