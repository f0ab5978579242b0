"""How spells in a file meet those that are held: nothing is removed, and nothing may overlap."""

from __future__ import annotations

from datetime import date

import pytest

from engagement.roster.spells import Bounds, overlap, reconcile

ON = date(2026, 3, 1)
DATES = frozenset({"starts", "ends"})
A, B, C = date(2020, 1, 1), date(2022, 1, 1), date(2024, 1, 1)


def spell(
    practice=1, role="gp_partner", starts=None, ends=None, joined=None, left=None, id=None, number=0, **more
):
    return Bounds(
        practice,
        role,
        starts=starts,
        ends=ends,
        joined_wave=joined,
        left_wave=left,
        id=id,
        number=number,
        **more,
    )


@pytest.mark.parametrize(
    ("one", "two", "meet"),
    [
        ({}, {}, True),
        ({"ends": B}, {"starts": B}, False),
        ({"ends": C}, {"starts": B}, True),
        ({"starts": A, "ends": B}, {"starts": C}, False),
        ({"left": 3}, {"joined": 3}, False),
        ({"left": 4}, {"joined": 3}, True),
        ({"starts": A, "left": 3}, {"starts": A, "joined": 3}, False),
        ({"ends": B, "joined": 3}, {"starts": B}, False),
        ({"ends": B}, {"joined": 3}, True),
        ({"starts": B, "ends": B}, {}, False),
    ],
)
def test_overlap_needs_a_common_day_and_a_common_round(one, two, meet):
    """Two spells overlap only where both their dates and their rounds meet; an empty one meets nothing."""
    assert overlap(spell(**one), spell(**two)) is meet
    assert overlap(spell(**two), spell(**one)) is meet


def test_the_same_file_again_changes_nothing():
    """What is held already needs no writing, with and without dates."""
    held = [spell(ends=B, id=1), spell(practice=2, starts=B, id=2)]
    outcome = reconcile(held, [spell(ends=B, number=2), spell(practice=2, starts=B, number=3)], ON, DATES)
    assert (outcome.add, outcome.change, outcome.faults) == ((), (), ())


def test_a_new_practice_without_a_date_starts_on_the_day_of_the_import():
    """The held spell ends where the new one starts, and its past stays."""
    outcome = reconcile([spell(id=1)], [spell(practice=2, number=2)], ON, frozenset())
    assert [(s.practice_id, s.starts) for s in outcome.add] == [(2, ON)]
    assert [(old.id, new.ends) for old, new in outcome.change] == [(1, ON)]


def test_a_new_role_with_a_date_or_a_round_ends_the_held_one_there():
    """The start that the file gives is where the held spell stops, in dates or in rounds."""
    by_date = reconcile([spell(id=1, starts=A)], [spell(role="chair", starts=C, number=2)], ON, DATES)
    assert [new.ends for _, new in by_date.change] == [C]
    by_round = reconcile([spell(id=1, joined=1)], [spell(role="chair", joined=4, number=2)], ON, frozenset())
    assert [new.left_wave for _, new in by_round.change] == [4]
    assert by_date.faults == by_round.faults == ()


def test_an_end_in_the_file_ends_the_held_spell_and_an_empty_end_takes_it_off():
    """The column for the end means what it says; without it the held end stays."""
    ended = reconcile([spell(id=1, starts=A)], [spell(starts=A, ends=C, number=2)], ON, DATES)
    assert [new.ends for _, new in ended.change] == [C]
    again = reconcile([spell(id=1, starts=A, ends=C)], [spell(starts=A, number=2)], ON, DATES)
    assert [new.ends for _, new in again.change] == [None]
    silent = reconcile([spell(id=1, ends=date(2027, 1, 1))], [spell(number=2)], ON, frozenset())
    assert silent.change == () and silent.add == ()


def test_somebody_who_had_left_comes_back_as_a_new_spell():
    """A file that only shows who is there now does not undo that somebody was away."""
    outcome = reconcile([spell(id=1, starts=A, ends=B)], [spell(number=2)], ON, frozenset())
    assert outcome.change == () and outcome.faults == ()
    assert [s.practice_id for s in outcome.add] == [1]


def test_an_unknown_start_is_filled_in_and_a_known_one_is_not_forgotten():
    """A file that knows the start gives it; one that does not leaves what is held."""
    given = reconcile([spell(id=1)], [spell(starts=A, number=2)], ON, DATES)
    assert [new.starts for _, new in given.change] == [A]
    kept = reconcile([spell(id=1, starts=A)], [spell(number=2)], ON, DATES)
    assert kept.change == ()


def test_what_cannot_be_fitted_is_a_fault():
    """A spell inside a held one that is not earlier is reported with the line and what stands in the way."""
    outcome = reconcile([spell(id=1, starts=B)], [spell(practice=2, starts=A, number=7)], ON, DATES)
    assert [(number, other.id) for number, other in outcome.faults] == [(7, 1)]


def test_old_overlaps_in_the_roster_are_not_the_files_fault():
    """Held spells that overlapped before the file came do not stop it."""
    held = [spell(id=1, ends=B), spell(practice=2, starts=A, ends=B, id=2)]
    outcome = reconcile(held, [spell(practice=3, starts=C, number=2)], ON, DATES)
    assert outcome.faults == () and len(outcome.add) == 1


def test_standing_and_representative_change_only_where_the_file_has_them():
    """A missing column leaves the override and the representative; an empty cell of a present one takes it off."""
    held = [spell(id=1, standing="leader", representative=True)]
    assert reconcile(held, [spell(number=2)], ON, frozenset()).change == ()
    ((_, new),) = reconcile(held, [spell(number=2)], ON, frozenset({"standing", "representative"})).change
    assert (new.standing, new.representative) == (None, False)
