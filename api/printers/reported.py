"""What bridges report of a printer, as columns of its row (room link contract, "Facts")."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from ulid import ULID

from api.clock import Clock, iso
from api.events.service import Change, Happened
from api.printers import plate
from api.printers.drafts import event
from api.printers.models import LIGHTS_ON, PLUG, SUPPLY, Printer
from api.printers.sending import Sending, card_with, known_sending, sending_of
from schemas.facts import CardFact, CardWrittenFact, PlugFact, PrinterFact
from schemas.printer import CONNECTED, PrinterState

#: Nobody was there to delete it, and the card's next list shows it like any other.
_PARTIAL = "what is on the card under that name is not whole"


class Rows(Protocol):
    """What this needs of the printers."""

    async def save(self, change: Change, row: Printer, *names: str) -> None:
        """Write these columns, and tell who holds the row in memory."""


class Reported:
    """Takes reports; of a printer that is gone they are dropped."""

    def __init__(self, rows: Rows, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock

    async def state(self, change: Change, fact: PrinterFact) -> Printer | None:
        """The printer's state. None when there is no such printer (any more)."""
        row = await _row(fact.printer)
        if row is None or (row.state == fact.state and row.state_reason == fact.reason):
            return row
        before, row.state = row.state, fact.state
        row.state_reason = fact.reason[:300]
        row.state_at = self._clock.now()
        names = ["state", "state_reason", "state_at", "last_error"]
        if fact.state not in CONNECTED and row.details.keys() & {LIGHTS_ON, PLUG}:
            row.details = _unheard(row.details)
            names.append("details")
        if fact.state in (PrinterState.ERROR, PrinterState.HALTED):
            at = row.state_at.isoformat()
            row.last_error = {"code": fact.state, "message": row.state_reason, "at": at}
        if plate.from_card(before, fact.state, row.active_grant):
            row.plate_state, row.plate_claim = plate.plate_after(row.plate_policy), ""
            names += ["plate_state", "plate_claim"]
        await self._rows.save(change, row, *names)
        told = {"state": row.state, "old_state": before, "reason": row.state_reason}
        change.record(event(row, "printer.state", None, **told))
        await self._follow_sending(change, row, before)
        change.wake("scheduler")
        return row

    async def firmware(self, change: Change, printer_id: int, firmware: Mapping[str, Any]) -> None:
        """What the printer says of itself."""
        row = await _row(printer_id)
        if row is not None and row.firmware != firmware:
            row.firmware = dict(firmware)
            await self._rows.save(change, row, "firmware")

    async def plate(self, change: Change, printer_id: int) -> None:
        """Somebody at the machine says that its plate is clear: a claim for one start.

        Said twice it is one, and said while an attempt holds the printer it is none.
        """
        row = await _row(printer_id)
        if row is None or row.active_grant is not None:
            return
        if row.plate_state != plate.PlateState.CLEAR:
            now = self._clock.now()
            row.plate_state, row.plate_changed_at = plate.PlateState.CLEAR, now
            row.plate_claim = str(ULID.from_datetime(now))
            await self._rows.save(change, row, "plate_state", "plate_claim", "plate_changed_at")
            change.record(event(row, "printer.plate_cleared", None))
            change.wake("scheduler")

    async def card(self, change: Change, fact: CardFact) -> None:
        """What is on its own card."""
        row = await _row(fact.printer)
        if row is None:
            return
        sending = known_sending(row)
        row.card = {
            "present": fact.present,
            "files": [msgspec.to_builtins(file) for file in fact.files],
            "unlisted": fact.unlisted,
            "listed_at": iso(self._clock.now()),
        }
        row.card = card_with(row, sending)
        await self._rows.save(change, row, "card")
        change.record(event(row, "printer.card", None, present=fact.present))

    # A file that goes to the card.

    async def card_written(self, change: Change, fact: CardWrittenFact) -> None:
        """A file is on its card, or is not.

        A failure of what nobody sends (any more) was told when the printer was lost: it is dropped.
        """
        row = await _row(fact.printer)
        sending = known_sending(row) if row is not None else None
        if row is None:
            return
        if sending is None or sending.name.lower() != fact.name.lower():
            if not fact.reason:
                change.record(_written(row, fact.name[:300], "", fact.time_s))
            return
        if fact.reason:
            await self.not_written(change, row, sending, fact.reason, fact.time_s)
            return
        row.card = card_with(row, None)
        names = ["card"]
        if sending.selection is not None:
            row.selected_file = sending.selection
            names.append("selected_file")
        await self._rows.save(change, row, *names)
        change.record(_written(row, sending.name, sending.path, fact.time_s))
        change.wake("scheduler")

    async def not_written(
        self, change: Change, row: Printer, sending: Sending, reason: str, time_s: float = 0.0
    ) -> None:
        """*sending* has not got onto the card of *row*, and no longer tries to."""
        row.card = card_with(row, None)
        await self._rows.save(change, row, "card")
        told = {"file": sending.name, "path": sending.path, "time_s": time_s}
        change.record(event(row, "printer.card_write_failed", None, **told, reason=reason[:300]))
        change.wake("scheduler")

    async def _follow_sending(self, change: Change, row: Printer, before: str) -> None:
        """What the printer's new state says of the file that goes to its card."""
        sending = sending_of(row)
        if sending is None:
            return
        if row.state == PrinterState.TRANSFERRING:
            told = {"file": sending.name, "path": sending.path, "size_bytes": sending.size_bytes}
            change.record(event(row, "printer.card_write_started", None, **told))
        elif before == PrinterState.TRANSFERRING and row.state in CONNECTED:
            row.card = card_with(row, msgspec.structs.replace(sending, is_over=True))
            await self._rows.save(change, row, "card")  # how it went is told by a fact of its own
        elif before == PrinterState.TRANSFERRING:
            why = row.state_reason or f"{row.name} is {row.state}"
            await self.not_written(change, row, sending, f"{why[:200]}; {_PARTIAL}")

    async def plug(self, change: Change, fact: PlugFact) -> None:
        """How the plug in its room's network stands; of one that is not there it is dropped."""
        row = await _row(fact.printer)
        kept = row.details.get(PLUG) if row is not None else None
        if row is None or not kept or kept["type"] == SUPPLY:
            return
        said = {
            "is_on": fact.is_on,
            "power_w": fact.power_w,
            "energy_kwh": fact.energy_kwh,
            "error": fact.error[:300],
            "said_at": iso(self._clock.now()),
        }
        if fact.energy_kwh is None:  # silent: what it counted before stays counted
            said["energy_kwh"] = kept.get("energy_kwh")
        row.details = {**row.details, PLUG: {**kept, **said}}
        await self._rows.save(change, row, "details")
        if kept["is_on"] is not fact.is_on:
            data = {"is_on": fact.is_on, "error": said["error"]}
            change.record(event(row, "printer.power", None, **data))


def _written(row: Printer, name: str, path: str, time_s: float) -> Happened:
    return event(row, "printer.card_written", None, file=name, path=path, time_s=time_s)


def _unheard(details: Mapping[str, Any]) -> dict[str, Any]:
    """*details* of a printer that does not answer: nobody knows what is switched on now."""
    kept = {name: said for name, said in details.items() if name != LIGHTS_ON}
    if PLUG in kept and kept[PLUG]["type"] == SUPPLY:
        kept[PLUG] = {**kept[PLUG], "is_on": None}
    return kept


async def _row(printer_id: int) -> Printer | None:
    return await Printer.filter(id=printer_id, deleted_at=None).first()
