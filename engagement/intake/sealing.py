"""Boxes that only the round's secret key opens, all of one size.

A box holds an answer and the member's standing, which was sealed at launch: the server that takes the answer
puts the second into the first unread, so a used link names nobody.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from typing import Any

from nacl.bindings import crypto_box_seal
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox

from engagement.errors import Invalid, Unsafe

STANDING_PLAIN = 512
OVERHEAD = 48
SMALL_BOX = 4 * 1024
LARGE_BOX = 16 * 1024
_LENGTH = 4
# A character of text takes at most four bytes, or two where JSON escapes it; the rest is keys and codes.
_BYTES_PER_CHARACTER = 4
_ENVELOPE = 512
_PER_ITEM = 80


@dataclass(frozen=True)
class Opened:
    """An answer after its box was opened."""

    standing: dict[str, Any]
    answers: dict[str, Any]
    comments: dict[str, tuple[str, str]]
    practice_may_use: bool
    tag: str


# Made once: `json.dumps` makes one for every call that asks for anything but its defaults.
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _compact(value: Any) -> bytes:
    return _encode(value).encode()


def _pad(data: bytes, size: int) -> bytes:
    if len(data) + _LENGTH > size:
        raise Unsafe("This does not fit into a box: it would stand out by its size.")
    return len(data).to_bytes(_LENGTH, "big") + data + bytes(size - _LENGTH - len(data))


def _unpad(data: bytes) -> bytes:
    length = int.from_bytes(data[:_LENGTH], "big")
    return data[_LENGTH : _LENGTH + length]


def box_size(items: list[dict[str, Any]]) -> int:
    """The one size of a round's boxes. Raises `Invalid` when the fullest answer could not fit."""
    text = [item for item in items if item["kind"] == "text"]
    characters = sum(item.get("limit", 1500) for item in text)
    keys = sum(len(item["key"].encode()) for item in items)
    fullest = characters * _BYTES_PER_CHARACTER + keys + len(items) * _PER_ITEM + _ENVELOPE
    size = LARGE_BOX if text else SMALL_BOX
    if fullest + STANDING_PLAIN + OVERHEAD > size:
        raise Invalid(
            "These questions ask for more text than an answer can hold. Leave out an open question."
        )
    return size


def seal_standing(public_key: bytes, standing: dict[str, Any]) -> bytes:
    """Seal a member's standing to the round's key, padded to one size."""
    return crypto_box_seal(_pad(_compact(standing), STANDING_PLAIN), public_key)


def seal_answer(
    public_key: bytes,
    size: int,
    *,
    standing: bytes,
    answers: dict[str, Any],
    comments: dict[str, tuple[str, str]],
    practice_may_use: bool,
) -> tuple[bytes, str]:
    """Seal an answer around a sealed standing. Returns the box and the tag that withdraws it."""
    tag = secrets.token_hex(16)
    content = _compact({"a": answers, "c": comments, "u": practice_may_use, "t": tag})
    plain = _pad(content, size - len(standing)) + standing
    return crypto_box_seal(plain, public_key), tag


class Opener:
    """Opens the boxes of one round."""

    def __init__(self, secret: PrivateKey):
        self._box = SealedBox(secret)

    def __call__(self, box: bytes) -> Opened:
        """Open a box and the standing inside. Raises `Unsafe` for a box that was not sealed for this round."""
        try:
            plain = self._box.decrypt(box)
            cut = len(plain) - STANDING_PLAIN - OVERHEAD
            content = json.loads(_unpad(plain[:cut]))
        except (CryptoError, ValueError) as error:
            raise Unsafe(
                "A sealed answer cannot be opened: it was damaged or sealed with another key."
            ) from error
        standing = self.standing(plain[cut:])
        comments = {key: (text, choice) for key, (text, choice) in content["c"].items()}
        return Opened(standing, content["a"], comments, bool(content["u"]), content["t"])

    def standing(self, sealed: bytes) -> dict[str, Any]:
        """Open a standing that was sealed at launch. Raises `Unsafe` for one that was not sealed for this round."""
        try:
            return json.loads(_unpad(self._box.decrypt(sealed)))
        except (CryptoError, ValueError) as error:
            raise Unsafe(
                "A sealed standing cannot be opened: it was damaged or sealed with another key."
            ) from error
