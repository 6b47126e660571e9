"""When to dial again (room link contract, "Reconnect"). Pure: time and chance are passed in."""

from collections.abc import Callable

FIRST_S = 1.0
CAP_EARLY_S, EARLY_S = 8.0, 600.0
CAP_LATER_S, LATER_S = 60.0, 3600.0
CAP_LATE_S = 300.0
#: A connection that stood this long was healthy: start over.
HEALTHY_S = 60.0


class Backoff:
    """Full jitter that doubles, with a ceiling that grows with the outage; it never gives up."""

    def __init__(self, chance: Callable[[], float]) -> None:
        """*chance* gives a number from 0.0 to 1.0 each time."""
        self._chance = chance
        self._tries = 0
        self._lost_at: float | None = None
        self._connected_at: float | None = None

    def connected(self, now: float) -> None:
        """The link stands."""
        self._connected_at = now

    def lost(self, now: float) -> None:
        """The link is gone, or a try failed."""
        healthy = self._connected_at is not None and now - self._connected_at >= HEALTHY_S
        self._connected_at = None
        if healthy:
            self._tries, self._lost_at = 0, None
        if self._lost_at is None:
            self._lost_at = now

    def delay(self, now: float, retry_after_s: float | None = None) -> float:
        """Seconds to wait before the next try; *retry_after_s* is what the API asked for."""
        outage_s = now - self._lost_at if self._lost_at is not None else 0.0
        ceiling = CAP_EARLY_S
        if outage_s > EARLY_S:
            ceiling = CAP_LATER_S if outage_s <= LATER_S else CAP_LATE_S
        spread = min(ceiling, FIRST_S * 2.0 ** min(self._tries, 16))
        self._tries += 1
        if retry_after_s is not None:
            return retry_after_s + self._chance() * FIRST_S
        return self._chance() * spread

    def spread(self, window_s: float) -> float:
        """Seconds to wait after a goaway: anywhere in the window that the API named."""
        return self._chance() * max(0.0, window_s)
