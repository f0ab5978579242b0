"""Personal links: derived when needed, never stored. The database holds the hash of each and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets

_TOKEN = re.compile(r"[a-z2-7]{26}")


def public_id() -> str:
    """A round's name in links: 60 random bits, easy to read out."""
    return base64.b32encode(secrets.token_bytes(8)).decode().lower()[:12]


def token(link_key: bytes, round_public_id: str, member_id: int, generation: int = 1) -> str:
    """A member's token in a round: 128 bits of HMAC-SHA256 in 26 letters and digits."""
    message = f"v1|{round_public_id}|{member_id}|{generation}".encode()
    digest = hmac.new(link_key, message, hashlib.sha256).digest()[:16]
    return base64.b32encode(digest).decode().lower().rstrip("=")


def well_formed(value: str) -> str | None:
    """The token in its one spelling, or None when it cannot be one."""
    value = value.strip().lower()
    return value if _TOKEN.fullmatch(value) else None


def link_hash(value: str) -> str:
    """What the database keeps of a token."""
    return hashlib.sha256(value.encode()).hexdigest()


def url(public_url: str, round_public_id: str, value: str) -> str:
    """The address that a member opens."""
    return f"{public_url}/a/{round_public_id}/{value}"


def panel_code(panel_key: bytes, member_id: int) -> str:
    """A member's code in the panel of one round; without the key it says nothing of the member."""
    return hmac.new(panel_key, f"panel|{member_id}".encode(), hashlib.sha256).hexdigest()[:32]
