"""One Resend and all that belongs to it: its `ok`, its leftovers, its repetitions (serial 3).

Lines of ours that were under way when the firmware asked still arrive there, and each causes one
more Resend of the same line, with its own `ok`. Those are leftovers: they are ignored as often as
lines were in flight.
"""

from bridge.gcode.dialects import Dialect

#: A Resend without `ok`: after this the `ok` is taken as said. Also the patience with a leftover.
RESEND_GRACE_S = 0.5
#: Requests for the same line before the communication counts as stuck.
MAX_SAME_RESEND = 10


class Replay:
    """What is still owed after a Resend."""

    __slots__ = (
        "await_ok",
        "double_due",
        "leftover_until",
        "leftovers",
        "number",
        "swallow_until",
        "times",
    )

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Nothing has been asked for."""
        #: the line asked for last, and how often in a row
        self.number = 0
        self.times = 0
        #: until when the `ok` of the Resend is waited for
        self.await_ok: float | None = None
        #: Resends that belong to lines which are void already
        self.leftovers = 0
        self.leftover_until: float | None = None
        #: a firmware that says each Resend twice may say the last one again, without an `ok`
        self.double_due = False
        #: until when an `ok` belongs to a Resend that was ignored; 0: none is expected
        self.swallow_until = 0.0

    @property
    def pending(self) -> bool:
        """Whether the next `ok` may belong to a Resend and not to a line."""
        return self.await_ok is not None or self.leftovers > 0 or self.swallow_until > 0.0

    def asked(self, number: int) -> bool:
        """*number* is asked for; False when that has happened too often in a row."""
        self.times = self.times + 1 if self.number == number else 1
        self.number = number
        return self.times < MAX_SAME_RESEND

    def begin(self, leftovers: int, now: float, *, doubles: bool) -> None:
        """Go back: one `ok` and up to *leftovers* further Resends belong to this one."""
        self.leftovers = leftovers
        self.double_due = doubles
        self.await_ok = now + RESEND_GRACE_S

    def swallow(self, now: float, *, resend_ok: bool) -> None:
        """The Resend is ignored; so is its `ok`, where the firmware gives one."""
        self.swallow_until = now + RESEND_GRACE_S if resend_ok else 0.0

    def takes_ok(self, now: float) -> bool:
        """Whether an `ok` that has just come belongs to a Resend, which then has had it."""
        if self.await_ok is not None:
            self.await_ok = None
            return True
        if self.swallow_until:
            swallowed, self.swallow_until = now <= self.swallow_until, 0.0
            return swallowed
        return False

    def is_leftover(self, number: int, acked: int, now: float, dialect: Dialect) -> bool:
        """Whether this Resend is one more answer to lines that a Resend has voided already."""
        if number != self.number or acked >= number:
            return False
        if self.await_ok is not None:
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

    def overdue(self, now: float) -> bool:
        """Drop what was waited for in vain. True: a leftover may have been a second damage."""
        if self.await_ok is not None and now >= self.await_ok:
            self.await_ok = None
        if self.leftover_until is None or now < self.leftover_until:
            return False
        self.leftover_until = None
        return True
