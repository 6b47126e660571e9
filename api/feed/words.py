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

#: By the first word of an event's kind: the right to hear of it, and the list where the same can be
#: read. Scopes of agents open some of these lists and nothing else. What is not here is for admins.
SOURCES: dict[str, tuple[str, str]] = {
    "printer": ("printers.read", "/printers"),
    "pool": ("printers.read", "/pools"),
    "command": ("printers.read", ""),  # in no list
    "alert": ("alerts.read", "/alerts"),
    "job": ("jobs.read", "/jobs"),
    "file": ("files.read", "/print-files"),
    "folder": ("files.read", "/print-files"),
    "print_file": ("files.read", "/print-files"),
    "model": ("files.read", "/models"),
    "bridge": ("bridges.read", "/bridges"),
    "inventory": ("spools.read", "/spools"),
    "spool": ("spools.read", "/spools"),
    "filament": ("spools.read", "/filament-library"),
    "maintenance": ("maintenance.read", "/maintenance/tasks"),
    "order": ("orders.read", "/orders"),
    "product": ("orders.read", "/products"),
    "consumable": ("orders.read", "/consumables"),
}
OTHERWISE = ("users.admin", "/users")
#: Where what a picture shows can be read.
PICTURES = SOURCES["printer"]

PING = '{"type":"ping"}'
PONG = "pong"

Data = dict[str, Any]


def hears(by: Principal, kind: str, printer_id: int | None) -> bool:
    """Whether *by* may hear of this; a key that is bound to a printer hears of that alone."""
    if by.printer_id is not None and by.printer_id != printer_id:
        return False
    right, path = SOURCES.get(kind.partition(".")[0], OTHERWISE)
    return by.may_at(right, "GET", path)


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
