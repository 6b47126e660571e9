"""What is kept at a pause, and the lines that bring it back exactly (serial 9)."""

from dataclasses import dataclass

from bridge.gcode.modal import Modal
from bridge.gcode.replies import Position
from schemas.gcode.limits import ceiling_c
from schemas.printer import Profile

#: How fast the head goes back, in mm/min.
_TRAVEL_MM_MIN = 6000
_LIFT_MM_MIN = 600
#: A target that is lower than this below the kept one must be reached again, in degrees Celsius.
_COOLER_C = 0.5
#: Set and wait, by heater; tools are written out below.
_HEAT = {"bed": (b"M140 S%g", b"M190 S%g"), "chamber": (b"M141 S%g", b"M191 S%g")}


@dataclass(frozen=True, slots=True)
class PausedAt:
    """What no file tells of a pause: targets in degrees Celsius, the place if it is known."""

    targets_c: dict[str, float]
    position: Position | None


@dataclass(slots=True)
class Saved:
    """The state behind the last line before a pause. *position* None: nobody knows it.

    *moved*: the host has sent something since, so that the head may be elsewhere.
    """

    modal: Modal
    targets_c: dict[str, float]
    position: Position | None = None
    moved: bool = False


def credible(targets_c: dict[str, float], profile: Profile) -> dict[str, float]:
    """Those of *targets_c* that a printer of *profile* can have been told.

    A report has no checksum: 60.00 with its point lost is 6000, and a resume would heat to that.
    """
    return {
        heater: target_c
        for heater, target_c in targets_c.items()
        if target_c <= ceiling_c(profile, "nozzle" if heater.startswith("tool") else heater)
    }


def heat_lines(saved: Saved, targets_c: dict[str, float]) -> list[bytes]:
    """Heat again what has been switched off or down since, all at once, then wait for each."""
    wanted = [
        (heater, target_c)
        for heater, target_c in saved.targets_c.items()
        if targets_c.get(heater, 0.0) < target_c - _COOLER_C
    ]
    sets = [_heat(heater)[0] % target_c for heater, target_c in wanted]
    return sets + [_heat(heater)[1] % target_c for heater, target_c in wanted]


def restore_lines(saved: Saved, now: Modal) -> list[bytes]:
    """Bring back tool, place and modes; blank when nothing of ours has changed any."""
    if not saved.moved:
        return []
    was = saved.modal
    lines = [b"T%d" % was.tool] if was.tool != now.tool else []
    lines += [b"G21"] if was.inches or now.inches else []
    if saved.position is not None:
        place = saved.position
        lines += [
            b"G90",
            b"G1 X%.3f Y%.3f F%d" % (place.x_mm, place.y_mm, _TRAVEL_MM_MIN),
            b"G1 Z%.3f F%d" % (place.z_mm, _LIFT_MM_MIN),
        ]
        lines += [] if place.e_mm is None else [b"G92 E%.5f" % place.e_mm]
    if was.feedrate_mm_min is not None:
        lines.append(b"G1 F%g" % was.feedrate_mm_min)
    lines += [b"G20"] if was.inches else []
    lines.append(b"G90" if was.absolute else b"G91")
    lines.append(b"M82" if was.e_absolute else b"M83")
    if was.fan_percent is not None:
        level = round(was.fan_percent * 2.55, 3)  # as it was: RepRapFirmware takes 0.5 for a half
        lines.append(b"M106 S%g" % level)
    if was.feed_percent != now.feed_percent:
        lines.append(b"M220 S%g" % was.feed_percent)
    if was.flow_percent != now.flow_percent:
        lines.append(b"M221 S%g" % was.flow_percent)
    return lines


def _heat(heater: str) -> tuple[bytes, bytes]:
    known = _HEAT.get(heater)
    if known is not None:
        return known
    tool = heater.removeprefix("tool").encode()
    return b"M104 T%b S%%g" % tool, b"M109 T%b S%%g" % tool
