"""A whole API with one printer and its library, and somebody who may do everything."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from api.app import Application
from api.config import Settings
from api.db import open_database
from tests.fakes import databases


@dataclass(frozen=True)
class Desk:
    """Somebody who may do everything, and a printer of 250 × 210 × 210 mm."""

    application: Application
    http: httpx.AsyncClient
    printer_id: int

    async def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """An answer of v1."""
        return await self.http.request(method, f"/api/v1{path}", **given)

    async def upload(self, text: bytes, name: str = "part.gcode") -> int:
        """The number of a new print file."""
        answer = await self.ask("POST", "/print-files/upload", files={"file": (name, text)})
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])


@asynccontextmanager
async def open_desk(tmp_path: Path, engine: databases.Server | None) -> AsyncIterator[Desk]:
    """One farm for one test, without what runs by itself."""
    directory = tmp_path / "data"
    directory.mkdir()
    url = await databases.url_for_application(directory, engine)
    application = Application(Settings(data_dir=directory, database_url=url))
    context = await open_database(application.settings)
    with context:
        await databases.make_tables(context)
    await context.close_connections()
    await application.startup(background=False)
    application.database.__enter__()
    first = await application.rooms.accounts.setup("admin", "a@b.example", "Correct-horse-7", "t")
    transport = httpx.ASGITransport(app=application)
    headers = {"Authorization": f"Bearer {first.token}"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://farm.local:5000", headers=headers
    ) as http:
        made = await http.post("/api/v1/printers", json={"name": "Alpha"})
        yield Desk(application, http, made.json()["id"])
    await application.shutdown()
