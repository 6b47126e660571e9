"""Who this bridge is: its Ed25519 key and what pairing told it (room link contract, "Identity").

The private half never leaves the state directory; its file and the directory are the owner's alone.
"""

import base64
import hashlib
import os
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.agent.errors import PairingError

KEY_FILE = "identity.key"
PAIRING_FILE = "pairing.json"


class Pairing(msgspec.Struct, frozen=True, kw_only=True):
    """Which API this bridge belongs to, and as whom."""

    url: str
    bridge_id: str
    name: str = ""


class Identity:
    """The key of this bridge."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self._public = key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw
        )

    @property
    def public_key(self) -> str:
        """The raw public key in base64."""
        return base64.b64encode(self._public).decode()

    @property
    def fingerprint(self) -> str:
        """What an admin compares before approving: `SHA256:` and the hash of the raw key."""
        digest = hashlib.sha256(self._public).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")

    def sign(self, text: bytes) -> str:
        """The signature of *text* in base64."""
        return base64.b64encode(self._key.sign(text)).decode()


def load_or_create(state_dir: Path) -> Identity:
    """The key in *state_dir*, made on first use. Raises `PairingError` when it cannot be used."""
    path = state_dir / KEY_FILE
    try:
        if not path.exists():
            key = Ed25519PrivateKey.generate()
            pem = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            write_private(path, pem)
            return Identity(key)
        if path.stat().st_mode & 0o077:
            raise PairingError(f"others may read {path}: chmod 600 {path}")
        loaded = serialization.load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise PairingError(f"the bridge's key {path}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PairingError(f"{path} holds no usable key: move it away and pair again") from error
    if not isinstance(loaded, Ed25519PrivateKey):
        raise PairingError(f"{path} holds no Ed25519 key: move it away and pair again")
    return Identity(loaded)


def load_pairing(state_dir: Path) -> Pairing | None:
    """What pairing wrote; None before. Raises `PairingError` when it is unreadable."""
    path = state_dir / PAIRING_FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Pairing)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise PairingError(f"{path} is unreadable ({error}): pair again") from error


def save_pairing(state_dir: Path, pairing: Pairing) -> None:
    """Remember the pairing, all or nothing."""
    write_private(state_dir / PAIRING_FILE, msgspec.json.encode(pairing) + b"\n")


def write_private(path: Path, data: bytes) -> None:
    """Write *data* so that only the owner reads it and a crash leaves the old file or the new."""
    part = path.with_name(path.name + ".part")
    fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
