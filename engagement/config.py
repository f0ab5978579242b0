"""Settings, all from the environment. `README.md` documents each; a test holds that to be true."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from engagement.errors import Invalid

SETTINGS = {
    "ENGAGEMENT_DATA": "folder of the SQLite file, the keys and the backups (default: data)",
    "ENGAGEMENT_DATABASE_URL": "a PostgreSQL address to use instead of the SQLite file",
    "ENGAGEMENT_PUBLIC_URL": "the address that members and staff reach (default: http://localhost:8501)",
    "ENGAGEMENT_PRODUCTION": "on: refuse to start while anything is unsafe; container: the same, listening on all addresses (default: off)",
    "ENGAGEMENT_PRIVACY_CONTACT": "whom people write to about their data; printed in the privacy notice",
    "ENGAGEMENT_LAWFUL_BASIS": "public_task (default) or legitimate_interests; printed in the privacy notice",
    "ENGAGEMENT_WORKER": "embedded (default): the app runs the worker in a thread; external: it does not",
    "ENGAGEMENT_MAIL": "how mail goes: files, smtp, notify or off (default: files, and off behind https)",
    "ENGAGEMENT_MAIL_FROM": "the sender's address where a body names none of its own",
    "ENGAGEMENT_MAIL_PER_MINUTE": "the most messages in any minute (default: 30)",
    "ENGAGEMENT_SMTP_HOST": "the mail server",
    "ENGAGEMENT_SMTP_PORT": "its port (default: 587, with tls 465)",
    "ENGAGEMENT_SMTP_SECURITY": "starttls (default), tls, or none for a server on this machine",
    "ENGAGEMENT_SMTP_USER": "the account at the mail server, if it wants one",
    "ENGAGEMENT_SMTP_PASSWORD": "its password",
    "ENGAGEMENT_NOTIFY_KEY": "an API key of GOV.UK Notify",
    "ENGAGEMENT_NOTIFY_TEMPLATE": "the id of a Notify template with subject ((subject)) and message ((body))",
    "ENGAGEMENT_NOTIFY_URL": "another address of the Notify API",
    "ENGAGEMENT_OIDC_ISSUER": "an OpenID Connect provider that staff sign in through",
    "ENGAGEMENT_OIDC_CLIENT_ID": "the client id that the provider gave this installation",
    "ENGAGEMENT_OIDC_CLIENT_SECRET": "its client secret, if the provider wants one",
    "ENGAGEMENT_OIDC_SCOPES": "what is asked of the provider (default: openid)",
    "ENGAGEMENT_OIDC_LABEL": "the provider's name on the button (default: your organisation's account)",
}
MAIL_WAYS = ("files", "smtp", "notify", "off")
SMTP_PORTS = {"starttls": 587, "tls": 465, "none": 25}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PRODUCTION = ("off", "on", "container")
LAWFUL_BASES = ("public_task", "legitimate_interests")
# What production refuses to listen on.
EVERYWHERE = ("0.0.0.0", "::", "*")  # noqa: S104  # nosec B104
# Passwords that stand in examples, and so protect nothing.
WELL_KNOWN = frozenset(
    [
        "admin",
        "changeit",
        "changeme",
        "default",
        "engagement",
        "example",
        "password",
        "postgres",
        "postgresql",
        "secret",
        "test",
    ]
)
SHORTEST_SECRET = 12


@dataclass(frozen=True)
class MailConfig:
    """How mail leaves this installation. Secrets are kept out of its text."""

    way: str = "off"
    sender: str = ""
    per_minute: int = 30
    host: str = ""
    port: int = 587
    security: str = "starttls"
    user: str = ""
    password: str = field(default="", repr=False)
    notify_key: str = field(default="", repr=False)
    notify_template: str = ""
    notify_url: str = ""

    @classmethod
    def load(cls, value: Callable[..., str], *, secure: bool) -> MailConfig:
        """Read the settings. Raises `Invalid` for those that cannot be used, or would not be safe."""
        way = value("ENGAGEMENT_MAIL", "off" if secure else "files")
        if way not in MAIL_WAYS:
            raise Invalid(f"ENGAGEMENT_MAIL must be one of {', '.join(MAIL_WAYS)}")
        if way == "files" and secure:
            raise Invalid(
                "ENGAGEMENT_MAIL=files is for trying things out: it writes members' links to files and sends "
                "nothing. Behind https choose smtp, notify or off"
            )
        security = value("ENGAGEMENT_SMTP_SECURITY", "starttls")
        if security not in SMTP_PORTS:
            raise Invalid("ENGAGEMENT_SMTP_SECURITY must be starttls, tls or none")
        found = cls(
            way=way,
            sender=value("ENGAGEMENT_MAIL_FROM"),
            per_minute=_whole(value("ENGAGEMENT_MAIL_PER_MINUTE", "30"), "ENGAGEMENT_MAIL_PER_MINUTE", 3000),
            host=value("ENGAGEMENT_SMTP_HOST"),
            port=_whole(
                value("ENGAGEMENT_SMTP_PORT", str(SMTP_PORTS[security])), "ENGAGEMENT_SMTP_PORT", 65535
            ),
            security=security,
            user=value("ENGAGEMENT_SMTP_USER"),
            password=value("ENGAGEMENT_SMTP_PASSWORD"),
            notify_key=value("ENGAGEMENT_NOTIFY_KEY"),
            notify_template=value("ENGAGEMENT_NOTIFY_TEMPLATE"),
            notify_url=value("ENGAGEMENT_NOTIFY_URL"),
        )
        if way == "smtp" and not found.host:
            raise Invalid("ENGAGEMENT_MAIL=smtp needs ENGAGEMENT_SMTP_HOST")
        if way == "smtp" and security == "none" and found.host not in LOOPBACK:
            raise Invalid(
                "ENGAGEMENT_SMTP_SECURITY=none is for a server on this machine only: links would be readable "
                "on the way"
            )
        if way == "notify" and not (found.notify_key and found.notify_template):
            raise Invalid("ENGAGEMENT_MAIL=notify needs ENGAGEMENT_NOTIFY_KEY and ENGAGEMENT_NOTIFY_TEMPLATE")
        return found


@dataclass(frozen=True)
class ProviderConfig:
    """An OpenID Connect provider that staff sign in through. The secret is kept out of its text."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: str = "openid"
    label: str = "your organisation's account"

    @classmethod
    def load(cls, value: Callable[..., str]) -> ProviderConfig | None:
        """Read the settings, None where no issuer is named. Raises `Invalid` for those that cannot be used."""
        issuer = value("ENGAGEMENT_OIDC_ISSUER")
        if not issuer:
            return None
        parts = urlsplit(issuer)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
            raise Invalid("ENGAGEMENT_OIDC_ISSUER must start with https://")
        found = cls(
            issuer=issuer,
            client_id=value("ENGAGEMENT_OIDC_CLIENT_ID"),
            client_secret=value("ENGAGEMENT_OIDC_CLIENT_SECRET"),
            scopes=value("ENGAGEMENT_OIDC_SCOPES", cls.scopes),
            label=value("ENGAGEMENT_OIDC_LABEL", cls.label),
        )
        if not found.client_id:
            raise Invalid("ENGAGEMENT_OIDC_ISSUER needs ENGAGEMENT_OIDC_CLIENT_ID")
        if "openid" not in found.scopes.split():
            raise Invalid("ENGAGEMENT_OIDC_SCOPES must hold the word openid")
        if len(found.label) > 60 or not found.label.isprintable():
            raise Invalid("ENGAGEMENT_OIDC_LABEL must be one line of at most 60 characters")
        return found


def _whole(text: str, name: str, highest: int) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= highest:
        raise Invalid(f"{name} must be a whole number from 1 to {highest}")
    return int(text)


@dataclass(frozen=True)
class Config:
    """The settings of one process."""

    data: Path
    database_url: str = field(repr=False)  # may hold a password
    public_url: str
    embedded_worker: bool
    mail: MailConfig = MailConfig()
    provider: ProviderConfig | None = None
    production: str = "off"
    privacy_contact: str = ""
    lawful_basis: str = "public_task"

    @property
    def keys(self) -> Path:
        """Folder of round, link and panel keys; beside the database, never in it, never backed up."""
        return self.data / "keys"

    @property
    def app_keys(self) -> Path:
        """Folder of the keys that signing in needs: read by the app, where it may not read those of rounds."""
        return self.data / "app-keys"

    @property
    def outbox(self) -> Path:
        """Folder of mail written as files. They hold links: only the owner reads them, and they are never backed up."""
        return self.data / "outbox"

    @property
    def backups(self) -> Path:
        """Folder of copies taken before a migration."""
        return self.data / "backups"

    @property
    def secure(self) -> bool:
        """Whether people reach us over https, so that cookies may be `Secure`."""
        return self.public_url.startswith("https://")

    @classmethod
    def load(cls, env: dict[str, str] | None = None) -> Config:
        """Read the environment; each `NAME` may be given as a file's path in `NAME_FILE` instead.

        Raises `Invalid` for a value that cannot be used.
        """
        env = dict(os.environ if env is None else env)

        def value(name: str, default: str = "") -> str:
            if path := env.get(f"{name}_FILE"):
                try:
                    return Path(path).read_text(encoding="utf-8").strip() or default
                except (OSError, UnicodeDecodeError) as error:
                    raise Invalid(
                        f"{name}_FILE names {path}, which cannot be read: {type(error).__name__}"
                    ) from None
            return env.get(name, default).strip() or default

        data = Path(value("ENGAGEMENT_DATA", "data")).expanduser().resolve()
        url = value("ENGAGEMENT_DATABASE_URL")
        if url.startswith("postgres"):
            url = "postgresql+psycopg://" + url.split("://", 1)[1]
        elif url and not url.startswith("sqlite:///"):
            raise Invalid("ENGAGEMENT_DATABASE_URL must start with postgresql:// or sqlite:///")
        worker = value("ENGAGEMENT_WORKER", "embedded")
        if worker not in ("embedded", "external"):
            raise Invalid("ENGAGEMENT_WORKER must be embedded or external")
        public_url = value("ENGAGEMENT_PUBLIC_URL", "http://localhost:8501").rstrip("/")
        return cls(
            data=data,
            database_url=url or f"sqlite:///{data / 'engagement.sqlite'}",
            public_url=public_url,
            embedded_worker=worker == "embedded",
            mail=MailConfig.load(value, secure=public_url.startswith("https://")),
            provider=ProviderConfig.load(value),
            production=_one_of(value, "ENGAGEMENT_PRODUCTION", PRODUCTION),
            privacy_contact=_one_line(value("ENGAGEMENT_PRIVACY_CONTACT"), "ENGAGEMENT_PRIVACY_CONTACT"),
            lawful_basis=_one_of(value, "ENGAGEMENT_LAWFUL_BASIS", LAWFUL_BASES),
        )

    def unsafe(self, listens_on: str = "127.0.0.1") -> list[str]:
        """What of these settings may not be used for real people, each with its remedy; see `engagement.protection.safety`.

        `listens_on` is the address that the app is to listen on.
        """
        host = urlsplit(self.public_url).hostname or ""
        found = []
        if not self.secure:
            found.append(
                "ENGAGEMENT_PUBLIC_URL does not start with https://: links and answers could be read on the way"
            )
        if host in (*LOOPBACK, *EVERYWHERE) or "." not in host or _is_number(host):
            found.append(
                f"ENGAGEMENT_PUBLIC_URL names {host or 'no host'}: give the one name that people reach the service by, "
                "for no other host is answered"
            )
        if listens_on in ("", *EVERYWHERE) and self.production != "container":
            found.append(
                "STREAMLIT_SERVER_ADDRESS lets everybody pass the proxy by: set 127.0.0.1, or "
                "ENGAGEMENT_PRODUCTION=container where only the proxy reaches this address"
            )
        if not self.privacy_contact:
            found.append("ENGAGEMENT_PRIVACY_CONTACT is empty: the privacy notice must say whom to write to")
        if not self.database_url.startswith("sqlite"):
            password = urlsplit(self.database_url).password
            if password is not None and _is_weak(password):
                found.append(
                    "ENGAGEMENT_DATABASE_URL has a password that is short or well known: make a new one"
                )
            if self.embedded_worker:
                found.append(
                    "ENGAGEMENT_WORKER is embedded: with PostgreSQL run the worker under a user of its own, so that the "
                    "app's user cannot read answers (ENGAGEMENT_WORKER=external)"
                )
        if self.provider and self.provider.client_secret and _is_weak(self.provider.client_secret):
            found.append(
                "ENGAGEMENT_OIDC_CLIENT_SECRET is short or well known: ask the provider for a new one"
            )
        if self.mail.password and _is_weak(self.mail.password, shortest=8):
            found.append("ENGAGEMENT_SMTP_PASSWORD is short or well known: set a new one at the mail server")
        return found


def _one_of(value: Callable[..., str], name: str, known: tuple[str, ...]) -> str:
    """A setting of few values, the first being the default."""
    found = value(name, known[0])
    if found not in known:
        raise Invalid(f"{name} must be {', '.join(known[:-1])} or {known[-1]}")
    return found


def _one_line(text: str, name: str) -> str:
    if len(text) > 200 or not text.isprintable():
        raise Invalid(f"{name} must be one line of at most 200 characters")
    return text


def _is_weak(secret: str, shortest: int = SHORTEST_SECRET) -> bool:
    return len(secret) < shortest or secret.strip("0123456789!.-_").lower() in WELL_KNOWN


def _is_number(host: str) -> bool:
    """Whether a host is an address and no name, which no certificate is made out to."""
    return ":" in host or host.replace(".", "").isdigit()
