"""Who is looked at (room link contract, "Live"): rooms that somebody watches show more.

Every read of a printer's picture counts as a look at its room. A look holds for a lease; the first
one, and the one that renews it, wakes the room's link in whichever process holds that, and the
link tells the agent. A room that nobody looks at sends a snapshot every half minute.
"""

from api.bus.local import Bus
from api.clock import Clock

#: So long a look holds, at the agent as well.
LEASE_S = 60.0
RENEW_S = LEASE_S / 2


def bell(bridge_id: int) -> str:
    """What is rung on the bus when somebody looks at this room."""
    return f"interest:{bridge_id}"


class Interests:
    """The rooms that somebody looks at, as far as this process knows."""

    def __init__(self, clock: Clock, bus: Bus) -> None:
        self._clock = clock
        self._bus = bus
        self._until: dict[int, float] = {}

    def look(self, bridge_id: int | None) -> None:
        """Somebody looks at this room; quick enough for every request. None: there is none."""
        if bridge_id is None:
            return
        now = self._clock.monotonic()
        if self._until.get(bridge_id, 0.0) - now > RENEW_S:
            return
        self._until[bridge_id] = now + LEASE_S
        self._bus.wake([bell(bridge_id)])

    def left_s(self, bridge_id: int) -> float:
        """How much longer this room counts as watched, 0 for one that is not."""
        return max(0.0, self._until.get(bridge_id, 0.0) - self._clock.monotonic())
