"""Two API processes on a real Redis: it dies and comes back, and no command is lost (R30, R31)."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from schemas.link import Desired, LiveSnap, PrinterFact, Reported
from schemas.printer import Live, PrinterState, Temperature
from tests.fakes import databases
from tests.fakes.calling import PORT, Agent
from tests.fakes.redis_server import RedisServer, running_redis
from tests.fakes.replicas import SETUP_TOKEN, Replicas, running_replicas
from tests.flows.test_replicas import PERSON, Room, until

pytestmark = pytest.mark.flow

REPAIRED_S = 2.0  # the outbox's promise; a second more for the request itself


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path) as server:
        yield server


@pytest.fixture
def replicas(tmp_path: Path, redis: RedisServer) -> Iterator[Replicas]:
    with ExitStack() as stack:
        server = stack.enter_context(databases.running_server())
        bus = {"GANTRY_BUS_URL": redis.url}
        replicas = stack.enter_context(running_replicas(server, tmp_path, 2, **bus))
        yield replicas


async def _room(replicas: Replicas, admin: httpx.Client) -> Room:
    """Its link is with the first process."""
    agent = Agent(replicas.apis[0].url)
    await asyncio.to_thread(agent.pair, admin)
    await agent.connect()
    assert isinstance(await agent.hear(), Desired)
    [bridge] = admin.get("/bridges").raise_for_status().json()
    new = {"name": "Prusa", "bridge_id": bridge["id"], "port_id": PORT.port_id}
    printer = admin.post("/printers", json=new).raise_for_status().json()
    desired = await agent.hear()
    assert isinstance(desired, Desired)
    await agent.say(Reported(version=desired.version))
    await agent.tell(PrinterFact(printer=printer["id"], state=PrinterState.OPERATIONAL))
    return Room(agent, bridge["id"], printer["id"])


async def _command(admin: httpx.Client, room: Room) -> float:
    """A command from the second process is carried out; the seconds until the room had it.

    Who asked waits for a second: when the room hears it later than that, the answer says that
    nothing is confirmed yet. It is carried out all the same.
    """
    path = f"/printers/{room.printer_id}/disconnect"
    started = time.monotonic()
    asked = asyncio.create_task(asyncio.to_thread(admin.post, path))
    await room.obey()
    took_s = time.monotonic() - started
    answer = await asked
    assert answer.status_code == 200 or "not confirmed" in answer.text, answer.text
    await room.plug_in()
    return took_s


async def test_redis_dies_and_comes_back(replicas: Replicas, redis: RedisServer) -> None:
    """With it a command is there at once, without it within two seconds, and then at once again."""
    with httpx.Client(base_url=f"{replicas.apis[0].url}/api/v1", timeout=10) as client:
        made = client.post("/setup/admin", json={**PERSON, "setup_token": SETUP_TOKEN})
        token = made.raise_for_status().json()["access_token"]
    with replicas.admin(1, {"Authorization": f"Bearer {token}"}) as admin:
        room = await _room(replicas, admin)
        try:
            await until(lambda: admin.get(f"/bridges/{room.bridge_id}").json()["online"], 5)
            assert await _command(admin, room) < 1
            redis.kill()
            for _ in range(3):
                assert await _command(admin, room) < REPAIRED_S + 1
            ready = httpx.get(f"{replicas.apis[1].url}/health/ready")
            assert (ready.status_code, json.loads(ready.text)["problems"]) == (200, [])
            redis.start()
            await asyncio.sleep(3)
            assert min([await _command(admin, room) for _ in range(4)]) < 0.5
            live = Live(
                printer=room.printer_id,
                state=PrinterState.OPERATIONAL,
                temps={"tool0": Temperature(187.5, 190.0)},
            )
            await room.agent.say(LiveSnap(printers=[live]))
            await until(lambda: "187.5" in admin.get(f"/printers/{room.printer_id}").text, 3)
        finally:
            await room.agent.socket.close()
