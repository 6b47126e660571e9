"""What a storage does for the files room: drafts that become blobs, and reading parts of them."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

Watch = Callable[[bytes | memoryview], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A draft that is completely written: its length and its digest in hexadecimal."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A request that a client may make to the store itself, with exactly these headers."""

    method: str
    url: str
    headers: dict[str, str]


class Draft(Protocol):
    """Bytes on their way in. Every method raises `Unavailable` when there is no room."""

    @property
    def look_back(self) -> Callable[[int, int], Iterable[bytes]] | None:
        """Gives the bytes from one place to another again, to the watch and in its thread, as far
        as it has seen them. None where they cannot be had before they are kept.
        """

    async def write(self, chunk: bytes) -> None:
        """Add *chunk*. Returns when more may come."""

    async def finish(self) -> Written:
        """Nothing more comes; what came. `keep` tells whether it could be stored."""

    async def keep(self, folder: str) -> str:
        """Store it by content under *folder*; its key. Durable when this returns."""


class Storage(Protocol):
    """Blobs by key. Methods raise `Unavailable` (storage_unavailable) when it cannot be reached."""

    def draft(self, watch: Watch | None = None) -> AbstractAsyncContextManager[Draft]:
        """A new draft; leaving the context without `keep` removes every trace of it.

        *watch* gets every byte in order, about a megabyte at a time, in a thread while the next
        come; it has had all when `finish` returns. What it gets is used again: it takes copies.
        """

    async def exists(self, key: str) -> bool:
        """Whether there are bytes under *key*."""

    def read(self, key: str, start: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes under *key* from *start*, at most *length* of them, in chunks."""

    def keys(self, before: datetime) -> AsyncIterator[str]:
        """The keys of what was kept and not touched since *before*; drafts are not among them."""

    async def delete(self, key: str) -> None:
        """Remove what is under *key*; nothing there is no error."""

    def local_path(self, key: str) -> Path | None:
        """Where the bytes lie on this machine; None when they lie elsewhere."""

    async def link(self, key: str, life_s: int) -> str | None:
        """A URL for the bytes under *key*, good for *life_s* seconds; None: only we can read them.

        It takes Range, and gives an attachment whatever the bytes are.
        """

    async def offer(self, key: str, size_bytes: int, sha256: str, life_s: int) -> Offer | None:
        """How a client puts exactly these bytes under *key* by itself; None: only through us."""

    async def check(self) -> None:
        """Raises `OSError` when it cannot be used; the text names the setting."""

    async def sweep(self, now: datetime) -> int:
        """Remove what broken uploads left behind; how many there were."""
