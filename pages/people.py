"""People: who may sign in, and as what. For the engagement lead."""

from __future__ import annotations

import streamlit as st

from engagement.access import ROLE_NAMES, Role, accounts, oidc, sign_in_links
from engagement.ui import frame_tools, steps
from engagement.ui.safe import safe_md

SHOWN_ONCE = "people_shown_once"
PASSWORD, PROVIDER, LINKS = "password", "provider", "links"


def _status(person: accounts.Person) -> str:
    if person.disabled:
        return "Disabled"
    if person.must_change:
        return "Has not chosen a password yet"
    return "Active"


def _second(person: accounts.Person) -> str:
    """What stands beside the password."""
    if person.connected:
        return "Connected with the provider"
    return "Second factor" if person.second_factor else "–"


def _run(here, done: str, verb, *args, link: bool = False, **kwargs) -> None:
    """Call one verb for this body, and keep what is to be passed on.

    The text that a verb returns is shown once: a password or, with `link`, the token of an invitation.
    """

    def outcome(result) -> str:
        secret = result[1] if isinstance(result, tuple) else result
        st.session_state.pop(SHOWN_ONCE, None)
        if isinstance(secret, str) and secret:
            text = f"{here.config.public_url}/sign-in/invitation/{secret}" if link else secret
            st.session_state[SHOWN_ONCE] = (here.body.id, link, text)
        elif secret == "" and kwargs.get("without_password"):
            return f"{done} They sign in with links that they ask for by e-mail."
        elif secret == "":
            return f"{done} They had an account already and keep its password."
        return done

    steps.run(here, outcome, verb, here.body.id, *args, **kwargs)


def _outcome(here) -> None:
    """Say what was just done; a secret stays until it was passed on, and is in no page drawn after that."""
    steps.said()
    body_id, link, secret = st.session_state.get(SHOWN_ONCE, (None, False, None))
    if body_id != here.body.id:
        return
    with st.container(border=True):
        if link:
            st.subheader("Pass this invitation on")
            st.text(
                "It is shown only now and works once, within a week. Whoever opens it first is connected with the "
                "account: hand it to nobody else, and do not open it yourself."
            )
        else:
            st.subheader("Pass this password on")
            st.text("It is shown only now. They must choose their own when they first sign in with it.")
        st.code(secret, language=None)
        if st.button("I have passed it on", type="primary", key="people_passed"):
            del st.session_state[SHOWN_ONCE]
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
                "Besides a password": [_second(person) for person in people],
            }
        ),
        hide_index=True,
        alt=f"The {len(people)} people with a role here: name, e-mail, roles, status and second factor.",
    )


def _ways(here) -> dict[str, str]:
    """How a new person can sign in, in words; a password alone where nothing else is set up."""
    ways = {PASSWORD: "With a password that you pass on"}
    if here.config.provider is not None:
        ways[PROVIDER] = f"With {safe_md(here.config.provider.label)}, by an invitation that you pass on"
    if here.config.mail.way != "off":
        ways[LINKS] = "With links that they ask for by e-mail (council representatives only)"
    return ways


def _add(here) -> None:
    st.subheader("Add a person")
    ways = _ways(here)
    with st.form("people_add"):
        name = st.text_input("Name", max_chars=200)
        email = st.text_input("E-mail address", max_chars=254)
        role = st.radio("Role", list(Role), index=None, format_func=ROLE_NAMES.get)
        way = PASSWORD
        if len(ways) > 1:
            way = st.radio("How will they sign in?", list(ways), format_func=ways.get)
        sent = st.form_submit_button("Add", type="primary")
    if not sent:
        return
    if role is None:
        st.error("Choose a role.")
        return
    if way == LINKS and role is not Role.COUNCIL:
        st.error("Only council representatives can sign in with links alone. Choose another way.")
        return
    done = f"{name.strip()} was added as {ROLE_NAMES[role].lower()}."
    person = {"email": email, "name": name, "role": role}
    if way == PROVIDER:
        _run(here, done, sign_in_links.create_invited, link=True, **person)
    elif way == LINKS:
        _run(here, done, accounts.create, without_password=True, **person)
    else:
        _run(here, done, accounts.create, **person)


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
    _other_ways(here, person)


def _other_ways(here, person: accounts.Person) -> None:
    """What can be done about a person's second factor, and their connection with the provider."""
    if person.second_factor:
        _ask(
            here,
            person,
            "factor",
            "Remove the second factor",
            f"For when {person.name} has lost both the phone and the recovery codes. Make sure that it is they who ask. "
            "They will be signed out everywhere, and who needs a second factor sets up a new one at the next sign-in.",
            f"The second factor of {person.name} was removed.",
            accounts.remove_second_factor,
        )
    if person.connected:
        _ask(
            here,
            person,
            "part",
            "Disconnect from the provider",
            f"{person.name} will be signed out everywhere, and can sign in through the provider again only after a new "
            "invitation.",
            f"{person.name} is no longer connected.",
            oidc.disconnect,
        )
    elif here.config.provider is not None and not person.disabled:
        _ask(
            here,
            person,
            "invite",
            "Make an invitation link",
            f"The link connects {person.name} with {here.config.provider.label}. You will see it once, to pass it on; "
            "invitations made before stop working.",
            f"{person.name} has an invitation.",
            sign_in_links.invite,
            link=True,
        )
        if here.config.mail.way != "off":
            _ask(
                here,
                person,
                "mail",
                "Send an invitation by e-mail",
                f"An invitation leaves for {person.email} within a minute; those made before stop working.",
                f"An invitation is on its way to {person.email}.",
                sign_in_links.mail_invitation,
            )


def _ask(here, person, what: str, label: str, consequence: str, done: str, verb, *args, **kwargs) -> None:
    """A button that first says what will happen, and acts only when that is confirmed."""
    key = f"people_{what}"
    if steps.asked(key, label, person.id) and steps.sure(
        key, consequence, f"Yes, {label.lower()}", "No, leave it"
    ):
        _run(here, done, verb, person.id, *args, **kwargs)


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
