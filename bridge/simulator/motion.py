"""Where the tool is and how it gets there: modes, position, feedrate, limits."""

from math import hypot

from bridge.simulator.pace import Pace
from bridge.simulator.planner import Move, Planner, Point
from bridge.simulator.receiver import Command
from bridge.simulator.words import pairs

AXES = "XYZE"
_AXIS = {b"X": 0, b"Y": 1, b"Z": 2, b"E": 3}
_E = 3
_SLOWEST_MM_S = 0.05
_SHORTEST_MM = 1e-6

# Marlin's motion settings by the command that sets them: mm/s, mm/s², mm.
DEFAULT_SETTINGS: dict[str, dict[str, float]] = {
    "M201": {"X": 3000.0, "Y": 3000.0, "Z": 200.0, "E": 10000.0},
    "M203": {"X": 500.0, "Y": 500.0, "Z": 12.0, "E": 120.0},
    "M204": {"P": 1500.0, "R": 1500.0, "T": 2000.0},
    "M205": {"B": 20000.0, "S": 0.0, "T": 0.0, "X": 10.0, "Y": 10.0, "Z": 0.3, "E": 5.0},
}


class Motion:
    """Logical position in mm, modal state, and the planner that turns it into time.

    *speed_percent* and *flow_percent* are M220 and M221.
    """

    __slots__ = (
        "_free_running",
        "feedrate_mm_s",
        "flow_percent",
        "planner",
        "position",
        "relative",
        "settings",
        "speed_percent",
    )

    def __init__(self, pace: Pace) -> None:
        self._free_running = pace.speed == 0
        self.planner = Planner(pace)
        self.position = [0.0, 0.0, 0.0, 0.0]
        self.relative = [False, False, False, False]
        self.feedrate_mm_s = 25.0
        self.speed_percent = 100.0
        self.flow_percent = 100.0
        self.settings = {code: dict(values) for code, values in DEFAULT_SETTINGS.items()}

    def target(self, command: Command) -> list[float]:
        """Where G0…G3 wants to go, as X Y Z E in mm. Takes its F as the new feedrate."""
        target = self.position.copy()
        for letter, value in pairs(command):
            axis = _AXIS.get(letter)
            if axis is None or not value:
                if letter == b"F" and value:
                    self.feedrate_mm_s = max(float(value) / 60, _SLOWEST_MM_S)
            elif self.relative[axis]:
                target[axis] += float(value)
            else:
                target[axis] = float(value)
        return target

    def must_wait(self, now: float) -> bool:
        """Whether a move has to wait for a place in the planner."""
        return not self._free_running and self.planner.free(now) == 0

    def go(self, target: list[float], now: float, path_mm: float | None = None) -> None:
        """Move to *target*; *path_mm* is the way in X and Y where it is no straight line."""
        if not self._free_running:
            move = self._move(target, path_mm)
            if move is not None:
                self.planner.add(move, now)
        self.position = target

    def set_position(self, command: Command) -> None:
        """G92: the place where the tool is gets other coordinates."""
        for letter, value in pairs(command):
            axis = _AXIS.get(letter)
            if axis is not None and value:
                self.position[axis] = float(value)

    def head(self, now: float) -> Point:
        """Where the head really is, in mm."""
        x, y, z, _ = self.position
        return self.planner.head(now) or (x, y, z)

    def quick_stop(self, now: float) -> None:
        """Stop where the head is; the planned moves are gone."""
        self.position[:_E] = self.head(now)
        self.planner.quick_stop()

    # Private

    def _move(self, target: list[float], path_mm: float | None) -> Move | None:
        deltas = [abs(goal - at) for goal, at in zip(target, self.position, strict=True)]
        flat_mm = hypot(deltas[0], deltas[1]) if path_mm is None else path_mm
        length_mm = hypot(flat_mm, deltas[2]) or deltas[_E]
        if length_mm < _SHORTEST_MM:
            return None
        x, y, z, _ = self.position
        return Move(
            start=(x, y, z),
            goal=(target[0], target[1], target[2]),
            length_mm=length_mm,
            speed_mm_s=self._limited("M203", self._wanted_speed(), deltas, length_mm),
            accel_mm_s2=self._limited("M201", self._wanted_accel(deltas), deltas, length_mm),
        )

    def _wanted_speed(self) -> float:
        return max(self.feedrate_mm_s * self.speed_percent / 100, _SLOWEST_MM_S)

    def _wanted_accel(self, deltas: list[float]) -> float:
        travel = not deltas[_E]
        kind = "T" if travel else "P" if any(deltas[:_E]) else "R"
        return max(self.settings["M204"][kind], 1.0)

    def _limited(self, code: str, value: float, deltas: list[float], length_mm: float) -> float:
        """*value* along the path, reduced until every axis keeps its limit."""
        for axis, delta in zip(AXES, deltas, strict=True):
            if delta:
                limit = max(self.settings[code][axis], _SLOWEST_MM_S)
                value = min(value, limit * length_mm / delta)
        return value
