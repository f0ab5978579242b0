"""Which practices ask for something alike, so that they can be offered to work on it together.

Cosine similarity of TF-IDF vectors. Source: Salton & Buckley (1988). The worker compares; pages read what it found.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, insert, update
from sqlmodel import Session, select

from engagement.db import Database
from engagement.models import Ask, AskLikeness

# From here on two asks are called alike; in tests with invented asks unlike ones lie below 0.1.
FLOOR = 0.22
WORD = r"(?u)\b[^\W\d]{2,}\b"
# An ask shows no more than so many others.
MOST = 5


def alike(texts: Sequence[str], practices: Sequence[int]) -> list[tuple[int, int, float]]:
    """Pairs of places (i < j) whose texts are alike and whose practices differ, with their cosine, the likest first.

    `texts`, `practices`: shape (asks,). Returns at most five others an ask. Words of one text alone carry nothing.
    """
    if len(texts) < 2:
        return []
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectors = TfidfVectorizer(stop_words="english", sublinear_tf=True, token_pattern=WORD)
    try:
        matrix = vectors.fit_transform(texts)
    except ValueError:
        # Nothing but words that say nothing.
        return []
    cosines = (matrix @ matrix.T).tocoo()
    pairs = [
        (float(cosine), int(i), int(j))
        for i, j, cosine in zip(cosines.row, cosines.col, cosines.data, strict=True)
        if i < j and cosine >= FLOOR and practices[i] != practices[j]
    ]
    kept, seen = [], dict.fromkeys(range(len(texts)), 0)
    for cosine, i, j in sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2])):
        if seen[i] < MOST and seen[j] < MOST:
            seen[i] += 1
            seen[j] += 1
            kept.append((i, j, min(cosine, 1.0)))
    return kept


def waiting(session: Session) -> list[int]:
    """The bodies with an ask that was not compared since it was raised, hidden or taken back."""
    return list(
        session.exec(select(Ask.body_id).where(Ask.compared == False).distinct().order_by(Ask.body_id))  # noqa: E712
    )


def refresh(database: Database) -> int:
    """Compare the asks of every body where one is new; returns how many bodies. For the worker, under its lease."""
    with database.reading() as session:
        bodies = waiting(session)
    for body_id in bodies:
        with database.session() as session:
            _compare(session, body_id)
    return len(bodies)


def _compare(session: Session, body_id: int) -> None:
    asks = session.exec(
        select(Ask)
        .where(
            Ask.body_id == body_id,
            Ask.public == True,  # noqa: E712
            Ask.hidden_at.is_(None),
            Ask.withdrawn_at.is_(None),
        )
        .order_by(Ask.id)
    ).all()
    found = alike([_words(ask) for ask in asks], [ask.practice_id for ask in asks])
    table = AskLikeness.__table__
    session.execute(delete(table).where(table.c.body_id == body_id))
    if found:
        session.execute(
            insert(table),
            [
                {"ask_id": asks[i].id, "other_id": asks[j].id, "body_id": body_id, "cosine": cosine}
                for i, j, cosine in found
            ],
        )
    session.execute(update(Ask.__table__).where(Ask.__table__.c.body_id == body_id).values(compared=True))


def _words(ask: Ask) -> str:
    # What is needed says what it is about; the rest helps to tell.
    return f"{ask.need} {ask.need} {ask.effect} {ask.change} {ask.improvement} {ask.topic.replace('_', ' ')}"
