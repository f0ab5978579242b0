"""The second factor of built-in accounts: a code from an authenticator app, and codes for when the phone is lost.

A code is right in its half-minute, the one before and the one after, and works once. Source: RFC 6238, RFC 4226.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from dataclasses import dataclass

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox
from sqlalchemy import delete, update
from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import audit
from engagement.access.actor import Actor
from engagement.errors import Conflict, Invalid, Unsafe
from engagement.models import Account, RecoveryCode, SecondFactor

STEP = 30
DRIFT = 1
SECRET_BYTES = 20
RECOVERY_CODES = 10
# How long a QR code that is on a screen may be scanned and confirmed.
SET_UP_SECONDS = 30 * 60
WRONG = "The code is not right. Codes change every 30 seconds and each works once: wait for the next one"
LOST = (
    "The key of the second factors is not the one they were sealed with. Restore the folder app-keys, or remove the "
    "second factor of the account at the command line."
)
_factors = SecondFactor.__table__
_codes = RecoveryCode.__table__


@dataclass(frozen=True)
class SetUp:
    """A secret on its way to a phone. `secret` in base32; `ticket` proves that we made it, for this account, lately.

    `moving`: it may take the place of the one that the account has, for a code of that was given.
    """

    secret: str
    ticket: str
    moving: bool = False


def begin(key: bytes, account_id: int, *, moving: bool = False) -> SetUp:
    """A new secret. Nothing is stored until a code shows that a phone has it."""
    secret = secrets.token_bytes(SECRET_BYTES)
    header = f"{account_id}|{int(clock.now().timestamp())}|{int(moving)}|".encode()
    ticket = base64.urlsafe_b64encode(SecretBox(key).encrypt(header + secret)).decode()
    return SetUp(base64.b32encode(secret).decode(), ticket, moving)


def resume(key: bytes, account_id: int, ticket: str) -> SetUp | None:
    """The secret of a ticket, None where it is not ours, for another account, or older than half an hour."""
    try:
        text = SecretBox(key).decrypt(base64.urlsafe_b64decode(ticket.encode()))
        number, made, moving, secret = text.split(b"|", 3)
        age = clock.now().timestamp() - int(made)
    except (CryptoError, ValueError, TypeError):
        return None
    if int(number) != account_id or not 0 <= age <= SET_UP_SECONDS:
        return None
    return SetUp(base64.b32encode(secret).decode(), ticket, moving == b"1")


def address_of(secret: str, email: str, issuer: str) -> str:
    """What the QR code says: how an authenticator app takes the secret."""
    import pyotp

    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=issuer)


def is_set_up(session: Session, account_id: int) -> bool:
    """Whether the account has a second factor."""
    return session.get(SecondFactor, account_id) is not None


def codes_left(session: Session, account_id: int) -> int:
    """How many recovery codes have not been used."""
    return session.exec(
        select(func.count()).select_from(RecoveryCode).where(RecoveryCode.account_id == account_id)
    ).one()


def confirm(session: Session, key: bytes, account_id: int, ticket: str, code: str) -> list[str]:
    """Give the account the second factor that a code shows to work; returns its recovery codes, shown once.

    Raises `Invalid` for a wrong code or a ticket that has run out, and `Conflict` where there is one already.
    """
    found = resume(key, account_id, ticket)
    if found is None:
        raise Invalid("This QR code is too old. Scan the new one")
    if is_set_up(session, account_id) and not found.moving:
        raise Conflict("This account has a second factor already.")
    step = _step_of(found.secret, code, after=0)
    if step is None:
        raise Invalid(WRONG)
    discard(session, account_id)
    box = SecretBox(key).encrypt(base64.b32decode(found.secret))
    session.add(SecondFactor(account_id=account_id, box=bytes(box), last_step=step, made_at=clock.now()))
    session.flush()
    _record(session, account_id, "second-factor.set")
    return _new_codes(session, account_id)


def check(session: Session, key: bytes, account_id: int, code: str) -> bool:
    """Whether a code, from the app or of those for recovery, is right now and was not used before; it is used then."""
    if _use_recovery(session, account_id, code):
        _record(session, account_id, "second-factor.recovery")
        return True
    row = session.get(SecondFactor, account_id)
    if row is None:
        return False
    try:
        secret = base64.b32encode(SecretBox(key).decrypt(row.box)).decode()
    except CryptoError:
        raise Unsafe(LOST) from None
    step = _step_of(secret, code, after=row.last_step)
    if step is None:
        return False
    # Of two who send the same code at once, one is let in.
    used = session.execute(
        update(_factors)
        .where(_factors.c.account_id == account_id, _factors.c.last_step < step)
        .values(last_step=step)
    )
    return used.rowcount == 1


def new_codes(session: Session, key: bytes, account_id: int, code: str) -> list[str]:
    """Replace the recovery codes, against a code. Raises `Invalid` for a wrong one."""
    if not check(session, key, account_id, code):
        raise Invalid(WRONG)
    _record(session, account_id, "second-factor.codes")
    return _new_codes(session, account_id)


def remove(session: Session, key: bytes, account_id: int, code: str) -> None:
    """Take one's own second factor off, against a code. Raises `Invalid` for a wrong one."""
    if not check(session, key, account_id, code):
        raise Invalid(WRONG)
    discard(session, account_id)
    _record(session, account_id, "second-factor.remove")


def discard(session: Session, account_id: int) -> bool:
    """Delete an account's second factor and recovery codes; False where it had none. For verbs that checked who asks."""
    session.execute(delete(_codes).where(_codes.c.account_id == account_id))
    return session.execute(delete(_factors).where(_factors.c.account_id == account_id)).rowcount == 1


def _step_of(secret: str, code: str, *, after: int) -> int | None:
    """The half-minute since 1970 whose code this is, later than `after`, and now or one beside it."""
    import pyotp

    digits = re.sub(r"\s", "", code)
    if not (digits.isascii() and digits.isdigit() and len(digits) == 6):
        return None
    app = pyotp.TOTP(secret)
    now = int(clock.now().timestamp()) // STEP
    right = None
    for step in range(now - DRIFT, now + DRIFT + 1):
        if hmac.compare_digest(app.generate_otp(step), digits) and step > after:
            right = step
    return right


def _recovery_hash(account_id: int, code: str) -> str:
    # 80 random bits: nobody can try them all, so a plain hash keeps them.
    return audit.sha256(f"{account_id}|{re.sub(r'[^a-z2-7]', '', code.lower())}")


def _use_recovery(session: Session, account_id: int, code: str) -> bool:
    wanted = _recovery_hash(account_id, code[:64])
    return session.execute(delete(_codes).where(_codes.c.code_hash == wanted)).rowcount == 1


def _new_codes(session: Session, account_id: int) -> list[str]:
    session.execute(delete(_codes).where(_codes.c.account_id == account_id))
    made = []
    for _ in range(RECOVERY_CODES):
        letters = base64.b32encode(secrets.token_bytes(10)).decode().lower()
        made.append("-".join(letters[start : start + 4] for start in range(0, 16, 4)))
    session.add_all(
        RecoveryCode(code_hash=_recovery_hash(account_id, code), account_id=account_id) for code in made
    )
    session.flush()
    return made


def _record(session: Session, account_id: int, action: str) -> None:
    account = session.get(Account, account_id)
    audit.record(session, Actor(account.name), action, None, account=account_id)
