"""The second factor: codes in their half-minutes, each once; recovery codes; a secret that the database does not hold."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pyotp
import pytest
from sqlmodel import select

from engagement.access import Actor, Role, accounts, sessions, totp
from engagement.access.keys import app_key
from engagement.errors import Conflict, Invalid, NotAllowed, Unsafe
from engagement.models import Account, AccountRole, RecoveryCode, SecondFactor

KEY = b"k" * 32


@pytest.fixture
def phone(database, cast, time):
    """Set a second factor up for an account; returns the app on its phone and the recovery codes."""

    def make(account_id: int) -> tuple[pyotp.TOTP, list[str]]:
        found = totp.begin(KEY, account_id)
        app = pyotp.TOTP(found.secret)
        with database.session() as session:
            codes = totp.confirm(session, KEY, account_id, found.ticket, app.at(time.at))
        time.forward(seconds=90)
        return app, codes

    return make


def right(database, account_id: int, code: str, key: bytes = KEY) -> bool:
    with database.session() as session:
        return totp.check(session, key, account_id, code)


def test_the_codes_are_those_of_the_standard(monkeypatch, time):
    """The steps and codes are those of RFC 6238's own table (SHA-1, the last six of its eight digits)."""
    from datetime import UTC, datetime

    secret = base64.b32encode(b"12345678901234567890").decode()
    for seconds, code in (
        (59, "287082"),
        (1111111109, "081804"),
        (1234567890, "005924"),
        (2000000000, "279037"),
    ):
        time.at = datetime.fromtimestamp(seconds, UTC)
        assert totp._step_of(secret, code, after=0) == seconds // 30


def test_a_code_works_in_its_half_minute_and_those_beside_it_once(database, cast, phone, time):
    """One step of drift either way, no more; and no code twice, nor an older one after a newer."""
    app, _ = phone(cast.lead)
    at = time.at
    for off, works in ((-60, False), (60, False), (-30, True), (30, True), (0, False), (30, False)):
        assert right(database, cast.lead, app.at(at + timedelta(seconds=off))) is works, off
    time.forward(seconds=60)
    assert right(database, cast.lead, f" {app.at(time.at)[:3]} {app.at(time.at)[3:]} ")
    assert not right(database, cast.governing, app.at(time.at))


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "abcdef", "１２３４５６", "\0", "-12345", "x" * 10_000]
)
def test_what_is_no_code_is_wrong(database, cast, phone, code):
    """Nonsense is wrong on both databases, and never an error."""
    phone(cast.lead)
    assert right(database, cast.lead, code) is False


def test_the_code_that_set_it_up_is_used(database, cast, time):
    """The code that showed that the phone works cannot sign anybody in."""
    found = totp.begin(KEY, cast.lead)
    code = pyotp.TOTP(found.secret).at(time.at)
    with database.session() as session:
        totp.confirm(session, KEY, cast.lead, found.ticket, code)
    assert not right(database, cast.lead, code)


def test_of_two_who_send_one_code_one_is_let_in(database, cast, phone, time):
    """The same code from two browsers at the same moment is right once."""
    app, codes = phone(cast.lead)
    for code in (app.at(time.at), codes[0]):
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(lambda _, code=code: right(database, cast.lead, code), range(4)))
        assert sorted(found) == [False, False, False, True]


def test_the_secret_is_sealed(database, cast, phone):
    """Neither the secret nor a recovery code can be read from the database; another key opens nothing and says so."""
    app, codes = phone(cast.lead)
    with database.reading() as session:
        box = session.get(SecondFactor, cast.lead).box
        hashes = [row.code_hash for row in session.exec(select(RecoveryCode))]
    assert base64.b32decode(app.secret) not in box
    assert len(codes) == len(hashes) == 10 and not {code.replace("-", "") for code in codes} & set(hashes)
    with pytest.raises(Unsafe, match="app-keys"):
        right(database, cast.lead, "123456", b"x" * 32)


def test_a_recovery_code_works_once(database, cast, phone):
    """Each of the ten is right once, however it is typed, for its own account only."""
    _, codes = phone(cast.lead)
    assert len(set(codes)) == 10
    assert not right(database, cast.governing, codes[0])
    assert right(database, cast.lead, f" {codes[0].upper().replace('-', ' ')} ")
    assert not right(database, cast.lead, codes[0])
    with database.reading() as session:
        assert totp.codes_left(session, cast.lead) == 9


def test_new_codes_replace_the_old(database, cast, phone, time):
    """Against a code of the app ten new ones are made, and those of before are worth nothing."""
    app, old = phone(cast.lead)
    with pytest.raises(Invalid, match="not right"), database.session() as session:
        totp.new_codes(session, KEY, cast.lead, "000000")
    with database.session() as session:
        new = totp.new_codes(session, KEY, cast.lead, app.at(time.at))
    assert not right(database, cast.lead, old[5]) and right(database, cast.lead, new[5])


def test_a_ticket_is_for_one_account_and_half_an_hour(database, cast, time):
    """A secret that we did not make, that was for somebody else, or that is old, sets nothing up."""
    found = totp.begin(KEY, cast.lead)
    code = pyotp.TOTP(found.secret).at(time.at)
    for account, ticket in (
        (cast.governing, found.ticket),
        (cast.lead, found.ticket[:-4] + "AAAA"),
        (cast.lead, ""),
        (cast.lead, "é"),
        (cast.lead, totp.begin(b"x" * 32, cast.lead).ticket),
    ):
        with pytest.raises(Invalid, match="too old"), database.session() as session:
            totp.confirm(session, KEY, account, ticket, code)
    time.forward(minutes=31)
    with pytest.raises(Invalid, match="too old"), database.session() as session:
        totp.confirm(session, KEY, cast.lead, found.ticket, pyotp.TOTP(found.secret).at(time.at))


def test_a_second_phone_needs_a_code_of_the_first(database, cast, phone, time):
    """Whoever sits at an open browser cannot put their own phone in the place of the owner's."""
    old, _ = phone(cast.lead)
    thief, owner = totp.begin(KEY, cast.lead), totp.begin(KEY, cast.lead, moving=True)
    with pytest.raises(Conflict, match="already"), database.session() as session:
        totp.confirm(session, KEY, cast.lead, thief.ticket, pyotp.TOTP(thief.secret).at(time.at))
    new = pyotp.TOTP(owner.secret)
    with database.session() as session:
        totp.confirm(session, KEY, cast.lead, owner.ticket, new.at(time.at))
    time.forward(seconds=60)
    assert not right(database, cast.lead, old.at(time.at)) and right(database, cast.lead, new.at(time.at))


def test_who_needs_one_is_nobody_until_it_is_given(database, cast, time, who):
    """A lead's password alone opens no page and no verb; it is halfway for ten minutes and no longer."""
    with database.session() as session:
        value = sessions.sign_in(session, session.get(Account, cast.lead))
        assert sessions.needs_second_factor(session, session.get(Account, cast.lead))
        assert not sessions.needs_second_factor(session, session.get(Account, cast.governing))
    cookies = {"sid": value}
    assert who(cookies) is None
    with database.reading() as session:
        assert sessions.halfway(session, cookies, secure=False).id == cast.lead
        time.forward(minutes=10, seconds=1)
        assert sessions.halfway(session, cookies, secure=False) is None


def test_a_role_that_needs_one_ends_sessions_without_it(database, cast, who, actor):
    """Who is made a lead while signed in with a password alone signs in again, with a second factor."""
    with database.session() as session:
        cookies = {"sid": sessions.sign_in(session, session.get(Account, cast.council))}
    assert who(cookies) is not None
    with database.session() as session:
        accounts.set_roles(session, Actor.operator(), cast.vale, cast.council, {Role.LEAD})
    assert who(cookies) is None


def test_who_set_one_up_freely_needs_it_too(database, cast, phone, who):
    """A second factor that nobody asked for counts all the same, in sessions of before as well."""
    with database.session() as session:
        cookies = {"sid": sessions.sign_in(session, session.get(Account, cast.governing))}
    assert who(cookies) is not None
    phone(cast.governing)
    assert who(cookies) is None
    with database.session() as session:
        sessions.assure(session, cookies, secure=False)
    assert who(cookies) is not None


def test_the_lead_helps_whoever_lost_everything(database, cast, phone, actor, signed_in, who):
    """Removing a second factor ends the sessions, is for the body's lead, and not for the lead of those who watch."""
    phone(cast.governing)
    cookies = signed_in(cast.governing)
    with pytest.raises(NotAllowed), database.session() as session:
        accounts.remove_second_factor(session, actor(cast.council), cast.vale, cast.governing)
    lead = actor(cast.lead)
    with database.session() as session:
        accounts.remove_second_factor(session, lead, cast.vale, cast.governing)
    assert who(cookies) is None and not right(database, cast.governing, "123456")
    with pytest.raises(Conflict, match="no second factor"), database.session() as session:
        accounts.remove_second_factor(session, lead, cast.vale, cast.governing)
    phone(cast.council)
    with database.session() as session:
        row = session.get(
            AccountRole, {"account_id": cast.council, "body_id": cast.vale, "role": Role.COUNCIL.value}
        )
        session.delete(row)
        session.add(AccountRole(account_id=cast.council, body_id=cast.vale, role=Role.AUDITOR.value))
    with pytest.raises(NotAllowed, match="operator"), database.session() as session:
        accounts.remove_second_factor(session, lead, cast.vale, cast.council)


def test_app_keys_are_made_once_and_private(tmp_path):
    """The key of a name is made once, by however many at a time, for its owner's eyes only; a damaged one is refused."""
    folder = tmp_path / "app-keys"
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: app_key(folder, "second-factor"), range(8)))) == 1
    assert app_key(folder, "attempts") != app_key(folder, "second-factor")
    assert {path.name for path in folder.iterdir()} == {"attempts.key", "second-factor.key"}
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.iterdir()))
    (folder / "attempts.key").write_bytes(b"short")
    with pytest.raises(Unsafe, match="damaged"):
        app_key(folder, "attempts")
