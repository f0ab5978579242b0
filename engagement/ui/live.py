"""An open round as the engagement lead watches it: the one count that may be shown, its mail, what happens next."""

from __future__ import annotations

from datetime import date, datetime, time

import streamlit as st

from engagement import clock
from engagement.errors import Invalid
from engagement.messaging import templates
from engagement.releases import read
from engagement.rounds import lifecycle, verbs
from engagement.rounds.lifecycle import LONGEST_REASON, Amendment, Live
from engagement.ui import frame_tools, show, steps
from engagement.ui.safe import safe_md

EVERY = 20
USUAL_EXTENSION = clock.days(7)
KINDS = {
    "extended": "Closing time moved",
    "paused": "Messages paused",
    "resumed": "Messages resumed",
    "cancelled": "Cancelled",
}


def draw(here: frame_tools.Current, round_: verbs.RoundView) -> None:
    """Draw an open round with all that can be done to it."""
    st.subheader(f"Round {round_.number}: {safe_md(round_.title)}")
    _watched(round_.id, round_.number, here.config.mail.way != "off")
    with here.database.reading() as session:
        found = lifecycle.live(session, here.actor, round_.id)
    _close_later(here, round_, found)
    _pause(here, round_, found)
    if steps.asked("rounds_close", "Close the round now", round_.id) and steps.sure(
        "rounds_close",
        "No more answers will be taken and no answer can be withdrawn. The answers are then mixed, and the results are "
        "checked and published. This cannot be undone.",
        "Close it now",
        "Cancel",
    ):
        steps.run(here, "The round is closed. Its results are being checked.", verbs.close, round_.id)
    _cancel(here, round_)


# --- what is so -------------------------------------------------------------------------------------------------


@st.fragment(run_every=EVERY)
def _watched(round_id: int, number: int, mail: bool) -> None:
    """The part that follows by itself. Who is looking is asked anew each time."""
    here = frame_tools.current()
    with here.database.reading() as session:
        now = next(r for r in verbs.rounds(session, here.actor, here.body.id) if r.id == round_id)
        if now.state != "open":
            st.rerun()
        found = lifecycle.live(session, here.actor, round_id, mail=mail)
        brief = next(
            (b for b in read.status(session, here.actor, here.body.id).open if b.number == number), None
        )
    st.text(_stands(now, found, brief.answered_percent if brief else None))
    if found.paused_at is not None:
        st.warning(
            f"Paused since {clock.show_instant(found.paused_at)}: no message of this round leaves. Members can answer "
            "all the same, and the round closes at its time. To let it close later, resume first."
        )
    st.text("Nobody sees results, or counts by group, while a round is open.")
    st.markdown("#### What happens next")
    for step in found.coming:
        when = "As soon as the worker gets to it" if step.at is None else clock.show_instant(step.at)
        st.text(f"{when}: {step.what}.")
    st.markdown("#### Messages")
    _messages(found, number, mail)
    if found.amendments:
        _amendments(found.amendments)


def _stands(round_: verbs.RoundView, found: Live, percent: int | None) -> str:
    opens = round_.opens_at > clock.now()
    state = f"Opens {clock.show_instant(round_.opens_at)} and closes" if opens else "Open until"
    if opens:
        taking_part = f"{found.invited:,} people are invited."
    elif percent is None:
        taking_part = f"{found.invited:,} people are invited; too few to say how many have answered."
    else:
        taking_part = f"About {percent}% of {found.invited:,} invited have answered (to the nearest 5)."
    return f"{state} {clock.show_instant(round_.closes_at)}. {taking_part}"


def _messages(found: Live, number: int, mail: bool) -> None:
    if found.trouble:
        st.error(f"Mail is held up: {safe_md(found.trouble)}")
    if found.mailed:
        import pandas as pd

        show.table(
            pd.DataFrame(
                {
                    "Message": [_name(row) for row in found.mailed],
                    "From": [clock.show_instant(row.queued_at) for row in found.mailed],
                    "For": [_people(row, row.people) for row in found.mailed],
                    "Still waiting": [_people(row, row.wait) for row in found.mailed],
                }
            ),
            alt="The messages of this round: when each kind began to leave, for how many people, how many still wait.",
        )
        show.note(
            "Counts of reminders are to the nearest 5. What no longer waits was sent, or left out because it was not "
            "needed any more: nothing says which, so that nothing says who has answered."
        )
    elif mail:
        st.text("None has left yet.")
    if found.undelivered:
        st.text(f"{_count(found.undelivered)} did not get a message: see Messages.")
    frame_tools.link_to("messages.py", "Go to Messages", ":material/arrow_forward:")
    if not mail:
        st.text("Mail is switched off on this server.")
    st.text("The operator can hand out links too:")
    st.code(f"engagement round links {number} --out links.csv", language=None)


def _name(row: lifecycle.Mailed) -> str:
    return templates.KIND_NAMES[row.kind] + (f" {row.number}" if row.kind == "reminder" else "")


def _people(row: lifecycle.Mailed, number: int) -> str:
    if row.kind == "reminder" and number:
        return f"about {number:,}"
    return f"{number:,}" if number else "none"


def _count(number: int) -> str:
    return "1 person" if number == 1 else f"{number:,} people"


def _amendments(made: tuple[Amendment, ...]) -> None:
    with st.expander(f"Changes since the launch: {len(made)}"):
        st.text(
            "The promise itself never changes. Each change stands beside it, with a fingerprint (SHA-256)."
        )
        for each in made:
            st.text(f"{clock.show_instant(each.at)}. {KINDS[each.kind]}{_to(each)}.")
            if each.reason:
                show.quote(each.reason)
            st.code(each.hash, language=None, wrap_lines=True)


def _to(made: Amendment) -> str:
    if made.kind != "extended":
        return ""
    return f" from {clock.show_instant(made.closed_before)} to {clock.show_instant(made.closes_at)}"


# --- what can be done -------------------------------------------------------------------------------------------


def _close_later(here, round_: verbs.RoundView, found: Live) -> None:
    if found.paused_at is not None or not steps.asked("rounds_extend", "Close later", round_.id):
        return
    usual = (round_.closes_at + USUAL_EXTENSION).astimezone(clock.LONDON)
    with st.container(border=True):
        st.text(
            f"The round closes on {clock.show_instant(round_.closes_at)}. It can only close later than that. Everybody "
            "who was invited is told by mail, and the form and the results say what was first promised."
        )
        with st.form("rounds_extend_form", border=False):
            left, right = st.columns(2)
            day = left.date_input("Closes on", usual.date(), format="DD/MM/YYYY")
            at = right.time_input("Closes at (London)", usual.time(), step=900)
            reason = st.text_area(
                "Why (optional; members read it)",
                max_chars=LONGEST_REASON,
                height=80,
                key="rounds_extend_why",
            )
            sent = st.form_submit_button("Move the closing time", type="primary")
        if st.button("Leave it as it is", key="rounds_extend_no"):
            steps.give_up()
    if sent and (closes_at := _instant(day, at)) is not None:
        done = f"The round now closes on {clock.show_instant(closes_at)}."
        steps.run(here, done, lifecycle.extend, round_.id, closes_at, reason=reason)


def _instant(day: date, at: time) -> datetime | None:
    try:
        return clock.from_london(day, at)
    except Invalid as error:
        frame_tools.show_error(error)
        return None


def _pause(here, round_: verbs.RoundView, found: Live) -> None:
    if found.paused_at is not None:
        if st.button("Resume messages", key="rounds_resume", type="primary"):
            done = "Messages leave again. What became due meanwhile leaves now."
            steps.run(here, done, lifecycle.resume, round_.id)
        return
    if steps.asked("rounds_pause", "Pause messages", round_.id) and steps.sure(
        "rounds_pause",
        "No invitation, reminder or other message of this round leaves until you resume. Members can answer all the "
        "same, and the round closes at its time. The form says that messages are paused.",
        "Pause them now",
        "Cancel",
    ):
        steps.run(here, "The messages of this round are paused.", lifecycle.pause, round_.id)


def _cancel(here, round_: verbs.RoundView) -> None:
    if not steps.asked("rounds_cancel", "Cancel the round", round_.id):
        return
    with st.container(border=True):
        st.text(
            "The round ends for good. All answers that were sent are destroyed unopened: nobody will ever read them, "
            "and there are no results. Everybody who was invited by mail is told, with your reason. The round keeps "
            "its number, and later rounds go on from the round before it."
        )
        with st.form("rounds_cancel_form", border=False):
            reason = st.text_area(
                "Why is it cancelled? (members read this)",
                max_chars=LONGEST_REASON,
                height=80,
                key="rounds_cancel_why",
            )
            sure = st.form_submit_button("Cancel it and destroy the answers", type="primary")
        if st.button("Keep the round", key="rounds_cancel_keep"):
            steps.give_up()
    if sure:
        done = f"Round {round_.number} is cancelled. Its answers are destroyed unopened."
        steps.run(here, done, lifecycle.cancel, round_.id, reason=reason)
