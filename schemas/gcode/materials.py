"""At which temperatures materials are printed, to notice a file for another one. Pure data.

Wide on purpose: makers differ. By the names of the v1 contract (`FilamentType`).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Degrees Celsius: the nozzle while printing, and the highest for the bed."""

    nozzle_low_c: float
    nozzle_high_c: float
    bed_high_c: float


_PLA, _PETG, _ABS = Window(170, 245, 80), Window(205, 275, 105), Window(210, 290, 120)
_NYLON, _SOFT = Window(225, 310, 130), Window(180, 265, 90)

WINDOWS: dict[str, Window] = {
    "PLA": _PLA,
    "PLA_CF": Window(180, 260, 80),
    "PLA_SUPPORT": _PLA,
    "PETG": _PETG,
    "PETG_CF": Window(215, 285, 105),
    "ABS": _ABS,
    "ASA": Window(220, 290, 125),
    "HIPS": Window(205, 270, 120),
    "TPU": _SOFT,
    "PVA": Window(170, 240, 80),
    "PA": _NYLON,
    "NYLON_CF": Window(235, 320, 130),
    "NYLON_GF": Window(235, 320, 130),
    "PC": Window(240, 330, 150),
    "PC_ABS": Window(230, 310, 130),
    "PC_CF": Window(245, 335, 150),
    "PPS": Window(290, 370, 160),
    "PPS_CF": Window(290, 370, 160),
}

#: How slicers write them.
_SYNONYMS = {
    "PLA+": "PLA",
    "PET": "PETG",
    "PETG+": "PETG",
    "NYLON": "PA",
    "FLEX": "TPU",
    "TPE": "TPU",
    "PA-CF": "NYLON_CF",
    "PA-GF": "NYLON_GF",
}


def window_of(material: str | None) -> Window | None:
    """The window of *material*, None for one that nobody knows."""
    if material is None:
        return None
    name = material.strip().upper()
    name = _SYNONYMS.get(name, name.replace("-", "_"))
    return WINDOWS.get(name)
