"""A G-code file, chunk by chunk, into lines that are ready for the stream: cleaned and judged.

The gate looks at the *cleaned* lines, which are the bytes that will be sent, so nothing that the
cleaning joins or drops can hide from it (safety M19).
"""

import re
from dataclasses import dataclass

from bridge.errors import GateRefusal
from bridge.gcode.lines import (
    MAX_COMMAND_BYTES,
    MOTION,
    PLAIN_BYTES,
    LineTooLong,
    clean,
    is_blocking,
)
from schemas.gcode.gate import Finding, scan_lines
from schemas.gcode.policy import Treatment
from schemas.printer import Profile

#: An unfinished line beyond this cannot become a command; only its beginning is kept.
_MAX_CARRY_BYTES = 64 * 1024
_REMAINING = re.compile(rb"\bR(\d+)")


@dataclass(frozen=True, slots=True)
class Run:
    """Consecutive lines. *ends* are file offsets in bytes behind each; *blocking*: one line."""

    texts: list[bytes]
    ends: list[int]
    blocking: bool = False
    #: the slicer's minutes left, as M73 says behind this run's last line
    minutes_left: int | None = None


@dataclass(frozen=True, slots=True)
class HostPause:
    """The file asks the host to pause here (M0, M1, M25, @pause)."""

    code: str


Prepared = Run | HostPause


class Preparer:
    """One pass over one file. `feed` in order, the last chunk with *last*."""

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._carry = b""
        self._skipped = 0
        self._offset = 0
        self._line = 1

    def feed(self, chunk: bytes, *, last: bool = False) -> list[Prepared]:
        """What the lines completed by *chunk* are. Raises `GateRefusal` with the file's line."""
        data = self._carry + chunk
        end = len(data) if last else data.rfind(b"\n") + 1
        self._carry = data[end:]
        if not end:
            if len(self._carry) > _MAX_CARRY_BYTES:
                self._skipped += len(self._carry) - _MAX_CARRY_BYTES
                self._carry = self._carry[:_MAX_CARRY_BYTES]
            return []
        raws = data[:end].split(b"\n")
        if not raws[-1]:
            raws.pop()
        texts, ends = self._clean(raws)
        findings = {
            finding.line - 1: finding for finding in scan_lines(b"\n".join(texts), self._profile)
        }
        for index, finding in findings.items():
            if finding.treatment is Treatment.REFUSE:
                raise self._refusal(finding, data, ends[index])
        self._line += len(raws)
        self._offset += end + self._skipped
        self._skipped = 0
        return _split(texts, ends, findings)

    def _clean(self, raws: list[bytes]) -> tuple[list[bytes], list[int]]:
        texts: list[bytes] = []
        ends: list[int] = []
        offset = self._offset + self._skipped
        for index, raw in enumerate(raws):
            offset += len(raw) + 1
            if (
                raw[:3] in MOTION
                and len(raw) <= MAX_COMMAND_BYTES
                and not raw.translate(None, PLAIN_BYTES)
            ):
                texts.append(raw)
                ends.append(offset)
                continue
            try:
                text = clean(raw)
            except LineTooLong as error:
                raise GateRefusal(
                    self._line + index, f"line {self._line + index}: {error}"
                ) from None
            if text:
                texts.append(text)
                ends.append(offset)
        return texts, ends

    def _refusal(self, finding: Finding, data: bytes, end: int) -> GateRefusal:
        begin = self._offset + self._skipped
        line = self._line + data.count(b"\n", 0, max(0, end - begin - 1))
        text = str(finding).partition(": ")[2]
        return GateRefusal(line, f"line {line}: {text}")


def _split(texts: list[bytes], ends: list[int], findings: dict[int, Finding]) -> list[Prepared]:
    """Cut at blocking lines, at M73 and at what the policy takes out."""
    prepared: list[Prepared] = []
    begin = 0
    for index, text in enumerate(texts):
        if text[:3] in MOTION:
            continue
        finding = findings.get(index)
        blocking = finding is None and is_blocking(text)
        progress = text.startswith(b"M73 ")
        if finding is None and not blocking and not progress:
            continue
        stop = index + progress
        if stop > begin:
            minutes = _REMAINING.search(text) if progress else None
            left = int(minutes[1]) if minutes else None
            prepared.append(Run(texts[begin:stop], ends[begin:stop], minutes_left=left))
        if blocking:
            prepared.append(Run([text], [ends[index]], blocking=True))
        elif finding is not None and finding.treatment is Treatment.HOST:
            prepared.append(HostPause(finding.code))
        begin = index + 1
    if begin < len(texts):
        prepared.append(Run(texts[begin:], ends[begin:]))
    return prepared
