"""Surveys of files, made once for each (`schemas.gcode.survey`), off the event loop.

A small file is looked at in a thread, a larger one by the worker process. One that is too large to
wait for has none until the analysis after its upload has made it; the gate at the port, which looks
at every byte before a print, guards it meanwhile.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Collection

import msgspec
from tortoise.exceptions import IntegrityError

from api.errors import Unavailable
from api.files.analysis.child import Stopped, Unreadable, read_file
from api.files.models import Blob, BlobSurvey
from api.storage import Storage
from schemas.gcode.survey import VERSION, Survey, Surveyor

IN_THREAD_BYTES = 512 * 1024
WAITED_FOR_BYTES = 64 * 1024 * 1024  # a second or two
LIMIT_S = 30.0
BYTES_PER_S = 2_000_000  # that the slowest machine should manage, for larger ones

_log = logging.getLogger("gantry.files")


class Surveys:
    """The surveys of every blob."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def of(self, blob: Blob) -> Survey | None:
        """The survey of *blob*, made now if it must; None: it is too large for that, or its bytes
        cannot be had now.
        """
        known = await self.known(blob)
        if known is not None or blob.size_bytes > WAITED_FOR_BYTES:
            return known
        return await self.make(blob)

    async def known(self, blob: Blob) -> Survey | None:
        """The survey that was made before, None without one."""
        row = await BlobSurvey.get_or_none(blob_id=blob.id, version=VERSION)
        return msgspec.convert(row.document, Survey) if row is not None else None

    async def kept(self, blob_ids: Collection[int]) -> dict[int, Survey]:
        """The surveys that were made before, by the blob's id; a file without one is left out."""
        rows = await BlobSurvey.filter(blob_id__in=sorted(blob_ids), version=VERSION)
        return {row.blob_id: msgspec.convert(row.document, Survey) for row in rows}

    async def make(self, blob: Blob) -> Survey | None:
        """Look at the whole file now, and keep what it tells. None as in `of`."""
        try:
            found = await self._made(blob)
        except (Unreadable, Stopped, Unavailable, OSError) as error:
            _log.warning("blob %d could not be surveyed: %s", blob.id, error)
            return None
        await _keep(blob, found)
        return found

    async def _made(self, blob: Blob) -> Survey:
        size_bytes: int = blob.size_bytes
        if size_bytes <= IN_THREAD_BYTES:
            chunks = [chunk async for chunk in self._bytes(blob)]
            return await asyncio.to_thread(_survey, chunks)
        source = self._storage.local_path(blob.storage_key) or self._bytes(blob)
        limit_s = LIMIT_S + size_bytes / BYTES_PER_S
        return msgspec.json.decode(await read_file("survey", source, limit_s), type=Survey)

    def _bytes(self, blob: Blob) -> AsyncIterator[bytes]:
        return self._storage.read(blob.storage_key)


def _survey(chunks: list[bytes]) -> Survey:
    surveyor = Surveyor()
    for chunk in chunks:
        surveyor.feed(chunk)
    return surveyor.finish()


async def _keep(blob: Blob, found: Survey) -> None:
    """A row of its own, outside of any transaction: whoever asks makes the same."""
    document = msgspec.to_builtins(found)
    if await BlobSurvey.filter(blob_id=blob.id).update(version=VERSION, document=document):
        return
    try:
        await BlobSurvey.create(blob_id=blob.id, version=VERSION, document=document)
    except IntegrityError:
        _log.debug("blob %d was surveyed twice at once", blob.id)
