"""The host's wall clock as the agent sees it: how far it is off, and when it jumps. Pure.

Room link contract, "Clock, versions, upgrade": every timer is monotonic, so a jump changes nothing
that the agent does; but times that people compare are wrong then, so it is told as a fact.
"""

from datetime import datetime

from bridge.agent.database import Clock
from schemas.facts import AlarmFact

#: Less than this is a clock that is being kept right; it is read in whole seconds.
JUMP_S = 5


class WallClock:
    """Watches the wall clock against the monotonic one."""

    def __init__(self) -> None:
        self._last: Clock | None = None
        self.offset_s: int | None = None

    def look(self, now: Clock) -> AlarmFact | None:
        """Call it every second or so; a fact when the wall clock has jumped since the last call."""
        last, self._last = self._last, now
        if last is None:
            return None
        passed_s = (now.mono_ms - last.mono_ms) / 1000
        jumped_s = round(now.wall_s - last.wall_s - passed_s)
        if abs(jumped_s) < JUMP_S:
            return None
        if self.offset_s is not None:
            self.offset_s -= jumped_s
        way = "forward" if jumped_s > 0 else "back"
        text = (
            f"the bridge's wall clock was set {way} by {abs(jumped_s)} s; prints and deadlines go "
            "by another clock and are not changed"
        )
        return AlarmFact(printer=None, code="clock_jumped", text=text)

    def greeted(self, server_time: str, now: Clock) -> None:
        """The API said what time it is: *offset_s* is its clock less ours, None if unreadable."""
        try:
            at = datetime.fromisoformat(server_time)
        except ValueError:
            self.offset_s = None
            return
        self.offset_s = round(at.timestamp() - now.wall_s) if at.tzinfo is not None else None
