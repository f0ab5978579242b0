"""Messages: what members are sent and when, in which words, and what did not arrive. For the engagement lead."""

from __future__ import annotations

import streamlit as st

from engagement import clock
from engagement.access import Role
from engagement.errors import EngagementError
from engagement.messaging import bounces, desk, quiet, settings, templates
from engagement.ui import frame_tools, show, steps


def _now(here, found: desk.Desk) -> None:
    st.text(desk.WAYS[found.way])
    if found.sender and found.way == "smtp":
        st.text(f"From: {found.sender}")
    if found.way == "smtp" and not found.sender:
        st.error("No sender is named, so no mail leaves. Name one below.")
    if found.trouble:
        with st.container(border=True):
            st.subheader("Mail is held up", icon=":material/error:", anchor=False)
            st.text(found.trouble)
    if found.without_address:
        st.text(f"{found.without_address} of those invited to the open round have no e-mail address.")
        frame_tools.link_to("roster.py", "Go to Roster", ":material/arrow_forward:")
    if found.paused:
        st.warning(
            "The open round is paused: none of its messages leaves until it is resumed on the Rounds page."
        )
    if found.reminder_at:
        st.text(
            f"Next reminder: {clock.show_instant(found.reminder_at)}, or the first working day after that. It goes to "
            "links that were not used, and nobody is told whose they are."
        )


def _sent(found: desk.Desk) -> None:
    st.header("What was sent", anchor=False)
    frame_tools.link_to(
        "outreach.py", "Messages that you write to a segment: go to Outreach", ":material/arrow_forward:"
    )
    if not found.sent:
        st.text("Nothing yet. The invitations leave by themselves when a round opens.")
        return
    import pandas as pd

    show.table(
        pd.DataFrame(
            {
                "Round": [str(row.round) for row in found.sent],
                "Message": [
                    templates.KIND_NAMES[row.kind] + (f" {row.number}" if row.kind == "reminder" else "")
                    for row in found.sent
                ],
                "From": [clock.show_instant(row.queued_at) for row in found.sent],
                "People": [
                    f"about {row.people}" if row.kind == "reminder" else str(row.people) for row in found.sent
                ],
                "State": ["Still leaving" if row.left else "Done" for row in found.sent],
            }
        ),
        alt=f"The {len(found.sent)} mailings of this body with round, time, number of people and state.",
    )
    show.note(
        "Reminders are counted to the nearest 5. People who asked for fewer messages, and addresses that do not "
        "work, are left out without being listed here."
    )


def _not_arrived(here, found: desk.Desk) -> None:
    if not (found.undelivered or found.undeliverable):
        return
    st.header("What did not arrive", anchor=False)
    with here.database.reading() as session:
        letters = bounces.dead_letters(session, here.actor, here.body.id)
        people = bounces.undeliverable(session, here.actor, here.body.id)
    if people:
        st.text("These addresses do not exist, the mail server says. Correct them in the roster.")
        import pandas as pd

        st.dataframe(
            pd.DataFrame(
                {
                    "Number": [person.ref for person in people],
                    "Name": [person.name or "" for person in people],
                    "E-mail": [person.address for person in people],
                }
            ),
            hide_index=True,
            alt=f"The {len(people)} people whose address does not exist.",
        )
        frame_tools.link_to("roster.py", "Correct them in the roster", ":material/arrow_forward:")
        _deliver_again(here, people)
    if letters:
        st.text("To these addresses a message could not be sent after many tries.")
        for letter in letters:
            with st.container(border=True):
                st.text(f"{letter.address}\n{letter.reason}")
                if st.button("Try again", key=f"messages_retry_{letter.id}"):
                    steps.run(
                        here, "It is tried again within a minute.", bounces.retry, here.body.id, letter.id
                    )


def _deliver_again(here, people: list[bounces.Undeliverable]) -> None:
    by_id = {person.member_id: person for person in people}
    chosen = st.selectbox(
        "An address that works after all",
        list(by_id),
        index=None,
        # Options of a select box are plain text; escaping would show.
        format_func=lambda key: by_id[key].address,
        key="messages_again",
    )
    if chosen is not None and st.button("Send to this address again"):
        steps.run(here, "The address gets mail again.", bounces.deliver_again, here.body.id, chosen)


def _words(here) -> None:
    st.header("Words", anchor=False)
    kind = st.selectbox(
        "Message", list(templates.KIND_NAMES), format_func=templates.KIND_NAMES.get, key="messages_kind"
    )
    with here.database.reading() as session:
        now = desk.template(session, here.actor, here.body.id, kind)
    # A changed template is another widget, which shows what is kept.
    turn = f"{kind}_{abs(hash((now.subject, now.text)))}"
    subject = st.text_input("Subject", now.subject, max_chars=150, key=f"messages_subject_{turn}")
    text = st.text_area("Text", now.text, height=320, max_chars=4000, key=f"messages_text_{turn}")
    named = ", ".join("{" + name + "}" for name in templates.PLACEHOLDERS[kind])
    st.text(f"Filled in when it is sent: {named}. The words of the body can be used too, such as {{body}}.")
    with here.database.reading() as session:
        seen = desk.preview(session, here.actor, here.body.id, here.config, kind, subject=subject, text=text)
    for fault in seen.faults:
        st.text(f"Must be put right: {fault}.")
    if seen.words:
        with st.expander("Preview"):
            st.text(f"Subject: {seen.words.subject}")
            st.text(seen.words.text)
            st.text("The same goes out as HTML, without images or anything that tracks.")
    with st.container(horizontal=True):
        if st.button("Save the words", type="primary", disabled=bool(seen.faults)):
            steps.run(
                here,
                "The words are saved.",
                settings.save_template,
                here.body.id,
                kind,
                subject=subject,
                text=text,
            )
        if st.button("Go back to our words", disabled=now == templates.DEFAULTS[kind]):
            steps.run(here, "Our words are used again.", settings.reset_template, here.body.id, kind)
        test = st.button("Send me a test")
    if test:
        _test(here, kind)


def _test(here, kind: str) -> None:
    try:
        with here.database.reading() as session:
            address = desk.send_test(session, here.actor, here.body.id, here.config, kind)
    except EngagementError as error:
        frame_tools.show_error(error)
        return
    st.text(f"A test has left for {address}, in the words that are saved. Its links lead nowhere.")


def _settings(here) -> None:
    st.header("Sender and reminders", anchor=False)
    with here.database.reading() as session:
        now = settings.read(session, here.actor, here.body.id)
    with st.form("messages_settings"):
        name = st.text_input(
            "Sender’s name",
            now.sender_name or "",
            max_chars=100,
            placeholder=None,
            help="Empty: the body’s name.",
        )
        address = st.text_input(
            "Sender’s address",
            now.sender_address or "",
            max_chars=254,
            help="Empty: the server’s own. Your mail server must let us send from it.",
        )
        reply = st.text_input(
            "Answers go to", now.reply_to or "", max_chars=254, help="Empty: to the sender."
        )
        most = st.number_input("Reminders in a round, at most", 0, 7, now.reminders)
        gap = st.number_input("Days between messages, at least", 2, 60, now.gap_days)
        days = st.text_area(
            "Quiet days of your own",
            quiet.show_days(now.quiet_days),
            height=120,
            help="One to a line: 2026-12-24, or 2026-12-24 to 2027-01-02.",
        )
        st.text(
            "Reminders leave between 8am and 6pm on working days: never at weekends or on bank holidays of England "
            f"and Wales (known until {quiet.LAST_YEAR})."
        )
        sent = st.form_submit_button("Save", type="primary")
    if sent:
        steps.run(
            here,
            "Saved.",
            settings.save,
            here.body.id,
            here.config,
            sender_name=name,
            sender_address=address,
            reply_to=reply,
            reminders=int(most),
            gap_days=int(gap),
            quiet_days=days,
        )


def main() -> None:
    """Draw the page."""
    here = frame_tools.current()
    st.title("Messages", anchor=False)
    here.actor.require(here.body.id, Role.LEAD)
    steps.said()
    with here.database.reading() as session:
        found = desk.look(session, here.actor, here.body.id, here.config)
    _now(here, found)
    _sent(found)
    _not_arrived(here, found)
    _words(here)
    _settings(here)


main()
