"""The outbox: who gets what, once, and nothing that tells who answered."""

from __future__ import annotations

from engagement.models import Mailing
from tests.messaging.conftest import Office


def test_everybody_invited_gets_one_invitation(office: Office):
    """An open round invites each member once, with their own link, however often the sender runs."""
    assert office.post() == 60
    assert office.post() == 0
    assert len(set(office.way.to)) == len(office.way.mails) == 60
    tokens = {door.token for door in office.doors()}
    said = {mail.words.text.split(f"/a/{office.doors()[0].public_id}/")[1][:26] for mail in office.way.mails}
    assert said == tokens
    with office.database.reading() as session:
        assert session.get(Mailing, (office.round_id, "invitation", 1)).people == 60
