"""What a person can have seen or erased, and the honest answer about what cannot be told to be theirs.

A person's name, roles and mail are theirs to see. Whether and what they answered is kept apart from them on purpose:
a confidential answer is given out only under a request to link a panel code that two people approved, while the key
lives (`engagement.intake.linking`); afterwards, and for anonymous rounds always, UK GDPR Article 11 applies.
"""

from __future__ import annotations

from datetime import date, datetime
from secrets import token_hex
from typing import Any

from sqlalchemy import delete, or_, update
from sqlmodel import Session, func, select

from engagement import clock
from engagement.access import Actor, audit, notices
from engagement.errors import Conflict, NotFound
from engagement.intake import links
from engagement.intake.keys import Keys
from engagement.intake.linking import LASTS
from engagement.models import (
    Account,
    AccountRole,
    Ask,
    Body,
    Bounce,
    CodeLink,
    DeadLetter,
    LinkRequest,
    Member,
    MemberPage,
    Message,
    OptOut,
    OptOutLink,
    PageRequest,
    PanelSkip,
    Practice,
    Response,
    Round,
    RoundRoster,
    Spell,
)

OPEN = (
    "The round is open. Answers are sealed and nobody can read them. The person's own link shows whether it was used "
    "and, in a confidential round, lets them withdraw; nobody else is shown that."
)
ANONYMOUS = (
    "The round was anonymous: nothing connects an answer with a person, and nobody, including us, can tell which was "
    "theirs, if they answered (UK GDPR, Article 11)."
)
KEY_LIVES = (
    "Answers of this round can still be connected with a person, by a panel code. Let the engagement lead ask for it on "
    "the page Panel codes and a second person approve it; then make this report again within "
    f"{LASTS.days} days."
)
KEY_GONE = (
    "The key that connected answers of this round with people was destroyed, or was never made: nobody, including us, "
    "can prove which was theirs, if they answered (UK GDPR, Article 11)."
)
ALONE = (
    " They were the only person invited from their practice, so an answer stored with that practice would be theirs. "
    "It is shown to nobody; erasing deletes it, if there is one."
)
LINKED = (
    "Two people approved the link to a panel code. These are the answers stored under it, if there are any."
)
CANCELLED = "The round was cancelled and its answers destroyed unopened."
OFFICIAL = "The practice's official answer, given by its representative."
ELSEWHERE = (
    "Published results hold nobody's answer: groups only, rounded, with small ones left out.",
    "Comments are cut from everything else that their author said or is, and cannot be found by person.",
    "The audit log is kept for six years and cannot be changed. It names staff, and a member's number where somebody "
    "asked for that member's panel code or data.",
    "Copies of the database may still hold what was erased, until they are deleted after 90 days.",
)


def find(session: Session, actor: Actor, body_id: int, who: str) -> Member:
    """The member of that number or address. At the command line only. Raises `NotFound`, `Conflict` where several match."""
    if not actor.everything:
        raise NotFound("There is no such page or record for your account.")
    who = who.strip()
    found = session.exec(
        select(Member).where(
            Member.body_id == body_id, or_(Member.ref == who, func.lower(Member.email) == who.lower())
        )
    ).all()
    if not found:
        raise NotFound(f"Nobody on the roster has the number or address {who}.")
    if len(found) > 1:
        raise Conflict(
            f"{len(found)} people match: give the number, one of {', '.join(m.ref for m in found)}."
        )
    return found[0]


def report(session: Session, actor: Actor, keys: Keys, body_id: int, who: str) -> dict[str, Any]:
    """All that is held about a person and can be told to be theirs, as JSON, with what cannot. At the command line only.

    Written to the audit log; where it holds answers, auditors are told.
    """
    member = find(session, actor, body_id, who)
    body = session.get(Body, body_id)
    rounds = [_round(session, keys, round_, row) for round_, row in _invited(session, member)]
    opened = [each["round"] for each in rounds if "answers" in each]
    made = {
        "made_at": clock.now().isoformat(),
        "body": {"code": body.code, "name": body.name},
        "person": {
            "number": member.ref,
            "name": member.name,
            "address": member.email,
            "details": dict(member.attributes or {}),
        },
        "roles": _roles(session, member),
        "mail": _mail(session, member),
        "own_page": session.exec(
            select(MemberPage.generation).where(MemberPage.member_id == member.id)
        ).first()
        is not None,
        "asks_that_name_them": [
            {"on": _day(ask.raised_at), "need": ask.need, "effect": ask.effect, "change": ask.change}
            for ask in session.exec(select(Ask).where(Ask.member_id == member.id).order_by(Ask.id))
        ],
        "requests_to_link_their_code": [
            {"on": _day(asked), "reason": reason}
            for asked, reason in session.exec(
                select(CodeLink.asked_at, CodeLink.reason).where(CodeLink.member_id == member.id)
            )
        ],
        "account": _account(session, body_id, member.email),
        "rounds": rounds,
        "not_in_here": list(ELSEWHERE),
    }
    audit.record(session, actor, "subject.report", body_id, member=member.ref, answers_of=opened)
    if opened:
        notices.tell(
            session,
            body_id,
            "linking",
            f"report {token_hex(8)}",
            f"{body.name}: answers given out to a person",
            f"A report of the data of member {member.ref} was made at the command line. It holds their answers in round "
            f"{', '.join(map(str, opened))}, under a request that two people approved.",
        )
    return made


def erase(session: Session, actor: Actor, keys: Keys, body_id: int, who: str) -> dict[str, Any]:
    """Erase what can be told to be a person's; returns how many of what, and what stays. At the command line only.

    Roles of the past stay without a name, for published numbers of invited people rest on them.
    """
    member = find(session, actor, body_id, who)
    address, ref = (member.email or "").lower(), member.ref
    gone = {"answers": _erase_answers(session, keys, member)}
    for table in (MemberPage, OptOut, OptOutLink, DeadLetter, Message):
        rows = table.__table__
        gone[rows.name] = session.execute(delete(rows).where(rows.c.member_id == member.id)).rowcount
    if address:
        for table in (Bounce, LinkRequest, PageRequest):
            rows = table.__table__
            gone[rows.name] = session.execute(
                delete(rows).where(func.lower(rows.c.address) == address)
            ).rowcount
    today = clock.today()
    spells = Spell.__table__
    session.execute(
        update(spells)
        .where(
            spells.c.member_id == member.id,
            or_(spells.c.ends.is_(None), spells.c.ends > today),
            or_(spells.c.starts.is_(None), spells.c.starts <= today),
        )
        .values(ends=today)
    )
    session.execute(delete(spells).where(spells.c.member_id == member.id, spells.c.starts > today))
    members = Member.__table__
    session.execute(
        update(members)
        .where(members.c.id == member.id)
        .values(ref=f"erased-{token_hex(6)}", name=None, email=None, attributes={})
    )
    session.expire(member)
    audit.record(session, actor, "subject.erase", body_id, member=ref)
    # Whether the one answer that could be theirs was there would say whether they answered.
    gone.pop("answers")
    return {
        "erased": {"person": 1} | {name: count for name, count in gone.items() if count},
        "stays": [
            "Their roles of the past, without name, number or address: published numbers of invited people rest on them.",
            "An ask that named them stays their practice's ask, and names nobody any more.",
            *([_ACCOUNT] if _account(session, body_id, address) else []),
            *ELSEWHERE,
        ],
        "next": "Take the person out of the file that the roster is imported from: the next import would bring them back.",
    }


_ACCOUNT = (
    "Their account to sign in: let the engagement lead take its roles away and disable it on the page People."
)


def _invited(session: Session, member: Member) -> list[tuple[Round, RoundRoster]]:
    return session.exec(
        select(Round, RoundRoster)
        .join(RoundRoster, RoundRoster.round_id == Round.id)
        .where(RoundRoster.member_id == member.id)
        .order_by(Round.number)
    ).all()


def _round(session: Session, keys: Keys, round_: Round, row: RoundRoster) -> dict[str, Any]:
    """What can be said of a person and a round that they were invited to."""
    said: dict[str, Any] = {
        "round": round_.number,
        "title": round_.title,
        "tier": round_.tier,
        "role_then": row.role,
        "group_then": row.standing,
        "practice_then": session.exec(select(Practice.code).where(Practice.id == row.practice_id)).first(),
    }
    if round_.state == "cancelled":
        return said | {"answer": CANCELLED}
    if round_.state not in ("mixed", "released"):
        return said | {"answer": OPEN}
    if round_.tier == "anonymous":
        return said | {"answer": ANONYMOUS}
    if round_.tier == "practice-view":
        if not row.representative:
            return said | {"answer": "Only the practice's representative was asked."}
        return said | {"answer": OFFICIAL, "answers": _stored(session, _of_practice(row))}
    code = _opened_code(session, keys, round_, row.member_id)
    if code is not None:
        under = or_(Response.panel_now == code, Response.panel_before == code)
        return said | {"answer": LINKED, "answers": _stored(session, under)}
    words = KEY_LIVES if keys.holds_panel(round_.body_id, round_.number) else KEY_GONE
    return said | {"answer": words + (ALONE if _alone(session, row) else "")}


def _of_practice(row: RoundRoster):
    return (Response.round_id == row.round_id) & (Response.practice_id == row.practice_id)


def _stored(session: Session, condition) -> list[dict[str, Any]]:
    rows = session.exec(
        select(Round.number, Response.answers, Response.practice_may_use)
        .join(Round, Round.id == Response.round_id)
        .where(condition)
        .order_by(Round.number)
    )
    return [
        {"stored_in_round": number, "answers": dict(answers), "counts_towards_practice": agreed}
        for number, answers, agreed in rows
    ]


def _opened_code(session: Session, keys: Keys, round_: Round, member_id: int) -> str | None:
    """The person's code in a round, where two people approved the link lately and the key lives."""
    approved = session.exec(
        select(CodeLink.id).where(
            CodeLink.round_id == round_.id,
            CodeLink.member_id == member_id,
            CodeLink.approved_by.is_not(None),
            CodeLink.refused_by.is_(None),
            CodeLink.approved_at > clock.now() - LASTS,
        )
    ).first()
    if approved is None or not keys.holds_panel(round_.body_id, round_.number):
        return None
    return links.panel_code(keys.panel(round_.body_id, round_.number), member_id)


def _alone(session: Session, row: RoundRoster) -> bool:
    """Whether nobody else was invited from the person's practice."""
    if row.practice_id is None:
        return False
    count = select(func.count()).where(
        RoundRoster.round_id == row.round_id, RoundRoster.practice_id == row.practice_id
    )
    return session.exec(count).one() == 1


def _erase_answers(session: Session, keys: Keys, member: Member) -> int:
    """Delete answers that can be told to be the person's, in rounds that are mixed; returns how many."""
    table, count = Response.__table__, 0
    for round_, row in _invited(session, member):
        if round_.state not in ("mixed", "released") or round_.tier != "confidential":
            continue
        code = _opened_code(session, keys, round_, member.id)
        if code is not None:
            theirs = or_(table.c.panel_now == code, table.c.panel_before == code)
            count += session.execute(delete(table).where(theirs)).rowcount
            skips = PanelSkip.__table__
            session.execute(delete(skips).where(or_(skips.c.panel_now == code, skips.c.panel_before == code)))
        if _alone(session, row):
            alone = (table.c.round_id == round_.id) & (table.c.practice_id == row.practice_id)
            count += session.execute(delete(table).where(alone)).rowcount
    return count


def _roles(session: Session, member: Member) -> list[dict[str, Any]]:
    rows = session.exec(
        select(Spell, Practice.code)
        .outerjoin(Practice, Practice.id == Spell.practice_id)
        .where(Spell.member_id == member.id)
        .order_by(Spell.id)
    )
    return [
        {
            "role": spell.role,
            "practice": code,
            "group": spell.standing,
            "representative": spell.representative,
            "from": _day(spell.starts),
            "to": _day(spell.ends),
            "from_round": spell.joined_wave,
            "to_round": spell.left_wave,
        }
        for spell, code in rows
    ]


def _mail(session: Session, member: Member) -> dict[str, Any]:
    address = (member.email or "").lower()
    bounce = session.get(Bounce, address) if address else None
    return {
        "wants_no": session.exec(select(OptOut.scope).where(OptOut.member_id == member.id)).first(),
        "came_back": bounce is not None,
        "could_not_be_sent": [
            {"address": where, "reason": reason}
            for where, reason in session.exec(
                select(DeadLetter.address, DeadLetter.reason).where(DeadLetter.member_id == member.id)
            )
        ],
    }


def _account(session: Session, body_id: int, address: str | None) -> dict[str, Any] | None:
    """The account to sign in under the same address, with its roles in the body; None without any."""
    if not address:
        return None
    account = session.exec(
        select(Account)
        .join(AccountRole, AccountRole.account_id == Account.id)
        .where(Account.email == address.lower(), AccountRole.body_id == body_id)
    ).first()
    if account is None:
        return None
    roles = session.exec(
        select(AccountRole.role).where(AccountRole.account_id == account.id, AccountRole.body_id == body_id)
    )
    return {"name": account.name, "since": _day(account.created_at), "roles": sorted(roles)}


def _day(value: date | datetime | None) -> str | None:
    return None if value is None else clock.show_date(value)
