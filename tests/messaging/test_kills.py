"""Two senders and a killer over a real SMTP server: nobody is missed, and a kill costs one duplicate at most."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path

import pytest
from sqlmodel import func, select

from engagement import clock
from engagement.messaging import outbox
from engagement.models import DeadLetter, Message, Round
from tests import support
from tests.adversary.crowd import crowd
from tests.messaging.conftest import TUESDAY, smtp_server

PEOPLE = 1_000
ANSWERED = 300
LEASE = 8.0
ROOT = Path(__file__).parents[2]


class Box:
    """A mail server's memory: every mail that it answered, or was about to answer, with "250"."""

    def __init__(self):
        self.got: list[tuple[str, str]] = []
        self.kill_at: dict[int, int] = {}
        self.kills = 0
        self.pid_of = None

    async def handle_DATA(self, server, session, envelope):
        """Keep a mail; before the answer, kill the process that sent it when its number has come."""
        message = message_from_bytes(envelope.content)
        self.got.append((envelope.rcpt_tos[0], message["Message-ID"]))
        pid = self.kill_at.pop(len(self.got), None)
        if pid is not None:
            process = self.pid_of(session.peer[1])
            if process is not None:
                os.kill(process, signal.SIGKILL)
                self.kills += 1
        return "250 taken"


@pytest.fixture
def server():
    """A real SMTP server on loopback."""
    box = Box()
    with smtp_server(box) as box.port:
        yield box


def owner_of(port: int, pids: list[int]) -> int | None:
    """Which of some processes holds the local end of a connection."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        cells = line.split()
        if int(cells[1].rpartition(":")[2], 16) == port:
            inodes.add(cells[9])
    for pid in pids:
        try:
            links = [os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()]
        except OSError:
            continue
        if any(match and match[1] in inodes for match in map(re.compile(r"socket:\[(\d+)\]").match, links)):
            return pid
    return None


class Crew:
    """Two senders at a time, each replaced when it was killed."""

    def __init__(self, folder: Path, orders: dict, moments: list[tuple[str, int]]):
        self.folder, self.orders, self.moments = folder, orders, list(moments)
        self.kills = 0
        self.processes: list[subprocess.Popen] = []

    def start(self) -> None:
        """Start one more sender, with the next moment at which it will die, or none."""
        moment, after = self.moments.pop(0) if self.moments else ("never", 0)
        path = self.folder / f"orders-{len(list(self.folder.iterdir()))}.json"
        path.write_text(json.dumps(self.orders | {"moment": moment, "after": after}))
        self.processes.append(
            subprocess.Popen(
                [sys.executable, "-m", "tests.messaging.sender", str(path)], cwd=ROOT, stderr=subprocess.PIPE
            )
        )

    def run(self, seconds: float) -> None:
        """Keep two senders going until both end by themselves."""
        deadline = time.monotonic() + seconds
        self.start()
        self.start()
        while self.processes:
            assert time.monotonic() < deadline, "the senders did not come to an end"
            for process in list(self.processes):
                if process.poll() is None:
                    continue
                self.processes.remove(process)
                said = process.stderr.read().decode()
                process.stderr.close()
                if process.returncode == -signal.SIGKILL:
                    self.kills += 1
                    self.start()
                else:
                    assert process.returncode == 0, said
            time.sleep(0.05)


@pytest.fixture
def shift(monkeypatch) -> float:
    """Seconds by which the clock is ahead: it starts at ten on a Tuesday and runs."""
    ahead = TUESDAY - datetime.now(UTC)
    monkeypatch.setattr(clock, "now", lambda: datetime.now(UTC) + ahead)
    return ahead.total_seconds()


def send(database, config, server: Box, folder: Path, shift: float) -> tuple[int, Counter]:
    """Send all that waits, with a kill at each of the moments; returns kills, and how often each mail arrived."""
    folder.mkdir()
    orders = {
        "url": database.url,
        "data": str(config.data),
        "port": server.port,
        "lease": LEASE,
        "seconds": 150,
        "shift": shift,
    }
    before, killed = len(server.got), server.kills
    moments = [("lease", 3), ("after 250", 30), ("after the mark", 50), ("after 250", 70), ("lease", 1)]
    crew = Crew(folder, orders, moments)
    server.pid_of = lambda port: owner_of(port, [process.pid for process in crew.processes])
    server.kill_at |= {before + 200: 1, before + 450: 1}
    database.dispose()
    crew.run(250)
    assert server.kills - killed == 2 and crew.kills == len(moments) + 2
    return crew.kills, Counter(server.got[before:])


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/proc/net/tcp").exists(), reason="finds the sender behind a connection in /proc"
)
def test_two_thousand_messages_survive_kills_at_every_moment(database, config, server, tmp_path, shift):
    """Invitations and reminders with kills at the lease, before and after the server's 250, and after the mark:
    nobody is missed, each kill sends at most one mail twice, and nobody who had answered is reminded."""
    keys = support.keys_of(config)
    body_id = crowd(database, PEOPLE, practices=20, leaders=50)
    round_id = support.launch(database, keys, body_id)
    everybody = {f"quill{number:05d}@members.example" for number in range(PEOPLE)}

    kills, mails = send(database, config, server, tmp_path / "invitations", shift)
    print(f"invitations: {kills} kills, {mails.total()} mails, {mails.total() - len(mails)} twice")
    assert {to for to, _ in mails} == everybody and len(mails) == PEOPLE
    assert mails.total() - len(mails) <= kills

    answered = set()
    for number, door in enumerate(support.doors(database, keys, round_id)[:ANSWERED]):
        support.answer(database, door, support.sheet(), key=f"k{number}")
        answered.add(f"quill{number:05d}@members.example")
    with database.session() as session:
        outbox.queue(session, session.get(Round, round_id), "reminder")
    kills, mails = send(database, config, server, tmp_path / "reminders", shift)
    print(f"reminders: {kills} kills, {mails.total()} mails, {mails.total() - len(mails)} twice")
    assert {to for to, _ in mails} == everybody - answered
    assert mails.total() - len(mails) <= kills

    with database.reading() as session:
        states = session.exec(select(Message.state, func.count()).group_by(Message.state)).all()
        assert states == [("done", 2 * PEOPLE)]
        assert session.exec(select(DeadLetter)).all() == []
