"""Fixtures of the rooms: a held clock, a bus, a database with the schema and no rows.

The database is SQLite in memory; with `GANTRY_TEST_DATABASE=postgres` a real PostgreSQL.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tortoise import Tortoise
from tortoise.backends.base.executor import EXECUTOR_CACHE

from api.accounts.models import Organization
from api.bus.local import LocalBus
from api.config import Settings
from api.db import tortoise_config
from api.events.service import Ledger
from api.principal import Principal, Role
from tests.fakes import databases


class FakeClock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def bus() -> LocalBus:
    return LocalBus()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture(scope="session")
def postgres() -> Iterator[databases.Server]:
    """The real server of this test process, started for the first test that asks for it."""
    with databases.running_server() as server:
        yield server


@pytest.fixture(scope="session")
def engine(request: pytest.FixtureRequest) -> databases.Server | None:
    """The server that the rooms are tested on; None: SQLite."""
    if not databases.ON_POSTGRES:
        return None
    server: databases.Server = request.getfixturevalue("postgres")
    return server


@pytest.fixture
async def database(clock: FakeClock, engine: databases.Server | None) -> AsyncIterator[None]:
    EXECUTOR_CACHE.clear()
    if engine is None:
        context = await Tortoise.init(config=tortoise_config("sqlite://:memory:"))
    else:
        context = await databases.opened(engine.url(await databases.postgres_with_tables(engine)))
    with context:
        if engine is None:
            await databases.make_tables(context)
        await Organization.create(id=1, name="Test farm", created_at=clock.now())
        if engine is not None:
            await databases.count_on()
        yield
    await context.close_connections()


@pytest.fixture
def ledger(bus: LocalBus, clock: FakeClock, database: None) -> Ledger:
    return Ledger(bus, clock)


@pytest.fixture
def admin() -> Principal:
    return Principal(
        organization_id=1,
        user_id=1,
        username="admin",
        role=Role.ADMIN,
        kind="token",
        credential_id=1,
        is_superadmin=True,
    )
