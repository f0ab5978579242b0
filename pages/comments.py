"""Comments: the reviewer's queue. Approve, take words out, reject, set themes; then publish once."""

from __future__ import annotations

import streamlit as st

from engagement.comments import review
from engagement.comments.themes import FRAME
from engagement.ui import frame_tools, steps
from engagement.ui.safe import safe_md
from engagement.ui.show import note

PAGE = 5
THEMES = {theme.key: theme.label for theme in FRAME}
SHOW = {
    "waiting": "To decide",
    "approved": "Approved",
    "rejected": "Rejected",
    "theme": "For their theme only",
}
RULES = """
- Names, practices, phone numbers, postcodes, e-mail addresses and NHS numbers are taken out before you see a comment.
  Take out whatever else could point at a person: a rare role, an event, a way of putting things.
- You can take words out, and a mark shows where. You cannot add words, or put any back that were taken out.
- “For their theme only” is never quoted. Comments that their authors hid are not shown to anybody, you included.
- Publishing is final: quotes appear shuffled, with no date, no group and no rating.
"""


def kind_of(entry: review.Entry) -> str:
    """Which list of the page a comment is in."""
    return "theme" if entry.choice == "theme" else entry.status


def one(here, entry: review.Entry, final: bool) -> None:
    """A comment with what can be done about it."""
    with st.container(border=True):
        st.text(entry.text)
        if entry.reason:
            st.text(f"Rejected: {entry.reason}")
        chosen = ", ".join(THEMES[key] for key in THEMES if key in entry.themes) or "none"
        note(f"Themes {'set by a reviewer' if entry.coded else 'found by the product'}: {chosen}")
        if final:
            return
        quotable = entry.choice == "quote"
        if quotable:
            decide(here, entry)
        with st.expander(
            "Take words out, reject, or correct the themes" if quotable else "Correct the themes"
        ):
            if quotable:
                change(here, entry)
            with st.form(f"themes_{entry.id}"):
                themes = st.multiselect(
                    "Themes",
                    list(THEMES),
                    default=[key for key in THEMES if key in entry.themes],
                    format_func=THEMES.get,
                )
                saved = st.form_submit_button("Save the themes")
            if saved:
                steps.run(here, "The themes were saved.", review.code, entry.id, themes)


def decide(here, entry: review.Entry) -> None:
    """The decision at one press, and the way back."""
    with st.container(horizontal=True):
        if entry.status != "approved" and st.button(
            "Approve", key=f"approve_{entry.id}", type="primary", icon=":material/check:"
        ):
            steps.run(here, "The comment was approved.", review.approve, entry.id)
        if (entry.status != "waiting" or entry.edited) and st.button(
            "Undo", key=f"undo_{entry.id}", icon=":material/undo:"
        ):
            steps.run(here, "The comment waits again, as it was at first.", review.undo, entry.id)


def change(here, entry: review.Entry) -> None:
    """The forms that take words out of a comment, or keep it from being quoted."""
    with st.form(f"edit_{entry.id}", enter_to_submit=False):
        text = st.text_area("Delete what should go; a mark will show where", value=entry.text, max_chars=2000)
        cut = st.form_submit_button("Take the words out")
    if cut:
        steps.run(here, "The words were taken out. Now approve or reject it.", review.edit, entry.id, text)
    if entry.status == "rejected":
        return
    with st.form(f"reject_{entry.id}"):
        reason = st.text_input("Why it should not be quoted", max_chars=300)
        out = st.form_submit_button("Reject")
    if out:
        steps.run(here, "The comment was rejected.", review.reject, entry.id, reason)


def question(here, round_id: int, found: review.Question, final: bool) -> None:
    """One open question: its comments in four lists, a few at a time."""
    st.header(safe_md(found.text), anchor=False)
    if found.writers is None:
        st.text(review.TOO_FEW)
        return
    lists = {kind: [entry for entry in found.entries if kind_of(entry) == kind] for kind in SHOW}
    st.text(f"{found.writers} people wrote something.")
    kind = st.radio(
        "Show",
        list(SHOW),
        format_func=lambda kind: f"{SHOW[kind]} ({len(lists[kind])})",
        horizontal=True,
        key=f"kind_{found.item}",
    )
    entries = lists[kind]
    if not entries:
        st.text("Nothing here.")
    pages = -(-len(entries) // PAGE)
    page = 1
    if pages > 1:
        page = st.number_input("Page", 1, pages, key=f"page_{found.item}_{kind}")
        note(f"Page {page} of {pages}")
    for entry in entries[(page - 1) * PAGE : page * PAGE]:
        one(here, entry, final)
    with st.expander("Look for themes that the list lacks"):
        st.text("Words that often stand together in these comments and belong to none of the eight themes.")
        if st.button("Look", key=f"suggest_{found.item}"):
            with here.database.reading() as session:
                lists = review.suggestions(session, here.actor, round_id, found.item)
            for words in lists:
                st.text("• " + ", ".join(words))
            if not lists:
                st.text("There are too few comments, or no such words.")


def publishing(here, queue: review.Queue) -> None:
    """The one publication, with a second step."""
    st.header("Publish", anchor=False)
    if queue.published:
        st.text("The comments of this round are published. What is published is not changed.")
        return
    if not queue.can_publish():
        waiting = queue.waiting()
        st.text(
            f"{waiting} comments are still to be decided."
            if waiting
            else "There is nothing to publish: no question has comments by ten people."
        )
        return
    key = "comments_publish"
    if steps.asked(key, "Publish the approved comments", primary=True) and steps.sure(
        key,
        "The approved comments and the themes are published once, and cannot be changed or taken back.",
        "Yes, publish",
        "No, go on reviewing",
    ):
        steps.run(here, "The comments are published.", review.publish, queue.round_id)


def main() -> None:
    """Draw the page."""
    st.title("Comments", anchor=False)
    here = frame_tools.current()
    with frame_tools.calm_errors():
        with here.database.reading() as session:
            review.require_reviewer(session, here.actor, here.body.id)
            rounds = review.rounds(session, here.actor, here.body.id)
        if not rounds:
            st.text(
                "There is nothing to review yet. Comments come here when a round that asked for them is published."
            )
            st.stop()
        titles = {number: f"Round {number}: {title}" for _, number, title in rounds}
        ids = {number: round_id for round_id, number, _ in rounds}
        number = st.selectbox("Round", list(titles), format_func=titles.get, key="round", bind="query-params")
        steps.said()
        with here.database.reading() as session:
            queue = review.queue(session, here.actor, ids[number])
    with st.expander("What you can do, and cannot"):
        st.markdown(RULES)
    for found in queue.questions:
        question(here, queue.round_id, found, queue.published)
    publishing(here, queue)


main()
