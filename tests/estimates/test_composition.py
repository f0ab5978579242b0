"""Panels of the same people, and a moved total taken apart into mix, turnover, roles and minds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement.estimates import (
    Wave,
    change_in_gap,
    constant_role,
    constant_roster,
    decompose,
    linearised,
    mix_and_rates,
)


def wave(first, *groups):
    """A round of 1 answer in each of 40 practices in turn; groups of (arm, people, favourable), codes from `first`."""
    arm = np.concatenate([np.full(people, arm) for arm, people, _ in groups])
    y = np.concatenate([np.arange(people) < favourable for _, people, favourable in groups]).astype(int)
    person = first + np.arange(len(arm))
    return Wave(person, person % 40, arm, y)


@st.composite
def waves(draw):
    """Two rounds of up to 14 people out of 20."""
    made = []
    for _ in range(2):
        people = draw(st.lists(st.integers(0, 19), min_size=1, max_size=14, unique=True))
        size = len(people)
        arms, answers = (draw(st.lists(st.integers(0, 1), min_size=size, max_size=size)) for _ in range(2))
        made.append(Wave(np.array(people), np.array(people) % 5, np.array(arms), np.array(answers)))
    return made


def parts(found):
    return [found.mix, found.turnover, found.roles or 0, found.minds or 0]


def test_more_leaders_among_the_answers_is_mix_and_nothing_else():
    """Leaders go from 15 to 45% of the answers, nobody's view moves: 39.7 to 49.0%, all of it mix."""
    found = mix_and_rates([0.66, 0.35], [15, 85], [0.66, 0.35], [45, 55])
    assert (found.before, found.after) == (pytest.approx(0.3965), pytest.approx(0.4895))
    assert (round(found.before * 100 + 1e-9, 1), round(found.after * 100 + 1e-9, 1)) == (39.7, 49.0)
    assert (found.mix, found.rates) == (pytest.approx(0.093), 0)


def test_both_arms_fall_and_the_total_rises():
    """Simpson: both arms fall 4 points while the total rises from 39.7 to 45.0%; the parts say why."""
    found = mix_and_rates([0.66, 0.35], [15, 85], [0.62, 0.31], [45, 55])
    assert (round(found.before * 100 + 1e-9, 1), round(found.after * 100 + 1e-9, 1)) == (39.7, 45.0)
    assert found.change == pytest.approx(0.053)
    assert (found.mix, found.rates) == (pytest.approx(0.093), pytest.approx(-0.04))


def test_the_same_traps_with_people():
    """With fresh people in the second round the same total is mix and turnover, and minds cannot be known."""
    earlier = wave(0, (1, 300, 198), (0, 1700, 595))
    unmoved = decompose(earlier, wave(5000, (1, 900, 594), (0, 1100, 385)))
    assert (unmoved.mix, unmoved.turnover) == (pytest.approx(0.093), pytest.approx(0))
    assert unmoved.roles is unmoved.minds is None and "both rounds" in unmoved.explanation
    fallen = decompose(earlier, wave(5000, (1, 900, 558), (0, 1100, 341)))
    assert (fallen.mix, fallen.turnover) == (pytest.approx(0.093), pytest.approx(-0.04))


def test_joiners_of_one_arm_are_mix():
    """Everybody stays as they were and leaders with leaders' views join: the total moves by mix alone."""
    earlier = wave(0, (1, 30, 20), (0, 170, 60))
    later = Wave(
        *(
            np.concatenate([getattr(earlier, name), getattr(wave(900, (1, 90, 60)), name)])
            for name in ("person", "practice", "arm", "y")
        )
    )
    found = decompose(earlier, later)
    assert found.mix == pytest.approx(found.change) and found.change > 0.05
    assert (found.turnover, found.roles, found.minds) == (pytest.approx(0), 0, 0)
    assert (found.stayed, found.joined, found.left, found.moved) == (200, 90, 0, 0)


def test_minds_and_roles_are_told_apart():
    """A changed answer counts as minds where the arm stayed and as roles where it moved; a move alone is nothing."""
    earlier = Wave(np.arange(10), np.arange(10), [0] * 8 + [1] * 2, [0] * 8 + [1] * 2)
    later = Wave(
        np.arange(10), np.arange(10), [1, 1, 1] + [0] * 5 + [1] * 2, [1, 1, 0, 1] + [0] * 4 + [1] * 2
    )
    found = decompose(earlier, later)
    assert (found.roles, found.minds) == (pytest.approx(0.2), pytest.approx(0.1))
    assert (found.mix, found.turnover, found.moved) == (0, 0, 3)
    only_moved = decompose(earlier, Wave(later.person, later.practice, later.arm, earlier.y))
    assert (only_moved.change, parts(only_moved)) == (0, [0, 0, 0, 0])


@given(waves())
@settings(deadline=None)
def test_parts_add_up_and_turn_with_time(rounds):
    """The parts add up to the change whoever came, went or moved, and exchanging the rounds turns their signs."""
    found, back = decompose(*rounds), decompose(*rounds[::-1])
    assert sum(parts(found)) == pytest.approx(found.change, abs=1e-12)
    assert found.change == pytest.approx(rounds[1].y.mean() - rounds[0].y.mean(), abs=1e-12)
    assert parts(back) == pytest.approx([-part for part in parts(found)], abs=1e-12)
    assert (found.stayed + found.left, found.stayed + found.joined) == tuple(len(each.y) for each in rounds)
    assert (found.explanation is None) == (found.stayed > 0)


def test_groups_that_are_empty_in_a_round_come_and_go_as_mix():
    """A group that only one round has takes no part in the rates; one that neither has takes no part at all."""
    found = mix_and_rates([0.5, np.nan, np.nan], [10, 0, 0], [0.5, 0.9, np.nan], [10, 10, 0])
    assert (found.mix, found.rates) == (pytest.approx(0.2), 0)


@pytest.mark.parametrize(
    "given",
    [
        ([0.5], [1], [0.5, 0.5], [1, 1]),
        ([0.5, 0.5], [0, 0], [0.5, 0.5], [1, 1]),
        ([0.5, 0.5], [-1, 2], [0.5, 0.5], [1, 1]),
        ([0.5, np.nan], [1, 1], [0.5, 0.5], [1, 1]),
        ([50, 0.5], [1, 1], [0.5, 0.5], [1, 1]),
    ],
)
def test_impossible_groups_are_refused(given):
    """Groups that do not match, an empty whole, and shares that are none raise ValueError."""
    with pytest.raises(ValueError, match=r"must|mix|share"):
        mix_and_rates(*given)


def test_bad_waves_are_refused():
    """A person twice in a round, ragged rows and answers that are not 0 or 1 raise ValueError, as do empty rounds."""
    for rows in (
        ([1, 1], [1, 2], [0, 1], [0, 1]),
        ([1, 2], [1, 2], [0, 1], [0]),
        ([1], [1], [2], [0]),
        ([1], [1], [0], [5]),
    ):
        with pytest.raises(ValueError, match=r"person|must"):
            Wave(*rows)
    nobody = Wave(*[np.array([], int)] * 4)
    with pytest.raises(ValueError, match="need answers"):
        decompose(nobody, wave(0, (1, 2, 1)))


def test_panels_hold_the_people_and_the_roles():
    """The roster panel keeps all who stayed, the role panel those whose arm stayed; each is its own stack."""
    rng = np.random.default_rng(8)
    earlier = Wave(np.arange(120), np.arange(120) % 15, rng.integers(0, 2, 120), rng.integers(0, 2, 120))
    arm = np.where(rng.random(100) < 0.2, 1 - earlier.arm[20:], earlier.arm[20:])
    order = rng.permutation(130)
    later = Wave(
        np.arange(20, 150)[order],
        (np.arange(20, 150) % 15)[order],
        np.concatenate([arm, rng.integers(0, 2, 30)])[order],
        rng.integers(0, 2, 130),
    )
    roster, role = constant_roster(earlier, later), constant_role(earlier, later)
    assert (roster.people, roster.left, roster.joined) == (100, 20, 30)
    assert role.people == 100 - role.moved and role.moved == roster.moved > 5
    place = {person: at for at, person in enumerate(later.person)}
    for panel, kept in ((roster, np.ones(100, bool)), (role, arm == earlier.arm[20:])):
        first = np.arange(20, 120)[kept]
        second = np.array([place[person] for person in first])
        stack = linearised(
            np.concatenate([earlier.practice[first], later.practice[second]]),
            np.concatenate([earlier.arm[first], 2 + later.arm[second]]),
            np.concatenate([earlier.y[first], later.y[second]]),
        )
        expected = change_in_gap(stack, 1, 0, 3, 2)
        assert panel.gap == expected
        assert panel.arm1.change - panel.arm0.change == pytest.approx(expected.change)
        assert (panel.earlier.gap, panel.later.gap) == (expected.gap1, expected.gap2)


def test_roles_that_change_move_the_gap_of_the_roster_but_not_of_the_role_panel():
    """The content become leaders and nobody changes an answer: the gap widens on the roster, not in kept roles."""
    people = np.arange(200)
    y = (people % 5 < 2).astype(int)
    before = (people % 10 == 0).astype(int)
    after = np.where((people % 5 == 1) & (people % 2 == 1), 1, before)
    earlier, later = Wave(people, people // 5, before, y), Wave(people, people // 5, after, y)
    assert constant_role(earlier, later).gap.change == 0
    assert constant_roster(earlier, later).gap.change > 0.05
    assert decompose(earlier, later).change == 0


def test_panel_codes_may_be_texts_and_answers_truth_values():
    """Codes as they are stored, and answers as they are scored, need no numbering first."""
    number, y = np.arange(12), np.arange(12) % 3 == 0
    text = np.array([f"code-{each:02}" for each in number])
    pairs = [
        (Wave(codes, number % 4, number % 2, y), Wave(codes[2:], number[2:] % 4, number[2:] % 2, ~y[2:]))
        for codes in (number, text)
    ]
    assert decompose(*pairs[0]) == decompose(*pairs[1])
    assert constant_role(*pairs[0]) == constant_role(*pairs[1])


def test_an_empty_panel_is_explained():
    """Where nobody came back there is no gap and no change, with a reason."""
    panel = constant_roster(wave(0, (1, 5, 3), (0, 5, 2)), wave(100, (1, 5, 3), (0, 5, 2)))
    assert panel.people == 0 and panel.gap.change is None and "Nobody" in panel.gap.explanation
