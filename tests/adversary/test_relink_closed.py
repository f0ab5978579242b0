"""After close: an attacker with every file, table and old copy matches answers to people no better than chance."""

from __future__ import annotations

import json

import pytest
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from sqlalchemy import text
from sqlmodel import select

from engagement.intake.links import link_hash
from engagement.intake.sealing import Opener
from engagement.models import Response, Round
from tests.adversary.attack import (
    chance_bound,
    disk_orders,
    drift_bound,
    empty_log,
    guess,
    has_rowid,
    hidden_columns,
    holders,
    log_place,
)
from tests.adversary.crowd import number_of, sheet_of
from tests.adversary.naive import Naive

# Attackers of both databases together: the bound on chance holds for all of them at once.
ATTACKERS = 40


def table_orders(database, submitted_comments: dict[str, int]) -> dict[str, list[int]]:
    """Orders in which the tables give answers, comments and panel codes."""
    hidden = "id" if database.is_sqlite else hidden_columns(database)
    orders = {}
    with database.reading() as session:
        answers = {row.id: number_of(row.answers) for row in session.exec(select(Response))}

        def ordered(query: str, table: str) -> list:
            return session.execute(text(query.format(table=table))).scalars().all()

        for name, query in {
            "as it comes": "SELECT id FROM {table}",
            "by hidden columns": f"SELECT id FROM {{table}} ORDER BY {hidden}",
            "by index": "SELECT id FROM {table} WHERE round_id > 0 ORDER BY round_id",
        }.items():
            orders[f"responses {name}"] = [answers[row] for row in ordered(query, "response")]
        orders["responses by panel code"] = [
            answers[row] for row in ordered("SELECT id FROM {table} ORDER BY panel_now", "response")
        ]
        if not database.is_sqlite:
            orders["responses by ctid"] = [
                answers[row] for row in ordered("SELECT id FROM {table} ORDER BY ctid", "response")
            ]
            orders["responses by xmin"] = [
                answers[row]
                for row in ordered("SELECT id FROM {table} ORDER BY xmin::text::bigint", "response")
            ]
            assert len(set(ordered("SELECT DISTINCT xmin::text FROM {table}", "response"))) == 1
        words = ordered(f"SELECT text FROM {{table}} ORDER BY {hidden}", "comment")
        orders["comments by hidden columns"] = [submitted_comments[row] for row in words]
    return orders


def ledger_order(database, hashes: dict[str, int]) -> list[int]:
    """People in the order in which the ledger keeps their links, as only we can tell."""
    order = "link_hash" if database.is_sqlite else hidden_columns(database)
    with database.reading() as session:
        rows = session.execute(text(f"SELECT link_hash FROM participation ORDER BY {order}")).scalars()
        return [hashes[row] for row in rows]


def old_copy(survey) -> dict[str, bytes]:
    """The boxes, by id and in its order, that a copy made while the round is open holds."""
    with survey.database.reading() as session:
        rows = session.execute(text("SELECT id, box FROM sealed_answer ORDER BY id")).all()
    return {str(row.id): bytes(row.box) for row in rows}


def test_nobody_is_matched_to_an_answer(survey):
    """By row order, bytes of file and log, transaction, place, ledger or old boxes, no guess beats chance."""
    database = survey.database
    numbers = {words: number for number, words in survey.comments.items()}
    hashes = {link_hash(door.token): number for number, door in enumerate(survey.doors)}
    copied = old_copy(survey)
    with database.reading() as session:
        secret = survey.keys.round_secret(session.get(Round, survey.round_id).public_id)
    opener = Opener(secret)
    whose = {box_id: number_of(opener(box).answers) for box_id, box in copied.items()}
    survey.close()
    orders = table_orders(database, numbers) | disk_orders(database, survey.since)
    assert sorted(orders["responses as it comes"]) == sorted(survey.submitted)
    assert set(orders["file by offset"]) == set(survey.submitted)
    guesses = {name: guess(order, survey.submitted) for name, order in orders.items()}
    by_id = orders["responses as it comes"]
    guesses["ledger against responses"] = guess(by_id, ledger_order(database, hashes))
    guesses["comments against responses"] = guess(by_id, orders["comments by hidden columns"])
    guesses["old boxes by id against responses"] = guess(by_id, list(whose.values()))
    guesses["roster against responses"] = guess(by_id, sorted(survey.submitted))
    assert 2 * len(guesses) <= ATTACKERS
    bound = chance_bound(len(survey.submitted), 2 * ATTACKERS)
    print(
        f"{database.engine.dialect.name}, bound {bound}: " + "; ".join(f"{n} {g}" for n, g in guesses.items())
    )
    drift = drift_bound(2 * ATTACKERS)
    beaten = {name: str(g) for name, g in guesses.items() if g.right > bound or g.drift > drift}
    assert beaten == {}
    with database.reading() as session:
        ids = set(session.exec(select(Response.id)))
        words = set(session.execute(text("SELECT id FROM comment")).scalars())
    if database.is_sqlite:
        assert not any(has_rowid(database.path, table) for table in ("participation", "response", "comment"))
    starts = {int(box_id) for box_id in copied}
    assert not ids & words
    # Nor do the new ids begin as the numbers of the boxes do.
    assert not any(int(new, 16) >> 66 << 1 in starts for new in ids | words)


def test_old_boxes_stay_shut_for_ever(survey):
    """No file left opens a box that was copied while the round was open; SQLite's file and log hold no piece of one."""
    copied = old_copy(survey)
    pieces = {f"{i} at {at}": box[at : at + 24] for i, box in copied.items() for at in (0, 2_000, 9_000)}
    assert {line.split(" at ")[0] for line in holders(survey.on_disk(), pieces)} == set(copied)
    keys_before = {path.name: path.read_bytes() for path in survey.config.keys.iterdir()}
    survey.close()
    left = {path.name: path.read_bytes() for path in survey.config.keys.iterdir()}
    assert set(left) == {name for name in keys_before if name.startswith("panel-")}
    gone = {name: key for name, key in keys_before.items() if name not in left}
    assert len(gone) == 2
    files = {str(path): path.read_bytes() for path in survey.config.data.rglob("*") if path.is_file()}
    files |= survey.on_disk()
    assert holders(files, gone) == holders(files, {n: k.hex().encode() for n, k in gone.items()}) == []
    if survey.database.is_sqlite:
        # PostgreSQL keeps its log until it is used again: there the destroyed key alone protects.
        assert holders(survey.on_disk(), pieces) == []
    box = next(iter(copied.values()))
    for key in [*left.values(), bytes(32)]:
        with pytest.raises(CryptoError):
            SealedBox(PrivateKey(key)).decrypt(box)


def test_naive_intake_is_linked_by_every_attacker(database, answered):
    """The same attackers match nearly everybody in a naive intake, or find the order in which people came, before and after
    it gave its rows random ids."""
    order = answered.order
    naive = Naive(database)
    empty_log(database)
    since = log_place(database)
    for number in order:
        naive.submit(answered.ref(number), sheet_of(number))

    def rows(query: str) -> list[int]:
        with database.reading() as session:
            found = session.execute(text(query)).scalars().all()
        return [number_of(json.loads(row)) for row in found]

    hidden = hidden_columns(database)
    guesses = {
        "plain, by id": guess(rows("SELECT answers FROM naive_answer ORDER BY id"), order),
        "plain, by hidden columns": guess(rows(f"SELECT answers FROM naive_answer ORDER BY {hidden}"), order),
    }
    # In a page rows lie last to first, in a log page after page: one of the two readings is the right one.
    for place in ("log", "file"):
        orders = disk_orders(database, since)
        both = [guess(orders[f"{place} by {way}"], order) for way in ("offset", "page")]
        guesses[f"plain, {place}"] = max(both, key=lambda found: found.right)
        empty_log(database)
    naive.close()
    guesses["random ids, by hidden columns"] = guess(
        rows(f"SELECT answers FROM naive_response ORDER BY {hidden}"), order
    )
    print(f"{database.engine.dialect.name}, naive: " + "; ".join(f"{n} {g}" for n, g in guesses.items()))
    # A checkpoint in between writes whole pages into the log and shifts its order, which is then found all the same.
    bound = drift_bound(2 * ATTACKERS)
    missed = {name: str(found) for name, found in guesses.items() if not found.links and found.drift <= bound}
    assert missed == {}
    assert sum(found.links for found in guesses.values()) >= len(guesses) - 1
