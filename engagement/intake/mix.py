"""The mix at close: open every box, drop what was withdrawn, and store the rest so that nothing points back.

Each step may be repeated: a crash at any statement is caught up by calling again.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import delete, func, insert, select, text, update
from sqlmodel import Session

from engagement import clock
from engagement.access import Actor, audit
from engagement.db import Database
from engagement.errors import Conflict, Unsafe
from engagement.intake.keys import Keys
from engagement.intake.links import panel_code
from engagement.intake.sealing import Opened, Opener
from engagement.models import (
    Comment,
    Member,
    PanelSkip,
    Participation,
    PracticeParticipation,
    Response,
    Round,
    RoundRoster,
    SealedAnswer,
    random_id,
)

PAGE = 256
INSERT_PAGE = 2_000
_sealed = SealedAnswer.__table__
_ledger = Participation.__table__


@dataclass(frozen=True)
class Mixed:
    """What a mix did: answers stored, and answers dropped because their authors withdrew them."""

    stored: int
    withdrawn: int


def _boxes(session: Session, round_id: int) -> Iterator[list[bytes]]:
    """The round's boxes a page at a time, so that a large round does not fill the memory."""
    after = -1
    while True:
        rows = session.execute(
            select(_sealed.c.id, _sealed.c.box)
            .where(_sealed.c.round_id == round_id, _sealed.c.id > after)
            .order_by(_sealed.c.id)
            .limit(PAGE)
        ).all()
        if not rows:
            return
        after = rows[-1].id
        yield [row.box for row in rows]


def _unused(session: Session, round_id: int) -> Iterator[list[bytes]]:
    """The sealed standings of links that nobody used, a page at a time."""
    after = ""
    while True:
        rows = session.execute(
            select(_ledger.c.link_hash, _ledger.c.standing)
            .where(_ledger.c.round_id == round_id, _ledger.c.used.is_(False), _ledger.c.link_hash > after)
            .order_by(_ledger.c.link_hash)
            .limit(PAGE)
        ).all()
        if not rows:
            return
        after = rows[-1].link_hash
        yield [row.standing for row in rows]


@dataclass(frozen=True)
class _Contents:
    """What a round's boxes held: the answers that count, how many were withdrawn, and the standings of all who were
    invited and whose answer is not among them (of confidential rounds alone)."""

    kept: list[Opened]
    withdrawn: int
    silent: list[dict[str, Any]]


def _open_all(database: Database, keys: Keys, round_: Round) -> _Contents:
    """Open every box in memory; raise `Unsafe` unless there is exactly one for each used link."""
    opener = Opener(keys.round_secret(round_.public_id))
    kept: list[Opened] = []
    silent: list[dict[str, Any]] = []
    opened = 0
    with database.reading() as session:
        used = session.execute(
            select(func.count()).where(_ledger.c.round_id == round_.id, _ledger.c.used.is_(True))
        ).scalar_one()
        withdrawn = set(
            session.execute(
                select(_ledger.c.withdraw_hash).where(
                    _ledger.c.round_id == round_.id, _ledger.c.withdrawn.is_(True)
                )
            ).scalars()
        )
        # libsodium lets go of the interpreter's lock while it computes. Half a page a thread: handing over each box
        # cost as much as opening it.
        with ThreadPoolExecutor(2) as pool:
            for page in _boxes(session, round_.id):
                halves = page[: len(page) // 2], page[len(page) // 2 :]
                for answer in chain.from_iterable(pool.map(lambda half: list(map(opener, half)), halves)):
                    opened += 1
                    if hashlib.sha256(answer.tag.encode()).hexdigest() not in withdrawn:
                        kept.append(answer)
                    else:
                        silent.append(answer.standing)
            if round_.tier == "confidential":
                for page in _unused(session, round_.id):
                    silent += pool.map(opener.standing, page)
    if opened != used:
        raise Unsafe(
            f"Round {round_.number}: {used} links are used but {opened} answers are sealed. Nothing changed."
        )
    if opened - len(kept) != len(withdrawn):
        raise Unsafe(f"Round {round_.number}: the withdrawals do not match the answers. Nothing changed.")
    return _Contents(kept, opened - len(kept), silent)


def store(session: Session, round_: Round, answers: Iterable[Opened]) -> int:
    """Write the answers of a closing round under fresh random ids, in the order of those ids, and count.

    Part of the mix's one transaction; imports of past rounds come in by this door too.
    Comments are cut from everything else that their authors said.
    """
    named = round_.tier != "anonymous"
    responses, comments, answered = [], [], Counter()
    for answer in answers:
        standing = answer.standing
        practice_id = standing.get("practice_id") if named else None
        responses.append(
            {
                "id": random_id(),
                "body_id": round_.body_id,
                "round_id": round_.id,
                "standing": standing["standing"],
                "practice_id": practice_id,
                "strata": standing.get("strata") or {},
                "panel_before": standing.get("before"),
                "panel_now": standing.get("now"),
                "practice_may_use": answer.practice_may_use,
                "answers": answer.answers,
            }
        )
        if practice_id is not None:
            answered[practice_id] += 1
        for item, (words, choice) in answer.comments.items():
            comments.append(
                {
                    "id": random_id(),
                    "body_id": round_.body_id,
                    "round_id": round_.id,
                    "item": item,
                    "text": words,
                    "choice": choice,
                }
            )
    for table, rows in ((Response.__table__, responses), (Comment.__table__, comments)):
        rows.sort(key=lambda row: row["id"])
        for start in range(0, len(rows), INSERT_PAGE):
            session.execute(insert(table), rows[start : start + INSERT_PAGE])
    if named:
        _count_practices(session, round_, answered)
    return len(responses)


def not_invited(session: Session, round_: Round, before: bytes | None, now: bytes) -> list[dict[str, Any]]:
    """The codes of people whom the roster still knows and who were not invited, as `store_skips` takes them: somebody who
    left may come back, and whoever reads names knows them again. `before`, `now`: the keys of panel codes."""
    if before is None:
        return []
    invited = select(RoundRoster.member_id).where(RoundRoster.round_id == round_.id)
    others = select(Member.id).where(Member.body_id == round_.body_id, Member.id.not_in(invited))
    return [
        {"before": panel_code(before, member_id), "now": panel_code(now, member_id)}
        for member_id in session.execute(others).scalars()
    ]


def store_skips(session: Session, round_: Round, silent: Iterable[dict[str, Any]]) -> None:
    """Write the codes of those who sent nothing, so that no answers fall apart at a round that somebody skips.

    Part of the mix's one transaction, as `store`. `silent`: their standings, invited or not; without a code of the round
    before, nothing is behind them to be joined.
    """
    rows = [
        {
            "round_id": round_.id,
            "body_id": round_.body_id,
            "panel_before": standing["before"],
            "panel_now": standing["now"],
        }
        for standing in silent
        if standing.get("before") and standing.get("now")
    ]
    rows.sort(key=lambda row: row["panel_now"])
    for start in range(0, len(rows), INSERT_PAGE):
        session.execute(insert(PanelSkip.__table__), rows[start : start + INSERT_PAGE])


def _count_practices(session: Session, round_: Round, answered: Counter) -> None:
    """Totals of taking part: invited from the roster at launch, answered from the opened boxes."""
    invited = session.execute(
        select(RoundRoster.practice_id, func.count())
        .where(RoundRoster.round_id == round_.id, RoundRoster.practice_id.is_not(None))
        .group_by(RoundRoster.practice_id)
        .order_by(RoundRoster.practice_id)
    ).all()
    if invited:
        session.execute(
            insert(PracticeParticipation.__table__),
            [
                {
                    "round_id": round_.id,
                    "practice_id": practice_id,
                    "body_id": round_.body_id,
                    "invited": number,
                    "answered": answered[practice_id],
                }
                for practice_id, number in invited
            ],
        )


def mix(database: Database, keys: Keys, round_id: int) -> Mixed | None:
    """Steps 2 and 3: open, check, and in one transaction store, delete the boxes and move on.

    Returns None when the round is mixed already. Raises `Unsafe`, with nothing changed, when the boxes and the
    used links do not match or a box cannot be opened.
    """
    with database.reading() as session:
        round_ = session.get(Round, round_id)
        if round_.state in ("mixed", "released"):
            return None
        if round_.state != "closing":
            raise Conflict("Only a round that has stopped taking answers can be mixed.")
    contents = _open_all(database, keys, round_)
    with database.session() as session:
        now = clock.now()
        moved = session.execute(
            update(Round)
            .where(Round.id == round_id, Round.state == "closing")
            .values(state="mixed", mixed_at=now, trouble=None)
        )
        if moved.rowcount != 1:
            return None
        stored = store(session, round_, contents.kept)
        absent = []
        if round_.tier == "confidential":
            now_key = keys.panel(round_.body_id, round_.number)
            absent = not_invited(session, round_, keys.panel_before(round_.body_id, round_.number), now_key)
        store_skips(session, round_, [*contents.silent, *absent])
        deleted = session.execute(delete(_sealed).where(_sealed.c.round_id == round_id)).rowcount
        if deleted != stored + contents.withdrawn:
            raise Unsafe(
                f"Round {round_.number}: the sealed answers changed during the mix. Nothing changed."
            )
        audit.record(session, Actor.worker(), "round.mix", round_.body_id, round=round_.number)
    return Mixed(stored, contents.withdrawn)


def scrub(database: Database) -> bool:
    """Step 4: rewrite the files so that no free page, log or row version holds the boxes or their order.

    Returns False when somebody was in the way (a reader of the write-ahead log): call again later.
    """
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in ("sealed_answer", "participation"):
                connection.execute(text(f"VACUUM FULL {table}"))
        return True
    # Our connections commit by themselves already; SQLAlchemy's AUTOCOMMIT would hand this one back to the pool
    # with the driver's own way of beginning transactions.
    with database.engine.connect() as connection:
        raw = connection.connection.driver_connection
        if raw.in_transaction:
            raw.execute("ROLLBACK")
        raw.execute("VACUUM")
        busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy


def destroy_keys(database: Database, keys: Keys, round_id: int) -> None:
    """Step 5: destroy the round's keys and the panel keys of earlier rounds, then record it."""
    with database.reading() as session:
        round_ = session.get(Round, round_id)
    if round_.state not in ("mixed", "released"):
        raise Conflict("The keys of a round that is not mixed are still needed.")
    keys.destroy_round(round_.public_id)
    if round_.tier == "confidential":
        keys.destroy_panels_before(round_.body_id, round_.number)
    record_keys_destroyed(database, round_id)


def record_keys_destroyed(database: Database, round_id: int) -> None:
    """Write down, once, that a round's keys are destroyed."""
    with database.session() as session:
        changed = session.execute(
            update(Round)
            .where(Round.id == round_id, Round.keys_destroyed_at.is_(None))
            .values(keys_destroyed_at=clock.now(), trouble=None)
        )
        if changed.rowcount:
            round_ = session.get(Round, round_id)
            audit.record(session, Actor.worker(), "round.keys_destroyed", round_.body_id, round=round_.number)


def delete_links(database: Database, round_id: int) -> None:
    """Step 6: delete the link rows, which until now let a retried form hear that it was received."""
    with database.session() as session:
        session.execute(delete(_ledger).where(_ledger.c.round_id == round_id))
        session.execute(
            update(Round).where(Round.id == round_id).values(links_deleted_at=clock.now(), trouble=None)
        )
