"""Whose answers count, which group speaks, and that no other answer moves a practice against its group."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.bench import worlds
from engagement.risk import evidence
from engagement.risk.assess import assess, refit
from engagement.risk.evidence import ANONYMOUS, CONFIDENTIAL, PRACTICE_VIEW, RoundAnswers, decide, inputs
from engagement.risk.filter import SHIPPED


def round_of(people, *, tier=CONFIDENTIAL, threshold=10, agreed=(), scores=None, leader=None, groups=None):
    """A round in which `people[i]` members of practice i were invited and answered; `agreed` are rows."""
    practice = np.repeat(np.arange(len(people)), people)
    return RoundAnswers(
        tier=tier,
        threshold=threshold,
        invited=np.array(people),
        answered=np.array(people),
        open=np.ones(len(people), bool),
        groups=groups or {},
        practice=practice,
        score=np.full(len(practice), 3.0) if scores is None else np.asarray(scores, float),
        leader=np.zeros(len(practice), bool) if leader is None else np.asarray(leader),
        agreed=np.isin(np.arange(len(practice)), list(agreed)),
    )


def halves(practices):
    """Two localities, one after the other."""
    return {"locality": ["A"] * (practices // 2) + ["B"] * (practices - practices // 2)}


def test_a_practice_speaks_for_itself_from_the_threshold_on():
    """Ten people of one practice count in full; nine do not, and their locality speaks."""
    found = decide(round_of([10, 9, 5, 5, 4, 4, 4], groups={"locality": ["A"] * 3 + ["B"] * 4}))
    assert list(found.labels) == ["practice", "locality:A", "locality:A", *["locality:B"] * 4]
    assert list(found.group[:3]) == ["locality:A"] * 3 and found.countable.sum() == 10


def test_ticks_count_wherever_there_are_some():
    """A practice in which somebody agreed is "agreed", also where few did and the release before left a mean."""
    found = decide(round_of([4] * 6, agreed=range(0, 20, 2), groups=halves(6)))
    assert list(found.labels) == ["agreed"] * 5 + ["locality:B"] and found.countable.sum() == 10
    assert list(decide(round_of([4] * 6, agreed=[0], groups=halves(6))).labels[:2]) == [
        "agreed",
        "locality:A",
    ]


@pytest.mark.parametrize(
    "agreed", [range(0, 18, 2), range(0, 10)], ids=["nine answers", "two practices and a bit"]
)
def test_without_a_mean_from_before_few_ticks_count_for_nothing(agreed):
    """Before the first release, answers of fewer than ten people, or in fewer than three practices, do not count."""
    round_ = round_of([5] * 6, agreed=agreed, groups=halves(6))
    found = decide(round_, centre_known=False)
    assert set(found.labels) == {"locality:A", "locality:B"} and not found.countable.any()
    read = inputs([round_], replace(SHIPPED, centre=2.5))
    assert read.deviations.mean[0, 0] == pytest.approx(0.5), "set against the mean of the release before"


def test_the_smallest_group_that_clears_the_threshold_speaks():
    """Of the groups of a practice the one with the fewest answers speaks, if it has three practices and none with
    more than half; otherwise the body."""
    people = [4, 3, 3, 8, 4, 4, 9, 1]
    groups = {
        "network": ["n1", "n1", "n1", "n2", "n2", "", "n3", "n3"],
        "locality": ["A", "A", "A", "A", "B", "B", "B", "B"],
    }
    found = decide(round_of(people, groups=groups))
    assert list(found.group[:3]) == ["network:n1"] * 3
    assert found.group[3] == "locality:A", "two practices are no group"
    assert list(found.group[4:]) == ["locality:B"] * 4
    heavy = decide(round_of([9, 3, 3, 2], groups={"locality": ["A"] * 4}))
    assert list(heavy.group) == ["body"] * 4, "one practice holds more than half"


def test_a_large_practice_speaks_only_beside_enough_others():
    """With 14 of 20 answers a practice does not speak for itself, for the body's mean less its own would speak for six
    people; with 14 of 24, or alone in the body, it does. A locality that leaves six others does not speak either."""
    assert list(decide(round_of([14, 2, 2, 2])).labels) == ["body"] * 4
    assert list(decide(round_of([14, 4, 4, 2])).labels) == ["practice", "body", "body", "body"]
    assert list(decide(round_of([14])).labels) == ["practice"]
    places = {"locality": ["A", "A", "A", "B", "B"]}
    assert set(decide(round_of([5, 5, 5, 3, 3], groups=places)).labels) == {"body"}
    assert decide(round_of([5, 5, 5, 5, 5], groups=places)).labels[0] == "locality:A"


def test_one_large_practice_tells_no_more_than_the_body_does():
    """Where one practice has most of a small body's answers, exchanging them with the others' changes no estimate: all
    that is said of any practice comes from the body's mean, which is released, and from who took part."""
    rng = np.random.default_rng(3)
    scores = rng.integers(8, 41, 20) / 8
    before = [round_of([14, 2, 2, 2], scores=scores), round_of([14, 2, 2, 2], scores=scores[::-1])]
    after = [before[0], round_of([14, 2, 2, 2], scores=rng.permutation(scores))]
    one, other = (assess(rounds, IN_FORCE, invited_next=[14, 2, 2, 2]) for rounds in (before, after))
    assert [one.row(i) for i in range(4)] == [other.row(i) for i in range(4)]
    assert np.allclose(one.now.mean, other.now.mean, atol=1e-12)
    careless = [round_of([14, 4, 4, 2], scores=rng.integers(8, 41, 24) / 8) for _ in range(2)]
    assert decide(careless[0]).countable.any(), "beside enough others it does speak"


def test_a_practice_view_counts_every_answer_and_an_anonymous_round_none():
    """In a practice view each answer is its practice's, whatever the ticks; anonymous answers are nobody's."""
    view = decide(round_of([1, 1, 0, 1], tier=PRACTICE_VIEW, groups={"locality": ["A"] * 4}))
    assert list(view.labels) == ["practice", "practice", "body", "practice"] and set(view.group) == {"body"}
    nobody = RoundAnswers(
        ANONYMOUS, 10, [0, 0], [0, 0], [True, True], {}, [-1] * 12, [3.0] * 12, [False] * 12, [False] * 12
    )
    assert list(decide(nobody).labels) == ["body", "body"]
    assert not inputs([nobody], SHIPPED).deviations.scored.any()
    assert inputs([nobody], SHIPPED).centres[0] == 3.0


def test_answers_without_a_score_are_no_evidence():
    """People who left every item out took part, but do not help a practice over the threshold."""
    scores = [3.0] * 9 + [np.nan] + [3.0] * 8
    found = decide(round_of([10, 4, 4], scores=scores, groups={"locality": ["A"] * 3}))
    assert list(found.labels) == ["body"] * 3
    read = inputs([round_of([10, 4, 4], scores=scores)], SHIPPED)
    assert read.deviations.answered[0, 0] == 10


def test_scores_leave_out_items_not_answered():
    """A member's score is the mean over the items answered, and missing where none was."""
    found = evidence.member_scores([[1, 2, np.nan], [np.nan] * 3, [5, 5, 5]])
    np.testing.assert_array_equal(found, [1.5, np.nan, 5.0])


def test_the_inputs_worked_by_hand():
    """Leaders are brought down by the gap; a practice's countable answers stand against its group's countable ones,
    the group's own mean is of all, to 0.1, against the body's."""
    people = [4] * 6
    scores = np.array([4, 3, 3, 2] * 3 + [2, 2, 3, 3] * 3, float)
    leader = np.arange(24) == 0
    ticked = [0, 1, *range(4, 12)]
    round_ = round_of(people, agreed=ticked, scores=scores, leader=leader, groups=halves(6))
    read = inputs([round_], replace(SHIPPED, leader_gap=0.5))
    adjusted = scores - 0.5 * leader
    countable = adjusted[ticked].mean()
    np.testing.assert_allclose(read.deviations.mean[:2, 0], [3.25 - countable, 3.0 - countable])
    assert list(read.deviations.scored[:, 0]) == [2, 4, 4, 0, 0, 0]
    assert read.groups == ("locality:A", "locality:B") and list(read.levels.scored[:, 0]) == [12, 12]
    assert read.centres[0] == pytest.approx(adjusted.mean())
    assert read.levels.mean[0, 0] == pytest.approx(round(adjusted[:12].mean(), 1) - round(adjusted.mean(), 1))


def test_few_countable_answers_of_a_group_stand_against_the_body():
    """Where a group has fewer than ten countable answers the body's mean of countable answers is the yardstick."""
    scores = np.linspace(1, 5, 24)
    round_ = round_of([4] * 6, agreed=[0, *range(12, 24)], scores=scores, groups=halves(6))
    read = inputs([round_], replace(SHIPPED, centre=2.0))
    body = scores[[0, *range(12, 24)]].mean()
    assert read.deviations.mean[0, 0] == pytest.approx(scores[0] - body)
    assert read.deviations.mean[3, 0] == pytest.approx(scores[12:16].mean() - scores[12:].mean())


@pytest.mark.parametrize(
    "change",
    [
        {"tier": "secret"},
        {"open": [True]},
        {"score": [3.0]},
        {"groups": {"locality": ["A"]}},
        {"practice": [0, 0, 1, 2]},
    ],
    ids=lambda change: next(iter(change)),
)
def test_arrays_that_do_not_fit_are_refused(change):
    """A round whose arrays disagree is an error that says which."""
    with pytest.raises(ValueError, match=r"must|tier"):
        replace(round_of([2, 2]), **change)


def test_rounds_must_list_the_same_practices():
    """No rounds, and rounds of different practices, are errors."""
    with pytest.raises(ValueError, match="no round"):
        inputs([], SHIPPED)
    with pytest.raises(ValueError, match="same practices"):
        inputs([round_of([2]), round_of([2, 2])], SHIPPED)


# --- nobody who did not agree moves their practice against its group ---------------------------------------------


@st.composite
def changed_bodies(draw):
    """Rounds of a random body, the same with answers that do not count changed or swapped, and the pair's seed."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    practices = draw(st.integers(6, 24))
    threshold = draw(st.integers(5, 10))
    ticking = draw(st.sampled_from([0.0, 0.1, 0.4, 0.8]))
    largest = draw(st.integers(2, 14))
    localities = rng.integers(0, draw(st.integers(1, 3)), practices)
    networks = rng.integers(0, 4, practices)
    groups = {
        "locality": [f"L{n}" for n in localities],
        "network": [f"N{n}" if n else "" for n in networks],
    }
    before, after = [], []
    for _ in range(draw(st.integers(2, 4))):
        invited = rng.integers(0, largest + 1, practices)
        answered = rng.binomial(invited, rng.uniform(0.2, 0.9, practices))
        practice = np.repeat(np.arange(practices), answered)
        rows = len(practice)
        score = np.where(rng.random(rows) < 0.05, np.nan, rng.integers(8, 41, rows) / 8)
        round_ = RoundAnswers(
            tier=draw(st.sampled_from([CONFIDENTIAL, CONFIDENTIAL, CONFIDENTIAL, PRACTICE_VIEW])),
            threshold=threshold,
            invited=invited,
            answered=answered,
            open=np.ones(practices, bool),
            groups=groups,
            practice=practice,
            score=score,
            leader=rng.random(rows) < 0.2,
            agreed=rng.random(rows) < ticking,
        )
        before.append(round_)
        after.append(replace(round_, score=tampered(round_, rng, swap=draw(st.booleans()))))
    return before, after


def tampered(round_, rng, swap):
    """Scores in which answers that were not ticked, in practices below the threshold, are new or change places."""
    own = np.bincount(round_.practice[round_.scored], minlength=round_.practices)
    small = own < round_.threshold
    free = np.flatnonzero(
        round_.scored & ~round_.agreed & small[round_.practice] & (round_.tier == CONFIDENTIAL)
    )
    score = round_.score.copy()
    chosen = free[rng.random(len(free)) < rng.choice([0.1, 0.5, 1.0])]
    if swap:
        score[chosen] = score[rng.permutation(chosen)]
    else:
        score[chosen] = rng.integers(8, 41, len(chosen)) / 8
    return score


IN_FORCE = replace(SHIPPED, centre=3.1)


def worst_move(before, after, constants=IN_FORCE, constants_after=None):
    """Largest movement of a practice against another of its group in attitude and engagement, and of any practice in
    participation, silence and uncertainty. The evidence chosen must be the same."""
    invited = before[-1].invited
    one = assess(before, constants, invited_next=invited)
    other = assess(after, constants_after or constants, invited_next=invited)
    assert list(one.evidence) == list(other.evidence)
    group = decide(before[-1]).group
    assert list(group) == list(decide(after[-1]).group)
    silent = np.nan_to_num(other.p_silent_next - one.p_silent_next)
    worst = max(np.abs(silent).max(), np.abs(other.now.mean[:, 1] - one.now.mean[:, 1]).max())
    for name in set(group):
        inside = group == name
        for moved in (
            other.engagement - one.engagement,
            other.now.mean[:, 0] - one.now.mean[:, 0],
            other.next.mean[:, 0] - one.next.mean[:, 0],
        ):
            worst = max(worst, np.ptp(moved[inside]))
        worst = max(worst, np.abs(other.now.covariance - one.now.covariance)[inside].max())
    return float(worst)


@settings(max_examples=150, deadline=None)
@given(changed_bodies(), st.booleans())
def test_answers_that_do_not_count_move_a_whole_group_alike(pair, centre_known):
    """Over random bodies, ticks and rounds: with constants fixed, changing or swapping unticked answers of small
    practices leaves each practice's difference from its group, its evidence and its participation as they were."""
    assert worst_move(*pair, IN_FORCE if centre_known else SHIPPED) < 1e-9


def invented():
    """A body of five rounds, and the same with one unticked answer of a small practice turned from low to high."""
    before = list(worlds.body("continuum", 77, rounds=5).agreeing(0.4))
    round_ = before[-1]
    own = np.bincount(round_.practice, minlength=round_.practices)
    row = np.flatnonzero(~round_.agreed & ~round_.leader & (own[round_.practice] < 5))[0]
    score = round_.score.copy()
    score[row] = 5.0 if score[row] < 3 else 1.0
    return before, [*before[:-1], replace(round_, score=score)]


def test_the_test_catches_a_practice_scored_on_all_its_answers(monkeypatch):
    """Were every answer counted, the changed one would move its practice, and the check would see it."""
    before, after = invented()
    assert worst_move(before, after) < 1e-9
    honest = evidence.decide
    monkeypatch.setattr(
        evidence, "decide", lambda round_, **known: replace(honest(round_, **known), countable=round_.scored)
    )
    assert worst_move(before, after) > 0.05


def test_the_test_catches_a_yardstick_of_all_answers(monkeypatch):
    """Were countable answers set against the group's mean of all, practices with them would move and others not."""
    before, after = invented()
    honest = evidence._yardsticks
    monkeypatch.setattr(
        evidence,
        "_yardsticks",
        lambda round_, score, countable, *rest: honest(round_, score, round_.scored, *rest),
    )
    assert worst_move(before, after) > 1e-3


def test_the_test_catches_constants_learnt_from_the_same_round():
    """A leader's unticked answer moves constants learnt from its own round, and with them practices apart."""
    before, after = invented()
    round_ = before[-1]
    own = np.bincount(round_.practice, minlength=round_.practices)
    row = np.flatnonzero(~round_.agreed & round_.leader & (own[round_.practice] > 1))[0]
    score = round_.score.copy()
    score[row] = 1.0
    after = [*before[:-1], replace(round_, score=score)]
    gaps = [evidence.leader_gap(rounds, SHIPPED.leader_gap) for rounds in (before, after)]
    fresh = [replace(IN_FORCE, leader_gap=gap) for gap in gaps]
    assert worst_move(before, after, fresh[0], fresh[1]) > 1e-4
    # In force are those of the release before, which the changed round does not enter.
    assert refit(before[:-1]) == refit(after[:-1])
    assert worst_move(before, after, refit(before[:-1]), refit(after[:-1])) < 1e-9


def test_a_ticked_answer_does_move_its_practice():
    """An answer whose author agreed moves its practice within the group: the evidence is used where it may be."""
    before, _ = invented()
    row = np.flatnonzero(before[-1].agreed)[0]
    score = before[-1].score.copy()
    score[row] = 5.0 if score[row] < 3 else 1.0
    assert worst_move(before, [*before[:-1], replace(before[-1], score=score)]) > 0.05


def test_the_leader_gap_and_the_variance_within_come_back():
    """Over many bodies' answers both are near what the generator put in, and fall back where little is known."""
    rounds = worlds.body("unrelated", 5, practices=1_000, rounds=4).rounds
    assert evidence.leader_gap(rounds, 0.0) == pytest.approx(0.7, abs=0.12)
    within = evidence.variance_within(rounds, 0.7)
    assert within == pytest.approx(0.42**2 + 0.25**2 + 0.8**2 / 8, rel=0.25)
    small = [round_of([1, 1, 1])]
    assert evidence.leader_gap(small, 0.8) == 0.8 and evidence.variance_within(small, 0.8) is None
