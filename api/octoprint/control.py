"""`/api/printer` and `/api/connection`: looking at the machine and moving it (contract, 4)."""

from typing import Any

from quart import Response, request

from api.commands.control import AIMS
from api.errors import Conflict, Invalid, NotFound
from api.http import truthy
from api.jobs.service import Jobs
from api.octoprint import moves
from api.octoprint.body import json_object
from api.octoprint.hot import HotReads
from api.octoprint.orders import Orders
from api.octoprint.pool_document import pool_connection_document, pool_printer_document
from api.octoprint.pool_face import PoolFace
from api.octoprint.printer_document import (
    BAUD_RATES,
    PROFILE_ID,
    connection_document,
    heaters,
    printer_document,
    temperatures,
)
from api.octoprint.route import Route
from api.octoprint.states import LOOKS
from api.octoprint.visitor import Visit
from api.octoprint.wire import answer, done
from api.pools.service import Pool
from api.printers.service import Printers
from schemas.commands import Verb
from schemas.printer import PrinterState, Profile

NOT_OPERATIONAL = "Printer is not operational"


class Control:
    """The machine itself."""

    def __init__(
        self, printers: Printers, jobs: Jobs, orders: Orders, hot: HotReads, pools: PoolFace
    ) -> None:
        self._printers = printers
        self._jobs = jobs
        self._orders = orders
        self._hot = hot
        self._pools = pools

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        see, move = "printers.read", "printers.control"
        return (
            Route("GET", "/api/printer", self.printer, see),
            Route("GET", "/api/printer/tool", self.tools, see),
            Route("POST", "/api/printer/tool", self.tool, move),
            Route("GET", "/api/printer/bed", self.bed, see),
            Route("POST", "/api/printer/bed", self.heat_bed, move),
            Route("GET", "/api/printer/chamber", self.chamber, see),
            Route("POST", "/api/printer/chamber", self.heat_chamber, move),
            Route("POST", "/api/printer/printhead", self.head, move),
            Route("POST", "/api/printer/command", self.terminal, move),
            Route("GET", "/api/printer/command/custom", self.custom_controls, see),
            Route("GET", "/api/printer/sd", self.card, see),
            Route("POST", "/api/printer/sd", self.card, move),
            Route("GET", "/api/printer/error", self.error, see),
            Route("GET", "/api/connection", self.connection, see),
            Route("POST", "/api/connection", self.connect, move),
        )

    # Looking.

    async def printer(self, visit: Visit) -> Response:
        """Temperatures and state; 409 when nothing answers."""
        if visit.pool is not None:
            return await self._pool(visit, visit.pool)
        if not request.args:
            cached = self._hot.printer(visit.printer)
            return answer(cached) if cached is not None else _not_operational()
        live = self._orders.live(visit)
        if not LOOKS[live.state].operational:
            return _not_operational()
        exclude = request.args.get("exclude", "").split(",")
        document = printer_document(live, self._profile(visit), exclude)
        if "temperature" in document and truthy(request.args.get("history")):
            document["temperature"]["history"] = []
        return answer(document)

    async def _pool(self, visit: Visit, pool: Pool) -> Response:
        queue = await self._pools.queue(visit, pool)
        if not queue.is_reachable:
            return _not_operational()
        return answer(pool_printer_document(queue, request.args.get("exclude", "").split(",")))

    async def tools(self, visit: Visit) -> Response:
        """The temperatures of the tools."""
        found = self._temperatures(visit)
        return answer({name: seen for name, seen in found.items() if name.startswith("tool")})

    async def bed(self, visit: Visit) -> Response:
        """The temperature of the bed."""
        return self._one_heater(visit, "bed")

    async def chamber(self, visit: Visit) -> Response:
        """The temperature of the chamber."""
        return self._one_heater(visit, "chamber")

    def _one_heater(self, visit: Visit, heater: str) -> Response:
        found = self._temperatures(visit)
        _require_heater(heater, self._profile(visit))
        return answer({heater: found[heater]})

    def _temperatures(self, visit: Visit) -> dict[str, Any]:
        live = self._orders.live(visit)
        if not LOOKS[live.state].operational:
            raise Conflict(NOT_OPERATIONAL, code="printer_not_operational")
        return temperatures(live, self._profile(visit))

    async def error(self, visit: Visit) -> Response:
        """Why it stands in an error; empty texts without one, also offline."""
        live = self._orders.live(visit)
        if "error" not in LOOKS[live.state].true:
            return answer({"error": "", "reason": ""})
        text = live.error or visit.printer.state_reason or LOOKS[live.state].text
        return answer({"error": text, "reason": live.state, "consequence": "", "logs": []})

    async def card(self, visit: Visit) -> Response:
        """There is no card to print from."""
        del visit
        raise NotFound("SD support is disabled")

    # Moving and heating.

    async def head(self, visit: Visit) -> Response:
        """Jog, home, feed rate."""
        body = await json_object()
        build = _chosen(body, moves.HEAD_COMMANDS)
        lines = build(body, self._profile(visit))
        state = self._operational(visit)
        if body["command"] != "feedrate" and "printing" in LOOKS[state].true:
            raise Conflict("Printer is printing", code="printer_busy")
        await self._orders.lines(visit, lines, self._profile(visit))
        return done()

    async def tool(self, visit: Visit) -> Response:
        """Target, offset, select, extrude, flow rate."""
        body = await json_object()
        state = self._operational(visit)
        profile = self._profile(visit)
        command = body.get("command")
        if command == "target":
            await self._orders.targets(visit, moves.tool_targets(body, profile), profile)
        elif command == "offset":
            moves.check_offsets(body)
        else:
            lines = _chosen(body, moves.TOOL_COMMANDS)(body, profile)
            if command == "extrude" and "printing" in LOOKS[state].true:
                raise Conflict("Printer is printing", code="printer_busy")
            await self._orders.lines(visit, lines, profile)
        return done()

    async def heat_bed(self, visit: Visit) -> Response:
        """Target and offset of the bed."""
        return await self._heat(visit, "bed")

    async def heat_chamber(self, visit: Visit) -> Response:
        """Target and offset of the chamber."""
        return await self._heat(visit, "chamber")

    async def _heat(self, visit: Visit, heater: str) -> Response:
        body = await json_object()
        self._operational(visit)
        profile = self._profile(visit)
        _require_heater(heater, profile)
        command = body.get("command")
        if command not in ("target", "offset"):
            raise _unknown(command)
        if command == "offset":
            moves.check_offsets(body)
        else:
            await self._orders.targets(visit, moves.one_target(heater, body), profile)
        return done()

    async def terminal(self, visit: Visit) -> Response:
        """Lines from a terminal; they work while printing too. M112 goes its own way."""
        body = await json_object()
        lines = moves.terminal_lines(body)
        if "script" in body:
            raise NotFound(f"There is no script {body['script']!r}.")
        if moves.is_stop(lines):  # whatever state it is in
            await self._tell(visit, Verb.REMOTE_STOP)
            return done()
        self._operational(visit)
        await self._orders.lines(visit, lines, self._profile(visit))
        return done()

    async def custom_controls(self, visit: Visit) -> Response:
        """There are none."""
        del visit
        return answer({"controls": []})

    # The connection.

    async def connection(self, visit: Visit) -> Response:
        """The state of the link, and what may be chosen."""
        if visit.pool is not None:
            queue = await self._pools.queue(visit, visit.pool)
            return answer(pool_connection_document(queue, visit.pool.name))
        live = self._orders.live(visit)
        printer = visit.printer
        baud = live.baud or printer.baud or None
        return answer(connection_document(live.state, printer.port_id or "", baud, printer.name))

    async def connect(self, visit: Visit) -> Response:
        """Connect and disconnect. The port is the one that this printer is bound to."""
        body = await json_object()
        command = body.get("command")
        if command == "connect":
            await self._open(visit, body)
        elif command == "disconnect":
            await self._tell(visit, Verb.DISCONNECT)
        elif command != "fake_ack":  # the sender looks after lost acknowledgements by itself
            raise _unknown(command)
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
        if body.get("printerProfile") not in (None, "", PROFILE_ID):
            raise Invalid(f"Unknown printer profile; there is {PROFILE_ID}.")
        if baud not in (0, printer.baud):
            await self._printers.update(visit.by, printer.id, {"baud": baud})
        await self._tell(visit, Verb.CONNECT)

    async def _tell(self, visit: Visit, verb: Verb) -> None:
        await self._jobs.control.tell(visit.by, visit.printer.id, verb)
        await self._orders.shown(visit, AIMS[verb].states)

    def _operational(self, visit: Visit) -> PrinterState:
        state = self._orders.live(visit).state
        if not LOOKS[state].operational:
            raise Conflict(NOT_OPERATIONAL, code="printer_not_operational")
        return state

    def _profile(self, visit: Visit) -> Profile:
        return self._printers.profile(visit.printer)


def _not_operational() -> Response:
    return answer({"error": NOT_OPERATIONAL}, 409)


def _require_heater(heater: str, profile: Profile) -> None:
    if heater not in heaters(profile):
        raise Conflict(f"Printer does not have a heated {heater}")


def _unknown(command: object) -> Invalid:
    if command is None:
        return Invalid("command is missing")
    return Invalid(f"command is unknown: {str(command)[:100]}")


def _chosen(body: dict[str, Any], table: dict[str, moves.Build]) -> moves.Build:
    command = body.get("command")
    if not isinstance(command, str) or command not in table:
        raise _unknown(command)
    return table[command]
