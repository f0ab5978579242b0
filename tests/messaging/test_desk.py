"""The Messages page and its commands: templates, preview, test message, counts, and what did not arrive."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlmodel import select

from engagement import cli
from engagement.access import Actor, Role
from engagement.errors import Conflict, Invalid
from engagement.messaging import checks, desk, settings, templates
from engagement.messaging.transport import Refused
from engagement.models import Body, DeadLetter, MessageTemplate
from engagement.words import words_of
from tests import support
from tests.messaging.conftest import Office

PAGE = Path(__file__).parents[2] / "pages" / "messages.py"


@pytest.mark.parametrize("kind", sorted(templates.DEFAULTS))
def test_our_own_words_pass_our_own_checks(kind: str):
    """Every default template has its link once, no other address, known placeholders and a short subject."""
    template = templates.DEFAULTS[kind]
    assert checks.template_faults(kind, template.subject, template.text) == []


@pytest.mark.parametrize(
    ("subject", "text", "words"),
    [
        ("S", "no link", r"Put \{link\} into the text"),
        ("S", "{link} {link}", r"Keep \{link\} once"),
        ("S", "{link} {nothing}", r"Take \{nothing\} out"),
        ("S", "{link} https://track.example/x", "could track"),
        ("S", "{link} WWW.track.example", "could track"),
        ("S", '{link} <img src="x">', "plain text"),
        ("S", "{link} ![](x)", "plain text"),
        ("S {link}", "{link}", "out of the subject"),
        ("", "{link}", "subject of one line"),
        ("a\nb", "{link}", "subject of one line"),
        ("S", "{link", "Curly brackets"),
        ("S", "{link!r}", "nothing more"),
        ("S", "{link}" + "x" * 4_000, "at most 4000"),
    ],
)
def test_words_that_would_do_harm_are_refused(office: Office, subject: str, text: str, words: str):
    """A template without its link, with anything that tracks, or with what is not known is not kept, and says why."""
    with pytest.raises(Invalid, match=words), office.database.session() as session:
        settings.save_template(
            session, support.OPERATOR, office.body_id, "invitation", subject=subject, text=text
        )
    with office.database.reading() as session:
        assert session.exec(select(MessageTemplate)).all() == []
        seen = desk.preview(
            session, support.OPERATOR, office.body_id, office.config, "invitation", subject=subject, text=text
        )
        assert seen.faults


@pytest.mark.parametrize("kind", sorted(templates.DEFAULTS))
def test_a_preview_shows_the_mail_with_links_that_lead_nowhere(office: Office, kind: str):
    """Every kind can be previewed; the preview holds no placeholder and no link of anybody."""
    with office.database.reading() as session:
        now = desk.template(session, support.OPERATOR, office.body_id, kind)
        seen = desk.preview(
            session, support.OPERATOR, office.body_id, office.config, kind, subject=now.subject, text=now.text
        )
    assert seen.faults == () and "{" not in seen.words.text + seen.words.subject
    assert not any(door.token in seen.words.text for door in office.doors())


@pytest.fixture
def lead(office: Office, staff) -> Actor:
    """The engagement lead, signed in."""
    return Actor("Lead", frozenset({(office.body_id, Role.LEAD)}), staff[Role.LEAD], bodies=(office.body_id,))


def test_a_test_message_goes_to_oneself(office: Office, lead: Actor, monkeypatch):
    """The test message goes to the address of whoever asked, in the saved words, marked as a test, with no real link."""
    monkeypatch.setattr(desk.transport, "make", lambda config: office.way)
    with office.database.reading() as session:
        address = desk.send_test(session, lead, office.body_id, office.config, "invitation")
    mail = office.way.mails[0]
    assert mail.to == address == "engagement_lead@example.org"
    assert mail.words.subject.startswith("Test: ") and "this-is-a-preview" in mail.words.text
    office.way.fails[address] = [Refused("550 5.1.1 no such user", bad_address=True)]
    with office.database.reading() as session, pytest.raises(Conflict, match="no such user"):
        desk.send_test(session, lead, office.body_id, office.config, "invitation")


@pytest.fixture
def open_page(office: Office, lead: Actor, monkeypatch):
    """Open the page without a browser."""
    from streamlit.testing.v1 import AppTest

    from engagement.ui import frame_tools

    def opened(config=office.config, actor=lead):
        def current():
            with office.database.reading() as session:
                body = session.get(Body, office.body_id)
            return SimpleNamespace(
                database=office.database, actor=actor, body=body, words=words_of(body.words), config=config
            )

        monkeypatch.setattr(frame_tools, "current", current)
        return AppTest.from_file(str(PAGE), default_timeout=60).run()

    return opened


def words(at) -> str:
    """Everything that the page says."""
    said = [e.value for kind in (at.text, at.markdown, at.success, at.error, at.caption) for e in kind]
    return "\n".join([*said, *(table.value.to_csv() for table in (*at.table, *at.dataframe))])


def button(at, label: str):
    """The button of that label."""
    return next(b for b in at.button if b.label == label)


def test_the_page_counts_reminders_to_the_nearest_five(office: Office, open_page):
    """After a reminder to 53 the page says about 55, and neither who they are nor anything to subtract."""
    office.post()
    office.answer(*range(7))
    office.time.on(days=7)
    office.post()
    assert len(office.way.mails) == 60 + 53
    at = open_page()
    said = words(at)
    assert not at.exception and "about 55" in said and "53" not in said and "example.org" not in said
    assert "Next reminder: 21 September 2026 at 9:30am" in said
    assert "Nothing yet" not in said


def test_the_page_of_a_new_body(office: Office, open_page):
    """Before any mail the page says that invitations leave by themselves, and names the sender."""
    said = words(open_page())
    assert "The invitations leave by themselves" in said and "survey@ccg.example" in said
    nobody = replace(office.config, mail=replace(office.config.mail, sender=""))
    assert "No sender is named" in words(open_page(nobody))
    off = replace(office.config, mail=replace(office.config.mail, way="off"))
    assert "switched off" in words(open_page(off))


def test_what_did_not_arrive_shows_addresses_and_no_kind(office: Office, open_page):
    """Undelivered mail shows address and reason, a missing mailbox the person to correct; both can be tried again."""
    office.post()
    office.time.on(days=7)
    office.way.fails |= {
        "p1@example.org": [Refused("550 5.1.1", bad_address=True)],
        "p2@example.org": [Refused("554 *spam* ![x](http://t.example/x.png)")],
    }
    office.post()
    at = open_page()
    said = words(at)
    assert "p1@example.org" in said and "M001" in said
    listed = next(e.value for e in at.text if e.value.startswith("p2@example.org"))
    assert "554 *spam*" in listed and "eminder" not in listed and "nvitation" not in listed
    at = button(at, "Try again").click().run()
    assert "tried again" in words(at)
    with office.database.reading() as session:
        assert session.exec(select(DeadLetter)).all() == []


def test_words_are_changed_and_taken_back_on_the_page(office: Office, open_page):
    """Words with a fault cannot be saved; good ones are kept and used; our own come back with one button."""
    at = open_page()
    at.text_area[0].set_value("Hello").run()
    assert "Put {link} into the text" in words(at) and button(at, "Save the words").disabled
    at.text_area[0].set_value("Hello {person}: {link}").run()
    button(at, "Save the words").click().run()
    assert not at.exception and "The words are saved" in words(at)
    assert at.text_area[0].value == "Hello {person}: {link}"
    button(at, "Go back to our words").click().run()
    assert at.text_area[0].value == templates.DEFAULTS["invitation"].text


def test_settings_are_changed_on_the_page(office: Office, open_page):
    """Sender, reminders and quiet days are kept; a line that is no date is refused with its number."""
    at = open_page()
    at.text_area[-1].set_value("someday")
    button(at, "Save").click().run()
    assert "Line 1 of the quiet days" in words(at)
    at = open_page()
    at.text_input[-2].set_value("us@vale.example")
    at.text_area[-1].set_value("2026-12-24 to 2027-01-02")
    button(at, "Save").click().run()
    assert not at.exception and "Saved." in words(at)
    with office.database.reading() as session:
        row = settings.of(session, office.body_id)
        assert (row.sender_address, row.quiet_days) == ("us@vale.example", ["2026-12-24/2027-01-02"])


def test_others_are_turned_away(office: Office, open_page):
    """Whoever is not the engagement lead sees nothing of mail."""
    at = open_page(actor=Actor("x", frozenset({(office.body_id, Role.COUNCIL)}), bodies=(office.body_id,)))
    # The frame around the page turns the refusal into words.
    assert at.exception and not at.button and "example.org" not in words(at)


@pytest.fixture
def run(office: Office, monkeypatch, capsys):
    """Run a command in this process, with mail written to files."""
    monkeypatch.setenv("ENGAGEMENT_MAIL_PER_MINUTE", "3000")

    def call(*arguments):
        code = cli.main(list(arguments))
        out = capsys.readouterr()
        return code, out.out, out.err

    return call


def test_the_command_line_sends_lists_tests_and_notes_bounces(office: Office, run, tmp_path):
    """`worker --once` mails, `messages list` says what was sent, `test` sends an example, `bounce` takes an address or a
    notice, and `retry` tries the list again."""
    from tests.messaging.test_close import NOTICE

    code, out, _ = run("worker", "--once", "--json")
    assert code == 0 and json.loads(out)["mails"] == 60
    files = list(office.config.outbox.iterdir())
    assert len(files) == 60 and {file.stat().st_mode & 0o777 for file in files} == {0o600}
    code, out, _ = run("messages", "list", "--json")
    found = json.loads(out)
    assert code == 0 and found["way"] == "files" and found["sent"][0]["people"] == 60
    assert "Invitation 1: 60 people" in run("messages", "list")[1]
    assert run("messages", "test", "me@example.org")[0] == 0
    assert len(list(office.config.outbox.iterdir())) == 61
    assert run("messages", "test")[0] == 1
    assert json.loads(run("messages", "bounce", "p1@example.org", "--json")[1])["bounced"][0]["hard"]
    notice = tmp_path / "notice.eml"
    notice.write_text(
        NOTICE.format(address="p2@example.org", action="failed", status="5.1.1", said="550 5.1.1")
    )
    assert "1 addresses noted" in run("messages", "bounce", str(notice))[1]
    assert run("messages", "bounce", str(tmp_path / "none.eml"))[0] == 1
    found = json.loads(run("messages", "list", "--json")[1])
    assert [row["address"] for row in found["undeliverable"]] == ["p1@example.org", "p2@example.org"]
    assert "0 messages are tried again" in run("messages", "retry")[1]
    code, out, _ = run("doctor")
    assert "no mail waits for long" in out
