"""Messages that nobody but one browser can read (RFC 8291, RFC 8188), and who they are from (RFC
8292). Pure but for the random numbers, which can be given.
"""

import base64
import binascii
import os
import struct
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:  # heavy; who pushes nothing starts without
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

SECRET_BYTES = 16
_SALT_BYTES = 16
_RECORD_BYTES = 4096
#: More does not fit into the one record that push services take.
MAX_TEXT_BYTES = 3900
LIFE = timedelta(hours=12)  # of a signature; a service takes 24 at most


class BadKey(ValueError):
    """This is no key of a browser."""


def encoded(raw: bytes) -> str:
    """Base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """What `encoded` was made of, with or without padding. Raises `BadKey`."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), b"-_", True)
    except (ValueError, binascii.Error):
        raise BadKey("this is not base64 for URLs") from None


def check_keys(p256dh: str, auth: str) -> None:
    """Raises `BadKey` for what no browser sends."""
    from cryptography.hazmat.primitives.asymmetric import ec

    if len(decoded(auth)) != SECRET_BYTES:
        raise BadKey(f"auth: {SECRET_BYTES} bytes in base64 for URLs")
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(p256dh))
    except ValueError:
        raise BadKey("p256dh: a public key of P-256 in base64 for URLs") from None


def sealed_for(
    p256dh: str, auth: str, text: bytes, *, private: int | None = None, salt: bytes | None = None
) -> bytes:
    """*text* for the browser with these keys, as the body of a push (``aes128gcm``).

    *private* and *salt*: by chance unless they are given. Raises `BadKey`.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    def derived(length: int, salt: bytes, info: bytes, key: bytes) -> bytes:
        return HKDF(SHA256(), length, salt, info).derive(key)

    check_keys(p256dh, auth)
    theirs, curve = decoded(p256dh), ec.SECP256R1()
    own = (
        ec.generate_private_key(curve) if private is None else ec.derive_private_key(private, curve)
    )
    ours = _point(own)
    shared = own.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(curve, theirs))
    secret = derived(32, decoded(auth), b"WebPush: info\0" + theirs + ours, shared)
    salt = os.urandom(_SALT_BYTES) if salt is None else salt
    key = derived(16, salt, b"Content-Encoding: aes128gcm\0", secret)
    nonce = derived(12, salt, b"Content-Encoding: nonce\0", secret)
    head = salt + struct.pack("!IB", _RECORD_BYTES, len(ours)) + ours
    return head + AESGCM(key).encrypt(nonce, text + b"\x02", None)


class Secrets(Protocol):
    """Who knows the secrets of this deployment."""

    def derived(self, purpose: str) -> bytes:
        """32 bytes, always the same for a *purpose*."""


class Sender:
    """Who pushes: the key pair of this deployment, the same in all its processes.

    *contact*: a mailto: or https: address for the people of push services; "" for none.
    """

    def __init__(self, secrets: Secrets, contact: str = "") -> None:
        self._secrets = secrets
        self._contact = contact

    @property
    def public_key(self) -> str:
        """What browsers subscribe with."""
        return encoded(_point(self._private()))

    def signature(self, endpoint: str, now: datetime) -> str:
        """The `Authorization` of a push to *endpoint*."""
        from joserfc import jwt
        from joserfc.jwk import ECKey

        parts = urlsplit(endpoint)
        claims: dict[str, str | int] = {
            "aud": f"{parts.scheme}://{parts.netloc}",
            "exp": int((now + LIFE).timestamp()),
        }
        if self._contact:
            claims["sub"] = self._contact
        key = ECKey.import_key(_pem(self._private()))
        return f"vapid t={jwt.encode({'alg': 'ES256'}, claims, key)}, k={self.public_key}"

    def _private(self) -> "EllipticCurvePrivateKey":
        from cryptography.hazmat.primitives.asymmetric import ec

        number = int.from_bytes(self._secrets.derived("web push"), "big") % (_ORDER - 1) + 1
        return ec.derive_private_key(number, ec.SECP256R1())


#: How many points the curve has.
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _point(private: "EllipticCurvePrivateKey") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _pem(private: "EllipticCurvePrivateKey") -> bytes:
    from cryptography.hazmat.primitives import serialization as forms

    return private.private_bytes(
        forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.NoEncryption()
    )
