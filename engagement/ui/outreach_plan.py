"""The plan: proposing, looking through, changing by hand, accepting; and planning a visit to one practice."""

from __future__ import annotations

import streamlit as st

from engagement import clock
from engagement.outreach import calendar, contacts, plan
from engagement.outreach.contacts import ContactRow, add_months
from engagement.ui import frame_tools, outreach_log, outreach_tools, outreach_words, show
from engagement.ui.outreach_tools import Outreach
from engagement.ui.safe import safe_md
from engagement.ui.steps import ask, run, turn

EVERY = "All months"


def draw(found: Outreach) -> None:
    """The newest plan with its months, and what can be done with it."""
    here = found.here
    if found.plan is None:
        st.text(
            "There is no plan yet. A proposal fills the hours of those who make contacts: what the segments ask for, every "
            f"{here.words['practice']} once in a while, a few by lot, and no group more than its share. You look through "
            "it, change it by hand, and accept it."
        )
        if not any(person.active and person.hours for person in found.people):
            st.text(
                "First say under “People and rules” who makes contacts, and how many hours a month they have."
            )
        propose(found)
    else:
        about(found)
    by_month(found)
    add(found)
    files(found)


def propose(found: Outreach) -> None:
    """The button that makes a proposal, with the month in which it begins."""
    again = found.plan is not None and found.plan.accepted_at is None
    title = "Propose again" if again else "Propose a plan" if found.plan is None else "Propose more"
    with st.expander(title, expanded=found.plan is None):
        first = clock.today().replace(day=1)
        months = [first, *(add_months(first, at) for at in range(1, 4))]
        begin = found.plan.first_month if again and found.plan.first_month in months else months[1]
        chosen = st.selectbox(
            "From",
            months,
            index=months.index(begin),
            format_func=outreach_words.month_name,
            key=f"outreach_from_{turn()}",
        )
        st.text(
            f"It looks {found.settings.months} months ahead."
            + (" What you changed by hand stays, and so do the lots drawn." if again else "")
            + (" Contacts that are planned stay." if found.state("planned") else "")
        )
        if st.button("Make a proposal", type="primary", key="outreach_propose"):
            run(
                found.here,
                "The proposal is below. Nothing is planned until you accept it.",
                plan.propose,
                found.here.body.id,
                first_month=chosen,
            )


def about(found: Outreach) -> None:
    """What the plan is, what gave, and what it rests on."""
    here, made = found.here, found.plan
    waits = made.accepted_at is None
    st.header(safe_md(outreach_words.headline(made, found.rows)), anchor=False)
    st.text(outreach_words.made(made))
    gave = outreach_words.gave(made, found.by_code, here.words)
    if gave:
        with st.container(border=True):
            st.subheader("What could not be kept", anchor=False)
            for sentence in gave:
                st.text(sentence)
    else:
        st.text("All rules are kept.")
    st.text(outreach_words.pace(made, here.words))
    if waits:
        with st.container(horizontal=True):
            if st.button("Accept the plan", type="primary", key="outreach_accept"):
                run(
                    here,
                    lambda count: (
                        f"The plan is accepted: {outreach_words.many(count, 'contact is', 'contacts are')} "
                        "planned."
                    ),
                    plan.accept,
                    made.id,
                )
        if ask(
            "outreach_discard",
            "Throw the proposal away",
            "The proposal and what was changed in it by hand will be gone. Contacts planned before it stay.",
            "Throw it away",
        ):
            run(here, "The proposal is gone.", plan.discard, made.id)
    elif st.button("Take the acceptance back", key="outreach_unaccept"):
        run(here, "The plan is a proposal again. Contacts that were made stay.", plan.undo_accept, made.id)
    with st.expander("What it rests on"):
        st.text(outreach_words.rules(made, here.words))
        st.text(outreach_words.lots(made))
        st.text(
            "Need is the middle of the interval of the engagement rank, so that an uncertain place does not jump the "
            "queue; a contact halves it, and it comes back over the months of the floor. What a contact achieves is not assumed to differ by segment: nobody knows it yet."
        )
        if made.found["groups"]:
            show.table(
                outreach_words.group_table(made, here.words),
                alt="Each group's share of practices and of contacts, and the most that is fair",
            )
        st.text(
            "When not everything fits, fair shares give first, then lots, and the floor last. Hours, who may go where, and "
            "who asked not to be visited never give."
        )
    propose(found)


def by_month(found: Outreach) -> None:
    """The contacts of a month, or of all, as a table, with one of them to be changed."""
    rows = found.state("proposed", "planned")
    if not rows:
        return
    here, today = found.here, clock.today()
    st.header("Contacts to come", anchor=False)
    late = [row for row in rows if row.overdue(today)]
    if late:
        st.text(
            f"Overdue: {', '.join(row.name for row in late[:6])}"
            + (f" and {len(late) - 6} more" if len(late) > 6 else "")
            + ". Log them, move them, or take them out."
        )
    months = sorted({row.month for row in rows})
    chosen = st.selectbox(
        "Month",
        [None, *months],
        index=1,
        format_func=lambda month: EVERY if month is None else outreach_words.month_name(month),
        key="outreach_month",
    )
    for month in months:
        if chosen not in (None, month):
            continue
        own = [row for row in rows if row.month == month]
        hours = sum(row.hours for row in own)
        st.subheader(
            f"{outreach_words.month_name(month)}: {outreach_words.many(len(own), 'contact', 'contacts')}, {hours:g} hours",
            anchor=False,
        )
        show.table(
            outreach_words.contact_table(own, here.words),
            alt=f"Contacts of {outreach_words.month_name(month)}: where, what and who, and why",
        )
    shown = [row for row in rows if chosen in (None, row.month)]
    by_id = {row.id: row for row in [*shown, *found.state("cancelled")] if row in shown or row.can_undo}
    st.subheader("Change one", anchor=False)
    picked = st.selectbox(
        "Contact",
        list(by_id),
        format_func=lambda at: (
            outreach_words.label(by_id[at]) + (" · taken out" if by_id[at].state == "cancelled" else "")
        ),
        index=None,
        placeholder="Choose a contact",
        key=f"outreach_change_{turn()}",
    )
    if picked is not None:
        change(found, by_id[picked])


def change(found: Outreach, row: ContactRow) -> None:
    """Move a contact, give it to somebody else, fix its day, take it out, or take the last change back."""
    here, key = found.here, f"outreach_edit_{row.id}_{turn()}"
    if row.state == "cancelled":
        st.text(f"Taken out by hand. {row.reason}")
        if st.button("Put it back", key="outreach_undo"):
            run(here, f"{row.name} is back in the plan.", plan.undo, row.id)
        return
    st.text(row.reason)
    action = outreach_tools.action_box(found, f"{key}_action", chosen=row.action)
    person = outreach_tools.person_box(found, f"{key}_who", chosen=row.person_id)
    month = outreach_tools.month_box(f"{key}_month", chosen=row.month)
    with frame_tools.calm_errors():
        at = outreach_tools.time_boxes(key, chosen=row.visit_at)
    with st.container(horizontal=True):
        if st.button("Save the change", type="primary", key="outreach_save"):
            run(
                here,
                f"{row.name} was changed by hand; no proposal moves it. It can be taken back under “Change one”.",
                plan.change,
                row.id,
                action=action,
                month=month,
                person_id=person,
                visit_at=at,
            )
        if st.button("Take it out", key="outreach_cancel"):
            run(
                here,
                f"{row.name} was taken out. It can be put back under “Change one”.",
                plan.cancel,
                row.id,
            )
        if row.can_undo and st.button("Take the last change back", key="outreach_undo"):
            run(here, f"{row.name} is as it was before the last change.", plan.undo, row.id)


def add(found: Outreach) -> None:
    """Plan a contact by hand."""
    with st.expander("Plan a contact by hand"):
        code = outreach_tools.practice_box(
            found, found.here.words["practice"].capitalize(), f"outreach_add_{turn()}"
        )
        if code:
            form(found, code)


def form(found: Outreach, code: str) -> None:
    """What, who, when and why of a contact that is planned by hand."""
    here, key = found.here, f"outreach_new_{code}_{turn()}"
    left_out = next((each for each in found.excluded if each.practice == code), None)
    if left_out is not None:
        st.text(
            f"{left_out.name} is left out of plans since {clock.show_date(left_out.since)}: {left_out.reason} That can be "
            "changed under “People and rules”."
        )
        return
    action = outreach_tools.action_box(found, f"{key}_action")
    person = outreach_tools.person_box(found, f"{key}_who")
    month = outreach_tools.month_box(f"{key}_month")
    with frame_tools.calm_errors():
        at = outreach_tools.time_boxes(key)
    reason = st.text_input("Why, if you like", max_chars=contacts.REASON_LIMIT, key=f"{key}_why")
    if st.button("Plan it", type="primary", key="outreach_add_save"):
        day = clock.show_instant(at) if at else outreach_words.month_name(month)
        run(
            here,
            f"{found.by_code[code]} is planned: {day}.",
            plan.add,
            here.body.id,
            code,
            action=action,
            month=month,
            person_id=person,
            visit_at=at,
            reason=reason,
        )


def visit(found: Outreach) -> None:
    """One practice, from its own page: what is planned, what was said, and planning a contact."""
    here = found.here
    code = st.query_params["practice"]
    outreach_tools.leave()
    if code not in found.by_code:
        st.text(f"There is no such {here.words['practice']} that is open.")
        return
    st.header(safe_md(f"Plan a contact with {found.by_code[code]}"), anchor=False)
    frame_tools.link_to(
        "practice.py",
        f"Where {safe_md(found.by_code[code])} stands",
        ":material/arrow_forward:",
        practice=code,
    )
    own = [row for row in found.rows if row.practice == code]
    for row in own:
        if row.state in ("planned", "proposed"):
            with st.container(border=True):
                st.text(
                    f"{outreach_words.STATE_NAMES[row.state]}: {outreach_words.what(row)}, {outreach_words.when(row)}\n"
                    f"{row.reason}"
                )
                if row.state == "planned" and st.button("Log it", key=f"outreach_log_{row.id}"):
                    st.query_params.clear()
                    st.query_params["contact"] = str(row.id)
                    st.rerun()
    form(found, code)
    outreach_log.past(found, [row for row in own if row.state == "done"])


def files(found: Outreach) -> None:
    """Calendar files: of all visits with a time, and of one person's."""
    planned = found.state("planned")
    timed = calendar.with_time(planned)
    if not planned:
        return
    with st.expander("Calendar files"):
        st.text(
            f"{timed} of {outreach_words.many(len(planned), 'planned contact has', 'planned contacts have')} a day and "
            "time; a file holds those. It says where and when, and not why."
        )
        if not timed:
            return
        names = sorted({row.person for row in planned if row.visit_at and row.person})
        whose = st.selectbox(
            "Whose",
            [None, *names],
            format_func=lambda name: "Everybody’s" if name is None else name,
            key="outreach_whose",
        )
        own = [row for row in planned if whose in (None, row.person)]
        st.download_button(
            "Download the visits (.ics)",
            calendar.file(own, body=found.here.body.code, address=found.here.config.public_url),
            "visits.ics",
            "text/calendar",
            key="outreach_ics",
            on_click="ignore",
        )
