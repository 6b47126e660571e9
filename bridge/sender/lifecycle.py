"""When a sender cools its printer and when it ends. Pure: decides, does nothing.

An orphan finishes its print. Heat without a print and without an owner is a lease that ends; so is
the life of a sender that nobody needs (safety M01, M04).
"""

from dataclasses import dataclass
from enum import StrEnum

from schemas.printer import ACTIVE, CONNECTED, PrinterState

#: Heaters stay on without print and owner for this long.
HEAT_LEASE_S = 60.0
#: An idle sender waits this long for an owner.
ORPHAN_LIFE_S = 600.0
#: From the wish to end until the end, whatever the printer does.
ENDING_S = 30.0
#: What an orphan finishes, and what is cancelled first.
_BUSY = ACTIVE | {PrinterState.TRANSFERRING}


class Step(StrEnum):
    """What to do now."""

    NOTHING = "nothing"
    COOL = "cool"
    CANCEL = "cancel"
    EXIT = "exit"


@dataclass(slots=True)
class Situation:
    """How things are. *heating*: any heater has a target; *cooled*: our heaters-off is through."""

    state: PrinterState
    owned: bool
    heating: bool


class Lifecycle:
    """Ask `step` now and then, and do what it says once."""

    def __init__(self, now: float) -> None:
        self._alone_since: float | None = now
        self._unused_since: float | None = now
        self._ending_since: float | None = None
        self._drain = False
        self._cooling = False
        self._cooled = False
        self._cancelled = False

    @property
    def ending(self) -> bool:
        """Whether the sender is on its way out."""
        return self._ending_since is not None

    def end(self, now: float, *, drain: bool = False) -> None:
        """End: with *drain* after the print, else the print is cancelled."""
        if self._ending_since is None or (self._drain and not drain):
            self._ending_since, self._drain = now, drain

    def cooled(self) -> None:
        """The heaters-off that `Step.COOL` asked for is through, or has failed."""
        self._cooling, self._cooled = False, True

    def step(self, now: float, situation: Situation) -> Step:
        """What to do now; COOL and CANCEL are not repeated."""
        self._follow(now, situation)
        if self._ending_since is not None:
            return self._end_step(now, situation)
        if self._alone_since is None or situation.state in _BUSY:
            return Step.NOTHING
        idle_s = 0.0 if self._unused_since is None else now - self._unused_since
        if idle_s >= ORPHAN_LIFE_S:
            self.end(now)
        elif idle_s >= HEAT_LEASE_S and situation.heating:
            return self._cool_once(situation)
        return Step.NOTHING

    def _follow(self, now: float, situation: Situation) -> None:
        if situation.owned:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = now
        if situation.owned or situation.state in _BUSY:
            self._unused_since = None
            if self._ending_since is None:
                self._cooled = False
        elif self._unused_since is None:
            self._unused_since = now

    def _end_step(self, now: float, situation: Situation) -> Step:
        assert self._ending_since is not None
        active = situation.state in _BUSY
        if self._drain and active:
            self._ending_since = now
            return Step.NOTHING
        if now - self._ending_since >= ENDING_S:
            return Step.EXIT
        if active:
            first, self._cancelled = not self._cancelled, True
            return Step.CANCEL if first else Step.NOTHING
        if situation.state not in CONNECTED or self._cooled:
            return Step.EXIT
        return self._cool_once(situation)

    def _cool_once(self, situation: Situation) -> Step:
        if self._cooling or self._cooled or situation.state not in CONNECTED:
            return Step.NOTHING
        self._cooling = True
        return Step.COOL
