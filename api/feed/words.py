"""What happened, in the words of v1's ``/ws`` (v1 contract, 1.9). Pure.

Every frame is an envelope ``{"type", "data"}``. Events carry their number as ``id``, the cursor to
come back with, and ``at``. Types that the contract names have its fields; every other event goes
by its own kind, with its own data and the ids it is about.
"""

from collections.abc import Callable
from typing import Any

import orjson

from api.clock import iso
from api.events.history import Event
from api.principal import Principal
from api.printers.service import Printer
from api.printers.view import live_status
from api.telemetry.service import LiveView
from schemas.printer import PrinterState

#: Who may hear of it, by the first word of an event's kind; what is not here is for admins.
RIGHT_OF_AREA: dict[str, str] = {
    "printer": "printers.read",
    "pool": "printers.read",
    "command": "printers.read",
    "alert": "alerts.read",
    "job": "jobs.read",
    "file": "files.read",
    "folder": "files.read",
    "print_file": "files.read",
    "model": "files.read",
    "bridge": "bridges.read",
    "inventory": "spools.read",
    "spool": "spools.read",
    "filament": "spools.read",
    "maintenance": "maintenance.read",
    "order": "orders.read",
    "product": "orders.read",
}
OTHERWISE = "users.admin"

PING = '{"type":"ping"}'
PONG = "pong"

Data = dict[str, Any]


def right_of(kind: str) -> str:
    """The right that hearing of an event of *kind* needs."""
    return RIGHT_OF_AREA.get(kind.partition(".")[0], OTHERWISE)


def hears(by: Principal, kind: str, printer_id: int | None) -> bool:
    """Whether *by* may hear of this; a key that is bound to a printer hears of that alone."""
    if by.printer_id is not None and by.printer_id != printer_id:
        return False
    return by.may(right_of(kind))


def _started(event: Event) -> Data:
    return {
        "printer_id": event.printer_id,
        "job_name": event.data.get("item_name"),
        "print_job_id": event.data.get("print_id"),
        "scheduled_job_id": event.job_id,
    }


def _ended(event: Event) -> Data:
    status = event.kind.removeprefix("job.").replace("printed_one", "completed")
    return {
        **_started(event),
        "status": status,
        "success": status == "completed",
        "duration_seconds": event.data.get("duration_s"),
        "reason": event.data.get("reason") or None,
    }


def _sent(event: Event) -> Data:
    failed = event.kind == "job.not_started"
    return {
        "job_id": event.job_id,
        "printer_id": event.printer_id,
        "status": "failed" if failed else "starting",
        "message": event.data.get("reason") or event.data.get("item_name"),
    }


def _state(event: Event) -> Data:
    state = event.data.get("state")
    return {
        "printer_id": event.printer_id,
        "old_state": event.data.get("old_state"),
        "new_state": state,
        "reason": event.data.get("reason") or None,
        "severity": "error" if state in (PrinterState.ERROR, PrinterState.HALTED) else "info",
    }


def _alert(event: Event) -> Data:
    return {**event.data, "printer_id": event.printer_id, "job_id": event.job_id}


#: kind of an event -> (type on the wire, its data)
TYPES: dict[str, tuple[str, Callable[[Event], Data]]] = {
    "job.started": ("job_started", _started),
    "job.printed_one": ("job_completed", _ended),
    "job.completed": ("job_completed", _ended),
    "job.failed": ("job_completed", _ended),
    "job.cancelled": ("job.cancelled", _ended),
    "job.grant": ("job_dispatch_event", _sent),
    "job.not_started": ("job_dispatch_event", _sent),
    "printer.state": ("printer.state_changed", _state),
    "alert.new": ("alert_new", _alert),
}


def envelope(event: Event) -> Data:
    """An event as `/ws` and ``GET /events`` show it."""
    known = TYPES.get(event.kind)
    name, data = (known[0], known[1](event)) if known else (event.kind, _own_words(event))
    return {"type": name, "id": event.number, "at": iso(event.at), "data": data}


def _own_words(event: Event) -> Data:
    ids = {"printer_id": event.printer_id, "job_id": event.job_id, "user_id": event.user_id}
    return {**event.data, **{name: number for name, number in ids.items() if number is not None}}


def reset(newest: int, oldest: int) -> Data:
    """What came after the cursor is not kept: read the state again, and go on from here."""
    return {"type": "reset", "id": newest, "data": {"newest": newest, "oldest": oldest}}


def hello(since: int) -> Data:
    """The first frame: where this socket begins."""
    return {"type": "hello", "id": since, "data": {"since": since}}


def telemetry(row: Printer, view: LiveView) -> Data:
    """The picture of a printer: °C, percent, minutes; null where nothing fresh is known."""
    status = live_status(row, view, None)
    live = view.live if view.online else None
    return {
        "type": "printer_telemetry",
        "data": {
            "printer_id": row.id,
            "bed_temp": status["bed_temp"],
            "bed_target": status["bed_target"],
            "nozzle_temp": status["nozzle_temp"],
            "nozzle_target": status["nozzle_target"],
            "state": status["gcode_state"],
            "status": status["status"],
            "progress": status["progress"],
            "remaining_min": status["time_remaining"],
            "current_layer": status["layer"],
            "total_layers": status["total_layers"],
            "fan_speed": status["fan_speed"],
            "prompt": status["prompt"],
            "gcode_file": live.file_name if live else None,
        },
    }


def encode(frame: Data) -> str:
    """The text of a frame."""
    return orjson.dumps(frame).decode()
