"""Many rooms on one API process with PostgreSQL: what they cost, and how they come back.

The rooms are real links with nothing behind them (`rooms`), in this process; the API is a process
of its own. Shares of a core are CPU time of the API alone, whatever else the machine does.
"""

import asyncio
import base64
import os
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from api.config import Settings
from infra.bench.postgres import postgres
from infra.bench.replicas import Api, Furnished, furnish
from infra.bench.rooms import Room
from infra.bench.table import Figure, show

ROOMS, EACH = 100, 10
DASHBOARDS = 20
SETTLE_S = 5.0
LOAD_S = 20.0
COMMANDS = 600
COMMANDS_EVERY_S = 0.1
IDLE_S = 30.0
STORM = 1_000
BACKFILL_FACTS = 10 * 60 * EACH  # one a second of each printer for ten minutes
EACH_TELLS = BACKFILL_FACTS // EACH  # of all rooms at once
STOPS, STOPS_EVERY_S = 60, 0.25
PATIENCE_S = 120.0
_READ_BYTES = 1024 * 1024
_LATE = "is not confirmed"


def run(*, as_json: bool = False) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as directory, postgres() as url:
        figures = asyncio.run(_fleet(url, Path(directory)))
    with tempfile.TemporaryDirectory() as directory, postgres() as url:
        figures += asyncio.run(_storm(url, Path(directory)))
    show("rooms on one API process with PostgreSQL", figures, as_json=as_json)


class Fleet:
    """Rooms that keep their links to one API up, and somebody who asks it."""

    def __init__(self, made: Furnished, api: Api, http: httpx.AsyncClient) -> None:
        self.rooms = made.rooms
        self.token = made.token
        self.http = http
        self.refused = 0  # commands, though every room should be there
        self.move(api)

    def move(self, api: Api) -> None:
        """From now on everybody dials *api*."""
        self.api = api
        for room in self.rooms:
            room.url = api.url

    async def all_linked(self) -> None:
        """Every room has been welcomed."""
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*(room.linked.wait() for room in self.rooms))

    async def shown(self, is_it: Callable[[int], bool]) -> None:
        """Wait until the API shows a number of rooms online that *is_it*."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if is_it(await self._online()):
                    return
                await asyncio.sleep(0.2)

    async def _online(self) -> int:
        pages = range(0, len(self.rooms), 500)
        rows: list[dict[str, Any]] = []
        for skip in pages:
            answer = await self.http.get(
                f"{self.api.url}/api/v1/bridges?limit=500&skip={skip}",
                headers={"X-API-Key": self.token},
            )
            rows += answer.raise_for_status().json()
        return sum(row["online"] for row in rows)


@asynccontextmanager
async def _running(url: str, folder: Path, rooms: int, each: int) -> AsyncIterator[Fleet]:
    made = await furnish(Settings(data_dir=folder / "api", database_url=url), rooms, each)
    api = await asyncio.to_thread(Api, url, folder / "api")
    limits = httpx.Limits(max_connections=64)
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as http:
        fleet = Fleet(made, api, http)
        tasks = [asyncio.create_task(room.run()) for room in fleet.rooms]
        try:
            await fleet.all_linked()
            yield fleet
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.to_thread(fleet.api.stop)


# --- a hundred rooms -------------------------------------------------------------------------


async def _fleet(url: str, folder: Path) -> list[Figure]:
    async with _running(url, folder, ROOMS, EACH) as fleet:
        figures = await _load(fleet, url)
        figures.append(await _idle(fleet))
        figures.append(await _offline(fleet))
        figures.append(await _back(fleet, url, folder))
        figures.append(await _backfill(fleet))
        figures += await _stops(fleet)
    return figures


async def _load(fleet: Fleet, url: str) -> list[Figure]:
    async with asyncio.TaskGroup() as tasks:
        sockets = [await _looking(fleet) for _ in range(DASHBOARDS)]
        watching = [tasks.create_task(_watch(*socket)) for socket in sockets]
        await asyncio.sleep(SETTLE_S)
        cpu_s, began = fleet.api.cpu_s(), time.monotonic()
        await asyncio.sleep(LOAD_S)
        share = (fleet.api.cpu_s() - cpu_s) / (time.monotonic() - began)
        took_ms, bare_ms = await _commands(fleet, url)
        for task in watching:
            task.cancel()
    name = f"{ROOMS * EACH:,} printers at 1 Hz, {ROOMS} rooms, {DASHBOARDS} dashboards"
    return [
        Figure(name, 100 * share, "% of a core", goal="<= 60 %"),
        _beside("  a command meanwhile", 0.5, took_ms, bare_ms, goal=""),
        _beside("  a command meanwhile", 0.99, took_ms, bare_ms, goal="<= 150 ms"),
        Figure("  commands that were refused", fleet.refused, "", goal="0"),
    ]


def _beside(
    name: str, share: float, took_ms: Sequence[float], bare_ms: Sequence[float], goal: str
) -> Figure:
    value, reference = _at(took_ms, share), _at(bare_ms, share)
    return Figure(f"{name}, p{share:.0%}"[:-1], value, "ms", reference, "ms bare commit", goal)


Socket = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _looking(fleet: Fleet) -> Socket:
    """A dashboard's socket, by hand: to take the frames apart would cost more than to make them."""
    host, port = fleet.api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=_READ_BYTES)
    lines = [
        "GET /ws HTTP/1.1",
        f"Host: {host}:{port}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        f"X-API-Key: {fleet.token}",
    ]
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise RuntimeError(head.decode("latin-1"))
    return reader, writer


async def _watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while await reader.read(_READ_BYTES):
            pass
        raise RuntimeError("the API has closed a dashboard's socket")
    finally:
        writer.close()


async def _commands(fleet: Fleet, url: str) -> tuple[list[float], list[float]]:
    """Milliseconds from the request to the answer, which waits for what the room says.

    One that is not confirmed within a second is answered so, and counts as long as that took.
    Beside them what a row costs that is written bare to the same database before each of them: a
    command is committed when it is issued and when it is done.
    """
    took_ms = []
    bare_ms = []
    database = await asyncpg.connect(url)
    await database.execute("CREATE TABLE bare (number int)")
    for turn in range(COMMANDS):
        began = time.perf_counter()
        await database.execute("INSERT INTO bare VALUES ($1)", turn)
        bare_ms.append((time.perf_counter() - began) * 1000)
        path = f"/octoprint/r{turn % ROOMS}-p{turn % EACH}/api/printer/command"
        began = time.perf_counter()
        answer = await fleet.http.post(
            f"{fleet.api.url}{path}",
            json={"command": f"M117 {turn}"},
            headers={"X-API-Key": fleet.token},
        )
        took_ms.append((time.perf_counter() - began) * 1000)
        if not (answer.is_success or _LATE in answer.text):
            fleet.refused += 1
        await asyncio.sleep(COMMANDS_EVERY_S)
    await database.close()
    return sorted(took_ms), sorted(bare_ms)


async def _idle(fleet: Fleet) -> Figure:
    """Frames of both directions while nothing changes and nobody looks."""
    for room in fleet.rooms:
        room.sees = False
    await asyncio.sleep(10.0)
    before = _frames(fleet.rooms)
    await asyncio.sleep(IDLE_S)
    rate = (_frames(fleet.rooms) - before) / IDLE_S / ROOMS
    for room in fleet.rooms:
        room.sees = True
    return Figure("messages of an idle room, both ways", rate, "/s", goal="<= 0.2/s")


def _frames(rooms: Sequence[Room]) -> int:
    return sum(room.frames_up + room.frames_down for room in rooms)


async def _offline(fleet: Fleet) -> Figure:
    """A room that hangs while its connection stands: the API has to notice by itself."""
    room = fleet.rooms[0]
    room.is_deaf = True
    began = time.monotonic()
    await fleet.shown(lambda online: online < ROOMS)
    took_s = time.monotonic() - began
    room.is_deaf = False
    await fleet.shown(lambda online: online == ROOMS)
    return Figure("a room that hangs is shown offline after", took_s, "s", goal="<= 45 s")


async def _back(fleet: Fleet, url: str, folder: Path) -> Figure:
    """The API is killed; another one takes over. Counted from when that one answers."""
    fleet.api.process.kill()
    await asyncio.to_thread(fleet.api.process.wait)
    await asyncio.sleep(5.0)
    api = await asyncio.to_thread(Api, url, folder / "api")
    began = time.monotonic()
    fleet.move(api)
    await fleet.shown(lambda online: online == ROOMS)
    took_s = time.monotonic() - began
    return Figure(f"{ROOMS} rooms shown online after the API is back", took_s, "s", goal="<= 10 s")


async def _backfill(fleet: Fleet) -> Figure:
    room = fleet.rooms[1]
    told = room.last_fact + BACKFILL_FACTS
    room.untold = BACKFILL_FACTS
    began = time.monotonic()
    room.hang_up()
    async with asyncio.timeout(PATIENCE_S):
        await room.has_told(told)
    took_s = time.monotonic() - began
    name = f"ten minutes of {EACH} printers told afterwards ({BACKFILL_FACTS:,} facts)"
    return Figure(name, took_s, "s", goal="<= 30 s")


async def _stops(fleet: Fleet) -> list[Figure]:
    """All rooms come back at once with much to tell, and somebody stops one printer after another.

    From the request to the frame at its room; what is written waits behind all those facts.
    """
    for room in fleet.rooms:
        room.untold = EACH_TELLS
        room.hang_up()
    await asyncio.gather(*(room.cut.wait() for room in fleet.rooms))
    await fleet.all_linked()
    pressed: list[tuple[Room, int, float]] = []
    async with asyncio.TaskGroup() as tasks:
        for turn in range(STOPS):
            room = fleet.rooms[turn % ROOMS]
            pressed.append((room, printer := room.printers[turn % EACH], time.monotonic()))
            tasks.create_task(_press(fleet, printer))
            await asyncio.sleep(STOPS_EVERY_S)
        left = sum(room.untold for room in fleet.rooms)
    took_ms = sorted(1000 * (room.stopped_at[printer] - at) for room, printer, at in pressed)
    name = f"a remote stop while {ROOMS} rooms tell {EACH_TELLS:,} facts each"
    return [
        Figure(f"{name}, p50", _at(took_ms, 0.5), "ms"),
        Figure(f"{name}, p99", _at(took_ms, 0.99), "ms", goal="<= 150 ms"),
        Figure("  facts untold at the last stop", left, ""),
    ]


async def _press(fleet: Fleet, printer: int) -> None:
    """The answer may be that it is not confirmed yet: the room's word is behind all others."""
    url = f"{fleet.api.url}/api/v1/printers/{printer}/remote-stop"
    await fleet.http.post(url, headers={"X-API-Key": fleet.token})


# --- a thousand ------------------------------------------------------------------------------


async def _storm(url: str, folder: Path) -> list[Figure]:
    async with _running(url, folder, STORM, 1) as fleet:
        for room in fleet.rooms:
            room.drops = room.refusals = 0
        fleet.api.process.kill()
        await asyncio.to_thread(fleet.api.process.wait)
        await asyncio.gather(*(room.cut.wait() for room in fleet.rooms))
        api = await asyncio.to_thread(Api, url, folder / "api")
        for room in fleet.rooms:
            room.refusals = 0
        began = time.monotonic()
        fleet.move(api)
        await fleet.all_linked()
        took_s = time.monotonic() - began
        cpu_s = api.cpu_s()
        errors = sum(room.refusals for room in fleet.rooms)
    return [
        Figure(f"{STORM:,} bridges are back after", took_s, "s", goal="<= 15 s"),
        Figure("  errors they met", errors, "", goal="0"),
        Figure("  CPU of the API since its start", cpu_s, "s"),
    ]


def _at(ordered: Sequence[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
