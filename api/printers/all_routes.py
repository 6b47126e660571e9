"""Every v1 route of the printers' room that needs no more than other rooms' services."""

from typing import Any, Protocol

from api.bridges.greetings import reaches_plugs
from api.events.service import Ledger
from api.printers.connection_test import BridgeRoom, ConnectionTest
from api.printers.fitting_routes import FittingRoutes
from api.printers.fittings import Fittings
from api.printers.look_routes import LookRoutes
from api.printers.nozzle_routes import NozzleRoutes
from api.printers.nozzles import Nozzles
from api.printers.power import Plugs
from api.printers.power_routes import Confirming, PowerRoutes
from api.printers.routes import PrinterRoutes
from api.printers.service import Printers
from api.printers.trouble import Troubles
from api.v1 import V1


class Rooms(Protocol):
    """What the routes need of the other rooms. *jobs*: what runs where, and its `control`."""

    @property
    def printers(self) -> Printers: ...
    @property
    def bridges(self) -> BridgeRoom: ...
    @property
    def accounts(self) -> Confirming: ...
    @property
    def telemetry(self) -> Any: ...
    @property
    def jobs(self) -> Any: ...
    @property
    def ledger(self) -> Ledger: ...


def register(v1: V1, rooms: Rooms) -> None:
    """Declare them."""
    printers, telemetry, ledger = rooms.printers, rooms.telemetry, rooms.ledger
    PrinterRoutes(printers, telemetry, rooms.jobs).register(v1)
    test = ConnectionTest(rooms.bridges, printers, telemetry)
    troubles = Troubles(printers)
    LookRoutes(printers, telemetry, rooms.jobs, test, troubles).register(v1)
    NozzleRoutes(Nozzles(printers, ledger), printers, telemetry).register(v1)
    FittingRoutes(Fittings(printers, rooms.jobs.control, ledger), printers).register(v1)
    plugs = Plugs(printers, rooms.jobs.control, reaches_plugs, telemetry, ledger)
    PowerRoutes(plugs, rooms.accounts).register(v1)
