"""What a storage does for the files room: drafts that become blobs, and reading parts of them."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A draft that is completely written: its length and its digests in hexadecimal."""

    size_bytes: int
    sha256: str
    sha1: str


class Draft(Protocol):
    """Bytes on their way in. Every method raises `Unavailable` when there is no room."""

    @property
    def path(self) -> Path:
        """Where the bytes lie on this machine until they are kept, for who reads them first."""

    async def write(self, chunk: bytes) -> None:
        """Add *chunk*. Returns when more may come."""

    async def finish(self) -> Written:
        """Nothing more comes; everything written is on the disk."""

    async def keep(self, folder: str) -> str:
        """Store it by content under *folder*; its key. Durable when this returns."""


class Storage(Protocol):
    """Blobs by key. Methods raise `Unavailable` (storage_unavailable) when it cannot be reached."""

    def draft(self) -> AbstractAsyncContextManager[Draft]:
        """A new draft; leaving the context without `keep` removes every trace of it."""

    async def exists(self, key: str) -> bool:
        """Whether there are bytes under *key*."""

    def read(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes under *key* from *start*, at most *length* of them, in chunks."""

    async def delete(self, key: str) -> None:
        """Remove what is under *key*; nothing there is no error."""

    def local_path(self, key: str) -> Path | None:
        """Where the bytes lie on this machine; None when they lie elsewhere."""
