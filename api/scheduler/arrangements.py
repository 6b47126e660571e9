"""What people arrange for the queue of their organization: its hours and its circuits."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from api.clock import Clock
from api.errors import Invalid, NotFound
from api.events.service import Change, Happened, Ledger
from api.principal import Principal
from api.printers.service import Printers
from api.scheduler.hours import DAYS, Hours, Span
from api.scheduler.models import Circuit, Timetable
from api.scheduler.power import Budget, Load

MAX_CIRCUITS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterLoad:
    """A printer on a circuit, in watts."""

    printer_id: int
    heat_up_w: float
    printing_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCircuit:
    """A circuit to be made. Watts, seconds."""

    name: str
    max_w: float
    heat_up_s: float
    loads: Sequence[PrinterLoad]


class Arrangements:
    """Hours and circuits, as people set them and as the queue reads them."""

    def __init__(self, printers: Printers, ledger: Ledger, clock: Clock) -> None:
        self._printers = printers
        self._ledger = ledger
        self._clock = clock
        printers.when_deleted(self._printer_gone)

    # For the queue.

    async def hours(self, organization_id: int) -> Hours:
        """When the queue of an organization may start something."""
        row = await Timetable.filter(organization_id=organization_id).first()
        return Hours() if row is None else hours_of(row)

    async def loads(self, organization_id: int) -> tuple[Sequence[Budget], Mapping[int, Load]]:
        """(the circuits of an organization, what each printer draws from which)."""
        rows = await Circuit.filter(organization_id=organization_id)
        budgets = [Budget(row.id, row.name, row.max_w, row.heat_up_s) for row in rows]
        return budgets, {
            load["printer_id"]: Load(row.id, load["heat_up_w"], load["printing_w"])
            for row in rows
            for load in row.loads
        }

    # Hours.

    async def timetable(self, by: Principal) -> Timetable:
        """The hours of the caller's organization; those of a farm that set none."""
        by.require("jobs.read")
        row = await Timetable.filter(organization_id=by.organization_id).first()
        return row or Timetable(organization_id=by.organization_id, updated_at=self._clock.now())

    async def set_timetable(self, by: Principal, values: Mapping[str, Any]) -> Timetable:
        """Set what *values* name. Raises `Invalid` for half a blackout."""
        by.require("organizations.admin")
        async with self._ledger.change() as change:
            row = await Timetable.filter(organization_id=by.organization_id).first()
            is_new = row is None
            row = row or Timetable(organization_id=by.organization_id)
            row.update_from_dict(dict(values))
            if (row.blackout_start is None) != (row.blackout_end is None):
                raise Invalid(
                    "blackout_start: a blackout has a start and an end, or neither",
                    code="validation_failed",
                    field="blackout_start",
                )
            row.updated_at = self._clock.now()
            await row.save(force_create=is_new)
            entity = ("organization", by.organization_id)
            change.note(by, "scheduler.hours_updated", entity, fields=sorted(values))
            change.wake("scheduler")
        return row

    # Circuits.

    async def circuits(self, by: Principal) -> Sequence[Circuit]:
        """The circuits of the caller's organization."""
        by.require("printers.read")
        return await Circuit.filter(organization_id=by.organization_id).order_by("id")

    async def create_circuit(self, by: Principal, new: NewCircuit) -> Circuit:
        """Make one. Raises `NotFound` (a printer) or `Invalid` (its name, a printer elsewhere)."""
        by.require("printers.admin")
        await self._check_printers(by, new.loads)
        now = self._clock.now()
        row = Circuit(
            organization_id=by.organization_id,
            name=new.name,
            max_w=new.max_w,
            heat_up_s=new.heat_up_s,
            loads=[asdict(load) for load in new.loads],
            created_at=now,
            updated_at=now,
        )
        async with self._ledger.change() as change:
            if await Circuit.filter(organization_id=by.organization_id).count() >= MAX_CIRCUITS:
                raise Invalid(f"A farm has {MAX_CIRCUITS} circuits at most.")
            await self._check(row)
            await row.save()
            _tell(change, by, row, "circuit.created")
        return row

    async def update_circuit(
        self, by: Principal, circuit_id: int, values: Mapping[str, Any]
    ) -> Circuit:
        """Change what *values* name; ``loads`` as `PrinterLoad`. Raises as `create_circuit`."""
        by.require("printers.admin")
        wanted = dict(values)
        if "loads" in wanted:
            await self._check_printers(by, wanted["loads"])
            wanted["loads"] = [asdict(load) for load in wanted["loads"]]
        async with self._ledger.change() as change:
            row = await _theirs(by, circuit_id)
            row.update_from_dict(wanted)
            await self._check(row)
            row.updated_at = self._clock.now()
            await row.save()
            _tell(change, by, row, "circuit.updated", fields=sorted(wanted))
        return row

    async def delete_circuit(self, by: Principal, circuit_id: int) -> None:
        """Take it away; its printers are limited by nothing then. Raises `NotFound`."""
        by.require("printers.admin")
        async with self._ledger.change() as change:
            row = await _theirs(by, circuit_id)
            await row.delete()
            _tell(change, by, row, "circuit.deleted")

    async def _check_printers(self, by: Principal, loads: Sequence[PrinterLoad]) -> None:
        for load in loads:
            await self._printers.get(by, load.printer_id)

    async def _check(self, row: Circuit) -> None:
        mine = {load["printer_id"] for load in row.loads}
        for other in await Circuit.filter(organization_id=row.organization_id):
            if other.id == row.id:
                continue
            if other.name == row.name:
                raise Invalid(f"Circuit '{row.name}' already exists", code="name_taken")
            for load in other.loads:
                if load["printer_id"] in mine:
                    raise Invalid(
                        f"Printer {load['printer_id']} is on circuit {other.name} already.",
                        code="validation_failed",
                        field="printers",
                    )

    async def _printer_gone(self, change: Change, printer_id: int) -> None:
        for row in await Circuit.all():
            kept = [load for load in row.loads if load["printer_id"] != printer_id]
            if len(kept) < len(row.loads):
                row.loads = kept
                await row.save(update_fields=["loads"])


def hours_of(row: Timetable) -> Hours:
    """The hours that a row means."""
    blackout = None
    if row.blackout_start is not None and row.blackout_end is not None:
        blackout = _span((row.blackout_start, row.blackout_end))
    return Hours(
        zone=ZoneInfo(row.zone),
        working={day: [_span(span) for span in row.working.get(day, ())] for day in DAYS}
        if row.working
        else {},
        blackout=blackout,
    )


def _span(span: Sequence[str]) -> Span:
    return time.fromisoformat(span[0]), time.fromisoformat(span[1])


async def _theirs(by: Principal, circuit_id: int) -> Circuit:
    row = await Circuit.filter(id=circuit_id, organization_id=by.organization_id).first()
    if row is None:
        raise NotFound(f"There is no circuit {circuit_id}.", code="circuit_not_found")
    return row


def _tell(change: Change, by: Principal, row: Circuit, kind: str, **data: Any) -> None:
    facts = {"circuit_id": row.id, "name": row.name, **data}
    change.record(Happened(row.organization_id, kind, user_id=by.user_id, data=facts))
    change.note(by, kind, ("circuit", row.id), name=row.name, **data)
    change.wake("scheduler")
