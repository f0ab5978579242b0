"""Static charts of releases, for files and the members' page. Pure: release contents in, a drawing out.

A figure that is not there has a mark of its own, never a point: a cross where it is not published, a ring where nobody
was invited, a short stroke where the question was not asked, a question mark where the direction of a gap is unclear.
Colours: Government Analysis Function; two series differ in colour, mark and dash.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engagement.exchange.drawing import Box, Dot, Drawing, Line, Shape, Words
from engagement.instrument.bank import short_name

INK, FAINT, GRID, SHADE = "#212B32", "#4C6272", "#E3E8EB", "#EDF1F3"
COLOUR = {
    "leader": "#12436D",
    "grassroots": "#C2470A",
    "gap": "#801650",
    "total": "#801650",
    "staff": "#3D3D3D",
}
# The same colours, paler, for the ranges behind the points.
PALE = {
    "leader": "#A5B6C6",
    "grassroots": "#EBB99F",
    "gap": "#CFA6BB",
    "total": "#CFA6BB",
    "staff": "#B5B5B5",
}
SHAPES = {"leader": "circle", "grassroots": "square"}
ARMS = ("leader", "grassroots")
SAID = {
    "hidden": "not published",
    "missing": "nobody invited",
    "not asked": "not asked",
    "unclear": "direction unclear",
}
CAPS = {"at_least": "at least ", "at_most": "at most "}
SHORT_CAPS = {"at_least": "≥ ", "at_most": "≤ "}


@dataclass(frozen=True)
class Point:
    """One figure of one round. `value`, `low`, `high` are None unless `mark` is "shown"; in percent or points."""

    round: int
    group: str
    mark: str
    value: int | None = None
    cap: str | None = None
    low: int | None = None
    high: int | None = None
    series: str = ""

    def said(self, unit: str) -> str:
        """ "65%", "at least 40 points", "not published"."""
        if self.mark != "shown":
            return SAID[self.mark]
        return f"{CAPS.get(self.cap, '')}{_signed(self.value)}{unit}"


def _signed(value: int) -> str:
    return f"−{-value}" if value < 0 else str(value)


def item_of(content: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    """An item of a release by its key; the index is one too."""
    items = [*content["items"], *([content["index"]] if content.get("index") else [])]
    return next((item for item in items if item["item"] == key), None)


def keys_of(content: Mapping[str, Any]) -> list[str]:
    """The keys of a release's items, the index last."""
    return [
        item["item"] for item in (*content["items"], *([content["index"]] if content.get("index") else []))
    ]


def _point(
    content: Mapping, item: Mapping | None, group: str, figure: Mapping | None, interval: str
) -> Point:
    number = content["round"]["number"]
    if figure is None:
        return Point(number, group, "not asked" if item is None else "missing")
    if figure["mark"] != "shown":
        return Point(number, group, figure["mark"])
    value = figure.get("points") if group == "gap" else figure.get("share")
    if value is None:
        return Point(number, group, "unclear")
    low, high = figure.get(interval) or (None, None)
    return Point(number, group, "shown", value, figure.get("cap"), low, high, item["series"])


def points(
    history: Sequence[Mapping[str, Any]], key: str, groups: Sequence[str], interval: str = "analytic"
) -> list[Point]:
    """The figures of an item, round by round and group by group; a round that did not ask it has its own mark."""
    found = []
    for content in history:
        item = item_of(content, key)
        for group in groups:
            figure = None
            if item is not None:
                figure = item["gap"] if group == "gap" else item["groups"].get(group)
            found.append(_point(content, item, group, figure, interval))
    return found


def label(content: Mapping[str, Any], group: str) -> str:
    """What a group is called in this body."""
    if group == "gap":
        return "Gap"
    if group == "total":
        return "Both together"
    return next((row["label"] for row in content["groups"] if row["id"] == group), group.capitalize())


def shares_by_round(history: Sequence[Mapping[str, Any]], key: str, width: int = 640) -> Drawing:
    """Leaders and grassroots members round by round, with the range for comparing rounds."""
    return _by_round(history, key, ARMS, width, "%", 0, 100)


def gap_by_round(history: Sequence[Mapping[str, Any]], key: str, width: int = 640) -> Drawing:
    """The gap round by round, in percentage points, with the range for comparing rounds."""
    ends = [
        end for p in points(history, key, ("gap",)) for end in (p.value, p.low, p.high) if end is not None
    ]
    low = min(0, 20 * (min(ends, default=0) // 20))
    high = max(20, -20 * (-max(ends, default=20) // 20))
    return _by_round(history, key, ("gap",), width, " points", low, high)


def _by_round(
    history: Sequence[Mapping[str, Any]],
    key: str,
    groups: Sequence[str],
    width: int,
    unit: str,
    low: int,
    high: int,
) -> Drawing:
    found = points(history, key, groups)
    left, right, top, height = 44, 62, 34, 190
    across = (width - left - right) / max(len(history), 1)

    def x(place: float) -> float:
        return left + across * (place + 0.5)

    def y(value: float) -> float:
        return top + height * (high - value) / (high - low)

    shapes: list[Shape] = []
    place = left
    for group in groups if len(groups) > 1 else ():
        name = label(history[-1], group)
        shapes.append(
            Line(place, 14, place + 26, 14, COLOUR[group], 2.5, None if group == "leader" else (5, 3))
        )
        shapes.append(Dot(place + 13, 14, 5, SHAPES[group], COLOUR[group]))
        shapes.append(Words(place + 32, 19, name, INK))
        place += 52 + 7.5 * len(name)
    for tick in range(low, high + 1, 20):
        shapes.append(Line(left, y(tick), width - right, y(tick), INK if tick == 0 > low else GRID, 1))
        shapes.append(
            Words(left - 6, y(tick) + 5, _signed(tick) + unit.removesuffix(" points"), INK, 13, "end")
        )
    rows = [found[at * len(groups) : (at + 1) * len(groups)] for at in range(len(history))]
    blanks = []
    for at, row in enumerate(rows):
        blank = next((p for p in row if p.mark != "shown"), None)
        if blank:
            shapes.append(Box(x(at) - across / 2, top, across, height, SHADE))
            shapes.append(_absent(blank.mark, x(at), top + height - 12))
            blanks.append(blank.mark)
        shapes.append(Words(x(at), top + height + 18, str(row[0].round), INK, 13, "middle"))
    shapes.append(Words(left + (width - left - right) / 2, top + height + 38, "Round", INK, 13, "middle"))
    for place, group in enumerate(groups):
        shift = 0 if len(groups) == 1 else (place - 0.5) * min(8, across / 3)
        shapes += _line([row[place] for row in rows], group, x, y, shift)
    shapes += _ends(rows, groups, y, width - right + 6, unit)
    changes = _changes(rows)
    for at in changes:
        shapes.append(Line(x(at) - across / 2, top - 6, x(at) - across / 2, top + height, INK, 1.5, (2, 3)))
    bottom = top + height + 58
    notes: list[tuple[Shape, str]] = [
        (_absent(mark, left + 8, bottom + 18 * place - 4), SAID[mark].capitalize())
        for place, mark in enumerate(dict.fromkeys(blanks))
    ]
    if changes:
        at = bottom + 18 * len(notes)
        notes.append(
            (Line(left + 8, at - 12, left + 8, at + 3, INK, 1.5, (2, 3)), "New wording: not one line")
        )
    for place, (mark, words) in enumerate(notes):
        shapes += [mark, Words(left + 22, bottom + 18 * place, words, INK, 13)]
    what = (
        "Gap between leaders and grassroots members"
        if groups == ("gap",)
        else "Share who answered favourably"
    )
    return Drawing(
        width,
        int(bottom + 18 * len(notes) - 8),
        f"{short_name(key)}: {what.lower()}, round by round",
        describe(history, key, groups, unit),
        tuple(shapes),
    )


def _changes(rows: Sequence[Sequence[Point]]) -> list[int]:
    """The rounds that begin a new series: another wording or scale than the shown figure before them."""
    found, before = [], ""
    for at, row in enumerate(rows):
        series = next((p.series for p in row if p.mark == "shown"), "")
        if series and before and series != before:
            found.append(at)
        before = series or before
    return found


def _absent(mark: str, x: float, y: float) -> Shape:
    if mark == "hidden":
        return Dot(x, y, 5, "cross", FAINT)
    if mark == "missing":
        return Dot(x, y, 5, "ring", FAINT)
    if mark == "unclear":
        return Words(x, y + 5, "?", FAINT, 15, "middle", True)
    return Line(x - 6, y, x + 6, y, FAINT, 3)


def _line(row: Sequence[Point], group: str, x, y, shift: float) -> list[Shape]:
    """Ranges, then the line through neighbouring rounds of one series, then the points; capped ones say so."""
    shapes: list[Shape] = []
    at = [(place, p) for place, p in enumerate(row) if p.mark == "shown"]
    for place, p in at:
        if p.low is not None and p.high is not None:
            shapes.append(Line(x(place) + shift, y(p.low), x(place) + shift, y(p.high), PALE[group], 5))
    for (a, p), (b, q) in itertools.pairwise(at):
        if b == a + 1 and p.series == q.series:
            dash = (6, 4) if group == "grassroots" else None
            shapes.append(Line(x(a) + shift, y(p.value), x(b) + shift, y(q.value), COLOUR[group], 2.5, dash))
    for place, p in at:
        shapes.append(Dot(x(place) + shift, y(p.value), 5, SHAPES.get(group, "circle"), COLOUR[group]))
        if p.cap and place < len(row) - 1:
            rise = -7 if p.cap == "at_least" else 16
            said = SHORT_CAPS[p.cap] + _signed(p.value)
            shapes.append(Words(x(place) + shift + 7, y(p.value) + rise, said, INK, 12))
    return shapes


def _ends(rows: Sequence[Sequence[Point]], groups: Sequence[str], y, x: float, unit: str) -> list[Shape]:
    """The newest round's figures beside the line's end, moved apart where they would touch."""
    last = (
        [(p, group) for p, group in zip(rows[-1], groups, strict=True) if p.mark == "shown"] if rows else []
    )
    places = sorted((y(p.value) + 5, p, group) for p, group in last) if len(last) < 2 else None
    if places is None:
        places = sorted(((y(p.value) + 5, p, group) for p, group in last), key=lambda each: each[0])
        if (short := 18 - (places[1][0] - places[0][0])) > 0:
            first, second = places
            places = [(first[0] - short / 2, *first[1:]), (second[0] + short / 2, *second[1:])]
    mark = unit.removesuffix(" points")
    return [
        Words(x, at, f"{SHORT_CAPS.get(p.cap, '')}{_signed(p.value)}{mark}", COLOUR[group], 15, bold=True)
        for at, p, group in places
    ]


def shares_now(content: Mapping[str, Any], key: str, width: int = 640) -> Drawing:
    """One round's item: each group's share with the range had every member answered, and the gap in words."""
    item = item_of(content, key)
    figures = dict(item["groups"])
    if item.get("total"):
        figures["total"] = item["total"]
    rows = [_point(content, item, group, figure, "interval") for group, figure in figures.items()]
    left, right, each = 12, 20, 62
    height = each * len(rows)

    def x(value: float) -> float:
        return left + (width - left - right) * value / 100

    shapes: list[Shape] = []
    for tick in range(0, 101, 20):
        shapes.append(Line(x(tick), 4, x(tick), height, GRID, 1))
        anchor = "start" if tick == 0 else "end" if tick == 100 else "middle"
        shapes.append(Words(x(tick), height + 18, f"{tick}%", INK, 13, anchor))
    for place, p in enumerate(rows):
        middle = each * place + 42
        shapes.append(
            Words(left, middle - 18, f"{label(content, p.group)}: {p.said('%')}", INK, 15, bold=True)
        )
        if p.mark != "shown":
            shapes.append(_absent(p.mark, left + 8, middle))
            continue
        if p.low is not None and p.high is not None:
            shapes.append(Line(x(p.low), middle, x(p.high), middle, PALE[p.group], 7))
        shapes.append(Dot(x(p.value), middle, 7, SHAPES.get(p.group, "circle"), COLOUR[p.group]))
    gap = _point(content, item, "gap", item["gap"], "interval")
    said = f"Gap: {gap.said(' points')}"
    for line, text in enumerate(textwrap.wrap(said, 60)):
        shapes.append(Words(left, height + 44 + 18 * line, text, INK, 15, bold=True))
    number = content["round"]["number"]
    return Drawing(
        width,
        height + 56,
        f"{short_name(key)}: share who answered favourably in round {number}",
        describe([content], key, [*figures, "gap"]),
        tuple(shapes),
    )


def describe(history: Sequence[Mapping[str, Any]], key: str, groups: Sequence[str], unit: str = "%") -> str:
    """A chart in words: every figure of every round, those that are not there included."""
    said = []
    for content in history:
        item = item_of(content, key)
        parts = []
        for group in groups:
            figure = None
            if item is not None:
                figure = item.get(group) if group in ("gap", "total") else item["groups"].get(group)
            p = _point(content, item, group, figure, "interval")
            parts.append(f"{label(content, group).lower()} {p.said(' points' if group == 'gap' else unit)}")
        said.append(f"Round {content['round']['number']}: {', '.join(dict.fromkeys(parts))}.")
    return " ".join(said)
