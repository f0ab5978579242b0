"""What may be known of a practice's attitude: whose answers count towards it, and which group speaks where none do.

A practice's own answers count in a practice view, where their authors agreed, or where at least the threshold of
people of that practice answered. Otherwise its attitude is that of the smallest planned group that clears the
threshold. The choice depends on counts and ticks, never on what was answered.

The construction: attitude = level of the group + deviation of the practice. The level is estimated from all answers
of the group, its mean to 0.1, and is one and the same for all its practices. The deviation is estimated from
participation and from countable answers only, which are set against the group's countable answers, never against
all of them: where too few count in the group, against the body's, and where too few count there, against the body's
mean at the release before. So an answer that does not count moves every practice of a group alike, whatever the
practice's own evidence. What else all answers enter (the leader gap, the variance between members, the filter's
constants) comes from the release before, rounded; see `engagement.risk.filter.Constants`.

Pure: arrays in, frozen dataclasses out. Practices are numbered 0 to P-1, the same in every round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from engagement.risk.filter import Constants, Panel

PRACTICE_VIEW, CONFIDENTIAL, ANONYMOUS = TIERS = "practice-view", "confidential", "anonymous"
PRACTICE, AGREED, BODY = "practice", "agreed", "body"
# So many countable answers, in so many practices, make a mean to set others against; a group needs as many practices.
FEWEST_COUNTABLE = 10
FEWEST_PRACTICES = 3
# Below so many degrees of freedom the variance between members is not estimated.
_FEWEST_DF = 6
# Below so much information on the leader gap (a leader beside one other is a half) it is not estimated.
_FEWEST_PAIRS = 5


@dataclass(frozen=True, eq=False)
class RoundAnswers:
    """One closed round: what each of P practices was asked and what m people answered.

    `tier`: of `TIERS`; `threshold`: answers that a group needs. `invited`, (P,): members in standing whose invitation
    could be delivered; `answered`, (P,): how many of them answered; both 0 in an anonymous round unless the promise
    keeps them. `open`, (P,): practices that were members at its close; one whose every message bounced is open with
    nobody invited. `groups`: for each kind of planned group ("locality", "network") the id of each practice's group,
    (P,) texts, "" for none.

    One row a respondent, (m,): `practice`, 0 to P-1, -1 where the answer carries none; `score`, the mean of the items
    answered, 1 to 5, favourable high, NaN where none was; `leader`; `agreed`, whether their answers may count
    towards the practice's position.

    Raises ValueError for arrays that do not fit together, and for a tier that is none.
    """

    tier: str
    threshold: int
    invited: np.ndarray
    answered: np.ndarray
    open: np.ndarray
    groups: Mapping[str, Sequence[str]]
    practice: np.ndarray
    score: np.ndarray
    leader: np.ndarray
    agreed: np.ndarray

    def __post_init__(self) -> None:
        kinds = {"invited": float, "answered": float, "practice": np.int64, "score": float}
        for name, kind in (kinds | dict.fromkeys(("open", "leader", "agreed"), bool)).items():
            object.__setattr__(self, name, np.asarray(getattr(self, name), kind))
        count, rows = self.invited.shape, self.practice.shape
        if self.tier not in TIERS:
            raise ValueError(f"A round's tier is one of {', '.join(TIERS)}.")
        if len(count) != 1 or not count == self.answered.shape == self.open.shape:
            raise ValueError("Invited, answered and open must be flat, one number per practice.")
        if len(rows) != 1 or any(array.shape != rows for array in (self.score, self.leader, self.agreed)):
            raise ValueError("Practice, score, leader and agreed must be flat, one row per respondent.")
        if any(len(ids) != count[0] for ids in self.groups.values()):
            raise ValueError("Each kind of group must name one group per practice, or an empty text.")
        if self.practice.max(initial=-1) >= count[0] or self.practice.min(initial=-1) < -1:
            raise ValueError(f"A respondent's practice must lie between 0 and {count[0] - 1}, or be -1.")

    @property
    def practices(self) -> int:
        """Number of practices."""
        return len(self.invited)

    @property
    def scored(self) -> np.ndarray:
        """Rows whose answer has a score and a practice, (m,) truth values."""
        return np.isfinite(self.score) & (self.practice >= 0) & (self.tier != ANONYMOUS)


def member_scores(items: ArrayLike) -> np.ndarray:
    """Each respondent's mean over the items answered, shape (m,); NaN where none was.

    `items`: (m, items) from 1 to 5, reverse-worded items already turned round, NaN where not answered.
    """
    items = np.asarray(items, float)
    answered = np.isfinite(items)
    with np.errstate(invalid="ignore"):
        return np.where(answered, items, 0).sum(axis=1) / answered.sum(axis=1)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Whose answers speak for each practice in one round.

    `labels`, (P,) texts: "practice", "agreed", or the group as "kind:id", or "body". `group`, (P,) texts: the group
    whose level the practice shares, whatever its own evidence. `countable`, (m,): rows that count.
    """

    labels: np.ndarray
    group: np.ndarray
    countable: np.ndarray


def decide(round_: RoundAnswers, *, centre_known: bool = True) -> Evidence:
    """Choose each practice's evidence, by counts and ticks only.

    A practice whose answers count in full is "practice"; one in which only those who agreed count is "agreed".
    A group speaks that holds at least `threshold` scored answers from three practices or more, none of them with more
    than half; of several the one with the fewest answers, ties by the name of its kind. In both cases all other answers
    of the body must be none or at least `threshold` too: else the body's mean less this one would speak for the few.
    In a practice view every answer counts and the body is the one group.

    `centre_known`: whether a release before left the body's mean. Without it, answers that count in too few places to
    be set against each other (ten, in three practices) cannot be set against anything, and do not count.
    """
    scored, count = round_.scored, round_.practices
    own = np.bincount(round_.practice[scored], minlength=count)
    group = np.full(count, BODY, dtype=object)
    if round_.tier == PRACTICE_VIEW:
        countable, in_full = scored, np.ones(count, bool)
    else:
        in_full = _clear(own, own.sum(), round_.threshold)
        countable = scored & (round_.agreed | in_full[round_.practice])
        if not centre_known and not _comparable(np.bincount(round_.practice[countable], minlength=count)):
            countable = np.zeros_like(countable)
        fewest = np.full(count, np.inf)
        for kind in sorted(round_.groups):
            names, code = _codes(round_.groups[kind])
            answers, speaks = _speaking(own, code, len(names), round_.threshold)
            better = (code >= 0) & speaks[code] & (answers[code] < fewest)
            fewest[better] = answers[code[better]]
            group[better] = [f"{kind}:{names[c]}" for c in code[better]]
    counting = np.bincount(round_.practice[countable], minlength=count) > 0
    labels = np.where(counting & in_full, PRACTICE, np.where(counting, AGREED, group))
    return Evidence(labels.astype(object), group, countable)


def _comparable(counted: np.ndarray) -> bool:
    """Whether answers that count, by practice, are enough for a mean that others are set against."""
    return counted.sum() >= FEWEST_COUNTABLE and (counted > 0).sum() >= FEWEST_PRACTICES


def _codes(ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Names of the groups of a kind, and each practice's place among them; -1 for none."""
    names, code = np.unique(np.asarray(ids, dtype=str), return_inverse=True)
    code = code.ravel()
    return names, np.where(names[code] == "", -1, code)


def _speaking(
    own: np.ndarray, code: np.ndarray, groups: int, threshold: int
) -> tuple[np.ndarray, np.ndarray]:
    """Answers of each group of a kind, and whether its mean may be used, each (groups,)."""
    inside = code >= 0
    answers = np.bincount(code[inside], own[inside], groups)
    practices = np.bincount(code[inside], own[inside] > 0, groups)
    largest = np.zeros(groups)
    np.maximum.at(largest, code[inside], own[inside])
    clear = _clear(answers, own.sum(), threshold)
    return answers, clear & (practices >= FEWEST_PRACTICES) & (2 * largest <= answers)


def _clear(answers: np.ndarray, total: int, threshold: int) -> np.ndarray:
    """Whether these answers are enough, and all others of the body none or enough as well."""
    rest = total - answers
    return (answers >= threshold) & ((rest == 0) | (rest >= threshold))


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the filters read, T rounds.

    `deviations`: panel of the practices, (P, T): participation, and means of countable answers less the group's.
    `levels`: panel of the groups, (G, T), without participation; `groups`: their names. `group_at`, (P, T): the place of
    each practice's group among them, -1 for the body, whose level is 0. `centres`, (T,): the body's mean score by
    round, leader-adjusted: a change everywhere shows there and nowhere else. `evidence`: of each round.
    """

    deviations: Panel
    levels: Panel
    groups: tuple[str, ...]
    group_at: np.ndarray
    centres: np.ndarray
    evidence: tuple[Evidence, ...]


def inputs(rounds: Sequence[RoundAnswers], constants: Constants) -> Inputs:
    """Turn rounds, oldest first, into the filters' inputs, with the leader gap of the constants in force.

    Raises ValueError for no rounds, or rounds with different numbers of practices.
    """
    _check(rounds)
    evidence = tuple(decide(round_, centre_known=constants.centre is not None) for round_ in rounds)
    groups = tuple(sorted({name for each in evidence for name in each.group} - {BODY}))
    place = {name: number for number, name in enumerate(groups)} | {BODY: -1}
    count, length = rounds[0].practices, len(rounds)
    own_n, own_mean = np.zeros((2, count, length))
    level_n, level_mean = np.zeros((2, len(groups), length))
    group_at, centres = np.full((count, length), -1), np.full(length, np.nan)
    for t, (round_, each) in enumerate(zip(rounds, evidence, strict=True)):
        score = _adjusted(round_, constants.leader_gap)
        centres[t] = _centre(round_, score)
        at = group_at[:, t] = np.array([place[name] for name in each.group], np.int64)
        own_n[:, t], own_mean[:, t] = _means(round_.practice, score, each.countable, count)
        own_mean[:, t] -= _yardsticks(round_, score, each.countable, at, constants.centre)
        level_n[:, t], mean = _means(at[round_.practice], score, round_.scored, len(groups))
        # To 0.1, as a group's mean is counted among what was published: nothing finer of it goes on from here.
        level_mean[:, t] = _tenths(mean) - _tenths(np.nan_to_num(centres[t]))
    return Inputs(
        deviations=Panel(*_participation(rounds), own_n, np.where(own_n > 0, own_mean, np.nan)),
        levels=Panel(*np.zeros((2, len(groups), length)), level_n, np.where(level_n > 0, level_mean, np.nan)),
        groups=groups,
        group_at=group_at,
        centres=centres,
        evidence=evidence,
    )


def _yardsticks(
    round_: RoundAnswers, score: np.ndarray, countable: np.ndarray, at: np.ndarray, centre: float | None
) -> np.ndarray:
    """The mean that each practice's countable answers are set against, (P,): of the countable answers of its group;
    of the body's, where those are too few; the body's mean at the release before, where these are too few too."""
    n, mean = _means(round_.practice, score, countable, round_.practices)
    whole = round_.tier == PRACTICE_VIEW or _comparable(n)
    body = (n @ mean) / max(n.sum(), 1) if whole else centre or 0.0
    found = np.full(len(n), body)
    for group in np.unique(at[at >= 0]):
        inside = at == group
        if _comparable(n[inside]):
            found[inside] = (n[inside] @ mean[inside]) / n[inside].sum()
    return found


def sealed_panel(rounds: Sequence[RoundAnswers], constants: Constants) -> Panel:
    """All answers by practice, whoever agreed, (P, T): for learning the body's constants inside the sealed store, and
    for nothing that speaks of a practice."""
    _check(rounds)
    n, mean = np.zeros((2, rounds[0].practices, len(rounds)))
    for t, round_ in enumerate(rounds):
        score = _adjusted(round_, constants.leader_gap)
        n[:, t], means = _means(round_.practice, score, round_.scored, round_.practices)
        mean[:, t] = means - np.nan_to_num(_centre(round_, score))
    return Panel(*_participation(rounds), n, mean)


def leader_gap(rounds: Sequence[RoundAnswers], otherwise: float) -> float:
    """Points by which leaders answer above others of their practice in the same round; `otherwise` where too few
    practices hold both.

    Within practices, because leaders sit in practices unlike the others, and answer more often where others are
    silent: plain means of the two arms understate the gap.
    """
    cross, information = 0.0, 0.0
    for round_ in rounds:
        rows = round_.scored
        practice, score, leader = round_.practice[rows], round_.score[rows], round_.leader[rows].astype(float)
        everybody = np.ones(len(score), bool)
        _, mean_score = _means(practice, score, everybody, round_.practices)
        _, mean_leader = _means(practice, leader, everybody, round_.practices)
        apart = leader - mean_leader[practice]
        cross += float((apart * (score - mean_score[practice])).sum())
        information += float((apart**2).sum())
    return cross / information if information >= _FEWEST_PAIRS else otherwise


def last_centre(rounds: Sequence[RoundAnswers], gap: float) -> float | None:
    """The body's mean score in the last round that has one, leader-adjusted; None where none has."""
    centres = [_centre(round_, _adjusted(round_, gap)) for round_ in rounds]
    return next((centre for centre in reversed(centres) if np.isfinite(centre)), None)


def variance_within(rounds: Sequence[RoundAnswers], gap: float) -> float | None:
    """Pooled variance between members of one practice in one round, squared points; None below six degrees of
    freedom, as always in a practice view."""
    squares, freedom = 0.0, 0
    for round_ in rounds:
        rows = round_.scored
        score, practice = _adjusted(round_, gap)[rows], round_.practice[rows]
        n, mean = _means(practice, score, np.ones(len(score), bool), round_.practices)
        squares += float(((score - mean[practice]) ** 2).sum())
        freedom += int(np.maximum(n - 1, 0).sum())
    return squares / freedom if freedom >= _FEWEST_DF and squares > 0 else None


def _check(rounds: Sequence[RoundAnswers]) -> None:
    if not rounds:
        raise ValueError("There is no round to read.")
    if len({round_.practices for round_ in rounds}) != 1:
        raise ValueError("Every round must list the same practices; one that was not there was not invited.")


def _adjusted(round_: RoundAnswers, gap: float) -> np.ndarray:
    return round_.score - gap * round_.leader


def _centre(round_: RoundAnswers, score: np.ndarray) -> float:
    """Mean of all scores of a round: of the practices' people, of everybody where answers carry no practice."""
    rows = np.isfinite(score) & ((round_.practice >= 0) | (round_.tier == ANONYMOUS))
    return float(score[rows].mean()) if rows.any() else np.nan


def _participation(rounds: Sequence[RoundAnswers]) -> tuple[np.ndarray, np.ndarray]:
    return np.stack([r.invited for r in rounds], axis=1), np.stack([r.answered for r in rounds], axis=1)


def _tenths(points: np.ndarray) -> np.ndarray:
    """Rounded to 0.1, ties upwards; a tie is one also where rounding error left it a hair below."""
    return np.floor(10 * points + 0.5 + 1e-6) / 10


def _means(code: np.ndarray, score: np.ndarray, rows: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Number and mean of the scores of some rows by code, each (size,); codes below 0 are left out, an empty mean is 0."""
    rows = rows & (code >= 0)
    n = np.bincount(code[rows], minlength=size)
    return n, np.bincount(code[rows], score[rows], size) / np.maximum(n, 1)
