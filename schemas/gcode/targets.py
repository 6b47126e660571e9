"""The hottest target that a text sets for each heater, and the line that sets it. Pure.

The gate looks for lines above a printer's ceilings. Here the ceilings are what was seen so far, so
that only a line that is hotter than all before it is looked at.
"""

import msgspec

from schemas.gcode.gate import Finding, judge, scan_lines
from schemas.gcode.policy import PROFILE_CODES, Origin
from schemas.printer import Profile

#: No target passes these ceilings, so that the first line that sets one is found.
_NOTHING_SEEN = Profile(max_nozzle_c=-1.0, max_bed_c=-1.0, max_chamber_c=-1.0)


class Target(msgspec.Struct, frozen=True):
    """A target in degrees Celsius, and the first line that asks for it, from 1."""

    line: int
    c: float
    code: str = ""


class Targets:
    """What batches of lines set, one after the other. *hottest* is by heater, *heated* the first
    line that switches it on.
    """

    def __init__(self) -> None:
        self.hottest: dict[str, Target] = {}
        self.heated: dict[str, int] = {}
        self._seen = _NOTHING_SEEN

    def hits(self, batch: bytes) -> bool:
        """Whether `feed` would find something in *batch*, and so needs its place."""
        return bool(scan_lines(batch, self._seen))

    def feed(self, batch: bytes, first_line: int) -> list[Finding]:
        """Look at whole lines; what is wrong with them on any printer, in their order.

        A line has one finding, and one more for each code before it that a profile may allow.
        *first_line* is the number of the first.
        """
        rest = []
        findings = scan_lines(batch, self._seen, first_line=first_line)
        lines = batch.split(b"\n") if findings else []
        for finding in findings:
            rest += self._note(lines[finding.line - first_line], finding.line)
        return rest

    def _note(self, line: bytes, number: int) -> list[Finding]:
        """Every target that *line* sets above what was seen; then what else is wrong with it."""
        found: list[Finding] = []
        allowed: tuple[str, ...] = ()
        while finding := judge(line, number, self._allowing(allowed), Origin.FILE):
            violation = finding.violation
            if violation is None and finding.code in PROFILE_CODES:
                found.append(finding)  # what stands behind it counts where a profile allows it
                allowed = (*allowed, finding.code)
                continue
            if violation is None or violation.asked_c is None:
                return [*found, finding]
            heater, asked_c = violation.heater, violation.asked_c
            self.hottest[heater] = Target(number, asked_c, violation.code)
            if asked_c > 0.0:
                self.heated.setdefault(heater, number)
            self._seen = msgspec.structs.replace(self._seen, **{f"max_{heater}_c": asked_c})
        return found

    def _allowing(self, codes: tuple[str, ...]) -> Profile:
        return msgspec.structs.replace(self._seen, allowed_codes=codes) if codes else self._seen
