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
    "design_effect": PREDICATE,
    "items.*.item": WORDS,
    "items.*.version": PUBLIC,
    "items.*.series": WORDS,
    "items.*.text": WORDS,
    "items.*.parallels.**": WORDS,
    **{f"items.*.{where}.points": FIGURE for where in ("change", "levels.*", "panel.groups.*", "panel.gap")},
    **{f"items.*.{where}.since": PUBLIC for where in ("change", "levels.*", "panel", "trend")},
    "items.*.gap.within": FIGURE,
    "items.*.trend.rounds": PUBLIC,
    "items.*.trend.points": PREDICATE,
    "items.*.panel.groups.*.n": TAKING_PART,
    **{f"items.*.panel.groups.*.{when}.share": FIGURE for when in ("before", "now")},
    "items.*.panel.moved.change": FIGURE,
    **{f"items.*.panel.moved.{part}": PREDICATE for part in ("minds", "mix", "turnover")},
    "items.*.tipping.*": MADE,
    "items.*.weighted.groups.*.share": FIGURE,
    "items.*.weighted.gap.points": FIGURE,
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


DIRECTIONS = {"wider": 1, "narrower": -1, "up": 1, "down": -1}
"""Verdicts that say which way something went."""


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
    printed, value = figure["share"], nearest_5(Fraction(y, n))
    return {"at_least": value >= printed, "at_most": value <= printed, None: value == printed}[
        figure.get("cap")
    ]


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
    if entry["gap"]["mark"] == "shown":
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

    A gap whose arms are hidden says by `within`, or by its cap, how far it reaches.
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
        within = Fraction(str(gap.get("within", 0)))
        low = None if gap["cap"] == "at_most" else points - within
        high = None if gap["cap"] == "at_least" else points + within
    yield _contrast("gap", item, cells, low, high)


def _inner_end(figure: Mapping) -> Fraction:
    """Where a printed end cell begins, in points."""
    return Fraction(2 * figure["share"] + (5 if figure["cap"] == "at_most" else -5), 2)


def _of_weighted(printed: Mapping, arms: Mapping[str, np.ndarray], who: Who, item: str) -> Iterator[View]:
    """Weighted shares and their gap, rounded and capped as the others. Raises `Misread` where no weights can be made."""
    if who.weights is None:
        raise Misread("Weighted figures were printed of a round whose weights cannot be made.")
    cells, known, half = [], Fraction(0), Fraction(5, 2)
    for name, sign in ((LEADER, 1), (GRASSROOTS, -1)):
        figure, rows = printed["groups"][name], who.weights * arms[name]
        if figure["mark"] != "shown":
            continue
        low = None if figure["cap"] == "at_most" else figure["share"] - half
        high = None if figure["cap"] == "at_least" else figure["share"] + half
        yield _weighted(f"weighted {name}", item, who.number, [(1, rows)], low, high)
        if figure["cap"]:
            known += sign * _inner_end(figure)
        else:
            cells.append((sign, rows))
    if printed["gap"]["mark"] != "shown":
        return
    points = printed["gap"]["points"]
    if points is not None and cells:
        yield _weighted("weighted gap", item, who.number, cells, points - known - half, points - known + half)


def _weighted(name: str, item: str, number: int, cells, low: Fraction | None, high: Fraction | None) -> View:
    """As `_contrast` in one round, with shares of weights; ends give way by what rounding the weights may cost."""
    fine = 10**7
    weights = sum(np.rint(fine * sign * rows / rows.sum()).astype(np.int64) for sign, rows in cells)
    slack, most = int(np.count_nonzero(weights)), 2 * fine
    return View(
        name,
        item,
        {number: weights},
        -most if low is None else math.floor(low * fine / 100) - slack,
        most if high is None else math.ceil(high * fine / 100) + slack,
    )


def _contrast(name: str, item: str, cells, low: Fraction | None, high: Fraction | None) -> View:
    """The constraint low <= a signed sum of shares, in points, < high. An end that is None does not bind.

    `cells`: triples of a round's number, a sign and (people,) who answered.
    """
    scale = math.lcm(*(int(rows.sum()) for _, _, rows in cells))
    weights: dict[int, np.ndarray] = {}
    for number, sign, rows in cells:
        weights[number] = weights.get(number, 0) + sign * (scale // int(rows.sum())) * rows.astype(np.int64)
    most = scale * len(cells)
    # Ties go up: what lies on the upper edge prints as the next figure.
    return View(
        name,
        item,
        weights,
        -most if low is None else math.ceil(Fraction(low) * scale / 100),
        most if high is None else math.ceil(Fraction(high) * scale / 100) - 1,
    )


def _of_distribution(entry: Mapping, who: Who, item: str) -> Iterator[View]:
    """Answers in full, leaders and grassroots members together: the options' shares, added up, bound the favourable."""
    rows = who.answered[item] & (members(who, "standing", f"{LEADER} + {GRASSROOTS}"))
    n = int(rows.sum())
    ends = {True: np.zeros(2, int), False: np.zeros(2, int)}
    for option in entry["distribution"]["options"]:
        good = option["score"] <= 2 if entry.get("reverse") else option["score"] >= 4
        ends[good] += allowed({"share": option["share"], "cap": option["cap"]}, n, n)
    low, high = max(ends[True][0], n - ends[False][1]), min(ends[True][1], n - ends[False][0])
    yield View("distribution", item, {who.number: rows.astype(np.int64)}, int(low), int(high))


def _of_two_rounds(entry: Mapping, who: Who, before: Who, item: str) -> Iterator[View]:
    """What a release says of this round and the one before: changes of gap and levels, and the same people twice."""
    arms = {
        (number, name): members(w, "standing", name) & w.answered[item]
        for number, w in ((before.number, before), (who.number, who))
        for name in (LEADER, GRASSROOTS)
    }
    signs = {LEADER: 1, GRASSROOTS: -1}
    cells = {
        name: [
            (number, 1 if number == who.number else -1, arms[number, name])
            for number in (before.number, who.number)
        ]
        for name in signs
    }
    both = [(number, sign * signs[name], rows) for name in signs for number, sign, rows in cells[name]]
    yield from _of_verdict("change", entry.get("change"), both, before, item)
    for name, level in (entry.get("levels") or {}).items():
        yield from _of_verdict(f"level {name}", level, cells[name], before, item)
    panel = entry.get("panel") or {}
    if panel.get("since") != before.number:
        return
    kept = {name: arms[before.number, name] & arms[who.number, name] for name in signs}
    twice = {name: [(number, sign, kept[name]) for number, sign, _ in cells[name]] for name in signs}
    for name, figure in panel["groups"].items():
        if figure["mark"] == "shown":
            n = int(kept[name].sum())
            for number, when in ((before.number, "before"), (who.number, "now")):
                low, high = allowed(figure[when], n, n)
                yield View(f"panel {name} {when}", item, {number: kept[name].astype(np.int64)}, low, high)
            yield from _of_verdict(
                f"panel {name}", {"since": before.number, **figure}, twice[name], before, item
            )
    if panel["gap"]["mark"] == "shown":
        gap = [(number, sign * signs[name], rows) for name in signs for number, sign, rows in twice[name]]
        yield from _of_verdict("panel gap", {"since": before.number, **panel["gap"]}, gap, before, item)
    if panel.get("moved", {}).get("mark") == "shown":
        total = [
            (number, sign, arms[number, LEADER] | arms[number, GRASSROOTS])
            for number, sign, _ in cells[LEADER]
        ]
        points = panel["moved"]["change"]
        yield _contrast("moved", item, total, points - Fraction(5, 2), points + Fraction(5, 2))


def _of_verdict(name: str, told: Mapping | None, cells, before: Who, item: str) -> Iterator[View]:
    """What a verdict surely says: its direction, and its points where they are printed; nothing for "no clear change"."""
    if not told or told["since"] != before.number or told["verdict"] not in DIRECTIONS:
        return
    if told["points"] is not None:
        yield _contrast(name, item, cells, told["points"] - Fraction(5, 2), told["points"] + Fraction(5, 2))
    view = _contrast(f"verdict of {name}", item, cells, Fraction(0), None)
    up = DIRECTIONS[told["verdict"]] > 0
    yield View(view.name, item, view.weights, 1 if up else -view.high, view.high if up else -1)


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
            figures.append((entry["gap"], [arms.get(LEADER), arms.get(GRASSROOTS)]))
            for figure, beside in figures:
                for kind in ("interval", "analytic", "bounds"):
                    if figure.get(kind) is None:
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
    return {key: figure.get(key) for key in ("N", "n", "share", "cap")}
