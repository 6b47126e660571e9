"""G-code that runs around a print. A printer's configuration may replace each by name.

A script is a template (`schemas.gcode.template`). Its lines go through the gate as they come out: a
line that is not allowed, or that needs a value which nobody knows, is left out and told.
"""

from dataclasses import dataclass, field

from bridge.gcode.lines import LineTooLong, clean
from schemas.gcode import template
from schemas.gcode.gate import judge
from schemas.gcode.policy import Origin, Treatment
from schemas.gcode.template import NoValue, TemplateError, Values
from schemas.printer import PrinterConfig, Profile


@dataclass(slots=True)
class Rendered:
    """A script that is ready: *lines* for the wire, *left_out* why some are not among them."""

    lines: list[bytes] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


def heaters_off(profile: Profile) -> list[bytes]:
    """Every heater of *profile* off, no motion: safe at any time."""
    lines = [*nozzles_off(profile)]
    if profile.heated_bed:
        lines.append(b"M140 S0")
    if profile.heated_chamber:
        lines.append(b"M141 S0")
    return lines


def nozzles_off(profile: Profile) -> list[bytes]:
    """Every nozzle of *profile* off."""
    if profile.extruders > 1:
        return [b"M104 T%d S0" % tool for tool in range(profile.extruders)]
    return [b"M104 S0"]


def exists(config: PrinterConfig, name: str) -> bool:
    """Whether the script *name* has any line of its own."""
    return any(line.strip() for line in config.scripts.get(name, "").splitlines())


def rendered(config: PrinterConfig, name: str, values: Values, drain: bytes) -> Rendered:
    """The script *name* with *values*; blank when there is none and no default.

    *drain* is how this firmware is told to finish its moves.
    """
    result = Rendered()
    text = config.scripts.get(name)
    if text is None and name == "on_error":
        text = config.scripts.get("on_cancel")
    if text is None:
        if name in ("on_cancel", "on_error"):
            result.lines = [*heaters_off(config.profile), b"M107", drain, b"M84"]
        return result
    for number, line in enumerate(text.splitlines(), 1):
        try:
            cleaned = _allowed(template.render(line, values), number, config.profile)
        except (NoValue, TemplateError, LineTooLong, _NotAllowed) as error:
            result.left_out.append(f"line {number} of the script {name} was left out: {error}")
        else:
            if cleaned:
                result.lines.append(cleaned)
    return result


class _NotAllowed(ValueError):
    """The line came out as something that the gate refuses."""


def _allowed(line: str, number: int, profile: Profile) -> bytes | None:
    raw = line.encode("ascii", "replace")
    finding = judge(raw, number, profile, Origin.TERMINAL)
    if finding is not None and finding.treatment is not Treatment.ALLOW:
        raise _NotAllowed(str(finding).partition(": ")[2])
    return clean(raw)
