"""Buddies and peer groups as they are kept: proposed by `matching`, begun when both agree. For the engagement lead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import delete
from sqlmodel import Session, select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.assessments import read as assessments
from engagement.errors import Conflict, Invalid, NotFound
from engagement.models import BuddyPair, Locality, OutreachExclusion, PeerGroup, PeerGroupMember, Practice
from engagement.outreach import matching
from engagement.risk import segments
from engagement.roster.bodies import own_body
from engagement.roster.text import clean

STRUGGLING = (segments.WITHDRAWN, segments.CRITICAL)
AXES = (("attitude", "attitude"), ("participation", "taking part"))
SIZES = (3, 12)
# A complement of half what the strongest would bring is worth a word.
WORTH_SAYING = 0.5


@dataclass(frozen=True)
class PairRow:
    """A pair as pages show it: names and codes, why, whether each agreed, and the runner-up."""

    id: int
    strong: str
    strong_name: str
    struggling: str
    struggling_name: str
    runner_up: str | None
    runner_up_name: str | None
    reason: str
    runner_up_reason: str | None
    strong_agreed_on: date | None
    struggling_agreed_on: date | None
    state: str
    made_on: date


@dataclass(frozen=True)
class GroupRow:
    """A peer group: its name, and names of practices by code."""

    id: int
    name: str
    members: Mapping[str, str]
    made_on: date


@dataclass(frozen=True)
class Groups:
    """Proposed peer groups, not stored: (name, codes) each, and what to say of them."""

    groups: tuple[tuple[str, tuple[str, ...]], ...]
    said: tuple[str, ...]


def pairs(session: Session, actor: Actor, body_id: int) -> tuple[PairRow, ...]:
    """All pairs, those that run first, those declined last, then by the name of the struggling one."""
    actor.require(body_id, Role.LEAD)
    names = dict(session.exec(select(Practice.id, Practice.name).where(Practice.body_id == body_id)).all())
    codes = dict(session.exec(select(Practice.id, Practice.code).where(Practice.body_id == body_id)).all())
    order = {"agreed": 0, "proposed": 1, "ended": 2, "declined": 3}
    found = [
        PairRow(
            row.id,
            codes[row.strong_id],
            names[row.strong_id],
            codes[row.struggling_id],
            names[row.struggling_id],
            codes.get(row.runner_up_id),
            names.get(row.runner_up_id),
            row.reason,
            row.runner_up_reason,
            row.strong_agreed_on,
            row.struggling_agreed_on,
            row.state,
            row.made_on,
        )
        for row in session.exec(select(BuddyPair).where(BuddyPair.body_id == body_id))
    ]
    return tuple(sorted(found, key=lambda row: (order[row.state], row.struggling_name.casefold(), row.id)))


def propose_pairs(session: Session, actor: Actor, body_id: int) -> int:
    """Match every clear champion with a practice that is clearly withdrawn or critical; returns how many pairs are new.

    Pairs that run stay, and so do those that somebody agreed to; one that was declined is not proposed again. Raises
    `Invalid` where no segment is clear enough for any pair.
    """
    own_body(session, actor, body_id)
    content = assessments.latest(session, actor, body_id)
    stored = session.exec(select(BuddyPair).where(BuddyPair.body_id == body_id)).all()
    for row in [row for row in stored if _untouched(row)]:
        session.delete(row)
    session.flush()
    stays = [
        row for row in stored if row.state == "agreed" or (row.state == "proposed" and not _untouched(row))
    ]
    busy = {row.strong_id for row in stays} | {row.struggling_id for row in stays}
    known = _open(session, body_id, content)
    kind = [
        each.row["leading_segment"] if each.row and each.row["clarity"] == segments.CLEAR else None
        for each in known
    ]
    strong = [at for at, each in enumerate(known) if kind[at] == segments.CHAMPION and each.id not in busy]
    struggling = [at for at, each in enumerate(known) if kind[at] in STRUGGLING and each.id not in busy]
    if not strong or not struggling:
        raise Invalid(
            "No pair can be proposed: it takes a clear champion and one that is clearly withdrawn or critical, neither "
            "of them in a pair already."
        )
    no = {(row.strong_id, row.struggling_id) for row in stored if row.state == "declined"}
    forbidden = np.array([[(known[a].id, known[b].id) in no for b in struggling] for a in strong], bool)
    practices = _practices(known)
    found = matching.buddies(practices, np.array(strong), np.array(struggling), forbidden=forbidden)
    for pair in found:
        second = pair.runner_up
        session.add(
            BuddyPair(
                body_id=body_id,
                strong_id=known[pair.chosen.strong].id,
                struggling_id=known[pair.struggling].id,
                runner_up_id=second and known[second.strong].id,
                reason=_said(pair.chosen, practices, pair.struggling),
                runner_up_reason=second and _said(second, practices, pair.struggling),
                made_on=clock.today(),
            )
        )
    session.flush()
    audit.record(session, actor, "outreach.pairs", body_id, pairs=len(found))
    return len(found)


def _untouched(row: BuddyPair) -> bool:
    return row.state == "proposed" and not (row.strong_agreed_on or row.struggling_agreed_on)


def agree(session: Session, actor: Actor, pair_id: int, *, strong: bool, agreed: bool = True) -> None:
    """Note that one side agreed, or that it does not any more; the pair runs once both did. Raises `Conflict`, `NotFound`."""
    row = _own_pair(session, actor, pair_id)
    if row.state not in ("proposed", "agreed"):
        raise Conflict("This pair has ended. Propose pairs again.")
    day = clock.today() if agreed else None
    if strong:
        row.strong_agreed_on = day
    else:
        row.struggling_agreed_on = day
    row.state = "agreed" if row.strong_agreed_on and row.struggling_agreed_on else "proposed"
    session.add(row)
    session.flush()
    audit.record(
        session, actor, "outreach.pair_agree", row.body_id, pair=row.id, strong=strong, agreed=agreed
    )


def take_runner_up(session: Session, actor: Actor, pair_id: int) -> None:
    """Put the runner-up in the place of the buddy, who becomes the runner-up; both must agree anew.

    Raises `Conflict` where there is none, or where it is a buddy already, and `NotFound`.
    """
    row = _own_pair(session, actor, pair_id)
    if row.state != "proposed" or row.runner_up_id is None:
        raise Conflict("There is no runner-up to take.")
    taken = session.exec(
        select(BuddyPair.id).where(
            BuddyPair.body_id == row.body_id,
            BuddyPair.strong_id == row.runner_up_id,
            BuddyPair.state == "agreed",
        )
    ).first()
    if taken:
        raise Conflict("The runner-up is somebody's buddy already.")
    row.strong_id, row.runner_up_id = row.runner_up_id, row.strong_id
    row.reason, row.runner_up_reason = row.runner_up_reason or "", row.reason
    row.strong_agreed_on = row.struggling_agreed_on = None
    session.add(row)
    session.flush()
    audit.record(session, actor, "outreach.pair_runner_up", row.body_id, pair=row.id)


def end(session: Session, actor: Actor, pair_id: int) -> None:
    """End a pair: one that ran is over, one that was only proposed is declined and not proposed again."""
    row = _own_pair(session, actor, pair_id)
    if row.state not in ("proposed", "agreed"):
        raise Conflict("This pair has ended already.")
    row.state = "ended" if row.state == "agreed" else "declined"
    session.add(row)
    session.flush()
    audit.record(session, actor, "outreach.pair_end", row.body_id, pair=row.id, state=row.state)


def reopen(session: Session, actor: Actor, pair_id: int) -> None:
    """Take an end back. Raises `Conflict` where the pair has not ended or one of the two has another by now."""
    row = _own_pair(session, actor, pair_id)
    if row.state not in ("ended", "declined"):
        raise Conflict("This pair has not ended.")
    both = (row.strong_id, row.struggling_id)
    taken = session.exec(
        select(BuddyPair.id).where(
            BuddyPair.body_id == row.body_id,
            BuddyPair.state.in_(("proposed", "agreed")),
            BuddyPair.strong_id.in_(both) | BuddyPair.struggling_id.in_(both),
        )
    ).first()
    if taken:
        raise Conflict("One of the two is in another pair by now.")
    row.state = "agreed" if row.strong_agreed_on and row.struggling_agreed_on else "proposed"
    session.add(row)
    session.flush()
    audit.record(session, actor, "outreach.pair_reopen", row.body_id, pair=row.id)


def _own_pair(session: Session, actor: Actor, pair_id: int) -> BuddyPair:
    row = session.get(BuddyPair, pair_id)
    if row is None:
        raise NotFound("There is no such pair.")
    own_body(session, actor, row.body_id)
    return row


def groups(session: Session, actor: Actor, body_id: int) -> tuple[GroupRow, ...]:
    """The peer groups that are kept, by name."""
    actor.require(body_id, Role.LEAD)
    members: dict[int, dict[str, str]] = {}
    for group_id, code, name in session.exec(
        select(PeerGroupMember.group_id, Practice.code, Practice.name)
        .join(Practice, Practice.id == PeerGroupMember.practice_id)
        .where(PeerGroupMember.body_id == body_id)
        .order_by(Practice.name, Practice.code)
    ):
        members.setdefault(group_id, {})[code] = name
    rows = session.exec(
        select(PeerGroup).where(PeerGroup.body_id == body_id).order_by(PeerGroup.name, PeerGroup.id)
    )
    return tuple(GroupRow(row.id, row.name, members.get(row.id, {}), row.made_on) for row in rows)


def propose_groups(session: Session, actor: Actor, body_id: int, *, size: int = 6) -> Groups:
    """Balanced peer groups by locality, not stored yet: the same roster and assessment give the same.

    Raises `Invalid` for a size out of bounds, and where there are too few practices.
    """
    actor.require(body_id, Role.LEAD)
    if not SIZES[0] <= size <= SIZES[1]:
        raise Invalid(f"Let a group have {SIZES[0]} to {SIZES[1]} members.")
    content = assessments.latest(session, actor, body_id)
    known = _open(session, body_id, content)
    if len(known) < SIZES[0]:
        raise Invalid("It takes three at least to make a group.")
    engagement = np.array([each.row["engagement"] if each.row else np.nan for each in known], float)
    middle = np.nanmean(engagement) if np.isfinite(engagement).any() else 0.0
    found = matching.peer_groups(_practices(known), np.nan_to_num(engagement, nan=middle), size=size)
    places = sorted({each.place for each in known if each.place})
    named: list[tuple[str, tuple[str, ...]]] = []
    for number in range(found.group.max() + 1):
        inside = [each for each, own in zip(known, found.group, strict=True) if own == number]
        # The name of the locality that most of it belong to; those without one come first in the alphabet of nothing.
        count = {
            place: sum(each.place == place for each in inside) for place in {each.place for each in inside}
        }
        place = max(sorted(count, key=str), key=count.get) or "No locality"
        again = sum(name.rsplit(" ", 1)[0] == place for name, _ in named)
        named.append((f"{place} {again + 1}", tuple(each.code for each in inside)))
    said = []
    if np.isfinite(engagement).any():
        said.append(
            f"Within a locality the means of engagement differ by {found.spread:.1f} at most; formed by rank they would "
            f"differ by {found.unbalanced:.1f}."
        )
    else:
        said.append("There are no segments yet, so the groups are balanced by size of list alone.")
    said += [
        f"{_place_name(places, small)} is too small for a group of its own and was put together with "
        f"{_place_name(places, other)}."
        for small, other in found.joined
    ]
    return Groups(tuple(named), tuple(said))


def keep_groups(session: Session, actor: Actor, body_id: int, *, size: int = 6) -> int:
    """Keep the proposed groups in the place of those that are kept; returns how many."""
    own_body(session, actor, body_id)
    found = propose_groups(session, actor, body_id, size=size)
    _forget(session, body_id)
    ids = dict(session.exec(select(Practice.code, Practice.id).where(Practice.body_id == body_id)).all())
    for name, codes in found.groups:
        group = PeerGroup(body_id=body_id, name=clean(name)[:120], made_on=clock.today())
        session.add(group)
        session.flush()
        session.add_all(
            PeerGroupMember(group_id=group.id, practice_id=ids[code], body_id=body_id) for code in codes
        )
    session.flush()
    audit.record(session, actor, "outreach.groups", body_id, groups=len(found.groups), size=size)
    return len(found.groups)


def move(session: Session, actor: Actor, group_id: int, code: str) -> None:
    """Put a practice into a group, out of the one it is in. Raises `NotFound`."""
    group = session.get(PeerGroup, group_id)
    if group is None:
        raise NotFound("There is no such group.")
    own_body(session, actor, group.body_id)
    practice = session.exec(
        select(Practice).where(Practice.body_id == group.body_id, Practice.code == code)
    ).first()
    if practice is None:
        raise NotFound("There is no such practice.")
    session.execute(delete(PeerGroupMember).where(PeerGroupMember.practice_id == practice.id))
    session.add(PeerGroupMember(group_id=group.id, practice_id=practice.id, body_id=group.body_id))
    session.flush()
    audit.record(session, actor, "outreach.group_move", group.body_id, group=group.id, practice=practice.code)


def _forget(session: Session, body_id: int) -> None:
    session.execute(delete(PeerGroupMember).where(PeerGroupMember.body_id == body_id))
    session.execute(delete(PeerGroup).where(PeerGroup.body_id == body_id))


# --- what matching reads ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Known:
    """A practice that is open and not left out, with its part of the assessment."""

    id: int
    code: str
    place: str | None
    east: int | None
    north: int | None
    size: int | None
    row: Mapping[str, Any] | None


def _open(session: Session, body_id: int, content: Mapping[str, Any] | None) -> list[_Known]:
    rows = {row["practice_id"]: row for row in content["practices"]} if content and content["usable"] else {}
    today = clock.today()
    left_out = select(OutreachExclusion.practice_id).where(OutreachExclusion.body_id == body_id)
    found = session.exec(
        select(Practice, Locality.name)
        .outerjoin(Locality, Locality.id == Practice.locality_id)
        .where(Practice.body_id == body_id, Practice.id.not_in(left_out))
        .order_by(Practice.code)
    )
    return [
        _Known(row.id, row.code, place, row.easting, row.northing, row.list_size, rows.get(row.code))
        for row, place in found
        if (row.opened is None or row.opened <= today) and (row.closed is None or today < row.closed)
    ]


def _practices(known: Sequence[_Known]) -> matching.Practices:
    places = sorted({each.place for each in known if each.place})
    strength = np.array(
        [
            [
                np.nan if each.row is None or (value := each.row["now"][axis]) is None else float(value)
                for axis, _ in AXES
            ]
            for each in known
        ],
        float,
    ).reshape(len(known), len(AXES))
    # On each axis in units of its spread, from the middle practice; one that is not known stands in the middle.
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(strength).any(axis=0)
        middle = np.where(seen, np.nanmedian(np.where(seen, strength, 0), axis=0), 0)
        spread = np.where(seen, np.nanstd(np.where(seen, strength, 0), axis=0), 1)
    strength = np.nan_to_num((strength - middle) / np.where(spread > 0, spread, 1))
    return matching.Practices(
        place=np.array(
            [
                [np.nan, np.nan] if each.east is None or each.north is None else [each.east, each.north]
                for each in known
            ],
            float,
        ).reshape(len(known), 2),
        locality=np.array([places.index(each.place) if each.place else -1 for each in known], np.int64),
        size=np.array([each.size or np.nan for each in known], float),
        strength=strength,
    )


def _said(fit: matching.Fit, practices: matching.Practices, struggling: int) -> str:
    """Why a pair was chosen, as one sentence: what one brings, how far it is, and how the lists compare."""
    brings = [
        name
        for at, (_, name) in enumerate(AXES)
        if practices.strength[fit.strong, at] > 0 > practices.strength[struggling, at]
    ]
    said = [f"strong on {' and '.join(brings)}, where the other is weak" if brings else "both much alike"]
    if fit.measured == matching.KM:
        said.append(f"{fit.apart:.0f} km apart" if fit.apart >= 1 else "less than 1 km apart")
    elif fit.measured == matching.LOCALITY:
        place = "another locality" if fit.apart else "the same locality"
        said.append(f"{place} (distance not known, as the roster has no coordinates)")
    else:
        said.append("distance not known")
    if np.isfinite(fit.ratio):
        said.append(
            "lists of like size"
            if fit.ratio < 1.25
            else f"one list {fit.ratio:.1f} times as large as the other"
        )
    text = "; ".join(said)
    return f"{text[:1].upper()}{text[1:]}."


def _place_name(places: Sequence[str], number: int) -> str:
    return places[number] if number >= 0 else "No locality"
