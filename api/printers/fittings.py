"""What a printer has beside its axes: light, objects to skip, an eye (v1 contract, 2.3).

A printer does only what its firmware has said that it can (M115); everything else is refused with
the reason, never pretended.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from api.errors import Conflict, Forbidden
from api.events.service import Ledger
from api.principal import Principal
from api.printers.drafts import tell
from api.printers.models import LIGHTS_ON
from api.printers.service import Printer, Printers
from schemas.printer import ACTIVE

#: Lines of the firmware's report of what it can.
LIGHTS = "TOGGLE_LIGHTS"
SKIP = "CANCEL_OBJECTS"
#: Among a printer's details: the settings of its eye.
VISION = "vision"
#: The contract's settings of an eye, as they are until somebody changes them.
VISION_DEFAULTS: Mapping[str, Any] = {
    "enabled": False,
    "spaghetti_enabled": True,
    "spaghetti_threshold": 0.65,
    "first_layer_enabled": True,
    "first_layer_threshold": 0.60,
    "detachment_enabled": True,
    "detachment_threshold": 0.70,
    "auto_pause": False,
    "capture_interval_sec": 10,
}


class ControlRoom(Protocol):
    """Telling printers what to do."""

    async def send(self, by: Principal, printer_id: int, lines: Sequence[str]) -> Printer:
        """Have these lines executed and return the printer."""


class Fittings:
    """What hangs on printers."""

    def __init__(self, printers: Printers, control: ControlRoom, ledger: Ledger) -> None:
        self._printers = printers
        self._control = control
        self._ledger = ledger

    async def light(self, by: Principal, printer_id: int, on: bool | None) -> bool:
        """Switch the light; None: the other way than it was told last. Whether it is on now.

        Raises `Forbidden` ``feature_disabled`` for a firmware that has no light to switch, and
        what telling a printer raises.
        """
        by.require("printers.control")
        row = await self._printers.get(by, printer_id)
        check_can(row, LIGHTS, "switch a light (M355)")
        wanted = not row.details.get(LIGHTS_ON) if on is None else on
        await self._control.send(by, printer_id, [f"M355 S{int(wanted)}"])
        async with self._ledger.change() as change:
            row = await self._printers.locked(change, printer_id)
            row.details = {**row.details, LIGHTS_ON: wanted}
            await self._printers.save(change, row, "details")
            tell(change, by, row, "printer.lights", lights_on=wanted)
        return wanted

    async def skip(self, by: Principal, printer_id: int, objects: Sequence[int]) -> Printer:
        """Print no more of these objects of the file, which the printer counts from 0 (M486).

        Raises `Forbidden` ``feature_disabled`` for a firmware that cannot, `Conflict` when nothing
        is printed, and what telling a printer raises.
        """
        by.require("printers.control")
        row = await self._printers.get(by, printer_id)
        check_can(row, SKIP, "skip objects (M486)")
        if row.state not in ACTIVE:
            raise Conflict(
                f"{row.name} prints nothing of which an object could be skipped.",
                code="invalid_state_transition",
            )
        return await self._control.send(by, printer_id, [f"M486 P{each}" for each in objects])

    async def vision(self, by: Principal, printer_id: int) -> dict[str, Any]:
        """The settings of a printer's eye. Raises `NotFound`."""
        by.require("printers.read")
        return vision_of(await self._printers.get(by, printer_id))

    async def set_vision(
        self, by: Principal, printer_id: int, values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Change what *values* name. Raises `NotFound`."""
        by.require("printers.admin")
        await self._printers.get(by, printer_id)
        async with self._ledger.change() as change:
            row = await self._printers.locked(change, printer_id)
            row.details = {**row.details, VISION: {**row.details.get(VISION, {}), **values}}
            await self._printers.save(change, row, "details")
            tell(change, by, row, "printer.vision", fields=sorted(values))
        return vision_of(row)


def vision_of(row: Printer) -> dict[str, Any]:
    """The settings as they are shown; nothing here looks at pictures, so nothing is *active*."""
    kept = {**VISION_DEFAULTS, **row.details.get(VISION, {})}
    why = "It has no camera." if not row.camera_url else "Nothing here looks at its pictures."
    return {"printer_id": row.id, **kept, "active": False, "inactive_reason": why}


def check_can(row: Printer, capability: str, what: str) -> None:
    """Raises `Forbidden` ``feature_disabled`` where the firmware has not said *capability*."""
    if (row.firmware.get("capabilities") or {}).get(capability):
        return
    why = "nobody has asked its firmware yet" if not row.firmware else "its firmware says so (M115)"
    if row.bridge_id is None:
        why = "people run it by hand"
    raise Forbidden(f"{row.name} cannot {what}: {why}.", code="feature_disabled")
