"""The demo body is what it says, is built by the same verbs, and is kept when asked for again."""

from __future__ import annotations

import shutil

import pytest
from sqlmodel import func, select

from engagement import db, demo
from engagement.access import Actor, Role
from engagement.config import Config
from engagement.council import proposals
from engagement.models import Account, AccountRole, Member, Practice, Response, Round
from engagement.outreach import evaluation
from engagement.releases import read
from engagement.rounds import programme

OPERATOR = Actor.operator("test")


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def built(request, tmp_path_factory):
    """The demo body, its settings and what building it gave; made once on each database, for it takes half a minute."""
    data = tmp_path_factory.mktemp("demo")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("ENGAGEMENT_DATA", str(data))
        environment.setenv("ENGAGEMENT_WORKER", "external")
        environment.delenv("ENGAGEMENT_DATABASE_URL", raising=False)
        if request.param == "sqlite":
            shutil.copy(request.getfixturevalue("sqlite_template"), data / "engagement.sqlite")
        else:
            environment.setenv("ENGAGEMENT_DATABASE_URL", request.getfixturevalue("postgres")())
        config = Config.load()
        database = db.get(config)
        yield database, config, demo.ensure(database, config, links=1)
        database.dispose()
        db._open.pop(config.database_url, None)


def test_the_demo_tells_the_story_it_should(built):
    """42 practices, about 190 people, eight rounds from near 66 against 35 to a wider gap, and one open round."""
    database, _, result = built
    assert result.made and len(result.links) == 1 and len(result.accounts) == len(Role)
    with database.reading() as session:
        assert session.exec(select(func.count()).select_from(Practice)).one() == 42
        assert 175 <= session.exec(select(func.count()).select_from(Member)).one() <= 200
        states = [r.state for r in session.exec(select(Round).order_by(Round.number))]
        assert states == ["released"] * 8 + ["open"]
        body_id = session.exec(select(Round.body_id)).first()
        history = read.history(session, OPERATOR, body_id)
        assert session.exec(select(func.count()).select_from(Response)).one() > 700
        coming = programme.read(session, OPERATOR, body_id).upcoming
        assert [round_.number for round_ in coming] == [10, 11, 12, 13] and not coming[0].trouble
        assert [p.state for p in proposals.listed(session, OPERATOR, body_id)] == ["waiting", "declined"]
        # Stored by the worker: whether the visits before the last round worked can be read at once.
        worked = evaluation.evaluate(session, OPERATOR, body_id)
        assert (worked.after, worked.before) == (7, 8) and worked.figures[0].treated == 8

    def table(content, key):
        return next(item for item in content["items"] if item["item"] == key)

    first, last = table(history[0], "owned"), table(history[-1], "owned")
    leader, grassroots = (first["groups"][arm] for arm in ("leader", "grassroots"))
    assert (leader["share"], grassroots["share"]) in ((65, 35), (70, 35))
    assert all(content["checked"] for content in history)
    assert all(table(content, "owned")["gap"]["points"] for content in history)
    assert all(content["groups"][0]["N"] == 22 for content in history)
    assert last["gap"]["points"] >= first["gap"]["points"] + 10
    rates = [content["participation"]["answered_percent"] for content in history]
    assert rates[-1] <= rates[0] - 10
    series = {table(content, "responsive")["series"] for content in history}
    assert len(series) == 2


def test_asking_again_keeps_the_data(built):
    """A second run makes nothing, and hands out links that still open."""
    database, config, first = built
    with database.reading() as session:
        before = session.exec(select(Round.id, Round.promise_hash).order_by(Round.id)).all()
    again = demo.ensure(database, config, links=1)
    assert not again.made and again.links == first.links
    with database.reading() as session:
        assert session.exec(select(Round.id, Round.promise_hash).order_by(Round.id)).all() == before


def test_everybody_in_it_is_invented_and_says_so(built):
    """Names, practices and addresses of the demo cannot be mistaken for anybody's."""
    database, _, _ = built
    with database.reading() as session:
        assert all("Demo" in name for name in session.exec(select(Practice.name)))
        assert all("Demo Person" in name for name in session.exec(select(Member.name)))
        assert all(email.endswith("@demo.invalid") for email in session.exec(select(Account.email)))
        roles = session.exec(select(AccountRole.role)).all()
    assert sorted(roles) == sorted(Role)
