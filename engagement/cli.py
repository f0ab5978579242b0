"""The command line: everything that a page does and an operator would script.

Exit codes: 0 done, 1 refused with a reason, 2 wrong usage, 3 done but something is not well (`doctor`).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import datetime, time
from pathlib import Path
from typing import Any

from sqlmodel import Session, select

from engagement import __version__, clock, db, vitals
from engagement.access import Actor, Role, accounts, audit
from engagement.config import Config
from engagement.db import Database
from engagement.errors import EngagementError, Invalid, NotFound
from engagement.intake.keys import Keys
from engagement.messaging.post import Post
from engagement.models import APPROVALS, MESSAGE_KINDS, TIERS, Body
from engagement.vitals import Heart
from engagement.worker import ChildGate, Embedded, Worker, pending

REFUSED, UNWELL = 1, 3
EXAMPLES = """examples:
  engagement demo --links 2
  engagement import practices epraccur.csv --commissioner 00K --yes
  engagement import members members.csv --yes
  engagement import answers past.csv --wait
  engagement account new --email lead@example.org --name "Ann Example" --role engagement_lead --body 00K
  engagement round new --title "Autumn 2026" --closes 2026-12-01T17:00
  engagement round launch 1 --yes --wait
  engagement round links 1 --out links.csv
  engagement gap --json
  engagement practices --json

Settings come from the environment: ENGAGEMENT_DATA is the folder of the database and the keys,
ENGAGEMENT_DATABASE_URL points at PostgreSQL instead. README.md lists them all.
Times are London's. Exit codes: 0 done, 1 refused, 2 wrong usage, 3 not well (doctor)."""


class Context:
    """What a command works with: settings, database, keys, and the operator as actor."""

    def __init__(self, config: Config):
        self.config = config
        self.database: Database = db.get(config)
        self.keys = Keys(config.keys)
        self.actor = Actor.operator()

    def body(self, session: Session, code: str | None) -> Body:
        """The body that a command is about: the one named, or the only one there is."""
        bodies = session.exec(select(Body).order_by(Body.code)).all()
        if code:
            for body in bodies:
                if body.code == code:
                    return body
            raise NotFound(
                f"There is no body {code}. There are: {', '.join(b.code for b in bodies) or 'none'}."
            )
        if len(bodies) == 1:
            return bodies[0]
        if not bodies:
            raise NotFound(
                "There is no body yet. Import its practices first: engagement import practices FILE"
            )
        raise Invalid(f"Say which body with --body CODE: {', '.join(b.code for b in bodies)}")

    def work(self) -> int:
        """Let a worker do all that is due, here and now; returns the steps done."""
        gate = ChildGate()
        worker = Worker(self.database, self.keys, gate)
        try:
            done = worker.run_once()
        finally:
            gate.close()
        Heart(self.database, "worker", worker.name).beat()
        with self.database.reading() as session:
            left = pending(session)
        if left:
            print(
                f"{left} rounds still wait: another worker is at it, or one is in trouble (engagement round list)",
                file=sys.stderr,
            )
        return done


def say(args: argparse.Namespace, data: Any, words: str) -> None:
    """Print data as JSON where it was asked for, else in words."""
    print(json.dumps(data, ensure_ascii=False, indent=1) if args.json else words)


def confirm(args: argparse.Namespace, question: str) -> bool:
    """Ask before what cannot be undone; `--yes` answers, and without a terminal the answer is no."""
    if args.yes:
        return True
    if not sys.stdin.isatty():
        raise Invalid(f"{question} Add --yes to confirm.")
    return input(f"{question} Type yes to go on: ").strip().lower() == "yes"


def london_instant(text: str) -> datetime:
    """An argument such as 2026-12-01T17:00 or 2026-12-01 (at 17:00), in London."""
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time; write 2026-12-01T17:00") from None
    if wall.tzinfo is not None:
        raise argparse.ArgumentTypeError("leave out the time zone: times are London's")
    at = time(17) if "T" not in text and " " not in text else wall.time()
    return clock.from_london(wall.date(), at)


def a_date(text: str):
    """An argument such as 2026-12-01."""
    from engagement.roster.text import parse_date

    try:
        return parse_date(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} {error}") from None


def a_time(text: str) -> time:
    """An argument such as 09:00."""
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time of day; write 09:00") from None


# --- commands ---------------------------------------------------------------------------------------------------


def cmd_migrate(args, context: Context) -> int:
    at = db.revision(context.database)
    say(args, {"revision": at}, f"The database is at schema {at}, the newest.")
    return 0


def cmd_demo(args, context: Context) -> int:
    from engagement import demo

    def progress(share: float, words: str) -> None:
        if sys.stderr.isatty():
            bar = "#" * round(share * 30)
            print(f"\r[{bar:<30}] {words:<40}", end="\n" if share >= 1 else "", file=sys.stderr, flush=True)

    result = demo.ensure(context.database, context.config, links=args.links, progress=progress)
    base = context.config.public_url
    lines = [
        "The demo body is ready." if result.made else "The demo body is here already; its data was kept."
    ]
    lines += ["", f"Open {base}", "", "Sign in as (one button each on the sign-in page, or by password):"]
    lines += [f"  {name:<28} {email:<32} password: {demo.PASSWORD}" for name, email in result.accounts]
    if result.links:
        lines += ["", "Answer as a member:"]
        lines += [f"  {link}" for link in result.links]
    lines += ["", "A member's own page, for asks:", f"  {result.page}"]
    say(
        args,
        {"made": result.made, "accounts": result.accounts, "links": result.links, "page": result.page},
        "\n".join(lines),
    )
    return 0


def cmd_import(args, context: Context) -> int:
    path = Path(args.file)
    if not path.is_file():
        raise Invalid(f"There is no file {path}.")
    return {
        "practices": _import_roster,
        "members": _import_roster,
        "answers": _import_answers,
        "meetings": _import_meetings,
    }[args.what](args, context, path)


def _import_roster(args, context: Context, path: Path) -> int:
    from engagement import roster

    with context.database.session() as session:
        if args.what == "practices":
            preview = roster.preview_practices(
                session,
                context.actor,
                _maybe_body(session, args.body or args.commissioner),
                path,
                name=path.name,
                commissioner=args.commissioner,
                on=args.on,
                body_code=args.body,
            )
        else:
            body = context.body(session, args.body)
            preview = roster.preview_members(
                session, context.actor, body.id, path, name=path.name, on=args.on
            )
        if preview.refused:
            raise Invalid(f"{path.name} was not imported.", preview.refused)
        for note in preview.notes if not args.json else ():
            print(note)
        if preview.changes:
            print(preview.summary, file=sys.stderr if args.json else sys.stdout)
        if args.dry_run:
            say(args, {"counts": preview.counts}, "Nothing was changed: this was a dry run.")
            return 0
        if preview.changes and not confirm(args, "Import this?"):
            print("Nothing was changed.")
            return REFUSED
        summary = roster.apply(session, context.actor, preview)
    say(
        args, {"added": summary.added, "changed": summary.changed, "closed": summary.closed}, summary.sentence
    )
    return 0


def _maybe_body(session: Session, code: str | None) -> int | None:
    """The body to import into: the one of that code, else the only one, else None: the import makes it."""
    bodies = {body.code: body.id for body in session.exec(select(Body))}
    if code:
        return bodies.get(code)
    return next(iter(bodies.values())) if len(bodies) == 1 else None


def _import_answers(args, context: Context, path: Path) -> int:
    from engagement.exchange.answers import import_answers

    with context.database.reading() as session:
        body = context.body(session, args.body)
    summary = import_answers(
        context.database,
        context.keys,
        context.actor,
        body.id,
        path,
        name=path.name,
        tier=args.tier,
        practice_may_use=args.practice_may_use,
        first_date=args.first_date,
        every=args.every,
    )
    if args.wait:
        context.work()
    say(
        args,
        {"rounds": list(summary.rounds), "forms": summary.people, "answers": summary.answers},
        summary.sentence + ("" if args.wait else " The worker releases them next: engagement worker --once"),
    )
    return 0


def _import_meetings(args, context: Context, path: Path) -> int:
    from engagement.assessments import meetings

    with context.database.session() as session:
        body = context.body(session, args.body)
        preview = meetings.preview(session, context.actor, body.id, path, name=path.name)
        if preview.refused:
            raise Invalid(f"{path.name} was not imported.", preview.refused)
        for words in (*preview.notes, preview.summary):
            print(words, file=sys.stderr if args.json else sys.stdout)
        if args.dry_run:
            say(args, {"counts": preview.counts}, "Nothing was changed: this was a dry run.")
            return 0
        if preview.changes and not confirm(args, "Import this?"):
            print("Nothing was changed.")
            return REFUSED
        words = meetings.apply(session, context.actor, preview)
    say(args, {"counts": preview.counts}, words)
    return 0


def cmd_round(args, context: Context) -> int:
    return {
        "new": _round_new,
        "launch": _round_launch,
        "close": _round_close,
        "extend": _round_extend,
        "pause": _round_pause,
        "resume": _round_pause,
        "cancel": _round_cancel,
        "list": _round_list,
        "links": _round_links,
        "next": _round_next,
        "again": _round_again,
        "correct": _round_correct,
    }[args.what](args, context)


def _round_new(args, context: Context) -> int:
    from engagement.rounds import verbs

    with context.database.session() as session:
        body = context.body(session, args.body)
        round_ = verbs.new(
            session,
            context.actor,
            body.id,
            title=args.title,
            opens_at=args.opens or clock.now(),
            closes_at=args.closes,
            tier=args.tier,
            threshold=args.threshold,
            plan=args.plan.split(",") if args.plan else None,
        )
        checks = verbs.checklist(session, context.actor, round_.id)
    words = [f"Round {round_.number} is drafted. Before its launch:"]
    words += [f"  {check.level:<5} {check.title}: {check.text}" for check in checks]
    data = {"round": round_.number, "checks": [vars(check) for check in checks]}
    say(args, data, "\n".join(words))
    return 0


def _find_round(args, context: Context, session: Session):
    from engagement.rounds import verbs

    return verbs.by_number(session, context.actor, context.body(session, args.body).id, args.round)


def _round_launch(args, context: Context) -> int:
    from engagement.rounds import verbs

    if not confirm(
        args, f"Launch round {args.round}? What it promises its members cannot be changed afterwards."
    ):
        return REFUSED
    with context.database.session() as session:
        round_ = verbs.launch(session, context.actor, _find_round(args, context, session).id)
    if args.wait:
        context.work()
    say(
        args,
        {"round": round_.number, "promise": round_.promise_hash},
        f"Round {round_.number} is launched; the worker opens it. Its promise is {round_.promise_hash}.",
    )
    return 0


def _round_correct(args, context: Context) -> int:
    from engagement.releases import build

    if not confirm(
        args, f"Publish round {args.round} anew, beside what was published? This cannot be undone."
    ):
        return REFUSED
    with context.database.reading() as session:
        round_ = _find_round(args, context, session)
    made = build.correct(context.database, context.actor, round_.id, args.reason)
    say(args, {"round": args.round, "release": made}, f"Round {args.round} is published anew.")
    return 0


def _round_close(args, context: Context) -> int:
    from engagement.rounds import verbs

    if not confirm(args, f"Close round {args.round} now? This cannot be undone."):
        return REFUSED
    with context.database.session() as session:
        round_ = _find_round(args, context, session)
        verbs.close(session, context.actor, round_.id)
    if args.wait:
        context.work()
    say(args, {"round": round_.number}, f"Round {round_.number} takes no more answers.")
    return 0


def _round_extend(args, context: Context) -> int:
    from engagement.rounds import lifecycle

    until = clock.show_instant(args.closes)
    if not confirm(args, f"Let round {args.round} close on {until}? Everybody who was invited is told."):
        return REFUSED
    with context.database.session() as session:
        round_ = _find_round(args, context, session)
        made = lifecycle.extend(session, context.actor, round_.id, args.closes, reason=args.reason)
    say(args, _amendment(args, made), f"Round {args.round} now closes on {until}. Amendment {made.hash}.")
    return 0


def _round_pause(args, context: Context) -> int:
    from engagement.rounds import lifecycle

    verb = {"pause": lifecycle.pause, "resume": lifecycle.resume}[args.what]
    with context.database.session() as session:
        made = verb(session, context.actor, _find_round(args, context, session).id)
    words = "holds its mail back" if args.what == "pause" else "lets its mail leave again"
    say(
        args,
        _amendment(args, made),
        f"Round {args.round} {words}. Members can answer. Amendment {made.hash}.",
    )
    return 0


def _round_cancel(args, context: Context) -> int:
    from engagement.rounds import lifecycle

    if not confirm(args, f"Cancel round {args.round} for good and destroy its answers unopened?"):
        return REFUSED
    with context.database.session() as session:
        round_ = _find_round(args, context, session)
        made = lifecycle.cancel(session, context.actor, round_.id, reason=args.reason)
    if args.wait:
        context.work()
    say(args, _amendment(args, made), f"Round {args.round} is cancelled. Amendment {made.hash}.")
    return 0


def _amendment(args, made) -> dict[str, Any]:
    return {"round": args.round, "amendment": made.number, "kind": made.kind, "hash": made.hash}


def _round_list(args, context: Context) -> int:
    from engagement.rounds import verbs

    with context.database.reading() as session:
        found = verbs.rounds(session, context.actor, context.body(session, args.body).id)
    data = [
        {
            "round": r.number,
            "title": r.title,
            "state": r.state,
            "tier": r.tier,
            "threshold": r.threshold,
            "opens_at": r.opens_at and r.opens_at.isoformat(),
            "closes_at": r.closes_at and r.closes_at.isoformat(),
            "N": r.invited,
            "trouble": r.trouble,
        }
        for r in found
    ]
    lines = [
        f"{r.number:>4}  {r.state:<10} {r.title:<24} {r.tier:<14} "
        f"{'closes' if r.state in ('draft', 'launching', 'open') else 'closed'} "
        f"{clock.show_instant(r.closed_at or r.closes_at) if r.closed_at or r.closes_at else '-'}"
        + (f"  TROUBLE: {r.trouble}" if r.trouble else "")
        for r in found
    ]
    say(args, data, "\n".join(lines) or "There are no rounds yet.")
    return 0


def _round_links(args, context: Context) -> int:
    from engagement.exchange.spreadsheet import table
    from engagement.rounds import verbs

    target = Path(args.out)
    if target.exists():
        raise Invalid(
            f"{target} exists already: choose another name, so that no file of links is written over."
        )
    with context.database.session() as session:
        round_ = _find_round(args, context, session)
        doors = verbs.personal_links(
            session, context.actor, context.keys, context.config.public_url, round_.id
        )
        rows = [[door.ref, door.name, door.email, door.practice, door.url] for door in doors]
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as out:
            out.write(table(["member_id", "name", "email", "practice", "link"], rows))
    words = (
        f"{len(rows)} personal links are in {target}, which only you can read. Delete it when they are sent."
    )
    say(args, {"links": len(rows)}, words)
    return 0


def _round_next(args, context: Context) -> int:
    from engagement.rounds import programme

    with context.database.reading() as session:
        view = programme.read(session, context.actor, context.body(session, args.body).id)
    found = view.upcoming if view else ()
    lines = [programme.line(coming) for coming in found]
    say(
        args,
        [programme.as_json(coming) for coming in found],
        "\n".join(lines) or "There is no programme: engagement programme set --first DATE",
    )
    return 0


def _round_again(args, context: Context) -> int:
    from engagement.rounds import programme

    with context.database.session() as session:
        round_ = programme.same_again(session, context.actor, context.body(session, args.body).id)
    words = (
        f"Round {round_.number} is drafted like the last one. Launch it with: round launch {round_.number}"
    )
    say(args, {"round": round_.number}, words)
    return 0


def cmd_programme(args, context: Context) -> int:
    from engagement.rounds import programme

    with context.database.session() as session:
        body_id = context.body(session, args.body).id
        if args.what == "set":
            chosen = {name: getattr(args, name) for name in programme.SETTINGS}
            programme.change(session, context.actor, body_id, as_last=args.as_last, **chosen)
        elif args.what in ("pause", "resume"):
            getattr(programme, args.what)(session, context.actor, body_id)
        view = programme.read(session, context.actor, body_id)
    if view is None:
        raise NotFound("There is no programme: engagement programme set --first DATE")
    say(args, programme.view_json(view), "\n".join(programme.lines(view)))
    return 0


def cmd_worker(args, context: Context) -> int:
    if args.once:
        steps = context.work()
        post = Post(context.database, context.config)
        mails = post.run_once()
        Heart(context.database, "post", post.name).beat()
        say(args, {"steps": steps, "mails": mails}, f"{steps} steps done, {mails} messages settled.")
        return 0
    worker, stopped = Embedded(context.config), threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopped.set())
    print("The worker runs. Stop it with Ctrl-C.", file=sys.stderr)
    worker.start()
    stopped.wait()
    worker.stop()
    return 0


def cmd_messages(args, context: Context) -> int:
    return {
        "list": _messages_list,
        "retry": _messages_retry,
        "test": _messages_test,
        "bounce": _messages_bounce,
    }[args.what](args, context)


def _messages_list(args, context: Context) -> int:
    from engagement.messaging import bounces, desk
    from engagement.messaging.templates import KIND_NAMES

    with context.database.reading() as session:
        body = context.body(session, args.body)
        found = desk.look(session, context.actor, body.id, context.config)
        letters = bounces.dead_letters(session, context.actor, body.id)
        people = bounces.undeliverable(session, context.actor, body.id)
    data = {
        "way": found.way,
        "sender": found.sender,
        "trouble": found.trouble,
        "next_reminder_at": found.reminder_at and found.reminder_at.isoformat(),
        "sent": [vars(row) | {"queued_at": row.queued_at.isoformat()} for row in found.sent],
        "undelivered": [{"address": row.address, "reason": row.reason} for row in letters],
        "undeliverable": [{"member_id": row.ref, "address": row.address} for row in people],
    }
    lines = [desk.WAYS[found.way], *([f"HELD UP: {found.trouble}"] if found.trouble else [])]
    lines += [
        f"round {row.round:>3}  {KIND_NAMES[row.kind]} {row.number}: {row.people} people, queued "
        f"{clock.show_instant(row.queued_at)}{', still leaving' if row.left else ''}"
        for row in found.sent
    ]
    if found.reminder_at:
        lines.append(f"The next reminder leaves on {clock.show_instant(found.reminder_at)}, or later.")
    lines += [f"undelivered    {row.address}: {row.reason}" for row in letters]
    lines += [
        f"no such mailbox  {row.address} (member {row.ref}): correct it in the roster" for row in people
    ]
    say(args, data, "\n".join(lines))
    return 0


def _messages_retry(args, context: Context) -> int:
    from engagement.errors import Conflict
    from engagement.messaging import bounces

    done = late = 0
    with context.database.session() as session:
        body = context.body(session, args.body)
        for letter in bounces.dead_letters(session, context.actor, body.id):
            try:
                bounces.retry(session, context.actor, body.id, letter.id)
                done += 1
            except Conflict:
                late += 1
    say(
        args,
        {"retried": done, "too_late": late},
        f"{done} messages are tried again" + (f"; for {late} it is too late." if late else "."),
    )
    return 0


def _messages_test(args, context: Context) -> int:
    from engagement.messaging import desk

    if not args.target:
        raise Invalid("Say to which address: engagement messages test ADDRESS")
    with context.database.reading() as session:
        body = context.body(session, args.body)
        desk.send_example(session, context.actor, body.id, context.config, args.kind, args.target)
    say(args, {"to": args.target}, f"A test message has left for {args.target}.")
    return 0


def _messages_bounce(args, context: Context) -> int:
    from engagement.messaging import bounces

    if not args.target:
        raise Invalid("Give an address, or a file that holds a notice of non-delivery (- for standard input)")
    if args.target != "-" and "@" in args.target and not Path(args.target).exists():
        found = [bounces.Bounced(args.target, not args.soft)]
    elif args.target == "-":
        found = bounces.read_notice(sys.stdin.buffer.read())
    else:
        if not Path(args.target).is_file():
            raise Invalid(f"There is no file {args.target}.")
        found = bounces.read_notice(Path(args.target).read_bytes())
    with context.database.session() as session:
        known = [b for b in found if bounces.bounced(session, context.actor, b.address, hard=b.hard)]
    say(
        args,
        {"bounced": [vars(b) for b in known]},
        f"{len(known)} addresses noted, {sum(b.hard for b in known)} of them get no more mail.",
    )
    return 0


def cmd_asks(args, context: Context) -> int:
    return {"list": _asks_list, "links": _asks_links}[args.what](args, context)


def _asks_list(args, context: Context) -> int:
    from engagement.asks import ledger, requests

    with context.database.reading() as session:
        body = context.body(session, args.body)
        found = ledger.listed(session, context.actor, body.id)
        balance = requests.balance(session, context.actor, body.id)
    data = {
        "asks": [
            {
                "ask": ask.id,
                "practice": ask.practice,
                "topic": ask.topic,
                "need": ask.need,
                "state": ask.state,
                "answer_by": ask.answer_by.isoformat(),
                "overdue": ask.overdue(clock.today()),
                "endorsed": len(ask.backers),
                "rated": ask.rated,
            }
            for ask in found
        ],
        "balance": [vars(line) for line in (*balance, requests.in_all(balance))],
    }
    lines = [
        f"{ask.id:>5}  {'OVERDUE' if ask.overdue(clock.today()) else ask.state:<10} {ask.practice}: {ask.need}"
        for ask in found
    ]
    say(args, data, "\n".join(lines) or "Nothing was asked yet.")
    return 0


def _asks_links(args, context: Context) -> int:
    from engagement.exchange.spreadsheet import table
    from engagement.messaging import my_page
    from engagement.messaging.keys import MailKeys

    if not args.out:
        raise Invalid("Say where to: engagement asks links --out FILE")
    target = Path(args.out)
    if target.exists():
        raise Invalid(
            f"{target} exists already: choose another name, so that no file of links is written over."
        )
    with context.database.session() as session:
        body = context.body(session, args.body)
        found = my_page.hand_out(
            session, context.actor, MailKeys(context.config.keys), body.id, member_ref=args.renew
        )
        rows = [
            [member.ref, member.name, member.email, my_page.url(context.config.public_url, token)]
            for member, token in found
        ]
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as out:
            out.write(table(["member_id", "name", "email", "link"], rows))
    words = f"{len(rows)} links to members' own pages are in {target}, which only you can read. Delete it when they are sent."
    say(args, {"links": len(rows)}, words)
    return 0


def _history(args, context: Context) -> list[dict[str, Any]]:
    from engagement.releases import read

    with context.database.reading() as session:
        return read.history(session, context.actor, context.body(session, args.body).id)


def cmd_results(args, context: Context) -> int:
    history = _history(args, context)
    if args.round is not None:
        history = [content for content in history if content["round"]["number"] == args.round]
    if not history:
        raise NotFound("There is no release yet.")
    content = history[-1]
    say(args, content, _gap_table([content]))
    return 0


def cmd_gap(args, context: Context) -> int:
    history = _history(args, context)
    rows = []
    for content in history:
        for item in content["items"]:
            if args.item and item["item"] != args.item:
                continue
            rows.append(
                {
                    "round": content["round"]["number"],
                    "closed_on": content["round"]["closed_on"],
                    "item": item["item"],
                    "series": item["series"],
                    "leader": item["groups"]["leader"],
                    "grassroots": item["groups"]["grassroots"],
                    **({"staff": item["groups"]["staff"]} if "staff" in item["groups"] else {}),
                    "total": item["total"],
                    "gap": item["gap"],
                    "change": item["change"],
                    **{kind: item.get(kind) for kind in ("levels", "trend", "weighted", "tipping")},
                    "suppressed": [
                        {"what": s["what"], "why": s["why"]}
                        for s in content["suppressed"]
                        if s["item"] == item["item"]
                    ],
                }
            )
    say(args, rows, _gap_table(history, args.item) if history else "There is no release yet.")
    return 0


def _figure(figure: dict[str, Any], value: str) -> str:
    if figure["mark"] == "hidden":
        return "not published"
    if figure["mark"] == "missing":
        return "nobody invited"
    number = figure[value]
    if number is None:
        return "cannot say"
    sign = {"at_least": "≥ ", "at_most": "≤ "}.get(figure["cap"], "")
    low, high = figure["interval"]
    return f"{sign}{number} ({low} to {high})"


def _gap_table(history: list[dict[str, Any]], only: str | None = None) -> str:
    lines = []
    for content in history:
        round_ = content["round"]
        lines.append(f"Round {round_['number']}, {round_['title']}, closed on {round_['closed_on']}")
        lines.append(f"  {'item':<20}{'leaders %':<20}{'grassroots %':<20}{'gap, points':<20}")
        for item in content["items"]:
            if only and item["item"] != only:
                continue
            groups = item["groups"]
            lines.append(
                f"  {item['item']:<20}{_figure(groups['leader'], 'share'):<20}"
                f"{_figure(groups['grassroots'], 'share'):<20}{_figure(item['gap'], 'points'):<20}"
            )
    lines.append("In brackets: where the figure would lie had every member on the roster answered (95%).")
    return "\n".join(lines)


def cmd_practices(args, context: Context) -> int:
    from engagement.assessments import build, read

    with context.database.reading() as session:
        body = context.body(session, args.body)
    # Past answers can be assessed as soon as they are imported, before the worker has released them.
    build.ensure(context.database, body.id)
    with context.database.reading() as session:
        found = read.listed(session, context.actor, body.id, clock.today())
    data = [{name: row[name] for name in ("practice_id", "name", *read.LISTED)} for row in found]
    say(args, data, _practices_table(found))
    return 0


def cmd_effect(args, context: Context) -> int:
    from dataclasses import asdict

    from engagement.assessments import build
    from engagement.outreach import evaluation

    with context.database.reading() as session:
        body = context.body(session, args.body)
    # Past answers can be compared as soon as they are imported, before the worker has come to it.
    build.ensure(context.database, body.id)
    evaluation.ensure(context.database, body.id)
    with context.database.reading() as session:
        found = evaluation.evaluate(session, context.actor, body.id, visits=args.visits)
    say(args, asdict(found), "\n".join(evaluation.lines(found)))
    return 0


def _practices_table(found: list[dict[str, Any]]) -> str:
    """Practices with what is said of each, in the order of their codes."""
    lines = [f"{'practice':<10}{'segment':<22}{'silent next time':<18}{'engagement rank':<24}name"]
    for row in found:
        unsure = "" if row["clarity"] in (None, "clear") else f" ({row['clarity'].replace('_', ' ')})"
        silent = "-" if row["p_silent_next"] is None else f"{row['p_silent_next']:.0%}"
        rank = "-" if row["rank"] is None else "{} to {} of {}".format(*row["rank"], row["of"])
        lines.append(
            f"{row['practice_id']:<10}{(row['segment'] or '-') + unsure:<22}{silent:<18}{rank:<24}{row['name']}"
        )
    if all(row["segment"] is None for row in found):
        lines.append("Practices are assessed from the second closed round on.")
    else:
        lines.append(
            "Segments are published rules. A rank of 1 is the least engaged; the interval holds it with 90%. "
            "Not meant for contract action, expulsion or ranking of GPs."
        )
    return "\n".join(lines)


def cmd_export(args, context: Context) -> int:
    from engagement.exchange.release_csv import release_csv

    history = [c for c in _history(args, context) if args.round in (None, c["round"]["number"])]
    if not history:
        raise NotFound("There is no such release.")
    target = Path(args.out)
    if target.suffix == ".json":
        text = json.dumps(history, ensure_ascii=False, indent=1)
    elif target.suffix == ".csv":
        parts = [release_csv(content) for content in history]
        text = parts[0] + "".join(part.split("\r\n", 1)[1] for part in parts[1:])
    else:
        raise Invalid("Give --out a name that ends in .csv or .json")
    target.write_text(text, encoding="utf-8-sig" if target.suffix == ".csv" else "utf-8", newline="")
    with context.database.session() as session:
        body = context.body(session, args.body)
        audit.record(
            session, context.actor, "export", body.id, rounds=[c["round"]["number"] for c in history]
        )
    say(args, {"rounds": len(history)}, f"{len(history)} releases are in {target}.")
    return 0


def cmd_account(args, context: Context) -> int:
    if args.what != "new":
        return _account_help(args, context)
    if not (args.name and args.role):
        raise Invalid("A new account needs --name and --role")
    from engagement.roster import ensure_body

    with context.database.session() as session:
        if args.body:
            body = ensure_body(session, context.actor, args.body, args.body_name)
        else:
            body = context.body(session, None)
        account, password = accounts.create(
            session, context.actor, body.id, email=args.email, name=args.name, role=Role(args.role)
        )
    words = f"{account.email} can sign in at {context.config.public_url}"
    if password:
        words += f"\nPassword, shown only now and to be changed at the first sign-in: {password}"
    say(args, {"email": account.email, "password": password or None}, words)
    return 0


def _account_help(args, context: Context) -> int:
    """For an account that is there: an invitation, a new password, or no second factor any more."""
    from engagement.access import sign_in_links

    with context.database.session() as session:
        body = context.body(session, args.body)
        people = {person.email: person for person in accounts.people(session, context.actor, body.id)}
        person = people.get(args.email.strip().lower())
        if person is None:
            raise NotFound(f"{args.email} has no account in {body.name}.")
        asked = (session, context.actor, body.id, person.id)
        if args.what == "invite":
            if context.config.provider is None:
                raise Invalid("There is no provider to sign in with: set ENGAGEMENT_OIDC_ISSUER first")
            link = f"{context.config.public_url}/sign-in/invitation/{sign_in_links.invite(*asked)}"
            found, words = {"link": link}, f"It works once, for a week, for whoever opens it first:\n{link}"
        elif args.what == "password":
            password = accounts.reset_password(*asked)
            found, words = {"password": password}, f"Password, to be changed at the next sign-in: {password}"
        else:
            accounts.remove_second_factor(*asked)
            found, words = {}, "The second factor was removed, and all sessions of the account have ended."
    say(args, {"email": person.email} | found, words)
    return 0


def cmd_audit(args, context: Context) -> int:
    return {"verify": _audit_verify, "head": _audit_head, "export": _audit_export}[args.what](args, context)


def _audit_verify(args, context: Context) -> int:
    noted = audit.Head.parse(args.head) if args.head else None
    if args.file:
        with Path(args.file).open(encoding="utf-8") as lines:
            verdict = audit.check(audit.read_export(lines), noted)
    else:
        with context.database.reading() as session:
            verdict = audit.check_all(session, noted)
    data = {
        "whole": verdict.whole,
        "lines": verdict.lines,
        "head": verdict.head and str(verdict.head),
        "broken": verdict.broken,
        "lost": verdict.lost and str(verdict.lost),
    }
    say(args, data, verdict.sentence)
    return 0 if verdict.whole else UNWELL


def _audit_head(args, context: Context) -> int:
    with context.database.reading() as session:
        found = audit.head(session)
    words = str(audit.Head(*found)) if found else None
    say(args, {"head": words}, words or "The audit log is empty.")
    return 0


def _audit_export(args, context: Context) -> int:
    if not args.out:
        raise Invalid("Say where to write the log to with --out FILE.")
    target = Path(args.out)
    if target.exists():
        raise Invalid(f"{target} exists already: choose another name, so that no earlier export is lost.")
    with context.database.session() as session:
        lines = audit.export_all(session, context.actor)
        handle = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
            out.write(lines)
        audit.record(session, context.actor, "audit.export", None)
    count = lines.count("\n")
    say(args, {"lines": count}, f"{count} lines are in {target}, which only you can read.")
    return 0


def cmd_backup(args, context: Context) -> int:
    from engagement.protection import copies

    with context.database.reading() as session:
        waiting, opened = pending(session), copies.open_rounds(session)
    path = copies.back_up(context.database, Path(args.out) if args.out else context.config.backups)
    words = f"The database is copied to {path}. Keys are not in it."
    if opened:
        print(
            f"Round {', '.join(map(str, opened))} is open: without the key folder as it is now, its answers cannot be "
            "opened from this copy.",
            file=sys.stderr,
        )
    say(args, {"file": str(path), "rounds_waiting": waiting, "rounds_open": opened}, words)
    return 0


def cmd_restore(args, context: Context) -> int:
    from engagement.protection import copies

    if not confirm(args, f"Put {args.file} in the place of the database? The database is copied first."):
        return REFUSED
    found = copies.restore(context.database, context.actor, context.config, Path(args.file))
    lines = [f"{args.file} is restored, at schema {found.schema}. What was there before is {found.kept}."]
    if found.lost:
        lines.append(
            f"LOST: round {', '.join(map(str, found.lost))}. Its keys are not here, so nobody can open its answers: "
            "cancel it, and ask again in a new one."
        )
    if not found.audit_is_whole:
        lines.append("The audit log in it is broken: engagement audit verify")
    data = {"schema": found.schema, "lost": list(found.lost), "audit_is_whole": found.audit_is_whole}
    say(args, data, "\n".join(lines))
    return 0 if found.audit_is_whole and not found.lost else UNWELL


def cmd_retention(args, context: Context) -> int:
    from engagement.protection import retention

    delete = not args.dry_run and confirm(args, "Delete for good what has been kept long enough?")
    with context.database.session() as session:
        find = retention.carry_out if delete else retention.look
        report = find(session, context.actor, context.config)
    if delete:
        retention.delete_files(context.config)
    data = {"deleted": delete, "kinds": retention.as_json(report)}
    say(args, data, retention.words(report, done=delete))
    return 0


def cmd_subject(args, context: Context) -> int:
    from engagement.protection import subject_access

    question = f"Erase what can be told to be {args.member}'s? This cannot be undone."
    if args.erase and not confirm(args, question):
        return REFUSED
    verb = subject_access.erase if args.erase else subject_access.report
    with context.database.session() as session:
        body = context.body(session, args.body)
        found = verb(session, context.actor, context.keys, body.id, args.member)
    print(json.dumps(found, ensure_ascii=False, indent=1))
    return 0


def cmd_notice(args, context: Context) -> int:
    from engagement.protection import notices

    with context.database.reading() as session:
        if args.what == "accessibility":
            text = notices.accessibility(context.config)
        else:
            body = context.body(session, args.body)
            if args.what == "privacy":
                text = notices.privacy(session, context.config, body.code)
            else:
                text = notices.dpia(session, context.actor, context.config, body.id)
    say(args, {"markdown": text}, text)
    return 0


def cmd_doctor(args, context: Context) -> int:
    findings: list[tuple[bool, str]] = []

    def check(good: bool, words: str) -> None:
        findings.append((good, words))

    found = vitals.take(context.database, context.config)
    check(found.schema_is_newest, f"the schema is {found.schema}, of {found.newest_schema}")
    with context.database.reading() as session:
        broken = audit.verify(session)
        waiting = pending(session)
        from engagement.models import Programme, Round

        held_up = session.exec(select(Programme.trouble).where(Programme.trouble.is_not(None))).all()
        troubles = session.exec(select(Round.number, Round.trouble).where(Round.trouble.is_not(None))).all()
        opened = session.exec(select(Round).where(Round.state.in_(("open", "closing")))).all()
    check(
        broken is None,
        "the audit log is whole" if broken is None else f"the audit log breaks at line {broken}",
    )
    check(
        not waiting, f"{waiting} rounds wait for the worker" if waiting else "no round waits for the worker"
    )
    for number, trouble in troubles:
        check(False, f"round {number}: {trouble}")
    for trouble in held_up:
        check(False, f"a programme is held up: {trouble}")
    for round_ in opened:
        check(
            context.keys.holds_round(round_.public_id),
            f"the keys of round {round_.number} are in the key folder",
        )
    check(found.worker_is_well, _last_seen(found))
    if found.mails:
        late = found.oldest_mail
        check(
            found.mail_is_well,
            "no mail waits for long"
            if found.mail_is_well
            else f"mail has waited since {clock.show_instant(late)}",
        )
    check(found.disk_is_well, f"{found.bytes_free / 1e9:.1f} GB are free where the data is")
    check(found.backup_is_well, _last_backup(found))
    folder = context.config.keys
    if folder.exists():
        check(folder.stat().st_mode & 0o077 == 0, "only the owner can read the key folder")
    good = all(fine for fine, _ in findings)
    say(
        args,
        {"well": good, "findings": [{"well": fine, "text": words} for fine, words in findings]},
        "\n".join(f"{'ok ' if fine else 'NOT'}  {words}" for fine, words in findings),
    )
    return 0 if good else UNWELL


def _last_seen(found: vitals.Vitals) -> str:
    """When the worker and the post were last seen."""
    said = []
    for job, at in (("worker", found.worker), ("sender of mail", found.post if found.mails else None)):
        if at is not None:
            said.append(f"the {job} was last seen on {clock.show_instant(at)}")
        elif job == "worker" or found.mails:
            said.append(f"no {job} has been seen yet")
    return " and ".join(said) + (
        "" if found.worker_is_well else ": start the app, or engagement worker, for a round waits for it"
    )


def _last_backup(found: vitals.Vitals) -> str:
    """When the last backup was made, as far as is known here."""
    if not found.is_sqlite:
        return "backups of PostgreSQL are made outside (pg_dump -Fc): look there"
    if found.last_backup is None:
        return "there is no backup in the folder of backups: engagement backup makes one"
    return f"the last backup is of {clock.show_instant(found.last_backup)}"


def cmd_bench(args, context: Context) -> int:
    from engagement import bench

    if args.risk:
        from engagement.bench import risk

        found = risk.run(args.seeds, say=lambda line: print(line, file=sys.stderr, flush=True))
        say(args, found, risk.table(found))
        return 0
    if args.outreach:
        from engagement.bench import outreach

        found = outreach.run(args.seeds, say=lambda line: print(line, file=sys.stderr, flush=True))
        say(args, found, outreach.table(found))
        return 0
    results = bench.run(args.only or None, say=lambda line: print(line, file=sys.stderr, flush=True))
    say(args, results, bench.table(results))
    return 0


# --- arguments --------------------------------------------------------------------------------------------------


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    top = argparse.ArgumentParser(
        prog="engagement",
        description="Member-engagement surveys: whether members feel that the body is theirs.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=__version__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print JSON")
    common.add_argument("--body", metavar="CODE", help="the body, where there are several")
    common.add_argument("--yes", action="store_true", help="answer every confirmation with yes")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, run: Callable, help: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, parents=[common], help=help, description=help)
        made.set_defaults(run=run)
        return made

    command("migrate", cmd_migrate, "bring the database to the newest schema (every command does)")
    one = command("demo", cmd_demo, "make the demo body, or hand out fresh links for it")
    one.add_argument(
        "--links", type=int, nargs="?", const=10, default=2, metavar="N", help="how many links to print"
    )

    one = command("import", cmd_import, "import practices, members or past answers from a file")
    one.add_argument("what", choices=("practices", "members", "answers", "meetings"))
    one.add_argument("file")
    one.add_argument("--commissioner", metavar="CODE", help="whose practices to take from the ODS file")
    one.add_argument("--on", type=a_date, metavar="DATE", help="the day that the file is asked about (today)")
    one.add_argument("--dry-run", action="store_true", help="show what would happen and change nothing")
    one.add_argument("--tier", choices=TIERS[:2], default="confidential", help="tier of past answers")
    one.add_argument(
        "--practice-may-use",
        action="store_true",
        help="all who answered agreed to count towards their practice",
    )
    one.add_argument("--first-date", type=a_date, metavar="DATE", help="when the first past round closed")
    one.add_argument("--every", type=int, default=6, metavar="MONTHS", help="months between past rounds (6)")
    one.add_argument("--wait", action="store_true", help="release the past rounds before returning")

    one = command("round", cmd_round, "draft, launch, close and list rounds, and hand out their links")
    kinds = one.add_subparsers(dest="what", required=True, metavar="VERB")
    new = kinds.add_parser("new", parents=[common], help="draft a round")
    new.add_argument("--title", required=True)
    new.add_argument("--opens", type=london_instant, metavar="TIME", help="now, unless given")
    new.add_argument("--closes", type=london_instant, metavar="TIME", required=True)
    new.add_argument("--tier", choices=TIERS, default="confidential")
    new.add_argument("--threshold", type=int, help="answers a group needs to be shown (5 or more)")
    new.add_argument(
        "--plan", metavar="TABLES", help="tables to publish, most important first: standing,locality,size …"
    )
    for name, help in (
        ("launch", "freeze the promise and open the round"),
        ("close", "stop taking answers now"),
    ):
        made = kinds.add_parser(name, parents=[common], help=help)
        made.add_argument("round", type=int, metavar="NUMBER")
        made.add_argument("--wait", action="store_true", help="do the worker's part before returning")
    made = kinds.add_parser("extend", parents=[common], help="let an open round close later")
    made.add_argument("round", type=int, metavar="NUMBER")
    made.add_argument("--closes", type=london_instant, metavar="TIME", required=True)
    made.add_argument("--reason", default="", help="members read it on the form")
    for name, help in (("pause", "hold the mail of an open round back"), ("resume", "let it leave again")):
        made = kinds.add_parser(name, parents=[common], help=help)
        made.add_argument("round", type=int, metavar="NUMBER")
    made = kinds.add_parser("cancel", parents=[common], help="end a round and destroy its answers unopened")
    made.add_argument("round", type=int, metavar="NUMBER")
    made.add_argument("--reason", required=True, help="everybody who was invited reads it")
    made.add_argument("--wait", action="store_true", help="do the worker's part before returning")
    kinds.add_parser("list", parents=[common], help="all rounds, newest first")
    made = kinds.add_parser(
        "links", parents=[common], help="write personal links to a file that only you can read"
    )
    made.add_argument("round", type=int, metavar="NUMBER")
    made.add_argument("--out", required=True, metavar="FILE")

    made = kinds.add_parser(
        "correct", parents=[common], help="publish a round's figures anew, beside the old ones"
    )
    made.add_argument("round", type=int, metavar="NUMBER")
    made.add_argument("--reason", required=True, help="readers see it beside the figures")
    kinds.add_parser("next", parents=[common], help="the programme's next four rounds")
    kinds.add_parser("again", parents=[common], help="draft a round like the last one, now")

    one = command(
        "programme", cmd_programme, "rounds that run themselves: show or set the rule, pause, resume"
    )
    kinds = one.add_subparsers(dest="what", required=True, metavar="VERB")
    for name, help in (
        ("show", "the rule, what rounds ask, and the next four"),
        ("pause", "draft and launch nothing more by itself"),
        ("resume", "go on with the rounds to come"),
    ):
        kinds.add_parser(name, parents=[common], help=help)
    made = kinds.add_parser("set", parents=[common], help="set it up, or change what is given")
    made.add_argument("--first", type=a_date, metavar="DATE", help="the day on which the next round opens")
    made.add_argument("--every", type=int, metavar="MONTHS", help="months between rounds (6)")
    made.add_argument(
        "--by", choices=("day", "weekday"), help="what of the first date comes again (its day of the month)"
    )
    made.add_argument("--days", type=int, help="how long a round is open (28)")
    made.add_argument("--opens", type=a_time, metavar="TIME", help="09:00 unless given")
    made.add_argument("--closes", type=a_time, metavar="TIME", help="17:00 unless given")
    made.add_argument("--lead-days", type=int, metavar="DAYS", help="how far ahead a round is drafted (14)")
    made.add_argument("--approval", choices=APPROVALS, help="which rounds wait for somebody's word (first)")
    made.add_argument("--tier", choices=TIERS, help="as in the last round, unless given")
    made.add_argument("--threshold", type=int, help="as in the last round, unless given")
    made.add_argument("--as-last", action="store_true", help="tier and threshold as in the last round again")

    one = command("messages", cmd_messages, "how mail stands; try again, send a test, note a bounce")
    one.add_argument("what", choices=("list", "retry", "test", "bounce"))
    one.add_argument("target", nargs="?", help="the address to test or that bounced, or the file of a notice")
    one.add_argument("--kind", choices=MESSAGE_KINDS, default="invitation", help="which message to test")
    one.add_argument("--soft", action="store_true", help="the address is right, the mailbox full or busy")

    one = command("asks", cmd_asks, "what practices asked, and links to members' own pages")
    one.add_argument("what", choices=("list", "links"))
    one.add_argument("--out", metavar="FILE", help="where links go, a file that only you can read")
    one.add_argument("--renew", metavar="MEMBER", help="a new link for one member; the old one ends")

    one = command("worker", cmd_worker, "run the worker: opens, mixes and releases rounds")
    one.add_argument("--once", action="store_true", help="do what is due and stop")
    one = command("results", cmd_results, "the newest release, or one round's")
    one.add_argument("--round", type=int, metavar="NUMBER")
    one = command("gap", cmd_gap, "leaders against grassroots members, round by round and item by item")
    one.add_argument("--item", metavar="KEY")
    command("practices", cmd_practices, "all open practices: segment, forecast, and what both rest on")
    one = command("effect", cmd_effect, "whether visits between rounds worked, and what more could show")
    one.add_argument(
        "--visits", type=int, default=8, metavar="N", help="visits planned before the next round"
    )
    one = command("export", cmd_export, "write releases to a CSV or JSON file")
    one.add_argument("--round", type=int, metavar="NUMBER")
    one.add_argument("--out", required=True, metavar="FILE")
    one = command("account", cmd_account, "make an account, or help somebody who cannot sign in")
    one.add_argument("what", choices=("new", "invite", "password", "remove-second-factor"))
    one.add_argument("--email", required=True)
    one.add_argument("--name", help="with new")
    one.add_argument(
        "--body-name", metavar="NAME", help="with --body: what to call a body that is made by this"
    )
    one.add_argument("--role", choices=[role.value for role in Role], help="with new")
    one = command(
        "audit", cmd_audit, "check the audit log, print its newest line's hash, or write it to a file"
    )
    one.add_argument("what", choices=("verify", "head", "export"))
    one.add_argument(
        "--head", metavar="LINE:HASH", help="verify: that the log still holds a line noted earlier"
    )
    one.add_argument("--file", metavar="FILE", help="verify: an exported log instead of the database")
    one.add_argument("--out", metavar="FILE", help="export: where to")
    one = command("backup", cmd_backup, "copy the database, without keys")
    one.add_argument("--out", metavar="FOLDER")
    one = command("restore", cmd_restore, "put a copy back, with the app and the worker stopped")
    one.add_argument("file")
    one = command("retention", cmd_retention, "delete what has been kept as long as it may be")
    one.add_argument("--dry-run", action="store_true", help="count it and change nothing")
    one = command("subject", cmd_subject, "what is held about a person, as JSON; or erase it")
    one.add_argument("member", help="their number on the roster, or their address")
    one.add_argument("--erase", action="store_true", help="erase what can be told to be theirs")
    one = command("notice", cmd_notice, "print a notice in Markdown, written from the settings")
    one.add_argument("what", choices=("privacy", "dpia", "accessibility"))
    command("doctor", cmd_doctor, "check that all is well")
    one = command("bench", cmd_bench, "measure speed against baselines in the same run")
    one.add_argument("--only", action="append", metavar="NAME")
    one.add_argument(
        "--risk", action="store_true", help="how good the assessment of practices is, instead of speed"
    )
    one.add_argument(
        "--outreach",
        action="store_true",
        help="whether the evaluation of outreach tells the truth, instead of speed",
    )
    one.add_argument(
        "--seeds",
        type=int,
        default=60,
        metavar="N",
        help="invented bodies a world, with --risk or --outreach",
    )
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    args = parser().parse_args(argv)
    try:
        config = Config.load()
        if args.command in ("worker", "demo"):
            from engagement.protection import safety

            safety.refuse(config, app=False)
            if args.command == "demo" and config.production != "off":
                raise Invalid(
                    "There is no demo in production (ENGAGEMENT_PRODUCTION): its passwords are known."
                )
        context = Context(config)
        db.migrate(context.database, context.config.backups)
        return args.run(args, context)
    except Invalid as error:
        print(error, file=sys.stderr)
        for problem in error.problems:
            if problem not in str(error):
                print(f"  {problem}", file=sys.stderr)
        return REFUSED
    except EngagementError as error:
        print(error, file=sys.stderr)
        return REFUSED
    except BrokenPipeError:
        return REFUSED


if __name__ == "__main__":
    sys.exit(main())
