"""What is loaded in a printer, slot by slot (v1 contract, 2.3, `FilamentSlotResponse`). Pure.

A row keeps what people have said of its slots; a slot that nobody spoke of is as it was made.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from api.errors import NotFound
from api.printers.models import Printer

MAX_SLOTS = 256
#: Fields that people may set.
SETTABLE = ("filament_type", "color", "color_hex", "brand", "spoolman_spool_id", "spool_confirmed")
#: What the spools say: which one hangs there, and the grams that are left on it.
SPOOLED = ("assigned_spool_id", "remaining")


#: Another one of these means that something else was loaded.
_LOADED = ("filament_type", "color", "color_hex", "brand", "assigned_spool_id")


def slot_fields(row: Printer) -> list[dict[str, Any]]:
    """Every slot of *row*, from number 1."""
    said = {slot["slot_number"]: slot for slot in row.slots}
    return [_fields(row, number, said.get(number, {})) for number in range(1, row.slot_count + 1)]


def _fields(row: Printer, number: int, said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": (row.id - 1) * MAX_SLOTS + number,
        "printer_id": row.id,
        "slot_number": number,
        "filament_type": said.get("filament_type", "PLA"),
        "color": said.get("color"),
        "color_hex": said.get("color_hex"),
        "brand": said.get("brand"),
        "spoolman_spool_id": said.get("spoolman_spool_id"),
        "assigned_spool_id": said.get("assigned_spool_id"),
        "spool_confirmed": said.get("spool_confirmed"),
        "loaded_at": said.get("loaded_at"),
        "remaining": said.get("remaining"),
        "material_type": said.get("filament_type"),
    }


def check_slot(row: Printer, number: int) -> None:
    """Raises `NotFound` for a slot that the printer does not have."""
    if not 1 <= number <= row.slot_count:
        raise NotFound(f"{row.name} has slots 1 to {row.slot_count}, no {number}.")


def with_slot(
    row: Printer, number: int, values: Mapping[str, Any], at: str | None
) -> Sequence[Mapping[str, Any]]:
    """The stored slots of *row* with *values* in slot *number*; *at*: ISO 8601, when it was loaded.

    Raises `NotFound` for a slot that the printer does not have.
    """
    check_slot(row, number)
    kept = [slot for slot in row.slots if slot["slot_number"] != number]
    old: Mapping[str, Any] = next((s for s in row.slots if s["slot_number"] == number), {})
    new = {**old, "slot_number": number}
    new |= {name: value for name, value in values.items() if name in SETTABLE + SPOOLED}
    if any(old.get(name) != new.get(name) for name in _LOADED):
        new["loaded_at"] = at
    return sorted([*kept, new], key=lambda slot: int(slot["slot_number"]))


def spools_in(row: Printer) -> dict[int, int]:
    """The spool in each slot of *row*, by slot number; slots without one are left out."""
    shown = slot_fields(row)
    return {
        int(slot["slot_number"]): int(slot["assigned_spool_id"])
        for slot in shown
        if slot["assigned_spool_id"] is not None
    }


def unconfirmed(row: Printer, number: int, values: Mapping[str, Any]) -> dict[str, Any]:
    """What follows when people say *values* of slot *number*: something else than the spool in it
    is loaded, so somebody has to look. Empty when nothing follows.
    """
    said = next((slot for slot in row.slots if slot["slot_number"] == number), None)
    if said is None or said.get("assigned_spool_id") is None:
        return {}
    kind = ("filament_type", "color", "color_hex")
    other = any(name in values and values[name] != said.get(name) for name in kind)
    return {"spool_confirmed": False} if other else {}
