"""Temperature reports into numbers (serial 6)."""

import math
import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r"(?:^|[\s,])(?P<name>T\d{0,2}|B|C)\s*:\s*(?P<actual>-?\d+\.?\d*|-?\.\d+|-?nan|-?inf)"
    r"(?:\s*/\s*(?P<target>-?\d+\.?\d*|nan|inf))?",
    re.IGNORECASE,
)
_TARGET_ONLY = re.compile(r"^Target(?P<name>Extr\d{1,2}|Bed)\s*:\s*(?P<target>-?\d+\.?\d*)")
_SETTLING = re.compile(r"\bW:\s*(?:\?|-?\d+)|\bE:\s*\d+\s*(?:W:|B:|$)")
#: The number of the extruder that M109 waits for, no temperature.
_WAITING = re.compile(r"\bE:\s*(\d{1,2})(?=\s|$)")
#: A report that is said to two ports which are one: signs and numbers come twice each.
_TWICE = re.compile(r"(-?\d+\.\d\d|\D)\1")
_NAMES = {"B": "bed", "C": "chamber"}


@dataclass(frozen=True, slots=True)
class Reading:
    """One heater: degrees Celsius, None where the line has no (finite) number."""

    actual_c: float | None
    target_c: float | None


@dataclass(frozen=True, slots=True)
class Temperatures:
    """A report, keyed tool0…n, bed, chamber. *settling*: the firmware waits for a heater."""

    readings: dict[str, Reading]
    settling: bool = False


def parse(line: str) -> Temperatures | None:
    """The temperatures in *line*, None when it has none.

    `T:` is the active tool; it counts where tool0 has no report of its own (Smoothie calls its
    first one so), and for the tool that a line of M109 names (Marlin 1.0, MK3: `T:24.0 E:1 W:?`). A
    value that is no finite number is None, so that it never reaches a graph.
    """
    if "FIRMWARE" in line or line.startswith("echo:  M"):
        return None
    if line.startswith(("TT::", "BB::")):
        line = _TWICE.sub(r"\1", line)
    target_only = _TARGET_ONLY.match(line)
    if target_only:
        name = target_only["name"].lower().replace("extr", "tool")
        return Temperatures({name: Reading(None, _finite(target_only["target"]))})
    found = {
        match["name"].upper(): Reading(_finite(match["actual"]), _finite(match["target"]))
        for match in _TOKEN.finditer(line)
    }
    if not found:
        return None
    active = found.pop("T", None)
    if active is not None:
        waiting = _WAITING.search(line)
        found.setdefault(f"T{int(waiting[1])}" if waiting else "T0", active)
    readings = {
        _NAMES.get(name, f"tool{name[1:]}"): reading
        for name, reading in found.items()
        if name in _NAMES or name[1:].isdigit()
    }
    return Temperatures(readings, settling=_SETTLING.search(line) is not None)


def _finite(text: str | None) -> float | None:
    if text is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None
