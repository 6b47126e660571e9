"""A browser that subscribes to pushes, and reads what comes (RFC 8291 from the other side)."""

import json
import os
import struct
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from api.push.envelope import encoded
from api.push.service import NewSubscription


class PushBrowser:
    """One browser profile."""

    def __init__(self) -> None:
        self._private = ec.generate_private_key(ec.SECP256R1())
        self._secret = os.urandom(16)
        public = self._private.public_key()
        self._public = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    @property
    def keys(self) -> dict[str, str]:
        """As `PushSubscription.toJSON()` says them."""
        return {"p256dh": encoded(self._public), "auth": encoded(self._secret)}

    @property
    def flat_keys(self) -> dict[str, str]:
        """The same as O.D.I.N.'s page sends them."""
        return {f"{name}_key": key for name, key in self.keys.items()}

    def at(self, endpoint: str, **more: str) -> NewSubscription:
        """Its subscription there."""
        return NewSubscription(endpoint=endpoint, **self.keys, **more)

    def read(self, body: bytes) -> Any:
        """What a push says. Raises `InvalidTag` for one that is not for this browser."""
        salt, (_, size) = body[:16], struct.unpack("!IB", body[16:21])
        theirs, sealed = body[21 : 21 + size], body[21 + size :]
        point = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), theirs)
        shared = self._private.exchange(ec.ECDH(), point)
        info = b"WebPush: info\0" + self._public + theirs
        secret = HKDF(SHA256(), 32, self._secret, info).derive(shared)
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(secret)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(secret)
        text = AESGCM(key).decrypt(nonce, sealed, None)
        assert text.endswith(b"\x02")
        return json.loads(text[:-1])
