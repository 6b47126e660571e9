"""A locked SQLite file is a busy database: for its link, its requests and its readers (R24)."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tortoise import Tortoise
from tortoise.backends.base.executor import EXECUTOR_CACHE
from tortoise.connection import get_connection
from tortoise.exceptions import IntegrityError, OperationalError
from tortoise.transactions import in_transaction

from api.accounts.models import Organization
from api.db import Busy, Transaction, tortoise_config
from api.readiness import READ_ONLY, Readiness
from tests.api.conftest import FakeClock


@pytest.fixture
async def file(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Path]:
    """The file of the open database, which waits for nobody."""
    path = tmp_path / "farm.sqlite3"
    EXECUTOR_CACHE.clear()
    url = f"sqlite://{path}?busy_timeout=0&synchronous=OFF"
    context = await Tortoise.init(config=tortoise_config(url))
    with context:
        await context.generate_schemas()
        await Organization.create(id=1, name="Test farm", created_at=clock.now())
        yield path
    await context.close_connections()
    EXECUTOR_CACHE.clear()


@pytest.fixture
async def locked(file: Path) -> AsyncIterator[sqlite3.Connection]:
    """Another process's connection that writes and does not end."""
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield other
    other.close()


async def test_a_locked_file_is_busy_and_well_again_afterwards(
    locked: sqlite3.Connection, clock: FakeClock
) -> None:
    """Inside of a transaction and without one; nothing of what was refused is kept."""
    with pytest.raises(Busy):
        await Organization.filter(id=1).update(name="No")
    with pytest.raises(Busy):
        async with Transaction():
            await Organization.create(id=2, name="Lost", created_at=clock.now())
    with pytest.raises(Busy):
        async with Transaction(), in_transaction():
            await Organization.bulk_create(
                [Organization(id=3, name="Lost", created_at=clock.now())]
            )
    locked.execute("ROLLBACK")
    async with Transaction():
        await Organization.create(id=4, name="Kept", created_at=clock.now())
    assert [row.name for row in await Organization.all().order_by("id")] == ["Test farm", "Kept"]


async def test_a_full_disk_is_busy_and_a_mistake_is_not(file: Path, clock: FakeClock) -> None:
    """Space may come; a wrong statement or a name that is taken does not get better."""
    del file
    connection = get_connection("default")
    _, [(pages,)] = await connection.execute_query("PRAGMA page_count")
    await connection.execute_script(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Busy, match="full"):
        await Organization.filter(id=1).update(settings={"text": "x" * 100_000})
    await connection.execute_script("PRAGMA max_page_count = 1073741823")
    with pytest.raises(OperationalError) as wrong:
        await connection.execute_query("SELECT * FROM nothing")
    assert not isinstance(wrong.value, Busy)
    with pytest.raises(IntegrityError):
        await Organization.create(id=1, name="Test farm", created_at=clock.now())


async def test_a_file_that_became_read_only_makes_readiness_red(
    file: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reads go on, the change fails whole, the setting is named; and all is well again (R25)."""
    readiness = Readiness()
    connection = get_connection("default")
    await connection.execute_script("PRAGMA query_only = ON")  # as a disk that was remounted so
    with pytest.raises(OperationalError) as refused:
        async with Transaction():
            await Organization.create(id=2, name="Lost", created_at=clock.now())
    assert await readiness.problems() == []
    readiness.failed(refused.value)
    assert await readiness.problems() == [READ_ONLY]
    assert "GANTRY_DATABASE_URL" in READ_ONLY and "GANTRY_DATA_DIR" in READ_ONLY
    await connection.execute_script("PRAGMA query_only = OFF")
    async with Transaction():
        await Organization.create(id=3, name="Kept", created_at=clock.now())
    assert [row.name for row in await Organization.all().order_by("id")] == ["Test farm", "Kept"]
    monkeypatch.setattr("api.readiness.READ_ONLY_S", 0.0)
    readiness.failed(refused.value)
    assert await readiness.problems() == []
    assert file.exists()


async def test_who_waits_for_the_lock_gets_it(locked: sqlite3.Connection) -> None:
    """What a link does (`api.link.patience`): the same again, until it is taken."""
    refused = 0

    async def write() -> None:
        nonlocal refused
        while True:
            try:
                async with Transaction():
                    await Organization.filter(id=1).update(name="Late")
            except Busy:
                refused += 1
                await asyncio.sleep(0)
            else:
                return

    writing = asyncio.create_task(write())
    async with asyncio.timeout(30):
        while refused < 3:
            await asyncio.sleep(0.001)
        locked.execute("COMMIT")
        await writing
    assert (await Organization.get(id=1)).name == "Late"
