"""The one chart style, and the charts that releases are drawn as.

Pure: release contents (in round order) in, pandas frames, Altair charts, alternatives in words and tables out.
Nothing here reads a database or draws on a page. Titles stand in the page, not in the chart, because Vega cannot
wrap them on a phone.

A round's place on the axis is its position among the releases; one that published no figure keeps its place, is
shaded and named, and breaks the line. A new series (another wording or scale) starts a new line behind a rule that
names both versions. Capped shares are drawn at the cap with a sign beside them.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Protocol

from engagement.ui import sentences

if TYPE_CHECKING:
    import altair
    import pandas

FONT = "Arial, sans-serif"
ARMS = ("leader", "grassroots")
HEIGHT = 360
GAP_HEIGHT = 300
CAPS = {"at_least": "≥", "at_most": "≤"}
NOT_GIVEN = "not given"
# Half the width of the band that shows the worst case, in rounds.
_BAND = 0.32
# Sideways shift that keeps the two arms' intervals from lying on each other, in rounds.
_DODGE = {"leader": -0.13, "grassroots": 0.13, "gap": 0.0}
# Heights in pixels: a line of notes over the plot, and what the axis and padding take of a chart's height.
_NOTE = 14
_AROUND = 70
# Published figures stand left of the first round: the first of them, and the rule that parts them from it.
_FIRST, _EDGE = -1.25, -0.65


@dataclass(frozen=True)
class Style:
    """Colours of one theme. Two series differ in colour, dash and shape, so that none has to carry the meaning."""

    ink: str
    faint: str
    grid: str
    shade: str
    background: str
    leader: str
    grassroots: str
    gap: str

    def colour(self, series: str) -> str:
        """The colour of "leader", "grassroots" or "gap"."""
        return getattr(self, series)


LIGHT = Style("#212B32", "#4C6272", "#E3E8EB", "#EDF1F3", "#FFFFFF", "#12436D", "#F46A25", "#801650")
DARK = Style("#F0F4F5", "#C3CDD3", "#34414A", "#232E36", "#12181D", "#6BACE6", "#F46A25", "#D79CC0")
_DASHES = {"leader": [1, 0], "grassroots": [6, 4], "gap": [1, 0]}
_SHAPES = {"leader": "circle", "grassroots": "square", "gap": "circle"}
REFERENCE_SHAPE = "diamond"
ELSEWHERE = "similar\nquestion,\nother bodies"


# A group that a round did not have.
_NOBODY = {"mark": "missing", "N": 0}


class Reference(Protocol):
    """A published figure on a similar question, as `engagement.instrument.references` gives it."""

    publisher: str
    year: int
    percent: float | None
    quoted: str | None
    half_width: float | None

    @property
    def arm(self) -> str | None:
        """ "leader", "grassroots", "gap", or None for neither."""


def style(theme: str | None) -> Style:
    """The colours for `st.context.theme.type`."""
    return DARK if theme == "dark" else LIGHT


# ── Frames ──────────────────────────────────────────────────────────────────────────────────────────────────────

_COLUMNS = (
    "x",
    "round",
    "year",
    "series",
    "version",
    "group",
    "name",
    "mark",
    "value",
    "cap",
    "low",
    "high",
    "least",
    "most",
    "had_all",
    "said",
    "answers",
    "line",
)


def trend_frame(history: Sequence[Mapping[str, Any]], key: str) -> pandas.DataFrame:
    """Both arms of an item, a row a round and arm, whether or not the round published it.

    `value` is the printed share (the cap, where it is capped) and is empty unless `mark` is "shown"; `low` and
    `high` are the interval for comparing rounds, `least` and `most` the worst case, `had_all` the interval had every
    member answered, in words. Rows that share a `line` may be joined.
    """
    rows = []
    for x, content in enumerate(history):
        item = sentences.item_of(content, key)
        for arm in ARMS:
            group = item["groups"].get(arm) if item else None
            rows.append(
                _row(x, content, item, arm, group, "share", sentences.share(group))
                | {"name": sentences.group_label(content, arm), "answers": sentences.answers(group)}
            )
    return _with_lines(rows)


def gap_frame(history: Sequence[Mapping[str, Any]], key: str) -> pandas.DataFrame:
    """The gap of an item, a row a round, in the columns of `trend_frame`; `value` is in percentage points."""
    rows = []
    for x, content in enumerate(history):
        item = sentences.item_of(content, key)
        gap = item["gap"] if item else None
        rows.append(_row(x, content, item, "gap", gap, "points", sentences.gap_points(gap)) | {"name": "Gap"})
    return _with_lines(rows)


def _row(
    x: int, content: Mapping, item: Mapping | None, group: str, figure: Mapping | None, value: str, said: str
) -> dict[str, Any]:
    shown = figure is not None and figure["mark"] == "shown"
    interval = (figure.get("analytic") if shown else None) or (None, None)
    bounds = (figure.get("bounds") if shown else None) or (None, None)
    unit = "%" if value == "share" else " points"
    closed = content["round"].get("closed_on")
    return {
        "x": x,
        "round": content["round"]["number"],
        "year": str(date.fromisoformat(closed).year) if closed else "",
        "series": item["series"] if item else None,
        "version": item["version"] if item else None,
        "group": group,
        "mark": figure["mark"] if figure is not None else "not asked",
        "value": figure[value] if shown else None,
        "cap": figure["cap"] if shown else None,
        "low": interval[0],
        "high": interval[1],
        "least": bounds[0],
        "most": bounds[1],
        "had_all": (sentences.between(figure["interval"], unit) if shown else None) or NOT_GIVEN,
        "said": said,
        "answers": "",
    }


def _with_lines(rows: list[dict[str, Any]]) -> pandas.DataFrame:
    """Number the unbroken stretches: a line ends where nothing was published and where the series changes."""
    import pandas as pd

    last: dict[str, tuple[int, Any]] = {}
    count = 0
    for row in rows:
        row["line"] = None
        if row["mark"] != "shown" or row["value"] is None:
            last.pop(row["group"], None)
            continue
        line, series = last.get(row["group"], (None, None))
        if line is None or series != row["series"]:
            count += 1
            line = f"{row['group']} {count}"
        row["line"] = line
        last[row["group"]] = (line, row["series"])
    frame = pd.DataFrame(rows, columns=list(_COLUMNS))
    return frame.astype(dict.fromkeys(("value", "low", "high", "least", "most"), "float"))


def breaks(history: Sequence[Mapping[str, Any]], key: str) -> list[dict[str, Any]]:
    """Where an item's series changes: the place between two rounds, and the two sides in words."""
    found, before = [], None
    for x, content in enumerate(history):
        item = sentences.item_of(content, key)
        if item is None:
            continue
        if before is not None and before[1]["series"] != item["series"]:
            old, new = before[1], item
            if old["series"].endswith("/mean"):
                sides = "old questions", "new questions"
            elif old["version"] != new["version"]:
                sides = f"wording {old['version']}", f"wording {new['version']}"
            else:
                sides = "old scale", "new scale"
            found.append({"x": (before[0] + x) / 2, "before": sides[0], "after": sides[1]})
        before = (x, item)
    return found


def stretches(frame: pandas.DataFrame) -> list[dict[str, Any]]:
    """Neighbouring rounds without a figure, as one: from, to, and the word for it.

    A round counts as soon as one of its rows has no figure, which is both arms or neither.
    """
    found: list[dict[str, Any]] = []
    for x, rows in frame.groupby("x", sort=True):
        blank = rows[rows["value"].isna()]
        if blank.empty:
            continue
        said = next(
            (word for word in blank["said"] if word == sentences.NOT_PUBLISHED), blank["said"].iloc[0]
        )
        if found and found[-1]["to"] == x - 1 and found[-1]["said"] == said:
            found[-1]["to"] = int(x)
        else:
            found.append({"from": int(x), "to": int(x), "said": said})
    return found


# ── Charts ──────────────────────────────────────────────────────────────────────────────────────────────────────


def trend_chart(
    history: Sequence[Mapping[str, Any]],
    key: str,
    references: Sequence[Reference] = (),
    theme: str | None = None,
) -> altair.LayerChart:
    """Both arms round by round with the intervals for comparing rounds."""
    frame = trend_frame(history, key)
    names = {arm: sentences.group_label(history[-1], arm) for arm in ARMS}
    return _rounds_chart(
        frame,
        breaks(history, key),
        _placed(references, ARMS, first=_FIRST),
        style(theme),
        names=names,
        unit="%",
        low=0,
        high=100,
        ticks=list(range(0, 101, 20)),
        height=HEIGHT,
    )


def gap_chart(
    history: Sequence[Mapping[str, Any]],
    key: str,
    references: Sequence[Reference] = (),
    theme: str | None = None,
) -> altair.LayerChart:
    """The gap round by round with its interval for comparing rounds; 0 is drawn as the line of no gap."""
    frame = gap_frame(history, key)
    placed = _placed(references, ("gap",), first=_FIRST)
    figures = frame[["low", "high", "least", "most", "value"]].stack().dropna().tolist()
    figures += [mark["value"] for mark in placed]
    low = min(0, 20 * int((min(figures, default=0)) // 20))
    high = max(20, -20 * int((-max(figures, default=20)) // 20))
    return _rounds_chart(
        frame,
        breaks(history, key),
        placed,
        style(theme),
        names={"gap": "Gap"},
        bands=True,
        unit=" points",
        low=low,
        high=high,
        ticks=list(range(low, high + 1, 20)),
        height=GAP_HEIGHT,
    )


def _placed(references: Sequence[Reference], arms: Sequence[str], *, first: float) -> list[dict[str, Any]]:
    """Published figures that can stand beside `arms`, each with its place: a slot a year, left of the rounds."""
    usable = [row for row in references if row.arm in arms and row.percent is not None]
    years = sorted({row.year for row in usable}, reverse=True)
    return [
        {
            "x": first - years.index(row.year),
            "year": str(row.year),
            "group": row.arm,
            "value": float(row.percent),
            "low": float(row.percent - row.half_width) if row.half_width else None,
            "high": float(row.percent + row.half_width) if row.half_width else None,
            "publisher": row.publisher,
            "label": f"{row.percent:g}",
        }
        for row in usable
    ]


def _rounds_chart(
    frame: pandas.DataFrame,
    changes: list[dict[str, Any]],
    placed: list[dict[str, Any]],
    look: Style,
    *,
    names: Mapping[str, str],
    bands: bool = False,
    unit: str,
    low: int,
    high: int,
    ticks: list[int],
    height: int,
) -> altair.LayerChart:
    import altair as alt
    import pandas as pd

    groups = list(names)
    span = high - low
    blank = stretches(frame)
    # Room for notes over the plot, in pixels, then in units of the scale: three lines for the published figures,
    # two for rounds without a figure, one above them for changes of wording.
    notes = _NOTE * max(3 * bool(placed), 2 * bool(blank)) + 6 * bool(placed or blank)
    above = notes + (_NOTE + 6) * bool(changes) + 4
    top = high + span * above / (height - _AROUND - above)
    per_pixel = (top - low) / (height - _AROUND)
    last = int(frame["x"].max())
    left = min([0, *(mark["x"] for mark in placed)])
    x = alt.X(
        "at:Q",
        scale=alt.Scale(domain=[left - 0.5, last + 0.5], nice=False, zero=False),
        axis=_round_axis(frame, placed),
        title="Year published | round, and year closed" if placed else "Round, and the year it closed",
    )
    title = None if unit == "%" else "Percentage points"
    y = alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[low, top], nice=False, zero=False),
        axis=alt.Axis(
            values=ticks,
            # Without a count Vega drops every other one of the values it was given.
            tickCount=len(ticks),
            labelOverlap=False,
            labelExpr=f"replace('' + datum.value, '-', '−') + '{unit.strip('points ')}'",
        ),
        title=title,
    )
    colour = alt.Color(
        "group:N", scale=alt.Scale(domain=groups, range=[look.colour(g) for g in groups]), legend=None
    )
    shape = alt.Shape(
        "group:N", scale=alt.Scale(domain=groups, range=[_SHAPES[g] for g in groups]), legend=None
    )
    dash = alt.StrokeDash(
        "group:N", scale=alt.Scale(domain=groups, range=[_DASHES[g] for g in groups]), legend=None
    )
    data = frame.assign(
        at=frame["x"] + frame["group"].map(_DODGE).astype(float),
        range=[_range(row["low"], row["high"], unit) for row in frame.to_dict("records")],
        worst=[_range(row["least"], row["most"], unit) for row in frame.to_dict("records")],
    )
    shown = data[data["value"].notna()]
    with_range = data[data["low"].notna()]
    tooltip = [
        alt.Tooltip("round:Q", title="Round"),
        alt.Tooltip("name:N", title="Group" if unit == "%" else "Figure"),
        alt.Tooltip("said:N", title="Share" if unit == "%" else "Gap"),
        alt.Tooltip("range:N", title=sentences.ROUNDS_COMPARED),
        alt.Tooltip("had_all:N", title=sentences.HAD_ALL),
        alt.Tooltip("worst:N", title=sentences.WORST_CASE),
        *([alt.Tooltip("answers:N", title="Answers")] if unit == "%" else []),
    ]

    layers: list[alt.Chart] = []
    if blank:
        shaded = pd.DataFrame(
            {
                "at": [row["from"] - 0.5 for row in blank],
                "to": [row["to"] + 0.5 for row in blank],
                "value": low,
                "end": high,
                "said": [row["said"] for row in blank],
            }
        )
        layers.append(
            alt.Chart(shaded)
            .mark_rect(color=look.shade)
            .encode(x=x, x2="to:Q", y=y, y2="end:Q", tooltip=[alt.Tooltip("said:N", title="No figure")])
        )
        words = pd.DataFrame(
            {
                "at": [(row["from"] + row["to"]) / 2 for row in blank],
                "label": ["\n".join(row["said"].rsplit(" ", 1)) for row in blank],
            }
        )
        layers.append(_text(words, x, alt.value(above - _NOTE - 4), look, baseline="bottom", faint=True))
    if low < 0:
        level = pd.DataFrame({"at": [left - 0.5], "to": [last + 0.5], "value": [0]})
        layers.append(alt.Chart(level).mark_rule(color=look.ink, strokeWidth=1.5).encode(x=x, x2="to:Q", y=y))
    if placed:
        edge = pd.DataFrame({"at": [_EDGE], "value": [low], "end": [top]})
        layers.append(alt.Chart(edge).mark_rule(color=look.faint, strokeWidth=1).encode(x=x, y=y, y2="end:Q"))
        words = pd.DataFrame({"at": [_EDGE], "label": [ELSEWHERE]})
        layers.append(
            _text(
                words,
                x,
                alt.value(above - 2 * _NOTE - 4),
                look,
                align="right",
                baseline="bottom",
                dx=-6,
                faint=True,
            )
        )
    if changes:
        rules = pd.DataFrame(changes).assign(value=low, end=top).rename(columns={"x": "at"})
        layers.append(
            alt.Chart(rules)
            .mark_rule(color=look.ink, strokeWidth=1.5, strokeDash=[2, 3])
            .encode(x=x, y=y, y2="end:Q")
        )
        for side, align, shift in (("before", "right", -5), ("after", "left", 5)):
            words = pd.DataFrame(
                {
                    "at": [change["x"] for change in changes],
                    "label": [change[side] for change in changes],
                }
            )
            layers.append(_text(words, x, alt.value(2), look, align=align, baseline="top", dx=shift))
    if bands:
        band = data[data["least"].notna()]
        band = band.assign(to=band["at"] + _BAND, at=band["at"] - _BAND)
        layers.append(
            alt.Chart(band)
            .mark_rect(opacity=0.13)
            .encode(
                x=x, x2="to:Q", y=alt.Y("least:Q", title=title), y2="most:Q", color=colour, tooltip=tooltip
            )
        )
    layers.append(
        alt.Chart(with_range)
        .mark_rule(strokeWidth=3, opacity=0.4)
        .encode(x=x, y=alt.Y("low:Q", title=title), y2="high:Q", color=colour, tooltip=tooltip)
    )
    layers.append(
        alt.Chart(shown)
        .mark_line(strokeWidth=2.5)
        .encode(x=x, y=y, color=colour, strokeDash=dash, detail="line:N")
    )
    layers.append(
        alt.Chart(shown)
        .mark_point(filled=True, size=75, opacity=1)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=tooltip)
    )
    layers += _cap_labels(shown, x, y, look)
    layers += _reference_layers(placed, x, y, colour, look, unit, per_pixel)
    layers += _end_labels(shown, x, y, look, names, unit, last, per_pixel)
    return _dress(alt.layer(*layers), look, height)


def _round_axis(frame: pandas.DataFrame, placed: list[dict[str, Any]]) -> altair.Axis:
    """Round numbers over years; published figures have the year alone."""
    import altair as alt

    labels, before = {}, None
    for row in frame.drop_duplicates("x").itertuples():
        # A year is written once, under its first round, so that a phone has room for every round's number.
        labels[float(row.x)] = [str(row.round), row.year if row.year != before else ""]
        before = row.year
    labels |= {float(mark["x"]): [f"’{mark['year'][2:]}", ""] for mark in placed}
    cases = "".join(
        f"datum.value == {at:g} ? ['{first}', '{second}'] : "
        for at, (first, second) in sorted(labels.items())
    )
    return alt.Axis(
        values=sorted(labels),
        tickCount=len(labels),
        labelExpr=f"{cases}''",
        labelFontSize=12,
        grid=False,
        labelOverlap="greedy",
    )


def _range(low: float, high: float, unit: str) -> str:
    return NOT_GIVEN if low != low else sentences.between((int(low), int(high)), unit)


def _text(
    words: pandas.DataFrame,
    x,
    y,
    look: Style,
    *,
    align: str = "center",
    baseline: str = "middle",
    dx: float = 0,
    dy: float = 0,
    faint: bool = False,
    size: int = 12,
    bold: bool = False,
):
    import altair as alt

    return (
        alt.Chart(words)
        .mark_text(
            align=align,
            baseline=baseline,
            dx=dx,
            dy=dy,
            font=FONT,
            fontSize=size,
            fontWeight="bold" if bold else "normal",
            lineBreak="\n",
            color=look.faint if faint else look.ink,
        )
        .encode(x=x, y=y, text="label:N")
    )


def _cap_labels(shown: pandas.DataFrame, x, y, look: Style) -> list:
    """ "≥ 90" and "≤ 10" beside a point that is drawn at its cap, clear of its bar; a line's end has its own label."""
    inner = shown[shown["x"] < shown.groupby("group")["x"].transform("max")]
    layers = []
    for cap, dy in (("at_least", -12), ("at_most", 13)):
        capped = inner[inner["cap"] == cap]
        if not capped.empty:
            words = capped.assign(label=[f"{CAPS[cap]} {sentences.signed(int(v))}" for v in capped["value"]])
            layers.append(_text(words, x, y, look, align="left", dx=5, dy=dy, bold=True))
    return layers


def _reference_layers(
    placed: list[dict[str, Any]], x, y, colour, look: Style, unit: str, per_pixel: float
) -> list:
    import altair as alt
    import pandas as pd

    if not placed:
        return []
    marks = pd.DataFrame(placed).rename(columns={"x": "at"}).astype({"low": "float", "high": "float"})
    marks["what"] = "Similar question, other bodies"
    ranged = marks[marks["low"].notna()]
    layers = []
    if not ranged.empty:
        layers.append(
            alt.Chart(ranged)
            .mark_rule(strokeWidth=1.5, opacity=0.7)
            .encode(x=x, y=alt.Y("low:Q", title=y.to_dict()["title"]), y2="high:Q", color=colour)
        )
    layers.append(
        alt.Chart(marks)
        .mark_point(shape=REFERENCE_SHAPE, size=95, filled=False, strokeWidth=2.2, opacity=1)
        .encode(
            x=x,
            y=y,
            color=colour,
            tooltip=[
                alt.Tooltip("what:N", title="Published"),
                alt.Tooltip("publisher:N", title="By"),
                alt.Tooltip("year:N", title="Year"),
                alt.Tooltip("label:N", title="Percent" if unit == "%" else "Points"),
            ],
        )
    )
    # A figure stands over its mark (over its bar, where it has one), or under it where another is close above.
    above, below = [], []
    for mark in marks.to_dict("records"):
        close = [
            other
            for other in placed
            if other["x"] == mark["at"] and 0 < other["value"] - mark["value"] < 13 * per_pixel * 2.2
        ]
        (below if close else above).append(mark | {"value": max(mark["value"], mark["high"] or 0.0)})
    for rows, dy in ((above, -14), (below, 15)):
        if rows:
            layers.append(_text(pd.DataFrame(rows), x, y, look, dy=dy))
    return layers


def _end_labels(
    shown: pandas.DataFrame,
    x,
    y,
    look: Style,
    names: Mapping[str, str],
    unit: str,
    last: int,
    per_pixel: float,
) -> list:
    """Name and newest figure of each series right of its end, moved apart where they would touch."""
    import pandas as pd

    ends = []
    for group, name in names.items():
        rows = shown[shown["group"] == group]
        if rows.empty:
            continue
        row = rows.iloc[-1]
        figure = f"{CAPS.get(row['cap'], '')} {sentences.signed(int(row['value']))}{unit}".strip()
        lines = [*textwrap.wrap(name, 12), *textwrap.wrap(figure, 12)]
        if row["x"] != last:
            lines.append(f"(round {row['round']})")
        ends.append({"value": float(row["value"]), "label": "\n".join(lines), "lines": len(lines)})
    ends.sort(key=lambda end: end["value"])
    if len(ends) == 2:
        needed = (ends[0]["lines"] + ends[1]["lines"]) / 2 * 16 * per_pixel
        short = needed - (ends[1]["value"] - ends[0]["value"])
        if short > 0:
            ends[0]["value"] -= short / 2
            ends[1]["value"] += short / 2
    if not ends:
        return []
    frame = pd.DataFrame(ends).assign(at=last + 0.5)
    # A text of several lines hangs from its first: lift it by half of the others, so that its middle is at the end.
    return [
        _text(part, x, y, look, align="left", dx=6, dy=-7.5 * (count - 1), size=13, bold=True)
        for count, part in frame.groupby("lines")
    ]


def now_chart(content: Mapping[str, Any], key: str, theme: str | None = None) -> altair.LayerChart | None:
    """One round's item: each arm's share with the range had every member answered; None where neither is shown."""
    import altair as alt
    import pandas as pd

    look = style(theme)
    frame = now_frame(content, key)
    if frame.empty:
        return None
    domain = list(frame["group"])
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=[0, 100], nice=False),
        axis=alt.Axis(values=list(range(0, 101, 20)), labelExpr="datum.value + '%'", grid=True),
        title=None,
    )
    y = alt.Y("row:Q", scale=alt.Scale(domain=[-0.4, len(frame) - 0.2], nice=False), axis=None)
    colour = alt.Color(
        "group:N", scale=alt.Scale(domain=domain, range=[look.colour(group) for group in domain]), legend=None
    )
    shape = alt.Shape(
        "group:N", scale=alt.Scale(domain=domain, range=[_SHAPES[group] for group in domain]), legend=None
    )
    tooltip = [
        alt.Tooltip("name:N", title="Group"),
        alt.Tooltip("said:N", title="Share"),
        alt.Tooltip("range:N", title=sentences.HAD_ALL),
        alt.Tooltip("answers:N", title="Answers"),
    ]
    ranges = (
        alt.Chart(frame[frame["low"].notna()])
        .mark_rule(strokeWidth=6, opacity=0.35)
        .encode(x=alt.X("low:Q", title=None), x2="high:Q", y=y, color=colour, tooltip=tooltip)
    )
    points = (
        alt.Chart(frame)
        .mark_point(filled=True, size=150, opacity=1)
        .encode(x=x, y=y, color=colour, shape=shape, tooltip=tooltip)
    )
    words = pd.DataFrame(
        {
            "value": 0,
            "row": frame["row"],
            "label": [
                f"{row.name_}: {row.said}" for row in frame.rename(columns={"name": "name_"}).itertuples()
            ],
        }
    )
    labels = _text(words, x, y, look, align="left", dy=-24, size=14, bold=True)
    return _dress(alt.layer(ranges, points, labels), look, 76 * len(frame) + 12)


def now_frame(content: Mapping[str, Any], key: str) -> pandas.DataFrame:
    """The figures of `now_chart`: both arms, or their total where they could not be shown apart, or nothing."""
    import pandas as pd

    item = sentences.item_of(content, key)
    rows = []
    if item is not None:
        arms = {arm: (sentences.group_label(content, arm), item["groups"][arm]) for arm in ARMS}
        if any(group["mark"] != "shown" for _, group in arms.values()):
            both = f"{arms['leader'][0]} and {sentences.group_name(content, 'grassroots')} together"
            arms = {"gap": (both, item["total"])} if item.get("total") else {}
        for place, (arm, (name, group)) in enumerate(arms.items()):
            if group["mark"] != "shown":
                continue
            low, high = group["interval"] or (None, None)
            rows.append(
                {
                    "row": len(arms) - 1 - place,
                    "group": arm,
                    "name": name,
                    "value": group["share"],
                    "low": low,
                    "high": high,
                    "said": sentences.share(group),
                    "range": sentences.between(group["interval"], "%") or NOT_GIVEN,
                    "answers": sentences.answers(group),
                }
            )
    return pd.DataFrame(
        rows, columns=["row", "group", "name", "value", "low", "high", "said", "range", "answers"]
    )


def groups_chart(
    groups: Sequence[tuple[str, Mapping[str, Any]]], theme: str | None = None
) -> altair.LayerChart:
    """Shares of the groups of a breakdown, each with the range had every member answered. `groups`: name and figure."""
    import altair as alt
    import pandas as pd

    look = style(theme)
    frame = pd.DataFrame(
        [
            {
                "row": len(groups) - 1 - place,
                "name": name,
                "value": figure["share"],
                "low": figure["interval"][0],
                "high": figure["interval"][1],
                "said": sentences.share(figure),
                "range": sentences.between(figure["interval"], "%"),
                "answers": sentences.answers(figure),
                "label": f"{name}: {sentences.share(figure)}",
                "start": 0,
            }
            for place, (name, figure) in enumerate(groups)
        ]
    )
    x = alt.X(
        "value:Q",
        scale=alt.Scale(domain=[0, 100], nice=False),
        axis=alt.Axis(values=list(range(0, 101, 20)), labelExpr="datum.value + '%'", grid=True),
        title=None,
    )
    y = alt.Y("row:Q", scale=alt.Scale(domain=[-0.4, len(frame) - 0.2], nice=False), axis=None)
    tooltip = [
        alt.Tooltip("name:N", title="Group"),
        alt.Tooltip("said:N", title="Share"),
        alt.Tooltip("range:N", title=sentences.HAD_ALL),
        alt.Tooltip("answers:N", title="Answers"),
    ]
    colour = look.colour("grassroots")
    chart = alt.Chart(frame)
    ranges = chart.mark_rule(strokeWidth=6, opacity=0.35, color=colour).encode(
        x=alt.X("low:Q", title=None), x2="high:Q", y=y, tooltip=tooltip
    )
    points = chart.mark_point(filled=True, size=130, opacity=1, color=colour, shape="diamond").encode(
        x=x, y=y, tooltip=tooltip
    )
    labels = _text(frame.assign(value=0), x, y, look, align="left", dy=-22, size=13, bold=False)
    return _dress(alt.layer(ranges, points, labels), look, 62 * len(frame) + 12)


def groups_alt(groups: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """A breakdown's chart in words."""
    return "; ".join(f"{name}: {sentences.share(figure)}" for name, figure in groups) + "."


def _dress(chart: altair.LayerChart, look: Style, height: int) -> altair.LayerChart:
    """Lay the one style over a chart. Set on the chart, it holds against Streamlit's theme, whose axis ink is too faint."""
    return (
        chart.properties(
            height=height,
            padding={"left": 4, "right": 8, "top": 6, "bottom": 6},
            usermeta={"embedOptions": {"renderer": "svg"}},
        )
        .configure(font=FONT, background=look.background)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=look.ink,
            titleColor=look.ink,
            labelFont=FONT,
            titleFont=FONT,
            labelFontSize=13,
            titleFontSize=13,
            titleFontWeight="normal",
            labelAngle=0,
            gridColor=look.grid,
            gridWidth=1,
            domain=False,
            tickColor=look.grid,
            titlePadding=10,
        )
        .configure_legend(labelColor=look.ink, titleColor=look.ink, labelFont=FONT, titleFont=FONT)
    )


def control_frame(series, chart) -> pandas.DataFrame:
    """A row a round: figure, centre (mean or median), limits where there are any, and the signal in words."""
    import pandas as pd

    first = getattr(chart, "first", 0)
    rows = []
    for at, (number, value) in enumerate(zip(series.rounds, series.values, strict=True)):
        inside = at >= first
        limits = hasattr(chart, "upper")
        rows.append(
            {
                "round": number,
                "value": value,
                "centre": chart.mean[at] if limits else chart.median if inside else None,
                "low": chart.lower[at] if limits else None,
                "high": chart.upper[at] if limits else None,
                "group": int(chart.group[at]) if limits else int(inside),
                "signal": (chart.signal[at] if limits else None) or "none",
                "meaning": (chart.meaning[at] if limits else None) or "",
            }
        )
    return pd.DataFrame(rows).astype({"centre": "float", "low": "float", "high": "float"})


def control_chart(series, chart, theme: str | None = None) -> altair.LayerChart:
    """A series round by round with its centre and limits; points with a signal are larger and named."""
    import altair as alt

    look = style(theme)
    frame = control_frame(series, chart)
    ends = frame[["value", "low", "high"]].stack().dropna()
    low, high = 10 * (int(ends.min()) // 10), -10 * (-int(ends.max() + 1) // 10)
    x = alt.X(
        "round:Q",
        scale=alt.Scale(
            domain=[frame["round"].min() - 0.5, frame["round"].max() + 0.5], nice=False, zero=False
        ),
        axis=alt.Axis(values=list(frame["round"]), tickCount=len(frame), format="d", grid=False),
        title="Round",
    )
    y = alt.Y(
        "value:Q",
        scale=alt.Scale(domain=[low, high], nice=False, zero=False),
        title=series.unit.strip() or None,
    )
    tooltip = [
        alt.Tooltip("round:Q", title="Round"),
        alt.Tooltip("value:Q", title="Figure"),
        alt.Tooltip("signal:N", title="Signal"),
    ]
    base = alt.Chart(frame)
    layers = [
        base.mark_line(color=look.faint, strokeWidth=1.5).encode(x=x, y=alt.Y("centre:Q"), detail="group:N"),
        *(
            base.mark_line(color=look.faint, strokeWidth=1.5, strokeDash=[6, 4]).encode(
                x=x, y=alt.Y(f"{end}:Q"), detail="group:N"
            )
            for end in ("low", "high")
            if frame[end].notna().any()
        ),
        base.mark_line(color=look.leader, strokeWidth=2).encode(x=x, y=y, detail="group:N"),
        base.mark_point(filled=True, size=60, color=look.leader, opacity=1).encode(x=x, y=y, tooltip=tooltip),
    ]
    last = frame.iloc[[-1]]
    ends = [
        ("centre", "mean" if last["low"].notna().all() else "median"),
        ("low", "limit"),
        ("high", "limit"),
    ]
    for end, name in ends:
        if last[end].notna().all():
            layers.append(
                _text(last.assign(value=last[end], label=name), x, y, look, align="right", dx=34, dy=-9)
            )
    marked = frame[frame["signal"] != "none"]
    if not marked.empty:
        layers.append(
            alt.Chart(marked)
            .mark_point(filled=True, size=170, shape="diamond", color=look.grassroots, opacity=1)
            .encode(x=x, y=y, tooltip=tooltip)
        )
        layers.append(_text(marked.assign(label=marked["signal"]), x, y, look, dy=-16))
    return _dress(alt.layer(*layers), look, GAP_HEIGHT - 40)


# ── In words and in tables ──────────────────────────────────────────────────────────────────────────────────────


def trend_alt(history: Sequence[Mapping[str, Any]], key: str) -> str:
    """The trend chart in words for those who cannot see it: its message, its first and last round, its gaps."""
    said = [f"Line chart. {sentences.headline(list(history), key)}."]
    pairs = []
    for content in history:
        item = sentences.item_of(content, key)
        if item and item["gap"]["mark"] == "shown":
            groups = item["groups"]
            pairs.append(
                f"round {content['round']['number']}: {sentences.group_name(content, 'leader')} "
                f"{sentences.share(groups['leader'])}, {sentences.group_name(content, 'grassroots')} "
                f"{sentences.share(groups['grassroots'])}"
            )
    if len(pairs) > 1:
        said.append(f"From {pairs[0]}; to {pairs[-1]}.")
    return " ".join([*said, *_alt_tail(history, key, trend_frame(history, key))])


def gap_alt(history: Sequence[Mapping[str, Any]], key: str) -> str:
    """The gap chart in words."""
    frame = gap_frame(history, key)
    shown = frame[frame["mark"] == "shown"]
    said = [f"Line chart of the gap. {sentences.headline(list(history), key)}."]
    if len(shown) > 1:
        said.append("; ".join(f"round {row.round}: {row.said}" for row in shown.itertuples()) + ".")
    return " ".join([*said, *_alt_tail(history, key, frame)])


def _alt_tail(history, key, frame) -> list[str]:
    said = []
    for row in stretches(frame):
        first, last = (history[row[end]]["round"]["number"] for end in ("from", "to"))
        rounds = f"Round {first}" if first == last else f"Rounds {first} to {last}"
        said.append(f"{rounds}: {row['said']}.")
    if breaks(history, key):
        said.append("The line is broken where the wording changed.")
    return [*said, "The table below has every figure."]


def now_alt(content: Mapping[str, Any], key: str) -> str:
    """The chart of one round in words."""
    return f"Dot chart. {sentences.gap_sentence(content, sentences.item_of(content, key))}"


def share_table(history: Sequence[Mapping[str, Any]], key: str) -> pandas.DataFrame:
    """The figures of the trend chart as text, newest round first: shares, with the range for comparing rounds.

    Narrow enough for a phone, as are the three tables below: a wide table would have to be scrolled sideways,
    which a keyboard cannot do there.
    """
    totals = any((sentences.item_of(content, key) or {}).get("total") for content in history)
    columns = _groups(history, key)

    def row(content, item):
        cells = {}
        for name, group in columns.items():
            figure = item["groups"].get(group, _NOBODY) if item else None
            interval = figure.get("analytic") if figure else None
            cells[name] = sentences.share(figure) + (f" ({sentences.span(interval)})" if interval else "")
        if totals:
            total = item.get("total") if item else None
            cells["Both together"] = sentences.share(total) if total else ""
        return cells

    return _by_round(history, key, row)


def answers_table(history: Sequence[Mapping[str, Any]], key: str) -> pandas.DataFrame:
    """How many answered, in bands, of how many invited; when the round closed; which wording it asked."""
    versions = len(_versions(history, key)) > 1
    columns = _groups(history, key)

    def row(content, item):
        cells = {
            name: sentences.answers(item["groups"].get(group, _NOBODY) if item else None)
            for name, group in columns.items()
        }
        cells["Closed"] = sentences.closed_month(content)
        if versions:
            cells["Wording"] = str(item["version"]) if item else ""
        return cells

    return _by_round(history, key, row)


def gap_table(history: Sequence[Mapping[str, Any]], key: str) -> pandas.DataFrame:
    """The figures of the gap chart as text, newest round first: gap, change, and the range for comparing rounds."""

    def row(content, item):
        gap = item["gap"] if item else None
        shown = gap is not None and gap["mark"] == "shown"
        return {
            "Gap": sentences.gap_points(gap),
            "Change": sentences.change_short(content, item),
            "For comparing rounds": sentences.span(gap["analytic"]) if shown else "",
        }

    return _by_round(history, key, row)


def range_table(history: Sequence[Mapping[str, Any]], key: str) -> pandas.DataFrame:
    """What the gap would be had every member answered, by supposing something of the silent, and in the worst case."""

    def row(content, item):
        gap = item["gap"] if item else None
        shown = gap is not None and gap["mark"] == "shown"
        return {
            "Had every member answered": sentences.span(gap["interval"])
            if shown
            else sentences.gap_points(gap),
            "Worst case": sentences.span(gap["bounds"]) if shown else "",
        }

    return _by_round(history, key, row)


def _by_round(history: Sequence[Mapping[str, Any]], key: str, cells) -> pandas.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {"Round": str(content["round"]["number"])} | cells(content, sentences.item_of(content, key))
            for content in reversed(list(history))
        ]
    )


def _groups(history: Sequence[Mapping[str, Any]], key: str) -> dict[str, str]:
    """Labels of both arms, and of staff where any round has them, in the words of the newest round."""
    staff = any("staff" in item["groups"] for c in history if (item := sentences.item_of(c, key)))
    return {sentences.group_label(history[-1], group): group for group in (*ARMS, *["staff"] * staff)}


def _versions(history: Sequence[Mapping[str, Any]], key: str) -> list[Mapping[str, Any]]:
    """The item as first asked in each of its series, oldest first."""
    seen: dict[str, Mapping[str, Any]] = {}
    for content in history:
        item = sentences.item_of(content, key)
        if item is not None:
            seen.setdefault(item["series"], item)
    return list(seen.values())


def wordings(history: Sequence[Mapping[str, Any]], key: str) -> list[tuple[str, str]]:
    """Each wording of an item: which rounds asked it, and its text as those members read it."""
    rounds: dict[tuple[str, str], list[int]] = {}
    for content in history:
        item = sentences.item_of(content, key)
        if item is not None:
            rounds.setdefault((item["series"], item["text"]), []).append(content["round"]["number"])
    found = []
    for (series, text), numbers in rounds.items():
        version = series.split("/")[1]
        span = f"round {numbers[0]}" if len(numbers) == 1 else f"rounds {numbers[0]} to {numbers[-1]}"
        found.append((f"Wording {version}, {span}", text))
    return found
