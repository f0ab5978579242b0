"""One body, all its documents, every item: who was solved, and what the publishing was worth to an honest reader."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from itertools import combinations

import numpy as np

from tests.adversary.attacker.bodies import GRASSROOTS, LEADER, NOBODY, Body, Who
from tests.adversary.attacker.reading import View, members, views
from tests.adversary.attacker.solver import Attack, Problem, attack, problem

LONGEST_BELIEF = 4
"""Rounds over which the product claims to withstand the belief that nobody changed, where it is wrong."""


@dataclass(frozen=True)
class Outcome:
    """Counts of one or many campaigns; they add up. `attacked` counts an answer once for each belief it is attacked
    under. `gap_figures`, `gap_bounds`, `gap_unclear`, `gap_alone`: how headline gaps were printed, of items where both arms could be."""

    body_rounds: int = 0
    attacked: int = 0
    solved: int = 0
    counted: int = 0
    timed_out: int = 0
    groups_timed_out: int = 0
    unchecked: int = 0
    planned: int = 0
    published: int = 0
    headlines: int = 0
    gap_figures: int = 0
    gap_bounds: int = 0
    gap_unclear: int = 0
    gap_alone: int = 0
    gap_error: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    def as_json(self) -> dict:
        return asdict(self)


def stacks(
    documents: Sequence[Mapping], rounds: Sequence[Who], item: str, truth: Mapping[int, np.ndarray]
) -> Iterator[tuple[Problem, dict[int, np.ndarray]]]:
    """The problems that together use all that was published of an item, for each thing that somebody may take for true,
    each with the favourable answers to it.

    Nothing beside the figures; of everybody, whether they kept their answer over all rounds, rightly; that nobody
    changed between two rounds, or over a run of them, rightly or not. `truth`: favourable answers.
    """
    asked = [(document, who) for document, who in zip(documents, rounds, strict=True) if item in who.answered]
    whos = [who for _, who in asked]
    found = views([document for document, _ in asked], whos, item)
    answered = {who.number: who.answered[item] for who in whos}

    def among(
        numbers: Sequence[int], steady: bool | np.ndarray = False, belief: str = ""
    ) -> tuple[Problem, dict]:
        inside = [view for view in found if set(view.weights) <= set(numbers)]
        return problem(inside, {n: answered[n] for n in numbers}, steady=steady, belief=belief), truth

    for numbers in _joined(found, whos):
        yield among(numbers)
    if len(whos) < 2:
        return
    either = [
        np.logical_or.reduce([answered[n] & (truth[n] == answer) for n in answered])
        for answer in (True, False)
    ]
    kept = ~(either[0] & either[1])
    everything = tuple(answered)
    yield among(everything, kept, "who kept their answer is known")
    if not kept.all():
        pairs = set(combinations(everything, 2))
        runs = {
            everything[a:b] for a, b in combinations(range(len(whos) + 1), 2) if 2 < b - a <= LONGEST_BELIEF
        }
        for numbers in sorted(pairs | runs):
            yield among(numbers, True, "nobody is taken to have changed")


def _joined(found: Sequence[View], rounds: Sequence[Who]) -> list[tuple[int, ...]]:
    """Rounds in groups that no figure joins: neither says anything of the other."""
    groups = [{who.number} for who in rounds]
    for view in found:
        together = [group for group in groups if group & set(view.weights)]
        groups = [group for group in groups if group not in together] + [set().union(*together)]
    return sorted(tuple(sorted(group)) for group in groups)


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
        for given, truth in stacks(documents, chosen, item, body.truth(item)):
            found = attack(given, truth, colleagues=colleagues, threshold=body.threshold, seconds=seconds)
            yield item, given, found


def campaign(body: Body, documents: Sequence[Mapping], tables: Sequence[str] = (), **options) -> Outcome:
    """Attack a body's documents and weigh them. `tables`: the breakdowns that were planned. Options as `attacks`."""
    total = Outcome(
        body_rounds=len(documents), unchecked=sum(not document.get("checked", True) for document in documents)
    )
    for *_, result in attacks(body, documents, **options):
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
    is_shown = gap["mark"] == "shown"
    possible = min(leader[1], grassroots[1]) >= body.threshold
    figure = is_shown and not gap["cap"]
    error = 0.0
    if figure:
        exact = 100 * (Fraction(leader[0], leader[1]) - Fraction(grassroots[0], grassroots[1]))
        error = abs(float(gap["points"] - exact))
    return Outcome(
        planned=planned,
        published=min(shown + is_shown, planned),
        headlines=int(possible),
        gap_figures=int(figure),
        gap_bounds=int(is_shown and gap["cap"] in ("at_least", "at_most")),
        gap_unclear=int(is_shown and gap["cap"] == "unclear"),
        gap_alone=int(is_shown and entry["groups"][LEADER]["mark"] != "shown"),
        gap_error=error,
    )
