"""A printer as the v1 dialect shows it (v1 contract, 2.3 and 4.2). Pure.

What a printer does comes from what it reported; a room that is away shows as offline, with no
temperatures rather than old ones. Fields beyond the contract's `PrinterResponse` are ours.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from api.clock import iso
from api.printers.forms import API_KEY_HASH
from api.printers.models import LIGHTS_ON, PLUG, Printer
from api.printers.sending import sending_of
from api.printers.slots import slot_fields
from api.printers.upkeep import SERVICED
from schemas.printer import ACTIVE, CONNECTED, Live, PrinterState, Progress, Temperature

_S = PrinterState

#: printer state -> (gcode_state, status)
SHOWN: dict[PrinterState, tuple[str, str]] = {
    _S.OFFLINE: ("OFFLINE", "offline"),
    _S.CONNECTING: ("OFFLINE", "offline"),
    _S.OPERATIONAL: ("IDLE", "idle"),
    _S.STARTING: ("PREPARE", "printing"),
    _S.PRINTING: ("RUNNING", "printing"),
    _S.PAUSING: ("RUNNING", "printing"),
    _S.PAUSED: ("PAUSED", "paused"),
    _S.RESUMING: ("RUNNING", "printing"),
    _S.CANCELLING: ("RUNNING", "printing"),
    _S.TRANSFERRING: ("PREPARE", "printing"),
    _S.FINISHING: ("RUNNING", "printing"),
    _S.ERROR: ("FAILED", "error"),
    _S.HALTED: ("FAILED", "error"),
}
STATUSES = frozenset(status for _, status in SHOWN.values())
#: What a control route answers as ``state``: the printer's own word, where v1 has none.
ANSWERED = {_S.OPERATIONAL: "IDLE", _S.PRINTING: "RUNNING"}


class Picture(Protocol):
    """What telemetry shows of a printer."""

    @property
    def live(self) -> Live | None:
        """The last picture."""

    @property
    def online(self) -> bool:
        """Whether its room is reachable."""

    @property
    def age_s(self) -> float | None:
        """Since it was last heard; None: never."""


@dataclass(frozen=True, slots=True)
class Running:
    """What holds a printer now."""

    job_id: int
    item_name: str


def state_now(row: Printer, *, online: bool, busy: bool) -> PrinterState:
    """What the printer does. A stop stays latched while the room is away; without a bridge
    people's word counts.
    """
    if row.bridge_id is None:
        return _S.PRINTING if busy else _S.OPERATIONAL
    state = PrinterState(row.state)
    return state if online or state is _S.HALTED else _S.OFFLINE


def answered_state(row: Printer) -> str:
    """The reported state as a control route answers it: PAUSED, RUNNING, IDLE, PAUSING …"""
    state = PrinterState(row.state)
    return ANSWERED.get(state, state.upper())


def printer_fields(
    row: Printer, picture: Picture, running: Running | None, last_seen: str | None
) -> dict[str, Any]:
    """`PrinterResponse`, and ours."""
    busy = row.active_grant is not None
    state = state_now(row, online=picture.online, busy=busy)
    gcode_state, status = SHOWN[state]
    never_seen = row.bridge_id is not None and row.state_at is None
    error = row.last_error or {}
    return {
        **_settings(row),
        "status": status if row.is_active else "offline",
        "state": state,
        "state_reason": row.state_reason,
        "gcode_state": None if never_seen else gcode_state,
        "print_stage": state if state in ACTIVE else None,
        "plate_state": "occupied" if busy else row.plate_state,
        "queue_hold": row.queue_hold or None,
        "current_job_id": running.job_id if running else None,
        **live_fields(picture, state),
        **care_fields(picture),
        "last_seen": last_seen,
        "last_error_code": error.get("code"),
        "last_error_message": error.get("message"),
        "last_error_at": error.get("at"),
        "machine_type": row.firmware.get("machine") or row.details.get("machine_type"),
        "firmware": row.firmware.get("name"),
        "total_print_hours": round(row.print_seconds / 3600, 3),
        "total_print_count": row.print_count,
        **_NEVER_TOLD,
        **_since_service(row),
        "has_api_key": bool(row.details.get(API_KEY_HASH)),
        "lights_on": row.details.get(LIGHTS_ON),
        "api_host": row.details.get("api_host"),
        "nozzle_type": row.details.get("nozzle_type"),
        "timelapse_enabled": bool(row.details.get("timelapse_enabled")),
        "overlay": has_overlay(row),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


def _since_service(row: Printer) -> dict[str, Any]:
    """What was printed since somebody looked after it; None where nobody ever did."""
    then: Mapping[str, Any] = row.details.get(SERVICED) or {}
    seconds, prints = then.get("print_seconds"), then.get("print_count")
    hours = None if seconds is None else round((row.print_seconds - seconds) / 3600, 3)
    return {
        "hours_since_maintenance": hours,
        "prints_since_maintenance": None if prints is None else row.print_count - prints,
    }


def has_overlay(row: Printer) -> bool:
    """Whether everybody may see what a stream shows of it: where somebody has said so."""
    return bool(row.is_active and row.details.get("overlay") is True)


def has_plug(row: Printer) -> bool:
    """Whether something switches its power."""
    return PLUG in row.details


#: Fields of the contract that a printer on a USB cable has no source for.
_NEVER_TOLD: dict[str, Any] = {
    "hms_errors": None,
    "camera_discovered": None,
}


def _settings(row: Printer) -> dict[str, Any]:
    """What people have set."""
    slots = slot_fields(row)
    return {
        "id": row.id,
        "name": row.name,
        "model": row.model,
        "nickname": row.nickname,
        "slug": row.slug,
        "octoprint_url": f"/octoprint/{row.slug}/",
        "is_active": row.is_active,
        "api_type": row.api_type,
        "bridge_id": row.bridge_id,
        "port_id": row.port_id,
        "baud": row.baud,
        "dialect": row.dialect,
        "profile_id": row.profile_id,
        "profile": profile_fields(row.profile),
        "scripts": row.scripts,
        "serial": row.serial,
        "plate_policy": row.plate_policy,
        "bed_x_mm": row.profile.get("width_mm"),
        "bed_y_mm": row.profile.get("depth_mm"),
        "nozzle_diameter": row.profile.get("nozzle_mm"),
        "camera_url": row.camera_url,
        "tags": row.tags,
        "slot_count": row.slot_count,
        "filament_slots": [_said_of(slot) for slot in slots],
        "loaded_colors": [slot["color_hex"] for slot in slots if slot["color_hex"]],
        "sort_order": row.sort_order,
        "shared": row.shared,
        "org_id": row.organization_id,
    }


def profile_fields(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A stored profile with every field; one from before a field was known has its default."""
    return {"materials": [], "allowed_codes": [], **stored}


def _said_of(slot: Mapping[str, Any]) -> dict[str, Any]:
    """A slot without what nobody has said of it: it would be most of a list of printers."""
    return {name: value for name, value in slot.items() if value is not None}


def live_fields(picture: Picture, state: PrinterState) -> dict[str, Any]:
    """Temperatures in °C and progress in percent; None where nothing fresh is known."""
    live = picture.live if picture.online else None
    temps: Mapping[str, Temperature] = live.temps if live else {}
    nozzle, bed = temps.get("tool0"), temps.get("bed")
    progress = live.progress if live and state in ACTIVE else None
    return {
        "nozzle_temp": nozzle.actual_c if nozzle else None,
        "nozzle_target_temp": nozzle.target_c if nozzle else None,
        "bed_temp": bed.actual_c if bed else None,
        "bed_target_temp": bed.target_c if bed else None,
        "progress": _percent(progress),
        "time_left_s": progress.time_left_s if progress else None,
        "current_layer": progress.layer if progress else None,
        "total_layers": progress.layers if progress else None,
    }


def care_fields(picture: Picture) -> dict[str, Any]:
    """What a person should know before touching the machine; None where nobody knows."""
    live = picture.live if picture.online else None
    if live is None:
        return dict(_UNHEARD)
    prompt = live.prompt
    return {
        "fan_speed": live.fan_percent,
        "temps_stale": live.temps_stale,
        "heat_lease_s": live.heat_lease_s,
        "prompt": None if prompt is None else {"text": prompt.text, "choices": prompt.buttons},
        "position_known": live.position_known if live.state in CONNECTED else None,
        "stop_reach": live.stop_reach,
    }


_UNHEARD: dict[str, Any] = {
    "fan_speed": None,
    "temps_stale": True,
    "heat_lease_s": None,
    "prompt": None,
    "position_known": None,
    "stop_reach": None,
}


def motion_fields(picture: Picture) -> dict[str, Any]:
    """Where and how fast it moves; None where nobody knows."""
    live = picture.live if picture.online else None
    return {
        "z_mm": live.z_mm if live else None,
        "feedrate_mm_s": live.feedrate_mm_s if live else None,
        "speed_percent": live.feed_percent if live else None,
        "flow_percent": live.flow_percent if live else None,
        "resends": live.resends if live else None,
        "from_card": bool(live and live.state in ACTIVE and live.grant is None),
    }


def card_fields(row: Printer, picture: Picture) -> dict[str, Any]:
    """``GET /printers/{id}/sd-files``: the card as the printer has told it last."""
    card = row.card or {}
    live = picture.live if picture.online else None
    connected = live is not None and live.state in CONNECTED
    return {
        "printer_id": row.id,
        "ready": connected and card.get("present") is True,
        "listed_at": card.get("listed_at"),
        "files": [
            {"name": name, "size_bytes": size_bytes, "long_name": long_name}
            for name, size_bytes, long_name in card.get("files", ())
        ],
        "unlisted": card.get("unlisted", 0),
        "sending": _sending(row, live),
    }


def _sending(row: Printer, live: Live | None) -> dict[str, Any] | None:
    """The file that goes to the card; None: none."""
    sending = sending_of(row)
    if sending is None:
        return None
    is_there = live is not None and live.state is _S.TRANSFERRING
    return {
        "name": sending.name,
        "file_path": sending.path or None,
        "size_bytes": sending.size_bytes,
        "progress": _percent(live.progress) if live is not None and is_there else None,
        "then": sending.then,
    }


def _percent(progress: Progress | None) -> float | None:
    return round(progress.completion, 1) if progress else None


def live_status(row: Printer, picture: Picture, running: Running | None) -> dict[str, Any]:
    """``GET /printers/{id}/live-status``."""
    state = state_now(row, online=picture.online, busy=row.active_grant is not None)
    fields = live_fields(picture, state)
    left_s = fields["time_left_s"]
    return {
        "printer_id": row.id,
        "printer_name": row.name,
        "gcode_state": SHOWN[state][0],
        "status": SHOWN[state][1],
        "state": state,
        "job_id": running.job_id if running else None,
        "job_name": running.item_name if running else None,
        "progress": fields["progress"],
        "layer": fields["current_layer"],
        "total_layers": fields["total_layers"],
        "time_remaining": None if left_s is None else round(left_s / 60),  # minutes
        "time_left_s": left_s,
        "file_name": picture.live.file_name if picture.live and state in ACTIVE else None,
        "bed_temp": fields["bed_temp"],
        "bed_target": fields["bed_target_temp"],
        "nozzle_temp": fields["nozzle_temp"],
        "nozzle_target": fields["nozzle_target_temp"],
        "wifi_signal": None,
        **motion_fields(picture),
        **care_fields(picture),
        "age_s": picture.age_s,
    }


def sample_fields(temps: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    """One row of ``GET /printers/{id}/telemetry``; *temps* maps heaters to [actual, target]."""
    bed_c, bed_target_c = temps.get("bed") or (None, None)
    nozzle_c, nozzle_target_c = temps.get("tool0") or (None, None)
    return {
        "recorded_at": iso(at),
        "bed_temp": bed_c,
        "bed_target": bed_target_c,
        "nozzle_temp": nozzle_c,
        "nozzle_target": nozzle_target_c,
        "fan_speed": None,
    }
