"""Every v1 route of what a superadmin sets and looks after, put together once."""

from api.accounts.service import FIRST_ORGANIZATION
from api.config import Settings
from api.instance.first_steps import FirstSteps
from api.instance.routes import InstanceRoutes
from api.instance.setup_routes import SetupRoutes
from api.policies.routes import PolicyRoutes
from api.proxies import networks
from api.readiness import Readiness
from api.rooms import Rooms
from api.sign_on.routes import SignOnRoutes
from api.sign_on.service import SignOn
from api.sign_on.web import Web
from api.upkeep.facts import Facts
from api.upkeep.routes import UpkeepRoutes
from api.v1 import V1
from api.webhooks.outside import Outside


def register(v1: V1, rooms: Rooms, settings: Settings, readiness: Readiness) -> None:
    """Declare the routes."""
    InstanceRoutes(rooms.accounts, FIRST_ORGANIZATION).register(v1)
    PolicyRoutes(rooms.policies).register(v1)
    facts, clock = Facts(readiness), rooms.feed.clock
    UpkeepRoutes(rooms.retention, rooms.logs, facts.told, settings, clock).register(v1)
    outside = Outside(networks(settings.webhook_networks))
    sign_on = SignOn(
        *(rooms.accounts, rooms.policies, Web(outside)),
        settings=settings,
        ledger=rooms.ledger,
        clock=clock,
    )
    SignOnRoutes(sign_on, rooms.accounts, settings).register(v1)
    steps = FirstSteps(rooms.accounts, rooms.bridges, rooms.printers, rooms.policies, rooms.ledger)
    SetupRoutes(steps, settings, v1.authenticate).register(v1)
