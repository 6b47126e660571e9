"""The state behind the commands: heaters, motion, fans, tool, reporting intervals, latches."""

from collections.abc import Callable, Generator
from math import inf

from bridge.simulator.card import Card, Storage
from bridge.simulator.heater import BED, NOZZLE, Heater
from bridge.simulator.motion import Motion
from bridge.simulator.pace import Pace
from bridge.simulator.profile import Profile
from bridge.simulator.receiver import Command, Receiver
from bridge.simulator.waits import Wait

# How often the protections look at the heaters, in real seconds; Marlin looks all the time.
_PROTECTION_PERIOD_S = 0.5


class Repeating:
    """Something said every *interval_s* real seconds; 0 is never. *at* is the next time."""

    __slots__ = ("at", "interval_s")

    def __init__(self) -> None:
        self.interval_s = 0.0
        self.at = inf

    def start(self, interval_s: float, now: float) -> None:
        """Begin with *interval_s* from *now*; 0 stops it."""
        self.interval_s = max(0.0, interval_s)
        self.at = now + self.interval_s if self.interval_s else inf

    def due(self, now: float) -> bool:
        """Whether it is time; the next time is set. What was missed is not made up for."""
        if now < self.at:
            return False
        self.at = max(self.at + self.interval_s, now)
        return True


class Machine:
    """Everything a reset forgets, and *storage*, which outlives it; *say* gets each line said."""

    def __init__(
        self, profile: Profile, pace: Pace, say: Callable[[str], None], storage: Storage
    ) -> None:
        self.profile = profile
        self.pace = pace
        self.say = say
        self.receiver = Receiver(profile.rx_bytes, say, profile.family)
        self.motion = Motion(pace)
        self.card = Card(storage, pace, inserted=bool(profile.card))
        self.nozzles = [self._nozzle(index) for index in range(profile.hotends)]
        self.bed = Heater(
            "bed", BED, profile.max_bed_c, profile.ambient_c, profile.heater_faults.get("bed")
        )
        self.tool = 0
        self.fans: dict[int, int] = {}
        self.keepalive_s = 2.0 if profile.family.keepalive else 0.0
        self.temperature_report = Repeating()
        self.position_report = Repeating()
        self.killed = False
        #: so long without a move it kills itself (M85), in simulated seconds; 0: never
        self.inactive_s = 0.0
        self._moved_at = 0.0
        self._heaters_at: float | None = None
        self._protection = Repeating()

    def temperatures(self, now: float) -> str:
        """The heater part of M105's answer and of reports, with its leading blank."""
        self.advance_heaters(now)
        active = self.nozzles[self.tool]
        states = [("T", active), ("B", self.bed)]
        powers = [("@", active), ("B@", self.bed)]
        if len(self.nozzles) > 1:
            states += [(f"T{index}", nozzle) for index, nozzle in enumerate(self.nozzles)]
            powers += [(f"@{index}", nozzle) for index, nozzle in enumerate(self.nozzles)]
        shown = [f" {name}:{h.temperature_c:.2f} /{h.target_c:.2f}" for name, h in states]
        return "".join(shown + [f" {name}:{h.power()}" for name, h in powers])

    def position(self, now: float) -> str:
        """M114's answer: the planner's target, then the motors' place in steps."""
        x, y, z, e = self.motion.position
        steps = zip("XYZ", self.motion.head(now), self.profile.steps_per_mm, strict=True)
        count = " ".join(f"{axis}:{round(at * per_mm)}" for axis, at, per_mm in steps)
        return f"X:{x:.2f} Y:{y:.2f} Z:{z:.2f} E:{e:.2f} Count {count}"

    def advance_heaters(self, now: float) -> None:
        """Let the heaters catch up with *now*."""
        elapsed_s = 0.0 if self._heaters_at is None else now - self._heaters_at
        self._heaters_at = now
        for heater in self.heaters():
            heater.advance(self.pace.simulated_s(elapsed_s))

    def heat(self, heater: Heater, target_c: float, now: float) -> None:
        """Give *heater* a new target in °C."""
        self.advance_heaters(now)
        heater.set_target(target_c)
        if heater.target_c and self._protection.at == inf:
            self._protection.start(_PROTECTION_PERIOD_S, now)

    def protect(self, now: float) -> None:
        """Trip the thermal protections if a heater misbehaves."""
        if not self._protection.due(now):
            return
        self.advance_heaters(now)
        if not any(heater.target_c for heater in self.heaters()):
            self._protection.start(0.0, now)
            return
        for heater in self.heaters():
            fault = heater.fault()
            if fault is not None:
                self.say(f"Error:{fault}, system stopped! Heater_ID: {heater.label}")
                self.kill()
                return

    def rest(self, now: float, *, working: bool) -> None:
        """Nothing may have moved for too long; *working*: a command is, which is as good (Marlin:
        `manage_inactivity`). Free-running time is none."""
        if working:
            self._moved_at = now
        if self.pace.speed and now >= self._inactive_at():
            self.say("Error:KILL caused by too much inactive time - current command: ")
            self.kill()

    def deadline(self) -> float:
        """When the machine has something to do or to say by itself."""
        said_at = min(self.temperature_report.at, self.position_report.at)
        return min(self._protection.at, said_at, self._inactive_at())

    def kill(self) -> None:
        """Heaters off, motion gone, and nothing more until a reset."""
        for heater in self.heaters():
            heater.set_target(0.0)
        self.motion.planner.quick_stop()
        self.killed = True
        self.say("Error:Printer halted. kill() called!")
        self.say("//action:poweroff")

    def heaters(self) -> list[Heater]:
        """Nozzles in order, then the bed."""
        return [*self.nozzles, self.bed]

    # Private

    def _inactive_at(self) -> float:
        if not self.inactive_s or not self.pace.speed:
            return inf
        moved_at = max(self._moved_at, self.motion.planner.ends_at)
        return moved_at + self.pace.real_s(self.inactive_s)

    def _nozzle(self, index: int) -> Heater:
        profile = self.profile
        fault = profile.heater_faults.get(f"e{index}")
        return Heater(f"E{index}", NOZZLE, profile.max_nozzle_c, profile.ambient_c, fault)


Work = Generator[Wait, float, None]
"""A command that takes time: yields what it waits for, is sent the time when that came true."""

Handler = Callable[[Machine, Command, float], Work | None]
"""Does a command at a monotonic time; returns None if it is done at once."""
