"""Firmware families beside Marlin, as far as their answers differ (serial 10): pure, seeded, small.

Each is a `Firmware` with the habits that the family is known for; `executed` is what it ran.
"""

from tests.fakes.firmware import Firmware, numbered


class Mk3(Firmware):
    """Prusa MK3: a repeat is an error, no `ok` behind a Resend; while *saved* lines are dropped.

    A line with `PRUSA` in it is not counted (`cmdqueue.cpp`, `get_command`).
    """

    def __init__(self) -> None:
        super().__init__(silent_repeats=False, resend_ok=False)
        self.saved = False

    def answer(self, line: bytes) -> bytes:
        """Nothing at all while the print is saved for a runout."""
        if self.saved and line != b"M105":
            return b""
        if b"PRUSA" in line:
            return b"ok\n"
        return super().answer(line)

    def back(self, planned: int = 0) -> bytes:
        """The runout is over: it asks for what it dropped, *planned* moves that it said `ok` to
        included (`Marlin_main.cpp`, `stop_and_save_print_to_ram`)."""
        self.saved = False
        if planned:
            del self.executed[-planned:]
        self.last -= planned
        return b"Resend: %d\n" % (self.last + 1)

    def half_line_times_out(self) -> bytes:
        """A half line older than two seconds is dropped."""
        had, self._buffer = self._buffer, b""
        return b"RX timeout\n" + self.back() if had else b""


class Repetier(Firmware):
    """Says everything twice when it asks again, answers behind its `ok`, demands numbers.

    Behind a Resend it says of up to *skips* whole lines that do not follow that it skips them, with
    an `ok` each (`gcode.cpp`, `checkAndPushCommand`, `waitingForResend`).
    """

    def __init__(self, skips: int = 0) -> None:
        super().__init__(silent_repeats=False, flushes=not skips)
        self.bare = 0
        self.skipped = 0
        self._skips, self._skips_left = skips, 0

    def answer(self, line: bytes) -> bytes:
        """Like Marlin in other words."""
        if line and not line.startswith(b"N"):
            self.bare += 1
            return b"Error:Missing checksum\n" + b"Resend:%d\nok\n" % (self.last + 1)
        found = numbered(line)
        if self._skips_left and found is not None and found[0] != self.last + 1:
            self._skips_left -= 1
            self.skipped += 1
            return b"skip %d\nok\n" % found[0]
        reply = super().answer(line)
        self._skips_left = self._skips if b"Resend: " in reply else 0
        if b"Resend: " in reply:
            again = b"Resend:%d\n" % (self.last + 1)
            return b"Error:expected line %d got 9\n" % (self.last + 1) + again + b"ok\n" + again
        if reply.startswith(b"ok T:"):
            return b"ok %d\n" % self.last + reply.removeprefix(b"ok ")
        return b"ok %d\n" % self.last if reply else b""


class RepRapFirmware(Firmware):
    """Drops a damaged line without a word and does not look at the order of numbers."""

    def answer(self, line: bytes) -> bytes:
        """Repeats are executed again: the test would see them."""
        if not line.startswith(b"N"):
            return super().answer(line)
        found = numbered(line)
        if found is None:
            return b""
        self.last, text = found
        self.executed.append(text)
        return b"ok\n"


class Smoothie(Firmware):
    """`rs N17` without `ok`, CRLF, and an `ok` for a blank line."""

    def answer(self, line: bytes) -> bytes:
        """Like Marlin in its own spelling."""
        if not line:
            return b"ok\r\n"
        reply = super().answer(line)
        if b"Resend" in reply:
            return b"rs N%d\r\n" % (self.last + 1)
        return reply.replace(b"\n", b"\r\n")


class Klipper(Firmware):
    """Skips numbers, ignores checksums, says `ok` to everything; *broken* codes get `!!` first."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[bytes] = set()
        self.slow: set[bytes] = set()
        self.owed = 0

    def answer(self, line: bytes) -> bytes:
        """One `ok` per line, blank ones included, sometimes much later."""
        text = line.split(b" ", 1)[-1].partition(b"*")[0] if line.startswith(b"N") else line
        if text and line.startswith(b"N"):
            self.executed.append(text)
        if text in self.slow:
            self.owed += 1
            return b""
        if text in self.broken:
            return b"!! Must home axis first: 1 2 3\nok\n"
        if text == b"M105":
            return b"ok B:20.0 /0.0 T0:20.0 /0.0\n"
        return b"ok\n"
