"""The ways out: a real SMTP server, Notify's interface behind its own client, and files."""

from __future__ import annotations

import email
import json
import ssl
import stat
import subprocess
import threading
from dataclasses import replace
from datetime import timedelta
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from engagement.config import Config, MailConfig
from engagement.errors import Invalid
from engagement.messaging import templates, transport
from engagement.messaging.files import Files
from engagement.messaging.notify import Notify
from engagement.messaging.smtp import Smtp, is_bad_address
from engagement.messaging.transport import Mail, Refused, Sender, TryLater
from tests.messaging.conftest import free_port, smtp_server

VALUES = {
    "person": "Dr *Ann* <b>Möller</b>",
    "organisation": "Vale & Co CCG",
    "round": "Autumn 2026",
    "closes": "1 December 2026 at 5pm",
    "link": "https://survey.example/a/abc/def",
    "stop": "https://survey.example/a/stop/xyz",
}


def a_mail(to: str = "p1@example.org", **changes) -> Mail:
    """An invitation that is ready to leave."""
    words = templates.write(templates.DEFAULTS["invitation"], VALUES, footer="member")
    sender = Sender("Vale & Co “CCG”", "survey@vale.example", "office@vale.example")
    return replace(Mail(to, sender, words, "k" * 40, stop=VALUES["stop"]), **changes)


class Box:
    """A server's memory, with answers to choose."""

    def __init__(self, rcpt: str = "250 OK", data: str = "250 OK", mail: str = "250 OK"):
        self.rcpt, self.data, self.mail = rcpt, data, mail
        self.envelopes: list = []
        self.logins: list = []
        self.secure: list = []

    async def handle_MAIL(self, server, session, envelope, address, options):
        """Take the sender, or not."""
        if self.mail.startswith("250"):
            envelope.mail_from = address
            envelope.mail_options.extend(options)
        return self.mail

    async def handle_RCPT(self, server, session, envelope, address, options):
        """Take the recipient, or not."""
        if self.rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.rcpt

    async def handle_DATA(self, server, session, envelope):
        """Keep the mail, and whether it came encrypted."""
        self.envelopes.append(envelope)
        self.secure.append(server.transport.get_extra_info("ssl_object") is not None)
        return self.data

    def authenticate(self, server, session, envelope, mechanism, data):
        """One name and password are right."""
        self.logins.append(data)
        right = data.login == b"user" and data.password == b"secret"
        return AuthResult(success=right, handled=right)


def smtp(port: int, **changes) -> Smtp:
    """A sender to the server on this machine."""
    settings = MailConfig(way="smtp", host="127.0.0.1", port=port, security="none", sender="s@vale.example")
    return Smtp(replace(settings, **changes), timeout=5)


def test_a_mail_arrives_whole():
    """Plain text and HTML, the headers that machines heed, no image, nothing remote, and the envelope's sender is ours."""
    box = Box()
    with smtp_server(box) as port:
        way = smtp(port)
        way.send(a_mail())
        way.send(a_mail("p2@example.org"))
        way.close()
    assert [e.rcpt_tos for e in box.envelopes] == [["p1@example.org"], ["p2@example.org"]]
    assert {e.mail_from for e in box.envelopes} == {"survey@vale.example"}
    message = email.message_from_bytes(box.envelopes[0].content, policy=policy.default)
    assert message["Message-ID"] == f"<{'k' * 40}@vale.example>"
    assert message["List-Unsubscribe"] == "<https://survey.example/a/stop/xyz>"
    assert message["List-Unsubscribe-Post"] is None and message["Auto-Submitted"] == "auto-generated"
    assert message["From"].addresses[0].display_name == "Vale & Co “CCG”"
    assert message["Reply-To"].addresses[0].addr_spec == "office@vale.example"
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative",
        "text/plain",
        "text/html",
    ]
    plain, page = (part.get_content() for part in message.iter_parts())
    assert "Dr *Ann* <b>Möller</b>" in plain and plain.count(VALUES["link"]) == 1
    assert "Dr *Ann* &lt;b&gt;Möller&lt;/b&gt;" in page and "Vale &amp; Co CCG" in page
    assert page.count(f'href="{VALUES["link"]}"') == 1
    for banned in ("<img", "src=", "url(", "<script", "@import", "background-image"):
        assert banned not in page.lower()
    # The header leads to the page for fewer messages, and nothing in any header can answer.
    assert not any(VALUES["link"] in str(value) for value in message.values())


@pytest.mark.parametrize(
    "values", [{"round": "x\r\nBcc: all@example.org"}, {"organisation": "Vale\nX-Evil: 1"}]
)
def test_nothing_typed_makes_a_header(values: dict):
    """Line ends in names and titles become spaces in the subject and never start a header."""
    words = templates.write(
        templates.Template("{organisation}: {round}", "{link}"), VALUES | values, footer="member"
    )
    made = transport.mime(a_mail(words=words))
    assert "Bcc" not in made and "X-Evil" not in made and "\n" not in made["Subject"]
    head = made.as_bytes().decode().partition("\r\n\r\n")[0]
    assert "\r\nBcc" not in head and "\r\nX-Evil" not in head


def test_brackets_in_a_value_stay_text():
    """A name that looks like a placeholder or like markup is shown as it is, and fills nothing in."""
    words = templates.write(
        templates.Template("Hello", "{person} {link}"),
        VALUES | {"person": "{link} https://evil.example"},
        footer="member",
    )
    assert words.text.startswith("{link} https://evil.example https://survey.example/a/abc/def")
    assert 'href="https://evil' not in words.html


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate of our own for 127.0.0.1, and the context of a server that shows it."""
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        f"openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout {key} -out {cert} -subj /CN=localhost "
        "-addext subjectAltName=IP:127.0.0.1".split(),
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    return cert, context


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_mail_leaves_encrypted_and_signed_in(certificate, monkeypatch, security: str):
    """By STARTTLS and by TLS the mail arrives encrypted, after signing in with the settings' name and password."""
    cert, context = certificate
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    box = Box()
    options = (
        {"tls_context": context, "auth_required": True}
        if security == "starttls"
        else {"ssl_context": context, "auth_require_tls": False}
    )
    with smtp_server(box, authenticator=box.authenticate, **options) as port:
        way = smtp(port, security=security, user="user", password="secret")
        way.send(a_mail())
        way.close()
        assert box.secure == [True] and box.logins[0].login == b"user"
        with pytest.raises(TryLater, match="refused our name") as caught:
            smtp(port, security=security, user="user", password="wrong").send(a_mail())
        assert caught.value.rest >= timedelta(minutes=5)
    assert len(box.envelopes) == 1


def test_a_server_that_cannot_prove_itself_gets_nothing(certificate, monkeypatch):
    """A certificate that nobody vouches for, and a server without STARTTLS, stop all mail until somebody looks."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    box = Box()
    with smtp_server(box, tls_context=certificate[1]) as port, pytest.raises(TryLater) as caught:
        smtp(port, security="starttls").send(a_mail())
    assert caught.value.rest >= timedelta(minutes=5)
    with smtp_server(box) as port, pytest.raises(TryLater, match="lacks what the settings ask for"):
        smtp(port, security="starttls").send(a_mail())
    assert box.envelopes == []


@pytest.mark.parametrize(
    ("answers", "kind", "bad_address", "rests"),
    [
        ({"rcpt": "550 5.1.1 no such user"}, Refused, True, False),
        ({"rcpt": "550 5.4.1 Recipient address rejected: Access denied"}, Refused, True, False),
        ({"rcpt": "550 unknown here"}, Refused, True, False),
        ({"rcpt": "550 5.7.1 not allowed"}, Refused, False, False),
        ({"rcpt": "552 5.2.2 mailbox full"}, Refused, False, False),
        ({"rcpt": "451 4.7.1 greylisted"}, TryLater, False, False),
        ({"data": "554 5.7.1 spam"}, Refused, False, False),
        ({"data": "452 4.3.1 disk full"}, TryLater, False, False),
        ({"mail": "550 5.7.60 not your sender"}, TryLater, False, True),
        ({"mail": "421 4.3.2 closing"}, TryLater, False, True),
    ],
)
def test_refusals_are_told_apart(answers: dict, kind: type, bad_address: bool, rests: bool):
    """What concerns the address, the mail, or all mail is each its own error, in the server's words."""
    with smtp_server(Box(**answers)) as port:
        way = smtp(port)
        with pytest.raises(kind) as caught:
            way.send(a_mail())
        way.close()
    assert next(iter(answers.values()))[:3] in str(caught.value)
    assert getattr(caught.value, "bad_address", False) is bad_address
    assert (getattr(caught.value, "rest", None) is not None) is rests


def test_a_server_that_is_not_there_rests_all():
    """When nothing listens, or the server is silent, nothing else is tried for a minute."""
    with pytest.raises(TryLater, match="cannot be reached") as caught:
        smtp(free_port()).send(a_mail())
    assert caught.value.rest


def test_a_kept_connection_that_was_hung_up_is_opened_again():
    """After the server has closed an idle connection, the next mail goes through a new one."""
    box = Box()
    port = free_port()
    way = None
    for _ in range(2):
        controller = Controller(box, hostname="127.0.0.1", port=port)
        controller.start()
        way = way or smtp(port)
        way.send(a_mail())
        controller.stop()
    assert len(box.envelopes) == 2
    way.close()


@pytest.mark.parametrize(
    ("code", "text", "bad"),
    [(550, "5.1.1 x", True), (550, "5.7.1 x", False), (553, "x", True), (552, "x", False), (554, "x", False)],
)
def test_bad_addresses_by_code(code: int, text: str, bad: bool):
    """The enhanced code decides where there is one, else the three codes that mean it."""
    assert is_bad_address(code, text) is bad


class NotifyStandIn(BaseHTTPRequestHandler):
    """The part of Notify's interface that a sender of mail meets."""

    def _say(self, status: int, content: dict) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Take a mail, or answer as was set."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, self.headers, asked))
        if self.server.answers:
            status, name, words = self.server.answers.pop(0)
            self._say(status, {"status_code": status, "errors": [{"error": name, "message": words}]})
            return
        self.server.taken.append(asked["reference"])
        self._say(201, {"id": "740e5834-3a29-46b4-9a6f-16142fde533a", "reference": asked["reference"]})

    def do_GET(self) -> None:
        """The mails with a reference."""
        reference = self.path.partition("reference=")[2]
        found = [{"reference": r} for r in self.server.taken if r == reference]
        self._say(200, {"notifications": found, "links": {}})

    def log_message(self, *_arguments) -> None:
        """Say nothing."""


@pytest.fixture
def notify():
    """A stand-in of Notify on loopback, and the way that leads to it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), NotifyStandIn)
    server.asked, server.answers, server.taken = [], [], []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    key = "vale-" + "26785a09-ab16-4eb0-8407-a37497a57506" + "-" + "3d844edf-8d35-48ac-975b-e847b4f122b0"
    server.way = Notify(
        MailConfig(
            way="notify",
            notify_key=key,
            notify_template="f33517ff-2a88-4f6e-b855-c550268ce08a",
            notify_url=f"http://127.0.0.1:{server.server_address[1]}",
        )
    )
    yield server
    server.way.close()
    server.shutdown()
    server.server_close()
    thread.join()


def test_notify_gets_subject_and_text(notify):
    """The mail goes to Notify by its own client: signed, with our template, subject, text and reference."""
    notify.way.send(a_mail())
    path, headers, asked = notify.asked[0]
    assert path == "/v2/notifications/email" and headers["Authorization"].startswith("Bearer ey")
    assert asked["email_address"] == "p1@example.org" and asked["reference"] == "k" * 40
    assert asked["template_id"].startswith("f33517ff")
    assert set(asked["personalisation"]) == {"subject", "body"}
    assert VALUES["link"] in asked["personalisation"]["body"] and "one_click_unsubscribe_url" not in asked


def test_notify_is_asked_before_a_second_try(notify):
    """A mail that was tried before and is there already is not handed over twice."""
    notify.way.send(a_mail())
    notify.way.send(a_mail(tried_before=True))
    assert len(notify.taken) == 1
    notify.way.send(a_mail(tried_before=True, key="m" * 40))
    assert notify.taken == ["k" * 40, "m" * 40]


@pytest.mark.parametrize(
    ("status", "name", "words", "kind", "bad_address", "rests"),
    [
        (400, "ValidationError", "email_address Not a valid email address", Refused, True, None),
        (
            400,
            "BadRequestError",
            "Can't send to this recipient using a team-only API key",
            TryLater,
            False,
            600,
        ),
        (400, "BadRequestError", "Missing personalisation: body", TryLater, False, 600),
        (403, "AuthError", "Invalid token: API key not found", TryLater, False, 600),
        (429, "RateLimitError", "Exceeded rate limit of 3000 requests per 60 seconds", TryLater, False, 60),
        (429, "TooManyRequestsError", "Exceeded send limits (250,000) for today", TryLater, False, 3600 * 24),
        (500, "Exception", "Internal server error", TryLater, False, 60),
    ],
)
def test_notify_errors_are_told_apart(notify, time, status, name, words, kind, bad_address, rests):
    """A wrong address is given up; rates, keys and templates make all mail wait, each as long as it takes."""
    notify.answers.append((status, name, words))
    with pytest.raises(kind) as caught:
        notify.way.send(a_mail())
    assert name in str(caught.value) and getattr(caught.value, "bad_address", False) is bad_address
    if rests is not None:
        longest = timedelta(seconds=rests)
        assert longest / 2 <= caught.value.rest <= longest


def test_notify_out_of_reach_rests(notify):
    """When Notify cannot be reached, all mail waits a minute."""
    way = Notify(replace(notify.way._config, notify_url=f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(TryLater) as caught:
        way.send(a_mail())
    assert caught.value.rest
    way.close()


def test_files_are_for_their_owner_alone(tmp_path):
    """A mail becomes a file of mode 0600 in a folder of mode 0700; sent again it stays one file."""
    way = Files(tmp_path / "outbox")
    way.send(a_mail())
    way.send(a_mail())
    files = list((tmp_path / "outbox").iterdir())
    assert len(files) == 1 and files[0].suffix == ".eml"
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert stat.S_IMODE(files[0].parent.stat().st_mode) == 0o700
    found = email.message_from_bytes(files[0].read_bytes(), policy=policy.default)
    assert VALUES["link"] in found.get_body(("plain",)).get_content()


def test_a_full_disk_is_tried_again(tmp_path):
    """A file that cannot be written leaves nothing behind and is tried later."""
    (tmp_path / "outbox").write_text("in the way")
    with pytest.raises(TryLater, match="could not be written"):
        Files(tmp_path / "outbox").send(a_mail())


def settings(**values: str) -> MailConfig:
    """Settings from an environment."""
    return Config.load({f"ENGAGEMENT_{name.upper()}": value for name, value in values.items()}).mail


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mail": "pigeon"}, "must be one of"),
        ({"mail": "files", "public_url": "https://x.example"}, "Behind https"),
        ({"mail": "smtp"}, "SMTP_HOST"),
        ({"mail": "smtp", "smtp_host": "mail.example", "smtp_security": "none"}, "on this machine only"),
        ({"mail": "smtp", "smtp_host": "mail.example", "smtp_security": "ssl"}, "starttls, tls or none"),
        ({"mail": "notify"}, "NOTIFY_KEY"),
        ({"mail_per_minute": "0"}, "whole number"),
        ({"smtp_port": "lots"}, "whole number"),
    ],
)
def test_settings_that_would_not_be_safe_are_refused(values: dict, words: str):
    """Links are never sent in the clear over a network, nor written to files behind https; the words say what to set."""
    with pytest.raises(Invalid, match=words):
        settings(**values)


def test_the_usual_settings():
    """Without settings mail goes to files, and nowhere behind https; secrets are not in the settings' text."""
    assert settings().way == "files" and settings(public_url="https://x.example").way == "off"
    found = settings(mail="smtp", smtp_host="m.example", smtp_security="tls", smtp_password="hush")
    assert found.port == 465 and found.password == "hush" and "hush" not in repr(found)
