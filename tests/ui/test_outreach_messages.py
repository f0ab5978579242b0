"""The tab of messages to a segment: words are checked as they are typed, counts name nobody, sending asks, stopping stops."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlmodel import select

from engagement.access import Actor
from engagement.errors import NotAllowed
from engagement.models import Letter, LetterText, Member, Message, Practice, Spell
from engagement.outreach import letters
from engagement.outreach.letter_library import library
from engagement.risk.segments import CLEAR, NAMES, SEGMENTS
from engagement.ui import frame_tools, outreach_messages
from engagement.ui.outreach_words import many
from engagement.words import DEFAULTS
from tests.ui import risk_content
from tests.ui.test_risk_pages import plain, store


@pytest.fixture
def segment(database, released) -> str:
    """Thirty practices with somebody in each and an assessment; the segment that most of them are clearly in."""
    content = risk_content.content()
    store(database, released.body_id, content)
    with database.session() as session:
        for practice in session.exec(select(Practice)).all():
            member = Member(
                body_id=released.body_id, ref=practice.code, name="Dr X", email=f"{practice.code}@x.example"
            )
            session.add(member)
            session.flush()
            session.add(
                Spell(
                    body_id=released.body_id, member_id=member.id, practice_id=practice.id, role="gp_partner"
                )
            )
    clear = Counter(row["leading_segment"] for row in content["practices"] if row["clarity"] == CLEAR)
    return clear.most_common(1)[0][0]


@pytest.fixture
def open_tab(frame, released, segment):
    """Opens the tab at the segment and one of its letters that has no blanks."""

    def opener(actor: Actor):
        app = frame(actor).run()
        app.switch_page(str(frame_tools.PAGES / "outreach.py"))
        app.session_state["outreach_tabs"] = outreach_messages.TITLE
        app.session_state["outreach_letter_segment"] = segment
        app.session_state[f"outreach_letter_{segment}"] = "written"
        return app.run()

    return opener


@pytest.fixture
def short_library(monkeypatch, segment):
    """One letter, for the segment of the tests, with a link and a word of the body's."""
    one = library()[0].__class__(
        "written", segment, "A letter", "{organisation}: a visit", "Dear {person},\n\n{page}"
    )
    monkeypatch.setattr(letters, "library", lambda: (one,))
    return one


def box(app, kind: str, name: str):
    """The input whose key ends so: the rest of it changes with what is kept."""
    return next(each for each in app.get(kind) if (each.key or "").endswith(name))


def test_the_segments_are_named_with_their_size_and_one_with_somebody_comes_first(
    database, released, frame, segment
):
    """Nobody has to look for a segment that there is anybody in."""
    app = frame(released.lead).run()
    app.switch_page(str(frame_tools.PAGES / "outreach.py"))
    app.session_state["outreach_tabs"] = outreach_messages.TITLE
    app.run()
    with database.reading() as session:
        sizes = letters.sizes(session, released.lead, released.body_id)
    choice = app.selectbox(key="outreach_letter_segment")
    assert sizes[segment] and sum(sizes.values()) <= 30 and set(sizes) == set(SEGMENTS)
    assert choice.options == [
        f"{NAMES[each]} ({many(sizes[each], 'practice', 'practices')})" for each in SEGMENTS
    ]
    assert choice.value == next(each for each in SEGMENTS if sizes[each])


def test_a_message_is_worded_sent_and_stopped(database, released, short_library, open_tab, said):
    """Telling words cannot be saved or sent and say why; own words are kept and given back; sending asks with the counts, then
    queues; nobody is named; the message can be stopped."""
    app = open_tab(released.lead)
    assert not app.exception and "Messages so far" in said(app) and "None yet." in said(app)
    box(app, "text_area", "_text").input("Your {practice} is one of those that struggle.").run()
    assert "Must be put right: Take “your practice is one of” out of the text" in plain(said(app))
    assert app.button(key="outreach_letter_send").disabled
    app.button(key="outreach_letter_save").click().run()
    with database.reading() as session:
        assert session.exec(select(LetterText)).all() == []
    box(app, "text_area", "_text").input("Dear {person}, may we come? On [day]?").run()
    app.button(key="outreach_letter_save").click().run()
    assert "The words are saved." in said(app) and "place of [day]" in plain(said(app))
    assert app.button(key="outreach_letter_send").disabled
    app.button(key="outreach_letter_reset").click().run()
    assert box(app, "text_area", "_text").value == short_library.text and "Our words are used" in said(app)

    app.button(key="outreach_letter_send").click().run()
    with database.reading() as session:
        assert session.exec(select(Letter)).all() == []
    text = plain(said(app))
    assert (
        "It begins to leave in 5 minutes" in text
        and "fewer than 5 people who asked for fewer messages" in text
    )
    assert "Dr Ann Example" in text and "reaches nobody" in text
    app.button(key="outreach_letter_send_yes").click().run()
    text = plain(said(app))
    assert not app.exception and "The message is queued" in text and "Nothing has left yet." in text
    assert not any(name in text for name in ("Y000", "Practice 3", "Dr X", "tracker.example"))
    with database.reading() as session:
        (letter,) = session.exec(select(Letter)).all()
        assert f"about {letter.people} people at {letter.practices} practices" in text
        assert len(session.exec(select(Message)).all()) == letter.practices >= 4
    app.button(key=f"outreach_letter_stop_{letter.id}").click().run()
    assert "no practice had some of it by then" in plain(said(app))
    app.number_input(key="outreach_letter_most_4").set_value(2)
    app.button(key="outreach_letter_cap_save").click().run()
    with database.reading() as session:
        assert letters.most(session, released.lead, released.body_id) == 2
        with pytest.raises(NotAllowed):
            letters.sent(session, released.council, released.body_id)
    assert "Write to a segment" not in said(open_tab(released.council))


def test_counts_are_said_in_words():
    """Who is left out is said where somebody is, an empty segment as such, and no count of people below five."""
    full = letters.Recipients(9, 1, 2, 3, 3, 3, 20, None, 5, None)
    one, two, three = outreach_messages.recipients_sentences(full, "Steady", DEFAULTS)
    assert one == "About 20 people at 6 practices: 3 of the segment “Steady” and 3 others, drawn by lot."
    assert "1 asked to be left out of outreach; 2 had enough mail" in two and "3 where nobody" in two
    assert (
        three.startswith("Left out as it leaves: about 5 people who asked")
        and "Fewer than 5 people there" in three
    )
    none = letters.Recipients(0, 0, 0, 0, 0, 3, 10, None, None, None)
    assert outreach_messages.recipients_sentences(none, "Steady", DEFAULTS) == [
        "No practice is clearly in the segment “Steady” now."
    ]
