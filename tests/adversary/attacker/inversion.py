"""The intruder who also knows the program: what it would have printed of every other set of answers.

A gate that hides what would give somebody away tells something by hiding. Constraints read from printed figures do
not see that. For one item and few enough groups all sets of answers can be tried: those that print the same document
are what is left open, whatever the program does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from tests.adversary.attacker.bodies import Body
from tests.adversary.attacker.publishers import Publisher
from tests.adversary.attacker.solver import solved_among

_NOT_COMPARED = {"analytic", "design_effect", "change", "levels", "panel", "trend"}
"""What depends on who in a group answered what, or on other rounds, and is not tried here."""


@dataclass(frozen=True, eq=False)
class Inversion:
    """Groups of one item that a publisher tells apart, and the counts of favourable answers that print alike.

    `sizes`, `truth`: (groups,) answers, and favourable ones. `listed`: (worlds, groups) favourable answers.
    """

    sizes: np.ndarray
    truth: np.ndarray
    listed: np.ndarray

    def solved(self, colleagues: int = 3) -> set[tuple[int, int]]:
        """Groups and answers (1 favourable) of which somebody is solved by the worst colleagues."""
        return solved_among(self.listed, self.sizes, self.truth, colleagues)


def invert(publish: Publisher, body: Body, by: Sequence[str] = ("standing",), most: int = 5_000) -> Inversion:
    """Try every count of favourable answers to the only item of a body's only round, group by group.

    `by`: the attributes by which the publisher tells people apart. Raises ValueError for more than `most` worlds.
    """
    (who,), (item,) = body.rounds, body.rounds[0].answered
    cells = np.array([who.groups[name] for name in by]).T
    rows = np.flatnonzero(who.answered[item])
    _, cell = np.unique(cells[rows], axis=0, return_inverse=True)
    members = [rows[cell.reshape(-1) == number] for number in range(int(cell.max()) + 1)]
    sizes = np.array([len(people) for people in members])
    if np.prod(sizes + 1.0) > most:
        raise ValueError("Too many sets of answers to try.")
    truth = np.array([int(body.favourable[0][item][people].sum()) for people in members])
    real = list(_face(publish(body, [0])[0]))
    listed = [
        counts
        for counts in product(*(range(n + 1) for n in sizes))
        if _prints(publish, body, item, members, counts, real)
    ]
    return Inversion(sizes, truth, np.array(listed))


def _prints(publish: Publisher, body: Body, item: str, members, counts, real: list) -> bool:
    answers = np.zeros(body.people, bool)
    for people, count in zip(members, counts, strict=True):
        answers[people[:count]] = True
    other = replace(body, favourable=({item: answers},))
    return list(_face(publish(other, [0])[0])) == real


def _face(document: object) -> Iterator[object]:
    """All that is compared of a document, in order."""
    if isinstance(document, dict):
        for key in sorted(document):
            if key not in _NOT_COMPARED:
                yield key
                yield from _face(document[key])
    elif isinstance(document, list):
        yield len(document)
        for value in document:
            yield from _face(value)
    else:
        yield document
