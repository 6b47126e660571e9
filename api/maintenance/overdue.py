"""Tells once that a task is overdue: after prints, and when days have passed (v1 contract, 2.8).

An event, and so an alert, in the transaction with the note that it was told; a log of the task on
the printer makes it ready to be told again.
"""

from collections.abc import Sequence

from tortoise.functions import Max
from tortoise.queryset import QuerySet

from api.clock import Clock
from api.events.service import Change, Happened, Ledger
from api.hourly import hourly
from api.maintenance.due import Due, DueStatus, applies, due_of
from api.maintenance.models import MaintenanceLog, MaintenanceNotice, MaintenanceTask
from api.printers.service import Printer, Printers

_DONE = ("job.completed", "job.printed_one")


class Overdue:
    """Who tells."""

    def __init__(self, printers: Printers, ledger: Ledger, clock: Clock) -> None:
        self._printers = printers
        self._ledger = ledger
        self._clock = clock
        ledger.follow(self.follow)

    async def run(self) -> None:
        """Look every hour, until cancelled; what goes wrong is logged."""
        await hourly(self.step, "the look at maintenance")

    async def step(self) -> int:
        """Tell what days, or anything else, has made overdue since it was last told; how much."""
        tasks = await MaintenanceTask.filter(deleted_at=None, is_active=True)
        printers = await self._printers.everything()
        told = 0
        for organization_id in sorted({task.organization_id for task in tasks}):
            theirs = [task for task in tasks if task.organization_id == organization_id]
            rows = [row for row in printers if row.organization_id == organization_id]
            if await self._untold(organization_id, theirs, rows):
                async with self._ledger.change(organization_id) as change:
                    told += await self._tell(change, organization_id, theirs, rows)
        return told

    async def follow(self, change: Change, happened: Sequence[Happened]) -> None:
        """A print that is done may have made tasks overdue on its printer."""
        for event in happened:
            if event.kind in _DONE and event.printer_id is not None:
                tasks = await open_tasks(event.organization_id).filter(is_active=True)
                if tasks:
                    printer = await self._printers.locked(change, event.printer_id)
                    await self._tell(change, event.organization_id, tasks, [printer])

    async def _tell(
        self,
        change: Change,
        organization_id: int,
        tasks: Sequence[MaintenanceTask],
        printers: Sequence[Printer],
    ) -> int:
        late = await self._untold(organization_id, tasks, printers)
        for one in late:
            await MaintenanceNotice.update_or_create(
                task_id=one.task.id,
                printer_id=one.printer.id,
                defaults={"organization_id": organization_id, "told_at": self._clock.now()},
            )
            facts = {
                "task_id": one.task.id,
                "task_name": one.task.name,
                "printer_name": one.printer.name,
            }
            change.record(
                Happened(organization_id, "maintenance.overdue", one.printer.id, data=facts)
            )
        return len(late)

    async def _untold(
        self,
        organization_id: int,
        tasks: Sequence[MaintenanceTask],
        printers: Sequence[Printer],
    ) -> list[Due]:
        """What is overdue and was not told since it was done last."""
        now = self._clock.now()
        last = await last_logs(organization_id)
        notices = await MaintenanceNotice.filter(organization_id=organization_id)
        told = {(one.task_id, one.printer_id): one.told_at for one in notices}
        found = []
        for printer in printers:
            for task in tasks:
                one = due_of(task, printer, last.get((task.id, printer.id)), now)
                at = told.get((task.id, printer.id))
                is_told = at is not None and (one.last is None or at >= one.last.performed_at)
                late = one.status is DueStatus.OVERDUE and printer.is_active
                if late and not is_told and applies(task, printer):
                    found.append(one)
        return found


def open_tasks(organization_id: int) -> QuerySet[MaintenanceTask]:
    """The tasks of an organization that are not deleted."""
    return MaintenanceTask.filter(organization_id=organization_id, deleted_at=None)


async def last_logs(organization_id: int) -> dict[tuple[int, int], MaintenanceLog]:
    """The newest log of each task on each printer."""
    rows = MaintenanceLog.filter(organization_id=organization_id, task_id__not_isnull=True)
    newest = rows.annotate(newest=Max("id")).group_by("task_id", "printer_id")
    ids = [row["newest"] for row in await newest.values("newest")]
    found = await MaintenanceLog.filter(id__in=ids) if ids else []
    return {(row.task_id or 0, row.printer_id): row for row in found}
