"""`/api/printer` and what else is told of the machine (OctoPrint contract, 4 and 5). Pure."""

from collections.abc import Collection
from typing import Any

from api.octoprint.states import LOOKS
from schemas.printer import Live, PrinterState, Profile, Temperature

PROFILE_ID = "_default"
BAUD_RATES = (250000, 230400, 115200, 57600, 38400, 19200, 9600)


def heaters(profile: Profile) -> list[str]:
    """The heaters of a printer under OctoPrint's names: tool0…n, bed, chamber."""
    found = [f"tool{number}" for number in range(profile.extruders)]
    if profile.heated_bed:
        found.append("bed")
    if profile.heated_chamber:
        found.append("chamber")
    return found


def temperatures(live: Live, profile: Profile) -> dict[str, Any]:
    """Every heater of *profile*; null where the printer has not said it. Offsets are always 0."""
    unknown = Temperature(None, None)
    return {
        name: {"actual": seen.actual_c, "target": seen.target_c, "offset": 0}
        for name in heaters(profile)
        for seen in [live.temps.get(name, unknown)]
    }


def state_document(state: PrinterState, error: str | None) -> dict[str, Any]:
    """`state`: text, flags, and the error text ("" for none)."""
    look = LOOKS[state]
    return {"text": look.text, "flags": look.flags, "error": error or ""}


def printer_document(live: Live, profile: Profile, exclude: Collection[str] = ()) -> dict[str, Any]:
    """`GET /api/printer` of an operational printer, without the keys in *exclude*."""
    document = {
        "temperature": temperatures(live, profile),
        "sd": {"ready": False},
        "state": state_document(live.state, live.error),
    }
    return {key: value for key, value in document.items() if key not in exclude}


def connection_document(
    state: PrinterState, port: str, baud: int | None, profile_name: str
) -> dict[str, Any]:
    """`GET /api/connection`. *port* is the one that this printer is bound to.

    A printer has exactly one port here: the options list no other.
    """
    look = LOOKS[state]
    is_open = "closedOrError" not in look.true
    return {
        "current": {
            "state": look.link_text,
            "port": port if is_open else None,
            "baudrate": baud if is_open else None,
            "printerProfile": PROFILE_ID,
        },
        "options": {
            "ports": [port] if port else [],
            "baudrates": list(BAUD_RATES),
            "printerProfiles": [{"id": PROFILE_ID, "name": profile_name}],
            "portPreference": port or None,
            "baudratePreference": None,
            "printerProfilePreference": PROFILE_ID,
        },
    }


def profile_document(profile: Profile, name: str, model: str, base: str) -> dict[str, Any]:
    """One printer profile. *base* is the URL under which this OctoPrint lives."""
    axis = {"speed": 6000, "inverted": False}
    return {
        "id": PROFILE_ID,
        "name": name,
        "model": model,
        "color": "default",
        "default": True,
        "current": True,
        "resource": f"{base}/api/printerprofiles/{PROFILE_ID}",
        "heatedBed": profile.heated_bed,
        "heatedChamber": profile.heated_chamber,
        "volume": {
            "width": profile.width_mm,
            "depth": profile.depth_mm,
            "height": profile.height_mm,
            "formFactor": profile.form_factor,
            "origin": profile.origin,
            "custom_box": False,
        },
        "axes": {
            "x": axis,
            "y": axis,
            "z": {"speed": 200, "inverted": False},
            "e": {"speed": 300, "inverted": False},
        },
        "extruder": {
            "count": profile.extruders,
            "offsets": [[0.0, 0.0]] * profile.extruders,
            "nozzleDiameter": profile.nozzle_mm,
            "defaultExtrusionLength": 5,
            "sharedNozzle": False,
        },
    }


def settings_document(name: str, webcam_url: str) -> dict[str, Any]:
    """`GET /api/settings`: what apps read of it, and nothing that Gantry does not have."""
    return {
        "api": {"allowCrossOrigin": False},
        "appearance": {"name": name, "color": "default"},
        "feature": {"sdSupport": False, "modelSizeDetection": False},
        "folder": {},
        "plugins": {},
        "scripts": {"gcode": {}},
        "serial": {"autoconnect": True},
        "server": {},
        "system": {"actions": []},
        "temperature": {"profiles": [], "cutoff": 30},
        "terminalFilters": [],
        "webcam": {
            "webcamEnabled": bool(webcam_url),
            "timelapseEnabled": False,
            "streamUrl": webcam_url,
            "snapshotUrl": "",
            "flipH": False,
            "flipV": False,
            "rotate90": False,
        },
    }
