"""People before a print whose host dies now and then, and what their printer has to have executed.

A wish that was answered holds in every later life. One whose host died while it was written down
may hold or not: whoever wished looks, and wishes again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from bridge.errors import LocalProtocolError
from schemas.printer import PrinterState
from tests.fakes.hosts import Bench

_S = PrinterState
#: What keeps the motors on while it is paused.
HOLD = b"M84 S86400"
_AT_REST = {_S.PAUSING, _S.PAUSED}
_GOES = {_S.PRINTING, _S.STARTING}


@dataclass(slots=True)
class Wish:
    """`pause`, `resume`, `cancel` or `press` (the knob), once the printer has so many lines."""

    what: str
    lines: int = 0


class People:
    """Does *wishes* in order. A wish that was answered and is forgotten raises AssertionError."""

    def __init__(self, bench: Bench, wishes: Sequence[Wish]) -> None:
        self.bench = bench
        self.wishes = list(wishes)
        self.answered = False
        self.slow = 0  # looks before the knob is pressed
        bench.people = self.look

    def look(self) -> None:
        """One look at the printer."""
        if not self.wishes or self.bench.over():
            return
        wish, state = self.wishes[0], self.bench.host.printer.state
        if len(self.bench.printed) < wish.lines:
            return
        if wish.what == "press":
            self._press()
        elif wish.what == "cancel":
            self._wish(state, not_yet={_S.CONNECTING}, seen={_S.CANCELLING})
        elif wish.what == "pause":
            self._wish(state, not_yet=_GOES, seen=_AT_REST)
        else:
            self._wish(state, not_yet={_S.PAUSED}, seen={_S.RESUMING, *_GOES})

    def _press(self) -> None:
        firmware, now = self.bench.firmware, self.bench.now
        self.slow -= b"M600" in self.bench.printed
        if self.slow > 0:
            return
        firmware.press(now)
        if b"M600" in self.bench.printed[:-1] and self.bench.host.printer.state in _GOES:
            self.wishes.pop(0)
        elif self.bench.host.printer.state is _S.PAUSED:  # nobody has heard that it goes on
            self.bench.host.printer.resume(now)

    def _wish(
        self, state: PrinterState, *, not_yet: set[PrinterState], seen: set[PrinterState]
    ) -> None:
        what = self.wishes[0].what
        if state in seen:
            if what == "cancel" or state in (_S.PAUSED, *_GOES):
                self.answered = False
                self.wishes.pop(0)
            return
        if self.answered:
            forgotten = state in not_yet - {_S.CONNECTING}
            assert not forgotten, f"{what} was answered, and now it is {state}"
            return
        host, now = self.bench.host, self.bench.now
        try:
            getattr(host.printer, what)(now)
        except LocalProtocolError:
            return  # not now
        host.remember()
        self.answered = True


_MOVE = re.compile(rb"G1 X([\d.]+) Y([\d.]+) E([\d.]+)")


def brought_back(commands: Sequence[bytes], ordinal: int) -> list[bytes]:
    """What goes back to the place behind line *ordinal* of a job in absolute millimetres."""
    done = commands[:ordinal]
    x, y, e = next(
        (
            [float(one) for one in move.groups()]
            for line in done[::-1]
            if (move := _MOVE.match(line))
        ),
        [0.0, 0.0, 0.0],
    )
    z = next((line[4:].split()[0] for line in done[::-1] if line.startswith(b"G1 Z")), b"0")
    feed = next((line.rpartition(b"F")[2] for line in done[::-1] if b" F" in line), None)
    lines = [b"G90", b"G1 X%.3f Y%.3f F6000" % (x, y), b"G1 Z%.3f F600" % float(z)]
    lines.append(b"G92 E%.5f" % e)
    lines += [b"G1 F%b" % feed] if feed else []
    lines += [b"G90", b"M82"]
    return [*lines, b"M106 S99"] if b"M106 S99" in done else lines
