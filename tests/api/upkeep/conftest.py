"""Fixtures of upkeep: the farm's rules over an in-memory database."""

import pytest

from api.bus.local import LocalBus
from api.clock import Clock
from api.events.service import Ledger
from api.policies.service import Policies


@pytest.fixture
def policies(ledger: Ledger, clock: Clock, bus: LocalBus) -> Policies:
    return Policies(ledger, clock, bus)
