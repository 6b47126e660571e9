"""Getting a firmware to talk (serial 1.5): hello until it answers, or until it is clear it won't.

The hello is `N0 M110 N0` with its checksum: it sets the line count and every firmware answers it.
A board that resets when its port opens gets time to boot first, since a bootloader eats bytes; if
it boots later than that, its `start` begins the greeting anew. Some boards take `M110` without a
word: every second hello also asks for the temperatures, which they all tell.

A firmware that may still write a file to its card would take a hello for a line of that: a bare M29
closes the file first. Marlin takes it without a number for just that (`queue.cpp`), and when it
writes nothing it only says `ok` (`M28_M29.cpp`). A refused line empties its ring, the M29 behind it
included, so it is said more than once.

One that heats, homes or waits for a person since before we came reads a hello, and runs it when it
has done with that: Marlin says `busy` meanwhile, or what it waits for. It is no silent one, and
what it has read already needs not be said again: hellos would only pile up in its receive ring.
"""

from enum import StrEnum

from bridge.gcode.replies import Ack, Busy, Reply, Resend, Start, Wait
from bridge.gcode.temperatures import Temperatures

#: The line feed ends a half line that an earlier connection may have left (serial 12/#43).
HELLO = b"\nN0 M110 N0*125\n"
HELLO_AGAIN = HELLO + b"M105\n"
#: The end of a file that is being written to the card; the first line feed ends a half line.
CLOSE = b"\nM29\n"
#: So often it is said in vain at least, and at most when it is refused, and the time between two.
CLOSES = 3
MAX_CLOSES = 12
CLOSE_EVERY_S = 0.5
#: How long a board may take from reset to `start`.
BOOT_S = 2.0
#: From `start` to the end of the boot text.
SETTLE_S = 0.3
#: Between two hellos.
HELLO_EVERY_S = 2.0
#: Hellos until the firmware counts as silent, when the baud rate is known and when it is tried.
HELLOS = 6
HELLOS_WHEN_TRYING = 2
TRYING_EVERY_S = 1.0
#: A firmware that was busy and has not said so for so long is said hello to again, and it may be
#: busy for so long.
BUSY_EVERY_S = 6.0
MAX_BUSY_S = 1800.0
#: So many bytes that are no text mean a wrong baud rate.
GARBAGE_BYTES = 40


class Outcome(StrEnum):
    """How the greeting stands."""

    WAITING = "waiting"
    ANSWERED = "answered"
    SILENT = "silent"


class Greeting:
    """One try to get an answer."""

    def __init__(
        self,
        now: float,
        *,
        boots: bool,
        trying: bool = False,
        closes: bool = False,
        first: bytes = b"",
    ) -> None:
        """*boots*: the board may just have been reset. *trying*: the baud rate is a guess.

        *closes*: it may still be writing a file to its card. *first*: a command that it is told
        before all else, and may take for a reset.
        """
        self.outcome = Outcome.WAITING
        self._left = HELLOS_WHEN_TRYING if trying else HELLOS
        self._every_s = TRYING_EVERY_S if trying else HELLO_EVERY_S
        self._next = now + (BOOT_S if boots else 0.0)
        self._refused = False
        self._again = False
        self._said = False
        self._first = first
        self._closes, self._to_close = closes, CLOSES if closes else 0
        self._closes_left = MAX_CLOSES
        self._ends = now + MAX_BUSY_S

    def deadline(self) -> float | None:
        """When `tick` is due; None: never again."""
        return self._next if self.outcome is Outcome.WAITING else None

    def tick(self, now: float) -> bytes:
        """What to write now, blank for nothing. Sets `outcome` when patience is over."""
        if self.outcome is not Outcome.WAITING or now < self._next:
            return b""
        if self._first:
            first, self._first = self._first, b""
            self._next = now + BOOT_S
            return b"\n%b\n" % first
        if self._to_close and self._closes_left:
            self._to_close -= 1
            self._closes_left -= 1
            self._next = now + CLOSE_EVERY_S
            return CLOSE
        if self._left == 0:
            self.outcome = Outcome.SILENT
            return b""
        self._left -= 1
        self._next, self._said = now + self._every_s, True
        hello, self._again = HELLO_AGAIN if self._again else HELLO, not self._again
        return hello

    def receive(self, reply: Reply, now: float, *, garbage: int = 0) -> None:
        """A reply arrived; *garbage* counts the bytes so far that are no text."""
        if self.outcome is not Outcome.WAITING:
            return
        match reply:
            case Resend() if self._closes and not self._said:
                self._to_close = min(self._to_close + 1, CLOSES)
            case Start():
                self._again, self._to_close = False, 0
                self._next = now + SETTLE_S
                self._left = max(self._left, HELLOS_WHEN_TRYING)
            case Resend():
                self._refused, self._again = True, False
                self._next = now
            case Busy() | Temperatures(settling=True) if self._said and now < self._ends:
                self._next = max(self._next, now + BUSY_EVERY_S)
                self._left = max(self._left, HELLOS_WHEN_TRYING)
            case Ack() if self._refused:
                self._refused = False
            case Ack() | Wait() if self._said:  # some say `ok` at the end of their boot text
                self.outcome = Outcome.ANSWERED
            case _ if garbage > GARBAGE_BYTES:
                self.outcome = Outcome.SILENT
