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
    """Sends forms through the HTTP route, each complete, for a link of its own and with a key of its own.

    They are written out before the clock starts: filling a form in is the member's time, on the member's machine.
    """
    forms = iter(
        [
            _request(
                orders["port"],
                f"POST /a/{orders['public_id']}/{token}?page=questions",
                urlencode({**orders["form"], "idem_key": secrets.token_urlsafe(24)}).encode(),
            )
            for token in orders["tokens"][slot :: orders["clients"]]
        ]
    )
    ask = _asker(orders["port"])

    def once() -> str | None:
        form = next(forms, None)
        return None if form is None else ask(form)

    return once, "303"


def _get(orders: dict[str, Any], slot: int):
    """Asks the same server, in the same way, whether it is up: what HTTP costs by itself."""
    ask, request = _asker(orders["port"]), _request(orders["port"], "GET /healthz")
    return lambda: ask(request), "200"


def _request(port: int, line: str, body: bytes = b"") -> bytes:
    head = f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: bench\r\nAccept: text/html\r\n"
    if body:
        head += f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n".encode() + body


def _asker(port: int):
    """A connection that stays open, as the baseline's to its database: returns what sends a request over it, reads
    the whole answer and says its status."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(request: bytes) -> str:
        connection.sendall(request)
        answer = b""
        while (end := answer.find(b"\r\n\r\n")) < 0 or len(answer) < end + 4 + _length(answer[:end]):
            part = connection.recv(65536)
            if not part:
                connection.close()
                raise ConnectionError("The server hung up in the middle of an answer.")
            answer += part
        return answer[9:12].decode()

    return ask


def _length(head: bytes) -> int:
    """How long a body is, from the head before it."""
    return int(head.lower().rpartition(b"content-length:")[2].partition(b"\r\n")[0])


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
