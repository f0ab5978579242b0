"""A sender in a process of its own that is killed at a chosen moment: `python -m tests.messaging.sender ORDERS.json`.

It kills itself with SIGKILL after a lease, before the mark or after it; before the server's "250" the server does it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from engagement import clock, db
from engagement.config import Config, MailConfig
from engagement.messaging import outbox, post


def die() -> None:
    """End at once, as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def arm(moment: str, after: int) -> None:
    """Die at the `after`-th time that the moment comes."""
    seen = 0
    lease, settle, session = outbox.lease, outbox.settle, db.Database.session

    def strike() -> bool:
        nonlocal seen
        seen += 1
        return seen == after

    if moment == "lease":

        def leased(*arguments, **options):
            found = lease(*arguments, **options)
            if found and strike():
                die()
            return found

        outbox.lease = leased
    elif moment == "after 250":

        def before_mark(*arguments):
            if strike():
                die()
            return settle(*arguments)

        outbox.settle = before_mark
    elif moment == "after the mark":
        from contextlib import contextmanager

        marked = False

        def mark(*arguments):
            nonlocal marked
            marked = settle(*arguments)
            return marked

        @contextmanager
        def committing(database):
            nonlocal marked
            with session(database) as found:
                yield found
            if marked:
                marked = False
                if strike():
                    die()

        outbox.settle = mark
        db.Database.session = committing


def main(path: str) -> None:
    """Send until nothing waits or the time is up."""
    orders = json.loads(Path(path).read_text())
    shift = timedelta(seconds=orders["shift"])
    # Reminders leave in working hours only; tests run at any.
    clock.now = lambda: datetime.now(UTC) + shift
    arm(orders["moment"], orders["after"])
    config = replace(
        Config.load({"ENGAGEMENT_DATA": orders["data"], "ENGAGEMENT_DATABASE_URL": orders["url"]}),
        mail=MailConfig(
            way="smtp",
            sender="survey@ccg.example",
            per_minute=10_000_000,
            host="127.0.0.1",
            port=orders["port"],
            security="none",
        ),
    )
    database = db.Database(orders["url"])
    sender = post.Post(database, config, lease_length=timedelta(seconds=orders["lease"]))
    until = time.time() + orders["seconds"]
    while time.time() < until:
        sender.run_once()
        with database.reading() as session:
            if (
                session.exec(outbox.select(outbox.Message.id).where(outbox.Message.state != "done")).first()
                is None
            ):
                return
        time.sleep(0.1)
    sys.exit(2)


if __name__ == "__main__":
    main(sys.argv[1])
