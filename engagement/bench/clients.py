"""Clients that submit, or commit, without pause: `python -m engagement.bench.clients ORDERS.json SLOT`.

Processes of their own and the standard library alone: what they cost must not count as the server's. Each says
that it is ready, waits for the word, works for a while and prints what it did.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

SYNCHRONOUS = ("busy_timeout=30000", "journal_mode=WAL", "synchronous=FULL")


def crowd(orders: dict[str, Any], folder: Path) -> tuple[float, dict[str, int], float]:
    """Let `orders["clients"]` clients work at once; returns what they did a second, what they were told, and their
    slowest wait in seconds."""
    path = folder / "orders.json"
    path.write_text(json.dumps(orders))
    command = [sys.executable, "-m", "engagement.bench.clients", str(path)]
    running = [
        subprocess.Popen(  # noqa: S603 - our own module
            [*command, str(slot)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for slot in range(orders["clients"])
    ]
    try:
        for client in running:
            client.stdout.readline()
        for client in running:
            client.stdin.write("go\n")
            client.stdin.flush()
        told = [json.loads(client.stdout.readline()) for client in running]
    finally:
        for client in running:
            client.communicate()
    took = max(each["end"] for each in told) - min(each["start"] for each in told)
    said: dict[str, int] = {}
    for each in told:
        for answer, times in each["told"].items():
            said[answer] = said.get(answer, 0) + times
    return sum(each["done"] for each in told) / took, said, max(each["slowest"] for each in told)


def _post(orders: dict[str, Any], slot: int):
    """Sends a form through the HTTP route on a connection of its own, as phones do."""
    mine = iter(orders["tokens"][slot :: orders["clients"]])

    def once() -> str | None:
        token = next(mine, None)
        if token is None:
            return None
        body = urlencode({**orders["form"], "idem_key": secrets.token_urlsafe(24)}).encode()
        return _ask(
            orders["port"],
            f"POST /a/{orders['public_id']}/{token}?page=questions",
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n",
            body,
        )

    return once, "303"


def _get(orders: dict[str, Any], slot: int):
    """Asks the same server, in the same way, whether it is up: what HTTP costs by itself."""
    return lambda: _ask(orders["port"], "GET /healthz"), "200"


def _ask(port: int, line: str, headers: str = "", body: bytes = b"") -> str:
    """Send a request on a connection of its own and read the whole answer; returns its status."""
    head = (
        f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: bench\r\nAccept: text/html\r\n"
        f"{headers}Connection: close\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(head.encode() + body)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    return answer[9:12].decode()


def _commit(orders: dict[str, Any], slot: int):
    """Commits one box, durably."""
    database = sqlite3.connect(orders["path"], timeout=30, isolation_level=None)
    for pragma in SYNCHRONOUS:
        database.execute(f"PRAGMA {pragma}")
    box = os.urandom(orders["box"])

    def once() -> str:
        database.execute("BEGIN IMMEDIATE")
        database.execute("INSERT INTO box (box) VALUES (?)", (box,))
        database.execute("COMMIT")
        return "committed"

    return once, "committed"


def main(path: str, slot: str) -> None:
    """Work as one client."""
    orders = json.loads(Path(path).read_text())
    once, wanted = {"post": _post, "get": _get, "commit": _commit}[orders["kind"]](orders, int(slot))
    print("ready", flush=True)
    sys.stdin.readline()
    told: dict[str, int] = {}
    slowest = 0.0
    start = now = time.monotonic()
    until = start + orders["seconds"]
    while now < until:
        before = now
        said = once()
        now = time.monotonic()
        if said is None:
            break
        told[said] = told.get(said, 0) + 1
        slowest = max(slowest, now - before)
    report = {"start": start, "end": now, "done": told.get(wanted, 0), "told": told, "slowest": slowest}
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:3])
