"""A bridge with a real key."""

import pytest

from api.bridges.service import Bridges
from api.bus.local import LocalBus
from api.config import Settings
from api.events.service import Ledger
from tests.api.conftest import FakeClock


@pytest.fixture
def bridges(ledger: Ledger, clock: FakeClock, settings: Settings, bus: LocalBus) -> Bridges:
    return Bridges(ledger, clock, settings, bus)
