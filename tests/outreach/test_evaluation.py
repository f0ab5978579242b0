"""What is said of whether visits worked: finished figures with their words, and nothing where too few stand behind them."""

from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

from engagement import clock, db
from engagement.access import Actor, Role
from engagement.access.audit import canonical
from engagement.assessments import build, gather
from engagement.errors import Conflict, NotFound
from engagement.models import OutreachEvaluation, Practice
from engagement.outreach import contacts, evaluation, order
from engagement.risk import effect
from engagement.words import DEFAULTS
from engagement.worker import Worker
from tests.assessments.conftest import ITEMS, Invented, installed, ref  # noqa: F401
from tests.protection.test_app_role import apply_roles, as_user
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
    """The evaluation of a body, worked out first where it is not stored."""
    build.ensure(installed.database, body_id)
    evaluation.ensure(installed.database, body_id)
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
        with monkeypatch.context() as patch, installed.database.reading() as session:
            patch.setattr(evaluation, "POOLED_FROM", 2)
            rounds = evaluation.work_out(session, body_id)["said"]["rounds"]
        assert {each["by"] for each in rounds} == {"rounds"}
        assert "2 rounds together" in rounds[0]["text"]
        assert rounds[0]["treated"] >= 10
    with installed.database.reading() as session:
        none = evaluation.pooled(session, OPERATOR, bodies)
        assert none.figures == () and "from 3 bodies" in none.why
        monkeypatch.setattr(evaluation, "POOLED_FROM", 2)
        found = evaluation.pooled(session, OPERATOR, bodies)
        assert found.why is None
        assert found.figures[0].measure == "share" and found.figures[0].treated >= 10
        assert all(each.by == "bodies" and "2 bodies together" in each.text for each in found.figures)
        assert evaluation.pooled(session, OPERATOR, bodies[:1]).figures == ()
        with pytest.raises(NotFound):
            evaluation.pooled(session, Actor("s", frozenset({(bodies[0], Role.LEAD)})), bodies)
    met(installed, bodies[0], ["P001"], date(2012, 9, 2))
    with installed.database.reading() as session:
        found = evaluation.pooled(session, OPERATOR, bodies)
        assert found.figures == () and "1 of 2 bodies is still being worked out" in found.why


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


@pytest.fixture
def visited(installed) -> int:  # noqa: F811
    """A body with three assessed rounds, and five practices met before the third."""
    invented = Invented.make(3, practices=14, ticking=1.0)
    body_id = installed.body(invented)
    installed.bring(body_id, invented.past())
    build.ensure(installed.database, body_id)
    met(installed, body_id, [f"P{place:03d}" for place in range(5)], date(2011, 6, 1))
    return body_id


def rows(database) -> list[OutreachEvaluation]:
    """All that is stored, oldest first."""
    with database.reading() as session:
        return list(session.exec(select(OutreachEvaluation).order_by(OutreachEvaluation.id)))


def test_the_app_reads_what_the_worker_stored_and_works_nothing_out(installed, config, visited, monkeypatch):  # noqa: F811
    """As the app, which may read no answer, the council finds "being worked out", then the stored figures, and after another
    visit between the rounds when they were last worked out; a visit since the last round changes nothing."""
    database = installed.database
    if not database.is_sqlite:
        apply_roles(database)
    app = as_user(database, config, "engagement_app", db.APP)
    worker = as_user(database, config, "engagement_worker")
    council = Actor("c", frozenset({(visited, Role.COUNCIL)}))

    def ask() -> evaluation.Evaluation:
        with monkeypatch.context() as patch, app.reading() as session:
            for module, name in ((evaluation, "work_out"), (gather, "read")):
                patch.setattr(module, name, lambda *_: pytest.fail("answers were asked for"))
            return evaluation.evaluate(session, council, visited)

    early = ask()
    assert early.headline == "Being worked out" and "no longer holds" not in early.why
    assert (early.after, early.figures, early.regression) == (None, (), "")
    assert evaluation.ensure(worker, visited) and not evaluation.ensure(worker, visited)
    found = ask()
    assert (found.after, found.before) == (2, 3) and found.figures[0].treated == 5
    assert "8 visits before the next round can show" in found.power[0]
    with worker.reading() as session:
        said = evaluation.work_out(session, visited)["said"]
    assert said["headline"] == found.headline and said["figures"][1]["text"] == found.figures[1].text
    with pytest.raises(DBAPIError), app.reading() as session:
        evaluation.work_out(session, visited)
    met(installed, visited, ["P009"], date(2026, 6, 1))
    assert ask() == found
    met(installed, visited, ["P006"], date(2011, 6, 2))
    late = ask()
    day = clock.show_date(rows(database)[0].created_at)
    assert late.headline == "Being worked out" and f"worked out on {day}" in late.why and not late.figures
    assert evaluation.ensure(worker, visited) and ask().figures[0].treated == 6
    app.dispose()
    worker.dispose()


def test_what_is_stored_names_no_practice_and_gives_the_same_power(installed, visited):  # noqa: F811
    """The row holds no code and nothing for each practice; its effects are rougher than a double and near the exact ones; the
    power from two numbers is that from every practice's own variance."""
    evaluation.ensure(installed.database, visited)
    (row,) = rows(installed.database)
    content = evaluation._checked(row)
    assert canonical(content) == row.content and "P00" not in row.content
    lists = [each for each in content["said"].values() if isinstance(each, list)]
    assert max(map(len, lists)) <= 2 and set(content["power"]["score"]) == {"practices", "variance"}
    with installed.database.reading() as session:
        codes = session.exec(select(Practice.code)).all()
        seen = evaluation._seen(session, visited)
    assert not any(code in row.content for code in codes)
    gap = seen.gap(seen.last, DEFAULTS)
    for name, kept in content["effects"].items():
        exact = gap.effect(name)
        assert kept["estimate"] == pytest.approx(exact.estimate, abs=0.0051)
        assert kept["estimate"] == round(kept["estimate"], 2)
        assert kept["se"] == pytest.approx(exact.se, rel=0.05)
        measure, kept = gap.measures[name].variance, content["power"][name]
        for visits in (2, 5, 7):
            whole = effect.power(measure, visits)
            two = effect.power(np.full(kept["practices"], kept["variance"]), visits)
            assert (whole is None) == (two is None)
            if whole:
                assert two.detectable == pytest.approx(whole.detectable, rel=0.005)


def test_a_stored_evaluation_cannot_be_changed(installed, visited):  # noqa: F811
    """The database refuses to change, delete, replace or empty; a change behind its back is found and not shown."""
    database = installed.database
    evaluation.ensure(database, visited)
    (row,) = rows(database)
    columns = "(id, body_id, basis, content, content_hash, created_at)"
    past = (
        f"INSERT OR REPLACE INTO outreach_evaluation {columns} SELECT id + 1, body_id, basis, '{{}}', content_hash, "
        "created_at FROM outreach_evaluation",
        f"REPLACE INTO outreach_evaluation {columns} SELECT id, body_id, 'b', '{{}}', content_hash, created_at "
        "FROM outreach_evaluation",
    )
    for change in (
        "UPDATE outreach_evaluation SET content = '{}'",
        "UPDATE outreach_evaluation SET basis = 'b'",
        "DELETE FROM outreach_evaluation",
        *(past if database.is_sqlite else ("TRUNCATE outreach_evaluation",)),
    ):
        with pytest.raises(DBAPIError, match="frozen"), database.session() as session:
            session.execute(text(change))
    (same,) = rows(database)
    assert same == row
    with database.session() as session:
        where = "" if database.is_sqlite else " ON outreach_evaluation"
        session.execute(text(f"DROP TRIGGER outreach_evaluation_frozen{where}"))
        session.execute(text("UPDATE outreach_evaluation SET content = '{}'"))
    with pytest.raises(Conflict, match="does not match its hash"), database.reading() as session:
        evaluation.evaluate(session, OPERATOR, visited)


def test_the_worker_stores_what_is_new_once_and_looks_now_and_then(installed, visited, monkeypatch):  # noqa: F811
    """Trouble is logged and rests; then one row is stored, and within half a minute another visit is not looked for; two at
    it store one row."""
    worker, ensure = Worker(installed.database, installed.keys), evaluation.ensure
    worker.run_once()
    assert len(rows(installed.database)) == 1 and worker.run_once() == 0
    met(installed, visited, ["P006"], date(2011, 6, 2))
    assert worker.run_once() == 0

    def broken(database, body_id):
        raise ValueError("broken")

    start = clock.now()
    monkeypatch.setattr(evaluation, "ensure", broken)
    monkeypatch.setattr(clock, "now", lambda: start + timedelta(seconds=40))
    assert worker.run_once() == 0 and len(rows(installed.database)) == 1
    monkeypatch.setattr(evaluation, "ensure", ensure)
    assert worker.run_once() == 0
    monkeypatch.setattr(clock, "now", lambda: start + timedelta(seconds=150))
    work_out, raced = evaluation.work_out, []

    def slow(session, body_id):
        if not raced:
            raced.append(True)
            raced.append(ensure(installed.database, body_id))
        return work_out(session, body_id)

    monkeypatch.setattr(evaluation, "work_out", slow)
    assert worker.run_once() == 0 and raced == [True, True]
    assert len({row.basis for row in rows(installed.database)}) == len(rows(installed.database)) == 2
