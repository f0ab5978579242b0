"""Messages to a segment: the words, whom they go to by count, sending, stopping, and how much mail is enough."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from engagement import clock
from engagement.access.audit import sha256
from engagement.errors import Conflict
from engagement.messaging import checks, desk, templates
from engagement.messaging.giveaways import KIND
from engagement.messaging.letters import AHEAD, WINDOW
from engagement.outreach import letters
from engagement.outreach.letters import Preview, Recipients, Sent, Text
from engagement.risk.segments import NAMES, SEGMENTS
from engagement.ui import frame_tools
from engagement.ui.outreach_tools import Outreach
from engagement.ui.outreach_words import many
from engagement.ui.safe import safe_md
from engagement.ui.steps import ask, run, turn

TITLE = "Messages"


def draw(found: Outreach) -> None:
    """The tab."""
    here = found.here
    with here.database.reading() as session:
        texts = letters.texts(session, here.actor, here.body.id)
        rows = letters.sent(session, here.actor, here.body.id)
        most = letters.most(session, here.actor, here.body.id)
        sizes = letters.sizes(session, here.actor, here.body.id)
    st.header("Write to a segment", anchor=False)
    st.text(
        f"A message goes to the {here.words['practices']} of a segment and, in the same words, to others that are drawn by "
        "lot. So getting it is no mark, and nothing in it may say why it came. Nobody gets one who asked for fewer messages."
    )
    _write(found, texts, sizes)
    _sent(found, rows)
    _cap(found, most)


def _write(found: Outreach, texts: tuple[Text, ...], sizes: Mapping[str, int]) -> None:
    here = found.here
    one, more = here.words["practice"], here.words["practices"]
    segment = st.selectbox(
        "Segment",
        SEGMENTS,
        # The first that has anybody in it.
        index=next((at for at, segment in enumerate(SEGMENTS) if sizes[segment]), 0),
        format_func=lambda segment: f"{NAMES[segment]} ({many(sizes[segment], one, more)})",
        key="outreach_letter_segment",
    )
    choices = {each.key: each for each in texts if each.segment == segment}
    key = st.selectbox(
        "Message",
        list(choices),
        format_func=lambda key: choices[key].name + (" (your words)" if choices[key].own else ""),
        key=f"outreach_letter_{segment}",
    )
    chosen = choices[key]
    # Changed words are another widget, which shows what is kept.
    place = f"outreach_letter_{key}_{sha256(chosen.subject + chosen.text)[:8]}"
    subject = st.text_input(
        "Subject", chosen.subject, max_chars=checks.LONGEST_SUBJECT, key=f"{place}_subject"
    )
    text = st.text_area("Text", chosen.text, height=340, max_chars=checks.LONGEST_TEXT, key=f"{place}_text")
    named = ", ".join("{" + name + "}" for name in templates.PLACEHOLDERS[KIND])
    st.text(
        f"Filled in as it leaves: {named} (each reader’s own page), and the words of the body, such as {{practice}}. Write "
        "what belongs in the place of anything in square brackets."
    )
    under_the_text = st.container()
    share = st.slider(
        "Percent of those who get it that are drawn from others",
        letters.LEAST_SHARE,
        letters.MOST_SHARE,
        letters.SHARE,
        5,
        key="outreach_letter_share",
        help=f"At least {letters.FEWEST_OTHERS}, however few there are in the segment.",
    )
    about = {"subject": subject, "text": text, "share": share}
    about["seed"] = st.session_state.setdefault(f"outreach_letter_seed_{turn()}", letters.new_seed())
    try:
        with here.database.reading() as session:
            seen = letters.preview(session, here.actor, here.body.id, here.config, segment, **about)
    except Conflict as error:
        st.text(str(error))
        return
    with under_the_text:
        for fault in seen.faults:
            st.text(f"Must be put right: {fault}.")
        _words(found, chosen, subject, text)
    st.subheader("Whom it goes to", anchor=False)
    for sentence in recipients_sentences(seen.recipients, NAMES[segment], here.words):
        st.text(sentence)
    _example(seen)
    _send(found, segment, seen, about)


def recipients_sentences(count: Recipients, segment: str, words: Mapping[str, str]) -> list[str]:
    """Whom a message goes to and who is left out, by count."""
    one, more = words["practice"], words["practices"]
    if not count.of:
        return [f"No {one} is clearly in the segment “{segment}” now."]
    out = [
        f"{number} {why}"
        for number, why in (
            (count.excluded, "asked to be left out of outreach"),
            (count.full, "had enough mail, or will have within days"),
            (count.unaddressed, "where nobody has an address"),
        )
        if number
    ]
    said = []
    if out:
        said.append(f"Of the {many(count.of, one, more)} clearly in the segment, left out: {'; '.join(out)}.")
    if not count.aimed:
        return said
    return [
        f"About {count.people} people at {many(count.practices, one, more)}: {count.aimed} of the segment “{segment}” and "
        f"{count.drawn} others, drawn by lot.",
        *said,
        f"Left out as it leaves: {people(count.opted_out)} who asked for fewer messages, and {people(count.undeliverable)} "
        f"whose address does not work. {people(count.without).capitalize()} there have no address.",
    ]


def people(count: int | None) -> str:
    """A count of people as it may be said."""
    return "fewer than 5 people" if count is None else f"about {count} people"


def _example(seen: Preview) -> None:
    if seen.words is None:
        return
    with st.expander("As a reader gets it"):
        st.text(f"Subject: {seen.words.subject}")
        st.text(seen.words.text)
        st.text("The same goes out as HTML, without images or anything that tracks.")


def _words(found: Outreach, chosen: Text, subject: str, text: str) -> None:
    here = found.here
    with st.container(horizontal=True):
        changed = (subject.strip(), text.strip()) != (chosen.subject, chosen.text)
        if st.button("Save the words", key="outreach_letter_save", disabled=not changed):
            run(
                here,
                "The words are saved.",
                letters.save_text,
                here.body.id,
                chosen.key,
                subject=subject,
                text=text,
            )
        if st.button("Go back to our words", key="outreach_letter_reset", disabled=not chosen.own):
            run(here, "Our words are used again.", letters.reset_text, here.body.id, chosen.key)


def _send(found: Outreach, segment: str, seen: Preview, about: Mapping) -> None:
    here, count = found.here, seen.recipients
    if here.config.mail.way != "smtp":
        st.text(desk.WAYS[here.config.mail.way])
    for why in seen.held:
        st.text(f"It cannot be sent now. {why}.")
    if seen.faults or seen.held:
        st.button("Send this message", key="outreach_letter_send", disabled=True)
        return
    if ask(
        "outreach_letter_send",
        "Send this message",
        f"It goes to about {count.people} people at {many(count.practices, here.words['practice'], here.words['practices'])}. "
        "It begins to leave in 5 minutes; until then all of it can be stopped.",
        "Send it",
    ):
        run(
            here,
            "The message is queued, and begins to leave in 5 minutes. You can stop it below.",
            letters.queue,
            here.body.id,
            here.config,
            segment,
            practices=count.practices,
            **about,
        )


def _sent(found: Outreach, rows: tuple[Sent, ...]) -> None:
    here = found.here
    st.header("Messages so far", anchor=False)
    if not rows:
        st.text("None yet.")
    for row in rows:
        with st.container(border=True):
            st.subheader(safe_md(row.subject), anchor=False)
            for sentence in sent_sentences(row, here.words):
                st.text(sentence)
            with st.expander("Its words"):
                st.text(row.text)
            if row.state in (letters.WAITING, letters.LEAVING) and st.button(
                "Stop this message", key=f"outreach_letter_stop_{row.id}"
            ):
                run(here, "The message is stopped.", letters.stop, here.body.id, row.id)


def sent_sentences(row: Sent, words: Mapping[str, str]) -> list[str]:
    """What became of a message, and how those who got it were found."""
    one, more = words["practice"], words["practices"]
    had = {0: f"no {one}", None: f"fewer than 5 {more}"}.get(row.reached, f"about {row.reached} {more}")
    state = {
        letters.WAITING: f"It begins to leave on {clock.show_instant(row.leaves_at)}. Nothing has left yet.",
        letters.LEAVING: f"It is leaving: {had} had some of it so far.",
        letters.DONE: f"It has gone out; {had} had it.",
        letters.STOPPED: f"It was stopped on {clock.show_instant(row.stopped_at)}; {had} had some of it by then."
        if row.stopped_at
        else "",
    }[row.state]
    return [
        f"Queued on {clock.show_instant(row.queued_at)} by {row.queued_by}, for about {row.people} people at "
        f"{many(row.practices, one, more)}. {state}",
        f"Segment “{NAMES[row.segment]}”; {row.share}% drawn from others by lot, with the seed {row.seed}.",
    ]


def _cap(found: Outreach, most: int) -> None:
    here = found.here
    st.header("How much mail is enough", anchor=False)
    st.text(
        f"A message is held back from a {here.words['practice']} that would have more than so many mails in {WINDOW.days} "
        "days, of surveys and messages together: invitations, reminders, changes and results of rounds that it was invited "
        f"to count, and what an open round sends in the next {AHEAD.days} days. It is looked at again as each mail leaves. "
        "Surveys themselves are never held back."
    )
    with st.form("outreach_letter_cap", enter_to_submit=False):
        number = st.number_input(
            f"Mails to a {safe_md(here.words['practice'])} in {WINDOW.days} days, at most",
            1,
            letters.MOST_OF_CAP,
            most,
            key=f"outreach_letter_most_{most}",
        )
        saved = st.form_submit_button("Save", key="outreach_letter_cap_save")
    if saved:
        run(here, "Saved.", letters.save_most, here.body.id, int(number))
    frame_tools.link_to("messages.py", "Mail of rounds: go to Messages", ":material/arrow_forward:")
