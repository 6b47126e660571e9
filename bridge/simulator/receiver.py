"""From bytes to accepted commands: lines, numbers, checksums, resends (serial 2 and 3).

The order is Marlin's: cut the line at `MAX_CMD_SIZE`, drop comments and leading blanks; if it
begins with `N`, the number must be the last one plus one (unless the line holds `M110`), then a
checksum must exist and match. Everything that fails empties the receive buffer, the unfinished
line included, and asks for the line after the last good one. A number equal to the last one or the
one before is a repeat: it vanishes without any reply.
"""

import re
from collections import deque
from collections.abc import Callable
from functools import reduce
from operator import xor

from bridge.simulator.families import MARLIN, Family, Repeats

MAX_CMD_SIZE = 96
# Escapes and backspaces shrink a line, so it may be longer as received than as stored.
_MAX_RECEIVED = 4 * MAX_CMD_SIZE

_SPECIAL = re.compile(rb"[;\\\x08\x00]")
_N = ord("N")
_NUMBER = re.compile(rb"N\s*([-+]?[0-9]+)")
_CLOSES = re.compile(rb"M29(?![0-9])")
_INTEGER = re.compile(rb"\s*([-+]?[0-9]+)")


class Command:
    """One accepted command: its text without line number and checksum.

    *number* is None for an unnumbered line. *head* is the first word, *rest* what follows it.
    """

    __slots__ = ("head", "number", "rest", "text")

    def __init__(self, text: bytes, number: int | None = None) -> None:
        self.text = text
        self.number = number
        self.head, _, self.rest = text.partition(b" ")


class Receiver:
    """The receive ring and the line reader in front of the command queue.

    *say* is called with each reply line. *last* is the last accepted number.
    """

    __slots__ = (
        "_family",
        "_held",
        "_lines",
        "_say",
        "_size",
        "_skips_left",
        "_unfinished",
        "last",
        "saving",
    )

    def __init__(
        self, size_bytes: int, say: Callable[[str], None], family: Family = MARLIN
    ) -> None:
        self._family = family
        self._size = size_bytes
        self._say = say
        self._lines: deque[bytes] = deque()
        self._unfinished = b""
        self._held = 0
        self._skips_left = 0
        self.last = 0
        #: a file is being written: a line without number is refused, unless it ends that
        self.saving = False

    def feed(self, data: bytes) -> None:
        """Put received bytes into the ring."""
        if b"\r" in data:
            data = data.replace(b"\r", b"\n")
        if self._family.colons:
            data = data.replace(b":", b"\n")
        lines = data.split(b"\n")
        if self._unfinished:
            lines[0] = self._unfinished + lines[0]
        self._unfinished = lines.pop()[:_MAX_RECEIVED]
        self._lines.extend(lines)
        self._held += sum(map(len, lines)) + len(lines)

    def room(self) -> int:
        """Free bytes in the ring; a flow-controlled link delivers no more than this."""
        return max(0, self._size - self._held)

    @property
    def asks(self) -> bool:
        """Whether it asks again while nothing comes (Repetier: for a line, or the rest of one)."""
        return self._family.skips > 0 and (self._skips_left > 0 or bool(self._unfinished))

    def ask_again(self) -> None:
        """Nothing has come for a while."""
        self._request()

    def next(self) -> Command | None:
        """The next acceptable command in the ring, or None; errors are said on the way."""
        while self._lines:
            line = self._lines.popleft()
            self._held -= len(line) + 1
            command = self._accept(line)
            if command is not None:
                return command
        return None

    # Private

    def _accept(self, line: bytes) -> Command | None:
        if len(line) >= MAX_CMD_SIZE or _SPECIAL.search(line):
            line = _stored(line)
        line = line.strip(b" ")
        if not line:
            return None
        if line[0] != _N:
            if self.saving and not _CLOSES.search(line):
                self._refuse("No Checksum with line number", 0)
                return None
            return Command(_without_checksum(line))
        return self._accept_numbered(line)

    def _accept_numbered(self, line: bytes) -> Command | None:
        match = _NUMBER.match(line)
        number = int(match[1]) if match else 0
        star = line.find(b"*") if self._family.first_star else line.rfind(b"*")
        if b"M110" in line:
            number = _renumbering(line, number)
        elif not self._follows(number):
            return None
        if self._family.checks and not self._intact(line, star, number):
            return None
        self.last, self._skips_left = number, 0
        start = match.end() if match else 1
        end = star if star >= 0 else len(line)
        return Command(line[start:end].strip(b" "), number)

    def _follows(self, number: int) -> bool:
        """Whether a line *number* is the next one; if not, it is answered as the family does."""
        repeats = self._family.repeats
        if number == self.last + 1 or repeats is Repeats.EXECUTED:
            return True
        repeated = self.last - 1 <= number <= self.last
        if self._skips_left:
            self._skips_left -= 1
            self._say(f"skip {number}")
            self._say("ok")
        elif not (repeated and repeats is Repeats.SILENT):
            self._refuse("Line Number is not Last Line Number+1", number)
        return False

    def _intact(self, line: bytes, star: int, number: int) -> bool:
        if star < 0:
            self._refuse("No Checksum with line number", number)
            return False
        if _integer(line[star + 1 :]) != reduce(xor, line[:star]):
            self._refuse("checksum mismatch", number)
            return False
        return True

    def _refuse(self, why: str, number: int) -> None:
        family = self._family
        if family.mute:
            return
        values = {"why": why, "last": self.last, "next": self.last + 1, "got": number}
        if family.error is not None:
            self._say(family.error.format(**values))
        self._request()

    def _request(self) -> None:
        family = self._family
        self._lines.clear()
        self._unfinished = b""
        self._held = 0
        self._skips_left = family.skips
        self._say(family.resend.format(next=self.last + 1))
        if family.resend_ok:
            self._say("ok")


def _stored(line: bytes) -> bytes:
    """What Marlin's line buffer holds of *line*: escapes resolved, comment and overflow gone."""
    kept = bytearray()
    escaped = False
    for byte in line:
        if escaped:
            escaped = False
        elif byte == ord("\\"):
            escaped = True
            continue
        elif byte in (ord(";"), 0):  # what stands behind a zero no C string has
            break
        elif byte == ord("\b"):
            del kept[-1:]
            continue
        kept.append(byte)
        if len(kept) >= MAX_CMD_SIZE - 1:
            break
    return bytes(kept)


def _renumbering(line: bytes, number: int) -> int:
    """The number an M110 line sets: its second `N` wins over the one it begins with."""
    second = line.find(b"N", 4)
    if second < 0:
        return number
    return _integer(line[second + 1 :])


def _integer(text: bytes) -> int:
    """C's strtol: the leading integer of *text*, 0 if there is none."""
    match = _INTEGER.match(text)
    return int(match[1]) if match else 0


def _without_checksum(line: bytes) -> bytes:
    star = line.rfind(b"*")
    return line if star < 0 else line[:star].rstrip(b" ")
