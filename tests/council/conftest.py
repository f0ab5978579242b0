"""A body with nine released rounds, and its council, governing body, lead and a stranger."""

from __future__ import annotations

from tests.ui.conftest import (  # noqa: F401
    _store_round,
    frame,
    history,
    released,
    said,
    stored,
)
