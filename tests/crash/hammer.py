"""Processes that submit without pause, and a killer among them: `python -m tests.crash.hammer ORDERS.json`.

The parent imports everything, submits once and closes its connections, so that a killed child is replaced by
a fork within milliseconds, with its statements compiled, and most of the time goes into submitting. What a child was told is stored it writes to its own
file, and syncs it, only after the commit.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import sys
import time
from pathlib import Path

from sqlalchemy import insert, update
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from engagement.db import Database
from engagement.intake import links, sealing
from engagement.intake.gather import Answer, store
from engagement.intake.submit import DoorState, Outcome, look, submit
from engagement.models import Participation, Round, SealedAnswer
from engagement.models.base import random_key
from tests.adversary.crowd import sheet_of

# Two forms a member: two processes that meet on one are either the same form twice or two forms on one link.
FORMS = 2
WINDOW = 16
_ledger = Participation.__table__


def real(database: Database, public_id: str, token: str, sheet, key: str) -> Outcome:
    """The product's own intake, one answer a transaction."""
    with database.session() as session:
        return submit(session, public_id, token, sheet, key)


def _seal(session, public_id: str, token: str, sheet):
    round_ = session.exec(select(Round).where(Round.public_id == public_id)).one()
    entry = session.exec(
        select(Participation).where(
            Participation.round_id == round_.id, Participation.link_hash == links.link_hash(token)
        )
    ).one()
    box, _ = sealing.seal_answer(
        round_.public_key,
        round_.box_size,
        standing=entry.standing,
        answers=sheet.answers,
        comments=sheet.comments,
        practice_may_use=False,
    )
    mine = (_ledger.c.round_id == round_.id) & (_ledger.c.link_hash == entry.link_hash)
    return round_.id, entry, box, mine


def check_then_write(database: Database, public_id: str, token: str, sheet, key: str) -> Outcome:
    """Naive: look whether the link is used, and then use it, whatever happened in between."""
    with database.reading() as session:
        if look(session, public_id, token).state is not DoorState.READY:
            return Outcome.USED
        round_id, _, box, mine = _seal(session, public_id, token, sheet)
    with database.session() as session:
        session.execute(update(_ledger).where(mine).values(used=True, idem_key=key))
        session.execute(insert(SealedAnswer.__table__).values(id=random_key(), round_id=round_id, box=box))
    return Outcome.STORED


def two_transactions(database: Database, public_id: str, token: str, sheet, key: str) -> Outcome:
    """Naive: mark the link in one transaction and store the answer in the next."""
    with database.session() as session:
        round_id, entry, box, mine = _seal(session, public_id, token, sheet)
        marked = session.execute(
            update(_ledger).where(mine, _ledger.c.used.is_(False)).values(used=True, idem_key=key)
        )
        if marked.rowcount != 1:
            return Outcome.ALREADY if entry.idem_key == key else Outcome.USED
    with database.session() as session:
        session.execute(insert(SealedAnswer.__table__).values(id=random_key(), round_id=round_id, box=box))
    return Outcome.STORED


VARIANTS = {"real": real, "check_then_write": check_then_write, "two_transactions": two_transactions}


def form_key(number: int) -> str:
    """The key hidden in a form, the same each time that form is sent."""
    return f"form-{number:08d}"


class Hand:
    """Sends forms and writes down what it was told."""

    def __init__(self, orders: dict, database: Database, name: str):
        self.orders, self.database = orders, database
        self.told = os.open(Path(orders["folder"]) / f"told-{name}", os.O_CREAT | os.O_APPEND | os.O_WRONLY)

    def send(self, number: int) -> None:
        """Send one form, and write down the outcome only after its commit."""
        try:
            outcome = VARIANTS[self.orders["variant"]](self.database, *self._form(number))
        except DBAPIError:
            outcome = None
        self._write({number: outcome})

    def send_together(self, numbers: list[int]) -> None:
        """Send several forms that share a commit, as the web's pages do under load."""
        outcomes = store(self.database, [Answer(*self._form(number)) for number in numbers])
        self._write(dict(zip(numbers, outcomes, strict=True)))

    def _form(self, number: int) -> tuple:
        token = self.orders["tokens"][number // FORMS]
        return (
            self.orders["public_id"],
            token,
            sheet_of(number, f"comment of form {number}"),
            form_key(number),
        )

    def _write(self, told: dict) -> None:
        lines = [
            f"{outcome.name if isinstance(outcome, Outcome) else 'FAILED'} {number}\n"
            for number, outcome in told.items()
        ]
        os.write(self.told, "".join(lines).encode())
        if {Outcome.STORED, Outcome.ALREADY} & set(told.values()):
            os.fsync(self.told)

    def work(self) -> None:
        """Submit until the time is up: everybody works near the same few members, who move through the roster."""
        chance = random.Random(secrets.randbits(64))
        since, until, members = self.orders["since"], self.orders["until"], len(self.orders["tokens"])
        while (now := time.time()) < until:
            place = int((now - since) / (until - since) * members)
            forms = [
                (place + chance.randrange(WINDOW)) % members * FORMS + chance.randrange(FORMS)
                for _ in range(chance.choice((1, 1, 2, 5)))
            ]
            # As the pages do: PostgreSQL gathers commits itself, and rows marked in any order could lock each other.
            if self.orders["variant"] == "real" and self.database.is_sqlite and len(forms) > 1:
                self.send_together(forms)
            else:
                self.send(forms[0])


def _start(orders: dict, database: Database, slot: int) -> int:
    child = os.fork()
    if child:
        return child
    try:
        Hand(orders, database, str(slot)).work()
    except BaseException as error:
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)
    os._exit(0)


def main(path: str) -> None:
    """Run the orders and print how many were killed and how many fell by themselves."""
    orders = json.loads(Path(path).read_text())
    database = Database(orders["url"])
    Hand(orders, database, "first").send(0)
    database.dispose()
    orders["since"] = time.time()
    orders["until"] = orders["since"] + orders["seconds"]
    chance = random.Random(secrets.randbits(64))
    children = {slot: _start(orders, database, slot) for slot in range(orders["processes"])}
    kills = fallen = 0
    while time.time() < orders["until"] - 0.3:
        time.sleep(chance.expovariate(orders["processes"] / orders["mean_life"]))
        slot = chance.choice(sorted(children))
        os.kill(children[slot], signal.SIGKILL)
        _, status = os.waitpid(children[slot], 0)
        kills += os.WIFSIGNALED(status)
        fallen += os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0
        children[slot] = _start(orders, database, slot)
    for child in children.values():
        _, status = os.waitpid(child, 0)
        fallen += status != 0
    print(json.dumps({"kills": kills, "fallen": fallen}))


if __name__ == "__main__":
    main(sys.argv[1])
