"""Rooms on a real PostgreSQL, whatever the other tests run on."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from tortoise.backends.base.executor import EXECUTOR_CACHE

from api.accounts.models import Organization
from api.bus.local import LocalBus
from api.events.service import Ledger
from tests.api.conftest import FakeClock
from tests.fakes import databases


@dataclass(frozen=True)
class Database:
    """The database that the context is entered for."""

    server: databases.Server
    name: str

    @property
    def url(self) -> str:
        """As `GANTRY_DATABASE_URL` takes it."""
        return self.server.url(self.name)

    async def end_backends(self) -> int:
        """End every connection to it."""
        return await self.server.end_backends(self.name)


@pytest.fixture
async def database(clock: FakeClock, postgres: databases.Server) -> AsyncIterator[Database]:
    EXECUTOR_CACHE.clear()
    name = await databases.postgres_with_tables(postgres)
    context = await databases.opened(postgres.url(name))
    with context:
        await Organization.create(name="Test farm", created_at=clock.now())
        yield Database(postgres, name)
    await context.close_connections()
    EXECUTOR_CACHE.clear()


@pytest.fixture
def ledger(bus: LocalBus, clock: FakeClock, database: Database) -> Ledger:
    return Ledger(bus, clock)
