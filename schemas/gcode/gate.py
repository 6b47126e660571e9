"""Lines against limits, volume and policy: the preflight of whole files and the gate at the port.

A file of five megabytes has a handful of lines that matter. One search over the whole chunk finds
them; only those are parsed.
"""

import re
from dataclasses import dataclass

from schemas.gcode import limits, shape, volume
from schemas.gcode.limits import Violation
from schemas.gcode.policy import POLICY, Origin, Treatment, rule_of
from schemas.gcode.words import parse
from schemas.printer import Profile

#: A file with more findings than this is refused anyway; nobody reads the rest.
MAX_FINDINGS = 20
#: A line longer than this is not kept while its end is awaited: no firmware takes it.
MAX_CARRY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """A line that does not simply pass. *line* counts from 1 in its file or list of lines.

    *violation* is set for a temperature above a ceiling, and then *treatment* is refuse.
    """

    line: int
    code: str
    treatment: Treatment
    why: str
    violation: Violation | None = None

    def __str__(self) -> str:
        if self.violation is not None:
            return f"line {self.line}: {self.violation}"
        return f"line {self.line}: {self.code} is not allowed here, {self.why}"


@dataclass(frozen=True, slots=True)
class _Search:
    """Lines with *byte*, from which *pattern* matches, and of which *line* is true."""

    byte: bytes
    pattern: re.Pattern[bytes]
    line: re.Pattern[bytes] | None = None

    def hits(self, batch: bytes) -> list[int]:
        """Where, ascending."""
        found = self._sparse(batch)
        if found is None:
            found = [match.start() for match in self.pattern.finditer(batch)]
        return found if self.line is None else [at for at in found if self._in_line(batch, at)]

    def _sparse(self, batch: bytes) -> list[int] | None:
        """The same by looking for the byte alone; None where there is too much of it for that."""
        found: list[int] = []
        left = len(batch) // _DENSE_BYTES + 1
        at = batch.find(self.byte)
        while at >= 0:
            if self.pattern.match(batch, at):
                found.append(at)
            at = batch.find(self.byte, at + 1)
            left -= 1
            if not left:
                return None
        return found

    def _in_line(self, batch: bytes, at: int) -> bool:
        assert self.line is not None
        start = batch.rfind(b"\n", 0, at) + 1
        if batch[start] == _COMMENT:
            return False
        end = batch.find(b"\n", at)
        return self.line.search(batch, start, end if end >= 0 else len(batch)) is not None


_COMMENT = ord(";")
#: More often than once in so many bytes, a pattern's own search is faster.
_DENSE_BYTES = 64
#: What `words.bare` takes for a blank.
_BLANK = rb"\x00-\x09\x0b-\x20\\\x7f-\xff"


def _codes(letter: str) -> bytes:
    """All numbers of *letter* that are in a table, as they may be written behind it."""
    numbers = sorted(code[1:] for code in {*POLICY, *limits.SETTERS} if code[0] == letter)
    return b"[0+%b]*(?:%b)(?![0-9])" % (_BLANK, "|".join(numbers).encode())


_M = re.compile(b"[Mm]" + _codes("M"))
_G = re.compile(b"[Gg]" + _codes("G"))
_HOST = re.compile(
    rb"^[%b]*(?:[Nn][%b]*-?\d+[%b]*)*(?:[@%%]|//)" % (_BLANK, _BLANK, _BLANK), re.MULTILINE
)

#: A search for one byte is ten times as fast as any other, where there is little to find. So every
#: line that matters is found by a byte that is rare in what printers move by; the G codes of the
#: tables, beside the G of every move, by the words that they cannot do without.
_SEARCHES = (
    _Search(b"M", _M),
    _Search(b"m", _M),
    *(
        _Search(word, re.compile(word), _G)
        for code, each in sorted(limits.SETTERS.items())
        if code[0] == "G"
        for letter in each.needs
        for word in (letter.encode(), letter.lower().encode())
    ),
    _Search(b"@", re.compile(b"@"), _HOST),
    _Search(b"%", re.compile(b"%"), _HOST),
    _Search(b"/", re.compile(b"//"), _HOST),
    _Search(b"_", re.compile(b"_(?:HEATER|CALIBRATE)", re.IGNORECASE)),
)


def judge(
    line: bytes, number: int, profile: Profile, origin: Origin, *, moves: bool = False
) -> Finding | None:
    """What is wrong with *line*, the line *number* of its source; None when it may pass.

    *moves*: also hold its places against the build volume.
    """
    weakest: Finding | None = None
    for command in parse(line):
        rule = rule_of(command)
        treatment = rule.treatment(origin, allowed=command.code in profile.allowed_codes)
        if treatment is Treatment.REFUSE:
            return Finding(number, command.code, treatment, rule.why)
        violation = limits.check(command, profile)
        if violation is not None:
            return Finding(number, command.code, Treatment.REFUSE, str(violation), violation)
        outside = volume.check(command, profile) if moves else None
        if outside is not None:
            return Finding(number, command.code, Treatment.REFUSE, outside)
        if treatment is not Treatment.ALLOW and weakest is None:
            weakest = Finding(number, command.code, treatment, rule.why)
    return weakest


def scan_lines(
    batch: bytes,
    profile: Profile,
    *,
    first_line: int = 1,
    origin: Origin = Origin.FILE,
    moves: bool = False,
) -> list[Finding]:
    """All findings in *batch*, whole lines separated by line feeds, in order.

    *first_line* is the number of its first line, *moves* as for `judge`. Cheap where nothing is
    found: a few searches.
    """
    findings = []
    line, counted, done = first_line, 0, -1
    found = _suspects(batch)
    if moves:
        found = sorted(found + volume.suspects(batch, profile))
    for position in found:
        if position < done:
            continue
        start = batch.rfind(b"\n", 0, position) + 1
        done = batch.find(b"\n", position)
        done = done if done >= 0 else len(batch)
        line += batch.count(b"\n", counted, start)
        counted = start
        finding = judge(batch[start:done], line, profile, origin, moves=moves)
        if finding is not None:
            findings.append(finding)
    return findings


def _suspects(batch: bytes) -> list[int]:
    """Positions in lines that may matter, ascending."""
    return sorted(at for search in _SEARCHES for at in search.hits(batch))


class Preflight:
    """A whole file against a printer, chunk by chunk. `lines` counts the lines seen so far."""

    def __init__(self, profile: Profile, origin: Origin = Origin.FILE) -> None:
        self._profile = profile
        self._origin = origin
        self._carry = b""
        self._has_command = False
        self.lines = 0
        self.refusals: list[Finding] = []

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes of the file. At most `MAX_FINDINGS` refusals are kept."""
        data = self._carry + chunk
        end = data.rfind(b"\n") + 1
        self._carry = data[end:]
        if len(self._carry) > MAX_CARRY_BYTES:
            self._carry = self._carry[:MAX_CARRY_BYTES]
        if end:
            self._scan(data[:end])

    def finish(self) -> list[Finding]:
        """The refusals of the whole file, the last line without a line end included."""
        if self._carry:
            self._scan(self._carry)
            self._carry = b""
        if self.lines and not self._has_command and not self.refusals:
            last = Finding(self.lines, "this line", Treatment.REFUSE, shape.ONLY_COMMENTS)
            self.refusals.append(last)
        return self.refusals

    def _scan(self, batch: bytes) -> None:
        self._has_command = self._has_command or shape.has_command(batch)
        room = MAX_FINDINGS - len(self.refusals)
        if room > 0:
            first = self.lines + 1
            found = [
                Finding(first + at, "this line", Treatment.REFUSE, why)
                for at, why in shape.misfits(batch)
            ]
            format_name = shape.foreign(batch) if first == 1 else None
            if format_name is not None:
                found = [Finding(1, "this file", Treatment.REFUSE, f"it is {format_name}")]
            found += scan_lines(
                batch, self._profile, first_line=first, origin=self._origin, moves=True
            )
            refused = [one for one in found if one.treatment is Treatment.REFUSE]
            self.refusals += sorted(refused, key=lambda one: one.line)[:room]
        self.lines += batch.count(b"\n") + (not batch.endswith(b"\n"))
