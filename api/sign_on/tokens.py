"""What a provider's answers must say before anybody believes them (safety S61, S62). Pure.

OpenID Connect Core 3.1.3.7, with the algorithms narrowed to signatures by the provider's own
published keys: no `none`, nothing that is signed with a shared secret.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from api.errors import Invalid

#: Signature algorithm -> the hash that `at_hash` is made with.
ALGORITHMS: Mapping[str, str] = {
    **dict.fromkeys(("RS256", "PS256", "ES256"), "sha256"),
    **dict.fromkeys(("RS384", "PS384", "ES384"), "sha384"),
    **dict.fromkeys(("RS512", "PS512", "ES512"), "sha512"),
}
LEEWAY_S = 60
#: A token that was issued long ago belongs to another login.
MAX_AGE_S = 600
WELL_KNOWN = "/.well-known/openid-configuration"
_ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_MAX_SUBJECT = 255


class Unbelievable(Exception):
    """The provider's answer is not one to be believed; the text says why, for the log."""


class UnknownKey(Unbelievable):
    """Signed with a key that is not among those that are known: there may be a newer one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What discovery says of a provider."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    takes_basic: bool = True
    names_itself: bool = False  # the answer of the authorization endpoint carries `iss`


@dataclass(frozen=True, slots=True, kw_only=True)
class Somebody:
    """Who the provider says it is. *email* "" unless the provider has verified it."""

    issuer: str
    subject: str
    email: str
    name: str


def provider_of(document: Mapping[str, Any], discovery_url: str, *, insecure: bool) -> Provider:
    """The provider that *document*, found at *discovery_url*, describes.

    *insecure*: http is taken too. Raises `Invalid` naming what is wrong.
    """
    issuer = document.get("issuer")
    if not isinstance(issuer, str) or issuer.rstrip("/") + WELL_KNOWN != discovery_url:
        raise Invalid(
            "The document at discovery_url is not that of its issuer: it must be found at the "
            f"issuer's own address followed by {WELL_KNOWN}."
        )
    found = {name: document.get(name) for name in _ENDPOINTS}
    for name, url in found.items():
        if not isinstance(url, str) or not is_url(url, insecure=insecure):
            raise Invalid(f"The provider's {name} is missing or not https.")
    methods = document.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return Provider(
        issuer=issuer,
        takes_basic="client_secret_basic" in methods,
        names_itself=bool(document.get("authorization_response_iss_parameter_supported")),
        **{name: str(url) for name, url in found.items()},
    )


def is_url(url: str, *, insecure: bool) -> bool:
    """Whether *url* is one to send people and secrets to."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    schemes = ("https", "http") if insecure else ("https",)
    odd = parts.username or parts.password or parts.fragment
    return parts.scheme in schemes and bool(parts.hostname) and not odd


def claims_of(id_token: str, keys: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """(algorithm, claims) of a token that is signed by one of *keys* (a JWKS document).

    Raises `Unbelievable`, or `UnknownKey`.
    """
    from joserfc import jwt  # heavy; who has no provider starts without
    from joserfc.errors import JoseError
    from joserfc.jwk import KeySet

    try:
        token = jwt.decode(id_token, KeySet.import_key_set(_signing(keys)), list(ALGORITHMS))
    except JoseError as error:
        kind = UnknownKey if _names_no_key(id_token, keys) else Unbelievable
        raise kind(f"the id_token's signature: {type(error).__name__}") from None
    except (ValueError, TypeError, KeyError):
        raise Unbelievable("the id_token or the provider's keys are malformed") from None
    return str(token.header.get("alg")), dict(token.claims)


def _signing(keys: Mapping[str, Any]) -> Any:
    """Public keys for signatures alone: a shared secret in there would sign for everybody."""
    listed = [
        key
        for key in keys.get("keys") or ()
        if isinstance(key, Mapping) and key.get("kty") != "oct" and key.get("use", "sig") == "sig"
    ]
    return {"keys": listed}


def _names_no_key(id_token: str, keys: Mapping[str, Any]) -> bool:
    """Whether the token names a key that is not among *keys*."""
    from joserfc import jws
    from joserfc.errors import JoseError

    try:
        kid = jws.extract_compact(id_token.encode()).headers().get("kid")
    except (JoseError, ValueError):
        return False
    return kid not in [key.get("kid") for key in _signing(keys)["keys"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What this login must be answered with."""

    issuer: str
    client_id: str
    nonce: str
    access_token: str = ""


def somebody(
    algorithm: str, claims: Mapping[str, Any], expected: Expected, now: datetime
) -> Somebody:
    """Who *claims* are about, if they answer this login. Raises `Unbelievable`."""
    _check_audience(claims, expected)
    _check_times(claims, now.timestamp())
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not hmac.compare_digest(
        nonce.encode(), expected.nonce.encode()
    ):
        raise Unbelievable("the nonce is not that of this login")
    _check_hash(algorithm, claims, expected)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT:
        raise Unbelievable("there is no sub")
    email, verified = claims.get("email"), claims.get("email_verified")
    name = claims.get("preferred_username") or claims.get("name") or email or subject
    return Somebody(
        issuer=expected.issuer,
        subject=subject,
        email=email if isinstance(email, str) and verified is True else "",
        name=str(name),
    )


def _check_audience(claims: Mapping[str, Any], expected: Expected) -> None:
    if claims.get("iss") != expected.issuer:
        raise Unbelievable("the id_token is of another issuer")
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if expected.client_id not in named:
        raise Unbelievable("the id_token is for another client")
    party = claims.get("azp")
    if party != expected.client_id and (len(named) > 1 or party is not None):
        raise Unbelievable("the id_token was issued to another client")


def _check_times(claims: Mapping[str, Any], now_s: float) -> None:
    times = {name: claims.get(name) for name in ("exp", "iat", "nbf")}
    for name, at_s in times.items():
        wanted = name != "nbf" or at_s is not None
        if wanted and (not isinstance(at_s, int | float) or isinstance(at_s, bool)):
            raise Unbelievable(f"{name} is no time")
    exp, iat, nbf = times["exp"] or 0, times["iat"] or 0, times["nbf"] or 0
    if now_s > exp + LEEWAY_S:
        raise Unbelievable("the id_token has expired")
    if max(iat, nbf) > now_s + LEEWAY_S:
        raise Unbelievable("the id_token is from the future: look at the clocks")
    if now_s - iat > MAX_AGE_S + LEEWAY_S:
        raise Unbelievable("the id_token was issued long ago")


def _check_hash(algorithm: str, claims: Mapping[str, Any], expected: Expected) -> None:
    """That the access token belongs to the id_token, where it says so."""
    told = claims.get("at_hash")
    if told is None:
        return
    digest = hashlib.new(ALGORITHMS[algorithm], expected.access_token.encode()).digest()
    half = urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
    if not isinstance(told, str) or not hmac.compare_digest(told.encode(), half.encode()):
        raise Unbelievable("at_hash is not that of the access token")
