"""The power supply of a printer as its plug (v1 contract, 2.3): M80 and M81 over its own cable.

Smart plugs in the network of the room are not reached: bridges have no way to them. A firmware that
says that it switches its supply (``SOFTWARE_POWER`` of M115) does the same without one; its board
lives on the USB cable meanwhile.
"""

from dataclasses import dataclass
from typing import Any

from api.errors import Forbidden, NotFound
from api.events.service import Ledger
from api.principal import Principal
from api.printers.checks import check_quiet
from api.printers.drafts import tell
from api.printers.fittings import ControlRoom, check_can
from api.printers.reported import PLUG
from api.printers.service import Printer, Printers

CAPABILITY = "SOFTWARE_POWER"
#: The one kind of plug that there is here.
SUPPLY = "psu"
_LINES = {True: "M80", False: "M81"}


@dataclass(frozen=True, slots=True)
class Plug:
    """A printer's plug. *is_on*: as it was told last; None: nobody knows."""

    printer: Printer
    is_on: bool | None


class Plugs:
    """Switches the power of printers."""

    def __init__(self, printers: Printers, control: ControlRoom, ledger: Ledger) -> None:
        self._printers = printers
        self._control = control
        self._ledger = ledger

    async def find(self, by: Principal, printer_id: int) -> tuple[Printer, Plug | None]:
        """A printer and its plug, if it has one. Raises `NotFound`."""
        by.require("printers.read")
        row = await self._printers.get(by, printer_id)
        return row, plug_of(row)

    async def get(self, by: Principal, printer_id: int) -> Plug:
        """Its plug. Raises `NotFound`: of the printer, or of a plug."""
        row, plug = await self.find(by, printer_id)
        return _there(row, plug)

    async def set(self, by: Principal, printer_id: int, kind: str) -> Plug:
        """Its plug is of this *kind* from now on.

        Raises `Forbidden` ``feature_disabled`` for any kind but the printer's own supply, and for
        a firmware that does not switch it.
        """
        by.require("printers.control")
        row = await self._printers.get(by, printer_id)
        if kind != SUPPLY:
            raise Forbidden(
                f"Only the printer's own power supply can be switched ({SUPPLY}), no "
                f"{kind[:40]!r}: bridges have no way to plugs in their network.",
                code="feature_disabled",
            )
        check_can(row, CAPABILITY, "switch its power supply (M80, M81)")
        return await self._keep(by, printer_id, {"type": SUPPLY, "is_on": None}, "printer.plug_set")

    async def remove(self, by: Principal, printer_id: int) -> None:
        """It has none any more. Raises `NotFound`."""
        by.require("printers.control")
        await self.get(by, printer_id)
        async with self._ledger.change() as change:
            row = await self._printers.locked(change, printer_id)
            row.details = {name: said for name, said in row.details.items() if name != PLUG}
            await self._printers.save(change, row, "details")
            tell(change, by, row, "printer.plug_removed")

    async def switch(
        self, by: Principal, printer_id: int, on: bool | None, *, force: bool = False
    ) -> Plug:
        """Power on or off; None: the other way than it was told last, on when nobody knows.

        Raises `NotFound` without a plug, `Conflict` ``printer_busy`` for off in a print unless
        *force*, and what telling a printer raises.
        """
        by.require("printers.control")
        plug = await self.get(by, printer_id)
        wanted = not plug.is_on if on is None else on
        if not wanted and not force:
            check_quiet(plug.printer)
        await self._control.send(by, printer_id, [_LINES[wanted]])
        told = {"type": SUPPLY, "is_on": wanted}
        return await self._keep(by, printer_id, told, "printer.power", is_on=wanted)

    async def _keep(
        self, by: Principal, printer_id: int, plug: dict[str, Any], action: str, **facts: Any
    ) -> Plug:
        async with self._ledger.change() as change:
            row = await self._printers.locked(change, printer_id)
            row.details = {**row.details, PLUG: plug}
            await self._printers.save(change, row, "details")
            tell(change, by, row, action, **facts)
        return Plug(row, plug["is_on"])


def plug_of(row: Printer) -> Plug | None:
    """The plug of *row*, if it has one."""
    kept = row.details.get(PLUG)
    return None if not kept else Plug(row, kept["is_on"])


def _there(row: Printer, plug: Plug | None) -> Plug:
    if plug is None:
        raise NotFound(f"{row.name} has no plug.")
    return plug
