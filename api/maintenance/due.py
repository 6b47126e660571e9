"""When a task is due on a printer (v1 contract, 2.8). Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from api.maintenance.models import MaintenanceLog, MaintenanceTask
from api.printers.service import Printer

SOON_PERCENT = 80.0
MAX_PERCENT = 150.0


class DueStatus(StrEnum):
    """How near a task is; the first is the best."""

    OK = "ok"
    DUE_SOON = "due_soon"
    OVERDUE = "overdue"


RANK = {status: rank for rank, status in enumerate(DueStatus)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A task on a printer. *percent* of its interval has passed, 150 at most."""

    task: MaintenanceTask
    printer: Printer
    last: MaintenanceLog | None
    hours_since: float
    days_since: int
    percent: float
    status: DueStatus


def applies(task: MaintenanceTask, printer: Printer) -> bool:
    """Whether *task* is for this printer: no filter, or a part of its model, in any case."""
    wanted = (task.printer_model_filter or "").casefold()
    return wanted in (printer.model or "").casefold()


def print_hours(printer: Printer) -> float:
    """What *printer* has printed so far, in hours."""
    return round(float(printer.print_seconds) / 3600, 6)


def due_of(
    task: MaintenanceTask, printer: Printer, last: MaintenanceLog | None, now: datetime
) -> Due:
    """How near *task* is; without a log everything that was printed counts, and every day since
    the printer was made.
    """
    since = last.performed_at if last is not None else printer.created_at
    hours = print_hours(printer) - (last.print_hours_at_service if last is not None else 0.0)
    hours = round(max(0.0, hours), 6)
    days = max(0, (now - since).days)
    percent = max(_percent(hours, task.interval_print_hours), _percent(days, task.interval_days))
    return Due(
        task=task,
        printer=printer,
        last=last,
        hours_since=hours,
        days_since=days,
        percent=round(min(percent, MAX_PERCENT), 1),
        status=_status(percent),
    )


def _percent(passed: float, interval: float | None) -> float:
    return 100.0 * passed / interval if interval else 0.0


def _status(percent: float) -> DueStatus:
    if percent >= 100:
        return DueStatus.OVERDUE
    return DueStatus.DUE_SOON if percent >= SOON_PERCENT else DueStatus.OK
