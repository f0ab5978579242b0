"""A process that takes answers in batches until it is killed: `python -m tests.intake.gathering URL ORDERS.json`.

After each batch it prints the places of those that it was told are stored.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from engagement.db import Database
from engagement.intake import gather
from engagement.intake.submit import Outcome
from tests.support import sheet

BATCH = 7


def main(url: str, path: str) -> None:
    """Take every answer of the orders, in turn."""
    orders = json.loads(Path(path).read_text())
    database = Database(url)
    places = list(enumerate(orders["tokens"]))
    for start in range(0, len(places), BATCH):
        part = places[start : start + BATCH]
        answers = [gather.Answer(orders["public_id"], token, sheet(), f"k{place}") for place, token in part]
        for (place, _), outcome in zip(part, gather.store(database, answers), strict=True):
            if outcome in (Outcome.STORED, Outcome.ALREADY):
                print(place)
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:3])
