"""Programme: the rule set up once, the rounds to come, and what the worker does by itself. For the engagement lead."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

import streamlit as st

from engagement import clock
from engagement.access import Role
from engagement.messaging import quiet
from engagement.rounds import cadence, programme
from engagement.ui import frame_tools, steps

AS_LAST = "as in the last round"
TIER_NAMES = {
    None: "As in the last round",
    "confidential": "Confidential",
    "practice-view": "Practice view",
    "anonymous": "Anonymous",
}
TIER_WORDS = {
    "confidential": "confidential",
    "practice-view": "one official answer a practice",
    "anonymous": "anonymous",
}
APPROVAL_NAMES = {
    "first": "The first round, later ones launch by themselves",
    "always": "Every round",
    "never": "None, all launch by themselves",
}
APPROVAL_WORDS = {
    "first": "The first round waits for approval; later ones launch by themselves.",
    "always": "Every round waits for approval before it launches.",
    "never": "Rounds launch by themselves.",
}
BY_NAMES = {
    cadence.DAY: "The same day of the month, such as the 6th",
    cadence.WEEKDAY: "The same weekday of the month, such as the second Tuesday",
}


def a_day(day: date) -> str:
    """ "Sunday 28 February 2027"."""
    return f"{day:%A} {clock.show_date(day)}"


def days(found) -> str:
    """ "11 August 2026, 18 August 2026 and 25 August 2026"."""
    names = [clock.show_date(one) for one in found]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def form(view) -> None:
    """Set up or change the rule, and what rounds to come ask."""
    rule = view.rule if view else None
    with st.form("programme_rule"):
        left, right = st.columns(2)
        with left:
            first = st.date_input(
                "Next round opens on",
                value=view.next_wanted if view else cadence.working_day(clock.today() + clock.days(28))[0],
                format="DD/MM/YYYY",
                help="The first round that is not drafted yet. Rounds after it are counted from this day.",
            )
            every = st.number_input(
                "Months from one round to the next", 1, 24, value=rule.every if rule else 6
            )
            length = st.number_input("Days that a round is open", 7, 92, value=rule.days if rule else 28)
        with right:
            opens = st.time_input("Opens at (London)", value=rule.opens if rule else time(9), step=1800)
            closes = st.time_input("Closes at (London)", value=rule.closes if rule else time(17), step=1800)
            lead = st.number_input(
                "Days ahead that a round is drafted",
                1,
                60,
                value=view.lead_days if view else 14,
                help="Until it opens, the draft can be edited on the Rounds page or left out here.",
            )
        by = st.radio(
            "What comes again",
            list(BY_NAMES),
            index=list(BY_NAMES).index(rule.by) if rule else 0,
            format_func=BY_NAMES.get,
        )
        approval = st.radio(
            "Which rounds wait for approval",
            programme.APPROVALS,
            index=programme.APPROVALS.index(view.approval) if view else 0,
            format_func=APPROVAL_NAMES.get,
        )
        left, right = st.columns(2)
        with left:
            tier = st.selectbox(
                "Confidentiality",
                (None, *programme.TIERS),
                index=(None, *programme.TIERS).index(view.tier) if view else 0,
                format_func=TIER_NAMES.get,
            )
        with right:
            threshold = st.number_input(
                "Fewest answers in a group that is shown",
                5,
                50,
                value=view.threshold if view else None,
                placeholder=AS_LAST,
                help="Leave it empty to keep what the last round had. Never below 5.",
            )
        if st.form_submit_button("Save the programme", type="primary"):
            save(
                first,
                every=every,
                days=length,
                by=by,
                opens=opens,
                closes=closes,
                lead_days=lead,
                approval=approval,
                tier=tier,
                threshold=threshold,
                instrument_id=view.instrument_id if view else None,
            )


def save(first: date | None, **chosen) -> None:
    """Save the form, unless the date was cleared."""
    if first is None:
        st.error("Choose the day on which the next round opens.")
        return
    steps.run(here, "The programme is saved.", programme.save, here.body.id, first=first, **chosen)


def notes(coming: programme.Upcoming, view: programme.View) -> list[str]:
    """Why a round does not open or close on the day that the rule names."""
    dates, out = coming.dates, []
    if dates.moved:
        on = cadence.which_day(replace(view.rule, first=dates.wanted))
        out.append(f"Its date was moved by hand, and the rounds after it follow: they open on {on}.")
    if dates.opening_shifted:
        out.append(f"Opening moved from {a_day(dates.wanted)}: {dates.opening_shifted}.")
    if coming.late_since:
        out.append(
            f"It should have opened on {clock.show_instant(coming.late_since)}: it opens late and keeps its full length."
        )
    if dates.closing_shifted:
        out.append(f"Closing moved from {a_day(dates.closing_wanted)}: {dates.closing_shifted}.")
    if view.asking and dates.opens_at <= view.asking[1]:
        out.append(
            f"Round {view.asking[0]} is open until {clock.show_instant(view.asking[1])}: this round waits until it has "
            "closed."
        )
    return out


def card(coming: programme.Upcoming, view: programme.View) -> None:
    """One round to come."""
    dates = coming.dates
    with st.container(border=True):
        st.subheader(f"Round {coming.number}", anchor=False)
        st.text(f"Opens {clock.show_date(dates.opens_at)}, closes {clock.show_date(dates.closes_at)}")
        if found := notes(coming, view):
            st.text(" ".join(found))
        if coming.reminders:
            st.text(f"Reminders to those who have not answered: {days(coming.reminders)}")
        if coming.round_id is not None:
            draft(coming, view)
        else:
            not_drafted(coming, view)


def draft(coming: programme.Upcoming, view: programme.View) -> None:
    """A round that is drafted: what it waits for, and what the lead can do."""
    if coming.trouble:
        st.error("It could not launch. It is tried again every minute.", icon=":material/error:")
        st.text(coming.trouble)
        st.text(
            f"If nothing is done by {clock.show_instant(coming.latest)}, this round is left out. "
            "Edit or check it on the Rounds page."
        )
    if coming.needs_approval:
        st.text(f"Drafted as “{coming.title}”. It waits for approval.")
    elif view.paused_at is None:
        st.text(f"Drafted as “{coming.title}”. It launches by itself when its time comes.")
    else:
        st.text(f"Drafted as “{coming.title}”.")
    frame_tools.link_to("rounds.py", "Check or edit it on the Rounds page", icon=":material/edit:")
    if coming.needs_approval and st.button(
        f"Approve round {coming.number}", key="programme_approve", type="primary"
    ):
        steps.run(
            here,
            f"Round {coming.number} is approved. It launches by itself when its time comes.",
            programme.approve,
            here.body.id,
            coming.round_id,
        )
    key = "programme_skip"
    if steps.asked(key, "Leave this round out") and steps.sure(
        key,
        "Its draft will be deleted and nobody will be asked. The rounds after it keep their dates.",
        "Leave it out",
    ):
        steps.run(here, f"Round {coming.number} is left out.", programme.skip, here.body.id, coming.round_id)


def not_drafted(coming: programme.Upcoming, view: programme.View) -> None:
    """A round that is not drafted: when it will be, and its date to move."""
    turn, drafting = coming.dates.turn, coming.dates.opens_at - clock.days(view.lead_days)
    if view.paused_at is None and drafting > clock.now():
        st.text(f"It is drafted on {clock.show_date(drafting)}.")
    if coming.dates.moved and st.button(
        f"Undo the move of round {coming.number}", key=f"programme_undo_{turn}"
    ):
        steps.run(
            here,
            "The round is back on its day, and so are those after it.",
            programme.undo_move,
            here.body.id,
            turn,
        )
    with st.expander("Move its date"):
        st.text("The rounds after it move too: they are counted from the new day.")
        day = st.date_input(
            "Opens on",
            value=clock.london_date(coming.dates.opens_at),
            format="DD/MM/YYYY",
            key=f"programme_day_{turn}",
        )
        if st.button(f"Move round {coming.number}", key=f"programme_move_{turn}") and day:
            steps.run(
                here,
                f"Round {coming.number} opens on {clock.show_date(day)}. The rounds after it moved too.",
                programme.move,
                here.body.id,
                turn,
                day,
            )


def summary(view: programme.View) -> None:
    """The rule and what rounds to come ask, in sentences."""
    asks = view.asks
    like = f"the same as round {asks.round}" if asks.round else "the usual questions"
    st.text(f"{cadence.sentence(view.rule)}.")
    st.text(
        "A round that would open or close on a weekend, a bank holiday or one of your quiet days does so on the next "
        "working day."
    )
    st.text(
        f"Each round asks {like}, in the wordings that the Instrument page has when it launches, so that trends go on. "
        f"It is {TIER_WORDS[asks.tier]}, and a group is shown from {asks.threshold} answers. "
        f"Planned tables: {', '.join(asks.tables)}."
    )
    many = "1 reminder" if view.reminders == 1 else f"{view.reminders or 'No'} reminders"
    st.text(
        f"{many}, at least {view.gap_days} days apart. Reminders and quiet days are set on the Messages page. "
        f"{APPROVAL_WORDS[view.approval]}"
    )


def standing(view: programme.View) -> None:
    """What holds the programme up, and the way on when it is paused."""
    if view.trouble:
        st.error("The programme is held up. It is tried again every minute.", icon=":material/error:")
        st.text(view.trouble)
    if view.paused_at:
        st.warning(
            f"Paused since {clock.show_date(view.paused_at)}: nothing is drafted or launched by itself. A round whose "
            "time goes by meanwhile is left out. An open round goes on to its close.",
            icon=":material/pause_circle:",
        )
        if st.button("Resume the programme", key="programme_resume", type="primary"):
            steps.run(here, "The programme goes on.", programme.resume, here.body.id)


def pausing() -> None:
    """Pause a programme that runs."""
    key = "programme_pause"
    if steps.asked(key, "Pause the programme") and steps.sure(
        key,
        "Nothing more will be drafted or launched until it is resumed. An open round goes on to its close.",
        "Pause it",
    ):
        steps.run(here, "The programme is paused.", programme.pause, here.body.id)


def main() -> None:
    """Draw the page."""
    st.title("Programme", anchor=False)
    here.actor.require(here.body.id, Role.LEAD)
    steps.said()
    with here.database.reading() as session:
        view = programme.read(session, here.actor, here.body.id)
    if view is None:
        st.text(
            "No programme is set up yet. Set it up once: from then on rounds are drafted, opened, reminded, closed and "
            "published on their dates, whoever is away."
        )
        form(None)
    else:
        summary(view)
        standing(view)
        st.header("The next four rounds", anchor=False)
        for coming in view.upcoming:
            card(coming, view)
        if view.upcoming[-1].dates.closes_at.year > quiet.LAST_YEAR:
            st.text(
                f"Bank holidays are known up to {quiet.LAST_YEAR}: dates after that may move by a day or two."
            )
        if view.skipped:
            st.header("Rounds that were left out", anchor=False)
            for turn in view.skipped:
                st.text(
                    f"{clock.show_date(turn.dates[0])} to {clock.show_date(turn.dates[1])}: {turn.reason}"
                )
        with st.expander("Change the programme"):
            form(view)
        if view.paused_at is None:
            pausing()
    st.header("Same again now", anchor=False)
    st.text(
        "Draft a round like the last one today, outside the programme. The programme keeps its dates, but two rounds are "
        "never open at once."
    )
    if st.button("Draft it", key="programme_again"):
        steps.run(
            here,
            "The round is drafted. Check it and launch it on the Rounds page.",
            programme.same_again,
            here.body.id,
        )


here = frame_tools.current()
main()
