"""The motion queue: how long moves take, how many fit, where the head is (serial 4).

Marlin's planner has 16 blocks of which 15 can hold moves; a move's `ok` is sent once it is in, so
a full planner holds back the host. Look-ahead is approximated: a move pays for the change of speed
and direction against the one before it. Times are monotonic real seconds.
"""

from collections import deque
from dataclasses import dataclass
from math import inf, sqrt

from bridge.simulator.pace import Pace

BLOCK_BUFFER_SIZE = 16
CAPACITY = BLOCK_BUFFER_SIZE - 1

Point = tuple[float, float, float]
_NOWHERE: Point = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Move:
    """A straight move or arc: mm, mm/s, mm/s². *length_mm* is greater than 0."""

    start: Point
    goal: Point
    length_mm: float
    speed_mm_s: float
    accel_mm_s2: float


class Planner:
    """The blocks between the command queue and the motors. *ends_at* is when the last one ends."""

    __slots__ = ("_blocks", "_direction", "_pace", "_speed_mm_s", "ends_at")

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._blocks: deque[tuple[float, float, Move]] = deque()
        self._direction = _NOWHERE
        self._speed_mm_s = 0.0
        self.ends_at = -inf

    def add(self, move: Move, now: float) -> None:
        """Append *move*. The caller has seen that a place is free."""
        if self.drained(now):
            self._direction, self._speed_mm_s = _NOWHERE, 0.0
        duration = self._pace.real_s(self._duration_s(move))
        self.ends_at = max(now, self.ends_at) + duration
        self._blocks.append((self.ends_at, duration, move))

    def free(self, now: float) -> int:
        """How many moves can be added."""
        self._retire(now)
        return CAPACITY - len(self._blocks)

    def drained(self, now: float) -> bool:
        """Whether nothing moves."""
        return now >= self.ends_at

    def first_ends_at(self) -> float:
        """When the move in execution ends; -inf if there is none."""
        return self._blocks[0][0] if self._blocks else -inf

    def head(self, now: float) -> Point | None:
        """Where the head is on its way, in mm; None if nothing moves."""
        self._retire(now)
        if not self._blocks:
            return None
        end, duration, move = self._blocks[0]
        left = min(1.0, (end - now) / duration)
        x, y, z = (g + (s - g) * left for s, g in zip(move.start, move.goal, strict=True))
        return (x, y, z)

    def quick_stop(self) -> None:
        """Forget all moves, the one in execution too."""
        self._blocks.clear()
        self.ends_at = -inf

    # Private

    def _retire(self, now: float) -> None:
        while self._blocks and self._blocks[0][0] <= now:
            self._blocks.popleft()

    def _duration_s(self, move: Move) -> float:
        x, y, z = ((g - s) / move.length_mm for s, g in zip(move.start, move.goal, strict=True))
        was, (wx, wy, wz) = self._speed_mm_s, self._direction
        same_way = max(0.0, x * wx + y * wy + z * wz)
        entry = min(was, move.speed_mm_s) * same_way
        speed = min(move.speed_mm_s, sqrt(entry**2 + 2 * move.accel_mm_s2 * move.length_mm))
        braking_s = (was - entry) ** 2 / (2 * move.accel_mm_s2 * was) if was else 0.0
        starting_s = (speed - entry) ** 2 / (2 * move.accel_mm_s2 * speed)
        self._speed_mm_s, self._direction = speed, (x, y, z)
        return braking_s + starting_s + move.length_mm / speed
