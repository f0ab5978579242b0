"""A body's programme: the rule set up once, the rounds to come, dates moved, and a new round "same again".

The worker's part, which drafts and opens rounds on their dates, is in `autopilot`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any

from sqlmodel import Session, select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.errors import Conflict, Invalid, NotFound
from engagement.messaging import quiet, reminders, settings
from engagement.models import (
    APPROVALS,
    TIERS,
    Body,
    Instrument,
    MailSettings,
    Programme,
    ProgrammeTurn,
    Round,
)
from engagement.rounds import cadence, plans, verbs
from engagement.rounds.cadence import Dates, Rule

AHEAD = 4
# States in which a round takes no answers; whatever else a round is, it stands in the way of another.
NOT_ASKING = ("draft", "closing", "mixed", "released", "cancelled")
# How many turns that were left out the page still tells of.
TOLD = 3
USUAL_LENGTH = 28


@dataclass(frozen=True)
class Upcoming:
    """A round to come. `round_id` and the rest are known once it is drafted; `number` is a forecast until then.

    `reminders` are the days on which people who have not answered are reminded, as things stand. Of a round that is
    late, `late_since` is when it should have opened, and `dates` are those that it can have now.
    """

    number: int
    dates: Dates
    reminders: tuple[datetime, ...]
    latest: datetime
    late_since: datetime | None = None
    round_id: int | None = None
    title: str | None = None
    needs_approval: bool = False
    trouble: str | None = None


@dataclass(frozen=True)
class Skipped:
    """A turn in which no round opened, and why."""

    dates: tuple[datetime, datetime]
    reason: str


@dataclass(frozen=True)
class Asks:
    """What the rounds to come ask. `round` is the number of the round that it is taken from, None for the usual.

    `plan` are the tables that it is to publish, None for the usual ones of its tier.
    """

    tier: str
    threshold: int
    instrument_id: int | None
    instrument: str | None
    round: int | None
    plan: list[str] | None

    @property
    def tables(self) -> list[str]:
        """The titles of the tables that are to be published."""
        titles = {table.name: table.title for table in plans.TABLES}
        return [titles[name] for name in plans.checked(self.plan, self.tier)]


@dataclass(frozen=True)
class View:
    """A programme as its page and the command line show it.

    `next_wanted` is the day of the next turn not drafted yet, which is where a rule that is saved anew begins.
    `asking` is the number of a round that takes answers now, and when it closes.
    """

    rule: Rule
    lead_days: int
    approval: str
    tier: str | None
    threshold: int | None
    instrument_id: int | None
    paused_at: datetime | None
    trouble: str | None
    asks: Asks
    reminders: int
    gap_days: int
    next_wanted: date
    upcoming: tuple[Upcoming, ...]
    skipped: tuple[Skipped, ...]
    asking: tuple[int, datetime] | None


def read(session: Session, actor: Actor, body_id: int) -> View | None:
    """The body's programme with its next rounds; None while it has no rule."""
    actor.require(body_id, Role.LEAD)
    programme = of(session, body_id)
    if programme is None or programme.rule is None:
        return None
    mail = settings.of(session, body_id)
    last = last_turn(session, programme.id)
    draft = drafted(session, last)
    rule, moved = rule_of(programme), moved_of(programme)
    own = quiet.own_days(mail.quiet_days)
    ahead = cadence.next_dates(rule, last.turn if last else 0, own, moved, AHEAD)
    upcoming = [_drafted(session, programme, last, draft, mail, own)] if draft else []
    number = verbs.next_number(session, body_id)
    for place, dates in enumerate(ahead[: AHEAD - len(upcoming)]):
        upcoming.append(Upcoming(number + place, dates, _reminders(mail, own, dates), dates.latest))
    return View(
        rule=rule,
        lead_days=programme.lead_days,
        approval=programme.approval,
        tier=programme.tier,
        threshold=programme.threshold,
        instrument_id=programme.instrument_id,
        paused_at=programme.paused_at,
        trouble=programme.trouble,
        asks=asks(session, body_id, programme),
        reminders=mail.reminders,
        gap_days=mail.gap_days,
        next_wanted=ahead[0].wanted,
        upcoming=tuple(upcoming),
        skipped=_skipped(session, programme.id),
        asking=(now.number, now.closes_at) if (now := asking(session, body_id)) else None,
    )


def _drafted(session, programme, turn, round_, mail, own) -> Upcoming:
    """The turn whose draft is there, with the dates that the draft has now, and why they are those."""
    due = planned(turn, round_)
    by_rule = cadence.next_dates(rule_of(programme), turn.turn - 1, own, moved_of(programme), 1)[0]
    if (by_rule.opens_at, by_rule.closes_at) == (due.opens_at, due.closes_at):
        due = by_rule
    dates = cadence.late(due, clock.now(), own) or due
    return Upcoming(
        number=round_.number,
        dates=dates,
        reminders=_reminders(mail, own, dates),
        latest=due.latest,
        late_since=due.opens_at if dates.opens_at > due.opens_at else None,
        round_id=round_.id,
        title=round_.title,
        needs_approval=needs_approval(session, programme, turn),
        trouble=round_.trouble,
    )


def _reminders(mail: MailSettings, own, dates: Dates) -> tuple[datetime, ...]:
    return tuple(
        reminders.plan(
            opens_at=dates.opens_at,
            closes_at=dates.closes_at,
            most=mail.reminders,
            gap_days=mail.gap_days,
            own=own,
        )
    )


def _skipped(session: Session, programme_id: int) -> tuple[Skipped, ...]:
    rows = session.exec(
        select(ProgrammeTurn)
        .where(ProgrammeTurn.programme_id == programme_id, ProgrammeTurn.state == "skipped")
        .order_by(ProgrammeTurn.turn.desc())
        .limit(TOLD)
    ).all()
    return tuple(Skipped((row.opens_at, row.closes_at), row.reason or "") for row in rows)


# --- what the verbs and the worker share: for callers that have checked who asks ---------------------------------


def of(session: Session, body_id: int, *, lock: bool = False) -> Programme | None:
    """The body's programme; `lock` holds it until the transaction ends."""
    query = select(Programme).where(Programme.body_id == body_id, Programme.name == verbs.MAIN_PROGRAMME)
    return session.exec(query.with_for_update() if lock else query).first()


def rule_of(programme: Programme) -> Rule:
    """The programme's rule. Raises `NotFound` while it has none."""
    if programme.rule is None:
        raise NotFound("This body has no programme yet. Set one up on the Programme page first.")
    return Rule.from_json(programme.rule)


def moved_of(programme: Programme) -> dict[int, date]:
    """The days that somebody moved, by turn."""
    return {int(turn): date.fromisoformat(day) for turn, day in programme.moved.items()}


def last_turn(session: Session, programme_id: int) -> ProgrammeTurn | None:
    """The newest turn that was dealt with: the one before which no other is begun."""
    return session.exec(
        select(ProgrammeTurn)
        .where(ProgrammeTurn.programme_id == programme_id)
        .order_by(ProgrammeTurn.turn.desc())
        .limit(1)
    ).first()


def round_of(session: Session, turn: ProgrammeTurn) -> Round | None:
    """The turn's round; None where it has none, or its draft was deleted."""
    return session.exec(select(Round).where(Round.public_id == turn.public_id)).first()


def drafted(session: Session, turn: ProgrammeTurn | None) -> Round | None:
    """The turn's round while it is a draft; None once it was launched or deleted."""
    if turn is None or turn.state != "drafted":
        return None
    round_ = round_of(session, turn)
    return round_ if round_ is not None and round_.state == "draft" else None


def planned(turn: ProgrammeTurn, round_: Round | None = None) -> Dates:
    """A turn's dates as they were planned, or as its round has them."""
    opens, closes = turn.opens_at, turn.closes_at
    if round_ is not None and round_.opens_at and round_.closes_at:
        opens, closes = round_.opens_at, round_.closes_at
    return Dates(turn.turn, turn.wanted, opens, closes)


def needs_approval(session: Session, programme: Programme, turn: ProgrammeTurn) -> bool:
    """Whether a drafted round waits for somebody's word."""
    if turn.approved or programme.approval == "never":
        return False
    if programme.approval == "always":
        return True
    launched = select(ProgrammeTurn.turn).where(
        ProgrammeTurn.programme_id == programme.id, ProgrammeTurn.state == "launched"
    )
    return session.exec(launched.limit(1)).first() is None


def asking(session: Session, body_id: int) -> Round | None:
    """A round of the body that takes answers now, or is about to."""
    return session.exec(
        select(Round)
        .where(Round.body_id == body_id, Round.state.not_in(NOT_ASKING))
        .order_by(Round.number)
        .limit(1)
    ).first()


def skip_turn(session: Session, actor: Actor, programme: Programme, turn: ProgrammeTurn, reason: str) -> None:
    """Leave a turn out for good: delete its draft where there is one, keep the reason, and look at what comes next."""
    round_ = drafted(session, turn)
    if round_ is not None:
        verbs.discard(session, actor, round_.id)
    turn.state, turn.reason = "skipped", reason
    session.add(turn)
    look_now(session, programme)
    audit.record(session, actor, "programme.skip", programme.body_id, turn=turn.turn, reason=reason)


def look_now(session: Session, programme: Programme) -> None:
    """Have the worker look at the programme at its next pass."""
    programme.look_at = clock.now()
    session.add(programme)
    session.flush()


def asks(session: Session, body_id: int, programme: Programme | None) -> Asks:
    """What a round "same again" asks: as in the last round that was launched, but for what the programme sets."""
    last = session.exec(
        select(Round)
        .where(Round.body_id == body_id, Round.state.not_in(("draft", "cancelled")))
        .order_by(Round.number.desc())
        .limit(1)
    ).first()
    chosen = (programme and programme.instrument_id) or (last and last.instrument_id)
    return Asks(
        tier=(programme and programme.tier) or (last.tier if last else "confidential"),
        threshold=(programme and programme.threshold)
        or (last.threshold if last else session.get(Body, body_id).threshold),
        instrument_id=chosen,
        instrument=session.get(Instrument, chosen).name if chosen else None,
        round=last.number if last else None,
        plan=last.plan if last else None,
    )


def title_of(opens_at: datetime) -> str:
    """What a round is called until somebody gives it another title: "August 2026"."""
    return f"{clock.london_date(opens_at):%B %Y}"


# --- verbs --------------------------------------------------------------------------------------------------------


def save(
    session: Session,
    actor: Actor,
    body_id: int,
    *,
    every: int,
    first: date,
    by: str,
    days: int,
    opens: time,
    closes: time,
    lead_days: int = 14,
    approval: str = "first",
    tier: str | None = None,
    threshold: int | None = None,
    instrument_id: int | None = None,
) -> View:
    """Set the programme up or change it. `first` is the day of its next turn that is not drafted yet.

    While `every`, `by` and `first` stay as they are, so do the days that were moved; otherwise the rule begins anew
    at `first`. A draft that is there keeps its dates. Raises `Invalid` with one line for each fault.
    """
    actor.require(body_id, Role.LEAD)
    programme = of(session, body_id, lock=True) or verbs.programme(session, body_id)
    old = read(session, actor, body_id)
    last = last_turn(session, programme.id)
    rule = Rule(every, first, days, by, opens, closes, last.turn + 1 if last else 1)
    moved = moved_of(programme)
    if old and (old.rule.every, old.rule.by, old.next_wanted) == (every, by, first):
        rule = replace(old.rule, days=days, opens=opens, closes=closes)
    else:
        moved = {}
    faults = []
    if old is None or first != old.next_wanted:
        faults += _day_faults(session, programme, first, "next")
    faults += _faults(session, body_id, lead_days, approval, tier, threshold, instrument_id)
    try:
        cadence.check(rule, settings.quiet_days(session, body_id), moved, last.turn if last else 0)
    except Invalid as error:
        faults += error.problems
    if faults:
        raise Invalid("; ".join(faults), faults)
    programme.rule = rule.as_json()
    programme.moved = {str(turn): day.isoformat() for turn, day in moved.items()}
    programme.lead_days, programme.approval = lead_days, approval
    programme.tier, programme.threshold, programme.instrument_id = tier, threshold, instrument_id
    programme.trouble = None
    look_now(session, programme)
    audit.record(
        session,
        actor,
        "programme.set",
        body_id,
        rule=programme.rule,
        lead_days=lead_days,
        approval=approval,
        tier=tier,
        threshold=threshold,
    )
    return read(session, actor, body_id)


# What `change` takes, by name.
SETTINGS = (
    "every",
    "first",
    "by",
    "days",
    "opens",
    "closes",
    "lead_days",
    "approval",
    "tier",
    "threshold",
)


def change(session: Session, actor: Actor, body_id: int, *, as_last: bool = False, **given) -> View:
    """Save the programme with some of `SETTINGS` changed; those left out or None stay, or are the usual ones at first.

    `as_last`: tier and threshold are those of the last round again, unless given. Raises what `save` raises, and
    `Invalid` for a new programme without `first`.
    """
    old = read(session, actor, body_id)
    if old is None:
        now = {
            "every": 6,
            "by": cadence.DAY,
            "days": USUAL_LENGTH,
            "opens": Rule.opens,
            "closes": Rule.closes,
        }
    else:
        rule = old.rule
        now = {name: getattr(rule, name) for name in ("every", "by", "days", "opens", "closes")}
        now |= {"first": old.next_wanted, "instrument_id": old.instrument_id}
        now |= {name: getattr(old, name) for name in ("lead_days", "approval", "tier", "threshold")}
    if as_last:
        now |= {"tier": None, "threshold": None}
    now |= {name: value for name, value in given.items() if value is not None}
    if "first" not in now:
        raise Invalid("Say on which day the next round opens: --first DATE")
    return save(session, actor, body_id, **now)


def _faults(session, body_id, lead_days, approval, tier, threshold, instrument_id) -> list[str]:
    """What is wrong with a programme's settings other than its rule."""
    faults = []
    if not 1 <= lead_days <= 60:
        faults.append("Rounds are drafted between 1 and 60 days ahead")
    if approval not in APPROVALS:
        faults.append(f"Choose which rounds wait for approval: {', '.join(APPROVALS)}")
    if tier is not None and tier not in TIERS:
        faults.append(f"Choose a tier: {', '.join(TIERS)}")
    if threshold is not None and not 5 <= threshold <= 50:
        faults.append("The threshold must be between 5 and 50 answers")
    if instrument_id is not None:
        instrument = session.get(Instrument, instrument_id)
        if instrument is None or instrument.body_id != body_id:
            faults.append("There is no such instrument in this body")
    return faults


def _day_faults(session: Session, programme: Programme, day: date, which: str) -> list[str]:
    """Why a round cannot open on a day: it has gone, or the round before is open then."""
    if day < clock.today():
        return [f"The {which} round must open from today on"]
    last = last_turn(session, programme.id)
    before = [asking(session, programme.body_id), last and drafted(session, last)]
    ends = [clock.london_date(round_.closes_at) for round_ in before if round_ and round_.closes_at]
    if not ends or day > max(ends):
        return []
    return [
        f"The round before is open until {clock.show_date(max(ends))}: choose a day after that for the {which} one"
    ]


def move(session: Session, actor: Actor, body_id: int, turn: int, day: date) -> View:
    """Open a round to come on another day. The rounds after it move too: the rule goes on from the day chosen.

    Raises `Conflict` for a turn that is drafted or over, `Invalid` for a day that will not do.
    """
    programme, moved = _movable(session, actor, body_id, turn)
    own = settings.quiet_days(session, body_id)
    if reason := cadence.not_working(day, own):
        raise Invalid(f"{clock.show_date(day)} is {reason}: choose a working day.")
    rule = rule_of(programme)
    # What was moved further on was moved from days that now are others.
    moved = {other: at for other, at in moved.items() if other < turn} | {turn: day}
    before = cadence.next_dates(rule, turn - 2, own, moved, 2)
    if faults := _day_faults(session, programme, day, "moved"):
        raise Invalid(faults[0], faults)
    if before[0].turn == turn - 1 and before[1].opens_at <= before[0].closes_at:
        raise Invalid(
            f"The round before closes on {clock.show_date(before[0].closes_at)}: choose a day after that."
        )
    cadence.check(rule, own, moved, turn - 1)
    return _keep_moved(session, actor, programme, moved, "programme.move", turn=turn, day=day.isoformat())


def undo_move(session: Session, actor: Actor, body_id: int, turn: int) -> View:
    """Put a moved round, and those after it, back on the days by the rule. Raises what `move` raises."""
    programme, moved = _movable(session, actor, body_id, turn)
    if turn not in moved:
        raise Conflict("This round was not moved.")
    moved = {other: at for other, at in moved.items() if other < turn}
    return _keep_moved(session, actor, programme, moved, "programme.unmove", turn=turn)


def _movable(session, actor, body_id, turn) -> tuple[Programme, dict[int, date]]:
    programme = _locked(session, actor, body_id)
    last = last_turn(session, programme.id)
    if last is not None and turn <= last.turn:
        raise Conflict(
            "This round is drafted already: change its dates on the Rounds page. The rounds after it keep theirs."
        )
    return programme, moved_of(programme)


def _keep_moved(session, actor, programme, moved, action, **detail) -> View:
    programme.moved = {str(turn): day.isoformat() for turn, day in sorted(moved.items())}
    look_now(session, programme)
    audit.record(session, actor, action, programme.body_id, **detail)
    return read(session, actor, programme.body_id)


def _locked(session: Session, actor: Actor, body_id: int) -> Programme:
    """The programme, held, for its lead. Raises `NotFound` while there is no rule."""
    actor.require(body_id, Role.LEAD)
    programme = of(session, body_id, lock=True)
    if programme is None or programme.rule is None:
        raise NotFound("This body has no programme yet. Set one up on the Programme page first.")
    return programme


def pause(session: Session, actor: Actor, body_id: int) -> None:
    """Let nothing more be drafted or launched by itself. An open round goes on to its close. Raises `Conflict`."""
    programme = _locked(session, actor, body_id)
    if programme.paused_at is not None:
        raise Conflict("The programme is paused already.")
    programme.paused_at, programme.trouble = clock.now(), None
    look_now(session, programme)
    audit.record(session, actor, "programme.pause", body_id)


def resume(session: Session, actor: Actor, body_id: int) -> None:
    """Go on with the rounds to come; those whose time went by meanwhile are left out. Raises `Conflict`."""
    programme = _locked(session, actor, body_id)
    if programme.paused_at is None:
        raise Conflict("The programme is not paused.")
    programme.paused_at = None
    look_now(session, programme)
    audit.record(session, actor, "programme.resume", body_id)


def approve(session: Session, actor: Actor, body_id: int, round_id: int) -> None:
    """Let a drafted round launch by itself at its time. Raises `Conflict` where there is nothing to approve."""
    programme, turn = _drafted_turn(session, actor, body_id, round_id)
    turn.approved = True
    session.add(turn)
    look_now(session, programme)
    audit.record(session, actor, "programme.approve", body_id, turn=turn.turn)


def skip(session: Session, actor: Actor, body_id: int, round_id: int) -> None:
    """Leave a drafted round out and delete its draft; the rounds after it keep their dates. Raises `Conflict`."""
    programme, turn = _drafted_turn(session, actor, body_id, round_id)
    skip_turn(session, actor, programme, turn, f"Left out by {actor.name}.")


def _drafted_turn(session, actor, body_id, round_id) -> tuple[Programme, ProgrammeTurn]:
    programme = _locked(session, actor, body_id)
    turn = last_turn(session, programme.id)
    round_ = drafted(session, turn)
    if round_ is None or round_.id != round_id:
        raise Conflict("This round is no draft of the programme any more: look at the Rounds page.")
    return programme, turn


def same_again(
    session: Session,
    actor: Actor,
    body_id: int,
    *,
    opens_at: datetime | None = None,
    closes_at: datetime | None = None,
) -> Round:
    """Draft a round like the last one: same items under the same ids in their wordings in force, tier, threshold and plan.

    Opens now and lasts as long as the programme says unless told otherwise. Raises `Conflict` while there is a draft.
    """
    actor.require(body_id, Role.LEAD)
    programme = of(session, body_id)
    like = asks(session, body_id, programme)
    opens_at = opens_at or clock.now()
    if closes_at is None:
        rule = Rule.from_json(programme.rule) if programme and programme.rule else None
        day = clock.london_date(opens_at) + clock.days(rule.days if rule else USUAL_LENGTH)
        closing = cadence.working_day(day, settings.quiet_days(session, body_id))[0]
        closes_at = cadence.instant(closing, rule.closes if rule else Rule.closes, last=True)
    return verbs.new(
        session,
        actor,
        body_id,
        title=title_of(opens_at),
        opens_at=opens_at,
        closes_at=closes_at,
        tier=like.tier,
        threshold=like.threshold,
        instrument_id=like.instrument_id,
        plan=like.plan,
    )


# --- in words and as JSON, for the command line -------------------------------------------------------------------


def as_json(coming: Upcoming) -> dict[str, Any]:
    """A round to come as JSON."""
    dates = coming.dates
    return {
        "round": coming.number,
        "drafted": coming.round_id is not None,
        "needs_approval": coming.needs_approval,
        "wanted": dates.wanted.isoformat(),
        "opens_at": dates.opens_at.isoformat(),
        "closes_at": dates.closes_at.isoformat(),
        "moved": dates.moved,
        "opening_shifted": dates.opening_shifted,
        "closing_shifted": dates.closing_shifted,
        "reminders": [at.isoformat() for at in coming.reminders],
        "trouble": coming.trouble,
    }


def line(coming: Upcoming) -> str:
    """A round to come on one line."""
    dates = coming.dates
    notes = [
        *(["drafted"] if coming.round_id else []),
        *(["waits for approval"] if coming.needs_approval else []),
        *(["moved by hand"] if dates.moved else []),
        *([f"moved from {dates.opening_shifted}"] if dates.opening_shifted else []),
        *([f"held up: {coming.trouble}"] if coming.trouble else []),
    ]
    return (
        f"Round {coming.number} opens {clock.show_instant(dates.opens_at)}, "
        f"closes {clock.show_instant(dates.closes_at)}" + (f" ({'; '.join(notes)})" if notes else "")
    )


def view_json(view: View) -> dict[str, Any]:
    """A programme as JSON."""
    return {
        "rule": view.rule.as_json(),
        "sentence": cadence.sentence(view.rule),
        "lead_days": view.lead_days,
        "approval": view.approval,
        "tier": view.asks.tier,
        "threshold": view.asks.threshold,
        "plan": list(plans.checked(view.asks.plan, view.asks.tier)),
        "like_round": view.asks.round,
        "reminders": view.reminders,
        "gap_days": view.gap_days,
        "paused_at": view.paused_at and view.paused_at.isoformat(),
        "trouble": view.trouble,
        "next": [as_json(coming) for coming in view.upcoming],
        "skipped": [{"opens_at": turn.dates[0].isoformat(), "reason": turn.reason} for turn in view.skipped],
    }


def lines(view: View) -> list[str]:
    """A programme in words, line by line."""
    return [
        f"{cadence.sentence(view.rule)}. {view.reminders} reminders.",
        f"Rounds are {view.asks.tier}; a group is shown from {view.asks.threshold} answers.",
        *([f"Paused since {clock.show_date(view.paused_at)}."] if view.paused_at else []),
        *([f"Held up: {view.trouble}"] if view.trouble else []),
        *(line(coming) for coming in view.upcoming),
        *(f"Left out, {clock.show_date(turn.dates[0])}: {turn.reason}" for turn in view.skipped),
    ]
