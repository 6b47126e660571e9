"""The whole API on a small farm: two printers in one room, seen through the OctoPrint face."""

import asyncio
import base64
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import httpx
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.models import Model

from api.accounts.models import Credential, Grant, LoginAttempt, User, UserGroup
from api.accounts.people import NewUser
from api.app import Application
from api.bridges.models import Bridge
from api.commands.models import Command
from api.config import Settings
from api.db import open_database
from api.files.analyst import Analyst
from api.files.models import Blob, TreeName
from api.jobs.models import Attempt, Job, Print
from api.models_library.models import LibraryModel, PrintFile
from api.octoprint.models import AppKeyRequest, Preferences
from api.pools.models import Pool
from api.principal import Principal, Role
from api.printers.models import Printer
from api.printers.rows import STRUCTURE, bell
from api.printers.service import PrinterCreate
from schemas.facts import Port
from tests.fakes import databases
from tests.fakes.room import FakeRoom, Machine

BASE = "http://farm.local:5000"
PASSWORD = "Correct-horse-7"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
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


#: Rows that tests make.
_OF_TESTS: tuple[type[Model], ...] = (
    *(Attempt, Print, Job, Command, PrintFile, LibraryModel, TreeName, Blob, LoginAttempt),
    *(AppKeyRequest, Preferences, Pool, Grant, UserGroup),
)


@dataclass(frozen=True)
class World:
    """One API for all tests of the face (its routes take longer to build than a test), with what
    its rows were at the beginning."""

    application: Application
    admin: Principal
    token: str
    key: str
    viewer_key: str
    printers: list[dict[str, Any]]

    async def reset(self) -> None:
        """Nothing printed, nothing stored, every printer as it was made."""
        for model in _OF_TESTS:
            await model.all().delete()
        for row in self.printers:
            values = {name: value for name, value in row.items() if name != "id"}
            await Printer.filter(id=row["id"]).update(**values)
        await User.filter(username__not_in=("admin", "guest")).delete()
        await User.all().update(groups=None)
        self.application.rooms.accounts._credentials.forget()
        await Credential.filter(kind__in=("user_key", "remember")).delete()
        await Bridge.all().update(reported_version=0)
        shutil.rmtree(self.application.settings.blobs_dir, ignore_errors=True)
        self.application.bus.wake([STRUCTURE, *(bell(row["id"]) for row in self.printers)])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(
    tmp_path_factory: pytest.TempPathFactory, engine: databases.Server | None
) -> AsyncIterator[World]:
    EXECUTOR_CACHE.clear()
    directory = tmp_path_factory.mktemp("octoprint") / "data"
    directory.mkdir()
    url = await databases.url_for_application(directory, engine)
    settings = Settings(data_dir=directory, database_url=url, trusted_proxies="127.0.0.1")
    application = Application(settings)
    application.rooms.accounts._passwords._hasher = CHEAP  # what a hash costs is no question here
    # In tasks of their own: what a fixture sets in its context holds for other rooms' tests too.
    await asyncio.create_task(_migrate(application))
    with mock.patch.object(Analyst, "run", asyncio.Event().wait):  # tests say when it steps
        await asyncio.create_task(application.startup())
    try:
        yield await asyncio.create_task(_fill(application))
    finally:
        await application.shutdown()


async def _migrate(application: Application) -> None:
    context = await open_database(application.settings)
    try:
        with context:
            await context.generate_schemas()
    finally:
        await context.close_connections()


async def _fill(application: Application) -> World:
    application.database.__enter__()
    rooms = application.rooms
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
        kind="token",
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
    return World(
        application=application,
        admin=admin,
        token=token,
        key=await rooms.accounts.create_octoprint_key(admin, None, "slicer"),
        viewer_key=await rooms.accounts.create_octoprint_key(watcher, None, "watcher"),
        printers=await Printer.all().values(),
    )


@pytest_asyncio.fixture(loop_scope="session")
async def farm(world: World) -> AsyncIterator[Farm]:
    async with opened(world) as farm:
        yield farm


@asynccontextmanager
async def opened(world: World) -> AsyncIterator[Farm]:
    """The farm as it was made, its room there, and a client of it."""
    application = world.application
    application.database.__enter__()  # for this test's own calls
    await world.reset()
    room = FakeRoom(application, await Bridge.get(id=1))
    await room.connect()
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield Farm(
            application,
            client,
            room,
            world.admin,
            world.token,
            world.key,
            world.viewer_key,
        )
    await room.leave()
