"""Commands that move, and those that set how to move: G0…G4, G28, G29, G9x, M8x, M20x, M22x."""

from math import asin, atan2, hypot, pi

from bridge.simulator.machine import Handler, Machine, Work
from bridge.simulator.motion import AXES, DEFAULT_SETTINGS
from bridge.simulator.receiver import Command
from bridge.simulator.waits import Drained, Room, Until
from bridge.simulator.words import letters, numbers

_HOMING_S_PER_AXIS = 4.0
_PROBE_GRID = 3
_S_PER_PROBE = 2.0


def linear(machine: Machine, command: Command, now: float) -> Work | None:
    """G0, G1."""
    return _go(machine, machine.motion.target(command), now)


def clockwise(machine: Machine, command: Command, now: float) -> Work | None:
    """G2."""
    return _arc(machine, command, now, -1.0)


def counter_clockwise(machine: Machine, command: Command, now: float) -> Work | None:
    """G3."""
    return _arc(machine, command, now, 1.0)


def dwell(machine: Machine, command: Command, now: float) -> Work | None:
    """G4 P<ms> or S<s>: first all motion ends, then the time runs."""
    values = numbers(command)
    pause_s = machine.pace.real_s(values.get("S", values.get("P", 0.0) / 1000))
    return _after_motion(machine, pause_s)


def home(machine: Machine, command: Command, now: float) -> Work | None:
    """G28, of the axes named or of all."""
    return _home(
        machine, [axis for axis in AXES[:3] if axis in letters(command)] or ["X", "Y", "Z"]
    )


def level(machine: Machine, command: Command, now: float) -> Work | None:
    """G29: probes a small grid and reports a flat bed."""
    return _level(machine)


def wait_for_moves(machine: Machine, command: Command, now: float) -> Work | None:
    """M400, and M18 or M84 without a timeout: the motors finish first."""
    if "S" in letters(command):
        return None
    return _after_motion(machine, 0.0)


def inactivity(machine: Machine, command: Command, now: float) -> None:
    """M85: it kills itself when nothing has moved for S seconds."""
    machine.inactive_s = max(0.0, numbers(command).get("S", machine.inactive_s))
    machine.rest(now, working=True)


def absolute(machine: Machine, command: Command, now: float) -> None:
    """G90, for E too."""
    machine.motion.relative = [False] * 4


def relative(machine: Machine, command: Command, now: float) -> None:
    """G91, for E too."""
    machine.motion.relative = [True] * 4


def absolute_e(machine: Machine, command: Command, now: float) -> None:
    """M82."""
    machine.motion.relative[3] = False


def relative_e(machine: Machine, command: Command, now: float) -> None:
    """M83."""
    machine.motion.relative[3] = True


def set_position(machine: Machine, command: Command, now: float) -> None:
    """G92; Marlin tells the new place."""
    machine.motion.set_position(command)
    if machine.profile.family.reports:
        machine.say(machine.position(now))


def report_position(machine: Machine, command: Command, now: float) -> None:
    """M114."""
    machine.say(machine.position(now))


def report_position_every(machine: Machine, command: Command, now: float) -> None:
    """M154 S<seconds>."""
    machine.position_report.start(min(numbers(command).get("S", 0.0), 60.0), now)


def speed_percent(machine: Machine, command: Command, now: float) -> None:
    """M220 S<percent>; without S reports."""
    percent = numbers(command).get("S")
    if percent is None:
        machine.say(f"FR:{machine.motion.speed_percent:.0f}%")
    else:
        machine.motion.speed_percent = min(max(percent, 10.0), 999.0)


def flow_percent(machine: Machine, command: Command, now: float) -> None:
    """M221 S<percent>; without S reports."""
    percent = numbers(command).get("S")
    if percent is None:
        machine.say(f"echo:E{machine.tool} Flow: {machine.motion.flow_percent:.0f}%")
    else:
        machine.motion.flow_percent = max(percent, 0.0)


def motion_settings(machine: Machine, command: Command, now: float) -> None:
    """M201, M203, M204, M205: set what is named; without parameters report."""
    code = command.head.decode()
    settings = machine.motion.settings[code]
    values = numbers(command)
    if not values:
        machine.say(f"echo:  {code} " + " ".join(f"{k}{v:.2f}" for k, v in settings.items()))
        return
    if code == "M204" and "S" in values:
        values |= {"P": values["S"], "T": values["S"]}
    settings.update({name: value for name, value in values.items() if name in settings})


HANDLERS: dict[bytes, Handler] = {
    b"G0": linear,
    b"G1": linear,
    b"G2": clockwise,
    b"G3": counter_clockwise,
    b"G4": dwell,
    b"G28": home,
    b"G29": level,
    b"G90": absolute,
    b"G91": relative,
    b"G92": set_position,
    b"M18": wait_for_moves,
    b"M82": absolute_e,
    b"M83": relative_e,
    b"M84": wait_for_moves,
    b"M85": inactivity,
    b"M114": report_position,
    b"M154": report_position_every,
    b"M220": speed_percent,
    b"M221": flow_percent,
    b"M400": wait_for_moves,
    **{code.encode(): motion_settings for code in DEFAULT_SETTINGS},
}


def _go(
    machine: Machine, target: list[float], now: float, path_mm: float | None = None
) -> Work | None:
    if machine.motion.must_wait(now):
        return _go_later(machine, target, path_mm)
    machine.motion.go(target, now, path_mm)
    return None


def _go_later(machine: Machine, target: list[float], path_mm: float | None) -> Work:
    room = Room(machine.motion.planner)
    now = yield room
    if not room.dropped:
        machine.motion.go(target, now, path_mm)


def _arc(machine: Machine, command: Command, now: float, turn: float) -> Work | None:
    x, y, _, _ = machine.motion.position
    target = machine.motion.target(command)
    path_mm = _arc_mm(numbers(command), (target[0] - x, target[1] - y), turn)
    if path_mm is None:
        machine.say("Error:G2/G3 bad parameters")
        return None
    return _go(machine, target, now, path_mm)


def _arc_mm(values: dict[str, float], way: tuple[float, float], turn: float) -> float | None:
    """Length of the arc from here along *way*; None if radius or centre make no arc."""
    chord = hypot(*way)
    if "R" in values:
        radius = abs(values["R"])
        if not chord or 2 * radius < chord:
            return None
        sweep = 2 * asin(chord / (2 * radius))
        return radius * (sweep if values["R"] > 0 else 2 * pi - sweep)
    i, j = values.get("I", 0.0), values.get("J", 0.0)
    if not i and not j:
        return None
    sweep = turn * (atan2(way[1] - j, way[0] - i) - atan2(-j, -i))
    return hypot(i, j) * (sweep % (2 * pi) or 2 * pi)


def _after_motion(machine: Machine, pause_s: float) -> Work:
    now = yield Drained(machine.motion.planner)
    if pause_s:
        yield Until(now + pause_s)


def _home(machine: Machine, axes: list[str]) -> Work:
    yield from _after_motion(machine, machine.pace.real_s(_HOMING_S_PER_AXIS * len(axes)))
    for axis in axes:
        machine.motion.position[AXES.index(axis)] = 0.0


def _level(machine: Machine) -> Work:
    probes = _PROBE_GRID * _PROBE_GRID
    yield from _after_motion(machine, machine.pace.real_s(_S_PER_PROBE * probes))
    machine.say("Bilinear Leveling Grid:")
    machine.say("".join(f"{column:>7}" for column in range(_PROBE_GRID)))
    for row in range(_PROBE_GRID):
        machine.say(f" {row}" + " +0.000" * _PROBE_GRID)
