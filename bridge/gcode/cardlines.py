"""What may stand in a file that goes to the printer's own card, beyond what may be printed.

A print's file is judged by what the host does with its lines; from the card they reach the firmware
alone. So a pause of the file's own is left to the printer, and what only a host understands is
refused. `M29` ends the file wherever it stands in a line: Marlin looks for it with `strstr`
(`queue.cpp`, `is_M29`; before 2.0 for M290 and the like, too), and would run what follows. (What is
found in the same way and sets the line count, `lines.uncounted` has taken out.)
"""

import re

from bridge.gcode.prepare import Preparer
from schemas.gcode.gate import Finding
from schemas.gcode.policy import Treatment

#: Codes that a print pauses by: the printer can do that itself.
_OWN_PAUSES = frozenset({"M0", "M1", "M25"})
_ENDS = re.compile(rb"M29")
_TAKES_AWAY = re.compile(rb"\nM[ \t]*0*(2[1-3])(?![0-9])")


class CardPreparer(Preparer):
    """One pass over a file for the card: only `Run`s come out of it."""

    def findings(self, batch: bytes) -> list[Finding]:
        """See `Preparer`."""
        found = [_for_card(one) for one in super().findings(batch) if one.code not in _OWN_PAUSES]
        lines = b"\n" + batch
        for match in _TAKES_AWAY.finditer(lines):
            code = f"M{match[1].decode()}"
            found.append(_refused(lines, match.end(), code, "it takes the card from its print"))
        ends = (match.end() for match in _ENDS.finditer(lines))
        found += [_refused(lines, end, "M29", "a printer that saves would obey it") for end in ends]
        return found


def _refused(lines: bytes, at: int, code: str, why: str) -> Finding:
    return Finding(lines.count(b"\n", 0, at), code, Treatment.REFUSE, why)


def _for_card(finding: Finding) -> Finding:
    if finding.treatment is not Treatment.HOST:
        return finding
    why = "only a host program understands it, and none prints from the card"
    return Finding(finding.line, finding.code, Treatment.REFUSE, why)
