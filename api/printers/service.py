"""Printers: what is where, who holds it, what its plate and its queue wait for.

Reads come from memory (`api.printers.rows`); whoever takes part in a change reads with `locked`.
The one attempt that holds a printer is taken and given back by conditional updates only, in the
caller's transaction, so of many who try at once exactly one wins.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from ulid import ULID

from api.bus.local import Bus
from api.clock import Clock
from api.errors import NotFound
from api.events.service import Change, Ledger
from api.principal import Principal
from api.printers import forms, places, plate
from api.printers.checks import busy, changing, check_quiet, check_startable
from api.printers.drafts import config, event, new_row, parse_update, tell
from api.printers.forms import PrinterCreate
from api.printers.models import Printer, Slug
from api.printers.places import BridgeRoom
from api.printers.profiles import Profiles
from api.printers.reported import Reported
from api.printers.rows import STRUCTURE, PrinterRows, bell
from api.printers.upkeep import Upkeep
from schemas.facts import CardFact, PrinterFact
from schemas.jobs import AttemptState
from schemas.printer import PrinterConfig, Profile

__all__ = ["Printer", "PrinterCreate", "Printers"]

MAX_REASON = 200

DeleteHook = Callable[[Change, int], Awaitable[object]]
#: Asked with the printer, and whether its room is there.
ClearCheck = Callable[[Printer, bool], Awaitable[object]]
#: Temperature offsets in °C by printer and heater, of those of these printers that have any.
OffsetsOf = Callable[[Collection[int]], Awaitable[Mapping[int, Mapping[str, float]]]]


class Printers:
    """The printers of the farm."""

    def __init__(self, bridges: BridgeRoom, ledger: Ledger, clock: Clock, bus: Bus) -> None:
        self._bridges = bridges
        self._ledger = ledger
        self._clock = clock
        self._rows = PrinterRows(bus)
        self.upkeep = Upkeep(self, ledger, clock)
        self.profiles = Profiles(self, ledger, clock)
        self.reported = Reported(self, clock)
        self.delete_hooks: list[DeleteHook] = []
        self.clear_check: ClearCheck | None = None  # before a plate is called clear from afar
        self._offsets_of: OffsetsOf | None = None

    def when_deleted(self, hook: DeleteHook) -> None:
        """Call *hook* (change, printer id) in the transaction that deletes a printer."""
        self.delete_hooks.append(hook)

    def offsets_from(self, source: OffsetsOf) -> None:
        """Ask *source* for the temperature offsets that bridges are told."""
        self._offsets_of = source

    # Reading. Rows are shared and never older than the last commit; do not change them.

    async def list(self, by: Principal, organization_id: int | None = None) -> Sequence[Printer]:
        """The caller's printers in display order; a superadmin may name another organization."""
        by.require("printers.read")
        other = organization_id if by.is_superadmin else None
        rows = await self._rows.of_organization(other or by.organization_id)
        return rows if by.printer_id is None else [row for row in rows if by.reaches(row.id)]

    async def seen_by(self, by: Principal, organization_id: int | None = None) -> Sequence[Printer]:
        """As `list`, and what others share; a superadmin's are all. To look at only (v1 1.4)."""
        rows = await self.list(by, organization_id)
        if by.is_superadmin and organization_id is None and by.printer_id is None:
            return await self._rows.everything()
        if organization_id is not None or by.printer_id is not None:
            return rows
        return [*rows, *await self._rows.shared_by_others(by.organization_id)]

    async def look_at(self, by: Principal, printer_id: int) -> Printer:
        """One printer, to look at only: as `seen_by`. Raises `NotFound`."""
        row = await self._rows.one(printer_id)
        if row is not None and (row.shared or by.is_superadmin) and by.printer_id is None:
            return row
        return self._theirs(by, row, f"number {printer_id}")

    async def get(self, by: Principal, printer_id: int) -> Printer:
        """One printer. Raises `NotFound` for what is not there or not the caller's."""
        return self._theirs(by, await self._rows.one(printer_id), f"number {printer_id}")

    async def find(self, printer_id: int) -> Printer | None:
        """The printer, whosever it is; None when there is none. For the farm itself."""
        return await self._rows.one(printer_id)

    async def by_slug(self, by: Principal, slug: str) -> Printer:
        """The printer with this slug. Raises `NotFound`."""
        return self._theirs(by, await self._rows.of_slug(slug), f"called {slug!r}")

    async def find_slug(self, slug: str) -> Printer | None:
        """The printer at this address, whosever it is; None when there is none. For the farm."""
        return await self._rows.of_slug(slug)

    async def default_printer(self, by: Principal) -> Printer:
        """The printer of a bound key, else the organization's first. Raises `NotFound`."""
        if by.printer_id is not None:
            return await self.get(by, by.printer_id)
        rows = await self._rows.of_organization(by.organization_id)
        first = min(rows, key=lambda row: row.id, default=None)
        return self._theirs(by, first, "yet")

    async def on_bridge(self, bridge_id: int) -> Sequence[Printer]:
        """The printers of one room."""
        return await self._rows.of_bridge(bridge_id)

    async def numbers_on(self, bridge_id: int) -> frozenset[int]:
        """The printers that a bridge may speak for, as the rows say, not memory."""
        return await self._rows.numbers_on(bridge_id)

    async def everything(self) -> Sequence[Printer]:
        """All printers of the deployment, for the queue."""
        return await self._rows.everything()

    async def desired(self, bridge_id: int) -> Sequence[PrinterConfig]:
        """The room's printers as they should be."""
        rows = await self.on_bridge(bridge_id)
        ask = self._offsets_of
        offsets_c = await ask([row.id for row in rows]) if ask is not None else {}
        return [config(row, offsets_c.get(row.id)) for row in rows]

    def now(self) -> datetime:
        """The farm's time, for whoever shows how long ago something was."""
        return self._clock.now()

    def reachable(self, printer: Printer) -> bool:
        """Whether its room is online; a printer that people run by hand always is."""
        return printer.bridge_id is None or self._bridges.online(printer.bridge_id)

    @staticmethod
    def profile(printer: Printer) -> Profile:
        """What the printer is and may do."""
        return msgspec.convert(printer.profile, Profile)

    @staticmethod
    def _theirs(by: Principal, row: Printer | None, what: str) -> Printer:
        if row is None or row.organization_id != by.organization_id or not by.reaches(row.id):
            raise NotFound(f"There is no printer {what}.", code="printer_not_found")
        return row

    # Making and changing.

    async def create(self, by: Principal, new: PrinterCreate) -> Printer:
        """Make a printer, on a bridge's port or run by hand.

        Raises `Invalid` (a field, ``port_not_found``, ``name_taken``), `Conflict`
        (``port_in_use``) or `NotFound` (the bridge).
        """
        by.require("printers.write")
        row = new_row(by, await self.profiles.followed(by, new), self._clock.now())
        await places.check_port(self._bridges, by, row.bridge_id, row.port_id)
        async with self._ledger.change() as change:
            await places.check_free(row)
            row.slug = await self.claim_slug(change, row.name, "printer")
            await row.save()
            tell(change, by, row, "printer.created")
            await self.announce(change, row, structure=True, desired=True)
        return row

    async def update(self, by: Principal, printer_id: int, values: Mapping[str, Any]) -> Printer:
        """Set the settable fields in *values*, ignore the rest. Raises as `create` does.

        What the printer works by cannot change while it prints: `Conflict` ``printer_busy``.
        """
        by.require("printers.write")
        row = await self.get(by, printer_id)
        wanted = {name: value for name, value in values.items() if name in forms.SETTABLE}
        wanted = await self.profiles.wanted(by, row, wanted)
        await places.check_move(self._bridges, by, row, wanted)
        async with self._ledger.change() as change:
            row = await self.locked(change, printer_id)
            parsed, left = parse_update(row, wanted), row.bridge_id
            if parsed.keys() & forms.QUIET_FIELDS:
                places.check_rest(self._bridges, row, parsed)
            row.update_from_dict(parsed)
            await places.check_free(row)
            await self.save(change, row, *parsed)
            tell(change, by, row, "printer.updated", fields=sorted(parsed))
            structure = bool(parsed.keys() & {"bridge_id", "port_id", "sort_order", "shared"})
            desired = bool(parsed.keys() & forms.BRIDGE_FIELDS)
            if left is not None and "bridge_id" in parsed:
                await self._bridges.raise_desired(change, left)
            await self.announce(change, row, structure=structure, desired=desired)
        return row

    async def delete(self, by: Principal, printer_id: int) -> None:
        """Delete softly: history stays, its keys die, its queue becomes unassigned.

        Raises `Conflict` ``printer_busy`` while it prints.
        """
        by.require("printers.write")
        await self.get(by, printer_id)
        async with self._ledger.change() as change:
            row = await self.locked(change, printer_id)
            check_quiet(row, is_away=places.is_away(self._bridges, row))
            row.deleted_at = self._clock.now()
            await self.save(change, row, "deleted_at")
            for hook in self.delete_hooks:
                await hook(change, printer_id)
            tell(change, by, row, "printer.deleted")
            await self.announce(change, row, structure=True, desired=True)

    async def select_file(
        self, by: Principal, printer_id: int, selection: Mapping[str, Any] | None
    ) -> None:
        """Remember the file that the OctoPrint face has selected; None selects nothing."""
        await self.get(by, printer_id)
        async with self._ledger.change() as change:
            row = await self.locked(change, printer_id)
            row.selected_file = dict(selection) if selection is not None else None
            await self.save(change, row, "selected_file")
            path = selection.get("path") if selection is not None else None
            change.record(event(row, "printer.selected", None, path=path))

    # Inside somebody's transaction.

    async def claim_slug(self, change: Change, name: str, otherwise: str) -> str:
        """An address made of *name* (*otherwise* when nothing is left of it) that no printer and
        no pool has or ever had; from now on it is taken.
        """
        base = forms.slug_base(name, otherwise)
        printers = await Printer.filter(slug__startswith=base).values_list("slug", flat=True)
        claimed = await Slug.filter(slug__startswith=base).values_list("slug", flat=True)
        slug = forms.free_slug(base, {str(taken) for taken in (*printers, *claimed)})
        await Slug.create(slug=slug)
        return slug

    async def locked(self, change: Change, printer_id: int) -> Printer:
        """The row as this transaction sees it. Raises `NotFound`."""
        row = await Printer.filter(id=printer_id, deleted_at=None).first()
        if row is None:
            raise NotFound(f"There is no printer number {printer_id}.", code="printer_not_found")
        return row

    async def take(self, change: Change, printer: Printer, grant: str, *, explicit: bool) -> str:
        """Give the printer to attempt *grant*; returns the plate claim that it consumes.

        Raises `Conflict`: ``stopped``, ``printer_not_operational``, ``printer_busy`` or
        ``plate_not_clear``. Nothing has changed then.
        """
        rows = Printer.filter(id=printer.id, deleted_at=None).select_for_update(skip_locked=True)
        row = await rows.first()
        if row is None:  # somebody else holds it: nobody waits with everybody behind them
            raise changing(await self.locked(change, printer.id))
        check_startable(row, explicit=explicit)
        free = Printer.filter(id=row.id, active_grant=None, state=row.state)
        if not await free.update(active_grant=grant, updated_at=self._clock.now()):
            raise busy(row)
        change.wake(f"printer:{row.id}", bell(row.id))
        return row.plate_claim or str(ULID.from_datetime(self._clock.now()))

    async def taken(self, change: Change, printer_id: int, grant: str) -> Printer:
        """Its room says that this attempt has the printer: so it has, whoever had it before."""
        row = await self.locked(change, printer_id)
        row.active_grant = grant
        await self.save(change, row, "active_grant")
        return row

    async def give_back(
        self,
        change: Change,
        printer_id: int,
        grant: str,
        outcome: AttemptState,
        *,
        untouched: bool = False,
        printed_s: float = 0.0,
    ) -> bool:
        """The attempt is over; False when it did not hold the printer (nothing changes then).

        *untouched*: nothing was printed although the outcome is not `not_started`.
        """
        row = await Printer.filter(id=printer_id, active_grant=grant).first()
        if row is None:
            return False
        row.active_grant = None
        if outcome is not AttemptState.NOT_STARTED and not untouched:
            row.plate_state = plate.plate_after(row.plate_policy)
            row.plate_claim = ""
            row.plate_changed_at = self._clock.now()
            row.print_count += 1
            row.print_seconds += printed_s
        row.queue_hold = plate.HOLD_AFTER.get(outcome, row.queue_hold)
        await self.save(
            change,
            row,
            *("active_grant", "plate_state", "plate_claim", "plate_changed_at"),
            *("print_count", "print_seconds", "queue_hold"),
        )
        await self.profiles.apply_waiting(change, row)
        change.wake("scheduler")
        return True

    async def record_state(self, change: Change, fact: PrinterFact) -> Printer | None:
        """A bridge reported this printer's state. None when there is no such printer (any more)."""
        row = await self.reported.state(change, fact)
        if row is not None:
            await self.profiles.apply_waiting(change, row)
        return row

    async def record_firmware(
        self, change: Change, printer_id: int, firmware: Mapping[str, Any]
    ) -> None:
        """What the printer says of itself; of a printer that is gone it is dropped."""
        await self.reported.firmware(change, printer_id, firmware)

    async def record_plate(self, change: Change, printer_id: int) -> None:
        """A person at the machine says that its plate is clear; while it prints that is no news."""
        await self.reported.plate(change, printer_id)

    async def record_card(self, change: Change, fact: CardFact) -> None:
        """What is on the printer's own card; of a printer that is gone it is dropped."""
        await self.reported.card(change, fact)

    async def hold_in(self, change: Change, printer_id: int, reason: str) -> None:
        """The printer's queue waits for a person from now on."""
        row = await self.locked(change, printer_id)
        row.queue_hold = reason[:MAX_REASON]
        await self.save(change, row, "queue_hold")
        change.record(event(row, "printer.queue_held", None, reason=row.queue_hold))

    # Plate and queue, by people.

    async def plate_cleared(self, by: Principal, printer_id: int) -> Printer:
        """Somebody says that the plate is clear: a claim for one start. Said twice it is one.

        Raises `Conflict` ``printer_busy`` while an attempt holds the printer, and `Unavailable`
        ``job_lent`` while its room is away and may have begun one.
        """
        by.require("printers.control")
        await self.get(by, printer_id)
        async with self._ledger.change() as change:
            row = await self.locked(change, printer_id)
            if row.active_grant is not None:
                raise busy(row)
            if self.clear_check is not None:
                await self.clear_check(row, self.reachable(row))
            if row.plate_state != plate.PlateState.CLEAR:
                row.plate_state = plate.PlateState.CLEAR
                row.plate_claim = str(ULID.from_datetime(self._clock.now()))
                row.plate_changed_at = self._clock.now()
                await self.save(change, row, "plate_state", "plate_claim", "plate_changed_at")
                tell(change, by, row, "printer.plate_cleared")
                change.wake("scheduler")
        return row

    async def hold_queue(self, by: Principal, printer_id: int, reason: str = "") -> Printer:
        """Nothing more starts by itself on this printer until somebody releases its queue."""
        by.require("printers.control")
        await self.get(by, printer_id)
        async with self._ledger.change() as change:
            await self.hold_in(change, printer_id, reason or f"Held by {by.username}.")
            change.note(by, "printer.queue_held", ("printer", printer_id), reason=reason)
        return await self.get(by, printer_id)

    async def release_queue(self, by: Principal, printer_id: int) -> Printer:
        """The queue of this printer runs again."""
        by.require("printers.control")
        await self.get(by, printer_id)
        async with self._ledger.change() as change:
            row = await self.locked(change, printer_id)
            if row.queue_hold:
                row.queue_hold = ""
                await self.save(change, row, "queue_hold")
                tell(change, by, row, "printer.queue_released")
                change.wake("scheduler")
        return row

    async def save(self, change: Change, row: Printer, *names: str) -> None:
        """Write these columns, and tell who holds the row in memory."""
        row.updated_at = self._clock.now()
        await row.save(update_fields=[*names, "updated_at"])
        change.wake(f"printer:{row.id}", bell(row.id))

    async def announce(
        self, change: Change, row: Printer, *, structure: bool, desired: bool
    ) -> None:
        """Tell who keeps the set of printers (*structure*) and its bridge (*desired*)."""
        if structure:
            change.wake(STRUCTURE)
        if desired and row.bridge_id is not None:
            await self._bridges.raise_desired(change, row.bridge_id)
            change.wake(f"bridge:{row.bridge_id}")
        change.wake(f"printer:{row.id}", bell(row.id), "scheduler")
