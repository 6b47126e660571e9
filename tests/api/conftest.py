"""Fixtures of the rooms: a held clock, a bus, an in-memory database with the schema."""

from collections.abc import AsyncIterator
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


@pytest.fixture
async def database(clock: FakeClock) -> AsyncIterator[None]:
    EXECUTOR_CACHE.clear()
    context = await Tortoise.init(config=tortoise_config("sqlite://:memory:"))
    with context:
        await context.generate_schemas()
        await Organization.create(id=1, name="Test farm", created_at=clock.now())
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
