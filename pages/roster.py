"""Roster: practices, members and their dated roles, one at a time or from a file. For the engagement lead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import streamlit as st

from engagement import clock
from engagement.clock import show_date
from engagement.errors import Conflict, EngagementError, NotAllowed
from engagement.messaging import bounces
from engagement.roster import (
    BROWSER,
    apply,
    examples,
    people,
    practices,
    preview_members,
    preview_practices,
    view,
)
from engagement.roster.preview import Preview
from engagement.roster.text import clean
from engagement.ui import frame_tools, steps
from engagement.ui.frame_tools import current
from engagement.ui.safe import safe_md
from engagement.words import role_label

PREVIEW, FAILED = "roster_preview", "roster_failed"
EARLIEST, LATEST = date(1900, 1, 1), date(2199, 12, 31)
WHAT = {
    "refuse": "Refused",
    "note": "To know",
    "close": "Close",
    "end": "End",
    "change": "Change",
    "add": "Add",
    "same": "Stays as it is",
}
MOST_MATCHES = 200
MOST_SENTENCES = 10


# Doing what was asked


def _apply(session, actor, preview: Preview) -> str:
    """Apply a preview and say what came of it. Where the roster is another by now, a new preview is drawn."""
    try:
        return f"{preview.name}: {apply(session, actor, preview).sentence}"
    except Conflict as error:
        st.session_state.pop(PREVIEW, None)
        st.session_state[FAILED] = str(error)
        steps.give_up()


def _outcome() -> None:
    steps.said()
    if failed := st.session_state.pop(FAILED, None):
        with st.container(border=True):
            st.subheader("Nothing was imported", icon=":material/sync_problem:")
            st.text(f"{failed} The preview below is a new one.")


def _ask(here, name: str, question: str, button: str, done: str, verb, *args, **kwargs) -> None:
    """Say what will happen and wait for a second press; `name` is fixed, and what was asked is kept between reruns."""
    st.session_state[steps.ASKED] = (here.body.id, name, question, button, done, verb, args, kwargs)


def _confirmation(here, name: str) -> None:
    """Draw the question that waits under this name, if one does."""
    asked = st.session_state.get(steps.ASKED)
    if asked is None or asked[:2] != (here.body.id, name):
        return
    _, _, question, button, done, verb, args, kwargs = asked
    if steps.sure(name, question, safe_md(button)):
        steps.run(here, done, verb, *args, **kwargs)


# Small pieces


def _option(text: str) -> str:
    """An option of a selectbox: unlike radio options and labels it is shown as plain text, so escapes would be seen."""
    text = clean(text)
    return text if len(text) <= 80 else text[:79] + "…"


def _day(label: str, key: str, value: date | None = None, help: str | None = None) -> date | None:
    return st.date_input(
        label, value=value, min_value=EARLIEST, max_value=LATEST, format="DD/MM/YYYY", key=key, help=help
    )


def _first_up(text: str) -> str:
    """A capital at the start and the rest as it is: "GP practices" keeps its letters."""
    return text[:1].upper() + text[1:]


def _standing_words(here) -> dict[str, str]:
    words = {"leader": "leaders", "grassroots": "grassroots", "staff": "staff", "none": "none"}
    return {key: here.words[word] for key, word in words.items()}


def _standing_names(here) -> dict[str, str]:
    return {key: _first_up(name) for key, name in _standing_words(here).items()}


def _when(day: date | None, wave: int | None) -> str:
    return ", ".join(filter(None, [show_date(day) if day else "", f"round {wave}" if wave else ""]))


def _title(person: view.PersonNow | bounces.Undeliverable) -> str:
    return f"{person.name or 'No name'} ({person.ref})"


def _matching(text: str, found: list, fields: Callable[[Any], tuple]) -> list:
    wanted = text.casefold().split()
    if not wanted:
        return found
    return [
        thing
        for thing in found
        if all(word in " ".join(str(f) for f in fields(thing) if f).casefold() for word in wanted)
    ]


def _person_fields(person: view.PersonNow) -> tuple:
    return person.ref, person.name, person.email, person.role_label, person.practice, person.practice_name


def _practice_choice(
    label: str, roster: view.RosterNow, here, key: str, *, first: str, chosen: int | None = None
):
    """Choose an open practice, or `first` (None)."""
    names = {p.id: f"{p.code} {p.name}" for p in roster.open_practices}
    options = [None, *names]
    return st.selectbox(
        label,
        options,
        index=options.index(chosen) if chosen in names else 0,
        format_func=lambda key: _option(names[key]) if key is not None else first,
        key=key,
    )


def _role_choice(roster: view.RosterNow, key: str, chosen: str | None = None) -> str | None:
    options = [role.role for role in roster.roles]
    return st.selectbox(
        "Role",
        options,
        index=options.index(chosen) if chosen in options else None,
        format_func=lambda role: _option(role_label(role)),
        accept_new_options=True,
        placeholder="Choose a role, or write a new one",
        key=key,
    )


def _standing_choice(here, key: str, chosen: str | None = None) -> str | None:
    names = _standing_names(here)
    options = [None, *view.STANDINGS]
    return st.selectbox(
        "Counts as",
        options,
        index=options.index(chosen),
        format_func=lambda s: "As the role does" if s is None else _option(names[s]),
        help="Only where this person stands otherwise than their role does.",
        key=key,
    )


# Practices


def _practices(here, roster: view.RosterNow) -> None:
    import pandas as pd

    names = _standing_names(here)
    word = safe_md(here.words["practices"])
    shown = st.radio(
        f"Which {word}",
        ("Open at this date", "All, closed ones too"),
        horizontal=True,
        key="roster_practices_which",
    )
    rows = roster.open_practices if shown == "Open at this date" else list(roster.practices)
    search = st.text_input(
        "Search", key="roster_practices_search", placeholder="Code, name, locality or postcode"
    )
    rows = _matching(search, rows, lambda p: (p.code, p.name, p.locality, p.locality_name, p.postcode))
    if rows:
        table = {
            "Code": [p.code for p in rows],
            "Name": [p.name for p in rows],
            "Locality": [p.locality_name or "" for p in rows],
            "List size": pd.array([p.list_size for p in rows], dtype="Int64"),
            **{title: [p.counts[key] for p in rows] for key, title in names.items()},
            "Opened": [show_date(p.opened) if p.opened else "" for p in rows],
            "Closed": [show_date(p.closed) if p.closed else "" for p in rows],
            "Merged into": [p.successor or "" for p in rows],
        }
        st.dataframe(
            pd.DataFrame(table),
            hide_index=True,
            placeholder="",
            alt=f"{len(rows)} rows: code, name, locality, list size, people by standing, and when open.",
        )
    else:
        st.text("Nothing matches. Change the search, the choice above or the date.")
    _confirmation(here, "roster_practice_ask")
    task = st.radio(
        "What do you want to do?",
        ("Add", "Correct", "Close or merge", "Reopen"),
        index=None,
        horizontal=True,
        key="roster_practice_task",
    )
    if task == "Add":
        _add_practice(here)
    elif task is not None:
        _one_practice(here, roster, task)


def _add_practice(here) -> None:
    turn = steps.turn()
    with st.form(f"roster_practice_add_{turn}"):
        code = st.text_input("Code", max_chars=20, help="For example its ODS code.", key=f"rp_code_{turn}")
        name = st.text_input("Name", max_chars=200, key=f"rp_name_{turn}")
        details = _practice_details(f"rp_{turn}")
        sent = st.form_submit_button("Add", type="primary")
    if sent:
        steps.run(
            here,
            lambda practice: f"{practice.name} ({practice.code}) was added.",
            practices.add_practice,
            here.body.id,
            code=code,
            name=name,
            **details,
        )


def _practice_details(key: str, held: view.PracticeNow | None = None) -> dict[str, Any]:
    locality = st.text_input(
        "Locality", held.locality or "" if held else "", max_chars=40, key=f"{key}_locality"
    )
    size = st.number_input(
        "List size",
        min_value=0,
        max_value=10_000_000,
        value=held.list_size if held else None,
        step=1,
        help="Patients registered. Leave it empty if you do not know.",
        key=f"{key}_size",
    )
    postcode = st.text_input(
        "Postcode", held.postcode or "" if held else "", max_chars=10, key=f"{key}_postcode"
    )
    opened = _day("Opened on", f"{key}_opened", held.opened if held else None)
    return {"locality": locality or None, "list_size": size, "postcode": postcode or None, "opened": opened}


def _one_practice(here, roster: view.RosterNow, task: str) -> None:
    found = [p for p in roster.practices if (p.closed is not None) == (task == "Reopen") or task == "Correct"]
    by_id = {p.id: p for p in found}
    if not found:
        st.text("There is none to choose.")
        return
    chosen = st.selectbox(
        "Choose one",
        list(by_id),
        index=None,
        format_func=lambda key: _option(f"{by_id[key].code} {by_id[key].name}"),
        key=f"roster_practice_chosen_{task}",
    )
    practice = by_id.get(chosen)
    if practice is None:
        return
    key = f"rp_{task}_{practice.id}_{steps.turn()}"
    called = f"{practice.name} ({practice.code})"
    if task == "Correct":
        with st.form(key):
            name = st.text_input("Name", practice.name, max_chars=200, key=f"{key}_name")
            details = _practice_details(key, practice)
            sent = st.form_submit_button("Save", type="primary")
        if sent:
            steps.run(
                here,
                f"{called} was corrected.",
                practices.correct_practice,
                here.body.id,
                practice.id,
                name=name,
                **details,
            )
    elif task == "Reopen":
        if st.button("Reopen", key=key):
            _ask(
                here,
                "roster_practice_ask",
                f"{called} will count as never closed, and its people are its own again.",
                "Reopen it",
                f"{called} is open again.",
                practices.reopen_practice,
                here.body.id,
                practice.id,
            )
            st.rerun()
    else:
        with st.form(key):
            on = _day("First day on which it is no longer a member", f"{key}_on", roster.day)
            successor = _practice_choice(
                "Merged into", roster, here, f"{key}_into", first="None: it closed without a successor"
            )
            sent = st.form_submit_button("Close")
        if sent and on is None:
            st.error("Enter the day.")
        elif sent:
            into = next((p for p in roster.practices if p.id == successor), None)
            number = sum(practice.counts.values())
            who = (
                f"Its {number} {'person' if number == 1 else 'people'}"
                if number
                else "People who belong to it"
            )
            fate = f"will belong to {into.name} ({into.code})" if into else "will no longer be invited"
            _ask(
                here,
                "roster_practice_ask",
                f"{called} will be closed from {show_date(on)}. {who} {fate} from then.",
                "Close it",
                f"{called} is closed from {show_date(on)}.",
                practices.close_practice,
                here.body.id,
                practice.id,
                on,
                successor_id=successor,
            )
            st.rerun()


# People


def _people(here, roster: view.RosterNow) -> None:
    import pandas as pd

    names = _standing_names(here)
    _undelivered(here)
    shown = st.radio(
        "Which people",
        ("Members at this date", "All, past and future too"),
        horizontal=True,
        key="roster_people_which",
    )
    rows = roster.current if shown == "Members at this date" else list(roster.people)
    search = st.text_input("Search", key="roster_people_search", placeholder="Name, number, role or code")
    rows = _matching(search, rows, _person_fields)
    if roster.stranded:
        st.warning(
            f"Not invited: {len(roster.stranded)}, because their {safe_md(here.words['practice'])} is not open and was "
            "not merged into an open one. Move them, or end their membership.",
            icon=":material/person_off:",
        )
    if rows:
        st.dataframe(
            pd.DataFrame(
                {
                    "Number": [p.ref for p in rows],
                    "Name": [p.name or "" for p in rows],
                    "Role": [p.role_label for p in rows],
                    "Counts as": [names[p.standing] for p in rows],
                    "Code": [p.practice or "" for p in rows],
                    "Belongs to": [p.practice_name or here.body.name for p in rows],
                    "Represents it": ["Yes" if p.representative else "" for p in rows],
                    "From": [_when(p.starts, p.joined_wave) for p in rows],
                    "Until": [_when(p.ends, p.left_wave) for p in rows],
                    "Invited": ["Yes" if p.invited else "No" for p in rows],
                    "E-mail": [p.email or "" for p in rows],
                }
            ),
            hide_index=True,
            alt=f"{len(rows)} people: number, name, role, standing, where they belong, and from when until when.",
        )
    else:
        st.text("Nobody matches. Change the search, the choice above or the date.")
    if roster.by_waves:
        st.text(f"Some roles are held in round numbers. They are shown as in round {roster.wave}.")
    _confirmation(here, "roster_person_ask")
    task = st.radio(
        "What do you want to do?",
        (
            "Add a person",
            "Correct name or e-mail",
            "Change role or place",
            "End membership",
            "Take back an end",
        ),
        index=None,
        horizontal=True,
        key="roster_person_task",
    )
    if task == "Add a person":
        _add_person(here, roster)
    elif task is not None:
        _one_person(here, roster, task)


def _undelivered(here) -> None:
    """Whose address gets no mail, with the address to put right in place."""
    with here.database.reading() as session:
        found = bounces.undeliverable(session, here.actor, here.body.id)
    if not found:
        return
    import pandas as pd

    by_id = {person.member_id: person for person in found}
    with st.container(border=True):
        st.subheader("Mail cannot be delivered", anchor=False, icon=":material/unsubscribe:")
        st.text(
            "The mail server says that these addresses do not exist, or it has turned mail away again and again. No mail "
            "goes there until they are corrected."
        )
        st.dataframe(
            pd.DataFrame(
                {
                    "Number": [person.ref for person in found],
                    "Name": [person.name or "" for person in found],
                    "E-mail": [person.address for person in found],
                }
            ),
            hide_index=True,
            alt=f"{len(found)} people to whom mail cannot be delivered: number, name and address.",
        )
        chosen = st.selectbox(
            "Whose address to correct",
            list(by_id),
            index=0 if len(by_id) == 1 else None,
            format_func=lambda key: _option(f"{_title(by_id[key])}: {by_id[key].address}"),
            key=f"roster_undelivered_{steps.turn()}",
        )
        person = by_id.get(chosen)
        if person is None:
            return
        key = f"rm_address_{person.member_id}_{steps.turn()}"
        with st.form(key):
            email = st.text_input("E-mail address", person.address, max_chars=254, key=f"{key}_email")
            st.text("If the address is right after all, say so on the Messages page.")
            sent = st.form_submit_button("Save this address", type="primary")
        if sent and email.strip().lower() == person.address.lower():
            st.error("This is the address that gets no mail. Enter another.")
        elif sent:
            steps.run(
                here,
                f"{_title(person)} was corrected. Mail goes there from now on."
                if email.strip()
                else f"{_title(person)} has no address now, and gets no mail.",
                people.correct_person,
                here.body.id,
                person.member_id,
                name=person.name,
                email=email or None,
            )


def _add_person(here, roster: view.RosterNow) -> None:
    turn = steps.turn()
    with st.form(f"roster_person_add_{turn}"):
        ref = st.text_input(
            "Number",
            max_chars=60,
            help="Your own number for this person. It stays theirs over the years.",
            key=f"rm_ref_{turn}",
        )
        name = st.text_input("Name", max_chars=200, key=f"rm_name_{turn}")
        email = st.text_input("E-mail address", max_chars=254, key=f"rm_email_{turn}")
        role = _role_choice(roster, f"rm_role_{turn}")
        practice = _practice_choice(
            "Belongs to",
            roster,
            here,
            f"rm_practice_{turn}",
            first=_option(f"{here.body.name} itself"),
        )
        standing = _standing_choice(here, f"rm_standing_{turn}")
        representative = st.checkbox("Represents the place where they belong", key=f"rm_rep_{turn}")
        starts = _day("From", f"rm_from_{turn}", roster.day, help="The first day in this role.")
        sent = st.form_submit_button("Add", type="primary")
    if sent:
        steps.run(
            here,
            lambda member: f"{member.name or member.ref} was added.",
            people.add_person,
            here.body.id,
            ref=ref,
            role=role or "",
            practice_id=practice,
            name=name or None,
            email=email or None,
            starts=starts,
            standing=standing,
            representative=representative,
        )


def _one_person(here, roster: view.RosterNow, task: str) -> None:
    search = st.text_input(
        "Find the person", key="roster_person_find", placeholder="Name, number, role or code"
    )
    found = _matching(search, list(roster.people), _person_fields)
    if not found:
        st.text("Nobody matches. Write part of a name or number.")
        return
    if len(found) > MOST_MATCHES:
        st.text(f"{len(found):,} people match. The first {MOST_MATCHES} are offered: write more of the name.")
    by_id = {p.id: p for p in found[:MOST_MATCHES]}
    chosen = st.selectbox(
        "Person",
        list(by_id),
        index=None,
        format_func=lambda key: _option(_title(by_id[key])),
        key=f"roster_person_chosen_{task}",
    )
    person = by_id.get(chosen)
    if person is None:
        return
    key = f"rm_{task}_{person.id}_{steps.turn()}"
    called = _title(person)
    st.text(
        f"{person.role_label}, {person.practice_name or here.body.name}"
        + (
            f", from {_when(person.starts, person.joined_wave)}"
            if person.starts or person.joined_wave
            else ""
        )
        + (f", until {_when(person.ends, person.left_wave)}" if person.ends or person.left_wave else "")
    )
    if task == "Correct name or e-mail":
        with st.form(key):
            name = st.text_input("Name", person.name or "", max_chars=200, key=f"{key}_name")
            email = st.text_input("E-mail address", person.email or "", max_chars=254, key=f"{key}_email")
            sent = st.form_submit_button("Save", type="primary")
        if sent:
            steps.run(
                here,
                f"{called} was corrected.",
                people.correct_person,
                here.body.id,
                person.id,
                name=name or None,
                email=email or None,
            )
    elif task == "Change role or place":
        _move_person(here, roster, person, key)
    elif task == "End membership":
        with st.form(key):
            on = _day("First day on which they are no longer a member", f"{key}_on", roster.day)
            sent = st.form_submit_button("End membership")
        if sent and on is None:
            st.error("Enter the day.")
        elif sent:
            _ask(
                here,
                "roster_person_ask",
                f"{called} will not be invited to rounds launched from {show_date(on)}. Rounds before that are unchanged.",
                "End the membership",
                f"The membership of {called} ends on {show_date(on)}.",
                people.end_person,
                here.body.id,
                person.id,
                on,
            )
            st.rerun()
    elif st.button("Take back the end", key=key):
        _ask(
            here,
            "roster_person_ask",
            f"The last role of {called} will go on as if it had not ended.",
            "Take back the end",
            f"{called} is a member again.",
            people.reinstate_person,
            here.body.id,
            person.id,
        )
        st.rerun()


def _move_person(here, roster: view.RosterNow, person: view.PersonNow, key: str) -> None:
    with st.form(key):
        role = _role_choice(roster, f"{key}_role", person.role)
        practice = _practice_choice(
            "Belongs to",
            roster,
            here,
            f"{key}_practice",
            first=_option(f"{here.body.name} itself"),
            chosen=person.practice_id,
        )
        standing = _standing_choice(here, f"{key}_standing", person.standing if person.own_standing else None)
        representative = st.checkbox(
            "Represents the place where they belong", value=person.representative, key=f"{key}_rep"
        )
        on = _day("From", f"{key}_on", roster.day, help="What they are now ends the day before.")
        sent = st.form_submit_button("Change", type="primary")
    if sent and on is None:
        st.error("Enter the day from which it holds.")
    elif sent:
        steps.run(
            here,
            f"{_title(person)} was changed from {show_date(on)}.",
            people.move_person,
            here.body.id,
            person.id,
            on=on,
            role=role or "",
            practice_id=practice,
            standing=standing,
            representative=representative,
        )


# Roles


def _roles(here, roster: view.RosterNow) -> None:
    import pandas as pd

    names = _standing_names(here)
    st.text("Which arm each role is in. A change counts from the next round that is launched.")
    st.dataframe(
        pd.DataFrame(
            {
                "Role": [r.label for r in roster.roles],
                "Counts as": [names[r.standing] for r in roster.roles],
                "People at this date": [r.people for r in roster.roles],
            }
        ),
        hide_index=True,
        alt="Each role, the arm that it counts in, and how many people have it at the date.",
    )
    by_role = {r.role: r for r in roster.roles}
    role = st.selectbox(
        "Role to change",
        list(by_role),
        index=None,
        format_func=lambda key: _option(by_role[key].label),
        key="roster_role",
    )
    if role is None:
        return
    own = sum(p.own_standing for p in roster.current if p.role == role)
    if own:
        st.text(f"{own} with this role have a standing of their own, which stays.")
    with st.form(f"roster_role_{role}_{steps.turn()}"):
        standing = st.radio(
            "Counts as",
            view.STANDINGS,
            index=view.STANDINGS.index(by_role[role].standing),
            format_func=lambda s: safe_md(names[s]),
            key=f"roster_role_standing_{role}_{steps.turn()}",
        )
        sent = st.form_submit_button("Save", type="primary")
    if sent:
        steps.run(
            here,
            f"{by_role[role].label} now counts as: {_standing_words(here)[standing]}.",
            people.set_standing,
            here.body.id,
            role,
            standing,
        )


# Files


def _import(here, roster: view.RosterNow) -> None:
    kind = st.radio(
        "What does the file hold?",
        ("practices", "members"),
        format_func=lambda k: safe_md(_first_up(here.words["practices"])) if k == "practices" else "Members",
        horizontal=True,
        key="roster_kind",
    )
    options: dict[str, Any] = {}
    if kind == "practices":
        st.text(
            "A CSV file whose first line names the columns practice_id and name, and where known locality_id, "
            "list_size, postcode, opened, closed and successor_id; or the ODS practice file as it is published."
        )
        st.download_button(
            "Download an example",
            examples.example_practices(),
            "practices-example.csv",
            "text/csv",
            on_click="ignore",
        )
        code = st.text_input(
            "Code in the file",
            max_chars=20,
            help="The commissioner in the ODS file, or body_id in yours. Empty means the code of this body.",
            key="roster_commissioner",
        )
        options["commissioner"] = code or None
    else:
        st.text(
            "A CSV file whose first line names the columns member_id, practice_id and role, and where known group, "
            "representative, name, email, from and to (or joined_wave and left_wave). Lines with the same member_id "
            "are one person over time."
        )
        st.download_button(
            "Download an example",
            examples.example_members(),
            "members-example.csv",
            "text/csv",
            on_click="ignore",
        )
    options["on"] = roster.day
    absent = st.checkbox(
        "End what the file does not name, from the date above",
        help="Left alone, what is missing from the file stays as it is.",
        key=f"roster_absent_{kind}_{steps.turn()}",
    )
    if absent:
        options["close_absent" if kind == "practices" else "end_absent"] = roster.day
    file = st.file_uploader("File", type=["csv", "txt"], key=f"roster_file_{kind}_{steps.turn()}")
    if file is None:
        st.session_state.pop(PREVIEW, None)
        return
    preview = _previewed(here, kind, file, options)
    if preview is not None:
        _show_preview(here, preview)


def _previewed(here, kind: str, file, options: dict[str, Any]) -> Preview | None:
    """The preview of this file, made once: what is shown is what will be applied."""
    asked = (here.body.id, kind, file.file_id, tuple(sorted((k, str(v)) for k, v in options.items())))
    kept = st.session_state.get(PREVIEW)
    if kept is not None and kept[0] == asked:
        return kept[1]
    verb = preview_practices if kind == "practices" else preview_members
    try:
        with here.database.reading() as session:
            preview = verb(session, here.actor, here.body.id, file, name=file.name, limits=BROWSER, **options)
    except EngagementError as error:
        frame_tools.show_error(error)
        return None
    st.session_state[PREVIEW] = (asked, preview)
    return preview


def _show_preview(here, preview: Preview) -> None:
    import pandas as pd

    st.subheader("What this file would do")
    st.text(preview.summary)
    if preview.refused:
        st.error(
            "Nothing can be imported while a line is refused. Put the lines right in the file, then choose it again.",
            icon=":material/error:",
        )
        for text in preview.refused[:MOST_SENTENCES]:
            st.text(text)
        if (more := len(preview.refused) - MOST_SENTENCES) > 0:
            st.text(f"… and {more:,} more: they are in the table below and in the download.")
        st.download_button(
            "Download the refused lines",
            examples.refusals(preview),
            "refused-lines.csv",
            "text/csv",
            on_click="ignore",
            key="roster_refused",
        )
    lines = preview.ordered()
    st.dataframe(
        pd.DataFrame(
            {
                "What": [WHAT[line.what] for line in lines],
                "Line": pd.array([line.number or None for line in lines], dtype="Int64"),
                "Code or number": [line.key for line in lines],
                "Name": [line.label for line in lines],
                "Detail": [line.detail for line in lines],
            }
        ),
        hide_index=True,
        column_config={
            "What": st.column_config.Column(width="small"),
            "Line": st.column_config.Column(width="small"),
            "Code or number": st.column_config.Column(width="small"),
            "Detail": st.column_config.Column(width="large"),
        },
        placeholder="",
        alt="What the file would do, a line each, refused lines first.",
    )
    if preview.refused:
        return
    n = preview.changes
    if n == 0:
        st.text("The roster says all of this already. There is nothing to import.")
        return
    if st.button(
        f"Import {'this change' if n == 1 else f'these {n:,} changes'}", type="primary", key="roster_import"
    ):
        steps.run(here, str, _apply, preview)


def main() -> None:
    """Draw the page."""
    here = current()
    st.title("Roster")
    _outcome()
    day = _day("Roster as at", "roster_day", clock.today()) or clock.today()
    try:
        with here.database.reading() as session:
            roster = view.roster_now(session, here.actor, here.body.id, day)
            unreached = bounces.undeliverable(session, here.actor, here.body.id)
    except NotAllowed as error:
        frame_tools.show_error(error)
        return
    if roster.empty:
        with st.container(border=True):
            st.subheader("The roster is empty")
            st.text(
                "Import the practices first, then their members. Download an example below to see the columns. You see "
                "what a file would do before anything is changed."
            )
        _import(here, roster)
        return
    said = ", ".join(f"{name} {roster.counts[key]:,}" for key, name in _standing_words(here).items())
    st.text(f"Open: {len(roster.open_practices):,} {here.words['practices']}. To be invited: {said}.")
    if unreached:
        whom = "1 person" if len(unreached) == 1 else f"{len(unreached)} people"
        st.text(f"Mail cannot be delivered to {whom}: correct the address under People.")
    tabs = frame_tools.tabs(
        [safe_md(_first_up(here.words["practices"])), "People", "Roles", "Import a file"], "roster_tabs"
    )
    for tab, draw in zip(tabs, (_practices, _people, _roles, _import), strict=True):
        with tab:
            draw(here, roster)


main()
