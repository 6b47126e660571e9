"""A line with faults between two real processes: TCP or a unix socket, seeded.

It delays, slices, throttles, cuts, falls silent without a word (half-open: both ends keep an open
socket and hear nothing), refuses, and overwrites chunks. It may listen to what it carries, too, and
act at a word (`tests.fakes.talks`). Runs in a thread with a loop of its own; every setting may be
changed while connections stand.
"""

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.fakes.listening import closed
from tests.fakes.talks import Talk, Traps

CHUNK = 64 * 1024
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Line:
    """How the line is now. *corrupt*: the share of chunks that are overwritten."""

    latency_s: float = 0.0
    bytes_per_s: float = 0.0  # 0: as fast as it goes
    slice_bytes: int = CHUNK
    corrupt: float = 0.0
    silent_up: bool = False  # what the dialling side says is swallowed
    silent_down: bool = False
    refusing: bool = False


class FaultProxy:
    """`with FaultProxy(dial, seed=1) as proxy:` listens; *dial* opens the other side."""

    def __init__(
        self, dial: Callable[[], Coroutine[Any, Any, Streams]], *, seed: int, at: Path | None = None
    ) -> None:
        """*at*: listen on this unix socket; None: on a free TCP port, see `port`."""
        self.line = Line()
        self.port = 0
        self.taken = 0  # connections so far
        self.traps: Traps | None = None
        self._dial = dial
        self.at = at
        self._inode = 0  # of our socket there: an owner that starts anew puts its own in its place
        self._rng = random.Random(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault proxy")
        self._server: asyncio.Server
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    @classmethod
    def to_port(cls, port: int, *, seed: int) -> "FaultProxy":
        """In front of a TCP port of this machine."""
        return cls(lambda: asyncio.open_connection("127.0.0.1", port), seed=seed)

    @classmethod
    def before(cls, socket: Path, *, seed: int) -> "FaultProxy":
        """In the place of a unix socket whose owner has bound it already."""
        real = socket.with_suffix(".real")
        socket.rename(real)
        return cls(lambda: asyncio.open_unix_connection(real), seed=seed, at=socket)

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        was_in_place = self.at is not None and self.is_in_place()
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self.at is not None:
            real = self.at.with_suffix(".real")
            if was_in_place and real.exists():
                real.rename(self.at)
            real.unlink(missing_ok=True)

    def is_in_place(self) -> bool:
        """Whether who dials the unix socket comes here."""
        assert self.at is not None
        return self.at.exists() and self.at.stat().st_ino == self._inode

    def step_between(self) -> None:
        """Be in the place of the socket that its owner has bound anew."""
        assert self.at is not None
        self.at.rename(self.at.with_suffix(".real"))
        self._call(self._listen_again())

    def cut(self) -> None:
        """Reset every connection that stands."""
        self._call(self._cut())

    def heal(self) -> None:
        """A good line again; what was half-open is cut, as a router does that comes back."""
        self.line = Line()
        self.cut()

    def _call(self, work: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        if self.at is not None:
            self._server = await asyncio.start_unix_server(self._serve, self.at)
            self._inode = self.at.stat().st_ino
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _listen_again(self) -> None:
        await closed(self._server)
        await self._listen()

    async def _close(self) -> None:
        self.line = Line(refusing=True)  # also for who was let in a moment ago
        await closed(self._server)
        await self._cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.sleep(0.05)  # aborted transports close their sockets in the next turns

    async def _cut(self) -> None:
        for writer in tuple(self._writers):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.taken += 1
        self._writers.add(writer)
        try:
            if not self.line.refusing:
                await self._between((reader, writer))
        except asyncio.CancelledError:
            pass  # the proxy closes; asyncio's streams would log it
        finally:
            self._writers.discard(writer)
            writer.transport.abort()

    async def _between(self, near: Streams) -> None:
        try:
            far = await self._dial()
        except OSError:
            return
        self._writers.add(far[1])
        talk = self.traps.talk() if self.traps is not None else None
        up = asyncio.create_task(self._pump(near[0], far[1], talk, is_up=True))
        down = asyncio.create_task(self._pump(far[0], near[1], talk, is_up=False))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            self._writers.discard(far[1])
            far[1].transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        talk: Talk | None,
        *,
        is_up: bool,
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(CHUNK):
                line = self.line
                if line.silent_up if is_up else line.silent_down:
                    continue
                if line.latency_s:
                    await asyncio.sleep(line.latency_s * self._rng.uniform(0.5, 1.5))
                if self._rng.random() < line.corrupt:
                    data = b"\xff" * len(data)
                is_over = False
                if talk is not None:
                    data, is_over = talk.passes(data, is_up=is_up)
                await self._write(writer, data, line)
                if is_over:
                    return
            with suppress(RuntimeError):
                writer.write_eof()

    async def _write(self, writer: asyncio.StreamWriter, data: bytes, line: Line) -> None:
        for at in range(0, len(data), line.slice_bytes):
            piece = data[at : at + line.slice_bytes]
            writer.write(piece)
            await writer.drain()
            if line.bytes_per_s:
                await asyncio.sleep(len(piece) / line.bytes_per_s)
