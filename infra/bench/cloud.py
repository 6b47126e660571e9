"""What a grown farm costs: one and three API processes on PostgreSQL, with rooms that report.

CPU per command with three processes against one; rows that a thousand printers at 1 Hz write; the
messages of a room in which nothing happens.
"""

import asyncio
import contextlib
import itertools
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import asyncpg
import httpx

from api.config import Settings
from infra.bench.postgres import postgres
from infra.bench.replicas import Api, Furnished, apis, furnish
from infra.bench.rooms import Room
from infra.bench.table import Figure, show

COMMANDS = 400
CROWD = (100, 10)  # rooms, printers in each
CROWD_S = 20.0
IDLE_S = 60.0
_ROWS = "SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables"


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    figures = [*asyncio.run(_commands()), *asyncio.run(_crowd()), asyncio.run(_idle())]
    show("a grown farm, PostgreSQL", figures, as_json=as_json)


@contextlib.asynccontextmanager
async def connected(rooms: Sequence[Room], urls: Sequence[str]) -> AsyncIterator[None]:
    """Every room linked to one of *urls* in turn."""
    for room, url in zip(rooms, itertools.cycle(urls)):
        room.url = url
    tasks = [asyncio.create_task(room.run()) for room in rooms]
    await asyncio.gather(*(room.linked.wait() for room in rooms))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _commands() -> list[Figure]:
    """CPU of all API processes for one command, with one and with three of them."""
    spent = {count: await _cpu_per_command(count) for count in (1, 3)}
    return [
        Figure("CPU per command, one process", spent[1] * 1000, "ms"),
        Figure(
            "CPU per command, three processes",
            spent[3] * 1000,
            "ms",
            spent[1] * 1000,
            "ms with one",
            "ratio <= 1.3",
        ),
    ]


async def _cpu_per_command(count: int) -> float:
    with postgres() as url, tempfile.TemporaryDirectory() as folder:
        farm = await furnish(Settings(data_dir=Path(folder), database_url=url), 3, 4)
        for room in farm.rooms:
            room.sees = False
        with apis(url, Path(folder), count) as processes:
            urls = [each.url for each in processes]
            async with connected(farm.rooms, urls):
                await asyncio.sleep(2)
                idle_s = _cpu(processes)
                await asyncio.sleep(5)
                idle_s = (_cpu(processes) - idle_s) / 5
                started, before = time.monotonic(), _cpu(processes)
                await _tell(farm, urls)
                took = time.monotonic() - started
                return (_cpu(processes) - before - idle_s * took) / COMMANDS


def _cpu(processes: Sequence[Api]) -> float:
    return sum(each.cpu_s() for each in processes)


async def _tell(farm: Furnished, urls: Sequence[str]) -> None:
    """Commands through every process in turn, to rooms that hang on any of them."""
    printers = [printer for room in farm.rooms for printer in room.printers]
    headers = {"X-API-Key": farm.token}
    async with httpx.AsyncClient(trust_env=False, timeout=30, headers=headers) as http:
        for turn in range(COMMANDS):
            base = urls[turn % len(urls)]
            printer = printers[turn % len(printers)]
            body = {"command": f"M117 {turn}"}
            path = f"{base}/octoprint/{_slug(farm, printer)}/api/printer/command"
            (await http.post(path, json=body)).raise_for_status()


def _slug(farm: Furnished, printer: int) -> str:
    for room in farm.rooms:
        if printer in room.printers:
            return (
                room.ports[room.printers.index(printer)].removeprefix("virtual:").replace("p", "-p")
            )
    raise KeyError(printer)


async def _crowd() -> list[Figure]:
    """A thousand printers at 1 Hz in a hundred rooms, on one process."""
    with postgres() as url, tempfile.TemporaryDirectory() as folder:
        farm = await furnish(Settings(data_dir=Path(folder), database_url=url), *CROWD)
        with apis(url, Path(folder), 1) as (api,):
            async with connected(farm.rooms, [api.url]):
                await asyncio.sleep(5)
                rows, cpu_s, at = await _written(url), api.cpu_s(), time.monotonic()
                await asyncio.sleep(CROWD_S)
                took = time.monotonic() - at
                written = (await _written(url) - rows) / took / (CROWD[0] * CROWD[1])
                busy = (api.cpu_s() - cpu_s) / took
        return [
            Figure("1 000 printers at 1 Hz: CPU of a core", busy * 100, "%", goal="<= 60 %"),
            Figure("rows written per printer and second", written, "rows/s", goal="<= 0.1"),
        ]


async def _written(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SELECT pg_stat_force_next_flush()")
        return int(await connection.fetchval(_ROWS))
    finally:
        await connection.close()


async def _idle() -> Figure:
    """Frames both ways of a room in which nothing happens, with the intervals of functions."""
    beats = {"GANTRY_BEAT_S": "60", "GANTRY_DEAD_S": "150"}
    with postgres() as url, tempfile.TemporaryDirectory() as folder:
        farm = await furnish(Settings(data_dir=Path(folder), database_url=url), 1, 4)
        [room] = farm.rooms
        room.sees = False
        with apis(url, Path(folder), 1, **beats) as (api,):
            async with connected(farm.rooms, [api.url]):
                await asyncio.sleep(2)
                before = room.frames_up + room.frames_down
                await asyncio.sleep(IDLE_S)
                rate = (room.frames_up + room.frames_down - before) / IDLE_S
    return Figure("messages of an idle room", rate, "1/s", goal="<= 0.2")
