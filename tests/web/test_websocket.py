"""The socket over which pages are drawn, on a real server: every origin with every cookie, and what it then shows."""

from __future__ import annotations

import shutil
import urllib.error
import urllib.request
from contextlib import suppress

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect

from engagement import clock, db
from engagement.access import Actor, Role, accounts, sessions
from engagement.models import Account, Body
from tests.browser.conftest import start

NAME = "Canary Vale CCG"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def served(tmp_path_factory, sqlite_template):
    """A served installation with one body, and the cookies that a browser might bring along."""
    folder = tmp_path_factory.mktemp("socket")
    (folder / "data").mkdir()
    path = folder / "data" / "engagement.sqlite"
    shutil.copy(sqlite_template, path)
    database = db.Database(f"sqlite:///{path}")
    with database.session() as session:
        # A demo body: an account of a real one would be asked for a second factor first.
        body = Body(code="VALE", name=NAME, is_demo=True, created_at=clock.now())
        session.add(body)
        session.flush()
        account, _ = accounts.create(
            session,
            Actor.operator(),
            body.id,
            email="alice@example.org",
            name="Alice",
            role=Role.LEAD,
            password=PASSWORD,
        )
        account = session.get(Account, account.id)
        live, ended = sessions.sign_in(session, account), sessions.sign_in(session, account)
        sessions.sign_out(session, {"sid": ended}, secure=False)
    database.dispose()
    site, stop = start({"ENGAGEMENT_DATA": str(folder / "data"), "ENGAGEMENT_DATABASE_URL": ""}, folder)
    yield (
        site,
        {
            "live": f"sid={live}",
            "none": None,
            "forged": "sid=" + "A" * len(live),
            "ended": f"sid={ended}",
            "under another name": f"__Host-sid={live}",
            "empty": "sid=",
        },
    )
    stop()


def drawn(url: str, origin: str | None, cookie: str | None) -> bytes | None:
    """What the page that a socket draws consists of, or None where the socket is refused."""
    headers = {"Cookie": cookie} if cookie else {}
    address = url.replace("http", "ws") + "/_stcore/stream"
    try:
        with connect(
            address, origin=origin, additional_headers=headers, subprotocols=["streamlit"], open_timeout=10
        ) as socket:
            ask = BackMsg()
            ask.rerun_script.query_string = ""
            socket.send(ask.SerializeToString())
            found = b""
            with suppress(TimeoutError, WebSocketException):
                while b"Sign out" not in found:
                    found += socket.recv(timeout=20)
            return found
    except InvalidStatus as refusal:
        assert refusal.response.status_code == 403
        return None


def test_only_our_page_with_a_live_session_is_drawn(served):
    """Of all origins and cookies, one pair opens a socket, and that one draws the person's own body."""
    site, cookies = served
    port = site.url.rsplit(":", 1)[1]
    origins = {
        site.url: True,
        None: False,
        "null": False,
        "http://localhost:3000": False,
        "http://localhost": False,
        f"http://127.0.0.1:{port}": False,
        f"https://localhost:{port}": False,
        "https://evil.example": False,
        f"http://localhost:{port}.evil.example": False,
    }
    faults = []
    for origin, ours in origins.items():
        for name, cookie in cookies.items():
            found = drawn(site.url, origin, cookie)
            let_in = ours and name == "live"
            if (found is not None) is not let_in:
                faults.append((origin, name, found))
            elif let_in:
                assert NAME.encode() in found and b"Alice" in found
    assert faults == []


def test_the_servers_log_names_no_session_and_no_link(served):
    """After all that, and visits to links of every kind, the server's log holds none of them."""
    site, cookies = served
    secret = "canarylinkcanarylinkcanary"
    for path in (
        f"/a/round/{secret}",
        f"/a/stop/{secret}",
        f"/m/{secret}",
        f"/r/VALE/{secret}",
        f"/sign-in/link/{secret}",
        f"/sign-in/invitation/{secret}",
        f"/sign-in/oidc/back?code={secret}&state={secret}",
    ):
        request = urllib.request.Request(site.url + path, headers={"Cookie": cookies["live"]})
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=20) as reply:
            reply.read()
    written = (site.folder / "server.log").read_text()
    assert secret not in written and "canary" not in written.lower()
    assert not any(
        cookie.partition("=")[2] in written for cookie in cookies.values() if cookie and cookie != "sid="
    )
