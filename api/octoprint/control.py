"""`/api/printer`: looking at the machine and moving it (OctoPrint contract, section 4).

A temperature offset shifts the target that is set now, those set over this face and, in the
bridge, those that a printed file sets.
"""

from collections.abc import Sequence
from typing import Any

from quart import Response, request

from api.commands.control import AIMS
from api.commands.machine import Machine
from api.errors import Conflict, Invalid
from api.http import asks_nothing, truthy
from api.octoprint import moves
from api.octoprint.body import json_object
from api.octoprint.card_document import is_ready, state_text
from api.octoprint.hot import HotReads
from api.octoprint.orders import Orders
from api.octoprint.pool_document import pool_printer_document
from api.octoprint.pool_face import PoolFace
from api.octoprint.preferences import PreferencesStore
from api.octoprint.printer_document import (
    heaters,
    history_document,
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
#: OctoPrint answers a command without a body: what M112 can do with this firmware stands here.
OBEYS = "X-Gantry-Obeys-At-Once"
_OBEYS = {True: "true", False: "false", None: "unknown"}
HISTORY = 300  # items, unless another limit is asked for


class Control:
    """The machine itself."""

    def __init__(
        self,
        machine: Machine,
        orders: Orders,
        hot: HotReads,
        pools: PoolFace,
        store: PreferencesStore,
    ) -> None:
        self._machine = machine
        self._orders = orders
        self._hot = hot
        self._pools = pools
        self._store = store

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        see, move = "STATUS", "CONTROL"
        return (
            Route("GET", "/api/printer", self.printer, see),
            Route("GET", "/api/printer/tool", self.tools, see),
            Route("POST", "/api/printer/tool", self.tool, move),
            Route("GET", "/api/printer/bed", self.bed, see),
            Route("POST", "/api/printer/bed", self.heat_bed, move),
            Route("GET", "/api/printer/chamber", self.chamber, see),
            Route("POST", "/api/printer/chamber", self.heat_chamber, move),
            Route("POST", "/api/printer/printhead", self.head, move),
            Route("POST", "/api/printer/command", self.terminal, move, stops=True),
            Route("GET", "/api/printer/command/custom", self.custom_controls, see),
            Route("GET", "/api/printer/error", self.error, see),
        )

    # Looking.

    async def printer(self, visit: Visit) -> Response:
        """Temperatures and state; 409 when nothing answers."""
        if visit.pool is not None:
            return await self._pool(visit, visit.pool)
        if asks_nothing():
            cached = await self._hot.printer(visit.printer)
            return answer(cached) if cached is not None else _not_operational()
        live = self._orders.live(visit)
        if not LOOKS[live.state].operational:
            return _not_operational()
        exclude = request.args.get("exclude", "").split(",")
        profile, offsets_c = self._profile(visit), await self._offsets(visit)
        document = printer_document(
            live,
            profile,
            offsets_c,
            exclude,
            text=state_text(visit.printer, live),
            sd_ready=is_ready(visit.printer, live),
        )
        if "temperature" in document:
            self._add_history(visit, document["temperature"], heaters(profile))
        return answer(document)

    async def _pool(self, visit: Visit, pool: Pool) -> Response:
        queue = await self._pools.queue(visit, pool)
        if not queue.is_reachable:
            return _not_operational()
        return answer(pool_printer_document(queue, request.args.get("exclude", "").split(",")))

    async def tools(self, visit: Visit) -> Response:
        """The temperatures of the tools."""
        found = await self._temperatures(visit)
        tools = {name: seen for name, seen in found.items() if name.startswith("tool")}
        self._add_history(visit, tools, [*tools])
        return answer(tools)

    async def bed(self, visit: Visit) -> Response:
        """The temperature of the bed."""
        return await self._one_heater(visit, "bed")

    async def chamber(self, visit: Visit) -> Response:
        """The temperature of the chamber."""
        return await self._one_heater(visit, "chamber")

    async def _one_heater(self, visit: Visit, heater: str) -> Response:
        found = await self._temperatures(visit)
        _require_heater(heater, self._profile(visit))
        shown = {heater: found[heater]}
        self._add_history(visit, shown, [heater])
        return answer(shown)

    async def _temperatures(self, visit: Visit) -> dict[str, Any]:
        live = self._orders.live(visit)
        if not LOOKS[live.state].operational:
            raise Conflict(NOT_OPERATIONAL, code="printer_not_operational")
        return temperatures(live, self._profile(visit), await self._offsets(visit))

    async def _offsets(self, visit: Visit) -> dict[str, float]:
        offsets_c: dict[str, float] = (await self._store.of(visit.tree.key)).offsets_c
        return offsets_c

    def _add_history(self, visit: Visit, shown: dict[str, Any], names: Sequence[str]) -> None:
        """`history` beside the temperatures, when it was asked for; the newest `limit` of them."""
        if not truthy(request.args.get("history")):
            return
        limit = request.args.get("limit", "")
        newest = int(limit[:6]) if limit.isascii() and limit.isdigit() else HISTORY
        readings = self._orders.history(visit)
        shown["history"] = history_document(readings[-newest:] if newest else [], names)

    async def error(self, visit: Visit) -> Response:
        """Why it stands in an error; empty texts without one, also offline."""
        live = self._orders.live(visit)
        if "error" not in LOOKS[live.state].true:
            return answer({"error": "", "reason": ""})
        text = live.error or visit.printer.state_reason or LOOKS[live.state].text
        more: dict[str, Any] = {"consequence": "", "faq": None, "logs": []}
        return answer({"error": text, "reason": live.state, **more})

    # Moving and heating.

    async def head(self, visit: Visit) -> Response:
        """Jog, home, feed rate."""
        body = await json_object()
        build = _chosen(body, moves.HEAD_COMMANDS)
        lines = build(body, self._profile(visit))
        state = self._operational(visit)
        if body["command"] != "feedrate" and "printing" in LOOKS[state].true:
            raise Conflict("Printer is printing", code="printer_busy")
        axes = moves.jogged(body) if body["command"] == "jog" else ""
        await self._orders.lines(visit, lines, self._profile(visit), jog=axes)
        return done()

    async def tool(self, visit: Visit) -> Response:
        """Target, offset, select, extrude, flow rate."""
        body = await json_object()
        state = self._operational(visit)
        profile = self._profile(visit)
        command = body.get("command")
        if command == "target":
            await self._aim(visit, moves.tool_targets(body, profile), profile)
        elif command == "offset":
            await self._shift(visit, moves.tool_offsets(body, profile), profile)
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
            await self._shift(visit, moves.one_offset(heater, body), profile)
        else:
            await self._aim(visit, moves.one_target(heater, body), profile)
        return done()

    async def _aim(self, visit: Visit, targets_c: dict[str, float], profile: Profile) -> None:
        offsets_c = await self._offsets(visit)
        await self._orders.targets(visit, moves.shifted(targets_c, offsets_c), profile)

    async def _shift(self, visit: Visit, given_c: dict[str, float], profile: Profile) -> None:
        """Other offsets, in °C; a target that is set now moves along."""
        before = await self._offsets(visit)
        now_c = {
            heater: seen.target_c - before.get(heater, 0.0)
            for heater, seen in self._orders.live(visit).temps.items()
            if heater in given_c and seen.target_c
        }
        await self._orders.targets(visit, moves.shifted(now_c, given_c), profile)
        await self._store.keep(
            visit, "offsets_updated", lambda row: {"offsets_c": {**row.offsets_c, **given_c}}
        )

    async def terminal(self, visit: Visit) -> Response:
        """Lines from a terminal; they work while printing too. M112 goes its own way."""
        body = await json_object()
        lines = moves.terminal_lines(body)
        if "script" in body:
            lines = moves.script_lines(body["script"], visit.printer.scripts)
        if moves.is_stop(lines):  # whatever state it is in
            stopped = await self._machine.remote_stop(visit.by, visit.printer.id)
            await self._orders.shown(visit, AIMS[Verb.REMOTE_STOP].states)
            response = done()
            response.headers[OBEYS] = _OBEYS[stopped.obeys_at_once]
            return response
        self._operational(visit)
        await self._orders.lines(visit, lines, self._profile(visit))
        return done()

    async def custom_controls(self, visit: Visit) -> Response:
        """There are none."""
        del visit
        return answer({"controls": []})

    def _operational(self, visit: Visit) -> PrinterState:
        state = self._orders.live(visit).state
        if not LOOKS[state].operational:
            raise Conflict(NOT_OPERATIONAL, code="printer_not_operational")
        return state

    def _profile(self, visit: Visit) -> Profile:
        return Printers.profile(visit.printer)


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
