"""Every v1 route of what a superadmin sets and looks after, put together once."""

from api.accounts.service import FIRST_ORGANIZATION
from api.config import Settings
from api.instance.first_steps import FirstSteps
from api.instance.routes import InstanceRoutes
from api.instance.setup_routes import SetupRoutes
from api.policies.routes import PolicyRoutes
from api.readiness import Readiness
from api.rooms import Rooms
from api.upkeep.facts import Facts
from api.upkeep.routes import UpkeepRoutes
from api.v1 import V1


def register(v1: V1, rooms: Rooms, settings: Settings, readiness: Readiness) -> None:
    """Declare the routes."""
    InstanceRoutes(rooms.accounts, FIRST_ORGANIZATION).register(v1)
    PolicyRoutes(rooms.policies).register(v1)
    facts, clock = Facts(readiness), rooms.feed.clock
    UpkeepRoutes(rooms.retention, rooms.logs, facts.told, settings, clock).register(v1)
    steps = FirstSteps(rooms.accounts, rooms.bridges, rooms.printers, rooms.policies, rooms.ledger)
    SetupRoutes(steps, settings, v1.authenticate).register(v1)
