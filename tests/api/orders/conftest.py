"""A farm with a library, where things are ordered."""

from typing import Any

import pytest

from api.bus.local import LocalBus
from api.errors import NotFound
from api.events.service import Ledger
from api.models_library.models import LibraryModel
from api.orders.service import Orders
from api.principal import Principal
from tests.api.conftest import FakeClock
from tests.fakes.farm import Farm


class Shelf:
    """Models straight from the rows."""

    async def get_model(self, by: Principal, model_id: int) -> LibraryModel:
        row = await LibraryModel.filter(id=model_id).first()
        if row is None:
            raise NotFound("no such model", code="model_not_found")
        return row


@pytest.fixture
def farm(ledger: Ledger, clock: FakeClock, bus: LocalBus, admin: Principal) -> Farm:
    return Farm(ledger, clock, bus, admin)


@pytest.fixture
def orders(farm: Farm) -> Orders:
    shelf: Any = Shelf()
    return Orders(farm.jobs, shelf, farm.ledger, farm.clock)
