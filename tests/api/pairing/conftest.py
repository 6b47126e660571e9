"""The pairing room over a real bridges room."""

import pytest

from api.bridges.service import Bridges
from api.bus.local import LocalBus
from api.config import Settings
from api.events.service import Ledger
from api.pairing.service import Asking, Pairing
from tests.api.conftest import FakeClock
from tests.fakes.agents import AgentKey


@pytest.fixture
def bridges(ledger: Ledger, clock: FakeClock, settings: Settings, bus: LocalBus) -> Bridges:
    return Bridges(ledger, clock, settings, bus)


@pytest.fixture
def pairing(bridges: Bridges, ledger: Ledger, clock: FakeClock) -> Pairing:
    return Pairing(bridges, ledger, clock)


@pytest.fixture
def key() -> AgentKey:
    return AgentKey()


@pytest.fixture
def asking(key: AgentKey) -> Asking:
    return Asking(public_key=key.public, room="Workshop", hostname="pi", os="Linux")
