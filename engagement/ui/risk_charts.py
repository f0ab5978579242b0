"""The pictures of an assessment, in the one chart style of `charts`: the map of the two axes, movement between rounds,
one practice's segments round by round, and forecasts against what happened.

Pure: rows and stored content in, Altair charts and alternatives in words out. Segments differ in colour and in shape,
and their places on the map carry their names; a practice without a clear segment is a hollow point.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from engagement.risk.segments import SEGMENTS
from engagement.ui import risk_words
from engagement.ui.charts import FONT, Style, _dress, _text, style
from engagement.ui.risk_words import KIND_NAMES, KINDS, UNCLEAR, Shown

if TYPE_CHECKING:
    import altair
    import pandas

SHAPES = {
    "withdrawn": "triangle-down",
    "critical": "square",
    "champion": "triangle-up",
    "steady": "circle",
    UNCLEAR: "diamond",
}
SHAPE_WORDS = {
    "withdrawn": "▼",
    "critical": "■",
    "champion": "▲",
    "steady": "●",
    UNCLEAR: "◇",
}
MAP_HEIGHT, GRID_HEIGHT, STRIP_HEIGHT, CALIBRATION_HEIGHT = 420, 230, 120, 320
# The axis of attitude reaches at least so far to both sides, so that two bodies look alike where they are.
_REACH = 1.2


def colour(look: Style, kind: str) -> str:
    """The colour of a segment: the accents of the style, and its faint ink for what calls for nothing."""
    return {"withdrawn": look.gap, "critical": look.grassroots, "champion": look.leader}.get(kind, look.faint)


def map_frame(shown: Sequence[Shown]) -> pandas.DataFrame:
    """A row a practice: place, 80% interval on both axes, and its words. Attitude in points, participation in %."""
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "practice": each.name,
                "kind": each.kind,
                "segment": risk_words.segment(each.row),
                "rank": risk_words.rank(each.row),
                "silent": risk_words.percent(each.row["p_silent_next"]),
                **{
                    name: (100 if name.startswith("participation") else 1) * each.row["now"][name]
                    for end in ("", "_low", "_high")
                    for name in (f"attitude{end}", f"participation{end}")
                },
            }
            for each in shown
        ]
    )


def engagement_map(
    shown: Sequence[Shown], content: Mapping[str, Any], theme: str | None = None
) -> altair.LayerChart | None:
    """The two axes today: attitude across, participation up, the cuts of the rules drawn, each region named, and the
    80% interval of each practice as faint whiskers. None where no practice is shown."""
    import altair as alt

    look, frame = style(theme), map_frame(shown)
    if frame.empty:
        return None
    reach = max(
        _REACH, *(abs(each["now"][end]) for each in content["practices"] if each["now"] for end in _ENDS)
    )
    reach = -(-reach * 5 // 1) / 5
    x = alt.X(
        "attitude:Q",
        scale=alt.Scale(domain=[-reach, reach], nice=False),
        axis=alt.Axis(
            tickCount=5,
            labelExpr="datum.value == 0 ? '0' : format(datum.value, '+.1f')",
            grid=False,
        ),
        title=["Attitude, points from the mean"],
    )
    y = alt.Y(
        "participation:Q",
        scale=alt.Scale(domain=[0, 100], nice=False),
        axis=alt.Axis(values=[0, 25, 50, 75, 100], labelExpr="datum.value + '%'", grid=False),
        title="Participation",
    )
    kinds = alt.Scale(domain=list(KINDS), range=[colour(look, kind) for kind in KINDS])
    shapes = alt.Scale(domain=list(KINDS), range=[SHAPES[kind] for kind in KINDS])
    tooltip = [
        alt.Tooltip("practice:N", title="Name"),
        alt.Tooltip("segment:N", title="Segment"),
        alt.Tooltip("rank:N", title="Engagement rank"),
        alt.Tooltip("silent:N", title="Nobody answers"),
    ]
    whisker = {"strokeWidth": 1, "opacity": 0.22, "color": look.faint}
    whiskers = [
        alt.Chart(frame).mark_rule(**whisker).encode(x=alt.X("attitude_low:Q"), x2="attitude_high:Q", y=y),
        alt.Chart(frame)
        .mark_rule(**whisker)
        .encode(x=x, y=alt.Y("participation_low:Q"), y2="participation_high:Q"),
    ]
    points = [
        alt.Chart(part)
        .mark_point(filled=filled, size=90, strokeWidth=1.8, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color("kind:N", scale=kinds, legend=None),
            shape=alt.Shape("kind:N", scale=shapes, legend=None),
            tooltip=tooltip,
        )
        for filled, part in (
            (False, frame[frame["kind"] == UNCLEAR]),
            (True, frame[frame["kind"] != UNCLEAR]),
        )
        if not part.empty
    ]
    return _dress(alt.layer(*_cuts(content, reach, x, y, look), *whiskers, *points), look, MAP_HEIGHT)


_ENDS = ("attitude_low", "attitude_high")


def _cuts(content: Mapping[str, Any], reach: float, x, y, look: Style) -> list:
    """The rules as lines, and the name of each region in it."""
    import altair as alt
    import pandas as pd

    rules = risk_words.rules_of(content)
    low, half = 100 * rules.withdrawn_below, 100 * rules.champion_answers_above
    left, right = rules.critical_below, rules.champion_above
    lines = pd.DataFrame(
        [
            {"attitude": -reach, "to": reach, "participation": low, "up": low},
            {"attitude": left, "to": left, "participation": low, "up": 100},
            {"attitude": right, "to": right, "participation": half, "up": 100},
            {"attitude": right, "to": reach, "participation": half, "up": half},
        ]
    )
    regions = pd.DataFrame(
        [
            {"attitude": -reach, "participation": 4, "label": f"{SHAPE_WORDS['withdrawn']} Withdrawn"},
            {"attitude": -reach, "participation": 96, "label": f"{SHAPE_WORDS['critical']} Critical"},
            {"attitude": right, "participation": 96, "label": f"{SHAPE_WORDS['champion']} Champion"},
            {"attitude": left, "participation": 96, "label": f"{SHAPE_WORDS['steady']} Steady"},
        ]
    )
    return [
        alt.Chart(lines)
        .mark_rule(color=look.faint, strokeWidth=1.5, strokeDash=[6, 4])
        .encode(x=x, x2="to:Q", y=y, y2="up:Q"),
        _text(regions, x, y, look, align="left", dx=6, size=13, bold=True),
    ]


def map_alt(shown: Sequence[Shown], content: Mapping[str, Any], words: Mapping[str, str]) -> str:
    """The map in words: how many stand where, and who stands lowest."""
    said = [f"Map of {len(shown)} {words['practices']} by attitude and participation."]
    for kind in KINDS:
        count = sum(each.kind == kind for each in shown)
        if count:
            said.append(f"{KIND_NAMES[kind]}: {count}.")
    lowest = risk_words.for_visit(shown, content)[:1]
    if lowest:
        said.append(f"Least engaged by the estimate: {lowest[0].name}.")
    return " ".join([*said, "The table has every figure."])


def movement_chart(content: Mapping[str, Any], theme: str | None = None) -> altair.LayerChart:
    """A grid of segments before (down) and now (across): a circle for each number of practices, by label. Those who
    stayed are faint."""
    import altair as alt

    look = style(theme)
    frame = risk_words.movement_frame(content)
    frame = frame[frame["labels"] > 0].assign(label=frame["labels"].astype(str))
    order = list(risk_words.SHORT.values())
    x = alt.X(
        "now:N",
        scale=alt.Scale(domain=order),
        axis=alt.Axis(orient="top", labelLimit=0, ticks=False),
        title="Now",
    )
    y = alt.Y("before:N", scale=alt.Scale(domain=order), axis=alt.Axis(ticks=False), title="Before")
    size = alt.Size(
        "labels:Q", scale=alt.Scale(domain=[0, frame["labels"].max()], range=[0, 900]), legend=None
    )
    tooltip = [
        alt.Tooltip("before:N", title="Before"),
        alt.Tooltip("now:N", title="Now"),
        alt.Tooltip("labels:Q", title="By label"),
        alt.Tooltip("expected:Q", title="By probability", format=".0f"),
    ]
    circles = [
        alt.Chart(frame[frame["stayed"] == stayed])
        .mark_circle(color=look.grid if stayed else look.grassroots, opacity=1 if stayed else 0.55)
        .encode(x=x, y=y, size=size, tooltip=tooltip)
        for stayed in (True, False)
        if (frame["stayed"] == stayed).any()
    ]
    return _dress(alt.layer(*circles, _text(frame, x, y, look, size=13, bold=True)), look, GRID_HEIGHT)


def strip_chart(row: Mapping[str, Any], theme: str | None = None) -> altair.LayerChart | None:
    """One practice's segments, a mark a round in the segment's colour and shape; None where it has held none."""
    import altair as alt

    look, frame = style(theme), risk_words.strip(row)
    if frame.empty:
        return None
    x = alt.X(
        "round:O",
        axis=alt.Axis(grid=False, ticks=False),
        title="Round",
    )
    marks = (
        alt.Chart(frame)
        .mark_point(filled=True, size=260, opacity=1)
        .encode(
            x=x,
            y=alt.value(42),
            color=alt.Color(
                "segment:N",
                scale=alt.Scale(domain=list(SEGMENTS), range=[colour(look, kind) for kind in SEGMENTS]),
                legend=None,
            ),
            shape=alt.Shape(
                "segment:N",
                scale=alt.Scale(domain=list(SEGMENTS), range=[SHAPES[kind] for kind in SEGMENTS]),
                legend=None,
            ),
            tooltip=[alt.Tooltip("round:O", title="Round"), alt.Tooltip("name:N", title="Segment")],
        )
    )
    # A name only where it changes: the same word under every mark would not fit a phone.
    changed = frame[frame["segment"] != frame["segment"].shift()].assign(
        label=lambda part: part["name"].str.replace(" but vocal", "")
    )
    names = (
        alt.Chart(changed)
        .mark_text(font=FONT, fontSize=12, color=look.ink, align="left", dx=-10)
        .encode(x=x, y=alt.value(14), text="label:N")
    )
    return _dress(alt.layer(marks, names), look, STRIP_HEIGHT)


def calibration_chart(
    bands: Sequence[Mapping[str, Any]], theme: str | None = None
) -> altair.LayerChart | None:
    """What was said against what happened, a point a band with its 95% interval and its number of practices; on the
    dashed line both agree. `bands`: of `performance`, in shares. None where no band holds enough practices."""
    import altair as alt
    import pandas as pd

    look = style(theme)
    rows = [
        {
            "said": 100 * band["said"],
            "happened": 100 * band["happened"],
            "low": 100 * band["ci"][0],
            "high": 100 * band["ci"][1],
            "label": f"n = {band['n']}",
        }
        for band in bands
        if band["said"] is not None
    ]
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    axis = alt.Axis(values=[0, 25, 50, 75, 100], labelExpr="datum.value + '%'", grid=True)
    whole = alt.Scale(domain=[0, 100], nice=False)
    x = alt.X("said:Q", scale=whole, axis=axis, title="Said: nobody will answer")
    y = alt.Y("happened:Q", scale=whole, axis=axis, title="Happened")
    ends = pd.DataFrame({"said": [0, 100], "happened": [0, 100]})
    tooltip = [
        alt.Tooltip("said:Q", title="Said", format=".0f"),
        alt.Tooltip("happened:Q", title="Happened", format=".0f"),
        alt.Tooltip("label:N", title="Forecasts"),
    ]
    layers = [
        alt.Chart(ends).mark_line(color=look.faint, strokeDash=[6, 4], strokeWidth=1.5).encode(x=x, y=y),
        alt.Chart(frame)
        .mark_rule(color=look.leader, strokeWidth=2)
        .encode(x=x, y=alt.Y("low:Q", title="Happened"), y2="high:Q"),
        alt.Chart(frame)
        .mark_point(filled=True, size=90, opacity=1, color=look.leader)
        .encode(x=x, y=y, tooltip=tooltip),
        _text(frame, x, y, look, align="left", dx=10, dy=-2),
    ]
    return _dress(alt.layer(*layers), look, CALIBRATION_HEIGHT)
