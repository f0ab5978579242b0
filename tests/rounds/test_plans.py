"""The reporting plan: what a round may promise to publish, and what is likely to come of it."""

from __future__ import annotations

import json

import pytest
from sqlmodel import select

from engagement.errors import Invalid
from engagement.models import Round
from engagement.rounds import plans, verbs
from tests import support

PEOPLE = (
    [{"standing": "leader", "locality": "N", "size": "small", "role": "chair"}] * 30
    + [{"standing": "grassroots", "locality": "N", "size": "small", "role": "gp"}] * 60
    + [{"standing": "grassroots", "locality": "S", "size": "large", "role": "nurse"}] * 12
    + [{"standing": "staff", "locality": None, "size": None, "role": "staff"}] * 9
)


def levels(people, response=0.6) -> dict[str, str]:
    """Each table's level."""
    return {of.table: of.level for of in plans.outlook(plans.NAMES, people, response, 10)}


def test_standing_comes_first_whatever_is_asked_for():
    """A plan starts with the table by standing, names nothing twice, and leaves out what the tier does not keep."""
    assert plans.checked(["size", "standing", "size"], "confidential") == ("standing", "size")
    assert plans.checked(["locality", "options"], "anonymous") == ("standing", "options")
    assert plans.checked(None, "practice-view") == ("standing", "options")
    with pytest.raises(Invalid, match="no table astrology"):
        plans.checked(["astrology"], "confidential")


def test_what_is_expected_follows_the_numbers():
    """Enough answers in every group is likely, small groups that must merge are so in part, too few are not."""
    found = levels(PEOPLE)
    assert (found["standing"], found["options"]) == ("partly", "likely")
    assert found["locality"] == found["size"] == "unlikely"
    assert levels(PEOPLE, 1.0)["locality"] == "likely" and levels(PEOPLE, 1.0)["standing"] == "likely"
    three = [*PEOPLE, *([{"standing": "grassroots", "locality": "W", "size": "small", "role": "gp"}] * 5)]
    assert levels(three, 1.0)["locality"] == "partly"
    assert levels(PEOPLE[:40], 0.2)["standing"] == "unlikely"


def test_the_plan_is_frozen_with_the_promise(database, config):
    """What the lead chose is in the promise, and the draft's outlook speaks of just those tables."""
    body_id = support.small_body(database)
    round_id = support.launch(
        database, support.keys_of(config), body_id, plan=["standing", "options", "size"]
    )
    with database.reading() as session:
        promise = json.loads(session.exec(select(Round.promise).where(Round.id == round_id)).one())
        outlook = verbs.outlook(session, support.OPERATOR, round_id)
    assert plans.of_promise(promise) == ("standing", "options", "size")
    assert [of.table for of in outlook] == ["standing", "options", "size"]
    assert plans.of_promise({"plan": ["overall", "standing"]}) == ("standing",)
