"""What people say about a printer, checked: profiles, slugs, the fields that may be set.

Pure: no rows, no I/O. Refusals are `Invalid` with code ``validation_failed`` and name the field.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from api.errors import Invalid
from schemas.gcode.policy import PROFILE_CODES, file_codes
from schemas.gcode.scripts import ScriptError, check
from schemas.printer import DIALECTS, PlatePolicy, Profile

#: Highest ceilings that a profile may claim, in °C: above them no hobby hardware is safe.
HIGHEST_C = {"max_nozzle_c": 500.0, "max_bed_c": 200.0, "max_chamber_c": 150.0}
#: Largest axis in mm and largest nozzle in mm.
LONGEST_MM = 5000.0
WIDEST_NOZZLE_MM = 5.0
MAX_EXTRUDERS = 16
_HOTTEST = Profile(
    max_nozzle_c=HIGHEST_C["max_nozzle_c"],
    max_bed_c=HIGHEST_C["max_bed_c"],
    max_chamber_c=HIGHEST_C["max_chamber_c"],
)
MAX_SCRIPT_CHARS = 10_000
MAX_SLUG = 96
VIRTUAL = "virtual:"

#: Fields of a printer that its bridge works by: changing one makes a new desired version.
BRIDGE_FIELDS = frozenset(
    {"name", "is_active", "bridge_id", "port_id", "baud", "dialect", "profile", "scripts", "serial"}
)
#: Fields that may not change under a running print.
QUIET_FIELDS = BRIDGE_FIELDS - {"name"}
#: Fields that an update may set; everything else in it is ignored.
SETTABLE = BRIDGE_FIELDS | {
    "model",
    "nickname",
    "tags",
    "shared",
    "slot_count",
    "camera_url",
    "api_type",
    "plate_policy",
    "profile_id",
    "sort_order",
    "details",
}


#: Among a printer's details: that somebody gave it a key for its own API. Nothing uses it here, so
#: only its SHA-256 is kept.
API_KEY_HASH = "api_key_sha256"
#: Fields of the dialect that are kept and decide nothing.
DETAILS = ("api_host", "machine_type", "nozzle_type", "overlay", "timelapse_enabled")


@dataclass(frozen=True, slots=True, kw_only=True)
class PrinterCreate:
    """A printer to be made. Without *bridge_id* people run it by hand.

    *plate_policy* None: `self_clearing` on a virtual port or without a bridge (whoever starts a
    print by hand has looked at the plate), else `start_confirms`.
    """

    name: str
    bridge_id: int | None = None
    port_id: str | None = None
    baud: int = 0
    dialect: str = "auto"
    profile: Mapping[str, Any] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    serial: Mapping[str, Any] = field(default_factory=dict)
    plate_policy: str | None = None
    profile_id: int | None = None
    api_type: str | None = None
    model: str | None = None
    nickname: str | None = None
    camera_url: str | None = None
    tags: Collection[str] = ()
    slot_count: int = 4
    is_active: bool = True
    shared: bool = False
    slots: Sequence[Mapping[str, Any]] = ()
    details: Mapping[str, Any] = field(default_factory=dict)


def refuse(field_name: str, text: str) -> Invalid:
    """The refusal of one field."""
    return Invalid(f"{field_name}: {text}", code="validation_failed", field=field_name)


def parse_profile(data: Mapping[str, Any], base: Profile | None = None) -> Profile:
    """*data* over *base* (the default profile) as a `Profile`. Raises `Invalid`."""
    merged = {**msgspec.to_builtins(base or Profile()), **data}
    try:
        profile = msgspec.convert(merged, Profile)
    except msgspec.ValidationError as error:
        raise refuse("profile", str(error)) from None
    for name in ("width_mm", "depth_mm", "height_mm"):
        _check_range(name, getattr(profile, name), LONGEST_MM, "mm")
    _check_range("nozzle_mm", profile.nozzle_mm, WIDEST_NOZZLE_MM, "mm")
    for name, highest in HIGHEST_C.items():
        _check_range(name, getattr(profile, name), highest, "°C")
    if not 1 <= profile.extruders <= MAX_EXTRUDERS:
        raise refuse("profile.extruders", f"from 1 to {MAX_EXTRUDERS}, not {profile.extruders}")
    if set(profile.allowed_codes) != file_codes(profile.allowed_codes):
        raise refuse("profile.allowed_codes", f"only of {', '.join(sorted(PROFILE_CODES))}")
    return profile


def stored(profile: Profile) -> dict[str, Any]:
    """*profile* as a row keeps it: JSON, so that what is read back is the same."""
    codes = sorted(set(profile.allowed_codes))
    lists = {"materials": [*profile.materials], "allowed_codes": codes}
    return {**msgspec.to_builtins(profile), **lists}


def _check_range(name: str, value: float, highest: float, unit: str) -> None:
    if not 0 < value <= highest:  # NaN fails here too
        raise refuse(f"profile.{name}", f"above 0 and at most {highest:g} {unit}, not {value:g}")


def parse_scripts(scripts: Mapping[str, str]) -> dict[str, str]:
    """G-code scripts by name. Raises `Invalid` for a name or a line that no sender runs.

    Temperatures are held against the printer's own ceilings by its sender.
    """
    try:
        check(scripts, _HOTTEST)
    except ScriptError as error:
        refusal = refuse(f"scripts.{error.name}", str(error))
        refusal.extra["line"] = error.line
        raise refusal from None
    for name, text in scripts.items():
        if len(text) > MAX_SCRIPT_CHARS:
            raise refuse(f"scripts.{name}", f"longer than {MAX_SCRIPT_CHARS} characters")
    return dict(scripts)


def parse_dialect(value: str) -> str:
    """A dialect that bridges know. Raises `Invalid`."""
    if value not in DIALECTS:
        raise refuse("dialect", f"one of {', '.join(DIALECTS)}, not {value!r}")
    return value


def parse_policy(value: str | None, port_id: str | None) -> PlatePolicy:
    """The plate policy *value*, or the default for this port. Raises `Invalid`."""
    if value is None:
        self_clearing = port_id is None or port_id.startswith(VIRTUAL)
        return PlatePolicy.SELF_CLEARING if self_clearing else PlatePolicy.START_CONFIRMS
    try:
        return PlatePolicy(value)
    except ValueError:
        raise refuse("plate_policy", f"one of {', '.join(PlatePolicy)}, not {value!r}") from None


def parse_name(value: str | None) -> str:
    """A printer's name without surrounding blanks. Raises `Invalid` when nothing is left."""
    name = (value or "").strip()
    if not name:
        raise refuse("name", "a printer needs a name")
    return name


def slug_base(name: str, otherwise: str = "printer") -> str:
    """*name* as lower-case ASCII with dashes; *otherwise* when nothing is left of it."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_name.lower()).strip("-")[:MAX_SLUG].strip("-")
    return slug or otherwise


def free_slug(base: str, taken: Collection[str]) -> str:
    """*base*, or *base* with the lowest number from 2 that makes it new."""
    if base not in taken:
        return base
    number = 2
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"


def renamed(tags: Sequence[str], old: str, new: str | None) -> list[str]:
    """*tags* with *new* in the place of *old*, each once; None: without it."""
    found = [new if tag == old else tag for tag in tags]
    return [*dict.fromkeys(tag for tag in found if tag is not None)]
