"""What a sender's next life must know about its line numbers: a page that outlives kill -9.

A few fixed records in shared memory of a file, written before the bytes that they speak of leave:
the kernel keeps them when the process dies, however it dies. Nothing is written per line. Job lines
have consecutive numbers except where something was inserted, so the inserted lines say which job
line any number is; bounds say between which numbers the firmware's count must lie.

Each record carries a serial and a checksum and goes into the oldest of its slots, so a record that
is torn by a kill is as if it had not been written, and then its bytes have not left either.
"""

import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bridge.gcode.outgoing import INSERTS_KEPT
from bridge.gcode.printer import Printer
from schemas.printer import PrinterState

#: Numbers that are declared as possibly sent at a time.
STRIDE = 256

_STATES = tuple(PrinterState)
_SERIAL = struct.Struct("<Q")
_CHECK = struct.Struct("<I")
_PAIR = struct.Struct("<QQ")
_CLOCK = struct.Struct("<dd")
#: Own lines whose place is kept: more than can be in flight.
_STEPS_KEPT = 64


class _Slots:
    """Records of one kind; the newest replaces the oldest."""

    def __init__(self, buffer: bytearray | mmap.mmap, at: int, count: int, body: struct.Struct):
        self._buffer, self._at, self._count, self._body = buffer, at, count, body
        self._size = _SERIAL.size + body.size + _CHECK.size
        self.end = at + count * self._size
        self._serial = max((serial for serial, _ in self._valid()), default=0)

    def write(self, *values: float) -> None:
        """Add one record."""
        self._serial += 1
        record = _SERIAL.pack(self._serial) + self._body.pack(*values)
        record += _CHECK.pack(zlib.crc32(record))
        at = self._at + self._serial % self._count * self._size
        self._buffer[at : at + self._size] = record

    def read(self) -> list[tuple[float, ...]]:
        """Every whole record, oldest first."""
        return [values for _, values in sorted(self._valid())]

    def _valid(self) -> Iterator[tuple[int, tuple[float, ...]]]:
        for at in range(self._at, self.end, self._size):
            record = bytes(self._buffer[at : at + self._size])
            body, check = record[: -_CHECK.size], record[-_CHECK.size :]
            serial = _SERIAL.unpack_from(body)[0]
            if serial and _CHECK.pack(zlib.crc32(body)) == check:
                yield serial, self._body.unpack_from(body, _SERIAL.size)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the life before stood when it died.

    *inserts*: number and job lines up to it, rising; *steps*: number and own lines up to it; the
    count must lie from *lowest* to *highest*; *acked*: the last acknowledged number when *state*
    began; *serial*: of the newest agenda whose bytes may have left, 0 where none was kept;
    *beat_at*: the last sign of life in seconds on the host's monotonic clock, *printed_s* the
    print's clock then.
    """

    inserts: tuple[tuple[int, int], ...]
    lowest: int
    highest: int
    state: PrinterState
    acked: int
    beat_at: float
    printed_s: float
    steps: tuple[tuple[int, int], ...] = ()
    serial: int = 0

    def ordinal_of(self, number: int) -> int | None:
        """How many job lines there are up to line *number*; None: too long ago."""
        known = [insert for insert in self.inserts if insert[0] <= number]
        if not known:
            return None
        inserted, ordinal = known[-1]
        return ordinal + number - inserted

    def owns_of(self, number: int) -> int | None:
        """How many own lines there are up to line *number*; None: too long ago."""
        known = [owns for at, owns in self.steps if at <= number]
        return known[-1] if known else None

    def objection(self, number: int, *, scripted: bool, paused: bool = False) -> str | None:
        """Why a print of which no agenda was kept cannot go on behind *number*; None: it can.

        *scripted*: a script runs before the first line; *paused*: what was kept of a pause is here.
        """
        ordinal = self.ordinal_of(number)
        if ordinal is None:
            return f"nobody knows which line of the file number {number} was"
        match self.state:
            case PrinterState.PRINTING:
                return None
            case PrinterState.PAUSED if paused and ordinal == self.ordinal_of(self.acked):
                return None
            case PrinterState.STARTING if ordinal > 0 or not scripted:
                return None
            case PrinterState.FINISHING if number <= self.acked + 1:  # the M400 before the script
                return None
            case state:
                return f"the printer was {state.value}"


class LineJournal:
    """The records of one printer, in *buffer*: a mapped file, or memory in tests."""

    SIZE_BYTES = 4096

    def __init__(self, buffer: bytearray | mmap.mmap) -> None:
        self._inserts = _Slots(buffer, 0, INSERTS_KEPT, _PAIR)
        self._bounds = _Slots(buffer, self._inserts.end, 2, _PAIR)
        self._states = _Slots(buffer, self._bounds.end, 2, _PAIR)
        self._clock = _Slots(buffer, self._states.end, 2, _CLOCK)
        # behind those of older releases, which do not know them and whose pages have none
        self._steps = _Slots(buffer, self._clock.end, _STEPS_KEPT, _PAIR)
        self._agendas = _Slots(buffer, self._steps.end, 2, _PAIR)
        self._owns = self._serial = -1
        self._seen = 0
        self._highest = -1
        self._state: PrinterState | None = None

    def begin(self, printer: Printer, ordinal: int) -> None:
        """The next number is that of the job line behind *ordinal*."""
        out = printer.link.stream.out
        self._highest, self._state, self._serial = -1, None, -1
        self._inserts.write(out.next - 1, ordinal)
        self._steps.write(out.next - 1, out.owns)
        self._owns = out.owns
        self._seen = out.inserts
        self.follow(printer)

    def follow(self, printer: Printer) -> None:
        """Call before the bytes leave that the printer has just given out."""
        stream = printer.link.stream
        out = stream.out
        if out.inserts != self._seen:
            fresh = out.inserts - self._seen
            for number, ordinal, owns in list(out.inserted)[-fresh:]:
                self._inserts.write(number, ordinal)
                if owns != self._owns:
                    self._steps.write(number, owns)
                    self._owns = owns
            self._seen = out.inserts
        if out.top > self._highest:
            self._highest = out.top + STRIDE
            self._bounds.write(stream.acked, self._highest)
        if printer.state is not self._state:
            self._state = printer.state
            self._states.write(_STATES.index(printer.state), stream.acked)
        serial = printer.printing.errands.serial
        if serial != self._serial:  # behind the state: a newer agenda than this counts as begun
            self._serial = serial
            self._agendas.write(serial, stream.acked)

    def beat(self, now: float, printed_s: float) -> None:
        """A sign of life: the print's clock shows *printed_s* seconds."""
        self._clock.write(now, printed_s)

    def standing(self) -> Standing | None:
        """What the life before has left; None when it is not whole."""
        bounds, states, clock = self._bounds.read(), self._states.read(), self._clock.read()
        if not (bounds and states and clock):
            return None
        agendas = self._agendas.read()
        return Standing(
            inserts=_rising(self._inserts.read()),
            lowest=int(bounds[-1][0]),
            highest=int(bounds[-1][1]),
            state=_STATES[int(states[-1][0])],
            acked=int(states[-1][1]),
            beat_at=clock[-1][0],
            printed_s=clock[-1][1],
            steps=_rising(self._steps.read()),
            serial=int(agendas[-1][0]) if agendas else 0,
        )


def _rising(records: list[tuple[float, ...]]) -> tuple[tuple[int, int], ...]:
    """*records* without those of a life whose lines were not taken."""
    rising: list[tuple[int, int]] = []
    for number, count in records:
        while rising and rising[-1][0] >= number:
            rising.pop()
        rising.append((int(number), int(count)))
    return tuple(rising)


def open_journal(path: Path) -> LineJournal:
    """The journal in the file at *path*, made if missing. Raises OSError."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, LineJournal.SIZE_BYTES)  # a store must never find no room
        return LineJournal(mmap.mmap(fd, LineJournal.SIZE_BYTES))
    finally:
        os.close(fd)
