"""Releases as files: for readers of that body, exactly as released, and noted."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile

import pytest
from sqlmodel import select

from engagement import clock
from engagement.access import Actor, Role, accounts, audit, sessions
from engagement.models import Account, AccountRole, AuditEntry, Body, Programme, Release, Round
from tests.ui.conftest import a_history, store_round

CONTENT = {
    "schema": 1,
    "round": {"number": 1, "title": "One", "closed_on": "2026-03-01"},
    "items": [
        {
            "item": "owned",
            "version": 1,
            "text": "=cmd|' /C calc'!A0 é",
            "groups": {"leader": {"mark": "hidden", "N": 4}},
            "total": None,
            "gap": {"mark": "hidden"},
        }
    ],
}


@pytest.fixture
def release(database, lead) -> int:
    """The id of a release of alice's body."""
    with database.session() as session:
        body_id = session.exec(select(AccountRole.body_id).where(AccountRole.account_id == lead)).one()
        programme = Programme(body_id=body_id, name="Main", created_at=clock.now())
        session.add(programme)
        session.flush()
        row = Round(body_id=body_id, programme_id=programme.id, public_id="r", number=1, title="One")
        session.add(row)
        session.flush()
        text = audit.canonical(CONTENT)
        made = Release(
            body_id=body_id,
            round_id=row.id,
            content=text,
            content_hash=audit.sha256(text),
            software="0",
            created_at=clock.now(),
        )
        session.add(made)
        session.flush()
        return made.id


@pytest.fixture
def signed_in(site, database):
    """A client of an account."""

    def make(account_id: int):
        with database.session() as session:
            value = sessions.sign_in(session, session.get(Account, account_id), assured=True)
        return site(cookies={"sid": value})

    return make


def test_a_reader_gets_the_release_as_it_was_hashed(signed_in, lead, release, database):
    """The file's bytes are the release's, so its hash can be checked, and the export is noted once."""
    client = signed_in(lead)
    client.head(f"/export/release/{release}.json")
    reply = client.get(f"/export/release/{release}.json")
    assert reply.status_code == 200 and reply.json() == CONTENT
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["content-disposition"] == f'attachment; filename="release-{release}.json"'
    with database.reading() as session:
        assert audit.sha256(reply.content) == session.get(Release, release).content_hash
        noted = session.exec(select(AuditEntry).where(AuditEntry.action == "release.export")).all()
    assert [entry.detail for entry in noted] == [{"kind": "json", "release": release}]


def test_csv_is_made_from_the_same_content(signed_in, lead, release):
    """The CSV holds the release's items, led by the mark without which spreadsheets misread "10–14"."""
    reply = signed_in(lead).get(f"/export/release/{release}.csv")
    assert reply.content.startswith(codecs.BOM_UTF8)
    rows = list(csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig"))))
    assert [(row["figure"], row["mark"]) for row in rows] == [("leader", "hidden"), ("gap", "hidden")]
    assert rows[0]["statement"] == "'=cmd|' /C calc'!A0 é"
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"


def test_strangers_must_sign_in(client, release):
    """Without a session there is a page that says so, not a file."""
    for file in (".json", ".csv", ".zip", "/codebook.csv", "/charts/owned-gap.svg", "/charts/owned-gap.png"):
        reply = client.get(f"/export/release/{release}{file}")
        assert reply.status_code == 401 and "Sign in first" in reply.text and "schema" not in reply.text


def test_other_bodies_learn_nothing(signed_in, release, database):
    """A lead of another body gets the same page for this release as for one that does not exist."""
    with database.session() as session:
        body = Body(code="HILL", name="Hill", created_at=clock.now())
        session.add(body)
        session.flush()
        harry, _ = accounts.create(
            session,
            Actor.operator(),
            body.id,
            email="harry@example.org",
            name="Harry",
            role=Role.LEAD,
            password="correct horse battery",
        )
    client = signed_in(harry.id)
    pages = [client.get(f"/export/release/{number}.json") for number in (release, release + 1000)]
    assert {page.status_code for page in pages} == {403} and pages[0].text == pages[1].text


@pytest.fixture
def drawn(database, lead) -> int:
    """The id of the last of nine releases that hold figures."""
    with database.session() as session:
        body_id = session.exec(select(AccountRole.body_id).where(AccountRole.account_id == lead)).one()
        programme = Programme(body_id=body_id, name="Main", created_at=clock.now())
        session.add(programme)
    for content in a_history():
        store_round(database, body_id, content["round"]["number"], "released", content)
    with database.reading() as session:
        return session.exec(select(Release.id).order_by(Release.id.desc())).first()


def test_a_release_is_had_as_one_file(signed_in, lead, drawn, database):
    """The zip holds the exact release and each chart, the rounds before it are drawn, and the export is noted."""
    reply = signed_in(lead).get(f"/export/release/{drawn}.zip")
    assert reply.status_code == 200 and reply.headers["content-type"] == "application/zip"
    archive = zipfile.ZipFile(io.BytesIO(reply.content))
    with database.reading() as session:
        assert audit.sha256(archive.read("release.json")) == session.get(Release, drawn).content_hash
        noted = session.exec(select(AuditEntry.detail).where(AuditEntry.action == "release.export")).all()
    assert b"Round 1: leaders 65%" in archive.read("charts/owned-shares.svg")
    assert "comments.csv" not in archive.namelist()
    assert noted == [{"kind": "zip", "release": drawn}]


def test_charts_and_the_codebook_are_had_one_by_one(signed_in, lead, drawn):
    """Each chart as SVG and PNG, and the codebook as CSV, at addresses of their own."""
    client = signed_in(lead)
    svg = client.get(f"/export/release/{drawn}/charts/decisions_members-gap.svg")
    assert svg.headers["content-type"].startswith("image/svg+xml") and svg.text.startswith("<svg")
    png = client.get(f"/export/release/{drawn}/charts/owned-round.png")
    assert png.headers["content-type"] == "image/png" and png.content.startswith(b"\x89PNG")
    book = client.get(f"/export/release/{drawn}/codebook.csv").content.decode("utf-8-sig")
    assert '"mark","hidden"' in book


def test_a_trend_ends_with_its_own_release(signed_in, lead, drawn, database):
    """The chart of an earlier release knows nothing of the rounds after it."""
    with database.reading() as session:
        first = session.exec(select(Release.id).order_by(Release.id)).first()
    text = signed_in(lead).get(f"/export/release/{first}/charts/owned-shares.svg").text
    assert "Round 1:" in text and "Round 2:" not in text


@pytest.mark.parametrize(
    "name", ["owned-pie.svg", "none-gap.svg", "owned-gap.exe", "owned", "..%2F..%2Fx.svg"]
)
def test_there_are_no_other_charts(signed_in, lead, drawn, name):
    """A chart that there is not is refused like a release of another body."""
    assert signed_in(lead).get(f"/export/release/{drawn}/charts/{name}").status_code in (403, 404)


@pytest.mark.parametrize(
    "path", ["/export/release/x.json", "/export/release/1.xlsx", "/export/release/-1.json"]
)
def test_no_other_files(signed_in, lead, path):
    """Nothing else is exported."""
    assert signed_in(lead).get(path).status_code == 404
