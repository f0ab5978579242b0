"""The gate: of what a round planned to print, what may be printed.

First the fixed rules (`publish`), then the audits of every item against an intruder who knows the roster, who
answered, every rule of rounding and any three people's answers, over this release and all earlier ones that the
same people answered. Where one item fails, the remedy is for all items of a table at once, for a single hidden item
would say why. The remedies in order: end bands of four; merged categories and dropped tables, from the last of the
plan; small groups in wider steps; the gap without its arms, ever less exactly; the total; nothing. It fails closed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engagement.disclosure.integer import IntegerVerdict, Limits, audit_integer
from engagement.disclosure.linear import audit_linear
from engagement.disclosure.publish import GAP_STEPS, Count, GroupPrint, ItemPrint, publish_group, publish_item
from engagement.disclosure.rules import ENDS_FROM
from engagement.disclosure.views import (
    ASSUMED,
    STANDING,
    TRUE,
    Cells,
    Figure,
    GapAloneFigure,
    GapFigure,
    Ledger,
    ShareFigure,
    View,
    cells,
    changed,
)

_ARMS = ("leader", "grassroots")
_GROUPS = (*_ARMS, "staff")
FEW = "Too few answers."
GIVES_AWAY = "Showing this would give somebody's answer away."
NOT_CHECKED = "The check did not finish, so nothing is shown."

# Rounds before this one over which somebody may wrongly believe that nobody changed; true beliefs have no such limit.
LONGEST_BELIEF = 3

_KEPT = 1000  # solutions that one rung hands to the next, the last found

Groups = tuple[tuple[str, ...], ...]
Progress = Callable[[str, int, int], None]
# Judges items one after the other, or at once: (setting, items) to (item, objection or None), up to the first objection.
Judge = Callable[["_Setting", str], "str | None"]
Judges = Callable[["_Setting", Sequence[str]], Iterator["tuple[str, str | None]"]]


@dataclass(frozen=True)
class Plan:
    """What a round planned to print: `tables` in order of priority, the first of them "standing" (the headline gap,
    or else the total); `threshold`: fewest answers of a group; `attributed`: every answer is published under its
    practice's name, so there is nothing to work out, and the fixed rules stand alone."""

    threshold: int
    tables: tuple[str, ...] = (STANDING,)
    attributed: bool = False


@dataclass(frozen=True, eq=False)
class RoundAnswers:
    """One round's answers, exact; never for print. `person` (people,): the same number in every round. `known`
    (people,): answers open to readers: attributed, or ticked to count. `tables`: each person's category by table,
    None for none; "standing" has leader, grassroots and staff. `favourable`: by item, 1, 0, or NaN where not
    answered; an item's key is the same in two rounds only where its wording is. `invited`: by table and category,
    the number on the roster; not needed of earlier rounds."""

    number: int
    person: np.ndarray
    known: np.ndarray
    tables: Mapping[str, np.ndarray]
    favourable: Mapping[str, np.ndarray]
    invited: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Earlier:
    """What was printed of an earlier round: its answers and, by item, its figures."""

    answers: RoundAnswers
    figures: Mapping[str, Sequence[Figure]]


@dataclass(frozen=True)
class Suppression:
    """What is not shown, and why. `item` is None where the table is not shown of any item."""

    table: str
    item: str | None
    what: str
    why: str


@dataclass(frozen=True)
class Decision:
    """What may be printed. `standing`: by item. `breakdowns`: by table and item, the groups by their categories
    (several where merged). `further`: the other tables of the plan that may be shown. `figures`: by item, what the
    audits of later rounds need to know of this one. `steps`: what was tried, in order. `settled`: whether the gate
    came to its end; where it did not nothing is shown."""

    standing: Mapping[str, ItemPrint]
    breakdowns: Mapping[str, Mapping[str, Mapping[tuple[str, ...], GroupPrint]]]
    further: tuple[str, ...]
    figures: Mapping[str, tuple[Figure, ...]]
    suppressed: tuple[Suppression, ...]
    steps: tuple[str, ...]
    settled: bool


@dataclass(frozen=True)
class _Setting:
    """One rung of the ladder. `breakdowns`: table and its groups, in priority."""

    show: str = "arms"
    ends: bool = False
    staff: bool = True
    breakdowns: tuple[tuple[str, Groups], ...] = ()
    further: tuple[str, ...] = ()


def decide(
    plan: Plan,
    answers: RoundAnswers,
    earlier: Sequence[Earlier] = (),
    *,
    design_effect: float | None = None,
    df: int | None = None,
    further: Mapping[str, Mapping[str, Sequence[Figure]]] | None = None,
    limits: Limits = Limits(),
    progress: Progress | None = None,
    judges: Callable[[Judge], Judges] | None = None,
) -> Decision:
    """What may be printed of a round.

    `earlier`: all earlier releases with answers of the same people, in any order; an earlier release of the same round
    has its number. `further`: the figures of those tables of the plan that are no breakdown, by table and item; they
    are shown or dropped as they are. `progress(step, done, total)` is called after each item. `judges` may
    have several items judged at once; left out, they are judged in turn.

    Raises nothing: whatever goes wrong, an unknown table included, gives a decision that shows nothing and says why.
    """
    steps: list[str] = []
    try:
        work = _Gate(plan, answers, earlier, design_effect, df, further or {}, limits, progress, steps)
        if judges is not None:
            work.judged = judges(work.objection)
        return work.walk()
    except Exception as problem:
        # The one place that catches everything: an unforeseen error must publish nothing.
        steps.append(f"Stopped: {type(problem).__name__}: {problem}")
        return _nothing(plan, answers, steps)


def undecided(plan: Plan, answers: RoundAnswers, why: str) -> Decision:
    """The decision where the gate did not come to its end: nothing is shown. `why` is for the log."""
    return _nothing(plan, answers, [why])


def _nothing(plan: Plan, answers: RoundAnswers, steps: Sequence[str]) -> Decision:
    suppressed = tuple(Suppression(str(table), None, "table", NOT_CHECKED) for table in plan.tables)
    return Decision({}, {}, (), {item: () for item in answers.favourable}, suppressed, tuple(steps), False)


class _Gate:
    """One run of the gate."""

    def __init__(self, plan, answers, earlier, design_effect, df, further, limits, progress, steps):
        self.plan, self.answers, self.earlier = plan, answers, tuple(earlier)
        self.clustering = {"design_effect": design_effect, "df": df}
        self.further, self.limits, self.steps = further, limits, steps
        self.progress = progress or (lambda step, done, total: None)
        self.items = list(answers.favourable)
        self.pools: dict[tuple, np.ndarray] = {}
        self.dropped: dict[str, str] = {}
        self.ledgers: dict[tuple, Ledger] = {}
        self._check()

    def _check(self) -> None:
        tables = self.plan.tables
        if not tables or tables[0] != STANDING or len(set(tables)) != len(tables):
            raise ValueError("A plan starts with the table by standing and names each table once.")
        for table in tables:
            if table not in self.further and (
                table not in self.answers.tables or table not in self.answers.invited
            ):
                raise ValueError(f"There is no table {table}: nothing is published.")

    # The ladder

    def walk(self) -> Decision:
        """Walk down the ladder to the first setting that no audit objects to."""
        for start, step in self._headlines():
            # More figures never make an exposed person safe: the table by standing is tried on its own first.
            if not self._passes(start, step):
                continue
            full = replace(start, breakdowns=self._breakdowns(start.ends), further=self._further())
            if full == start or start.show == "nothing":
                return self._decision(start)
            for setting, tables in self._weaker(full) if start.ends else [(full, "all tables")]:
                if setting == start:
                    self.steps.append(f"{step}, {tables}: accepted.")
                    return self._decision(start)
                if self._passes(setting, f"{step}, {tables}"):
                    return self._decision(setting)
        raise AssertionError("A release that shows nothing gives nobody away.")

    def _headlines(self) -> Iterator[tuple[_Setting, str]]:
        """The table by standing, alone, from as planned to nothing."""
        yield _Setting(), "Standing"
        words = {
            "arms": "Standing with end bands of four",
            "arms in tens": "Standing, small groups in tens",
            "gap": "The gap alone",
            "arms in broad classes": "Standing, small groups in broad classes",
            "capped gap": "The gap alone, capped from 40",
            "wide gap": "The gap alone in steps of 20",
            "total": "The total",
            "nothing": "Nothing",
        }
        staff = (True, False) if self.answers.invited[STANDING].get("staff") else (True,)
        for show, step in words.items():
            for with_staff in staff:
                yield _Setting(show, True, with_staff), step + ("" if with_staff else " without staff")

    def _breakdowns(self, ends: bool) -> tuple[tuple[str, Groups], ...]:
        """The planned breakdowns, small categories merged; without those of which one group is left."""
        need = max(self.plan.threshold, ENDS_FROM if ends else 0)
        names = [table for table in self.plan.tables[1:] if table not in self.further]
        found = [(table, self._groups(table, need)) for table in names]
        self.dropped |= {table: FEW for table, groups in found if len(groups) == 1}
        return tuple((table, groups) for table, groups in found if len(groups) > 1)

    def _further(self) -> tuple[str, ...]:
        return tuple(table for table in self.plan.tables[1:] if table in self.further)

    def _weaker(self, setting: _Setting) -> Iterator[tuple[_Setting, str]]:
        """The setting, then its last table with ever fewer categories, then without it, and so on to the first."""
        yield setting, "all tables"
        for table in reversed(self.plan.tables[1:]):
            if table in setting.further:
                setting = replace(setting, further=tuple(t for t in setting.further if t != table))
                yield self._without(table, setting)
            groups = dict(setting.breakdowns).get(table)
            if groups is None:
                continue
            while len(groups) > 2:
                groups = self._merge(table, groups)
                kept = tuple((t, groups if t == table else g) for t, g in setting.breakdowns)
                setting = replace(setting, breakdowns=kept)
                yield setting, f"{table} in {len(groups)} groups"
            setting = replace(setting, breakdowns=tuple(b for b in setting.breakdowns if b[0] != table))
            yield self._without(table, setting)

    def _without(self, table: str, setting: _Setting) -> tuple[_Setting, str]:
        self.dropped[table] = GIVES_AWAY
        return setting, f"without {table}"

    # Categories

    def _groups(self, table: str, need: int) -> Groups:
        """The table's categories, the smallest merged until each has `need` answers to every item and as many invited."""
        invited = self.answers.invited[table]
        groups: Groups = tuple((category,) for category in sorted(invited) if invited[category] > 0)
        while len(groups) > 1 and min(self._size(table, group) for group in groups) < need:
            groups = self._merge(table, groups)
        return groups

    def _merge(self, table: str, groups: Groups) -> Groups:
        first, second, *rest = sorted(groups, key=lambda group: (self._size(table, group), group))
        return tuple(sorted([tuple(sorted(first + second)), *rest]))

    def _size(self, table: str, group: Sequence[str]) -> int:
        """Fewest answers of a group to an item that at least half as many answered as the best answered one."""
        member = np.isin(self.answers.tables[table].astype(str), list(group))
        member &= np.array([value is not None for value in self.answers.tables[table]])
        answered = {item: ~np.isnan(values) for item, values in self.answers.favourable.items()}
        most = max((int(rows.sum()) for rows in answered.values()), default=0)
        sizes = [int((rows & member).sum()) for rows in answered.values() if 2 * rows.sum() >= most]
        return min([*sizes, sum(self.answers.invited[table][category] for category in group)])

    # What a setting prints

    def _count(self, item: str, table: str, group: Sequence[str]) -> Count:
        values = self.answers.favourable[item]
        column = self.answers.tables[table]
        rows = ~np.isnan(values) & np.array([value in group for value in column], dtype=bool)
        invited = sum(self.answers.invited[table].get(category, 0) for category in group)
        return Count(int(values[rows].sum()), int(rows.sum()), invited)

    def _standing(self, setting: _Setting, item: str) -> ItemPrint:
        invited = self.answers.invited[STANDING]
        named = _GROUPS if invited.get("staff") else _ARMS
        return publish_item(
            {name: self._count(item, STANDING, (name,)) for name in named},
            threshold=self.plan.threshold,
            ends=setting.ends,
            show=setting.show,
            staff=setting.staff,
            **self.clustering,
        )

    def _breakdown(
        self, setting: _Setting, item: str, table: str, groups: Groups
    ) -> dict[tuple[str, ...], GroupPrint]:
        """All groups of a table, or none of them where one has too few answers to this item."""
        found = {
            group: publish_group(
                self._count(item, table, group),
                threshold=self.plan.threshold,
                ends=setting.ends,
                **self.clustering,
            )
            for group in groups
        }
        if all(group.mark == "shown" for group in found.values()):
            return found
        return {name: GroupPrint("hidden", group.invited) for name, group in found.items()}

    def _figures(self, setting: _Setting, item: str) -> tuple[Figure, ...]:
        number, out = self.answers.number, []
        table = self._standing(setting, item)

        def share(name: str, categories: tuple[str, ...], group: GroupPrint | None) -> None:
            if group is not None and group.mark == "shown":
                out.append(ShareFigure(number, name, categories, group.share, group.cap, group.step))

        for name, group in table.groups.items():
            share(STANDING, (name,), group)
        share(STANDING, _ARMS, table.total)
        gap = table.gap
        if gap.mark == "shown" and setting.show in GAP_STEPS:
            out.append(GapAloneFigure(number, gap.points, gap.cap, GAP_STEPS[setting.show][0]))
        elif gap.mark == "shown" and setting.show == "arms":
            arms = ((table.groups[arm].share, table.groups[arm].cap) for arm in _ARMS)
            out.append(GapFigure(number, gap.points, gap.cap, *arms))
        for name, groups in setting.breakdowns:
            for group, printed in self._breakdown(setting, item, name, groups).items():
                share(name, group, printed)
        for name in setting.further:
            out.extend(self.further[name].get(item, ()))
        return tuple(out)

    # The audits

    def _passes(self, setting: _Setting, step: str) -> bool:
        for done, (item, why) in enumerate(self.judged(setting, tuple(self.items)), 1):
            if why:
                # An item that failed once is the likeliest to fail again.
                self.items.remove(item)
                self.items.insert(0, item)
                self.steps.append(f"{step}: refused, {why}.")
                return False
            self.progress(step, done, len(self.items))
        self.steps.append(f"{step}: accepted.")
        return True

    def judged(self, setting: _Setting, items: Sequence[str]) -> Iterator[tuple[str, str | None]]:
        """Each item with the objection to it, judged in turn."""
        for item in items:
            yield item, self.objection(setting, item)

    def objection(self, setting: _Setting, item: str) -> str | None:
        """Why this item may not be printed so, None where it may."""
        printed = self._figures(setting, item)
        if not printed or self.plan.attributed:
            return None
        before = [past for past in self.earlier if past.figures.get(item)]
        same = [past for past in before if past.answers.number == self.answers.number]
        linked = before if any(_rounds(figure) != {self.answers.number} for figure in printed) else same
        ledger = self._ledger(item, linked)
        views = _read(ledger, printed, linked, item)
        found = cells(ledger, views)
        verdict = audit_linear(found, self.plan.threshold)
        if not verdict.safe:
            return verdict.why
        for known in (False, True) if ledger.known.any() else (False,):
            mode = ("free", *(past.answers.number for past in linked))
            read = cells(ledger, views, known=True) if known else found
            verdict = self._integer((item, mode, known), ledger, read)
            if not verdict.safe:
                return verdict.why + (" by who knows the open answers" if known else "")
        return self._steady_objection(item, printed, [past for past in before if past not in same], same)

    def _steady_objection(
        self, item: str, printed: Sequence[Figure], before: list[Earlier], same: list[Earlier]
    ) -> str | None:
        """Again for intruders who take answers of several rounds together.

        One takes it that nobody changed their answer between this round and any one before, or over the last
        `LONGEST_BELIEF` rounds or fewer, rightly or not; where that contradicts the figures it shows nothing. The other knows of everybody
        whether they kept their answer over all the rounds: whoever believes this of some people, or over some rounds,
        and is right, knows less. So where nobody changed the second stands for all.
        """
        mine = set(self.answers.person.tolist())
        before = [past for past in before if mine & set(past.answers.person.tolist())]
        before.sort(key=lambda past: past.answers.number)
        if not before:
            return None
        stacks = [(before, TRUE)]
        if changed(self._ledger(item, before + same)):
            stacks = [([past], ASSUMED) for past in before] + stacks
            stacks += [(before[-size:], ASSUMED) for size in range(2, min(len(before), LONGEST_BELIEF) + 1)]
        for stack, steady in stacks:
            ledger = self._ledger(item, stack + same)
            views = _read(ledger, printed, stack + same, item)
            mode = (steady, *(past.answers.number for past in stack))
            verdict = self._integer((item, mode, False), ledger, cells(ledger, views, steady=steady))
            if not verdict.safe:
                return verdict.why + " by who knows or takes it that people did not change their answer"
        return None

    def _integer(self, key: tuple, ledger: Ledger, found: Cells) -> IntegerVerdict:
        """The integer audit, from the solutions that proved an earlier rung under the same `key`: item, mode, known."""
        pool = _counts(found, self.pools[key]) if key in self.pools else None
        verdict = audit_integer(found, self.limits, pool=pool)
        if len(verdict.pool):
            # Solutions hold for fewer figures too, so the proof of one rung, whole or not, starts the next.
            self.pools[key] = found.spread(verdict.pool[-_KEPT:], ledger.favourable.astype(np.int8))
        return verdict

    def _ledger(self, item: str, stack: Sequence[Earlier]) -> Ledger:
        key = (item, *(past.answers.number for past in stack))
        if key not in self.ledgers:
            rounds = {past.answers.number: past.answers for past in stack}
            rounds[self.answers.number] = self.answers
            self.ledgers[key] = _ledger(item, list(rounds.values()))
        return self.ledgers[key]

    # The result

    def _decision(self, setting: _Setting) -> Decision:
        standing = {item: self._standing(setting, item) for item in self.answers.favourable}
        breakdowns = {
            table: {item: self._breakdown(setting, item, table, groups) for item in self.answers.favourable}
            for table, groups in setting.breakdowns
        }
        return Decision(
            standing,
            breakdowns,
            setting.further,
            {item: self._figures(setting, item) for item in self.answers.favourable},
            tuple(self._suppressed(setting, standing, breakdowns)),
            tuple(self.steps),
            True,
        )

    def _suppressed(self, setting: _Setting, standing, breakdowns) -> Iterator[Suppression]:
        kept = {STANDING, *breakdowns, *setting.further}
        for table in self.plan.tables:
            if table not in kept:
                yield Suppression(table, None, "table", self.dropped.get(table, GIVES_AWAY))
        plain = _Setting()
        for item, printed in standing.items():
            marks = {**printed.groups, "gap": printed.gap}
            if printed.total is not None:
                marks["total"] = printed.total
            would = self._standing(plain, item)
            allowed = {**would.groups, "gap": would.gap, "total": would.total}
            for what, figure in marks.items():
                if figure.mark == "hidden":
                    by_rule = allowed[what] is not None and allowed[what].mark == "hidden"
                    yield Suppression(STANDING, item, what, FEW if by_rule else GIVES_AWAY)
        for table, items in breakdowns.items():
            for item, groups in items.items():
                if any(group.mark == "hidden" for group in groups.values()):
                    yield Suppression(table, item, "table", FEW)


def _ledger(item: str, rounds: Sequence[RoundAnswers]) -> Ledger:
    """The answers to one item in these rounds; a table that a round lacks is empty there."""
    names = dict.fromkeys(name for answers in rounds for name in answers.tables)
    kept = [~np.isnan(answers.favourable[item]) for answers in rounds]

    def column(name: str) -> np.ndarray:
        parts = []
        for answers, rows in zip(rounds, kept, strict=True):
            full = answers.tables.get(name)
            parts.append(np.full(int(rows.sum()), None, dtype=object) if full is None else full[rows])
        return np.concatenate([part.astype(object) for part in parts])

    def joined(of: Callable[[RoundAnswers], np.ndarray], kind: type) -> np.ndarray:
        return np.concatenate([of(a)[rows] for a, rows in zip(rounds, kept, strict=True)]).astype(kind)

    return Ledger(
        person=joined(lambda a: a.person, np.int64),
        round=joined(lambda a: np.full(len(a.person), a.number), np.int64),
        favourable=joined(lambda a: a.favourable[item], np.int64),
        known=joined(lambda a: a.known, bool),
        tables={name: column(name) for name in names},
    )


def _read(ledger: Ledger, printed: Sequence[Figure], stack: Sequence[Earlier], item: str) -> list[View]:
    """All views over the ledger; figures that speak of a round outside it are left out."""
    rounds = set(ledger.round.tolist())
    figures = [*printed, *(figure for past in stack for figure in past.figures[item])]
    read = [figure for figure in figures if _rounds(figure) <= rounds]
    return [figure.view(ledger) for figure in dict.fromkeys(read)]


def _rounds(figure: Figure) -> set[int]:
    """The rounds whose answers a figure speaks of."""
    return {figure.round, getattr(figure, "since", figure.round)}


def _counts(found: Cells, answers: np.ndarray) -> np.ndarray:
    """Favourable counts (solutions, A) of answers (solutions, rows)."""
    columns = [answers[:, [rows[0] for rows in people]].sum(axis=1) for people in found.rows]
    return np.array(columns, dtype=np.int64).T.reshape(len(answers), len(found.rows))
