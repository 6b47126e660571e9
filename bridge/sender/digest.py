"""SHA-256 from the interpreter's own C module: `hashlib` brings OpenSSL along, 4 MB a sender.

Falls back to `hashlib` where an interpreter was built without it.
"""

from typing import Protocol


class Digest(Protocol):
    """A hash in progress."""

    def update(self, data: bytes, /) -> None:
        """Take in *data*."""

    def hexdigest(self) -> str:
        """The hash of all that was taken in."""


def sha256() -> Digest:
    """A fresh SHA-256."""
    try:
        from _sha2 import sha256 as made  # type: ignore[import-not-found]
    except ImportError:
        try:
            from _sha256 import sha256 as made  # type: ignore[import-not-found]
        except ImportError:
            from hashlib import sha256 as made
    digest: Digest = made()
    return digest
