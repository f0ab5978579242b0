"""The audit log: nothing in it can be changed, moved or taken out unseen."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from engagement import clock
from engagement.access import Actor, Role, accounts, audit
from engagement.errors import Invalid, NotAllowed, NotFound
from engagement.models import Account, AccountRole, AuditEntry, AuditOnce, Body

LINES = 5


@pytest.fixture
def log(database):
    """A log of some lines, and a way to do to it what the database would refuse."""
    with database.session() as session:
        for number in range(LINES):
            audit.record(session, Actor("Ann"), "test", None, number=number, nested={"ü": [1, 2.5, None]})

    def tamper(*statements: str) -> None:
        triggers = [f"audit_entry_{name}" for name in ("frozen", "kept")]
        with database.session() as session:
            for trigger in triggers:
                on = "" if database.is_sqlite else " ON audit_entry"
                session.connection().execute(text(f"DROP TRIGGER {trigger}{on}"))
            for statement in statements:
                session.connection().execute(text(statement))

    return tamper


def verify(database) -> int | None:
    with database.reading() as session:
        return audit.verify(session)


def test_untouched_chain_holds(database, log):
    """A log that nobody touched verifies after it was written and read back."""
    assert verify(database) is None


@pytest.mark.parametrize(
    "change",
    [
        "actor = 'Eve'",
        "action = 'other'",
        "detail = '{\"number\": 7}'",
        "at = '2020-01-01 00:00:00'",
        "hash = previous",
    ],
)
def test_edited_line_is_found(database, log, change):
    """Changing any field of a line breaks the chain there."""
    log(f"UPDATE audit_entry SET {change} WHERE id = 3")
    assert verify(database) == 3


def test_line_moved_to_another_body_is_found(database, log, cast):
    """The body that a line belongs to is covered by its hash."""
    log(f"UPDATE audit_entry SET body_id = {cast.vale} WHERE id = 2")
    assert verify(database) == 2


@pytest.mark.parametrize("line", [1, 3])
def test_removed_line_is_found(database, log, line):
    """Taking a line out shows at the line after it, the first one included."""
    log(f"DELETE FROM audit_entry WHERE id = {line}")
    assert verify(database) == line + 1


def test_reordered_lines_are_found(database, log):
    """Swapping two lines shows at the first of them."""
    log(
        "UPDATE audit_entry SET id = 99 WHERE id = 2",
        "UPDATE audit_entry SET id = 2 WHERE id = 3",
        "UPDATE audit_entry SET id = 3 WHERE id = 99",
    )
    assert verify(database) == 2


def test_shortened_log_is_seen_by_its_head(database, log):
    """Lines cut off the end leave a chain that holds, and a head that differs from the one noted before."""
    with database.reading() as session:
        noted = audit.head(session)
    log(f"DELETE FROM audit_entry WHERE id = {LINES}")
    assert verify(database) is None
    with database.reading() as session:
        assert audit.head(session) != noted


def test_times_of_another_zone_verify(database, monkeypatch):
    """A line recorded from a clock in another zone reads back to the same hash."""
    london = clock.now().replace(month=7).astimezone(clock.LONDON)
    monkeypatch.setattr(clock, "now", lambda: london)
    with database.session() as session:
        audit.record(session, Actor("Ann"), "test")
    assert verify(database) is None


def test_writers_at_once_make_one_chain(database):
    """Lines from many writers at the same time follow one another without a fork."""

    def write(number: int) -> None:
        with database.session() as session:
            audit.record(session, Actor(f"writer {number}"), "test", number=number)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert verify(database) is None
    with database.reading() as session:
        assert len(session.exec(select(AuditEntry.id)).all()) == 40


def test_rolled_back_change_leaves_no_line(database, cast):
    """A verb that fails leaves neither its change nor its line."""
    with database.reading() as session:
        before = audit.head(session)
    with pytest.raises(RuntimeError), database.session() as session:
        accounts.set_roles(session, Actor.operator(), cast.vale, cast.council, {Role.GOVERNING})
        raise RuntimeError
    with database.reading() as session:
        assert audit.head(session) == before


def test_changes_are_logged_without_secrets(database, cast):
    """Making, changing, resetting and disabling an account each leave a line; no password is in any."""
    operator = Actor.operator()
    with database.session() as session:
        account, made = accounts.create(
            session, operator, cast.vale, email="n@example.org", name="N", role=Role.COUNCIL
        )
        accounts.set_roles(session, operator, cast.vale, account.id, {Role.GOVERNING})
        reset = accounts.reset_password(session, operator, cast.vale, account.id)
        accounts.set_disabled(session, operator, cast.vale, account.id, True)
        accounts.set_disabled(session, operator, cast.vale, account.id, False)
    with database.reading() as session:
        lines = session.exec(select(AuditEntry).order_by(AuditEntry.id.desc()).limit(5)).all()
        session.expunge_all()
    assert [line.action for line in reversed(lines)] == [
        "account.create",
        "account.roles",
        "account.reset",
        "account.disable",
        "account.enable",
    ]
    assert all(line.detail["account"] == account.id and line.body_id == cast.vale for line in lines)
    assert not any(secret in str([line.detail for line in lines]) for secret in (made, reset))


def actors(database) -> dict[str, Actor]:
    """A lead and an auditor of one body with accounts, and the lead of another."""
    with database.session() as session:
        found = {}
        bodies = [Body(code=code, name=code, created_at=clock.now()) for code in ("VALE", "HILL")]
        session.add_all(bodies)
        session.flush()
        for name, body, role in (("ann", 0, Role.LEAD), ("aud", 0, Role.AUDITOR), ("hal", 1, Role.LEAD)):
            account = Account(
                email=f"{name}@example.org", name=name, password_hash="x", created_at=clock.now()
            )
            session.add(account)
            session.flush()
            body_id = bodies[body].id
            session.add(AccountRole(account_id=account.id, body_id=body_id, role=role.value))
            found[name] = Actor(name, frozenset({(body_id, role)}), account.id, bodies=(body_id,))
        return found


def lines(database) -> list[AuditEntry]:
    with database.reading() as session:
        return list(session.exec(select(AuditEntry).order_by(AuditEntry.id)))


def test_views_and_refusals_are_recorded_once_a_day(database, monkeypatch):
    """A page that is looked at all day is one line a day for each person; so is a refusal, with who and what it needed."""
    people = actors(database)
    body = people["ann"].bodies[0]
    for person in ("ann", "ann", "aud"):
        with database.session() as session:
            audit.record_once(session, people[person], "page.view", body, page="Overview")
    with database.reading() as session:
        assert audit.seen_today(session, people["ann"], "page.view", body, page="Overview")
        assert not audit.seen_today(session, people["ann"], "page.view", body, page="Gap over time")
    for person in ("hal", "hal", "aud"):
        with pytest.raises((NotAllowed, NotFound)) as refused:
            people[person].require(body, Role.LEAD)
        with database.session() as session:
            audit.refused(session, refused.value, "Rounds")
    assert [(line.action, line.actor) for line in lines(database)] == [
        ("page.view", "ann"),
        ("page.view", "aud"),
        ("refused", "hal"),
        ("refused", "aud"),
    ]
    assert lines(database)[-1].detail == {"where": "Rounds", "needs": ["engagement_lead"]}
    tomorrow = clock.now() + clock.days(1)
    monkeypatch.setattr(clock, "now", lambda: tomorrow)
    with database.session() as session:
        assert audit.record_once(session, people["ann"], "page.view", body, page="Overview")
    with database.reading() as session:
        # What was noted to know the day before is gone.
        assert len(session.exec(select(AuditOnce)).all()) == 1
    assert verify(database) is None


def test_an_error_that_is_no_refusal_is_not_recorded(database, cast):
    """Only what is about a role counts as a refusal, and a body that does not exist has no log."""
    with pytest.raises(NotFound) as missing:
        Actor("x", frozenset({(cast.vale, Role.LEAD)})).require(987_654, Role.LEAD)
    with database.session() as session:
        assert not audit.refused(session, NotFound("There is no such round."), "Rounds")
        assert not audit.refused(session, missing.value, "Rounds")


def test_each_sees_the_lines_that_are_theirs(database):
    """The lead sees the body's lines; the auditor also its people's sign-ins; neither sees another body's lines."""
    people = actors(database)
    vale, hill = people["ann"].bodies[0], people["hal"].bodies[0]
    with database.session() as session:
        audit.record(session, people["ann"], "round.close", vale, round=1)
        audit.record(session, people["hal"], "round.close", hill, round=2)
        for name in ("ann", "hal"):
            audit.record(session, people[name], "session.start", None, account=people[name].account_id)
    with database.reading() as session:
        lead = audit.entries(session, people["ann"], vale)
        auditor = audit.entries(session, people["aud"], vale)
        assert audit.entries(session, people["aud"], vale, before=auditor[-1].id) == []
        assert audit.entries(session, people["aud"], vale, most=1) == auditor[:1]
        with pytest.raises(NotFound):
            audit.entries(session, people["hal"], vale)
    assert [entry.action for entry in lead] == ["round.close"]
    assert [(entry.action, entry.about) for entry in auditor] == [
        ("session.start", "ann"),
        ("round.close", None),
    ]


def test_an_exported_log_can_be_checked_by_itself(database):
    """The auditor's file holds the body's lines and of others the fingerprints; every change to it is found."""
    people = actors(database)
    vale, hill = people["ann"].bodies[0], people["hal"].bodies[0]
    with database.session() as session:
        for number in range(3):
            audit.record(session, people["ann"], "round.draft", vale, round=number)
            audit.record(session, people["hal"], "round.draft", hill, title="canary")
        audit.record(session, people["ann"], "session.start", None, account=people["ann"].account_id)
    with database.reading() as session:
        mine = audit.export(session, people["aud"], vale)
        leads = audit.export(session, people["ann"], vale)
        whole = audit.export_all(session, Actor.operator())
        noted = audit.Head(*audit.head(session))
    assert "canary" not in mine and "canary" in whole and "session.start" in mine
    assert "session.start" not in leads
    for file in (mine, leads, whole):
        assert audit.check(audit.read_export(file.splitlines()), noted).whole
    rows = mine.splitlines()
    assert not audit.check(audit.read_export(rows[:-1]), noted).whole
    assert audit.check(audit.read_export(rows[:-1])).whole
    for broken in (rows[1:], rows[:2] + rows[3:], [rows[1], rows[0], *rows[2:]]):
        assert audit.check(audit.read_export(broken)).broken is not None
    assert audit.check(audit.read_export([rows[0].replace('"round":0', '"round":7'), *rows[1:]])).broken == 1
    with pytest.raises(Invalid, match="Line 2"):
        list(audit.read_export([rows[0], "not a line"]))


@pytest.mark.parametrize("words", ["", "1", "1:abc", "x:" + "a" * 64, "1:" + "A" * 64, "²:" + "a" * 64])
def test_a_head_that_is_none_is_refused(words):
    """What was not mailed as a head is said to be none, instead of being compared."""
    with pytest.raises(Invalid):
        audit.Head.parse(words)


def test_a_log_cut_short_or_written_anew_differs_from_its_noted_head(database, log):
    """With a line noted elsewhere, a log cut from its end and one written anew from the start are found out."""
    with database.reading() as session:
        noted = audit.Head(*audit.head(session))
        assert audit.check_all(session, noted).whole
    log(f"DELETE FROM audit_entry WHERE id = {LINES}")
    with database.reading() as session:
        cut = audit.check_all(session, noted)
    assert cut.broken is None and cut.lost == noted and "cut from its end" in cut.sentence
    with database.session() as session:
        audit.record(session, Actor("Eve"), "test", None, number=LINES - 1)
    with database.reading() as session:
        assert audit.check_all(session, noted).lost == noted


def test_the_database_itself_refuses_every_way_to_change_a_line(database, config, log):
    """Neither replacing nor emptying gets past the triggers, which deletes and updates by row do not cover."""
    line = "INTO audit_entry (id, at, actor, action, detail, previous, hash) "
    line += "VALUES (2, '2026-01-01', 'Eve', 'x', '{}', '0', '1')"
    # Each database knows only its own.
    wholesale = (
        [f"INSERT OR REPLACE {line}", f"REPLACE {line}"] if database.is_sqlite else ["TRUNCATE audit_entry"]
    )
    for statement in (
        *wholesale,
        "UPDATE audit_entry SET actor = 'Eve' WHERE id = 2",
        "DELETE FROM audit_entry WHERE id = 2",
    ):
        with pytest.raises(DBAPIError, match="frozen"), database.session() as session:
            session.connection().execute(text(statement))
    assert verify(database) is None and len(lines(database)) == LINES


def test_the_command_line_checks_notes_and_exports(database, config, log, tmp_path, capsys):
    """`engagement audit` says that the log is whole, prints its head, writes it out, and exits 3 when it is broken."""
    from engagement.cli import main

    assert main(["audit", "head"]) == 0
    noted = capsys.readouterr().out.strip()
    assert noted.startswith(f"{LINES}:")
    file = tmp_path / "log.jsonl"
    assert main(["audit", "export", "--out", str(file)]) == 0
    assert file.stat().st_mode & 0o077 == 0 and len(file.read_text().splitlines()) == LINES
    assert main(["audit", "export", "--out", str(file)]) == 1
    assert main(["audit", "verify", "--head", noted]) == 0
    assert main(["audit", "verify", "--file", str(file), "--head", noted, "--json"]) == 0
    assert main(["audit", "verify", "--head", "nonsense"]) == 1
    log("UPDATE audit_entry SET actor = 'Eve' WHERE id = 3")
    capsys.readouterr()
    assert main(["audit", "verify"]) == 3
    assert "line 3" in capsys.readouterr().out
