"""Any order of what may happen to rounds keeps every answer, every promise and every mail right."""

from __future__ import annotations

import logging
import shutil

import pytest
from sqlalchemy.exc import DBAPIError

from engagement import db
from engagement.access import audit
from engagement.config import Config
from engagement.intake import mix, submit
from engagement.messaging import recipients
from engagement.models.base import random_key
from engagement.rounds import lifecycle, verbs
from tests.crash.test_mix_crash import mix_in_two
from tests.rounds.life import Arena, Life, Turn, run

SQLITE_RUNS, POSTGRESQL_RUNS = 300, 50  # in four parts, so that they can run side by side


@pytest.fixture(autouse=True)
def quiet_worker():
    """The worker and the sender log each of thousands of crashes; what counts is what is left after them."""
    logging.getLogger("engagement").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("engagement").setLevel(logging.NOTSET)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", range(4))
def test_any_life_of_a_round_holds(database, config, tmp_path, monkeypatch, part):
    """Answers are conserved, nothing is read early, nobody is mailed who answered, the promise stands and the close moves
    later only, whatever leads, members, the clock, crashes, the worker and the sender do, in whichever order."""
    runs = SQLITE_RUNS if database.is_sqlite else POSTGRESQL_RUNS
    run(Arena(config, database, monkeypatch, tmp_path), runs // 4 + (part < runs % 4), part=part)
    with database.reading() as session:
        assert audit.verify(session) is None


# What a machine that is worth its time must find.


def stored_apart(connection, sealed, idem_key):
    """Uses the link in one transaction and stores the box in the next."""
    mark = {
        "of_round": sealed.round_id,
        "of_link": sealed.link_hash,
        "key": idem_key[:64],
        "tag_hash": sealed.withdraw_hash,
    }
    if submit._MARK.change(connection, mark) != 1:
        return False
    driver = submit._driver(connection)
    driver.execute("COMMIT")
    driver.execute("BEGIN IMMEDIATE")
    submit._STORE.change(connection, {"id": random_key(), "round_id": sealed.round_id, "box": sealed.box})
    return True


def extended_in_silence(session, actor, round_id, closes_at, *, reason=""):
    """Moves the close without an amendment, and earlier too."""
    round_ = verbs.find(session, actor, round_id)
    if round_.state == "open":
        round_.closes_at = closes_at
        session.add(round_)


def destroyed_by_halves(database, keys, round_id):
    """Destroys a cancelled round's keys and leaves its boxes."""
    with database.reading() as session:
        round_ = session.get(lifecycle.Round, round_id)
    if round_.state != "cancelled":
        raise lifecycle.Conflict("Not cancelled.")
    keys.destroy_round(round_.public_id)
    mix.record_keys_destroyed(database, round_id)
    return True


def asks_everybody(session, round_id, token):
    """Takes every link for unused."""
    return True


def turn(**changed) -> Turn:
    """A turn in which nobody dies."""
    return Turn(**{"member": 0, "variant": 0, "days": 5, "at": 1, "way": "lives"} | changed)


MISTAKES = {
    "stored apart": (submit, "_mark_and_store", stored_apart, [("answer_and_die", turn(days=0))]),
    "extended in silence": (lifecycle, "extend", extended_in_silence, [("extend", turn())]),
    "shortened": (lifecycle, "extend", extended_in_silence, [("extend", turn(days=-3))]),
    "destroyed by halves": (
        lifecycle,
        "destroy",
        destroyed_by_halves,
        [("answer", turn()), ("cancel", turn()), ("the_worker_comes", turn())],
    ),
    "asks everybody": (
        recipients,
        "_unused",
        asks_everybody,
        [("answer", turn()), ("the_sender_comes", turn())],
    ),
    "mixed in two": (
        mix,
        "mix",
        mix_in_two,
        [
            ("answer", turn()),
            ("close", turn()),
            ("the_worker_dies", turn(at=1, way="dies after a commit")),
        ],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_machine_finds_what_is_broken(sqlite_template, tmp_path, monkeypatch, mistake):
    """What the machine checks after each step refuses six plausible mistakes, on the shortest way to each.

    tests/studies/machine.py lets it look for them by itself.
    """
    module, name, broken, events = MISTAKES[mistake]
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(sqlite_template, data / "engagement.sqlite")
    config = Config.load({"ENGAGEMENT_DATA": str(data), "ENGAGEMENT_WORKER": "external"})
    database = db.Database(config.database_url)
    arena = Arena(config, database, monkeypatch, tmp_path)
    for way in ("right", "broken"):
        life = type("Machine", (Life,), {"arena": arena})()
        life.first(opened=True, invited=False)
        if way == "broken":
            monkeypatch.setattr(module, name, broken)
            with pytest.raises((AssertionError, DBAPIError)):
                play(life, events)
        else:
            play(life, events)
        arena.end()


def play(life: Life, events) -> None:
    """Let events happen in this order, with all checks after each."""
    for event, chance in events:
        life.step(event, chance)
        life.all_is_as_it_should_be()
