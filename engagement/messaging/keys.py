"""What mail derives from a body's mail key: opt-out tokens and Message-IDs. None of it can answer for a member."""

from __future__ import annotations

import base64
import hashlib
import hmac

from engagement.intake.keys import Keys

BITS_128 = 16


class MailKeys(Keys):
    """The key folder, with one more key for each body, which outlives its rounds as its mails do."""

    def mail(self, body_id: int) -> bytes:
        """The key of a body's mail, made if need be."""
        return self._ensure(f"mail-{body_id}.key")


def opt_out_token(mail_key: bytes, member_id: int) -> str:
    """A member's opt-out token: 128 bits in 26 letters and digits. Stored by its hash only, and never answers."""
    digest = hmac.new(mail_key, f"v1|stop|{member_id}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:BITS_128]).decode().lower().rstrip("=")


def message_id(mail_key: bytes, public_id: str, kind: str, number: int, person: str) -> str:
    """The part of a Message-ID before the @: the same each time a mail is tried, and says nothing of it.

    A mailbox that gets the same mail twice shows it once.
    """
    text = f"v1|message|{public_id}|{kind}|{number}|{person}"
    return hmac.new(mail_key, text.encode(), hashlib.sha256).hexdigest()[:40]
