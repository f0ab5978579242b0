"""What stands beside the gap, in words and tables: each verdict, each mark, and nothing for an older release."""

from __future__ import annotations

import pytest

from engagement.disclosure import (
    Count,
    print_distribution,
    print_tipping,
    publish_index,
    publish_item,
)
from engagement.ui import beside, charts, sentences
from tests.ui.conftest import a_release, an_item


def table_of(leader: Count, grassroots: Count) -> dict:
    counts = {"leader": leader, "grassroots": grassroots}
    return publish_item(counts, threshold=10, design_effect=1.4, df=38).as_json()


def with_index(number: int, *items: dict) -> dict:
    content = a_release(number, *items)
    index = publish_index(items)
    content["index"] = {
        "item": beside.INDEX, "version": 1, "series": "ownership_index/abc/mean", "text": "Mean", "of": ["owned"],
        "reverse": False, "headline": False, "parallels": [], "change": None, **index,
    }  # fmt: skip
    return content


@pytest.mark.parametrize(
    "trend, said",
    [
        (
            {"since": 1, "rounds": 8, "verdict": "widening", "points": 20},
            "widening, by about 20 points in all",
        ),
        ({"since": 1, "rounds": 8, "verdict": "narrowing", "points": None}, "narrowing. One round"),
        ({"since": 3, "rounds": 4, "verdict": "no clear trend", "points": None}, "no clear trend"),
        ({"since": 1, "rounds": 3, "verdict": "cannot say", "points": None}, "no trend can be told"),
    ],
)
def test_each_verdict_on_the_trend_has_its_sentence(trend, said):
    """The sentence names the rounds and gives points only where the release does."""
    item = an_item() | {"trend": trend}
    sentence = beside.trend_sentence(a_release(8, item), item)
    assert said in sentence and f"rounds {trend['since']} to 8" in sentence


def test_an_older_release_says_nothing():
    """A release from before a measure has no sentence, table or index, and nothing fails."""
    item = an_item()
    content = a_release(1, item)
    assert beside.trend_sentence(content, item) is beside.levels_sentence(content, item) is None
    assert beside.tipping_sentence(content, item) is beside.panel_sentence(content, item) is None
    assert beside.moved_sentence(item) is beside.distribution_sentence(item) is None
    assert beside.weighted_table(content, item) is beside.weighting_sentence(content) is None
    assert beside.response_table(content, "role") is None
    assert "cannot be said" in beside.representative_sentence(content)
    assert beside.INDEX not in sentences.item_keys([content])


def test_levels_name_leaders_first():
    """Both groups are named with their verdicts, whatever the order of the stored keys."""
    levels = {
        "grassroots": {"since": 2, "verdict": "down", "points": -15},
        "leader": {"since": 2, "verdict": "no clear change", "points": None},
    }
    item = an_item() | {"levels": levels}
    sentence = beside.levels_sentence(a_release(3, item), item)
    assert "leaders: no clear change; grassroots members: clearly down by about 15 points" in sentence


@pytest.mark.parametrize(
    "leader, grassroots, said",
    [
        (Count(18, 20, 24), Count(20, 80, 150), "the silent grassroots members would have to be at least"),
        (Count(14, 18, 22), Count(18, 90, 157), "No silence of the grassroots members alone"),
        (Count(20, 20, 20), Count(3, 29, 29), "the gap would not vanish"),
    ],
)
def test_silence_is_said_out(leader, grassroots, said):
    """How different the silent would have to be, that one group's silence cannot do it, or that none can."""
    table = table_of(leader, grassroots)
    item = an_item() | table | {"tipping": print_tipping(table["groups"], table["gap"])}
    assert said in beside.tipping_sentence(a_release(1, item), item)


def test_the_tipping_point_is_never_more_than_the_exact_one():
    """Made of printed figures, "at least" stays under the exact distance for every count that prints alike."""
    from engagement.estimates import tipping_point

    for y1 in range(11, 21):
        table = table_of(Count(y1, 20, 24), Count(20, 80, 150))
        printed = print_tipping(table["groups"], table["gap"])
        exact = tipping_point(y1, 20, 24, 20, 80, 150)
        assert printed["grassroots"] is None or printed["grassroots"] <= 100 * exact.grassroots
        assert printed["shared"] is None or printed["shared"] <= 100 * exact.shared


def test_answers_in_full_are_named_and_balanced():
    """Options carry their labels, favourable first; the balance is summed from what is printed."""
    item = an_item() | {"distribution": print_distribution({1: 12, 2: 9, 3: 9, 4: 18, 5: 12}, {4, 5}, 0, 80)}
    table = beside.distribution_table(item)
    assert list(table["Answer"])[:2] == ["Strongly agree", "Agree"]
    assert "On balance 15 points" in beside.distribution_sentence(item)
    hidden = an_item() | {"distribution": {"mark": "hidden", "N": 20}}
    assert beside.distribution_table(hidden) is None and "takes 30" in beside.distribution_sentence(hidden)


def test_weighted_stands_beside_unweighted():
    """Both columns are there, and a capped weighted share says so."""
    weighted = {
        "groups": {
            "leader": {"mark": "shown", "share": 90, "cap": "at_least"},
            "grassroots": {"mark": "shown", "share": 25, "cap": None},
        },
        "gap": {"mark": "shown", "points": 60, "cap": "at_least"},
    }
    item = an_item() | {"weighted": weighted}
    table = beside.weighted_table(a_release(1, item), item)
    assert list(table["Weighted to the roster"]) == ["at least 90%", "25%", "at least 60 points"]
    few = {"groups": weighted["groups"] | {"leader": {"mark": "hidden"}}, "gap": {"mark": "hidden"}}
    table = beside.weighted_table(a_release(1, item), item | {"weighted": few})
    assert list(table["Weighted to the roster"]) == ["not published", "25%", "not published"]


def test_the_same_people_may_be_too_few():
    """A hidden group is a normal state, and what moved is only said where it is shown."""
    panel = {
        "since": 1,
        "groups": {
            "leader": {"mark": "hidden"},
            "grassroots": {
                "mark": "shown", "n": "50+", "before": {"share": 35, "cap": None}, "now": {"share": 20, "cap": None},
                "verdict": "down", "points": -15,
            },
        },
        "gap": {"mark": "hidden"},
        "moved": {"mark": "shown", "change": -10, "mix": 5, "turnover": 0, "minds": -15},
    }  # fmt: skip
    item = an_item() | {"panel": panel}
    assert "leaders: too few to say" in beside.panel_sentence(a_release(2, item), item)
    assert "35% then, 20% now, clearly down" in beside.panel_sentence(a_release(2, item), item)
    assert "5 points from more or fewer leaders" in beside.moved_sentence(item)
    nothing = panel | {"moved": {"mark": "shown", "change": 0, "mix": 0, "turnover": 0, "minds": 0}}
    assert "nothing that moved" in beside.moved_sentence(an_item() | {"panel": nothing})


def test_the_index_is_charted_like_a_question():
    """The index can be chosen last, has a trend line, and its own account of how it was worked out."""
    history = [with_index(1, an_item()), with_index(2, an_item(leader=(12, 15, 22)))]
    assert sentences.item_keys(history)[-1] == beside.INDEX
    assert charts.trend_frame(history, beside.INDEX)["value"].notna().all()
    item = sentences.item_of(history[-1], beside.INDEX)
    assert "Mean of the printed shares of 1" in beside.worked_out(history[-1], item)["Formula"].iloc[0]


def test_every_figure_is_worked_out_with_its_bases():
    """The table names formula and source, the bands of answers, and the weights where there are any."""
    item = an_item()
    table = beside.worked_out(a_release(1, item) | {"design_effect": 1.4}, item)
    assert "design effect 1.4" in " ".join(table["Formula"])
    assert "15–19 of 22" in table["Answers (n) of invited (N)"].iloc[0]
    assert "Newcombe 1998" in " ".join(table["Source"])


def rising(rounds: int) -> list[dict]:
    return [
        a_release(n, an_item(leader=(n % 3 + (4 if n < 9 else 12), 18, 22))) for n in range(1, rounds + 1)
    ]


def test_few_rounds_make_a_run_chart_and_many_a_control_chart():
    """Eleven rounds are read by runs, twelve by limits, and both say so."""
    assert beside.in_control(beside.gap_series(rising(11), "owned")).startswith("Run chart")
    twelve = beside.gap_series(rising(12), "owned")
    assert "Making Data Count" in beside.in_control(twelve)
    assert "Nelson" in beside.in_control(twelve, "Nelson (6 and 9)")
    assert beside.in_control(beside.gap_series(rising(1), "owned")) is None


def test_a_new_wording_begins_the_chart_anew():
    """Rounds before a new wording are in another group."""
    history = [a_release(n, an_item(version=1 if n < 4 else 2)) for n in range(1, 7)]
    assert beside.gap_series(history, "owned").rebase_at == (3,)
    assert "rounds 4 to 6" in beside.in_control(beside.gap_series(history, "owned"))


def test_a_control_chart_draws_centre_limits_and_signals():
    """From 12 rounds limits are drawn and a point beyond them is marked and named."""
    series = beside.Series("gap", " points", tuple(range(1, 14)), (25, 50) * 6 + (140,), (), "down")
    chart = beside.judged(series)
    frame = charts.control_frame(series, chart)
    assert frame["signal"].iloc[-1] == "beyond" and frame["high"].notna().all()
    spec = charts.control_chart(series, chart).to_dict()
    assert sum(layer["mark"]["type"] == "line" for layer in spec["layer"]) == 4
    assert "stands out" in beside.control_headline(series)
    short = beside.Series("gap", " points", (1, 2, 3), (30, 35, 30), (), "down")
    assert charts.control_frame(short, beside.judged(short))["high"].isna().all()


def test_response_names_groups_as_people_do():
    """Roles and pooled groups are written out, and a capped rate says so."""
    content = a_release(1, an_item())
    content["participation"]["by"] = [
        {"by": "role", "groups": ["gp_partner"], "N": 50, "percent": 60, "cap": None},
        {"by": "role", "groups": ["chair", "practice_nurse"], "N": 12, "percent": 90, "cap": "at_least"},
        {"by": "role", "groups": ["a", "b", "c", "d"], "N": 9, "percent": None, "cap": None},
    ]
    table = beside.response_table(content, "role")
    assert list(table["Role"]) == [
        "GP partner",
        "Chair and Practice nurse together",
        "4 small groups together",
    ]
    assert list(table["Answered"]) == ["60%", "at least 90%", "too few to say"]


@pytest.mark.parametrize("r, said", [(0.95, "evenly"), (0.8, "fairly evenly"), (0.6, "unevenly")])
def test_representativeness_in_words(r, said):
    """The indicator is worded in three steps."""
    content = a_release(1, an_item())
    content["participation"]["representative"] = {"mark": "shown", "r": r}
    assert f"was spread {said} over" in beside.representative_sentence(content)


@pytest.mark.parametrize(
    "found, said",
    [
        ({"mark": "hidden"}, "takes 100"),
        ({"alpha": 0.8, "compared": "alike"}, "alike"),
        ({"alpha": 0.55, "compared": "cannot say"}, "only loosely"),
        ({"alpha": 0.8, "compared": "different", "different": ["owned"]}, "Belongs"),
        ({"alpha": 0.8, "compared": "alike", "weak": ["owned"]}, "least: Belongs"),
    ],
)
def test_how_well_the_questions_measure(found, said):
    """Refused, sound, loose, read alike or differently: each has its words."""
    full = {
        "mark": "shown",
        "rounds": [7, 8],
        "alpha_interval": None,
        "omega": 0.8,
        "weak": [],
        "different": [],
    }
    content = a_release(1, an_item()) | {"measuring": full | found}
    assert said in " ".join(beside.measuring_sentences(content, {"owned": "Belongs"}))
