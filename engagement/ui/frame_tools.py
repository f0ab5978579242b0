"""Who is looking, at which body: asked anew at every rerun, so that sign-out and revoked roles count at once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session
from streamlit.errors import StreamlitAPIException

from engagement import db
from engagement.access import audit, sessions
from engagement.access.actor import ROLE_NAMES, Actor, Role
from engagement.config import Config
from engagement.db import Database
from engagement.errors import Conflict, EngagementError, Invalid, NotAllowed, NotFound
from engagement.models import Body
from engagement.words import words_of

log = logging.getLogger(__name__)
PAGES = Path(__file__).resolve().parents[2] / "pages"
BODY_KEY, PAGE_KEY = "frame_body", "frame_page"
SIGN_IN, PASSWORD = "/sign-in", "/password"


@dataclass(frozen=True)
class Current:
    """What a page needs to begin: where the data is, who asks, for which body, in which words."""

    database: Database
    actor: Actor
    body: Body
    words: Mapping[str, str]
    config: Config


def cookies(config: Config) -> dict[str, str]:
    """This browser's session cookie, empty where it has none. Taken when its websocket opened; the row decides."""
    name = sessions.cookie_name(config.secure)
    value = st.context.cookies.get(name)
    # A script run without a browser, as tests do, has stand-ins in place of cookies.
    return {name: value} if isinstance(value, str) else {}


def current_actor(session: Session, config: Config) -> Actor | None:
    """The signed-in person of this browser, or None. The one seam that tests replace, for they have no cookies."""
    return sessions.who(session, cookies(config), secure=config.secure)


def current() -> Current:
    """The person, body and database of this rerun.

    Stops the script with a page that links to sign-in when nobody is signed in, and with one that says whom to
    ask when the person has no role anywhere. Call it first on every page; never keep its result between reruns.
    """
    config = Config.load()
    database = db.get(config)
    with database.reading() as session:
        actor = current_actor(session, config)
        bodies = sessions.bodies_of(session, actor) if actor else []
        idle = actor is not None and sessions.stale(session, cookies(config), secure=config.secure)
        must_change = actor is not None and sessions.must_change_password(session, actor)
    if actor is None:
        signed_out()
    if idle:
        with database.session() as session:
            sessions.touch(session, cookies(config), secure=config.secure)
    if must_change:
        change_password_first()
    if not bodies:
        no_role()
    body = _chosen(bodies)
    return Current(database=database, actor=actor, body=body, words=words_of(body.words), config=config)


def _chosen(bodies: list[Body]) -> Body:
    wanted = st.session_state.get(BODY_KEY)
    return next((body for body in bodies if body.id == wanted), bodies[0])


def choose_body(bodies: list[Body]) -> None:
    """Draw the chooser of the body in the sidebar, for people who have a role in several."""
    if len(bodies) < 2:
        return
    names = {body.id: body.name for body in bodies}
    if st.session_state.get(BODY_KEY) not in names:
        # The body may be gone since it was chosen; the widget would refuse a value it does not offer.
        st.session_state[BODY_KEY] = bodies[0].id
    st.sidebar.selectbox("Body", list(names), format_func=names.get, key=BODY_KEY, persist_state="session")


def bodies_of(here: Current) -> list[Body]:
    """The bodies that the person may choose from."""
    with here.database.reading() as session:
        return sessions.bodies_of(session, here.actor)


def roles_in_words(actor: Actor, body_id: int) -> str:
    """ "Engagement lead, Governing body": what the person is in the body."""
    return ", ".join(ROLE_NAMES[role] for role in Role if actor.may(body_id, role))


def sign_out(here: Current) -> None:
    """End the session behind this browser's cookie; every tab is out at its next rerun."""
    with here.database.session() as session:
        sessions.sign_out(session, cookies(here.config), secure=here.config.secure)


def signed_out() -> None:
    """Show that nobody is signed in, and stop."""
    st.title("You are signed out")
    st.text(
        "You signed out, or nothing happened for a while. To carry on, reload this page or sign in again."
    )
    st.markdown(f"[Sign in]({SIGN_IN})")
    st.stop()


def change_password_first() -> None:
    """Show that a password made by somebody else must be replaced, and stop."""
    st.title("Choose your own password first")
    st.text("Your password was made by somebody else. Choose one that only you know.")
    st.markdown(f"[Choose a password]({PASSWORD})")
    st.stop()


def no_role() -> None:
    """Show that the account may not see any body, and stop."""
    st.title("You have no role yet")
    st.text("Your account works, but nobody has given it a role. Ask your engagement lead for one.")
    st.stop()


def note_view(here: Current, page: str) -> None:
    """Record that this person looked at a page of results of this body today, unless that is recorded already."""
    what = {"page": page}
    with here.database.reading() as session:
        if audit.seen_today(session, here.actor, "page.view", here.body.id, **what):
            return
    with here.database.session() as session:
        audit.record_once(session, here.actor, "page.view", here.body.id, **what)


def note_refusal(error: EngagementError) -> None:
    """Record that somebody was refused, where the error is about that. What they see does not depend on it."""
    if error.refusal is None:
        return
    try:
        with db.get(Config.load()).session() as session:
            audit.refused(session, error, str(st.session_state.get(PAGE_KEY, "page")))
    except SQLAlchemyError as fault:
        log.error("a refusal could not be recorded: %s", type(fault).__name__)


@contextmanager
def calm_errors() -> Iterator[None]:
    """Turn an expected error of a page or verb into a message that says what to do, any other into one that says so.

    Stops the script after showing one, because what follows would be drawn from nothing. What an unexpected
    error says goes to the log alone: it may quote data.
    """
    try:
        yield
    except EngagementError as error:
        show_error(error)
        st.stop()
    except Exception:
        log.exception("a page failed")
        with st.container(border=True):
            st.subheader("Something went wrong on our side", icon=":material/error:")
            st.text(
                "Nothing was changed. Reload the page; if it happens again, tell the operator of the server."
            )
        st.stop()


def show_error(error: EngagementError) -> None:
    """Show an expected error calmly: a heading by its kind, its own words, and one line for each problem.

    The words may quote what people typed, so nothing of them is taken as Markdown.
    """
    note_refusal(error)
    if isinstance(error, NotAllowed):
        title, icon = "You do not have access to this", ":material/lock:"
    elif isinstance(error, NotFound):
        title, icon = "This is not here", ":material/search_off:"
    elif isinstance(error, Conflict):
        title, icon = "This has changed in the meantime", ":material/sync_problem:"
    elif isinstance(error, Invalid):
        title, icon = "There is a problem", ":material/error:"
    else:
        title, icon = "This could not be done", ":material/error:"
    with st.container(border=True):
        st.subheader(title, icon=icon)
        st.text(str(error))
        for problem in getattr(error, "problems", []):
            st.text(f"• {problem}")


def tabs(labels: Sequence[str], key: str):
    """Tabs that know which one is open: otherwise a rerun that redraws the page goes back to the first.

    `labels` are Markdown: give fixed words, or words that went through `safe_md`.
    """
    return st.tabs(labels, key=key, on_change="rerun")


def link_to(file: str, label: str, icon: str | None = None, **query: str) -> None:
    """A link to the page in `file`, where this person's navigation has it; otherwise nothing.

    `label` is Markdown: give it fixed words, or words that went through `safe_md`.
    """
    try:
        st.page_link(PAGES / file, label=label, icon=icon, query_params=query or None)
    except StreamlitAPIException:
        # The person's role lacks the page, or the page is not part of this installation.
        return
