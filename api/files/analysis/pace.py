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
_STRAIGHT = 1e-6
_CORNER = CORNER_MM_S * math.sqrt(0.5)


class Pace:
    """The time of the moves so far."""

    def __init__(self) -> None:
        self._acceleration = ACCELERATION_MM_S2
        self._total_s = 0.0
        self._last = (0.0, 0.0, 0.0)  # the direction of the move that waits, times its length
        self._length_mm = self._speed = self._enter = 0.0

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
        (ax, ay, az), length, speed, enter = self._last, self._length_mm, self._speed, self._enter
        total_s = self._total_s
        for nx, ny, nz, e, next_speed in zip(*places, extruded, speeds, strict=True):
            bx, by, bz = nx - x, ny - y, nz - z
            x, y, z = nx, ny, nz
            next_length = sqrt(bx * bx + by * by + bz * bz) or abs(e)
            if next_length < _SHORTEST_MM:
                continue
            leave = 0.0
            if length:  # it ends with the speed of the corner to this one, if it gets to it
                cosine = (ax * bx + ay * by + az * bz) / (length * next_length)
                bend = (1.0 - cosine) * 0.5  # 0 straight on, 1 back
                slow = _CORNER / sqrt(bend) if bend > _STRAIGHT else next_speed
                reach = sqrt(enter * enter + 2.0 * a * length)
                leave = min(speed, next_speed, slow, reach)
                total_s += _time_s(length, speed, enter, leave, a)
            ax, ay, az, length, speed, enter = bx, by, bz, next_length, next_speed, leave
        self._total_s = total_s
        self._last, self._length_mm, self._speed, self._enter = (ax, ay, az), length, speed, enter

    def finish(self) -> float:
        """Seconds of all moves, to the last one's stop."""
        if self._length_mm:
            left = (self._length_mm, self._speed, self._enter, 0.0, self._acceleration)
            self._total_s += _time_s(*left)
            self._length_mm = 0.0
        return self._total_s


def speed_mm_s(feed_mm_min: float) -> float:
    """What a feed rate means, within what a printer does; 0 and less: not said."""
    if not 0.0 < feed_mm_min <= MAX_FEED_MM_MIN:
        return (MAX_FEED_MM_MIN if feed_mm_min > 0.0 else DEFAULT_FEED_MM_MIN) / 60.0
    return feed_mm_min / 60.0


def _time_s(length: float, speed: float, enter: float, leave: float, a: float) -> float:
    """Of one move from the speed *enter* to the speed *leave*, at most with *speed*."""
    mean = (enter * enter + leave * leave) * 0.5
    top = math.sqrt(a * length + mean)
    if top > speed:
        top = max(speed, enter, leave)
        return (2.0 * top - enter - leave) / a + max(0.0, length - (top * top - mean) / a) / top
    return (2.0 * max(top, enter, leave) - enter - leave) / a
