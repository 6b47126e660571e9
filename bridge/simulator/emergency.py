"""Marlin's emergency parser: commands that act when their bytes arrive (serial 7).

It sees every byte before numbers and checksums are looked at, so it also acts on a damaged line,
and it ignores whatever follows the code: `M112 N0` stops the machine. A command is recognised at
its line end, at the start of a line only, with or without a line number, in upper case.

A line that ends where more was expected (within its number, or within a code that it knows) is not
forgotten at its line end: the parser then also ignores the whole line behind it.
"""

import re
from dataclasses import dataclass
from enum import Enum

# An emergency command is decided by the beginning of its line; a longer one needs no more memory.
_KEEP_BYTES = 128

_NUMBERED = rb"(?:N[0-9 -]*)?"
_LINE = re.compile(
    rb"^ *(?:"
    rb"(?P<cut>N[0-9 -]*|" + _NUMBERED + rb"M *(?:1[01]?|41?|8(?:7(?:6 *)?)?)?)\n"
    rb"(?P<ignored>[^\n]*\n)?|" + _NUMBERED + rb"M *"
    rb"(?:(?P<code>108|112|410)|876 *S *(?P<answer>[0-9])))",
    re.MULTILINE,
)


class EmergencyCode(Enum):
    """What the emergency parser acts on."""

    BREAK = 108
    KILL = 112
    QUICK_STOP = 410
    ANSWER = 876


@dataclass(frozen=True, slots=True)
class Emergency:
    """One recognised command; *answer* is the button number of M876, otherwise None."""

    code: EmergencyCode
    answer: int | None = None


class EmergencyParser:
    """Finds emergency commands in the raw byte stream, however it is cut into pieces."""

    __slots__ = ("_ignoring", "_unfinished")

    def __init__(self) -> None:
        self._unfinished = b""
        self._ignoring = False  # the line that comes next

    def feed(self, data: bytes) -> list[Emergency]:
        """Take the next bytes; return the commands whose line end they contain, in order."""
        if b"\r" in data:
            data = data.replace(b"\r", b"\n")
        end = data.rfind(b"\n") + 1
        if not end:
            self._unfinished = (self._unfinished + data)[:_KEEP_BYTES]
            return []
        lines = self._unfinished + data[:end]
        self._unfinished = data[end : end + _KEEP_BYTES]
        if self._ignoring:
            self._ignoring = False
            lines = lines[lines.index(b"\n") + 1 :]
        found = []
        for match in _LINE.finditer(lines):
            if match["cut"] is None:
                found.append(_recognised(match))
            else:
                self._ignoring = match["ignored"] is None
        return found


def _recognised(match: re.Match[bytes]) -> Emergency:
    answer: bytes | None = match["answer"]
    if answer is not None:
        return Emergency(EmergencyCode.ANSWER, int(answer))
    return Emergency(EmergencyCode(int(match["code"])))
