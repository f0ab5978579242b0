"""One body, all its documents, every item: who was solved, and what the publishing was worth to an honest reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction

from tests.adversary.attacker.bodies import GRASSROOTS, LEADER, NOBODY, Body, Who
from tests.adversary.attacker.reading import members, views
from tests.adversary.attacker.solver import Attack, Problem, attack, problem

MANY_LEADERS = 12
"""Leaders answering from which a headline gap is expected to be published."""


@dataclass(frozen=True)
class Outcome:
    """Counts of one or many campaigns; they add up. `attacked` counts a person once for each answer in question."""

    body_rounds: int = 0
    attacked: int = 0
    solved: int = 0
    counted: int = 0
    timed_out: int = 0
    groups_timed_out: int = 0
    planned: int = 0
    published: int = 0
    gaps: int = 0
    gap_error: float = 0.0
    with_leaders: int = 0
    with_leaders_shown: int = 0
    with_leaders_bound: int = 0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def as_json(self) -> dict:
        return asdict(self)


def stacks(documents: Sequence[Mapping], rounds: Sequence[Who], item: str, steady: bool) -> Iterator[Problem]:
    """The problems that together use all that was published of an item.

    Where nobody is taken to change, all rounds are one problem, and each round by itself is part of it. Otherwise
    each pair of neighbouring rounds that a figure joins is one, and each round that none joins.
    """
    asked = [(document, who) for document, who in zip(documents, rounds, strict=True) if item in who.answered]
    found = views([document for document, _ in asked], [who for _, who in asked], item)
    if steady:
        yield problem(found, [who for _, who in asked], item, steady=True)
        return
    joined = {tuple(sorted(view.weights)) for view in found if len(view.weights) > 1}
    alone = {who.number for _, who in asked} - {number for pair in joined for number in pair}
    for numbers in sorted({*joined, *((number,) for number in alone)}):
        inside = [view for view in found if set(view.weights) <= set(numbers)]
        yield problem(inside, [who for _, who in asked if who.number in numbers], item)


def attacks(
    body: Body,
    documents: Sequence[Mapping],
    *,
    rounds: Sequence[int] | None = None,
    colleagues: int = 3,
    seconds: float = 60.0,
) -> Iterator[tuple[str, Problem, Attack]]:
    """Each problem of a body with what came of attacking it. `rounds`: places of the published ones, all by default."""
    chosen = [body.rounds[at] for at in (range(len(body.rounds)) if rounds is None else rounds)]
    for item in sorted({item for who in chosen for item in who.answered}):
        for given in stacks(documents, chosen, item, body.steady):
            yield (
                item,
                given,
                attack(
                    given, body.truth(item), colleagues=colleagues, threshold=body.threshold, seconds=seconds
                ),
            )


def campaign(body: Body, documents: Sequence[Mapping], tables: Sequence[str] = (), **options) -> Outcome:
    """Attack a body's documents and weigh them. `tables`: the breakdowns that were planned. Options as `attacks`."""
    total = Outcome(body_rounds=len(documents))
    for _, _, result in attacks(body, documents, **options):
        total += Outcome(
            attacked=result.attacked,
            solved=result.solved,
            counted=len(result.counted),
            timed_out=result.timed_out,
            groups_timed_out=result.groups_timed_out,
        )
    for at, document in enumerate(documents):
        for entry in document["items"]:
            total += _worth(body, at, entry, tables)
    return total


def _worth(body: Body, at: int, entry: Mapping, tables: Sequence[str]) -> Outcome:
    """Cells planned and published of one item, and how far its printed gap is from the exact one.

    Planned: both arms, the gap, and each group of each breakdown with anybody invited.
    """
    who = body.rounds[at]
    groups = [entry["groups"], *(table["groups"] for table in entry.get("tables") or ())]
    shown = sum(figure["mark"] == "shown" for of in groups for figure in of.values())
    gap = entry["gap"]
    planned = 3 + sum(len(set(who.groups[by]) - {NOBODY}) for by in tables)
    leader, grassroots = (
        body.count(at, entry["item"], members(who, "standing", arm)) for arm in (LEADER, GRASSROOTS)
    )
    is_shown, is_bound = gap["mark"] == "shown", bool(gap.get("cap"))
    enough = leader[1] >= MANY_LEADERS and grassroots[1] >= MANY_LEADERS
    error, gaps = 0.0, 0
    if is_shown and not is_bound:
        exact = 100 * (Fraction(leader[0], leader[1]) - Fraction(grassroots[0], grassroots[1]))
        error, gaps = abs(float(gap["points"] - exact)), 1
    return Outcome(
        planned=planned,
        published=min(shown + is_shown, planned),
        gaps=gaps,
        gap_error=error,
        with_leaders=int(enough),
        with_leaders_shown=int(enough and is_shown),
        with_leaders_bound=int(enough and is_shown and is_bound),
    )
