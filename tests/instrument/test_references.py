"""Published figures: the numbers that the sources print, with their marks, and nothing that was not checked."""

from __future__ import annotations

from importlib.resources import files

import pytest

from engagement.errors import NotFound
from engagement.instrument import bank, references

ALL = references.references()

# (id, percent, n, half-width, mark), copied from the notes on instruments by hand.
KNOWN = [
    ("worklife-2015/owned/2015/leaders", 58, 226, None, "read"),
    ("worklife-2015/owned/2015/no_role", 18, 1478, None, "read"),
    ("worklife-2015/owned/2015/gap", 40, None, 7, "read"),
    ("worklife-2015/informed/2015/gap", 33, None, 5, "read"),
    ("worklife-2015/decisions-mine/2015/no_role", 14, 1236, None, "read"),
    ("kings-fund/owned/2013/leaders", 66, None, None, "read"),
    ("kings-fund/owned/2013/no_role", 35, None, None, "read"),
    ("kings-fund/owned/2016/no_role", 23, None, None, "read"),
    ("kings-fund-2013/decisions-members/2013/leaders", 81, None, None, "read"),
    ("kings-fund-2013/decisions-members/2013/no_role", 38, None, None, "read"),
    ("kings-fund/influence/2016/no_role", 20, None, None, "read"),
    ("scottish-clusters-2018/owned/2018/all_gps", 32.1, 2439, None, "derived"),
    ("ccg-360/participation-effective/2016/practices", 59, None, None, "read"),
]


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known[0])
def test_figures_are_those_of_the_sources(known):
    """A sample of figures equals what the sources print."""
    found = ALL[known[0]]
    assert (found.id, found.percent, found.n, found.half_width, found.mark) == known


def test_nothing_unchecked_is_there():
    """Every figure was read or derived, has a source, a caveat and a number or words; the file holds no doubt."""
    for found in ALL.values():
        assert found.mark in references.MARKS and found.group in references.GROUPS
        assert found.source and found.caveat and found.asked
        assert found.percent is not None or found.quoted
        assert (found.n is None) == (found.n_mark is None)
    assert "unverified" not in files(references.__package__).joinpath("references.toml").read_text().lower()


def test_gaps_agree_with_the_shares_they_come_from():
    """A published gap is the difference of its arms, to the rounding that the source shows."""
    gaps = [found for found in ALL.values() if found.group == "gap"]
    assert len(gaps) == 10
    for gap in gaps:
        leaders, members = (
            ALL[f"{gap.question}/{gap.year}/{group}"].percent for group in ("leaders", "no_role")
        )
        assert abs(leaders - members - gap.percent) <= 1


def test_scottish_favourable_share_is_derived_from_its_distribution():
    """The share printed is the sum of agree and strongly agree; each distribution adds up to 100."""
    found = [figure for figure in ALL.values() if figure.distribution]
    assert len(found) == 3
    for figure in found:
        assert sum(figure.distribution) == pytest.approx(100, abs=0.2)
        assert sum(figure.distribution[3:]) == pytest.approx(figure.percent, abs=0.11)


def test_item_gets_the_figures_of_its_parallels_only():
    """An item is compared with the questions that it names, in that order; a body's own item with none."""
    found = references.for_item("owned")
    assert list(dict.fromkeys(figure.question for figure in found)) == list(bank.bank_item("owned").parallels)
    assert references.for_item("time") == () and references.for_item("a_body_s_own") == ()


def test_two_decision_questions_are_kept_apart():
    """Figures on members' views never stand beside the item on a person's own views, nor the other way round."""
    members = {figure.question for figure in references.for_item("decisions_members")}
    mine = {figure.question for figure in references.for_item("decisions_mine")}
    assert members == {"kings-fund-2013/decisions-members"} and not members & mine


def test_stakeholder_survey_is_quoted_and_never_drawn():
    """No item parallels the survey whose questions are not open, so its figures reach no chart."""
    assert any(figure.series == "ccg-360" for figure in ALL.values())
    for key in bank.bank():
        assert all(figure.series != "ccg-360" for figure in references.for_item(key))


def test_a_figure_stands_beside_the_line_of_its_own_group():
    """Leaders go with leaders, GPs without a role with grassroots, gaps with gaps, and all GPs with neither arm."""
    arms = {figure.group: figure.arm for figure in ALL.values()}
    assert arms["leaders"] == "leader" and arms["no_role"] == "grassroots" and arms["gap"] == "gap"
    assert arms["all_gps"] is None and arms["practices"] is None


def test_label_says_that_the_question_was_another():
    """Every label names its series and says that the question is only similar."""
    assert all(
        "similar question" in figure.label and figure.series_name in figure.label for figure in ALL.values()
    )


def test_unknown_question_is_an_error():
    """A parallel that names no published question is found out and not drawn as nothing."""
    with pytest.raises(NotFound, match="no/such"):
        references.for_questions(["no/such"])


def test_what_two_published_gaps_can_carry_is_recomputed():
    """Of all splits of 73 only 47 and 26 gives the four published shares; its Newcombe ranges are those quoted."""
    from engagement.estimates import newcombe, wilson

    def whole(percent, n):
        return [y for y in range(n + 1) if round(100 * y / n) == percent]

    splits = [
        n
        for n in range(1, 73)
        if all(whole(p, n) for p in (66, 81)) and all(whole(p, 73 - n) for p in (35, 38))
    ]
    assert splits == [47]
    for leaders, others, question in (
        (66, 35, "kings-fund/owned"),
        (81, 38, "kings-fund-2013/decisions-members"),
    ):
        (y1,), (y0,) = whole(leaders, 47), whole(others, 26)
        low, high = newcombe(y1 / 47, wilson(y1 / 47, 47), y0 / 26, wilson(y0 / 26, 26))
        said = references.for_questions([question])[0].carries
        assert f"a range of {round(100 * low)} to {round(100 * high)}" in said
        assert f"{leaders}% against {others}%" in said
