"""When a sender that died is started again (pure): at once, more slowly, or not at all."""

from collections import deque

MAX_DEATHS = 5
WITHIN_S = 60.0
#: Wait before a restart, by how many deaths lie in the window.
DELAYS_S = (0.0, 0.2, 1.0, 3.0)


class Restarts:
    """Counts the deaths of one sender; five in a minute put its printer in quarantine."""

    def __init__(self) -> None:
        self._deaths: deque[float] = deque()
        self.quarantined = False

    def died(self, now: float) -> float | None:
        """Seconds to wait before the next start; None: it stays down, a person has to look."""
        self._deaths.append(now)
        while now - self._deaths[0] > WITHIN_S:
            self._deaths.popleft()
        if len(self._deaths) >= MAX_DEATHS:
            self.quarantined = True
            return None
        return DELAYS_S[min(len(self._deaths), len(DELAYS_S)) - 1]

    def pardon(self) -> None:
        """A person asked for the printer again: begin anew."""
        self._deaths.clear()
        self.quarantined = False
