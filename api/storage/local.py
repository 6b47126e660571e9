"""Files in a folder, by content: `folder/ab/abcdef…`, written whole or not at all.

A draft lies in `drafts/` of the same file system, is flushed to the disk and then renamed, so that
no reader ever sees half a file and what was acknowledged survives a power cut. Disk work happens in
threads: one buffer is written by one thread, and hashed and looked at by another, while the next is
filled.
"""

import asyncio
import errno
import hashlib
import os
import re
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from api.errors import Unavailable
from api.storage.local_file import DurableFile, buffer
from api.storage.protocol import Offer, Watch, Written

BATCH_BYTES = 2 * 1024 * 1024  # a hop to a thread costs as much as hashing 100 KB
READ_BYTES = 256 * 1024
#: So much is flushed to the disk while more comes, so that the end is near; not with direct writes.
SETTLE_BYTES = 4 * BATCH_BYTES
ABANDONED_S = 24 * 3600.0  # a draft older than this belongs to a process that died
_KEY = re.compile(r"[a-z0-9-]+(?:/[a-z0-9-]+)*")
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class LocalStorage:
    """The storage that needs nothing but a folder, made when the first file comes."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sure: set[Path] = set()

    @asynccontextmanager
    async def draft(self, watch: Watch | None = None) -> AsyncIterator["LocalDraft"]:
        """A new draft; removed on the way out unless it was kept. *watch* sees every byte."""
        draft = await asyncio.to_thread(self._open_draft, watch)
        try:
            yield draft
        finally:
            await draft.discard()

    async def exists(self, key: str) -> bool:
        """Whether there are bytes under *key*."""
        return await asyncio.to_thread(self._path(key).is_file)

    async def read(
        self, key: str, start: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        """The bytes under *key* from *start*, at most *length*. Raises `Unavailable`."""
        file = await asyncio.to_thread(self._open, key, start)
        try:
            left = length
            while left is None or left > 0:
                wanted = READ_BYTES if left is None else min(left, READ_BYTES)
                chunk = await asyncio.to_thread(file.read, wanted)
                if not chunk:
                    return
                left = None if left is None else left - len(chunk)
                yield chunk
        finally:
            file.close()

    async def keys(self, before: datetime) -> AsyncIterator[str]:
        """The keys of what was kept and not touched since *before*, folder by folder."""
        for folder in await asyncio.to_thread(lambda: sorted(self._root.glob("*/??"))):
            for name in await asyncio.to_thread(_untouched, folder, before.timestamp()):
                yield f"{folder.parent.name}/{folder.name}/{name}"

    async def delete(self, key: str) -> None:
        """Remove what is under *key*; nothing there is no error."""
        await asyncio.to_thread(self._path(key).unlink, missing_ok=True)

    def local_path(self, key: str) -> Path | None:
        """Where the bytes under *key* lie."""
        return self._path(key)

    async def link(self, key: str, life_s: int) -> str | None:
        """Only we can read them."""
        return None

    async def offer(self, key: str, size_bytes: int, sha256: str, life_s: int) -> Offer | None:
        """Bytes come through us."""
        return None

    async def check(self) -> None:
        """Raises `OSError` when the folder is there and cannot be written."""
        if self._root.exists() and not await asyncio.to_thread(os.access, self._root, os.W_OK):
            raise PermissionError(f"cannot write in {self._root} (GANTRY_STORAGE_URL)")

    async def sweep(self, now: datetime) -> int:
        """Each new draft sweeps."""
        return 0

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} is no storage key")
        return self._root / key

    def _open(self, key: str, start: int) -> BinaryIO:
        try:
            file = self._path(key).open("rb")
        except OSError as error:
            raise _unavailable(error) from None
        file.seek(start)
        return file

    def _open_draft(self, watch: Watch | None) -> "LocalDraft":
        folder = self._root / "drafts"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _sweep(folder)
            return LocalDraft(self._root, folder / secrets.token_hex(16), watch, self._sure)
        except OSError as error:
            raise _unavailable(error) from None


class LocalDraft:
    """A file on its way in, hashed as it is written.

    *sure* are the folders that are on the disk themselves, as far as this process knows.
    """

    def __init__(self, root: Path, path: Path, watch: Watch | None, sure: set[Path]) -> None:
        self._root = root
        self._sure = sure
        self._watch = watch
        self._file = DurableFile(path)
        self._busy = threading.Lock()  # a cancelled write still runs in its thread
        self._filling = buffer(BATCH_BYTES)
        self._filled_bytes = 0
        self._spare: memoryview | None = None  # made when one buffer is not enough
        self._writing: asyncio.Future[list[None]] | None = None
        self._settling: asyncio.Future[None] | None = None
        self._syncing: asyncio.Task[None] | None = None
        self._settled_bytes = 0  # or on their way
        self._error: OSError | None = None
        self._size_bytes = 0
        self._sha256 = hashlib.sha256()

    async def write(self, chunk: bytes) -> None:
        """Add *chunk*. Raises `Unavailable` when the disk is full.

        One batch is written while the next is gathered; who comes faster than the disk waits.
        """
        left = memoryview(chunk)
        while left:
            end = min(self._filled_bytes + len(left), BATCH_BYTES)
            taken = end - self._filled_bytes
            self._filling[self._filled_bytes : end] = left[:taken]
            self._filled_bytes, left = end, left[taken:]
            if end == BATCH_BYTES:
                await self._hand_over()

    async def finish(self) -> Written:
        """What it is; it goes to the disk meanwhile. Raises `Unavailable`."""
        await self._hand_over()
        await self._written()
        self._syncing = asyncio.create_task(self._in_thread(self._file.sync))
        return Written(size_bytes=self._size_bytes, sha256=self._sha256.hexdigest())

    async def keep(self, folder: str) -> str:
        """Rename it to its content's name under *folder*; the key. Raises `Unavailable`.

        After `finish`: no name is given to what is not on the disk.
        """
        if self._syncing is None:
            raise RuntimeError("a draft is finished before it is kept")
        await self._syncing
        sha256 = self._sha256.hexdigest()
        key = f"{folder}/{sha256[:2]}/{sha256}"
        await self._in_thread(lambda: self._rename(self._root / key))
        return key

    def look_back(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes from *start* to *end*, which were written. Raises `OSError`."""
        with self._file.path.open("rb") as file:
            file.seek(start)
            while start < end and (chunk := file.read(min(READ_BYTES, end - start))):
                start += len(chunk)
                yield chunk

    async def discard(self) -> None:
        """Close it, and remove it where it was not kept."""
        every = (self._writing, self._settling, self._syncing)
        underway = [each for each in every if each is not None]
        if underway:
            await asyncio.wait(underway)
        if self._syncing is not None and not self._syncing.cancelled():
            self._syncing.exception()  # a draft that is not kept need not be on the disk
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        with self._busy:
            self._file.close()
            self._file.path.unlink(missing_ok=True)

    async def _in_thread(self, work: Callable[[], None]) -> None:
        def alone() -> None:
            with self._busy:
                work()

        try:
            await asyncio.to_thread(alone)
        except OSError as error:
            raise _unavailable(error) from None

    async def _hand_over(self) -> None:
        await self._written()
        full = self._filling
        self._filling = self._spare or buffer(BATCH_BYTES)
        self._spare = full
        loop = asyncio.get_running_loop()
        batch = full[: self._filled_bytes]
        self._writing = asyncio.gather(
            *(loop.run_in_executor(None, work, batch) for work in (self._read, self._flush))
        )
        self._filled_bytes = 0
        if not self._file.is_direct and self._is_unsettled():
            self._settled_bytes = self._size_bytes
            self._settling = loop.run_in_executor(None, self._settle)

    async def _written(self) -> None:
        """What was handed over is in the file. Raises `Unavailable` when it is not."""
        if self._writing is not None:
            await self._writing
            self._writing = None
        if self._error is not None:
            raise _unavailable(self._error)

    def _read(self, batch: memoryview) -> None:
        """Beside its writing; what is looked back at are earlier batches, which are written."""
        try:
            self._sha256.update(batch)
            if self._watch is not None:
                self._watch(batch)
        except OSError as error:
            self._error = error

    def _flush(self, batch: memoryview) -> None:
        with self._busy:
            try:
                self._size_bytes += len(batch)
                self._file.write(batch)
            except OSError as error:
                self._error = error

    def _is_unsettled(self) -> bool:
        is_settling = self._settling is not None and not self._settling.done()
        return self._size_bytes - self._settled_bytes >= SETTLE_BYTES and not is_settling

    def _settle(self) -> None:
        """Beside the next writes; what goes wrong here is said by the flush at the end."""
        with suppress(OSError):
            self._file.settle()

    def _rename(self, target: Path) -> None:
        folders = (target.parent, target.parent.parent)
        if not target.parent.is_dir():
            self._sure.difference_update(folders)
            target.parent.mkdir(parents=True, exist_ok=True)
        self._file.path.replace(target)
        _sync_folder(target.parent)
        for folder in folders:
            if folder not in self._sure:
                _sync_folder(folder.parent)
                self._sure.add(folder)


def _untouched(folder: Path, before_s: float) -> list[str]:
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.stat().st_mtime < before_s]


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Remove drafts that a dead process left behind."""
    oldest = time.time() - ABANDONED_S
    for path in folder.iterdir():
        try:
            if path.stat().st_mtime < oldest:
                path.unlink()
        except FileNotFoundError:
            continue  # somebody else's draft was just kept


def _unavailable(error: OSError) -> Unavailable:
    if error.errno in _FULL:
        text = "The file storage is full. Delete files that nobody needs, then send this one again."
    else:
        text = f"The file storage cannot be used: {error.strerror}."
    return Unavailable(text, code="storage_unavailable")
