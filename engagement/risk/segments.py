"""Segments: published rules on attitude and participation, with the probability that each applies.

The rules are cuts of a continuum, chosen for what one would do, not types that were found. They are the same for
every body and can be printed in full. Uncertainty comes from the filter's draws; labels are sticky, so that a
practice moves when something is known and not when a threshold is brushed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engagement.risk.estimator import Estimator

WITHDRAWN, CRITICAL, CHAMPION, STEADY = SEGMENTS = ("withdrawn", "critical", "champion", "steady")
CLEAR, NOT_CLEAR, MOVING = "clear", "not_clear", "moving"
NONE = -1


@dataclass(frozen=True)
class Rules:
    """The published rules; the first that fits names the segment.

    `withdrawn_below`: probability that a member answers. `critical_below`, `champion_above`: points of the scale from
    the body's mean. `champion_answers_above`: probability again. `clear`: the share of draws that makes a segment clear.
    """

    withdrawn_below: float = 0.30
    critical_below: float = -0.35
    champion_above: float = 0.25
    champion_answers_above: float = 0.50
    clear: float = 0.60

    def segment(self, attitude: np.ndarray, probability: np.ndarray) -> np.ndarray:
        """Places in `SEGMENTS`, of the shape that the two share."""
        return np.select(
            [
                probability < self.withdrawn_below,
                attitude < self.critical_below,
                (attitude > self.champion_above) & (probability > self.champion_answers_above),
            ],
            [0, 1, 2],
            default=3,
        )


RULES = Rules()


class EngagementSegments(Estimator):
    """The rules over draws, as a clusterer in scikit-learn's style (it has what `ClusterMixin` brings).

    Parameter: `rules`. `fit(draws, held=...)` learns, for P practices:

    `probabilities_`: (P, 4), share of draws in each segment, in the order of `SEGMENTS`.
    `leading_`: (P,), the likeliest. `probability_`: (P,), its share of draws.
    `labels_`: (P,), the sticky label: the one held, until another reaches the clear share.
    `clarity_`: (P,) texts: "clear", "not_clear" below the clear share, "moving" where besides the leading is new.

    Say "probability of this segment by rule", not "of being of this type".
    """

    _estimator_type = "clusterer"

    def __init__(self, rules: Rules = RULES) -> None:
        self.rules = rules

    def fit(self, X: np.ndarray, y: None = None, *, held: np.ndarray | None = None) -> EngagementSegments:
        """Label practices by their draws of (attitude, probability that a member answers), X of shape (P, draws, 2).

        `held`: (P,) labels of the round before, -1 where a practice had none; none at all where left out. Returns
        itself. Raises ValueError for arrays of other shapes.
        """
        self.probabilities_ = self.predict_proba(X)
        self.leading_ = self.probabilities_.argmax(axis=1)
        self.probability_ = self.probabilities_.max(axis=1, initial=0)
        held = np.full(len(self.leading_), NONE) if held is None else np.asarray(held, np.int64)
        if held.shape != self.leading_.shape:
            raise ValueError("Labels held must be one per practice.")
        clear = self.probability_ >= self.rules.clear
        self.labels_ = np.where(clear | (held == NONE), self.leading_, held)
        new = (held != NONE) & (self.leading_ != held)
        self.clarity_ = np.where(clear, CLEAR, np.where(new, MOVING, NOT_CLEAR)).astype(object)
        return self

    def fit_predict(self, X: np.ndarray, y: None = None, *, held: np.ndarray | None = None) -> np.ndarray:
        """The sticky labels of `fit`."""
        return self.fit(X, held=held).labels_

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Share of draws in each segment, (P, 4)."""
        X = np.asarray(X, float)
        if X.ndim != 3 or X.shape[2] != 2 or not X.shape[1]:
            raise ValueError("Draws have the shape (practices, draws, 2): attitude and probability.")
        segment = self.rules.segment(X[:, :, 0], X[:, :, 1])
        return np.stack([(segment == place).mean(axis=1) for place in range(len(SEGMENTS))], axis=1)

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn asks of a clusterer; it is imported only when it asks."""
        from sklearn.utils import InputTags, Tags, TargetTags

        return Tags(
            estimator_type="clusterer",
            target_tags=TargetTags(required=False),
            input_tags=InputTags(two_d_array=False, three_d_array=True),
        )


@dataclass(frozen=True, eq=False)
class Transitions:
    """Movement of practices between two rounds, each (4, 4): from row to column, in the order of `SEGMENTS`.

    `expected`: from the probabilities, which a practice on a boundary enters in parts. `raw`: of the sticky labels.
    """

    expected: np.ndarray
    raw: np.ndarray


def transitions(
    before: np.ndarray, after: np.ndarray, labels_before: np.ndarray, labels_after: np.ndarray
) -> Transitions:
    """Count movements. `before`, `after`: (P, 4) probabilities; the labels (P,), -1 for a practice that was not there.

    The two rounds' draws are taken as independent, so the expected counts overstate movement; the raw ones understate
    it, as sticky labels wait.
    """
    both = (labels_before != NONE) & (labels_after != NONE)
    raw = np.zeros((len(SEGMENTS), len(SEGMENTS)), np.int64)
    np.add.at(raw, (labels_before[both], labels_after[both]), 1)
    return Transitions(before[both].T @ after[both], raw)


# --- words ------------------------------------------------------------------------------------------------------

NAMES = {WITHDRAWN: "Withdrawn", CRITICAL: "Critical but vocal", CHAMPION: "Champion", STEADY: "Steady"}
ACTIONS = {
    WITHDRAWN: "Visit, check the contact details, ask fewer questions.",
    CRITICAL: "Answer open asks, invite to a working group.",
    CHAMPION: "Ask to be a buddy for others.",
    STEADY: "Bring together with its peer group.",
}


def rule_in_words(segment: str, words: Mapping[str, str], rules: Rules = RULES) -> str:
    """The rule of a segment as the page prints it. `words`: the body's, with "body" and "practice"."""
    body, practice = words["body"], words["practice"]
    text = {
        WITHDRAWN: f"A member of this {practice} would answer with a probability below {rules.withdrawn_below:.0%}.",
        CRITICAL: f"The {practice} answers, and its attitude lies more than {-rules.critical_below:g} points "
        f"below the mean of this {body}.",
        CHAMPION: f"Its attitude lies more than {rules.champion_above:g} points above the mean of this {body}, and "
        f"a member answers with a probability above {rules.champion_answers_above:.0%}.",
        STEADY: f"None of the other rules fits this {practice}.",
    }
    return text[segment]


def segment_sentence(
    segment: str, clarity: str, probability: float, evidence: str, words: Mapping[str, str]
) -> str:
    """One sentence on where a practice stands and what that rests on, without any answer or count.

    `segment`: the leading one; `clarity`, `probability`, `evidence` as the assessment has them. Plain text.
    """
    practice, body = words["practice"], words["body"]
    rests = {
        "practice": f"answers of this {practice}",
        "agreed": f"answers that people of this {practice} let count towards its position",
        "body": f"who took part, and the mean of the whole {body}",
    }.get(evidence, f"who took part, and the mean of a larger group that this {practice} belongs to")
    share = f"{round(probability * 20) * 5}%"
    name = NAMES[segment].lower()
    if clarity == CLEAR:
        return (
            f"{NAMES[segment]}, with a probability of {share} by the published rule; this rests on {rests}."
        )
    if clarity == MOVING:
        return f"Moving: “{name}” is now the likeliest segment, at {share}, too little to change the label; this rests on {rests}."
    return f"Not clear: “{name}” is the likeliest segment, at {share}; this rests on {rests}."


def correlation_sentence(c: float, low: float | None, high: float | None, words: Mapping[str, str]) -> str:
    """What silence says about attitude in this body, with the correlation and its interval where it was learnt."""
    figure = (
        f"r = {c:.1f}"
        if low is None or high is None
        else f"r = {c:.1f}, 95% interval {low:.1f} to {high:.1f}"
    )
    figure = figure.replace("-", "−")
    body = words["body"]
    if abs(c) < 0.15:
        return f"In this {body}, silence says little about attitude ({figure})."
    goes = "low" if c > 0 else "high"
    return f"In this {body}, silence goes with {goes} ownership ({figure})."
