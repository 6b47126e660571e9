"""``POST /printers/test-connection`` for a farm of USB printers (v1 contract, 2.3).

Three questions, each answered from what is known: is the bridge there, is the port there, does the
printer on it answer. Nothing is opened for it: a port that no printer is on stays closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from api.errors import NotFound
from api.principal import Principal
from api.printers.service import Printer, Printers
from api.printers.view import Picture
from schemas.facts import Port
from schemas.printer import CONNECTED

SERIAL = "serial"


class BridgeRow(Protocol):
    """A bridge."""

    id: int
    name: str


class BridgeRoom(Protocol):
    """What is asked of the bridges."""

    async def list(self, by: Principal) -> Sequence[BridgeRow]:
        """The caller's bridges."""

    async def ports(self, by: Principal, bridge_id: int) -> Sequence[Port]:
        """What hangs on a bridge. Raises `NotFound`."""

    def online(self, bridge_id: int) -> bool:
        """Whether the room is reachable."""


class TelemetryRoom(Protocol):
    """What printers report."""

    def view(self, printer: Printer) -> Picture:
        """What can be shown of a printer now."""


@dataclass(frozen=True, slots=True)
class Found:
    """*answers* None: no printer is on that port, so nobody has asked it."""

    success: bool
    message: str
    bridge_id: int | None = None
    bridge_online: bool = False
    port_there: bool = False
    printer_id: int | None = None
    answers: bool | None = None


class ConnectionTest:
    """Looks for a printer where somebody says that it is."""

    def __init__(self, bridges: BridgeRoom, printers: Printers, telemetry: TelemetryRoom) -> None:
        self._bridges = bridges
        self._printers = printers
        self._telemetry = telemetry

    async def test(
        self, by: Principal, api_type: str, port_id: str, bridge_id: int | None
    ) -> Found:
        """Whether a printer can be reached at *port_id*; *bridge_id* None: of whichever bridge.

        Raises `NotFound` for a bridge that is not the caller's.
        """
        by.require("printers.write")
        if api_type != SERIAL:
            return Found(
                success=False,
                message=f"Printers are reached through the USB ports of bridges (api_type "
                f"{SERIAL}), not by {api_type[:40]!r} over the network.",
            )
        bridge = await self._with_port(by, port_id, bridge_id)
        if bridge is None:
            return Found(success=False, message=f"No bridge has a port {port_id[:100]!r}.")
        ports = {port.port_id for port in await self._bridges.ports(by, bridge.id)}
        printer = await self._printer_at(by, bridge.id, port_id)
        live = self._telemetry.view(printer).live if printer is not None else None
        online = self._bridges.online(bridge.id)
        answers = None
        if printer is not None:
            answers = online and live is not None and live.state in CONNECTED
        port_there = port_id in ports
        return Found(
            success=online and port_there and answers is not False,
            message=_told(bridge.name, port_id, printer, (online, port_there, answers)),
            bridge_id=bridge.id,
            bridge_online=online,
            port_there=port_there,
            printer_id=printer.id if printer is not None else None,
            answers=answers,
        )

    async def _with_port(
        self, by: Principal, port_id: str, bridge_id: int | None
    ) -> BridgeRow | None:
        bridges = await self._bridges.list(by)
        if bridge_id is not None:
            own = next((each for each in bridges if each.id == bridge_id), None)
            if own is None:
                raise NotFound(f"There is no bridge {bridge_id}.", code="bridge_not_found")
            return own
        for bridge in bridges:
            if any(port.port_id == port_id for port in await self._bridges.ports(by, bridge.id)):
                return bridge
        return None

    async def _printer_at(self, by: Principal, bridge_id: int, port_id: str) -> Printer | None:
        rows = await self._printers.list(by)
        return next((r for r in rows if (r.bridge_id, r.port_id) == (bridge_id, port_id)), None)


def _told(
    bridge: str, port_id: str, printer: Printer | None, known: tuple[bool, bool, bool | None]
) -> str:
    online, port_there, answers = known
    if not online:
        return f"The bridge {bridge} is offline."
    if not port_there:
        return f"The bridge {bridge} is online; nothing is plugged in at {port_id}."
    if printer is None:
        return f"{port_id} is there and free. Make a printer on it, and it is asked who it is."
    if answers:
        return f"{printer.name} answers at {port_id}."
    return f"{printer.name} does not answer at {port_id}: {printer.state_reason or printer.state}"
