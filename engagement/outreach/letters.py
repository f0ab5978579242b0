"""Messages to the practices of a segment, in words and with company that do not say which segment it was.

A letter never goes to a segment alone: a share of other practices, drawn by lot, get the same words, so that getting it
is no mark. Nobody gets one who wants fewer messages, and no practice that has had enough mail. For the engagement lead.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.assessments import read
from engagement.config import Config
from engagement.errors import Conflict, Invalid, NotFound
from engagement.messaging import checks, compose, giveaways, my_page, outbox, settings, templates
from engagement.messaging import letters as sending
from engagement.messaging.templates import Words
from engagement.models import (
    Body,
    Bounce,
    Letter,
    LetterAim,
    LetterPractice,
    LetterSettings,
    LetterText,
    Member,
    Message,
    OptOut,
    Round,
)
from engagement.outreach.letter_library import LibraryLetter, library
from engagement.risk.segments import CLEAR, SEGMENTS
from engagement.roster import standing
from engagement.roster.bodies import own_body
from engagement.words import words_of

LEAST_SHARE, SHARE, MOST_SHARE = 10, 20, 50
# However few practices a segment has, so many others get the letter too.
FEWEST_OTHERS = 3
MOST_OF_CAP = 12
WAITING, LEAVING, DONE, STOPPED = "waiting", "leaving", "done", "stopped"
TOO_EARLY = "There are no segments before two rounds, so there is nobody to write to by segment yet."


@dataclass(frozen=True)
class Text:
    """A letter of the library as a body uses it. `own`: in the body's own words."""

    key: str
    segment: str
    name: str
    subject: str
    text: str
    own: bool


@dataclass(frozen=True)
class Recipients:
    """Whom a letter would go to, by count.

    Practices: `of`, those clearly in the segment; of them `excluded`, which asked not to be approached, `full`, which had
    enough mail, `unaddressed`, where nobody has an address, and `aimed`, those that are left; `drawn`: others, by lot.
    People at `aimed` and `drawn`: `people` with an address, and `without`; of those with one, `opted_out` and
    `undeliverable`. Counts of people are to the nearest 5, and None below 5, none at all included.
    """

    of: int
    excluded: int
    full: int
    unaddressed: int
    aimed: int
    drawn: int
    people: int
    without: int | None
    opted_out: int | None
    undeliverable: int | None

    @property
    def practices(self) -> int:
        """How many practices would get it."""
        return self.aimed + self.drawn


@dataclass(frozen=True)
class Preview:
    """A letter before it is queued: whom it would go to, and how it would look.

    `faults`: what is wrong with its words, `held`: what else keeps it back, a line each; with neither it can be sent.
    """

    recipients: Recipients
    words: Words | None
    faults: tuple[str, ...]
    held: tuple[str, ...]


@dataclass(frozen=True)
class Sent:
    """A letter that was queued, its subject as readers see it. `state`: waiting (it can be stopped whole), leaving, done or stopped; `reached`: how many
    practices some of it left to, to the nearest 5, None below 5 but for 0."""

    id: int
    segment: str
    subject: str
    text: str
    practices: int
    people: int
    share: int
    seed: str
    queued_at: datetime
    leaves_at: datetime
    queued_by: str
    stopped_at: datetime | None
    state: str
    reached: int | None


# Words.


def texts(session: Session, actor: Actor, body_id: int) -> tuple[Text, ...]:
    """The letters of the library, in the body's own words where it has some."""
    actor.require(body_id, Role.LEAD)
    own = {row.key: row for row in session.exec(select(LetterText).where(LetterText.body_id == body_id))}
    return tuple(
        Text(
            letter.key,
            letter.segment,
            letter.name,
            (own.get(letter.key) or letter).subject,
            (own.get(letter.key) or letter).text,
            letter.key in own,
        )
        for letter in library()
    )


def save_text(session: Session, actor: Actor, body_id: int, key: str, *, subject: str, text: str) -> None:
    """Give a letter of the library the body's own words, which may still hold blanks.

    Raises `Invalid` with all that is wrong with them, and `NotFound` for a letter that is not in the library.
    """
    body = own_body(session, actor, body_id)
    _in_library(key)
    subject, text = _tidy(subject, text)
    checks.raise_if(giveaways.faults(subject, text, words_of(body.words)))
    row = session.get(LetterText, (body_id, key))
    if row is None:
        row = LetterText(body_id=body_id, key=key, subject=subject, text=text)
    row.subject, row.text = subject, text
    session.add(row)
    session.flush()
    audit.record(session, actor, "letter.text", body_id, own=True)


def reset_text(session: Session, actor: Actor, body_id: int, key: str) -> None:
    """Go back to our words."""
    own_body(session, actor, body_id)
    row = session.get(LetterText, (body_id, key))
    if row is not None:
        session.delete(row)
        session.flush()
        audit.record(session, actor, "letter.text", body_id, own=False)


def _in_library(key: str) -> LibraryLetter:
    found = next((letter for letter in library() if letter.key == key), None)
    if found is None:
        raise NotFound("There is no such letter.")
    return found


def _tidy(subject: str, text: str) -> tuple[str, str]:
    return subject.strip(), text.replace("\r\n", "\n").strip()


# The cap.


def most(session: Session, actor: Actor, body_id: int) -> int:
    """How many mails in 28 days are enough for a practice, of surveys and letters together."""
    actor.require(body_id, Role.LEAD)
    return sending.most(session, body_id)


def save_most(session: Session, actor: Actor, body_id: int, number: int) -> None:
    """Change the cap. Letters that wait are held against it as they leave. Raises `Invalid`."""
    own_body(session, actor, body_id)
    if not 1 <= number <= MOST_OF_CAP:
        raise Invalid(f"Choose between 1 and {MOST_OF_CAP} mails in {sending.WINDOW.days} days.")
    row = session.get(LetterSettings, body_id) or LetterSettings(body_id=body_id)
    row.most = number
    session.add(row)
    session.flush()
    audit.record(session, actor, "letter.cap", body_id, most=number)


# Whom it goes to.


def new_seed() -> str:
    """A seed for drawing others, to be kept between looking and sending."""
    return secrets.token_hex(8)


@dataclass(frozen=True)
class _Found:
    """Whom a letter goes to, by ids. `problem`: why it cannot be sent."""

    count: Recipients
    practices: tuple[int, ...]
    people: tuple[int, ...]
    round_number: int
    problem: str | None


def sizes(session: Session, actor: Actor, body_id: int) -> dict[str, int]:
    """How many practices are clearly in each segment, all of them in order; none in any before there are segments."""
    actor.require(body_id, Role.LEAD)
    content = read.latest(session, actor, body_id)
    found = Counter(_clear(content).values() if content is not None and content["usable"] else ())
    return {segment: found[segment] for segment in SEGMENTS}


def _clear(content: dict) -> dict[str, str]:
    """The segment of each practice that is clearly in one, by its code."""
    rows = (row for row in content["practices"] if row["clarity"] == CLEAR)
    return {row["practice_id"]: row["leading_segment"] for row in rows}


def _find(session: Session, actor: Actor, body_id: int, segment: str, share: int, seed: str) -> _Found:
    """Practices clearly in the segment and others by lot, without those that are not to be written to.

    What somebody chose or whether their mail comes back decides nothing here, so that no count of practices tells it.
    """
    content = read.latest(session, actor, body_id)
    if content is None or not content["usable"]:
        raise Conflict(TOO_EARLY)
    if segment not in SEGMENTS:
        raise Invalid("Choose a segment.")
    if not LEAST_SHARE <= share <= MOST_SHARE:
        raise Invalid(f"Draw between {LEAST_SHARE}% and {MOST_SHARE}% of those who get it from others.")
    codes = {code for code, of in _clear(content).items() if of == segment}
    roster = standing.read(session, body_id)
    addressed, without = _people(session, body_id, roster)
    excluded, load = sending.excluded(session, body_id), sending.load(session, body_id)
    cap = sending.most(session, body_id)

    def why_not(practice_id: int) -> str | None:
        if practice_id in excluded:
            return "excluded"
        if load[practice_id] >= cap:
            return "full"
        return None if addressed.get(practice_id) else "unaddressed"

    opened = roster.practices_at(clock.today())
    aimed = [row for row in opened if row.code in codes]
    left_out = Counter(why_not(row.id) for row in aimed)
    kept = [row for row in aimed if why_not(row.id) is None]
    others = [row for row in opened if row.code not in codes and why_not(row.id) is None]
    others.sort(key=lambda row: hashlib.sha256(f"{seed}:{row.code}".encode()).hexdigest())
    needed = others_for(len(kept), share)
    drawn = others[:needed]
    practices = [row.id for row in (*kept, *drawn)]
    people = [member_id for practice_id in practices for member_id in addressed[practice_id]]
    opted_out, undeliverable = _unwilling(session, body_id, people)
    return _Found(
        count=Recipients(
            of=len(aimed),
            excluded=left_out["excluded"],
            full=left_out["full"],
            unaddressed=left_out["unaddressed"],
            aimed=len(kept),
            drawn=len(drawn),
            people=outbox.nearest_5(len(people)),
            without=about(sum(without[practice_id] for practice_id in practices)),
            opted_out=about(opted_out),
            undeliverable=about(undeliverable),
        ),
        practices=tuple(practices),
        people=tuple(people),
        round_number=content["round"]["number"],
        problem=_problem(len(kept), len(drawn), needed),
    )


def others_for(aimed: int, share: int) -> int:
    """How many others are drawn beside practices aimed at, so that they are `share` percent of all who get the letter."""
    return max(FEWEST_OTHERS, -(-aimed * share // (100 - share)))


def about(people: int) -> int | None:
    """A count of people to the nearest 5, None for fewer than 5: 0 is not told from 4."""
    return outbox.nearest_5(people) if people >= 5 else None


def _problem(aimed: int, drawn: int, needed: int) -> str | None:
    if not aimed:
        return "Nobody of this segment can be written to"
    if drawn < needed:
        return (
            f"Only {drawn} others can be written to, and {needed} are needed beside these {aimed}, so that getting the "
            "letter is no mark. Draw a smaller share, or wait until more can be written to"
        )
    return None


def _people(
    session: Session, body_id: int, roster: standing.Roster
) -> tuple[dict[int, list[int]], Counter[int]]:
    """By practice: who has an address, and how many have none."""
    has = (Member.email.is_not(None), Member.email != "")
    with_address = set(session.exec(select(Member.id).where(Member.body_id == body_id, *has)))
    day = clock.today()
    addressed: dict[int, list[int]] = {}
    without: Counter[int] = Counter()
    for person in roster.at(day, standing.wave_at(session, body_id, day)):
        if person.practice_id is None:
            continue
        if person.member_id in with_address:
            addressed.setdefault(person.practice_id, []).append(person.member_id)
        else:
            without[person.practice_id] += 1
    return addressed, without


def _unwilling(session: Session, body_id: int, people: list[int]) -> tuple[int, int]:
    """Of people with an address, how many want fewer messages, and of the others, whose mail comes back."""
    wanted = set(people)
    out = set(session.exec(select(OptOut.member_id).where(OptOut.body_id == body_id))) & wanted
    back = set(
        session.exec(
            select(Member.id)
            .join(Bounce, Bounce.address == func.lower(Member.email))
            .where(Member.body_id == body_id, Bounce.hard == True)  # noqa: E712
        )
    )
    return len(out), len(back & wanted - out)


# Looking, sending, stopping.


def preview(
    session: Session,
    actor: Actor,
    body_id: int,
    config: Config,
    segment: str,
    *,
    subject: str,
    text: str,
    share: int,
    seed: str,
) -> Preview:
    """A letter as it would leave now: whom it would go to by count, as somebody would get it, and what keeps it back.

    Raises `Conflict` before there are segments, and `Invalid` for a segment or share that is none.
    """
    actor.require(body_id, Role.LEAD)
    body = session.get(Body, body_id)
    found = _find(session, actor, body_id, segment, share, seed)
    subject, text = _tidy(subject, text)
    return Preview(
        found.count,
        _example(body, config, subject, text),
        faults=tuple(_faults(body, subject, text)),
        held=tuple(_held(session, body, config, found)),
    )


def _faults(body: Body, subject: str, text: str) -> list[str]:
    return giveaways.faults(subject, text, words_of(body.words)) + giveaways.blanks(subject, text)


def _example(body: Body, config: Config, subject: str, text: str) -> Words | None:
    """The letter as somebody would get it, with links that lead nowhere; None where its placeholders cannot be filled."""
    nowhere = "this-is-a-preview"
    try:
        return compose.letter(
            body,
            subject,
            text,
            person="Dr Ann Example",
            page=my_page.url(config.public_url, nowhere),
            stop=compose.stop_url(config.public_url, nowhere),
        )
    except (KeyError, Invalid):
        return None


def _held(session: Session, body: Body, config: Config, found: _Found) -> list[str]:
    """What beside its words keeps a letter back: this installation, or whom it would go to."""
    why = [found.problem] if found.problem else []
    if config.mail.way == "off":
        why.append("Mail is switched off on this server: the operator sets ENGAGEMENT_MAIL")
    elif body.is_demo and config.mail.way != "files":
        why.append("A demo body sends no mail: its people are invented")
    elif settings.sender(session, body, config) is None:
        why.append("Name a sender on the Messages page: without one no mail leaves")
    return why


def queue(
    session: Session,
    actor: Actor,
    body_id: int,
    config: Config,
    segment: str,
    *,
    subject: str,
    text: str,
    share: int,
    seed: str,
    practices: int,
) -> int:
    """Put a letter into the outbox, to leave in 5 minutes; returns its id. `practices`: how many were shown.

    Raises `Invalid` with all that keeps it back, and `Conflict` where the number of practices is another by now.
    """
    body = own_body(session, actor, body_id)
    found = _find(session, actor, body_id, segment, share, seed)
    subject, text = _tidy(subject, text)
    checks.raise_if(_faults(body, subject, text) + _held(session, body, config, found))
    if found.count.practices != practices:
        raise Conflict(
            f"It would go to {found.count.practices} by now, and not to {practices}. Look at the numbers and send again."
        )
    letter = sending.queue(
        session,
        body_id,
        actor.name,
        subject=subject,
        text=text,
        practices=found.practices,
        people=found.people,
    )
    round_ = session.exec(
        select(Round.id).where(Round.body_id == body_id, Round.number == found.round_number)
    ).one()
    session.add(
        LetterAim(
            letter_id=letter.id, body_id=body_id, round_id=round_, segment=segment, share=share, seed=seed
        )
    )
    session.flush()
    # Others read the log too: what it was aimed at stays out of it.
    audit.record(
        session,
        actor,
        "letter.queue",
        body_id,
        letter=letter.id,
        practices=letter.practices,
        people=letter.people,
        share=share,
        seed=seed,
    )
    return letter.id


def stop(session: Session, actor: Actor, body_id: int, letter: int) -> None:
    """Let nothing more of a letter leave. Raises `NotFound`, and `Conflict` when all has left or it was stopped before."""
    own_body(session, actor, body_id)
    row = session.get(Letter, letter)
    if row is None or row.body_id != body_id:
        raise NotFound("There is no such message.")
    if _state(row, _leaving(session, body_id)) in (DONE, STOPPED):
        raise Conflict("There is nothing left to stop: all of it has left, or it was stopped before.")
    sending.stop(session, row)
    audit.record(session, actor, "letter.stop", body_id, letter=row.id)


def sent(session: Session, actor: Actor, body_id: int) -> tuple[Sent, ...]:
    """The letters of a body, the newest first."""
    actor.require(body_id, Role.LEAD)
    rows = session.exec(
        select(Letter, LetterAim)
        .join(LetterAim, LetterAim.letter_id == Letter.id)
        .where(Letter.body_id == body_id)
        .order_by(Letter.id.desc())
    ).all()
    # A subject holds no link, and what else differs by reader is their name.
    said = compose.letter_values(session.get(Body, body_id)) | {"person": "{person}"}
    leaving = _leaving(session, body_id)
    reached = dict(
        session.exec(
            select(LetterPractice.letter_id, func.count())
            .where(LetterPractice.body_id == body_id, LetterPractice.left_at.is_not(None))
            .group_by(LetterPractice.letter_id)
        ).all()
    )
    return tuple(
        Sent(
            **{
                name: getattr(row, name)
                for name in (
                    "id", "text", "practices", "people", "queued_at", "leaves_at", "queued_by", "stopped_at",
                )
            },
            subject=templates.fill(row.subject, said),
            segment=aim.segment,
            share=aim.share,
            seed=aim.seed,
            state=_state(row, leaving),
            reached=about(reached[row.id]) if row.id in reached else 0,
        )
        for row, aim in rows
    )  # fmt: skip


def _leaving(session: Session, body_id: int) -> set[int]:
    """The letters of which something still waits, by id."""
    return set(
        session.exec(
            select(Message.letter_id)
            .where(Message.body_id == body_id, Message.letter_id.is_not(None), Message.state != "done")
            .distinct()
        )
    )


def _state(row: Letter, leaving: set[int]) -> str:
    if row.stopped_at is not None:
        return STOPPED
    if row.id not in leaving:
        return DONE
    return WAITING if clock.now() < row.leaves_at else LEAVING
