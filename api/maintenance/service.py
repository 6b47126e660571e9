"""Maintenance of printers: tasks, when they are due, and what was done (v1 contract, 2.8).

Whether a task is due is computed from what its printers have printed, from the days that have
passed and from its logs, at every look. That one is overdue is told by `api.maintenance.overdue`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.clock import Clock
from api.errors import Invalid, NotFound
from api.events.rehearsal import would
from api.events.service import Change, Happened, Ledger
from api.maintenance.defaults import DEFAULT_TASKS
from api.maintenance.due import Due, DueStatus, applies, due_of, print_hours
from api.maintenance.models import MaintenanceLog, MaintenanceTask
from api.maintenance.overdue import Overdue, last_logs, open_tasks
from api.principal import Principal
from api.printers.service import Printer, Printers

__all__ = ["Due", "Maintenance", "MaintenanceLog", "MaintenanceTask", "NewLog"]

MAX_TASKS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLog:
    """Something that was done. *task_name* may be left out with *task_id*, and *printer_id* too:
    then it was done on every printer on which it is overdue, or else on all that it is for.
    """

    task_id: int | None = None
    printer_id: int | None = None
    task_name: str | None = None
    performed_by: str | None = None
    notes: str | None = None
    cost: float = 0.0
    downtime_minutes: int = 0


class Maintenance:
    """The maintenance of the farm."""

    def __init__(self, printers: Printers, ledger: Ledger, clock: Clock) -> None:
        self._printers = printers
        self._ledger = ledger
        self._clock = clock
        self.overdue = Overdue(printers, ledger, clock)

    # Reading.

    async def tasks(self, by: Principal, *, overdue: bool) -> Sequence[MaintenanceTask]:
        """The tasks by number; only those that are overdue somewhere."""
        by.require("maintenance.read")
        tasks: list[MaintenanceTask] = await open_tasks(by.organization_id).order_by("id")
        if not overdue:
            return tasks
        late = {one.task.id for one in await self._dues(by, tasks) if _is_late(one)}
        return [task for task in tasks if task.id in late]

    async def status(self, by: Principal) -> Sequence[tuple[Printer, Sequence[Due]]]:
        """Every active printer with its tasks, the nearest first."""
        by.require("maintenance.read")
        dues = await self._dues(by, await open_tasks(by.organization_id).order_by("id"))
        found: dict[int, list[Due]] = {}
        for one in sorted(dues, key=lambda due: -due.percent):
            found.setdefault(one.printer.id, []).append(one)
        rows = [row for row in await self._printers.list(by) if row.is_active]
        return [(row, found.get(row.id, [])) for row in rows]

    async def _dues(self, by: Principal, tasks: Sequence[MaintenanceTask]) -> list[Due]:
        last = await last_logs(by.organization_id)
        now = self._clock.now()
        printers = [row for row in await self._printers.list(by) if row.is_active]
        return [
            due_of(task, printer, last.get((task.id, printer.id)), now)
            for task in tasks
            if task.is_active
            for printer in printers
            if applies(task, printer)
        ]

    async def logs(
        self, by: Principal, printer_id: int | None, skip: int, limit: int
    ) -> tuple[Sequence[MaintenanceLog], int]:
        """(a page, the newest first, how many there are)."""
        by.require("maintenance.read")
        rows = MaintenanceLog.filter(organization_id=by.organization_id)
        if printer_id is not None:
            rows = rows.filter(printer_id=printer_id)
        return await rows.order_by("-id").offset(skip).limit(limit), await rows.count()

    # Tasks.

    async def create_task(self, by: Principal, values: Mapping[str, Any]) -> MaintenanceTask:
        """A new task. Raises `Invalid` when there are too many."""
        by.require("maintenance.write")
        async with self._ledger.change() as change:
            await self._check_room(by, 1)
            row = await self._new_task(change, by, values)
        return row

    async def add_defaults(self, by: Principal) -> tuple[int, int]:
        """(tasks that were made, tasks that were there already, by name)."""
        by.require("maintenance.admin")
        async with self._ledger.change() as change:
            await self._check_room(by, len(DEFAULT_TASKS))
            known = {row.name for row in await open_tasks(by.organization_id)}
            missing = [task for task in DEFAULT_TASKS if task["name"] not in known]
            for task in missing:
                await self._new_task(change, by, task)
        return len(missing), len(DEFAULT_TASKS) - len(missing)

    async def update_task(
        self, by: Principal, task_id: int, values: Mapping[str, Any]
    ) -> MaintenanceTask:
        """Change what *values* name. Raises `NotFound`."""
        by.require("maintenance.write")
        async with self._ledger.change() as change:
            row = await self._task(by, task_id)
            row.update_from_dict(dict(values))
            await row.save()
            _tell(change, by, row, "maintenance.task_updated", fields=sorted(values))
        return row

    async def delete_task(self, by: Principal, task_id: int) -> None:
        """Gone; its logs stay. Raises `NotFound`."""
        by.require("maintenance.admin")
        async with self._ledger.change() as change:
            row = await self._task(by, task_id)
            row.deleted_at = self._clock.now()
            await row.save(update_fields=["deleted_at"])
            _tell(change, by, row, "maintenance.task_deleted")

    async def _new_task(
        self, change: Change, by: Principal, values: Mapping[str, Any]
    ) -> MaintenanceTask:
        row = await MaintenanceTask.create(
            organization_id=by.organization_id, created_at=self._clock.now(), **values
        )
        _tell(change, by, row, "maintenance.task_created")
        return row

    @staticmethod
    async def _check_room(by: Principal, more: int) -> None:
        if await open_tasks(by.organization_id).count() + more > MAX_TASKS:
            raise Invalid(f"There are at most {MAX_TASKS} maintenance tasks.")

    @staticmethod
    async def _task(by: Principal, task_id: int) -> MaintenanceTask:
        row = await open_tasks(by.organization_id).filter(id=task_id).first()
        if row is None:
            raise NotFound(
                f"There is no maintenance task {task_id}.",
                code="maintenance_task_not_found",
                task_id=task_id,
            )
        return row

    # Logs.

    async def log(self, by: Principal, new: NewLog) -> Sequence[MaintenanceLog]:
        """Something was done, on one printer or on several (see `NewLog`); one log for each.

        Raises `NotFound` (task, printer) or `Invalid` (nothing says on what, or what).
        """
        by.require("maintenance.log")
        async with self._ledger.change() as change:
            task = None if new.task_id is None else await self._task(by, new.task_id)
            name = new.task_name or (task.name if task is not None else None)
            if name is None:
                raise _missing("task_name", "name what was done, or its task_id")
            printers = await self._serviced(by, task, new.printer_id)
            rows = [await self._write(change, by, new, name, printer) for printer in printers]
            would("complete_maintenance", **_shown(new, rows[0], printers))
        return rows

    async def _serviced(
        self, by: Principal, task: MaintenanceTask | None, printer_id: int | None
    ) -> Sequence[Printer]:
        """The printers on which it was done, one at least."""
        if printer_id is not None:
            return [await self._printers.get(by, printer_id)]
        if task is None:
            raise _missing("printer_id", "name the printer, or the task_id")
        dues = [one for one in await self._dues(by, [task])]
        late = [one.printer for one in dues if _is_late(one)]
        found = late or [one.printer for one in dues]
        if not found:
            raise _missing("printer_id", "this task is for no active printer; name one")
        return found

    async def _write(
        self, change: Change, by: Principal, new: NewLog, name: str, printer: Printer
    ) -> MaintenanceLog:
        row = await MaintenanceLog.create(
            organization_id=by.organization_id,
            printer_id=printer.id,
            task_id=new.task_id,
            task_name=name,
            performed_at=self._clock.now(),
            performed_by=new.performed_by or by.username[:100],
            notes=new.notes,
            cost=new.cost,
            downtime_minutes=new.downtime_minutes,
            print_hours_at_service=print_hours(printer),
        )
        await self._printers.upkeep.serviced(change, printer.id)
        facts = {"log_id": row.id, "task_id": new.task_id, "task_name": name}
        change.record(
            Happened(
                organization_id=by.organization_id,
                kind="maintenance.done",
                printer_id=printer.id,
                user_id=by.user_id,
                data=facts,
            )
        )
        change.note(by, "maintenance.done", ("printer", printer.id), **facts)
        return row

    async def _undo(self, change: Change, undone: MaintenanceLog) -> None:
        """The printer shows what was printed since the newest log that is left, if any is."""
        last = await MaintenanceLog.filter(printer_id=undone.printer_id).order_by("-id").first()
        there = await self._printers.find(undone.printer_id) is not None
        if there and (last is None or last.id < undone.id):
            last_s = None if last is None else last.print_hours_at_service * 3600
            await self._printers.upkeep.not_serviced(change, undone.printer_id, last_s)

    async def delete_log(self, by: Principal, log_id: int) -> None:
        """It was not done after all. Raises `NotFound`."""
        by.require("maintenance.admin")
        async with self._ledger.change() as change:
            rows = MaintenanceLog.filter(id=log_id, organization_id=by.organization_id)
            row = await rows.first()
            if row is None:
                raise NotFound(
                    f"There is no maintenance log {log_id}.", code="maintenance_log_not_found"
                )
            await row.delete()
            await self._undo(change, row)
            entity = ("maintenance_log", log_id)
            change.note(by, "maintenance.log_deleted", entity, task_name=row.task_name)


def _is_late(one: Due) -> bool:
    return one.status is DueStatus.OVERDUE


def _missing(field: str, text: str) -> Invalid:
    return Invalid(f"{field}: {text}", code="validation_failed", field=field)


def _shown(new: NewLog, row: MaintenanceLog, printers: Sequence[Printer]) -> dict[str, Any]:
    """A log as a dry run shows it."""
    return {
        "printer_id": row.printer_id,
        "printer_name": printers[0].name,
        "printer_ids": [printer.id for printer in printers],
        "task_id": row.task_id,
        "task_name": row.task_name,
        "notes": new.notes,
        "cost": new.cost,
        "downtime_minutes": new.downtime_minutes,
        "print_hours_at_service": row.print_hours_at_service,
    }


def _tell(change: Change, by: Principal, row: MaintenanceTask, kind: str, **data: Any) -> None:
    facts = {"task_id": row.id, "task_name": row.name, **data}
    change.record(Happened(row.organization_id, kind, user_id=by.user_id, data=facts))
    change.note(by, kind, ("maintenance_task", row.id), name=row.name, **data)
