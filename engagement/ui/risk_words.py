"""What an assessment of practices says, in sentences and tables. Pure: stored content in, plain text and frames out.

Nothing here is finer than what was stored: probabilities to 5%, attitude to a tenth of a point, ranks as intervals.
Sentences about one practice name behaviour alone, never an answer, a count, its roster or its list size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import TYPE_CHECKING, Any

from engagement.clock import show_date
from engagement.risk import segments
from engagement.risk.segments import ACTIONS, CLEAR, NAMES, SEGMENTS, Rules
from engagement.ui.sentences import MINUS

if TYPE_CHECKING:
    import pandas

UNCLEAR = "not_clear"
KINDS = (*SEGMENTS, UNCLEAR)
# In headings of a grid that has to fit a phone; whatever stands beside it gives the names in full.
SHORT = {kind: name.split(" ")[0] for kind, name in NAMES.items()}
KIND_NAMES = NAMES | {UNCLEAR: "Not clear"}
BY_RANK, BY_SILENCE, BY_NAME = SORTS = ("engagement", "silence", "name")
SORT_NAMES = {
    BY_RANK: "Engagement, least first",
    BY_SILENCE: "Probability that nobody answers",
    BY_NAME: "Name",
}
OWN = ("practice", "agreed")
PROVISIONAL = (
    "Provisional: fewer than four rounds are known. Expect places to move more than later, and do not act on one round "
    "alone."
)
# Below so large a correlation silence says little about attitude, and participation does not enter the ranking.
LITTLE = 0.15
LISTED = 8
WORTH_CHASING = 0.1
# An expected number of practices that does not round to 0.
HALF = 0.5


@dataclass(frozen=True)
class Shown:
    """One practice as the pages list it: its code, its name and locality as typed, and its part of the assessment."""

    code: str
    name: str
    locality: str
    row: Mapping[str, Any]

    @property
    def kind(self) -> str:
        """Its segment where that is clear, else "not_clear"."""
        return self.row["leading_segment"] if self.row["clarity"] == CLEAR else UNCLEAR


def practices(
    content: Mapping[str, Any],
    names: Sequence[Mapping[str, Any]],
    *,
    locality: str | None = None,
    kind: str | None = None,
    sort: str = BY_RANK,
) -> list[Shown]:
    """The practices of an assessment with their names, kept to a locality and to one of `KINDS`, sorted.

    `names`: of `engagement.releases.read.practices`. Sorted by engagement, by probability of silence (a practice
    that nobody can be asked in comes last), or by name; ties by name.
    """
    known = {row["practice_id"]: row for row in names}
    found = []
    for row in content["practices"] if content["usable"] else ():
        about = known.get(row["practice_id"], {})
        each = Shown(
            row["practice_id"], about.get("name") or row["practice_id"], about.get("locality") or "", row
        )
        if locality in (None, each.locality) and kind in (None, each.kind):
            found.append(each)
    keys = {
        BY_RANK: lambda row: row["engagement"],
        BY_SILENCE: lambda row: -(p if (p := row["p_silent_next"]) is not None else -1),
        BY_NAME: lambda row: 0,
    }
    return sorted(found, key=lambda each: (keys[sort](each.row), each.name.casefold(), each.code))


# --- figures in words -------------------------------------------------------------------------------------------


def percent(probability: float | None) -> str:
    """A stored probability, which is to the nearest 5%: nothing is said to be certain."""
    if probability is None:
        return "nobody to ask"
    if probability <= 0:
        return "below 5%"
    return "above 95%" if probability >= 1 else f"{probability:.0%}"


def points(value: float) -> str:
    """Attitude in points from the mean, signed: "+0.4", "−0.6", "0.0"."""
    return "0.0" if not round(value, 1) else f"{'+' if value > 0 else MINUS}{abs(value):.1f}"


def ordinal(number: int) -> str:
    """ "1st", "12th", "23rd"."""
    tail = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{tail}"


def rank(row: Mapping[str, Any]) -> str:
    """The interval of the engagement rank: "3rd to 17th"; 1st is the least engaged."""
    low, high = row["rank"]
    return ordinal(low) if low == high else f"{ordinal(low)} to {ordinal(high)}"


def segment(row: Mapping[str, Any]) -> str:
    """The segment with its probability by rule, in a few characters: "Withdrawn, 85%", "Not clear: steady, 45%"."""
    leading, share = NAMES[row["leading_segment"]], percent(row["segment_probability"])
    if row["clarity"] == CLEAR:
        return f"{leading}, {share}"
    return f"{'Moving' if row['clarity'] == segments.MOVING else 'Not clear'}: {leading.lower()}, {share}"


# --- the body ---------------------------------------------------------------------------------------------------


def not_yet(content: Mapping[str, Any] | None, words: Mapping[str, str]) -> str | None:
    """Why there are no segments yet and when there will be; None where there are."""
    if content is None:
        return f"There are no segments of {words['practices']} yet. They appear after the second round has closed."
    if not content["usable"]:
        return (
            f"One round is not enough to tell a quiet {words['practice']} from one that is drifting away. Segments and "
            "forecasts appear after the second round has closed."
        )
    return None


def provisional(content: Mapping[str, Any]) -> str | None:
    """The warning of the first rounds; None from the fourth on."""
    return PROVISIONAL if content["provisional"] else None


def headline(content: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """The message of the map: how many practices are clearly withdrawn, and for how many it is not clear."""
    counts, of = _counts(content), content["of"]
    gone, unclear = counts["withdrawn"], counts[UNCLEAR]
    noun = words["practice"] if of == 1 else words["practices"]
    who = "None" if not gone else f"{gone}"
    rest = "each has a clear segment" if not unclear else f"for {unclear} the segment is not clear"
    return f"{who} of {of} {noun} {'is' if gone in (0, 1) else 'are'} clearly withdrawn; {rest}"


def counts_sentence(content: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """How many practices are clearly in each segment, and how many in none."""
    counts, of = _counts(content), content["of"]
    plural = {segments.CHAMPION: "s"}
    said = ", ".join(
        f"{counts[kind]} {NAMES[kind].lower()}{plural.get(kind, '') if counts[kind] != 1 else ''}"
        for kind in SEGMENTS
    )
    return (
        f"Of {of} {words['practices'] if of != 1 else words['practice']} after round {content['round']['number']}, "
        f"clearly {said}. For {counts[UNCLEAR]} no segment has a probability of "
        f"{rules_of(content).clear:.0%} or more."
    )


def _counts(content: Mapping[str, Any]) -> Counter:
    return Counter(each.kind for each in practices(content, ()))


def correlation(content: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """What silence says about attitude in this body."""
    found = content["correlation"]
    return segments.correlation_sentence(found["c"], found["low"], found["high"], words)


def evidence(content: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """On whose answers the attitude of how many practices rests."""
    counts = Counter(row["evidence"] if row["evidence"] in OWN else "group" for row in content["practices"])
    practices_ = words["practices"]
    said = [
        f"{counts[kind]} on {what}"
        for kind, what in (
            ("practice", "answers of the " + words["practice"] + " itself"),
            ("agreed", "answers that people let count towards its position"),
            ("group", "the mean of a larger group that it belongs to"),
        )
        if counts[kind]
    ]
    return (
        f"In round {content['round']['number']} the attitude of {practices_} rests, beside who took part: "
        f"{', '.join(said)}. Earlier rounds count too, the less the longer ago they were."
    )


def price(content: Mapping[str, Any], words: Mapping[str, str]) -> str | None:
    """What keeping answers confidential costs here; None where every practice's own answers count."""
    grouped = [row for row in content["practices"] if row["evidence"] not in OWN]
    if not grouped:
        return None
    practice, practices_ = words["practice"], words["practices"]
    said = (
        f"The price of privacy: a {practice} whose own answers never counted is placed by its group's mean and by who "
        f"took part. Nobody can point at such a {practice} as critical but vocal, and it is more often not clear."
    )
    if abs(content["correlation"]["c"]) < LITTLE:
        said += f" As silence says little about attitude here, such {practices_} cannot be ranked at all."
    return said


def ticked(content: Mapping[str, Any], words: Mapping[str, str]) -> str | None:
    """How those who let their answers count differ from the others; None where that may not be said."""
    found = content["ticked"]
    if found["mark"] != "shown":
        return None
    difference = found["difference"]
    if not difference:
        return "Those who let their answers count towards a position answered like the others, in the body as a whole."
    side = "higher" if difference > 0 else "lower"
    return (
        f"In the body as a whole, those who let their answers count answered {abs(difference):.1f} points {side} than "
        f"the others. {words['practices'].capitalize()} known through such answers may be placed that much too "
        f"{'high' if difference > 0 else 'low'}."
    )


def rules_of(content: Mapping[str, Any]) -> Rules:
    """The rules that an assessment was made with."""
    stored = content["rules"]
    return Rules(**{field.name: stored[field.name] for field in fields(Rules) if field.name in stored})


def rules_table(content: Mapping[str, Any], words: Mapping[str, str]) -> pandas.DataFrame:
    """The published rules in order, the first that fits names the segment, with what one would do."""
    import pandas as pd

    rules = rules_of(content)
    rows = [(NAMES[kind], segments.rule_in_words(kind, words, rules), ACTIONS[kind]) for kind in SEGMENTS]
    return pd.DataFrame(rows, columns=["Segment", "Rule", "What to do"])


# --- lists ------------------------------------------------------------------------------------------------------


def practice_table(shown: Sequence[Shown], content: Mapping[str, Any], words: Mapping[str, str]):
    """The table beside the map: name, segment, rank interval, probability that nobody answers."""
    import pandas as pd

    return pd.DataFrame(
        [
            (each.name, segment(each.row), rank(each.row), percent(each.row["p_silent_next"]))
            for each in shown
        ],
        columns=[words["practice"].capitalize(), "Segment", f"Rank of {content['of']}", "Nobody answers"],
    )


def for_visit(shown: Sequence[Shown], content: Mapping[str, Any]) -> list[Shown]:
    """The least engaged of these practices, for visits. Where silence says little about attitude, only those whose
    own answers count can be ranked, and the others are left out."""
    little = abs(content["correlation"]["c"]) < LITTLE
    ranked = [each for each in shown if not little or each.row["evidence"] in OWN]
    return sorted(ranked, key=lambda each: (each.row["engagement"], each.code))[:LISTED]


def for_chasing(shown: Sequence[Shown]) -> list[Shown]:
    """Those of these practices in which most likely nobody answers next time, where that is more than a bare chance."""
    known = [each for each in shown if (each.row["p_silent_next"] or 0) >= WORTH_CHASING]
    return sorted(known, key=lambda each: (-each.row["p_silent_next"], each.code))[:LISTED]


# --- movement ---------------------------------------------------------------------------------------------------


def movement_headline(content: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """How many practices changed segment since the round before."""
    moved, total = content["movement"]["moved"], sum(map(sum, content["movement"]["raw"]))
    noun = words["practices"] if total != 1 else words["practice"]
    if not moved:
        return f"No {words['practice']} has changed segment since the round before"
    return (
        f"{moved} of {total} {noun} {'has' if moved == 1 else 'have'} changed segment since the round before"
    )


def movement_frame(content: Mapping[str, Any]) -> pandas.DataFrame:
    """A row a pair of segments: where from, where to, how many by label, and how many by probability."""
    import pandas as pd

    found = content["movement"]
    return pd.DataFrame(
        [
            {
                "before": SHORT[before],
                "now": SHORT[now],
                "labels": int(found["raw"][i][j]),
                "expected": float(found["expected"][i][j]),
                "stayed": i == j,
            }
            for i, before in enumerate(SEGMENTS)
            for j, now in enumerate(SEGMENTS)
        ]
    )


def movement_table(content: Mapping[str, Any]) -> pandas.DataFrame:
    """Every way from segment to segment that anybody went by label or by probability, those who stayed first."""
    frame = movement_frame(content)
    gone = frame[(frame["labels"] > 0) | (frame["expected"] >= HALF)].sort_values(
        ["stayed", "labels", "expected"], ascending=False
    )
    return gone.assign(labels=gone["labels"].astype(str), expected=gone["expected"].map("{:.0f}".format))[
        ["before", "now", "labels", "expected"]
    ].rename(columns={"before": "Before", "now": "Now", "labels": "By label", "expected": "By probability"})


def movement_alt(content: Mapping[str, Any]) -> str:
    """The picture of movement in words."""
    frame = movement_frame(content)
    moved = frame[(frame["labels"] > 0) & ~frame["stayed"]]
    said = [f"{row.labels} from {row.before.lower()} to {row.now.lower()}" for row in moved.itertuples()]
    stayed = int(frame.loc[frame["stayed"], "labels"].sum())
    return f"Grid of segments before and now. {stayed} stayed. {'; '.join(said) or 'None moved'}."


# --- the audit --------------------------------------------------------------------------------------------------


def audit_table(content: Mapping[str, Any]) -> pandas.DataFrame | None:
    """What free clustering found, by method and number of groups; None where nothing was audited."""
    import pandas as pd

    figures = content["audit"]["figures"]
    if not figures:
        return None

    def number(value: float | None, places: int) -> str:
        return "–" if value is None else f"{value:.{places}f}".replace("-", MINUS)

    rows = [
        (
            f"{each['method']}, {each['k']}{' ✓' if each['chosen'] else ''}{'' if each['admissible'] else ' †'}",
            number(each["gap"], 2),
            number(each["bic"], 0),
            number(each["jaccard"], 2),
        )
        for each in figures
    ]
    return pd.DataFrame(rows, columns=["Method, groups", "Gap", "BIC", "Stability"])


# --- one practice -----------------------------------------------------------------------------------------------


def about(found: Mapping[str, Any]) -> str:
    """What the roster says of a practice, in one line: code, locality, size of its list in bands, and when it closed."""
    said = [f"Code {found['practice_id']}"]
    said.append(f"locality {found['locality']}" if found["locality"] else "no locality given")
    said.append(f"{found['size']} list" if found["size"] else "list size not known")
    if found["closed"]:
        into = f", merged into {found['successor']}" if found["successor"] else ""
        said.append(f"closed on {show_date(date.fromisoformat(found['closed']))}{into}")
    return "; ".join(said) + "."


def no_segment(found: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Why nothing is said of a practice."""
    if found["round"] is None or (found["assessment"] and found["assessment"]["segment"] is None):
        return f"Segments and forecasts of {words['practices']} appear after the second round has closed."
    return f"This {words['practice']} was not open or not invited when round {found['round']['number']} closed, so nothing is said of it."


def standing(row: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Where a practice stands and what that rests on. A probability that rounds to 100% is not certainty."""
    said = segments.segment_sentence(
        row["leading_segment"], row["clarity"], row["segment_probability"], row["evidence"], words
    )
    return said.replace("100%", percent(1)) + " Earlier rounds count too, the less the longer ago they were."


def standing_headline(row: Mapping[str, Any]) -> str:
    """The message of a practice's page."""
    name = NAMES[row["leading_segment"]]
    if row["clarity"] == CLEAR:
        return name
    if row["clarity"] == segments.MOVING:
        return f"Moving: most likely {name.lower()} now, and not clear yet"
    return f"Not clear: most likely {name.lower()}"


def next_step(row: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """What one would do next, by its segment; nothing special where that is not clear."""
    if row["clarity"] == CLEAR:
        return ACTIONS[row["leading_segment"]]
    return (
        f"The segment is not clear enough to act on. Treat this {words['practice']} like any other, and look again after "
        "the next round."
    )


def reasons(row: Mapping[str, Any], words: Mapping[str, str]) -> list[str]:
    """What speaks for the place of a practice, as behaviour: silence and trend. Empty where nothing may be said."""
    found, said = row["reasons"], []
    silent = found.get("silent_rounds")
    if silent:
        said.append(
            "Nobody answered in the last round."
            if silent == 1
            else f"Nobody answered in the last {silent} rounds running."
        )
    elif silent == 0:
        said.append("Somebody answered in the last round.")
    trend = {
        "up": "By its segments, its attitude has risen over the last three rounds.",
        "down": "By its segments, its attitude has fallen over the last three rounds.",
        "steady": "By its segments, its attitude stands where it stood three rounds ago.",
    }.get(found.get("trend"))
    return [*said, trend] if trend else said


def forecast_sentences(row: Mapping[str, Any], of: int, words: Mapping[str, str]) -> list[str]:
    """The forecast of one practice and its place among the `of` practices ranked, each with how sure it is."""
    now, ahead, silent = row["now"], row["forecast"], row["p_silent_next"]
    said = [
        f"Attitude now {points(now['attitude'])} points from the mean of the {words['body']} (80% interval "
        f"{points(now['attitude_low'])} to {points(now['attitude_high'])}); expected next round {points(ahead['attitude'])}.",
        f"A member answers now with a probability of about {percent(now['participation'])} (80% interval "
        f"{percent(now['participation_low'])} to {percent(now['participation_high'])}); expected next round "
        f"{percent(ahead['participation'])}.",
        f"Engagement rank {rank(row)} of {of}, where 1st is the least engaged (90% interval).",
    ]
    said.append(
        "Nobody there can be asked at present, so nothing is forecast of their silence: look at the contact details."
        if silent is None
        else f"The probability that nobody answers next time is {percent(silent)}."
    )
    return said


def strip(row: Mapping[str, Any]) -> pandas.DataFrame:
    """A practice's segments by round, oldest first: the labels it held."""
    import pandas as pd

    return pd.DataFrame(
        [
            (each["round"], each["segment"], NAMES[each["segment"]])
            for each in row["history"]
            if each["segment"]
        ],
        columns=["round", "segment", "name"],
    )


def strip_sentence(row: Mapping[str, Any]) -> str:
    """The history of segments as stretches: "Round 2 to 4 steady, round 5 to 8 withdrawn"."""
    stretches: list[list[Any]] = []
    for each in row["history"]:
        if each["segment"] is None:
            continue
        if stretches and stretches[-1][2] == each["segment"]:
            stretches[-1][1] = each["round"]
        else:
            stretches.append([each["round"], each["round"], each["segment"]])
    said = [
        f"{f'round {first}' if first == last else f'rounds {first} to {last}'} {NAMES[held].lower()}"
        for first, last, held in stretches
    ]
    text = ", ".join(said)
    return text[:1].upper() + text[1:] + "." if text else "It has held no segment yet."


# --- how well does it do? ---------------------------------------------------------------------------------------

TOO_FEW = "too few"
ROSTERS = ("≤ 2", "3–5", "≥ 6")
SIZES = ("small", "medium", "large", "not known")
RULE_NAMES = {
    "Engagement filter": "These forecasts",
    "Base rate": "The usual share, for everybody",
    "Silent last round": "Silent last round",
    "Silent streak": "Rounds silent in a row",
    "Last raw score": "Last raw score",
    "Logistic on four features": "Regression on four simple facts",
}


def figure(found: Mapping[str, Any] | None, *, interval: bool = True) -> str:
    """A measure with its interval: "0.57 (0.41 to 0.67)"; a dash where there is none."""
    if found is None or found["value"] is None:
        return "–"
    text = _number(found["value"])
    if interval and found["low"] is not None:
        text += f" ({_number(found['low'])} to {_number(found['high'])})"
    return text


def _number(value: float) -> str:
    return f"{value:.2f}".replace("-", MINUS)


def judged_headline(performance: Mapping[str, Any], number: int, words: Mapping[str, str]) -> str:
    """Whether the forecasts of a round told silent practices from others better than chance."""
    last = performance["last"]
    ap, rate = last["ap"], last["base_rate"]
    if last["explanation"] or ap["low"] is None:
        return f"Too little happened in round {number} to judge its forecasts"
    if ap["low"] > rate:
        return (
            f"In round {number} the forecasts told silent {words['practices']} from others better than chance"
        )
    return f"In round {number} the forecasts did not clearly beat chance"


def judged_sentence(performance: Mapping[str, Any], number: int, words: Mapping[str, str]) -> str:
    """The last round's forecasts against what happened, measure by measure."""
    last = performance["last"]
    if last["explanation"]:
        return last["explanation"]
    return (
        f"Before round {number}, a probability was given for each of {last['n']} {words['practices']} that nobody "
        f"answers. That happened in {percent(last['base_rate'])}. Average precision {figure(last['ap'])}; by chance it "
        f"is {_number(last['base_rate'])}, and 1 is perfect. Brier score {figure(last['brier'])}; saying the usual share "
        f"to everybody gives {_number(last['brier_reference'])}, and 0 is perfect. Calibration slope "
        f"{figure(last['slope'])}; 1 is right, below 1 the forecasts are too bold. Intervals: 95%."
    )


def calibration_table(bands: Sequence[Mapping[str, Any]]) -> pandas.DataFrame:
    """The calibration chart as a table, and the bands that hold too few."""
    import pandas as pd

    rows = []
    for band in bands:
        known = band["said"] is not None
        rows.append(
            (
                f"{band['low']:.0%} to {band['high']:.0%}",
                TOO_FEW if band["n"] is None else str(band["n"]),
                percent(band["said"]) if known else TOO_FEW,
                f"{percent(band['happened'])} ({percent(band['ci'][0])} to {percent(band['ci'][1])})"
                if known
                else TOO_FEW,
            )
        )
    return pd.DataFrame(rows, columns=["Band", "Forecasts", "Said", "Happened"])


def calibration_alt(bands: Sequence[Mapping[str, Any]]) -> str:
    """The calibration chart in words."""
    known = [band for band in bands if band["said"] is not None]
    said = [f"said {percent(band['said'])}, happened {percent(band['happened'])}" for band in known]
    return f"Dot chart of forecasts against what happened. {'; '.join(said)}. The table has every figure."


def models_headline(performance: Mapping[str, Any]) -> str:
    """Which simple rules the forecasts are ahead of over all rounds, as far as the intervals tell."""
    others = [each for each in performance["models"] if each["ahead"]]
    known = [each for each in others if each["ahead"]["low"] is not None]
    if not known:
        return "Too few forecasts to compare with simple rules"
    ahead = sum(each["ahead"]["low"] > 0 for each in known)
    behind = sum(each["ahead"]["high"] < 0 for each in known)
    tail = f", and clearly behind {behind}" if behind else ""
    return f"Over all rounds the forecasts are clearly ahead of {ahead} of {len(known)} simple rules{tail}"


def models_table(performance: Mapping[str, Any]) -> pandas.DataFrame:
    """Walk forward: each round forecast from the rounds before, by these forecasts and by simple rules."""
    import pandas as pd

    return pd.DataFrame(
        [
            (
                RULE_NAMES.get(each["name"], each["name"]),
                figure(each["ap"]),
                figure(each["brier"], interval=False),
                figure(each["slope"], interval=False),
                figure(each["ahead"]),
            )
            for each in performance["models"]
        ],
        columns=["Rule", "Average precision", "Brier", "Slope", "We are ahead by"],
    )


def models_note(performance: Mapping[str, Any]) -> str:
    """What stands behind the walk-forward table."""
    first = performance["models"][0]
    if first["explanation"]:
        return first["explanation"]
    return (
        f"{first['n']} forecasts of {first['practices']} in all; the outcome came in {percent(first['base_rate'])}. "
        "Ahead by: average precision of these forecasts less that of the rule, with its 95% interval; above 0 throughout "
        "is clearly ahead. Rules that only rank have no Brier score and no slope."
    )


def subgroup_table(rows: Sequence[Mapping[str, Any]], what: str, order: Sequence[str]) -> pandas.DataFrame:
    """Figures by kind of practice, in order; what stands on too few is said to."""
    import pandas as pd

    place = {name: at for at, name in enumerate(order)}
    return pd.DataFrame(
        [
            (
                each["name"][:1].upper() + each["name"][1:],
                TOO_FEW if each["n"] is None else str(each["n"]),
                TOO_FEW if each["base_rate"] is None else percent(each["base_rate"]),
                TOO_FEW if each["share_listed"] is None else percent(each["share_listed"]),
                TOO_FEW if each["explanation"] else figure(each["ap"]),
            )
            for each in sorted(rows, key=lambda each: place.get(each["name"], len(order)))
        ],
        columns=[what, "Forecasts", "Silent", "Listed", "Average precision"],
    )


def visits_table(performance: Mapping[str, Any]) -> pandas.DataFrame:
    """Who stands on the two lists of today, by size of roster, beside its share of all practices."""
    import pandas as pd

    rows = sorted(performance["visits"]["roster"], key=lambda each: ROSTERS.index(each["name"]))
    return pd.DataFrame(
        [
            (each["name"], *(percent(each[name]) for name in ("share", "engagement", "silence")))
            for each in rows
        ],
        columns=["People invited", "Of all", "For a visit", "For chasing"],
    )


def visits_headline(performance: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """Whether the list for chasing answers falls on the small ones."""
    small = next((each for each in performance["visits"]["roster"] if each["name"] == ROSTERS[0]), None)
    if small is None or not small["share"]:
        return "Who stands on the two lists"
    return (
        f"The smallest {words['practices']} are {percent(small['share'])} of all, "
        f"{percent(small['engagement'])} of the list for visits and {percent(small['silence'])} of that for chasing"
    )


def coverage_sentence(performance: Mapping[str, Any]) -> str:
    """How often the intervals forecast a round before held the mean score that came."""
    known = [each for each in performance["coverage"] if each["share"]["value"] is not None]
    if not known:
        return "Too few mean scores to say how often the forecast intervals held them."
    said = ", ".join(f"{each['level']:.0%} intervals in {percent(each['share']['value'])}" for each in known)
    return f"Of {known[0]['n']} mean scores forecast a round before, the intervals held: {said}."


def drift_sentence(performance: Mapping[str, Any]) -> str:
    """Whether the forecasts of the last rounds still say what happens."""
    last = performance["drift"][-1] if performance["drift"] else None
    if last is None or last["difference"]["value"] is None:
        return "Too few forecasts to say whether they drift away from what happens."
    said = f"{percent(last['said'])} said on average, {percent(last['happened'])} happened"
    if last["drifted"]:
        return f"Drift: over the last rounds up to round {last['round']} forecasts and outcomes part ({said}). Take care."
    return f"No drift: over the last rounds up to round {last['round']}, {said}."


def drift_table(performance: Mapping[str, Any]) -> pandas.DataFrame:
    """Rolling calibration, newest round first."""
    import pandas as pd

    return pd.DataFrame(
        [
            (
                str(point["round"]),
                TOO_FEW if point["n"] is None else str(point["n"]),
                *(TOO_FEW if point[name] is None else percent(point[name]) for name in ("said", "happened")),
                "yes" if point["drifted"] else "no",
            )
            for point in reversed(performance["drift"])
        ],
        columns=["Up to round", "Forecasts", "Said", "Happened", "Drift"],
    )
