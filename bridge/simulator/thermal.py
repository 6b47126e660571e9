"""Commands for heaters and fans: M104…M107, M109, M140, M155, M190 (serial 3 and 6)."""

from bridge.simulator.heater import Heater
from bridge.simulator.machine import Handler, Machine, Work
from bridge.simulator.receiver import Command
from bridge.simulator.waits import Wait
from bridge.simulator.words import numbers

# Marlin's TEMP_WINDOW, TEMP_HYSTERESIS and TEMP_RESIDENCY_TIME: a wait ends when the temperature
# has stayed near the target for this long.
_WINDOW_C = 1.0
_HYSTERESIS_C = 3.0
_RESIDENCY_S = 10.0
_REPORT_PERIOD_S = 1.0
_POLL_S = 0.05


class Settled(Wait):
    """A heater at its target, reporting each real second; M108 ends it."""

    def __init__(self, machine: Machine, heater: Heater) -> None:
        self._machine = machine
        self._heater = heater
        self._residency_s = machine.pace.real_s(_RESIDENCY_S)
        self._near_since: float | None = None
        self._report_at: float | None = None
        self._poll_at = 0.0
        self._released = False

    def ready(self, now: float) -> bool:
        """Whether it has been at its target for the residency time."""
        self._machine.advance_heaters(now)
        self._poll_at = now + _POLL_S
        self._watch(now)
        if self._report_at is None or now >= self._report_at:
            self._report_at = now + _REPORT_PERIOD_S
            self._machine.say(f"{self._machine.temperatures(now)} W:{self._remaining(now)}")
        return self._released or self._over(now)

    def wake_at(self) -> float:
        """A moment later: temperatures are polled."""
        return self._poll_at

    def release(self, answer: int | None) -> None:
        """M108: go on without waiting; the target stays."""
        self._released = True

    def _watch(self, now: float) -> None:
        gap = abs(self._heater.temperature_c - max(self._heater.target_c, self._heater.ambient_c))
        if self._near_since is None:
            if gap < _WINDOW_C:
                self._near_since = now
        elif gap > _HYSTERESIS_C:
            self._near_since = None

    def _over(self, now: float) -> bool:
        return self._near_since is not None and now >= self._near_since + self._residency_s

    def _remaining(self, now: float) -> str:
        """Seconds left to settle, `?` while not near yet."""
        if self._near_since is None:
            return "?"
        return str(int(self._near_since + self._residency_s - now))


def heat_nozzle(machine: Machine, command: Command, now: float) -> None:
    """M104 [T] S."""
    nozzle = _nozzle(machine, command)
    target_c = numbers(command).get("S")
    if nozzle is not None and target_c is not None:
        machine.heat(nozzle, target_c, now)


def heat_nozzle_and_wait(machine: Machine, command: Command, now: float) -> Work | None:
    """M109 [T] S (waits only on the way up) or R (waits on the way down too)."""
    nozzle = _nozzle(machine, command)
    return None if nozzle is None else _heat_and_wait(machine, command, nozzle, now)


def heat_bed(machine: Machine, command: Command, now: float) -> None:
    """M140 S."""
    target_c = numbers(command).get("S")
    if target_c is not None:
        machine.heat(machine.bed, target_c, now)


def heat_bed_and_wait(machine: Machine, command: Command, now: float) -> Work | None:
    """M190 S or R."""
    return _heat_and_wait(machine, command, machine.bed, now)


def report_temperatures(machine: Machine, command: Command, now: float) -> None:
    """M105: its answer is its `ok`."""
    machine.say(f"ok{machine.temperatures(now)}")


def report_temperatures_every(machine: Machine, command: Command, now: float) -> None:
    """M155 S<seconds>; a family without it does not know the command."""
    if not machine.profile.family.reports:
        machine.say('echo:Unknown command: "M155"')
        return
    machine.temperature_report.start(min(numbers(command).get("S", 0.0), 60.0), now)


def fan_on(machine: Machine, command: Command, now: float) -> None:
    """M106 [P] [S]."""
    values = numbers(command)
    machine.fans[int(values.get("P", 0.0))] = int(min(max(values.get("S", 255.0), 0.0), 255.0))


def fan_off(machine: Machine, command: Command, now: float) -> None:
    """M107 [P]."""
    machine.fans[int(numbers(command).get("P", 0.0))] = 0


HANDLERS: dict[bytes, Handler] = {
    b"M104": heat_nozzle,
    b"M105": report_temperatures,
    b"M106": fan_on,
    b"M107": fan_off,
    b"M109": heat_nozzle_and_wait,
    b"M140": heat_bed,
    b"M155": report_temperatures_every,
    b"M190": heat_bed_and_wait,
}


def _nozzle(machine: Machine, command: Command) -> Heater | None:
    """The nozzle a command is for; says so and returns None if there is no such tool."""
    index = int(numbers(command).get("T", machine.tool))
    if 0 <= index < len(machine.nozzles):
        return machine.nozzles[index]
    machine.say(f"echo:{command.head.decode()} Invalid extruder {index}")
    return None


def _heat_and_wait(machine: Machine, command: Command, heater: Heater, now: float) -> Work | None:
    values = numbers(command)
    cooling_too = "R" in values
    target_c = values.get("R") if cooling_too else values.get("S")
    if target_c is None:
        return None
    machine.heat(heater, target_c, now)
    if heater.temperature_c > heater.target_c and not cooling_too:
        return None
    return _settle(machine, heater)


def _settle(machine: Machine, heater: Heater) -> Work:
    yield Settled(machine, heater)
