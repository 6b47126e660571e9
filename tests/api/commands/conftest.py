"""A farm with one fake room."""

import pytest

from api.bus.local import LocalBus
from api.events.service import Ledger
from api.principal import Principal
from tests.api.conftest import FakeClock
from tests.fakes.farm import Farm


@pytest.fixture
def farm(ledger: Ledger, clock: FakeClock, bus: LocalBus, admin: Principal) -> Farm:
    return Farm(ledger, clock, bus, admin)
