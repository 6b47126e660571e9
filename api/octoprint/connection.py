"""`/api/connection`: the link to the machine, and the profile it works by (contract, section 4)."""

from typing import Any

from quart import Response

from api.commands.control import AIMS
from api.errors import Invalid
from api.jobs.service import Jobs
from api.octoprint.body import json_object
from api.octoprint.orders import Orders
from api.octoprint.pool_document import pool_connection_document
from api.octoprint.pool_face import PoolFace
from api.octoprint.printer_document import BAUD_RATES, connection_document
from api.octoprint.profiles import ProfileFace
from api.octoprint.route import Route
from api.octoprint.visitor import Visit
from api.octoprint.wire import answer, done
from api.printers.service import Printers
from schemas.commands import Verb


class Connection:
    """The link of one printer."""

    def __init__(
        self,
        printers: Printers,
        jobs: Jobs,
        orders: Orders,
        *,
        pools: PoolFace,
        profiles: ProfileFace,
    ) -> None:
        self._printers = printers
        self._jobs = jobs
        self._orders = orders
        self._pools = pools
        self._profiles = profiles

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        return (
            Route("GET", "/api/connection", self.connection, "STATUS"),
            Route("POST", "/api/connection", self.connect, "CONNECTION"),
        )

    async def connection(self, visit: Visit) -> Response:
        """The state of the link, and what may be chosen."""
        if visit.pool is not None:
            queue = await self._pools.queue(visit, visit.pool)
            return answer(pool_connection_document(queue, visit.pool.name))
        live = self._orders.live(visit)
        printer = visit.printer
        baud = live.baud or printer.baud or None
        profiles = await self._profiles.names(visit)
        current = await self._profiles.current(visit)
        port = printer.port_id or ""
        document = connection_document(
            live.state, port, baud, profiles, current, preferred_baud=printer.baud or None
        )
        return answer(document)

    async def connect(self, visit: Visit) -> Response:
        """Connect and disconnect. The port is the one that this printer is bound to."""
        body = await json_object()
        command = body.get("command")
        if command == "connect":
            await self._open(visit, body)
        elif command == "disconnect":
            await self._tell(visit, Verb.DISCONNECT)
        elif command != "fake_ack":  # the sender looks after lost acknowledgements by itself
            raise Invalid(f"command is unknown: {str(command)[:100]}")
        return done()

    async def _open(self, visit: Visit, body: dict[str, Any]) -> None:
        printer = visit.printer
        port = body.get("port") or "AUTO"
        if port not in ("AUTO", printer.port_id):
            raise Invalid(f"Unknown port {port}. This printer is on {printer.port_id}.")
        baud = body.get("baudrate") or 0
        if baud != 0 and baud not in BAUD_RATES and baud != printer.baud:
            listed = ", ".join(str(rate) for rate in BAUD_RATES)
            raise Invalid(f"Unknown baud rate {baud}. There are {listed}, and 0 to detect it.")
        profile = body.get("printerProfile")
        if profile not in (None, ""):
            await self._profiles.choose(visit, str(profile))
        # where it is detected, whoever may not set it up has nothing to choose: it is found anyway
        if baud not in (0, printer.baud) and (printer.baud or visit.by.may("printers.write")):
            await self._printers.update(visit.by, printer.id, {"baud": baud})
        await self._tell(visit, Verb.CONNECT)

    async def _tell(self, visit: Visit, verb: Verb) -> None:
        await self._jobs.control.tell(visit.by, visit.printer.id, verb)
        await self._orders.shown(visit, AIMS[verb].states)
