"""What a blocking command waits for. A command's handler yields one of these per wait."""

from math import inf

from bridge.simulator.planner import Planner

PROCESSING = "processing"
PAUSED_FOR_USER = "paused for user"


class Wait:
    """A reason why the command in work is not finished. Times are monotonic real seconds."""

    busy = PROCESSING
    """The word for the keepalive message."""

    def ready(self, now: float) -> bool:
        """Whether the command may go on."""
        raise NotImplementedError

    def wake_at(self) -> float:
        """When to ask again at the latest; inf if only something from outside can end it."""
        raise NotImplementedError

    def release(self, answer: int | None) -> None:
        """M108 (answer None) or M876 arrived. Most waits do not listen."""

    def quick_stop(self) -> None:
        """M410 emptied the planner. Most waits find out by themselves."""


class Until(Wait):
    """A fixed moment: dwelling, homing, probing."""

    def __init__(self, at: float) -> None:
        self._at = at

    def ready(self, now: float) -> bool:
        """Whether the moment has come."""
        return now >= self._at

    def wake_at(self) -> float:
        """The moment."""
        return self._at


class Drained(Wait):
    """All planned motion has been made."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def ready(self, now: float) -> bool:
        """Whether the planner is empty."""
        return self._planner.drained(now)

    def wake_at(self) -> float:
        """When the last block ends."""
        return self._planner.ends_at


class Room(Wait):
    """A free place in the planner. *dropped* is set if M410 came meanwhile: the move is void."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self.dropped = False

    def ready(self, now: float) -> bool:
        """Whether a block can be added."""
        return self.dropped or self._planner.free(now) > 0

    def wake_at(self) -> float:
        """When the block in execution ends."""
        return self._planner.first_ends_at()

    def quick_stop(self) -> None:
        """The move that waited for a place is dropped with those in the planner."""
        self.dropped = True


class User(Wait):
    """A human: ends by M108, by M876, or at *until*. *answer* is the button number or None."""

    busy = PAUSED_FOR_USER

    def __init__(self, until: float = inf) -> None:
        self._until = until
        self._released = False
        self.answer: int | None = None

    def ready(self, now: float) -> bool:
        """Whether somebody answered or the time is up."""
        return self._released or now >= self._until

    def wake_at(self) -> float:
        """When the patience ends."""
        return self._until

    def release(self, answer: int | None) -> None:
        """Somebody answered."""
        self._released = True
        self.answer = answer
