"""Invented bodies over many rounds: joiners, leavers, changes of role, and answers that lean to one side.

What an intruder knows (`Who`) is kept apart from what people answered, so that no reading can use the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

LEADER, GRASSROOTS = "leader", "grassroots"
NOBODY = ""
"""The group of a person who was not invited."""
ROLES = ("partner", "salaried", "locum")
WEIGHED_TO = ("role", "locality", "size")
SIZES = ("small", "medium", "large")


@dataclass(frozen=True, eq=False)
class Who:
    """What is public, or known to an intruder, of one round; (people,) arrays throughout.

    `groups` maps an attribute ("standing", "locality", "role", "size") to names, `NOBODY` where a person was not
    invited. `answered` maps an item to truth values.
    """

    number: int
    groups: Mapping[str, np.ndarray]
    answered: Mapping[str, np.ndarray]

    @property
    def invited(self) -> np.ndarray:
        return self.groups["standing"] != NOBODY

    @property
    def came(self) -> np.ndarray:
        """(people,) who sent an answer to anything."""
        return self.invited & np.logical_or.reduce(list(self.answered.values()))

    @cached_property
    def weights(self) -> np.ndarray | None:
        """(people,) what each answer weighs on this roster in hundredths, 0 for the silent; None where no weights can be made.

        Anybody who knows the roster and who answered can work them out: the method is public.
        """
        from engagement import estimates

        try:
            found = estimates.weigh(
                {name: self.groups[name][self.came] for name in WEIGHED_TO},
                {name: self.groups[name][self.invited] for name in WEIGHED_TO},
                cap=3.0,
            )
        except ValueError:
            return None
        weights = np.zeros(self.came.size, np.int64)
        weights[self.came] = [round(100 * float(f"{max(weight, 0.01):.2f}")) for weight in found.weights]
        return weights


@dataclass(frozen=True, eq=False)
class Body:
    """A body and its rounds. `favourable`: for each round, item to (people,) truth values, meant where answered.

    `steady` says that nobody ever changed an answer. `practice`: (people,) numbers.
    """

    seed: int
    practice: np.ndarray
    rounds: tuple[Who, ...]
    favourable: tuple[Mapping[str, np.ndarray], ...]
    steady: bool
    threshold: int = 10

    @property
    def people(self) -> int:
        return self.practice.size

    def truth(self, item: str) -> dict[int, np.ndarray]:
        """Favourable answers to an item, (people,) by round number."""
        return {who.number: answers[item] for who, answers in zip(self.rounds, self.favourable, strict=True)}

    def count(self, at: int, item: str, members: np.ndarray) -> tuple[int, int, int]:
        """Favourable answers, answers and people invited of a group in round `at` (its place, from 0)."""
        who = self.rounds[at]
        rows = members & who.answered[item]
        return (
            int((self.favourable[at][item] & rows).sum()),
            int(rows.sum()),
            int((members & who.invited).sum()),
        )


def invent(
    seed: int,
    *,
    people: tuple[int, int] = (20, 120),
    favourable: tuple[float, float] = (0.5, 0.99),
    leaders: tuple[int, int] = (1, 15),
    rounds: tuple[int, int] = (1, 12),
    items: tuple[int, int] = (1, 3),
    response: tuple[float, float] = (0.4, 1.0),
    steady: bool | None = None,
) -> Body:
    """A body drawn by its seed; each pair is a range, ends included.

    `people` is the number invited at a time, of whom `leaders` lead. Half of the bodies are `steady` unless said
    otherwise. Between rounds up to a tenth leave and as many join or come back, and one in
    forty changes sides.
    """
    rng = np.random.default_rng(seed)

    def between(ends):
        return int(rng.integers(ends[0], ends[1] + 1))

    size, rounds_ = between(people), between(rounds)
    names = [f"item {number}" for number in range(1, between(items) + 1)]
    turnover = rng.uniform(0, 0.1) if rounds_ > 1 else 0.0
    everybody = size + int(np.ceil(size * turnover)) * (rounds_ - 1)
    steady = bool(rng.integers(2)) if steady is None else steady
    practices = max(3, size // 4)
    practice = rng.integers(practices, size=everybody)
    localities = np.array([f"L{number}" for number in range(between((2, 5)))])
    locality = rng.choice(localities, size=practices)[practice]
    breadth = rng.choice(np.array(SIZES), size=practices)[practice]
    role = rng.choice(np.array(ROLES), size=everybody, p=(0.6, 0.3, 0.1))
    leads = np.zeros(everybody, bool)
    leads[rng.permutation(size)[: min(between(leaders), size - 1)]] = True
    rate, lean = rng.uniform(*response), rng.uniform(*favourable)
    kindness = {name: rng.random(everybody) for name in names}
    present = np.arange(everybody) < size
    who, answers = [], []
    for number in range(1, rounds_ + 1):
        if number > 1:
            gone = present & (rng.random(everybody) < turnover)
            newcomers = np.flatnonzero(~present & (np.arange(everybody) >= size))[: int(gone.sum())]
            present = present & ~gone
            present[newcomers] = True
            leads = leads ^ (rng.random(everybody) < 0.025) if number % 2 else leads
        if not steady:
            kindness = {
                n: np.where(rng.random(everybody) < 0.2, rng.random(everybody), u)
                for n, u in kindness.items()
            }
        replied = present & (rng.random(everybody) < rate)
        answered = {name: replied & (rng.random(everybody) < 0.97) for name in names}
        shown = {
            "standing": np.where(leads, LEADER, GRASSROOTS),
            "locality": locality,
            "role": role,
            "size": breadth,
        }
        groups = {by: np.where(present, of, NOBODY) for by, of in shown.items()}
        who.append(Who(number, groups, answered))
        # Steady answers depend on the person alone; leaders of changing bodies agree a little more.
        tilt = 0.0 if steady else 0.1
        answers.append({n: u < np.minimum(lean + tilt * leads, 0.995) for n, u in kindness.items()})
    return Body(seed, practice, tuple(who), tuple(answers), steady)
