"""Mail through a server by SMTP, encrypted unless the server is on this machine."""

from __future__ import annotations

import contextlib
import re
import smtplib
import ssl
from datetime import timedelta

from engagement.config import MailConfig
from engagement.messaging.transport import Mail, Refused, TryLater, mime, reason_of

TIMEOUT = 30.0
# A fault of the connection or the settings, not of one mail: the next would fare no better.
REST = timedelta(minutes=1)
REST_FOR_A_PERSON = timedelta(minutes=10)
# Status codes that say that there is no such mailbox. Sources: RFC 3463; Exchange Online answers 5.4.1.
NO_SUCH_ADDRESS = re.compile(r"\b5\.(?:1\.(?:0|1|2|3|6|10)|2\.1|4\.1)\b")
_ENHANCED = re.compile(r"\b5\.\d{1,3}\.\d{1,3}\b")
# Where a server gives no such code, these to the name of the recipient mean it. Source: RFC 5321, section 4.2.2.
_NO_MAILBOX = (550, 551, 553)


def is_bad_address(code: int, text: str) -> bool:
    """Whether a server's refusal of a recipient says that the address does not exist."""
    if _ENHANCED.search(text):
        return bool(NO_SUCH_ADDRESS.search(text))
    return code in _NO_MAILBOX


class Smtp:
    """One connection, opened with the first mail and kept for those that follow."""

    real = True
    names_sender = True

    def __init__(self, config: MailConfig, timeout: float = TIMEOUT):
        self._config = config
        self._timeout = timeout
        self._open: smtplib.SMTP | None = None

    def send(self, mail: Mail) -> None:
        """Hand a mail to the server; returning means that it said 250. Raises `TryLater` or `Refused`."""
        message = mime(mail)
        try:
            if self._open is not None and not self._still_there():
                self.close()
            if self._open is None:
                self._open = self._connect()
            self._open.send_message(message, mail.sender.address, [mail.to])
        except smtplib.SMTPException as error:
            raise self._told_apart(error) from error
        except ssl.SSLError as error:
            self.close()
            raise TryLater(
                f"No safe connection to the mail server: {reason_of(error.reason or error)}",
                REST_FOR_A_PERSON,
            ) from error
        except OSError as error:
            self.close()
            raise TryLater(f"The mail server cannot be reached: {reason_of(error)}", REST) from error

    def _still_there(self) -> bool:
        """Whether a connection that was kept since the mail before can be used: servers hang up on the idle."""
        try:
            return self._open.noop()[0] == 250
        except (smtplib.SMTPException, OSError):
            return False

    def _connect(self) -> smtplib.SMTP:
        settings = self._config
        context = ssl.create_default_context()
        if settings.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                settings.host, settings.port, timeout=self._timeout, context=context
            )
        else:
            server = smtplib.SMTP(settings.host, settings.port, timeout=self._timeout)
        try:
            if settings.security == "starttls":
                server.starttls(context=context)
            if settings.user:
                server.login(settings.user, settings.password)
        except BaseException:
            server.close()
            raise
        return server

    def _told_apart(self, error: smtplib.SMTPException) -> TryLater | Refused:
        """What to do about an error of the conversation."""
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            code, said = next(iter(error.recipients.values()))
            text = reason_of(f"{code} {_text(said)}")
            return Refused(text, bad_address=is_bad_address(code, text)) if code >= 500 else TryLater(text)
        if isinstance(error, smtplib.SMTPNotSupportedError):
            if self._open is not None:
                return Refused("The server takes no address with such letters", bad_address=True)
            return TryLater(f"The mail server lacks what the settings ask for: {error}", REST_FOR_A_PERSON)
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return TryLater("The mail server refused our name and password", REST_FOR_A_PERSON)
        if isinstance(error, smtplib.SMTPResponseException):
            text = reason_of(f"{error.smtp_code} {_text(error.smtp_error)}")
            permanent = error.smtp_code >= 500
            if isinstance(error, smtplib.SMTPDataError):
                return Refused(text) if permanent else TryLater(text)
            self.close()
            # A sender that is refused is refused for every mail.
            return TryLater(f"The mail server said: {text}", REST_FOR_A_PERSON if permanent else REST)
        self.close()
        return TryLater(f"The connection to the mail server broke: {reason_of(error)}", REST)

    def close(self) -> None:
        """Say goodbye, if the server still listens."""
        if self._open is not None:
            with contextlib.suppress(smtplib.SMTPException, OSError):
                self._open.quit()
            self._open = None


def _text(said: bytes | str) -> str:
    return said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
