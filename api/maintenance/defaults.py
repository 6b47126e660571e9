"""Tasks that a farm of filament printers usually has (v1 contract, 2.8, seed-defaults)."""

from typing import Any


def _task(name: str, hours: float | None, days: int | None, minutes: int) -> dict[str, Any]:
    return {
        "name": name,
        "interval_print_hours": hours,
        "interval_days": days,
        "estimated_downtime_min": minutes,
    }


DEFAULT_TASKS: tuple[dict[str, Any], ...] = (
    _task("Clean the build plate", 50, 7, 10),
    _task("Clean the nozzle", 100, None, 15),
    _task("Replace the nozzle", 500, None, 30),
    _task("Lubricate rods and rails", 200, 90, 30),
    _task("Check belt tension", 250, 90, 20),
    _task("Clean the extruder gear", 200, None, 20),
    _task("Check the hotend fan", 250, 60, 10),
    _task("Level the bed", 150, 30, 20),
    _task("Check cables and connectors", 500, 180, 30),
    _task("Check screws and pulleys", 500, 180, 30),
    _task("Update the firmware", None, 180, 30),
)
