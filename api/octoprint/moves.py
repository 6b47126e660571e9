"""OctoPrint's printer commands as G-code lines and targets (OctoPrint contract, section 4). Pure.

Every function raises `Invalid` for values that the contract refuses. Numbers are written in plain
decimals: no firmware is asked to read an exponent.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from api.errors import Invalid, NotFound
from api.octoprint.printer_document import heaters
from api.octoprint.settings_document import SCRIPTS
from schemas.gcode.words import parse
from schemas.printer import Profile

JOG_MM_PER_MIN = 6000.0
JOG_Z_MM_PER_MIN = 200.0
EXTRUDE_MM_PER_MIN = 300.0
MAX_SPEED_MM_PER_MIN = 60_000.0
MAX_MOVE_MM = 5_000.0
MAX_FACTOR_PERCENT = 999
MAX_OFFSET_C = 50.0
MAX_LINES = 100
MAX_LINE_CHARS = 255
_TOOL = re.compile(r"tool(\d{1,2})")
_NUMERAL = re.compile(r"\d{1,9}(\.\d{1,9})?")
_PARAMETER = re.compile(r"%\((\w+)\)[sdf]")
_YES = ("true", "yes", "y", "1")
_AXES = ("x", "y", "z")

Build = Callable[[Mapping[str, Any], Profile], list[str]]


def number(value: Any, what: str, lowest: float, highest: float) -> float:
    """*value* as a plain number within its bounds. Raises `Invalid`."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or not lowest <= value <= highest:
        raise Invalid(f"{what} takes a number from {lowest:g} to {highest:g}.")
    return float(value)


def _numeral(value: Any) -> Any:
    """A number that some clients write as a text."""
    is_text = isinstance(value, str) and _NUMERAL.fullmatch(value) is not None
    return float(value) if is_text else value


def _plain(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".")


def _percent(value: Any, what: str) -> int:
    """A factor as whole percent: 80 and 0.8 mean the same."""
    factor = value * 100 if isinstance(value, float) else value
    return round(number(factor, what, 1, MAX_FACTOR_PERCENT))


def jog(body: Mapping[str, Any], profile: Profile) -> list[str]:
    """Move by (or, with `absolute`, to) the given x, y, z in mm; `speed` in mm/min."""
    del profile
    given = {
        axis: number(body[axis], axis, -MAX_MOVE_MM, MAX_MOVE_MM) for axis in _AXES if axis in body
    }
    if not given:
        raise Invalid("jog takes at least one of x, y, z.")
    fastest = JOG_Z_MM_PER_MIN if "z" in given else JOG_MM_PER_MIN
    speed = body.get("speed")
    if speed is not None and not isinstance(speed, bool):
        fastest = number(_numeral(speed), "speed", 1, MAX_SPEED_MM_PER_MIN)
    words = " ".join(f"{axis.upper()}{_plain(mm)}" for axis, mm in given.items())
    move = f"G1 {words} F{_plain(fastest)}"
    absolute = str(body.get("absolute")).lower() in _YES
    return ["G90", move] if absolute else ["G91", move, "G90"]


def jogged(body: Mapping[str, Any]) -> str:
    """The axes that a jog moves."""
    return "".join(axis for axis in _AXES if axis in body)


def home(body: Mapping[str, Any], profile: Profile) -> list[str]:
    """Home the given axes: a list of them, or a text as `xy`; none is nothing to do."""
    del profile
    axes = body.get("axes")
    if not isinstance(axes, list | str) or any(axis not in _AXES for axis in axes):
        raise Invalid("home takes axes: a list of x, y, z.")
    wanted = [axis.upper() for axis in _AXES if axis in axes]
    if not wanted:
        return []
    return ["G28"] if len(wanted) == len(_AXES) else ["G28 " + " ".join(wanted)]


def feedrate(body: Mapping[str, Any], profile: Profile) -> list[str]:
    """Override the speed of moves."""
    del profile
    return [f"M220 S{_percent(body.get('factor'), 'factor')}"]


def flowrate(body: Mapping[str, Any], profile: Profile) -> list[str]:
    """Override the flow of the extruder."""
    del profile
    return [f"M221 S{_percent(body.get('factor'), 'factor')}"]


def select_tool(body: Mapping[str, Any], profile: Profile) -> list[str]:
    """Change to a tool that the printer has."""
    tool = body.get("tool")
    match = _TOOL.fullmatch(tool) if isinstance(tool, str) else None
    if match is None or int(match[1]) >= profile.extruders:
        raise Invalid(f"tool takes one of tool0 to tool{profile.extruders - 1}.")
    return [f"T{int(match[1])}"]


def extrude(body: Mapping[str, Any], profile: Profile) -> list[str]:
    """Push (or, negative, pull) `amount` mm of filament at `speed` mm/min."""
    del profile
    amount = number(body.get("amount"), "amount", -MAX_MOVE_MM, MAX_MOVE_MM)
    speed = body.get("speed")
    fastest = EXTRUDE_MM_PER_MIN
    if speed is not None and not isinstance(speed, bool):
        fastest = number(_numeral(speed), "speed", 1, MAX_SPEED_MM_PER_MIN)
    return ["G91", "M83", f"G1 E{_plain(amount)} F{_plain(fastest)}", "M82", "G90"]


def tool_targets(body: Mapping[str, Any], profile: Profile) -> dict[str, float]:
    """Targets in °C for the tools that the printer has; it takes no notice of others."""
    targets = _by_tool(body.get("targets"), "targets", 0, 1000)
    known = heaters(profile)
    return {tool: celsius for tool, celsius in targets.items() if tool in known}


def one_target(heater: str, body: Mapping[str, Any]) -> dict[str, float]:
    """The target in °C of *heater*, bed or chamber."""
    return {heater: number(body.get("target"), "target", 0, 1000)}


def tool_offsets(body: Mapping[str, Any], profile: Profile) -> dict[str, float]:
    """Offsets in °C for the tools that the printer has; it takes no notice of others."""
    offsets = _by_tool(body.get("offsets"), "offsets", -MAX_OFFSET_C, MAX_OFFSET_C)
    known = heaters(profile)
    return {tool: celsius for tool, celsius in offsets.items() if tool in known}


def one_offset(heater: str, body: Mapping[str, Any]) -> dict[str, float]:
    """The offset in °C of *heater*, bed or chamber."""
    return {heater: number(body.get("offset"), "offset", -MAX_OFFSET_C, MAX_OFFSET_C)}


def shifted(targets_c: Mapping[str, float], offsets_c: Mapping[str, float]) -> dict[str, float]:
    """*targets_c* moved by *offsets_c*; a heater that is to be off stays off."""
    return {
        heater: max(0.0, target_c + offsets_c.get(heater, 0.0)) if target_c else 0.0
        for heater, target_c in targets_c.items()
    }


def script_lines(name: Any, scripts: Mapping[str, str]) -> list[str]:
    """The lines of the printer's script that OctoPrint calls *name*. Raises `NotFound`."""
    if not isinstance(name, str) or name not in SCRIPTS:
        raise NotFound(f"There is no script {str(name)[:100]!r}.")
    return _lines(scripts.get(SCRIPTS[name], ""))


def _by_tool(values: Any, what: str, lowest: float, highest: float) -> dict[str, float]:
    if not isinstance(values, dict):
        raise Invalid(f"{what} takes an object with a number for each tool.")
    if any(_TOOL.fullmatch(tool) is None for tool in values):
        raise Invalid(f"{what} takes tool0, tool1 and so on as keys.")
    return {tool: number(value, tool, lowest, highest) for tool, value in values.items()}


def terminal_lines(body: Mapping[str, Any]) -> list[str]:
    """The lines of `/api/printer/command`: exactly one of `command` and `commands`."""
    given = [key for key in ("command", "commands", "script") if key in body]
    if len(given) != 1:
        raise Invalid("Exactly one of command, commands and script is needed.")
    lines = body[given[0]]
    if given[0] != "commands" and not isinstance(lines, list):
        lines = [lines]
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Invalid("commands takes a list of lines.")
    found = [line for text in lines for line in _lines(_filled(text, body.get("parameters")))]
    if len(found) > MAX_LINES or any(len(line) > MAX_LINE_CHARS for line in found):
        raise Invalid(f"At most {MAX_LINES} lines of {MAX_LINE_CHARS} characters at a time.")
    return found


def _filled(text: str, parameters: Any) -> str:
    """*text* with the values of its `%(name)s`, as controls of a client's own send it."""
    if not isinstance(parameters, Mapping) or not parameters:
        return text

    def value(match: re.Match[str]) -> str:
        found = parameters.get(match[1])
        if found is None or isinstance(found, dict | list | bool):
            raise Invalid(f"parameters has no value for {match[1]}.")
        return str(found)[:MAX_LINE_CHARS]

    return _PARAMETER.sub(value, text)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def is_stop(lines: Iterable[str]) -> bool:
    """Whether one of *lines* is the emergency stop, however it is written."""
    return any(command.code == "M112" for line in lines for command in parse(line.encode()))


#: command -> how its lines are made, by the endpoint it belongs to.
HEAD_COMMANDS: dict[str, Build] = {"jog": jog, "home": home, "feedrate": feedrate}
TOOL_COMMANDS: dict[str, Build] = {
    "select": select_tool,
    "extrude": extrude,
    "flowrate": flowrate,
}
