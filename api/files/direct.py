"""Large files without us in between: a client puts them into the object store itself.

It says beforehand which bytes it will send, and gets a request that the store takes for exactly
these (length and checksum are signed). `complete` reads what lies there, hashes it and takes it in
as any upload; nothing that was not verified becomes a file. Asked twice, it is the same file.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from api.config import Settings
from api.errors import Conflict, Invalid, NotFound
from api.files.models import Blob
from api.files.service import Files
from api.principal import Principal
from api.storage import Offer, Storage

_ID = re.compile(r"([0-9a-f]{64})-([1-9][0-9]{0,12})", re.ASCII)
OFFER_S = 900  # an upload that has begun by then may end later


@dataclass(frozen=True, slots=True)
class Announced:
    """The bytes that will come. *sha256* in hexadecimal."""

    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, upload_id: str) -> "Announced":
        """What an `id` means. Raises `NotFound` for what is none."""
        match = _ID.fullmatch(upload_id)
        if match is None:
            raise _not_sent()
        return cls(int(match[2]), match[1])

    @property
    def id(self) -> str:
        """The bytes' name as long as they are no file."""
        return f"{self.sha256}-{self.size_bytes}"

    def key(self, by: Principal) -> str:
        """Where they go: of one organization, and of these bytes only."""
        return f"uploads/{by.organization_id}/{self.sha256}/{self.size_bytes}"


class DirectUploads:
    """Offers, and what became of them."""

    def __init__(self, storage: Storage, files: Files, settings: Settings) -> None:
        self._storage = storage
        self._files = files
        self._max_bytes = settings.max_upload_bytes

    async def offer(self, by: Principal, announced: Announced) -> Offer:
        """How to send the bytes. Raises `Invalid` (too_large), `Conflict` without such a store."""
        by.require("files.write")
        if announced.size_bytes > self._max_bytes:
            raise Invalid(
                f"The file is larger than {self._max_bytes} bytes, the limit of this server "
                "(GANTRY_MAX_UPLOAD_BYTES).",
                code="too_large",
                max_bytes=self._max_bytes,
            )
        key, size, sha256 = announced.key(by), announced.size_bytes, announced.sha256
        offer = await self._storage.offer(key, size, sha256, OFFER_S)
        if offer is None:
            raise Conflict("Files come through this server: POST /api/v1/print-files/upload.")
        return offer

    async def look_for(self, by: Principal, announced: Announced) -> None:
        """Raises `NotFound` when the bytes have neither been sent nor become a file."""
        by.require("files.write")
        if not await self._storage.exists(announced.key(by)):
            await self._known(by, announced)

    async def complete(self, by: Principal, announced: Announced, filename: str) -> Blob:
        """The bytes have been sent: take them in.

        Raises `NotFound` when they have not, `Invalid` when they are not those that were announced
        (they are removed then) or no G-code.
        """
        by.require("files.write")
        key = announced.key(by)
        if not await self._storage.exists(key):
            return await self._known(by, announced)
        try:
            reader = self._checked(key, announced)
            blob = await self._files.ingest(by, reader, filename, must_be_gcode=True)
        except Invalid:
            await self._storage.delete(key)
            raise
        await self._storage.delete(key)
        return blob

    async def _known(self, by: Principal, announced: Announced) -> Blob:
        """The file, when an earlier `complete` took it in."""
        try:
            return await self._files.blob_by_sha256(by.organization_id, announced.sha256)
        except NotFound:
            raise _not_sent() from None

    async def _checked(self, key: str, announced: Announced) -> AsyncIterator[bytes]:
        """What lies there, refused before it becomes a file when it is not what was announced."""
        size_bytes, digest = 0, hashlib.sha256()
        async for chunk in self._storage.read(key):
            size_bytes += len(chunk)
            if size_bytes > announced.size_bytes:
                break
            await asyncio.to_thread(digest.update, chunk)
            yield chunk
        if (size_bytes, digest.hexdigest()) != (announced.size_bytes, announced.sha256):
            raise _other_bytes(announced)


def _not_sent() -> NotFound:
    return NotFound(
        "No such bytes were sent; ask for an upload and send them first.", code="file_not_found"
    )


def _other_bytes(announced: Announced) -> Invalid:
    return Invalid(
        f"What was sent is not the {announced.size_bytes} bytes with sha256 {announced.sha256} "
        "that were announced. Ask for an upload and send them again."
    )
