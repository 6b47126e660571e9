"""A farm with one fake room."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from api.bus.local import LocalBus
from api.events.service import Ledger
from api.principal import Principal
from tests.api.conftest import FakeClock
from tests.fakes import databases
from tests.fakes.desk import Desk, open_desk
from tests.fakes.farm import Farm


@pytest.fixture
def farm(ledger: Ledger, clock: FakeClock, bus: LocalBus, admin: Principal) -> Farm:
    return Farm(ledger, clock, bus, admin)


@pytest.fixture
async def desk(tmp_path: Path, engine: databases.Server | None) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path, engine) as desk:
        yield desk
