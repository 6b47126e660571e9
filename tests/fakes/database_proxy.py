"""A way to PostgreSQL that breaks when told: refused, silent, or cut around one chosen commit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.fakes.listening import closed

_SOCKET = ".s.PGSQL.5432"
_COMMIT = b"COMMIT;"


@dataclass
class Cut:
    """The connection that says *marker* loses its next commit, or only the answer to it."""

    marker: bytes
    reaches_the_server: bool
    is_done: bool = False


class DatabaseProxy:
    """Listens on a socket in *folder* and leads to the server of *url* (as a setting takes it)."""

    def __init__(self, folder: Path, url: str) -> None:
        parts = urlsplit(url)
        host = parse_qs(parts.query)["host"][0]
        self.url = f"{url.partition('?')[0]}?host={quote(str(folder), safe='')}"
        self._path = folder / _SOCKET
        self._target = str(Path(unquote(host)) / _SOCKET)
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._ways: set[asyncio.Task[None]] = set()  # both ways of each connection
        self._answers = asyncio.Event()
        self._cut: Cut | None = None

    async def open(self) -> None:
        """Connections are taken, and answered."""
        self._answers.set()
        if self._server is None:
            self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def refuse(self) -> None:
        """Every connection ends and no new one is taken."""
        if self._server is not None:
            server, self._server = self._server, None
            await closed(server)
            self._path.unlink(missing_ok=True)
        for way in tuple(self._ways):
            way.cancel()
        await asyncio.gather(*self._serving)

    def fall_silent(self) -> None:
        """Connections stand, and no word comes back any more."""
        self._answers.clear()

    def cut(self, marker: bytes, *, reaches_the_server: bool) -> Cut:
        """Arm a cut."""
        self._cut = Cut(marker, reaches_the_server)
        return self._cut

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        there, out = await asyncio.open_unix_connection(self._target)
        if self._server is None:  # it was refused meanwhile
            writer.close()
            out.close()
            return
        is_cut = asyncio.Event()
        ways = {
            asyncio.create_task(self._up(reader, out, is_cut)),
            asyncio.create_task(self._down(there, writer, is_cut)),
        }
        self._ways |= ways
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        self._ways -= ways
        for end in (writer, out):
            end.close()

    async def _up(
        self, reader: asyncio.StreamReader, out: asyncio.StreamWriter, is_cut: asyncio.Event
    ) -> None:
        is_marked = False
        with suppress(OSError):
            while chunk := await reader.read(65536):
                cut = self._cut
                is_marked |= cut is not None and cut.marker in chunk
                if cut is not None and is_marked and not cut.is_done and _COMMIT in chunk:
                    cut.is_done = True
                    is_cut.set()
                    if not cut.reaches_the_server:
                        return
                out.write(chunk)
                await out.drain()

    async def _down(
        self, there: asyncio.StreamReader, writer: asyncio.StreamWriter, is_cut: asyncio.Event
    ) -> None:
        with suppress(OSError):
            while chunk := await there.read(65536):
                if is_cut.is_set():  # the server has done it, and nobody hears
                    return
                await self._answers.wait()
                writer.write(chunk)
                await writer.drain()


@asynccontextmanager
async def database_proxy(folder: Path, url: str) -> AsyncIterator[DatabaseProxy]:
    """An open one."""
    proxy = DatabaseProxy(folder, url)
    await proxy.open()
    try:
        yield proxy
    finally:
        await proxy.refuse()
