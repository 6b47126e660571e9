"""A remote stop on its way: M112 until the machine has obeyed, or it has been said often enough.

Noise hits that line too, so it is said again as long as the machine speaks. A firmware that writes
a file to its card does not hear it at all: Marlin refuses every line without a number then, and its
emergency parser is off (`queue.cpp`, `cardreader.cpp`). So M29 goes before it, both again and again
(a half line that the stop has cut is refused, and with it what stands behind), and M112 at once
when the firmware says that the file is closed.
"""

from collections.abc import Sequence

from bridge.gcode.failures import Failure, Severity
from bridge.gcode.greeting import CLOSE
from bridge.gcode.replies import Reply, Start
from bridge.gcode.sdcard import Saved

#: A machine that still speaks so long after M112 may never have got it.
STOP_AGAIN_S = 1.0
#: How often M112 is sent at most; a firmware that does not know it must not be flooded.
STOPS = 5
#: What a person is told when all that was in vain. A build of Marlin for Linux says that it has an
#: emergency parser and feeds it nothing (`HAL/LINUX/main.cpp`): M112 is then but an `ok`.
IGNORED = (
    "the machine goes on talking although M112 was sent again and again: it has not stopped, "
    "switch it off; its heaters were told to go off, which it may not heed either"
)
#: The same while it may be writing a file.
CLOSE_AGAIN_S = 0.3
_STOPS_SAVING = 15


class Stopping:
    """One stop. All times are seconds on one monotonic clock."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Nothing is to be stopped."""
        self._data = self._stop = b""
        self._left = 0
        self._again_at = 0.0
        self._saving = self._ignored = False
        self._reached = True  # until we begin one: it has stopped by itself
        self._faulty = False  # it has stopped for a fault and says that it waits for a person
        self._word = b""
        self._settled = False  # it has obeyed, or that it does not is told

    def begin(self, stop: bytes, now: float, *, saving: bool) -> None:
        """Stop it by *stop*; *saving*: it may be writing a file to its card."""
        self._stop, self._saving, self._settled = stop, saving, False
        self._reached = False
        self._left = _STOPS_SAVING if saving else STOPS
        self._again(now)

    def take(self) -> bytes:
        """What to write now; blank for nothing."""
        data, self._data = self._data, b""
        self._reached = self._reached or bool(data)
        return data

    def release(self, revives: bytes) -> None:
        """A person has released it: *revives* is said first at the next connection.

        Not to a machine that no stop has reached: it would restart in whatever it is at.
        """
        word = revives if self._reached else b""
        self.clear()
        self._word = word

    def fault(self) -> None:
        """The machine does nothing any more until a person has mended what is wrong with it."""
        self._faulty = True

    def mended(self, revives: bytes) -> None:
        """A person has the printer connected again: a machine with a fault is told *revives*."""
        if self._faulty:
            self._faulty, self._word = False, revives

    def word(self) -> bytes:
        """What a machine that was stopped is told first; blank for nothing. Once."""
        word, self._word = self._word, b""
        return word

    def heard(self, reply: Reply, now: float) -> None:
        """The machine speaks after a stop: send it again, unless this says that it has obeyed."""
        killed = isinstance(reply, Failure) and reply.severity is Severity.HALTED
        if killed or isinstance(reply, Start):
            self._left, self._settled = 0, True
        elif self._saving and isinstance(reply, Saved):
            self._saving, self._left = False, STOPS
            self._again(now)
        elif now >= self._again_at and self._left:
            self._again(now)
        elif now >= self._again_at and not self._settled:
            self._ignored = self._settled = True

    def ignored(self, off: Sequence[bytes]) -> bool:
        """Whether the machine has just turned out not to obey; once. It is told *off* then.

        One that takes M112 for nothing may still take commands: it must not stay hot, too.
        """
        ignored, self._ignored = self._ignored, False
        if ignored:
            self._data = b"".join(b"%b\n" % line for line in off)
        return ignored

    def deadline(self) -> float | None:
        """When `tick` is due; None: never."""
        return self._again_at if self._saving and self._left else None

    def tick(self, now: float) -> None:
        """One that may be writing a file may say nothing by itself: it is not waited for."""
        if self._saving and now >= self._again_at:
            self._again(now)

    def _again(self, now: float) -> None:
        if not self._left:
            return
        self._left -= 1
        self._data = CLOSE + self._stop if self._saving else self._stop
        self._again_at = now + (CLOSE_AGAIN_S if self._saving else STOP_AGAIN_S)
