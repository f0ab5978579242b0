"""Rate limits that remember nobody: counts in memory, keyed by a hash whose secret lives for a day at most."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

DAY = 24 * 3600
MOST_KEYS = 20_000


def network_of(address: str | None) -> str:
    """A client's address, cut to its /64 where it is IPv6, for one household holds that many."""
    # The commonest kind first, for `ipaddress` takes twenty times as long to say the same.
    with suppress(OSError, ValueError):
        socket.inet_pton(socket.AF_INET, address or "")
        return address
    try:
        found = ipaddress.IPv6Address(address or "")
    except ValueError:
        return "unknown"
    if found.ipv4_mapped:
        # How a socket for both kinds shows an IPv4 client: all of those share one /64.
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False).network_address)


class Limiter:
    """Counts failures of a client in a sliding window.

    Parameters
    ----------
    most : failures within the window after which the client is blocked.
    window : its length in seconds.
    timer : a monotonic clock in seconds.
    """

    def __init__(self, most: int, window: float, timer: Callable[[], float] = time.monotonic):
        self.most = most
        self.window = window
        self._timer = timer
        self._lock = threading.Lock()
        self._counts: dict[bytes, list[float]] = {}
        self._secret = secrets.token_bytes(32)
        self._since = timer()

    def _key(self, parts: tuple[str, ...]) -> bytes:
        now = self._timer()
        if now - self._since > DAY:
            self._secret, self._since = secrets.token_bytes(32), now
            self._counts.clear()
        return hmac.digest(self._secret, "\n".join(parts).encode(), "sha256")

    def _recent(self, key: bytes) -> list[float]:
        start = self._timer() - self.window
        recent = [moment for moment in self._counts.get(key, ()) if moment > start]
        if not recent:
            self._counts.pop(key, None)
        return recent

    def blocked(self, *client: str) -> bool:
        """Whether the client has failed too often lately."""
        with self._lock:
            if not self._counts:
                # Nobody has, as at most times: that is told without a hash.
                return False
            return len(self._recent(self._key(client))) >= self.most

    def failed(self, *client: str) -> None:
        """Count a failure."""
        with self._lock:
            key = self._key(client)
            recent = self._recent(key)
            if len(self._counts) >= MOST_KEYS and key not in self._counts:
                # Forget the one that was first seen longest ago: memory is bounded, whoever asks.
                self._counts.pop(next(iter(self._counts)))
            self._counts[key] = [*recent, self._timer()][-self.most :]

    def succeeded(self, *client: str) -> None:
        """Forget the client's failures."""
        with self._lock:
            self._counts.pop(self._key(client), None)
