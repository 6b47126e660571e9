"""Secrets: how they are made and recognised (DESIGN section 7, Credentials; v1 1.1 and 1.3).

Every secret has at least 256 random bits, so its SHA-256 is enough to keep; the row is found by a
public *prefix* and the digest compared in constant time. A session's secret is a JWT because v1
says so, but its claims decide nothing: only the row does.
"""

import hashlib
import hmac
import os
import re
import secrets
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

TOKEN_START = "odin_"  # noqa: S105  the public beginning of every token
PREFIX_CHARACTERS = 10
_SESSION_PREFIX_CHARACTERS = 24
_MAX_ID_DIGITS = 10
_MAX_NONCE = 32
_PLAUSIBLE = re.compile(r"[A-Za-z0-9_.-]{16,2048}")


class CredentialKind(StrEnum):
    """What a person or program proves itself with."""

    SESSION = "session"
    TOKEN = "token"  # noqa: S105  a kind, not a secret
    OCTOPRINT_KEY = "octoprint_key"
    USER_KEY = "user_key"  # the one OctoPrint key that a person has beside those of printers
    APP_KEY = "app_key"
    REMEMBER = "remember"  # opens a session, once; a cookie of OctoPrint's login
    WS_TICKET = "ws_ticket"  # opens one websocket, within half a minute
    ENROLMENT = "mfa_setup"  # may do nothing but set a second factor up, where one is required
    DEVICE = "device"  # opens sessions on the one device that it was made for
    SIGN_ON = "sign_on"  # who it is was proved elsewhere; opens a session, once
    HALF_LOGIN = "half_login"  # the password fitted; opens a session with the second factor, once
    MAIL_TOKEN = "mail_token"  # noqa: S105  came by mail; sets a password, once


def new_token() -> str:
    """A fresh API token: `odin_` and 43 URL-safe characters."""
    return TOKEN_START + secrets.token_urlsafe(32)


def new_key() -> str:
    """A fresh key for an OctoPrint client, or a CSRF token: 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What is kept of *secret*: its SHA-256 in hexadecimal."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def plausible(secret: str) -> bool:
    """False for what we never made: empty, too short or long, or with odd characters."""
    return _PLAUSIBLE.fullmatch(secret) is not None


def prefix_of(secret: str) -> str:
    """The public part by which the row of *secret* is found.

    JWTs all begin alike, so a session goes by the head of its digest.
    """
    if "." in secret:
        return digest(secret)[:_SESSION_PREFIX_CHARACTERS]
    return secret[:PREFIX_CHARACTERS]


class SessionTokens:
    """Makes the access tokens of sessions, signed with *secret_key*, which all processes share.

    Without one, with a key of 256 bits that stays in the data directory.
    """

    def __init__(self, data_dir: Path, secret_key: str = "") -> None:
        self._path = data_dir / "session.key"
        self._secret_key = secret_key
        self._key: OctKey | None = None

    def make(self, username: str, role: str, expires_at: datetime) -> str:
        """A signed token (HS256) with the claims sub, role, exp and jti."""
        claims = {
            "sub": username,
            "role": role,
            "exp": int(expires_at.timestamp()),
            "jti": secrets.token_hex(16),
        }
        return jwt.encode({"alg": "HS256"}, claims, self._signing_key())

    def ticket(self, credential_id: int) -> str:
        """A signed reference to a credential; no secret can be told from it."""
        return f"{credential_id}-{self._signature(f'push {credential_id}')}"

    def credential_of(self, ticket: str) -> int | None:
        """The credential that a `ticket` of ours stands for; None for anything else."""
        number, _, _ = ticket.partition("-")
        if not number.isascii() or not number.isdigit() or len(number) > _MAX_ID_DIGITS:
            return None
        ours = self.ticket(int(number))
        return (
            int(number)
            if hmac.compare_digest(ours.encode(), ticket.encode("utf-8", "replace"))
            else None
        )

    def device_mark(self, user_id: int) -> str:
        """What a browser keeps after *user_id* has logged in there; it proves nothing else."""
        nonce = secrets.token_urlsafe(12)
        return f"{nonce}.{self._signature(f'device {user_id} {nonce}')}"

    def device_of(self, mark: str, user_id: int) -> str | None:
        """Which device of *user_id* a `device_mark` of ours names; None for anything else."""
        nonce, _, signature = mark.partition(".")
        ours = self._signature(f"device {user_id} {nonce}")
        fits = hmac.compare_digest(ours.encode(), signature.encode("utf-8", "replace"))
        return nonce if fits and len(nonce) <= _MAX_NONCE else None

    def seal(self, text: str) -> str:
        """*text* encrypted, for a row: who reads the database alone does not read it."""
        from joserfc import jwe  # heavy, and needed for second factors only

        return jwe.encrypt_compact({"alg": "dir", "enc": "A256GCM"}, text, self._sealing_key())

    def unseal(self, sealed: str) -> str | None:
        """What was sealed; None when it was sealed with another secret key."""
        from joserfc import jwe

        try:
            plain = jwe.decrypt_compact(sealed, self._sealing_key()).plaintext
        except (JoseError, ValueError):
            return None
        return None if plain is None else plain.decode()

    def derived(self, purpose: str) -> bytes:
        """32 bytes that only this deployment knows, always the same for a *purpose*."""
        raw = self._signing_key().raw_value
        return hmac.new(raw, purpose.encode(), hashlib.sha256).digest()

    def _sealing_key(self) -> OctKey:
        return OctKey.import_key(self.derived("seal"))

    def _signature(self, said: str) -> str:
        key = self._signing_key().raw_value
        return hmac.new(key, said.encode("utf-8", "replace"), hashlib.sha256).hexdigest()

    def _signing_key(self) -> OctKey:
        if self._key is None:
            given = self._secret_key.encode()
            raw = hashlib.sha256(given).digest() if given else _read_or_make(self._path)
            self._key = OctKey.import_key(raw)
        return self._key


def _read_or_make(path: Path) -> bytes:
    """The key in *path*; made once, whole and readable by nobody else, even in a race."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        handle = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secrets.token_bytes(32))
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first: its key counts
        finally:
            draft.unlink()
    return path.read_bytes()
