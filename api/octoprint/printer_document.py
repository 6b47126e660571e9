"""`/api/printer` and what else is told of the machine (OctoPrint contract, 4 and 5). Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from api.octoprint.states import LOOKS
from api.telemetry.history import Reading
from schemas.printer import Live, PrinterState, Profile, Temperature

BAUD_RATES = (250000, 230400, 115200, 57600, 38400, 19200, 9600)


def heaters(profile: Profile) -> list[str]:
    """The heaters of a printer under OctoPrint's names: tool0…n, bed, chamber."""
    found = [f"tool{number}" for number in range(profile.extruders)]
    if profile.heated_bed:
        found.append("bed")
    if profile.heated_chamber:
        found.append("chamber")
    return found


def temperatures(
    live: Live, profile: Profile, offsets_c: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Every heater of *profile*; null where the printer has not said it."""
    shifts = offsets_c or {}
    unknown = Temperature(None, None)
    return {
        name: {
            "actual": seen.actual_c,
            "target": seen.target_c,
            "offset": plain_offset(shifts.get(name, 0)),
        }
        for name in heaters(profile)
        for seen in [live.temps.get(name, unknown)]
    }


def plain_offset(shift_c: float) -> float:
    """An offset in °C as clients send it and read it: whole ones without a point."""
    return int(shift_c) if shift_c == int(shift_c) else shift_c


def state_document(
    state: PrinterState, error: str | None, *, text: str | None = None, sd_ready: bool = False
) -> dict[str, Any]:
    """`state`: text (the usual one without *text*), flags, and the error text ("" for none)."""
    look = LOOKS[state]
    flags = {**look.flags, "sdReady": sd_ready}
    return {"text": text or look.text, "flags": flags, "error": error or ""}


def history_document(readings: Sequence[Reading], names: Sequence[str]) -> list[dict[str, Any]]:
    """`history`: what each of the heaters *names* was, oldest first."""
    unknown = Temperature(None, None)
    return [
        {
            "time": int(reading.at_s),
            **{
                name: {"actual": seen.actual_c, "target": seen.target_c}
                for name in names
                for seen in [reading.temps.get(name, unknown)]
            },
        }
        for reading in readings
    ]


def printer_document(
    live: Live,
    profile: Profile,
    offsets_c: Mapping[str, float] | None = None,
    exclude: Collection[str] = (),
    *,
    text: str | None = None,
    sd_ready: bool = False,
) -> dict[str, Any]:
    """`GET /api/printer` of an operational printer, without the keys in *exclude*."""
    document = {
        "temperature": temperatures(live, profile, offsets_c),
        "sd": {"ready": sd_ready},
        "state": state_document(live.state, live.error, text=text, sd_ready=sd_ready),
    }
    return {key: value for key, value in document.items() if key not in exclude}


def connection_document(
    state: PrinterState,
    port: str,
    baud: int | None,
    profiles: Sequence[Mapping[str, str]],
    current: str,
    *,
    preferred_baud: int | None = None,
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
            "printerProfile": current,
        },
        "options": {
            "ports": [port] if port else [],
            "baudrates": list(BAUD_RATES),
            "printerProfiles": list(profiles),
            "portPreference": port or None,
            "baudratePreference": preferred_baud,
            "printerProfilePreference": current,
        },
    }
