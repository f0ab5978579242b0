"""Rounds: draft, check, launch, watch and close. For the engagement lead."""

from __future__ import annotations

from datetime import date, datetime, time

import streamlit as st

from engagement import clock
from engagement.access import Role
from engagement.errors import Invalid
from engagement.releases import read
from engagement.rounds import autopilot, plans, verbs
from engagement.rounds.checklist import OK, STOP, WARN
from engagement.ui import frame_tools, live, show, steps
from engagement.ui.safe import safe_md

USUAL_LENGTH = clock.days(21)
OPENING, CLOSING = time(9), time(17)
TIER_NAMES = {
    "confidential": "Confidential: answers shown in groups only",
    "practice-view": "Practice view: one official answer a practice, which may be shown with its name",
    "anonymous": "Anonymous: nobody can connect an answer to a person after close",
}
ICONS = {OK: ":material/check_circle:", WARN: ":material/warning:", STOP: ":material/block:"}
TABLE_NAMES = {table.name: table.title for table in plans.TABLES[1:]}
OUTLOOK = {plans.LIKELY: "Likely", plans.PARTLY: "In part", plans.UNLIKELY: "Not likely"}
LEVELS = {OK: "Ready", WARN: "Warning", STOP: "Must be put right"}


def _season(day: date) -> str:
    return f"{('Winter', 'Spring', 'Summer', 'Autumn')[day.month % 12 // 3]} {day.year}"


def _instant(day: date | None, at: time | None) -> datetime | None:
    if day is None or at is None:
        return None
    return clock.from_london(day, at)


def _fields(here, round_=None) -> dict | None:
    """The form of a draft; its values when it was sent, with everything typed kept if they will not do."""
    today = clock.today()
    opens = round_.opens_at.astimezone(clock.LONDON) if round_ and round_.opens_at else None
    closes = round_.closes_at.astimezone(clock.LONDON) if round_ and round_.closes_at else None
    tier = round_.tier if round_ else verbs.TIERS[1]
    with st.form("rounds_draft"):
        title = st.text_input("Title", value=round_.title if round_ else _season(today), max_chars=120)
        later = opens is not None and opens > clock.now()
        at_once = st.checkbox("Open as soon as it is launched", value=not later)
        left, right = st.columns(2)
        with left:
            open_day = st.date_input(
                "Or opens on", opens.date() if later else today + clock.days(1), format="DD/MM/YYYY"
            )
            open_at = st.time_input("Opens at (London)", opens.time() if later else OPENING, step=900)
        with right:
            close_day = st.date_input(
                "Closes on", closes.date() if closes else today + USUAL_LENGTH, format="DD/MM/YYYY"
            )
            close_at = st.time_input("Closes at (London)", closes.time() if closes else CLOSING, step=900)
        chosen = st.radio(
            "Confidentiality", verbs.TIERS, index=verbs.TIERS.index(tier), format_func=TIER_NAMES.get
        )
        threshold = st.number_input(
            "Fewest answers in a group that is shown",
            min_value=5,
            max_value=50,
            value=round_.threshold if round_ else here.body.threshold,
            help="10 unless there is a reason. Never below 5. It cannot be changed after launch.",
        )
        wanted = list(plans.checked(round_.plan if round_ else None, tier))
        tables = st.multiselect(
            "Publish beside leaders and grassroots, most important first",
            [table.name for table in plans.TABLES[1:]],
            default=[name for name in wanted if name in TABLE_NAMES],
            format_func=TABLE_NAMES.get,
            help="Each table is checked at close so that no answer can be worked out; where one must go, the last goes "
            "first. The list is part of the promise and cannot be changed after launch.",
        )
        sent = st.form_submit_button("Save changes" if round_ else "Draft this round", type="primary")
    if not sent:
        return None
    return {
        "title": title,
        "opens_at": clock.now() if at_once else _instant(open_day, open_at),
        "closes_at": _instant(close_day, close_at),
        "tier": chosen,
        "threshold": int(threshold),
        "plan": [plans.STANDING, *tables],
    }


def _new(here) -> None:
    st.subheader("New round")
    st.text(
        "A draft asks nobody anything. It uses the questions of the Instrument page as they are at launch."
    )
    try:
        fields = _fields(here)
    except Invalid as error:
        frame_tools.show_error(error)
        return
    if fields:
        steps.run(
            here, "The round is drafted. Check it below, then launch it.", verbs.new, here.body.id, **fields
        )


def _draft(here, round_) -> None:
    st.subheader(f"Round {round_.number} (draft): {safe_md(round_.title)}")
    try:
        fields = _fields(here, round_)
    except Invalid as error:
        frame_tools.show_error(error)
        fields = None
    if fields:
        steps.run(here, "The draft is saved.", verbs.edit, round_.id, **fields)
    with here.database.reading() as session:
        checks = verbs.checklist(session, here.actor, round_.id)
        expected = verbs.outlook(session, here.actor, round_.id)
    st.markdown("#### Before launch")
    for check in checks:
        with st.container(border=True):
            st.markdown(f"{ICONS[check.level]} **{LEVELS[check.level]}: {safe_md(check.title)}**")
            st.text(check.text)
    _expected(expected)
    if any(check.level == STOP for check in checks):
        st.text("The round can be launched when nothing above must be put right.")
    elif steps.asked("rounds_launch", "Launch the round", round_.id, primary=True) and steps.sure(
        "rounds_launch",
        "Launching freezes the questions, the roster, the threshold and what members are told about confidentiality. "
        "None of it can be changed afterwards. The links are made at once.",
        "Launch now",
        "Cancel",
    ):
        steps.run(here, "The round is launched. It opens within a few seconds.", verbs.launch, round_.id)
    if steps.asked("rounds_discard", "Delete the draft", round_.id) and steps.sure(
        "rounds_discard",
        "The draft will be deleted. No answers are lost, for nobody was asked.",
        "Delete it",
        "Cancel",
    ):
        steps.run(here, "The draft is deleted.", verbs.discard, round_.id)


def _expected(tables: list[plans.Outlook]) -> None:
    """What of the reporting plan is likely to be publishable."""
    import pandas as pd

    st.markdown("#### What will it be able to publish?")
    st.text(
        "From the roster and last round's response. At close each table is also checked against the answers "
        "themselves, so that nobody's can be worked out; then a likely table may still be shown in part or not at all."
    )
    show.table(
        pd.DataFrame(
            {
                "Table": [table.title for table in tables],
                "Publishable": [OUTLOOK[table.level] for table in tables],
                "Why": [table.text for table in tables],
            }
        ),
        alt="The planned tables, most important first: whether each is likely to be publishable, and why.",
    )


def _receipt(here, round_) -> None:
    with here.database.reading() as session:
        receipt = verbs.receipt(session, here.actor, round_.id)
    promise = receipt["promise"]
    with st.expander("What members were promised"):
        st.text(
            f"{TIER_NAMES[promise['tier']]}. A group is shown from {promise['threshold']} answers. "
            f"{len(promise['items'])} questions, frozen on {clock.show_date(round_.launched_at)}."
        )
        tables = {table.name: table.title for table in plans.TABLES}
        st.text(
            "To be published, most important first: "
            + ", ".join(tables[name] for name in plans.of_promise(promise))
        )
        for item in promise["items"]:
            show.quote(item["text"])
        st.text("Fingerprint of the promise (SHA-256), also printed on the form and the release:")
        st.code(receipt["hash"], language=None, wrap_lines=True)


@st.fragment(run_every=2)
def _watch(here, seen: tuple) -> None:
    """Redraw the page when the worker has moved a round on."""
    with here.database.reading() as session:
        now = tuple((r.id, r.state) for r in verbs.rounds(session, here.actor, here.body.id))
        progress = read.status(session, here.actor, here.body.id).checking
    if now != seen:
        st.rerun()
    for brief in progress:
        if brief.checking:
            st.text(f"Round {brief.number} is being checked: {brief.checking} questions.")
    st.text("The worker is at it. This page follows by itself.")


def _past(rounds) -> None:
    import pandas as pd

    st.subheader("All rounds")
    show.table(
        pd.DataFrame(
            {
                "Round": [f"{r.number}: {r.title}" for r in rounds],
                "State": [verbs.STATE_NAMES[r.state] + (" (imported)" if r.imported else "") for r in rounds],
                "Closes or closed": [
                    clock.show_date(r.closed_at or r.closes_at) if r.closed_at or r.closes_at else "Not set"
                    for r in rounds
                ],
                "Invited": [str(r.invited) if r.invited is not None else "–" for r in rounds],
            }
        ),
        alt=f"The {len(rounds)} rounds of this body with state, closing date and number invited.",
    )


def _trouble(round_: verbs.RoundView) -> None:
    """What stands in a round's way, and who can do something about it: of a draft that is the lead, who sees why."""
    if round_.state != "draft" or round_.trouble == autopilot.UNEXPECTED:
        st.error(f"Round {round_.number} needs the operator: {safe_md(round_.trouble)}")
        return
    st.warning(
        f"Round {round_.number} should be open, and is not yet. {safe_md(round_.trouble)} "
        "It opens by itself once nothing is in the way."
    )
    frame_tools.link_to("programme.py", "Go to Programme", ":material/arrow_forward:")


def main() -> None:
    """Draw the page."""
    here = frame_tools.current()
    st.title("Rounds")
    here.actor.require(here.body.id, Role.LEAD)
    steps.said()
    with here.database.reading() as session:
        rounds = verbs.rounds(session, here.actor, here.body.id)
    for round_ in rounds:
        if round_.trouble:
            _trouble(round_)
    moving = [r for r in rounds if r.state in ("launching", "closing", "mixed")]
    for round_ in moving:
        st.info(f"Round {round_.number}: {verbs.STATE_NAMES[round_.state].lower()}.")
    if moving:
        _watch(here, tuple((r.id, r.state) for r in rounds))
    for round_ in (r for r in rounds if r.state == "open"):
        live.draw(here, round_)
        _receipt(here, round_)
    drafts = [r for r in rounds if r.state == "draft"]
    if drafts:
        _draft(here, drafts[0])
    else:
        _new(here)
    if rounds:
        _past(rounds)


main()
