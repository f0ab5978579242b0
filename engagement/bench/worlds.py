"""Invented bodies whose truth is known: for the bench of risk and for tests. The product never reads the truth.

People are simulated, not practices: they belong to practices with rosters of 1 to 12, join and leave, answer or
not, agree or not that their answers count, and answer eight items from 1 to 5. Leaders answer above others, localities
differ a little, some messages bounce, and everybody's attitude sinks a little each round.

Worlds: "groups": practices are of four types and change type now and then. "continuum": nothing but a latent engagement
that shows in attitude and participation. "trajectories": the same, with practices that sink, recover or take a
knock. "tiny": the continuum with rosters of 1 to 3. "unrelated": silence says nothing of attitude.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from engagement.risk.evidence import CONFIDENTIAL, RoundAnswers, member_scores
from engagement.risk.segments import RULES

ITEMS = 8
LARGEST = 12
LOCALITY = 13
THRESHOLD = 10
# Correlation of a practice with itself from one round to the next: .84 over a year of two rounds, .5 over four.
LASTS = 0.917
_CENTRE, _TREND, _LEADER_GAP = 3.3, -0.04, 0.7
# How easily each item is agreed to; standard deviations of a person's day and of one answer.
_EASINESS, _MOOD, _WOBBLE = np.linspace(-0.3, 0.3, ITEMS), 0.25, 0.8
# Visits make nobody certain to answer.
_MOST_LIKELY = 0.99


@dataclass(frozen=True, eq=False)
class Truth:
    """What nobody can observe, each (practices, rounds): `attitude`, points from the body's mean; `probability` that a
    member answers; `disengaged`; `segment`, by type where there are types, by rule elsewhere."""

    attitude: np.ndarray
    probability: np.ndarray
    disengaged: np.ndarray
    segment: np.ndarray


@dataclass(frozen=True, eq=False)
class Body:
    """An invented body: its rounds as the product would see them if nobody agreed, each respondent's place in the
    queue of those who would (`willing`, from 0 to 1, one array a round), and the truth. `gain`, (practices, 2): what
    visits before the last round added to the share who answer it and to their score, on average over the practice's
    people; None where nobody was visited."""

    rounds: tuple[RoundAnswers, ...]
    willing: tuple[np.ndarray, ...]
    truth: Truth
    gain: np.ndarray | None = None

    def agreeing(self, share: float) -> tuple[RoundAnswers, ...]:
        """The rounds where this share of people agree that their answers count towards their practice's position.

        Who agrees at a share also agrees at every larger one.
        """
        return tuple(
            replace(round_, agreed=willing < share)
            for round_, willing in zip(self.rounds, self.willing, strict=True)
        )


@dataclass(frozen=True, eq=False)
class Visits:
    """What visits do, each (practices,): `share` is added to the probability that a member answers, `attitude` to what
    members think, in points."""

    share: np.ndarray
    attitude: np.ndarray


def body(
    world: str,
    seed: int,
    practices: int = 40,
    rounds: int = 8,
    visit: Callable[[Body], Visits] | None = None,
) -> Body:
    """Invent a body. The same arguments give the same body. Raises KeyError for a world that is none.

    `visit` is shown the body before its last round and says what visits change in that round; what went before is the
    same, whatever it says.
    """
    rng = np.random.default_rng([seed, *world.encode()])
    truth = WORLDS[world](rng, practices, rounds)
    locality = np.arange(practices) % max(practices // LOCALITY, 1)
    shift = rng.normal(0, 0.15, locality.max() + 1)
    attitude = truth.attitude + (shift - shift.mean())[locality][:, None]
    # Attitude counts from the body's mean of the round, as the product's does; the trend is everybody's.
    truth = replace(truth, attitude=attitude)
    groups = {"locality": [f"L{number + 1}" for number in locality]}
    people = _People.join(rng, (1, 3) if world == "tiny" else (1, LARGEST), practices)
    related = world != "unrelated"
    found, gain = [], None
    for t in range(rounds):
        if t:
            people.turn_over(rng)
        mean, share = _CENTRE + _TREND * t + truth.attitude[:, t], np.zeros(practices)
        if visit and t == rounds - 1:
            done = visit(Body(*zip(*found, strict=True), truth))
            gain = people.gain(mean, truth.probability[:, t], done, related)
            mean, share = mean + done.attitude, done.share
        found.append(people.answer(rng, mean, truth.probability[:, t], groups, related=related, share=share))
    return Body(*zip(*found, strict=True), truth, gain)


def _continuum(rng: np.random.Generator, practices: int, rounds: int) -> Truth:
    engagement = _ar(rng, practices, rounds, LASTS)
    return _shown(rng, engagement, engagement)


def _trajectories(rng: np.random.Generator, practices: int, rounds: int) -> Truth:
    """A third stay as they are; the others sink, recover, or take a knock in one round and get over it slowly."""
    engagement = _ar(rng, practices, rounds, 0.98)
    kind = rng.choice(4, practices, p=(0.34, 0.22, 0.22, 0.22))
    time = np.arange(rounds)
    knock = rng.integers(1, rounds, practices)[:, None]
    since = time - knock
    paths = np.stack(
        [
            np.zeros((practices, rounds)),
            np.broadcast_to(-1.5 * time / max(rounds - 1, 1) + 0.75, (practices, rounds)),
            np.broadcast_to(1.5 * time / max(rounds - 1, 1) - 0.75, (practices, rounds)),
            np.where(since >= 0, -1.6 * 0.75 ** np.maximum(since, 0), 0.3),
        ]
    )
    return _shown(rng, *[0.8 * engagement + paths[kind, np.arange(practices)]] * 2)


def _unrelated(rng: np.random.Generator, practices: int, rounds: int) -> Truth:
    """Taking part is a matter of workload; engagement shows in attitude only."""
    return _shown(rng, _ar(rng, practices, rounds, LASTS), _ar(rng, practices, rounds, LASTS))


def _shown(rng: np.random.Generator, engagement: np.ndarray, part: np.ndarray) -> Truth:
    """Two axes that show a latent engagement and a latent readiness to take part, each with something of its own."""
    shape = engagement.shape
    attitude = 0.55 * (0.8 * engagement + 0.6 * _ar(rng, *shape, LASTS))
    probability = _expit(0.1 + 1.1 * (0.8 * part + 0.6 * _ar(rng, *shape, LASTS)))
    return Truth(attitude, probability, engagement < -0.25, RULES.segment(attitude, probability))


# Attitude, logit of the probability, of the four types in the order of the segments.
_TYPES = np.array([(-0.45, -1.7), (-0.75, 0.3), (0.6, 0.9), (0.1, 0.2)])
# Where each type moves, when it does: a champion cools before it withdraws.
_MOVES = np.array([(0, 0.5, 0, 0.5), (0.5, 0, 0, 0.5), (0, 0, 0, 1), (0.35, 0.3, 0.35, 0)])


def _groups(rng: np.random.Generator, practices: int, rounds: int) -> Truth:
    """Types with a little spread within; 9% of practices change type from round to round."""
    kind = np.empty((practices, rounds), np.int64)
    kind[:, 0] = rng.choice(4, practices, p=(0.25, 0.2, 0.25, 0.3))
    for t in range(1, rounds):
        moves = rng.random(practices) < 0.09
        others = (rng.random(practices)[:, None] > _MOVES.cumsum(axis=1)[kind[:, t - 1]]).sum(axis=1)
        kind[:, t] = np.where(moves, others, kind[:, t - 1])
    attitude = _TYPES[kind, 0] + 0.15 * _ar(rng, practices, rounds, LASTS)
    probability = _expit(_TYPES[kind, 1] + 0.3 * _ar(rng, practices, rounds, LASTS))
    return Truth(attitude, probability, kind <= 1, kind)


WORLDS: dict[str, Callable[[np.random.Generator, int, int], Truth]] = {
    "groups": _groups,
    "continuum": _continuum,
    "trajectories": _trajectories,
    "tiny": _continuum,
    "unrelated": _unrelated,
}


@dataclass(eq=False)
class _People:
    """Slots of people, (practices, 12): `there`, `leader`; `view`: what one thinks beside the practice; `ready`: how
    readily one answers; `willing`: place among those who would agree."""

    there: np.ndarray
    leader: np.ndarray
    view: np.ndarray
    ready: np.ndarray
    willing: np.ndarray

    @classmethod
    def join(cls, rng: np.random.Generator, sizes: tuple[int, int], practices: int) -> _People:
        low, high = sizes
        chance = 0.75 ** np.arange(high - low + 1)
        size = rng.choice(np.arange(low, high + 1), practices, p=chance / chance.sum())
        people = cls(*np.zeros((5, practices, LARGEST)))
        people.there = np.arange(LARGEST) < size[:, None]
        people._renew(rng, np.ones_like(people.there))
        return people

    def _renew(self, rng: np.random.Generator, slots: np.ndarray) -> None:
        """Put new people into slots."""
        shape = slots.shape
        view = rng.normal(0, 0.42, shape)
        # Those who like the body agree a little more readily. Ranks, so that a share agreeing is exactly that share.
        eager = -(0.3 * view / 0.42 + 0.95 * rng.normal(0, 1, shape))
        rank = eager.ravel().argsort().argsort().reshape(shape) / eager.size
        new = {
            "leader": (rng.random(shape) < 0.1).astype(float),
            "view": view,
            "ready": rng.normal(0, 0.6, shape),
            "willing": rank,
        }
        for name, values in new.items():
            setattr(self, name, np.where(slots, values, getattr(self, name)))

    def turn_over(self, rng: np.random.Generator) -> None:
        """Some people leave and others take their place; now and then a roster shrinks or grows by one."""
        self._renew(rng, rng.random(self.there.shape) < 0.05)
        size = self.there.sum(axis=1) + rng.choice([-1, 0, 1], len(self.there), p=(0.05, 0.9, 0.05))
        self.there = np.arange(LARGEST) < np.clip(size, 1, LARGEST)[:, None]

    def _answers(self, probability: np.ndarray, related: bool) -> np.ndarray:
        """The probability that each person answers, (practices, 12)."""
        lean = self.ready + 1.2 * self.leader + (0.4 * self.view if related else 0)
        return _expit(np.log(probability / (1 - probability))[:, None] + lean)

    def gain(self, mean: np.ndarray, probability: np.ndarray, done: Visits, related: bool) -> np.ndarray:
        """What visits add to the share who answer and to the score, on average over a practice's people, (practices, 2)."""
        p = self._answers(probability, related)
        attitude = mean[:, None] + self.view + _LEADER_GAP * self.leader
        score = expected_score(attitude + done.attitude[:, None]) - expected_score(attitude)
        people = self.there.sum(axis=1)
        return np.stack(
            [(np.where(self.there, each, 0)).sum(axis=1) / people for each in (_more(p, done.share), score)],
            axis=1,
        )

    def answer(
        self,
        rng: np.random.Generator,
        mean: np.ndarray,
        probability: np.ndarray,
        groups: dict,
        *,
        related: bool,
        share: np.ndarray,
    ) -> tuple[RoundAnswers, np.ndarray]:
        """One round, and the places of its respondents in the queue of those who would agree. `share`, (practices,): what
        visits add to each one's probability of answering."""
        shape = self.there.shape
        p = self._answers(probability, related)
        p = p + _more(p, share)
        invited = self.there & (rng.random(shape) > 0.02)
        answers = invited & (rng.random(shape) < p)
        practice, slot = np.nonzero(answers)
        leader = self.leader[practice, slot] > 0
        attitude = mean[practice] + self.view[practice, slot] + _LEADER_GAP * leader
        attitude = attitude + rng.normal(0, _MOOD, len(practice))
        items = np.rint(attitude[:, None] + _EASINESS + rng.normal(0, _WOBBLE, (len(practice), ITEMS)))
        items = np.where(rng.random(items.shape) < 0.03, np.nan, np.clip(items, 1, 5))
        round_ = RoundAnswers(
            tier=CONFIDENTIAL,
            threshold=THRESHOLD,
            invited=invited.sum(axis=1),
            answered=answers.sum(axis=1),
            open=np.ones(len(mean), bool),
            groups=groups,
            practice=practice,
            score=member_scores(items),
            leader=leader,
            agreed=np.zeros(len(practice), bool),
        )
        return round_, self.willing[practice, slot]


def _ar(rng: np.random.Generator, practices: int, rounds: int, phi: float) -> np.ndarray:
    """Standard normal AR(1) paths, (practices, rounds)."""
    path = rng.standard_normal((practices, rounds))
    for t in range(1, rounds):
        path[:, t] = phi * path[:, t - 1] + np.sqrt(1 - phi**2) * path[:, t]
    return path


def _expit(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _more(p: np.ndarray, share: np.ndarray) -> np.ndarray:
    """What visits add to probabilities (practices, 12), none of which they take past .99."""
    return np.minimum(share[:, None], np.maximum(_MOST_LIKELY - p, 0))


def expected_score(attitude: np.ndarray) -> np.ndarray:
    """The mean over the items, each rounded and held between 1 and 5, that a person of an attitude is expected to give."""
    from scipy.special import ndtr

    steps = np.arange(1.5, 5)
    above = (attitude[..., None, None] + _EASINESS[:, None] - steps) / np.hypot(_MOOD, _WOBBLE)
    return 1 + ndtr(above).sum(axis=-1).mean(axis=-1)
