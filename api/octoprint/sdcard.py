"""The printer's own SD card: `api/printer/sd`, `api/files/sdcard` (OctoPrint contract, 4)."""

from typing import Any

from quart import Response

from api.commands.machine import Machine
from api.errors import Conflict, Invalid, NotFound
from api.octoprint.body import is_true, json_object
from api.octoprint.card_document import ORIGIN, card_entries, card_entry, is_ready
from api.octoprint.hot import HotReads
from api.octoprint.orders import Orders
from api.octoprint.route import Route
from api.octoprint.states import LOOKS
from api.octoprint.visitor import Visit
from api.octoprint.wire import answer, done, plain
from schemas.commands import CardAction
from schemas.printer import ACTIVE

_ACTIONS = {
    "init": CardAction.MOUNT,
    "refresh": CardAction.LIST,
    "release": CardAction.RELEASE,
}


class SdCard:
    """The card of one printer; a pool has none."""

    def __init__(self, machine: Machine, orders: Orders, hot: HotReads) -> None:
        self._machine = machine
        self._orders = orders
        self._hot = hot

    def routes(self) -> tuple[Route, ...]:
        """Rows of the table."""
        return (
            Route("GET", "/api/printer/sd", self.state, "STATUS"),
            Route("POST", "/api/printer/sd", self.command, "CONTROL"),
        )

    async def state(self, visit: Visit) -> Response:
        """Whether there is a card to print from; also offline."""
        _need_printer(visit)
        return answer({"ready": is_ready(visit.printer, self._orders.live(visit))})

    async def command(self, visit: Visit) -> Response:
        """Mount, list, release."""
        _need_printer(visit)
        body = await json_object()
        action = _ACTIONS.get(str(body.get("command")))
        if action is None:
            raise Invalid(f"command takes {', '.join(_ACTIONS)}")
        self._need_idle(visit)
        await self._machine.card(visit.by, visit.printer.id, action)
        return done()

    # Its files.

    def entries(self, visit: Visit) -> list[dict[str, Any]]:
        """What `api/files` lists of it."""
        return [] if visit.pool is not None else card_entries(visit.printer, visit.place.base)

    def entry(self, visit: Visit, path: str) -> dict[str, Any]:
        """One file. Raises `NotFound`."""
        _need_printer(visit)
        found = card_entry(visit.printer, path, visit.place.base)
        if found is None:
            raise NotFound(f"There is no {path} on the card.", code="file_not_found")
        return found

    async def delete(self, visit: Visit, path: str) -> Response:
        """M30; 409 while it prints."""
        name = self.entry(visit, path)["path"]
        self._need_idle(visit)
        await self._machine.card(visit.by, visit.printer.id, CardAction.DELETE, name)
        return done()

    async def file_command(self, visit: Visit, path: str, body: dict[str, Any]) -> Response:
        """Select (and print), unselect."""
        visit.require("FILES_SELECT")
        command = body.get("command")
        if command == "unselect":
            return await self._unselect(visit, path)
        if command != "select":
            raise Invalid(f"command on the card takes select or unselect, not {str(command)[:100]}")
        path = self.entry(visit, path)["path"]
        self._need_idle(visit)
        starts = is_true(body.get("print"))
        if starts:
            visit.require("PRINT")
        if not starts:
            await self._machine.card(visit.by, visit.printer.id, CardAction.SELECT, path)
        await self._hot.select(visit.printer, path, ORIGIN)
        if starts:
            await self.start(visit, path)
        return done()

    async def start(self, visit: Visit, path: str) -> None:
        """Print a file from the card. Raises `Conflict` when it cannot begin."""
        await self._machine.card(visit.by, visit.printer.id, CardAction.START, path)
        await self._orders.shown(visit, ACTIVE)

    async def _unselect(self, visit: Visit, path: str) -> Response:
        look = LOOKS[self._orders.live(visit).state]
        if not look.operational or look.active:
            return plain("Printer is not ready to unselect a file", 409)
        selected = (await self._hot.shown(visit.printer)).file
        if selected is None or selected.origin != ORIGIN:
            return plain("No file is selected", 409)
        if path.lower() not in ("current", selected.path.lower()):
            return plain("Only the currently selected file can be unselected", 400)
        await self._hot.select(visit.printer, None)
        return done()

    def _need_idle(self, visit: Visit) -> None:
        look = LOOKS[self._orders.live(visit).state]
        if not look.operational or look.active:
            raise Conflict("Printer is not operational or busy", code="printer_busy")


def _need_printer(visit: Visit) -> None:
    if visit.pool is not None:
        raise NotFound("SD support is disabled")
