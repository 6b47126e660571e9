"""A real API on a real PostgreSQL that is away, silent, locked or full: said, and nothing lost.

Between them is a proxy that breaks when told. Figures of time are bounds against hanging, wide
enough for a busy machine; what is decided is what was answered and which rows there are.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

from api.config import Settings
from api.readiness import DATABASE, FULL
from infra.bench.replicas import Api, furnish
from schemas.commands import CommandState
from schemas.facts import CommandFact, PrinterFact
from schemas.link import Beat, Desired, FactAck, LiveSnap, RemoteStop, Reported
from schemas.printer import Live, PrinterState, Temperature
from tests.fakes import databases
from tests.fakes.calling import PORT, Agent
from tests.fakes.database_proxy import DatabaseProxy, database_proxy
from tests.fakes.redis_server import running_redis

pytestmark = [pytest.mark.flow, pytest.mark.timeout(240)]

BACK_S = 30.0
#: Longer than rights, rules and rooms are believed without a question.
RIGHTS_S = 6.0
READY = PrinterState.OPERATIONAL
SETTINGS = {"GANTRY_STATEMENT_TIMEOUT_S": "1", "GANTRY_LOCK_TIMEOUT_S": "1"}


class Farm:
    """One process, the way to its database, and what it is asked."""

    def __init__(
        self, server: databases.Server, name: str, proxy: DatabaseProxy, api: Api, token: str
    ) -> None:
        self.server = server
        self.name = name
        self.proxy = proxy
        self.api = api
        headers = {"X-API-Key": token}
        self.http = httpx.AsyncClient(
            base_url=api.url, headers=headers, timeout=60, trust_env=False
        )

    async def make(self, name: str, key: str = "") -> httpx.Response:
        """A job called *name*, asked for under the idempotency key *key*."""
        headers = {"Idempotency-Key": key} if key else {}
        return await self.http.post("/api/v1/jobs", json={"item_name": name}, headers=headers)

    async def jobs(self, name: str) -> list[Any]:
        """The rows of that name."""
        return await self.server.run(
            f"SELECT id FROM job WHERE item_name = '{name}'", database=self.name
        )

    async def stops(self) -> list[tuple[str, str]]:
        """The stops in the rows (id, state), each pressed once as far as the audit trail knows."""
        noted = "SELECT count(*) AS times FROM audit_entry WHERE action = 'printer.remote_stop'"
        rows = await self.server.run("SELECT id, verb, state FROM command", database=self.name)
        assert {row["verb"] for row in rows} == {"remote_stop"}
        [counted] = await self.server.run(noted, database=self.name)
        assert counted["times"] == len(rows)
        return [(row["id"], row["state"]) for row in rows]

    async def problems(self) -> list[str]:
        """What readiness says, behind a 503 if anything."""
        answer = await self.http.get("/health/ready")
        problems: list[str] = answer.json()["problems"]
        assert answer.status_code == (503 if problems else 200)
        return problems

    async def back(self) -> None:
        """Return when it is ready again."""
        async with asyncio.timeout(BACK_S):
            while await self.problems():
                await asyncio.sleep(0.1)


class Room:
    """A bridge with one printer, as its agent."""

    def __init__(self, farm: Farm, agent: Agent, printer: dict[str, Any]) -> None:
        self.agent = agent
        self.printer: int = printer["id"]
        self.face: str = printer["octoprint_url"].rstrip("/")
        self.dashboard: ClientConnection
        self.push: ClientConnection
        self._farm = farm

    @classmethod
    @asynccontextmanager
    async def of(cls, farm: Farm) -> AsyncIterator["Room"]:
        """One that is paired, greeted and ready."""
        agent, headers = Agent(farm.api.url), dict(farm.http.headers)
        with httpx.Client(base_url=f"{farm.api.url}/api/v1", headers=headers, timeout=30) as admin:
            await asyncio.to_thread(agent.pair, admin)
        await agent.connect()
        assert isinstance(await agent.hear(), Desired)
        new = {"name": "One", "bridge_id": 1, "port_id": PORT.port_id}
        made = (await farm.http.post("/api/v1/printers", json=new)).raise_for_status()
        desired = await agent.hear()
        assert isinstance(desired, Desired)
        await agent.say(Reported(version=desired.version))
        room = cls(farm, agent, made.json())
        await agent.tell(PrinterFact(printer=room.printer, state=READY))
        login = await farm.http.post(f"{room.face}/api/login", json={"passive": True})
        auth = {"auth": "{name}:{session}".format(**login.raise_for_status().json())}
        ws, key = farm.api.url.replace("http", "ws"), dict(farm.http.headers)["x-api-key"]
        async with (
            connect(f"{ws}/ws", additional_headers={"X-API-Key": key}) as room.dashboard,
            connect(f"{ws}{room.face}/sockjs/websocket") as room.push,
        ):
            await room.push.send(json.dumps(auth))
            yield room
            await agent.socket.close()

    async def shows(self, nozzle_c: float) -> None:
        """A picture, and a sign of life."""
        temps = {"tool0": Temperature(nozzle_c, 0.0)}
        live = Live(printer=self.printer, state=READY, temps=temps, temps_age_s=0.1)
        await self.agent.say(LiveSnap(printers=[live]))
        await self.agent.say(Beat(sent_ms=1))

    async def seen_on_both_faces(self, nozzle_c: float) -> bool:
        """Whether people see the nozzle at this temperature soon."""
        async with asyncio.timeout(BACK_S):
            while True:
                v1 = await self._farm.http.get(f"/api/v1/printers/{self.printer}")
                other = await self._farm.http.get(f"{self.face}/api/printer")
                seen = v1.status_code == other.status_code == 200 and (
                    v1.json()["nozzle_temp"],
                    other.json()["temperature"]["tool0"]["actual"],
                )
                if seen == (nozzle_c, nozzle_c):
                    return True
                await asyncio.sleep(0.1)

    async def heard_on_both_sockets(self, dashboard: str, push: str) -> bool:
        """Whether both are told this of it soon."""
        for socket, word in ((self.dashboard, dashboard), (self.push, push)):
            async with asyncio.timeout(BACK_S):
                while word not in str(await socket.recv()):
                    pass
        return True

    async def stops(self, count: int) -> list[str]:
        """The ids of the next *count* stops that the room is told."""
        stops: list[str] = []
        while len(stops) < count:
            if isinstance(body := await self.agent.hear(), RemoteStop):
                stops.append(body.id)
        return stops

    async def acknowledged(self) -> None:
        """Return when facts are; a stop may be said once more before that."""
        while not isinstance(await self.agent.hear(), FactAck):
            pass

    async def obeys(self, stop_id: str) -> None:
        """Report that the printer was stopped; return when the API knows it."""
        done = CommandFact(id=stop_id, state=CommandState.DONE, code="at_once")
        await self.agent.say(self.agent.facts(done))
        await self.acknowledged()


@pytest.fixture(scope="module")
def postgres() -> Iterator[databases.Server]:
    with databases.running_server() as server:
        yield server


@pytest.fixture
async def farm(postgres: databases.Server, tmp_path: Path) -> AsyncIterator[Farm]:
    async with _running(postgres, tmp_path, SETTINGS) as farm:
        yield farm


@asynccontextmanager
async def _running(
    postgres: databases.Server, tmp_path: Path, settings: dict[str, str]
) -> AsyncIterator[Farm]:
    async with AsyncExitStack() as stack:
        name = await postgres.migrated_database()
        url = postgres.url(name)
        made = await furnish(Settings(data_dir=tmp_path, database_url=url), 0, 0)
        # The path of a socket is short.
        short = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gantry-")))
        proxy = await stack.enter_async_context(database_proxy(short, url))
        api = await asyncio.to_thread(Api, proxy.url, tmp_path / "api", **settings)
        stack.push_async_callback(asyncio.to_thread, api.stop)
        farm = Farm(postgres, name, proxy, api, made.token)
        await stack.enter_async_context(farm.http)
        yield farm


def _refused(answer: httpx.Response, *, full: bool = False) -> None:
    """503 that says why and when to ask again, in v1's words."""
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.json()["error"]["retriable"] is True
    assert ("disk of the database is full" in answer.json()["detail"]) is full


async def test_a_database_that_is_away_is_said_and_comes_back(farm: Farm) -> None:
    """503 with Retry-After, readiness names the setting; what was refused is not there (R19)."""
    assert (await farm.make("before")).status_code == 201
    await farm.proxy.refuse()
    _refused(await farm.make("away"))
    assert await farm.problems() == [DATABASE]
    health = (await farm.http.get("/health")).json()
    assert (health["status"], health["database"]) == ("degraded", "unavailable")
    await farm.proxy.open()
    await farm.back()
    assert (await farm.make("after")).status_code == 201
    found = [len(await farm.jobs(name)) for name in ("before", "away", "after")]
    assert found == [1, 0, 1]


@pytest.mark.parametrize("is_silent", [False, True])
async def test_a_printer_is_seen_and_stopped_while_the_database_is_away(
    farm: Farm, is_silent: bool
) -> None:
    """M07, R19: by whoever was there before, on both faces; told to the rows when they are back."""
    async with Room.of(farm) as room:
        stop = f"/api/v1/printers/{room.printer}/remote-stop"
        await room.shows(20.0)
        assert await room.seen_on_both_faces(20.0)
        assert await room.heard_on_both_sockets('"nozzle_temp":20.0', '"actual":20.0')
        if is_silent:
            farm.proxy.fall_silent()
        else:
            await farm.proxy.refuse()
        _refused(await farm.make("away"))
        await room.agent.say(room.agent.facts(PrinterFact(printer=room.printer, state=READY)))
        await asyncio.sleep(RIGHTS_S)
        await room.shows(30.0)
        assert await room.seen_on_both_faces(30.0)
        assert await room.heard_on_both_sockets('"nozzle_temp":30.0', '"actual":30.0')
        answer = await farm.http.post(stop, headers={"Idempotency-Key": "stop-it"})
        assert (answer.status_code, answer.json()["success"]) == (200, True), answer.text
        assert "The database is down" in answer.json()["advice"]
        [told] = await room.stops(1)
        line = await farm.http.post(f"{room.face}/api/printer/command", json={"command": "M112"})
        assert line.status_code == 204
        [again] = await room.stops(1)  # the same one, unless this machine is very slow
        await farm.proxy.open()
        await farm.back()
        await room.acknowledged()
        for stop_id in {told, again}:
            await room.obeys(stop_id)
    assert {*await farm.stops()} == {(told, "done"), (again, "done")}


async def test_a_stop_finds_the_process_that_has_the_link_while_the_database_is_away(
    postgres: databases.Server, tmp_path: Path
) -> None:
    """M07: it is pressed at another one, which asks over the bus; who has told the room owes it."""
    async with AsyncExitStack() as stack:
        redis = stack.enter_context(running_redis(tmp_path))
        settings = {**SETTINGS, "GANTRY_BUS_URL": redis.url}
        farm = await stack.enter_async_context(_running(postgres, tmp_path, settings))
        other = await asyncio.to_thread(Api, farm.proxy.url, tmp_path / "other", **settings)
        stack.push_async_callback(asyncio.to_thread, other.stop)
        room = await stack.enter_async_context(Room.of(farm))
        printer = f"{other.url}/api/v1/printers/{room.printer}"
        assert (await farm.http.get(printer)).status_code == 200
        await farm.proxy.refuse()
        _refused(await farm.make("away"))
        answer = await farm.http.post(f"{printer}/remote-stop")
        assert (answer.status_code, answer.json()["success"]) == (200, True), answer.text
        assert "The database is down" in answer.json()["advice"]
        [told] = await room.stops(1)
        redis.kill()
        answer = await farm.http.post(f"{printer}/remote-stop")
        assert answer.status_code == 503
        assert "nothing was stopped" in answer.json()["detail"]
        await farm.proxy.open()
        await farm.back()
        await room.obeys(told)
        assert await farm.stops() == [(told, "done")]


async def test_a_database_that_falls_silent_hangs_nobody(farm: Farm) -> None:
    """The connections stand and nothing comes back: every request ends with 503 (R20)."""
    assert (await farm.make("before")).status_code == 201
    farm.proxy.fall_silent()
    started = time.monotonic()
    answers = await asyncio.gather(*(farm.make(f"silent {turn}") for turn in range(4)))
    for answer in answers:
        _refused(answer)
    assert await farm.problems() == [DATABASE]
    assert time.monotonic() - started < 60
    await farm.proxy.open()
    await farm.back()
    assert (await farm.make("after")).status_code == 201


@asynccontextmanager
async def _locked(farm: Farm) -> AsyncIterator[None]:
    """Somebody else writes and does not end."""
    connection = await asyncpg.connect(farm.server.url(farm.name))
    try:
        await connection.execute("SELECT pg_advisory_lock(7305, 0)")
        yield
    finally:
        await connection.close()


async def test_who_writes_waits_for_a_lock_in_vain_and_who_reads_does_not(farm: Farm) -> None:
    """A lock that is never given back: writes 503, reads 200 meanwhile; then all is well (R20)."""
    async with _locked(farm):
        writing = [asyncio.create_task(farm.make(f"locked {turn}")) for turn in range(3)]
        await asyncio.sleep(0.2)
        read = await farm.http.get("/api/v1/jobs")
        assert (read.status_code, read.json()) == (200, [])
        assert await farm.problems() == []
        for answer in await asyncio.gather(*writing):
            _refused(answer)
    assert (await farm.make("after")).status_code == 201
    listed = (await farm.http.get("/api/v1/jobs")).json()
    assert [job["item_name"] for job in listed] == ["after"]


@pytest.mark.parametrize("reaches_the_server", [True, False])
async def test_a_commit_whose_answer_is_lost_makes_one_row(
    farm: Farm, reaches_the_server: bool
) -> None:
    """The cable breaks before or behind a real COMMIT: 201, one row, and the same again (R23)."""
    cut = farm.proxy.cut(b"lost-answer", reaches_the_server=reaches_the_server)
    first = await farm.make("lost-answer", "key-of-the-lost-answer")
    assert cut.is_done
    assert first.status_code == 201, first.text
    again = await farm.make("lost-answer", "key-of-the-lost-answer")
    assert (again.status_code, again.json()["id"]) == (201, first.json()["id"])
    assert [row["id"] for row in await farm.jobs("lost-answer")] == [first.json()["id"]]


async def test_a_full_disk_of_the_server_is_said_and_over_when_there_is_room(farm: Farm) -> None:
    """A real ENOSPC under a table: 503, reads go on, readiness says it; nothing is broken (R25)."""
    [place] = await farm.server.run(
        "SELECT current_setting('data_directory') || '/' || pg_relation_filepath('job') AS file",
        database=farm.name,
    )
    table = Path(place["file"])
    aside = table.with_name(f"{table.name}.aside")
    table.rename(aside)
    table.symlink_to("/dev/full")  # whatever is written there meets a full disk
    await farm.server.end_backends(farm.name)
    _refused(await farm.make("full"), full=True)
    assert (await farm.http.get("/api/v1/jobs")).json() == []
    assert await farm.problems() == [FULL]
    assert (await farm.http.get("/health")).json()["status"] == "degraded"
    table.unlink()
    aside.rename(table)
    await farm.server.end_backends(farm.name)
    async with asyncio.timeout(BACK_S):
        while (answer := await farm.make("room")).status_code == 503:
            await asyncio.sleep(0.2)
    assert answer.status_code == 201, answer.text
    await farm.back()
    listed = (await farm.http.get("/api/v1/jobs")).json()
    assert [job["item_name"] for job in listed] == ["room"]
