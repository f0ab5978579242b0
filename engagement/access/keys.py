"""The keys that signing in needs. Files beside the database and never in it, apart from those that open answers.

They have a folder of their own, for the app must read them where only the worker may read the keys of rounds.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from engagement.errors import Unsafe

LENGTH = 32


def app_key(folder: Path, name: str) -> bytes:
    """The key of that name, made if need be; two processes that make it at once get the same.

    Raises `Unsafe` where its file does not hold a key.
    """
    path = folder / f"{name}.key"
    if not path.exists():
        _write(path, secrets.token_bytes(LENGTH))
    key = path.read_bytes()
    if len(key) != LENGTH:
        raise Unsafe(f"The key {path.name} is damaged. Restore it from a copy of the folder of keys.")
    return key


def _write(path: Path, key: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(key)
            out.flush()
            os.fsync(out.fileno())
        # link() keeps the first of two writers: what the other key sealed could never be opened.
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
