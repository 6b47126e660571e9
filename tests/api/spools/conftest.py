"""A farm with a store room."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from api.bus.local import LocalBus
from api.events.service import Ledger
from api.files.models import Blob
from api.principal import Principal
from api.spools.forms import NewFilament, NewSpool
from api.spools.service import Spool, Spools
from tests.api.conftest import FakeClock
from tests.fakes.farm import Farm


@dataclass
class Shelf:
    """What spools ask of files and library: facts of blobs, and models that say nothing."""

    requirements: dict[int, Any] = field(default_factory=dict)

    async def blobs(self, organization_id: int, blob_ids: Any) -> dict[int, Blob]:
        return {row.id: row for row in await Blob.filter(id__in=list(blob_ids))}

    async def find_model(self, model_id: int) -> Any:
        return None


@dataclass
class Store:
    """The spools of a farm."""

    farm: Farm
    spools: Spools

    async def spool(self, weight_g: float = 1000.0, material: str = "PLA") -> Spool:
        new = NewFilament(brand="Acme", name="Black", material=material, color_hex="#000000")
        filament = await self.spools.filaments.create(self.farm.admin, new)
        form = NewSpool(filament_id=filament.id, initial_weight_g=weight_g, spool_weight_g=250.0)
        return await self.spools.create(self.farm.admin, form)

    async def now(self, spool: Spool) -> Spool:
        return await Spool.get(id=spool.id)


@pytest.fixture
def store(ledger: Ledger, clock: FakeClock, bus: LocalBus, admin: Principal) -> Store:
    farm = Farm(ledger, clock, bus, admin)
    shelf: Any = Shelf()
    spools = Spools(farm.printers, farm.jobs, shelf, shelf, ledger=ledger, clock=clock)
    return Store(farm, spools)
