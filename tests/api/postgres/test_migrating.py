"""Migrations beside processes that go on (safety R49)."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest
from tortoise.connection import get_connection
from tortoise.migrations.executor import MigrationTarget

from api import migrate as migrating
from api.config import Settings
from api.db import Pool, open_database, tortoise_config
from api.migrate import MigrationFailed, migrate, pending
from api.schema_states import Executor
from tests.api.postgres.conftest import Database
from tests.fakes import databases

BEFORE = "0003_farms_brain"


async def _of_an_older_release(settings: Settings) -> None:
    context = await open_database(settings)
    try:
        with context:
            apps = tortoise_config(settings.database)["apps"]
            executor = Executor(get_connection("default"), apps)
            await executor.migrate([MigrationTarget("farm", BEFORE)])
    finally:
        await context.close_connections()


@pytest.fixture
async def older(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Settings:
    """A database that lacks some migrations; who waits for its tables does so briefly."""
    monkeypatch.setattr(migrating, "POOL", Pool(max_size=2, statement_s=0, lock_s=0.1))
    name = await database.server.new_database()
    older = replace(settings, database_url=database.server.url(name))
    await _of_an_older_release(older)
    return older


async def _lock_every_table(reader: asyncpg.Connection) -> None:
    """As a long look at everything does, a backup for example."""
    for row in await reader.fetch(databases.TABLES["postgres"]):
        await reader.execute(f'LOCK TABLE "{row[0]}" IN ACCESS SHARE MODE')


async def test_a_migration_that_waits_for_a_table_keeps_nobody_out(
    older: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gives back what it had and tries again, so others read meanwhile; then it is done."""
    monkeypatch.setattr(migrating, "AGAIN_S", (0.01,) * 10_000)
    missing = await pending(older)
    long, short = [await asyncpg.connect(older.database_url) for _ in range(2)]
    try:
        async with long.transaction():
            await _lock_every_table(long)
            running = asyncio.create_task(migrate(older))
            for _ in range(30):
                for table in ("job", "printer", "blob", "spool"):
                    await short.fetch(f"SELECT id FROM {table}", timeout=30)
                await asyncio.sleep(0.02)
            assert not running.done()
            applied = await short.fetch("SELECT name FROM tortoise_migrations ORDER BY name")
            assert applied[-1]["name"] == BEFORE
        assert await running == missing
    finally:
        await long.close()
        await short.close()
    assert await pending(older) == []


async def test_whoever_never_lets_go_of_a_table_is_named(
    older: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line that says where to look; nothing is half done."""
    monkeypatch.setattr(migrating, "AGAIN_S", (0.01,))
    missing = await pending(older)
    other = await asyncpg.connect(older.database_url)
    try:
        async with other.transaction():
            await _lock_every_table(other)
            with pytest.raises(MigrationFailed, match="pg_stat_activity") as refused:
                await migrate(older)
        assert "\n" not in str(refused.value)
    finally:
        await other.close()
    assert await migrate(older) == missing
