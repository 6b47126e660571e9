"""An OpenID provider: honest by itself, and as evil as a test makes it.

It serves discovery, its keys and the token endpoint as an ASGI application; `consent` is the person
who says yes at its login page.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson
from joserfc import jwt
from joserfc.jwk import ECKey

ISSUER = "https://id.example"
CLIENT_ID = "farm"
CLIENT_SECRET = "what the farm proves itself with"


@dataclass
class FakeProvider:
    """*claims*: what it says of the person; *twist*: makes the claims another thing; *sign*: makes
    a token of them otherwise; *document*: what discovery says beside or instead.
    """

    now: Callable[[], datetime]
    key: ECKey = field(default_factory=lambda: new_key("first"))
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "person-1"})
    twist: Callable[[dict[str, Any]], dict[str, Any]] = field(default=lambda claims: claims)
    sign: Callable[[dict[str, Any]], str] | None = None
    document: dict[str, Any] = field(default_factory=dict)
    is_down: bool = False
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def consent(self, url: str) -> dict[str, str]:
        """What the provider sends the browser back with, after a login at *url*."""
        parts = urlsplit(url)
        asked = dict(parse_qsl(parts.query))
        assert f"{parts.scheme}://{parts.netloc}" == ISSUER
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID)
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": ISSUER}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """ASGI."""
        self.asked.append(scope["path"])
        body = (await receive()).get("body", b"")
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        status, told = self._answer(scope["path"], body, headers)
        start = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": start})
        await send({"type": "http.response.body", "body": orjson.dumps(told)})

    def _answer(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
        if self.is_down:
            return 503, {"error": "down"}
        if path == "/.well-known/openid-configuration":
            return 200, self._discovery()
        if path == "/keys":
            return 200, {"keys": [self.key.as_dict(private=False)]}
        if path == "/token":
            return self._token(dict(parse_qsl(body.decode())), headers.get("authorization", ""))
        return 404, {}

    def _discovery(self) -> dict[str, Any]:
        return {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/authorize",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
            "authorization_response_iss_parameter_supported": True,
            **self.document,
        }

    def _token(self, given: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        asked = self.codes.pop(given.get("code", ""), None)
        raw = base64.b64decode(authorization.removeprefix("Basic ")).decode()
        user, _, secret = raw.partition(":")
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        fits = (
            asked is not None
            and (unquote(user), unquote(secret.replace("+", " "))) == (CLIENT_ID, CLIENT_SECRET)
            and asked["code_challenge"] == challenge
            and asked["redirect_uri"] == given.get("redirect_uri")
        )
        if asked is None or not fits:
            return 400, {"error": "invalid_grant"}
        now_s = int(self.now().timestamp())
        claims = self.twist(
            {
                "iss": ISSUER,
                "aud": CLIENT_ID,
                "iat": now_s,
                "exp": now_s + 300,
                "nonce": asked["nonce"],
                **self.claims,
            }
        )
        token = self.sign(claims) if self.sign is not None else signed(claims, self.key)
        return 200, {"access_token": "opaque", "token_type": "Bearer", "id_token": token}


def new_key(kid: str) -> ECKey:
    """A fresh key for ES256."""
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig", "alg": "ES256"}, private=True)


def signed(claims: dict[str, Any], key: ECKey) -> str:
    """*claims* as a token by *key*."""
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key)


def unsigned(claims: dict[str, Any]) -> str:
    """*claims* as a token that nobody signed."""
    parts = (orjson.dumps({"alg": "none"}), orjson.dumps(claims))
    return ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts) + "."
