"""A file with the fixes of a preflight carried out, chunk by chunk. Pure.

The original is never changed: what comes out is another file.
"""

from collections.abc import Collection

from schemas.gcode.gate import MAX_CARRY_BYTES, scan_lines
from schemas.gcode.policy import Treatment
from schemas.gcode.preflight import HOME, Edit, Fix
from schemas.gcode.words import parse
from schemas.printer import Profile

#: Temperatures are not what is looked for.
_ANY = Profile(max_nozzle_c=1e9, max_bed_c=1e9, max_chamber_c=1e9)
_LEFT_OUT = (Treatment.REFUSE, Treatment.DROP)


class Mender:
    """One pass over one file. *home_line*: the line before which it homes, if that is asked for."""

    def __init__(self, fixes: Collection[Fix], home_line: int | None) -> None:
        self._codes = {fix.code for fix in fixes if fix.edit is Edit.LEAVE_OUT}
        homes = any(fix.edit is Edit.HOME_FIRST for fix in fixes)
        self._home_line = home_line if homes else None
        self._carry = b""
        self._line = 1
        self.removed = 0

    def feed(self, chunk: bytes) -> bytes:
        """The next bytes of the new file."""
        data = self._carry + chunk
        end = data.rfind(b"\n") + 1
        if not end and len(data) > MAX_CARRY_BYTES:  # such a line is left as it is
            end = len(data)
        self._carry = data[end:]
        return self._mended(data[:end]) if end else b""

    def finish(self) -> bytes:
        """What is left: a last line without a line end."""
        rest, self._carry = self._carry, b""
        return self._mended(rest) if rest else b""

    def _mended(self, batch: bytes) -> bytes:
        doomed = self._doomed(batch) if self._codes else set()
        count = batch.count(b"\n")
        home = self._home_line
        is_here = home is not None and self._line <= home < self._line + max(count, 1)
        if doomed or is_here:
            lines = batch.split(b"\n")
            kept = [each for at, each in enumerate(lines, self._line) if at not in doomed]
            if home is not None and is_here:
                before = sum(1 for at in doomed if at < home)
                kept.insert(home - self._line - before, HOME.encode())
            batch = b"\n".join(kept)
        self._line += count
        self.removed += len(doomed)
        return batch

    def _doomed(self, batch: bytes) -> set[int]:
        """The lines that hold one of the codes and nothing else."""
        findings = scan_lines(batch, _ANY, first_line=self._line)
        wanted = [
            each.line
            for each in findings
            if each.code in self._codes and each.treatment in _LEFT_OUT
        ]
        lines = batch.split(b"\n") if wanted else []
        return {at for at in wanted if len(parse(lines[at - self._line])) == 1}
