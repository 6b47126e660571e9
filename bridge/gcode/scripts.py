"""G-code that runs around a print. A printer's configuration may replace each by name.

Names: `before_print`, `after_print`, `on_pause`, `on_resume`, `on_cancel`.
"""

from bridge.gcode.lines import clean
from schemas.printer import PrinterConfig, Profile


def heaters_off(profile: Profile) -> list[bytes]:
    """Every heater of *profile* off, no motion: safe at any time."""
    lines = [b"M104 S0"]
    if profile.extruders > 1:
        lines = [b"M104 T%d S0" % tool for tool in range(profile.extruders)]
    if profile.heated_bed:
        lines.append(b"M140 S0")
    if profile.heated_chamber:
        lines.append(b"M141 S0")
    return lines


def script(config: PrinterConfig, name: str) -> list[bytes]:
    """The lines of the script *name*, blank when there is none and no default."""
    text = config.scripts.get(name)
    if text is None:
        if name == "on_cancel":
            return [*heaters_off(config.profile), b"M107", b"M400", b"M84"]
        return []
    cleaned = (clean(line.encode()) for line in text.splitlines())
    return [line for line in cleaned if line]
