"""How long each kind of data is kept, and the deletion of what has been kept long enough.

Nothing here runs by itself: `engagement retention --dry-run` counts, `--yes` deletes, and both print the same report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import and_, delete, exists, func, or_, update
from sqlmodel import Session, select

from engagement import clock
from engagement.access import Actor, audit
from engagement.config import Config
from engagement.errors import NotFound
from engagement.models import (
    AuditEntry,
    AuditNotice,
    Comment,
    CommentReview,
    DeadLetter,
    Member,
    PanelSkip,
    ProviderFlow,
    Response,
    Round,
    SignInLink,
    Spell,
    StaffSession,
)
from engagement.rounds.promise import RETENTION_YEARS

LEFT, MAIL, SESSIONS, LINKS_OF_SIGN_IN = (timedelta(days=days) for days in (365, 30, 30, 1))
BACKUPS = timedelta(days=90)
AUDIT_YEARS = 6
WORKER, COMMAND, NOBODY = "the worker, by itself", "`engagement retention`", "not deleted by the product"
OVER = ("mixed", "released")


@dataclass(frozen=True)
class Rule:
    """How long a kind of data is kept. `by`: who deletes it."""

    kind: str
    what: str
    kept: str
    by: str


@dataclass(frozen=True)
class Line:
    """A rule and how many things of its kind have been kept long enough, now."""

    rule: Rule
    due: int


RULES = {
    rule.kind: rule
    for rule in (
        Rule(
            "links",
            "Links to answer, as hashes, and whether each was used",
            "24 hours after the round closed",
            WORKER,
        ),
        Rule(
            "answers",
            "Answers and comments to confidential rounds and practice views, without names",
            f"as long as the round promised, {RETENTION_YEARS} years after it closed unless it said otherwise; "
            "then only the published results",
            COMMAND,
        ),
        Rule(
            "releases", "Published results and the promises under which they were collected", "always", NOBODY
        ),
        Rule(
            "people",
            "Names, addresses and other details of people who left",
            "a year after their last role ended",
            COMMAND,
        ),
        Rule("roster", "Names, addresses and roles of people who belong", "while they belong", NOBODY),
        Rule(
            "mail",
            "Addresses to which mail of a round could not be sent",
            "30 days after the round closed",
            COMMAND,
        ),
        Rule(
            "letters",
            "Whom messages of the engagement lead to practices were for, and addresses that they could not be sent to",
            "until all have left; where one could not be sent, 30 days",
            WORKER,
        ),
        Rule("notices", "Mails to auditors, with their words", "30 days after they were sent", COMMAND),
        Rule("files", "Mail written as files, for trying things out", "30 days", COMMAND),
        Rule(
            "sign-in",
            "Sessions of staff, links to sign in",
            "30 days after they were last used; links a day",
            COMMAND,
        ),
        Rule(
            "contacts",
            "Visits, messages, asks, buddies and the council's questions, by practice",
            "as long as the body keeps its records of dealings with practices",
            NOBODY,
        ),
        Rule(
            "backups",
            "Copies of the database in the folder of backups",
            "90 days; the newest always",
            COMMAND,
        ),
        Rule(
            "audit",
            "The audit log: who changed or saw what, never who answered",
            f"at least {AUDIT_YEARS} years; a chain of hashes holds it together, so that no line can be taken out",
            NOBODY,
        ),
    )
}


def look(session: Session, actor: Actor, config: Config) -> list[Line]:
    """What has been kept long enough, by kind, without changing anything. At the command line only."""
    _operator(actor)
    now = clock.now()
    due = {kind: len(found) for kind, found in _rows(session, now).items()}
    due["answers"] = _answers_in(session, now)
    due["files"], due["backups"] = (len(_files(config, kind, now)) for kind in ("files", "backups"))
    due["links"] = _count(
        session,
        and_(
            Round.state == "released",
            Round.links_deleted_at.is_(None),
            Round.mixed_at < now - timedelta(days=2),
        ),
    )
    six_years = now - timedelta(days=AUDIT_YEARS * 365.25)
    due["audit"] = session.exec(
        select(func.count()).select_from(AuditEntry).where(AuditEntry.at < six_years)
    ).one()
    return [Line(rule, due.get(kind, 0)) for kind, rule in RULES.items()]


def carry_out(session: Session, actor: Actor, config: Config) -> list[Line]:
    """Delete what has been kept long enough; returns what there was. At the command line only.

    Files are for `delete_files`, after the transaction has been committed.
    """
    report = look(session, actor, config)
    now = clock.now()
    rows = _rows(session, now)
    for round_ in _old_rounds(session, now):
        table = Comment.__table__
        of_round = select(table.c.id).where(table.c.round_id == round_.id)
        session.execute(
            delete(CommentReview.__table__).where(CommentReview.__table__.c.comment_id.in_(of_round))
        )
        for answers in (table, Response.__table__, PanelSkip.__table__):
            session.execute(delete(answers).where(answers.c.round_id == round_.id))
    for member in rows["people"]:
        session.execute(
            update(Member.__table__)
            .where(Member.__table__.c.id == member)
            .values(name=None, email=None, attributes={})
        )
    for kind, column in (
        ("mail", DeadLetter.__table__.c.id),
        ("notices", AuditNotice.__table__.c.id),
    ):
        session.execute(delete(column.table).where(column.in_(rows[kind])))
    for table, condition in _signing_in(now):
        session.execute(delete(table).where(condition))
    done = {line.rule.kind: line.due for line in report if line.due and line.rule.by == COMMAND}
    if done:
        audit.record(session, actor, "retention", None, deleted=done)
    return report


def delete_files(config: Config) -> int:
    """Delete mail written as files and copies of the database that are old enough; returns how many."""
    found = [path for kind in ("files", "backups") for path in _files(config, kind, clock.now())]
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def as_json(report: list[Line]) -> list[dict]:
    """The report as data."""
    return [vars(line.rule) | {"due": line.due} for line in report]


def words(report: list[Line], *, done: bool) -> str:
    """The report as a table of text."""
    verb = "deleted" if done else "to delete"
    rows = [f"{verb:>10}  {'kind':<10}kept"]
    for line in report:
        number = str(line.due) if line.rule.by == COMMAND else "-"
        rows.append(f"{number:>10}  {line.rule.kind:<10}{line.rule.what}: {line.rule.kept}")
        if line.due and line.rule.by == WORKER:
            rows.append(f"{'':>10}  {'':<10}{line.due} rounds wait for the worker: engagement worker --once")
        if line.due and line.rule.kind == "audit":
            rows.append(f"{'':>10}  {'':<10}{line.due} lines are older than {AUDIT_YEARS} years")
    return "\n".join(rows)


def _operator(actor: Actor) -> None:
    if not actor.everything:
        raise NotFound("There is no such page or record for your account.")


def _old_rounds(session: Session, now: datetime) -> Iterator[Round]:
    """The rounds whose promised time is over."""
    for round_ in session.exec(
        select(Round).where(Round.state.in_(OVER), Round.closed_at.is_not(None))
    ).all():
        years = json.loads(round_.promise).get("retention_years", RETENTION_YEARS)
        if round_.closed_at <= _years_before(now, years):
            yield round_


def _years_before(now: datetime, years: int) -> datetime:
    """The same day so many years before; 28 February for a leap day."""
    try:
        return now.replace(year=now.year - years)
    except ValueError:
        return now.replace(year=now.year - years, day=28)


def _answers_in(session: Session, now: datetime) -> int:
    """How many answers and comments are in rounds whose promised time is over."""
    ids = [round_.id for round_ in _old_rounds(session, now)]
    return sum(
        session.exec(select(func.count()).select_from(table).where(table.round_id.in_(ids))).one()
        for table in (Response, Comment)
    )


def _rows(session: Session, now: datetime) -> dict[str, list]:
    """The keys of what is due, by kind, where it is rows."""
    closed = now - MAIL
    return {
        "people": _who_left(session, now),
        "mail": list(
            session.exec(
                select(DeadLetter.id)
                .join(Round, Round.id == DeadLetter.round_id)
                .where(Round.closed_at <= closed)
            )
        ),
        "notices": list(
            session.exec(select(AuditNotice.id).where(AuditNotice.done, AuditNotice.due_at <= closed))
        ),
        "sign-in": [
            row
            for table, condition in _signing_in(now)
            for row in session.execute(select(table).where(condition))
        ],
    }


def _who_left(session: Session, now: datetime) -> list[int]:
    """Members who still have a name or an address, and whose every role ended long enough ago."""
    day = clock.london_date(now - LEFT)
    gone = exists().where(
        Round.body_id == Spell.body_id, Round.number == Spell.left_wave, Round.closed_at <= now - LEFT
    )
    ended = or_(and_(Spell.ends.is_not(None), Spell.ends <= day), gone)
    still = exists().where(Spell.member_id == Member.id, ~ended)
    ever = exists().where(Spell.member_id == Member.id)
    known = or_(Member.name.is_not(None), Member.email.is_not(None))
    return list(session.exec(select(Member.id).where(ever, ~still, known).order_by(Member.id)))


def _signing_in(now: datetime) -> tuple:
    sessions, links, flows = StaffSession.__table__, SignInLink.__table__, ProviderFlow.__table__
    return (
        (sessions, sessions.c.seen_at <= now - SESSIONS),
        (links, links.c.expires_at <= now - LINKS_OF_SIGN_IN),
        (flows, flows.c.started_at <= now - LINKS_OF_SIGN_IN),
    )


def _count(session: Session, condition) -> int:
    return session.exec(select(func.count()).select_from(Round).where(condition)).one()


def _files(config: Config, kind: str, now: datetime) -> list[Path]:
    """Files that are old enough to delete."""
    folder, pattern, kept = (
        (config.outbox, "*.eml", MAIL) if kind == "files" else (config.backups, "engagement-*", BACKUPS)
    )
    found = sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime)
    old = [path for path in found if datetime.fromtimestamp(path.stat().st_mtime, UTC) <= now - kept]
    return old[:-1] if kind == "backups" and len(old) == len(found) else old
