"""What reading a file, following its moves and printing it told, in OctoPrint's words. Pure.

Contract, section 5: `gcodeAnalysis`, `prints`, `statistics`, and the fields of thumbnails that
clients know from plugins.
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from api.jobs.outcomes import Outcome
from api.octoprint.preferences import PROFILE_ID

#: Taken where a file does not tell the diameter of its filament.
FILAMENT_DIAMETER_MM = 1.75
#: Where the plugin for slicers' thumbnails serves them; apps look there.
THUMBNAILS = "plugin/prusaslicerthumbnails/thumbnail"
THUMBNAIL_SOURCE = "prusaslicerthumbnails"

_AXES = "XYZ"
_SIZES = ("width", "depth", "height")


def filament_document(facts: Mapping[str, Any]) -> dict[str, Any] | None:
    """Length in mm and volume in cm³ by tool; None when the file does not tell."""
    lengths = facts.get("filament_mm") or []
    diameters = facts.get("filament_diameter_mm") or [FILAMENT_DIAMETER_MM]
    return {
        f"tool{number}": {
            "length": length,
            "volume": _volume_cm3(length, diameters[min(number, len(diameters) - 1)]),
        }
        for number, length in enumerate(lengths)
    } or None


def _volume_cm3(length_mm: float, diameter_mm: float) -> float:
    return round(length_mm * math.pi * (diameter_mm / 2) ** 2 / 1000, 4)


def analysis_document(facts: Mapping[str, Any], moves: Mapping[str, Any]) -> dict[str, Any]:
    """`gcodeAnalysis`; {} when nothing is known, `_empty` for a file without lines.

    *facts*: what the slicer said and the scan found; *moves*: what following the moves told.
    """
    if facts.get("lines") == 0:
        return {"_empty": True}
    found: dict[str, Any] = {}
    if facts.get("estimated_s") is not None:
        found["estimatedPrintTime"] = facts["estimated_s"]
    filament = filament_document(facts)
    if filament is not None:
        found["filament"] = filament
    for area, dimensions, key in (
        ("printingArea", "dimensions", "printing"),
        ("travelArea", "travelDimensions", "travel"),
    ):
        box = moves.get(key)
        if box is not None:
            found[area] = _area(box)
            found[dimensions] = dict(zip(_SIZES, box["size"], strict=True))
    return found


def _area(box: Mapping[str, Any]) -> dict[str, float]:
    ends = (("min", box["low"]), ("max", box["high"]))
    return {
        f"{end}{axis}": value
        for end, values in ends
        for axis, value in zip(_AXES, values, strict=True)
    }


def prints_document(outcome: Outcome) -> dict[str, Any]:
    """`prints` of a file that was printed at least once."""
    last: dict[str, Any] = {"success": outcome.is_last_success}
    if outcome.last_at is not None:
        last["date"] = outcome.last_at.timestamp()
    if outcome.is_last_success and outcome.last_s is not None:
        last["printTime"] = outcome.last_s
    return {"success": outcome.successes, "failure": outcome.failures, "last": last}


def folder_prints(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """`prints` of a folder: of all that lies in it; without `last` when nothing was printed."""
    whole = Outcome()
    for each in outcomes:
        whole.successes += each.successes
        whole.failures += each.failures
        if each.last_at and (whole.last_at is None or each.last_at > whole.last_at):
            whole.last_at, whole.is_last_success = each.last_at, each.is_last_success
            whole.last_s = each.last_s
    return prints_document(whole) if whole.last_at else {"success": 0, "failure": 0}


def statistics_document(outcome: Outcome) -> dict[str, Any]:
    """`statistics`, by profile of the printer; empty until a print has come to its end."""
    if outcome.average_s is None or outcome.last_s is None:
        return {"averagePrintTime": {}, "lastPrintTime": {}}
    return {
        "averagePrintTime": {PROFILE_ID: outcome.average_s},
        "lastPrintTime": {PROFILE_ID: outcome.last_s},
    }


def thumbnail_fields(path: str, facts: Mapping[str, Any], uploaded_at_s: int) -> dict[str, str]:
    """Where the file's picture is, from the script root; {} without one."""
    if not facts.get("has_thumbnail"):
        return {}
    name = path.rpartition(".")[0] or path
    url = f"{THUMBNAILS}/{quote(name)}.png?{uploaded_at_s}"
    return {"thumbnail": url, "thumbnail_src": THUMBNAIL_SOURCE}
