"""A release holds what may be shown, once, for ever, and in the shape that every reader expects."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import func, select

from engagement.access import READERS, Actor, Role
from engagement.disclosure import print_share
from engagement.errors import Conflict, NotFound
from engagement.exchange.release_csv import HEADER, release_csv
from engagement.instrument import verbs as instruments
from engagement.models import Release, Response, Round, Spell
from engagement.releases import build, compare, read
from engagement.worker import Worker
from tests import support
from tests.releases import facts

LEADERS, OTHERS = 14, 46


@pytest.fixture
def body(database, config):
    """A body with 14 leaders and 46 grassroots members, and a function that runs a whole round in it."""
    keys = support.keys_of(config)
    body_id = support.small_body(database)

    def run(leaders_for=10, leaders=LEADERS, others_for=15, others=OTHERS, **options):
        round_id = support.launch(database, keys, body_id, **{"plan": ["standing"], **options})
        given = {"leader": 0, "grassroots": 0}
        wanted = {"leader": (leaders_for, leaders), "grassroots": (others_for, others)}
        for door in support.doors(database, keys, round_id):
            arm = door.row.standing
            favourable, in_all = wanted[arm]
            if given[arm] < in_all:
                support.answer(database, door, support.sheet(4 if given[arm] < favourable else 2))
                given[arm] += 1
        support.close(database, keys, round_id)
        with database.reading() as session:
            return read.history(session, support.OPERATOR, body_id)[-1]

    run.keys = keys
    return database, body_id, run


def owned(content):
    """The table of the item `owned`."""
    return next(item for item in content["items"] if item["item"] == "owned")


def test_figures_are_those_of_the_answers(body):
    """Both arms, the gap and who took part are the printed forms of what was answered."""
    _, _, run = body
    content = run()
    item = owned(content)
    assert item["groups"]["leader"]["share"] == print_share(10, 14)[0] == 70
    assert item["groups"]["grassroots"]["share"] == print_share(15, 46)[0] == 35
    assert item["gap"]["points"] == 40  # 71.4 - 32.6 = 38.8
    assert item["groups"]["leader"] == item["groups"]["leader"] | {"N": 14, "n": "10–14", "mark": "shown"}
    assert item["groups"]["grassroots"]["n"] == "30–49"
    assert content["participation"]["N"] == 60 and content["participation"]["answered_percent"] == 100
    assert item["total"] is None and content["suppressed"] == []


@pytest.mark.parametrize("leaders, shown", [(9, False), (10, True)])
def test_both_arms_or_neither(body, leaders, shown):
    """With nine leaders answering neither arm is shown but their total; with ten both are."""
    _, _, run = body
    content = run(leaders_for=6, leaders=leaders)
    item = owned(content)
    marks = {group["mark"] for group in item["groups"].values()} | {item["gap"]["mark"]}
    assert marks == ({"shown"} if shown else {"hidden"})
    assert (item["total"] is None) == shown
    assert bool(content["suppressed"]) != shown
    if not shown:
        assert {s["what"] for s in content["suppressed"] if s["item"] == "owned"} == {
            "leader",
            "grassroots",
            "gap",
        }
        assert all(s["why"] for s in content["suppressed"])


def test_n_is_always_a_band_and_no_exact_count_leaves(body):
    """No figure that an item prints is a count of answers: n is a band everywhere, in JSON and in CSV."""
    _, _, run = body
    content = run(leaders_for=9, leaders=13, others_for=17, others=41)
    for item in content["items"]:
        for group in item["groups"].values():
            assert re.fullmatch(r"\d+–\d+|50\+", group["n"])
            numbers = {group["share"], *group["interval"], *group["bounds"], *(group["analytic"] or ())}
            assert all(number % 5 == 0 for number in numbers)
    assert not re.search(
        r"\b(41|13|17)\b", json.dumps(content["items"], ensure_ascii=False).replace("/1/", "")
    )


def test_the_csv_holds_the_same_figures(body):
    """Every line of the CSV is a figure of the release; hidden lines hold no number."""
    _, _, run = body
    content = run(leaders=9, leaders_for=5)
    rows = list(csv.DictReader(io.StringIO(release_csv(content))))
    assert tuple(rows[0]) == HEADER
    assert len(rows) == sum(len(i["groups"]) + 1 + (i["total"] is not None) for i in content["items"])
    for row in rows:
        if row["mark"] != "shown":
            assert row["answered_n_band"] == row["percent_or_points"] == row["interval_roster_low"] == ""
    total = next(row for row in rows if row["figure"] == "total" and row["item"] == "owned")
    assert int(total["percent_or_points"]) == owned(content)["total"]["share"]


def test_change_is_told_within_one_series():
    """A gap that widens from 10 to 50 points is told as wider, and its levels as up and down; a question that is not a
    headline is told as explored."""
    before, content = facts.rounds(
        [
            {"leader": (60, 100), "grassroots": (150, 300)},
            {"leader": (80, 100), "grassroots": (90, 300)},
        ]
    )
    assert owned(before)["change"] is None
    changes = {item["item"]: item["change"] for item in content["items"]}
    assert changes["owned"] == {"verdict": "wider", "points": 40, "since": 1, "explored": False}
    assert {key for key, change in changes.items() if change["explored"]} == {"informed"}
    levels = owned(content)["levels"]
    assert (levels["leader"]["verdict"], levels["grassroots"]["verdict"]) == ("up", "down")


def test_no_change_is_told_over_a_new_wording(body):
    """When an item's wording changed since the last round, nothing is compared and its series has a new name."""
    database, body_id, run = body
    first = owned(run())
    with database.session() as session:
        instruments.new_wording(
            session, support.OPERATOR, body_id, "owned", "The {body} is ours as much as anybody's"
        )
    second = owned(run(leaders_for=14, others_for=5))
    assert second["change"] is None
    assert (first["series"], second["series"]) == ("owned/1/agree5", "owned/2/agree5")


def test_a_release_cannot_be_changed_or_deleted(body):
    """The database refuses to touch a release; one that was tampered with below it is not shown."""
    database, body_id, run = body
    run()
    for statement in ("UPDATE release SET content = '{}'", "DELETE FROM release"):
        with pytest.raises(DBAPIError, match="frozen"), database.session() as session:
            session.exec(text(statement))
    with database.session() as session:
        trigger = "DROP TRIGGER release_frozen" + ("" if database.is_sqlite else " ON release")
        session.exec(text(trigger))
        session.exec(text("UPDATE release SET content = '[]'"))
    with pytest.raises(Conflict, match="hash"), database.reading() as session:
        read.history(session, support.OPERATOR, body_id)


def test_only_readers_of_the_body_see_it(body):
    """Each reading role of the body reads its releases; the lead of another body finds nothing."""
    database, body_id, run = body
    run()
    for role in READERS:
        with database.reading() as session:
            assert read.status(session, Actor("x", frozenset({(body_id, role)})), body_id).latest
    for verb in (read.status, read.history, read.practices):
        with pytest.raises(NotFound), database.reading() as session:
            verb(session, Actor("x", frozenset({(body_id + 1, Role.LEAD)})), body_id)
    with pytest.raises(NotFound), database.reading() as session:
        read.content(session, Actor("x"), 1)


def test_while_open_only_the_body_total_is_known(body, config):
    """An open round tells the share that took part to the nearest 5, and nothing else of the answers."""
    database, body_id, _ = body
    keys = support.keys_of(config)
    round_id = support.launch(database, keys, body_id)
    for door in support.doors(database, keys, round_id)[:22]:
        support.answer(database, door, support.sheet())
    with database.reading() as session:
        status = read.status(session, support.OPERATOR, body_id)
    assert status.latest is None and [b.answered_percent for b in status.open] == [35]


def test_being_checked_until_the_release_is_there(body, config, monkeypatch):
    """Between close and release the round is listed as being checked; the build that failed is told and retried."""
    database, body_id, run = body
    real = build.compose

    def broken(*_):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(build, "compose", broken)
    with pytest.raises(IndexError):
        run()
    with database.reading() as session:
        status = read.status(session, support.OPERATOR, body_id)
    assert [b.state for b in status.checking] == ["mixed"]
    assert status.trouble and "secret detail" not in status.trouble
    monkeypatch.setattr(build, "compose", real)
    Worker(database, support.keys_of(config)).run_once()
    with database.reading() as session:
        status = read.status(session, support.OPERATOR, body_id)
        assert status.latest and not status.checking and status.trouble is None
        assert session.exec(select(func.count()).select_from(Release)).one() == 1


def test_an_anonymous_round_has_no_analytic_interval_and_no_practices(body):
    """Answers without a practice cannot be clustered: the interval for change is left out, not guessed."""
    database, _, run = body
    content = run(tier="anonymous")
    item = owned(content)
    assert item["gap"]["mark"] == "shown" and item["gap"]["analytic"] is None
    assert content["practices"] == [] and content["design_effect"] is None
    with database.reading() as session:
        assert not any(session.exec(select(Response.practice_id)))


def test_practices_are_shown_in_bands(body):
    """A practice with five invited is none, low, half or most; there is no "all" and no count."""
    _, _, run = body
    content = run(leaders=14, others=20)
    assert len(content["practices"]) == 12
    assert {p["band"] for p in content["practices"]} <= {"none", "low", "half", "most"}


def test_leaders_without_a_practice_count_in_every_figure(database, config):
    """People of the body itself belong to no practice; they are in the arms, in the analytic interval, and in what rounds are compared by."""
    keys = support.keys_of(config)
    body_id = support.small_body(database)
    with database.session() as session:
        for spell in session.exec(select(Spell).where(Spell.role == "clinical_lead")):
            spell.practice_id = None
            session.add(spell)
    round_id = support.launch(database, keys, body_id, plan=["standing"])
    leaders = 0
    for door in support.doors(database, keys, round_id):
        leader = door.row.standing == "leader"
        leaders += leader
        agrees = leaders <= 6 if leader else door.row.member_id % 4 == 0
        support.answer(database, door, support.sheet(4 if agrees else 2))
    support.close(database, keys, round_id)
    with database.reading() as session:
        item = owned(read.history(session, support.OPERATOR, body_id)[-1])
        gathered = build.gather(session, session.get(Round, round_id))
    assert item["groups"]["leader"]["n"] == "10–14" and item["gap"]["analytic"] is not None
    both = compare.stacked([gathered.now.answers] * 2, "owned")
    assert both.n.tolist() == [14, 46, 14, 46] and both.df > 14


def test_a_reversed_item_counts_disagreement_and_says_so(body):
    """For a statement whose sense is turned round the favourable answer is disagreement, in figure and in words."""
    from engagement.ui import sentences

    database, body_id, run = body
    with database.session() as session:
        instruments.add_own_item(
            session,
            support.OPERATOR,
            body_id,
            key="remote",
            text="The {body} is far away from us",
            reverse=True,
        )
        core = instruments.instrument_of(session, support.OPERATOR, body_id)
        instruments.set_items(session, support.OPERATOR, body_id, core.id, ["owned", "remote"], ["owned"])
    round_id = support.launch(database, run.keys, body_id)
    for door in support.doors(database, run.keys, round_id):
        score = 2 if door.row.standing == "leader" else 4
        support.answer(database, door, support.sheet(score, items=("owned", "remote")))
    support.close(database, run.keys, round_id)
    with database.reading() as session:
        content = read.history(session, support.OPERATOR, body_id)[-1]
    item = next(item for item in content["items"] if item["item"] == "remote")
    assert item["reverse"] and item["groups"]["leader"]["cap"] == "at_least"
    assert item["groups"]["grassroots"]["cap"] == "at_most"
    assert sentences.favourable(item) == "disagreed"
