"""Commands that a firmware ran out of their turn: what is left of a cut line (serial 3).

Where bytes can be lost or cut, the rest of a line may begin exactly behind its number, and is then
a whole command without one. The firmware runs it and says `ok`, and nothing else gives it away: an
`ok` that nobody is owed while all waits for a replay, or a line asked for that was answered before.
What such a piece may be is bounded: a command that decides what others mean is alone in flight
(`lines.is_alone`), so it is a move or a setting of a few lines ahead, which runs again in its turn.

A piece that the firmware calls an unknown command has an `ok`, too, and did not run.
"""

from collections import deque

from bridge.gcode.window import MAX_WINDOW


class Strays:
    """Counts them: *count* in all. A firmware that says one `ok` too many counts as one of them."""

    __slots__ = ("_excused", "_owed", "_told", "_unknown", "count")

    def __init__(self) -> None:
        self.count = 0
        self._told = 0
        self._owed = 0
        #: the firmware has just said that it does not know a command: its `ok` follows
        self._unknown = False
        #: the lines that such an `ok` was taken for
        self._excused: deque[int] = deque(maxlen=MAX_WINDOW)

    def resent(self, number: int, acked: int, *, others: int, sure: bool) -> None:
        """Line *number* is asked for, lines up to *acked* counted as answered until now.

        *others* unnumbered lines are still to be answered, and so are those between the two.
        *sure*: all those answers were heard, and *number* was told twice.
        """
        if sure:
            excused = sum(number <= line <= acked for line in self._excused)
            self.count += max(0, acked + 1 - number - excused)
        self._excused.clear()
        self._owed = 1 + others + max(0, number - 1 - acked)

    def again(self) -> None:
        """One more Resend for the same line, and its `ok`."""
        self._owed += 1

    def unknown(self) -> None:
        """The firmware does not know a command."""
        self._unknown = True

    def heard(self, acked: int, *, waiting: bool) -> None:
        """An `ok` came behind line *acked*, *waiting*: while nothing may be sent."""
        unknown, self._unknown = self._unknown, False
        if unknown and not waiting:
            self._excused.append(acked + 1)
        if unknown or not waiting:
            return
        self._owed -= 1
        if self._owed < 0:
            self._owed = 0
            self.count += 1

    def news(self) -> bool:
        """Whether one was counted since this was asked last."""
        told, self._told = self._told, self.count
        return self.count > told
