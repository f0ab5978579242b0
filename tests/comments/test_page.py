"""The reviewer's page: decide, take words out, reject, set themes, and publish in two steps."""

from __future__ import annotations

import dataclasses

import pytest

from engagement.comments import review
from engagement.ui.safe import safe_md
from tests.ui.conftest import frame, said  # noqa: F401


@pytest.fixture
def open_page(commented, frame):  # noqa: F811
    """Opens the page as the reviewer of a fresh round; returns the page and the round."""

    def opener(who="reviewer", **counts):
        made = commented(**counts)
        return frame(dataclasses.replace(made.people[who], bodies=(made.body_id,))).run(), made

    return opener


def press(app, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def open_texts(app) -> list[str]:
    return [area.value for area in app.text_area]


def test_the_page_lists_what_is_to_be_decided(open_page, said):  # noqa: F811
    """Redacted texts five at a time, counts by list, the themes found, and what authors hid nowhere."""
    app, _ = open_page()
    assert not app.exception and app.title[0].value == "Comments"
    text = said(app)
    assert "10–14 people wrote something." in text and "10 comments are still to be decided." in text
    assert "SECRET" not in text and "960123" not in text and len(open_texts(app)) == 5
    assert app.radio[0].options == [
        "To decide (10)",
        "Approved (0)",
        "Rejected (0)",
        "For their theme only (2)",
    ]


def test_the_way_from_the_queue_to_publication(open_page, said):  # noqa: F811
    """Approve, edit, reject and undo at the page, then publish in two steps; afterwards nothing can be changed."""
    app, made = open_page()
    before = open_texts(app)[0]
    app.text_area[0].set_value("")
    press(app, "Take the words out")
    assert "✓ The words were taken out." in said(app) and before not in open_texts(app)
    app.text_area[0].set_value("Something quite different")
    press(app, "Take the words out")
    assert "Words can only be taken out" in said(app)
    app.text_input[0].set_value("Says who it is")
    press(app, "Reject")
    app.radio[0].set_value("rejected").run()
    assert "Rejected: Says who it is" in said(app)
    press(app, "Undo")
    app.radio[0].set_value("waiting").run()
    for _ in range(10):
        press(app, "Approve")
    press(app, "Publish the approved comments")
    press(app, "No, go on reviewing")
    press(app, "Publish the approved comments")
    press(app, "Yes, publish")
    assert "The comments of this round are published." in said(app)
    assert not {"Approve", "Undo", "Take the words out"} & {button.label for button in app.button}
    with made.database.reading() as session:
        assert len(review.published(session, made.body_id)[1]["items"][0]["quotes"]) == 10


def test_themes_are_set_by_hand(open_page, said):  # noqa: F811
    """A comment for its theme only can be coded and nothing else."""
    app, _ = open_page()
    app.radio[0].set_value("theme").run()
    assert "Approve" not in {button.label for button in app.button} and not app.text_area
    app.multiselect[0].set_value(["training", "access"])
    press(app, "Save the themes")
    assert safe_md("Themes set by a reviewer: Access to services, Training") in said(app)


def test_themes_that_the_list_lacks_are_looked_for_when_asked(open_page, said):  # noqa: F811
    """With few comments there is nothing to suggest, and the page says so only when asked."""
    app, _ = open_page()
    assert "too few comments" not in said(app)
    press(app, "Look")
    assert "There are too few comments, or no such words." in said(app)


def test_too_few_writers_show_nothing(open_page, said):  # noqa: F811
    """Below ten writers there is no text, no count and nothing to publish."""
    app, _ = open_page(quotes=5, themes=2, hidden=0)
    assert "nothing of it is shown" in said(app) and not app.text_area and not app.radio
    assert "There is nothing to publish" in said(app)


def test_a_lead_with_the_role_is_refused_in_words(open_page, said):  # noqa: F811
    """Whoever runs the survey may not review, role or not, and is told whom to ask."""
    from engagement.ui import frame_tools

    app, _ = open_page("lead_too")
    app.switch_page(str(frame_tools.PAGES / "comments.py")).run()
    assert not app.exception and "neither leads the body nor runs its survey" in said(app)
    assert not app.text_area
