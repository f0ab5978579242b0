"""Council review: each round's results, what the council asked about them, what it was answered, who reviewed them."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from engagement import clock
from engagement.access import Role
from engagement.asks import ledger, requests, you_said
from engagement.clock import show_date
from engagement.council import proposals, results, review
from engagement.instrument.bank import short_name
from engagement.ui import asks as drawing
from engagement.ui import charts, codesign, frame_tools, sentences, show, steps
from engagement.ui.safe import safe_md

MOST_SAID = 5
METHOD = """
- **Who is counted.** Everybody on the roster at launch, as leader or grassroots member by the role that they held then.
- **Shares** are of those who answered the question, rounded to the nearest 5; “at least” and “at most” are as far as a
  figure is shown. How many answered is given in bands.
- **Two ranges.** “Had every member answered” speaks of this roster in this round. The range for comparing rounds is
  wider, and allows for people of one practice thinking alike. “Worst case” supposes nothing of those who were silent.
- **Not published** means that a figure could point at people: both groups of a gap are shown or neither. It says
  nothing of how large the figure is.
- **Nothing is changed afterwards.** A release is made once, when the round closes, and carries a fingerprint.
"""


def headline(found: review.ForReview, history: list[dict]) -> None:
    """What the round says on its headline questions, and how the gap stands among the rounds."""
    content = found.content
    st.text(f"{sentences.round_name(content)}, closed {sentences.closed_on(content)}.")
    st.text(sentences.participation_sentence(content))
    for item in sentences.headline_items(content):
        key = item["item"]
        st.subheader(safe_md(sentences.standing(content, item)), anchor=False)
        show.quote(item["text"])
        st.text(sentences.gap_sentence(content, item))
        st.text(sentences.change_sentence(item))
        show.chart("gap", history, key, charts.gap_alt(history, key))
        show.note("The gap in percentage points, round by round. Bars: the range for comparing rounds.")
        with st.expander("The figures of this chart"):
            show.table(charts.gap_table(history, key), alt=f"The gap on {short_name(key)}, round by round")


def suppressed(content: dict) -> None:
    """What the release does not print, and why."""
    st.header("What is not published", anchor=False)
    rows = [
        {
            "Question": short_name(row["item"]) if row.get("item") else "",
            "What": str(row.get("what", "")).replace("_", " ").capitalize(),
            "Why": row["why"],
        }
        for row in content.get("suppressed", [])
    ]
    if not rows:
        st.text("Everything that this round was to publish is published.")
        return
    show.table(pd.DataFrame(rows), alt="What is not published, and why")


def method(found: review.ForReview) -> None:
    """How the figures came about, and how to tell that they are the ones released."""
    content = found.content
    with st.expander("Method note"):
        st.markdown(METHOD)
        st.text(
            f"Groups are shown from {content['round']['threshold']} answers up. Promise made before the round: "
            f"{content['round'].get('promise_hash', '')[:16]}. Fingerprint of these results: "
            f"{found.content_hash[:16]}, made on {show_date(found.released_at)} by version {content['software']}."
        )


def comments(found: review.ForReview) -> None:
    """The published comments of the round: quotes as they are, themes in bands."""
    st.header("In members’ own words", anchor=False)
    if found.comments is None:
        st.text("No comments of this round are published.")
        return
    for item in found.comments["items"]:
        st.subheader(safe_md(item["text"]), anchor=False)
        if item["mark"] != "shown":
            st.text("Too few people wrote something for anything of it to be shown.")
            continue
        st.text(f"{item['writers']} people wrote something.")
        raised = [theme for theme in item["themes"] if theme["mark"] == "shown"]
        if raised:
            rows = [{"Theme": theme["label"], "People": theme["n"]} for theme in raised]
            show.table(pd.DataFrame(rows), alt="How many people raised each theme, in bands")
        show.note(
            "A theme that fewer than ten people raised, or nobody, is not listed."
            if raised
            else "No theme was raised by ten people or more."
        )
        count = len(item["quotes"])
        if not count:
            st.text("No comment may be quoted.")
            continue
        with st.expander(
            "Read the comment" if count == 1 else f"Read the {count} comments that may be quoted"
        ):
            for quote in item["quotes"]:
                with st.container(border=True):
                    st.text(quote)


def asks(here, found: list[ledger.Ask], said: list, total: requests.Balance, practices: int) -> None:
    """What practices asked, how it stands, and what was done."""
    st.header("You said, we did", anchor=False)
    st.text(drawing.summary(found, clock.today()))
    st.text(drawing.wanted_sentence(total, practices, here.words))
    drawing.you_said(said, MOST_SAID)
    frame_tools.link_to("asks.py", "All asks, with what is asked each way", ":material/forum:")


def questions(here, found: review.ForReview, asks: bool, answers: bool) -> None:
    """Questions and remarks with their answers beside them."""
    st.header("Questions and remarks", anchor=False)
    if not found.questions:
        st.text("The council has put none about this round yet.")
    for asked in found.questions:
        with st.container(border=True):
            left, right = st.columns(2, gap="large")
            with left:
                show.note(f"{review.KIND_NAMES[asked.kind]} by {asked.by}, {show_date(asked.at)}")
                st.text(asked.text)
                st.text(
                    "Members can read this."
                    if asked.public
                    else "Only the council and the leaders can read this."
                )
                if asks:
                    label = (
                        "Keep it from the members’ page" if asked.public else "Show it on the members’ page"
                    )
                    if st.button(label, key=f"public_{asked.id}"):
                        steps.run(here, "Saved.", review.set_public, asked.id, not asked.public)
            with right:
                for answer in asked.answers:
                    show.note(f"Answer by {answer.by}, {show_date(answer.at)}")
                    st.text(answer.text)
                if not asked.answers:
                    st.text("Not answered yet.")
                if answers:
                    reply(here, asked)
    if asks:
        ask(here, found)


def reply(here, asked: review.Question) -> None:
    """The form of an answer; an earlier one stays."""
    label = "Add to the answer" if asked.answers else "Answer"
    with (
        st.expander(label, expanded=not asked.answers),
        st.form(f"answer_{asked.id}", clear_on_submit=True, enter_to_submit=False),
    ):
        text = st.text_area("Your answer", max_chars=review.ANSWER_LIMIT)
        if asked.public:
            st.text("Members will read it too.")
        if st.form_submit_button("Send the answer"):
            steps.run(here, "The answer stands beside the question.", review.answer, asked.id, text)


def ask(here, found: review.ForReview) -> None:
    """The form of a question or remark."""
    st.subheader("Put a question or remark", anchor=False)
    with st.form("council_ask", enter_to_submit=False):
        kind = st.radio(
            "What it is", list(review.KIND_NAMES), format_func=review.KIND_NAMES.get, horizontal=True
        )
        text = st.text_area("Your words. Do not name people.", max_chars=review.QUESTION_LIMIT)
        public = st.checkbox("Show it, and the answer, on the members’ page")
        sent = st.form_submit_button("Send", type="primary")
    if sent:
        done = f"Your {kind} was sent."
        steps.run(here, done, review.ask, found.id, text, kind=kind, public=public)


def reviewed(here, found: review.ForReview, marks: bool) -> None:
    """Who reviewed these results, and when."""
    st.header("Reviewed on", anchor=False)
    for row in found.reviews:
        st.text(f"{show_date(row.at)}, by {row.by}")
    if not found.reviews:
        st.text("No council representative has marked these results as reviewed yet.")
    if (
        marks
        and here.actor.name not in {row.by for row in found.reviews}
        and st.button("I have reviewed these results", key="council_reviewed", type="primary")
    ):
        steps.run(here, "Your review is on record.", review.mark_reviewed, found.id)


def members_page(here, place: results.Page, lead: bool) -> None:
    """Where every member reads the same, and who may find it."""
    st.header("The members’ page", anchor=False)
    st.text("Every member can read these results, with public questions and answers, without signing in:")
    st.code(here.config.public_url + place.address, language=None, wrap_lines=True)
    st.text(
        "Everybody may find it."
        if place.open
        else "Only people with the link find it. Closed rounds point to it."
    )
    if not lead:
        return
    with st.container(horizontal=True):
        label = "Let only people with the link find it" if place.open else "Open it to everybody"
        if st.button(label, key="council_open"):
            steps.run(here, "Saved.", results.set_page, here.body.id, open_to_all=not place.open)
        if not place.open and st.button("Make a new link", key="council_link"):
            steps.run(here, "The old link no longer works.", results.renew_link, here.body.id)


def main() -> None:
    """Draw the page."""
    st.title("Council review", anchor=False)
    here = frame_tools.current()
    with frame_tools.calm_errors(), here.database.reading() as session:
        releases = review.releases(session, here.actor, here.body.id)
        place = results.page(session, here.actor, here.body.id)
        asked = ledger.listed(session, here.actor, here.body.id)
        balance = requests.balance(session, here.actor, here.body.id)
        said = you_said.you_said(session, here.body.id)
        proposed = proposals.listed(session, here.actor, here.body.id)
    asked_both_ways = (here, asked, said, requests.in_all(balance), len(balance))
    lead = here.actor.may(here.body.id, Role.LEAD)
    council = here.actor.may(here.body.id, Role.COUNCIL)
    answers = here.actor.may(here.body.id, *review.ANSWERERS)
    steps.said()
    if not releases:
        st.text("There is nothing to review yet. Results come here when a round has closed and been checked.")
        asks(*asked_both_ways)
        codesign.council_section(here, proposed, council)
        members_page(here, place, lead)
        st.stop()
    by_number = {found.content["round"]["number"]: found for found in reversed(releases)}
    number = st.selectbox(
        "Round",
        list(by_number),
        format_func=lambda n: sentences.round_name(by_number[n].content),
        key="round",
        bind="query-params",
    )
    found = by_number[number]
    history = [each.content for each in releases if each.content["round"]["number"] <= number]
    headline(found, history)
    suppressed(found.content)
    method(found)
    comments(found)
    asks(*asked_both_ways)
    questions(here, found, council, answers)
    reviewed(here, found, council)
    codesign.council_section(here, proposed, council)
    members_page(here, place, lead)
    show.downloads(found.id, number)


main()
