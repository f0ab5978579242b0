"""Words and pictures of an assessment: nothing finer than stored, no certainty, hollow where not clear, one style."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engagement.risk.segments import SEGMENTS
from engagement.ui import charts, model_card, risk_charts, risk_words
from engagement.words import DEFAULTS
from tests.ui import risk_content
from tests.ui.test_charts import contrast, layers, texts

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def content() -> dict:
    """A fresh copy of an assessment of thirty practices after five rounds."""
    return risk_content.content()


def a_row(content: dict, **fields) -> dict:
    return content["practices"][0] | fields


def test_every_practice_is_counted_once(content):
    """The kinds partition the practices, and the sentence gives their numbers."""
    shown = risk_words.practices(content, [])
    counts = {kind: len(risk_words.practices(content, [], kind=kind)) for kind in risk_words.KINDS}
    assert sum(counts.values()) == len(shown) == content["of"] == 30
    said = risk_words.counts_sentence(content, DEFAULTS)
    assert f"{counts['withdrawn']} withdrawn" in said and f"For {counts['not_clear']} no segment" in said


@pytest.mark.parametrize(
    "said, probability",
    [("below 5%", 0.0), ("5%", 0.05), ("95%", 0.95), ("above 95%", 1.0), ("nobody to ask", None)],
)
def test_nothing_is_certain(said, probability):
    """A probability that rounds to 0 or 1 is said as a bound, one that is missing as nobody to ask."""
    assert risk_words.percent(probability) == said


def test_a_practice_is_never_said_to_be_of_a_segment_for_certain(content):
    """The sentence on a practice has no 100% in it."""
    row = a_row(content, clarity="clear", segment_probability=1.0)
    assert "above 95%" in risk_words.standing(row, DEFAULTS) and "100%" not in risk_words.standing(
        row, DEFAULTS
    )


@pytest.mark.parametrize(
    "said, number",
    [("1st", 1), ("2nd", 2), ("3rd", 3), ("4th", 4), ("11th", 11), ("22nd", 22), ("113th", 113)],
)
def test_ordinals_are_english(said, number):
    """Ranks read as people say them."""
    assert risk_words.ordinal(number) == said


def test_a_rank_is_an_interval(content):
    """Both ends are said; one end only where they agree."""
    assert risk_words.rank({"rank": [3, 17]}) == "3rd to 17th" and risk_words.rank({"rank": [2, 2]}) == "2nd"


def test_the_two_lists_follow_two_figures(content):
    """Visits go by engagement, chasing by the probability of silence, and those who cannot be asked are in the first only."""
    content["practices"][0]["p_silent_next"] = None
    content["practices"][0]["engagement"] = -9.0
    shown = risk_words.practices(content, [])
    visit, chase = risk_words.for_visit(shown, content), risk_words.for_chasing(shown)
    code = content["practices"][0]["practice_id"]
    assert visit[0].code == code and code not in {each.code for each in chase}
    assert [e.row["engagement"] for e in visit] == sorted(r["engagement"] for r in content["practices"])[:8]
    known = [p for r in content["practices"] if (p := r["p_silent_next"]) is not None and p >= 0.1]
    assert [e.row["p_silent_next"] for e in chase] == sorted(known, reverse=True)[:8]


def test_without_correlation_only_own_answers_rank(content):
    """Near zero, a practice whose evidence is a group's is not on the list for visits; above, it may be."""
    shown = risk_words.practices(content, [])
    everybody = {each.row["evidence"] in risk_words.OWN for each in shown}
    assert everybody == {True, False}
    content["correlation"]["c"] = 0.1
    assert all(each.row["evidence"] in risk_words.OWN for each in risk_words.for_visit(shown, content))


def test_the_price_of_privacy_is_said_where_it_is_paid(content):
    """Nobody pays where every practice's own answers count; near zero the sentence says that ranking fails."""
    assert "Nobody can point at" in risk_words.price(content, DEFAULTS)
    assert "ranked" not in risk_words.price(content, DEFAULTS)
    content["correlation"]["c"] = 0.0
    assert "cannot be ranked at all" in risk_words.price(content, DEFAULTS)
    for row in content["practices"]:
        row["evidence"] = "agreed"
    assert risk_words.price(content, DEFAULTS) is None


@pytest.mark.parametrize(
    "reasons, said",
    [
        ({"silent_rounds": None, "trend": None}, []),
        ({"silent_rounds": 1, "trend": None}, ["Nobody answered in the last round."]),
        ({"silent_rounds": 3, "trend": None}, ["Nobody answered in the last 3 rounds running."]),
        ({"silent_rounds": 0, "trend": "up"}, ["Somebody answered in the last round.", "By its segments, its attitude has risen"]),
    ],
)  # fmt: skip
def test_reasons_are_behaviour(content, reasons, said):
    """Silence and trend are said in words where they are known, and nothing else is."""
    found = risk_words.reasons(a_row(content, reasons=reasons), DEFAULTS)
    assert len(found) == len(said) and all(f.startswith(s) for f, s in zip(found, said, strict=True))


def test_an_unclear_segment_is_no_reason_to_act(content):
    """What to do next is the segment's action where that is clear, and nothing special elsewhere."""
    assert risk_words.next_step(
        a_row(content, clarity="clear", leading_segment="withdrawn"), DEFAULTS
    ).startswith("Visit")
    assert "not clear enough" in risk_words.next_step(a_row(content, clarity="moving"), DEFAULTS)


def test_history_reads_as_stretches():
    """Rounds with the same label are joined."""
    row = {"history": [{"round": n, "segment": "steady" if n < 4 else "withdrawn"} for n in (2, 3, 4)]}
    assert risk_words.strip_sentence(row) == "Rounds 2 to 3 steady, round 4 withdrawn."


@pytest.mark.parametrize(
    "difference, said", [(0.3, "0.3 points higher"), (-0.2, "0.2 points lower"), (0.0, "like the others")]
)
def test_those_who_let_answers_count_are_compared_for_the_body(content, difference, said):
    """The difference is said with its sign, and nothing where it is hidden."""
    content["ticked"] = {"mark": "shown", "difference": difference}
    assert said in risk_words.ticked(content, DEFAULTS)
    content["ticked"] = {"mark": "hidden"}
    assert risk_words.ticked(content, DEFAULTS) is None


def test_the_rules_printed_are_those_of_the_assessment(content):
    """Other cuts in the stored content are other cuts on the page, in the table and as lines of the map."""
    content["rules"] |= {"withdrawn_below": 0.25}
    assert "25%" in risk_words.rules_table(content, DEFAULTS).to_csv()
    spec = risk_charts.engagement_map(risk_words.practices(content, []), content).to_dict()
    assert 25 in [row["participation"] for row in layers(spec, "rule")[0]["rows"]]


def test_the_map_fills_only_clear_segments_and_has_whiskers_for_all(content):
    """Hollow points are those that are not clear; every practice has both intervals; regions are named."""
    shown = risk_words.practices(content, [])
    spec = risk_charts.engagement_map(shown, content).to_dict()
    hollow, filled = layers(spec, "point")
    assert not hollow["mark"]["filled"] and {row["kind"] for row in hollow["rows"]} == {"not_clear"}
    assert filled["mark"]["filled"] and "not_clear" not in {row["kind"] for row in filled["rows"]}
    assert len(hollow["rows"]) + len(filled["rows"]) == 30
    assert [len(layer["rows"]) for layer in layers(spec, "rule")[1:]] == [30, 30]
    assert [text[2:] for text in texts(spec)] == ["Withdrawn", "Critical", "Champion", "Steady"]


def test_every_point_and_whisker_lies_within_the_map(content):
    """The axes hold what is drawn, also where a practice lies far out."""
    content["practices"][0]["now"] |= {"attitude": -2.1, "attitude_low": -2.6}
    spec = risk_charts.engagement_map(risk_words.practices(content, []), content).to_dict()
    low, high = layers(spec, "point")[0]["encoding"]["x"]["scale"]["domain"]
    rows = layers(spec, "rule")[1]["rows"]
    assert all(low <= row["attitude_low"] and row["attitude_high"] <= high for row in rows)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_segments_stand_out_and_differ_in_shape(theme):
    """Each colour has 3:1 against the ground, no two kinds share a shape, and the accents are the style's."""
    look = charts.style(theme)
    assert all(contrast(risk_charts.colour(look, kind), look.background) >= 2.99 for kind in risk_words.KINDS)
    assert len(set(risk_charts.SHAPES.values())) == len(risk_words.KINDS)


def test_movement_adds_up(content):
    """The grid, its words and its table hold the same practices; the expected numbers stand in brackets."""
    frame = risk_words.movement_frame(content)
    moved = int(frame.loc[~frame["stayed"], "labels"].sum())
    assert frame["labels"].sum() == 30 and moved == content["movement"]["moved"]
    assert risk_words.movement_headline(content, DEFAULTS).startswith(f"{moved} of 30" if moved else "No ")
    drawn = layers(risk_charts.movement_chart(content).to_dict(), "text")[0]["rows"]
    assert sum(int(row["label"]) for row in drawn) == 30
    table = risk_words.movement_table(content)
    assert table["By label"].astype(int).sum() == 30
    assert set(table["Before"]) <= {risk_words.SHORT[kind] for kind in SEGMENTS}


def test_calibration_draws_only_bands_that_may_be_read():
    """A band with too few is in the table as such and not in the picture; without any there is no picture."""
    few = {"low": 0.5, "high": 1.0, "n": None, "said": None, "happened": None, "ci": None}
    full = {"low": 0.0, "high": 0.5, "n": 20, "said": 0.2, "happened": 0.25, "ci": [0.1, 0.45]}
    points = layers(risk_charts.calibration_chart([full, few]).to_dict(), "point")[0]["rows"]
    assert [(row["said"], row["happened"]) for row in points] == [(20, 25)]
    assert risk_charts.calibration_chart([few]) is None
    table = risk_words.calibration_table([full, few])
    assert list(table["Happened"]) == ["25% (10% to 45%)", "too few"]
    assert "said 20%, happened 25%" in risk_words.calibration_alt([full, few])


@pytest.mark.parametrize(
    "low, said", [(0.4, "better than chance"), (0.2, "did not clearly beat"), (None, "Too little happened")]
)
def test_the_verdict_on_a_round_follows_its_interval(low, said):
    """Forecasts beat chance only where the whole interval of average precision lies above the base rate."""
    last = {"explanation": None, "base_rate": 0.3, "ap": {"value": 0.5, "low": low, "high": 0.7}}
    assert said in risk_words.judged_headline({"last": last}, 8, DEFAULTS)


@pytest.mark.parametrize("drifted, said", [(True, "Drift:"), (False, "No drift:")])
def test_drift_is_said(drifted, said):
    """The newest window decides."""
    point = {
        "round": 8,
        "n": 90,
        "said": 0.2,
        "happened": 0.3,
        "difference": {"value": 0.1},
        "drifted": drifted,
    }
    assert risk_words.drift_sentence({"drift": [point | {"drifted": not drifted}, point]}).startswith(said)


def test_every_chart_carries_the_one_style(content):
    """Font, ground and ink are those of all charts."""
    shown = risk_words.practices(content, [])
    drawn = [
        risk_charts.engagement_map(shown, content, "dark"),
        risk_charts.movement_chart(content, "dark"),
        risk_charts.strip_chart(shown[0].row, "dark"),
    ]
    for chart in drawn:
        config = chart.to_dict()["config"]
        assert config["background"] == charts.DARK.background and config["font"] == charts.FONT


def test_the_card_on_the_page_is_the_one_in_the_docs():
    """docs/model-card.md is the title and the text that the app shows, and says what the model is not for."""
    assert (ROOT / "docs" / "model-card.md").read_text() == f"# {model_card.TITLE}\n\n{model_card.CARD}"
    for part in ("contract action", "expulsion", "ranking GPs", "Early warning", "TRIPOD", "### Calibration"):
        assert part in model_card.CARD


def test_words_and_charts_wait_for_nothing_heavy():
    """Importing the words of risk brings neither pandas nor altair nor scientific libraries."""
    code = (
        "import sys, engagement.ui.risk_words, engagement.ui.risk_charts; "
        "print([m for m in ('scipy', 'sklearn', 'altair', 'pandas') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
