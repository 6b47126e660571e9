"""File lines into lines for the wire: cleaned, cut or refused, numbered, with checksums (serial 2).

Everything works on bytes as sent, so that a checksum is always that of what leaves the port.
"""

import re

from schemas.gcode.shape import CUTTABLE, MAX_COMMAND_BYTES, shortened
from schemas.gcode.words import TEXT_CODES, bare, code_of

#: Bytes of a line that needs no cleaning when it begins with G or M.
PLAIN_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .-+"
_GCODE = re.compile(rb"[GMTgmt][ \t]*\d|[Tt][?cx]")
_PARENTHESES = re.compile(rb"\([^()]*\)")
_QUOTED = re.compile(rb'("[^"]*")')

#: Commands that block or flush: never another line in flight beside them (serial 3 and 4).
BLOCKING_CODES = frozenset(
    {
        *("G4", "G26", "G28", "G29", "G30", "G32", "G33", "G34", "G35", "G76", "G80", "G425", "T"),
        *("M0", "M1", "M28", "M29", "M48", "M109", "M110", "M112", "M116", "M125", "M190", "M191"),
        *("M206", "M226", "M291", "M303", "M400", "M410", "M500", "M501", "M502", "M504"),
        *("M600", "M601", "M602", "M603", "M701", "M702", "M997", "M999"),
    }
)
#: Commands that decide what others mean, or end it: run out of turn as the rest of a cut line they
#: would spoil what is around them, and a move only itself. So they are alone, too (`strays`).
#: Behind M524 Marlin empties its command queue: what is in there is taken, and never run.
DECIDING_CODES = frozenset(
    {
        *("G20", "G21", "G53", "G54", "G55", "G56", "G57", "G58", "G59", "G90", "G91", "G92"),
        *("M18", "M81", "M82", "M83", "M84", "M200", "M218", "M290", "M428", "M524"),
    }
)
_ALONE_CODES = BLOCKING_CODES | DECIDING_CODES
#: The commands that nearly every line is, and that never block.
MOTION = (b"G1 ", b"G0 ", b"G2 ", b"G3 ")

#: What makes a firmware say a line that is its word for a boot, and nothing else (`replies`).
_SAYS_START = re.compile(
    rb"""M118(?:[ ]+[AEP]\d)*[ ][^A-Za-z]*(?:echo:[ ]*)?start(?=\s*$)|"""
    rb"""RESPOND\b.*\bMSG=[^A-Za-z]*(?:echo:[ ]*)?start(?=["']?(?:\s|$))"""
)

#: What number and checksum add to a line, at most.
NUMBERING_BYTES = 16
#: Ahead of all that was sent, so that no flipped bit makes one of the two numbers the other.
_FAR = 1_000_000

#: When a text that is asked for again and again gets plainer, of `replay.MAX_SAME_RESEND` times.
_PLAIN_AT, _SHORT_AT = 4, 7
_SHORT_BYTES = 24
_ODD = re.compile(rb"[^A-Za-z0-9 .-]")


class LineTooLong(ValueError):
    """The command does not fit into the firmware's line buffer."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"it is {size_bytes} bytes long, a printer takes {MAX_COMMAND_BYTES}")


def clean(raw: bytes) -> bytes | None:
    """What to send for the file line *raw*, None for a comment, a blank or a marker line.

    Codes and their words become upper case, texts keep their case. Raises `LineTooLong`.

    A semicolon within quotes becomes a comma: it begins a comment all the same, unless Marlin was
    built with `GCODE_QUOTED_STRINGS`. The checksum would be gone with it, and the line asked for
    again for ever. A message that only says `start` gets a dot: said back by the printer, it would
    end its print as that of a board that has restarted.
    """
    if raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
    text = bare(raw)
    if not text or text.startswith((b"//", b"%")):
        return None
    if _GCODE.match(text):
        text = _normal(text)
    if b";" in text:  # within quotes
        text = text.replace(b";", b",")
    text = uncounted(text)
    if len(text) > MAX_COMMAND_BYTES:
        short = shortened(text)
        if short is None:
            raise LineTooLong(len(text))
        text = short
    if b"start" in text:  # of what is sent, which is short: the search is slow in a long line
        text = _SAYS_START.sub(rb"\g<0>.", text)
    return text or None


def plainer(text: bytes, times: int) -> bytes:
    """*text*, which a firmware has asked for *times* in a row, so that more of them may take it.

    What is only shown has no need to be exact: its odd characters go, then its length. A colon, a
    percent sign or a bracket ends a line on more boards than say which Marlin they come from.
    """
    if times not in (_PLAIN_AT, _SHORT_AT) or code_of(text) not in CUTTABLE:
        return text
    plain = _ODD.sub(b" ", text).rstrip()
    return plain if times == _PLAIN_AT else plain[:_SHORT_BYTES].rstrip()


def uncounted(text: bytes) -> bytes:
    """The cleaned line *text* so that no firmware counts it in another way than we do.

    Marlin sets its count by every line with `M110` in it, wherever that stands, to the number
    behind the next `N` (`queue.cpp`, `get_serial_commands`): it would skip lines, or ask for all
    from the first. Prusa's MK3 does not count a line with `PRUSA` in it, which a label or a file's
    name may have (`cmdqueue.cpp`, `get_command`): it would ask for that line for ever.
    """
    if b"M110" in text and b"N" in text:
        text = text.replace(b"M110", b"M 110")
    return text.replace(b"PRUSA", b"Prusa")


def is_alone(text: bytes) -> bool:
    """Whether the cleaned line *text* must be alone in flight."""
    if text[:3] in MOTION:
        return False
    return code_of(text) in _ALONE_CODES


def is_long(text: bytes) -> bool:
    """Whether the cleaned line *text* may take minutes."""
    return code_of(text) in BLOCKING_CODES


def checksum(data: bytes) -> int:
    """XOR of all bytes of *data*, at most 127 of them: whole words are folded at once."""
    value = int.from_bytes(data, "little")
    value ^= value >> 512
    value ^= value >> 256
    value ^= value >> 128
    value ^= value >> 64
    value ^= value >> 32
    value ^= value >> 16
    return (value ^ value >> 8) & 255


def number_line(number: int, text: bytes) -> bytes:
    """*text* with line number, checksum and line feed."""
    line = b"N%d %b" % (number, text)
    return b"%b*%d\n" % (line, checksum(line))


def impossible_line(highest: int) -> bytes:
    """A line that a firmware which counts refuses, and tells its count; *highest*: ever sent."""
    return number_line(highest + _FAR, b"M105")


def number_lines(first: int, texts: list[bytes]) -> list[bytes]:
    """*texts* numbered from *first*."""
    return [number_line(number, text) for number, text in enumerate(texts, first)]


def _normal(text: bytes) -> bytes:
    if code_of(text.upper()) in TEXT_CODES:
        head, blank, tail = text.partition(b" ")
        return head.upper() + blank + tail.replace(b"*", b" ")
    if b"(" in text:
        text = _PARENTHESES.sub(b" ", text).strip()
    if b'"' not in text:
        return text.upper()
    parts = _QUOTED.split(text)
    return b"".join(part if part[:1] == b'"' else part.upper() for part in parts)
