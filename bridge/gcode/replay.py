"""One Resend and all that belongs to it: its `ok`, its leftovers, its repetitions (serial 3).

Lines of ours that were under way when the firmware asked still arrive there, and each causes one
more Resend of the same line, with its own `ok`. Those are leftovers: they are ignored as often as
lines were in flight.

A firmware that empties its ring cuts the line that is just arriving. Its rest then comes in without
a number, is an unknown command and has an `ok` of its own, which would let the next line go too
early: that is refused, the ring is emptied once more, the replay itself is cut, and so on for ever.
So nothing is sent before all that was under way can have arrived, and what is answered meanwhile
counts for nothing. If the same line is asked for again the pauses grow, and a firmware that drops
repeats without a word is asked for its count: the replay may have arrived all the same.

A firmware looks at numbers when it reads a line, and says `ok` when it has run it: lines that it
took before the damaged one are still in its queue when it asks, and are answered behind the `ok` of
the Resend (Marlin: `queue.cpp`, `gcode_line_error`). Those answers are waited for before anything
goes; counted for the replay they would be too many, and the window would be too wide for good.
"""

from bridge.gcode.dialects import Dialect
from bridge.gcode.strays import Strays
from bridge.gcode.window import MAX_WINDOW

#: A Resend without `ok`: after this the `ok` is taken as said. Also the patience with a leftover.
RESEND_GRACE_S = 0.5
#: The pause before a replay for each byte under way, and beyond that: a slow wire's pace.
_PAUSE_BYTE_S = 10 / 115_200
_PAUSE_S = 0.005
#: The pause before a second replay of the same line; it doubles with every further one.
PAUSE_AGAIN_S = 0.03
MAX_PAUSE_S = 1.0
#: Requests for the same line before the communication counts as stuck.
MAX_SAME_RESEND = 10
#: Answers in a row that noise may have made of Resends.
_DOUBTED = 2

_NEXT = float("inf")


def agreed(told: int | None, number: int, top: int) -> int:
    """The line asked for: *told* by the error, if it said so, and *number* by its Resend.

    *top*: the highest ever sent. Noise in one of the two: going on costs less than going back.
    """
    if not told:
        return number
    return max((one for one in (told, number) if one <= top + 1), default=number)


def counts_anew(number: int, acked: int, ordinal: int) -> bool:
    """Whether a firmware that asks for *number*, and says so twice, has restarted since *acked*.

    *ordinal*: how many lines of the job it has taken; without one, so many that no boot explains
    it. A Resend that nobody understood leaves its `ok`, which then counts for a line that was
    refused: the first few say nothing.
    """
    return number == 1 and (acked > MAX_WINDOW or (acked > _DOUBTED and ordinal > 0))


class Replay:
    """What is still owed after a Resend."""

    __slots__ = (
        "_strays",
        "await_ok",
        "double_due",
        "due",
        "leftover_until",
        "leftovers",
        "number",
        "owed",
        "pause_until",
        "swallow_until",
        "times",
    )

    def __init__(self, strays: Strays) -> None:
        self._strays = strays
        self.restart()

    def restart(self) -> None:
        """Nothing has been asked for."""
        #: the line asked for last, and how often in a row
        self.number = 0
        self.times = 0
        #: until when the `ok` of the Resend is waited for
        self.await_ok: float | None = None
        #: nothing is sent before then
        self.pause_until: float | None = None
        #: Resends that belong to lines which are void already
        self.leftovers = 0
        self.leftover_until: float | None = None
        #: a firmware that says each Resend twice may say the last one again, without an `ok`
        self.double_due = False
        #: until when an `ok` belongs to a Resend that was ignored; 0: none is expected, `_NEXT`: it
        #: belongs to a line that the firmware has left out
        self.swallow_until = 0.0
        #: lines before the one asked for that were taken and are not answered yet; below 0: so
        #: many answers came in a pause, and the next Resend may tell whose they were
        self.owed = 0
        #: Resends that came while nothing may be sent, each with an `ok` of its own
        self.due = 0

    @property
    def pending(self) -> bool:
        """Whether the next `ok` may belong to a Resend and not to a line."""
        return self.holds or self.leftovers > 0 or self.swallow_until > 0.0

    @property
    def holds(self) -> bool:
        """Whether nothing may be sent now."""
        return self.await_ok is not None or self.pause_until is not None or self.owed > 0

    def deadlines(self) -> tuple[float | None, float | None, float | None]:
        """When something of this is due."""
        return self.await_ok, self.pause_until, self.leftover_until

    def asked(self, number: int) -> bool:
        """*number* is asked for; False when that has happened too often in a row."""
        self.times = self.times + 1 if self.number == number else 1
        self.number = number
        return self.times < MAX_SAME_RESEND

    def begin(
        self, leftovers: int, now: float, *, before: int, doubles: bool, size_bytes: int, cuts: bool
    ) -> None:
        """Go back: one `ok` and up to *leftovers* further Resends belong to this one.

        *before*: lines before it that were not answered; below 0: that were, and did not count.
        *size_bytes*: so much may be under way. *cuts*: on this link lines lose their heads.
        """
        self.owed, self.due = max(0, self.owed + before), 0
        self.leftovers = leftovers
        self.double_due = doubles
        self.await_ok = now + RESEND_GRACE_S
        if leftovers or cuts:
            self.pause_until = now + size_bytes * _PAUSE_BYTE_S + _PAUSE_S
        if self.times > 1:
            self.pause_until = now + min(PAUSE_AGAIN_S * 2 ** (self.times - 2), MAX_PAUSE_S)

    def swallow(self, now: float, *, resend_ok: bool) -> None:
        """The Resend is ignored; so is its `ok`, where the firmware gives one."""
        self.swallow_until = now + RESEND_GRACE_S if resend_ok else 0.0

    def skip(self) -> None:
        """A line is left out: the next `ok` is that of it, before any other."""
        self.swallow_until = _NEXT

    def takes_ok(self, now: float, number: int | None = None) -> bool:
        """Whether an `ok` that has just come is none for what is sent from here on.

        It belongs to a Resend, or to a line that was taken before. *number*: its line's, if told.
        """
        if self.swallow_until == _NEXT:
            self.swallow_until = 0.0
            return True
        if number is not None and number >= self.number:
            self.owed = 0
        if self.await_ok is not None:
            self.await_ok = None
            return True
        if self.due:
            self.due -= 1
            return True
        if self.owed > 0 or self.pause_until is not None:
            self.owed -= 1
            return True
        if self.swallow_until:
            swallowed, self.swallow_until = now <= self.swallow_until, 0.0
            return swallowed
        return False

    def is_leftover(self, number: int, acked: int, now: float, dialect: Dialect) -> bool:
        """Whether this Resend is one more answer to lines that a Resend has voided already."""
        if number != self.number or acked >= number:
            return False
        if self.holds:
            self._strays.again()
            self.due += self.await_ok is None and dialect.resend_ok
            return True
        if self.double_due:
            self.double_due = False
            return True
        if not self.leftovers:
            return False
        self.double_due = dialect.doubles_resend
        self.leftovers -= 1
        self.leftover_until = now + RESEND_GRACE_S
        self.swallow(now, resend_ok=dialect.resend_ok)
        return True

    def settled(self, acked: int) -> None:
        """Lines up to *acked* are taken: what was asked for is through."""
        if self.leftovers and acked >= self.number:
            self.leftovers = 0
            self.leftover_until = None

    def rested(self, now: float, *, counts: bool) -> bool:
        """End a pause when it is time. True: ask for the count now; a Resend will tell it.

        *counts*: the firmware can be asked.
        """
        if self.pause_until is None or now < self.pause_until:
            return False
        self.pause_until, self.due = None, 0
        if not counts or self.times == 1:
            self.owed = max(0, self.owed)
            return False
        self.await_ok = now + RESEND_GRACE_S
        return True

    def overdue(self, now: float) -> bool:
        """Drop what was waited for in vain. True: a leftover may have been a second damage."""
        if self.await_ok is not None and now >= self.await_ok:
            self.await_ok = None
        if self.leftover_until is None or now < self.leftover_until:
            return False
        self.leftover_until = None
        return True
