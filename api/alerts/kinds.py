"""Which events people are alerted to, how urgently, and whom (v1 contract, 2.7 and 4.1). Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from api.events.service import Happened
from schemas.jobs import JobState
from schemas.printer import PrinterState


class Severity(StrEnum):
    """How urgent."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertType(StrEnum):
    """What it is about: the contract's types that the farm has a source for, and ours."""

    PRINT_COMPLETE = "print_complete"
    PRINT_FAILED = "print_failed"
    PRINTER_ERROR = "printer_error"
    SPOOL_LOW = "spool_low"
    MAINTENANCE_OVERDUE = "maintenance_overdue"
    JOB_SUBMITTED = "job_submitted"
    JOB_APPROVED = "job_approved"
    JOB_REJECTED = "job_rejected"
    BRIDGE_OFFLINE = "bridge_offline"
    BRIDGE_TROUBLE = "bridge_trouble"
    FILE_PENDING = "file_pending"


class Audience(StrEnum):
    """Who is told."""

    STAFF = "staff"  # operators and admins
    OWNER = "owner"  # who asked for the job
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An alert that nobody has got yet. *message*: what a person can do with."""

    alert_type: AlertType
    severity: Severity
    audience: Audience
    title: str
    message: str | None = None
    details: dict[str, Any] = field(default_factory=dict)


def _item(event: Happened) -> str:
    return str(event.data.get("item_name") or f"Job {event.job_id}")


def _failed(event: Happened) -> Draft:
    return Draft(
        alert_type=AlertType.PRINT_FAILED,
        severity=Severity.CRITICAL,
        audience=Audience.BOTH,
        title=f"{_item(event)} failed",
        message=event.data.get("reason") or None,
    )


def _complete(event: Happened) -> Draft:
    return Draft(
        alert_type=AlertType.PRINT_COMPLETE,
        severity=Severity.INFO,
        audience=Audience.OWNER,
        title=f"{_item(event)} is done",
    )


def _file_pending(event: Happened) -> Draft:
    return Draft(
        alert_type=AlertType.FILE_PENDING,
        severity=Severity.WARNING,
        audience=Audience.BOTH,
        title=f"{_item(event)} cannot start without its file",
        message=f"It waits for {event.data.get('reason')}.",
    )


def _error(event: Happened) -> Draft | None:
    if event.data.get("state") not in (PrinterState.ERROR, PrinterState.HALTED):
        return None
    return Draft(
        alert_type=AlertType.PRINTER_ERROR,
        severity=Severity.CRITICAL,
        audience=Audience.STAFF,
        title=f"{event.data.get('name')} reports {event.data.get('state')}",
        message=event.data.get("reason") or None,
    )


def _spool(event: Happened) -> Draft:
    empty = event.kind == "inventory.spool_empty"
    left_g = event.data.get("remaining_grams")
    return Draft(
        alert_type=AlertType.SPOOL_LOW,
        severity=Severity.CRITICAL if empty else Severity.WARNING,
        audience=Audience.STAFF,
        title=f"Spool {event.data.get('qr_code')} " + ("is empty" if empty else "runs low"),
        message=None if empty else f"{left_g:g} g are left.",
        details={"remaining_grams": left_g, "threshold": event.data.get("threshold")},
    )


def _maintenance(event: Happened) -> Draft:
    return Draft(
        alert_type=AlertType.MAINTENANCE_OVERDUE,
        severity=Severity.WARNING,
        audience=Audience.STAFF,
        title=f"{event.data.get('task_name')} is due on {event.data.get('printer_name')}",
        details={"task_id": event.data.get("task_id")},
    )


def _created(event: Happened) -> Draft | None:
    return _submitted(event) if event.data.get("status") == JobState.SUBMITTED else None


def _submitted(event: Happened) -> Draft:
    return Draft(
        alert_type=AlertType.JOB_SUBMITTED,
        severity=Severity.INFO,
        audience=Audience.STAFF,
        title=f"{_item(event)} waits for approval",
    )


def _approved(event: Happened) -> Draft:
    return Draft(
        alert_type=AlertType.JOB_APPROVED,
        severity=Severity.INFO,
        audience=Audience.OWNER,
        title=f"{_item(event)} was approved",
    )


def _rejected(event: Happened) -> Draft:
    return Draft(
        alert_type=AlertType.JOB_REJECTED,
        severity=Severity.WARNING,
        audience=Audience.OWNER,
        title=f"{_item(event)} was rejected",
        message=event.data.get("reason") or None,
    )


def _bridge(event: Happened) -> Draft:
    return Draft(
        alert_type=AlertType.BRIDGE_OFFLINE,
        severity=Severity.WARNING,
        audience=Audience.STAFF,
        title=f"Room {event.data.get('name')} cannot be reached",
        message="Its printers go on printing; they cannot be seen or told anything.",
        details={"bridge_id": event.data.get("bridge_id")},
    )


#: What a room tells of itself that a person has to see to, and how its alert is headed.
_ROOM_TROUBLES = {
    "disk_low": "The disk of room {name} is nearly full",
    "journal_damaged": "The journal of room {name} was damaged",
    "journal_rolled_back": "The journal of room {name} is an older one",
    "journal_copied": "The bridge of room {name} works with a copy of its state",
    "journal_gone": "The journal of room {name} was removed while its bridge runs",
}
#: What a printer's bridge tells of it that its state does not say, and that may do harm.
_PRINTER_TROUBLES = {
    "sender_failed": "Nobody watches a printer: its sender stays down",
    "power_not_cut": "A stopped printer still has its power",
    "stop_ignored": "A printer goes on after a stop",
    "stop_uncertain": "A printer may not have heard its stop",
    "temperature_silent": "A hot printer does not say how hot it is",
    "wrong_printer": "Another board answers at this printer's port",
}
#: What somebody has to come for: a print stands still until then, or may have a fault.
_PRINTER_CALLS = {
    "card_print_stopped": "A print from a printer's card has stopped before its end",
    "cold_print": "A print waits: its nozzle is cold",
    "file_pause": "A print waits: its file asks for a pause",
    "filament_change": "A print waits for other filament",
    "firmware_fan": "A printer's fan does not turn as it should",
    "firmware_supervision": "A printer has paused for a fault",
    "out_of_filament": "A printer is out of filament",
    "printer_asks": "A printer asks something",
    "printer_paused": "A printer has paused by itself",
    "printer_waits": "A printer waits for a person",
    "stray_command": "A print may have a fault: a piece of a damaged line ran",
    "wait_unheard": "A printer waits for a person and hears no answer",
}


def _room_trouble(event: Happened) -> Draft | None:
    title = _ROOM_TROUBLES.get(str(event.data.get("code")))
    if title is None:
        return None
    return Draft(
        alert_type=AlertType.BRIDGE_TROUBLE,
        severity=Severity.WARNING,
        audience=Audience.STAFF,
        title=title.format(name=event.data.get("bridge_name")),
        message=event.data.get("text") or None,
        details={"bridge_id": event.data.get("bridge_id"), "code": event.data.get("code")},
    )


def _cloned(event: Happened) -> Draft:
    return Draft(
        alert_type=AlertType.BRIDGE_TROUBLE,
        severity=Severity.WARNING,
        audience=Audience.STAFF,
        title=f"Two machines say that they are room {event.data.get('name')}",
        message="The one that came later is turned away; what prints goes on. Say which one stays "
        "(POST /api/v1/bridges/{id}/survivor); pair the other one anew.",
        details={"bridge_id": event.data.get("bridge_id")},
    )


def _printer_trouble(event: Happened) -> Draft | None:
    code = str(event.data.get("code"))
    title = _PRINTER_TROUBLES.get(code) or _PRINTER_CALLS.get(code)
    if title is None:
        return None
    return Draft(
        alert_type=AlertType.PRINTER_ERROR,
        severity=Severity.CRITICAL if code in _PRINTER_TROUBLES else Severity.WARNING,
        audience=Audience.STAFF,
        title=title,
        message=event.data.get("text") or None,
        details={"code": event.data.get("code")},
    )


DRAFTS: dict[str, Callable[[Happened], Draft | None]] = {
    "job.failed": _failed,
    "job.completed": _complete,
    "job.file_pending": _file_pending,
    "job.created": _created,
    "job.resubmit": _submitted,
    "job.approve": _approved,
    "job.reject": _rejected,
    "printer.state": _error,
    "inventory.spool_low": _spool,
    "inventory.spool_empty": _spool,
    "maintenance.overdue": _maintenance,
    "bridge.offline": _bridge,
    "bridge.cloned": _cloned,
    "bridge.alarm": _room_trouble,
    "printer.alarm": _printer_trouble,
}


def draft_of(event: Happened) -> Draft | None:
    """The alert that *event* is worth; None for most."""
    make = DRAFTS.get(event.kind)
    return None if make is None else make(event)
