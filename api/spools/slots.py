"""A printer's slots and the spools in them: assign, confirm, and what somebody should look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from api.events.service import Ledger
from api.principal import Principal
from api.printers.filaments import FilamentType
from api.printers.service import Printer, Printers
from api.printers.slots import check_slot, slot_fields, spools_in
from api.spools.filaments import spelled
from api.spools.forms import Attention, SpoolStatus
from api.spools.models import Filament, Spool
from api.spools.service import Spools
from api.spools.told import shown_in_slot

_SPOOL = "assigned_spool_id"
_EMPTY = "empty"


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
        check_slot(printer, number)
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

    async def say_by_hand(
        self,
        by: Principal,
        printer_id: int,
        number: int,
        filament_id: int | None,
        values: Mapping[str, Any],
    ) -> Mapping[str, Any]:
        """Say what is loaded in slot *number* without a spool of it: a kind of the library, with
        what *values* say otherwise. A spool that hangs there is taken out. Returns the slot.

        Raises `NotFound` (printer, slot, filament).
        """
        by.require("printers.control")
        await self._printers.get(by, printer_id)
        said: dict[str, Any] = {}
        if filament_id is not None:
            said = _kind(await self._spools.filaments.get(by, filament_id))
        said |= values
        return await self.say(by, printer_id, number, {**said, _SPOOL: None})

    async def unmatched(self, by: Principal, printer_id: int) -> Sequence[Mapping[str, Any]]:
        """The slots in which something is loaded that is neither a spool nor a kind of the library,
        by number. Raises `NotFound`.
        """
        by.require("printers.read")
        row = await self._printers.get(by, printer_id)
        kinds = await self._spools.filaments.kinds(row.organization_id)
        spoken_of = {said["slot_number"] for said in row.slots if said.get("filament_type")}
        return [
            slot
            for slot in slot_fields(row)
            if slot["slot_number"] in spoken_of
            and slot["filament_type"] != _EMPTY
            and slot[_SPOOL] is None
            and spelled(slot["filament_type"], slot["color_hex"]) not in kinds
        ]

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


def _kind(row: Filament) -> dict[str, Any]:
    """What a slot says of itself with this kind in it."""
    material = row.material.strip().upper().replace("-", "_")
    return {
        "filament_type": material if material in get_args(FilamentType) else "OTHER",
        "color": row.name,
        "color_hex": row.color_hex,
        "brand": row.brand,
    }


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
