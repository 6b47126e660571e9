"""Several API processes are one farm: the bridge on one, the dashboard on another, a third asks."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from schemas.codec import decode
from schemas.commands import CommandState
from schemas.facts import CommandFact, PrinterFact
from schemas.link import Cmd, CmdGot, Desired, LiveSnap, Reported
from schemas.printer import Live, PrinterState, Temperature
from schemas.watching import Interest, TerminalLines, TerminalText
from tests.fakes import databases
from tests.fakes.calling import PORT, Agent
from tests.fakes.replicas import SETUP_TOKEN, Balancer, Replicas, balanced, running_replicas

pytestmark = pytest.mark.flow

#: Long for a wake-up on a busy machine; a link that has none looks after 15 s at the earliest.
WOKEN_S = 12.0
PERSON = {"username": "admin", "password": "Correct-horse-9", "email": "a@example.com"}


@pytest.fixture(scope="module")
def postgres() -> Iterator[databases.Server]:
    with databases.running_server() as server:
        yield server


@pytest.fixture(scope="module")
def replicas(
    postgres: databases.Server, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replicas]:
    with running_replicas(postgres, tmp_path_factory.mktemp("replicas"), 3) as replicas:
        with httpx.Client(base_url=f"{replicas.apis[0].url}/api/v1", timeout=10) as client:
            made = client.post("/setup/admin", json={**PERSON, "setup_token": SETUP_TOKEN})
            made.raise_for_status()
        yield replicas


@pytest.fixture(scope="module")
def headers(replicas: Replicas) -> dict[str, str]:
    url = f"{replicas.apis[1].url}/api/v1/auth/login"
    login = httpx.post(url, json=PERSON, timeout=30).raise_for_status()
    return {"Authorization": f"Bearer {login.json()['access_token']}"}


@pytest.fixture(scope="module")
def clients(replicas: Replicas, headers: dict[str, str]) -> Iterator[list[httpx.Client]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(replicas.admin(number, headers)) for number in range(3)]


class Room:
    """A bridge with one printer that is ready."""

    def __init__(self, agent: Agent, bridge_id: int, printer_id: int) -> None:
        self.agent = agent
        self.bridge_id = bridge_id
        self.printer_id = printer_id
        self.codes: list[int | None] = []

    async def obey(self) -> Cmd:
        """Take the next command, a disconnect, and carry it out."""
        while not isinstance(command := await self.agent.hear(), Cmd):
            pass
        await self.agent.say(CmdGot(seq=command.seq))
        await self.agent.tell(
            PrinterFact(printer=self.printer_id, state=PrinterState.OFFLINE),
            CommandFact(id=command.id, state=CommandState.DONE),
        )
        return command

    async def plug_in(self) -> None:
        """The printer is there (again)."""
        await self.agent.tell(PrinterFact(printer=self.printer_id, state=PrinterState.OPERATIONAL))

    async def live_through_restarts(self, balancer: Balancer) -> None:
        """Keep the link; after a close dial again, as an agent does."""
        self.agent.url = balancer.url
        while True:
            with contextlib.suppress(OSError, httpx.HTTPError, InvalidHandshake):
                await self.agent.connect()
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        await self.agent.socket.recv()
                self.codes.append(self.agent.socket.close_code)
            await asyncio.sleep(0.1)


@pytest.fixture
async def room(replicas: Replicas, clients: list[httpx.Client]) -> AsyncIterator[Room]:
    """Its link is with the first process."""
    agent = Agent(replicas.apis[0].url)
    await asyncio.to_thread(agent.pair, clients[0])
    await agent.connect()
    assert isinstance(await agent.hear(), Desired)
    bridge = clients[1].get("/bridges").raise_for_status().json()[-1]
    name = f"Prusa {bridge['id']}"
    new = {"name": name, "bridge_id": bridge["id"], "port_id": PORT.port_id}
    printer = clients[2].post("/printers", json=new).raise_for_status().json()
    desired = await agent.hear()
    assert isinstance(desired, Desired)
    await agent.say(Reported(version=desired.version))
    room = Room(agent, bridge["id"], printer["id"])
    await room.plug_in()
    yield room
    await agent.socket.close()


async def until(what: Any, within_s: float) -> float:
    """Wait until *what* is true; the seconds that it took."""
    started = time.monotonic()
    while not await asyncio.to_thread(what):
        assert time.monotonic() - started < within_s, "it did not come in time"
        await asyncio.sleep(0.02)
    return time.monotonic() - started


async def dashboard(url: str, headers: dict[str, str]) -> ClientConnection:
    return await connect(url.replace("http", "ws") + "/ws", additional_headers=headers)


async def test_a_command_from_the_third_is_seen_on_the_second(
    replicas: Replicas, clients: list[httpx.Client], headers: dict[str, str], room: Room
) -> None:
    """Bridge on one process, dashboard on another, command from the third."""
    path = f"/printers/{room.printer_id}"
    socket = await dashboard(replicas.apis[1].url, headers)
    await until(lambda: clients[2].get(f"/bridges/{room.bridge_id}").json()["online"], WOKEN_S)
    asked = asyncio.create_task(asyncio.to_thread(clients[2].post, f"{path}/disconnect"))
    started = time.monotonic()
    command = await room.obey()
    assert time.monotonic() - started < WOKEN_S
    assert command.printer == room.printer_id
    assert (await asked).status_code == 200
    async with asyncio.timeout(WOKEN_S):
        while json.loads(await socket.recv())["type"] != "command.done":
            pass
    await socket.close()


async def test_pictures_reach_every_process(clients: list[httpx.Client], room: Room) -> None:
    """What one process hears, every other shows within a second."""
    temps = {"tool0": Temperature(187.5, 190.0)}
    live = Live(printer=room.printer_id, state=PrinterState.OPERATIONAL, temps=temps)
    await room.agent.say(LiveSnap(printers=[live]))
    for client in clients[1:]:
        path = f"/printers/{room.printer_id}"
        await until(lambda: "187.5" in client.get(path).text, 10)  # noqa: B023
        assert client.get(path).json()["nozzle_target_temp"] == 190.0


async def test_a_terminal_is_read_through_another_process(
    replicas: Replicas, clients: list[httpx.Client], room: Room
) -> None:
    """The room's link is with one process, the app with another: asked for there, heard here."""
    path = f"/printers/{room.printer_id}"
    slug = clients[1].get(path).raise_for_status().json()["slug"]
    made = clients[1].post(f"{path}/octoprint-key", json={"name": "tab"}).raise_for_status()
    face, key = f"{replicas.apis[1].url}/octoprint/{slug}", {"X-Api-Key": made.json()["api_key"]}
    answer = httpx.post(f"{face}/api/login", json={"passive": True}, headers=key, timeout=30)
    login = answer.raise_for_status().json()
    lines = ["Send: N1 M115*39", "Recv: FIRMWARE_NAME:Marlin", "Recv: ok"]
    said = TerminalText(printer=room.printer_id, lines=lines, cursor="c:1")
    heard: list[str] = []
    async with (
        asyncio.timeout(30),
        connect(f"{face.replace('http', 'ws', 1)}/sockjs/websocket") as socket,
    ):
        await socket.send(json.dumps({"auth": f"{login['name']}:{login['session']}"}))
        watched: list[int] = []
        while room.printer_id not in watched:
            body = decode(await room.agent.socket.recv()).body
            if isinstance(body, Interest):
                watched = [each.printer for each in body.terminals]
        await room.agent.say(TerminalLines(number=1, texts=[said]))
        while len(heard) < len(lines):
            heard += json.loads(await socket.recv()).get("current", {}).get("logs", ())
    assert heard == lines


async def test_a_revoked_token_dies_everywhere_within_five_seconds(
    clients: list[httpx.Client], replicas: Replicas
) -> None:
    """Each process remembers credentials for a moment only."""
    made = clients[0].post("/tokens", json={"name": "script", "scopes": []}).raise_for_status()
    secret = {"X-API-Key": made.json()["token"]}
    urls = [f"{api.url}/api/v1/printers" for api in replicas.apis]

    def ask(url: str) -> int:
        return httpx.get(url, headers=secret, timeout=30).status_code

    assert [ask(url) for url in urls] == [200, 200, 200]
    clients[1].delete(f"/tokens/{made.json()['id']}").raise_for_status()
    await until(lambda: {ask(url) for url in urls} == {401}, 5)


async def test_without_its_bus_the_farm_is_slower_not_deaf(
    replicas: Replicas, clients: list[httpx.Client], room: Room
) -> None:
    """Every connection for wake-ups is ended, again and again: a command still comes (R30, R31)."""
    path = f"/printers/{room.printer_id}"
    await until(lambda: clients[2].get(f"/bridges/{room.bridge_id}").json()["online"], WOKEN_S)
    for _ in range(3):
        assert await replicas.end_bus() > 0
        started = time.monotonic()
        asked = asyncio.create_task(asyncio.to_thread(clients[2].post, f"{path}/disconnect"))
        obeyed = asyncio.create_task(room.obey())
        await asyncio.wait({asked, obeyed}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            assert asked.result().status_code == 200, asked.result().text
        await obeyed
        assert time.monotonic() - started < WOKEN_S
        assert (await asked).status_code == 200
        await room.plug_in()


async def test_ended_backends_fail_no_request(
    replicas: Replicas, clients: list[httpx.Client], room: Room
) -> None:
    """A failover of the database: what is asked next is answered, by every process (R21)."""
    for _ in range(3):
        await replicas.server.end_backends(replicas.database)
        for client in clients:
            assert client.get("/printers").status_code == 200
            path = f"/printers/{room.printer_id}"
            assert client.patch(path, json={"nickname": "again"}).status_code == 200
    assert httpx.get(f"{replicas.apis[0].url}/health/ready", timeout=30).json()["problems"] == []


async def test_a_rolling_restart_fails_no_request_and_darkens_no_room(
    replicas: Replicas, clients: list[httpx.Client], headers: dict[str, str], room: Room
) -> None:
    """Each process in turn is stopped and started under load (safety R48)."""

    def since() -> set[str | None]:
        """When the room has come, as each process sees it; None: it is not there."""
        seen = [client.get(f"/bridges/{room.bridge_id}").json() for client in clients]
        return {each["connected_at"] if each["online"] else None for each in seen}

    await until(lambda: None not in since(), WOKEN_S)
    first = await asyncio.to_thread(since)
    async with balanced(replicas) as balancer:
        failed: list[str] = []
        answers = 0

        async def ask() -> None:
            nonlocal answers
            close = {**headers, "Connection": "close"}
            url = f"{balancer.url}/api/v1"
            while True:
                async with httpx.AsyncClient(base_url=url, headers=close, timeout=10) as http:
                    try:
                        seen = await http.get(f"/bridges/{room.bridge_id}")
                        path = f"/printers/{room.printer_id}"
                        changed = await http.patch(path, json={"nickname": f"N{answers}"})
                    except httpx.HTTPError as error:
                        failed.append(repr(error))
                        continue
                answers += 2
                if seen.status_code != 200 or not seen.json()["online"]:
                    failed.append(f"{seen.status_code} {seen.text}")
                if changed.status_code != 200:
                    failed.append(f"{changed.status_code} {changed.text}")

        await room.agent.socket.close()
        staying = asyncio.create_task(room.live_through_restarts(balancer))
        await until(lambda: since().isdisjoint({None, *first}), WOKEN_S)
        asking = [asyncio.create_task(ask()) for _ in range(2)]
        for number, api in enumerate(replicas.apis):
            assert await asyncio.to_thread(api.stop) == 0
            await asyncio.to_thread(api.start)
            await balancer.wait_for(number)
            await asyncio.sleep(0.5)
        for task in (*asking, staying):
            task.cancel()
        await asyncio.gather(*asking, staying, return_exceptions=True)
    assert failed == []
    assert answers > 20
    assert room.codes and set(room.codes) == {1012}


def test_no_process_has_logged_a_secret(replicas: Replicas, headers: dict[str, str]) -> None:
    """Whatever was asked of them above: lines of JSON, no password, token or key (safety S44)."""
    wrong = "odin_canary-of-the-replicas"
    secrets = {PERSON["password"], SETUP_TOKEN, headers["Authorization"].split()[1], wrong}
    for api in replicas.apis:
        refused = httpx.get(f"{api.url}/api/v1/jobs", headers={"X-API-Key": wrong}, timeout=30)
        assert refused.status_code == 401
        said = api.said()
        assert [secret for secret in secrets if secret in said] == []
        told = [json.loads(line) for line in said.splitlines() if line.startswith('{"at"')]
        assert any("listening" in line["message"] for line in told)
