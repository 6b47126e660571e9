"""Several API processes on one PostgreSQL, behind a small load balancer."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from unittest import mock

import httpx

from tests.fakes.databases import Server
from tests.fakes.listening import closed
from tests.fakes.processes import ApiProcess

SETUP_TOKEN = "setup-of-the-replicas"
PROBE_EVERY_S, PROBE_TIMEOUT_S = 0.1, 1.0
DRAIN_S = 2.0  # longer than the balancer needs to notice, also where everything is slow


class Replicas:
    """The processes; each has a data directory of its own and shares database and files."""

    def __init__(self, apis: list[ApiProcess], server: Server, database: str) -> None:
        self.apis = apis
        self.server = server
        self.database = database

    async def end_bus(self) -> int:
        """End every process's connection for NOTIFY; how many there were."""
        rows = await self.server.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{self.database}' AND application_name = 'gantry bus'"
        )
        return len(rows)

    def admin(self, number: int, headers: dict[str, str]) -> httpx.Client:
        """A client of process *number* with the credentials *headers*."""
        url = f"{self.apis[number].url}/api/v1"
        return httpx.Client(base_url=url, headers=headers, timeout=30)


@contextmanager
def running_replicas(
    server: Server, folder: Path, count: int, **settings: str
) -> Iterator[Replicas]:
    """*count* processes on a new database. *settings*: more of the environment."""
    name = asyncio.run(server.migrated_database())
    environment = {
        "GANTRY_DATABASE_URL": server.url(name),
        "GANTRY_SETUP_TOKEN": SETUP_TOKEN,
        "GANTRY_DRAIN_S": str(DRAIN_S),
        "GANTRY_STORAGE_URL": f"file://{folder / 'files'}",
        **settings,
    }
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, environment))
        apis = [
            stack.enter_context(ApiProcess(folder / f"replica{number}")) for number in range(count)
        ]
        yield Replicas(apis, server, name)


class Balancer:
    """Gives each connection to the next process that says it is ready."""

    def __init__(self, apis: list[ApiProcess]) -> None:
        self._apis = apis
        self._ready: set[int] = set()
        self._turn = 0
        self._serving: set[asyncio.Task[None]] = set()
        self.url = ""

    async def probe(self) -> None:
        """Ask every process whether it is ready, again and again; none waits for another."""
        await asyncio.gather(*(self._probe(number) for number in range(len(self._apis))))

    async def _probe(self, number: int) -> None:
        async with httpx.AsyncClient(timeout=PROBE_TIMEOUT_S) as http:
            while True:
                try:
                    answer = await http.get(f"{self._apis[number].url}/health/ready")
                    is_ready = answer.status_code == 200
                except httpx.HTTPError:
                    is_ready = False
                (self._ready.add if is_ready else self._ready.discard)(number)
                await asyncio.sleep(PROBE_EVERY_S)

    async def wait_for(self, number: int) -> None:
        """Return when process *number* is given connections."""
        async with asyncio.timeout(20):
            while number not in self._ready:
                await asyncio.sleep(0.02)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        if (task := asyncio.current_task()) is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        with closing(writer):
            if (found := await self._connect()) is None:
                return
            there, out = found
            with closing(out):
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_pump(reader, out))
                    tasks.create_task(_pump(there, writer))
        for end in (writer, out):
            with suppress(OSError):
                await end.wait_closed()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        """To the next process that takes it, as balancers do; None: there is none."""
        self._turn += 1
        ready = sorted(self._ready)
        for offset in range(len(ready)):
            number = ready[(self._turn + offset) % len(ready)]
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", self._apis[number].port)
            self._ready.discard(number)  # it has just gone
        return None

    async def close(self) -> None:
        """End the connections there are."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


@asynccontextmanager
async def balanced(replicas: Replicas) -> AsyncIterator[Balancer]:
    """A load balancer before *replicas*."""
    balancer = Balancer(replicas.apis)
    server = await asyncio.start_server(balancer.serve, "127.0.0.1", 0)
    probing = asyncio.create_task(balancer.probe())
    try:
        balancer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for number in range(len(replicas.apis)):
            await balancer.wait_for(number)
        yield balancer
    finally:
        probing.cancel()
        await closed(server)
        await asyncio.gather(probing, return_exceptions=True)
        await balancer.close()
