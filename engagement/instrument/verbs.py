"""What a body does with its items: seed them, choose and order them, reword them, and render them for a round."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, delete, func, select

from engagement import clock
from engagement.access import READERS, Actor, Role, audit
from engagement.errors import Conflict, Invalid, NotFound
from engagement.instrument import bank
from engagement.models import KINDS, Body, Instrument, InstrumentItem, Item, ItemVersion, Round
from engagement.words import words_of

CORE = "Core"
# The item whose gap is the product's first question: every round asks it.
ALWAYS = "owned"
CLOSED_MAX = 12
OPEN_MAX = 1
# Named before launch and corrected for multiplicity together: each further one costs the others power.
HEADLINE_MAX = 3
_KEEP = object()


@dataclass(frozen=True)
class Wording:
    """One version of an item's wording, as stored and in the body's words."""

    version: int
    kind: str
    text: str
    rendered: str
    not_applicable: str | None
    created_at: datetime


@dataclass(frozen=True)
class ItemView:
    """An item with its newest wording. `position` is its place in the instrument asked about, None when not in it."""

    id: int
    key: str
    name: str
    core: bool
    version: int
    kind: str
    text: str
    rendered: str
    not_applicable: str | None
    reverse: bool
    series: str
    source: str
    reworded: bool
    parallels: tuple[str, ...]
    differs: str
    position: int | None
    headline: bool
    versions: tuple[Wording, ...]


@dataclass(frozen=True)
class InstrumentView:
    """A named choice of items, in order."""

    id: int
    name: str
    keys: tuple[str, ...]
    headline: tuple[str, ...]


def seed(session: Session, actor: Actor, body_id: int) -> InstrumentView:
    """Put the bank's items into a body's tables with the "Core" instrument, and return that instrument.

    Runs again without harm: what is there stays, items that the bank gained since are added, and wordings and
    choices of the body are not touched.
    """
    actor.require(body_id, Role.LEAD)
    _body(session, body_id)
    have = set(session.exec(select(Item.key).where(Item.body_id == body_id)))
    added = [entry for entry in bank.bank().values() if entry.key not in have]
    for entry in added:
        _add_from_bank(session, body_id, entry)
    core = _instrument_named(session, body_id, CORE)
    if core is None:
        core = Instrument(body_id=body_id, name=CORE, created_at=clock.now())
        session.add(core)
        session.flush()
        chosen = [entry for entry in bank.bank().values() if entry.core]
        _choose(session, core, [entry.key for entry in chosen], {e.key for e in chosen if e.headline})
    elif not added:
        return _instrument_view(session, core)
    audit.record(session, actor, "instrument.seed", body_id, added=[entry.key for entry in added])
    return _instrument_view(session, core)


def ensure_item(
    session: Session, actor: Actor, body_id: int, key: str, kind: str = "agree5", text: str | None = None
) -> Item:
    """The body's item of that key, made when neither the body nor the bank has it.

    An answers file may hold items that we never asked. A bank item is taken with its bank wording; any other
    becomes an item of this body, whose wording says that it is not known unless `text` gives it.
    Raises `Invalid` for a key or text that cannot be used, `Conflict` when the item is of another kind.
    """
    actor.require(body_id, Role.LEAD)
    item = _item(session, body_id, key)
    if item is not None:
        found = _newest(session, item).kind
        if found != kind:
            raise Conflict(f"Item {key} is of kind {found}, and the file holds answers of kind {kind}.")
        return item
    entry = bank.bank().get(key)
    if entry is not None and entry.kind == kind:
        item = _add_from_bank(session, body_id, entry)
    else:
        item = _new_item(
            session,
            body_id,
            key=key,
            kind=kind,
            text=text or f"Item “{key}” of an earlier survey; its wording was not imported.",
            origin={"source": "import", "parallels": [], "differs": ""},
        )
    audit.record(session, actor, "instrument.item", body_id, item=key, source="import")
    return item


def add_own_item(
    session: Session,
    actor: Actor,
    body_id: int,
    *,
    key: str,
    text: str,
    kind: str = "agree5",
    not_applicable: str | None = None,
    reverse: bool = False,
) -> Item:
    """Add a question of the body's own, which no published figure stands beside.

    Raises `Conflict` when the key is taken (the bank's keys are too), `Invalid` for anything that cannot be used.
    """
    actor.require(body_id, Role.LEAD)
    if key in bank.bank() or _item(session, body_id, key) is not None:
        raise Conflict(f"There is an item {key} already. Choose another key, or change that item's wording.")
    item = _new_item(
        session,
        body_id,
        key=key,
        kind=kind,
        text=text,
        not_applicable=not_applicable,
        reverse=reverse,
        origin={"source": "own", "parallels": [], "differs": ""},
    )
    audit.record(session, actor, "instrument.item", body_id, item=key, source="own")
    return item


def propose_wording(
    session: Session,
    actor: Actor,
    body_id: int,
    key: str,
    text: str,
    *,
    not_applicable: str | object | None = _KEEP,
) -> tuple[Wording, Wording]:
    """What `new_wording` would make, written nowhere: the wording now and the next one, both in the body's words.

    Raises what `new_wording` raises.
    """
    actor.require(body_id, Role.LEAD)
    item = _item_or_fail(session, body_id, key)
    old = _newest(session, item)
    new = _next_version(session, item, old, text, not_applicable)
    words = words_of(_body(session, body_id).words)
    return _wording(old, key, words), _wording(new, key, words)


def new_wording(
    session: Session,
    actor: Actor,
    body_id: int,
    key: str,
    text: str,
    *,
    not_applicable: str | object | None = _KEEP,
    still_parallel: bool = True,
    differs: str | None = None,
    expected_version: int | None = None,
) -> tuple[ItemVersion, str]:
    """Give an item a new wording as its next version; return it and a sentence on what that does to the trend.

    `not_applicable` keeps what it was unless given (None withdraws the choice). `still_parallel` says whether the
    new wording still asks what the published questions beside it asked, and `differs` in one sentence how it differs
    from them (the old sentence stays unless given). Rounds that were launched keep the old wording.
    Raises `Invalid` for an unchanged, empty or too long text or an unknown placeholder, `NotFound` for a key that
    the body lacks, `Conflict` when the wording is no longer at `expected_version`.
    """
    actor.require(body_id, Role.LEAD)
    item = _item_or_fail(session, body_id, key)
    old = _newest(session, item)
    if expected_version is not None and old.version != expected_version:
        raise Conflict(
            f"Somebody changed the wording of {key} to version {old.version} meanwhile. Look at it and try again."
        )
    new = _next_version(session, item, old, text, not_applicable)
    if differs is not None and (differs := " ".join(differs.split())) and len(differs) > bank.TEXT_LIMIT:
        raise Invalid(f"Say how it differs in at most {bank.TEXT_LIMIT} characters")
    if not still_parallel:
        new.origin = new.origin | {"parallels": [], "differs": differs or ""}
    elif differs is not None:
        new.origin = new.origin | {"differs": differs}
    session.add(new)
    session.flush()
    audit.record(
        session,
        actor,
        "instrument.wording",
        body_id,
        item=key,
        version=new.version,
        old=[old.text, old.not_applicable],
        new=[new.text, new.not_applicable],
        still_parallel=still_parallel,
    )
    return new, trend_break(old.version, new.version, new.kind)


def trend_break(old: int, new: int, kind: str = "agree5") -> str:
    """The sentence that says what a new wording does to the item's line."""
    if kind == "text":
        return f"Rounds launched from now on ask version {new}."
    return (
        f"Rounds launched from now on ask version {new}. The trend line of this item breaks there: "
        f"answers to version {old} and version {new} are not joined."
    )


def items(session: Session, actor: Actor, body_id: int, instrument_id: int | None = None) -> list[ItemView]:
    """All items of the body: first those of the instrument in its order ("Core" unless given), then the others."""
    actor.require(body_id, *READERS)
    words = words_of(_body(session, body_id).words)
    instrument = (
        _instrument_named(session, body_id, CORE)
        if instrument_id is None
        else _instrument(session, body_id, instrument_id)
    )
    places = _places(session, instrument.id) if instrument else {}
    history: dict[int, list[ItemVersion]] = {}
    for version in session.exec(
        select(ItemVersion).where(ItemVersion.body_id == body_id).order_by(ItemVersion.version)
    ):
        history.setdefault(version.item_id, []).append(version)
    order = list(bank.bank())

    def view(item: Item) -> ItemView:
        versions = [_wording(v, item.key, words) for v in history[item.id]]
        newest = history[item.id][-1]
        place = places.get(item.id)
        return ItemView(
            id=item.id,
            key=item.key,
            name=bank.short_name(item.key),
            core=item.core,
            version=newest.version,
            kind=newest.kind,
            text=newest.text,
            rendered=versions[-1].rendered,
            not_applicable=newest.not_applicable,
            reverse=newest.reverse,
            series=bank.series_id(item.key, newest.version, newest.kind),
            source=newest.origin.get("source", "own"),
            reworded=bool(newest.origin.get("reworded")),
            parallels=tuple(newest.origin.get("parallels") or ()),
            differs=newest.origin.get("differs") or "",
            position=place.position if place else None,
            headline=bool(place and place.headline),
            versions=tuple(versions),
        )

    def rank(found: ItemView) -> tuple:
        in_bank = order.index(found.key) if found.key in order else len(order)
        return (found.position is None, found.position or 0, in_bank, found.key)

    return sorted(map(view, session.exec(select(Item).where(Item.body_id == body_id))), key=rank)


def instrument_of(session: Session, actor: Actor, body_id: int, name: str = CORE) -> InstrumentView:
    """The body's instrument of that name. Raises `NotFound` when it has none."""
    actor.require(body_id, *READERS)
    instrument = _instrument_named(session, body_id, name)
    if instrument is None:
        raise NotFound(f"There is no instrument named {name}. Set the body up first.")
    return _instrument_view(session, instrument)


def set_items(
    session: Session,
    actor: Actor,
    body_id: int,
    instrument_id: int,
    keys_in_order: Sequence[str],
    headline_keys: Sequence[str],
) -> InstrumentView:
    """Choose the instrument's items, their order, and which are headline items.

    At most 12 closed items and one open; `owned` always; one to three headline items, all closed and chosen.
    Raises `Invalid` with one line for each fault. Rounds that were launched keep what they asked.
    """
    actor.require(body_id, Role.LEAD)
    instrument = _instrument(session, body_id, instrument_id)
    keys, headline = list(keys_in_order), set(headline_keys)
    known = {item.key: item for item in session.exec(select(Item).where(Item.body_id == body_id))}
    problems = [f"There is no item {key}" for key in dict.fromkeys(keys) if key not in known]
    problems += [f"Item {key} is chosen twice" for key in dict.fromkeys(keys) if keys.count(key) > 1]
    kinds = {key: _newest(session, known[key]).kind for key in keys if key in known}
    closed = [key for key in kinds if kinds[key] != "text"]
    comments = [key for key in kinds if kinds[key] == "text"]
    if ALWAYS not in keys:
        problems.append(f"The item {ALWAYS} must stay: its gap is what the rounds measure")
    if len(closed) > CLOSED_MAX:
        problems.append(f"Choose at most {CLOSED_MAX} closed items; there are {len(closed)}")
    if len(comments) > OPEN_MAX:
        problems.append("Choose at most one open comment")
    if not headline:
        problems.append("Mark at least one headline item")
    if len(headline) > HEADLINE_MAX:
        problems.append(f"Mark at most {HEADLINE_MAX} headline items; there are {len(headline)}")
    problems += [
        f"{key} cannot be a headline item: it is not among the closed items chosen"
        for key in sorted(headline - set(closed))
    ]
    if problems:
        if len(problems) == 1:
            raise Invalid(problems[0])
        raise Invalid("These items cannot be chosen like this:", problems)
    before = _instrument_view(session, instrument)
    if list(before.keys) == keys and set(before.headline) == headline:
        return before
    _choose(session, instrument, keys, headline)
    after = _instrument_view(session, instrument)
    audit.record(
        session,
        actor,
        "instrument.items",
        body_id,
        instrument=instrument.name,
        items=list(after.keys),
        headline=list(after.headline),
    )
    return after


def rendered(session: Session, body_id: int, instrument_id: int) -> list[dict[str, Any]]:
    """The instrument's items as a round's promise freezes them: newest wordings in the body's words, in order.

    Raises `NotFound` when the body has no such instrument, `Invalid` when a wording cannot be rendered.
    """
    instrument = _instrument(session, body_id, instrument_id)
    places = _places(session, instrument.id)
    chosen = sorted(_items_of(session, places), key=lambda item: places[item.id].position)
    return _rendered(session, body_id, chosen, {item.key for item in chosen if places[item.id].headline})


def rendered_keys(session: Session, body_id: int, keys: Sequence[str]) -> list[dict[str, Any]]:
    """Items by key as a promise freezes them, for past rounds that no instrument of ours asked.

    In the bank's order, then the body's own by key; headline as in the bank. Raises `NotFound` for a key that
    the body lacks.
    """
    order = {key: place for place, key in enumerate(bank.bank())}
    ranked = sorted(keys, key=lambda key: (order.get(key, len(order)), key))
    headline = {entry.key for entry in bank.bank().values() if entry.headline}
    return _rendered(session, body_id, [_item_or_fail(session, body_id, key) for key in ranked], headline)


def _rendered(
    session: Session, body_id: int, chosen: Sequence[Item], headline: set[str]
) -> list[dict[str, Any]]:
    words = words_of(_body(session, body_id).words)
    out = []
    for item in chosen:
        version = _newest(session, item)
        out.append(
            bank.render_item(
                key=item.key,
                version=version.version,
                kind=version.kind,
                text=version.text,
                words=words,
                not_applicable=version.not_applicable,
                reverse=version.reverse,
                headline=item.key in headline,
                core=item.core,
                origin=version.origin,
            )
        )
    return out


def warnings(session: Session, body_id: int, instrument_id: int, number: int | None = None) -> list[str]:
    """What a lead should know before a round asks this instrument; none of it blocks the launch.

    `number` is the round's; without one, the round after the last that was launched.

    Compares with the newest launched round of a lower number: items asked before their time, trends that break
    or stop, words and headline items that changed.
    """
    if number is None:
        last = session.exec(
            select(Round.number)
            .where(Round.body_id == body_id, Round.promise.is_not(None))
            .order_by(Round.number.desc())
            .limit(1)
        ).first()
        number = (last or 0) + 1
    now = rendered(session, body_id, instrument_id)
    closed = [item for item in now if item["kind"] != "text"]
    cancelled = session.exec(
        select(func.count()).where(
            Round.body_id == body_id, Round.number < number, Round.state == "cancelled"
        )
    ).one()
    found = []
    for item in now:
        entry = bank.bank().get(item["key"])
        # A cancelled round left nothing that an item could ask about.
        if entry and number - cancelled < entry.from_round:
            found.append(
                f"“{item['text']}” asks about an earlier round, and this is round {number}. "
                f"Leave it out until round {entry.from_round + cancelled}."
            )
    if len(closed) > 8:
        found.append(
            f"{len(closed)} closed items may take members longer than three minutes; the core has eight."
        )
    earlier = session.exec(
        select(Round)
        .where(
            Round.body_id == body_id,
            Round.number < number,
            Round.promise.is_not(None),
            Round.state != "cancelled",
        )
        .order_by(Round.number.desc())
        .limit(1)
    ).first()
    if earlier is None:
        return found
    before = {item["key"]: item for item in json.loads(earlier.promise)["items"]}
    for item in closed:
        old = before.get(item["key"])
        if old is None:
            continue
        if old["series"] != item["series"]:
            found.append(
                f"The trend of {item['key']} breaks: round {earlier.number} asked “{old['text']}”, "
                f"this round asks “{item['text']}”."
            )
        elif old["text"] != item["text"]:
            found.append(
                f"The trend of {item['key']} continues and is marked: only the body's words changed "
                f"since round {earlier.number}."
            )
    here = {item["key"] for item in now}
    found += [
        f"Round {earlier.number} asked {key} and this round does not: its trend has a gap."
        for key, item in before.items()
        if key not in here and item["kind"] != "text"
    ]
    was = {key for key, item in before.items() if item.get("headline")}
    headline = {item["key"] for item in closed if item["headline"]}
    if was != headline:
        found.append(
            f"The headline items differ from round {earlier.number}: then {', '.join(sorted(was)) or 'none'}, "
            f"now {', '.join(sorted(headline)) or 'none'}."
        )
    shared = [item["key"] for item in closed if item["key"] in before]
    order = [key for key, item in before.items() if key in shared and item["kind"] != "text"]
    if shared != order:
        found.append(
            f"The order of the items differs from round {earlier.number}; the trends carry a footnote."
        )
    return found


def _next_version(
    session: Session, item: Item, old: ItemVersion, text: str, not_applicable: str | object | None
) -> ItemVersion:
    text = " ".join(text.split())
    choice = old.not_applicable if not_applicable is _KEEP else _clean_choice(not_applicable, old.kind)
    if text == old.text and choice == old.not_applicable:
        raise Invalid("The wording has not changed. Change the text, or keep the version that there is")
    _check_wording(session, item.body_id, item.key, old.kind, text, choice, old.origin)
    return ItemVersion(
        body_id=item.body_id,
        item_id=item.id,
        version=old.version + 1,
        kind=old.kind,
        text=text,
        not_applicable=choice,
        reverse=old.reverse,
        origin=old.origin | {"reworded": True},
        created_at=clock.now(),
    )


def _body(session: Session, body_id: int) -> Body:
    body = session.get(Body, body_id)
    if body is None:
        raise NotFound("There is no such body.")
    return body


def _item(session: Session, body_id: int, key: str) -> Item | None:
    return session.exec(select(Item).where(Item.body_id == body_id, Item.key == key)).first()


def _item_or_fail(session: Session, body_id: int, key: str) -> Item:
    item = _item(session, body_id, key)
    if item is None:
        raise NotFound(f"There is no item {key}.")
    return item


def _newest(session: Session, item: Item) -> ItemVersion:
    return session.exec(
        select(ItemVersion)
        .where(ItemVersion.item_id == item.id)
        .order_by(ItemVersion.version.desc())
        .limit(1)
    ).one()


def _instrument(session: Session, body_id: int, instrument_id: int) -> Instrument:
    instrument = session.get(Instrument, instrument_id)
    if instrument is None or instrument.body_id != body_id:
        raise NotFound("There is no such instrument.")
    return instrument


def _instrument_named(session: Session, body_id: int, name: str) -> Instrument | None:
    return session.exec(
        select(Instrument).where(Instrument.body_id == body_id, Instrument.name == name)
    ).first()


def _places(session: Session, instrument_id: int) -> dict[int, InstrumentItem]:
    rows = session.exec(select(InstrumentItem).where(InstrumentItem.instrument_id == instrument_id))
    return {row.item_id: row for row in rows}


def _items_of(session: Session, places: dict[int, InstrumentItem]) -> list[Item]:
    return list(session.exec(select(Item).where(Item.id.in_(list(places)))))


def _instrument_view(session: Session, instrument: Instrument) -> InstrumentView:
    rows = session.exec(
        select(Item.key, InstrumentItem.headline)
        .join(InstrumentItem, InstrumentItem.item_id == Item.id)
        .where(InstrumentItem.instrument_id == instrument.id)
        .order_by(InstrumentItem.position)
    ).all()
    return InstrumentView(
        id=instrument.id,
        name=instrument.name,
        keys=tuple(key for key, _ in rows),
        headline=tuple(key for key, headline in rows if headline),
    )


def _choose(session: Session, instrument: Instrument, keys: list[str], headline: set[str]) -> None:
    ids = dict(
        session.exec(
            select(Item.key, Item.id).where(Item.body_id == instrument.body_id, Item.key.in_(keys))
        ).all()
    )
    session.exec(delete(InstrumentItem).where(InstrumentItem.instrument_id == instrument.id))
    session.add_all(
        InstrumentItem(
            instrument_id=instrument.id,
            item_id=ids[key],
            body_id=instrument.body_id,
            position=position,
            headline=key in headline,
        )
        for position, key in enumerate(keys, start=1)
    )
    session.flush()


def _add_from_bank(session: Session, body_id: int, entry: bank.BankItem) -> Item:
    return _add(
        session,
        body_id,
        key=entry.key,
        kind=entry.kind,
        text=entry.text,
        not_applicable=entry.not_applicable,
        reverse=entry.reverse,
        core=entry.core,
        version=entry.version,
        origin=entry.origin(),
    )


def _add(
    session: Session,
    body_id: int,
    *,
    key: str,
    kind: str,
    text: str,
    origin: dict[str, Any],
    not_applicable: str | None = None,
    reverse: bool = False,
    core: bool = False,
    version: int = 1,
) -> Item:
    item = Item(body_id=body_id, key=key, core=core)
    session.add(item)
    session.flush()
    session.add(
        ItemVersion(
            body_id=body_id,
            item_id=item.id,
            version=version,
            kind=kind,
            text=text,
            not_applicable=not_applicable,
            reverse=reverse,
            origin=origin,
            created_at=clock.now(),
        )
    )
    session.flush()
    return item


def _new_item(session: Session, body_id: int, *, key: str, kind: str, text: str, **rest: Any) -> Item:
    if not bank.KEY.fullmatch(key):
        raise Invalid(
            f"“{key[:60]}” cannot be an item's key: use 1 to 40 letters, digits, underscores, dots and hyphens, "
            "starting with a letter or digit"
        )
    if kind not in KINDS:
        raise Invalid(f"The kind must be one of {', '.join(KINDS)}")
    text = " ".join(text.split())
    rest["not_applicable"] = _clean_choice(rest.get("not_applicable"), kind)
    _check_wording(session, body_id, key, kind, text, rest["not_applicable"], rest["origin"])
    return _add(session, body_id, key=key, kind=kind, text=text, **rest)


def _clean_choice(choice: str | None, kind: str) -> str | None:
    choice = " ".join((choice or "").split()) or None
    if choice and kind == "text":
        raise Invalid("An open comment has no “not applicable” choice")
    return choice


def _check_wording(
    session: Session,
    body_id: int,
    key: str,
    kind: str,
    text: str,
    not_applicable: str | None,
    origin: dict[str, Any],
) -> None:
    if not text:
        raise Invalid("Enter the wording")
    if len(text) > bank.TEXT_LIMIT:
        raise Invalid(f"The wording must have at most {bank.TEXT_LIMIT} characters; it has {len(text)}")
    if not_applicable and len(not_applicable) > bank.NOT_APPLICABLE_LIMIT:
        raise Invalid(
            f"The “not applicable” choice must have at most {bank.NOT_APPLICABLE_LIMIT} characters; "
            f"it has {len(not_applicable)}"
        )
    bank.render_item(
        key=key,
        version=1,
        kind=kind,
        text=text,
        words=words_of(_body(session, body_id).words),
        not_applicable=not_applicable,
        origin=origin,
    )


def _wording(version: ItemVersion, key: str, words: dict[str, str]) -> Wording:
    shown = bank.render_item(
        key=key,
        version=version.version,
        kind=version.kind,
        text=version.text,
        words=words,
        not_applicable=version.not_applicable,
        origin=version.origin,
    )
    return Wording(
        version=version.version,
        kind=version.kind,
        text=version.text,
        rendered=shown["text"],
        not_applicable=shown.get("not_applicable"),
        created_at=version.created_at,
    )
