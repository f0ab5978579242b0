"""Logs hold no link, answer, comment or address, at the most talkative level, from the page to the release."""

from __future__ import annotations

import logging
import socket
import threading
import time
from urllib.request import Request, urlopen

import pytest
import uvicorn
from starlette.applications import Starlette

from engagement import web
from engagement.intake.links import link_hash
from engagement.web.logs import LOGGERS, hide_links
from tests import support
from tests.adversary.conftest import ADDRESS, AGENT, the_form
from tests.adversary.crowd import ITEMS, answers_of, crowd, number_of

WORDS = "canary-words-of-a-member"
CALLERS = ("httpx", "httpx2", "httpcore", "httpcore2")


@pytest.fixture
def heard():
    """All log records of every logger at DEBUG, as text with their arguments; the test's own client left out."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record):
            if record.name.split(".")[0] not in CALLERS:
                # The raw arguments too: a handler of somebody else's may write them out.
                lines.append(f"{record.name}: {record.getMessage()} {record.args!r} {record.exc_info!r}")

    ear, root = Ear(level=logging.DEBUG), logging.getLogger()
    loggers = [logging.getLogger(name) for name in ("", *logging.root.manager.loggerDict)]
    kept = [(logger.level, logger.disabled, logger.propagate) for logger in loggers]
    for logger in loggers:
        # SQLAlchemy's echo writes values out; that it is off is a test of its own.
        if not logger.name.startswith("sqlalchemy"):
            # Streamlit and others may have silenced a logger earlier in this process.
            logger.level, logger.disabled, logger.propagate = logging.DEBUG, False, True
    logging.root.manager._clear_cache()
    root.addHandler(ear)
    yield lines
    root.removeHandler(ear)
    for logger, before in zip(loggers, kept, strict=True):
        logger.level, logger.disabled, logger.propagate = before
    logging.root.manager._clear_cache()


def spoken(lines: list[str], secrets: list[str]) -> list[str]:
    """The lines that hold a secret."""
    return [line for line in lines if any(secret in line for secret in secrets)]


def test_no_log_tells_who_said_what(database, config, post, heard):
    """From the first answer to the release no log line holds a link, its hash, a comment, an answer or an address."""
    keys = support.keys_of(config)
    round_id = support.launch(database, keys, crowd(database, 30, practices=3, leaders=12))
    doors = support.doors(database, keys, round_id)
    send = post()
    for number, door in enumerate(doors):
        assert send(door, the_form(number, f"{WORDS} {number}")) == 303
        # Once more with another form, with too little in it, and with a link that is none.
        assert send(door, the_form(number, WORDS)) == 409
    assert send(doors[0], {"idem_key": "k" * 32, "t-one_thing": WORDS}) == 409
    support.close(database, keys, round_id)
    secrets = [WORDS, ADDRESS, AGENT, *(door.token for door in doors)]
    secrets += [link_hash(door.token) for door in doors]
    secrets += [f"'{item}': {score}" for item in ITEMS[:2] for score in range(1, 6)]
    secrets += [f'"{item}": {score}' for item in ITEMS[:2] for score in range(1, 6)]
    assert len(heard) > 10
    assert spoken(heard, secrets) == []


def test_sql_is_not_echoed(database):
    """Statements with their values are not logged: echo is off and SQLAlchemy's loggers are not set to speak."""
    assert not database.engine.echo
    assert not logging.getLogger("sqlalchemy.engine").isEnabledFor(logging.INFO)


def serve(config):
    """The pages behind the real server, with its own log at its most talkative; yields its address."""
    app = Starlette(routes=web.routes(config), middleware=web.middleware(config))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, log_level="debug")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.02)
    return server, thread, port


@pytest.mark.parametrize("hidden", [True, False], ids=["ours", "naive"])
def test_server_log_holds_no_link(database, config, heard, hidden):
    """The server's access log names no link once our filter is on, and does without it."""
    keys = support.keys_of(config)
    round_id = support.launch(database, keys, crowd(database, 3))
    door = support.doors(database, keys, round_id)[0]
    loggers = [logging.getLogger(name) for name in LOGGERS]
    kept = [list(logger.filters) for logger in loggers]
    for logger in loggers:
        logger.filters.clear()
    if hidden:
        hide_links()
    server, thread, port = serve(config)
    try:
        request = Request(f"http://127.0.0.1:{port}/a/{door.public_id}/{door.token}")
        request.add_header("Host", "localhost:8501")
        with urlopen(request, timeout=20) as page:
            assert page.status == 200
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        for logger, filters in zip(loggers, kept, strict=True):
            logger.filters[:] = filters
    assert any("uvicorn" in line for line in heard)
    assert bool(spoken(heard, [door.token])) is not hidden


def test_answers_are_told_apart():
    """The numbers that answers spell come back, so that a search for them can find them."""
    assert [number_of(answers_of(number)) for number in (0, 7, 390_624)] == [0, 7, 390_624]
