"""Every v1 route of the jobs' room, put together."""

from typing import Any, Protocol

from api.jobs.approval import Approval, SettingsRoom
from api.jobs.approval_routes import ApprovalRoutes
from api.jobs.costs import Blobs, Costs
from api.jobs.link_routes import LinkRoutes
from api.jobs.model_cost_routes import ModelCostRoutes
from api.jobs.preset_routes import PresetRoutes
from api.jobs.pricing_routes import PricingRoutes
from api.jobs.routes import JobRoutes
from api.jobs.seen import SeenPrints
from api.jobs.service import Jobs
from api.jobs.show import Shown
from api.v1 import V1


class Rooms(Protocol):
    """What the routes need of the other rooms. *library*: models by number, and their names;
    *spools*: its `filaments` say what a gram costs.
    """

    @property
    def jobs(self) -> Jobs: ...
    @property
    def seen(self) -> SeenPrints: ...
    @property
    def accounts(self) -> SettingsRoom: ...
    @property
    def files(self) -> Blobs: ...
    @property
    def library(self) -> Any: ...
    @property
    def spools(self) -> Any: ...


def register(v1: V1, rooms: Rooms, shown: Shown) -> None:
    """Declare them; from now on jobs have a price."""
    costs = Costs(rooms.accounts, rooms.library, rooms.files, rooms.spools.filaments)
    rooms.jobs.price_with(costs)
    JobRoutes(rooms.jobs, shown).register(v1)
    LinkRoutes(rooms.jobs, rooms.seen, shown).register(v1)
    ApprovalRoutes(Approval(rooms.accounts)).register(v1)
    PricingRoutes(costs).register(v1)
    ModelCostRoutes(costs, rooms.library).register(v1)
    PresetRoutes(rooms.jobs.presets, rooms.library).register(v1)
