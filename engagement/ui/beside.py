"""What a release says beside the gap, in sentences and tables: weights, the same people, answers in full, silence,
the usual ups and downs, and how each figure was worked out.

Pure, as `sentences` and `charts` are: release contents in, plain text and frames of text out. An older release may
lack any of it; every function then says so or gives nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engagement.ui import sentences
from engagement.words import role_label

if TYPE_CHECKING:
    import pandas

INDEX = "ownership_index"
INDEX_NAME = "Ownership index"
OPTIONS = {
    "agree5": {
        5: "Strongly agree",
        4: "Agree",
        3: "Neither",
        2: "Disagree",
        1: "Strongly disagree",
    },
    "engage4": {4: "Highly", 3: "Somewhat", 2: "Not very", 1: "Not at all"},
}
BREAKDOWNS = {"standing": "Group", "role": "Role", "locality": "Locality", "size": "Size of practice"}
LEVELS = {"up": "clearly up", "down": "clearly down", "no clear change": "no clear change"}
MAX_GROUPS_NAMED = 3


def trend_sentence(content: Mapping[str, Any], item: Mapping[str, Any] | None) -> str | None:
    """The line through all rounds, as the verdict of the release; None where there are too few rounds."""
    trend = item.get("trend") if item else None
    if not trend:
        return None
    since, last, points = trend["since"], content["round"]["number"], trend["points"]
    over = f"Over rounds {since} to {last}"
    if trend["verdict"] in ("widening", "narrowing"):
        by = f", by about {abs(points)} points in all" if points else ""
        return (
            f"{over} taken together the gap has been {trend['verdict']}{by}. One round seldom shows it, for a "
            "single step is smaller than chance alone can bring."
        )
    if trend["verdict"] == "no clear trend":
        return f"{over} taken together there is no clear trend in the gap."
    return f"{over} no trend can be told: the answers do not allow the comparison."


def levels_sentence(content: Mapping[str, Any], item: Mapping[str, Any] | None) -> str | None:
    """Which arm moved since the round before."""
    levels = item.get("levels") if item else None
    if not levels:
        return None
    said = []
    for arm, level in _in_order(levels):
        by = f" by about {abs(level['points'])} points" if level["points"] else ""
        said.append(f"{sentences.group_name(content, arm)}: {LEVELS.get(level['verdict'], 'cannot say')}{by}")
    since = next(iter(levels.values()))["since"]
    return f"Each group by itself, since round {since}: {'; '.join(said)}."


def tipping_sentence(content: Mapping[str, Any], item: Mapping[str, Any]) -> str | None:
    """How different the silent would have to be for the gap to vanish."""
    tipping = item.get("tipping")
    if not tipping:
        return None
    leaders, members = (sentences.group_name(content, arm) for arm in ("leader", "grassroots"))
    alone, shared = tipping["grassroots"], tipping["shared"]
    if shared is None:
        return (
            f"Whatever the silent think, the gap would not vanish: not even if the silent {leaders} and the silent "
            f"{members} both differed from those who answered."
        )
    ahead, behind = (leaders, members) if (item["gap"]["points"] or 0) > 0 else (members, leaders)
    both = (
        f"the silent {behind} would have to be at least {shared} points more favourable than those who "
        f"answered, and the silent {ahead} as much less"
    )
    if alone is None:
        return f"For this gap to vanish, {both}. No silence of the {members} alone could remove it."
    more = "more" if ahead == leaders else "less"
    return (
        f"For this gap to vanish, the silent {members} would have to be at least {alone} points {more} "
        f"favourable than those who answered; or {both}."
    )


def weighted_table(content: Mapping[str, Any], item: Mapping[str, Any]) -> pandas.DataFrame | None:
    """Unweighted and weighted figures side by side."""
    import pandas as pd

    found = item.get("weighted")
    if not found or item["gap"]["mark"] != "shown":
        return None
    rows = [
        (sentences.group_label(content, arm), sentences.share(item["groups"][arm]), sentences.share(figure))
        for arm, figure in _in_order(found["groups"])
    ]
    rows.append(("Gap", sentences.gap_points(item["gap"]), sentences.gap_points(found["gap"])))
    return pd.DataFrame(rows, columns=["", "As answered", "Weighted to the roster"])


def weighting_sentence(content: Mapping[str, Any]) -> str | None:
    """What the weights do, suppose and cost."""
    how = content.get("weighting")
    if not how:
        return None
    rough = " They miss the roster a little, so their ranges are approximate." if how["approximate"] else ""
    return (
        "Weighted figures give each answer the weight that brings role, locality and size of practice to their parts "
        "of the roster. They suppose that within these the silent think like those who answered. No weight is above "
        f"{how['cap']:g} times the mean, and a group has a weighted figure from 30 answers; the weights cost precision by a factor of {how['design_effect']:g}.{rough}"
    )


def panel_sentence(content: Mapping[str, Any], item: Mapping[str, Any]) -> str | None:
    """What became of those who answered in both rounds in the same group."""
    panel = item.get("panel")
    if not panel:
        return None
    said = []
    for arm, figure in _in_order(panel["groups"]):
        name = sentences.group_name(content, arm)
        if figure["mark"] != "shown":
            said.append(f"{name}: too few to say")
        else:
            said.append(
                f"{name} ({figure['n']} people): {_share(figure['before'])} then, {_share(figure['now'])} now, "
                f"{LEVELS.get(figure['verdict'], 'cannot say')}"
            )
    return (
        f"Among those who answered in round {panel['since']} too and kept their group: {'; '.join(said)}. Those who "
        "answer twice are no sample of the body; they show whether minds changed."
    )


def moved_sentence(item: Mapping[str, Any]) -> str | None:
    """What a moved total is made of: the make-up of those who answered, who came and went, and changed minds."""
    panel = item.get("panel")
    moved = panel.get("moved") if panel else None
    if not moved or moved["mark"] != "shown":
        return None
    parts = (
        ("mix", "more or fewer leaders among those who answered"),
        ("turnover", "people who came and went"),
        ("minds", "people who changed their answer"),
    )
    if not any(moved[name] for name, _ in parts):
        return "Taken apart, nothing that moved the total since then comes to 5 points."
    said = [f"{_points(moved[name])} from {words}" for name, words in parts]
    return f"What moved the total since then, to the nearest 5 points: {said[0]}, {said[1]} and {said[2]}."


def distribution_table(item: Mapping[str, Any]) -> pandas.DataFrame | None:
    """How all leaders and grassroots members answered, option by option, the most favourable end of the scale first."""
    import pandas as pd

    found = item.get("distribution")
    if not found or found["mark"] != "shown":
        return None
    names = OPTIONS.get(sentences.kind_of(item), {})
    rows = [(names.get(o["score"], str(o["score"])), _share(o)) for o in reversed(found["options"])]
    rows.append(("I do not know (of all who gave either)", _share(found["dont_know"])))
    return pd.DataFrame(rows, columns=["Answer", "Share"])


def distribution_sentence(item: Mapping[str, Any]) -> str | None:
    """Who is in the table of answers in full, and what can be read off it."""
    found = item.get("distribution")
    if not found:
        return None
    if found["mark"] != "shown":
        return "Not shown option by option: that takes 30 answers, and must not let anybody's answer be worked out."
    agree, disagree = _ends(item, found)
    net = (
        f" On balance {_points(agree - disagree)} (favourable minus unfavourable)."
        if agree is not None
        else ""
    )
    return (
        f"All groups of members together, {found['n']} answers of {found['N']} invited, to the nearest 5; the shares "
        f"need not add up to 100.{net}"
    )


def _ends(item: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Favourable and unfavourable shares, summed from printed options; None where an option is capped at the top."""
    options = found["options"]
    if any(option["cap"] == "at_least" for option in options):
        return None, None
    shares = [option["share"] for option in options]
    low, high = sum(shares[:2]), sum(shares[-2:])
    return (low, high) if item.get("reverse") else (high, low)


def breakdowns(
    content: Mapping[str, Any], item: Mapping[str, Any]
) -> list[tuple[str, list[tuple[str, Any]]]]:
    """The item's printed breakdowns: by what, and each group's name with its figure, largest share first.

    A breakdown whose groups are hidden on this item is left out.
    """
    out = []
    for table in item.get("tables") or []:
        if any(figure["mark"] != "shown" for figure in table["groups"].values()):
            continue
        named = [
            (_group_names(content, table["by"], _labelled(content, table["by"], name)), figure)
            for name, figure in table["groups"].items()
        ]
        out.append((table["by"], sorted(named, key=lambda pair: (-pair[1]["share"], pair[0]))))
    return out


def _labelled(content: Mapping[str, Any], by: str, name: str) -> list[str]:
    labels = (content.get("labels") or {}).get(by, {})
    return [labels.get(part, part) for part in name.split(" + ")]


def breakdown_headline(item: Mapping[str, Any], by: str, groups: Sequence[tuple[str, Any]]) -> str:
    """The message of a breakdown: who is highest and lowest, or that they are level."""
    (top, most), (bottom, least) = groups[0], groups[-1]
    if most["share"] == least["share"]:
        return f"By {BREAKDOWNS[by].lower()}: no difference between the groups"
    return f"By {BREAKDOWNS[by].lower()}: from {sentences.share(least)} ({bottom}) to {sentences.share(most)} ({top})"


def breakdown_table(by: str, groups: Sequence[tuple[str, Any]]) -> pandas.DataFrame:
    """The groups of a breakdown with share, range and answers."""
    import pandas as pd

    return pd.DataFrame(
        [
            (
                name,
                sentences.share(figure),
                sentences.span(figure["interval"], "%"),
                sentences.answers(figure),
            )
            for name, figure in groups
        ],
        columns=[BREAKDOWNS[by], "Favourable", sentences.HAD_ALL, "Answers"],
    )


def response_table(content: Mapping[str, Any], by: str) -> pandas.DataFrame | None:
    """Response rates by the groups of one breakdown."""
    import pandas as pd

    rows = [row for row in content["participation"].get("by", []) if row["by"] == by]
    if not rows:
        return None
    return pd.DataFrame(
        [(_group_names(content, by, row["groups"]), f"{row['N']:,}", _percent(row)) for row in rows],
        columns=[BREAKDOWNS[by], "Invited", "Answered"],
    )


def _group_names(content: Mapping[str, Any], by: str, groups: Sequence[str]) -> str:
    if by == "standing":
        names = [sentences.group_label(content, group) for group in groups]
    elif by == "role":
        names = [role_label(group) for group in groups]
    else:
        names = [group[:1].upper() + group[1:] for group in groups]
    if len(names) > MAX_GROUPS_NAMED:
        return f"{len(names)} small groups together"
    return " and ".join(names) + (" together" if len(names) > 1 else "")


def _percent(row: Mapping[str, Any]) -> str:
    if row["percent"] is None:
        return "too few to say"
    return {"at_least": "at least ", "at_most": "at most "}.get(row["cap"], "") + f"{row['percent']}%"


def representative_sentence(content: Mapping[str, Any]) -> str:
    """How evenly response is spread over role, locality and size."""
    found = content["participation"].get("representative") or {"mark": "hidden"}
    if found["mark"] != "shown":
        return "How even response was cannot be said for this round."
    how = "evenly" if found["r"] >= 0.9 else "fairly evenly" if found["r"] >= 0.75 else "unevenly"
    return (
        f"Response was spread {how} over role, locality and size of practice: the R-indicator is {found['r']:g}, "
        "where 1 is perfectly even. It says nothing of what the silent think."
    )


def measuring_sentences(content: Mapping[str, Any], names: Mapping[str, str]) -> list[str]:
    """How well the index measures. `names`: short names of questions by key."""
    found = content.get("measuring")
    if not found:
        return ["How well the core questions hang together was not worked out for this round."]
    first, last = found["rounds"][0], found["rounds"][-1]
    rounds = f"round {last}" if first == last else f"rounds {first} to {last} together"
    if found["mark"] != "shown":
        return ["Too few complete answers to say how well the core questions hang together: that takes 100."]
    interval = (
        f" ({found['alpha_interval'][0]:g} to {found['alpha_interval'][1]:g})"
        if found["alpha_interval"]
        else ""
    )
    omega = f", omega {found['omega']:g}" if found["omega"] is not None else ""
    said = [
        f"The core questions hang together: alpha {found['alpha']:g}{interval}{omega}, from {rounds}. Above .7 a mean "
        "of them is taken to be sound for groups."
        if found["alpha"] >= 0.7
        else f"The core questions hang together only loosely: alpha {found['alpha']:g}{interval}{omega}, from {rounds}. "
        "Read them one by one rather than as an index."
    ]
    if found["weak"]:
        said.append(f"Goes along with the others least: {_list(found['weak'], names)}.")
    said.append(
        {
            "alike": "Leaders and grassroots members read the questions alike, as far as can be told.",
            "different": "Leaders and grassroots members seem to read these questions differently, so look at their "
            f"own gaps beside the index: {_list(found['different'], names)}.",
        }.get(
            found["compared"],
            "Whether leaders read the questions as grassroots members do cannot be said: too few leaders. Look at the "
            "gaps of the questions beside the index.",
        )
    )
    return said


def _list(keys: Sequence[str], names: Mapping[str, str]) -> str:
    return ", ".join(names.get(key, key) for key in keys)


@dataclass(frozen=True)
class Series:
    """Printed figures of one thing round by round, to be read by a control chart.

    `rounds` and `values`: those with a figure. `rebase_at`: positions at which another series begins (a new wording,
    other roles counted as leaders). `better`: "up" or "down".
    """

    what: str
    unit: str
    rounds: tuple[int, ...]
    values: tuple[int, ...]
    rebase_at: tuple[int, ...]
    better: str


def gap_series(history: Sequence[Mapping[str, Any]], key: str) -> Series:
    """The printed gaps of an item; rounds that could not give one drop out."""
    found = [
        (content["round"]["number"], item["gap"]["points"], item["series"])
        for content in history
        if (item := sentences.item_of(content, key))
        and item["gap"]["mark"] == "shown"
        and item["gap"]["points"] is not None
    ]
    return _series("gap", " points", found, "down")


def participation_series(history: Sequence[Mapping[str, Any]]) -> Series:
    """The share of the body that took part; a change of tier begins another series, for it asks other people."""
    found = [
        (content["round"]["number"], content["participation"]["answered_percent"], content["round"]["tier"])
        for content in history
        if content["participation"]["answered_percent"] is not None
    ]
    return _series("share taking part", "%", found, "up")


def _series(what: str, unit: str, found: list[tuple[int, int, Any]], better: str) -> Series:
    breaks = [at for at in range(1, len(found)) if found[at][2] != found[at - 1][2]]
    return Series(what, unit, tuple(f[0] for f in found), tuple(f[1] for f in found), tuple(breaks), better)


def rule_sets() -> list[str]:
    """Names of the rule sets that a control chart may be read by, the usual one first."""
    from engagement.estimates import RULE_SETS

    return list(RULE_SETS)


def judged(series: Series, rules: str | None = None):
    """The series as `engagement.estimates.control_chart` reads it; None for fewer than two figures.

    `rules`: the name of one of its rule sets.
    """
    from engagement.estimates import MAKING_DATA_COUNT, RULE_SETS, control_chart

    if len(series.values) < 2:
        return None
    return control_chart(
        series.values,
        rebase_at=series.rebase_at,
        rules=RULE_SETS[rules] if rules else MAKING_DATA_COUNT,
        better=series.better,
    )


def control_headline(series: Series, rules: str | None = None) -> str | None:
    """The message of the chart: whether the series does more than wobble."""
    from engagement.estimates import XmR

    chart = judged(series, rules)
    if chart is None:
        return None
    if isinstance(chart, XmR):
        marked = [number for number, signal in zip(series.rounds, chart.signal, strict=True) if signal]
        if not marked:
            return f"The {series.what} goes up and down as usual"
        rounds = f"Round {marked[0]} stands" if len(marked) == 1 else f"{len(marked)} rounds stand"
        return f"{rounds} out in the {series.what}"
    if chart.shift or chart.too_few_crossings:
        return f"The {series.what} has moved away from where it was"
    return f"No sign yet that the {series.what} has changed for good"


def in_control(series: Series, rules: str | None = None) -> str | None:
    """The verdict of the chart in words; None for fewer than two figures."""
    from engagement.estimates import XmR

    chart = judged(series, rules)
    if chart is None:
        return None
    if not isinstance(chart, XmR):
        first, last = series.rounds[chart.first], series.rounds[-1]
        return (
            f"Run chart of the {series.what}, rounds {first} to {last}, median {chart.median:g}{series.unit}. "
            f"{chart.explanation} From 12 rounds on it is a control chart with limits."
        )
    found = [
        f"round {number}: {signal} ({meaning})"
        for number, signal, meaning in zip(series.rounds, chart.signal, chart.meaning, strict=True)
        if signal
    ]
    limits = (
        f"Control chart of the {series.what}, rule set {chart.rules.name}: mean {chart.mean[-1]:.0f}, limits "
        f"{sentences.signed(round(chart.lower[-1]))} to {sentences.signed(round(chart.upper[-1]))}{series.unit}"
        + (", which are trial limits until the thirteenth round." if chart.trial[-1] else ".")
    )
    return f"{limits} " + (
        f"Signals: {'; '.join(found)}." if found else "No round stands out: ups and downs as usual."
    )


def worked_out(content: Mapping[str, Any], item: Mapping[str, Any]) -> pandas.DataFrame:
    """Each figure of the newest round with its formula, its answers and people, and the source of the formula."""
    import pandas as pd

    if item["item"] == INDEX:
        of = len(item["of"])
        rows = [
            (
                "Share of a group",
                f"Mean of the printed shares of {of} core questions",
                _bases(content, item),
                "",
            ),
            ("Gap", f"Mean of the printed gaps of the same {of} questions", "", ""),
            ("Ranges", "Means of the ends of their ranges, which errs on the wide side", "", ""),
        ]
    else:
        effect = content.get("design_effect")
        cluster = (
            f"design effect {effect:g}" if effect else "no practices known: answers taken as independent"
        )
        rows = [
            (
                "Share of a group",
                "Favourable answers over all answers with a score",
                _bases(content, item),
                "",
            ),
            ("Gap", "Leaders' share minus grassroots members' share, at the role held at launch", "", ""),
            (
                sentences.HAD_ALL,
                "Wilson limits on n(N−1)/(N−n) answers, joined by Newcombe's method 10",
                _bases(content, item),
                "Wilson 1927; Newcombe 1998",
            ),
            (
                sentences.ROUNDS_COMPARED,
                f"Wilson limits on answers cut by clustering, joined by MOVER; {cluster}",
                _bases(content, item),
                "Korn & Graubard 1998; Zou & Donner 2008",
            ),
            (
                sentences.WORST_CASE,
                "All the silent one way, then the other",
                _bases(content, item),
                "Manski 1989",
            ),
            (
                "Change and trend",
                "Contrast of the printed figures: binomial variance on the fewest answers of each band, times the design "
                f"effect, plus that of rounding{_shared(content)}; Holm over the headline questions, "
                "Benjamini–Hochberg over the others",
                "",
                "Wolter 2007; Holm 1979; Benjamini & Hochberg 1995",
            ),
        ]
        if item.get("weighted"):
            rows.append(
                (
                    "Weighted figures",
                    "Classes of role by locality, raked to role, locality and size, trimmed at "
                    f"{content['weighting']['cap']:g} times the mean",
                    "",
                    "Deming & Stephan 1940; Deville & Särndal 1992; Kish 1965",
                )
            )
        if item.get("tipping"):
            rows.append(
                (
                    "What the silent would have to think",
                    "d / (1 − n/N), from the printed gap at its least",
                    "",
                    "",
                )
            )
    return pd.DataFrame(rows, columns=["Figure", "Formula", "Answers (n) of invited (N)", "Source"])


def _shared(content: Mapping[str, Any]) -> str:
    """By how much what two rounds have in common makes their comparison more or less certain."""
    shared = content.get("shared")
    if not shared:
        return ""
    return (
        f", times {shared['gap']:g} for what both rounds have in common ({shared['level']:g} for one group)"
    )


def _bases(content: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    return "; ".join(
        f"{sentences.group_label(content, arm)} {sentences.answers(item['groups'][arm])}"
        for arm in ("leader", "grassroots")
    )


def _in_order(groups: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Leaders first: a release is stored with its keys sorted."""
    return [(arm, groups[arm]) for arm in ("leader", "grassroots")]


def _share(figure: Mapping[str, Any]) -> str:
    return sentences.share(dict(figure) | {"mark": "shown"})


def _points(points: int) -> str:
    return f"{sentences.signed(points)} points"
