"""An upgrade under load: tables grow while the processes of the version before serve (R49)."""

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api import migrations
from api.config import Settings
from api.db import tortoise_config
from api.migrate import migrate
from infra.bench.replicas import Api, furnish
from tests.fakes import databases

pytestmark = [pytest.mark.flow, pytest.mark.timeout(240)]

LATER = """
from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

class Migration(migrations.Migration):
    dependencies = [("farm", "{last}")]
    initial = False
    operations = [
        ops.AddField("Job", "mood", fields.CharField(max_length=20, default="", db_default="")),
        ops.AddField("Printer", "mood", fields.IntField(null=True)),
        ops.AddField("Event", "mood", fields.BooleanField(default=False, db_default=False)),
        ops.AddIndex("Job", Index(fields=("mood",), name="idx_job_mood")),
        ops.CreateModel(
            name="Mood",
            fields=[("id", fields.IntField(generated=True, primary_key=True)),
                    ("name", fields.CharField(max_length=20))],
            options={{"table": "mood", "app": "farm", "pk_attr": "id"}},
            bases=["Model"],
        ),
    ]
"""


@pytest.fixture(scope="module")
def postgres() -> Iterator[databases.Server]:
    with databases.running_server() as server:
        yield server


@pytest.fixture
def later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The command is the next version's: its migrations are ours, and one that only adds."""
    package = tmp_path / "next_version" / "migrations_of_the_next_version"
    here = Path(next(iter(migrations.__path__)))
    shutil.copytree(here, package, ignore=shutil.ignore_patterns("__pycache__"))
    last = max(path.stem for path in package.glob("0*.py"))
    (package / "0999_next.py").write_text(LATER.format(last=last))
    monkeypatch.syspath_prepend(str(package.parent))

    def config(url: str) -> dict[str, Any]:
        found = tortoise_config(url)
        found["apps"]["farm"]["migrations"] = package.name
        return found

    monkeypatch.setattr("api.migrate.tortoise_config", config)
    return "0999_next"


class Farm:
    """One process of this version, and what it answered."""

    def __init__(self, api: Api, database: str, token: str) -> None:
        self.database = database
        headers = {"X-API-Key": token}
        self.http = httpx.AsyncClient(
            base_url=f"{api.url}/api/v1", headers=headers, timeout=60, trust_env=False
        )
        self.answers: Counter[int] = Counter()
        self.made: list[int] = []

    async def ask(self) -> None:
        """Read and write what the migration changes, until cancelled."""
        while True:
            made = await self.http.post("/jobs", json={"item_name": "meanwhile"})
            listed = await self.http.get("/printers")
            self.answers.update([made.status_code, listed.status_code])
            if made.status_code == 201:
                self.made.append(made.json()["id"])

    async def more(self, count: int) -> None:
        """Return when *count* more jobs were made."""
        goal = len(self.made) + count
        async with asyncio.timeout(60):
            while len(self.made) < goal:
                await asyncio.sleep(0.01)


@pytest.fixture
async def farm(postgres: databases.Server, tmp_path: Path) -> AsyncIterator[tuple[Farm, Settings]]:
    name = await postgres.migrated_database()
    url = postgres.url(name)
    settings = Settings(data_dir=tmp_path / "cli", database_url=url)
    made = await furnish(settings, 1, 2)
    api = await asyncio.to_thread(Api, url, tmp_path / "api")
    farm = Farm(api, name, made.token)
    async with farm.http:
        yield farm, settings
    await asyncio.to_thread(api.stop)


async def test_no_request_fails_while_tables_grow(
    farm: tuple[Farm, Settings], postgres: databases.Server, later: str
) -> None:
    """Columns, an index and a table are added beneath a process that knows none of them: every
    request is answered, before, during and after, and what was made is there.
    """
    serving, settings = farm
    asking = [asyncio.create_task(serving.ask()) for _ in range(3)]
    await serving.more(10)
    assert await migrate(settings) == [later]
    await serving.more(10)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    assert set(serving.answers) == {200, 201}, serving.answers
    found = "SELECT id FROM job WHERE mood = ''"
    rows = await postgres.run(found, database=serving.database)
    assert {row["id"] for row in rows} >= set(serving.made)
