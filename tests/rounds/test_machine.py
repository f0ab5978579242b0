"""Any order of what may happen to rounds keeps every answer, every promise and every mail right."""

from __future__ import annotations

import pytest

from engagement.access import audit
from tests.rounds.life import Arena, run


@pytest.fixture
def arena(database, config, tmp_path, monkeypatch) -> Arena:
    """A body on one of the two databases, whose clock and faults are ours."""
    return Arena(config, database, monkeypatch, tmp_path)


@pytest.mark.slow
def test_any_life_of_a_round_holds(arena):
    """Answers are conserved, nothing is read early, nobody is mailed who answered, the promise stands and the close moves
    later only, whatever leads, members, the clock, crashes, the worker and the sender do, in whichever order."""
    run(arena, 300 if arena.database.is_sqlite else 50)
    with arena.database.reading() as session:
        assert audit.verify(session) is None
