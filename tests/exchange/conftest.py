"""Nine invented releases, made by the real rules, for files to be made of."""

from __future__ import annotations

from tests.ui.conftest import history, item, release  # noqa: F401
