"""How long moves take: a small model of a firmware that speeds up and brakes. Pure.

Every move is a trapezoid: it begins at the speed that the corner before it allows, reaches its own
speed if it is long enough, and brakes for the next corner. The planner's look-ahead is one move,
so the estimate is close for long moves and a little short for very short ones. It is only asked
when no slicer has said how long the file prints.
"""

import math
from collections.abc import Sequence

ACCELERATION_MM_S2 = 1000.0
CORNER_MM_S = 8.0  # the speed at which a right angle is taken
DEFAULT_FEED_MM_MIN = 1500.0
MAX_FEED_MM_MIN = 30_000.0
_SHORTEST_MM = 1e-6
_CORNER_2 = CORNER_MM_S * CORNER_MM_S
_STRAIGHT = 2e-6  # 1 minus the cosine of a corner that is none


class Pace:
    """The time of the moves so far."""

    def __init__(self) -> None:
        self._acceleration = ACCELERATION_MM_S2
        self._total_s = 0.0
        self._last = (0.0, 0.0, 0.0)  # the direction of the move that waits, times its length
        self._length_mm = self._speed = 0.0
        self._enter_2 = 0.0  # the square of the speed that it begins with

    def accelerate(self, mm_s2: float) -> None:
        """From now on; what is no acceleration is passed over."""
        if mm_s2 > 1.0:
            self._acceleration = mm_s2

    def add(
        self,
        start: Sequence[float],
        places: Sequence[Sequence[float]],
        extruded: Sequence[float],
        speeds: Sequence[float],
    ) -> None:
        """Moves from *start* to each of *places* (by axis), at *speeds* in mm/s."""
        (x, y, z), a, sqrt = start, self._acceleration, math.sqrt
        (ax, ay, az), length, speed, enter_2 = (
            self._last,
            self._length_mm,
            self._speed,
            self._enter_2,
        )
        total_s = self._total_s
        for nx, ny, nz, e, next_speed in zip(*places, extruded, speeds, strict=True):
            bx, by, bz = nx - x, ny - y, nz - z
            x, y, z = nx, ny, nz
            next_length = sqrt(bx * bx + by * by + bz * bz) or abs(e)
            if next_length < _SHORTEST_MM:
                continue
            leave_2 = 0.0
            if length:  # it ends with the speed of the corner to this one, if it gets to it
                slower = speed if speed < next_speed else next_speed
                bend = 1.0 - (ax * bx + ay * by + az * bz) / (length * next_length)
                corner_2 = _CORNER_2 / bend if bend > _STRAIGHT else slower * slower
                leave_2 = min(slower * slower, corner_2, enter_2 + 2.0 * a * length)
                total_s += _time_s(length, speed, enter_2, leave_2, a)
            ax, ay, az, length, speed, enter_2 = bx, by, bz, next_length, next_speed, leave_2
        self._total_s = total_s
        self._last, self._length_mm = (ax, ay, az), length
        self._speed, self._enter_2 = speed, enter_2

    def finish(self) -> float:
        """Seconds of all moves, to the last one's stop."""
        if self._length_mm:
            left = (self._length_mm, self._speed, self._enter_2, 0.0, self._acceleration)
            self._total_s += _time_s(*left)
            self._length_mm = 0.0
        return self._total_s


def speed_mm_s(feed_mm_min: float) -> float:
    """What a feed rate means, within what a printer does; 0 and less: not said."""
    if not 0.0 < feed_mm_min <= MAX_FEED_MM_MIN:
        return (MAX_FEED_MM_MIN if feed_mm_min > 0.0 else DEFAULT_FEED_MM_MIN) / 60.0
    return feed_mm_min / 60.0


def _time_s(length: float, speed: float, enter_2: float, leave_2: float, a: float) -> float:
    """Of one move, at most with *speed*; the squares of the speeds at its ends are given."""
    mean = (enter_2 + leave_2) * 0.5
    top_2 = a * length + mean
    ends = math.sqrt(enter_2) + math.sqrt(leave_2)
    if top_2 > speed * speed:
        return (2.0 * speed - ends) / a + (top_2 / speed - speed) / a
    return (2.0 * math.sqrt(max(top_2, enter_2)) - ends) / a
