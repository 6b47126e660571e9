"""The whole API on a small farm: two printers in one room, seen through the OctoPrint face."""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tortoise.backends.base.executor import EXECUTOR_CACHE

from api.accounts.people import NewUser
from api.app import Application, Rooms
from api.bridges.service import Bridge
from api.config import Settings
from api.db import open_database
from api.principal import Principal, Role
from api.printers.service import Printer, PrinterCreate
from schemas.link import Port
from tests.fakes.room import FakeRoom, Machine

BASE = "http://farm.local:5000"
PASSWORD = "Correct-horse-7"
GCODE = b"; made by hand\nG28\nM104 S200\nG1 X10 F600\nG1 X20\nM84\n"


@dataclass
class Farm:
    """A running API and who may use it. Printer one is `alpha`, printer two `beta`."""

    application: Application
    http: httpx.AsyncClient
    room: FakeRoom
    admin: Principal
    token: str
    key: str
    viewer_key: str

    @property
    def machine(self) -> Machine:
        return self.room.machines[1]

    async def printer(self, number: int = 1) -> Printer:
        found = await self.application.rooms.printers.find(number)
        assert found is not None
        return found

    async def get(self, path: str, key: str | None = None, **more: object) -> httpx.Response:
        headers = {"X-Api-Key": self.key if key is None else key}
        return await self.http.get(path, headers=headers, **more)  # type: ignore[arg-type]

    async def post(self, path: str, **more: object) -> httpx.Response:
        headers = {"X-Api-Key": self.key}
        return await self.http.post(path, headers=headers, **more)  # type: ignore[arg-type]

    async def job(self) -> Any:
        return (await self.get("/api/job")).json()

    async def upload(
        self, name: str = "part.gcode", content: bytes = GCODE, **fields: str
    ) -> httpx.Response:
        return await self.post("/api/files/local", files={"file": (name, content)}, data=fields)


@dataclass(frozen=True)
class Template:
    """A data directory that is copied for every test, and the secrets that go with it."""

    directory: Path
    admin: Principal
    token: str
    key: str
    viewer_key: str


def _settings(directory: Path) -> Settings:
    """A database file that nobody waits for: what a power cut would lose is not tested here."""
    url = f"sqlite://{directory / 'farm.sqlite3'}?busy_timeout=5000&synchronous=OFF"
    return Settings(data_dir=directory, database_url=url)


async def _make(directory: Path) -> Template:
    application = Application(_settings(directory))
    context = await open_database(application.settings)
    try:
        with context:
            await context.generate_schemas()
            return await _fill(directory, application.rooms)
    finally:
        await context.close_connections()


async def _fill(directory: Path, rooms: Rooms) -> Template:
    admin = (await rooms.accounts.setup("admin", "a@b.example", PASSWORD, "test")).principal
    viewer = await rooms.accounts.create_user(
        admin,
        NewUser(username="guest", email="g@b.example", password=PASSWORD, role=Role.VIEWER),
    )
    watcher = Principal(
        organization_id=1,
        user_id=viewer.id,
        username="guest",
        role=Role.VIEWER,
        kind="session",
        credential_id=0,
    )
    public_key = base64.b64encode(bytes(range(32))).decode()
    async with rooms.ledger.change() as change:
        bridge = await rooms.bridges.create(change, 1, "room", public_key)
        ports = [Port(port_id=f"virtual:{n}", device=f"/dev/{n}") for n in ("a", "b")]
        await rooms.bridges.record_ports(change, bridge, ports)
    for name, port in (("Alpha", "virtual:a"), ("Beta", "virtual:b")):
        new = PrinterCreate(name=name, bridge_id=bridge.id, port_id=port, baud=115200)
        await rooms.printers.create(admin, new)
    _, token = await rooms.accounts.create_token(admin, "test", [], None)
    key = await rooms.accounts.create_octoprint_key(admin, None, "slicer")
    viewer_key = await rooms.accounts.create_octoprint_key(watcher, None, "watcher")
    return Template(directory, admin, token, key, viewer_key)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    EXECUTOR_CACHE.clear()
    return asyncio.run(_make(tmp_path_factory.mktemp("octoprint") / "data"))


@pytest.fixture
async def farm(template: Template, tmp_path: Path) -> AsyncIterator[Farm]:
    EXECUTOR_CACHE.clear()
    directory = tmp_path / "data"
    shutil.copytree(template.directory, directory)
    application = Application(_settings(directory))
    await application.startup()
    application.database.__enter__()  # for this test's own calls
    try:
        room = FakeRoom(application, await Bridge.get(id=1))
        await room.connect()
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            yield Farm(
                application,
                client,
                room,
                template.admin,
                template.token,
                template.key,
                template.viewer_key,
            )
        await room.leave()
    finally:
        await application.shutdown()
