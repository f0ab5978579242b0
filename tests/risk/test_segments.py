"""Published rules over draws: probabilities, sticky labels, movement, and the words for them."""

import numpy as np
import pytest

from engagement.risk.segments import (
    CHAMPION,
    CRITICAL,
    SEGMENTS,
    STEADY,
    WITHDRAWN,
    EngagementSegments,
    Rules,
    correlation_sentence,
    rule_in_words,
    segment_sentence,
    transitions,
)

WORDS = {"body": "network", "practice": "surgery"}
# A point in the middle of each segment.
MIDDLE = {WITHDRAWN: (-1.0, 0.1), CRITICAL: (-1.0, 0.6), CHAMPION: (1.0, 0.8), STEADY: (0.0, 0.6)}


def draws(*shares):
    """Draws of practices: each a mapping from segment to its share of ten draws."""
    rows = [[MIDDLE[name] for name, tenths in one.items() for _ in range(tenths)] for one in shares]
    return np.array(rows, float)


def test_the_first_rule_that_fits_names_the_segment():
    """Each rule holds strictly beyond its limit, and being withdrawn goes before any attitude."""
    attitude = np.array([-2, 2, -0.36, -0.35, 0.26, 0.25, 0.26])
    probability = np.array([0.29, 0.29, 0.30, 0.30, 0.51, 0.9, 0.50])
    names = [SEGMENTS[place] for place in Rules().segment(attitude, probability)]
    assert names == [WITHDRAWN, WITHDRAWN, CRITICAL, STEADY, CHAMPION, STEADY, STEADY]


def test_probabilities_are_shares_of_draws():
    """A practice's probabilities are its shares of draws, sum to 1, and do not depend on the other practices."""
    X = draws({WITHDRAWN: 7, STEADY: 3}, {CHAMPION: 10})
    found = EngagementSegments().fit(X)
    np.testing.assert_allclose(found.probabilities_, [[0.7, 0, 0, 0.3], [0, 0, 1, 0]])
    np.testing.assert_allclose(found.predict_proba(X[1:]), found.probabilities_[1:])
    assert list(found.labels_) == list(found.leading_) == [0, 2] and list(found.probability_) == [0.7, 1.0]


def test_labels_are_sticky():
    """The label held stays until another reaches .60; below that it is not clear, or moving where the leading is new."""
    X = draws(
        {WITHDRAWN: 6, STEADY: 4},
        {WITHDRAWN: 5, STEADY: 4, CRITICAL: 1},
        {WITHDRAWN: 4, STEADY: 5, CRITICAL: 1},
        {WITHDRAWN: 5, STEADY: 4, CRITICAL: 1},
    )
    held = np.array([3, 3, 3, -1])
    found = EngagementSegments().fit(X, held=held)
    assert list(found.labels_) == [0, 3, 3, 0]
    assert list(found.clarity_) == ["clear", "moving", "not_clear", "not_clear"]
    assert list(EngagementSegments(Rules(clear=0.45)).fit_predict(X, held=held)) == [0, 0, 3, 0]


def test_movement_is_counted_twice():
    """Expected counts come from probabilities, raw ones from labels; practices not there in both rounds are left out."""
    before = np.array([[1, 0, 0, 0], [0.5, 0, 0, 0.5], [0, 0, 1, 0]])
    after = np.array([[0, 0, 0, 1], [0.5, 0.5, 0, 0.0], [0, 0, 1, 0]])
    found = transitions(before, after, np.array([0, 3, -1]), np.array([3, 0, 2]))
    assert found.raw.sum() == 2 and found.raw[0, 3] == found.raw[3, 0] == 1
    np.testing.assert_allclose(found.expected[[0, 3]], [[0.25, 0.25, 0, 1], [0.25, 0.25, 0, 0]])
    assert found.expected.sum() == pytest.approx(2)


def test_it_is_a_clusterer():
    """scikit-learn takes it for a clusterer, clones it, and reads its labels."""
    from sklearn.base import clone, is_clusterer

    model = EngagementSegments(Rules(clear=0.7))
    assert is_clusterer(model) and clone(model).rules == model.rules
    assert list(model.fit_predict(draws({STEADY: 10}))) == [3]


def test_draws_of_another_shape_are_refused():
    """Points without draws, and labels for other practices, are errors that say what is wanted."""
    with pytest.raises(ValueError, match="practices, draws, 2"):
        EngagementSegments().fit(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="one per practice"):
        EngagementSegments().fit(draws({STEADY: 10}), held=np.array([1, 2]))
    assert EngagementSegments().fit(np.zeros((0, 4, 2))).labels_.shape == (0,)


def test_the_words_are_the_bodys():
    """Rules and reasons use the body's words, name the evidence, and never a count or an answer."""
    for name in SEGMENTS:
        text = rule_in_words(name, WORDS)
        assert "CCG" not in text and ("surgery" in text or "network" in text) and text.endswith(".")
    clear = segment_sentence(WITHDRAWN, "clear", 0.83, "locality:L1", WORDS)
    assert clear.startswith("Withdrawn") and "85%" in clear and "larger group" in clear and "L1" not in clear
    assert "“steady” is now the likeliest" in segment_sentence(STEADY, "moving", 0.52, "agreed", WORDS)
    assert segment_sentence(CRITICAL, "not_clear", 0.4, "body", WORDS).startswith("Not clear")
    assert "answers of this surgery" in segment_sentence(CHAMPION, "clear", 0.9, "practice", WORDS)


def test_what_silence_says_is_put_in_words():
    """The learnt correlation is said in words with its interval, and as saying little where it is near 0."""
    assert correlation_sentence(0.5, 0.2, 0.7, WORDS) == (
        "In this network, silence goes with low ownership (r = 0.5, 95% interval 0.2 to 0.7)."
    )
    assert "says little about attitude (r = 0.1, 95% interval −0.2 to 0.4)" in correlation_sentence(
        0.1, -0.2, 0.4, WORDS
    )
    assert correlation_sentence(-0.4, None, None, WORDS).endswith("goes with high ownership (r = −0.4).")
