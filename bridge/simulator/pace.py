"""Simulated time against real time: how long a simulated second takes on the wall clock."""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Pace:
    """Converts durations.

    *speed* is simulated seconds per real second. 0 means free-running: whatever takes simulated
    time takes no real time at all.
    """

    speed: float = 1.0

    def real_s(self, simulated_s: float) -> float:
        """How many real seconds *simulated_s* simulated seconds take."""
        return simulated_s / self.speed if self.speed else 0.0

    def simulated_s(self, real_s: float) -> float:
        """How many simulated seconds pass in *real_s* real seconds; infinite if free-running."""
        return real_s * self.speed if self.speed else inf
