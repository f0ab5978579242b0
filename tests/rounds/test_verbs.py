"""Who may do what to a round, and when."""

from __future__ import annotations

import pytest
from sqlmodel import func, select

from engagement import clock
from engagement.access import Actor, Role
from engagement.errors import Conflict, Invalid, NotAllowed, NotFound
from engagement.models import AuditEntry, Participation, Round, RoundRoster, Spell
from engagement.rounds import verbs
from engagement.worker import Worker
from tests import support


@pytest.fixture
def drafted(database):
    """A drafted round in a small body."""
    body_id = support.small_body(database)
    with database.session() as session:
        round_ = verbs.new(
            session,
            Actor("lead", frozenset({(body_id, Role.LEAD)})),
            body_id,
            title="Autumn",
            opens_at=clock.now(),
            closes_at=clock.now() + clock.days(14),
        )
    return database, body_id, round_.id


def test_only_the_lead_of_the_body_runs_rounds(drafted):
    """The governing body and the council may look and not touch; strangers find nothing; nobody gets links."""
    database, body_id, round_id = drafted
    for role in (Role.GOVERNING, Role.COUNCIL):
        actor = Actor("reader", frozenset({(body_id, role)}))
        with database.session() as session:
            assert verbs.rounds(session, actor, body_id)
            for verb in (verbs.launch, verbs.close, verbs.discard, verbs.checklist):
                with pytest.raises(NotAllowed):
                    verb(session, actor, round_id)
            with pytest.raises(NotAllowed):
                verbs.new(session, actor, body_id, title="x")
    stranger = Actor("stranger", frozenset({(body_id + 1, Role.LEAD)}))
    with database.session() as session:
        for verb in (verbs.launch, verbs.close, verbs.discard, verbs.checklist, verbs.receipt):
            with pytest.raises(NotFound):
                verb(session, stranger, round_id)


def test_links_are_for_the_operator_and_noted(drafted, config):
    """Not even the lead gets everybody's links; when the operator takes them, the log says so without them."""
    database, body_id, round_id = drafted
    keys = support.keys_of(config)
    lead = Actor("lead", frozenset({(body_id, Role.LEAD)}))
    with database.session() as session:
        verbs.launch(session, lead, round_id)
    Worker(database, keys).run_once()
    with pytest.raises(NotFound), database.session() as session:
        verbs.personal_links(session, lead, keys, "http://x", round_id)
    with database.session() as session:
        found = verbs.personal_links(session, support.OPERATOR, keys, "http://x", round_id)
    assert len({link.url for link in found}) == 60
    with database.reading() as session:
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "round.links")).one()
        hashes = session.exec(select(Participation.link_hash).order_by(Participation.link_hash)).all()
    assert entry.detail == {"round": 1, "count": 60}
    assert len(hashes) == 60 and found[0].url.rsplit("/", 1)[1] not in str(hashes)


def test_the_roster_of_a_round_does_not_move(drafted):
    """Somebody who leaves after launch stays on the round's roster as they stood."""
    database, body_id, round_id = drafted
    with database.session() as session:
        verbs.launch(session, support.OPERATOR, round_id)
    with database.session() as session:
        for spell in session.exec(select(Spell).where(Spell.body_id == body_id)):
            spell.role, spell.ends = "ccg_staff", clock.today()
            session.add(spell)
    with database.reading() as session:
        counts = dict(
            session.exec(select(RoundRoster.standing, func.count()).group_by(RoundRoster.standing)).all()
        )
    assert counts == {"leader": 14, "grassroots": 46}


def test_a_launch_happens_once(drafted):
    """A second launch is refused, and so is a change to what was promised."""
    database, _, round_id = drafted
    with database.session() as session:
        promised = verbs.launch(session, support.OPERATOR, round_id).promise_hash
    for verb in (verbs.launch, verbs.discard):
        with pytest.raises(Conflict), database.session() as session:
            verb(session, support.OPERATOR, round_id)
    with database.reading() as session:
        assert verbs.receipt(session, support.OPERATOR, round_id)["hash"] == promised
        entry = session.exec(select(AuditEntry).where(AuditEntry.action == "round.launch")).one()
    assert entry.detail["promise"] == promised


def test_an_empty_roster_blocks_the_launch(database):
    """A body without people can draft a round and not launch it, and is told what to do."""
    from engagement.roster import ensure_body

    with database.session() as session:
        body = ensure_body(session, support.OPERATOR, "EMPTY")
        round_ = verbs.new(
            session,
            support.OPERATOR,
            body.id,
            title="First",
            opens_at=clock.now(),
            closes_at=clock.now() + clock.days(10),
        )
    with pytest.raises(Invalid, match="Import or add people"), database.session() as session:
        verbs.launch(session, support.OPERATOR, round_.id)
    with database.reading() as session:
        assert session.get(Round, round_.id).state == "draft"


def test_one_draft_at_a_time(drafted):
    """A second draft is refused until the first is launched or deleted; a deleted number is used again."""
    database, body_id, round_id = drafted
    with pytest.raises(Conflict, match="still a draft"), database.session() as session:
        verbs.new(session, support.OPERATOR, body_id, title="Another")
    with database.session() as session:
        verbs.discard(session, support.OPERATOR, round_id)
        assert verbs.new(session, support.OPERATOR, body_id, title="Another").number == 1


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"title": " "}, "title"),
        ({"tier": "secret"}, "tier"),
        ({"threshold": 4}, "threshold"),
        ({"closes_at": clock.now() - clock.days(30)}, "after it opens"),
    ],
)
def test_a_draft_is_checked_before_it_is_saved(drafted, changed, words):
    """Values that cannot be used are refused in words, before the schema would refuse them in its own."""
    database, _, round_id = drafted
    fields = {
        "title": "T",
        "opens_at": clock.now(),
        "closes_at": clock.now() + clock.days(9),
        "tier": "confidential",
        "threshold": 10,
    }
    with pytest.raises(Invalid, match=words), database.session() as session:
        verbs.edit(session, support.OPERATOR, round_id, **fields | changed)


def test_a_round_closes_by_itself(drafted, config, monkeypatch):
    """At its time the worker closes the round, mixes it and releases it without anybody's doing."""
    database, _, round_id = drafted
    keys = support.keys_of(config)
    with database.session() as session:
        verbs.launch(session, support.OPERATOR, round_id)
    Worker(database, keys).run_once()
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now + clock.days(14))
    Worker(database, keys).run_once()
    with database.reading() as session:
        assert session.get(Round, round_id).state == "released"
