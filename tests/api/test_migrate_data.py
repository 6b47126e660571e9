"""A farm of the first release is brought up to date with everything that it has (safety R49)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from tortoise import Tortoise
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connection
from tortoise.migrations.executor import MigrationExecutor, MigrationTarget

from api.config import Settings
from api.db import DatabaseUnusable, open_database, tortoise_config
from api.files.models import TreeName
from api.jobs.models import Print
from api.migrate import migrate, pending
from api.printers.models import Printer
from tests.fakes import databases

NOW = "2026-01-02T03:04:05+00:00"
COLUMNS = {
    "sqlite": "SELECT m.name AS t, c.name AS c, lower(c.type) AS kind FROM sqlite_master m, "
    "pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%'",
    "postgres": "SELECT table_name AS t, column_name AS c, data_type AS kind "
    "FROM information_schema.columns WHERE table_schema = 'public'",
}
#: What is said of one kind of column; the first that fits.
VALUES: tuple[tuple[str, str], ...] = (
    ("bool", "false"),
    ("json", "'{}'"),
    ("time", f"'{NOW}'"),
    ("int", "1"),
    ("double", "1.5"),
    ("real", "1.5"),
    ("", "'x'"),
)
ROWS: dict[str, dict[str, str]] = {
    "file_name": {"path": "'parts/cube.gcode'", "printer_id": "7", "userdata": "'{\"a\": 1}'"},
    "attempt": {"state": "'completed'", "print_id": "1", "number": "2"},
}


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> databases.Server | None:
    """Where the database is; None: a file."""
    if request.param == "sqlite":
        return None
    found: databases.Server = request.getfixturevalue("postgres")
    return found


@pytest.fixture
async def old(server: databases.Server | None, settings: Settings) -> AsyncIterator[Settings]:
    """A database of the first release."""
    EXECUTOR_CACHE.clear()
    if server is not None:
        settings = replace(settings, database_url=server.url(await server.new_database()))
    await _first_release(settings)
    yield settings
    EXECUTOR_CACHE.clear()


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[None]:
    context = await open_database(settings)
    try:
        with context:
            yield
    finally:
        await context.close_connections()


async def _first_release(settings: Settings) -> None:
    async with _opened(settings):
        apps = tortoise_config(settings.database)["apps"]
        executor = MigrationExecutor(get_connection("default"), apps)
        await executor.migrate([MigrationTarget("farm", "0001_initial")])
        await _fill()


async def _fill() -> None:
    """One row in every table, with something in every column."""
    connection = get_connection("default")
    dialect = connection.capabilities.dialect
    tables: dict[str, dict[str, str]] = {}
    for row in await connection.execute_query_dict(COLUMNS[dialect]):
        if row["t"] != "tortoise_migrations" and (row["c"] != "id" or "char" in row["kind"]):
            value = next(value for kind, value in VALUES if kind in row["kind"])
            tables.setdefault(row["t"], {})[row["c"]] = value
    for name, made in tables.items():
        values = made | ROWS.get(name, {})
        columns = ", ".join(f'"{column}"' for column in values)
        await connection.execute_script(
            f'INSERT INTO "{name}" ({columns}) VALUES ({", ".join(values.values())})'
        )


async def _all_rows() -> dict[str, list[Any]]:
    models = Tortoise.apps["farm"] if Tortoise.apps else {}
    return {name: await model.all() for name, model in models.items()}


async def test_everything_of_the_first_release_is_there(old: Settings) -> None:
    """Every table still has its row and can be read; what moved has moved."""
    assert await pending(old) != []
    await migrate(old)
    assert await pending(old) == []
    async with _opened(old):
        found = await _all_rows()
        for name in ("User", "Printer", "Job", "Print", "Attempt", "Blob", "Bridge", "Credential"):
            assert len(found[name]) == 1, name
        [file] = await TreeName.all()
        assert (file.tree, file.path) == ("printer:7", "parts/cube.gcode")
        assert file.userdata == {"a": 1}
        [run] = await Print.all()
        moment = datetime.fromisoformat(NOW)
        assert (run.state, run.started_at, run.ended_at) == ("completed", moment, moment)
        [printer] = await Printer.all()
        assert printer.details == {}
        again = await TreeName.create(
            organization_id=1, tree="pool:1", path="a", display="a", uploaded_at=moment
        )
        assert again.id > file.id


async def test_a_database_of_a_later_version_is_refused(old: Settings) -> None:
    """An old process must not guess what later tables mean: one line says what to start."""
    await migrate(old)
    async with _opened(old):
        await get_connection("default").execute_script(
            "INSERT INTO tortoise_migrations (app, name, applied_at) "
            f"VALUES ('farm', '0999_later', '{NOW}')"
        )
    with pytest.raises(DatabaseUnusable, match="0999_later"):
        await pending(old)
    with pytest.raises(DatabaseUnusable, match="later version"):
        await migrate(old)
