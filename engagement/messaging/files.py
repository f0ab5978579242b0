"""Mail as `.eml` files, for trying things out: they hold links, so only their owner reads them."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from engagement.messaging.transport import Mail, TryLater, mime


class Files:
    """Writes each mail to a file in a folder. The same mail again replaces its file."""

    real = False
    names_sender = False

    def __init__(self, folder: Path):
        self.folder = Path(folder)

    def send(self, mail: Mail) -> None:
        """Write the file whole, mode 0600. Raises `TryLater` when the disk does not take it."""
        part = self.folder / f".{mail.key}.{secrets.token_hex(4)}"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(handle, "wb") as out:
                out.write(mime(mail).as_bytes())
            os.replace(part, self.folder / f"{mail.key}.eml")
        except OSError as error:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise TryLater(f"The file could not be written: {error.strerror}") from error

    def close(self) -> None:
        """Nothing is open."""
