"""The file spool: every file that a printer prints lies here first, complete and verified.

Safety R32, R34, R35: a download goes to `<sha256>.part`, is hashed while it is written, then
fsync, rename, fsync of the directory; a file is hashed again before each use, so what bit rot or a
power cut left behind is fetched anew and never printed. Only unpinned files make room for new ones.
All disk work happens in one thread of the spool's own.
"""

import asyncio
import hashlib
import os
import re
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from bridge.agent.errors import SpoolError

CAPACITY_BYTES = 8 * 1024**3
#: Left free on the disk, so that journal and logs can still be written.
RESERVE_BYTES = 64 * 1024**2
#: Waits between the tries of one download.
RETRY_DELAYS_S = (0.5, 2.0, 5.0)
_READ_BYTES = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TransferError(SpoolError):
    """A download broke off. *retriable* False: trying again cannot help."""

    def __init__(self, text: str, *, retriable: bool = True) -> None:
        super().__init__(text)
        self.retriable = retriable


@dataclass(frozen=True, slots=True)
class Part:
    """An answer: *chunks* begin at byte *offset* of the file."""

    offset: int
    chunks: AsyncIterator[bytes]


#: Opens (sha256, offset) for reading; may start earlier than asked. Raises `TransferError`.
Source = Callable[[str, int], AbstractAsyncContextManager[Part]]

P = ParamSpec("P")
T = TypeVar("T")


class Spool:
    """The files under *directory*. *pinned* names the hashes that must stay."""

    def __init__(
        self,
        directory: Path,
        source: Source,
        pinned: Callable[[], set[str]] = set,
        *,
        capacity_bytes: int = CAPACITY_BYTES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._directory = directory
        self._source = source
        self._pinned = pinned
        self._capacity_bytes = capacity_bytes
        self._sleep = sleep
        self._executor = ThreadPoolExecutor(1, "spool")
        self._running: dict[str, asyncio.Task[Path]] = {}
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the file of this hash lies or would lie. Raises `SpoolError` for no sha256."""
        if not _SHA256.fullmatch(sha256):
            raise SpoolError(f"{sha256[:80]!r} is no sha256")
        return self._directory / f"{sha256}.gcode"

    async def fetch(self, sha256: str, size_bytes: int) -> Path:
        """The verified file, downloaded if need be; callers of one hash share a download.

        Raises `SpoolError`. A cancelled caller does not stop the download: the file is there for
        the next try.
        """
        task = self._running.get(sha256)
        if task is None:
            task = asyncio.create_task(self._bring(sha256, size_bytes), name=f"fetch {sha256[:8]}")
            self._running[sha256] = task
            task.add_done_callback(lambda done: self._finished(sha256, done))
        return await asyncio.shield(task)

    async def has(self, sha256: str, size_bytes: int) -> bool:
        """Whether the verified file lies here; nothing is fetched. Raises `SpoolError`."""
        path = self.path(sha256)
        try:
            return await self._in_thread(_is_intact, path, sha256, size_bytes)
        except OSError as error:
            raise SpoolError(f"the spool {self._directory} cannot be read: {error}") from error

    def usage(self) -> tuple[int, int]:
        """How many whole files there are, and their bytes."""
        sizes = [entry.stat().st_size for entry in self._directory.glob("*.gcode")]
        return len(sizes), sum(sizes)

    async def close(self) -> None:
        """Stop the downloads; their parts stay for the next start."""
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._executor.shutdown(wait=True)

    def _finished(self, sha256: str, task: asyncio.Task[Path]) -> None:
        self._running.pop(sha256, None)
        if not task.cancelled():
            task.exception()  # told to whoever waited; nobody may be left

    async def _bring(self, sha256: str, size_bytes: int) -> Path:
        path = self.path(sha256)
        try:
            if await self._in_thread(_is_intact, path, sha256, size_bytes):
                return path
            await self._in_thread(self._make_room, size_bytes, set(self._running))
            for delay_s in (*RETRY_DELAYS_S, None):
                try:
                    return await self._download(path, size_bytes)
                except TransferError as error:
                    if delay_s is None or not error.retriable:
                        raise
                    await self._sleep(delay_s)
        except OSError as error:
            path.with_suffix(".part").unlink(missing_ok=True)
            raise SpoolError(f"the spool {self._directory} cannot be written: {error}") from error
        raise AssertionError("unreachable")

    async def _download(self, path: Path, size_bytes: int) -> Path:
        part = await self._in_thread(_PartFile, path.with_suffix(".part"), size_bytes)
        try:
            if part.written < size_bytes or not size_bytes:
                async with self._source(path.stem, part.written) as answer:
                    await self._in_thread(part.rewind, answer.offset)
                    async for chunk in answer.chunks:
                        await self._in_thread(part.write, chunk)
            await self._in_thread(part.publish, path)
        finally:
            await self._in_thread(part.close)
        return path

    def _make_room(self, size_bytes: int, coming: set[str]) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)  # somebody has cleared away too much
        pinned = self._pinned() | coming
        for part in self._directory.glob("*.part"):
            if part.stem not in pinned:  # of a download that nobody wants any more
                part.unlink()
        files = sorted(self._directory.glob("*.gcode"), key=lambda entry: entry.stat().st_atime_ns)
        used = sum(entry.stat().st_size for entry in files)
        free = shutil.disk_usage(self._directory).free - RESERVE_BYTES
        for entry in files:
            if used + size_bytes <= self._capacity_bytes and size_bytes <= free:
                return
            if entry.stem not in pinned:
                size = entry.stat().st_size
                entry.unlink()
                used, free = used - size, free + size
        if used + size_bytes > self._capacity_bytes or size_bytes > free:
            raise SpoolError(
                f"no room for a file of {size_bytes} bytes: the spool {self._directory} holds "
                f"{used} of {self._capacity_bytes} bytes, all needed, and its disk has "
                f"{max(0, free)} bytes to spare"
            )

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        call = asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: work(*args, **kwargs)
        )
        return await call


class _PartFile:
    """A download in progress: bytes to disk, hash on the way. Blocking; for the spool's thread."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self._path = path
        self._size_bytes = size_bytes
        self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
        self._hash = hashlib.sha256()
        self.written = 0
        while data := self._file.read(_READ_BYTES):
            self._hash.update(data)
            self.written += len(data)
        if self.written > size_bytes:
            self.rewind(0)

    def rewind(self, offset: int) -> None:
        """Go on at *offset*; another place than the end means from the beginning."""
        if offset == self.written:
            return
        if offset != 0:
            raise TransferError(f"the server answered from byte {offset}, not {self.written}")
        self._file.seek(0)
        self._file.truncate()
        self._hash, self.written = hashlib.sha256(), 0

    def write(self, data: bytes) -> None:
        """Append *data*. Raises `TransferError` when it is more than was promised."""
        self._file.write(data)
        self._hash.update(data)
        self.written += len(data)
        if self.written > self._size_bytes:
            self._path.unlink(missing_ok=True)
            raise TransferError("the server sent more than the file's size", retriable=False)

    def publish(self, final: Path) -> None:
        """Make the complete file appear at *final*, all or nothing."""
        if self.written < self._size_bytes:
            raise TransferError(f"the transfer ended at byte {self.written} of {self._size_bytes}")
        if self._hash.hexdigest() != final.stem:
            self._path.unlink(missing_ok=True)
            raise TransferError("what arrived does not have the promised sha256")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._path.rename(final)
        directory = os.open(final.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def close(self) -> None:
        """Let go of the file; what was written stays for a resume."""
        with suppress(OSError):
            self._file.close()


def _is_intact(path: Path, sha256: str, size_bytes: int) -> bool:
    """Whether the file is there and right; a wrong one is removed, a right one marked as used."""
    try:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        info = path.stat()
        if info.st_size == size_bytes and digest.hexdigest() == sha256:
            # its time of change stays: by that a sender knows the file that it prints
            os.utime(path, ns=(time.time_ns(), info.st_mtime_ns))
            return True
        path.unlink()
    except FileNotFoundError:
        pass
    return False
