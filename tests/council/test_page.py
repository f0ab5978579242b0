"""The council's page, as each role sees and uses it."""

from __future__ import annotations

import pytest
from sqlmodel import select

from engagement.access import Actor, Role
from engagement.council import review
from engagement.models import Body, CouncilReview
from engagement.ui import frame_tools
from tests.web.test_results import publish_comments

HOSTILE = "Why? ![x](http://tracker.example/x.png) **now**"


@pytest.fixture
def open_page(frame):
    """A maker of the page for an actor, with what the address asks for."""

    def opener(actor, file="council.py", **query):
        app = frame(actor).run()
        app.switch_page(str(frame_tools.PAGES / file))
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    return opener


def acting(made, role: Role) -> Actor:
    return Actor(role.value, frozenset({(made.body_id, role)}), made.account_id, bodies=(made.body_id,))


def buttons(app) -> set[str]:
    return {button.label for button in app.button}


def test_the_council_reads_the_round_its_trend_and_what_is_hidden(released, open_page, said):
    """The newest round with headline, charts, method and empty states; an earlier round by its address."""
    app = open_page(released.council)
    assert not app.exception
    text = said(app)
    assert "Leaders are 65 points ahead of grassroots members in round 9" in text
    assert len(app.get("vega_lite_chart")) == 2
    assert all(chart.proto.alt.startswith("Line chart of the gap") for chart in app.get("vega_lite_chart"))
    for empty in (
        "Everything that this round was to publish is published.",
        "No comments of this round are published.",
        "The council has put none about this round yet.",
        "No council representative has marked these results as reviewed yet.",
    ):
        assert empty in text
    earlier = open_page(released.council)
    earlier.selectbox(key="round").select(4).run()
    assert "Too few answers to show the two groups apart" in said(earlier)


def test_what_is_suppressed_is_listed_with_its_reason(
    database, stored, store_round, history, open_page, said
):
    """Each figure that is not published stands there with why."""
    history[0]["suppressed"] = [{"item": "owned", "what": "leader", "why": "Too few answers."}]
    store_round(database, stored.body_id, 1, "released", history[0])
    table = next(t for t in open_page(stored.council).table if "Why" in t.value.columns)
    assert list(table.value.iloc[0]) == ["Belongs to its members", "Leader", "Too few answers\\."]


def test_published_comments_are_shown_as_they_are(database, released, open_page, said):
    """Quotes are plain text, themes are in bands, and an item with too few writers says only that."""
    publish_comments(database, released, [f"First {HOSTILE}", "Second"])
    app = open_page(released.council)
    assert f"First {HOSTILE}" in [text.value for text in app.text]
    assert "Too few people wrote something for anything of it to be shown." in said(app)
    table = next(t.value for t in app.table if "Theme" in t.value.columns)
    assert table.to_numpy().tolist() == [["Access to services", "10–14"]]


def test_a_question_goes_back_and_forth_and_is_never_markdown(database, released, open_page, said):
    """The council asks in public, the governing body answers beside it, and typed marks stay characters."""
    app = open_page(released.council)
    app.text_area[0].set_value(HOSTILE)
    app.checkbox[0].check()
    next(b for b in app.button if b.label == "Send").click().run()
    assert "✓ Your question was sent." in said(app)
    assert HOSTILE in [text.value for text in app.text] and "Members can read this." in said(app)
    assert not any("tracker" in str(m.value) for m in app.markdown)
    app = open_page(acting(released, Role.GOVERNING))
    assert "Send" not in buttons(app)
    app.text_area[0].set_value("We will look")
    next(b for b in app.button if b.label == "Send the answer").click().run()
    assert "We will look" in [text.value for text in app.text]
    app = open_page(released.council)
    next(b for b in app.button if b.label == "Keep it from the members’ page").click().run()
    with database.reading() as session:
        assert review.questions(session, released.body_id, public=True) == []


def test_an_empty_question_is_refused_in_place(released, open_page, said):
    """Sending nothing says what to do, and nothing is stored."""
    app = open_page(released.council)
    next(b for b in app.button if b.label == "Send").click().run()
    assert not app.exception and "Write the question before you send it" in said(app)


def test_a_review_is_marked_once_by_council_representatives(database, released, open_page, said):
    """The button is the council's, works once, and leaves who and when."""
    label = "I have reviewed these results"
    assert label not in buttons(open_page(released.lead))
    app = open_page(released.council)
    next(b for b in app.button if b.label == label).click().run()
    assert "by Bob Ray" in said(app) and label not in buttons(app)
    with database.reading() as session:
        assert session.exec(select(CouncilReview.reviewed_by)).all() == ["Bob Ray"]


def test_the_lead_says_who_may_find_the_members_page(database, released, open_page):
    """The lead opens the page to everybody and closes it again; the council sees its address alone."""
    app = open_page(released.council)
    assert "/r/DEMO/" in app.code[0].value and "Open it to everybody" not in buttons(app)
    app = open_page(released.lead)
    old = app.code[0].value
    next(b for b in app.button if b.label == "Make a new link").click().run()
    assert app.code[0].value != old
    next(b for b in app.button if b.label == "Open it to everybody").click().run()
    assert app.code[0].value.endswith("/r/DEMO/results")
    next(b for b in app.button if b.label == "Let only people with the link find it").click().run()
    with database.reading() as session:
        assert session.exec(select(Body)).one().results_open is False


def test_downloads_stand_below_with_everything_in_one_file(released, open_page):
    """The chosen round is offered as one file with its charts, as CSV and as JSON."""
    urls = [link.url.rsplit(".", 1)[1] for link in open_page(released.council).link_button]
    assert urls == ["zip", "csv", "json"]


def test_before_the_first_release_the_page_says_so(stored, open_page, said):
    """A body without results has an empty page that says when they come."""
    app = open_page(stored.council)
    assert not app.exception and "There is nothing to review yet" in said(app)


def test_a_comment_reviewer_sees_comments_and_no_results(released, frame, said):
    """The role alone opens the comments page first, and no page of results is there to be reached."""
    app = frame(acting(released, Role.REVIEWER)).run()
    assert not app.exception and app.title[0].value == "Comments"
    assert "There is nothing to review yet" in said(app)
    for file in ("overview.py", "council.py", "people.py"):
        with pytest.raises(ValueError):
            app.switch_page(str(frame_tools.PAGES / file))
    with pytest.raises(ValueError):
        frame(released.council).run().switch_page(str(frame_tools.PAGES / "comments.py"))
