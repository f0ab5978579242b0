"""Keys, as files beside the database and never in it; destroying one makes every copy of what it sealed useless."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from nacl.public import PrivateKey

from engagement.errors import Unsafe


class Keys:
    """The key folder. Each key is one file of 32 bytes that only its owner may read."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def round_secret(self, public_id: str) -> PrivateKey:
        """The key that opens a round's boxes. Raises `Unsafe` when it is gone."""
        return PrivateKey(self._read(f"round-{public_id}.key"))

    def link(self, public_id: str) -> bytes:
        """The key that a round's links are derived from. Raises `Unsafe` when it is gone."""
        return self._read(f"link-{public_id}.key")

    def make_round(self, public_id: str) -> tuple[PrivateKey, bytes]:
        """The round's secret and link key, made if need be: a crash between making and using changes nothing."""
        secret = PrivateKey(self._ensure(f"round-{public_id}.key"))
        return secret, self._ensure(f"link-{public_id}.key")

    def make_panel(self, body_id: int, number: int) -> bytes:
        """The key of the panel codes that round `number` gives out, made if need be."""
        return self._ensure(f"panel-{body_id}-{number}.key")

    def panel(self, body_id: int, number: int) -> bytes:
        """The key of the panel codes that round `number` gave out. Raises `Unsafe` when it is gone."""
        return self._read(f"panel-{body_id}-{number}.key")

    def holds_panel(self, body_id: int, number: int) -> bool:
        """Whether the key of round `number`'s panel codes still exists here."""
        return (self.folder / f"panel-{body_id}-{number}.key").exists()

    def panel_before(self, body_id: int, number: int) -> bytes | None:
        """The newest panel key of an earlier round that has not been destroyed."""
        earlier = [n for n in self._panels(body_id) if n < number]
        return self._read(f"panel-{body_id}-{max(earlier)}.key") if earlier else None

    def keep_panel(self, body_id: int, number: int, key: bytes) -> None:
        """Write a panel key that was made elsewhere, for the next round to join on."""
        self._write(f"panel-{body_id}-{number}.key", key)

    def destroy_round(self, public_id: str) -> None:
        """Destroy a round's secret and link key. Missing keys are destroyed already."""
        self._destroy(f"round-{public_id}.key")
        self._destroy(f"link-{public_id}.key")

    def destroy_panels_before(self, body_id: int, number: int) -> None:
        """Destroy the panel keys of rounds before `number`."""
        for earlier in self._panels(body_id):
            if earlier < number:
                self._destroy(f"panel-{body_id}-{earlier}.key")

    def destroy_panel(self, body_id: int, number: int) -> None:
        """Destroy the panel key of one round, as when it is cancelled: nothing was stored under its codes."""
        self._destroy(f"panel-{body_id}-{number}.key")

    def holds_round(self, public_id: str) -> bool:
        """Whether the round's secret or link key still exists."""
        return any((self.folder / f"{kind}-{public_id}.key").exists() for kind in ("round", "link"))

    def _panels(self, body_id: int) -> list[int]:
        return [int(path.stem.rsplit("-", 1)[1]) for path in self.folder.glob(f"panel-{body_id}-*.key")]

    def _read(self, name: str) -> bytes:
        try:
            key = (self.folder / name).read_bytes()
        except FileNotFoundError:
            raise Unsafe(
                f"The key {name} is not in the key folder. If the round is open, restore the folder from "
                "escrow; without it the round's answers cannot be opened by anybody."
            ) from None
        if len(key) != 32:
            raise Unsafe(f"The key {name} is damaged.")
        return key

    def _ensure(self, name: str) -> bytes:
        for leftover in self._leftovers(name):
            # Unlinked and not wiped: it may be the key itself under its first name.
            leftover.unlink(missing_ok=True)
        if not (self.folder / name).exists():
            self._write(name, secrets.token_bytes(32))
        return self._read(name)

    def _leftovers(self, name: str) -> list[Path]:
        """What a crash in the middle of writing a key left beside it."""
        return list(self.folder.glob(f".{name}.*"))

    def _write(self, name: str, key: bytes) -> None:
        """Write whole or not at all, and only return when it is on the disk."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = self.folder / f".{name}.{secrets.token_hex(4)}"
        try:
            handle = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            try:
                os.write(handle, key)
                os.fsync(handle)
            finally:
                os.close(handle)
            # link() keeps the first of two writers: a second key would orphan what the first one sealed.
            with contextlib.suppress(FileExistsError):
                os.link(temporary, self.folder / name)
        finally:
            temporary.unlink(missing_ok=True)
        self._sync()

    def _destroy(self, name: str) -> None:
        for path in (self.folder / name, *self._leftovers(name)):
            if path.exists():
                self._wipe(path)

    def _wipe(self, path: Path) -> None:
        handle = os.open(path, os.O_WRONLY)
        try:
            os.write(handle, bytes(32))
            os.fsync(handle)
        finally:
            os.close(handle)
        path.unlink()
        self._sync()

    def _sync(self) -> None:
        handle = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
