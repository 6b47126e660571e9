"""Lines against limits and policy: the preflight of whole files and the gate at the port.

A file of five megabytes has a handful of lines that matter. One search over the whole chunk finds
them; only those are parsed.
"""

import re
from dataclasses import dataclass

from schemas.gcode import limits
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


def _numbers(letter: str) -> str:
    codes = {code for code in (*POLICY, *limits.SETTERS) if code[0] == letter}
    return "|".join(sorted(code[1:] for code in codes))


#: One pattern each: a search for a fixed first character is several times faster than for any of
#: four, and there is little to find.
_SUSPECTS = tuple(
    re.compile(pattern)
    for pattern in (
        rb"M[ 0\t]*(?:%b)(?![0-9])" % _numbers("M").encode(),
        rb"G[ 0\t]*(?:%b)(?![0-9])" % _numbers("G").encode(),
        rb"\n[ \t]*(?:[@%]|//)",
        rb"SET_HEATER",
    )
)

#: Upper case, and blanks for what `words.bare` blanks, so that nothing hides from the search.
_PLAIN = bytes(
    code if code == 10 else 32 if not 32 <= code < 127 or code == 92 else ord(chr(code).upper())
    for code in range(256)
)


def judge(line: bytes, number: int, profile: Profile, origin: Origin) -> Finding | None:
    """What is wrong with *line*, the line *number* of its source; None when it may pass."""
    weakest: Finding | None = None
    for command in parse(line):
        violation = limits.check(command, profile)
        if violation is not None:
            return Finding(number, command.code, Treatment.REFUSE, str(violation), violation)
        rule = rule_of(command)
        treatment = rule.treatment(origin)
        if treatment is Treatment.REFUSE:
            return Finding(number, command.code, treatment, rule.why)
        if treatment is not Treatment.ALLOW and weakest is None:
            weakest = Finding(number, command.code, treatment, rule.why)
    return weakest


def scan_lines(
    batch: bytes, profile: Profile, *, first_line: int = 1, origin: Origin = Origin.FILE
) -> list[Finding]:
    """All findings in *batch*, whole lines separated by line feeds, in order.

    *first_line* is the number of its first line. Cheap where nothing is found: one search.
    """
    findings = []
    text = b"\n" + batch.translate(_PLAIN)
    line, counted, done = first_line - 1, 0, -1
    found = sorted(match.end() - 1 for each in _SUSPECTS for match in each.finditer(text))
    for position in found:
        if position < done:
            continue
        start = text.rfind(b"\n", 0, position) + 1
        done = text.find(b"\n", position)
        done = done if done >= 0 else len(text)
        line += text.count(b"\n", counted, start)
        counted = start
        finding = judge(batch[start - 1 : done - 1], line, profile, origin)
        if finding is not None:
            findings.append(finding)
    return findings


class Preflight:
    """A whole file against a printer, chunk by chunk. `lines` counts the lines seen so far."""

    def __init__(self, profile: Profile, origin: Origin = Origin.FILE) -> None:
        self._profile = profile
        self._origin = origin
        self._carry = b""
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
        return self.refusals

    def _scan(self, batch: bytes) -> None:
        room = MAX_FINDINGS - len(self.refusals)
        if room > 0:
            first = self.lines + 1
            found = scan_lines(batch, self._profile, first_line=first, origin=self._origin)
            refused = [one for one in found if one.treatment is Treatment.REFUSE]
            self.refusals += refused[:room]
        self.lines += batch.count(b"\n") + (not batch.endswith(b"\n"))
