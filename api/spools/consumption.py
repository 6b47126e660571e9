"""How much filament a print takes from which slot, in grams. Pure."""

from collections.abc import Mapping
from math import pi
from typing import Any

#: g/cm³; what is not here counts as PLA.
DENSITIES = {"PLA": 1.24, "PETG": 1.27, "ABS": 1.04, "ASA": 1.07, "TPU": 1.21, "PC": 1.2}
DIAMETER_MM = 1.75
_SECTION_CM2 = pi * (DIAMETER_MM / 20) ** 2


def grams_by_slot(
    requirements: Mapping[str, Any] | None, facts: Mapping[str, Any]
) -> dict[int, float]:
    """Grams of one print by slot, from 1: what people said of the model (``slot<N>``), else what
    the slicer wrote into the file, weight before length; {} when nobody knows.
    """
    said = {_slot(name): float(one.get("grams") or 0) for name, one in (requirements or {}).items()}
    said = {slot: grams for slot, grams in said.items() if slot and grams > 0}
    return said or _of_file(facts)


def _slot(name: str) -> int:
    digits = name.removeprefix("slot").strip("_ ")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else 0


def _of_file(facts: Mapping[str, Any]) -> dict[int, float]:
    weights = facts.get("filament_tools_g")
    if weights is None and facts.get("filament_g") is not None:
        weights = [facts["filament_g"]]
    if weights is None:
        kinds = facts.get("filament_types") or []
        lengths = facts.get("filament_mm") or []
        weights = [_grams(mm, kinds[n] if n < len(kinds) else "") for n, mm in enumerate(lengths)]
    return {slot: float(grams) for slot, grams in enumerate(weights, start=1) if grams}


def _grams(length_mm: float | None, material: str) -> float:
    density = DENSITIES.get(material.upper(), DENSITIES["PLA"])
    return round((length_mm or 0.0) / 10 * _SECTION_CM2 * density, 2)


def spools_for(needed: Mapping[int, float], loaded: Mapping[int, int]) -> list[tuple[int, float]]:
    """(spool, grams) for what is *needed* by slot; *loaded*: the spool in each slot.

    A print of one filament takes the only spool there is, wherever it hangs. What nothing is
    loaded for is not counted.
    """
    if len(needed) == 1 and len(loaded) == 1:
        return list(zip(loaded.values(), needed.values(), strict=True))
    return [(loaded[slot], grams) for slot, grams in needed.items() if slot in loaded]
