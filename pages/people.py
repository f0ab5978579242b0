"""People: who may sign in, and as what. For the engagement lead."""

from __future__ import annotations

import streamlit as st

from engagement.access import ROLE_NAMES, Role, accounts
from engagement.errors import EngagementError
from engagement.ui import frame_tools

SECRET, DONE, ASKED = "people_secret", "people_done", "people_asked"


def _status(person: accounts.Person) -> str:
    if person.disabled:
        return "Disabled"
    return "Has not chosen a password yet" if person.must_change else "Active"


def _run(here, done: str, verb, *args, **kwargs):
    """Call one verb in a transaction of its own; on success keep what to say and draw the page anew."""
    try:
        with here.database.session() as session:
            result = verb(session, here.actor, here.body.id, *args, **kwargs)
    except EngagementError as error:
        frame_tools.show_error(error)
        return
    st.session_state[DONE] = done
    st.session_state.pop(ASKED, None)
    password = result[1] if isinstance(result, tuple) else result
    st.session_state.pop(SECRET, None)
    if isinstance(password, str) and password:
        st.session_state[SECRET] = (here.body.id, password)
    elif password == "":
        st.session_state[DONE] += " They had an account already and keep its password."
    st.rerun()


def _outcome(here) -> None:
    """Say what was just done; a password stays until it was passed on, and is in no page drawn after that."""
    if done := st.session_state.pop(DONE, None):
        with st.container(border=True):
            st.text(f"✓ {done}")
    body_id, password = st.session_state.get(SECRET, (None, None))
    if body_id == here.body.id:
        with st.container(border=True):
            st.subheader("Pass this password on")
            st.text("It is shown only now. They must choose their own when they first sign in with it.")
            st.code(password, language=None)
            if st.button("I have passed it on", type="primary", key="people_passed"):
                del st.session_state[SECRET]
                st.rerun()


def _list(people: list[accounts.Person]) -> None:
    import pandas as pd

    st.dataframe(
        pd.DataFrame(
            {
                "Name": [person.name for person in people],
                "E-mail": [person.email for person in people],
                "Roles": [", ".join(ROLE_NAMES[role] for role in person.roles) for person in people],
                "Status": [_status(person) for person in people],
            }
        ),
        hide_index=True,
        alt=f"The {len(people)} people with a role here: name, e-mail, roles and status.",
    )


def _add(here) -> None:
    st.subheader("Add a person")
    with st.form("people_add"):
        name = st.text_input("Name", max_chars=200)
        email = st.text_input("E-mail address", max_chars=254)
        role = st.radio("Role", list(Role), index=None, format_func=ROLE_NAMES.get)
        sent = st.form_submit_button("Add", type="primary")
    if not sent:
        return
    if role is None:
        st.error("Choose a role.")
        return
    _run(
        here,
        f"{name.strip()} was added as {ROLE_NAMES[role].lower()}.",
        accounts.create,
        email=email,
        name=name,
        role=role,
    )


def _change(here, people: list[accounts.Person]) -> None:
    st.subheader("Change a person")
    by_id = {person.id: person for person in people}
    chosen = st.selectbox(
        "Person",
        list(by_id),
        # Options of a select box are plain text; escaping would show.
        format_func=lambda key: f"{by_id[key].name} ({by_id[key].email})",
        index=None,
        key="people_person",
    )
    person = by_id.get(chosen)
    if person is None:
        return
    with st.form(f"people_roles_{person.id}"):
        roles = st.multiselect("Roles", list(Role), default=list(person.roles), format_func=ROLE_NAMES.get)
        if person.elsewhere:
            st.text("This person also has a role in another body. With no role chosen they leave this one.")
        saved = st.form_submit_button("Save roles")
    if saved:
        _run(here, f"The roles of {person.name} were saved.", accounts.set_roles, person.id, set(roles))
    if person.elsewhere:
        st.text("Only the operator of the server can disable this account or reset its password.")
        return
    if person.disabled:
        _ask(
            here,
            person,
            "enable",
            "Enable the account",
            f"{person.name} will be able to sign in again, with the same password and roles.",
            f"{person.name} can sign in again.",
            accounts.set_disabled,
            False,
        )
    else:
        _ask(
            here,
            person,
            "disable",
            "Disable the account",
            f"{person.name} will be signed out everywhere at once and cannot sign in until you enable the account.",
            f"{person.name} can no longer sign in.",
            accounts.set_disabled,
            True,
        )
    _ask(
        here,
        person,
        "reset",
        "Reset the password",
        f"{person.name} will be signed out everywhere, and the present password stops working. "
        "You will see the new one once, to pass it on.",
        f"{person.name} has a new password.",
        accounts.reset_password,
    )


def _ask(here, person, what: str, label: str, consequence: str, done: str, verb, *args) -> None:
    """A button that first says what will happen, and acts only when that is confirmed."""
    if st.session_state.get(ASKED) != (person.id, what):
        if st.button(label, key=f"people_{what}"):
            st.session_state[ASKED] = (person.id, what)
            st.rerun()
        return
    with st.container(border=True):
        st.text(consequence)
        with st.container(horizontal=True):
            yes = st.button(f"Yes, {label.lower()}", type="primary", key=f"people_{what}_yes")
            no = st.button("No, leave it", key=f"people_{what}_no")
    if yes:
        _run(here, done, verb, person.id, *args)
    if no:
        del st.session_state[ASKED]
        st.rerun()


def main() -> None:
    """Draw the page."""
    st.title("People")
    here = frame_tools.current()
    with frame_tools.calm_errors(), here.database.reading() as session:
        people = accounts.people(session, here.actor, here.body.id)
    st.text("Those who sign in. Members answer through a personal link and need no account.")
    _outcome(here)
    _list(people)
    _change(here, people)
    _add(here)


main()
