"""The bus between two API processes breaks in mid-traffic and comes back: nothing lost or doubled.

A room hangs on the first process, people ask the second. What the bus does not bring, the outbox
does, where the link itself would only look after half a minute.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.config import Settings
from api.events import outbox
from api.link import connection
from api.readiness import BUS
from infra.bench.replicas import Api, Furnished, furnish
from tests.fakes import databases
from tests.fakes.redis_server import RedisServer, running_redis

pytestmark = [pytest.mark.flow, pytest.mark.timeout(240)]

EACH_S = 0.05  # between two commands
LATE_S = 15.0  # what came later than this was found by the link's own look, not by the outbox
COMMANDS = "SELECT id, state, extract(epoch FROM ended_at - created_at) AS took FROM command"


class Farm:
    """Two processes, one room with two printers, and what was asked of them."""

    def __init__(self, server: databases.Server, name: str, apis: list[Api], made: Furnished):
        self.server = server
        self.name = name
        self.apis = apis
        [self.room] = made.rooms
        self.room.url = apis[0].url
        headers = {"X-API-Key": made.token}
        self.http = httpx.AsyncClient(headers=headers, timeout=30, trust_env=False)
        self.taken = 0
        self.odd: list[str] = []

    async def rows(self, query: str) -> list[Any]:
        """What the database says."""
        return await self.server.run(query, database=self.name)

    async def end_bus(self) -> None:
        """End every process's connection for LISTEN."""
        await self.server.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{self.name}' AND application_name = 'gantry bus'"
        )

    async def ask(self) -> None:
        """One command after the other through the second process, until cancelled."""
        while True:
            path = f"/octoprint/r0-p{self.taken % 2}/api/printer/command"
            body = {"command": f"M117 {self.taken}"}
            answer = await self.http.post(f"{self.apis[1].url}{path}", json=body)
            if answer.is_success or "is not confirmed" in answer.text:
                self.taken += 1  # who asks waits for a second; the command does not end with that
            else:
                self.odd.append(f"{answer.status_code} {answer.text}")
            await asyncio.sleep(EACH_S)

    async def more(self, count: int) -> None:
        """Return when *count* more commands were carried out."""
        goal = len(self.room.done) + count
        async with asyncio.timeout(60):
            while len(self.room.done) < goal:
                await asyncio.sleep(0.02)

    async def all_over(self) -> list[Any]:
        """Every command once its end is recorded."""
        async with asyncio.timeout(60):
            while True:
                rows = await self.rows(COMMANDS)
                if all(row["took"] is not None for row in rows):
                    return rows
                await asyncio.sleep(0.1)


@asynccontextmanager
async def traffic(farm: Farm) -> AsyncIterator[None]:
    """The room is there, and commands for it do not stop."""
    async with farm.http:
        tasks = [asyncio.create_task(farm.room.run())]
        try:
            await farm.room.linked.wait()
            await _online(farm)
            tasks.append(asyncio.create_task(farm.ask()))
            yield
            tasks.pop().cancel()
            await _checked(farm)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _online(farm: Farm) -> None:
    async with asyncio.timeout(30):
        while True:
            answer = await farm.http.get(f"{farm.apis[1].url}/api/v1/bridges")
            if answer.raise_for_status().json()[0]["online"]:
                return
            await asyncio.sleep(0.05)


async def _checked(farm: Farm) -> None:
    """Everything that was taken was done once, by its wake-up or by the outbox."""
    rows = await farm.all_over()
    assert farm.odd == []
    assert len(rows) >= farm.taken > 0
    assert {row["state"] for row in rows} == {"done"}
    assert Counter(farm.room.done) == Counter(row["id"] for row in rows)
    assert farm.room.drops == 0
    assert outbox.LOOK_EVERY_S < 2.0 < LATE_S < connection.LOOK_EVERY_S
    assert max(row["took"] for row in rows) < LATE_S


@pytest.fixture(scope="module")
def postgres() -> Iterator[databases.Server]:
    with databases.running_server() as server:
        yield server


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as server:
        yield server


def _running(server: databases.Server, folder: Path, stack: ExitStack, **settings: str) -> Farm:
    name = asyncio.run(server.migrated_database())
    url = server.url(name)
    made = asyncio.run(furnish(Settings(data_dir=folder, database_url=url), 1, 2))
    apis = []
    for number in range(2):
        apis.append(Api(url, folder / f"api{number}", **settings))
        stack.callback(apis[-1].stop)
    return Farm(server, name, apis, made)


@pytest.fixture
def on_redis(postgres: databases.Server, tmp_path: Path, redis: RedisServer) -> Iterator[Farm]:
    with ExitStack() as stack:
        yield _running(postgres, tmp_path, stack, GANTRY_BUS_URL=redis.url)


@pytest.fixture
def on_notify(postgres: databases.Server, tmp_path: Path) -> Iterator[Farm]:
    with ExitStack() as stack:
        yield _running(postgres, tmp_path, stack)


async def test_redis_dies_hangs_and_returns(on_redis: Farm, redis: RedisServer) -> None:
    """Killed, started, stopped in its tracks, awake again: each command once (R30, R31)."""
    async with traffic(on_redis):
        await on_redis.more(5)
        redis.kill()
        await on_redis.more(8)
        for api in on_redis.apis:  # slower, not useless
            ready = await on_redis.http.get(f"{api.url}/health/ready")
            assert (ready.status_code, ready.json()["problems"]) == (200, [])
            assert ready.json()["warnings"] == [BUS]
        redis.start()
        await on_redis.more(8)
        redis.hang()
        await on_redis.more(8)
        redis.go_on()
        await on_redis.more(8)


async def test_the_connection_for_notify_is_ended_again_and_again(on_notify: Farm) -> None:
    """PostgreSQL ends LISTEN in the middle of traffic: each command once (R30, R31)."""
    async with traffic(on_notify):
        for _ in range(10):
            await on_notify.more(4)
            await on_notify.end_bus()
        await on_notify.more(4)
    assert len(on_notify.room.done) >= 44
