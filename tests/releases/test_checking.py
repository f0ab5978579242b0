"""The gate in a process of its own, and corrections that it has to accept beside what was printed."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest
from sqlalchemy import delete, text
from sqlmodel import select

from engagement.access import Actor, Role
from engagement.errors import Conflict, EngagementError, Invalid, NotAllowed
from engagement.models import Release, Response, Round
from engagement.releases import build, checking, read
from tests import support
from tests.releases import facts


def a_question() -> checking.Question:
    """The question that one invented round puts to the gate."""
    now = facts.one({"leader": (12, 20), "grassroots": (30, 80)})
    return build.assemble([], now).question


def test_a_child_decides_as_this_process_does():
    """The child's decision equals our own, and it says how far it is, question by question."""
    question, told = a_question(), []
    child = checking.Child()
    try:
        decision = child.decide(question, lambda done, total: told.append((done, total)))
        again = child.decide(question, lambda done, total: None)
    finally:
        child.close()
    here = checking.Here().decide(question, lambda done, total: None)
    assert decision.settled and decision.standing == here.standing == again.standing
    assert told[-1] == (3, 3) and len(decision.steps) == len(here.steps)


def test_a_question_that_is_broken_off_does_not_answer_the_next():
    """Where following the check fails, its child is ended, and the next question gets its own decision."""

    def trips(done: int, total: int) -> None:
        raise KeyError("lost")

    child = checking.Child()
    with pytest.raises(KeyError):
        child.decide(a_question(), trips)
    assert child._process is None
    assert child.decide(a_question(), lambda done, total: None).settled
    child.close()


def test_what_the_solver_prints_is_no_reply():
    """A line printed past Python, as the solver's library may, does not get among the child's replies."""
    printing = (
        "import os\nfrom engagement.releases import checking\nquiet = checking.serve\n"
        "def loud(source, out):\n    os.write(1, b'Running the solver')\n    quiet(source, out)\n"
        "checking.serve = loud\nchecking.main()"
    )
    child = checking.Child()
    child._process = subprocess.Popen(
        [sys.executable, "-c", printing], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.decide(a_question(), lambda done, total: None).settled
    child.close()


def test_a_check_that_takes_too_long_publishes_nothing():
    """The child is ended at its time, and the decision shows nothing."""
    child = checking.Child(longest=0.01)
    decision = child.decide(a_question(), lambda done, total: None)
    assert not decision.settled and not decision.standing and not any(decision.figures.values())


def test_nothing_is_left_running():
    """Neither a child that was closed nor one that was killed in the middle leaves processes behind."""
    for end in (checking.Child.close, lambda child: child._process.kill()):
        child = checking.Child()
        child.decide(a_question(), lambda done, total: None)
        group = child._process.pid
        end(child)
        child.close()
        deadline = time.monotonic() + 20
        while _children_of(group) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _children_of(group)


def _children_of(parent: int) -> list[str]:
    listed = subprocess.run(
        ["ps", "-eo", "pid,ppid,pgid,stat,args"], capture_output=True, text=True, check=True
    )
    return [line for line in listed.stdout.splitlines() if f" {parent} " in line and " Z" not in line]


def test_a_child_that_dies_is_asked_again(monkeypatch):
    """A child that ends without a decision leaves the round unpublished; the next question starts another."""
    child = checking.Child()
    child.decide(a_question(), lambda done, total: None)
    dead = child._process
    monkeypatch.setattr(dead, "poll", lambda: None)
    dead.kill()
    dead.wait()
    with pytest.raises(EngagementError, match="tried again"):
        child.decide(a_question(), lambda done, total: None)
    assert child.decide(a_question(), lambda done, total: None).settled
    child.close()


def test_a_gate_that_breaks_leaves_a_release_without_figures():
    """An unforeseen error inside the gate publishes nothing, and the release says that the check did not finish."""
    now = facts.one({"leader": (12, 20), "grassroots": (30, 80)}, plan=("standing", "size", "astrology"))
    gathered = build.assemble([], now)
    broken = checking.Question(
        build.disclosure.Plan(10, ("standing", "astrology")), gathered.question.answers, (), None, None, {}
    )
    decision = broken.decide(lambda done, total: None)
    items, _ = build.printed_items(gathered, decision)
    assert not decision.settled
    for item in items:
        assert {group["mark"] for group in item["groups"].values()} == {"hidden"}
        assert item["gap"] == {"mark": "hidden"} and item["tables"] == []
        assert item["distribution"] is item["weighted"] is item["panel"] is None


@pytest.fixture
def published(database, config):
    """A body with one published round of 14 leaders and 46 grassroots members."""
    keys = support.keys_of(config)
    body_id = support.small_body(database)
    round_id = support.launch(database, keys, body_id, plan=["standing"])
    for place, door in enumerate(support.doors(database, keys, round_id)):
        agrees = place % 3 == 0 if door.row.standing != "leader" else place % 2
        support.answer(database, door, support.sheet(4 if agrees else 2))
    support.close(database, keys, round_id)
    return body_id, round_id


def test_a_correction_that_changes_nothing_is_refused(database, published):
    """A release that would say the same again, without a reason, or by somebody else than the lead, is not made."""
    body_id, round_id = published
    for reason, error in ((" ", Invalid), ("To be sure", Conflict)):
        with pytest.raises(error):
            build.correct(database, support.OPERATOR, round_id, reason)
    with pytest.raises(NotAllowed):
        build.correct(database, Actor("x", frozenset({(body_id, Role.COUNCIL)})), round_id, "Mine")


def test_nothing_is_corrected_once_the_answers_are_deleted(database, published):
    """Without answers there is nothing to work figures out from, and the refusal says so."""
    _, round_id = published
    with database.session() as session:
        session.exec(delete(Response).where(Response.round_id == round_id))
    with pytest.raises(Conflict, match="no answers"):
        build.correct(database, support.OPERATOR, round_id, "A mistake that was found late")


def test_a_correction_stands_beside_what_it_corrects(database, published):
    """After a mistake in the roster's size the round is published anew, with its reason, and the old release stays."""
    body_id, round_id = published
    with database.session() as session:
        for trigger in ("round_frozen",):
            session.exec(text(f"DROP TRIGGER {trigger}" + ("" if database.is_sqlite else " ON round")))
        round_ = session.get(Round, round_id)
        promise = json.loads(round_.promise)
        for item in promise["items"]:
            item["parallels"] = []
        round_.promise = build.canonical(promise)
        round_.promise_hash = build.sha256(round_.promise)
        session.add(round_)
    build.correct(database, support.OPERATOR, round_id, "A published question was named by mistake")
    with database.reading() as session:
        revisions = session.exec(select(Release.revision).order_by(Release.revision)).all()
        newest = read.history(session, support.OPERATOR, body_id)[-1]
    assert revisions == [1, 2]
    assert newest["correction"]["reason"].startswith("A published question")
    assert newest["items"][0]["parallels"] == []
