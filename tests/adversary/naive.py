"""An intake as it is usually written, for the attackers to prove themselves on. Nothing of the product uses it.

Answers go in plain, as they come, into a table that counts up; `used` stands beside the member; a box is as long
as its answer; rows under random ids are filled in the order of submission.
"""

from __future__ import annotations

import json
import secrets

from nacl.public import PrivateKey, SealedBox
from sqlalchemy import text

from engagement.db import Database
from engagement.intake.sheet import Sheet


class Naive:
    """The tables and the steps of a naive survey."""

    def __init__(self, database: Database):
        self.database = database
        self.secret = PrivateKey.generate()
        counting = "INTEGER PRIMARY KEY" if database.is_sqlite else "SERIAL PRIMARY KEY"
        blob = "BLOB" if database.is_sqlite else "BYTEA"
        with database.session() as session:
            for statement in (
                "CREATE TABLE naive_member (ref TEXT PRIMARY KEY, used BOOLEAN NOT NULL)",
                f"CREATE TABLE naive_answer (id {counting}, answers TEXT NOT NULL)",
                f"CREATE TABLE naive_box (id TEXT PRIMARY KEY, box {blob} NOT NULL)",
                "CREATE TABLE naive_response (id TEXT PRIMARY KEY, answers TEXT NOT NULL)",
            ):
                session.execute(text(statement))

    def submit(self, ref: str, sheet: Sheet) -> None:
        """Take an answer: plain, and the member ticked off."""
        with self.database.session() as session:
            session.execute(text("INSERT INTO naive_member VALUES (:ref, TRUE)"), {"ref": ref})
            session.execute(
                text("INSERT INTO naive_answer (answers) VALUES (:answers)"),
                {"answers": json.dumps(sheet.answers)},
            )

    def seal(self, sheet: Sheet) -> None:
        """Take an answer sealed, but as long as it is."""
        content = json.dumps([sheet.answers, sheet.comments]).encode()
        box = SealedBox(self.secret.public_key).encrypt(content)
        with self.database.session() as session:
            session.execute(
                text("INSERT INTO naive_box VALUES (:id, :box)"), {"id": secrets.token_hex(16), "box": box}
            )

    def close(self) -> None:
        """Give every answer a fresh random id, one transaction each, in the order in which they came."""
        with self.database.reading() as session:
            rows = session.execute(text("SELECT answers FROM naive_answer ORDER BY id")).scalars().all()
        for answers in rows:
            with self.database.session() as session:
                session.execute(
                    text("INSERT INTO naive_response VALUES (:id, :answers)"),
                    {"id": secrets.token_hex(16), "answers": answers},
                )
        with self.database.session() as session:
            session.execute(text("DELETE FROM naive_answer"))
