"""Every plain route, asked for by every role, by another body's people and by strangers; a route without a rule fails."""

from __future__ import annotations

import pytest
from sqlmodel import select
from starlette.applications import Starlette
from starlette.testclient import TestClient

from engagement import clock, web
from engagement.access import Role, audit, sessions
from engagement.models import Account, AccountRole, AuditEntry, Body, Programme, Release, Round

L, G, C, A = Role.LEAD, Role.GOVERNING, Role.COUNCIL, Role.AUDITOR
READERS = (L, G, C)
# Routes that give something only to those who hold one of these roles in the body that it belongs to.
FOR_ROLES = {
    "/export/release/{release_id:int}.json": READERS,
    "/export/release/{release_id:int}.csv": READERS,
    "/export/release/{release_id:int}.zip": READERS,
    "/export/release/{release_id:int}/codebook.csv": READERS,
    "/export/release/{release_id:int}/charts/{name}": READERS,
    "/export/audit/{body_id:int}.jsonl": (L, A),
}
# Routes that ask for no role: links that are keys themselves, ways to sign in, files without data, and probes.
BEGIN = ("/a/", "/m/", "/r/", "/plain/", "/sign-in", "/sign-out", "/password", "/healthz", "/readyz")
BEGIN += ("/privacy/", "/accessibility")


@pytest.fixture
def world(database):
    """A released round, and a signed-in browser for each role there, for another body's people and for somebody without one."""
    with database.session() as session:
        bodies = [
            Body(code=code, name=code, is_demo=True, created_at=clock.now()) for code in ("VALE", "HILL")
        ]
        session.add_all(bodies)
        session.flush()
        programme = Programme(body_id=bodies[0].id, name="P", created_at=clock.now())
        session.add(programme)
        session.flush()
        row = Round(
            body_id=bodies[0].id,
            programme_id=programme.id,
            public_id="r1",
            number=1,
            title="T",
            state="released",
            promise="{}",
            promise_hash="x",
            closes_at=clock.now(),
        )
        session.add(row)
        session.flush()
        content = audit.canonical({"schema": 1, "round": {"number": 1}, "items": []})
        release = Release(
            body_id=bodies[0].id,
            round_id=row.id,
            content=content,
            content_hash=audit.sha256(content),
            software="0",
            created_at=clock.now(),
        )
        session.add(release)
        session.flush()
        browsers: dict[tuple[Role | None, int], dict[str, str]] = {(None, 2): {}}
        for place, body in enumerate([*bodies, None]):
            for role in Role if body else (None,):
                account = Account(
                    email=f"{role}{place}@example.org".lower(),
                    name="X",
                    password_hash="x",
                    created_at=clock.now(),
                )
                session.add(account)
                session.flush()
                if body:
                    session.add(AccountRole(account_id=account.id, body_id=body.id, role=role.value))
                    session.flush()
                browsers[role, place] = {"sid": sessions.sign_in(session, account)}
        return browsers, {
            "release_id:int": release.id,
            "body_id:int": bodies[0].id,
            "name": "owned-trend.svg",
        }


def test_every_route_has_a_rule(config):
    """A plain route is in the table of who is let in, or begins like those that ask for no role."""
    paths = {route.path for route in web.routes(config)}
    assert {path for path in paths if not path.startswith(BEGIN)} == set(FOR_ROLES)


def test_every_route_refuses_whom_it_must(config, database, world):
    """Files of a body are for its roles: 401 to strangers, one page for everybody else's refusal, whatever the id."""
    browsers, parts = world
    plain = web.routes(config)
    app = Starlette(routes=plain, middleware=web.middleware(config, plain))
    faults = []
    for path, allowed in FOR_ROLES.items():
        for part, value in parts.items():
            path = path.replace("{" + part + "}", str(value))
        for (role, place), cookies in browsers.items():
            client = TestClient(
                app, base_url="http://localhost:8501", cookies=cookies, follow_redirects=False
            )
            status = client.get(path).status_code
            inside = place == 0 and role in allowed
            if inside and "/charts/" in path:
                # A release without figures has no chart; that charts are drawn is the business of other tests.
                continue
            expected = 401 if not cookies else 403
            if (status in (401, 403)) is inside or (not inside and status != expected):
                faults.append((path, role, place, status))
    assert faults == []
    with database.reading() as session:
        refused = session.exec(select(AuditEntry).where(AuditEntry.action == "refused")).all()
    # Each role that is not a reader's, and each of another body, once for the release and once for the log.
    assert {line.detail["where"] for line in refused} == {f"release {parts['release_id:int']}", "audit log"}
    assert all(line.body_id == parts["body_id:int"] for line in refused)
