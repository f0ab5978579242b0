"""While a round is open: an attacker with every file and table, but not the keys, reads no answer and links none."""

from __future__ import annotations

import base64
import json
import shutil

import pytest
from nacl.public import PrivateKey, SealedBox
from sqlalchemy import text
from sqlmodel import select

from engagement import db
from engagement.errors import Unsafe
from engagement.intake.sealing import Opener
from engagement.models import Comment, Participation, Release, Response, Round, SealedAnswer
from tests.adversary.attack import (
    chance_bound,
    drift_bound,
    everything_on_disk,
    guess,
    hidden_columns,
    holders,
    log_place,
)
from tests.adversary.crowd import number_of, numbers_in, sheet_of
from tests.adversary.naive import Naive


def boxes_of(database, round_id) -> list[bytes]:
    """The sealed answers."""
    with database.reading() as session:
        return list(session.exec(select(SealedAnswer.box).where(SealedAnswer.round_id == round_id)))


def by_length(boxes: list[bytes], opened: list[int], lengths: dict[int, int]) -> tuple[list[int], list[int]]:
    """An attacker who knows how long a comment each person wrote: boxes and people in the order of length.

    `opened` says whose each box really is.
    """
    found = [
        number for _, number in sorted(zip(map(len, boxes), opened, strict=True), key=lambda row: row[0])
    ]
    return found, sorted(lengths, key=lambda number: lengths[number])


def test_files_hold_no_answer_link_or_address(survey):
    """No answer, comment, link, address or browser lies in any byte of the files, nor a key, nor a member beside a link."""
    files = survey.on_disk()
    assert sum(map(len, files.values())) > 500_000
    assert holders(files, survey.needles()) == []
    assert not any(numbers_in(data) for data in files.values())
    with survey.database.reading() as session:
        assert not any(session.exec(select(table)).first() for table in (Response, Comment, Release))
        public_id = session.get(Round, survey.round_id).public_id
        hashes = [value.encode() for value in session.exec(select(Participation.link_hash))]
    # That the search finds what is there, it shows on what may be there.
    assert len(holders(files, {str(value): value for value in hashes[:5]})) >= 5
    secret, link_key = bytes(survey.keys.round_secret(public_id)), survey.keys.link(public_id)
    spellings = {
        f"{name} {spelling}": value
        for name, key in (("secret", secret), ("link key", link_key))
        for spelling, value in (
            ("raw", key),
            ("hex", key.hex().encode()),
            ("base64", base64.b64encode(key)[:42]),
        )
    }
    assert holders(files, spellings) == []
    no_page_names_a_member(survey, files, hashes)


def no_page_names_a_member(survey, files: dict[str, bytes], hashes: list[bytes]) -> None:
    """Fail if a page that holds a link holds a member's reference, name or e-mail beside it."""
    size = 4096 if survey.database.is_sqlite else 8192
    people = [word.encode() for m in survey.members for word in (m.ref, m.name, m.email)]
    pages = with_links = 0
    for name, data in files.items():
        if name.startswith("pg_wal"):
            # PostgreSQL's log writes rows, not pages, one after the other; nobody is in it twice.
            continue
        # The pages of SQLite's log start after its head, each with a head of its own.
        first, step = (32, size + 24) if name == "file-wal" else (0, size)
        for start in range(first, len(data), step):
            page = data[start : start + step]
            pages += 1
            if any(value in page for value in hashes):
                with_links += 1
                assert not any(person in page for person in people), f"{name}, page {start // step}"
    assert pages > 50 and with_links > 10


def test_boxes_have_one_length_and_do_not_open(survey, tmp_path):
    """All boxes are of one length, and nothing in the database or its backup opens one."""
    boxes = boxes_of(survey.database, survey.round_id)
    assert len(boxes) == len(survey.doors) and len({len(box) for box in boxes}) == 1
    with survey.database.reading() as session:
        round_ = session.get(Round, survey.round_id)
        standings = session.exec(select(Participation.standing)).all()
    assert len({len(standing) for standing in standings}) == 1
    candidates = [round_.public_key, bytes.fromhex(round_.promise_hash), boxes[0][:32], standings[0][:32]]
    for candidate in candidates:
        with pytest.raises(Unsafe):
            Opener(PrivateKey(candidate))(boxes[0])
    opener = Opener(survey.keys.round_secret(round_.public_id))
    opened = [opener(box) for box in boxes]
    writers = {text_: number for number, text_ in survey.comments.items()}
    truth = [writers[answer.comments["one_thing"][0]] for answer in opened]
    assert sorted(truth) == sorted(survey.submitted)
    lengths = {number: len(words) for number, words in survey.comments.items()}
    by_size = guess(*by_length(boxes, truth, lengths))
    print(f"{survey.database.engine.dialect.name}: boxes by length {by_size}")
    assert by_size.right <= chance_bound(len(truth), 40)
    if survey.database.is_sqlite:
        copy = db.backup_sqlite(survey.database, tmp_path / "copies")
        assert [path.name for path in copy.parent.iterdir()] == [copy.name]
        assert holders({"copy": copy.read_bytes()}, {"secret": bytes(opener._box._private_key)}) == []


def test_sealed_answers_lie_in_no_order(survey):
    """The table keeps boxes in the order of random numbers, row ids included, and no order of theirs is that of sending."""
    database = survey.database
    with database.reading() as session:
        opener = Opener(survey.keys.round_secret(session.get(Round, survey.round_id).public_id))

        def ordered(by: str) -> list[int]:
            boxes = session.execute(text(f"SELECT box FROM sealed_answer {by}")).scalars()
            return [number_of(opener(bytes(box)).answers) for box in boxes]

        orders = {
            "by id": ordered("ORDER BY id"),
            "by round": ordered("WHERE round_id > 0 ORDER BY round_id, id"),
        }
        # PostgreSQL's rows say which transaction stored them, until the mix: there the seal alone protects.
        if database.is_sqlite:
            orders |= {"as it comes": ordered(""), "by row id": ordered("ORDER BY rowid")}
        ids = session.exec(select(SealedAnswer.id)).all()
    guesses = {name: guess(order, survey.submitted) for name, order in orders.items()}
    print(f"{database.engine.dialect.name}, boxes: " + "; ".join(f"{n} {g}" for n, g in guesses.items()))
    bound, drift = chance_bound(len(survey.submitted), 40), drift_bound(40)
    assert {n: str(g) for n, g in guesses.items() if g.right > bound or g.drift > drift} == {}
    assert sorted(orders["by id"]) == sorted(survey.submitted)
    # Spread over all 62 bits: half above the middle, but for five standard deviations.
    high = sum(key >= 1 << 62 for key in ids)
    assert abs(high - len(ids) / 2) < 2.5 * len(ids) ** 0.5 and not any(key % 2 for key in ids)


def test_naive_intake_gives_itself_away_while_open(database, answered, tmp_path):
    """The same attackers read a naive intake's answers, see who answered, and match boxes by length, row and its own key."""
    naive = Naive(database)
    since = log_place(database)
    for number in answered.order:
        sheet = sheet_of(number, answered.comments[number])
        naive.submit(answered.ref(number), sheet)
        naive.seal(sheet)
    files = everything_on_disk(database, since)
    assert {number for data in files.values() for _, number in numbers_in(data)} == set(answered.order)
    needles = {words: words.encode() for words in map(answered.ref, answered.order)}
    assert len({line.split(" in ")[0] for line in holders(files, needles)}) == len(answered.order)
    with database.reading() as session:
        query = text(f"SELECT box FROM naive_box ORDER BY {hidden_columns(database)}")
        boxes = [bytes(box) for box in session.execute(query).scalars()]
    # A backup of the whole folder takes the key along.
    folder = tmp_path / "naive"
    folder.mkdir()
    (folder / "secret.key").write_bytes(bytes(naive.secret))
    backup = shutil.copytree(folder, tmp_path / "backup")
    opener = SealedBox(PrivateKey((backup / "secret.key").read_bytes()))
    writers = {words: number for number, words in answered.comments.items()}
    truth = [writers[json.loads(opener.decrypt(box))[1]["one_thing"][0]] for box in boxes]
    lengths = {number: len(words) for number, words in answered.comments.items()}
    by_size = guess(*by_length(boxes, truth, lengths))
    print(f"{database.engine.dialect.name}: naive boxes by length {by_size}, key in backup {len(truth)}")
    assert by_size.links and len({len(box) for box in boxes}) > 1
    by_row_id = guess(truth, answered.order)
    print(f"{database.engine.dialect.name}: naive boxes by hidden columns {by_row_id}")
    assert by_row_id.links
