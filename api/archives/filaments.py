"""Which loaded filament a print would take, tool by tool (v1 contract, 2.10: AMS preview). Pure.

A print's lines name their tools, and tool 0 is fed from slot 1: nothing here can send a tool to
another slot. What can be said is which slot it will be, and whether the right thing hangs there.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from api.models_library.views import filaments
from api.printers.service import Printer
from api.printers.slots import slot_fields, spools_in


def needed(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """What a file of these *facts* prints with, by tool from 0."""
    return [
        {
            "slot": each["slot"] - 1,
            "material": each["type"] or "",
            "color": each["color"] or "",
            "used_grams": each["used_grams"],
        }
        for each in filaments(facts)
    ]


def loaded(printer: Printer) -> list[dict[str, Any]]:
    """What hangs in the slots of *printer*, by slot from 1."""
    return [
        {
            "slot": slot["slot_number"],
            "material": slot["filament_type"] or "",
            "color": slot["color_hex"] or slot["color"] or "",
            "spool_id": slot["assigned_spool_id"],
        }
        for slot in slot_fields(printer)
    ]


def slot_of(tool: int, tools: int, printer: Printer) -> int:
    """The slot that feeds *tool* of a print of so many: its own, and for a print of one filament
    the only one in which a spool hangs.
    """
    spools = [*spools_in(printer)]
    return spools[0] if tools == 1 and len(spools) == 1 else tool + 1


def suggested(wanted: Sequence[Mapping[str, Any]], printer: Printer) -> list[dict[str, int | str]]:
    """The slot of every tool whose material hangs there, and whether its color does."""
    slots = {each["slot"]: each for each in loaded(printer)}
    found: list[dict[str, int | str]] = []
    for each in wanted:
        slot = slots.get(slot_of(each["slot"], len(wanted), printer))
        if slot is None or _plain(slot["material"]) != _plain(each["material"]):
            continue
        same = _plain(slot["color"]) == _plain(each["color"])
        confidence = "exact" if same else "material_only"
        pair = {"source_slot": each["slot"], "target_slot": slot["slot"]}
        found.append({**pair, "confidence": confidence})
    return found


def _plain(text: str) -> str:
    return text.casefold().replace("_", "-").strip("# ")
