"""Printer profiles between OctoPrint's shape and Gantry's (OctoPrint contract, section 4). Pure."""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from api.errors import Invalid
from schemas.printer import Profile

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_BOX = frozenset({"x_min", "y_min", "z_min", "x_max", "y_max", "z_max"})
_FARTHEST = 1e6
MAX_TEXT = 100
#: (where OctoPrint has it, where Gantry has it).
_FIELDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("volume", "width"), "width_mm"),
    (("volume", "depth"), "depth_mm"),
    (("volume", "height"), "height_mm"),
    (("volume", "formFactor"), "form_factor"),
    (("volume", "origin"), "origin"),
    (("heatedBed",), "heated_bed"),
    (("heatedChamber",), "heated_chamber"),
    (("extruder", "count"), "extruders"),
    (("extruder", "nozzleDiameter"), "nozzle_mm"),
)


def profile_document(profile: Profile, name: str, model: str) -> dict[str, Any]:
    """*profile* as OctoPrint writes it, without its id and flags."""
    axis = {"speed": 6000, "inverted": False}
    return {
        "name": name,
        "model": model,
        "color": "default",
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


def own_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """What of *document* is Gantry's to work by, by Gantry's names."""
    found = {}
    for path, name in _FIELDS:
        place: Any = document
        for key in path:
            place = place.get(key) if isinstance(place, Mapping) else None
        if place is not None:
            found[name] = place
    return found


def overlaid(document: Mapping[str, Any], profile: Profile) -> dict[str, Any]:
    """*document* with the values of *profile* wherever Gantry has its own."""
    found = deepcopy(dict(document))
    for path, name in _FIELDS:
        place = found
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = getattr(profile, name)
    there = found["extruder"]["offsets"][: profile.extruders]
    found["extruder"]["offsets"] = there + [[0.0, 0.0]] * (profile.extruders - len(there))
    return found


def checked_id(value: Any) -> str:
    """*value* as the id of a profile. Raises `Invalid`."""
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        raise Invalid("profile.id takes 1 to 64 letters, digits, _ and -.")
    return value


def merged(base: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """*base* with what *given* says of the keys that *base* has; others are ignored.

    Raises `Invalid` for a value of another kind than the one in *base*.
    """
    found = dict(base)
    for key, value in given.items():
        if key not in base:
            continue
        now = base[key]
        if isinstance(now, Mapping) and isinstance(value, Mapping):
            found[key] = merged(now, value)
        elif _same_kind(key, now, value):
            found[key] = value
        else:
            raise Invalid(f"profile.{key} cannot be {str(value)[:50]!r}.")
    return found


def _same_kind(key: str, now: Any, value: Any) -> bool:
    if key == "custom_box":
        return value is False or _is_box(value)
    if key == "offsets":
        return isinstance(value, list) and len(value) <= MAX_TEXT and all(map(_is_pair, value))
    if isinstance(now, bool) or isinstance(value, bool):
        return isinstance(now, bool) and isinstance(value, bool)
    if isinstance(now, int | float):
        return _is_number(value)
    return isinstance(now, str) and isinstance(value, str) and len(value) <= MAX_TEXT


def _is_box(value: Any) -> bool:
    return (
        isinstance(value, Mapping) and set(value) <= _BOX and all(map(_is_number, value.values()))
    )


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _is_number(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and abs(value) < _FARTHEST
