"""The outreach page: from a proposal to an accepted plan, a change by hand, a visit logged, and what others may read."""

from __future__ import annotations

from datetime import date

import pytest

from engagement import clock
from engagement.outreach import contacts, peers, plan, team
from engagement.ui import frame_tools, outreach_words
from tests.ui import risk_content
from tests.ui.test_risk_pages import plain, store, table_with


@pytest.fixture
def ready(database, released):
    """Thirty practices with an assessment, and one person who makes contacts."""
    store(database, released.body_id, risk_content.content())
    with database.session() as session:
        team.save_person(session, released.lead, released.body_id, name="Dr *Visitor*", hours=9)
    return released


@pytest.fixture
def open_page(frame):
    """A maker of the page for an actor, on one of its tabs, with what the address asks for."""

    def opener(actor, tab=None, **query):
        app = frame(actor).run()
        app.switch_page(str(frame_tools.PAGES / "outreach.py"))
        if tab:
            app.session_state["outreach_tabs"] = tab
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    return opener


def rows_of(database, ready, *states):
    with database.reading() as session:
        return contacts.rows(session, ready.lead, ready.body_id, states=states)


def test_a_plan_is_proposed_changed_by_hand_and_accepted(database, ready, open_page, said):
    """One press proposes; the page says what it rests on; a contact is moved, taken back, and the plan accepted; names that are
    Markdown stay names."""
    app = open_page(ready.lead)
    assert not app.exception and "There is no plan yet" in said(app)
    app.button(key="outreach_propose").click().run()
    text = plain(said(app))
    assert not app.exception and "Nothing is planned until you accept it" in text
    assert "Proposal of " in text and "10% of contacts by lot" in text and "All rules are kept." in text
    assert "](http" not in said(app) and "Dr *Visitor*" in text and "Dr *Visitor*" not in said(app)
    table = table_with(app, "Why")
    assert len(table) and table_with(app, "At most")["Group"].tolist()[:2] == ["North Vale", "South Vale"]

    one = rows_of(database, ready, "proposed")[0]
    turn = app.session_state["steps_turn"]
    app.selectbox(key=f"outreach_change_{turn}").select(one.id).run()
    key = f"outreach_edit_{one.id}_{turn}"
    app.selectbox(key=f"{key}_action").select("papers").run()
    app.date_input(key=f"{key}_day").set_value(date(one.month.year, one.month.month, 9)).run()
    app.button(key="outreach_save").click().run()
    assert not app.exception and "was changed by hand" in said(app)
    (changed,) = [row for row in rows_of(database, ready, "proposed") if row.id == one.id]
    assert (changed.action, changed.by_hand) == ("papers", True) and changed.visit_at is not None
    app.selectbox(key=f"outreach_change_{turn + 1}").select(one.id).run()
    app.button(key="outreach_undo").click().run()
    assert next(row for row in rows_of(database, ready) if row.id == one.id).action == one.action

    app.button(key="outreach_accept").click().run()
    assert not app.exception and "The plan is accepted" in said(app)
    assert rows_of(database, ready, "proposed") == () and rows_of(database, ready, "planned")
    app.button(key="outreach_unaccept").click().run()
    app.button(key="outreach_discard").click().run()
    assert rows_of(database, ready, "proposed")
    app.button(key="outreach_discard_yes").click().run()
    assert rows_of(database, ready) == () and "The proposal is gone" in said(app)


def test_from_a_practice_to_a_planned_visit_that_is_logged(database, ready, frame, open_page, said):
    """A practice's page leads the lead to planning; planned, it is logged with what was heard and a next step, which is then
    ticked off; what is wrong is said and nothing typed is lost."""
    app = frame(ready.lead).run()
    app.switch_page(str(frame_tools.PAGES / "practice.py"))
    app.query_params["practice"] = "Y00003"
    app.run()
    assert any("Plan a visit" in link.label for link in app.page_link)
    app = open_page(ready.lead, practice="Y00003")
    assert "Plan a contact with Practice 3" in [head.value for head in app.header]
    app.button(key="outreach_add_save").click().run()
    assert not app.exception and "Practice 3 is planned" in said(app)
    (row,) = rows_of(database, ready, "planned")
    assert (row.practice, row.action, row.why) == ("Y00003", "visit", "hand")

    app = open_page(ready.lead, contact=str(row.id))
    key = f"outreach_entry_{row.id}_0"
    app.text_area(key=f"{key}_heard").input("They want a *nurse*").run()
    app.date_input(key=f"{key}_by").set_value(clock.today()).run()
    app.button(key="outreach_log_save").click().run()
    assert "Say what the next step is" in said(app)
    assert app.text_area(key=f"{key}_heard").value == "They want a *nurse*"
    app.text_input(key=f"{key}_step").input("Ring").run()
    app.button(key="outreach_log_save").click().run()
    assert not app.exception and "is logged for" in said(app)
    (row,) = rows_of(database, ready, "done")
    assert (row.heard, row.next_step, row.outcome) == ("They want a *nurse*", "Ring", "met")

    app = open_page(ready.lead, "Log")
    assert table_with(app, "What came of it")["Next step"].tolist() == ["Ring"]
    app.button(key=f"outreach_step_{row.id}").click().run()
    assert rows_of(database, ready, "done")[0].next_done_on == clock.today()


def test_an_unplanned_contact_is_logged_and_taken_back(database, ready, open_page, said):
    """A contact that nobody planned is logged with its practice; without a practice the page says so; an entry is taken back."""
    app = open_page(ready.lead, "Log")
    app.selectbox(key="outreach_log_0").select(0).run()
    app.button(key="outreach_log_save").click().run()
    assert rows_of(database, ready) == () and any("Choose a" in error.value for error in app.error)
    app.selectbox(key="outreach_unplanned_0_where").select("Y00007").run()
    app.button(key="outreach_log_save").click().run()
    assert not app.exception and "![" not in table_with(app, "What came of it").to_csv()
    (row,) = rows_of(database, ready, "done")
    app.selectbox(key="outreach_past_1").select(row.id).run()
    app.button(key="outreach_unlog").click().run()
    assert not app.exception and rows_of(database, ready, "done") == ()


def test_buddies_and_groups_are_agreed_and_kept(database, ready, open_page, said):
    """Pairs are proposed with a runner-up, run when both ticks are set, and groups are kept after a look."""
    app = open_page(ready.lead, "Buddies and peers")
    app.button(key="outreach_groups").click().run()
    assert not app.exception and "groups are kept" in said(app)
    app.button(key="outreach_pairs").click().run()
    assert not app.exception
    with database.reading() as session:
        kept = peers.groups(session, ready.lead, ready.body_id)
        pairs = peers.pairs(session, ready.lead, ready.body_id)
    assert sum(len(group.members) for group in kept) == 30
    if not pairs:
        assert "No pair can be proposed" in said(app)
        return
    one = pairs[0]
    for strong in (True, False):
        app.checkbox(key=f"pair_{one.id}_{strong}_None_{one.strong}").check().run()
    assert not app.exception and "Both agreed" in plain(said(app))


def test_actions_people_left_out_and_rules_are_changed(database, ready, open_page, said):
    """Each form saves by its verb; going back to the catalogue and lifting an exclusion are one press."""
    app = open_page(ready.lead, "Actions")
    app.selectbox(key="outreach_action_0").select("visit").run()
    app.number_input(key="outreach_action_visit_0_hours").set_value(2.5).run()
    app.button(key="outreach_action_save").click().run()
    assert "Engagement GP, 2.5 hours" in plain(said(app))
    app.selectbox(key="outreach_action_1").select("visit").run()
    app.button(key="outreach_action_reset").click().run()
    assert "Engagement GP, 3 hours" in plain(said(app)) and "NHS England alone" in said(app)

    app = open_page(ready.lead, "People and rules")
    app.text_input(key="outreach_exclude_0_why").input("Asked for peace").run()
    app.selectbox(key="outreach_exclude_0").select("Y00005").run()
    app.button(key="outreach_exclude_save").click().run()
    assert not app.exception and "Asked for peace" in said(app)
    app.button(key="outreach_include_Y00005").click().run()
    assert "Nobody is left out." in said(app)
    app.selectbox(key="outreach_person_2").select(0).run()
    app.text_input(key="outreach_person_new_2_name").input("Office").run()
    app.button(key="outreach_person_save").click().run()
    assert not app.exception and len(table_with(app, "Hours a month")) == 2
    app.number_input[0].set_value(3)
    next(button for button in app.button if button.label == "Save the rules").click().run()
    with database.reading() as session:
        assert team.settings(session, ready.lead, ready.body_id).months == 3


def test_the_council_reads_counts_and_no_practice(database, ready, open_page, said):
    """A council representative sees how much is planned and made, the catalogue and the ladder, and nothing of where."""
    with database.session() as session:
        plan.accept(session, ready.lead, plan.propose(session, ready.lead, ready.body_id))
        contacts.log_unplanned(
            session, ready.lead, ready.body_id, "Y00002", action="visit", done_on=clock.today(), outcome="met",
            heard="A secret",
        )  # fmt: skip
        planned = len(contacts.rows(session, ready.lead, ready.body_id, states=["planned"]))
    app = open_page(ready.council, practice="Y00002")
    text = plain(said(app))
    assert not app.exception and f"{planned} contacts are planned; 1 were made so far" in text
    assert "Practice " not in text.replace("Practice,", "") and "secret" not in text and "Y000" not in text
    assert "1 of 30 practices were met" in text and not app.button(key="frame_sign_out").disabled
    assert [button.key for button in app.button] == ["frame_sign_out"]


def test_words_of_a_plan_are_plain(database, ready):
    """What gave is said in the order in which rules give, with names; a plan of one month is named by it."""
    with database.session() as session:
        team.save_settings(
            session,
            ready.lead,
            ready.body_id,
            months=1,
            floor_months=1,
            rest_months=0,
            random_share=50,
            slack=0,
        )
        plan.propose(session, ready.lead, ready.body_id, seed=3)
    with database.reading() as session:
        made = plan.newest(session, ready.lead, ready.body_id)
    words = {"practice": "surgery", "practices": "surgeries"}
    said = outreach_words.gave(made, {"Y00001": "One"}, words)
    assert "The floor gave for" in said[-1] and "surgeries" in said[-1]
    assert outreach_words.span(made) == outreach_words.month_name(made.first_month)
    assert "too few" in outreach_words.pace(made, words)
    assert outreach_words.many(1, "contact", "contacts") == "1 contact"
    assert outreach_words.listed([str(at) for at in range(9)], {}) == "0, 1, 2, 3, 4, 5 and 3 more"
