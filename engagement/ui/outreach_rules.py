"""What a plan rests on: the actions, who acts on what, the people and their hours, who is left out, and the rules."""

from __future__ import annotations

import streamlit as st

from engagement.clock import show_date
from engagement.outreach import catalogue, team
from engagement.outreach.catalogue import Action
from engagement.outreach.team import Person
from engagement.ui import outreach_tools, outreach_words, show
from engagement.ui.outreach_tools import Outreach
from engagement.ui.safe import safe_md
from engagement.ui.steps import run, turn

NEW = "A new one"
EVERYWHERE, NONE = "Everywhere", "None"


def ladder(here) -> None:
    """Who acts on what, support first."""
    st.header("Who acts on what", anchor=False)
    show.table(outreach_words.ladder_table(catalogue.ladder(here.words)), alt="A ladder of who acts on what")
    show.note(
        "Begin at the first step. Clinical performance is no part of the segments or of a plan of contacts."
    )


def actions(found: Outreach) -> None:
    """The catalogue, the ladder, and changing an action."""
    here = found.here
    st.header("What can be done", anchor=False)
    st.text(
        "A plan takes the first action that is meant for a segment. Hours are typical: put them right for you."
    )
    show.table(
        outreach_words.action_table(found.actions), alt="Actions, who does them, for whom they are meant"
    )
    with st.expander("Change an action or add one"):
        by_key = {action.key: action for action in found.actions}
        chosen = st.selectbox(
            "Action",
            ["", *by_key],
            format_func=lambda key: (
                by_key[key].name + ("" if by_key[key].used else " (not in use)") if key else NEW
            ),
            index=None,
            placeholder="Choose an action",
            key=f"outreach_action_{turn()}",
        )
        if chosen is not None:
            action_form(found, by_key.get(chosen))
    ladder(here)


def action_form(found: Outreach, action: Action | None) -> None:
    here, key = found.here, f"outreach_action_{action.key if action else 'new'}_{turn()}"
    name = st.text_input(
        "Name", action.name if action else "", max_chars=catalogue.NAME_LIMIT, key=f"{key}_name"
    )
    about = st.text_area(
        "What it is", action.about if action else "", max_chars=catalogue.ABOUT_LIMIT, key=f"{key}_about"
    )
    who = st.text_input(
        "Who does it", action.who if action else "", max_chars=catalogue.WHO_LIMIT, key=f"{key}_who"
    )
    hours = st.number_input(
        "Hours", 0.25, float(catalogue.MOST_HOURS), action.hours if action else 1.0, 0.25, key=f"{key}_hours"
    )
    kinds = st.multiselect(
        "For which segments",
        list(catalogue.KINDS),
        default=list(action.segments) if action else [],
        format_func=outreach_words.KIND_NAMES.get,
        key=f"{key}_segments",
    )
    used = st.checkbox("In use", value=action.used if action else True, key=f"{key}_used")
    with st.container(horizontal=True):
        if st.button("Save the action", type="primary", key="outreach_action_save"):
            run(
                here,
                f"{name.strip()} is saved. Contacts that stand keep their hours.",
                catalogue.save,
                here.body.id,
                key=action.key if action else None,
                name=name,
                about=about,
                who=who,
                hours=hours,
                segments=kinds,
                used=used,
            )
        shipped = {each.key: each for each in catalogue.shipped(here.words)}
        changed = action is not None and action.key in shipped and action != shipped[action.key]
        if changed and st.button("Go back to ours", key="outreach_action_reset"):
            run(here, "The catalogue’s own is back.", catalogue.reset, here.body.id, action.key)


def people_and_rules(found: Outreach) -> None:
    """People, practices left out, rules."""
    people(found)
    left_out(found)
    rules(found)


def people(found: Outreach) -> None:
    """Who makes contacts, and with how many hours."""
    st.header("People", anchor=False)
    if found.people:
        import pandas as pd

        names = {action.key: action.name for action in found.actions}
        show.table(
            pd.DataFrame(
                [
                    (
                        person.name + ("" if person.active else " (not now)"),
                        f"{person.hours:g}",
                        (person.locality or EVERYWHERE)
                        + (
                            f"; {', '.join(names.get(key, key) for key in person.actions)}"
                            if person.actions
                            else ""
                        ),
                    )
                    for person in found.people
                ],
                columns=["Name", "Hours a month", "Where and what"],
            ),
            alt="Who makes contacts, with hours a month, where and what",
        )
    else:
        st.text(
            "Nobody is named yet. Name the people who make contacts, and the hours that they have a month."
        )
    by_id = {person.id: person for person in found.people}
    with st.expander("Change somebody or add one", expanded=not found.people):
        chosen = st.selectbox(
            "Person",
            [0, *by_id],
            format_func=lambda at: by_id[at].name if at else NEW,
            index=None if found.people else 0,
            placeholder="Choose a person",
            key=f"outreach_person_{turn()}",
        )
        if chosen is not None:
            person_form(found, by_id.get(chosen))


def person_form(found: Outreach, person: Person | None) -> None:
    here, key = found.here, f"outreach_person_{person.id if person else 'new'}_{turn()}"
    names, codes = found.by_code, [None, *found.by_code]
    places = [None, *sorted(found.localities)]
    actions_ = {action.key: action.name for action in found.actions if action.used}
    name = st.text_input("Name", person.name if person else "", max_chars=team.NAME_LIMIT, key=f"{key}_name")
    hours = st.number_input(
        "Hours a month",
        0.0,
        float(team.MOST_HOURS),
        person.hours if person else 6.0,
        0.5,
        key=f"{key}_hours",
    )
    place = st.selectbox(
        "Where",
        places,
        index=places.index(person.locality) if person and person.locality in places else 0,
        format_func=lambda at: EVERYWHERE if at is None else found.localities[at],
        key=f"{key}_where",
    )
    own = st.selectbox(
        f"Their own {safe_md(here.words['practice'])}, which they do not visit",
        codes,
        index=codes.index(person.practice) if person and person.practice in codes else 0,
        format_func=lambda code: NONE if code is None else names[code],
        key=f"{key}_own",
    )
    does = st.multiselect(
        "Only these actions",
        list(actions_),
        default=[each for each in person.actions if each in actions_] if person else [],
        format_func=actions_.get,
        placeholder="All of them",
        key=f"{key}_does",
    )
    active = st.checkbox("Makes contacts now", value=person.active if person else True, key=f"{key}_active")
    if st.button("Save the person", type="primary", key="outreach_person_save"):
        run(
            here,
            f"{name.strip()} is saved.",
            team.save_person,
            here.body.id,
            person_id=person.id if person else None,
            name=name,
            hours=hours,
            locality=place,
            practice=own,
            actions=does,
            active=active,
        )


def left_out(found: Outreach) -> None:
    """Practices that are not to be visited."""
    here = found.here
    st.header("Left out", anchor=False)
    if not found.excluded:
        st.text("Nobody is left out.")
    for each in found.excluded:
        with st.container(border=True):
            st.text(f"{each.name}, since {show_date(each.since)}: {each.reason}")
            if st.button("Plan contacts again", key=f"outreach_include_{each.practice}"):
                run(here, f"{each.name} can be planned again.", team.include, here.body.id, each.practice)
    with st.expander("Leave one out"):
        key = f"outreach_exclude_{turn()}"
        code = outreach_tools.practice_box(found, here.words["practice"].capitalize(), key)
        reason = st.text_input(
            "Why", "Asked not to be visited.", max_chars=team.REASON_LIMIT, key=f"{key}_why"
        )
        if st.button("Leave it out", key="outreach_exclude_save") and code:
            run(
                here,
                f"{found.by_code[code]} is left out of plans. Contacts planned already stay until you take them out.",
                team.exclude,
                here.body.id,
                code,
                reason,
            )


def rules(found: Outreach) -> None:
    """How a plan is made."""
    here, now = found.here, found.settings
    st.header("Rules", anchor=False)
    with st.form("outreach_rules", enter_to_submit=False):
        months = st.number_input("Months ahead", 1, 12, now.months)
        floor = st.number_input(
            f"Every {safe_md(here.words['practice'])} at least once in so many months",
            1,
            60,
            now.floor_months,
        )
        rest = st.number_input("Months between two contacts, at least", 0, 24, now.rest_months)
        share = st.number_input(
            "Percent of contacts by lot",
            0,
            100,
            now.random_share,
            help="Drawn from all, whatever their segment: they show what those are like whom nobody would have picked.",
        )
        slack = st.number_input(
            "A group’s share of contacts may be above its share of all by so many points",
            0,
            100,
            now.slack,
            help="Groups: small lists, rural where the roster knows it, and each locality.",
        )
        sent = st.form_submit_button("Save the rules", type="primary")
    if sent:
        run(
            here,
            "The rules are saved, for the next proposal.",
            team.save_settings,
            here.body.id,
            months=int(months),
            floor_months=int(floor),
            rest_months=int(rest),
            random_share=int(share),
            slack=int(slack),
        )
