"""The whole assessment: what it may read, what it says at the edges, and what it prints."""

from dataclasses import replace

import numpy as np
import pytest

from engagement.bench import worlds
from engagement.risk.assess import assess, refit
from engagement.risk.evidence import PRACTICE_VIEW, RoundAnswers
from engagement.risk.filter import SHIPPED
from engagement.risk.segments import SEGMENTS

BODY = worlds.body("groups", 11, rounds=6)
ROUNDS = list(BODY.agreeing(0.5))
INVITED = ROUNDS[-1].invited
ARRAYS = (
    "engagement",
    "rank",
    "rank_low",
    "rank_high",
    "p_silent_next",
    "labels",
    "probability",
    "history",
    "centre",
)


def same(one, other, order=slice(None)):
    """Two assessments agree in all they say of practices, the second in another order."""
    assert list(other.evidence) == list(one.evidence[order])
    for name in ARRAYS:
        expected = getattr(one, name)
        expected = expected if name == "centre" else expected[order]
        np.testing.assert_allclose(getattr(other, name), expected, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(other.probabilities, one.probabilities[order], atol=1e-9)


def permuted(round_, order):
    """The round with practices in another order."""
    place = np.argsort(order)
    return replace(
        round_,
        invited=round_.invited[order],
        answered=round_.answered[order],
        open=round_.open[order],
        groups={kind: [ids[p] for p in order] for kind, ids in round_.groups.items()},
        practice=np.where(round_.practice >= 0, place[round_.practice], -1),
    )


def shuffled(round_, seed):
    """The round with its answers given to other people, and other people silent."""
    rng = np.random.default_rng(seed)
    invited = rng.permutation(round_.invited)
    return replace(
        round_,
        invited=invited,
        answered=np.minimum(rng.permutation(round_.answered), invited),
        practice=rng.permutation(round_.practice),
        score=6 - rng.permutation(round_.score),
        agreed=rng.permutation(round_.agreed),
    )


@pytest.mark.parametrize("until", [2, 3, 5])
def test_later_rounds_change_nothing(until):
    """What is computed for a round, constants included, is the same whether later rounds are there, deleted or
    shuffled; in the later assessment too, the labels of that round are those of then."""
    tampered = ROUNDS[:until] + [shuffled(round_, seed) for seed, round_ in enumerate(ROUNDS[until:])]
    constants = refit(ROUNDS[: until - 1])
    assert refit(tampered[: until - 1]) == constants
    then = assess(ROUNDS[:until], constants, invited_next=INVITED)
    same(then, assess(tampered[:until], constants, invited_next=INVITED))
    for later in (ROUNDS, tampered):
        history = assess(later, constants, invited_next=INVITED).history
        np.testing.assert_array_equal(history[:, :until], then.history)


def test_the_last_round_does_change_something():
    """Shuffling the last round itself moves the assessment: the leakage test compares what can differ."""
    one = assess(ROUNDS, invited_next=INVITED)
    other = assess([*ROUNDS[:-1], shuffled(ROUNDS[-1], 1)], invited_next=INVITED)
    assert np.abs(one.engagement - other.engagement).max() > 0.1


def test_the_order_of_practices_changes_nothing():
    """Practices in another order get the same figures, ranks and intervals."""
    order = np.random.default_rng(2).permutation(len(INVITED))
    other = assess([permuted(round_, order) for round_ in ROUNDS], invited_next=INVITED[order])
    same(assess(ROUNDS, invited_next=INVITED), other, order)


def test_the_order_of_answers_changes_nothing():
    """The rows of a round in another order give the same assessment."""
    rng = np.random.default_rng(3)
    mixed = []
    for round_ in ROUNDS:
        order = rng.permutation(len(round_.practice))
        rows = {name: getattr(round_, name)[order] for name in ("practice", "score", "leader", "agreed")}
        mixed.append(replace(round_, **rows))
    same(assess(ROUNDS, invited_next=INVITED), assess(mixed, invited_next=INVITED))


def test_before_two_rounds_nothing_is_said():
    """After one round every figure is missing; after two and three it is provisional, after four no longer."""
    first = assess(ROUNDS[:1], invited_next=INVITED)
    row = first.row(0)
    assert not first.usable and first.provisional
    assert all(row[name] is None for name in ("segment", "p_silent_next", "engagement", "forecast", "rank"))
    assert row["evidence"] in ("agreed", "locality:L1", "locality:L2", "locality:L3")
    assert np.isnan(first.engagement).all() and (first.history == -1).all()
    said = [assess(ROUNDS[:t], invited_next=INVITED) for t in (2, 3, 4)]
    assert [each.usable for each in said] == [True] * 3
    assert [each.provisional for each in said] == [True, True, False]
    assert said[0].transitions is None and said[1].transitions is not None


def test_a_closed_practice_is_not_spoken_of_and_an_opened_one_is():
    """A practice that closed has no figures and no rank; one that opened last round has, at little certainty."""
    count = len(INVITED)
    closed, opened = np.arange(count) == 3, np.arange(count) == 4
    rounds = []
    for t, round_ in enumerate(ROUNDS):
        away = (closed & (t >= 4)) | (opened & (t < 5))
        keep = ~away[round_.practice]
        rounds.append(
            replace(
                round_,
                invited=np.where(away, 0, round_.invited),
                answered=np.where(away, 0, round_.answered),
                open=~away,
                practice=round_.practice[keep],
                score=round_.score[keep],
                leader=round_.leader[keep],
                agreed=round_.agreed[keep],
            )
        )
    found = assess(rounds, invited_next=np.where(closed, 0, INVITED))
    assert found.row(3)["segment"] is None and found.rank[3] == 0 and np.isnan(found.engagement[3])
    assert found.history[3, 3] >= 0 and found.history[3, 4] == -1
    assert found.row(4)["segment"] in SEGMENTS and list(found.history[4, :5]) == [-1] * 5
    assert found.now.sd[4, 1] > np.median(found.now.sd[:, 1])
    assert found.rank[found.rank > 0].max() <= count - 1 and found.transitions.raw.sum() == count - 2


def test_undeliverable_mail_is_not_silence():
    """A practice whose every message bounced keeps its forecast, one that was silent falls, and the first has no
    probability of silence while nobody can be reached."""
    practice = int(np.argmax(ROUNDS[-1].answered))
    last = ROUNDS[-1]
    keep = last.practice != practice
    rows = {name: getattr(last, name)[keep] for name in ("practice", "score", "leader", "agreed")}
    here = np.arange(len(INVITED)) == practice
    silent = replace(last, answered=np.where(here, 0, last.answered), **rows)
    bounced = replace(silent, invited=np.where(here, 0, last.invited))
    one = assess([*ROUNDS[:-1], silent], invited_next=INVITED)
    other = assess([*ROUNDS[:-1], bounced], invited_next=np.where(here, 0, INVITED))
    assert one.engagement[practice] < other.engagement[practice] - 0.2
    assert one.p_silent_next[practice] > 0 and other.row(practice)["p_silent_next"] is None
    assert other.row(practice)["segment"] is not None


@pytest.mark.parametrize("answering", [0, 1], ids=["nobody", "everybody"])
@pytest.mark.parametrize("practices", [1, 3])
@pytest.mark.parametrize("tier", [PRACTICE_VIEW, "confidential"])
def test_the_edges_are_defined(answering, practices, tier):
    """One practice or a few, with nobody or everybody answering, in either tier: every figure is there."""
    practice = np.arange(practices * answering)
    round_ = RoundAnswers(
        tier=tier,
        threshold=5,
        invited=np.ones(practices),
        answered=np.full(practices, answering),
        open=np.ones(practices, bool),
        groups={"locality": ["A"] * practices},
        practice=practice,
        score=np.full(len(practice), 4.0),
        leader=practice == 0,
        agreed=practice >= 0,
    )
    found = assess([round_] * 4, refit([round_] * 3), invited_next=np.ones(practices))
    assert np.isfinite(found.engagement).all() and np.isfinite(found.p_silent_next).all()
    assert (found.rank_low >= 1).all() and (found.rank_high <= practices).all()
    assert all(found.row(i)["segment"] in SEGMENTS for i in range(practices))
    own = "practice" if tier == PRACTICE_VIEW else "agreed"
    assert set(found.evidence) == {own if answering else "body"}


def test_labels_held_are_those_that_were_released():
    """Where the labels of the release before are handed in, they are what sticks, and movement counts from them."""
    held = np.full(len(INVITED), SEGMENTS.index("champion"))
    found = assess(ROUNDS, invited_next=INVITED, held=held)
    unclear = found.probability < 0.6
    assert unclear.any() and (found.labels[unclear] == held[0]).all()
    assert (found.labels[~unclear] == found.leading[~unclear]).all()
    assert found.transitions.raw[held[0]].sum() == len(INVITED)


def test_rows_are_printed_in_steps():
    """Probabilities are printed to 0.05, engagement and attitude to 0.1, as plain numbers; ranks as a range."""
    found = assess(ROUNDS, refit(ROUNDS[:-1]), invited_next=INVITED)
    for i in range(len(INVITED)):
        row = found.row(i)
        for name in ("p_silent_next", "segment_probability"):
            assert row[name] == round(round(row[name] * 20) / 20, 2) and 0 <= row[name] <= 1
        assert row["engagement"] == round(row["engagement"], 1) and type(row["engagement"]) is float
        assert abs(row["engagement"] - found.engagement[i]) <= 0.0501
        assert set(row["forecast"]) == {"attitude", "participation"}
        low, high = row["rank"]
        assert 1 <= low <= found.rank[i] <= high <= len(INVITED)
    lowest = int(np.argmin(found.engagement))
    assert found.rank[lowest] == 1


def test_the_rank_interval_holds_the_true_rank_about_as_often_as_it_says():
    """Over bodies drawn afresh, the 90% interval of the rank by attitude and participation holds the rank of the truth
    in 80 to 97% of practices."""
    inside = []
    for seed in range(300, 312):
        body = worlds.body("continuum", seed)
        constants = refit(body.rounds[:6])
        found = assess(body.agreeing(1)[:7], constants, invited_next=body.rounds[7].invited)
        q = body.truth.probability[:, 7] - found.next.share
        omega = min(max(constants.c / 0.4, 0), 1)
        truth = body.truth.attitude[:, 7] / np.sqrt(constants.v_a) + omega * q / np.sqrt(constants.v_q)
        rank = truth.argsort().argsort() + 1
        inside.append(((found.rank_low <= rank) & (rank <= found.rank_high)).mean())
    assert 0.80 <= np.mean(inside) <= 0.97


def test_invitations_that_do_not_fit_are_refused():
    """Invitations for other practices are an error."""
    with pytest.raises(ValueError, match="one number per practice"):
        assess(ROUNDS, invited_next=[1, 2])


def test_constants_are_learnt_rounded_and_from_the_body():
    """Two rounds teach all constants, one only the gap and the variance between members; what is in force is rounded."""
    one, many = refit(ROUNDS[:1]), refit(ROUNDS)
    assert (one.phi_a, one.c, one.rounds) == (0.92, 0.4, 1) and one.c_low is None
    assert many.rounds == 6 and many == many.rounded() and many.c_low < many.c < many.c_high
    assert many.s2 != SHIPPED.s2


def test_a_large_body_is_assessed():
    """Two thousand practices over four rounds go through the whole of it, with every figure there."""
    body = worlds.body("tiny", 1, practices=2_000, rounds=4)
    found = assess(body.agreeing(0.3), refit(body.rounds[:3]), invited_next=body.rounds[3].invited)
    assert np.isfinite(found.engagement).all() and (found.rank_low <= found.rank_high).all()
