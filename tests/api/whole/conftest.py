"""The whole API with two organizations in it: everybody who may ask, and a row of everything."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from tortoise.backends.base.executor import EXECUTOR_CACHE

from api.accounts.models import Organization, User
from api.app import Application
from api.clock import SystemClock
from api.config import Settings
from api.db import open_database
from api.events.service import Happened
from api.files.models import Blob
from api.principal import Principal, Role
from tests.fakes import databases

BASE = "http://farm.local:5000"
GCODE = b"; made by hand\nG28\nM104 S200\nG1 X10 F600\nG1 X20\nM84\n"
REPORT = {
    "name": "Month",
    "report_type": "jobs",
    "frequency": "monthly",
    "recipients": ["boss@example.org"],
}
TABLES_THAT_MOVE = (
    "credential",
    "login_attempt",
    "sqlite_sequence",
    "replica",
    "outbox",
    "pairing_try",
    "blob_survey",
    "webhook_delivery",
    "last_live",  # the farm writes a picture that it was told of when its second has come
)


@dataclass(frozen=True)
class Whole:
    """The API, its clients' secrets by who they are, and the ids of what the first farm owns."""

    application: Application
    http: httpx.AsyncClient
    secrets: dict[str, str | None]
    ids: dict[str, str]
    transport: httpx.ASGITransport

    def path(self, path: str, **other: str) -> str:
        """*path* of a route with the ids of what exists, or *other* ones."""
        for name, value in {**self.ids, **other}.items():
            path = path.replace(f"<int:{name}>", value).replace(f"<path:{name}>", value)
            path = path.replace(f"<{name}>", value)
        assert "<" not in path, f"the ids here have none for {path}"
        return path

    async def ask(self, who: str, method: str, path: str, **given: Any) -> httpx.Response:
        """A request by the owner of the secret of *who*."""
        secret = self.secrets[who]
        headers = {} if secret is None else {"X-Api-Key": secret}
        headers |= given.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **given)

    async def analysed(self) -> None:
        """No file waits for its analysis: none of its rows moves in the middle of a test."""
        async with asyncio.timeout(60):
            while await Blob.filter(analysis__isnull=True).exists():
                if not await self.application.rooms.analyst.step():
                    await asyncio.sleep(0.01)

    async def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        """Everything that is kept, but for what merely asking leaves behind."""
        await self.analysed()
        connection = self.application.database.connections.get("default")
        _, names = await connection.execute_query(databases.TABLES[connection.capabilities.dialect])
        kept = {}
        for (name,) in names:
            if name not in TABLES_THAT_MOVE:
                _, found = await connection.execute_query(f'SELECT * FROM "{name}"')
                kept[name] = [tuple(row) for row in found if "auth.denied" not in tuple(row)]
        return kept


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def farm_with_all(
    tmp_path_factory: pytest.TempPathFactory, engine: databases.Server | None
) -> AsyncIterator[Whole]:
    EXECUTOR_CACHE.clear()
    directory = tmp_path_factory.mktemp("whole") / "data"
    directory.mkdir()
    url = await databases.url_for_application(directory, engine)
    here = "127.0.0.0/8"  # no test's webhook leads out of this machine
    settings = Settings(data_dir=directory, database_url=url, webhook_networks=here)
    application = Application(settings)
    application.rooms.logs.longest_s = 0.0  # nobody waits here for a stream without end
    # A file is analysed when a test asks for it (`Whole.analysed`), never beside one: its rows
    # would move while somebody compares what a call has left.
    application.rooms.analyst.run = _never  # type: ignore[method-assign]
    # In tasks of their own: what a fixture sets in its context holds for other rooms' tests too.
    await asyncio.create_task(_tables(application))
    await asyncio.create_task(application.startup())
    transport = httpx.ASGITransport(app=application, raise_app_exceptions=False)
    try:
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            yield await asyncio.create_task(_fill(application, client, transport))
    finally:
        await application.shutdown()


async def _never() -> None:
    await asyncio.Event().wait()


async def _tables(application: Application) -> None:
    context = await open_database(application.settings)
    try:
        with context:
            await context.generate_schemas()
    finally:
        await context.close_connections()


async def person(organization_id: int, role: Role) -> Principal:
    cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("Correct-horse-7")
    user = await User.create(
        organization_id=organization_id,
        username=f"{role}-{organization_id}",
        password_hash=cheap,
        role=role,
        created_at=SystemClock().now(),
    )
    return Principal(
        organization_id=organization_id,
        user_id=user.id,
        username=user.username,
        role=role,
        kind="token",
        credential_id=0,
    )


async def _fill(
    application: Application, client: httpx.AsyncClient, transport: httpx.ASGITransport
) -> Whole:
    application.database.__enter__()
    accounts = application.rooms.accounts
    first = await accounts.setup("admin", "a@b.example", "Correct-horse-7", "test")
    await Organization.create(id=2, name="Second", created_at=SystemClock().now())
    people = {
        "viewer": await person(1, Role.VIEWER),
        "operator": await person(1, Role.OPERATOR),
        "admin": first.principal,
        "foreigner": await person(2, Role.ADMIN),
    }
    secrets: dict[str, str | None] = {"nobody": None, "stranger": "odin_" + "x" * 43}
    for name, principal in people.items():
        _, secrets[name] = await accounts.create_token(principal, name, [], None)
    whole = Whole(application, client, secrets, {}, transport)
    await _own(whole, people["admin"])
    return whole


async def _own(whole: Whole, admin: Principal) -> None:
    """A row of everything for the first organization, and two keys bound to its printers."""

    async def make(path: str, **given: Any) -> Any:
        answer = await whole.ask("admin", "POST", f"/api/v1{path}", **given)
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    accounts, rooms = whole.application.rooms.accounts, whole.application.rooms
    printer = await make("/printers", json={"name": "Alpha"})
    other = await make("/printers", json={"name": "Beta"})
    profile = await make("/printer-profiles", json={"name": "Kind"})
    pool = await make("/pools", json={"name": "All", "printer_ids": [printer["id"]]})
    file = await make("/print-files/upload", files={"file": ("part.gcode", GCODE)})
    await whole.analysed()
    nozzle = await make(f"/printers/{printer['id']}/nozzle", json={"notes": "the first"})
    job = await make("/jobs", json={"item_name": "part", "print_file_id": file["id"]})
    preset = await make("/presets", json={"name": "Parts", "model_id": file["model_id"]})
    token = await make("/tokens", json={"name": "spare"})
    person = {"username": "spare", "email": "", "password": "Correct-horse-7", "role": "viewer"}
    user = await make("/users", json=person)
    enrolment = await make("/bridges/enrolment-tokens", json={})
    async with rooms.ledger.change() as change:
        key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
        bridge = await rooms.bridges.create(change, 1, "room", key)
    [session] = await accounts.list_sessions(admin)
    whole.ids.update(await _store(make, printer["id"], file["model_id"]))
    quiet = {"is_enabled": False}  # its rows do not move
    await whole.ask("admin", "PATCH", whole.path("/api/v1/webhooks/<int:webhook_id>"), json=quiet)
    whole.ids.update(await _past(whole, make, other["id"], file["id"]))
    circuit = await make("/scheduler/circuits", json={"name": "Socket", "max_w": 2000})
    run = await make("/scheduler/run", json={})
    whole.ids.update({"circuit_id": str(circuit["id"]), "run_id": str(run["run_id"])})
    async with rooms.ledger.change() as change:
        failed = Happened(1, "job.failed", printer["id"], job["id"], data={"item_name": "part"})
        change.record(failed)
    [alert] = (await whole.ask("admin", "GET", "/api/v1/alerts?alert_type=print_failed")).json()
    whole.ids.update(
        {
            "alert_id": str(alert["id"]),
            "printer_id": str(printer["id"]),
            "file_id": str(file["id"]),
            "upload_id": "0" * 64 + "-9",
            "model_id": str(file["model_id"]),
            "job_id": str(job["id"]),
            "preset_id": str(preset["id"]),
            "timelapse_id": "1",
            "tag": "kept",
            "pool_id": str(pool["id"]),
            "profile_id": str(profile["id"]),
            "rev_number": "1",
            "variant_id": str(file["id"]),
            "slot_number": "1",
            "nozzle_id": str(nozzle["id"]),
            "ams_id": "0",
            "slot_id": "0",
            "bridge_id": str(bridge.id),
            "session_id": str(session.id),
            "token_id": str(token["id"]),
            "user_id": str(user["id"]),
            "org_id": "1",
            "enrolment_id": str(enrolment["id"]),
            "user_code": "ABCD-2345",
            "device_id": "no-such-device",
            "slug": printer["slug"],
            "pool_slug": pool["slug"],
            "origin": "local",
            "path": "part.gcode",
            "profile": "_default",
            "app_token": "x" * 43,
            "user_token": "x" * 32,
            "slicer": "cura",
            "locale": "de",
            "pack": "core",
            "name": "movie.mp4",
            "source": "core",
            "action": "reboot",
            "plugin": "none",
            "key": "admins",
            "username": "admin",
        }
    )
    for name, row in (("bound", printer), ("bound elsewhere", other)):
        whole.secrets[name] = await accounts.create_octoprint_key(admin, row["id"], name)


async def _past(whole: Whole, make: Any, printer_id: int, file_id: int) -> dict[str, str]:
    """A print that is over, with a tag, and a project."""
    body = {"item_name": "over", "print_file_id": file_id, "printer_id": printer_id}
    job = await make("/jobs", json=body)
    for step in ("start", "complete"):
        await make(f"/jobs/{job['id']}/{step}")
    project = await make("/projects", json={"name": "Ship"})
    [archive] = (await whole.ask("admin", "GET", "/api/v1/archives")).json()["items"]
    path = f"/api/v1/archives/{archive['id']}/tags"
    await whole.ask("admin", "PATCH", path, json={"tags": ["kept"]})
    return {"archive_id": str(archive["id"]), "project_id": str(project["id"])}


async def _store(make: Any, printer_id: int, model_id: int) -> dict[str, str]:
    """What is in the store room and on order."""
    filament = await make("/filaments", json={"brand": "Acme", "name": "Black"})
    spool = await make("/spools", json={"filament_id": filament["id"]})
    task = await make("/maintenance/tasks", json={"name": "Oil it", "interval_print_hours": 100})
    log = {"task_id": task["id"], "printer_id": printer_id}
    product = {"name": "Vase", "components": [{"model_id": model_id}]}
    made = await make("/products", json=product)
    consumable = await make("/consumables", json={"name": "Box", "current_stock": 100})
    link = {"consumable_id": consumable["id"]}
    linked = await make(f"/products/{made['id']}/consumables", json=link)
    order = await make("/orders", json={"items": [{"product_id": made["id"]}]})
    webhook = await make("/webhooks", json={"url": "http://127.0.0.1:9/nobody"})
    schedule = await make("/report-schedules", json=REPORT)
    return {
        "filament_id": str(filament["id"]),
        "spool_id": str(spool["id"]),
        "qr_code": spool["qr_code"],
        "task_id": str(task["id"]),
        "log_id": str((await make("/maintenance/logs", json=log))["id"]),
        "product_id": str(made["id"]),
        "component_id": str(made["components"][0]["id"]),
        "consumable_id": str(consumable["id"]),
        "consumable_link_id": str(linked["id"]),
        "order_id": str(order["id"]),
        "webhook_id": str(webhook["id"]),
        "schedule_id": str(schedule["id"]),
        "item_id": str(order["items"][0]["id"]),
    }


@pytest_asyncio.fixture(loop_scope="session")
async def whole(farm_with_all: Whole, request: pytest.FixtureRequest) -> Whole:
    farm_with_all.application.database.__enter__()  # for this test's own look at the rows
    # Every test asks from an address of its own: what one guesses wrong does not hold up others.
    number = zlib.crc32(request.node.nodeid.encode())
    farm_with_all.transport.client = (
        f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}",
        1,
    )
    return farm_with_all
