"""Keys and secrets of bridges: Ed25519 proofs, fingerprints, hashes (room link, "Identity")."""

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

KEY_BYTES = 32


def canonical_key(text: str) -> str:
    """*text* as the canonical base64 of a raw Ed25519 key. Raises ValueError for anything else."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("a public key is the base64 of 32 bytes") from None
    if len(raw) != KEY_BYTES:
        raise ValueError(f"a public key is the base64 of 32 bytes, not of {len(raw)}")
    return base64.b64encode(raw).decode()


def fingerprint(public_key: str) -> str:
    """What a person compares: ``SHA256:`` and the unpadded base64 of the raw key's hash."""
    hashed = hashlib.sha256(base64.b64decode(public_key)).digest()
    return "SHA256:" + base64.b64encode(hashed).decode().rstrip("=")


def proves(public_key: str, signature: str, message: bytes) -> bool:
    """Whether *signature* (base64) over *message* was made with *public_key*'s private half."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key))
        key.verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def digest(secret: str) -> str:
    """What is kept of a secret of at least 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()
