"""The ID token: every way in which it may lie is refused, whatever the provider says of itself."""

from __future__ import annotations

import base64
import hmac

import pytest
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, RSAKey

from engagement import clock
from engagement.access import oidc
from engagement.access.oidc import Provider, ProviderTrouble
from engagement.config import Config, ProviderConfig
from engagement.errors import Invalid

ISSUER = "https://id.example.org/tenant/v2.0"
SETTINGS = ProviderConfig(ISSUER, "engagement", "the client's own secret, long enough", label="NHSmail")
STATE, BROWSER = "s" * 43, "b" * 43
KEY = RSAKey.generate_key(2048, {"kid": "1"})
OTHER = RSAKey.generate_key(2048, {"kid": "2"})
CURVE = ECKey.generate_key("P-256", {"kid": "3"})


class Published(Provider):
    """A provider whose documents are at hand."""

    def __init__(self, *keys, **changed):
        super().__init__(SETTINGS, "https://ccg.example.org/sign-in/oidc/back")
        self.keys = keys or (KEY,)
        self.newer = ()
        self.document = {
            "issuer": ISSUER,
            "authorization_endpoint": "https://id.example.org/authorize",
            "token_endpoint": "https://id.example.org/token",
            "jwks_uri": "https://id.example.org/keys",
        } | changed

    def _fetched(self, address: str, oldest: float):
        if address.endswith("/.well-known/openid-configuration"):
            return self.document
        keys = (*self.keys, *self.newer) if oldest < oidc.CACHED else self.keys
        return {"keys": [key.as_dict(private=False) for key in keys]}


def claims(**changed) -> dict:
    """What a good token says; None takes a claim out."""
    now = int(clock.now().timestamp())
    found = {
        "iss": ISSUER,
        "aud": "engagement",
        "sub": "nhs-1",
        "iat": now,
        "exp": now + 300,
        "nonce": oidc._derived(BROWSER, "nonce", STATE),
    } | changed
    return {name: value for name, value in found.items() if value is not None}


def token(key=KEY, alg: str = "RS256", header: dict | None = None, **changed) -> str:
    """A signed token."""
    return jwt.encode({"alg": alg, "kid": "1"} | (header or {}), claims(**changed), key, algorithms=[alg])


def check(provider: Provider, text: str):
    """The person whom a token names, or the error."""
    return provider._checked({"id_token": text}, oidc._derived(BROWSER, "nonce", STATE))


def test_a_good_token_names_issuer_and_subject():
    """Signed by the provider, for us, now, with our nonce: issuer and subject, and nothing else, come out of it."""
    for text in (token(), token(aud=["engagement"]), token(key=CURVE, alg="ES256", header={"kid": "3"})):
        assert check(Published(KEY, CURVE), text) == oidc.Identity(ISSUER, "nhs-1")


NOW = int(clock.now().timestamp())


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://id.example.org/another/v2.0"},
        {"iss": None},
        {"aud": "somebody-else"},
        {"aud": "somebody-else", "azp": "engagement"},
        {"aud": None},
        {"aud": ["engagement", "somebody-else"]},
        {"aud": ["engagement", "somebody-else"], "azp": "somebody-else"},
        {"azp": "somebody-else"},
        {"exp": NOW - 600, "iat": NOW - 900},
        {"exp": None},
        {"iat": None},
        {"iat": NOW + 3600, "exp": NOW + 7200},
        {"nbf": NOW + 3600},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": "two\nlines"},
        {"sub": 7},
    ],
    ids=" ".join,
)
def test_a_lying_token_is_refused(changed):
    """A token of another issuer, for another client, out of its time, of another flow or without a usable subject."""
    with pytest.raises((JoseError, ProviderTrouble)):
        check(Published(), token(**changed))


HS256 = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"1"}').decode().rstrip("=")


def forged() -> dict[str, str]:
    """Tokens that say all that a good one does and are signed wrongly."""
    head, body, signature = token().split(".")
    by_public = hmac.digest(KEY.as_pem(private=False), f"{HS256}.{body}".encode(), "sha256")
    secret = OctKey.import_key(SETTINGS.client_secret)
    return {
        "none": jwt.encode({"alg": "none"}, claims(), None, algorithms=["none"]),
        "unsigned": f"{head}.{body}.",
        "changed": f"{head}.{body[:-2]}AA.{signature}",
        "another key": token(key=OTHER),
        "another key's name": token(key=OTHER, header={"kid": "2"}),
        "key in the token": token(key=OTHER, header={"jwk": OTHER.as_dict(private=False)}),
        # By hand: the library refuses to make one.
        "public key as a secret": f"{HS256}.{body}.{base64.urlsafe_b64encode(by_public).decode().rstrip('=')}",
        "client secret": token(key=secret, alg="HS256"),
    }


def test_a_forged_signature_is_refused():
    """No signature, one by another key, and one that a public key or our own secret could make open nothing."""
    for name, text in forged().items():
        with pytest.raises(JoseError):
            print(name, check(Published(), text))


def test_a_new_key_of_the_provider_is_fetched_once():
    """A token with a key that we do not have makes us ask again; a key that even then is missing is refused."""
    provider = Published()
    provider.newer = (OTHER,)
    assert check(provider, token(key=OTHER, header={"kid": "2"})).subject == "nhs-1"


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://id.example.org/common/v2.0"},
        {"authorization_endpoint": "http://id.example.org/authorize"},
        {"authorization_endpoint": None},
        {"authorization_endpoint": "javascript:alert(1)"},
    ],
    ids=str,
)
def test_a_provider_that_is_not_itself_is_refused(changed):
    """Discovery must name the issuer of the settings, and addresses that nobody on the way can read."""
    with pytest.raises(ProviderTrouble, match="Nothing was changed"):
        Published(**changed).address(STATE, BROWSER)


def test_an_answer_that_names_another_issuer_is_refused():
    """Where the provider's answer says who it is, it must be ours: answers of two providers cannot be mixed up."""
    with pytest.raises(ProviderTrouble):
        Published().identity("code", STATE, BROWSER, "https://evil.example")


def test_documents_are_kept_for_an_hour(monkeypatch):
    """Discovery is asked for once an hour, and not more than once a minute for keys that are not there."""
    import requests

    asked = []

    class Reply:
        status_code = 200

        def raise_for_status(self):
            """All is well."""

        def json(self):
            return {"issuer": ISSUER, "authorization_endpoint": "https://id.example.org/authorize"}

    monkeypatch.setattr(requests, "get", lambda address, **_: asked.append(address) or Reply())
    at = [0.0]
    provider = Provider(SETTINGS, "https://ccg.example.org/back", timer=lambda: at[0])
    for at[0] in (0.0, 10.0, 3599.0, 3601.0):
        provider.address(STATE, BROWSER)
    assert asked == [f"{ISSUER}/.well-known/openid-configuration"] * 2


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"ISSUER": "http://id.example.org"}, "must start with https"),
        ({"CLIENT_ID": ""}, "needs ENGAGEMENT_OIDC_CLIENT_ID"),
        ({"SCOPES": "profile"}, "must hold the word openid"),
        ({"LABEL": "x" * 61}, "at most 60"),
    ],
)
def test_settings_that_would_not_be_safe_are_refused(tmp_path, changed, message):
    """An issuer over http, no client, no openid scope and a label of many lines stop the start with what to do."""
    good = {"ISSUER": ISSUER, "CLIENT_ID": "x", "CLIENT_SECRET": "very secret"}
    env = {f"ENGAGEMENT_OIDC_{name}": value for name, value in (good | changed).items()}
    with pytest.raises(Invalid, match=message):
        Config.load({"ENGAGEMENT_DATA": str(tmp_path)} | env)


def test_the_clients_secret_is_in_no_text(tmp_path):
    """Settings can be logged: the client's secret, from a file or not, is not in their text."""
    path = tmp_path / "secret"
    path.write_text("very secret\n")
    env = {"ENGAGEMENT_DATA": str(tmp_path), "ENGAGEMENT_OIDC_ISSUER": ISSUER}
    env |= {"ENGAGEMENT_OIDC_CLIENT_ID": "x", "ENGAGEMENT_OIDC_CLIENT_SECRET_FILE": str(path)}
    found = Config.load(env)
    assert found.provider.client_secret == "very secret" and "very secret" not in repr(found)
