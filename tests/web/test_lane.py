"""The lane of filled-in forms: faster than the ordinary way, and the same in everything that anybody can see."""

from __future__ import annotations

import pytest

from engagement.web import lane

KIND = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
def taken(monkeypatch) -> list[bool]:
    """Whether each request from now on was taken by the lane."""
    found: list[bool] = []
    real = lane.Lane._link

    def link(self, scope):
        found.append(real(self, scope) is not None)
        return real(self, scope)

    monkeypatch.setattr(lane.Lane, "_link", link)
    return found


def test_a_stored_answer_is_told_the_same_on_both_ways(client, open_round, sheet, taken):
    """Status and every header of a confirmation are those of the ordinary way, the first time and when it is kept."""
    made = open_round()
    form = sheet(made.promise)
    ordinary = client.post(made.path(page="questions&by=hand"), data=form)
    first = client.post(made.path(1, "questions"), data=form)
    client.post(made.path(1, "questions"), data=form)
    assert taken == [False, True, True] and made.used() == 2
    assert first.status_code == ordinary.status_code == 303
    assert first.headers == ordinary.headers and "content-security-policy" in first.headers
    assert first.content == ordinary.content == b""


def test_the_kept_confirmation_is_that_of_the_guard(client, open_round, sheet, taken):
    """Once kept, the confirmation goes out without the guard, header for header as it came from there."""
    made = open_round()
    replies = [client.post(made.path(number, "questions"), data=sheet(made.promise)) for number in (0, 1)]
    assert taken == [True, True] and made.used() == 2
    assert replies[0].headers == replies[1].headers and replies[1].status_code == 303
    assert replies[1].headers["cache-control"] == "no-store"
    assert replies[1].headers["referrer-policy"] == "no-referrer"


def test_the_lane_answers_to_our_name_only(client, open_round, sheet, taken):
    """A form that was sent to another host name is refused as every request to it is, and stores nothing."""
    made = open_round()
    sent = client.post(
        made.path(page="questions"), data=sheet(made.promise), headers={"host": "evil.example"}
    )
    assert sent.status_code == 400 and taken == [False] and made.used() == 0


def test_pages_from_the_lane_carry_the_guards_headers(client, open_round, sheet, taken):
    """A refused, a spent, an unknown and a too large form get their pages with all headers, and no cookie."""
    made = open_round()
    path, form = made.path(page="questions"), sheet(made.promise)
    replies = [client.post(path, data={"q-owned": "1"}), client.post(path, data=form)]
    replies.append(
        client.post(path, data=sheet(made.promise, idem_key="z" * 32), headers={"cookie": "sid=x"})
    )
    unknown = f"/a/{made.promise['round']['public_id']}/{'a' * 26}?page=questions"
    replies.append(client.post(unknown, data=form))
    replies.append(client.post(path, content=b"t-one_thing=" + b"x" * 70_000, headers=KIND))
    assert [reply.status_code for reply in replies] == [422, 303, 409, 404, 413] and taken == [True] * 5
    for reply in replies:
        assert reply.headers["x-content-type-options"] == "nosniff" and "set-cookie" not in reply.headers
        assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert made.used() == 1


def test_what_is_not_quite_a_form_goes_the_ordinary_way(client, open_round, sheet, taken):
    """Reading, withdrawing, and a link typed in capitals pass the lane by and do what they did."""
    made = open_round()
    assert client.get(made.path(page="questions")).status_code == 200
    public_id, token = made.promise["round"]["public_id"], made.tokens[0].upper()
    typed = client.post(f"/a/{public_id}/{token}?page=questions", data=sheet(made.promise))
    assert typed.status_code == 303 and made.used() == 1
    assert client.post(made.path(page="withdraw"), data={"sure": "no"}).headers["location"] == "?"
    assert taken == [False] * 3
