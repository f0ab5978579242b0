"""Ways to print: the product's own, and those of careless products, each with its flaw.

A publisher takes a body and the places of rounds, in order, and returns a document for each, shaped as
docs/release.md says. Careless ones may print under the names of `reading.EXACT`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np

from engagement import disclosure, estimates
from engagement.instrument.bank import SCALES
from engagement.releases import checking, compare, tally
from tests.adversary.attacker.bodies import GRASSROOTS, LEADER, NOBODY, Body
from tests.adversary.attacker.reading import EXACT, members, nearest_5, views
from tests.adversary.attacker.solver import attack, problem, settled

Documents = list[dict]
Publisher = Callable[[Body, Sequence[int]], Documents]
ARMS = (LEADER, GRASSROOTS)
ONE_WAY = ("locality", "size")


FULL = ("standing", "locality", "size", "options", "weighted", "panel")
PLAIN = ("standing", "locality", "size")


def plan_of(body: Body) -> tuple[str, ...]:
    """The tables that the product plans for a body: all that there are and the plain ones by turns."""
    return PLAIN if body.seed % 2 else FULL


def _ask(question: checking.Question) -> disclosure.Decision:
    return question.decide(lambda done, total: None)


def shipped(
    body: Body, rounds: Sequence[int], ask: Callable[[checking.Question], disclosure.Decision] = _ask
) -> Documents:
    """What the product prints, by the very functions that build a release, the disclosure gate among them.

    `ask`: puts the question to the gate; mutants put another.
    """
    from engagement.releases import build

    history, documents, plan = [], [], plan_of(body)
    for at in rounds:
        now = _facts(body, at, plan, before=history[-1].number if history else 0)
        gathered = build.assemble(history, now)
        decision = ask(gathered.question)
        items, shared = build.printed_items(gathered, decision)
        weighting = gathered.further.weighting if "weighted" in decision.further else None
        documents.append(
            {
                "round": {"number": now.number, "threshold": now.threshold},
                "plan": list(plan),
                "items": items,
                "design_effect": gathered.effects[0],
                "weighting": weighting and weighting.how,
                "shared": shared and shared.as_json(),
                "checked": decision.settled,
            }
        )
        history.append(replace(now, content=documents[-1]))
    return documents


def forgets_earlier_rounds(body: Body, rounds: Sequence[int]) -> Documents:
    """The product with a gate that never sees what was printed before."""
    return shipped(body, rounds, lambda question: _ask(replace(question, earlier=())))


def trusts_everybody(body: Body, rounds: Sequence[int]) -> Documents:
    """The product with a gate that reckons with nobody who holds an answer."""

    def ask(question: checking.Question) -> disclosure.Decision:
        return disclosure.decide(
            question.plan,
            question.answers,
            question.earlier,
            design_effect=question.design_effect,
            df=question.df,
            further=question.further,
            limits=disclosure.Limits(intruder=0),
        )

    return shipped(body, rounds, ask)


def _facts(body: Body, at: int, plan: Sequence[str], before: int) -> compare.Facts:
    """A round as the product knows it, a row for each answer; codes join it to round `before`, also those of who sent nothing."""
    who = body.rounds[at]
    rows = np.flatnonzero(who.came)
    none = np.zeros(rows.size, bool)
    favourable = {
        item: np.where(came[rows], body.favourable[at][item][rows], np.nan)
        for item, came in who.answered.items()
    }
    # Which of the two favourable and three other options, the gate does not look at; it is drawn.
    option = np.random.default_rng((body.seed, at)).random(rows.size)
    answers = tally.Answers(
        arm=np.where(who.groups["standing"][rows] == LEADER, 0, 1),
        practice=body.practice[rows],
        placed=True,
        favourable=favourable,
        score={
            item: np.where(good == 1, 4 + np.floor(2 * option), 1 + np.floor(3 * option)) + 0 * good
            for item, good in favourable.items()
        },
        dont_know=dict.fromkeys(favourable, none),
        strata={name: who.groups[name][rows].astype(object) for name in tally.STRATA},
        before=np.array([f"{person} after {before}" for person in rows], dtype=object),
        now=np.array([f"{person} after {who.number}" for person in rows], dtype=object),
        skipped=tuple(
            (f"{person} after {before}", f"{person} after {who.number}")
            for person in np.flatnonzero(~who.came)
        ),
        agreed=none,
    )
    roster = tally.Invited(
        who.groups["standing"][who.invited].astype(object),
        {name: who.groups[name][who.invited].astype(object) for name in tally.STRATA},
    )
    promise = {"plan": list(plan), "standing_map": {}, "items": [_promised(item) for item in favourable]}
    return compare.Facts(who.number, "confidential", body.threshold, promise, answers, roster)


def _promised(item: str) -> dict:
    return {
        "key": item,
        "version": 1,
        "series": f"{item}/1/agree5",
        "text": item,
        "kind": "agree5",
        "reverse": False,
        "core": True,
        "headline": True,
        "labels": [list(label) for label in SCALES["agree5"]],
    }


def by_standing(body: Body, rounds: Sequence[int]) -> Documents:
    """The table by standing alone, by the product's fixed rules."""
    return _by_fixed_rules(body, rounds, ())


def fixed_rules(body: Body, rounds: Sequence[int]) -> Documents:
    """The table by standing and two breakdowns, by the product's fixed rules; nobody tries to solve the result."""
    return _by_fixed_rules(body, rounds, ONE_WAY)


def beside(body: Body, rounds: Sequence[int]) -> Documents:
    """The table by standing, weighted shares and the same people twice, by the product's fixed rules alone."""
    from engagement.releases import build

    history, documents = [], []
    for document, at in zip(_by_fixed_rules(body, rounds, ()), rounds, strict=True):
        now = _facts(body, at, PLAIN[:1], before=history[-1].number if history else 0)
        further = build.assemble(history, now).further
        for entry in document["items"]:
            entry["series"] = f"{entry['item']}/1/agree5"
            entry["weighted"] = further.weighted.get(entry["item"])
            entry["panel"] = further.panels.get(entry["item"])
        documents.append(document)
        history.append(replace(now, content=document))
    return documents


def _by_fixed_rules(body: Body, rounds: Sequence[int], tables: Sequence[str]) -> Documents:
    documents = []
    for at in rounds:
        effect, df = _design_effect(body, at)
        entries = {}
        for item in body.rounds[at].answered:
            counts = {
                arm: disclosure.Count(*body.count(at, item, _group(body, at, "standing", arm)))
                for arm in ARMS
            }
            table = disclosure.publish_item(counts, threshold=body.threshold, design_effect=effect, df=df)
            entries[item] = {
                "item": item,
                **table.as_json(),
                "tables": [{"by": by, "groups": _rounded_table(body, at, item, by)} for by in tables],
                "change": None,
            }
        documents.append(_document(body, at, entries.values(), effect))
    return documents


def _document(body: Body, at: int, entries: Iterable[Mapping], effect: float | None = None) -> dict:
    return {
        "round": {"number": body.rounds[at].number, "threshold": body.threshold},
        "items": list(entries),
        "design_effect": effect,
    }


def _group(body: Body, at: int, by: str, name: str) -> np.ndarray:
    return members(body.rounds[at], by, name)


def _names(body: Body, at: int, by: str) -> list[str]:
    return sorted(set(body.rounds[at].groups[by]) - {NOBODY})


def _stacked(body: Body, at: int, item: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Practice, arm (0 leads) and favourable answer of everybody who answered."""
    rows = body.rounds[at].answered[item]
    arm = (body.rounds[at].groups["standing"] != LEADER).astype(int)
    return body.practice[rows], arm[rows], body.favourable[at][item][rows].astype(float)


def _design_effect(body: Body, at: int) -> tuple[float | None, int | None]:
    effects, m = [], 0
    for item, rows in body.rounds[at].answered.items():
        if rows.any():
            stack = estimates.linearised(*_stacked(body, at, item), cells=2)
            effects.extend(estimates.design_effect(stack))
            m = max(m, stack.m)
    return (estimates.round_design_effect(effects), m - 1) if m >= 2 else (None, None)


def _rounded_table(body: Body, at: int, item: str, by: str) -> dict[str, dict]:
    return {name: _rounded(body, at, item, _group(body, at, by, name)) for name in _names(body, at, by)}


def _rounded(body: Body, at: int, item: str, group: np.ndarray, *exact: str) -> dict:
    """A group by the fixed rules: share to 5, caps at 10 and 90; and whatever else is named, exactly."""
    y, n, invited = body.count(at, item, group)
    if min(n, invited) < body.threshold:
        return {"mark": "hidden", "N": invited}
    value = nearest_5(Fraction(y, n))
    cap = "at_least" if value >= 90 else "at_most" if value <= 10 else None
    return {
        "mark": "shown",
        "N": invited,
        "n": disclosure.band(n),
        "share": min(max(value, 10), 90),
        "cap": cap,
        **{key: EXACT[key](y, n, invited) for key in exact},
    }


# Careless publishers. -------------------------------------------------------------------------------------------------


def threshold_only(body: Body, rounds: Sequence[int]) -> Documents:
    """Exact shares of every group with ten answers, by one attribute and by any two."""
    return _exact(body, rounds, lambda n, whole: n >= body.threshold)


def remainder_rule(body: Body, rounds: Sequence[int]) -> Documents:
    """As before, but only where those outside the group are ten as well, or none."""
    return _exact(
        body, rounds, lambda n, whole: n >= body.threshold and (whole - n >= body.threshold or n == whole)
    )


def no_rounding(body: Body, rounds: Sequence[int]) -> Documents:
    """Exact shares of groups by one attribute."""
    return _exact(body, rounds, lambda n, whole: n >= body.threshold, crossed=False)


def _exact(body: Body, rounds: Sequence[int], may, crossed: bool = True) -> Documents:
    def figure(at: int, item: str, group: np.ndarray) -> dict:
        y, n, invited = body.count(at, item, group)
        if not may(n, int(body.rounds[at].answered[item].sum())):
            return {"mark": "hidden", "N": invited}
        return {"mark": "shown", "N": invited, "exact_share": EXACT["exact_share"](y, n, invited)}

    pairs = [("locality", "role"), ("locality", "size"), ("role", "size")] if crossed else []
    return [_careless(body, at, figure, ("locality", "role", "size"), pairs) for at in rounds]


def _careless(
    body: Body, at: int, figure, one_way: Sequence[str], pairs: Sequence[tuple] = (), total=True
) -> dict:
    """A document whose groups are printed by `figure(at, item, group)`, each for itself."""
    entries = []
    for item in body.rounds[at].answered:
        tables = [{by: name} for by in one_way for name in _names(body, at, by)]
        tables += [
            {one: a, two: b}
            for one, two in pairs
            for a in _names(body, at, one)
            for b in _names(body, at, two)
        ]
        printed: dict[str, dict] = {}
        for cell in tables:
            by, name = " × ".join(cell), " × ".join(cell.values())
            printed.setdefault(by, {})[name] = figure(at, item, _group(body, at, by, name))
        arms = {arm: figure(at, item, _group(body, at, "standing", arm)) for arm in ARMS}
        entries.append(
            {
                "item": item,
                "groups": arms,
                "total": figure(at, item, body.rounds[at].invited) if total else None,
                "gap": {"mark": "hidden"},
                "tables": [{"by": by, "groups": groups} for by, groups in printed.items()],
                "change": None,
            }
        )
    return _document(body, at, entries)


def exact_bounds(body: Body, rounds: Sequence[int]) -> Documents:
    """Rounded and capped shares by standing; beside them the worst case over the silent, to a whole percent."""
    return [
        _careless(body, at, lambda *where: _rounded(body, *where, "exact_bounds"), (), total=False)
        for at in rounds
    ]


def exact_intervals(body: Body, rounds: Sequence[int]) -> Documents:
    """Rounded and capped shares by standing; beside them an interval from the exact counts, to a whole percent."""
    return [
        _careless(body, at, lambda *where: _rounded(body, *where, "exact_interval"), (), total=False)
        for at in rounds
    ]


def total_beside_arms(body: Body, rounds: Sequence[int]) -> Documents:
    """Rounded and capped shares by standing, each for itself, and always their total."""
    return [_careless(body, at, lambda *where: _rounded(body, *where), ()) for at in rounds]


def sampled_trios(body: Body, rounds: Sequence[int]) -> Documents:
    """The fixed rules with two breakdowns, printed where four trios drawn at random solve nobody."""
    rng = np.random.default_rng(body.seed)

    def passes(body: Body, document: dict, at: int, item: str) -> bool:
        given = problem(
            views([document], [body.rounds[at]], item),
            {body.rounds[at].number: body.rounds[at].answered[item]},
        )
        there = np.flatnonzero(given.type_of >= 0)
        trios = [rng.choice(there, size=min(3, there.size), replace=False) for _ in range(4)]
        return not any(settled(given, body.truth(item), trio) for trio in trios)

    return _withheld(body, rounds, passes)


def without_earlier_views(body: Body, rounds: Sequence[int]) -> Documents:
    """The fixed rules with two breakdowns, printed where the best of audits, of this round alone, solves nobody."""
    return _withheld(body, rounds, _withstands)


def hides_what_is_unsafe(body: Body, rounds: Sequence[int]) -> Documents:
    """As before, the table by standing alone: it is hidden just where it would give somebody away."""
    return _withheld(body, rounds, _withstands, plan=((),))


def _withstands(body: Body, document: dict, at: int, item: str) -> bool:
    given = problem(
        views([document], [body.rounds[at]], item), {body.rounds[at].number: body.rounds[at].answered[item]}
    )
    result = attack(given, body.truth(item), threshold=body.threshold)
    return not (result.findings or result.counted or result.timed_out or result.groups_timed_out)


def _withheld(body: Body, rounds: Sequence[int], passes, plan=(ONE_WAY, ONE_WAY[:1], ())) -> Documents:
    """Fixed rules; a table is dropped from all items while one item does not pass: the last first, then standing."""
    documents = []
    for at in rounds:
        for tables in plan:
            document = _by_fixed_rules(body, [at], tables)[0]
            if all(passes(body, document, at, entry["item"]) for entry in document["items"]):
                break
        else:
            hidden = {"mark": "hidden"}
            document["items"] = [
                {
                    "item": entry["item"],
                    "groups": dict.fromkeys(ARMS, hidden),
                    "total": None,
                    "gap": hidden,
                    "change": None,
                }
                for entry in document["items"]
            ]
        documents.append(document)
    return documents


def hides_the_unanimous(body: Body, rounds: Sequence[int]) -> Documents:
    """Rounded and capped shares by standing; no share, and no total, where all of an arm agree."""

    def figure(at: int, item: str, group: np.ndarray) -> dict:
        y, n, invited = body.count(at, item, group)
        return {"mark": "hidden", "N": invited} if y in (0, n) else _rounded(body, at, item, group)

    return [_careless(body, at, figure, (), total=False) for at in rounds]


CARELESS: dict[str, Publisher] = {
    "threshold only": threshold_only,
    "threshold with remainder rule": remainder_rule,
    "no rounding": no_rounding,
    "exact bounds": exact_bounds,
    "exact intervals": exact_intervals,
    "total beside both arms": total_beside_arms,
    "sampled trios": sampled_trios,
    "gate without earlier views": without_earlier_views,
}
