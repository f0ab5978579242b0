"""What the model is told of taking part: silence is not undeliverable mail."""

from __future__ import annotations

from sqlmodel import select

from engagement.assessments import gather
from engagement.models import Contact, PracticeParticipation, Round
from tests import support


def test_people_whom_mail_could_not_reach_were_not_asked(database, config):
    """Of a practice that mail reached in part only those count, or those who answered if they are more; a practice that
    bounced altogether was not asked; a round that was not mailed asked everybody."""
    keys = support.keys_of(config)
    body_id = support.small_body(database)
    round_id = support.launch(database, keys, body_id)
    for place, door in enumerate(support.doors(database, keys, round_id)):
        if place % 5 < 3 and place >= 5:
            support.answer(database, door, support.sheet())
    support.close(database, keys, round_id)
    with database.session() as session:
        round_ = session.get(Round, round_id)
        practices = session.exec(
            select(PracticeParticipation.practice_id)
            .where(PracticeParticipation.round_id == round_id)
            .order_by(PracticeParticipation.practice_id)
        ).all()
        assert set(gather.read(session, round_).asked.values()) == {5}
        for practice_id, reached in zip(practices, (0, 4, 1), strict=False):
            session.add(
                Contact(
                    round_id=round_id, practice_id=practice_id, body_id=body_id, invited=5, reached=reached
                )
            )
        session.flush()
        found = gather.read(session, round_)
    assert [found.asked[practice_id] for practice_id in practices[:4]] == [0, 4, 3, 5]
    assert [found.answered[practice_id] for practice_id in practices[:4]] == [0, 3, 3, 3]
