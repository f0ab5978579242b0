"""What a round asks: the item bank, wording versions, scales, and the published figures it is compared with."""

from engagement.instrument.verbs import (
    CLOSED_MAX,
    CORE,
    HEADLINE_MAX,
    InstrumentView,
    ItemView,
    Wording,
    add_own_item,
    ensure_item,
    instrument_of,
    items,
    new_wording,
    rendered,
    seed,
    set_items,
    warnings,
)

__all__ = [
    "CLOSED_MAX",
    "CORE",
    "HEADLINE_MAX",
    "InstrumentView",
    "ItemView",
    "Wording",
    "add_own_item",
    "ensure_item",
    "instrument_of",
    "items",
    "new_wording",
    "rendered",
    "seed",
    "set_items",
    "warnings",
]
