"""What charts hold: no joined breaks, nothing hidden drawn as zero, labels that say what they are."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest

from engagement.ui import charts, sentences


def layers(spec: dict, mark: str) -> list[dict]:
    """The layers of a mark, each with its rows under "rows"."""
    return [
        layer | {"rows": spec["datasets"][layer["data"]["name"]]}
        for layer in spec["layer"]
        if layer["mark"]["type"] == mark
    ]


def texts(spec: dict) -> list[str]:
    """Everything written in a chart, the axis apart."""
    return [row["label"] for layer in layers(spec, "text") for row in layer["rows"]]


def lines(spec: dict) -> dict[str, list[int]]:
    """Rounds that each line joins."""
    joined: dict[str, list[int]] = {}
    for layer in layers(spec, "line"):
        for row in layer["rows"]:
            joined.setdefault(row["line"], []).append(row["round"])
    return joined


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_trend_has_a_row_for_every_round_and_arm_whatever_was_published(history):
    """Rounds without a figure keep their place and their mark, and have no value at all."""
    frame = charts.trend_frame(history, "owned")
    assert len(frame) == 18
    hidden = frame[frame["round"] == 4]
    assert list(hidden["mark"]) == ["hidden", "hidden"]
    assert hidden["value"].isna().all() and hidden["low"].isna().all() and hidden["line"].isna().all()
    assert not (frame["value"] == 0).any()


def test_lines_stop_at_hidden_rounds_and_at_new_wordings(history):
    """No line crosses a round that published nothing, nor a change of series."""
    joined = lines(charts.trend_chart(history, "owned").to_dict())
    assert sorted(joined.values()) == [[1, 2, 3], [1, 2, 3], [5, 6], [5, 6], [7, 8, 9], [7, 8, 9]]
    joined = lines(charts.gap_chart(history, "owned").to_dict())
    assert list(joined.values()) == [[1, 2, 3], [5, 6], [7, 8, 9]]


def test_a_change_of_wording_is_a_rule_that_names_both_versions(history):
    """The break stands between the two rounds and says which wording is on which side."""
    assert charts.breaks(history, "owned") == [{"x": 5.5, "before": "wording 1", "after": "wording 2"}]
    spec = charts.trend_chart(history, "owned").to_dict()
    assert {"wording 1", "wording 2"} <= set(texts(spec))
    assert any(row["at"] == 5.5 for layer in layers(spec, "rule") for row in layer["rows"])
    assert charts.breaks(history, "decisions_members") == []


def test_a_change_of_scale_breaks_the_line_too(release, item):
    """The same wording on another scale is another series."""
    changed = [release(1, item("x", kind="agree5")), release(2, item("x", kind="engage4"))]
    assert charts.breaks(changed, "x") == [{"x": 0.5, "before": "old scale", "after": "new scale"}]
    assert len(lines(charts.trend_chart(changed, "x").to_dict())) == 4


def test_a_wording_change_across_a_hidden_round_is_still_marked(release, item):
    """The rule is drawn between the last round of one series and the first of the next that asked, shown or not."""
    rounds = [
        release(1, item("x")),
        release(2, item("x", (2, 3, 22), version=2)),
        release(3, item("x", version=2)),
    ]
    assert charts.breaks(rounds, "x") == [{"x": 0.5, "before": "wording 1", "after": "wording 2"}]


def test_hidden_rounds_are_shaded_and_named(history):
    """A round that published nothing reads "not published"; one that did not ask reads "not asked"."""
    assert charts.stretches(charts.trend_frame(history, "owned")) == [
        {"from": 3, "to": 3, "said": "not published"}
    ]
    assert charts.stretches(charts.trend_frame(history, "informed")) == [
        {"from": 0, "to": 1, "said": "not asked"}
    ]
    spec = charts.trend_chart(history, "owned").to_dict()
    assert "not\npublished" in texts(spec)
    assert [(row["at"], row["to"]) for row in layers(spec, "rect")[0]["rows"]] == [(2.5, 3.5)]


def test_points_are_only_what_was_published(history):
    """There is a point for each published share and for nothing else."""
    points = layers(charts.trend_chart(history, "owned").to_dict(), "point")[0]["rows"]
    assert len(points) == 16
    assert {row["round"] for row in points} == {1, 2, 3, 5, 6, 7, 8, 9}
    assert all(row["value"] > 0 for row in points)


def test_intervals_are_those_for_comparing_rounds(history):
    """The bars of both charts are the analytic intervals, because a trend asks about change."""
    newest = sentences.item_of(history[-1], "owned")
    frame = charts.trend_frame(history, "owned")
    row = frame[(frame["round"] == 9) & (frame["group"] == "leader")].iloc[0]
    assert [row["low"], row["high"]] == newest["groups"]["leader"]["analytic"]
    assert newest["groups"]["leader"]["analytic"] != newest["groups"]["leader"]["interval"]
    row = charts.gap_frame(history, "owned").iloc[-1]
    assert [row["low"], row["high"]] == newest["gap"]["analytic"]


def test_a_round_without_such_an_interval_has_a_point_and_no_bar(release, item):
    """An anonymous round carries no practice, hence no interval for comparing rounds; its share is still drawn."""
    rounds = [release(1, item("x", design_effect=None)), release(2, item("x"))]
    spec = charts.trend_chart(rounds, "x").to_dict()
    bars = [row["round"] for layer in layers(spec, "rule") for row in layer["rows"] if "low" in row]
    assert bars == [2, 2]
    assert len(layers(spec, "point")[0]["rows"]) == 4


def test_capped_shares_are_drawn_at_the_cap_with_a_sign(history):
    """A share of at least 90% lies at 90 with "≥ 90" beside it, and its gap has the sign too."""
    spec = charts.trend_chart(history, "owned").to_dict()
    point = next(r for r in layers(spec, "point")[0]["rows"] if r["round"] == 8 and r["group"] == "leader")
    assert point["value"] == 90 and point["said"] == "at least 90%"
    assert "≥ 90" in texts(spec)
    assert any(label.startswith("≥ ") for label in texts(charts.gap_chart(history, "owned").to_dict()))


def test_a_capped_end_is_labelled_with_its_sign(release, item):
    """The label at a line's end does not turn a bound into a figure."""
    rounds = [release(1, item("x")), release(2, item("x", (15, 15, 22), (0, 80, 150)))]
    spec = charts.trend_chart(rounds, "x").to_dict()
    assert "Leaders\n≥ 90%" in texts(spec) and "Grassroots\nmembers\n≤ 10%" in texts(spec)


def test_an_unclear_gap_has_a_bar_and_no_point(release, item):
    """Where both arms are capped at the same end nothing is drawn as the gap, and the round says so."""
    rounds = [release(1, item("x")), release(2, item("x", (15, 15, 22), (80, 80, 150)))]
    frame = charts.gap_frame(rounds, "x")
    assert math.isnan(frame.iloc[1]["value"]) and not math.isnan(frame.iloc[1]["low"])
    assert "direction\nunclear" in texts(charts.gap_chart(rounds, "x").to_dict())


def test_lines_are_labelled_at_their_ends_and_there_is_no_legend(history):
    """Names and newest figures stand at the line ends, apart from each other, in place of a legend."""
    spec = charts.trend_chart(history, "owned").to_dict()
    assert {"Leaders\n80%", "Grassroots\nmembers\n20%"} <= set(texts(spec))
    for layer in spec["layer"]:
        for channel in ("color", "shape", "strokeDash"):
            if channel in layer["encoding"]:
                assert layer["encoding"][channel]["legend"] is None


def test_end_labels_of_near_lines_do_not_touch(release, item):
    """Two lines that end at nearly the same share have labels moved apart by at least their height."""
    rounds = [release(1, item("x", (10, 20, 22), (41, 80, 150)))]
    spec = charts.trend_chart(rounds, "x").to_dict()
    ends = sorted(
        row["value"]
        for layer in layers(spec, "text")
        for row in layer["rows"]
        if str(row["label"]).endswith("50%")
    )
    assert len(ends) == 2 and ends[1] - ends[0] > 12


def test_series_differ_in_colour_dash_and_shape(history):
    """No series is told by colour alone."""
    spec = charts.trend_chart(history, "owned").to_dict()
    line, point = layers(spec, "line")[0]["encoding"], layers(spec, "point")[0]["encoding"]
    assert line["color"]["scale"]["range"] == ["#12436D", "#F46A25"]
    assert len({tuple(dash) for dash in line["strokeDash"]["scale"]["range"]}) == 2
    assert len(set(point["shape"]["scale"]["range"])) == 2


def test_published_figures_are_diamonds_apart_from_the_rounds(history, reference):
    """Figures of other bodies stand left of the first round, in a shape of their own, named and never joined."""
    figures = [
        reference(),
        reference(percent=35, arm="grassroots"),
        reference(year=2015, percent=58),
        reference(year=2014, percent=None, quoted="one in three", arm="grassroots"),
        reference(percent=31, arm="gap", half_width=23),
        reference(percent=43, arm=None),
    ]
    spec = charts.trend_chart(history, "owned", figures).to_dict()
    diamonds = next(layer for layer in layers(spec, "point") if layer["mark"].get("shape") == "diamond")
    assert [(row["year"], row["value"]) for row in diamonds["rows"]] == [
        ("2013", 66),
        ("2013", 35),
        ("2015", 58),
    ]
    assert all(row["at"] < -0.5 for row in diamonds["rows"])
    assert {"66", "35", "58", charts.ELSEWHERE} <= set(texts(spec))
    assert "diamond" not in layers(spec, "point")[0]["encoding"]["shape"]["scale"]["range"]
    assert all(row["round"] for layer in layers(spec, "line") for row in layer["rows"])
    gap = charts.gap_chart(history, "owned", figures).to_dict()
    diamonds = next(layer for layer in layers(gap, "point") if layer["mark"].get("shape") == "diamond")
    assert [(row["value"], row["low"], row["high"]) for row in diamonds["rows"]] == [(31, 8, 54)]


def test_a_chart_without_published_figures_says_nothing_of_them(history):
    """The place for other bodies is there only when there is something to put in it."""
    spec = charts.trend_chart(history, "owned").to_dict()
    assert charts.ELSEWHERE not in texts(spec)


def test_the_gap_chart_holds_the_line_of_no_gap(history):
    """The scale reaches to 0 and below to the next 20 where a range does, and 0 is on the axis."""
    spec = charts.gap_chart(history, "owned").to_dict()
    scales = [layer["encoding"]["y"] for layer in spec["layer"] if "axis" in layer["encoding"].get("y", {})]
    lowest = charts.gap_frame(history, "owned")[["low", "least"]].min().min()
    assert lowest < 0 and -20 < scales[0]["scale"]["domain"][0] - lowest <= 0
    assert 0 in scales[0]["axis"]["values"]


def test_the_gap_chart_has_the_worst_case_as_a_band(history):
    """Behind each gap lies a band as high as its worst case, and hovering gives all three ranges by name."""
    spec = charts.gap_chart(history, "owned").to_dict()
    bands = [
        layer
        for layer in layers(spec, "rect")
        if layer["encoding"]["y"]["field"] == "least" and layer["encoding"]["y2"]["field"] == "most"
    ]
    assert len(bands) == 1
    titles = {field["title"] for field in bands[0]["encoding"]["tooltip"]}
    assert {sentences.ROUNDS_COMPARED, sentences.HAD_ALL, sentences.WORST_CASE} <= titles


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axis_text_is_readable(history, theme):
    """Axis and note ink have 4.5 to 1 on the background, marks 3 to 1 (2.9 for the published orange), in both themes."""
    spec = charts.trend_chart(history, "owned", theme=theme).to_dict()
    background, axis = spec["config"]["background"], spec["config"]["axis"]
    assert contrast(axis["labelColor"], background) >= 4.5
    assert contrast(axis["titleColor"], background) >= 4.5
    for layer in layers(spec, "text"):
        assert contrast(layer["mark"]["color"], background) >= 4.5
    for colour in layers(spec, "line")[0]["encoding"]["color"]["scale"]["range"]:
        assert contrast(colour, background) >= 2.9
    assert axis["labelAngle"] == 0 and "Arial" in axis["labelFont"]


@pytest.mark.parametrize("kind", ["trend_chart", "gap_chart"])
def test_there_are_few_grid_lines(history, kind):
    """At most ten grid lines cross a chart."""
    spec = getattr(charts, kind)(history, "owned").to_dict()
    values = [
        layer["encoding"]["y"]["axis"]["values"]
        for layer in spec["layer"]
        if layer["encoding"].get("y", {}).get("axis")
    ]
    assert values and all(len(ticks) <= 10 for ticks in values)
    assert all(
        layer["encoding"]["x"]["axis"]["grid"] is False
        for layer in spec["layer"]
        if "axis" in layer["encoding"]["x"]
    )


def test_one_round_alone_is_drawn(release, item):
    """A body's first round has points, labels and an axis, and no line to nowhere."""
    spec = charts.trend_chart([release(1, item("owned"))], "owned").to_dict()
    assert len(layers(spec, "point")[0]["rows"]) == 2 and "Leaders\n65%" in texts(spec)


def test_a_history_without_any_figure_is_drawn_as_named_gaps(release, item):
    """Rounds that published nothing give a chart of named gaps with no point on it."""
    rounds = [release(n, item("x", (2, 3, 22))) for n in (1, 2)]
    for kind in (charts.trend_chart, charts.gap_chart):
        spec = kind(rounds, "x").to_dict()
        assert not layers(spec, "point")[0]["rows"] and "not\npublished" in texts(spec)


def test_the_chart_of_now_has_the_range_had_every_member_answered(history):
    """One round's chart answers what the shares would be had all answered, not how they compare over time."""
    newest = sentences.item_of(history[-1], "owned")["groups"]
    frame = charts.now_frame(history[-1], "owned").set_index("group")
    assert list(frame.loc["leader", ["low", "high"]]) == newest["leader"]["interval"]
    assert {"Leaders: 80%", "Grassroots members: 20%"} <= set(
        texts(charts.now_chart(history[-1], "owned").to_dict())
    )


def test_the_chart_of_now_falls_back_to_the_total_and_then_to_nothing(history, release, item):
    """Where the arms are hidden their total is drawn alone, and where it is hidden too there is no chart."""
    assert list(charts.now_frame(history[3], "owned")["name"]) == ["Leaders and grassroots members together"]
    assert charts.now_chart(release(1, item("x", (2, 3, 22), (2, 4, 150))), "x") is None
    assert charts.now_chart(history[0], "informed") is None


def test_charts_have_an_alternative_in_words(history):
    """The alternative says the message, the first and last round, what is hidden, and where the figures are."""
    said = charts.trend_alt(history, "owned")
    assert "Leaders are 65 points ahead" in said and "round 1: leaders 65%, grassroots members 35%" in said
    assert "Round 4: not published." in said and "wording changed" in said and "table below" in said
    assert "round 8: at least 70 points" in charts.gap_alt(history, "owned")
    assert "Rounds 1 to 2: not asked." in charts.trend_alt(history, "informed")


def test_tables_tell_hidden_missing_and_not_asked_from_zero(history, release, item):
    """In tables each of the marks has its own word, and none of them is a number."""
    shares = charts.share_table(history, "owned").set_index("Round")
    assert shares.loc["4", "Leaders"] == "not published" and shares.loc["4", "Both together"] == "35%"
    assert shares.loc["8", "Leaders"].startswith("at least 90% (")
    assert charts.share_table(history, "informed").set_index("Round").loc["1", "Leaders"] == "not asked"
    missing = charts.gap_table([release(1, item("x", (0, 0, 0)))], "x")
    assert missing.loc[0, "Gap"] == "nobody invited"
    assert charts.range_table(history, "owned").set_index("Round").loc["4", "Worst case"] == ""


def test_tables_hold_bands_of_answers_and_numbers_invited(history):
    """Answers are in bands of all invited; where they are hidden the number invited stands alone."""
    answers = charts.answers_table(history, "owned").set_index("Round")
    assert (
        answers.loc["9", "Leaders"] == "15–19 of 22"
        and answers.loc["9", "Grassroots members"] == "50+ of 150"
    )
    assert answers.loc["4", "Leaders"] == "22 invited"
    assert answers.loc["9", "Wording"] == "2" and answers.loc["9", "Closed"] == "Mar 2026"
    assert "Wording" not in charts.answers_table(history, "decisions_members")


def test_tables_are_newest_first_and_show_staff_where_a_round_has_them(release, item):
    """The newest round is on top; staff are a column only where some round has them."""
    table = charts.share_table([release(1, item("x")), release(2, item("x", staff=(8, 11, 12)))], "x")
    assert list(table["Round"]) == ["2", "1"]
    assert table.loc[0, "Staff"].startswith("75%") and table.loc[1, "Staff"] == "nobody invited"


def test_wordings_are_listed_with_the_rounds_that_asked_them(release, item):
    """Each wording has its version, its rounds and its text as members read it."""
    rounds = [
        release(1, item("x", text="Old words")),
        release(2, item("x", text="Old words")),
        release(3, item("x", version=2, text="New words")),
    ]
    assert charts.wordings(rounds, "x") == [
        ("Wording 1, rounds 1 to 2", "Old words"),
        ("Wording 2, round 3", "New words"),
    ]


def test_naming_the_charts_loads_neither_pandas_nor_altair():
    """The frame imports these modules at every start, so the heavy libraries wait for the first chart."""
    code = (
        "import sys, engagement.ui.charts, engagement.ui.sentences, engagement.ui.taking_part\n"
        "print([name for name in ('altair', 'pandas', 'streamlit') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
