"""What feeds a printer, as its plug (v1 contract, 2.3; safety case M27).

Two kinds. The printer's own supply: M80 and M81 over its cable, where the firmware says that it
switches it (``SOFTWARE_POWER`` of M115; its board lives on the USB cable meanwhile). A plug in the
network of its room: its bridge speaks to it. Neither loses its power in a print, or while a nozzle
is hot, unless somebody insists.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from api.errors import Conflict, Forbidden, NotFound
from api.events.rehearsal import would
from api.events.service import Ledger
from api.principal import Principal
from api.printers import forms
from api.printers.checks import check_quiet
from api.printers.drafts import tell
from api.printers.fittings import ControlRoom, check_can
from api.printers.models import PLUG, SUPPLY
from api.printers.service import Printer, Printers
from schemas.commands import PlugAction
from schemas.plugs import HOT_C, PlugKind, address_of
from schemas.printer import Live

CAPABILITY = "SOFTWARE_POWER"
_LINES = {True: "M80", False: "M81"}
#: What other farms know as plugs and bridges do not speak to, with the way out.
_OTHERS = {
    "mqtt": "Tasmota and Shelly plugs that listen to MQTT answer HTTP, too: use their own type.",
    "homeassistant": "Give the plug itself, if it is a Tasmota or a Shelly, or let Home Assistant "
    "switch it by its own automation.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plug:
    """A printer's plug. *is_on*: as it said or was told last; None: nobody knows, and *error* may
    say why. *said_at*: when it said so, ISO 8601; None for a supply, which only obeys.
    """

    printer: Printer
    kind: str
    host: str | None = None
    off_on_stop: bool = False
    is_on: bool | None = None
    power_w: float | None = None
    energy_kwh: float | None = None
    error: str = ""
    said_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPlug:
    """What somebody says feeds a printer. *host*: of plugs in the network."""

    kind: str
    host: str | None = None
    off_on_stop: bool = False


class PlugControl(ControlRoom, Protocol):
    """Telling printers and their plugs what to do."""

    async def plug(
        self, by: Principal, printer_id: int, action: PlugAction, *, force: bool
    ) -> Printer:
        """Have the room's bridge do this and return the printer."""


#: Whether the agent of a room speaks to plugs.
Reaches = Callable[[int], Awaitable[bool]]


class Pictures(Protocol):
    """Who knows how printers look now."""

    def state_of(self, printer_id: int) -> Live | None:
        """What the printer reported last."""


class Plugs:
    """Switches the power of printers."""

    def __init__(
        self,
        printers: Printers,
        control: PlugControl,
        reaches: Reaches,
        pictures: Pictures,
        ledger: Ledger,
    ) -> None:
        self._printers = printers
        self._control = control
        self._reaches = reaches
        self._pictures = pictures
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

    async def set(self, by: Principal, printer_id: int, new: NewPlug) -> Plug:
        """Its plug is this one from now on.

        Raises `Forbidden` ``feature_disabled`` for what cannot be switched here, `Invalid` for a
        host that is no address of a room.
        """
        by.require("printers.control")
        row = await self._printers.get(by, printer_id)
        kept: dict[str, Any] = {"type": new.kind, "is_on": None}
        if new.kind == SUPPLY:
            check_can(row, CAPABILITY, "switch its power supply (M80, M81)")
        else:
            await self._check_reach(row, new.kind)
            kept |= {"host": _host(new.host), "off_on_stop": new.off_on_stop}
        async with self._ledger.change() as change:
            row = await self._printers.locked(change, printer_id)
            row.details = {**row.details, PLUG: kept}
            await self._printers.save(change, row, "details")
            tell(change, by, row, "printer.plug_set", type=new.kind, host=kept.get("host"))
            await self._printers.announce(change, row, structure=False, desired=True)
        return _there(row, plug_of(row))

    async def remove(self, by: Principal, printer_id: int) -> None:
        """It has none any more. Raises `NotFound`."""
        by.require("printers.control")
        await self.get(by, printer_id)
        async with self._ledger.change() as change:
            row = await self._printers.locked(change, printer_id)
            row.details = {name: said for name, said in row.details.items() if name != PLUG}
            await self._printers.save(change, row, "details")
            tell(change, by, row, "printer.plug_removed")
            await self._printers.announce(change, row, structure=False, desired=True)

    async def switch(
        self, by: Principal, printer_id: int, on: bool | None, *, force: bool = False
    ) -> Plug:
        """Power on or off; None: the other way than it stands, on when nobody knows.

        Raises `NotFound` without a plug; for off, unless *force*, `Conflict` ``printer_busy`` in a
        print and ``conflict`` while a nozzle is hot; and what telling a printer raises.
        """
        by.require("printers.control")
        plug = await self.get(by, printer_id)
        wanted = not plug.is_on if on is None else on
        if not wanted and not force:
            check_quiet(plug.printer)
            self._check_cold(plug.printer)
        if plug.kind == SUPPLY:
            return await self._supply(by, printer_id, wanted)
        would("power", printer_id=printer_id, printer_name=plug.printer.name, is_on=wanted)
        action = PlugAction.ON if wanted else PlugAction.OFF
        row = await self._control.plug(by, printer_id, action, force=force)
        return _there(row, plug_of(row))

    async def _supply(self, by: Principal, printer_id: int, wanted: bool) -> Plug:
        await self._control.send(by, printer_id, [_LINES[wanted]])
        async with self._ledger.change() as change:
            row = await self._printers.locked(change, printer_id)
            row.details = {**row.details, PLUG: {"type": SUPPLY, "is_on": wanted}}
            await self._printers.save(change, row, "details")
            tell(change, by, row, "printer.power", is_on=wanted)
        return _there(row, plug_of(row))

    async def _check_reach(self, row: Printer, kind: str) -> None:
        if kind not in tuple(PlugKind):
            there = ", ".join((SUPPLY, *PlugKind))
            way = _OTHERS.get(kind.lower(), "")
            text = f"There is no way to plugs of the type {kind[:40]!r}; there are: {there}. {way}"
            raise Forbidden(text.strip(), code="feature_disabled")
        if row.bridge_id is None:
            raise Forbidden(
                f"{row.name} hangs on no bridge, and only a bridge reaches plugs in its network.",
                code="feature_disabled",
            )
        if not await self._reaches(row.bridge_id):
            raise Forbidden(
                f"The bridge of {row.name} cannot reach plugs: install its newest version and let "
                "it connect once.",
                code="feature_disabled",
            )

    def _check_cold(self, row: Printer) -> None:
        picture = self._pictures.state_of(row.id)
        temps = picture.temps if picture is not None else {}
        nozzles_c = [each.actual_c or 0.0 for name, each in temps.items() if name[:4] == "tool"]
        hottest_c = max(nozzles_c, default=0.0)
        if hottest_c > HOT_C:
            raise Conflict(
                f"A nozzle of {row.name} is at {hottest_c:.0f} °C and wants its fan until it is "
                f"below {HOT_C:g} °C: wait, or insist (force=true).",
                hottest_c=hottest_c,
            )


def plug_of(row: Printer) -> Plug | None:
    """The plug of *row*, if it has one."""
    kept = row.details.get(PLUG)
    if not kept:
        return None
    return Plug(
        printer=row,
        kind=kept["type"],
        host=kept.get("host"),
        off_on_stop=kept.get("off_on_stop", False),
        is_on=kept["is_on"],
        power_w=kept.get("power_w"),
        energy_kwh=kept.get("energy_kwh"),
        error=kept.get("error", ""),
        said_at=kept.get("said_at"),
    )


def _host(host: str | None) -> str:
    """*host* as it is kept. Raises `Invalid`."""
    if not host:
        raise forms.refuse("host", "a plug in the network needs its address, as in 192.168.1.30")
    try:
        address_of(host)
    except ValueError as error:
        raise forms.refuse("host", str(error).removesuffix(".")) from None
    return host.strip()


def _there(row: Printer, plug: Plug | None) -> Plug:
    if plug is None:
        raise NotFound(f"{row.name} has no plug.")
    return plug
