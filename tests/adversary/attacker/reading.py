"""What an intruder reads from a published document: every number, classed, and each figure as a constraint.

The rules are those that are public (docs/release.md), written down here once more and not taken from the product.
Numbers at places that nobody has classed are refused: a figure that the attacker does not know is a leak until
somebody has thought about it.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tests.adversary.attacker.bodies import GRASSROOTS, LEADER, Who

PUBLIC, FIGURE, MADE, TAKING_PART, WORDS, PREDICATE = (
    "known before the round, or fixed for all rounds",
    "read into a constraint",
    "made from the figures printed beside it",
    "says who answered, which the intruder knows anyway",
    "words, dates and names",
    "made from answers, and not read here: it is no sum of answers",
)


class Unclassified(Exception):
    """A document holds a number at a place that no reader knows."""


class Misread(Exception):
    """A figure cannot be read by the public rules, or contradicts what it stands for."""


# Places of numbers. A star is one step: a key or a place in a list. The first that fits counts.
_ENDS = ("interval", "analytic", "bounds")
_FIGURES = {
    "share": FIGURE,
    "points": FIGURE,
    "step": PUBLIC,
    "N": PUBLIC,
    "n": TAKING_PART,
    **{f"{kind}.*": MADE for kind in _ENDS},
    "exact_share": FIGURE,
    "exact_bounds.*": FIGURE,
    "exact_interval.*": FIGURE,
}
_MARKED = ("groups.*", "total", "gap", "tables.*.groups.*")
PLACES: dict[str, str] = {
    "schema": PUBLIC,
    "software": WORDS,
    "body.**": WORDS,
    "round.**": PUBLIC,
    "groups.*.**": PUBLIC,
    "participation.**": TAKING_PART,
    "practices.**": TAKING_PART,
    "suppressed.**": WORDS,
    "plan.*": WORDS,
    "labels.**": WORDS,
    "correction.**": WORDS,
    "design_effect": PREDICATE,
    "shared.**": PREDICATE,
    "items.*.item": WORDS,
    "items.*.version": PUBLIC,
    "items.*.series": WORDS,
    "items.*.text": WORDS,
    "items.*.parallels.**": WORDS,
    # Verdicts are worked from printed figures and from factors that are public or read as predicates.
    **{f"items.*.{where}.points": MADE for where in ("change", "levels.*", "panel.groups.*", "panel.gap")},
    **{f"items.*.{where}.since": PUBLIC for where in ("change", "levels.*", "panel", "trend")},
    "items.*.gap.within": MADE,
    "items.*.gap.n.*": TAKING_PART,
    "items.*.trend.rounds": PUBLIC,
    "items.*.trend.points": MADE,
    "items.*.panel.groups.*.n": TAKING_PART,
    **{f"items.*.panel.groups.*.{when}.share": FIGURE for when in ("before", "now")},
    **{f"items.*.panel.moved.{part}": FIGURE for part in ("change", "minds", "mix", "turnover")},
    "items.*.tipping.*": MADE,
    "items.*.weighted.groups.*.share": FIGURE,
    "items.*.weighted.gap.points": MADE,
    **{f"items.*.weighted.{where}.analytic.*": MADE for where in ("groups.*", "gap")},
    "items.*.distribution.N": PUBLIC,
    "items.*.distribution.n": TAKING_PART,
    "items.*.distribution.options.*.score": PUBLIC,
    "items.*.distribution.options.*.share": FIGURE,
    "items.*.distribution.dont_know.share": TAKING_PART,
    "index.**": MADE,
    "measuring.rounds.*": PUBLIC,
    "measuring.**": PREDICATE,
    "weighting.**": TAKING_PART,
    **{f"items.*.{where}.{what}": kind for where in _MARKED for what, kind in _FIGURES.items()},
}


def numbers(document: object, path: str = "") -> Iterator[tuple[str, int | float | str]]:
    """Every number of a JSON document with its path, and every text that has a digit in it."""
    if isinstance(document, Mapping):
        for key, value in document.items():
            if re.search(r"\d", key) and not re.search(r"[A-Za-z]", key):
                yield f"{path}.{key}".strip("."), key
            yield from numbers(value, f"{path}.{key.replace('.', '·')}".strip("."))
    elif isinstance(document, list | tuple):
        for place, value in enumerate(document):
            yield from numbers(value, f"{path}.{place}".strip("."))
    elif isinstance(document, str):
        if re.search(r"\d", document):
            yield path, document
    elif document is not None and not isinstance(document, bool):
        yield path, document


def classify(document: object, places: Mapping[str, str] = PLACES) -> dict[str, str]:
    """The class of every number in a document, by path. Raises `Unclassified` for one that no place covers."""
    patterns = [(_pattern(place), kind) for place, kind in places.items()]
    found = {}
    for path, value in numbers(document):
        kind = next((kind for pattern, kind in patterns if pattern.fullmatch(path)), None)
        if kind is None:
            raise Unclassified(
                f"{value!r} at {path}: class this place in reading.PLACES, and read it if it is a figure."
            )
        found[path] = kind
    return found


def _pattern(place: str) -> re.Pattern:
    steps = {"*": r"[^.]+", "**": r".+"}
    return re.compile(r"\.".join(steps.get(step, re.escape(step)) for step in place.split(".")))


@dataclass(frozen=True, eq=False)
class View:
    """One printed figure as a constraint: low <= sum of weights over favourable answers <= high, in whole numbers.

    `weights` maps a round's number to (people,) whole numbers, 0 for all who did not answer.
    """

    name: str
    item: str
    weights: Mapping[int, np.ndarray]
    low: int
    high: int

    def value(self, favourable: Mapping[int, np.ndarray]) -> int:
        """The sum for given answers, by round number."""
        return sum(
            int(weights @ favourable[number].astype(np.int64)) for number, weights in self.weights.items()
        )


def nearest_5(share: Fraction) -> int:
    """Percentage points to the nearest 5, ties upwards."""
    return 5 * math.floor(share * 20 + Fraction(1, 2))


def _share(figure: Mapping, y: int, n: int, invited: int) -> bool:
    """Steps of 5 or 10 points, ties upwards; thirds (step 33) and halves (step 50), whose lower edge belongs to them."""
    printed, cap, step = figure["share"], figure.get("cap"), figure.get("step", 5)
    if step in (33, 50):
        classes = (
            [(33, "at_most"), (50, None), (67, "at_least")]
            if step == 33
            else [(50, "at_most"), (50, "at_least")]
        )
        return classes[min(len(classes) * y // n, len(classes) - 1)] == (printed, cap)
    value = step * math.floor(Fraction(100 * y, n * step) + Fraction(1, 2))
    return {"at_least": value >= printed, "at_most": value <= printed, None: value == printed}[cap]


def _bounds(y: int, n: int, invited: int) -> list[int]:
    return [100 * y // invited, -(-100 * (y + invited - n) // invited)]


def _wilson(y: int, n: int, invited: int) -> list[int]:
    """Ends of Wilson's 95% interval in percent, outwards to whole ones, with the correction for a finite roster."""
    if n == invited:
        return [100 * y // n, -(-100 * y // n)]
    p, spread = y / n, 1.959963984540054**2 * (invited - n) / (n * (invited - 1))
    middle = (p + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (p * (1 - p) + spread / 4)) / (1 + spread)
    return [math.floor(100 * (middle - half) + 1e-9), math.ceil(100 * (middle + half) - 1e-9)]


EXACT: dict[str, Callable[[int, int, int], object]] = {
    "exact_share": lambda y, n, invited: round(100 * y / n, 1),
    "exact_bounds": _bounds,
    "exact_interval": _wilson,
}
"""What careless publishers print: functions of favourable answers, answers and people invited."""

READERS: dict[str, Callable[[Mapping, int, int, int], bool]] = {
    "share": _share,
    **{
        key: lambda figure, y, n, invited, key=key, of=of: figure[key] == of(y, n, invited)
        for key, of in EXACT.items()
    },
}
"""For each key of a shown group: would so many favourable answers have been printed as this? Add a key to read it."""


def allowed(figure: Mapping, n: int, invited: int) -> tuple[int, int]:
    """Fewest and most favourable answers among `n` that print as a shown figure. Raises `Misread` for none."""
    fits = [
        y
        for y in range(n + 1)
        if all(READERS[key](figure, y, n, invited) for key in figure if key in READERS)
    ]
    if not fits or len(fits) != fits[-1] - fits[0] + 1:
        raise Misread(f"No run of counts among {n} prints as {figure}.")
    return fits[0], fits[-1]


def views(documents: list[Mapping], rounds: list[Who], item: str) -> list[View]:
    """All constraints that the documents, in the order of `rounds`, put on the favourable answers to one item.

    Raises `Unclassified` for an unknown number and `Misread` for a figure that the rules cannot have printed.
    """
    found, earlier = [], None
    for document, who in zip(documents, rounds, strict=True):
        classify(document)
        entry = next((entry for entry in document["items"] if entry["item"] == item), None)
        if entry is None or item not in who.answered:
            continue
        found += _of_round(entry, who, item)
        if earlier is not None:
            found += _of_two_rounds(entry, who, earlier, item)
        earlier = who
    return found


def members(who: Who, by: str, name: str) -> np.ndarray:
    """Who belongs to a group of a table, as (people,) truth values.

    Names of merged groups are joined by " + "; a table crossed of two attributes, and its groups, by " × ".
    """
    if " × " in by:
        parts = zip(by.split(" × "), name.split(" × "), strict=True)
        return np.logical_and.reduce([members(who, *part) for part in parts])
    return np.isin(who.groups[by], name.split(" + "))


def _of_round(entry: Mapping, who: Who, item: str) -> Iterator[View]:
    answered = who.answered[item]
    arms = {name: members(who, "standing", name) for name in (LEADER, GRASSROOTS)}
    tables = [
        ("standing", entry["groups"]),
        *((table["by"], table["groups"]) for table in entry.get("tables") or ()),
    ]
    for by, groups in tables:
        for name, figure in groups.items():
            if figure["mark"] == "shown":
                yield _of_group(f"{by} {name}", members(who, by, name), figure, who, item)
    total = entry.get("total")
    if total and total["mark"] == "shown":
        yield _of_group("total", arms[LEADER] | arms[GRASSROOTS], total, who, item)
    if entry["gap"]["mark"] == "shown" and not entry["gap"].get("of_shares"):
        yield from _of_gap(entry, {name: arm & answered for name, arm in arms.items()}, who, item)
    if entry.get("weighted"):
        yield from _of_weighted(
            entry["weighted"], {name: arm & answered for name, arm in arms.items()}, who, item
        )
    if (entry.get("distribution") or {}).get("mark") == "shown":
        yield from _of_distribution(entry, who, item)


def _of_group(name: str, group: np.ndarray, figure: Mapping, who: Who, item: str) -> View:
    rows = group & who.answered[item]
    low, high = allowed(figure, int(rows.sum()), int((group & who.invited).sum()))
    return View(name, item, {who.number: rows.astype(np.int64)}, low, high)


def _of_gap(entry: Mapping, arms: Mapping[str, np.ndarray], who: Who, item: str) -> Iterator[View]:
    """The gap is the exact one, rounded; an arm printed with a cap enters as the inner end of its printed cell.

    A gap whose arms are hidden says by its step, or by its cap, how far it reaches.
    """
    gap, points = entry["gap"], entry["gap"].get("points")
    cells, known = [], Fraction(0)
    for name, sign in ((LEADER, 1), (GRASSROOTS, -1)):
        figure = entry["groups"][name]
        if figure.get("cap"):
            known += sign * _inner_end(figure)
        else:
            cells.append((who.number, sign, arms[name]))
    if points is None or not cells:
        return
    if entry["groups"][LEADER]["mark"] == "shown":
        low, high = (points - known - Fraction(5, 2), points - known + Fraction(5, 2))
    else:
        # The cell of an end begins at its points.
        half = Fraction(0 if gap["cap"] else gap["step"], 2)
        low = None if gap["cap"] == "at_most" else points - half
        high = None if gap["cap"] == "at_least" else points + half
    yield _contrast("gap", item, cells, low, high)


def _inner_end(figure: Mapping) -> Fraction:
    """Where a printed end cell begins, in points."""
    return Fraction(2 * figure["share"] + (5 if figure["cap"] == "at_most" else -5), 2)


def _of_weighted(printed: Mapping, arms: Mapping[str, np.ndarray], who: Who, item: str) -> Iterator[View]:
    """Weighted shares, rounded and capped as the others; their gap is the difference of what is printed.

    Raises `Misread` where no weights can be made.
    """
    if who.weights is None:
        raise Misread("Weighted figures were printed of a round whose weights cannot be made.")
    half = Fraction(5, 2)
    for name, rows in arms.items():
        figure, weights = printed["groups"][name], who.weights * rows
        if figure["mark"] == "shown":
            yield _sum(
                f"weighted {name}",
                item,
                [(who.number, weights, Fraction(1, int(weights.sum())))],
                None if figure["cap"] == "at_most" else figure["share"] - half,
                None if figure["cap"] == "at_least" else figure["share"] + half,
            )


def _contrast(name: str, item: str, cells, low: Fraction | None, high: Fraction | None) -> View:
    """The constraint low <= a signed sum of shares, in points, < high. An end that is None does not bind.

    `cells`: triples of a round's number, a sign and (people,) who answered.
    """
    parts = [(number, rows, Fraction(sign, int(rows.sum()))) for number, sign, rows in cells]
    return _sum(name, item, parts, low, high)


FINE = 10**12
"""Largest common denominator that is kept; beyond it weights are rounded and the ends give way."""


def _sum(name: str, item: str, parts, low: Fraction | None, high: Fraction | None) -> View:
    """The constraint low <= the sum over parts, in points, < high. An end that is None does not bind.

    `parts`: triples of a round's number, (people,) whole numbers and the fraction that one of them counts.
    """
    scale = math.lcm(*(fraction.denominator for _, _, fraction in parts))
    slack = 0
    if scale > FINE:
        scale, slack = FINE, sum(int(np.abs(rows).sum()) for _, rows, _ in parts)
    weights: dict[int, np.ndarray] = {}
    for number, rows, fraction in parts:
        weights[number] = weights.get(number, 0) + round(scale * fraction) * rows.astype(np.int64)
    every = np.concatenate(list(weights.values()))
    # Ties go up: what lies on the upper edge prints as the next figure.
    return View(
        name,
        item,
        weights,
        int(every[every < 0].sum()) if low is None else math.ceil(Fraction(low) * scale / 100) - slack,
        int(every[every > 0].sum()) if high is None else math.ceil(Fraction(high) * scale / 100) - 1 + slack,
    )


def _of_distribution(entry: Mapping, who: Who, item: str) -> Iterator[View]:
    """Answers in full, leaders and grassroots members together: the options' shares, added up, bound the favourable."""
    rows = who.answered[item] & (members(who, "standing", f"{LEADER} + {GRASSROOTS}"))
    n = int(rows.sum())
    ends = {True: np.zeros(2, int), False: np.zeros(2, int)}
    for option in entry["distribution"]["options"]:
        ends[option["favourable"]] += allowed({"share": option["share"], "cap": option["cap"]}, n, n)
    low, high = max(ends[True][0], n - ends[False][1]), min(ends[True][1], n - ends[False][0])
    yield View("distribution", item, {who.number: rows.astype(np.int64)}, int(low), int(high))


def _of_two_rounds(entry: Mapping, who: Who, before: Who, item: str) -> Iterator[View]:
    """What a release says of this round and the one before: the same people twice, and what moved the total."""
    panel = entry.get("panel") or {}
    if panel.get("since") != before.number:
        return
    waves = [
        {name: members(w, "standing", name) & w.answered[item] for name in (LEADER, GRASSROOTS)}
        for w in (before, who)
    ]
    for name, figure in panel["groups"].items():
        if figure["mark"] == "shown":
            kept = waves[0][name] & waves[1][name]
            n = int(kept.sum())
            for number, when in ((before.number, "before"), (who.number, "now")):
                low, high = allowed(figure[when], n, n)
                yield View(f"panel {name} {when}", item, {number: kept.astype(np.int64)}, low, high)
    if panel["moved"]["mark"] == "shown":
        for part, weights in _moved(waves, (before.number, who.number)).items():
            points = panel["moved"][part]
            yield _sum(f"moved {part}", item, weights, points - Fraction(5, 2), points + Fraction(5, 2))


def _moved(waves: list[dict[str, np.ndarray]], numbers: tuple[int, int]) -> dict[str, list]:
    """The parts of the change of the total share as weighted sums of answers, (number, (people,), fraction) each.

    Everybody before; those who stayed, before; the same, now; everybody now. The middle step is minds. Of the two
    outer ones, mix is what a change in the shares of the arms does at the mean of both rates, and turnover the rest.
    An arm of which nobody stayed has the rate of all of it. Source: Kitagawa 1955.
    """
    everybody = [wave[LEADER] | wave[GRASSROOTS] for wave in waves]
    stayed = everybody[0] & everybody[1]
    parts: dict[str, list] = {"change": [], "minds": [], "mix": [], "turnover": []}
    for number, sign, wave, all_ in zip(numbers, (-1, 1), waves, everybody, strict=True):
        whole = [(number, all_, Fraction(sign, int(all_.sum())))]
        same = [(number, stayed, Fraction(sign, int(stayed.sum())))]
        mix = []
        for arm in wave.values():
            n, kept = int(arm.sum()), int((arm & stayed).sum())
            # Leaving goes from all to those who stayed, joining from those to all.
            shift = sign * (Fraction(n, int(all_.sum())) - Fraction(kept, int(stayed.sum()))) / 2
            if kept:
                mix += [(number, arm, shift / n), (number, arm & stayed, shift / kept)]
            elif n:
                mix += [(number, arm, 2 * shift / n)]
        parts["change"] += whole
        parts["minds"] += same
        parts["mix"] += mix
        parts["turnover"] += whole + [(n, rows, -f) for n, rows, f in same + mix]
    return {name: [part for part in of if part[2]] for name, of in parts.items()}


def check_made(documents: list[Mapping]) -> int:
    """Number of intervals seen; raises `Misread` where two of them differ and all that is printed beside them agrees.

    An interval that is a function of what stands beside it can be left out of the reading. Only the roster, share,
    cap and band may enter, and the round's design effect, whose degrees of freedom are one figure a document.
    """
    seen: dict[str, object] = {}
    count = 0
    for place, document in enumerate(documents):
        for entry in document["items"]:
            arms = {
                name: _beside(figure) for name, figure in entry["groups"].items() if figure["mark"] == "shown"
            }
            tables = [entry["groups"], *(table["groups"] for table in entry.get("tables") or ())]
            figures = [figure for groups in tables for figure in groups.values()]
            figures = [(figure, _beside(figure)) for figure in [*figures, entry.get("total")] if figure]
            gap = entry["gap"]
            alone = [gap.get(key) for key in ("points", "cap", "step", "n")] if gap.get("step") else None
            invited = [entry["groups"][arm].get("N") for arm in (LEADER, GRASSROOTS)]
            figures.append((gap, [arms.get(LEADER), arms.get(GRASSROOTS), alone, invited]))
            for figure, beside in figures:
                for kind in ("interval", "analytic", "bounds"):
                    if figure.get(kind) is None:
                        continue
                    if "50+" in json.dumps(beside):
                        # The rung of the number of answers enters too, which the intruder knows and this does not.
                        continue
                    # Analytic intervals also depend on the number of practices, which is the document's.
                    key = json.dumps([kind, beside, place if kind == "analytic" else None])
                    if seen.setdefault(key, figure[kind]) != figure[kind]:
                        raise Misread(
                            f"{kind} {figure[kind]} is not made from what is printed beside it: {beside}."
                        )
                    count += 1
    return count


def _beside(figure: Mapping) -> dict:
    return {key: figure.get(key) for key in ("N", "n", "share", "cap", "step")}
