"""A round's answers as the gate takes them, and what earlier releases printed, read back from what they printed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engagement import disclosure
from engagement.disclosure import STANDING
from engagement.releases import tally

WEIGHTED, PANEL, OPTIONS = "weighted", "panel", "options"
FURTHER = (WEIGHTED, PANEL, OPTIONS)
MEMBERS = ("leader", "grassroots")
WEIGHTS = "weights"
MERGED = " + "


def people(rounds: Sequence[tally.Answers]) -> list[np.ndarray]:
    """A number for each row of each round, oldest first, the same where panel codes join a person's answers.

    Codes join a round to the one before, and through the rounds in which somebody sent nothing, on the roster or not.
    Whoever came back after their row of the roster was deleted is taken for somebody else.
    """
    out: list[np.ndarray] = []
    known: dict[str, int] = {}
    total = 0
    for answers in rounds:
        numbers = np.empty(len(answers.arm), dtype=np.int64)
        now = {after: known[before] for before, after in answers.skipped if before in known}
        for row in range(len(numbers)):
            before = answers.before[row] if answers.before is not None else None
            number = known.get(before) if before else None
            if number is None:
                number, total = total, total + 1
            numbers[row] = number
            if answers.now is not None and answers.now[row]:
                now[answers.now[row]] = number
        known |= now
        out.append(numbers)
    return out


@dataclass(frozen=True, eq=False)
class Pair:
    """A round and the one before: their numbers, answers, and people as `people` numbers them."""

    since: int
    number: int
    before: tally.Answers
    was: np.ndarray
    now: tally.Answers
    are: np.ndarray

    def both(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """Rows of the two rounds by members who answered an item in both, in step."""
        first = np.flatnonzero(self.before.scored(key) & (self.before.arm < 2))
        second = np.flatnonzero(self.now.scored(key) & (self.now.arm < 2))
        _, at1, at2 = np.intersect1d(self.was[first], self.are[second], return_indices=True)
        return first[at1], second[at2]

    def same_arm(self, key: str) -> tuple[np.ndarray, np.ndarray]:
        """Those of `both` who were in the same arm both times."""
        at1, at2 = self.both(key)
        same = self.before.arm[at1] == self.now.arm[at2]
        return at1[same], at2[same]

    def columns(self, items: Iterable[Mapping[str, Any]]) -> tuple[dict[str, np.ndarray], ...]:
        """Tables of the panel and of who stayed, for the headline items that both rounds asked, by name: those of the
        round before, and those of this one."""
        out: tuple[dict[str, np.ndarray], ...] = ({}, {})
        for item in items:
            key = item["key"]
            if not item.get("headline") or key not in self.before.favourable:
                continue
            sides = zip((self.before, self.now), self.both(key), self.same_arm(key), out, strict=True)
            for answers, both, same, columns in sides:
                twice = np.isin(np.arange(len(answers.arm)), both)
                columns[panel_table(self.number, key)] = _by_arm(answers, same, "{}")
                stays = _by_arm(answers, np.flatnonzero(twice), "{} twice")
                once = _by_arm(
                    answers, np.flatnonzero(~twice & (answers.arm >= 0) & (answers.arm < 2)), "{} once"
                )
                columns[stay_table(self.number, key)] = np.where(twice, stays, once)
        return out


def panel_table(number: int, key: str) -> str:
    """Name of the table of those who answered an item in round `number` and the one before, in the same arm."""
    return f"{PANEL}/{number}/{key}"


def stay_table(number: int, key: str) -> str:
    """Name of the table that tells arm, and whether somebody answered an item in round `number` and the one before."""
    return f"stay/{number}/{key}"


def _by_arm(answers: tally.Answers, rows: np.ndarray, words: str) -> np.ndarray:
    """`words` filled with the arm for these rows, None for all others, (people,)."""
    column = np.full(len(answers.arm), None, dtype=object)
    names = np.array([words.format(arm) for arm in MEMBERS], dtype=object)
    column[rows] = names[answers.arm[rows]]
    return column


def invited(roster: tally.Invited, breakdowns: Iterable[str]) -> dict[str, dict[str, int]]:
    """How many were invited, by table and category. Breakdowns are of members: leaders and grassroots."""
    out = {STANDING: dict(Counter(s for s in roster.standing.tolist() if s in tally.ARMS))}
    member = np.isin(roster.standing.astype(str), MEMBERS)
    for name in breakdowns:
        out[name] = dict(Counter(c for c in roster.strata[name][member].tolist() if c is not None))
    return out


def round_answers(
    number: int,
    answers: tally.Answers,
    person: np.ndarray,
    items: Sequence[Mapping[str, Any]],
    asked: Mapping[str, Mapping[str, int]],
    columns: Mapping[str, np.ndarray] | None = None,
) -> disclosure.RoundAnswers:
    """One round for the gate. Items are keyed by their series, which another wording does not share.

    `asked` as `invited` gives it; `columns`: further tables, each (people,).
    """
    arms = np.array((*tally.ARMS, None), dtype=object)
    tables = {STANDING: arms[answers.arm], **(columns or {})}
    member = (answers.arm == 0) | (answers.arm == 1)
    for name in tally.STRATA:
        if name in answers.strata:
            tables[name] = np.where(member, answers.strata[name], None)
    return disclosure.RoundAnswers(
        number=number,
        person=person,
        known=answers.agreed,
        tables=tables,
        favourable={
            item["series"]: np.where(answers.arm < 0, np.nan, answers.favourable[item["key"]])
            for item in items
        },
        invited=asked,
    )


def figures_of(number: int, item: Mapping[str, Any], answers: disclosure.RoundAnswers) -> tuple:
    """What one item of a release printed, as the audits of later rounds read it. `answers`: the round's own, for the
    numbers of people behind options."""
    out: list[Any] = []

    def share(round_: int, table: str, categories: tuple[str, ...], group: Mapping[str, Any] | None) -> None:
        if group is not None and group["mark"] == "shown":
            step = group.get("step", 5)
            out.append(disclosure.ShareFigure(round_, table, categories, group["share"], group["cap"], step))

    groups, gap = item["groups"], item["gap"]
    for name, group in groups.items():
        share(number, STANDING, (name,), group)
    share(number, STANDING, MEMBERS, item["total"])
    if gap["mark"] == "shown":
        arms = [groups[arm] for arm in MEMBERS]
        if any(arm["mark"] != "shown" for arm in arms):
            out.append(disclosure.GapAloneFigure(number, gap["points"], gap["cap"], gap["step"]))
        elif not gap.get("of_shares"):
            printed = ((arm["share"], arm["cap"]) for arm in arms)
            out.append(disclosure.GapFigure(number, gap["points"], gap["cap"], *printed))
    for table in item.get("tables") or []:
        for name, group in table["groups"].items():
            share(number, table["by"], tuple(name.split(MERGED)), group)
    return (*out, *figures_beside(number, item, answers))


def figures_beside(number: int, item: Mapping[str, Any], answers: disclosure.RoundAnswers) -> tuple:
    """What the figures beside an item's tables say: weighted shares, panel, options. What moved a total is not among
    them, for it is no figure of one round."""
    out: list[Any] = []
    for arm, group in (item.get("weighted") or {"groups": {}})["groups"].items():
        if group["mark"] == "shown":
            out.append(
                disclosure.WeightedFigure(number, STANDING, (arm,), WEIGHTS, group["share"], group["cap"])
            )
    for arm, group in (item.get("panel") or {"groups": {}})["groups"].items():
        if group["mark"] == "shown":
            table = panel_table(number, item["item"])
            for round_, when in ((item["panel"]["since"], "before"), (number, "now")):
                figure = group[when]
                out.append(disclosure.ShareFigure(round_, table, (arm,), figure["share"], figure["cap"]))
    if (item.get("distribution") or {"mark": "hidden"})["mark"] == "shown":
        out.append(options_figure(number, item, answers))
    return tuple(out)


def options_figure(
    number: int, item: Mapping[str, Any], answers: disclosure.RoundAnswers
) -> disclosure.CountFigure:
    """What the printed options of an item say of its favourable answers by leaders and grassroots members."""
    rows = ~np.isnan(answers.favourable[item["series"]]) & np.isin(
        answers.tables[STANDING].astype(str), MEMBERS
    )
    low, high = disclosure.favourable_range(item["distribution"]["options"], int(rows.sum()))
    return disclosure.CountFigure(number, STANDING, MEMBERS, low, high)


def position_figures(
    number: int, answers: tally.Answers, items: Sequence[Mapping[str, Any]], threshold: int
) -> dict[str, tuple[disclosure.CountFigure, ...]]:
    """What the mean scores that practices' positions rest on say of each item, by series.

    A practice without evidence of its own rests on the mean score, to 0.1, of its locality or of the body, over all
    items. Taken as known, it bounds the favourable answers to each item: an unfavourable one takes at least 2 of the 4
    points between 1 and 5 off one of at most as many items, a favourable one adds at least 8 thirds.
    """
    points = (
        np.vstack([_points(answers, item) for item in items]) if items else np.zeros((0, len(answers.arm)))
    )
    answered = (~np.isnan(points)).sum(axis=0)
    member = (answers.arm >= 0) & (answers.arm < 2) & (answered > 0)
    score = np.nansum(points, axis=0) / np.maximum(answered, 1)
    places = answers.strata.get("locality", np.full(len(member), None))
    groups = [
        ("locality", (place,), member & (places == place))
        for place in sorted({place for place in places[member].tolist() if place is not None})
    ]
    groups = sorted((g for g in groups if g[2].sum() >= threshold), key=lambda group: -group[2].sum())
    # Positions never rest on groups beside which the rest of the body would be a few people.
    while groups and 0 < member.sum() - sum(rows.sum() for *_, rows in groups) < threshold:
        groups.pop()
    groups.append((STANDING, MEMBERS, member))
    out: dict[str, list[disclosure.CountFigure]] = {item["series"]: [] for item in items}
    for table, categories, rows in groups:
        n = int(rows.sum())
        if n < threshold:
            continue
        mean = round(float(score[rows].mean()), 1)
        unfavourable = math.floor(len(items) * n * (5.05 - mean) / 2)
        favourable = math.floor(len(items) * n * (mean - 0.95) * 3 / 8)
        for item in items:
            count = int((rows & ~np.isnan(answers.favourable[item["key"]])).sum())
            low, high = max(0, count - unfavourable), min(count, favourable)
            if low > 0 or high < count:
                figure = disclosure.CountFigure(number, table, categories, low, high)
                out[item["series"]].append(figure)
    return {series: tuple(figures) for series, figures in out.items()}


def _points(answers: tally.Answers, item: Mapping[str, Any]) -> np.ndarray:
    """Scores of an item from 1 to 5, favourable high, (people,)."""
    top = max(score for score, _ in item["labels"])
    given = answers.score[item["key"]]
    turned = top + 1 - given if item["reverse"] else given
    return 1 + 4 * (turned - 1) / (top - 1)
