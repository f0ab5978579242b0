"""Mail through GOV.UK Notify, by its own client. Notify names the sender and makes the HTML.

Its callbacks on what became of a mail are not taken: bounces come by `engagement messages bounce`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from engagement import clock
from engagement.config import MailConfig
from engagement.messaging.transport import Mail, Refused, TryLater, reason_of

TIMEOUT = 30
REST = timedelta(minutes=1)
REST_FOR_A_PERSON = timedelta(minutes=10)


class Notify:
    """Sends through one template whose subject is ((subject)) and whose message is ((body))."""

    real = True
    names_sender = False

    def __init__(self, config: MailConfig):
        self._config = config
        self._made: Any = None

    def _client(self):
        if self._made is None:
            from notifications_python_client.notifications import NotificationsAPIClient

            where = {"base_url": self._config.notify_url} if self._config.notify_url else {}
            self._made = NotificationsAPIClient(self._config.notify_key, timeout=TIMEOUT, **where)
        return self._made

    def send(self, mail: Mail) -> None:
        """Hand a mail to Notify; returning means that it was taken on. Raises `TryLater` or `Refused`.

        Notify takes the same reference twice. So a mail that was tried before is first looked for there.
        """
        from notifications_python_client.errors import APIError

        try:
            if mail.tried_before and self._has(mail.key):
                return
            self._client().send_email_notification(
                email_address=mail.to,
                template_id=self._config.notify_template,
                personalisation={"subject": mail.words.subject, "body": mail.words.text},
                reference=mail.key,
            )
        except APIError as error:
            raise _told_apart(error) from error

    def _has(self, reference: str) -> bool:
        found = self._client().get_all_notifications(template_type="email", reference=reference)
        return bool(found.get("notifications"))

    def close(self) -> None:
        """Forget the client and its connection."""
        if self._made is not None:
            self._made.request_session.close()
            self._made = None


def _errors(error) -> tuple[str, str]:
    """Notify's name for the first error, and all it says."""
    said = error.message
    if isinstance(said, list):
        first = said[0] if said else {}
        return str(first.get("error", "")), "; ".join(str(one.get("message", "")) for one in said)
    return "", str(said)


def _told_apart(error) -> TryLater | Refused:
    """What to do about an error. Source: GOV.UK Notify, REST API documentation, "Send an email: error codes"."""
    code = error.status_code
    name, text = _errors(error)
    said = reason_of(f"GOV.UK Notify said: {code} {name} {text}")
    if code == 429:
        # Too many in a minute, or the day's number is used up.
        return TryLater(said, _until_tomorrow() if name == "TooManyRequestsError" else REST)
    if code in (401, 403, 404):
        return TryLater(said, REST_FOR_A_PERSON)
    if code == 400:
        # Notify has no kind of its own for this: the text names the field.
        if name == "ValidationError" and "email_address" in text:
            return Refused(said, bad_address=True)
        # The key, the template or the service is wrong: that is so for every mail, until a person puts it right.
        return TryLater(said, REST_FOR_A_PERSON)
    return TryLater(said, REST)


def _until_tomorrow() -> timedelta:
    """How long until Notify counts anew, at midnight UTC."""
    now = clock.now()
    return (now + timedelta(days=1)).replace(hour=0, minute=5, second=0, microsecond=0) - now
