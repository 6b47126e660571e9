"""Printers by the dozen, and what is loaded in them: order, bulk changes, slots, errors.

Everything that takes many printers does all of it or nothing, in one transaction.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol

from api.clock import Clock, iso
from api.errors import NotFound
from api.events.service import Change, Ledger
from api.principal import Principal
from api.printers import forms
from api.printers.checks import check_quiet
from api.printers.drafts import event, tell
from api.printers.models import Printer
from api.printers.slots import unconfirmed, with_slot

MAX_TAGS = 50
#: Among a printer's details: what it had printed when somebody looked after it last.
SERVICED = "serviced"


class BulkAction(StrEnum):
    """What can be done to many printers at once."""

    ENABLE = "enable"
    DISABLE = "disable"
    ADD_TAG = "add_tag"


class Rows(Protocol):
    """What this needs of the printers."""

    async def list(self, by: Principal) -> Sequence[Printer]:
        """The caller's printers in display order."""

    async def get(self, by: Principal, printer_id: int) -> Printer:
        """One printer. Raises `NotFound`."""

    async def locked(self, change: Change, printer_id: int) -> Printer:
        """The row as this transaction sees it. Raises `NotFound`."""

    async def save(self, change: Change, row: Printer, *names: str) -> None:
        """Write these columns, and tell who holds the row in memory."""

    async def announce(
        self, change: Change, row: Printer, *, structure: bool, desired: bool
    ) -> None:
        """Tell who keeps the set of printers, and its bridge."""


class Upkeep:
    """The seldom work on printers."""

    def __init__(self, rows: Rows, ledger: Ledger, clock: Clock) -> None:
        self._rows = rows
        self._ledger = ledger
        self._clock = clock

    async def reorder(self, by: Principal, printer_ids: Sequence[int]) -> Sequence[int]:
        """Show these printers first, in this order, and the others behind them as before.

        Returns the ids of all in the new order. Raises `NotFound`.
        """
        by.require("printers.write")
        wanted = [*dict.fromkeys(printer_ids)]
        rows = {row.id: row for row in await self._rows.list(by)}
        _check_known(wanted, rows)
        order = [*wanted, *(each for each in rows if each not in wanted)]
        async with self._ledger.change() as change:
            for position, printer_id in enumerate(order):
                row = await self._rows.locked(change, printer_id)
                if row.sort_order != position:
                    row.sort_order = position
                    await self._rows.save(change, row, "sort_order")
                    await self._rows.announce(change, row, structure=True, desired=False)
            change.note(by, "printers.reordered", ("printer", ""), printer_ids=wanted)
        return order

    async def bulk(
        self, by: Principal, printer_ids: Sequence[int], action: BulkAction, tag: str | None
    ) -> int:
        """Do *action* to all of these or to none; how many. Raises `NotFound`, `Invalid` (no tag,
        too many of them) or `Conflict` ``printer_busy`` (disabling one that prints).
        """
        by.require("printers.admin")
        if action is BulkAction.ADD_TAG and not tag:
            raise forms.refuse("tag", "add_tag needs one")
        wanted = [*dict.fromkeys(printer_ids)]
        _check_known(wanted, {row.id: row for row in await self._rows.list(by)})
        async with self._ledger.change() as change:
            for printer_id in wanted:
                row = await self._rows.locked(change, printer_id)
                if action is BulkAction.ADD_TAG:
                    await self._tag(change, by, row, tag or "")
                else:
                    await self._enable(change, by, row, is_active=action is BulkAction.ENABLE)
        return len(wanted)

    async def _tag(self, change: Change, by: Principal, row: Printer, tag: str) -> None:
        if tag in row.tags:
            return
        if len(row.tags) >= MAX_TAGS:
            raise forms.refuse("tag", f"{row.name} has {MAX_TAGS} tags already")
        row.tags = [*row.tags, tag]
        await self._changed(change, by, row, "tags", desired=False)

    async def retag(self, change: Change, by: Principal, old: str, new: str | None) -> int:
        """Inside the caller's transaction, for who has checked the right: tag *old* of the caller's
        printers is called *new* now, or is gone (None); of how many.
        """
        found = [row.id for row in await self._rows.list(by) if old in row.tags]
        for printer_id in found:
            row = await self._rows.locked(change, printer_id)
            row.tags = forms.renamed(row.tags, old, new)
            await self._changed(change, by, row, "tags", desired=False)
        return len(found)

    async def _enable(
        self, change: Change, by: Principal, row: Printer, *, is_active: bool
    ) -> None:
        if row.is_active != is_active:
            check_quiet(row)
            row.is_active = is_active
            await self._changed(change, by, row, "is_active", desired=True)

    async def _changed(
        self, change: Change, by: Principal, row: Printer, column: str, *, desired: bool
    ) -> None:
        await self._rows.save(change, row, column)
        await self._rows.announce(change, row, structure=False, desired=desired)
        tell(change, by, row, "printer.updated", fields=[column])

    async def load_slot(
        self, by: Principal, printer_id: int, number: int, values: Mapping[str, Any]
    ) -> Printer:
        """Say what is loaded in slot *number* (from 1). Raises `NotFound`."""
        by.require("printers.control")
        await self._rows.get(by, printer_id)
        async with self._ledger.change() as change:
            before = await self._rows.locked(change, printer_id)
            values = {**unconfirmed(before, number, values), **values}
            row = await self.fill_slot(change, by, printer_id, number, values)
            change.note(by, "slot.loaded", ("printer", row.id), slot_number=number, **values)
        return row

    async def fill_slot(
        self,
        change: Change,
        by: Principal | None,
        printer_id: int,
        number: int,
        values: Mapping[str, Any],
    ) -> Printer:
        """`load_slot` inside the caller's transaction, for who has checked the right; *by* None:
        the farm itself.
        """
        row = await self._rows.locked(change, printer_id)
        row.slots = [*with_slot(row, number, values, iso(self._clock.now()))]
        await self._rows.save(change, row, "slots")
        change.record(event(row, "printer.slot", by, slot_number=number))
        return row

    async def serviced(self, change: Change, printer_id: int) -> None:
        """Inside the caller's transaction: somebody has looked after it."""
        row = await self._rows.locked(change, printer_id)
        then = {"print_seconds": row.print_seconds, "print_count": row.print_count}
        row.details = {**row.details, SERVICED: then}
        await self._rows.save(change, row, "details")

    async def not_serviced(self, change: Change, printer_id: int, last_s: float | None) -> None:
        """The same undone: the last time was when it had printed *last_s* (None: there was none),
        and how many prints that was nobody knows.
        """
        row = await self._rows.locked(change, printer_id)
        kept = {name: said for name, said in row.details.items() if name != SERVICED}
        then = {SERVICED: {"print_seconds": last_s, "print_count": None}}
        row.details = kept | (then if last_s is not None else {})
        await self._rows.save(change, row, "details")

    async def clear_errors(self, by: Principal, printer_id: int) -> Printer:
        """Forget the last error that is shown. A printer that is stopped stays stopped."""
        by.require("printers.control")
        await self._rows.get(by, printer_id)
        async with self._ledger.change() as change:
            row = await self._rows.locked(change, printer_id)
            row.last_error = None
            await self._rows.save(change, row, "last_error")
            change.note(by, "printer.errors_cleared", ("printer", row.id), name=row.name)
        return row


def _check_known(wanted: Sequence[int], rows: Mapping[int, Printer]) -> None:
    for printer_id in wanted:
        if printer_id not in rows:
            raise NotFound(
                f"There is no printer number {printer_id}.",
                code="printer_not_found",
                printer_id=printer_id,
            )
