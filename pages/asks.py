"""Asks: what practices asked, what they were answered, and what the body asks of them. The engagement lead answers."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engagement import clock
from engagement.access import Role
from engagement.asks import answers, ledger, requests, topics, you_said
from engagement.clock import show_date
from engagement.releases import read
from engagement.ui import asks as drawing
from engagement.ui import frame_tools, show, steps
from engagement.ui.safe import safe_md

SHOWN = "asks_shown"
A_PAGE = 15
FILTERS = {
    "open": "Waiting for an answer",
    "overdue": "Overdue",
    "agreed": "Agreed and not done",
    "done": "Done",
    "no": "Answered: no",
    "all": "All",
}


def chosen(ask: ledger.Ask, which: str) -> bool:
    """Whether an ask belongs to a filter."""
    match which:
        case "open":
            return ask.state == ledger.WAITING
        case "overdue":
            return ask.overdue(today)
        case "agreed":
            return ask.state in ("yes", "part")
        case "all":
            return True
    return ask.state == which


def ledger_tab() -> None:
    """The asks, those that wait longest first."""
    if not found:
        st.text(
            f"Nothing was asked yet. Members raise asks on their own pages; the link goes out with each mail about "
            f"results{' and by “engagement asks links” at the command line' if lead else ''}."
        )
        return
    st.text(drawing.summary(found, today))
    which = st.selectbox(
        "Show", list(FILTERS), format_func=FILTERS.get, key="asks_filter", bind="query-params"
    )
    some = [ask for ask in found if chosen(ask, which)]
    if which in ("open", "overdue"):
        some.sort(key=lambda ask: (ask.answer_by, -len(ask.backers)))
    if not some:
        st.text("There is none of these.")
    many = st.session_state.get(SHOWN, A_PAGE)
    for ask in some[:many]:
        with st.container(border=True):
            draw(ask)
    if len(some) > many and st.button(f"Show more ({len(some) - many} left)", key="asks_more"):
        st.session_state[SHOWN] = many + A_PAGE
        st.rerun()


def draw(ask: ledger.Ask) -> None:
    """One ask with all that became of it."""
    show.note(f"{ask.practice} asks · {topics.label(ask.topic, here.words)} · {show_date(ask.raised_at)}")
    st.subheader(safe_md(ask.need), anchor=False)
    st.text(drawing.state_line(ask, today))
    st.text(ask.effect)
    for label, text in (
        ("What should change", ask.change),
        ("What would be better", ask.improvement),
        ("Who may stand to gain", ask.interest),
    ):
        if text:
            st.text(f"{label}: {text}")
    if ask.goal in topics.goals():
        st.text(f"Serves: {topics.goals()[ask.goal].served}.")
    for line in drawing.standing_lines(ask, here.words):
        show.note(line)
    for reply in ask.replies:
        with st.container(border=True):
            due = f", to be done by {show_date(reply.due_on)}" if reply.due_on else ""
            show.note(f"{ledger.ANSWER_NAMES[reply.kind]}: {reply.by}, {show_date(reply.at)}{due}")
            st.text(reply.text)
    if ask.ratings:
        people = "1 member" if len(ask.ratings) == 1 else f"{len(ask.ratings)} members"
        st.text(f"Rated {ask.rated:.1f} of 5 by {people} of the {practices} that asked or endorsed.")
        for rating in ask.ratings:
            if rating.text:
                show.quote(rating.text)
    if lead and not ask.withdrawn:
        reply_to(ask)


def reply_to(ask: ledger.Ask) -> None:
    """What the lead may do about an ask."""
    key = f"{ask.id}_{steps.turn()}"
    if ask.state in ("yes", "part"):
        with st.expander("Say what was done"), st.form(f"asks_done_{key}", enter_to_submit=False):
            what = st.text_area("What was done", max_chars=answers.TEXT_LIMIT, key=f"asks_what_{key}")
            st.text(drawing.reads_it(ask, here.words) + " Those who asked can rate it then.")
            if st.form_submit_button("It is done", type="primary"):
                steps.run(
                    here,
                    "It stands as done, and those who asked can rate it.",
                    answers.mark_done,
                    ask.id,
                    what,
                )
    with (
        st.expander("Answer" if ask.state == ledger.WAITING else "Change the answer"),
        st.form(f"asks_answer_{key}", enter_to_submit=False),
    ):
        verdict = st.radio(
            "Answer",
            list(ledger.ANSWERS),
            format_func=ledger.ANSWER_NAMES.get,
            index=None,
            horizontal=True,
            key=f"asks_verdict_{key}",
        )
        why = st.text_area("Why", max_chars=answers.TEXT_LIMIT, key=f"asks_why_{key}")
        due = st.date_input(
            "To be done by (if yes or in part)",
            value=None,
            min_value=today,
            format="DD/MM/YYYY",
            key=f"asks_due_{key}",
        )
        st.text(drawing.reads_it(ask, here.words) + " It cannot be changed, only followed by another answer.")
        if st.form_submit_button("Send the answer", type="primary"):
            steps.run(here, "The answer was sent.", answers.answer, ask.id, verdict or "", why, due_on=due)
    if ask.hidden:
        if st.button("Put it back on the members’ pages", key=f"asks_show_{ask.id}"):
            steps.run(here, "Members can read it again.", answers.show, ask.id)
    elif ask.public:
        with (
            st.expander("Take it off the members’ pages"),
            st.form(f"asks_hide_{key}", enter_to_submit=False),
        ):
            st.text(
                f"For what must not stand in public, such as a patient’s name. The {here.words['council']} and the "
                f"{here.words['governing_body']} still read it, and your reason."
            )
            why = st.text_input("Reason", max_chars=answers.WHY_LIMIT, key=f"asks_hide_why_{key}")
            if st.form_submit_button("Take it off"):
                steps.run(here, "It is off the members’ pages.", answers.hide, ask.id, why)


def balance_tab() -> None:
    """What is asked and what is given, in all and per practice."""
    total = requests.in_all(balance)
    st.text(drawing.asked_sentence(total, here.words))
    st.text(drawing.wanted_sentence(total, len(balance), here.words))
    chart = drawing.balance_chart(total, len(balance), here.words, show.theme())
    st.vega_lite_chart(
        chart.to_dict(),
        theme=None,
        alt=drawing.balance_alt(total, len(balance), here.words),
        key="asks_chart",
    )
    show.note(
        f"For each {here.words['practice']} on average, since the body came into this service. A survey counts once for each "
        f"{here.words['practice']} in which somebody was invited; whether anybody answered is not counted here."
    )
    st.subheader(f"Each {safe_md(here.words['practice'])}", anchor=False)
    show.table(
        drawing.balance_table(balance, here.words),
        alt=f"What each {here.words['practice']} asked and was answered, and what was asked of it",
    )


def requests_tab() -> None:
    """What the body asked of practices besides surveys and meetings."""
    st.text(
        f"What the {here.words['body']} asked of its {practices}. Surveys of this service and meetings in the log are counted by "
        "themselves; log the rest here, so that the balance is true."
    )
    if lead:
        log_one()
    if not logged:
        st.text("Nothing is logged yet.")
        return
    rows = [
        {
            "Asked on": show_date(each.asked_on)
            + (f", due by {show_date(each.due_on)}" if each.due_on else ""),
            "What": f"{each.title} ({requests.KIND_NAMES[each.kind].lower()})",
            "Gave it": gave_it(each),
        }
        for each in logged
    ]
    show.table(pd.DataFrame(rows), alt="Requests of the body, newest first")
    if lead:
        change_one()


def gave_it(request: requests.Request) -> str:
    """How many gave what was asked, where somebody has noted it."""
    if all(gave is None for gave in request.given.values()):
        return f"not noted, of {len(request.given)}"
    return f"{sum(gave is True for gave in request.given.values())} of {len(request.given)}"


def log_one() -> None:
    """The form of a request."""
    key = f"asks_request_{steps.turn()}"
    with st.expander("Log a request"):
        kind = st.selectbox(
            "Kind", list(requests.KIND_NAMES), format_func=requests.KIND_NAMES.get, key=f"{key}_kind"
        )
        title = st.text_input("What was asked for", max_chars=requests.TITLE_LIMIT, key=f"{key}_title")
        asked_on = st.date_input(
            "Asked on", value=today, max_value=today, format="DD/MM/YYYY", key=f"{key}_on"
        )
        due_on = st.date_input("Due by (if it had a day)", value=None, format="DD/MM/YYYY", key=f"{key}_due")
        everybody = st.checkbox(f"It went to all {safe_md(practices)}", value=True, key=f"{key}_all")
        codes = list(names)
        if not everybody:
            codes = st.multiselect(
                f"{safe_md(practices.capitalize())} that were asked",
                list(names),
                format_func=names.get,
                placeholder="Type a few letters of the name",
                key=f"{key}_who",
            )
        if st.button("Log it", type="primary", key="asks_log"):
            steps.run(
                here,
                "The request was logged.",
                requests.log_request,
                here.body.id,
                kind=kind,
                title=title,
                practices=codes,
                asked_on=asked_on or today,
                due_on=due_on,
            )


def change_one() -> None:
    """Note who gave what was asked, or take a request out of the log."""
    by_id = {each.id: each for each in logged}
    picked = st.selectbox(
        "Request",
        list(by_id),
        format_func=lambda at: f"{show_date(by_id[at].asked_on)}, {by_id[at].title}",
        index=None,
        placeholder="Choose a request, to note who gave it",
        key=f"asks_picked_{steps.turn()}",
    )
    each = by_id.get(picked)
    if each is None:
        return
    all_names = names | {code: code for code in each.given if code not in names}
    gave = st.multiselect(
        f"{safe_md(practices.capitalize())} that gave it",
        list(each.given),
        default=[code for code, given in each.given.items() if given],
        format_func=all_names.get,
        placeholder="Type a few letters of the name",
        key=f"asks_gave_{each.id}_{steps.turn()}",
    )
    with st.container(horizontal=True):
        if st.button("Save who gave it", type="primary", key="asks_given"):
            steps.run(here, "Saved.", requests.set_given, each.id, gave)
        removing = steps.pressed("asks_remove", "Take it out of the log", each.id)
    if removing and steps.sure(
        "asks_remove", f"“{each.title}” and who gave it will be gone from the log.", "Take it out"
    ):
        steps.run(here, "The request was taken out of the log.", requests.remove_request, each.id)


def said_tab() -> None:
    """What all members read: asks that were answered or done, and other actions."""
    st.text(
        "All members read this on their own pages and on the members’ page of results. What was done since the last "
        "round stands, in three lines, on the first screen of the next one’s form."
    )
    drawing.you_said(said)
    if not lead:
        return
    with st.expander("Tell members of something else that was done"):
        key = f"asks_action_{steps.turn()}"
        with st.form(key, enter_to_submit=False):
            heard = st.text_input("You said", max_chars=answers.SAID_LIMIT, key=f"{key}_said")
            did = st.text_area("We did", max_chars=answers.DID_LIMIT, key=f"{key}_did")
            st.text("All members will read it. Do not name people.")
            if st.form_submit_button("Publish it", type="primary"):
                steps.run(
                    here, "Members can read it.", answers.publish_action, here.body.id, said=heard, did=did
                )
    if actions:
        with st.expander("Take one off again"):
            for each in actions:
                show.note(f"Published by {each.published_by}, {show_date(each.published_at)}")
                st.text(each.said)
                if st.button("Take it off", key=f"asks_off_{each.id}"):
                    steps.run(here, "Members no longer read it.", answers.remove_action, each.id)


here = frame_tools.current()
st.title("Asks", anchor=False)
with frame_tools.calm_errors(), here.database.reading() as session:
    found = ledger.listed(session, here.actor, here.body.id)
    balance = requests.balance(session, here.actor, here.body.id)
    logged = requests.logged(session, here.actor, here.body.id)
    actions = answers.actions(session, here.actor, here.body.id)
    said = you_said.you_said(session, here.body.id)
    names = {
        row["practice_id"]: row["name"]
        for row in read.practices(session, here.actor, here.body.id)
        if row["closed"] is None or row["closed"] > clock.today()
    }
today = clock.today()
lead = here.actor.may(here.body.id, Role.LEAD)
practices = here.words["practices"]

st.text(f"What {practices} ask of the {here.words['body']}, what they get, and what it asks of them.")
steps.said()
tabs = frame_tools.tabs(
    ["Asks", "Asked and given", f"What the {safe_md(here.words['body'])} asks", "You said, we did"],
    "asks_tabs",
)
for tab, fill in zip(tabs, (ledger_tab, balance_tab, requests_tab, said_tab), strict=True):
    with tab:
        fill()
