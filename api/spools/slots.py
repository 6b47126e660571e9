"""A printer's slots and the spools in them: assign, confirm, and what somebody should look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.events.service import Ledger
from api.principal import Principal
from api.printers.service import Printer, Printers
from api.printers.slots import slot_fields, spools_in
from api.spools.forms import Attention, SpoolStatus
from api.spools.models import Spool
from api.spools.service import Spools, shown_in_slot

_SPOOL = "assigned_spool_id"


@dataclass(frozen=True, slots=True)
class Noticed:
    """A slot and why it needs attention, the most urgent reason first."""

    slot: Mapping[str, Any]
    reasons: Sequence[Attention]


class Slots:
    """The slots of the printers, with what hangs in them."""

    def __init__(self, spools: Spools, printers: Printers, ledger: Ledger) -> None:
        self._spools = spools
        self._printers = printers
        self._ledger = ledger

    async def say(
        self, by: Principal, printer_id: int, number: int, values: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Say what is loaded in slot *number*; `assigned_spool_id` hangs that spool into it, None
        takes out what hangs there. Returns the slot. Raises `NotFound` or `Conflict` as `load`.
        """
        by.require("printers.control")
        printer = await self._printers.get(by, printer_id)
        rest = {name: value for name, value in values.items() if name != _SPOOL}
        if _SPOOL in values:
            await self._hang(by, printer, number, values[_SPOOL])
        if rest or _SPOOL not in values:
            printer = await self._printers.upkeep.load_slot(by, printer_id, number, rest)
        else:
            printer = await self._printers.get(by, printer_id)
        return slot_fields(printer)[number - 1]

    async def _hang(
        self, by: Principal, printer: Printer, number: int, spool_id: int | None
    ) -> None:
        if spool_id is not None:
            await self._spools.load(by, spool_id, printer.id, number)
        elif (hanging := spools_in(printer).get(number)) is not None:
            await self._spools.unload(by, hanging, None)

    async def confirm(self, by: Principal, printer_id: int, number: int) -> Mapping[str, Any]:
        """Somebody has looked: what is said of slot *number* is so; a spool in it is what counts.

        Returns the slot. Raises `NotFound` (printer, slot).
        """
        by.require("printers.control")
        await self._printers.get(by, printer_id)
        async with self._ledger.change() as change:
            row = await self._printers.locked(change, printer_id)
            values: dict[str, Any] = {"spool_confirmed": True}
            spool = await Spool.filter(id=spools_in(row).get(number, 0)).first()
            if spool is not None:
                filaments = await self._spools.filaments.of([spool])
                for filament in filaments.values():
                    values |= shown_in_slot(spool, filament)
            row = await self._printers.upkeep.fill_slot(change, by, printer_id, number, values)
            change.note(by, "slot.confirmed", ("printer", row.id), slot_number=number)
        return slot_fields(row)[number - 1]

    async def needing_attention(self, by: Principal, printer_id: int) -> Sequence[Noticed]:
        """The slots that somebody should look at, by number. Raises `NotFound`."""
        by.require("printers.read")
        row = await self._printers.get(by, printer_id)
        hanging = spools_in(row)
        rows = await Spool.filter(id__in=[*hanging.values()]) if hanging else []
        spools = {spool.id: spool for spool in rows}
        found = [Noticed(slot, reasons(slot, spools)) for slot in slot_fields(row)]
        return [one for one in found if one.reasons]


def reasons(slot: Mapping[str, Any], spools: Mapping[int, Spool]) -> Sequence[Attention]:
    """Why *slot* needs attention; *spools* are those that its printer names."""
    found = []
    if slot["spool_confirmed"] is False:
        found.append(Attention.UNCONFIRMED)
    if slot[_SPOOL] is None:
        return found
    spool = spools.get(slot[_SPOOL])
    place = (slot["printer_id"], slot["slot_number"])
    if (
        spool is None
        or spool.status == SpoolStatus.ARCHIVED
        or (spool.location_printer_id, spool.location_slot) != place
    ):
        found.append(Attention.SPOOL_GONE)
    elif spool.remaining_weight_g <= 0:
        found.append(Attention.EMPTY)
    elif spool.remaining_weight_g < spool.low_threshold_g:
        found.append(Attention.LOW)
    return found
