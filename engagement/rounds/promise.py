"""The promise: what a round tells its members before the first invitation, frozen and hashed."""

from __future__ import annotations

from typing import Any

from engagement.access.audit import canonical, sha256
from engagement.models import Body, Round
from engagement.rounds import plans
from engagement.words import words_of

VERSION = 1
RETENTION_YEARS = 5
# What stays with an answer after close; docs/confidentiality.md and the form say the same.
KEPT = {
    "practice-view": ["practice"],
    "confidential": ["practice", "role", "locality", "size of practice", "panel code"],
    "anonymous": ["standing"],
}


def build(
    round_: Round, body: Body, items: list[dict[str, Any]], standing_map: dict[str, str]
) -> dict[str, Any]:
    """The promise of a round. `items` are rendered already: what members read is what is hashed."""
    return {
        "version": VERSION,
        "body": {"code": body.code, "name": body.name, "words": words_of(body.words)},
        "round": {"number": round_.number, "title": round_.title, "public_id": round_.public_id},
        "tier": round_.tier,
        "threshold": round_.threshold,
        "plan": list(plans.checked(round_.plan, round_.tier)),
        "kept": KEPT[round_.tier],
        "standing_map": dict(sorted(standing_map.items())),
        "headline": [item["key"] for item in items if item.get("headline")],
        "items": items,
        "opens_at": round_.opens_at.isoformat(),
        "closes_at": round_.closes_at.isoformat(),
        "may_close_early": True,
        "retention_years": RETENTION_YEARS,
    }


def freeze(round_: Round, content: dict[str, Any]) -> None:
    """Write a promise and its SHA-256 into a round that has none yet."""
    round_.promise = canonical(content)
    round_.promise_hash = sha256(round_.promise)
