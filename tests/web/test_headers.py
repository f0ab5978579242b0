"""The guard: our host, our origin, a live session, and what browsers are told."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
import streamlit
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, WebSocketRoute
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocket, WebSocketDisconnect

from engagement import web
from engagement.access import Role, sessions
from engagement.models import Account
from engagement.web.headers import (
    COOKIELESS,
    LARGEST_OTHER,
    LARGEST_UPLOAD,
    Guard,
    inline_hashes,
    is_document,
)
from tests.web.conftest import US

SOCKET = "ws://localhost:8501/_stcore/stream"
STRICT = (
    "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


async def _socket(websocket: WebSocket):
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


async def _anything(scope, receive, send):
    """Like Streamlit: answers every path."""
    await PlainTextResponse("the app")(scope, receive, send)


STREAMLIT = (WebSocketRoute("/_stcore/stream", _socket), Mount("/", app=_anything))


@pytest.fixture
def whole(site):
    """The plain routes with something like Streamlit behind them."""
    return lambda **options: site(extra=STREAMLIT, **options)


@pytest.fixture
def cookies(database, lead):
    """The cookies of a signed-in lead."""
    with database.session() as session:
        return {"sid": sessions.sign_in(session, session.get(Account, lead), assured=True)}


def test_plain_pages_are_locked_down(whole, open_round):
    """Answer pages carry the strict policy, send no referrer and are never stored; so do their errors."""
    made = open_round()
    client = whole()
    for path in (made.path(), made.path(page="questions"), "/a/x/y", "/a/"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == STRICT
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"


def test_staff_pages_keep_their_origin(whole, lead):
    """Sign-in is as strict but tells its own site where a form came from, which its POST is checked by."""
    headers = whole().get("/sign-in").headers
    assert headers["content-security-policy"] == STRICT and headers["referrer-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"


def test_files_may_be_kept_for_ever_under_their_hash(whole):
    """Style and script are immutable at the address that names their content, and checked again at any other."""
    client = whole()
    for name in ("style.css", "keep.js"):
        version = hashlib.sha256(client.get(f"/plain/{name}").content).hexdigest()[:12]
        assert "immutable" in client.get(f"/plain/{name}?v={version}").headers["cache-control"]
        assert client.get(f"/plain/{name}?v=other").headers["cache-control"] == "no-cache"
    assert client.get("/plain/answer.py").status_code == 404


def test_streamlit_pages_get_their_own_policy(whole, cookies):
    """Streamlit's page may run its own one inline script and open a socket to our host, and nothing else."""
    policy = whole(cookies=cookies).get("/").headers["content-security-policy"]
    assert "connect-src 'self' ws://localhost:8501;" in policy and "unsafe-eval" not in policy
    assert "script-src 'self' 'sha256-" in policy and "frame-ancestors 'none'" in policy


def test_the_inline_script_is_the_installed_one():
    """The hash in the policy is that of the script in the Streamlit that is installed."""
    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text()
    script = page.split("<script>", 1)[1].split("</script>", 1)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" == inline_hashes()


@pytest.mark.parametrize("path", ["/", "/gap", "/gap?item=owned", "/index.html", "/no/such/page", "/A/x/y"])
def test_strangers_are_sent_to_sign_in(whole, lead, path):
    """No page of the app is shown without a live session, whatever its path; the path is kept."""
    reply = whole().get(path)
    assert reply.status_code == 303 and reply.headers["location"].startswith("/sign-in")
    if path == "/gap?item=owned":
        assert reply.headers["location"] == "/sign-in?next=%2Fgap%3Fitem%3Downed"


def test_a_live_session_reaches_the_app(whole, cookies, database):
    """With a session the app is shown; once it is ended or forged it is not."""
    assert whole(cookies=cookies).get("/gap").text == "the app"
    assert whole(cookies={"sid": "forged"}).get("/gap").status_code == 303
    with database.session() as session:
        sessions.sign_out(session, cookies, secure=False)
    assert whole(cookies=cookies).get("/gap").status_code == 303


def test_a_password_to_change_comes_first(whole, cookies, database, lead):
    """An account whose password somebody else made is sent to change it, from every page."""
    with database.session() as session:
        account = session.get(Account, lead)
        account.must_change = True
        session.add(account)
    assert whole(cookies=cookies).get("/gap").headers["location"] == "/password"


@pytest.mark.parametrize("path", ["/media/0123.csv", "/_stcore/upload_file/x/y"])
def test_files_in_memory_need_a_session(whole, cookies, path):
    """Downloads made from data, and uploads, are closed to strangers."""
    assert whole().get(path).status_code == 401
    assert whole().put(path, headers=US).status_code == 401
    assert whole(cookies=cookies).get(path).text == "the app"


@pytest.mark.parametrize(
    "path", ["/static/js/index.js", "/_stcore/health", "/gap/_stcore/host-config", "/favicon.png"]
)
def test_assets_need_no_session(whole, path):
    """Streamlit's own files, which hold no data, are served to anybody."""
    assert not is_document(path)
    assert whole().get(path).text == "the app"


@pytest.mark.parametrize(
    "path",
    [
        "/_stcore/metrics",
        "/_stcore/metrics/",
        "/_stcore/agent/interact",
        "/auth/login",
        "/auth/logout",
        "/oauth2callback",
    ],
)
def test_what_we_do_not_use_is_closed(whole, cookies, path):
    """How many sessions there are is nobody's business, and Streamlit's own sign-in is not ours, signed in or not."""
    assert whole(cookies=cookies).get(path).status_code == 404


@pytest.mark.parametrize(
    ("host", "passes"),
    [
        ("localhost:8501", True),
        ("127.0.0.1:9000", True),
        ("[::1]:8501", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("localhost:8501@evil.example", False),
        ("localhost:x", False),
        ("", False),
    ],
)
def test_only_our_hosts_are_answered(whole, host, passes):
    """Another name for us (DNS rebinding) gets nothing; probes are answered under any."""
    client = whole()
    assert (client.get("/sign-in", headers={"host": host}).status_code == 200) is passes
    assert client.get("/healthz", headers={"host": host}).status_code == 200


def test_a_public_address_answers_under_its_name_only(whole, config, lead):
    """With a public address, local names are strangers and only its own origin may post."""
    public = replace(config, public_url="https://ccg.example.org")
    client = whole(settings=public, base_url="https://ccg.example.org")
    assert client.get("/sign-in").status_code == 200
    assert client.get("/sign-in", headers={"host": "localhost"}).status_code == 400
    form = {"email": "x@example.org", "password": "x"}
    for origin, status in (
        ("https://ccg.example.org", 422),
        ("https://ccg.example.org:444", 403),
        ("http://ccg.example.org", 403),
    ):
        assert client.post("/sign-in", data=form, headers={"origin": origin}).status_code == status
    assert "wss://ccg.example.org;" in client.get("/").headers["content-security-policy"]


@pytest.mark.parametrize(
    ("origin", "passes"),
    [
        ("http://localhost:8501", True),
        (None, False),
        ("null", False),
        ("http://localhost:3000", False),
        ("http://127.0.0.1:8501", False),
        ("https://evil.example", False),
    ],
)
def test_sockets_need_our_origin(whole, cookies, origin, passes):
    """A WebSocket is opened by our own pages only: no origin and other local ports, which Streamlit lets in, are out."""
    headers = {"origin": origin} if origin else {}
    if passes:
        with whole(cookies=cookies).websocket_connect(SOCKET, headers=headers) as socket:
            assert socket.receive_text() == "hello"
        return
    with (
        pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)),
        whole(cookies=cookies).websocket_connect(SOCKET, headers=headers),
    ):
        pass


@pytest.mark.parametrize(
    "sent", [{}, {"sid": "forged"}, {"__Host-sid": "forged"}], ids=["none", "forged", "other"]
)
def test_sockets_need_a_live_session(whole, cookies, sent):
    """Our own origin is not enough: without a session, with a forged one, or with one that has ended, none is opened."""
    with (
        pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)),
        whole(cookies=sent).websocket_connect(SOCKET, headers=US),
    ):
        pass


def test_an_ended_session_opens_no_socket(whole, cookies, database):
    """Who has signed out opens no further socket with the old cookie."""
    with database.session() as session:
        sessions.sign_out(session, cookies, secure=False)
    with (
        pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)),
        whole(cookies=cookies).websocket_connect(SOCKET, headers=US),
    ):
        pass


def test_sockets_need_our_host(whole, cookies):
    """A socket under another name is refused even if its origin matches that name."""
    headers = {"origin": "http://evil.example", "host": "evil.example"}
    with (
        pytest.raises((WebSocketDisconnect, WebSocketDenialResponse)),
        whole(cookies=cookies).websocket_connect(SOCKET, headers=headers),
    ):
        pass


def test_a_lost_database_closes_the_app(whole, cookies, config):
    """When sessions cannot be read, nobody is let in, and the reply says what is wrong."""
    from sqlalchemy.exc import OperationalError

    from engagement.web import headers

    def gone(self, cookies):
        raise OperationalError("SELECT", {}, Exception("gone"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(headers.Guard, "_look_up", gone)
        reply = whole(cookies=cookies).get("/gap")
    assert reply.status_code == 503 and "database" in reply.text


def test_answer_pages_are_cut_off_from_cookies(config):
    """Whatever stands behind the guard, no cookie reaches an answer page or leaves it; elsewhere both pass."""

    async def nosy(scope, receive, send):
        request = Request(scope, receive)
        reply = PlainTextResponse(request.headers.get("cookie", "none"))
        reply.set_cookie("seen", "1")
        await reply(scope, receive, send)

    client = TestClient(
        Guard(nosy, config), base_url="http://localhost:8501", headers={"cookie": "sid=secret"}
    )
    for path, seen in (("/a/x/y", "none"), ("/plain/style.css", "none"), ("/sign-in", "sid=secret")):
        reply = client.get(path)
        assert reply.text == seen and ("set-cookie" in reply.headers) is (seen != "none")


# What stands in for a part of a path, where any word will not do.
PARTS = {"release_id:int": "1", "body_id:int": "1", "name": "style.css", "rest:path": "x"}


def _paths(config) -> dict[str, set[str]]:
    """Every plain route with its parts filled in, and its methods."""
    return {
        re.sub(r"\{([^}]*)\}", lambda part: PARTS.get(part[1], "x"), route.path): route.methods
        for route in web.routes(config)
    }


def test_every_route_is_locked_down(site, config):
    """Whatever plain route is added: strict policy, no sniffing, no framing, no storing, no referrer from a link."""
    client = site()
    for path, methods in _paths(config).items():
        for method in methods - {"HEAD"}:
            reply = client.request(method, path, headers=US)
            headers = reply.headers
            assert headers["content-security-policy"] == STRICT, path
            assert headers["x-content-type-options"] == "nosniff", path
            assert headers["x-frame-options"] == "DENY", path
            assert headers["cross-origin-resource-policy"] == "same-origin", path
            cookieless = path.startswith(COOKIELESS)
            assert headers["referrer-policy"] == ("no-referrer" if cookieless else "same-origin"), path
            assert headers["cache-control"] == ("no-cache" if path.startswith("/plain/") else "no-store"), (
                path
            )
            assert "set-cookie" not in headers or not cookieless, path
            assert reply.status_code < 500, path


def test_every_post_must_come_from_us(site, config):
    """Each plain route that reads a cookie refuses a POST from another site, or from nowhere; the others read none."""
    client = site()
    refused = []
    for path, methods in _paths(config).items():
        if "POST" not in methods or path.startswith(COOKIELESS):
            continue
        refused.append(path)
        for headers in (
            {},
            {"origin": "null"},
            {"origin": "https://evil.example"},
            {"origin": "http://localhost:3000"},
            US | {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
        ):
            assert client.post(path, data={"email": "x"}, headers=headers).status_code == 403, (path, headers)
        assert (
            client.post(path, data={"email": "x"}, headers=US).status_code != 403 or path == "/sign-in/demo"
        )
    assert {"/sign-in", "/sign-out", "/password"} <= set(refused)


def test_cookies_are_held_to_https_one_host_and_no_script(site, config, demo):
    """Behind https the session's cookie is `__Host-`, Secure, HttpOnly and SameSite; nothing else is set."""
    public = replace(config, public_url="https://ccg.example.org")
    client = site(settings=public, base_url="https://ccg.example.org")
    reply = client.post(
        "/sign-in/demo",
        data={"account": str(demo[Role.LEAD])},
        headers={"origin": "https://ccg.example.org"},
    )
    found = reply.headers.get_list("set-cookie")
    assert len(found) == 1 and found[0].startswith("__Host-sid=")
    flags = {flag.strip().lower() for flag in found[0].split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= flags
    assert not any(flag.startswith("domain") for flag in flags)
    assert reply.headers["strict-transport-security"].startswith("max-age=")


def test_uploads_come_from_us_and_are_bounded(whole, cookies):
    """Nothing is uploaded from another site, and a body too large is refused before anything reads it."""
    client, path = whole(cookies=cookies), "/_stcore/upload_file/x/y"
    assert client.put(path, content=b"x", headers=US).status_code == 200
    assert client.put(path, content=b"x", headers={"origin": "https://evil.example"}).status_code == 403
    too_large = US | {"content-length": str(LARGEST_UPLOAD + 1)}
    assert client.put(path, content=b"", headers=too_large).status_code == 413
    assert client.post("/", content=b"x" * (LARGEST_OTHER + 1), headers=US).status_code == 413


def test_a_body_larger_than_said_is_cut_off(config, cookies):
    """A body that does not say its length is read up to the limit, and then the sender is gone."""
    read = []

    async def reader(scope, receive, send):
        while (message := await receive())["type"] == "http.request":
            read.append(len(message["body"]))
            if not message.get("more_body"):
                break
        await PlainTextResponse("done")(scope, receive, send)

    def pieces():
        for _ in range(100):
            yield b"x" * 4096

    client = TestClient(Guard(reader, config), base_url="http://localhost:8501", cookies=cookies)
    client.post("/component/x", content=pieces(), headers=US)
    assert sum(read) <= LARGEST_OTHER


def test_an_unexpected_error_says_nothing(config, everything_logged):
    """A page that fails unexpectedly answers calmly under our headers; neither it nor the log quotes what went wrong."""

    quoted = "-".join(("canary", "answer"))

    async def broken(scope, receive, send):
        raise RuntimeError(f"{quoted} of {scope['path']}")

    client = TestClient(Guard(broken, config), base_url="http://localhost:8501")
    reply = client.get(f"/a/x/{quoted}")
    assert reply.status_code == 500 and reply.headers["content-security-policy"] == STRICT
    assert quoted not in reply.text and quoted not in everything_logged.text
    assert "RuntimeError" in everything_logged.text
