"""What a release says, in sentences. Pure: release content in, plain text out, never Markdown.

Every share and gap in a release is rounded to 5 and may be capped, hidden or missing; these functions are the one
place that turns those marks into words, so that no page ever shows a capped or hidden figure as a number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from engagement.clock import show_date, show_instant

MINUS = "−"
HAD_ALL = "Had every member on the roster answered"
ROUNDS_COMPARED = "For comparing with other rounds and bodies"
WORST_CASE = "Worst case, whatever the silent think"

# What the favourable answers of a scale amount to, said of the people who gave them.
FAVOURABLE = {"agree5": "agreed", "engage4": "felt at least somewhat engaged"}
REVERSED = {"agree5": "disagreed", "engage4": "felt not very or not at all engaged"}
NOT_PUBLISHED, NOT_INVITED, NOT_ASKED = "not published", "nobody invited", "not asked"


def kind_of(item: Mapping[str, Any]) -> str:
    """The scale of an item, the last part of its series id."""
    return item["series"].rsplit("/", 1)[-1]


def favourable(item: Mapping[str, Any]) -> str:
    """What those counted in the share did: "agreed", or "disagreed" with a statement whose sense is turned round."""
    said = REVERSED if item.get("reverse") else FAVOURABLE
    return said.get(kind_of(item), "answered favourably")


def item_of(content: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """The item of a release by its key, None where the round did not ask it. The index is an item too."""
    index = content.get("index")
    items = [*content["items"], index] if index else content["items"]
    return next((item for item in items if item["item"] == key), None)


def headline_items(content: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The headline items of a release; its first item where none was named."""
    return [item for item in content["items"] if item["headline"]] or content["items"][:1]


def item_keys(history: Iterable[Mapping[str, Any]]) -> list[str]:
    """Keys of all items ever released: those of the newest round first, in its order, headline items leading, and
    the index of the core questions after them."""
    history = list(history)
    keys: dict[str, None] = {}
    for content in reversed(history):
        asked = sorted(content["items"], key=lambda item: not item["headline"])
        keys.update(dict.fromkeys(item["item"] for item in asked))
    keys.update(dict.fromkeys(content["index"]["item"] for content in history if content.get("index")))
    return list(keys)


def group_name(content: Mapping[str, Any], group: str) -> str:
    """A group as it reads within a sentence, in the words that the round's promise froze: "grassroots members"."""
    word = {"leader": "leaders", "grassroots": "grassroots", "staff": "staff"}.get(group, group)
    return content["body"]["words"].get(word) or group_label(content, group).lower()


def group_label(content: Mapping[str, Any], group: str) -> str:
    """A group as it reads on its own: "Grassroots members"."""
    return next((row["label"] for row in content["groups"] if row["id"] == group), group.capitalize())


def signed(points: int) -> str:
    """A whole number with a true minus sign."""
    return f"{MINUS}{-points}" if points < 0 else str(points)


def between(pair: Iterable[int] | None, unit: str = " points") -> str | None:
    """ "between 25 and 55 points"; one figure where both ends agree, None where there is no interval."""
    if pair is None:
        return None
    low, high = pair
    if low == high:
        return f"{signed(low)}{unit}"
    return f"between {signed(low)} and {signed(high)}{unit}"


def span(pair: Iterable[int] | None, unit: str = "") -> str:
    """ "25 to 55": an interval in a table whose heading says what it is; "" where there is none."""
    if pair is None:
        return ""
    low, high = pair
    return f"{signed(low)} to {signed(high)}{unit}"


def share(group: Mapping[str, Any] | None) -> str:
    """A group's share in a few characters: "65%", "about 70%" (to the nearest 10), "at least 90%", "not published",
    "nobody invited"."""
    if group is None:
        return NOT_ASKED
    if group["mark"] == "hidden":
        return NOT_PUBLISHED
    if group["mark"] == "missing":
        return NOT_INVITED
    return _about(group, group.get("step", 5) > 5) + f"{group['share']}%"


def _about(figure: Mapping[str, Any], wide: bool) -> str:
    """How exact a figure is, before it: "at least ", "at most ", "about " where it was printed in wide steps, or ""."""
    return {"at_least": "at least ", "at_most": "at most "}.get(figure["cap"], "about " if wide else "")


def answers(group: Mapping[str, Any] | None) -> str:
    """How many answered of how many invited: "10–14 of 22"; the number invited alone where the rest is hidden."""
    if group is None:
        return ""
    if group["mark"] == "shown":
        return f"{group['n']} of {group['N']}"
    return f"{group['N']} invited" if group["N"] else "0 invited"


def gap_points(gap: Mapping[str, Any] | None) -> str:
    """A gap in a few characters: "40 points", "at least 50 points", "direction unclear", "not published"."""
    if gap is None:
        return NOT_ASKED
    if gap["mark"] == "hidden":
        return NOT_PUBLISHED
    if gap["mark"] == "missing":
        return NOT_INVITED
    if gap["points"] is None:
        return "direction unclear"
    return f"{_about(gap, 'within' in gap)}{signed(gap['points'])} points"


def gap_meaning(content: Mapping[str, Any], gap: Mapping[str, Any]) -> str:
    """A shown gap said out in full, whichever way it points and however it is capped."""
    leaders, members = group_name(content, "leader"), group_name(content, "grassroots")
    points, cap = gap["points"], gap["cap"]
    if points is None:
        return "both shares are so near the same end of the scale that the gap cannot be given"
    if points == 0:
        if cap == "at_least":
            return f"{leaders} are level with {members} or ahead of them"
        if cap == "at_most":
            return f"{members} are level with {leaders} or ahead of them"
        return (
            f"no gap, to within {gap['within']:g} points"
            if "within" in gap
            else "no gap, to the nearest 5 points"
        )
    # "At most -20" means that the members are at least 20 ahead: both caps say "at least" of the side that leads,
    # except where the figure lies on the other side of zero from the cap.
    size = _gap_size(gap)
    if points > 0:
        return f"a gap of {size}"
    return f"{members} are {size} ahead of {leaders}"


def _gap_size(gap: Mapping[str, Any]) -> str:
    """How far apart the arms are, whoever leads: "at least 20 points", "about 30 points"."""
    points, cap = gap["points"], gap["cap"]
    away = (cap == "at_least") == (points > 0)
    said = ("about " if "within" in gap else "") if cap is None else "at least " if away else "at most "
    return f"{said}{abs(points)} points"


def gap_sentence(content: Mapping[str, Any], item: Mapping[str, Any] | None) -> str:
    """The gap of one round's item in a sentence, or why there is none."""
    number = content["round"]["number"]
    if item is None:
        return f"Round {number} did not ask this question."
    leaders, members = group_name(content, "leader"), group_name(content, "grassroots")
    groups, gap, did = item["groups"], item["gap"], favourable(item)
    if gap["mark"] == "shown":
        caveat = between(gap["interval"])
        caveat = f" ({caveat} had every member answered)" if caveat else ""
        if groups["leader"]["mark"] != "shown":
            return (
                f"In round {number}, among those who {did}: {gap_meaning(content, gap)}{caveat}. How many of either "
                "group is not shown, so that nobody's answer can be worked out."
            )
        return (
            f"In round {number}, {share(groups['leader'])} of {leaders} and {share(groups['grassroots'])} of "
            f"{members} {did}: {gap_meaning(content, gap)}{caveat}."
        )
    if gap["mark"] == "missing":
        nobody = [
            group_name(content, arm) for arm in ("leader", "grassroots") if groups[arm]["mark"] == "missing"
        ]
        why = (
            f"nobody was invited as one of the {' or the '.join(nobody)}" if nobody else "a group is missing"
        )
        first = f"There is no gap in round {number}: {why}."
    else:
        first = (
            f"Too few to say: in round {number} the two groups cannot be shown apart without the risk that "
            "somebody's answer could be worked out."
        )
    total = item.get("total")
    if total and total["mark"] == "shown":
        return f"{first} Taken together, {share(total)} of {leaders} and {members} {did}."
    return first


def interval_rows(content: Mapping[str, Any], item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The gap's figures by the question that each answers: what it is, and its value in words.

    Source of the questions: notes, estimates ("name the question on every figure").
    """
    gap = item["gap"]
    if gap["mark"] != "shown":
        return []
    return [
        ("Among those who answered", gap_points(gap)),
        (HAD_ALL, between(gap["interval"]) or "cannot say"),
        (ROUNDS_COMPARED, between(gap["analytic"]) or "cannot say"),
        (WORST_CASE, between(gap["bounds"]) or "cannot say"),
    ]


def change_sentence(item: Mapping[str, Any] | None) -> str:
    """What became of the gap since the round before, as the verdict of the release."""
    change = item.get("change") if item else None
    if change is None:
        return "Nothing to compare with yet: no earlier round asked this in the same words."
    since, points = change["since"], change["points"]
    if change["verdict"] in ("wider", "narrower"):
        by = f", by about {abs(points)} points" if points else ""
        # Only headline questions were named before launch: of many others, some move by chance.
        look = (
            " Not a headline question: take it as something to look into." if change.get("explored") else ""
        )
        return f"The gap is clearly {change['verdict']} than in round {since}{by}.{look}"
    if change["verdict"] == "no clear change":
        return (
            f"No clear change since round {since}. Most rounds end like this: moves of this size can come by "
            "chance alone."
        )
    return f"Cannot say whether the gap has changed since round {since}: the answers do not allow the comparison."


def change_short(content: Mapping[str, Any], item: Mapping[str, Any] | None) -> str:
    """The verdict in a few words for a table of rounds: "wider by 10"; "" where there is none.

    Names the round it is measured from only where that is not the one before.
    """
    change = item.get("change") if item else None
    if change is None:
        return ""
    by = f" by {abs(change['points'])}" if change["points"] else ""
    since = f" since round {change['since']}" if change["since"] != content["round"]["number"] - 1 else ""
    return f"{change['verdict']}{by}{since}"


def participation_sentence(content: Mapping[str, Any]) -> str:
    """How many of those invited took part in a closed round."""
    taking, number = content["participation"], content["round"]["number"]
    people = people_invited(taking["N"])
    if taking["answered_percent"] is None:
        return f"{people} in round {number}: too few to say how many took part."
    return f"About {taking['answered_percent']}% took part in round {number}. {people}."


def people_invited(number: int) -> str:
    """ "184 people were invited"."""
    return "1 person was invited" if number == 1 else f"{number:,} people were invited"


def open_sentence(number: int, closes_at: datetime | None, invited: int, answered_percent: int | None) -> str:
    """An open round: until when, and how far it has come as a whole. Nothing else may be shown of it."""
    until = f" until {show_instant(closes_at)}" if closes_at else ""
    if answered_percent is None:
        part = f"{people_invited(invited)}; too few to say how many have taken part."
    else:
        part = f"So far about {answered_percent}% have taken part; {people_invited(invited)}."
    return f"Round {number} is open{until}. {part} Results appear after it has closed and been checked."


def launching_sentence(number: int, opens_at: datetime | None) -> str:
    """A launched round whose links are still being made."""
    when = f" It opens on {show_instant(opens_at)}." if opens_at else ""
    return f"Round {number} is launched and its personal links are being made.{when}"


def checking_sentence(number: int, progress: str | None = None) -> str:
    """A closed round without a release. `progress`: how many questions are checked, "3 of 8"."""
    far = f" ({progress} questions)" if progress else ""
    return (
        f"Round {number} has closed and is being checked{far}, so that no figure can point at a person. Its results "
        "appear here when that is done; there is nothing you need to do."
    )


def round_name(content: Mapping[str, Any]) -> str:
    """ "Round 9, Autumn 2026"; the number alone where the title says no more."""
    number, title = content["round"]["number"], (content["round"].get("title") or "").strip()
    plain = f"Round {number}"
    return plain if not title or title.lower() == plain.lower() else f"{plain}, {title}"


def closed_on(content: Mapping[str, Any]) -> str:
    """The day a round closed, "22 September 2026"; "" where it is not known."""
    day = content["round"].get("closed_on")
    return show_date(date.fromisoformat(day)) if day else ""


def closed_month(content: Mapping[str, Any]) -> str:
    """The month a round closed, "Sep 2026"; "" where it is not known."""
    day = content["round"].get("closed_on")
    return f"{date.fromisoformat(day):%b %Y}" if day else ""


def period(history: list[Mapping[str, Any]]) -> str:
    """The rounds that a chart covers: "rounds 1 to 9, closed March 2022 to September 2026"."""
    if not history:
        return ""
    first, last = history[0]["round"], history[-1]["round"]
    if first["number"] == last["number"]:
        return f"round {last['number']}, closed {closed_on(history[-1])}"
    months = [
        f"{date.fromisoformat(day['closed_on']):%B %Y}" if day.get("closed_on") else None
        for day in (first, last)
    ]
    closed = f", closed {months[0]} to {months[1]}" if all(months) else ""
    return f"rounds {first['number']} to {last['number']}{closed}"


def headline(history: list[Mapping[str, Any]], key: str) -> str:
    """The message of an item's charts in 10 to 15 words: how the gap stands in the newest round that shows one."""
    for content in reversed(history):
        item = item_of(content, key)
        if item is None or item["gap"]["mark"] != "shown":
            continue
        leaders, members = group_name(content, "leader"), group_name(content, "grassroots")
        gap, number = item["gap"], content["round"]["number"]
        points = gap["points"]
        if points is None or points == 0:
            said = gap_meaning(content, gap)
            return f"{said[0].upper()}{said[1:]} in round {number}"
        size = _gap_size(gap)
        ahead, behind = (leaders, members) if points > 0 else (members, leaders)
        tail = {
            "wider": ", a wider gap than before",
            "narrower": ", a narrower gap than before",
            "widening": ", and the gap is widening",
            "narrowing": ", and the gap is narrowing",
        }
        said = [(item.get(kind) or {}).get("verdict") for kind in ("change", "trend")]
        tail = next((tail[verdict] for verdict in said if verdict in tail), "")
        return f"{ahead[0].upper()}{ahead[1:]} are {size} ahead of {behind} in round {number}{tail}"
    return "No round could publish the gap on this question yet"


def standing(content: Mapping[str, Any], item: Mapping[str, Any]) -> str:
    """The message of one round's chart: who is ahead by how much, or that it cannot be said."""
    if item["gap"]["mark"] == "shown":
        return headline([content], item["item"])
    if item["gap"]["mark"] == "missing":
        return "There is no gap to show"
    return "Too few answers to show the two groups apart"


def change_heading(history: list[Mapping[str, Any]], key: str) -> str:
    """The message of the gap chart: the newest round's verdict on the change or the trend, where there is one."""
    newest = item_of(history[-1], key) if history else None
    change = newest.get("change") if newest else None
    trend = (newest.get("trend") if newest else None) or {}
    if change and change["verdict"] in ("wider", "narrower"):
        by = f" by about {abs(change['points'])} points" if change["points"] else ""
        return f"The gap has become {change['verdict']}{by} since round {change['since']}"
    if trend.get("verdict") in ("widening", "narrowing"):
        by = f" by about {abs(trend['points'])} points" if trend["points"] else ""
        done = {"widening": "widened", "narrowing": "narrowed"}[trend["verdict"]]
        return f"Over rounds {trend['since']} to {history[-1]['round']['number']} the gap has {done}{by}"
    if change and change["verdict"] == "no clear change":
        return f"No clear change in the gap since round {change['since']}"
    if change:
        return f"Whether the gap has changed since round {change['since']} cannot be said"
    return "The gap, round by round"
