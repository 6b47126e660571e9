"""v1 routes of a printer's slots (v1 contract, 2.3): say, assign, confirm, needs attention."""

from typing import Any

from quart import Response

from api.describe import Doc, Query
from api.errors import Invalid, NotFound
from api.http import RowId, id_query, json_answer, json_body, page_of
from api.printers.answers import SlotAnswer
from api.printers.next_actions import after_printer
from api.printers.service import Printers
from api.spools.answers import SlotAssigned, SlotConfirmed, SlotNoticed
from api.spools.bodies import AmsSlotBody, ManualSlotBody, SlotUpdateBody
from api.spools.service import Spools
from api.spools.slots import Slots
from api.v1 import V1, caller

#: Of an AMS, in whose words slots can be named too.
UNIT_SLOTS = 4


class SlotRoutes:
    """``/printers/{id}/slots/…``; reading all of them is the printers' own."""

    def __init__(self, slots: Slots, spools: Spools, printers: Printers) -> None:
        self._slots = slots
        self._spools = spools
        self._printers = printers

    def register(self, v1: V1) -> None:
        """Declare the routes."""
        slots = "/printers/<int:printer_id>/slots"
        one = f"{slots}/<int:slot_number>"
        v1.add("GET", f"{slots}/needs-attention", self.needing_attention, _ATTENTION)
        v1.add("PATCH", one, self.say, _SAY)
        v1.add("PATCH", f"{one}/manual-assign", self.say_by_hand, _BY_HAND)
        v1.add("POST", f"{one}/assign", self.assign, _ASSIGN)
        printer = "/printers/<int:printer_id>"
        v1.add("GET", f"{printer}/unmatched-slots", self.unmatched, _UNMATCHED)
        unit = f"{printer}/ams/<int:ams_id>/slots/<int:slot_id>"
        v1.add("PUT", unit, self.say_of_unit, _OF_UNIT)
        v1.add("POST", f"{one}/confirm", self.confirm, _CONFIRM)

    async def needing_attention(self, printer_id: int) -> Response:
        """The slots that somebody should look at."""
        found = await self._slots.needing_attention(caller(), printer_id)
        return page_of([{**one.slot, "reasons": one.reasons} for one in found], is_whole=True)

    async def say(self, printer_id: int, slot_number: int) -> Response:
        """Something else is loaded."""
        body = await json_body(SlotUpdateBody)
        slot = await self._slots.say(caller(), printer_id, slot_number, body.values())
        return json_answer(dict(slot))

    async def say_by_hand(self, printer_id: int, slot_number: int) -> Response:
        """Something is loaded that is no spool of ours."""
        await self._printers.get(caller(), printer_id)  # 404 comes before 422
        body = await json_body(ManualSlotBody)
        said = (body.filament_id(), body.values())
        slot = await self._slots.say_by_hand(caller(), printer_id, slot_number, *said)
        return json_answer(dict(slot))

    async def say_of_unit(self, printer_id: int, ams_id: int, slot_id: int) -> Response:
        """The slot of a unit, of which each has four: one of the printer's."""
        await self._printers.get(caller(), printer_id)
        body = await json_body(AmsSlotBody)
        number = ams_id * UNIT_SLOTS + slot_id + 1
        if slot_id >= UNIT_SLOTS:
            raise NotFound(f"A unit has slots 0 to {UNIT_SLOTS - 1}, no {slot_id}.")
        slot = await self._slots.say(caller(), printer_id, number, body.values())
        return json_answer(dict(slot))

    async def unmatched(self, printer_id: int) -> Response:
        """What is loaded that nobody knows."""
        found = await self._slots.unmatched(caller(), printer_id)
        return page_of([dict(slot) for slot in found], is_whole=True)

    async def assign(self, printer_id: int, slot_number: int) -> Response:
        """A spool hangs there."""
        await self._printers.get(caller(), printer_id)  # 404 comes before 422
        spool_id = id_query("spool_id")
        if spool_id is None:
            raise Invalid(
                "spool_id: name the spool in the query",
                code="validation_failed",
                field="spool_id",
            )
        row, _, previous = await self._spools.load(caller(), spool_id, printer_id, slot_number)
        named = {"spool_id": row.id, "previous_spool_id": previous}
        return json_answer({**_place(printer_id, slot_number), **named})

    async def confirm(self, printer_id: int, slot_number: int) -> Response:
        """It is as it was said."""
        slot = await self._slots.confirm(caller(), printer_id, slot_number)
        named = {"spool_id": slot["assigned_spool_id"], "message": "Confirmed"}
        return json_answer({**_place(printer_id, slot_number), **named})


def _place(printer_id: int, slot_number: int) -> dict[str, Any]:
    return {
        "success": True,
        "printer_id": printer_id,
        "slot_number": slot_number,
        "next_actions": after_printer(printer_id),
    }


_MISSING = ("spool_not_found", "not_found", "conflict")
_SAY = Doc(
    summary="Say what is loaded in a slot",
    description="`assigned_spool_id` hangs that spool into it, null takes out what hangs there. "
    "Who says that something else is loaded than the spool in the slot makes it unconfirmed.",
    answer=SlotAnswer,
    right="printers.control",
    body=SlotUpdateBody,
    problems=_MISSING,
    dry_run=True,
)
_BY_HAND = Doc(
    summary="Say what is loaded in a slot without a spool of it: of the library, or in words",
    description="A spool that hangs there is taken out.",
    answer=SlotAnswer,
    right="printers.control",
    body=ManualSlotBody,
    problems=("filament_not_found", "not_found", "validation_failed"),
    dry_run=True,
)
_OF_UNIT = Doc(
    summary="Say what is loaded in a slot, named as in an AMS: unit and slot from 0, four a unit",
    answer=SlotAnswer,
    right="printers.control",
    body=AmsSlotBody,
    problems=_MISSING,
    dry_run=True,
)
_UNMATCHED = Doc(
    summary="Slots with something that is neither a spool nor a kind of the library",
    description="Without `limit` all of them.",
    answer=list[SlotAnswer],
    right="printers.read",
    paged=True,
)
_ASSIGN = Doc(
    summary="Hang a spool into a slot; the one that was there is taken out",
    answer=SlotAssigned,
    right="spools.use",
    query=(Query(name="spool_id", type=RowId, required=True, description="The spool"),),
    problems=(*_MISSING, "validation_failed"),
    dry_run=True,
)
_CONFIRM = Doc(
    summary="Confirm what is said of a slot; the spool in it is what counts",
    answer=SlotConfirmed,
    right="printers.control",
    dry_run=True,
)
_ATTENTION = Doc(
    summary="The slots of a printer that somebody should look at",
    description="unconfirmed: something else was said to be loaded than its spool; spool_gone: its "
    "spool is archived or hangs elsewhere; empty; low: less is left than the spool's threshold. "
    "Without `limit` all of them.",
    answer=list[SlotNoticed],
    right="printers.read",
    paged=True,
)
