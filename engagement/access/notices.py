"""What auditors are told: put in with the change that it tells of, mailed by the worker, and on the Audit page anyway."""

from __future__ import annotations

from sqlmodel import Session, select

from engagement import clock
from engagement.access import audit
from engagement.access.actor import Role
from engagement.models import Account, AccountRole, AuditNotice, Body


def auditors(session: Session, body_id: int) -> list[int]:
    """The accounts of the body's auditors that are not disabled."""
    return list(
        session.exec(
            select(Account.id)
            .join(AccountRole, AccountRole.account_id == Account.id)
            .where(
                AccountRole.body_id == body_id,
                AccountRole.role == Role.AUDITOR.value,
                Account.disabled == False,  # noqa: E712
            )
            .order_by(Account.id)
        )
    )


def tell(session: Session, body_id: int, kind: str, reference: str, subject: str, text: str) -> int:
    """Put a notice in for each auditor of the body, once for each reference; returns how many auditors there are."""
    told = auditors(session, body_id)
    for account_id in told:
        _put(session, body_id, account_id, kind, reference, subject, text)
    session.flush()
    return len(told)


def tell_one(
    session: Session, body_id: int, account_id: int, kind: str, reference: str, subject: str, text: str
) -> None:
    """Put a notice in for one account, once for each reference."""
    _put(session, body_id, account_id, kind, reference, subject, text)
    session.flush()


def _put(
    session: Session, body_id: int, account_id: int, kind: str, reference: str, subject: str, text: str
) -> None:
    there = session.exec(
        select(AuditNotice.id).where(
            AuditNotice.account_id == account_id,
            AuditNotice.kind == kind,
            AuditNotice.reference == reference,
        )
    ).first()
    if there is None:
        session.add(
            AuditNotice(
                body_id=body_id,
                account_id=account_id,
                kind=kind,
                reference=reference,
                subject=subject[:150],
                text=text,
                due_at=clock.now(),
            )
        )


def heads_due(session: Session) -> list[tuple[int, int]]:
    """The (account, body) pairs of auditors who have not been sent today's head; one body for each account."""
    today = clock.today().isoformat()
    done = select(AuditNotice.account_id).where(AuditNotice.kind == "head", AuditNotice.reference == today)
    rows = session.exec(
        select(AccountRole.body_id, Account.id)
        .join(Account, Account.id == AccountRole.account_id)
        .where(
            AccountRole.role == Role.AUDITOR.value,
            Account.disabled == False,  # noqa: E712
            Account.id.not_in(done),
        )
        .order_by(AccountRole.body_id.desc())
    ).all()
    # One chain covers all bodies: an auditor of two gets one head.
    return sorted({account: body for body, account in rows}.items(), key=lambda pair: pair[0])


def put_heads(session: Session) -> int:
    """Check the log and put today's head in for every auditor who lacks it; returns for how many."""
    due = heads_due(session)
    if not due:
        return 0
    verdict = audit.check_all(session)
    today = clock.today()
    for account_id, body_id in due:
        body = session.get(Body, body_id)
        state = "the audit log" if verdict.whole else "THE AUDIT LOG IS BROKEN"
        tell_one(
            session,
            body_id,
            account_id,
            "head",
            today.isoformat(),
            f"{body.name}: {state} on {clock.show_date(today)}",
            head_words(verdict),
        )
    return len(due)


def head_words(verdict: audit.Verdict) -> str:
    """The text of the daily notice."""
    if verdict.head is None:
        return verdict.sentence
    return (
        f"{verdict.sentence}\n\n"
        "Please keep this message. The log shows by itself when a line was changed, moved or taken out. That lines "
        "were cut from its end, or that all of it was written anew, only somebody can tell who noted its newest line "
        f"elsewhere. This is that line:\n\n{verdict.head}\n\n"
        "To compare, paste it on the Audit page, or ask the operator to run: engagement audit verify --head "
        f"{verdict.head}"
    )
