"""API processes on one PostgreSQL, furnished with rooms and printers, for benchmarks."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.app import Application
from api.config import Settings
from api.migrate import migrate
from api.printers.models import Printer, Slug
from infra.bench.rooms import Room, new_key

PASSWORD = "Bench-a-passphrase-7"  # noqa: S105 - of a database that lives for a minute


@dataclass(frozen=True, slots=True)
class Furnished:
    """A token that may do everything, and rooms that have not dialled yet."""

    token: str
    rooms: list[Room]


async def furnish(settings: Settings, rooms: int, each: int) -> Furnished:
    """A migrated database with an admin, *rooms* bridges and *each* printers on every one."""
    await migrate(settings)
    application = Application(settings)
    await application.startup(background=False)
    application.database.__enter__()
    try:
        login = await application.rooms.accounts.setup("bench", "b@b.example", PASSWORD, "")
        by = login.principal
        _, token = await application.rooms.accounts.create_token(by, "bench", [], None)
        made = [await _room(application, number, each) for number in range(rooms)]
    finally:
        await application.shutdown()
    return Furnished(token, made)


async def _room(application: Application, number: int, each: int) -> Room:
    key, public = new_key()
    async with application.rooms.ledger.change() as change:
        bridge = await application.rooms.bridges.create(change, 1, f"room {number}", public)
    ports = [f"virtual:r{number}p{count}" for count in range(each)]
    now = application.clock.now()
    names = [f"r{number}-p{count}" for count in range(each)]
    await Slug.bulk_create([Slug(slug=name) for name in names])
    await Printer.bulk_create(
        [
            Printer(
                organization_id=1,
                name=name,
                slug=name,
                bridge_id=bridge.id,
                port_id=port,
                plate_policy="self_clearing",
                created_at=now,
                updated_at=now,
            )
            for name, port in zip(names, ports, strict=True)
        ]
    )
    rows = await Printer.filter(bridge_id=bridge.id).order_by("id")
    return Room("", bridge.uid, key, ports, [row.id for row in rows])


class Api:
    """One API process."""

    def __init__(self, url: str, data: Path, **settings: str) -> None:
        read, write = os.pipe()
        environment = {**os.environ, "GANTRY_DATABASE_URL": url, **settings}
        with (data.parent / f"{data.name}.log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "api.container", "--port", "0"),
                    *("--data", str(data), "--ready-fd", str(write)),
                ],
                env=environment,
                pass_fds=[write],
                stderr=log,
            )
        os.close(write)
        with os.fdopen(read) as pipe:
            self.ready: dict[str, Any] = json.loads(pipe.readline() or "{}")
        if not self.ready:
            raise RuntimeError((data.parent / f"{data.name}.log").read_text())

    @property
    def url(self) -> str:
        """Where it listens."""
        return str(self.ready["url"])

    def cpu_s(self) -> float:
        """CPU seconds that it has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it in good order."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@contextmanager
def apis(url: str, folder: Path, count: int, **settings: str) -> Iterator[list[Api]]:
    """*count* API processes on the database at *url*."""
    running: list[Api] = []
    try:
        for number in range(count):
            running += [Api(url, folder / f"api{number}", **settings)]  # each is ended, in any case
        yield running
    finally:
        for each in running:
            each.stop()
