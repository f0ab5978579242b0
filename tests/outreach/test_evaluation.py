"""What is said of whether visits worked: finished figures with their words, and nothing where too few stand behind them."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import pytest

from engagement.access import Actor, Role
from engagement.errors import NotFound
from engagement.outreach import contacts, evaluation, order
from engagement.words import DEFAULTS
from tests.assessments.conftest import ITEMS, Invented, installed, ref  # noqa: F401
from tests.support import OPERATOR

PRACTICES = 24


def met(installed, body_id: int, codes, day: date) -> None:  # noqa: F811
    """Log a visit to each practice."""
    with installed.database.session() as session:
        for code in codes:
            contacts.log_unplanned(
                session, OPERATOR, body_id, code, action="visit", done_on=day, outcome="met"
            )


def evaluate(installed, body_id: int, actor=OPERATOR, **options):  # noqa: F811
    """The evaluation of a body."""
    installed.assessed(body_id)
    with installed.database.reading() as session:
        return evaluation.evaluate(session, actor, body_id, **options)


def lifted(invented: Invented, number: int, practices) -> Invented:
    """The same, but everybody in some practices answers a round, and as favourably as can be."""
    for practice in practices:
        for member in range(invented.sizes[practice]):
            for item in ITEMS:
                invented.answers[number, ref(practice, member), item] = 5
    return invented


def test_visits_that_work_show_against_the_forecast_and_by_lot(installed, monkeypatch):  # noqa: F811
    """Where all people of the practices drawn first answer, and gladly, both measures show it, with bands and whole numbers
    of practices; the council may read it, no practice is named, and before and after never stand alone."""
    monkeypatch.setattr(order, "secrets", SimpleNamespace(token_hex=lambda size: "5a" * size))
    invented = Invented.make(4, practices=PRACTICES, ticking=1.0)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past(last=3))
    installed.assessed(body_id)
    codes = [f"P{place:03d}" for place in range(PRACTICES)]
    with installed.database.session() as session:
        order.discard(session, OPERATOR, order.draw(session, OPERATOR, body_id, codes, capacity=10).id)
        drawn = order.draw(session, OPERATOR, body_id, codes, capacity=10)
        drawn = order.reveal(session, OPERATOR, drawn.id)
    places = [int(code[1:]) for code in drawn.early]
    installed.bring(body_id, lifted(invented, 4, places).past(first=4))
    met(installed, body_id, drawn.early[:9], date(2012, 7, 1))
    met(installed, body_id, drawn.order[-1:], date(2012, 8, 1))
    council = Actor("c", frozenset({(body_id, Role.COUNCIL)}))
    found = evaluate(installed, body_id, council)
    assert (found.after, found.before) == (3, 4) and found.why is None
    for figures, by, treated in ((found.figures, "forecast", 10), (found.lot, "lot", 10)):
        share, score = figures
        assert share.by == by and share.low > 0 and score.low > 0
        assert share.estimate == pytest.approx(round(share.estimate / 0.05) * 0.05)
        assert score.estimate == pytest.approx(round(score.estimate, 1))
        assert share.treated == treated and share.treated + share.others == PRACTICES
        assert share.n_treated in ("30–49", "50+") and share.n_others
    assert "rose more than chance" in found.headline
    assert any("drawn to come first, 9 were met" in line for line in found.order)
    assert any("drawn to come later, 1." in line for line in found.order)
    assert any("thrown away unseen before it: 1" in line for line in found.order)
    assert {each.measure for each in found.changes} == {"share", "score"}
    assert "regression to the mean" in found.regression
    words = " ".join(
        [
            found.headline,
            *(each.text for each in (*found.figures, *found.lot, *found.changes)),
            *found.order,
            *found.power,
        ]
    )
    assert not any(code in words for code in codes)
    assert "95% interval" in words and "8 visits before the next round can show an effect only if" in words
    with installed.database.reading() as session, pytest.raises(NotFound):
        evaluation.evaluate(session, Actor("s", frozenset({(body_id + 1, Role.LEAD)})), body_id)


def test_too_few_and_too_early_give_the_power_and_no_figure(installed):  # noqa: F811
    """Before the third round, and with four practices met, there is no figure, only why, and what visits could show."""
    invented = Invented.make(3, practices=PRACTICES)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past(last=2))
    early = evaluate(installed, body_id)
    assert early.after is None and "third round" in early.why and not early.figures
    assert any("One CCG alone can hardly prove" in line for line in early.power)
    installed.bring(body_id, invented.past(first=3))
    met(installed, body_id, ["P001", "P005", "P009", "P013"], date(2011, 6, 1))
    found = evaluate(installed, body_id)
    assert not found.figures and not found.changes and "4 practices were met" in found.why
    assert "only if it is very large" in found.power[0]
    assert "too few" in evaluate(installed, body_id, visits=3).power[0]
    met(installed, body_id, ["P017"], date(2011, 6, 2))
    found = evaluate(installed, body_id)
    share, score = found.figures
    assert share.estimate is not None and share.treated == 5
    # Nobody agreed that answers count: none of them may speak for a practice met.
    assert score.estimate is None and "whose answers may count" in score.why
    # What is said of one visit more is rough: a round visited by all has nobody left to compare with.
    met(installed, body_id, [f"P{place:03d}" for place in range(PRACTICES)], date(2011, 6, 3))
    assert all(each.estimate is None for each in evaluate(installed, body_id).figures)


def test_rounds_and_bodies_are_taken_together(installed, monkeypatch):  # noqa: F811
    """Visits before several rounds of a body, and in several bodies, give one figure each; two are too few for one."""
    bodies = []
    for number, code in enumerate(("B1", "B2")):
        invented = Invented.make(4, practices=18, seed=number, ticking=1.0)
        body_id = installed.body(invented, code)
        installed.bring(body_id, invented.past())
        for year in (2011, 2012):
            met(
                installed, body_id, [f"P{place:03d}" for place in range(year - 2011, 18, 3)], date(year, 9, 1)
            )
        bodies.append(body_id)
        assert evaluate(installed, body_id).rounds == ()
        with monkeypatch.context() as patch:
            patch.setattr(evaluation, "POOLED_FROM", 2)
            found = evaluate(installed, body_id)
        assert {each.by for each in found.rounds} == {"rounds"}
        assert "2 rounds together" in found.rounds[0].text
        assert found.rounds[0].treated >= 10
    with installed.database.reading() as session:
        assert evaluation.pooled(session, OPERATOR, bodies) == ()
        monkeypatch.setattr(evaluation, "POOLED_FROM", 2)
        figures = evaluation.pooled(session, OPERATOR, bodies)
        assert figures[0].measure == "share" and figures[0].treated >= 10
        assert all(each.by == "bodies" and "2 bodies together" in each.text for each in figures)
        assert evaluation.pooled(session, OPERATOR, bodies[:1]) == ()
        with pytest.raises(NotFound):
            evaluation.pooled(session, Actor("s", frozenset({(bodies[0], Role.LEAD)})), bodies)


def test_rounds_that_asked_otherwise_are_not_compared():
    """After an anonymous round, and where one round asked each practice and the other everybody, it says why not."""
    confidential, view, anonymous = (
        SimpleNamespace(tier=tier) for tier in ("confidential", "practice-view", "anonymous")
    )
    rounds = SimpleNamespace(rounds=(confidential, confidential, view, anonymous))
    seen = evaluation._Seen((1, 2, 4, 5), (), rounds, (), None)
    assert seen.why_not(1, DEFAULTS) is None and seen.newest_comparable(DEFAULTS) is None
    rounds.rounds = (confidential, confidential, confidential, anonymous)
    assert seen.newest_comparable(DEFAULTS) == 2
    rounds.rounds = (confidential, confidential, view, anonymous)
    assert "Rounds 2 and 4 asked in different ways" in seen.why_not(2, DEFAULTS)
    assert "in an anonymous round nobody knows which practice" in seen.why_not(3, DEFAULTS)
