"""Filament: what a print needs against what people said is loaded. Pure.

A printer of whose slots nobody has spoken is not kept track of: it takes every job, as before. Of
the others only slots that somebody spoke of count. A job that names its filament, or a file of one
filament, takes it from any slot; a file of several takes each from the slot of its tool.
"""

from collections.abc import Iterable

from api.scheduler.needs import Strand, material_name
from api.scheduler.spots import UNKNOWN, Slot, Spot


def materials_loaded(strands: Iterable[Strand], spot: Spot) -> bool:
    """Whether every filament is there."""
    return not materials_missing(strands, spot)


def materials_missing(strands: Iterable[Strand], spot: Spot) -> list[str]:
    """What has to be loaded first."""
    if not spot.slots:
        return []
    return [_called(strand) for strand in strands if not _slots_for(strand, spot)]


def materials_foreign(strands: Iterable[Strand], spot: Spot) -> list[str]:
    """What the printer's profile does not allow it to print; without a list it allows all."""
    allowed = {material_name(each) for each in spot.profile.materials}
    wanted = dict.fromkeys(strand.material for strand in strands if strand.material)
    return [each for each in wanted if each not in allowed] if allowed else []


def colors_loaded(colors: tuple[str, ...], spot: Spot) -> bool:
    """Whether every colour is there; where nobody has named one, nobody knows."""
    return not colors_missing(colors, spot)


def colors_missing(colors: tuple[str, ...], spot: Spot) -> list[str]:
    """Colours that have to be loaded first."""
    loaded = {name for slot in spot.slots for name in slot.colors}
    return [color for color in colors if color not in loaded] if loaded else []


def color_match(colors: tuple[str, ...], spot: Spot) -> int:
    """The share of *colors* that is loaded, 0 to 100; 50 when none is asked for (v1 4.3)."""
    if not colors:
        return 50
    loaded = {name for slot in spot.slots for name in slot.colors}
    return round(100 * sum(color in loaded for color in colors) / len(colors))


def short_of(strands: Iterable[Strand], spot: Spot) -> str | None:
    """What there is too little of; None: it is enough, or nobody knows."""
    for strand in strands:
        slots = _slots_for(strand, spot) if strand.grams is not None else ()
        if not slots or strand.grams is None:
            continue
        known = [slot.left_g for slot in slots if slot.left_g is not None]
        if len(known) == len(slots) and max(known) < strand.grams:
            of = f" of {strand.material}" if strand.material else ""
            return f"{max(known):.0f} g left{of}, the print takes {strand.grams:.0f} g"
    return None


def _slots_for(strand: Strand, spot: Spot) -> list[Slot]:
    return [slot for slot in spot.slots if _takes(strand, slot)]


def _takes(strand: Strand, slot: Slot) -> bool:
    if strand.slot and slot.number != strand.slot:
        return False
    return not strand.material or slot.material in (strand.material, UNKNOWN)


def _called(strand: Strand) -> str:
    name = strand.material or "filament"
    return f"{name} in slot {strand.slot}" if strand.slot else name
