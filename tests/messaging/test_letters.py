"""Letters to a segment: words that give nothing away, company by lot, a cap on mail, opt-outs, the outbox, stopping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, text
from sqlmodel import select

from engagement import clock
from engagement.access import Actor, Role, audit
from engagement.errors import Conflict, Invalid
from engagement.messaging import bounces, giveaways, letters, outbox, planner, transport
from engagement.messaging.post import Post
from engagement.messaging.transport import TryLater
from engagement.models import (
    Assessment,
    Bounce,
    DeadLetter,
    Letter,
    LetterAim,
    LetterPractice,
    Mailing,
    Member,
    Message,
    OptOut,
    Practice,
    Programme,
    Round,
    RoundRoster,
    Spell,
)
from engagement.outreach import letters as verbs
from engagement.outreach import team
from engagement.outreach.letter_library import library
from engagement.risk.segments import NAMES, SEGMENTS
from engagement.words import words_of
from tests import support
from tests.messaging.conftest import TUESDAY, Kept, Office

WORDS = {
    "subject": "{organisation}: a visit",
    "text": "Dear {person},\n\nMay we come? All {practices} can ask.\n\n{page}",
}
TOLD = [
    ("This segment of members", "name of a segment"),
    ("You have WITHDRAWN", "name of a segment"),
    ("critically", "name of a segment"),
    ("champions wanted", "name of a segment"),
    ("at risk", "measured"),
    ("your scores", "measured"),
    ("we forecast", "measured"),
    ("the proba\u00adbility", "measured"),
    ("clustering", "measured"),
    ("Our data suggest", "measured"),
    ("You have not answered", "knew who answered"),
    ("you didn\u2019t answer", "knew who answered"),
    ("We never heard from you", "knew who answered"),
    ("Thanks for taking part", "knew who answered"),
    ("Your  {practice}\nis one of five", "some get this"),
    ("{practices} like yours", "some get this"),
    ("clinics such as yours", "some get this"),
    ("You were selected", "some get this"),
    ("We are writing to your team because of the rota", "some get this"),
    ("a {practice} that struggled", "doing badly"),
    ("dis\u2010engagement", "doing badly"),
    ("we are worried about you", "doing badly"),
    ("our strongest {practices}", "doing well"),
]
HARMLESS = """Dear {person}, we would like to hear what gets in the way. Choose a day, and answer this message. The minutes are
short: take part if you can. It is a pleasure to see every {practice} there, whatever it thinks. Best practices are shared."""


@pytest.mark.parametrize(("said", "why"), TOLD)
def test_words_that_tell_why_a_letter_came_are_refused(said: str, why: str):
    """Each way to name a segment, a measure, an answer or a choice is found in any form of the word, and said with a reason."""
    words = words_of({"practice": "clinic", "practices": "clinics"})
    for subject, body, where in ((said, "x", "subject"), ("x", said, "text")):
        found = [each for each in giveaways.faults(subject, body, words) if each.startswith("Take “")]
        assert (
            len(found) == 1
            and why in found[0]
            and f"out of the {where}: " in found[0]
            and "{" not in found[0]
        )


def test_the_library_and_plain_words_pass():
    """Two or three letters a segment, each of which tells nothing; a plain invitation is not refused; blanks are named."""
    assert giveaways.faults("A visit", HARMLESS) == []
    assert giveaways.blanks("On [day]", "[where] and [day]") == [
        f"Write what belongs in the place of {blank}" for blank in ("[day]", "[where]")
    ]
    assert all(giveaways.faults(letter.subject, letter.text) == [] for letter in library())
    each = Counter(letter.segment for letter in library())
    assert set(each) == set(SEGMENTS) and set(each.values()) <= {2, 3}
    assert len({letter.key for letter in library()}) == len(library())


def assess(database, body_id: int, segments: dict[str, str]) -> None:
    """Store that practices, by code, are clearly in segments; all others are not clear."""
    with database.session() as session:
        newest = session.exec(
            select(Round).where(Round.body_id == body_id).order_by(Round.number.desc())
        ).first()
        codes = session.exec(select(Practice.code).where(Practice.body_id == body_id)).all()
        content = {
            "usable": True,
            "round": {"number": newest.number},
            "practices": [
                {
                    "practice_id": code,
                    "clarity": "clear" if code in segments else "not_clear",
                    "leading_segment": segments.get(code, "withdrawn"),
                }
                for code in codes
            ],
        }
        words = audit.canonical(content)
        session.add(
            Assessment(
                body_id=body_id,
                round_id=newest.id,
                content=words,
                content_hash=audit.sha256(words),
                software="0",
                created_at=clock.now(),
            )
        )


@pytest.fixture
def lead(office: Office) -> Actor:
    """The engagement lead, with four practices clearly withdrawn and two that are champions."""
    segments = {f"Y{n:05d}": "withdrawn" for n in range(4)} | {"Y00004": "champion", "Y00005": "champion"}
    assess(office.database, office.body_id, segments)
    return Actor("Lead", frozenset({(office.body_id, Role.LEAD)}), bodies=(office.body_id,))


def look(office: Office, lead: Actor, segment: str = "withdrawn", **given) -> verbs.Preview:
    """What the page shows of a letter."""
    given = {**WORDS, "share": 20, "seed": "s", **given}
    with office.database.reading() as session:
        return verbs.preview(session, lead, office.body_id, office.config, segment, **given)


def write(office: Office, lead: Actor, segment: str = "withdrawn", **given) -> int:
    """Queue a letter as the page does; returns its id."""
    given = {**WORDS, "share": 20, "seed": "s", **given}
    if "practices" not in given:
        given["practices"] = look(office, lead, segment, **given).recipients.practices
    with office.database.session() as session:
        return verbs.queue(session, lead, office.body_id, office.config, segment, **given)


def sent(office: Office, lead: Actor) -> verbs.Sent:
    """The newest letter as the page shows it."""
    with office.database.reading() as session:
        return verbs.sent(session, lead, office.body_id)[0]


def reached(office: Office, letter: int) -> set[str]:
    """The codes of the practices that a letter is for."""
    with office.database.reading() as session:
        query = select(Practice.code).join(LetterPractice, LetterPractice.practice_id == Practice.id)
        return set(session.exec(query.where(LetterPractice.letter_id == letter)))


def test_recipients_are_counted_and_others_drawn(office: Office, lead: Actor):
    """The segment's practices that can be written to and a drawn share of others, at least three; who chose what, or whose
    mail comes back, changes no count of practices and none of people below five; the same seed draws the same."""
    database, body = office.database, office.body_id
    with database.session() as session:
        team.exclude(session, lead, body, "Y00000", "Asked for peace")
        nobody = select(Practice.id).where(Practice.code == "Y00001").scalar_subquery()
        people = session.exec(
            select(Member).join(Spell, Spell.member_id == Member.id).where(Spell.practice_id == nobody)
        )
        for member in people:
            member.email = None
        for ref in ("M011", "M012", "M013", "M014"):
            member = session.exec(select(Member).where(Member.ref == ref)).one()
            session.add(OptOut(member_id=member.id, body_id=body, scope="all"))
        session.add(Bounce(address="p15@example.org", hard=True))
    seen = look(office, lead).recipients
    assert seen == verbs.Recipients(4, 1, 0, 1, 2, 3, 25, None, None, None)
    with database.session() as session:
        member = session.exec(select(Member).where(Member.ref == "M015")).one()
        session.add(OptOut(member_id=member.id, body_id=body, scope="reminders"))
    assert look(office, lead).recipients.opted_out == 5
    assert look(office, lead, share=50).recipients.drawn == 3
    assert [verbs.others_for(aimed, 20) for aimed in (1, 12, 13, 40)] == [3, 3, 4, 10]
    with database.reading() as session:
        names = dict(session.exec(select(Practice.id, Practice.code)).all())
        draws = [
            {names[each] for each in verbs._find(session, lead, body, "champion", 20, seed).practices}
            for seed in "ssabcd"
        ]
    assert draws[0] == draws[1] and len({frozenset(draw) for draw in draws}) > 2
    assert all({"Y00004", "Y00005"} < draw and len(draw) == 5 for draw in draws)
    assert not any({"Y00000", "Y00001"} & draw for draw in draws)


def test_what_cannot_be_sent_says_why(office: Office, lead: Actor):
    """Words that tell, blanks, another number than was shown, too few others, an empty segment and a demo each stop it."""
    with pytest.raises(Invalid, match="struggling"):
        write(office, lead, subject="For struggling practices")
    with pytest.raises(Invalid, match=r"place of \[day\]"):
        write(office, lead, text="On [day]")
    with pytest.raises(Conflict, match="7 by now, and not to 6"):
        write(office, lead, practices=6)
    with pytest.raises(Invalid, match="Choose a segment"):
        write(office, lead, "everybody", practices=7)
    with pytest.raises(Invalid, match="between 10% and 50%"):
        write(office, lead, share=5)
    assert look(office, lead, "steady").held == ("Nobody of this segment can be written to",)
    with office.database.session() as session:
        for n in range(4, 10):
            team.exclude(session, lead, office.body_id, f"Y{n:05d}", "Asked for peace")
    assert "Only 2 others can be written to, and 3 are needed" in look(office, lead).held[0]
    with office.database.session() as session:
        session.execute(text("UPDATE body SET is_demo = :yes"), {"yes": True})
    assert "A demo body sends no mail: its people are invented" in look(office, lead).held
    assert office.messages() == []


def test_a_letter_leaves_once_and_keeps_no_segment(office: Office, lead: Actor):
    """Nothing leaves for five minutes, then one mail a person with the way to fewer messages; the segment stands in one
    table alone; two letters of one text differ in nothing but who gets them, ids and times; at the end people are forgotten."""
    only_letters(office)
    first = write(office, lead, "withdrawn")
    assert office.post() == 0 and sent(office, lead).state == verbs.WAITING
    office.time.on(minutes=5)
    assert office.post() == 35 and len(set(office.way.to)) == 35
    assert office.post() == 0
    second = write(office, lead, "champion", seed="other")
    office.time.on(minutes=6)
    office.post()
    both = office.way.mails[:35], office.way.mails[35:]
    assert len(both[1]) == 25
    shapes = set()
    for mail in office.way.mails:
        raw = transport.mime(mail)
        assert f"<{mail.stop}>" == raw["List-Unsubscribe"] and mail.stop in mail.words.text
        assert not any(name.casefold() in raw.as_string().casefold() for name in (*NAMES, *NAMES.values()))
        link = mail.words.text.split("/m/")[1].split()[0]
        name = mail.words.text.split("Dear ")[1].split(",")[0]
        shape = mail.words.text.replace(link, "").replace(mail.stop, "").replace(name, "")
        # The way to one's page and the one to fewer messages; a word of the body is no link.
        assert mail.words.html.count("<a href=") == 2 and "All practices can ask." in mail.words.html
        shapes.add((mail.words.subject, shape, len(mail.key), tuple(raw.keys())))
    assert len(shapes) == 1 and len({mail.key for mail in office.way.mails}) == 60
    row = sent(office, lead)
    assert (row.state, row.reached, row.segment, row.people) == (verbs.DONE, 5, "champion", 25)
    office.post()
    assert office.messages(kind="letter") == [] and reached(office, first) and reached(office, second)
    with office.database.reading() as session:
        assert [aim.segment for aim in session.exec(select(LetterAim).order_by(LetterAim.letter_id))] == [
            "withdrawn",
            "champion",
        ]
        for table in ("letter", "letter_practice", "message", "audit_entry", "dead_letter"):
            kept = str(session.execute(text(f"SELECT * FROM {table}")).all()).casefold()
            assert not any(segment in kept for segment in ("withdrawn", "champion"))


def test_what_happened_since_leaves_people_out(office: Office, lead: Actor):
    """Both kinds of opt-out, an address that is gone or bounces, a move to another practice and a wish of the practice count
    as each mail leaves, and all end in the same row as what was sent."""
    told = reached(office, write(office, lead))
    with office.database.session() as session:
        one, two, _, four, five = session.exec(
            select(Member).where(Member.ref <= "M005").order_by(Member.ref)
        ).all()
        for member, scope in ((one, "all"), (two, "reminders")):
            session.add(OptOut(member_id=member.id, body_id=office.body_id, scope=scope))
        session.add(Bounce(address="p3@example.org", hard=True))
        four.email = None
        elsewhere = session.exec(select(Practice.id).where(Practice.code.not_in(told))).first()
        session.exec(select(Spell).where(Spell.member_id == five.id)).one().practice_id = elsewhere
        team.exclude(session, lead, office.body_id, "Y00001", "Asked for peace")
    office.time.on(minutes=6)
    only_letters(office)
    office.post()
    assert len(office.way.mails) == 25 and not {f"p{n}@example.org" for n in range(1, 11)} & set(
        office.way.to
    )
    assert (
        len({str(row.model_dump(exclude={"id", "member_id"})) for row in office.messages(kind="letter")}) == 1
    )


def only_letters(office: Office) -> None:
    """Take the mail of the open round as sent."""
    with office.database.session() as session:
        outbox.queue(session, session.get(Round, office.round_id), "invitation")
        session.execute(delete(Message).where(Message.kind == "invitation"))


def test_a_letter_is_stopped_before_and_while_it_leaves(office: Office, lead: Actor):
    """Stopped in time, nobody gets it and no practice is counted; stopped midway, what left is counted and no more leaves."""
    only_letters(office)
    letter = write(office, lead)
    with office.database.session() as session:
        verbs.stop(session, lead, office.body_id, letter)
    office.time.on(minutes=6)
    assert office.post() == 0 and office.way.mails == []
    assert sent(office, lead).state == verbs.STOPPED and sent(office, lead).reached == 0
    assert reached(office, letter) == set()

    letter = write(office, lead)
    office.time.on(minutes=6)

    def halt(mail) -> None:
        if len(office.way.mails) == 7:
            with office.database.session() as session:
                verbs.stop(session, lead, office.body_id, letter)

    office.way.before = halt
    office.post()
    # One was past its last look when the stop came.
    assert len(office.way.mails) == 8 and sent(office, lead).reached in (None, 5)
    assert {message.state for message in office.messages(letter_id=letter)} <= {"done"}
    with pytest.raises(Conflict, match="nothing left to stop"), office.database.session() as session:
        verbs.stop(session, lead, office.body_id, letter)


class Killed(BaseException):
    """The process ends here."""


def test_a_kill_between_any_two_steps_costs_one_duplicate_at_most(office: Office, lead: Actor, monkeypatch):
    """Killed before it notes, before it hands over, after the server's 250 and after a lease, each person gets the letter,
    none twice but with the Message-ID of the first, and every practice counts once."""
    only_letters(office)
    letter = write(office, lead)
    office.time.on(minutes=6)
    steps = [(letters, "set_out", 3), (office.way, "send", 4), (outbox, "settle", 5), (outbox, "lease", 1)]
    for module, name, after in steps:
        real, calls = getattr(module, name), count(1)

        def dying(*given, real=real, calls=calls, after=after, **options):
            if next(calls) == after:
                raise Killed
            return real(*given, **options)

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(module, name, dying)
            office.post()
        office.time.on(minutes=6)
    office.post()
    mails = Counter((mail.to, mail.key) for mail in office.way.mails)
    assert len(mails) == len({to for to, _ in mails}) == 35 and mails.total() <= 36
    assert sent(office, lead).state == verbs.DONE and len(reached(office, letter)) == 7


def test_undelivered_letters_are_listed_and_tried_again(office: Office, lead: Actor, monkeypatch):
    """A letter that fails for good puts its person on the list; trying again sends it; a month later all of it is forgotten."""
    monkeypatch.setattr(outbox, "ATTEMPTS", 2)
    only_letters(office)
    write(office, lead)
    office.way.fails["p1@example.org"] = [TryLater("busy")] * outbox.ATTEMPTS
    for _ in range(outbox.ATTEMPTS):
        office.time.on(hours=7)
        office.post()
    with office.database.session() as session:
        (row,) = bounces.dead_letters(session, lead, office.body_id)
        assert (row.address, row.round_id) == ("p1@example.org", None)
        with pytest.raises(Conflict, match="not left to send"):
            outbox.send_letter_again(session, row.letter_id + 1, row.member_id)
        bounces.retry(session, lead, office.body_id, row.id)
    office.post()
    assert len(office.way.mails) == len(set(office.way.to)) == 35
    with office.database.session() as session:
        letter = session.exec(select(Letter)).one()
        member = session.exec(select(Member.id).where(Member.ref == "M001")).one()
        session.add(
            DeadLetter(
                body_id=office.body_id,
                letter_id=letter.id,
                member_id=member,
                address="x@example.org",
                reason="busy",
            )
        )
    office.time.on(days=31)
    letters.tidy(office.database)
    assert office.messages(kind="letter") == []
    with office.database.reading() as session:
        assert session.exec(select(DeadLetter)).all() == []


def test_mail_of_rounds_counts_and_an_open_round_keeps_its_room(office: Office, lead: Actor):
    """Invitation and planned reminder count before a letter is queued; a mailing that is queued in between stops what has not
    left; an earlier letter that waits counts for a later one; changing the cap is recorded."""

    def cap(number: int) -> None:
        with office.database.session() as session:
            verbs.save_most(session, lead, office.body_id, number)

    # The invitation that is due, and one reminder in the next seven days.
    cap(2)
    assert look(office, lead).recipients.full == 4 and look(office, lead).recipients.drawn == 0
    cap(3)
    assert look(office, lead).recipients.full == 0
    write(office, lead)
    assert look(office, lead).recipients.full == 4
    only_letters(office)
    with office.database.session() as session:
        outbox.queue(session, session.get(Round, office.round_id), "amendment")
        session.execute(delete(Message).where(Message.kind == "amendment"))
    office.time.on(minutes=6)
    assert office.post() == 35 and office.way.mails == []
    assert sent(office, lead).reached == 0 and sent(office, lead).state == verbs.DONE
    with pytest.raises(Invalid, match="between 1 and 12"):
        cap(0)
    with office.database.reading() as session:
        log = session.execute(text("SELECT action FROM audit_entry")).scalars().all()
        assert log.count("letter.cap") == 2 and log.count("letter.queue") == 1
        assert planner.next_reminder(session, session.get(Round, office.round_id), {}) is not None


@dataclass
class Village:
    """A body of six practices, each with one person who has an address; `places`: practices by address."""

    body_id: int
    lead: Actor
    places: dict[str, int]
    numbers: Iterator[int]


@pytest.fixture
def village(database, time) -> Village:
    """The village, with two practices that are clearly withdrawn."""
    body_id = support.small_body(database, practices=6, leaders=6)
    places: dict[str, int] = {}
    with database.session() as session:
        session.add(Programme(body_id=body_id, name="P", created_at=clock.now()))
        rows = session.exec(
            select(Member, Spell.practice_id).join(Spell, Spell.member_id == Member.id).order_by(Member.id)
        ).all()
        for member, practice_id in rows:
            if practice_id in places.values():
                member.email = None
            else:
                places[member.email] = practice_id
    made = Village(body_id, Actor("Lead", frozenset({(body_id, Role.LEAD)})), places, count(1))
    survey_mail(database, made, [])
    assess(database, body_id, {"Y00000": "withdrawn", "Y00001": "withdrawn"})
    return made


def survey_mail(database, village: Village, practices: list[int]) -> None:
    """A round that is over, of which one mailing was queued now for people of some practices."""
    number = next(village.numbers)
    with database.session() as session:
        round_ = Round(
            body_id=village.body_id,
            programme_id=session.exec(select(Programme.id)).first(),
            public_id=f"r{number}",
            number=number,
            title="R",
            state="cancelled",
            opens_at=clock.now() - clock.days(1),
            closes_at=clock.now(),
            promise="{}",
            promise_hash="x",
        )
        session.add(round_)
        session.flush()
        kind = ("invitation", "amendment", "published")[number % 3]
        session.add(Mailing(round_id=round_.id, kind=kind, body_id=village.body_id, queued_at=clock.now()))
        for spell in session.exec(select(Spell).where(Spell.practice_id.in_(practices))):
            about = {"practice_id": spell.practice_id, "role": "gp_partner", "standing": "grassroots"}
            session.add(
                RoundRoster(round_id=round_.id, member_id=spell.member_id, body_id=village.body_id, **about)
            )


EVENT = st.tuples(
    st.integers(0, 45), st.sampled_from(["letter", "letter", "send", "survey"]), st.integers(1, 63)
)


# Without shrinking, which would take minutes: a calendar is short enough to read.
@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate],
)
@given(calendar=st.lists(EVENT, min_size=5, max_size=12), cap=st.integers(1, 3))
@example(calendar=[(0, "letter", 1), (24, "letter", 1), (29, "letter", 1)], cap=1)
@example(calendar=[(0, "letter", 2), (1, "survey", 31), (2, "send", 2), (3, "survey", 63)], cap=1)
def test_no_letter_takes_a_practice_above_the_cap(database, mail_config, time, village, calendar, cap):
    """Whatever surveys and letters were queued and whenever the sender ran, no letter leaves to a practice that by then had
    as many mails in 28 days as are enough."""
    # Far behind the calendar before, which so counts no more.
    start = TUESDAY + timedelta(days=100 * next(village.numbers))
    way = Kept()
    surveys: list[tuple[datetime, set[int]]] = []
    left: list[tuple[datetime, str, int]] = []
    way.before = lambda mail: left.append((time.now, mail.words.subject, village.places[mail.to]))
    time.now = start
    with database.session() as session:
        verbs.save_most(session, village.lead, village.body_id, cap)
    for day, what, some in sorted(calendar):
        time.now = max(time.now + timedelta(minutes=1), start + timedelta(days=day))
        if what == "survey":
            invited = [place for at, place in enumerate(village.places.values()) if some >> at & 1]
            survey_mail(database, village, invited)
            surveys.append((time.now, set(invited)))
        elif what == "letter":
            about = {"subject": f"Letter {time.now}", "text": "Hello", "share": 10, "seed": str(some)}
            given = (village.lead, village.body_id, mail_config, "withdrawn")
            with database.session() as session:
                seen = verbs.preview(session, *given, **about)
                if not seen.held:
                    verbs.queue(session, *given, **about, practices=seen.recipients.practices)
        if what == "send" or some % 2:
            time.on(minutes=6)
            Post(database, mail_config, way=way).run_once()
    time.on(days=1)
    Post(database, mail_config, way=way).run_once()
    for at, _, place in left:
        since = at - timedelta(days=28)
        mails = sum(since < when <= at and place in invited for when, invited in surveys)
        mails += len({subject for when, subject, where in left if where == place and since < when <= at})
        assert mails <= cap
