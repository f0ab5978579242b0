"""What an answer that its author did not let count may move, by the road that answers take: import, mix, assessment."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sqlmodel import select

from engagement.assessments import figures, gather
from engagement.models import Round
from engagement.risk import assess as risk
from engagement.risk.filter import SHIPPED
from engagement.roster.standing import read_practices
from tests.assessments.conftest import Installed, Invented, ref

ROUNDS = 3
SMALL = 2  # the third practice has three people
LOCALITY = 3  # localities are dealt round, so every third practice is of the same one


def _pair(installed: Installed, *, up: int) -> tuple[int, int]:
    """Two bodies that differ in the answers of one person of a small practice, in the last round, by `up` points. The
    person did not agree that they count."""
    bodies = []
    for code, points in (("B1", 1), ("B2", 1 + up)):
        invented = Invented.make(ROUNDS, ticking=0.5)
        somebody = ref(SMALL, 0)
        invented.ticks.discard(somebody)
        for item in ("owned", "influence"):
            invented.answers[ROUNDS, somebody, item] = points
        body_id = installed.body(invented, code)
        installed.bring(body_id, invented.past())
        bodies.append(body_id)
    return bodies[0], bodies[1]


def _assessment(installed: Installed, body_id: int) -> risk.Assessment:
    """The newest round's assessment before anything is rounded."""
    with installed.database.reading() as session:
        rounds = session.exec(select(Round).where(Round.body_id == body_id).order_by(Round.number)).all()
        arranged = gather.arrange(
            [gather.read(session, each) for each in rounds], read_practices(session, body_id)
        )
    return risk.assess(arranged.rounds, SHIPPED, invited_next=arranged.invited[-1])


def _apart(one: risk.Assessment, other: risk.Assessment) -> float:
    """How far the practices of a locality moved against each other between two assessments."""
    worst = 0.0
    for figure in (
        lambda said: said.engagement,
        lambda said: said.now.mean[:, 0],
        lambda said: said.now.mean[:, 1],
        lambda said: said.p_silent_next,
    ):
        moved = figure(other) - figure(one)
        worst = max(worst, *(np.ptp(moved[first::LOCALITY]) for first in range(LOCALITY)))
    return worst


@pytest.mark.parametrize("up", [1, 4])
def test_an_answer_that_does_not_count_moves_no_practice_against_its_group(installed, up):
    """One person of three changes their answers: practices of a locality move alike, to 1e-9, and rest on the same evidence."""
    one, other = (_assessment(installed, body_id) for body_id in _pair(installed, up=up))
    assert _apart(one, other) < 1e-9
    assert one.evidence.tolist() == other.evidence.tolist() and "agreed" in one.evidence


@pytest.mark.parametrize("up", [1, 4])
def test_what_is_stored_differs_by_a_common_shift_alone(installed, up):
    """Earlier rounds are stored alike to the byte. In the last, evidence, reasons and taking part stay, and the attitudes
    of a locality's practices move by one and the same amount, as far as figures to 0.1 can tell."""
    first, second = (installed.assessed(body_id) for body_id in _pair(installed, up=up))
    for number in range(1, ROUNDS):
        assert first[number] == second[number]
    rows = list(zip(first[ROUNDS]["practices"], second[ROUNDS]["practices"], strict=True))
    for before, after in rows:
        for name in ("practice_id", "evidence", "reasons", "p_silent_next"):
            assert before[name] == after[name]
        for name in ("participation", "participation_low", "participation_high"):
            assert before["now"][name] == after["now"][name]
    for locality in range(LOCALITY):
        for name in ("attitude", "attitude_low", "attitude_high"):
            moved = [after["now"][name] - before["now"][name] for before, after in rows[locality::LOCALITY]]
            assert max(moved) - min(moved) < 0.11


def _own_answers(read: Callable) -> Callable:
    """A reader that lets everybody's answers count: what must not be built."""

    def mutant(session, round_):
        practice, score, leader, agreed = read(session, round_)
        return practice, score, leader, np.ones_like(agreed)

    return mutant


def test_a_reader_that_lets_own_answers_count_is_caught(installed, monkeypatch):
    """The measure of the tests above sees it when answers count that nobody agreed to."""
    monkeypatch.setattr(gather, "_answers", _own_answers(gather._answers))
    one, other = (_assessment(installed, body_id) for body_id in _pair(installed, up=4))
    assert _apart(one, other) > 0.01


# Whole numbers that an assessment may hold: names of rounds, places in a rank, numbers of rounds, of practices and of
# groups that are read off the published labels. None is a number of people.
OPEN_NUMBERS = {
    "schema", "round", "number", "rounds", "of", "rank", "silent_rounds", "k", "sizes", "candidate", "wins", "labels",
    "raw", "moved", "bic",
}  # fmt: skip
COUNTS = {"n", "practices"}


def _numbers(value, key: str = ""):
    """Every whole number in a JSON value, with the key that it stands under."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _numbers(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _numbers(inner, key)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield key, value


def test_no_count_of_people_and_no_small_count_is_stored(installed):
    """All whole numbers in an assessment are of a kind that is open, and counts of forecasts and practices are at least five."""
    invented = Invented.make(4, ticking=0.3)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    for content in installed.assessed(body_id).values():
        for key, number in _numbers(content):
            assert key in OPEN_NUMBERS or (key in COUNTS and number >= figures.SMALLEST_COUNT), (key, number)


def test_figures_are_printed_no_finer_than_promised(installed):
    """Probabilities are multiples of 0.05, attitude and engagement of 0.1, for every practice in every round."""
    invented = Invented.make(3, ticking=0.3)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    steps = {"engagement": 0.1, "attitude": 0.1, "attitude_low": 0.1, "attitude_high": 0.1}
    seen = set()
    for content in installed.assessed(body_id).values():
        for row in content["practices"]:
            for name, value in (row | row["now"] | (row["forecast"] or {})).items():
                if isinstance(value, float):
                    step = steps.get(name, 0.05)
                    assert abs(value / step - round(value / step)) < 1e-9, (name, value)
                    seen.add(name)
    assert {"engagement", "p_silent_next", "segment_probability", "attitude_low", "participation"} <= seen
